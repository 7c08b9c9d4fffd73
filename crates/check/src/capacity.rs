//! Whether there is enough of everything for the people expected.

use std::collections::{BTreeMap, BTreeSet};

use model::{RoomId, VlanName};
use plan::{Device, DhcpVia, Plan, Role, Room, RoomKind, VlanKind, VlanPlan};

use crate::{
    findings::{Findings, listed},
    radio::access_points_in,
    wiring::Wiring,
};

/// Addresses that a pool should have for each device expected: estimates are wrong, and leases outlast visits.
const POOL_RESERVE: f64 = 1.3;

/// Rooms that must lose every access point before a single device's failure is worth a note.
const ROOMS_LOST_MIN: usize = 2;

/// Rooms where talks are given and no access point stands. Switched off when the plan has no access point at all.
pub(crate) fn room_without_access_point(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    if plan.access_points().next().is_none() {
        return;
    }
    let used: BTreeSet<&RoomId> = plan.timetable.iter().flatten().map(|talk| &talk.room).collect();
    for room in &plan.rooms {
        let has_talks = used.contains(&room.id) || (room.kind == RoomKind::Talk && room.seats > 0);
        if has_talks && access_points_in(plan, room).next().is_none() {
            let says = format!("talks are given in {}, but no access point stands there", room.id);
            findings.add(format!("room {}", room.id), &room.at, says);
        }
    }
}

/// Rooms whose access points carry fewer stations than there are seats.
pub(crate) fn access_points_far_too_few(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (room, capacity) in rooms_with_access_points(plan).filter(|(room, capacity)| is_far_too_few(room, *capacity)) {
        let says =
            format!("the access points of {} carry {capacity} stations, but it has {} seats", room.id, room.seats);
        findings.add(format!("room {}", room.id), &room.at, says);
    }
}

/// Rooms whose access points carry fewer stations than come when the room is full.
pub(crate) fn access_points_too_few(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (room, capacity) in rooms_with_access_points(plan).filter(|(room, capacity)| !is_far_too_few(room, *capacity)) {
        let expected = plan.room_clients_expected(room).likely.min(plan.expected_devices_peak().likely);
        if (capacity as f64) < expected.floor() {
            let people = room.seats.saturating_add(room.standing);
            let says = format!(
                "the access points of {} carry {capacity} stations, but {people} people bring about {expected:.0}",
                room.id
            );
            findings.add(format!("room {}", room.id), &room.at, says);
        }
    }
}

/// Pools with fewer addresses than devices.
pub(crate) fn pool_too_small(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for demand in demands(plan).into_iter().filter(|demand| demand.size < demand.devices) {
        let says = format!("{} has {:.0} addresses for about {:.0} devices", demand.place, demand.size, demand.devices);
        findings.add_with(
            demand.place,
            demand.at,
            says,
            format!("make the pool at least {:.0}", (demand.devices * POOL_RESERVE).ceil()),
        );
    }
}

/// Pools that just suffice.
pub(crate) fn pool_tight(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let tight = |demand: &Demand<'_>| demand.size >= demand.devices && demand.size < demand.devices * POOL_RESERVE;
    for demand in demands(plan).into_iter().filter(tight) {
        let says = format!("{} has {:.0} addresses for about {:.0} devices", demand.place, demand.size, demand.devices);
        findings.add_with(
            demand.place,
            demand.at,
            says,
            format!("make the pool at least {:.0}", (demand.devices * POOL_RESERVE).ceil()),
        );
    }
}

/// More people than the largest room of talks holds, in a plan with a keynote or the like.
pub(crate) fn crowd_exceeds_largest_room(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let holds = |room: &&Room| u64::from(room.seats) + u64::from(room.standing);
    let Some(largest) = plan.rooms.iter().filter(|room| room.kind == RoomKind::Talk).max_by_key(holds) else { return };
    let people = plan.event.people.likely;
    let held = holds(&largest);
    if held > 0 && people > held as f64 {
        let says = format!(
            "{people:.0} people come, and the largest room {} holds {held}; who finds no place watches the stream",
            largest.id
        );
        findings.add(format!("room {}", largest.id), &largest.at, says);
    }
}

/// Rooms of talks whose seats nobody counted.
pub(crate) fn seats_unknown(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for room in plan.rooms.iter().filter(|room| room.kind == RoomKind::Talk && room.seats == 0) {
        let says = format!("the seats of {} are not stated; its capacity is not checked", room.id);
        findings.add(format!("room {}", room.id), &room.at, says);
    }
}

/// Ways out that are slower than what the crowd asks for.
pub(crate) fn uplink_oversubscribed(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let Some(first) = plan.uplinks.first() else { return };
    let down_mbps: f64 = plan.uplinks.iter().map(|uplink| uplink.down_mbps).sum();
    let wanted_mbps = plan.expected_devices_peak().likely * plan.crowd.device_mbps;
    if wanted_mbps > down_mbps {
        let says = format!("about {wanted_mbps:.0} Mb/s are wanted at the peak, and all uplinks give {down_mbps:.0}");
        findings.add(format!("uplink {}", first.name), &first.at, says);
    }
}

/// No way out is stated.
pub(crate) fn uplink_missing(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    if plan.uplinks.is_empty() {
        findings.add("event", &plan.event.at, "no uplink is stated; whether it suffices is not checked");
    }
}

/// Devices whose failure takes the network from several rooms, and a single way out.
pub(crate) fn single_point_of_failure(plan: &Plan, wiring: &Wiring<'_>, findings: &mut Findings) {
    if let [uplink] = plan.uplinks.as_slice() {
        let says = format!("{} is the only way out", uplink.name);
        findings.add(format!("uplink {}", uplink.name), &uplink.at, says);
    }
    let root = plan.attendee_vlans().find_map(|vlan| wiring.position(&plan.gateway_device(&vlan.name)?.id));
    let Some(root) = root else { return };
    let walked = wiring.walk(&[root], |_| true);
    let all = count_by_room(wiring, 0..wiring.devices.len());
    for (position, device) in wiring.devices.iter().enumerate() {
        let lost = count_by_room(wiring, walked.cut_off_by(position, &wiring.edges));
        let rooms: Vec<&RoomId> =
            lost.into_iter().filter(|(room, count)| all[room] == *count).map(|(room, _)| room).collect();
        if rooms.len() >= ROOMS_LOST_MIN {
            let says =
                format!("without {} there is no network in {} rooms: {}", device.id, rooms.len(), listed(&rooms));
            findings.add(format!("device {}", device.id), &device.at, says);
        }
    }
}

/// How many of these devices are access points, by room.
fn count_by_room<'a>(wiring: &Wiring<'a>, positions: impl Iterator<Item = usize>) -> BTreeMap<&'a RoomId, usize> {
    let mut counts = BTreeMap::new();
    for device in positions.map(|position| wiring.devices[position]).filter(|device| device.role == Role::AccessPoint) {
        if let Some(room) = &device.room {
            *counts.entry(room).or_insert(0) += 1;
        }
    }
    counts
}

fn is_far_too_few(room: &Room, capacity: u64) -> bool {
    capacity < u64::from(room.seats)
}

/// Rooms where people sit or stand and access points stand, with the stations that these carry.
fn rooms_with_access_points(plan: &Plan) -> impl Iterator<Item = (&Room, u64)> {
    plan.rooms.iter().filter_map(|room| {
        let mut devices = access_points_in(plan, room).peekable();
        devices.peek()?;
        Some((room, devices.map(|device: &Device| u64::from(device.clients_max)).sum()))
    })
}

/// Addresses that are there against devices that want one.
struct Demand<'a> {
    place: String,
    at: &'a model::Place,
    size: f64,
    devices: f64,
}

/// For each pool for attendees, and for all of them together when there are several.
fn demands(plan: &Plan) -> Vec<Demand<'_>> {
    let served: Vec<&VlanPlan> = plan.attendee_vlans().filter(|vlan| is_served(vlan)).collect();
    let peak = plan.expected_devices_peak().likely;
    let shares = if served.len() > 1 { devices_by_vlan(plan) } else { BTreeMap::new() };
    let mut demands = Vec::new();
    for vlan in &served {
        demands.push(Demand {
            place: format!("vlan {}", vlan.name),
            at: vlan.dhcp.as_ref().map_or(&vlan.at, |dhcp| &dhcp.at),
            size: plan.common_pool_size(vlan) as f64,
            devices: if served.len() > 1 { shares.get(&vlan.name).map_or(0.0, |share| share.min(peak)) } else { peak },
        });
    }
    if served.len() > 1 {
        let size = demands.iter().map(|demand| demand.size).sum();
        demands.push(Demand { place: "event".into(), at: &plan.event.at, size, devices: peak });
    }
    demands
}

fn is_served(vlan: &VlanPlan) -> bool {
    vlan.kind == VlanKind::Attendee && vlan.dhcp.as_ref().is_some_and(|dhcp| !matches!(dhcp.via, DhcpVia::Other(_)))
}

/// Devices expected on each of several VLANs: those of the seats where its networks are on the air, each room's
/// shared between the VLANs there.
fn devices_by_vlan(plan: &Plan) -> BTreeMap<&VlanName, f64> {
    let per_person = plan.event.devices_per_person.likely;
    let mut devices = BTreeMap::new();
    for room in &plan.rooms {
        let vlans: BTreeSet<&VlanName> = access_points_in(plan, room)
            .flat_map(|device| &device.ssids)
            .filter_map(|ssid| plan.vlans.get(&plan.ssids.get(ssid)?.vlan))
            .filter(|vlan| vlan.kind == VlanKind::Attendee)
            .map(|vlan| &vlan.name)
            .collect();
        for vlan in &vlans {
            *devices.entry(*vlan).or_insert(0.0) += f64::from(room.seats) * per_person / vlans.len() as f64;
        }
    }
    devices
}
