use serde::{Deserialize, Serialize};

use crate::{DeviceId, FloorId, LeaseNews, PortRef, RoomId, Severity, Timestamp, Traffic};

/// The state of the event at one moment, as shown on the live page and in `/metrics`.
///
/// Aggregates only: no client's MAC, address or name is ever in it. `daemon` publishes one each second.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// The event itself.
    pub event: EventCard,
    /// The moment described; in a rehearsal a moment of the event.
    pub at: Timestamp,
    /// How many times faster than the wall clock time runs; 1 outside a rehearsal.
    pub speed: f64,
    /// Stations associated with an access point now; leases in force when no access point reports associations.
    pub clients: u64,
    /// Most of them at one time so far.
    pub clients_peak: u64,
    /// Different clients that got a lease so far.
    pub clients_unique: u64,
    /// By room, in the plan's order.
    pub rooms: Vec<RoomLoad>,
    /// By access point, in the plan's order.
    pub access_points: Vec<AccessPointLoad>,
    /// Address pools, in the plan's order.
    pub pools: Vec<PoolUse>,
    /// Rates over the last seconds, per second of event time.
    pub rates: Rates,
    /// Talks going on at `at`.
    pub talks_now: Vec<SnapshotTalk>,
    /// The next talk of each room that has one, soonest first.
    pub talks_next: Vec<SnapshotTalk>,
    /// The course so far, oldest first; bounded, thinned out as it grows.
    pub history: Vec<HistoryPoint>,
    /// Incidents that are open, as one sentence each.
    pub incidents_open: Vec<String>,
    /// Alerts that fire: what nobody has taken first, then the worst, then the newest; bounded.
    pub alerts: Vec<SnapshotAlert>,
    /// Alerts that fire in all.
    pub alerts_open: u64,
    /// What traffic there was lately, as exporters of flows tell; `None` when nobody listens for them.
    #[serde(default)]
    pub traffic: Option<Traffic>,
    /// What happened to leases lately, newest first; bounded.
    pub lease_news: Vec<LeaseNews>,
    /// Everything `/metrics` says, in the order it is said.
    pub metrics: Vec<Metric>,
}

/// What the page says about the event.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct EventCard {
    /// Name of the event.
    pub name: String,
    /// Its motto, or empty.
    pub motto: String,
    /// IANA time zone name, e.g. `Asia/Tokyo`.
    pub time_zone: String,
    /// The network name on the air, e.g. `PyConJP_2019`.
    pub network_names: Vec<String>,
}

/// How many stations a room holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RoomLoad {
    /// The room.
    pub room: RoomId,
    /// Its name for people.
    pub name: String,
    /// Its floor.
    pub floor: FloorId,
    /// Stations associated with its access points now.
    pub clients: u64,
    /// Stations its access points are planned to carry together.
    pub clients_capacity: u64,
    /// Most at one time so far.
    pub clients_peak: u64,
    /// Planned seats.
    pub seats: u64,
}

/// How many stations an access point holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AccessPointLoad {
    /// The access point.
    pub device: DeviceId,
    /// Its room.
    pub room: RoomId,
    /// Stations associated now.
    pub clients: u64,
    /// Stations it is planned to carry.
    pub clients_capacity: u64,
    /// Most at one time so far.
    pub clients_peak: u64,
}

/// How full an address pool is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PoolUse {
    /// The subnet's name in the plan, e.g. `attendee`.
    pub name: String,
    /// Addresses leased, offered or quarantined.
    pub used: u64,
    /// Most of them at one time so far.
    pub used_peak: u64,
    /// Addresses in all.
    pub size: u64,
}

/// The name of a subnet's pool of IPv6 addresses, beside the one of IPv4.
pub fn pool_name_v6(subnet: &str) -> String {
    format!("{subnet} IPv6")
}

/// Rates over the last seconds, per second of event time, and totals.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Rates {
    /// DHCPACKs per second.
    pub dhcp_acks: f64,
    /// DNS queries answered per second.
    pub dns_queries: f64,
    /// Share of them answered from the cache or the event's own zones, 0 to 1.
    pub dns_hit_ratio: f64,
    /// The same since the services began.
    pub dns_hit_ratio_total: f64,
    /// Share of DNS queries that failed (SERVFAIL), 0 to 1.
    #[serde(default)]
    pub dns_failed_ratio: f64,
    /// Upstream DNS servers, and how many of them answer.
    #[serde(default)]
    pub dns_upstreams: u32,
    /// See there.
    #[serde(default)]
    pub dns_upstreams_answering: u32,
    /// Of clients that had to wait for an upstream, 99 in 100 waited no longer, milliseconds; `None` when none did, or longer
    /// than is told apart.
    #[serde(default)]
    pub dns_wait_p99_ms: Option<u32>,
    /// Log lines stored per second.
    pub log_lines: f64,
    /// DHCPACKs so far.
    pub dhcp_acks_total: u64,
    /// DNS queries answered so far.
    pub dns_queries_total: u64,
    /// Log lines stored so far.
    pub log_lines_total: u64,
}

/// A talk, as shown on the live page.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SnapshotTalk {
    /// Title.
    pub title: String,
    /// Where, by the room's name for people.
    pub room: String,
    /// First moment.
    pub starts: Timestamp,
    /// Last moment.
    pub ends: Timestamp,
}

/// An alert, as shown on the live page.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SnapshotAlert {
    /// Its number, for `hotstage alerts ack`.
    pub id: u32,
    /// Code of the rule.
    pub rule: String,
    /// How bad.
    pub severity: Severity,
    /// Since when.
    pub since: Timestamp,
    /// What is wrong.
    pub says: String,
    /// The device it is about.
    pub device: Option<DeviceId>,
    /// The room that the device is in.
    pub room: Option<RoomId>,
    /// The port that the device hangs on.
    pub port: Option<PortRef>,
    /// Likely cause; empty = not known.
    pub cause: String,
    /// What to do, without hardware addresses.
    pub remedy: String,
    /// Who has taken it.
    pub taken_by: Option<String>,
    /// Nobody is told of it until then.
    pub silenced_until: Option<Timestamp>,
    /// It came and went so often that it is kept until it is calm.
    pub is_flapping: bool,
}

/// One point of the course so far.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct HistoryPoint {
    /// When.
    pub at: Timestamp,
    /// Stations associated.
    pub clients: u64,
    /// DHCPACKs per second.
    pub dhcp_acks: f64,
    /// DNS queries per second.
    pub dns_queries: f64,
    /// Log lines per second.
    pub log_lines: f64,
}

/// One line of `/metrics`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Metric {
    /// `hotstage_<noun>_<unit>[_total]`.
    pub name: String,
    /// What it counts, one sentence.
    pub help: String,
    /// Counter or gauge.
    pub kind: MetricKind,
    /// Labels from short closed lists; never a MAC or client address.
    pub labels: Vec<(String, String)>,
    /// Its value now.
    pub value: f64,
}

/// How a metric behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricKind {
    /// Only grows, from 0 at start.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Part of a histogram: a `_bucket` with its label `le`, the `_sum` or the `_count`; its parts stand together.
    Histogram,
}
