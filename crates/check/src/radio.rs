//! Networks on the air and their channels.

use std::collections::BTreeMap;

use plan::{Band, Channel, Device, Plan, Role, Room, Secret, VlanKind};

use crate::{
    findings::{Findings, listed},
    wiring::Wiring,
};

/// Channels of the 2.4 GHz band that do not overlap.
const APART_2GHZ: [u16; 3] = [1, 6, 11];

/// People in a room from which on every channel counts.
const DENSE_PEOPLE: u32 = 100;

/// Access points in a room from which on every channel counts.
const DENSE_ACCESS_POINTS: usize = 3;

/// Channels of the 5 GHz band that may be used in Japan: W52, W53 and W56.
const JAPAN_5GHZ: [std::ops::RangeInclusive<u16>; 2] = [36..=64, 100..=144];

/// W53 and W56: a radar seen there silences the radio for half an hour, after a minute of listening at start.
const DFS_5GHZ: [std::ops::RangeInclusive<u16>; 2] = [52..=64, 100..=144];

/// Channels of the 2.4 GHz band that overlap their neighbours.
pub(crate) fn channel_not_apart(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (device, channel) in channels(plan, Band::Ghz2) {
        if !APART_2GHZ.contains(&channel.number) {
            let says =
                format!("{} sends on channel {} of 2.4 GHz, which overlaps its neighbours", device.id, channel.number);
            findings.add(format!("device {}", device.id), &device.at, says);
        }
    }
}

/// Channels that do not exist, or not in Japan.
pub(crate) fn channel_not_allowed(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let in_japan = plan.event.time_zone_name == "Asia/Tokyo";
    for device in plan.access_points() {
        for channel in device.channels.iter().filter(|channel| !is_allowed(**channel, in_japan)) {
            let place = if in_japan { "in Japan" } else { "anywhere" };
            let says = format!(
                "{} sends on channel {} of {}, which is not used {place}",
                device.id,
                channel.number,
                band(channel.band)
            );
            findings.add(format!("device {}", device.id), &device.at, says);
        }
    }
}

/// Two access points of one room that share the air.
pub(crate) fn same_channel(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for room in &plan.rooms {
        let mut users: BTreeMap<(Band, u16), Vec<&Device>> = BTreeMap::new();
        for device in access_points_in(plan, room) {
            for channel in &device.channels {
                for part in parts(*channel) {
                    let users = users.entry((channel.band, part)).or_default();
                    if users.last().is_none_or(|last| last.id != device.id) {
                        users.push(device);
                    }
                }
            }
        }
        let mut told: Vec<Vec<&str>> = Vec::new();
        for ((of_band, number), users) in users.into_iter().filter(|(_, users)| users.len() > 1) {
            let names: Vec<&str> = users.iter().map(|device| device.id.as_str()).collect();
            if !told.contains(&names) {
                let says = format!("{} share channel {number} of {}", listed(&names), band(of_band));
                findings.add(format!("room {}", room.id), &users[1].at, says);
                told.push(names);
            }
        }
    }
}

/// Wide channels where many share the air.
pub(crate) fn wide_channel(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for room in plan.rooms.iter().filter(|room| is_dense(plan, room)) {
        for device in access_points_in(plan, room) {
            for channel in device.channels.iter().filter(|channel| channel.width_mhz > 20) {
                let says = format!(
                    "{} takes {} MHz of {} in {}, where many share the air",
                    device.id,
                    channel.width_mhz,
                    band(channel.band),
                    room.id
                );
                findings.add(format!("device {}", device.id), &device.at, says);
            }
        }
    }
}

/// Channels that a radar may silence, told once.
pub(crate) fn dfs_channel(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let on_dfs: Vec<(&Device, Channel)> = channels(plan, Band::Ghz5)
        .filter(|(_, channel)| DFS_5GHZ.iter().any(|range| range.contains(&channel.number)))
        .collect();
    let Some((first, _)) = on_dfs.first() else { return };
    let says = format!(
        "{} access points send where radar has priority (W53, W56): {}",
        on_dfs.len(),
        listed(on_dfs.iter().map(|(device, _)| &device.id))
    );
    findings.add("radio", &first.at, says);
}

/// Access points that send no network.
pub(crate) fn access_point_without_ssid(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for device in plan.access_points().filter(|device| device.ssids.is_empty()) {
        findings.add(format!("device {}", device.id), &device.at, format!("{} sends no SSID", device.id));
    }
}

/// Networks that no access point sends.
pub(crate) fn ssid_not_sent(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    if plan.access_points().next().is_none() {
        return;
    }
    for ssid in plan.ssids.values() {
        if !plan.access_points().any(|device| device.ssids.contains(&ssid.id)) {
            findings.add(format!("ssid {}", ssid.id), &ssid.at, format!("no access point sends {}", ssid.name));
        }
    }
}

/// Networks of strangers who can reach each other's devices.
pub(crate) fn no_isolation(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for ssid in plan.ssids.values().filter(|ssid| !ssid.isolation) {
        if plan.vlans.get(&ssid.vlan).is_some_and(|vlan| vlan.kind == VlanKind::Attendee) {
            let says = format!("stations on {} can reach each other", ssid.name);
            findings.add(format!("ssid {}", ssid.id), &ssid.at, says);
        }
    }
}

/// Networks without a passphrase.
pub(crate) fn open_network(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for ssid in plan.ssids.values().filter(|ssid| ssid.passphrase.is_none()) {
        findings.add(
            format!("ssid {}", ssid.id),
            &ssid.at,
            format!("{} has no passphrase; its air can be read", ssid.name),
        );
    }
}

/// Secrets that everyone who sees the plan sees.
pub(crate) fn secret_in_plain_text(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let of_ssids = plan.ssids.values().map(|ssid| (format!("ssid {}", ssid.id), &ssid.passphrase, &ssid.at));
    let of_tunnels = plan.tunnels.iter().map(|tunnel| (format!("tunnel {}", tunnel.name), &tunnel.psk, &tunnel.at));
    let feeds = &plan.services.feeds;
    let of_feeds = [
        ("remote_write", feeds.remote_write.as_ref().map(|feed| &feed.token)),
        ("otlp", feeds.otlp.as_ref().map(|feed| &feed.token)),
    ];
    let of_feeds =
        of_feeds.into_iter().filter_map(|(name, token)| Some((format!("feed {name}"), token?, &plan.services.at)));
    let of_outlets = plan.outlets.iter().map(|outlet| (format!("outlet {}", outlet.name), &outlet.token, &outlet.at));
    for (place, secret, at) in of_ssids.chain(of_tunnels).chain(of_feeds).chain(of_outlets) {
        if matches!(secret, Some(Secret::Plain(_))) {
            let says = format!("the secret of {place} is in the plan itself");
            findings.add(place, at, says);
        }
    }
}

fn is_dense(plan: &Plan, room: &Room) -> bool {
    room.seats.saturating_add(room.standing) >= DENSE_PEOPLE
        || access_points_in(plan, room).count() >= DENSE_ACCESS_POINTS
}

fn is_allowed(channel: Channel, in_japan: bool) -> bool {
    let number = channel.number;
    match channel.band {
        Band::Ghz2 => (1..=14).contains(&number),
        Band::Ghz5 => {
            let elsewhere = !in_japan && (149..=177).contains(&number) && number % 4 == 1;
            elsewhere || (JAPAN_5GHZ.iter().any(|range| range.contains(&number)) && number.is_multiple_of(4))
        }
        Band::Ghz6 => number % 4 == 1 && number <= if in_japan { 93 } else { 233 },
    }
}

/// The channels of 20 MHz that a channel takes; in the 2.4 GHz band itself only.
fn parts(channel: Channel) -> Vec<u16> {
    let first = match (channel.band, channel.number) {
        (Band::Ghz2, number) => return vec![number],
        (Band::Ghz5, 149..) => 149,
        (Band::Ghz5, 100..) => 100,
        (Band::Ghz5, _) => 36,
        (Band::Ghz6, _) => 1,
    };
    let wide = (channel.width_mhz / 20).max(1);
    let Some(beyond) = channel.number.checked_sub(first) else { return vec![channel.number] };
    let block = first + beyond / (4 * wide) * (4 * wide);
    (0..wide).map(|part| block + 4 * part).collect()
}

fn band(band: Band) -> &'static str {
    match band {
        Band::Ghz2 => "2.4 GHz",
        Band::Ghz5 => "5 GHz",
        Band::Ghz6 => "6 GHz",
    }
}

fn channels(plan: &Plan, band: Band) -> impl Iterator<Item = (&Device, Channel)> {
    let all = plan.access_points().flat_map(|device| device.channels.iter().map(move |channel| (device, *channel)));
    all.filter(move |(_, channel)| channel.band == band)
}

/// The access points of a room.
pub(crate) fn access_points_in<'a>(plan: &'a Plan, room: &'a Room) -> impl Iterator<Item = &'a Device> {
    let here = move |device: &&Device| device.room.as_ref() == Some(&room.id);
    plan.access_points().filter(here).filter(|device| device.role == Role::AccessPoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_channel_takes_its_whole_block() {
        let channel = |number, width_mhz| Channel { band: Band::Ghz5, number, width_mhz };
        let table: [(Channel, &[u16]); 5] = [
            (channel(36, 20), &[36]),
            (channel(40, 40), &[36, 40]),
            (channel(112, 80), &[100, 104, 108, 112]),
            (channel(153, 40), &[149, 153]),
            (channel(64, 160), &[36, 40, 44, 48, 52, 56, 60, 64]),
        ];
        for (channel, taken) in table {
            assert_eq!(parts(channel), taken, "{channel:?}");
        }
    }
}
