//! What was understood of a plan, for `hotstage show`.

mod text;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    Condition, DefaultUsed, DhcpClass, DhcpOption, DhcpPlan, DhcpVia, Estimate, Ipv6Mode, Plan, Role, Room, VlanPlan,
    build::hour, catalogue::DeviceKind, options,
};

/// What was understood of a plan. Serialises to the stable JSON of `hotstage show`; displays as text for people.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Summary {
    /// Name of the event.
    pub event: String,
    /// IANA time zone.
    pub time_zone: String,
    /// DNS zone of the event's own names.
    pub domain: String,
    /// Days.
    pub days: Vec<DaySummary>,
    /// Devices of attendees on the fullest day.
    pub devices_peak: Bounds,
    /// Rooms.
    pub rooms: Vec<RoomSummary>,
    /// VLANs.
    pub vlans: Vec<VlanSummary>,
    /// Classes of DHCP clients, by priority.
    pub dhcp_classes: Vec<ClassSummary>,
    /// How many devices of each model.
    pub gear: BTreeMap<String, usize>,
    /// Cables; `None` when there is no list.
    pub cables: Option<CableSummary>,
    /// Power over Ethernet of each switch that gives any.
    pub poe: Vec<PoeSummary>,
    /// Talks; `None` when there is no timetable.
    pub talks: Option<usize>,
    /// Shifts of the roster; `None` when there is no roster.
    pub shifts: Option<usize>,
    /// Bytes that telemetry may take.
    pub telemetry_bytes_max: u64,
    /// Files that it may take, however many hosts log.
    pub telemetry_files_max: u64,
    /// What was skipped or taken for granted while reading.
    pub notes: Vec<String>,
    /// Values that the plan does not state.
    pub defaults: Vec<DefaultUsed>,
}

/// An estimate in whole numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Bounds {
    /// Nine in ten chances that it is more.
    pub low: u64,
    /// Most likely.
    pub likely: u64,
    /// Nine in ten chances that it is less.
    pub high: u64,
}

/// A day.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DaySummary {
    /// Date, `2019-09-16`.
    pub date: String,
    /// `setup`, `tutorial`, `conference` or `sprint`.
    pub kind: &'static str,
    /// When attendees come in, `09:00`.
    pub doors: String,
    /// When they must be out.
    pub close: String,
    /// People.
    pub people: Bounds,
    /// Their devices.
    pub devices: Bounds,
}

/// A room.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct RoomSummary {
    /// Key.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Floor.
    pub floor: String,
    /// Seats.
    pub seats: u32,
    /// Standing places.
    pub standing: u32,
    /// Devices when it is full.
    pub clients: Bounds,
    /// Access points in it.
    pub access_points: usize,
    /// Stations they are planned to carry together.
    pub capacity: u64,
    /// Talks in it.
    pub talks: usize,
}

/// A VLAN.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct VlanSummary {
    /// Key.
    pub name: String,
    /// 802.1Q identifier.
    pub id: u16,
    /// Routed prefix.
    pub subnet: String,
    /// Router's address.
    pub gateway: String,
    /// `relay`, `direct`, `other` or `none`.
    pub dhcp: &'static str,
    /// Addresses that it hands out.
    pub pool: u64,
    /// Devices expected at the peak; attendees' VLANs share them evenly.
    pub expected: Option<Bounds>,
    /// Lease time, seconds; 0 when it hands out none.
    pub lease_seconds: u64,
    /// Names or codes of the options that clients are told besides those that follow from the plan.
    pub options: Vec<String>,
    /// Fixed addresses.
    pub reservations: usize,
    /// Addresses kept for each class, by its name.
    pub class_pools: BTreeMap<String, u64>,
    /// VLANs of this name share their pools.
    pub shared_network: Option<String>,
    /// IPv6: prefix and mode, e.g. `2001:db8:10::/64 stateless`.
    pub ipv6: Option<String>,
}

/// A class of DHCP clients.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ClassSummary {
    /// Key.
    pub name: String,
    /// What makes a client a member, e.g. `vendor class starts with Cisco AP`.
    pub when: Vec<String>,
    /// Its lease time, seconds, when it has its own.
    pub lease_seconds: Option<u64>,
    /// Names or codes of its options.
    pub options: Vec<String>,
}

/// The cable list in figures.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CableSummary {
    /// How many.
    pub count: usize,
    /// Metres in all.
    pub metres: f64,
}

/// Power over Ethernet of a switch or injector.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PoeSummary {
    /// The device.
    pub device: String,
    /// Watts drawn from it at most.
    pub drawn_w: f64,
    /// Watts it can give.
    pub budget_w: f64,
}

/// What was understood of `plan`. O(devices x links) at most.
pub fn show(plan: &Plan) -> Summary {
    Summary {
        event: plan.event.name.clone(),
        time_zone: plan.event.time_zone_name.clone(),
        domain: plan.event.domain.clone(),
        days: days(plan),
        devices_peak: bounds(plan.expected_devices_peak()),
        rooms: plan.rooms.iter().map(|room| room_summary(plan, room)).collect(),
        vlans: plan.vlans.values().map(|vlan| vlan_summary(plan, vlan)).collect(),
        dhcp_classes: plan.dhcp.classes.iter().map(class_summary).collect(),
        gear: gear(plan),
        cables: plan.cables.as_ref().map(|cables| CableSummary {
            count: cables.len(),
            metres: cables.iter().map(|cable| cable.length_m).sum(),
        }),
        poe: poe(plan),
        talks: plan.timetable.as_ref().map(Vec::len),
        shifts: plan.roster.as_ref().map(Vec::len),
        telemetry_bytes_max: plan.services.telemetry_bytes_max,
        telemetry_files_max: crate::TELEMETRY_FILES_MAX,
        notes: plan.notes.iter().map(ToString::to_string).collect(),
        defaults: plan.defaults.clone(),
    }
}

fn days(plan: &Plan) -> Vec<DaySummary> {
    let day = |day: &crate::Day| DaySummary {
        date: day.date.to_string(),
        kind: match day.kind {
            crate::DayKind::Setup => "setup",
            crate::DayKind::Tutorial => "tutorial",
            crate::DayKind::Conference => "conference",
            crate::DayKind::Sprint => "sprint",
        },
        doors: hour(day.doors),
        close: hour(day.close),
        people: bounds(day.people),
        devices: bounds(day.people.times(plan.event.devices_per_person)),
    };
    plan.days.iter().map(day).collect()
}

fn room_summary(plan: &Plan, room: &Room) -> RoomSummary {
    let inside = || plan.access_points().filter(|device| device.room.as_ref() == Some(&room.id));
    RoomSummary {
        id: room.id.to_string(),
        name: room.name.clone(),
        floor: room.floor.to_string(),
        seats: room.seats,
        standing: room.standing,
        clients: bounds(plan.room_clients_expected(room)),
        access_points: inside().count(),
        capacity: inside().map(|device| u64::from(device.clients_max)).sum(),
        talks: plan.talks_in(&room.id).count(),
    }
}

fn vlan_summary(plan: &Plan, vlan: &VlanPlan) -> VlanSummary {
    let for_attendees = vlan.kind == crate::VlanKind::Attendee;
    let shared_by = plan.attendee_vlans().count().max(1);
    VlanSummary {
        name: vlan.name.to_string(),
        id: vlan.id.0,
        subnet: vlan.subnet.to_string(),
        gateway: vlan.gateway.to_string(),
        dhcp: match vlan.dhcp.as_ref().map(|dhcp| &dhcp.via) {
            None => "none",
            Some(DhcpVia::Relay(_)) => "relay",
            Some(DhcpVia::Direct(_)) => "direct",
            Some(DhcpVia::Other(_)) => "other",
        },
        pool: plan.pool_size(vlan),
        expected: for_attendees.then(|| {
            #[expect(clippy::cast_precision_loss, reason = "a plan has at most some thousand VLANs")]
            let share = 1.0 / shared_by as f64;
            bounds(plan.expected_devices_peak().times(Estimate { low: share, likely: share, high: share }))
        }),
        lease_seconds: vlan.dhcp.as_ref().map_or(0, |dhcp| dhcp.lease.as_secs()),
        options: vlan.dhcp.as_ref().map(told).unwrap_or_default(),
        reservations: vlan.dhcp.as_ref().map_or(0, |dhcp| dhcp.reservations.len()),
        class_pools: vlan.dhcp.as_ref().map(class_pools).unwrap_or_default(),
        shared_network: vlan.dhcp.as_ref().and_then(|dhcp| dhcp.shared_network.clone()),
        ipv6: vlan.ipv6.as_ref().map(|ipv6| {
            let mode = match ipv6.mode {
                Ipv6Mode::Slaac => "slaac",
                Ipv6Mode::Stateless => "stateless",
                Ipv6Mode::Stateful => "stateful",
            };
            format!("{} {mode}", ipv6.prefix)
        }),
    }
}

fn told(dhcp: &DhcpPlan) -> Vec<String> {
    let ipv6_only = dhcp.ipv6_only_wait.map(|_| "ipv6-only-preferred".to_owned());
    let portal = dhcp.captive_portal.as_ref().map(|_| "captive-portal".to_owned());
    dhcp.options.iter().map(option_name).chain(ipv6_only).chain(portal).collect()
}

fn option_name(option: &DhcpOption) -> String {
    let kind = options::by_code(option.code);
    kind.map_or_else(|| option.code.to_string(), |kind| kind.names[0].to_owned())
}

fn class_pools(dhcp: &DhcpPlan) -> BTreeMap<String, u64> {
    let mut pools = BTreeMap::new();
    for pool in &dhcp.pools {
        if let Some(class) = &pool.class {
            *pools.entry(class.clone()).or_default() += u64::from(u32::from(pool.last) - u32::from(pool.first)) + 1;
        }
    }
    pools
}

fn class_summary(class: &DhcpClass) -> ClassSummary {
    let condition = |(condition, values): (Condition, &[Vec<u8>])| {
        let what = match condition {
            Condition::VendorClass => "vendor class starts with",
            Condition::UserClass => "user class is",
            Condition::CircuitId => "circuit id starts with",
            Condition::RemoteId => "remote id starts with",
            Condition::MacPrefix => "MAC address starts with",
            Condition::ParameterList => "parameter list is",
        };
        let as_text = !matches!(condition, Condition::MacPrefix | Condition::ParameterList);
        let values: Vec<String> = values.iter().map(|octets| octets_shown(octets, as_text)).collect();
        format!("{what} {}", values.join(" or "))
    };
    ClassSummary {
        name: class.name.clone(),
        when: class.conditions().map(condition).collect(),
        lease_seconds: class.lease.map(|lease| lease.as_secs()),
        options: class.options.iter().map(option_name).collect(),
    }
}

/// As text when it is plain text, else in hexadecimal.
fn octets_shown(octets: &[u8], as_text: bool) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) if as_text && octets.iter().all(|octet| (0x20..0x7f).contains(octet)) => text.to_owned(),
        _ => octets.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(":"),
    }
}

fn gear(plan: &Plan) -> BTreeMap<String, usize> {
    let mut gear = BTreeMap::new();
    for device in plan.devices.values() {
        *gear.entry(device.model.name.clone()).or_default() += 1;
    }
    gear
}

/// What each switch gives: the devices that hang directly on it, and those behind an injector draw nothing from it.
fn poe(plan: &Plan) -> Vec<PoeSummary> {
    let links = plan.links();
    let gives = |device: &&crate::Device| device.model.poe_budget_w > 0.0 && device.role != Role::Spare;
    let drawn = |device: &crate::Device| -> f64 {
        links
            .iter()
            .filter_map(|link| {
                let far = if link.a.device == device.id {
                    &link.b
                } else if link.b.device == device.id {
                    &link.a
                } else {
                    return None;
                };
                let far = plan.devices.get(&far.device)?;
                (far.model.kind != DeviceKind::Injector).then_some(far.model.poe_draw_w)
            })
            .sum()
    };
    let summary = |device: &crate::Device| PoeSummary {
        device: device.id.to_string(),
        drawn_w: drawn(device),
        budget_w: device.model.poe_budget_w,
    };
    plan.devices.values().filter(gives).map(summary).collect()
}

fn bounds(estimate: Estimate) -> Bounds {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "estimates are 0 to 1e24; `as` saturates"
    )]
    let whole = |number: f64| number.round() as u64;
    Bounds { low: whole(estimate.low), likely: whole(estimate.likely), high: whole(estimate.high) }
}
