//! Planned and measured, side by side, and how the rehearsal went.

use model::{Severity, Timestamp};
use plan::Estimate;

use super::{Facts, loads, percent, services};
use crate::{
    RehearsalSummary,
    document::{Level, Section, Table},
    words::{Words, count, fill, rate},
};

pub(super) fn section(facts: &Facts<'_>) -> Section {
    let words = facts.words;
    let measured = if facts.input.rehearsal.is_some() { words.rehearsed } else { words.measured };
    let mut table = Table::new(&[(words.what, false), (words.planned, false), (measured, false)]);
    crowd_rows(facts, &mut table);
    load_rows(facts, &mut table);
    service_rows(facts, &mut table);
    trouble_rows(facts, &mut table);
    let mut section = Section::new("summary", words.summary);
    if facts.course.samples == 0 {
        section.says.push(words.no_samples.to_owned());
    }
    section.tables.push(table);
    section
}

fn crowd_rows(facts: &Facts<'_>, table: &mut Table) {
    let (words, input) = (facts.words, facts.input);
    let planned = &input.planned;
    let came = input.rehearsal.as_ref().map(|rehearsal| fill(words.people_came, &[&count(rehearsal.people as f64)]));
    calm(table, words.people, estimate(planned.people, words), came.unwrap_or_else(|| words.not_measured.to_owned()));
    let talks = if planned.talks == 0 { words.nothing.to_owned() } else { count(planned.talks as f64) };
    calm(table, words.talks_row, talks, words.unknown.to_owned());
    let peak = peak(facts).map(|(at, clients)| match at {
        Some(at) => fill(words.at_time, &[&count(clients), &facts.moment(at)]),
        None => count(clients),
    });
    calm(table, words.devices_peak, estimate(planned.devices_peak, words), or_not_measured(peak, words));
    let seen = facts.course.whole("clients_unique").and_then(|series| Some(series.peak()?.1 as u64));
    let rehearsed = input.rehearsal.as_ref().map(|rehearsal| rehearsal.clients_unique);
    let unique =
        [input.clients_unique, rehearsed, seen].into_iter().flatten().max().map(|clients| count(clients as f64));
    calm(table, words.unique, words.unknown.to_owned(), or_not_measured(unique, words));
}

fn load_rows(facts: &Facts<'_>, table: &mut Table) {
    let words = facts.words;
    let carried: u64 = facts.input.planned.access_points.iter().map(|ap| ap.clients_capacity).sum();
    let used = peak(facts).map(|(_, clients)| percent(clients, carried as f64));
    let says = used.map(|used| format!("{used:.0} %"));
    let level = Level::of_percent(used.unwrap_or(0.0));
    table.row(level, vec![words.capacity_all.to_owned(), count(carried as f64), or_not_measured(says, words)]);
    for (what, load) in [
        (words.room_fullest, loads::fullest(&loads::room_loads(facts))),
        (words.access_point_fullest, loads::fullest(&loads::access_point_loads(facts))),
        (words.pool_largest, loads::fullest(&services::pool_loads(facts))),
    ] {
        let level = load.as_ref().map_or(Level::Calm, |load| load.level());
        let planned = load.as_ref().map_or(words.unknown.to_owned(), |load| count(load.capacity));
        let says = load.map(|load| {
            let of = [load.name.as_str(), &count(load.peak), &count(load.capacity), &format!("{:.0}", load.percent())];
            fill(words.named_load, &of)
        });
        table.row(level, vec![what.to_owned(), planned, or_not_measured(says, words)]);
    }
}

fn service_rows(facts: &Facts<'_>, table: &mut Table) {
    let (words, planned) = (facts.words, &facts.input.planned);
    let total = |metric| {
        let (total, most) = services::total_and_rate(facts, metric)?;
        Some(fill(words.peak_rate, &[&count(total), &rate(most)]))
    };
    calm(table, words.dhcp_total, words.unknown.to_owned(), or_not_measured(total("dhcp_acks_total"), words));
    let expected = planned.devices_peak.likely * planned.dns_queries_per_minute / 60.0;
    let queries = fill(words.dns_planned, &[&rate(expected)]);
    calm(table, words.dns_total, queries, or_not_measured(total("dns_queries_total"), words));
    let lines = planned.log_lines_per_day.map(|lines| fill(words.log_planned, &[&count(lines as f64)]));
    let lines = lines.unwrap_or_else(|| words.unknown.to_owned());
    calm(table, words.log_total, lines, or_not_measured(total("log_lines_total"), words));
}

fn trouble_rows(facts: &Facts<'_>, table: &mut Table) {
    let (words, input) = (facts.words, facts.input);
    let of = |severity| input.findings.iter().filter(|finding| finding.severity == severity).count();
    let counts = [Severity::Error, Severity::Warning, Severity::Info].map(|severity| of(severity).to_string());
    let level = if of(Severity::Error) > 0 { Level::Over } else { Level::Calm };
    let says = fill(words.findings_count, &[&counts[0], &counts[1], &counts[2]]);
    table.row(level, vec![words.findings_row.to_owned(), says, words.unknown.to_owned()]);
    let open = input.incidents.iter().filter(|incident| incident.closed.is_none()).count();
    let says = match input.incidents.len() {
        0 => words.nothing.to_owned(),
        all => fill(words.incidents_count, &[&all.to_string(), &open.to_string()]),
    };
    let level = if open > 0 { Level::Over } else { Level::Calm };
    table.row(level, vec![words.incidents_row.to_owned(), words.unknown.to_owned(), says]);
}

/// Most clients at one time, with the moment where the samples know it.
fn peak(facts: &Facts<'_>) -> Option<(Option<Timestamp>, f64)> {
    let seen = facts.course.whole("clients").and_then(|series| series.peak());
    let rehearsed = facts.input.rehearsal.as_ref().map(|rehearsal| rehearsal.clients_peak);
    let stated = facts.input.clients_peak.max(rehearsed).map(|clients| clients as f64);
    match (stated, seen) {
        (Some(stated), Some((at, seen))) => Some((Some(at), stated.max(seen))),
        (Some(stated), None) => Some((None, stated)),
        (None, seen) => seen.map(|(at, clients)| (Some(at), clients)),
    }
}

/// How the rehearsal went.
pub(super) fn rehearsal(facts: &Facts<'_>, rehearsal: &RehearsalSummary) -> Section {
    let words = facts.words;
    let mut section = Section::new("rehearsal", words.rehearsal);
    section.says.push(words.rehearsal_says.to_owned());
    if !rehearsal.complete {
        section.says.push(words.stopped_early.to_owned());
    }
    section.says.push(if rehearsal.is_good() { words.good } else { words.not_good }.to_owned());
    let mut table = Table::new(&[(words.figure, false), (words.value, false)]);
    let n = |value: u64| count(value as f64);
    let ms = |p50: f64, p99: f64| format!("{p50:.2} / {p99:.2} ms");
    let speed = [count(rehearsal.speed), rehearsal.seed.to_string(), count(rehearsal.wall_seconds)];
    let mut row = |level, what: &str, value: String| table.row(level, vec![what.to_owned(), value]);
    let bad = |is_bad| if is_bad { Level::Over } else { Level::Calm };
    row(Level::Calm, words.speed_seed, fill(words.speed_seed_value, &[&speed[0], &speed[1], &speed[2]]));
    row(Level::Calm, words.people_row, n(rehearsal.people));
    row(Level::Calm, words.turned_away, joined(&[rehearsal.people_turned_away, rehearsal.streams_opened]));
    let failed = rehearsal.leases_failed + rehearsal.leases_duplicate > 0;
    let leases =
        [rehearsal.leases_granted, rehearsal.leases_failed, rehearsal.leases_duplicate, rehearsal.leases_lapsed];
    row(bad(failed), words.leases_row, joined(&leases));
    row(Level::Calm, words.dhcp_latency, ms(rehearsal.dhcp_p50_ms, rehearsal.dhcp_p99_ms));
    row(Level::Calm, words.dns_row, joined(&[rehearsal.dns_queries, rehearsal.dns_failed]));
    row(Level::Calm, words.hit_row, format!("{:.0} %", rehearsal.dns_hit_ratio * 100.0));
    row(Level::Calm, words.dns_latency, ms(rehearsal.dns_p50_ms, rehearsal.dns_p99_ms));
    let lost = rehearsal.log_lines_sent != rehearsal.log_lines_stored;
    row(bad(lost), words.log_row, joined(&[rehearsal.log_lines_sent, rehearsal.log_lines_stored]));
    for (what, load) in [
        (words.access_point_fullest, &rehearsal.access_point_most_loaded),
        (words.room_fullest, &rehearsal.room_most_loaded),
    ] {
        let Some(load) = load else { continue };
        let share = percent(load.clients_peak as f64, load.clients_capacity as f64);
        let of = [load.name.as_str(), &n(load.clients_peak), &n(load.clients_capacity), &format!("{share:.0}")];
        row(Level::of_percent(share), what, fill(words.named_load, &of));
    }
    let bottleneck = rehearsal.bottleneck.clone();
    section.says.push(format!(
        "{}: {}",
        words.bottleneck,
        bottleneck.unwrap_or_else(|| words.no_bottleneck.to_owned())
    ));
    section.tables.push(table);
    section
}

fn joined(values: &[u64]) -> String {
    values.iter().map(|value| count(*value as f64)).collect::<Vec<_>>().join(" / ")
}

fn estimate(estimate: Estimate, words: &Words) -> String {
    let [likely, low, high] = [estimate.likely, estimate.low, estimate.high].map(count);
    if low == high { likely } else { fill(words.likely, &[&likely, &low, &high]) }
}

fn or_not_measured(says: Option<String>, words: &Words) -> String {
    says.unwrap_or_else(|| words.not_measured.to_owned())
}

fn calm(table: &mut Table, what: &str, planned: String, measured: String) {
    table.row(Level::Calm, vec![what.to_owned(), planned, measured]);
}
