//! Groups become devices: `[group.ap]` with `count = 3` gives `ap-1`, `ap-2`, `ap-3`.

use std::net::Ipv4Addr;

use model::Place;

use super::{
    tree::{Node, Table, Value},
    v1::DeviceTable,
};
use crate::problem::Problems;

/// Devices that a plan may have.
pub(crate) const DEVICES_MAX: usize = 10_000;

/// Adds the members of every group to the devices. What `[device.NAME-3]` says of a member counts before the group.
pub(crate) fn expand(document: &mut Table, problems: &mut Problems) {
    let Some((_, Node { value: Value::Table(groups), .. })) = document.get("group") else { return };
    let groups = groups.clone();
    let at = Place::file("event.toml");
    let empty = (at.clone(), Node { at, value: Value::Table(Table::new()) });
    let Value::Table(devices) = &mut document.entry("device".into()).or_insert(empty).1.value else { return };
    for (name, (at, node)) in &groups {
        let Value::Table(group) = &node.value else { continue };
        let count = count(group);
        if devices.len().saturating_add(count) > DEVICES_MAX {
            let says = format!("`count`: {count} more devices make more than the {DEVICES_MAX} allowed");
            problems.add(at, says, "plan a smaller event, or several");
            continue;
        }
        for index in 0..count {
            let member = member(group, index, count, at, problems);
            add(devices, format!("{name}-{}", index + 1), at, member);
        }
    }
}

fn count(group: &Table) -> usize {
    match group.get("count") {
        Some((_, Node { value: Value::Integer(count), .. })) => usize::try_from(*count).unwrap_or(0),
        _ => 0,
    }
}

/// The `index`th member of a group of `count`.
fn member(group: &Table, index: usize, count: usize, at: &Place, problems: &mut Problems) -> Table {
    let shared = group.iter().filter(|(key, _)| DeviceTable::KEYS.contains(&key.as_str()));
    let mut member: Table = shared.map(|(key, value)| (key.clone(), value.clone())).collect();
    if let Some((place, node)) = group.get("rooms")
        && let Value::Array(rooms) = &node.value
        && let Some(room) = rooms.get(index * rooms.len() / count)
    {
        member.insert("room".into(), (place.clone(), room.clone()));
    } else if let Some(room) = group.get("rooms") {
        member.insert("room".into(), room.clone());
    }
    if let Some((_, Node { value: Value::Array(ports), .. })) = group.get("connects") {
        match ports.get(index) {
            Some(port) => drop(member.insert("connects".into(), (port.at.clone(), port.clone()))),
            None => drop(member.remove("connects")),
        }
    }
    if let Some((_, Node { value: Value::Table(channels), .. })) = member.get_mut("channels") {
        channels.values_mut().for_each(|(_, node)| take_turn(node, index));
    }
    if let Some((place, Node { value: Value::Text(first), at: value_at })) = group.get("address_from")
        && let Ok(first) = first.trim().parse::<Ipv4Addr>()
    {
        let address = u32::from(first).checked_add(u32::try_from(index).unwrap_or(u32::MAX));
        match address {
            Some(address) => {
                let value = Value::Text(Ipv4Addr::from(address).to_string());
                member.insert("address".into(), (place.clone(), Node { at: value_at.clone(), value }));
            }
            None => problems.add(at, "`address_from`: the addresses run beyond 255.255.255.255", "start lower"),
        }
    }
    member
}

/// Of a list of channels, the one whose turn it is.
fn take_turn(node: &mut Node, index: usize) {
    if let Value::Array(items) = &mut node.value
        && !items.is_empty()
    {
        let turn = index % items.len();
        *node = items.swap_remove(turn);
    }
}

fn add(devices: &mut Table, name: String, at: &Place, mut member: Table) {
    let Some((own_at, own)) = devices.get(&name) else {
        let node = Node { at: at.clone(), value: Value::Table(member) };
        devices.insert(name, (at.clone(), node));
        return;
    };
    let Value::Table(own_table) = &own.value else { return };
    member.extend(own_table.iter().map(|(key, value)| (key.clone(), value.clone())));
    let entry = (own_at.clone(), Node { at: own_at.clone(), value: Value::Table(member) });
    devices.insert(name, entry);
}
