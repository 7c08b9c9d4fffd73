//! Classes of DHCP clients, their pools and options, and the limits that keep one port from draining a pool.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use model::Place;
use plan::{Condition, DhcpClass, DhcpOption, OptionValue, Plan, Reservation, ReservationClient, VlanPlan};

use crate::{
    findings::Findings,
    layer3::{dhcp, pool_of, range, whose},
    wiring::Wiring,
};

/// Option 121 (RFC 3442).
const ROUTES: u8 = 121;

/// One client that two reservations of a VLAN are for. Those by MAC address are told by `mac-twice`.
pub(crate) fn reservation_client_twice(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, dhcp) in dhcp(plan) {
        let mut seen: BTreeMap<&ReservationClient, &Place> = BTreeMap::new();
        for own in dhcp.reservations.iter().filter(|own| own.mac().is_none()) {
            if let Some(first) = seen.insert(&own.client, &own.at) {
                let says = format!("{} has a second reservation; the first is at {first}", whose(own));
                findings.add(format!("vlan {}", vlan.name), &own.at, says);
            }
        }
    }
}

/// Fixed addresses in a pool that is kept for a class which their client is not known to be in.
pub(crate) fn reservation_in_class_pool(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, dhcp) in dhcp(plan) {
        for own in &dhcp.reservations {
            let Some(pool) = pool_of(dhcp, own.address) else { continue };
            let Some(class) = plan.dhcp.classes.iter().find(|class| Some(&class.name) == pool.class.as_ref()) else {
                continue;
            };
            if !is_surely_member(class, own) {
                let says = format!(
                    "{} is reserved for {} in the pool {} of class {}",
                    own.address,
                    whose(own),
                    range(pool),
                    class.name
                );
                findings.add(format!("vlan {}", vlan.name), &own.at, says);
            }
        }
    }
}

/// True when what the reservation goes by is all that the class asks for.
fn is_surely_member(class: &DhcpClass, reservation: &Reservation) -> bool {
    let starts = |octets: &[u8], starts: &[Vec<u8>]| starts.iter().any(|start| octets.starts_with(start));
    class.conditions().all(|(condition, values)| match (condition, &reservation.client) {
        (Condition::MacPrefix, ReservationClient::Mac(mac)) => starts(&mac.0, values),
        (Condition::CircuitId, ReservationClient::CircuitId(octets))
        | (Condition::RemoteId, ReservationClient::RemoteId(octets)) => starts(octets, values),
        _ => false,
    })
}

/// Classes that no client can be in.
pub(crate) fn class_never_matches(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for class in plan.dhcp.classes.iter().filter(|class| class.conditions().next().is_none()) {
        let says = format!("class {} states no condition, so that no client is a member", class.name);
        findings.add(format!("class {}", class.name), &class.at, says);
    }
}

/// Classes whose members are served like all others.
pub(crate) fn class_without_effect(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let pooled: BTreeSet<&String> =
        dhcp(plan).flat_map(|(_, dhcp)| &dhcp.pools).filter_map(|pool| pool.class.as_ref()).collect();
    for class in &plan.dhcp.classes {
        if class.options.is_empty() && class.lease.is_none() && !pooled.contains(&class.name) {
            let says = format!("class {} has no options, no lease time and no pool", class.name);
            findings.add(format!("class {}", class.name), &class.at, says);
        }
    }
}

/// VLANs that give addresses to members of classes only.
pub(crate) fn pools_all_for_classes(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, dhcp) in dhcp(plan) {
        if !dhcp.pools.is_empty() && plan.common_pool_size(vlan) == 0 {
            let says = format!("every pool of VLAN {} is for a class; other clients get no address", vlan.name);
            findings.add(format!("vlan {}", vlan.name), &dhcp.at, says);
        }
    }
}

/// Classless routes without a way to the rest: clients that take them ignore the gateway (RFC 3442).
pub(crate) fn routes_without_default(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (place, option) in all_options(plan).filter(|(_, option)| option.code == ROUTES) {
        let OptionValue::Routes(routes) = &option.value else { continue };
        if !routes.iter().any(|(net, _)| net.prefix_len() == 0) {
            let says = "the routes (option 121) have no default; clients that take them ignore the gateway".to_owned();
            findings.add(place, &option.at, says);
        }
    }
}

/// Every option of the plan, with what states it.
fn all_options(plan: &Plan) -> impl Iterator<Item = (String, &DhcpOption)> {
    let of_vlans = dhcp(plan).flat_map(|(vlan, dhcp)| {
        let of_reservations = dhcp.reservations.iter().flat_map(|own| &own.options);
        dhcp.options.iter().chain(of_reservations).map(move |option| (format!("vlan {}", vlan.name), option))
    });
    let of_classes = plan
        .dhcp
        .classes
        .iter()
        .flat_map(|class| class.options.iter().map(move |option| (format!("class {}", class.name), option)));
    of_vlans.chain(of_classes)
}

/// VLANs whose clients are to live without IPv4 and have no IPv6 (RFC 8925).
pub(crate) fn ipv6_only_without_ipv6(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for vlan in ipv6_only(plan).filter(|vlan| vlan.ipv6.is_none()) {
        let says = format!("clients of VLAN {} are told to do without IPv4, and there is no IPv6", vlan.name);
        findings.add(format!("vlan {}", vlan.name), &vlan.at, says);
    }
}

/// VLANs whose clients are to live without IPv4 and are told no way to reach it.
pub(crate) fn ipv6_only_without_pref64(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for vlan in ipv6_only(plan) {
        let Some(ipv6) = vlan.ipv6.as_ref().filter(|ipv6| ipv6.pref64.is_none()) else { continue };
        let says = format!("clients of VLAN {} do without IPv4, and are told no prefix of a NAT64", vlan.name);
        findings.add(format!("vlan {}", vlan.name), &ipv6.at, says);
    }
}

fn ipv6_only(plan: &Plan) -> impl Iterator<Item = &VlanPlan> {
    dhcp(plan).filter(|(_, dhcp)| dhcp.ipv6_only_wait.is_some()).map(|(vlan, _)| vlan)
}

/// Captive portals that clients will not ask (RFC 8908 section 4).
pub(crate) fn captive_portal_not_https(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, dhcp) in dhcp(plan) {
        let Some(uri) = &dhcp.captive_portal else { continue };
        let host = uri.strip_prefix("https://").and_then(|rest| rest.split('/').next()).unwrap_or_default();
        if host.is_empty() || uri.len() > 255 {
            let says =
                format!("the captive portal `{uri}` of VLAN {} is no https URI of at most 255 characters", vlan.name);
            findings.add(format!("vlan {}", vlan.name), &vlan.at, says);
        }
    }
}

/// Lease times that grow when addresses run out.
pub(crate) fn pressure_lease_longer(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, dhcp) in dhcp(plan) {
        let Some(pressed) = dhcp.lease_under_pressure.filter(|pressed| *pressed > dhcp.lease) else { continue };
        let says = format!(
            "leases of VLAN {} last {} s, and {} s when addresses run out",
            vlan.name,
            dhcp.lease.as_secs(),
            pressed.as_secs()
        );
        findings.add(format!("vlan {}", vlan.name), &vlan.at, says);
    }
}

/// A limit of leases behind one port that is below what an access point is planned to carry.
pub(crate) fn circuit_limit_low(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let Some(limit) = plan.dhcp.leases_per_circuit else { return };
    let Some(largest) = plan.access_points().max_by_key(|device| device.clients_max) else { return };
    if limit < largest.clients_max {
        let says = format!(
            "{limit} leases are allowed behind one port, and {} is planned to carry {} stations",
            largest.id, largest.clients_max
        );
        findings.add_with("dhcp", &plan.dhcp.at, says, format!("raise it to {} or more", largest.clients_max));
    }
}

/// A limit of leases behind one relay agent that is below what the crowd needs.
pub(crate) fn relay_limit_low(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let Some(limit) = plan.dhcp.leases_per_relay else { return };
    let relayed = plan.attendee_vlans().filter_map(|vlan| vlan.dhcp.as_ref());
    let mut relayed = relayed.filter(|dhcp| matches!(dhcp.via, plan::DhcpVia::Relay(_)));
    let peak = plan.expected_devices_peak().likely;
    if relayed.next().is_some() && f64::from(limit) < peak.floor() {
        let says = format!("{limit} leases are allowed behind one relay agent, and about {peak:.0} devices come");
        findings.add_with("dhcp", &plan.dhcp.at, says, format!("raise it to {:.0} or more", peak.ceil()));
    }
}

/// Shared networks of one VLAN.
pub(crate) fn shared_network_alone(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let mut members: BTreeMap<&str, Vec<&VlanPlan>> = BTreeMap::new();
    for (vlan, dhcp) in dhcp(plan) {
        if let Some(name) = &dhcp.shared_network {
            members.entry(name).or_default().push(vlan);
        }
    }
    for (name, vlans) in members {
        if let [vlan] = vlans.as_slice() {
            let says = format!("VLAN {} is the only one of the shared network `{name}`", vlan.name);
            findings.add(format!("vlan {}", vlan.name), &vlan.at, says);
        }
    }
}

/// Options with addresses of routers that are not on the link.
pub(crate) fn route_off_link(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, dhcp) in dhcp(plan) {
        let shared: Vec<&VlanPlan> = plan
            .vlans
            .values()
            .filter(|other| {
                let name = other.dhcp.as_ref().and_then(|other| other.shared_network.as_ref());
                other.name == vlan.name || (name.is_some() && name == dhcp.shared_network.as_ref())
            })
            .collect();
        // 0.0.0.0 says that the destination itself is on the link (RFC 3442).
        let is_on_link =
            |router: &Ipv4Addr| router.is_unspecified() || shared.iter().any(|vlan| vlan.subnet.contains(router));
        for option in &dhcp.options {
            let OptionValue::Routes(routes) = &option.value else { continue };
            for (net, router) in routes.iter().filter(|(_, router)| !is_on_link(router)) {
                let says = format!("the route to {net} goes by {router}, which is not in {}", vlan.subnet);
                findings.add(format!("vlan {}", vlan.name), &option.at, says);
            }
        }
    }
}
