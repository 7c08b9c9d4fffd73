//! The venue as the crowd meets it: rooms by index, walks between them, the access points heard in each.

use std::collections::{BTreeMap, BTreeSet};

use model::{DeviceId, FloorId, RoomId, SsidId};
use plan::{Device, Plan, Room, RoomKind, VlanKind};

use super::random::{Purpose, Seed, log_normal};
use crate::course::CourseAccessPoint;

/// Walk between two rooms of one floor when the plan has none, seconds: 50 m at 1.1 m/s in company.
const WALK_FLOOR_SECONDS: f64 = 45.0;
/// More for each floor between: stairs or the wait for a lift.
const WALK_STOREY_SECONDS: f64 = 50.0;
/// Unevenness of access points in one room: two standard deviations up against two down are 1 : 5, and the middle
/// case of two access points about 1 : 1.6 (1 : 3 was seen).
const ACCESS_POINT_SIGMA: f64 = 0.4;
/// Lounges take so many people for each seat and standing place; who finds them fuller stays in the hallway.
const LOUNGE_SQUEEZE: f64 = 1.5;
/// Places of a room that states none.
const PLACES_DEFAULT: f64 = 50.0;

/// Rooms, walks, access points; rooms are indexes into the plan's.
pub(crate) struct Venue {
    pub(crate) rooms: Vec<VenueRoom>,
    pub(crate) access_points: Vec<CourseAccessPoint>,
    /// Rooms where people mingle.
    pub(crate) lounges: Vec<usize>,
    /// Rooms where talks are given.
    pub(crate) talk_rooms: Vec<usize>,
    /// Where people come in: the first lounge, else the first room.
    pub(crate) entrance: usize,
    /// Access points by floor: indexes and how attractive each is.
    floors: BTreeMap<FloorId, Vec<(u32, f64)>>,
    /// Walks that the plan states, both ways, seconds.
    walks: BTreeMap<(usize, usize), f64>,
    indexes: BTreeMap<RoomId, usize>,
}

/// A room.
pub(crate) struct VenueRoom {
    /// People it takes: seats and standing places; a lounge is squeezed fuller. `None`: no places are stated, or
    /// nobody is meant to stay there, and it turns nobody away.
    pub(crate) capacity: Option<u32>,
    /// People among whom it is comfortable: a talk room's seats, a lounge's places; 0 = not stated.
    pub(crate) comfortable: u32,
    floor: FloorId,
    storey: f64,
    /// Its own access points: indexes and how attractive each is.
    access_points: Vec<(u32, f64)>,
}

impl Venue {
    pub(crate) fn of(plan: &Plan, seed: Seed) -> Self {
        let indexes: BTreeMap<RoomId, usize> =
            plan.rooms.iter().enumerate().map(|(index, room)| (room.id.clone(), index)).collect();
        let of_kind = |kind| (0..plan.rooms.len()).filter(move |index| plan.rooms[*index].kind == kind).collect();
        let lounges: Vec<usize> = of_kind(RoomKind::Lounge);
        let mut venue = Self {
            entrance: lounges.first().copied().unwrap_or(0),
            talk_rooms: of_kind(RoomKind::Talk),
            lounges,
            rooms: rooms(plan),
            access_points: Vec::new(),
            floors: BTreeMap::new(),
            walks: walks(plan, &indexes),
            indexes,
        };
        venue.place_access_points(plan, seed);
        venue
    }

    /// Those that stand in a room, in the plan's order.
    fn place_access_points(&mut self, plan: &Plan, seed: Seed) {
        let mut random = seed.generator(Purpose::AccessPoints);
        let on_the_air = attendee_access_points(plan);
        for device in plan.access_points().filter(|device| on_the_air.contains(&device.id)) {
            let Some((id, index)) = device.room.clone().and_then(|id| Some((id.clone(), self.index(&id)?))) else {
                continue;
            };
            let number = u32::try_from(self.access_points.len()).unwrap_or(u32::MAX);
            let heard = (number, log_normal(1.0, ACCESS_POINT_SIGMA, &mut random));
            let room = &mut self.rooms[index];
            room.access_points.push(heard);
            self.floors.entry(room.floor.clone()).or_default().push(heard);
            let device = device.id.clone();
            let clients_max = plan.devices.get(&device).map_or(0, |device| device.clients_max);
            self.access_points.push(CourseAccessPoint { device, room: id, clients_max });
        }
    }

    pub(crate) fn index(&self, room: &RoomId) -> Option<usize> {
        self.indexes.get(room).copied()
    }

    /// Seconds from one room to another at an easy pace; 0 to itself.
    pub(crate) fn walk_seconds(&self, from: usize, to: usize) -> f64 {
        if from == to {
            return 0.0;
        }
        let apart = (self.rooms[from].storey - self.rooms[to].storey).abs();
        self.walks.get(&(from, to)).copied().unwrap_or(WALK_FLOOR_SECONDS + WALK_STOREY_SECONDS * apart)
    }

    /// Places of a room, for the choice among lounges and hallways.
    pub(crate) fn places(&self, room: usize) -> f64 {
        self.rooms[room].capacity.map_or(PLACES_DEFAULT, f64::from)
    }

    /// Access points heard in a room: its own, else those of its floor, else none.
    pub(crate) fn heard(&self, room: usize) -> &[(u32, f64)] {
        let own = &self.rooms[room].access_points;
        if own.is_empty() { self.heard_outside(room) } else { own }
    }

    /// Access points heard in the hallway before a room: those of its floor.
    pub(crate) fn heard_outside(&self, room: usize) -> &[(u32, f64)] {
        self.floors.get(&self.rooms[room].floor).map_or(&[], Vec::as_slice)
    }
}

/// Access points that send a network of attendees; all of them when the plan does not say which send what.
fn attendee_access_points(plan: &Plan) -> BTreeSet<DeviceId> {
    let is_attendees = |ssid: &SsidId| {
        let vlan = plan.ssids.get(ssid).and_then(|ssid| plan.vlans.get(&ssid.vlan));
        vlan.is_some_and(|vlan| vlan.kind == VlanKind::Attendee)
    };
    let sends = |device: &&Device| device.ssids.is_empty() || device.ssids.iter().any(is_attendees);
    let sending: BTreeSet<DeviceId> = plan.access_points().filter(sends).map(|device| device.id.clone()).collect();
    if sending.is_empty() { plan.access_points().map(|device| device.id.clone()).collect() } else { sending }
}

fn rooms(plan: &Plan) -> Vec<VenueRoom> {
    let storeys: BTreeMap<&FloorId, f64> =
        plan.floors.iter().zip(0_u32..).map(|(floor, storey)| (&floor.id, f64::from(storey))).collect();
    let room = |room: &Room| {
        let places = room.seats.saturating_add(room.standing);
        VenueRoom {
            capacity: capacity(room.kind, places),
            comfortable: if room.kind == RoomKind::Talk { room.seats } else { places },
            floor: room.floor.clone(),
            storey: storeys.get(&room.floor).copied().unwrap_or(0.0),
            access_points: Vec::new(),
        }
    };
    plan.rooms.iter().map(room).collect()
}

fn capacity(kind: RoomKind, places: u32) -> Option<u32> {
    match kind {
        _ if places == 0 => None,
        RoomKind::Talk => Some(places),
        RoomKind::Lounge => Some((f64::from(places) * LOUNGE_SQUEEZE) as u32),
        RoomKind::Noc | RoomKind::Other => None,
    }
}

fn walks(plan: &Plan, indexes: &BTreeMap<RoomId, usize>) -> BTreeMap<(usize, usize), f64> {
    let mut walks = BTreeMap::new();
    for walk in &plan.walks {
        if let (Some(&from), Some(&to)) = (indexes.get(&walk.from), indexes.get(&walk.to)) {
            walks.insert((from, to), walk.time.as_secs_f64());
            walks.insert((to, from), walk.time.as_secs_f64());
        }
    }
    walks
}
