//! Address pools, DHCP, DNS and logs over time.

use model::LogSeverity;

use super::{
    Facts,
    loads::{PeakLoad, bars},
};
use crate::{
    course::most,
    document::{Level, Section, Table},
    words::{count, fill, rate},
};

pub(super) fn pool_loads(facts: &Facts<'_>) -> Vec<PeakLoad> {
    let pools = facts.input.planned.pools.iter();
    pools.map(|pool| PeakLoad::of(facts, &pool.name, pool.size, "pool_used", &pool.name)).collect()
}

/// What a total came to, and its largest rate per second; `None` when there is no sample of it.
pub(super) fn total_and_rate(facts: &Facts<'_>, metric: &str) -> Option<(f64, f64)> {
    let series = facts.course.whole(metric)?;
    Some((series.total(), most(&facts.course.rate(series))))
}

/// How full each pool was, and the fullest over time.
pub(super) fn pools(facts: &Facts<'_>) -> Section {
    let words = facts.words;
    let mut section = Section::new("pools", words.pools);
    let loads = pool_loads(facts);
    let fullest = super::loads::fullest(&loads);
    if let Some(load) = &fullest
        && let Some(series) = facts.course.series("pool_used", &load.name)
    {
        let lines = vec![facts.course.gauge(series)];
        // A pool much larger than its use would press the line flat; then its size is left to the table.
        let limit = (load.percent() >= 20.0).then_some(load.capacity);
        let mut key = vec![("first", words.in_use_line)];
        key.extend(limit.map(|_| ("limit", words.size_line)));
        section.figures.extend(facts.figure(fill(words.pools_caption, &[&load.name]), key, lines, limit));
    }
    if loads.len() > 1 {
        section.figures.extend(bars(words.pools, &loads, words));
    }
    let columns = [
        (words.pool, false),
        (words.subnet, false),
        (words.size, true),
        (words.peak, true),
        (words.load_percent, true),
    ];
    let mut table = Table::new(&columns);
    for (pool, load) in facts.input.planned.pools.iter().zip(&loads) {
        let known = load.at.is_some();
        let peak = if known { count(load.peak) } else { words.unknown.to_owned() };
        let share = if known { format!("{:.1} %", load.percent()) } else { words.unknown.to_owned() };
        table.row(load.level(), vec![pool.name.clone(), pool.subnet.clone(), count(load.capacity), peak, share]);
    }
    section.tables.push(table);
    section
}

/// DHCPACKs over time.
pub(super) fn dhcp(facts: &Facts<'_>) -> Section {
    let words = facts.words;
    let mut section = Section::new("dhcp", words.dhcp);
    let Some(series) = facts.course.whole("dhcp_acks_total") else { return without_samples(section, facts) };
    let mut line = facts.course.rate(series);
    // Leases are taken slowly enough to be counted by the minute.
    line.iter_mut().flatten().for_each(|point| point.1 *= 60.0);
    section.says.push(fill(words.dhcp_says, &[&count(series.total()), &rate(most(&line))]));
    let key = vec![("first", words.acks_line)];
    section.figures.extend(facts.figure(words.dhcp_caption.to_owned(), key, vec![line], None));
    section
}

/// DNS queries over time, and how many were answered without asking upstream.
pub(super) fn dns(facts: &Facts<'_>) -> Section {
    let words = facts.words;
    let mut section = Section::new("dns", words.dns);
    let Some(series) = facts.course.whole("dns_queries_total") else { return without_samples(section, facts) };
    let mut lines = vec![facts.course.rate(series)];
    let mut key = vec![("first", words.queries_line)];
    let mut share = words.unknown.to_owned();
    if let Some(hits) = facts.course.whole("dns_hits_total") {
        lines.push(facts.course.rate(hits));
        key.push(("second", words.hits_line));
        if series.total() > 0.0 {
            share = format!("{:.0}", (hits.total() / series.total() * 100.0).min(100.0));
        }
    }
    section.says.push(fill(words.dns_says, &[&count(series.total()), &rate(most(&lines[0])), &share]));
    if facts.input.rehearsal.is_some() {
        section.says.push(words.rehearsal_rates.to_owned());
    }
    section.figures.extend(facts.figure(words.dns_caption.to_owned(), key, lines, None));
    section
}

/// Log lines over time and by severity.
pub(super) fn logs(facts: &Facts<'_>) -> Section {
    let words = facts.words;
    let mut section = Section::new("logs", words.logs);
    if let Some(series) = facts.course.whole("log_lines_total") {
        let line = facts.course.rate(series);
        section.says.push(fill(words.logs_says, &[&count(series.total()), &rate(most(&line))]));
        let key = vec![("first", words.lines_line)];
        section.figures.extend(facts.figure(words.logs_caption.to_owned(), key, vec![line], None));
    } else {
        section = without_samples(section, facts);
    }
    let mut counts = facts.input.logs_by_severity.iter().filter(|(_, lines)| *lines > 0).peekable();
    if counts.peek().is_some() {
        let mut table = Table::new(&[(words.log_severity, false), (words.log_lines, true)]);
        for (severity, lines) in counts {
            table.row(Level::Calm, vec![severity_name(*severity).to_owned(), count(*lines as f64)]);
        }
        section.tables.push(table);
    }
    section
}

fn without_samples(mut section: Section, facts: &Facts<'_>) -> Section {
    section.says.push(facts.words.no_samples.to_owned());
    section
}

/// RFC 5424 section 6.2.1, table 2; the names are the same in every language.
fn severity_name(severity: LogSeverity) -> &'static str {
    match severity {
        LogSeverity::Emergency => "emergency",
        LogSeverity::Alert => "alert",
        LogSeverity::Critical => "critical",
        LogSeverity::Error => "error",
        LogSeverity::Warning => "warning",
        LogSeverity::Notice => "notice",
        LogSeverity::Info => "info",
        LogSeverity::Debug => "debug",
    }
}
