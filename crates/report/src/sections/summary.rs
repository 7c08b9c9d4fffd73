//! Planned and measured, side by side, and how the rehearsal went.

use model::{Severity, Timestamp};
use plan::Estimate;

use super::{Facts, loads, percent, services};
use crate::{
    RehearsalSummary,
    document::{Level, Section, Table},
    rehearsal::{DNS_FAILED_SHARE_MAX, Goal},
    words::{Words, count, fill, rate},
};

/// What stays below this share of its limit is no bottleneck.
const BOTTLENECK_PERCENT_MIN: f64 = 50.0;

pub(super) fn section(facts: &Facts<'_>) -> Section {
    let words = facts.words;
    let measured = if facts.input.rehearsal.is_some() { words.rehearsed } else { words.measured };
    let mut table = Table::new(&[(words.what, false), (words.planned, false), (measured, false)]);
    crowd_rows(facts, &mut table);
    load_rows(facts, &mut table);
    bottleneck_row(facts, &mut table);
    service_rows(facts, &mut table);
    if let Some(rehearsal) = &facts.input.rehearsal {
        goal_rows(rehearsal, facts.words, &mut table);
    }
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
    gear_rows(facts, table);
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

fn gear_rows(facts: &Facts<'_>, table: &mut Table) {
    let (words, planned) = (facts.words, &facts.input.planned);
    let gear: Vec<String> = planned.gear.iter().map(|gear| format!("{} ×{}", gear.model, gear.count)).collect();
    if !gear.is_empty() {
        calm(table, words.gear_row, gear.join(", "), words.unknown.to_owned());
    }
    if let Some(cables) = planned.cables {
        let says = fill(words.cables_value, &[&count(cables.count.into()), &count(cables.length_m)]);
        calm(table, words.cables_row, says, words.unknown.to_owned());
    }
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

/// What the rehearsal was to reach.
fn goal_rows(rehearsal: &RehearsalSummary, words: &Words, table: &mut Table) {
    let missed = rehearsal.goals_missed();
    let level = |goal| if missed.contains(&goal) { Level::Over } else { Level::Calm };
    let bad = [rehearsal.leases_failed, rehearsal.leases_duplicate];
    table.row(level(Goal::Leases), vec![words.leases_bad_row.to_owned(), joined(&[0, 0]), joined(&bad)]);
    let percent = |share: f64| format!("{:.2}", share * 100.0);
    let goal = fill(words.dns_bad_goal, &[&percent(DNS_FAILED_SHARE_MAX)]);
    let failed = [count(rehearsal.dns_failed as f64), percent(rehearsal.dns_failed_share())];
    let failed = fill(words.dns_bad_value, &[&failed[0], &failed[1]]);
    table.row(level(Goal::Dns), vec![words.dns_bad_row.to_owned(), goal, failed]);
    let lines = joined(&[rehearsal.log_lines_sent, rehearsal.log_lines_stored]);
    table.row(level(Goal::Logs), vec![words.logs_kept_row.to_owned(), words.logs_kept_goal.to_owned(), lines]);
}

/// What was nearest to its limit, or furthest beyond.
fn bottleneck_row(facts: &Facts<'_>, table: &mut Table) {
    let words = facts.words;
    let kinds = [
        (words.bottleneck_access_point, loads::access_point_loads(facts)),
        (words.bottleneck_room, loads::room_loads(facts)),
        (words.bottleneck_pool, services::pool_loads(facts)),
    ];
    let known = kinds.into_iter().filter_map(|(kind, loads)| Some((kind, loads::fullest(&loads)?)));
    let worst = known.reduce(|worst, next| if next.1.percent() > worst.1.percent() { next } else { worst });
    let level = worst.as_ref().map_or(Level::Calm, |(_, load)| load.level());
    let says = worst.map(|(kind, load)| {
        if load.percent() < BOTTLENECK_PERCENT_MIN {
            return words.no_bottleneck.to_owned();
        }
        let name = fill(kind, &[&load.name]);
        fill(words.named_load, &[&name, &count(load.peak), &count(load.capacity), &format!("{:.0}", load.percent())])
    });
    table.row(level, vec![words.bottleneck.to_owned(), words.unknown.to_owned(), or_not_measured(says, words)]);
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
    section.says.push(verdict(rehearsal, words));
    let mut table = Table::new(&[(words.figure, false), (words.value, false)]);
    let n = |value: u64| count(value as f64);
    let ms = |p50: f64, p99: f64| format!("{p50:.2} / {p99:.2} ms");
    let speed = [count(rehearsal.speed), rehearsal.seed.to_string(), count(rehearsal.wall_seconds)];
    let mut row = |level, what: &str, value: String| table.row(level, vec![what.to_owned(), value]);
    let bad = |is_bad| if is_bad { Level::Over } else { Level::Calm };
    row(Level::Calm, words.speed_seed, fill(words.speed_seed_value, &[&speed[0], &speed[1], &speed[2]]));
    row(Level::Calm, words.people_row, n(rehearsal.people));
    row(Level::Calm, words.turned_away, joined(&[rehearsal.people_turned_away, rehearsal.streams_opened]));
    let missed = rehearsal.goals_missed();
    let leases =
        [rehearsal.leases_granted, rehearsal.leases_failed, rehearsal.leases_duplicate, rehearsal.leases_lapsed];
    row(bad(missed.contains(&Goal::Leases)), words.leases_row, joined(&leases));
    row(Level::Calm, words.dhcp_latency, ms(rehearsal.dhcp_p50_ms, rehearsal.dhcp_p99_ms));
    row(bad(missed.contains(&Goal::Dns)), words.dns_row, joined(&[rehearsal.dns_queries, rehearsal.dns_failed]));
    row(Level::Calm, words.hit_row, format!("{:.0} %", rehearsal.dns_hit_ratio * 100.0));
    row(Level::Calm, words.dns_latency, ms(rehearsal.dns_p50_ms, rehearsal.dns_p99_ms));
    row(
        bad(missed.contains(&Goal::Logs)),
        words.log_row,
        joined(&[rehearsal.log_lines_sent, rehearsal.log_lines_stored]),
    );
    for (what, load) in [
        (words.access_point_fullest, &rehearsal.access_point_most_loaded),
        (words.room_fullest, &rehearsal.room_most_loaded),
    ] {
        let Some(load) = load else { continue };
        let share = percent(load.clients_peak as f64, load.clients_capacity as f64);
        let of = [load.name.as_str(), &n(load.clients_peak), &n(load.clients_capacity), &format!("{share:.0}")];
        row(Level::of_percent(share), what, fill(words.named_load, &of));
    }
    section.tables.push(table);
    section
}

fn verdict(rehearsal: &RehearsalSummary, words: &Words) -> String {
    let goals: Vec<&str> = rehearsal.goals_missed().into_iter().map(|goal| goal_says(goal, words)).collect();
    if goals.is_empty() { words.good.to_owned() } else { fill(words.not_good, &[&goals.join(words.list_comma)]) }
}

fn goal_says(goal: Goal, words: &Words) -> &'static str {
    match goal {
        Goal::Complete => words.goal_complete,
        Goal::Leases => words.goal_leases,
        Goal::Dns => words.goal_dns,
        Goal::Logs => words.goal_logs,
    }
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
