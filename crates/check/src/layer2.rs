//! VLANs along the cables, and loops.

use std::collections::{BTreeMap, BTreeSet};

use model::{PortRef, VlanId, VlanName};
use plan::{Plan, PortPlan, Role, VlanKind, VlanPlan, catalogue::DeviceKind};

use crate::{
    findings::{Findings, listed},
    wiring::{Edge, Wiring, at_venue, forwards},
};

/// VLAN identifiers that equipment keeps for itself (Token Ring and FDDI defaults on Cisco IOS).
const RESERVED: std::ops::RangeInclusive<u16> = 1002..=1005;

/// Highest identifier that NETGEAR's FASTPATH takes.
const FASTPATH_MAX: u16 = 4093;

/// Identifiers that the gear refuses.
pub(crate) fn vlan_id_reserved(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let netgear = plan.devices.values().any(|device| device.model.name.starts_with("netgear-"));
    for vlan in plan.vlans.values() {
        let id = vlan.id.0;
        let says = if RESERVED.contains(&id) {
            format!("VLAN {} has the id {id}, which Cisco IOS keeps for itself", vlan.name)
        } else if id > FASTPATH_MAX && netgear {
            format!("VLAN {} has the id {id}; NETGEAR switches take up to {FASTPATH_MAX}", vlan.name)
        } else {
            continue;
        };
        findings.add(format!("vlan {}", vlan.name), &vlan.at, says);
    }
}

/// VLAN 1, which every port of a new switch is in.
pub(crate) fn vlan_one(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for vlan in plan.vlans.values().filter(|vlan| vlan.id.0 == 1) {
        let says = format!("VLAN {} has the id 1, in which every unconfigured port is", vlan.name);
        findings.add(format!("vlan {}", vlan.name), &vlan.at, says);
    }
}

/// Two VLANs of one identifier, unless they are subnets of one shared network and so of one link.
pub(crate) fn vlan_id_twice(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let link = |vlan: &VlanPlan| vlan.dhcp.as_ref().and_then(|dhcp| dhcp.shared_network.clone());
    let mut seen: BTreeMap<VlanId, &VlanPlan> = BTreeMap::new();
    for vlan in plan.vlans.values() {
        let Some(first) = seen.insert(vlan.id, vlan) else { continue };
        if link(first).is_none() || link(first) != link(vlan) {
            let says = format!("VLANs {} and {} both have the id {}", first.name, vlan.name, vlan.id);
            findings.add(format!("vlan {}", vlan.name), &vlan.at, says);
        }
    }
}

/// Devices at the venue that no cable joins to the gateway of a VLAN that they need.
pub(crate) fn no_path_to_gateway(plan: &Plan, wiring: &Wiring<'_>, findings: &mut Findings) {
    if wiring.edges.is_empty() {
        return;
    }
    let mut told = BTreeSet::new();
    for (vlan, needing) in needs(plan, wiring) {
        let Some((name, gateway)) = gateway(plan, wiring, vlan) else { continue };
        let reached = wiring.reach(gateway, |_| true);
        for position in needing.into_iter().filter(|position| !reached[*position]) {
            let device = wiring.devices[position];
            if told.insert(position) {
                let says = format!("no cables lead from {} to {name}, the gateway of VLAN {vlan}", device.id);
                findings.add(format!("device {}", device.id), &device.at, says);
            }
        }
    }
}

/// Ports that state their VLANs and leave one out that a device behind them needs.
pub(crate) fn vlan_not_continuous(plan: &Plan, wiring: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, needing) in needs(plan, wiring) {
        let Some((_, gateway)) = gateway(plan, wiring, vlan) else { continue };
        let joined = wiring.reach(gateway, |_| true);
        let reached = wiring.reach(gateway, |edge| wiring.carries(edge, vlan));
        let cut: Vec<usize> = needing.into_iter().filter(|position| joined[*position] && !reached[*position]).collect();
        if cut.is_empty() {
            continue;
        }
        for edge in wiring.edges.iter().filter(|edge| reached[edge.a] != reached[edge.b]) {
            let far = if reached[edge.a] { edge.b } else { edge.a };
            let behind = wiring.reach(far, |next| !reached[next.a] && !reached[next.b]);
            let names: Vec<_> = cut.iter().filter(|position| behind[**position]).collect();
            let names = names.into_iter().map(|position| &wiring.devices[*position].id);
            tell_cut(wiring, edge, vlan, &listed(names), findings);
        }
    }
}

fn tell_cut(wiring: &Wiring<'_>, edge: &Edge, vlan: &VlanName, names: &str, findings: &mut Findings) {
    for end in [edge.a, edge.b].into_iter().filter(|_| !names.is_empty()) {
        let port = edge.port_at(end);
        let Some(stated) = wiring.devices[end].ports.get(&port.port) else { continue };
        if !wiring.port_carries(port, end, vlan) {
            let says = format!("{port} does not carry VLAN {vlan}, which is needed behind it by {names}");
            findings.add(format!("port {port}"), &stated.at, says);
        }
    }
}

/// Links whose ends put untagged frames into different VLANs.
pub(crate) fn native_vlan_mismatch(_: &Plan, wiring: &Wiring<'_>, findings: &mut Findings) {
    for (edge, [a, b]) in stated_links(wiring) {
        if let (Some(one), Some(other)) = (&a.untagged, &b.untagged)
            && one != other
        {
            let says = format!("untagged frames are {one} at {} and {other} at {}", edge.link.a, edge.link.b);
            findings.add(place(edge), &b.at, says);
        }
    }
}

/// Trunks whose ends tag different VLANs.
pub(crate) fn trunk_lists_differ(_: &Plan, wiring: &Wiring<'_>, findings: &mut Findings) {
    for (edge, [a, b]) in stated_links(wiring) {
        let (Some(one), Some(other)) = (&a.tagged, &b.tagged) else { continue };
        let (one, other): (BTreeSet<_>, BTreeSet<_>) = (one.iter().collect(), other.iter().collect());
        if one != other && !one.is_empty() && !other.is_empty() {
            let only = listed(one.symmetric_difference(&other));
            let says = format!("{} and {} tag different VLANs; only one end has {only}", edge.link.a, edge.link.b);
            findings.add(place(edge), &b.at, says);
        }
    }
}

/// An access port that faces a trunk.
pub(crate) fn access_port_faces_trunk(_: &Plan, wiring: &Wiring<'_>, findings: &mut Findings) {
    let is_access = |port: &PortPlan| port.tagged.as_ref().is_some_and(Vec::is_empty);
    let is_trunk = |port: &PortPlan| port.tagged.as_ref().is_some_and(|tagged| !tagged.is_empty());
    for (edge, [a, b]) in stated_links(wiring) {
        for (one, other, [access, trunk]) in
            [(a, b, [&edge.link.a, &edge.link.b]), (b, a, [&edge.link.b, &edge.link.a])]
        {
            if is_access(one) && is_trunk(other) {
                let says = format!("{access} is an access port, but {trunk} at its other end tags VLANs");
                findings.add(place(edge), &one.at, says);
            }
        }
    }
}

/// Trunks whose untagged VLAN is one that people use.
pub(crate) fn native_vlan_carries_users(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for device in plan.devices.values() {
        for (port, stated) in &device.ports {
            let is_trunk = stated.tagged.as_ref().is_some_and(|tagged| !tagged.is_empty());
            let untagged = stated.untagged.as_ref().and_then(|vlan| plan.vlans.get(vlan));
            let Some(vlan) = untagged.filter(|vlan| is_trunk && vlan.kind != VlanKind::Management) else { continue };
            let port = PortRef { device: device.id.clone(), port: port.clone() };
            let says = format!("{port} tags VLANs, and its untagged VLAN {} is one that people use", vlan.name);
            findings.add(format!("port {port}"), &stated.at, says);
        }
    }
}

/// Switches in a loop of cables that do not run spanning tree.
pub(crate) fn loop_without_spanning_tree(_: &Plan, wiring: &Wiring<'_>, findings: &mut Findings) {
    let passes = |edge: &Edge| [edge.a, edge.b].iter().all(|end| forwards(wiring.devices[*end]));
    let walked = wiring.walk(&[], passes);
    let mut looped: BTreeMap<usize, Vec<&PortRef>> = BTreeMap::new();
    for (edge, in_cycle) in wiring.edges.iter().zip(&walked.in_cycle) {
        if *in_cycle || edge.a == edge.b {
            looped.entry(edge.a).or_default().push(&edge.link.a);
            looped.entry(edge.b).or_default().push(&edge.link.b);
        }
    }
    for (position, ports) in looped {
        let device = wiring.devices[position];
        if device.model.kind == DeviceKind::Switch && !device.spanning_tree {
            let says = format!("{} is part of a loop by {} and runs no spanning tree", device.id, listed(ports));
            findings.add(format!("device {}", device.id), &device.at, says);
        }
    }
}

/// For each VLAN, the devices at the venue that need it: access points for their SSIDs, others for their address.
fn needs<'a>(plan: &'a Plan, wiring: &Wiring<'_>) -> BTreeMap<&'a VlanName, Vec<usize>> {
    let mut needs: BTreeMap<&VlanName, Vec<usize>> = BTreeMap::new();
    for device in plan.devices.values().filter(|device| at_venue(device) && device.role != Role::Edge) {
        let Some(position) = wiring.position(&device.id) else { continue };
        let on_air = device.ssids.iter().filter_map(|ssid| plan.ssids.get(ssid)).map(|ssid| &ssid.vlan);
        let vlans: BTreeSet<&VlanName> = on_air.chain(&device.vlan).collect();
        for vlan in vlans {
            needs.entry(vlan).or_default().push(position);
        }
    }
    needs
}

/// The gateway of a VLAN, when it is a device at the venue.
fn gateway<'a>(plan: &'a Plan, wiring: &Wiring<'_>, vlan: &VlanName) -> Option<(&'a model::DeviceId, usize)> {
    let device = plan.gateway_device(vlan).filter(|device| at_venue(device))?;
    Some((&device.id, wiring.position(&device.id)?))
}

/// Links of which both ends state their VLANs.
fn stated_links<'a>(wiring: &'a Wiring<'_>) -> impl Iterator<Item = (&'a Edge, [&'a PortPlan; 2])> {
    wiring.edges.iter().filter_map(|edge| {
        let stated = |end: usize| wiring.devices[end].ports.get(&edge.port_at(end).port);
        Some((edge, [stated(edge.a)?, stated(edge.b)?]))
    })
}

fn place(edge: &Edge) -> String {
    format!("link {} - {}", edge.link.a, edge.link.b)
}
