//! Power over Ethernet: who gives, who takes, who has none.

use std::collections::BTreeMap;

use plan::{
    Device, Plan, Role,
    catalogue::{DeviceKind, PoeStandard},
};

use crate::{
    findings::{Findings, listed},
    wiring::Wiring,
};

/// Share of a budget beyond which one more device, or one cold morning, breaks it.
const BUDGET_TIGHT: f64 = 0.8;

/// A source of power for a device, at the end of one of its links.
#[derive(Clone, Copy)]
struct Source<'a> {
    giver: &'a Device,
    standard: PoeStandard,
    position: usize,
}

/// Switches asked for more than they can give.
pub(crate) fn poe_over_budget(_: &Plan, wiring: &Wiring<'_>, findings: &mut Findings) {
    for (giver, drawn_w, takers) in loads(wiring) {
        let budget_w = giver.model.poe_budget_w;
        if drawn_w > budget_w {
            let says = format!("{} can give {budget_w} W, but {takers} devices draw {drawn_w:.1} W", giver.id);
            findings.add(format!("device {}", giver.id), &giver.at, says);
        }
    }
}

/// Switches near the end of what they can give.
pub(crate) fn poe_near_budget(_: &Plan, wiring: &Wiring<'_>, findings: &mut Findings) {
    for (giver, drawn_w, takers) in loads(wiring) {
        let budget_w = giver.model.poe_budget_w;
        if giver.model.kind != DeviceKind::Injector && drawn_w <= budget_w && drawn_w > BUDGET_TIGHT * budget_w {
            let says = format!("{} can give {budget_w} W, and {takers} devices draw {drawn_w:.1} W", giver.id);
            findings.add(format!("device {}", giver.id), &giver.at, says);
        }
    }
}

/// Devices that live on power over Ethernet and hang on ports that give none.
pub(crate) fn no_power(_: &Plan, wiring: &Wiring<'_>, findings: &mut Findings) {
    for (position, device) in takers(wiring) {
        let mut links = wiring.at(position).peekable();
        if links.peek().is_none() || !sources(wiring, position).is_empty() {
            continue;
        }
        let at = wiring.at(position).map(|edge| edge.port_at(edge.beyond(position)));
        let says = format!("{} draws {} W, but {} gives no power", device.id, device.model.poe_draw_w, listed(at));
        findings.add(format!("device {}", device.id), &device.at, says);
    }
}

/// Runs with power from both sides of an injector, or on both ports of a device.
pub(crate) fn two_power_sources(_: &Plan, wiring: &Wiring<'_>, findings: &mut Findings) {
    for (position, device) in takers(wiring) {
        let sources = sources(wiring, position);
        if sources.len() > 1 {
            let givers = listed(sources.iter().map(|source| &source.giver.id));
            let says = format!("{} gets power from {} sources: {givers}", device.id, sources.len());
            findings.add(format!("device {}", device.id), &device.at, says);
        }
    }
}

/// Devices that may draw more than the class of their port.
pub(crate) fn poe_class(_: &Plan, wiring: &Wiring<'_>, findings: &mut Findings) {
    for (position, device) in takers(wiring) {
        let best = sources(wiring, position).into_iter().max_by_key(|source| source.standard);
        let Some(source) = best else { continue };
        let left_w = watts_at_device(source.standard);
        if device.model.poe_draw_w > left_w {
            let drawn_w = device.model.poe_draw_w;
            let says = format!("{} draws up to {drawn_w} W, but {} leaves it {left_w} W", device.id, source.giver.id);
            findings.add(format!("device {}", device.id), &device.at, says);
        }
    }
}

/// Watts that are left at the far end of the longest cable (IEEE 802.3 clauses 33 and 145).
fn watts_at_device(standard: PoeStandard) -> f64 {
    match standard {
        PoeStandard::Af => 12.95,
        PoeStandard::At => 25.5,
        PoeStandard::Bt => 51.0,
    }
}

/// Devices in use that draw power over Ethernet.
fn takers<'a>(wiring: &'a Wiring<'_>) -> impl Iterator<Item = (usize, &'a Device)> {
    let all = wiring.devices.iter().enumerate().map(|(position, device)| (position, *device));
    all.filter(|(_, device)| device.model.poe_draw_w > 0.0 && device.role != Role::Spare)
}

/// Everything that puts power on the runs to a device. An injector passes data only; a switch that feeds an
/// injector is a second source on the same run.
fn sources<'a>(wiring: &'a Wiring<'_>, position: usize) -> Vec<Source<'a>> {
    let mut found = Vec::new();
    for edge in wiring.at(position) {
        let far = edge.beyond(position);
        found.extend(source(wiring, edge, far));
        if wiring.devices[far].model.kind != DeviceKind::Injector {
            continue;
        }
        let behind = wiring.at(far).filter(|next| next.beyond(far) != position);
        found.extend(behind.filter_map(|next| source(wiring, next, next.beyond(far))));
    }
    found
}

fn source<'a>(wiring: &'a Wiring<'_>, edge: &crate::wiring::Edge, giver: usize) -> Option<Source<'a>> {
    let device = wiring.devices[giver];
    let standard = device.model.port(&edge.port_at(giver).port)?.poe?;
    Some(Source { giver: device, standard, position: giver })
}

/// What each giver is asked for: watts and how many devices.
fn loads<'a>(wiring: &'a Wiring<'_>) -> Vec<(&'a Device, f64, usize)> {
    let mut loads: BTreeMap<usize, (&Device, f64, usize)> = BTreeMap::new();
    for (position, device) in takers(wiring) {
        if let Some(source) = sources(wiring, position).first() {
            let load = loads.entry(source.position).or_insert((source.giver, 0.0, 0));
            load.1 += device.model.poe_draw_w;
            load.2 += 1;
        }
    }
    loads.into_values().collect()
}
