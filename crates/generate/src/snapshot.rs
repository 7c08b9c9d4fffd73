//! The live page before anything has happened.

use model::{AccessPointLoad, EventCard, PoolUse, RoomLoad, Snapshot, SnapshotTalk, pool_name_v6};
use plan::{Ipv6Mode, Ipv6Plan, Plan, Role, RoomKind};

pub(crate) fn skeleton(plan: &Plan) -> Snapshot {
    Snapshot {
        event: EventCard {
            name: plan.event.name.clone(),
            motto: plan.event.motto.clone(),
            time_zone: plan.event.time_zone_name.clone(),
            network_names: plan.ssids.values().map(|ssid| ssid.name.clone()).collect(),
        },
        speed: 1.0,
        rooms: rooms(plan),
        access_points: access_points(plan),
        pools: pools(plan),
        ..Snapshot::default()
    }
}

fn access_points(plan: &Plan) -> Vec<AccessPointLoad> {
    plan.access_points()
        .filter_map(|device| {
            Some(AccessPointLoad {
                device: device.id.clone(),
                room: device.room.clone()?,
                clients: 0,
                clients_capacity: u64::from(device.clients_max),
                clients_peak: 0,
            })
        })
        .collect()
}

/// Rooms in which people are expected.
fn rooms(plan: &Plan) -> Vec<RoomLoad> {
    let capacity = |room: &plan::Room| -> u64 {
        let here = plan
            .devices
            .values()
            .filter(|device| device.role == Role::AccessPoint && device.room.as_ref() == Some(&room.id));
        here.map(|device| u64::from(device.clients_max)).sum()
    };
    plan.rooms
        .iter()
        .map(|room| (room, capacity(room)))
        .filter(|(room, capacity)| *capacity > 0 || matches!(room.kind, RoomKind::Talk | RoomKind::Lounge))
        .map(|(room, capacity)| RoomLoad {
            room: room.id.clone(),
            name: room.name.clone(),
            floor: room.floor.clone(),
            clients: 0,
            clients_capacity: capacity,
            clients_peak: 0,
            seats: u64::from(room.seats),
        })
        .collect()
}

fn pools(plan: &Plan) -> Vec<PoolUse> {
    let served = plan
        .vlans
        .values()
        .filter(|vlan| vlan.dhcp.as_ref().is_some_and(|dhcp| !matches!(dhcp.via, plan::DhcpVia::Other(_))));
    let pool = |name: String, size: u64| PoolUse { name, used: 0, used_peak: 0, size };
    let of_v4 = |vlan: &plan::VlanPlan| pool(vlan.name.as_str().to_owned(), plan.pool_size(vlan));
    let mut pools: Vec<_> = served.map(of_v4).collect();
    let is_served =
        |vlan: &&plan::VlanPlan| !matches!(vlan.dhcp.as_ref().map(|dhcp| &dhcp.via), Some(plan::DhcpVia::Other(_)));
    for vlan in plan.vlans.values().filter(is_served) {
        let stateful = vlan.ipv6.as_ref().filter(|ipv6| ipv6.mode == Ipv6Mode::Stateful);
        pools.extend(stateful.map(|ipv6| pool(pool_name_v6(vlan.name.as_str()), pool_size_v6(ipv6))));
    }
    pools
}

/// Addresses of the DHCPv6 pools, before what is left out of them.
fn pool_size_v6(ipv6: &Ipv6Plan) -> u64 {
    let sizes = ipv6.pools.iter().map(|(first, last)| u128::from(*last).saturating_sub(u128::from(*first)) + 1);
    sizes.fold(0, |sum: u64, size| sum.saturating_add(u64::try_from(size).unwrap_or(u64::MAX)))
}

/// The timetable with rooms as people call them, by start.
pub(crate) fn talks(plan: &Plan) -> Vec<SnapshotTalk> {
    let mut talks: Vec<SnapshotTalk> = plan
        .timetable
        .iter()
        .flatten()
        .map(|talk| SnapshotTalk {
            title: talk.title.clone(),
            room: plan.room(&talk.room).map_or_else(|| talk.room.as_str().to_owned(), |room| room.name.clone()),
            starts: talk.starts,
            ends: talk.ends,
        })
        .collect();
    talks.sort_by(|a, b| (a.starts, &a.room).cmp(&(b.starts, &b.room)));
    talks
}
