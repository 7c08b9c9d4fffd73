//! One run in virtual time: the course played through the DHCP engine, and the loads that follow from it.

use std::collections::BTreeMap;

use dhcp::{Settings, SettingsError};
use model::{DeviceId, Timestamp};
use plan::{Plan, Role, Uplink};

use crate::{
    bottleneck::{Bottleneck, Kind, Watch},
    clients::{Clients, PoolTally, Tally},
    course::{Act, Action, Course, CourseAccessPoint},
    crowd::{Play, play, random::Seed},
    names::hit_ratio,
};

/// Log lines that access points write: one when a station comes and one when it goes; a roam is both.
const LINES_JOIN: u64 = 1;
const LINES_LEAVE: u64 = 1;
/// Log lines a minute of all switches together.
const LINES_SWITCHES_MINUTE: u64 = 1;
/// Bytes of a log line in the store.
const LINE_BYTES: u64 = 300;

/// What one run measured.
pub(crate) struct Measures {
    pub(crate) people: u32,
    pub(crate) people_peak: u32,
    pub(crate) clients_unique: u64,
    pub(crate) clients_peak: u64,
    pub(crate) turned_away: u32,
    pub(crate) streams_opened: u32,
    pub(crate) streams_peak: u64,
    pub(crate) dhcp: Tally,
    pub(crate) dns_queries: f64,
    pub(crate) dns_per_second_peak: f64,
    pub(crate) dns_hit_ratio: f64,
    pub(crate) log_lines: u64,
    pub(crate) log_lines_per_second_peak: u64,
    pub(crate) uplink_mbps_peak: f64,
    /// By room of the plan.
    pub(crate) room_people: Vec<u32>,
    pub(crate) room_clients: Vec<u32>,
    pub(crate) room_turned_away: Vec<u32>,
    /// By access point of the course.
    pub(crate) access_points: Vec<AccessPointPeak>,
    pub(crate) bottleneck: Option<Bottleneck>,
}

/// An access point and the most stations it had.
pub(crate) struct AccessPointPeak {
    pub(crate) device: DeviceId,
    pub(crate) peak: u32,
}

/// Plays the event once.
pub(crate) fn measure(plan: &Plan, settings: &Settings, seed: Seed) -> Result<Measures, SettingsError> {
    let play = play(plan, seed);
    let mut clients = Clients::new(plan, settings, &play.course.devices, seed.seed)?;
    let mut loads = Loads::new(plan, &play);
    for action in &play.course.actions {
        while let Some(at) = clients.deadline().filter(|at| *at <= action.at) {
            clients.on_deadline(at);
        }
        loads.stream_until(action.at);
        let before = loads.on_action(&play.course, action);
        match action.act {
            Act::Associate(_) => clients.join(action.at, action.device),
            Act::Leave => clients.leave(action.at, action.device),
            Act::Roam(_) => {}
        }
        debug_assert!(before.is_some() != matches!(action.act, Act::Associate(_)), "actions of a device alternate");
    }
    loads.stream_until(Timestamp::MAX);
    Ok(loads.into_measures(plan, &play, clients.tally))
}

/// Loads as they go up and down.
struct Loads {
    /// Where each device is.
    at: Vec<Option<u32>>,
    seen: Vec<bool>,
    stations: Vec<u32>,
    stations_peak: Vec<u32>,
    room_of: Vec<usize>,
    room_clients: Vec<u32>,
    room_clients_peak: Vec<u32>,
    clients: u64,
    clients_peak: u64,
    queries_per_second: f64,
    queries_per_second_peak: f64,
    queries: f64,
    last: Timestamp,
    /// Begin (+1) and end (-1) of streams, by time; how many are done.
    streams: Vec<(Timestamp, i64)>,
    streams_done: usize,
    streaming: i64,
    streaming_peak: i64,
    device_mbps: f64,
    stream_mbps: f64,
    mbps_peak: f64,
    lines: u64,
    lines_second: (i64, u64),
    lines_second_peak: u64,
    watches: Vec<Watch>,
    uplink: Watch,
}

impl Loads {
    fn new(plan: &Plan, play: &Play) -> Self {
        let course = &play.course;
        let rooms: BTreeMap<_, usize> = plan.rooms.iter().zip(0..).map(|(room, index)| (&room.id, index)).collect();
        let room_of = |access_point: &CourseAccessPoint| rooms.get(&access_point.room).copied().unwrap_or(0);
        let mut streams: Vec<(Timestamp, i64)> =
            play.streams.iter().flat_map(|&(from, to)| [(from, 1), (to, -1)]).collect();
        streams.sort_unstable();
        let watch = |access_point: &CourseAccessPoint| {
            Watch::new(Kind::AccessPoint, access_point.device.as_str(), f64::from(access_point.clients_max))
                .in_group(access_point.room.as_str())
        };
        Self {
            at: vec![None; course.devices.len()],
            seen: vec![false; course.devices.len()],
            stations: vec![0; course.access_points.len()],
            stations_peak: vec![0; course.access_points.len()],
            room_of: course.access_points.iter().map(room_of).collect(),
            room_clients: vec![0; plan.rooms.len()],
            room_clients_peak: vec![0; plan.rooms.len()],
            clients: 0,
            clients_peak: 0,
            queries_per_second: 0.0,
            queries_per_second_peak: 0.0,
            queries: 0.0,
            last: Timestamp::EPOCH,
            streams,
            streams_done: 0,
            streaming: 0,
            streaming_peak: 0,
            device_mbps: plan.crowd.device_mbps,
            stream_mbps: plan.crowd.stream_mbps,
            mbps_peak: 0.0,
            lines: 0,
            lines_second: (0, 0),
            lines_second_peak: 0,
            watches: course.access_points.iter().map(watch).collect(),
            uplink: Watch::new(Kind::Uplink, &uplink_name(plan), uplink_mbps(plan)),
        }
    }

    /// Moves a device; where it was before.
    fn on_action(&mut self, course: &Course, action: &Action) -> Option<u32> {
        let rate = f64::from(course.devices[action.device as usize].dns_queries_per_minute) / 60.0;
        self.queries += self.queries_per_second * action.at.since(self.last).as_secs_f64();
        self.last = action.at;
        let device = action.device as usize;
        let before = self.at[device].take();
        if let Some(from) = before {
            self.stations[from as usize] -= 1;
            self.room_clients[self.room_of[from as usize]] -= 1;
            self.clients -= 1;
            self.queries_per_second = (self.queries_per_second - rate).max(0.0);
            self.say(action.at, LINES_LEAVE);
        }
        if let Act::Associate(to) | Act::Roam(to) = action.act {
            self.at[device] = Some(to);
            self.seen[device] = true;
            self.arrive(to as usize, action.at);
            self.queries_per_second += rate;
            self.say(action.at, LINES_JOIN);
        }
        self.clients_peak = self.clients_peak.max(self.clients);
        self.queries_per_second_peak = self.queries_per_second_peak.max(self.queries_per_second);
        self.weigh_uplink(action.at);
        before
    }

    fn arrive(&mut self, access_point: usize, at: Timestamp) {
        let room = self.room_of[access_point];
        self.stations[access_point] += 1;
        self.room_clients[room] += 1;
        self.clients += 1;
        self.stations_peak[access_point] = self.stations_peak[access_point].max(self.stations[access_point]);
        self.room_clients_peak[room] = self.room_clients_peak[room].max(self.room_clients[room]);
        self.watches[access_point].see(at, f64::from(self.stations[access_point]));
    }

    fn say(&mut self, at: Timestamp, lines: u64) {
        if self.lines_second.0 != at.as_secs() {
            self.lines_second = (at.as_secs(), 0);
        }
        self.lines_second.1 += lines;
        self.lines += lines;
        self.lines_second_peak = self.lines_second_peak.max(self.lines_second.1);
    }

    fn stream_until(&mut self, now: Timestamp) {
        while let Some(&(at, change)) = self.streams.get(self.streams_done)
            && at <= now
        {
            self.streams_done += 1;
            self.streaming += change;
            self.streaming_peak = self.streaming_peak.max(self.streaming);
            self.weigh_uplink(at);
        }
    }

    fn weigh_uplink(&mut self, at: Timestamp) {
        let mbps = self.clients as f64 * self.device_mbps + self.streaming.max(0) as f64 * self.stream_mbps;
        self.mbps_peak = self.mbps_peak.max(mbps);
        self.uplink.see(at, mbps);
    }

    fn into_measures(self, plan: &Plan, play: &Play, dhcp: Tally) -> Measures {
        let course = &play.course;
        let minutes: u64 = course.spans.iter().map(|span| span.1.since(span.0).as_secs() / 60).sum();
        let has_switch = plan.devices.values().any(|device| matches!(device.role, Role::Core | Role::Access));
        let log_lines = self.lines + if has_switch { minutes * LINES_SWITCHES_MINUTE } else { 0 };
        let mut watches = self.watches;
        watches.extend(dhcp.pools.iter().map(pool_watch));
        watches.push(self.uplink);
        let mut store = Watch::new(Kind::LogStore, "telemetry", plan.services.telemetry_bytes_max as f64);
        store.see(course.spans.last().map_or(Timestamp::EPOCH, |span| span.1), (log_lines * LINE_BYTES) as f64);
        watches.push(store);
        Measures {
            people: course.people,
            people_peak: play.people_peak,
            clients_unique: self.seen.iter().filter(|seen| **seen).count() as u64,
            clients_peak: self.clients_peak,
            turned_away: course.turned_away,
            streams_opened: course.streams_opened,
            streams_peak: self.streaming_peak.max(0) as u64,
            dns_queries: self.queries,
            dns_per_second_peak: self.queries_per_second_peak,
            dns_hit_ratio: hit_ratio(self.queries_per_second_peak),
            log_lines,
            log_lines_per_second_peak: self.lines_second_peak,
            uplink_mbps_peak: self.mbps_peak,
            room_people: play.room_peaks.clone(),
            room_clients: self.room_clients_peak,
            room_turned_away: play.room_turned_away.clone(),
            access_points: course
                .access_points
                .iter()
                .zip(self.stations_peak)
                .map(|(access_point, peak)| AccessPointPeak { device: access_point.device.clone(), peak })
                .collect(),
            bottleneck: Bottleneck::first(&watches),
            dhcp,
        }
    }
}

/// A pool is too small from the first client on that it cannot serve.
fn pool_watch(pool: &PoolTally) -> Watch {
    let mut watch = Watch::new(Kind::Pool, &pool.name, pool.size as f64);
    watch.see(Timestamp::EPOCH, pool.used_peak as f64);
    if let Some(at) = pool.first_refused {
        watch.exceed(at, (pool.size + pool.refused) as f64);
    }
    watch
}

/// Uplinks that the crowd's traffic takes: those at the venue, else all.
fn uplinks(plan: &Plan) -> Vec<&Uplink> {
    let at_venue = |uplink: &&Uplink| plan.device(&uplink.device).is_some_and(|device| device.site.as_str() == "venue");
    let venue: Vec<&Uplink> = plan.uplinks.iter().filter(at_venue).collect();
    if venue.is_empty() { plan.uplinks.iter().collect() } else { venue }
}

/// What they carry together towards the event, Mb/s; 0 when the plan has none.
pub(crate) fn uplink_mbps(plan: &Plan) -> f64 {
    uplinks(plan).iter().map(|uplink| uplink.down_mbps).sum()
}

/// Their names.
pub(crate) fn uplink_name(plan: &Plan) -> String {
    uplinks(plan).iter().map(|uplink| uplink.name.as_str()).collect::<Vec<_>>().join(" + ")
}
