//! What a report is made of.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use model::{DeviceId, Finding, Incident, LogSeverity, RoomId, Sample, Timestamp};
use plan::{DayKind, DhcpVia, Estimate, Plan};

use crate::RehearsalSummary;

/// What a report is made of: the plan's side, and what happened. Owned values; fill the fields after
/// [`Input::planned`]. Everything that happened may be empty.
#[derive(Clone, Debug)]
pub struct Input {
    /// The plan's side.
    pub planned: Planned,
    /// Samples of the store, in any order. Read are the metrics `clients` (subject empty, `room:ID`, `ap:ID`),
    /// `clients_unique`, `dhcp_acks_total`, `dns_queries_total`, `dns_hits_total`, `log_lines_total` (subject empty)
    /// and `pool_used` (subject a pool's name). Totals may start again from 0 (a restart).
    pub samples: Vec<Sample>,
    /// Different clients that got a lease, if known; the samples may know of more, then those count.
    pub clients_unique: Option<u64>,
    /// Most clients at one time, if known; the samples may know of more, then those count.
    pub clients_peak: Option<u64>,
    /// Log lines stored, by severity, most severe first; empty = not counted.
    pub logs_by_severity: Vec<(LogSeverity, u64)>,
    /// What `check` says about the plan.
    pub findings: Vec<Finding>,
    /// What went wrong and was noticed.
    pub incidents: Vec<Incident>,
    /// Present when all of this was a rehearsal.
    pub rehearsal: Option<RehearsalSummary>,
}

/// The plan's side of a report.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Name of the event.
    pub event: String,
    /// Its motto, or empty.
    pub motto: String,
    /// Time zone of the venue; every time of the report is in it.
    pub time_zone: TimeZone,
    /// People on a conference day.
    pub people: Estimate,
    /// Devices of attendees on the fullest day.
    pub devices_peak: Estimate,
    /// DNS queries a minute of an active device, median.
    pub dns_queries_per_minute: f64,
    /// Log lines a day, when the plan states them.
    pub log_lines_per_day: Option<u64>,
    /// Days, by date.
    pub days: Vec<PlannedDay>,
    /// Rooms with people, in the plan's order.
    pub rooms: Vec<PlannedRoom>,
    /// Access points, in the plan's order.
    pub access_points: Vec<PlannedAccessPoint>,
    /// Address pools, in the plan's order.
    pub pools: Vec<PlannedPool>,
    /// Talks in the timetable.
    pub talks: usize,
    /// Devices by model, by the model's name.
    pub gear: Vec<PlannedGear>,
    /// Cables, when there is a list of them.
    pub cables: Option<PlannedCables>,
    /// Date on which personal data is erased, `2019-10-17`, if the plan says.
    pub erase_on: Option<String>,
}

/// A day of the plan.
#[derive(Clone, PartialEq, Debug)]
pub struct PlannedDay {
    /// When attendees come in.
    pub doors: Timestamp,
    /// When they must be out.
    pub close: Timestamp,
    /// What happens.
    pub kind: DayKind,
    /// People.
    pub people: Estimate,
}

/// A room of the plan.
#[derive(Clone, PartialEq, Debug)]
pub struct PlannedRoom {
    /// Key.
    pub room: RoomId,
    /// Name for people.
    pub name: String,
    /// Name of its floor.
    pub floor: String,
    /// Seats.
    pub seats: u32,
    /// People who may stand.
    pub standing: u32,
    /// Devices when every seat and standing place is taken.
    pub clients_expected: Estimate,
    /// Stations its access points are planned to carry together.
    pub clients_capacity: u64,
}

/// An access point of the plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlannedAccessPoint {
    /// Key.
    pub device: DeviceId,
    /// Name of its room for people, or empty.
    pub room: String,
    /// Stations it is planned to carry.
    pub clients_capacity: u64,
}

/// An address pool of the plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlannedPool {
    /// Name, as in the samples.
    pub name: String,
    /// Its subnet, e.g. `10.1.0.0/16`.
    pub subnet: String,
    /// Addresses in all.
    pub size: u64,
}

/// Devices of one model.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlannedGear {
    /// Name of the model, e.g. `nec-ix2105`.
    pub model: String,
    /// Devices, spares too.
    pub count: u32,
}

/// All cables together.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PlannedCables {
    /// Cables.
    pub count: u32,
    /// Their length in all, metres.
    pub length_m: f64,
}

impl Input {
    /// The plan's side, with nothing that happened yet.
    pub fn planned(plan: &Plan) -> Self {
        Self {
            planned: Planned::of(plan),
            samples: Vec::new(),
            clients_unique: None,
            clients_peak: None,
            logs_by_severity: Vec::new(),
            findings: Vec::new(),
            incidents: Vec::new(),
            rehearsal: None,
        }
    }
}

impl Planned {
    /// What a report says of a plan.
    pub fn of(plan: &Plan) -> Self {
        let event = &plan.event;
        Self {
            event: event.name.clone(),
            motto: event.motto.clone(),
            time_zone: event.time_zone.clone(),
            people: event.people,
            devices_peak: plan.expected_devices_peak(),
            dns_queries_per_minute: plan.crowd.dns_queries_per_minute,
            log_lines_per_day: plan.services.log_lines_per_day,
            days: days(plan),
            rooms: rooms(plan),
            access_points: access_points(plan),
            pools: pools(plan),
            talks: plan.timetable.as_ref().map_or(0, Vec::len),
            gear: gear(plan),
            cables: plan.cables.as_deref().map(cables),
            erase_on: plan.privacy.erase_on.map(|date| date.to_string()),
        }
    }
}

fn days(plan: &Plan) -> Vec<PlannedDay> {
    let day = |day: &plan::Day| {
        let (doors, close) = plan.day_span(day);
        PlannedDay { doors, close, kind: day.kind, people: day.people }
    };
    plan.days.iter().map(day).collect()
}

/// Rooms where people are or an access point hangs; a store or riser says nothing here.
fn rooms(plan: &Plan) -> Vec<PlannedRoom> {
    let floor_name = |room: &plan::Room| {
        let floor = plan.floors.iter().find(|floor| floor.id == room.floor);
        floor.map_or_else(|| room.floor.to_string(), |floor| floor.name.clone())
    };
    let carried = |room: &plan::Room| {
        plan.access_points()
            .filter(|device| device.room.as_ref() == Some(&room.id))
            .map(|ap| u64::from(ap.clients_max))
            .sum()
    };
    plan.rooms
        .iter()
        .map(|room| PlannedRoom {
            room: room.id.clone(),
            name: room.name.clone(),
            floor: floor_name(room),
            seats: room.seats,
            standing: room.standing,
            clients_expected: plan.room_clients_expected(room),
            clients_capacity: carried(room),
        })
        .filter(|room| room.seats > 0 || room.standing > 0 || room.clients_capacity > 0)
        .collect()
}

fn access_points(plan: &Plan) -> Vec<PlannedAccessPoint> {
    let room_name = |device: &plan::Device| {
        let id = device.room.as_ref()?;
        Some(plan.room(id).map_or_else(|| id.to_string(), |room| room.name.clone()))
    };
    plan.access_points()
        .map(|device| PlannedAccessPoint {
            device: device.id.clone(),
            room: room_name(device).unwrap_or_default(),
            clients_capacity: u64::from(device.clients_max),
        })
        .collect()
}

fn gear(plan: &Plan) -> Vec<PlannedGear> {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for device in plan.devices.values() {
        *counts.entry(&device.model.name).or_default() += 1;
    }
    counts.into_iter().map(|(model, count)| PlannedGear { model: model.to_owned(), count }).collect()
}

fn cables(cables: &[plan::Cable]) -> PlannedCables {
    let count = u32::try_from(cables.len()).unwrap_or(u32::MAX);
    PlannedCables { count, length_m: cables.iter().map(|cable| cable.length_m).sum() }
}

fn pools(plan: &Plan) -> Vec<PlannedPool> {
    plan.vlans
        .values()
        .filter(|vlan| vlan.dhcp.as_ref().is_some_and(|dhcp| !matches!(dhcp.via, DhcpVia::Other(_))))
        .map(|vlan| PlannedPool {
            name: vlan.name.to_string(),
            subnet: vlan.subnet.to_string(),
            size: plan.pool_size(vlan),
        })
        .filter(|pool| pool.size > 0)
        .collect()
}
