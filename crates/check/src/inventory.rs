//! What the plan draws against what we own or borrow.

use std::collections::{BTreeMap, BTreeSet};

use model::{DeviceId, Place};
use plan::{Asset, Plan, catalogue::DeviceKind};

use crate::{
    findings::Findings,
    wiring::{Wiring, at_venue},
};

/// States in which a thing can be put to use; others need a look first.
const STATES_READY: [&str; 6] = ["in_stock", "packed", "at_place", "in_use", "returned", "wiped"];

/// Devices at the venue that no asset is. Switched off without an inventory.
pub(crate) fn device_without_asset(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let Some(inventory) = &plan.inventory else { return };
    let assigned: BTreeSet<&DeviceId> = inventory.iter().filter_map(|asset| asset.device.as_ref()).collect();
    for device in plan.devices.values().filter(|device| device.site.as_str() == "venue") {
        if !assigned.contains(&device.id) {
            let says = format!("{} ({}) is drawn, but no asset of the inventory is it", device.id, device.model.name);
            findings.add(format!("device {}", device.id), &device.at, says);
        }
    }
}

/// Assets assigned to a device that the plan does not have.
pub(crate) fn asset_of_unknown_device(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for asset in assets(plan) {
        if let Some(device) = asset.device.as_ref().filter(|device| plan.device(device).is_none()) {
            let says = format!("asset {} is assigned to {device}, which is not in the plan", asset.tag);
            findings.add(format!("asset {}", asset.tag), &asset.at, says);
        }
    }
}

/// Two assets assigned to the same device.
pub(crate) fn device_assigned_twice(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let assigned = assets(plan).filter_map(|asset| Some((asset.device.as_ref()?.to_string(), asset)));
    twice(assigned, |device, first, second| {
        let says = format!("assets {} and {} are both assigned to {device}", first.tag, second.tag);
        findings.add(format!("device {device}"), &second.at, says);
    });
}

/// An asset of another model than its device is drawn with.
pub(crate) fn asset_model_differs(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for asset in assets(plan).filter(|asset| !asset.model.is_empty()) {
        let Some(device) = asset.device.as_ref().and_then(|device| plan.device(device)) else { continue };
        if !device.model.name.eq_ignore_ascii_case(&asset.model) {
            let says = format!(
                "{} is drawn as {}, but asset {} is a {}",
                device.id, device.model.name, asset.tag, asset.model
            );
            findings.add(format!("asset {}", asset.tag), &asset.at, says);
        }
    }
}

/// An asset that is broken or missing and yet assigned.
pub(crate) fn asset_not_ready(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for asset in assets(plan) {
        let Some(device) = &asset.device else { continue };
        if !STATES_READY.contains(&asset.state.as_str()) {
            let says = format!("asset {} is to be {device}, but its state is `{}`", asset.tag, asset.state);
            findings.add(format!("asset {}", asset.tag), &asset.at, says);
        }
    }
}

/// Assets of which nobody knows whose they are, or where they live.
pub(crate) fn asset_without_owner(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for asset in assets(plan) {
        let missing = match (asset.owner.is_empty(), asset.home.is_empty()) {
            (true, true) => "owner and home",
            (true, false) => "owner",
            (false, true) => "home",
            (false, false) => continue,
        };
        findings.add(format!("asset {}", asset.tag), &asset.at, format!("asset {} has no {missing}", asset.tag));
    }
}

/// Two assets of one tag.
pub(crate) fn asset_tag_twice(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    twice(assets(plan).map(|asset| (asset.tag.to_lowercase(), asset)), |_, first, second| {
        let says = format!("tag {} is on two things; the other is at {}", second.tag, first.at);
        findings.add(format!("asset {}", second.tag), &second.at, says);
    });
}

/// Two assets of one model and serial number.
pub(crate) fn serial_twice(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let serials = assets(plan).filter(|asset| !asset.serial.is_empty());
    let keyed = serials.map(|asset| (format!("{} {}", asset.model, asset.serial).to_lowercase(), asset));
    twice(keyed, |_, first, second| {
        let says = format!("assets {} and {} have the same serial number {}", first.tag, second.tag, second.serial);
        findings.add(format!("asset {}", second.tag), &second.at, says);
    });
}

/// One MAC address on two things: assets, or reservations of one VLAN.
pub(crate) fn mac_twice(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let mut seen: BTreeMap<(String, model::Mac), &Place> = BTreeMap::new();
    let of_assets = assets(plan).filter_map(|asset| Some((String::new(), asset.mac?, &asset.at)));
    let of_reservations = plan.vlans.values().flat_map(|vlan| {
        let reservations = vlan.dhcp.iter().flat_map(|dhcp| &dhcp.reservations);
        reservations.filter_map(|reservation| Some((vlan.name.to_string(), reservation.mac()?, &reservation.at)))
    });
    for (group, mac, at) in of_assets.chain(of_reservations) {
        match seen.get(&(group.clone(), mac)) {
            Some(first) => findings.add(format!("MAC {mac}"), at, format!("{mac} is already at {first}")),
            None => drop(seen.insert((group, mac), at)),
        }
    }
}

/// Devices at the venue that stand nowhere. Switched off when the plan has no room.
pub(crate) fn device_not_placed(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    if plan.rooms.is_empty() {
        return;
    }
    for device in plan.devices.values().filter(|device| at_venue(device) && device.room.is_none()) {
        findings.add(format!("device {}", device.id), &device.at, format!("{} stands in no room", device.id));
    }
}

/// Models in use of which there is nothing to take when one fails.
pub(crate) fn no_spare(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let Some(inventory) = &plan.inventory else { return };
    let mut in_use: BTreeMap<&str, (usize, &Place)> = BTreeMap::new();
    for device in plan.devices.values().filter(|device| at_venue(device)) {
        if device.model.kind != DeviceKind::Server {
            in_use.entry(&device.model.name).or_insert((0, &device.at)).0 += 1;
        }
    }
    for (model, (count, at)) in in_use {
        let drawn_spare = plan.devices.values().any(|device| device.model.name == model && !at_venue(device));
        let on_shelf = inventory.iter().any(|asset| asset.model.eq_ignore_ascii_case(model) && asset.device.is_none());
        if !drawn_spare && !on_shelf {
            findings.add(format!("model {model}"), at, format!("all {count} of {model} are in use; there is no spare"));
        }
    }
}

fn assets(plan: &Plan) -> impl Iterator<Item = &Asset> {
    plan.inventory.iter().flatten()
}

/// Calls `tell` for each value that a former one has the key of.
fn twice<'a>(keyed: impl Iterator<Item = (String, &'a Asset)>, mut tell: impl FnMut(&str, &'a Asset, &'a Asset)) {
    let mut seen: BTreeMap<String, &Asset> = BTreeMap::new();
    for (key, asset) in keyed {
        match seen.get(&key) {
            Some(first) => tell(&key, first, asset),
            None => drop(seen.insert(key, asset)),
        }
    }
}
