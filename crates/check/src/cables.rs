//! Cables: their ends, lengths and labels.

use std::collections::BTreeMap;

use model::{Place, PortRef};
use plan::{Cable, Device, Plan, catalogue::DeviceKind};

use crate::{
    findings::{Findings, listed},
    wiring::Wiring,
};

/// Longest run of copper, metres, patch cords included (ISO/IEC 11801-1, IEEE 802.3 clause 40).
const COPPER_MAX_M: f64 = 100.0;

/// Beyond this a run of copper leaves no metre for patch cords.
const COPPER_LONG_M: f64 = 90.0;

/// Metres that a cable should have besides its route, for both ends together.
const SLACK_M: f64 = 1.0;

/// A cable longer than this many times its route, and by more than `SPARE_M`, lies about in coils.
const SPARE_RATIO: f64 = 1.5;

/// Metres too much that nobody minds.
const SPARE_M: f64 = 10.0;

/// Ends of cables, and services, that name a device which the plan does not have.
pub(crate) fn cable_end_unknown(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for cable in cables(plan) {
        for end in [&cable.from, &cable.to].into_iter().filter(|end| plan.device(&end.device).is_none()) {
            let says = format!("cable {} ends on {end}, but there is no device {}", cable.label, end.device);
            findings.add(format!("cable {}", cable.label), &cable.at, says);
        }
    }
}

/// Ports that the device's model lacks.
pub(crate) fn port_unknown(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let ends = stated_ends(plan).map(|(end, at)| (end.device.as_str(), end.port.as_str(), at));
    let of_devices = plan
        .devices
        .values()
        .flat_map(|device| device.ports.iter().map(|(port, stated)| (device.id.as_str(), port.as_str(), &stated.at)));
    for (device, port, at) in ends.chain(of_devices) {
        let Some(device) = plan.device(&device.into()) else { continue };
        if device.model.port(port).is_none() {
            let says = format!("{} is a {} and has no port {port}", device.id, device.model.name);
            let names = device.model.ports.iter().map(|port| port.name.as_str());
            let remedy = format!("use one of its ports: {}", listed(names));
            findings.add_with(format!("port {}:{port}", device.id), at, says, remedy);
        }
    }
}

/// Ports on which two cables end.
pub(crate) fn port_used_twice(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let mut seen: BTreeMap<&PortRef, &Place> = BTreeMap::new();
    for (end, at) in stated_ends(plan) {
        match seen.get(end) {
            Some(first) => {
                let says = format!("{end} is already used at {first}");
                findings.add(format!("port {end}"), at, says);
            }
            None => drop(seen.insert(end, at)),
        }
    }
}

/// Copper in a fibre port, or fibre in a copper port.
pub(crate) fn cable_kind_mismatch(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for cable in cables(plan) {
        let Some(copper) = is_copper(cable) else { continue };
        for end in [&cable.from, &cable.to] {
            let Some(port) = plan.device(&end.device).and_then(|device| device.model.port(&end.port)) else { continue };
            if port.fibre == copper {
                let wants = if port.fibre { "fibre" } else { "copper" };
                let says = format!("cable {} is {}, but {end} is a {wants} port", cable.label, cable.kind);
                findings.add(format!("cable {}", cable.label), &cable.at, says);
            }
        }
    }
}

/// Copper longer than Ethernet allows.
pub(crate) fn copper_too_long(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for cable in cables(plan).filter(|cable| is_copper(cable) != Some(false) && cable.length_m > COPPER_MAX_M) {
        let says = format!("cable {} is {} m long; copper carries {COPPER_MAX_M} m", cable.label, cable.length_m);
        findings.add(format!("cable {}", cable.label), &cable.at, says);
    }
}

/// Copper so long that a patch cord breaks the limit.
pub(crate) fn copper_long(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let near = |cable: &&Cable| cable.length_m > COPPER_LONG_M && cable.length_m <= COPPER_MAX_M;
    for cable in cables(plan).filter(|cable| is_copper(cable) != Some(false)).filter(near) {
        let says = format!(
            "cable {} is {} m long, {COPPER_MAX_M} m with patch cords is the limit",
            cable.label, cable.length_m
        );
        findings.add(format!("cable {}", cable.label), &cable.at, says);
    }
}

/// Cables that do not reach.
pub(crate) fn cable_shorter_than_route(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (cable, route_m) in surveyed(plan).filter(|(cable, route_m)| cable.length_m < *route_m) {
        let says = format!("cable {} is {} m long, but its route is {route_m} m", cable.label, cable.length_m);
        findings.add(format!("cable {}", cable.label), &cable.at, says);
    }
}

/// Cables that reach only when pulled tight.
pub(crate) fn cable_without_slack(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let tight = |cable: &Cable, route_m: f64| cable.length_m >= route_m && cable.length_m < route_m + SLACK_M;
    for (cable, route_m) in surveyed(plan).filter(|(cable, route_m)| tight(cable, *route_m)) {
        let says = format!("cable {} is {} m long for a route of {route_m} m", cable.label, cable.length_m);
        findings.add(format!("cable {}", cable.label), &cable.at, says);
    }
}

/// Cables that lie about in coils.
pub(crate) fn cable_far_too_long(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let far =
        |cable: &Cable, route_m: f64| cable.length_m > route_m * SPARE_RATIO && cable.length_m > route_m + SPARE_M;
    for (cable, route_m) in surveyed(plan).filter(|(cable, route_m)| far(cable, *route_m)) {
        let says = format!("cable {} is {} m long for a route of {route_m} m", cable.label, cable.length_m);
        findings.add(format!("cable {}", cable.label), &cable.at, says);
    }
}

/// Two cables of one label.
pub(crate) fn cable_label_twice(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let mut seen: BTreeMap<String, &Place> = BTreeMap::new();
    for cable in cables(plan) {
        match seen.get(&cable.label.to_lowercase()) {
            Some(first) => {
                let says = format!("label {} is on two cables; the other is at {first}", cable.label);
                findings.add(format!("cable {}", cable.label), &cable.at, says);
            }
            None => drop(seen.insert(cable.label.to_lowercase(), &cable.at)),
        }
    }
}

/// Links between switches and routers whose ends differ in speed, and injectors slower than what they join.
pub(crate) fn speed_mismatch(_: &Plan, wiring: &Wiring<'_>, findings: &mut Findings) {
    for edge in &wiring.edges {
        let ends = [edge.a, edge.b].map(|end| (wiring.devices[end], edge.port_at(end)));
        let [Some(one), Some(other)] = ends.map(|(device, port)| speed(device, port)) else { continue };
        let joins = |kinds: [DeviceKind; 2]| ends.iter().all(|(device, _)| kinds.contains(&device.model.kind));
        let backbone = joins([DeviceKind::Router, DeviceKind::Switch]);
        let slow_injector = ends
            .iter()
            .zip([(one, other), (other, one)])
            .any(|((device, _), (own, far))| device.model.kind == DeviceKind::Injector && own < far.min(1_000));
        if (backbone && one != other) || slow_injector {
            let (a, b) = (&edge.link.a, &edge.link.b);
            let says = format!("{a} runs {one} Mb/s and {b} {other} Mb/s; the link runs at the lower");
            findings.add(format!("link {a} - {b}"), &edge.link.at, says);
        }
    }
}

fn speed(device: &Device, port: &PortRef) -> Option<u32> {
    device.model.port(&port.port).map(|port| port.speed_mbps)
}

fn cables(plan: &Plan) -> impl Iterator<Item = &Cable> {
    plan.cables.iter().flatten()
}

/// Cables whose route is known.
fn surveyed(plan: &Plan) -> impl Iterator<Item = (&Cable, f64)> {
    cables(plan).filter_map(|cable| Some((cable, cable.route_m?)))
}

/// `None` when the kind is not stated or not known.
fn is_copper(cable: &Cable) -> Option<bool> {
    let kind = cable.kind.to_lowercase();
    let starts = |words: &[&str]| words.iter().any(|word| kind.starts_with(word));
    if starts(&["cat", "copper", "utp", "stp"]) {
        Some(true)
    } else if starts(&["fibre", "fiber", "om", "os", "sm", "mm"]) {
        Some(false)
    } else {
        None
    }
}

/// Ports that the plan says are used, each with the place that says so: ends of cables, or else what devices and
/// services connect to (their own ports are not stated then).
fn stated_ends(plan: &Plan) -> impl Iterator<Item = (&PortRef, &Place)> {
    let of_cables = cables(plan).flat_map(|cable| [(&cable.from, &cable.at), (&cable.to, &cable.at)]);
    let listed = plan.cables.is_some();
    let of_devices = plan.devices.values().filter(move |_| !listed);
    let of_devices = of_devices.filter_map(|device| Some((device.connects.as_ref()?, &device.at)));
    let own = plan.services.device.as_ref().and_then(|device| plan.device(device)?.connects.as_ref());
    let of_services = plan.services.at_port.iter().filter(move |port| !listed && own != Some(port));
    of_cables.chain(of_devices).chain(of_services.map(|port| (port, &plan.services.at)))
}
