//! Addresses and subnets.

use std::{collections::BTreeMap, net::Ipv4Addr};

use ipnet::Ipv4Net;
use model::{DeviceId, Place};
use plan::{DhcpPlan, Plan, Pool, Reservation, ReservationClient, VlanPlan};

use crate::{findings::Findings, wiring::Wiring};

/// Two VLANs whose subnets share addresses.
pub(crate) fn subnets_overlap(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let mut vlans: Vec<&VlanPlan> = plan.vlans.values().collect();
    vlans.sort_by_key(|vlan| (vlan.subnet.network(), vlan.subnet.prefix_len()));
    let mut widest: Option<&VlanPlan> = None;
    for vlan in vlans {
        match widest {
            Some(other) if other.subnet.broadcast() >= vlan.subnet.network() => {
                let says =
                    format!("{} of VLAN {} overlaps {} of VLAN {}", vlan.subnet, vlan.name, other.subnet, other.name);
                findings.add(format!("vlan {}", vlan.name), &vlan.at, says);
            }
            _ => widest = Some(vlan),
        }
    }
}

/// Gateways that are no host of their subnet.
pub(crate) fn gateway_outside_subnet(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for vlan in plan.vlans.values() {
        if let Some(why) = not_a_host(vlan.subnet, vlan.gateway) {
            let says = format!("the gateway {} of VLAN {} {why} {}", vlan.gateway, vlan.name, vlan.subnet);
            findings.add(format!("vlan {}", vlan.name), &vlan.at, says);
        }
    }
}

/// Devices whose address is no host of the subnet of their VLAN.
pub(crate) fn address_outside_subnet(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for device in plan.devices.values() {
        let Some(address) = device.address else { continue };
        let says = match device.vlan.as_ref().and_then(|vlan| plan.vlans.get(vlan)) {
            Some(vlan) => not_a_host(vlan.subnet, address)
                .map(|why| format!("{address} of {} {why} {} of VLAN {}", device.id, vlan.subnet, vlan.name)),
            None if device.site.as_str() == "venue" && !plan.vlans.is_empty() => {
                Some(format!("{address} of {} is in no subnet of the plan", device.id))
            }
            None => None,
        };
        if let Some(says) = says {
            findings.add(format!("device {}", device.id), &device.at, says);
        }
    }
}

/// Reservations that are no host of the subnet.
pub(crate) fn reservation_outside_subnet(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, dhcp) in dhcp(plan) {
        for reservation in &dhcp.reservations {
            if let Some(why) = not_a_host(vlan.subnet, reservation.address) {
                let says = format!("the reservation {} {why} {}", reservation.address, vlan.subnet);
                findings.add(format!("vlan {}", vlan.name), &reservation.at, says);
            }
        }
    }
}

/// Pools that reach beyond the hosts of their subnet.
pub(crate) fn pool_outside_subnet(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, dhcp) in dhcp(plan) {
        for Pool { first, last, at, .. } in &dhcp.pools {
            let why = [*first, *last].into_iter().find_map(|end| Some((end, not_a_host(vlan.subnet, end)?)));
            if let Some((end, why)) = why {
                let says = format!("the pool {first}-{last} is wrong: {end} {why} {}", vlan.subnet);
                findings.add(format!("vlan {}", vlan.name), at, says);
            }
        }
    }
}

/// Pools that would hand out the gateway's address.
pub(crate) fn pool_over_gateway(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, dhcp) in dhcp(plan) {
        if let Some(Pool { first, last, at, .. }) = pool_of(dhcp, vlan.gateway) {
            let says = format!("the pool {first}-{last} hands out the gateway's address {}", vlan.gateway);
            findings.add(format!("vlan {}", vlan.name), at, says);
        }
    }
}

/// Pools that would hand out an address that a device or the services have. What is reserved for a device goes to
/// that device only.
pub(crate) fn pool_over_static(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let of_devices = plan.devices.values().filter_map(|device| Some((device.address?, device.id.to_string())));
    let own = plan.services.device.as_ref().and_then(|device| plan.device(device)?.address);
    let of_services = plan.services.address.filter(|address| own != Some(*address));
    let fixed: Vec<(Ipv4Addr, String)> =
        of_devices.chain(of_services.map(|address| (address, "services".to_owned()))).collect();
    for (vlan, dhcp) in dhcp(plan) {
        for (address, owner) in fixed.iter().filter(|(address, _)| *address != vlan.gateway) {
            let mut reservations = dhcp.reservations.iter().filter(|own| own.address == *address);
            if reservations.any(|own| device_of(plan, own).is_some_and(|device| device.as_str() == owner)) {
                continue;
            }
            if let Some(Pool { first, last, at, .. }) = pool_of(dhcp, *address) {
                let says = format!("the pool {first}-{last} hands out {address}, which {owner} has");
                findings.add(format!("vlan {}", vlan.name), at, says);
            }
        }
    }
}

/// Two ranges of one VLAN that share addresses.
pub(crate) fn pools_overlap(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, dhcp) in dhcp(plan) {
        let mut pools: Vec<&Pool> = dhcp.pools.iter().collect();
        pools.sort_by_key(|pool| (pool.first, pool.last));
        let mut widest: Option<&Pool> = None;
        for pool in pools {
            if let Some(other) = widest.filter(|other| other.last >= pool.first) {
                let says = format!("the ranges {} and {} share addresses", range(other), range(pool));
                findings.add(format!("vlan {}", vlan.name), &pool.at, says);
            }
            if widest.is_none_or(|other| other.last < pool.last) {
                widest = Some(pool);
            }
        }
    }
}

/// One address that two things have.
pub(crate) fn address_twice(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let mut seen: BTreeMap<Ipv4Addr, String> = BTreeMap::new();
    for (address, owner, at) in owners(plan) {
        match seen.get(&address) {
            Some(first) if *first != owner => {
                findings.add(owner.clone(), at, format!("{address} of {owner} is also that of {first}"));
            }
            Some(_) => {}
            None => drop(seen.insert(address, owner)),
        }
    }
}

/// Every fixed address, with what has it. A gateway belongs to the device that routes its VLAN.
fn owners(plan: &Plan) -> Vec<(Ipv4Addr, String, &Place)> {
    let mut owners = Vec::new();
    for vlan in plan.vlans.values() {
        let router = plan.gateway_device(&vlan.name).map(|device| format!("device {}", device.id));
        owners.push((vlan.gateway, router.unwrap_or_else(|| format!("gateway of vlan {}", vlan.name)), &vlan.at));
    }
    for device in plan.devices.values() {
        owners.extend(device.address.map(|address| (address, format!("device {}", device.id), &device.at)));
    }
    let device = plan.services.device.as_ref().map_or("services".to_owned(), |device| format!("device {device}"));
    let on_gateway = plan.vlans.values().any(|vlan| Some(vlan.gateway) == plan.services.address);
    let address = plan.services.address.filter(|_| plan.services.device.is_some() || !on_gateway);
    owners.extend(address.map(|address| (address, device, &plan.services.at)));
    for (vlan, dhcp) in dhcp(plan) {
        owners.extend(dhcp.reservations.iter().map(|own| {
            // The server refuses to hand out a router's address or its own, to whomever.
            let refused = own.address == vlan.gateway || Some(own.address) == plan.services.address;
            let owner = device_of(plan, own).filter(|_| !refused).map(|device| format!("device {device}"));
            let other = || format!("reservation {} of vlan {}", whose(own), vlan.name);
            (own.address, owner.unwrap_or_else(other), &own.at)
        }));
    }
    owners
}

/// The device that a reservation is for, when the inventory says whose the MAC address is.
fn device_of<'a>(plan: &'a Plan, reservation: &Reservation) -> Option<&'a DeviceId> {
    let mac = reservation.mac()?;
    let mut assets = plan.inventory.iter().flatten();
    assets.find(|asset| asset.mac == Some(mac))?.device.as_ref()
}

/// Two things of one name: the same letters in upper and lower case, or two rooms that people call alike.
pub(crate) fn name_twice(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let of_devices =
        plan.devices.values().map(|device| ("host name", device.id.as_str(), device.id.as_str(), &device.at));
    let reservations = plan.vlans.values().flat_map(|vlan| vlan.dhcp.iter()).flat_map(|dhcp| &dhcp.reservations);
    let of_others = reservations
        .filter_map(|own| Some((own, own.name.as_ref()?.as_str())))
        .filter(|(own, name)| device_of(plan, own).is_none_or(|device| device.as_str() != *name));
    let of_reservations = of_others.map(|(own, name)| ("host name", name, name, &own.at));
    let of_rooms = plan.rooms.iter().flat_map(|room| {
        let names = [room.id.as_str(), room.name.as_str()].into_iter().chain(room.aliases.iter().map(String::as_str));
        names.map(|name| ("room", name, room.id.as_str(), &room.at))
    });
    let of_ssids = plan.ssids.values().map(|ssid| ("SSID", ssid.name.as_str(), ssid.id.as_str(), &ssid.at));
    let mut seen: BTreeMap<(&str, String), &str> = BTreeMap::new();
    for (kind, name, owner, at) in of_devices.chain(of_reservations).chain(of_rooms).chain(of_ssids) {
        // Names on the air differ by case; all others are for people and for DNS, which know no case.
        let key = if kind == "SSID" { name.to_owned() } else { name.to_lowercase() };
        match seen.get(&(kind, key.clone())) {
            Some(first) if *first != owner || kind == "host name" => {
                findings.add(
                    format!("{kind} {name}"),
                    at,
                    format!("{kind} `{name}` is that of {first} and of {owner}"),
                );
            }
            Some(_) => {}
            None => drop(seen.insert((kind, key), owner)),
        }
    }
}

/// Why `address` cannot be a host of `subnet`, as the middle of a sentence.
fn not_a_host(subnet: Ipv4Net, address: Ipv4Addr) -> Option<&'static str> {
    if !subnet.contains(&address) {
        Some("is not in the subnet")
    } else if address == subnet.network() {
        Some("is the network address of")
    } else if address == subnet.broadcast() {
        Some("is the broadcast address of")
    } else {
        None
    }
}

/// The range of a VLAN's pools that holds `address`.
pub(crate) fn pool_of(dhcp: &DhcpPlan, address: Ipv4Addr) -> Option<&Pool> {
    dhcp.pools.iter().find(|pool| pool.holds(address))
}

/// A range as people write it.
pub(crate) fn range(pool: &Pool) -> String {
    format!("{}-{}", pool.first, pool.last)
}

/// Whom a reservation is for, as people write it.
pub(crate) fn whose(reservation: &Reservation) -> String {
    let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    match &reservation.client {
        ReservationClient::Mac(mac) => mac.to_string(),
        ReservationClient::ClientId(octets) => format!("client {}", hex(octets)),
        ReservationClient::CircuitId(octets) => format!("circuit {}", hex(octets)),
        ReservationClient::RemoteId(octets) => format!("remote {}", hex(octets)),
    }
}

pub(crate) fn dhcp(plan: &Plan) -> impl Iterator<Item = (&VlanPlan, &DhcpPlan)> {
    plan.vlans.values().filter_map(|vlan| Some((vlan, vlan.dhcp.as_ref()?)))
}
