//! What all runs together say.

use model::{DeviceId, RoomId};
use plan::{Plan, Role};
use serde::Serialize;

use crate::{
    Options,
    bottleneck::{Bottleneck, Kind},
    measure::{Measures, uplink_mbps, uplink_name},
};

/// The outcome of a rehearsal in virtual time. Its JSON is stable: fields are added, never renamed.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Name of the event.
    pub event: String,
    /// Seed of all runs.
    pub seed: u64,
    /// How many there were.
    pub runs: u32,
    /// The event as a whole.
    pub totals: Totals,
    /// Rooms, in the plan's order; those where nobody ever is are left out.
    pub rooms: Vec<RoomOutcome>,
    /// Access points, in the plan's order.
    pub access_points: Vec<AccessPointOutcome>,
    /// Pools of attendees' VLANs that hotstage serves.
    pub pools: Vec<PoolOutcome>,
    /// Ways out together.
    pub uplink: UplinkOutcome,
    /// What saturates first, the most frequent first.
    pub bottlenecks: Vec<BottleneckShare>,
    /// Each run.
    pub each_run: Vec<RunOutcome>,
}

/// A value over all runs, by nearest rank.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct Band {
    /// One run in ten is not above this.
    pub p10: f64,
    /// Half of the runs are not above this.
    pub p50: f64,
    /// Nine runs in ten are not above this.
    pub p90: f64,
    /// No run is above this.
    pub max: f64,
}

/// The event as a whole, over all runs. Names as in [`RunOutcome`].
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the same words as in `RunOutcome`, which explains them")]
pub struct Totals {
    pub people: Band,
    pub people_peak: Band,
    pub clients_unique: Band,
    pub clients_peak: Band,
    pub turned_away: Band,
    pub streams_opened: Band,
    pub streams_peak: Band,
    pub leases_granted: Band,
    pub leases_confirmed: Band,
    pub leases_renewed: Band,
    pub leases_refused: Band,
    pub dhcp_messages: Band,
    pub dhcp_messages_per_second_peak: Band,
    pub dns_queries: Band,
    pub dns_queries_per_second_peak: Band,
    pub dns_hit_ratio: Band,
    pub log_lines: Band,
    pub log_lines_per_second_peak: Band,
    pub uplink_mbps_peak: Band,
}

/// One run.
#[derive(Clone, Debug, Serialize)]
pub struct RunOutcome {
    /// Its number, from 1. Run 1 takes the likely values of the plan's estimates, the others draw them.
    pub run: u32,
    /// Different people who came.
    pub people: u32,
    /// Most at one time at the venue.
    pub people_peak: u32,
    /// Different devices that associated.
    pub clients_unique: u64,
    /// Most devices associated at one time.
    pub clients_peak: u64,
    /// People turned away from full rooms, each time.
    pub turned_away: u32,
    /// How often one of them opened the stream.
    pub streams_opened: u32,
    /// Most streams watched at one time.
    pub streams_peak: u64,
    /// Addresses granted to devices that had none.
    pub leases_granted: u64,
    /// Leases that a device still held when it came back.
    pub leases_confirmed: u64,
    /// Leases renewed.
    pub leases_renewed: u64,
    /// Associations that got no address at once.
    pub leases_refused: u64,
    /// DHCP messages, both ways.
    pub dhcp_messages: u64,
    /// Most of them in one second.
    pub dhcp_messages_per_second_peak: u64,
    /// DNS queries, by formula.
    pub dns_queries: f64,
    /// Highest rate of them.
    pub dns_queries_per_second_peak: f64,
    /// Share answered from the cache at that rate, by formula.
    pub dns_hit_ratio: f64,
    /// Log lines, by formula.
    pub log_lines: u64,
    /// Most of them in one second.
    pub log_lines_per_second_peak: u64,
    /// Highest traffic towards the event, Mb/s, by formula.
    pub uplink_mbps_peak: f64,
    /// What saturates first; `null` when the plan has nothing with a limit.
    pub first_bottleneck: Option<Bottleneck>,
}

/// One room over all runs.
#[derive(Clone, Debug, Serialize)]
pub struct RoomOutcome {
    /// The room.
    pub room: RoomId,
    /// Its name for people.
    pub name: String,
    /// Seats.
    pub seats: u32,
    /// People who may stand besides.
    pub standing: u32,
    /// Most people at one time.
    pub people_peak: Band,
    /// People turned away.
    pub turned_away: Band,
    /// Most devices at its access points at one time.
    pub clients_peak: Band,
    /// Devices that its access points are planned to carry.
    pub clients_capacity: u64,
}

/// One access point over all runs.
#[derive(Clone, Debug, Serialize)]
pub struct AccessPointOutcome {
    /// The access point.
    pub device: DeviceId,
    /// Its room.
    pub room: RoomId,
    /// Stations it is planned to carry.
    pub clients_max: u32,
    /// Most stations at one time.
    pub clients_peak: Band,
    /// Share of runs in which it had more than it should.
    pub overloaded_share: f64,
}

/// One pool over all runs.
#[derive(Clone, Debug, Serialize)]
pub struct PoolOutcome {
    /// Its VLAN.
    pub name: String,
    /// Addresses.
    pub size: u64,
    /// Most in use at one time.
    pub used_peak: Band,
    /// Associations that got no address at once.
    pub refused: Band,
}

/// The ways out together, over all runs.
#[derive(Clone, Debug, Serialize)]
pub struct UplinkOutcome {
    /// Their names.
    pub name: String,
    /// What they carry towards the event, Mb/s; 0 when the plan has none.
    pub down_mbps: f64,
    /// Highest traffic, Mb/s.
    pub mbps_peak: Band,
}

/// How often something saturates first.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct BottleneckShare {
    /// What kind of thing.
    pub kind: Kind,
    /// Which one; access points go by their room.
    pub subject: String,
    /// Share of the runs in which it is the first, or nearest to its limit when nothing exceeds one.
    pub share: f64,
    /// Share of the runs in which it is the first and exceeds its limit.
    pub exceeded_share: f64,
    /// Load over limit in those runs where it is the first, highest.
    pub ratio_max: f64,
}

impl Outcome {
    /// True when no device was left without an address.
    pub fn is_good(&self) -> bool {
        self.each_run.iter().all(|run| run.leases_refused == 0)
    }

    /// From at least one run.
    pub(crate) fn of(plan: &Plan, options: &Options, runs: &[Measures]) -> Self {
        let each_run: Vec<RunOutcome> = (1..).zip(runs).map(|(run, measures)| one_run(run, measures)).collect();
        Self {
            event: plan.event.name.clone(),
            seed: options.seed,
            runs: options.runs,
            totals: totals(&each_run),
            rooms: rooms(plan, runs),
            access_points: access_points(plan, runs),
            pools: pools(runs),
            uplink: UplinkOutcome {
                name: uplink_name(plan),
                down_mbps: uplink_mbps(plan),
                mbps_peak: Band::of(runs.iter().map(|run| run.uplink_mbps_peak)),
            },
            bottlenecks: bottlenecks(runs),
            each_run,
        }
    }
}

impl Band {
    /// All 0 of no values.
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let rank = |tenths: usize| {
            let rank = (values.len() * tenths).div_ceil(10).max(1) - 1;
            values.get(rank).copied().unwrap_or(0.0)
        };
        Self { p10: rank(1), p50: rank(5), p90: rank(9), max: rank(10) }
    }
}

fn one_run(run: u32, measures: &Measures) -> RunOutcome {
    RunOutcome {
        run,
        people: measures.people,
        people_peak: measures.people_peak,
        clients_unique: measures.clients_unique,
        clients_peak: measures.clients_peak,
        turned_away: measures.turned_away,
        streams_opened: measures.streams_opened,
        streams_peak: measures.streams_peak,
        leases_granted: measures.dhcp.granted,
        leases_confirmed: measures.dhcp.confirmed,
        leases_renewed: measures.dhcp.renewed,
        leases_refused: measures.dhcp.refused,
        dhcp_messages: measures.dhcp.messages,
        dhcp_messages_per_second_peak: measures.dhcp.messages_per_second_peak,
        dns_queries: measures.dns_queries.round(),
        dns_queries_per_second_peak: measures.dns_per_second_peak,
        dns_hit_ratio: measures.dns_hit_ratio,
        log_lines: measures.log_lines,
        log_lines_per_second_peak: measures.log_lines_per_second_peak,
        uplink_mbps_peak: measures.uplink_mbps_peak,
        first_bottleneck: measures.bottleneck.clone(),
    }
}

fn totals(runs: &[RunOutcome]) -> Totals {
    let band = |value: fn(&RunOutcome) -> f64| Band::of(runs.iter().map(value));
    Totals {
        people: band(|run| f64::from(run.people)),
        people_peak: band(|run| f64::from(run.people_peak)),
        clients_unique: band(|run| run.clients_unique as f64),
        clients_peak: band(|run| run.clients_peak as f64),
        turned_away: band(|run| f64::from(run.turned_away)),
        streams_opened: band(|run| f64::from(run.streams_opened)),
        streams_peak: band(|run| run.streams_peak as f64),
        leases_granted: band(|run| run.leases_granted as f64),
        leases_confirmed: band(|run| run.leases_confirmed as f64),
        leases_renewed: band(|run| run.leases_renewed as f64),
        leases_refused: band(|run| run.leases_refused as f64),
        dhcp_messages: band(|run| run.dhcp_messages as f64),
        dhcp_messages_per_second_peak: band(|run| run.dhcp_messages_per_second_peak as f64),
        dns_queries: band(|run| run.dns_queries),
        dns_queries_per_second_peak: band(|run| run.dns_queries_per_second_peak),
        dns_hit_ratio: band(|run| run.dns_hit_ratio),
        log_lines: band(|run| run.log_lines as f64),
        log_lines_per_second_peak: band(|run| run.log_lines_per_second_peak as f64),
        uplink_mbps_peak: band(|run| run.uplink_mbps_peak),
    }
}

/// The value of an index over all runs.
fn band_at(runs: &[Measures], index: usize, values: fn(&Measures) -> &[u32]) -> Band {
    Band::of(runs.iter().map(|run| values(run).get(index).copied().map_or(0.0, f64::from)))
}

fn rooms(plan: &Plan, runs: &[Measures]) -> Vec<RoomOutcome> {
    let capacity = |room: &plan::Room| {
        let here = plan.devices.values().filter(|device| device.role == Role::AccessPoint);
        here.filter(|device| device.room.as_ref() == Some(&room.id)).map(|device| u64::from(device.clients_max)).sum()
    };
    let all = plan.rooms.iter().enumerate().map(|(index, room)| RoomOutcome {
        room: room.id.clone(),
        name: room.name.clone(),
        seats: room.seats,
        standing: room.standing,
        people_peak: band_at(runs, index, |run| &run.room_people),
        turned_away: band_at(runs, index, |run| &run.room_turned_away),
        clients_peak: band_at(runs, index, |run| &run.room_clients),
        clients_capacity: capacity(room),
    });
    all.filter(|room| room.people_peak.max > 0.0 || room.clients_peak.max > 0.0).collect()
}

fn access_points(plan: &Plan, runs: &[Measures]) -> Vec<AccessPointOutcome> {
    let Some(first) = runs.first() else { return Vec::new() };
    let all = first.access_points.iter().enumerate().filter_map(|(index, named)| {
        let device = plan.device(&named.device)?;
        let limit = device.clients_max;
        let peak = |run: &Measures| run.access_points.get(index).map_or(0, |access_point| access_point.peak);
        let overloaded = runs.iter().filter(|run| limit > 0 && peak(run) > limit).count();
        Some(AccessPointOutcome {
            device: device.id.clone(),
            room: device.room.clone()?,
            clients_max: limit,
            clients_peak: Band::of(runs.iter().map(|run| f64::from(peak(run)))),
            overloaded_share: share(overloaded, runs.len()),
        })
    });
    all.collect()
}

fn pools(runs: &[Measures]) -> Vec<PoolOutcome> {
    let Some(first) = runs.first() else { return Vec::new() };
    let all = first.dhcp.pools.iter().enumerate().map(|(index, pool)| {
        let each = || runs.iter().filter_map(move |run| run.dhcp.pools.get(index));
        PoolOutcome {
            name: pool.name.clone(),
            size: pool.size,
            used_peak: Band::of(each().map(|pool| pool.used_peak as f64)),
            refused: Band::of(each().map(|pool| pool.refused as f64)),
        }
    });
    all.collect()
}

fn bottlenecks(runs: &[Measures]) -> Vec<BottleneckShare> {
    let mut all: Vec<BottleneckShare> = Vec::new();
    let one = share(1, runs.len());
    for first in runs.iter().filter_map(|run| run.bottleneck.as_ref()) {
        let known = all.iter().position(|known| known.kind == first.kind && known.subject == first.group);
        let index = known.unwrap_or_else(|| {
            let subject = first.group.clone();
            all.push(BottleneckShare { kind: first.kind, subject, share: 0.0, exceeded_share: 0.0, ratio_max: 0.0 });
            all.len() - 1
        });
        all[index].share += one;
        all[index].exceeded_share += if first.exceeded_at.is_some() { one } else { 0.0 };
        all[index].ratio_max = all[index].ratio_max.max(first.ratio);
    }
    all.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| (a.kind, &a.subject).cmp(&(b.kind, &b.subject))));
    all
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_are_nearest_ranks() {
        let band = Band::of((1..=10).rev().map(f64::from));
        assert_eq!((band.p10, band.p50, band.p90, band.max), (1.0, 5.0, 9.0, 10.0));
        let one = Band::of([7.0].into_iter());
        assert_eq!((one.p10, one.max), (7.0, 7.0));
        assert_eq!(Band::of([].into_iter()), Band::default());
    }
}
