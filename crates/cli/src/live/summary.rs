//! What the crowd saw and what the services stored, put together.

use model::{Snapshot, TimeLine};
use rehearse::course::Course;
use report::{Load, RehearsalSummary};

/// What the services and the plan add to what the crowd saw.
pub(super) struct Seen<'a> {
    pub(super) event: &'a str,
    pub(super) course: &'a Course,
    pub(super) line: &'a TimeLine,
    pub(super) seed: u64,
    /// The last snapshot of the services.
    pub(super) snapshot: &'a Snapshot,
    /// Log lines stored in this run.
    pub(super) log_lines_stored: u64,
}

pub(super) fn of(seen: &Seen<'_>, played: &replay::Summary) -> RehearsalSummary {
    let loaded = |load: Option<Load>| load.filter(|load| load.clients_peak > 0);
    RehearsalSummary {
        event: seen.event.to_owned(),
        seed: seen.seed,
        speed: seen.line.speed(),
        wall_seconds: seen.line.length().as_secs_f64(),
        complete: played.complete,
        people: seen.course.people.into(),
        people_turned_away: seen.course.turned_away.into(),
        streams_opened: seen.course.streams_opened.into(),
        clients_unique: played.clients_unique,
        clients_peak: played.clients_peak,
        leases_granted: played.leases_granted,
        leases_failed: played.leases_failed,
        leases_duplicate: played.leases_duplicate,
        leases_lapsed: played.leases_lapsed,
        dhcp_p50_ms: played.dhcp_p50_ms,
        dhcp_p99_ms: played.dhcp_p99_ms,
        dns_queries: played.dns_queries,
        dns_failed: played.dns_failed,
        dns_hit_ratio: seen.snapshot.rates.dns_hit_ratio_total,
        dns_p50_ms: played.dns_p50_ms,
        dns_p99_ms: played.dns_p99_ms,
        log_lines_sent: played.log_lines_sent_udp + played.log_lines_sent_tcp,
        log_lines_stored: seen.log_lines_stored,
        access_point_most_loaded: loaded(most_loaded_access_point(played)),
        room_most_loaded: loaded(most_loaded_room(seen.snapshot, played)),
        bottleneck: bottleneck(seen.snapshot, played),
        notes: notes(seen, played),
    }
}

/// What was scaled or sampled, and what a reader of the figures should know.
fn notes(seen: &Seen<'_>, played: &replay::Summary) -> Vec<String> {
    let mut notes = vec![
        format!(
            "time was compressed {:.0} times and nights were skipped; waiting times are wall time",
            seen.line.speed()
        ),
        format!(
            "{} DHCP exchanges, of them {} renewals; {} messages sent again, {} refusals; {} releases",
            played.exchanges, played.renewals, played.dhcp_retransmissions, played.naks, played.releases
        ),
        "the air was not simulated: every station hears its access point".to_owned(),
    ];
    if played.dns_thinning > 1 {
        notes.push(format!("DNS queries were thinned to one of {}", played.dns_thinning));
    }
    if played.log_lines_dropped > 0 {
        notes.push(format!("{} log lines were never sent: the crowd's own queue was full", played.log_lines_dropped));
    }
    if played.leases_interrupted > 0 {
        notes.push(format!("{} clients left before they had a lease", played.leases_interrupted));
    }
    notes.push(format!("the crowd was at most {:.0} ms behind its own clock", played.late_max_ms));
    notes
}

fn most_loaded_access_point(played: &replay::Summary) -> Option<Load> {
    let ratio = |peak: u32, capacity: u32| f64::from(peak) / f64::from(capacity.max(1));
    let most = played
        .access_points
        .iter()
        .max_by(|a, b| ratio(a.stations_peak, a.clients_max).total_cmp(&ratio(b.stations_peak, b.clients_max)))?;
    Some(Load {
        name: most.device.as_str().to_owned(),
        clients_peak: u64::from(most.stations_peak),
        clients_capacity: u64::from(most.clients_max),
    })
}

fn most_loaded_room(snapshot: &Snapshot, played: &replay::Summary) -> Option<Load> {
    let loads = played.rooms.iter().filter_map(|peak| {
        let room = snapshot.rooms.iter().find(|room| room.room == peak.room)?;
        Some(Load {
            name: room.name.clone(),
            clients_peak: u64::from(peak.stations_peak),
            clients_capacity: room.clients_capacity,
        })
    });
    loads.max_by(|a, b| ratio(a).total_cmp(&ratio(b)))
}

fn ratio(load: &Load) -> f64 {
    load.clients_peak as f64 / load.clients_capacity.max(1) as f64
}

/// The resource that was nearest to its limit, or furthest beyond; `None` below half of every limit.
fn bottleneck(snapshot: &Snapshot, played: &replay::Summary) -> Option<String> {
    let mut loads = Vec::new();
    loads.extend(most_loaded_access_point(played).map(|load| (format!("access point {}", load.name), load)));
    loads.extend(most_loaded_room(snapshot, played).map(|load| (format!("the access points of {}", load.name), load)));
    for pool in &snapshot.pools {
        let load = Load { name: pool.name.clone(), clients_peak: pool.used_peak, clients_capacity: pool.size };
        loads.push((format!("address pool {}", load.name), load));
    }
    let (name, load) = loads.iter().max_by(|a, b| ratio(&a.1).total_cmp(&ratio(&b.1)))?;
    let verb =
        if load.clients_peak > load.clients_capacity { "was over its limit" } else { "came nearest to its limit" };
    let percent = ratio(load) * 100.0;
    let says = format!("{name} {verb}: {} of {} ({percent:.0} %)", load.clients_peak, load.clients_capacity);
    (percent >= 50.0).then_some(says)
}
