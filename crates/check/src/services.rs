//! DHCP, DNS, time and logs: whether clients reach them and they have room.

use std::time::Duration;

use model::SiteId;
use plan::{DhcpVia, Plan, VlanKind, VlanPlan};

use crate::{findings::Findings, wiring::Wiring};

/// Leases longer than a stay for a talk and a walk keep addresses of people who left.
const LEASE_LONG: Duration = Duration::from_secs(2 * 3_600);

/// Leases this long keep an address from one day to the next.
const LEASE_OVER_NIGHT: Duration = Duration::from_secs(8 * 3_600);

/// Leases shorter than this make every device renew every two minutes.
const LEASE_SHORT: Duration = Duration::from_secs(300);

/// Log lines a day of each device in use, when the plan does not say: associations, leases, roams.
const LOG_LINES_PER_DEVICE: f64 = 100.0;

/// Bytes of a log line on disk before it is sealed.
const LOG_LINE_BYTES: f64 = 300.0;

/// VLANs of people whose devices get no address.
pub(crate) fn vlan_without_dhcp(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for vlan in plan.vlans.values().filter(|vlan| vlan.kind != VlanKind::Management && vlan.dhcp.is_none()) {
        let says = format!("nothing gives addresses to devices on VLAN {}", vlan.name);
        findings.add(format!("vlan {}", vlan.name), &vlan.at, says);
    }
}

/// VLANs whose requests no device forwards.
pub(crate) fn relay_missing(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, relay) in relayed(plan) {
        let device = match relay {
            Some(relay) => plan.device(relay),
            None => plan.gateway_device(&vlan.name),
        };
        let says = match device {
            None => format!("VLAN {} is relayed, but no device routes it", vlan.name),
            Some(device) if !device.model.dhcp_relay => {
                format!("VLAN {} is relayed by {}, but a {} is no relay agent", vlan.name, device.id, device.model.name)
            }
            Some(_) => continue,
        };
        findings.add(format!("vlan {}", vlan.name), &vlan.at, says);
    }
}

/// Relays that are not told where the server is.
pub(crate) fn services_without_address(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    if plan.server_address().is_none() && relayed(plan).next().is_some() {
        let says = "relays are to send to the services, but these have no address";
        findings.add("services", &plan.services.at, says);
    }
}

/// Services at another site than a relay, without a tunnel between the two.
pub(crate) fn server_unreachable(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let Some(services) = services_site(plan) else { return };
    for (vlan, relay) in relayed(plan) {
        let relay = relay.map_or_else(|| plan.gateway_device(&vlan.name), |relay| plan.device(relay));
        let Some(relay) = relay.filter(|relay| relay.site != *services) else { continue };
        let joins = plan.tunnels.iter().any(|tunnel| {
            let sites = [&tunnel.from, &tunnel.to].map(|end| plan.device(end).map(|device| &device.site));
            sites.contains(&Some(&relay.site)) && sites.contains(&Some(services))
        });
        if !joins {
            let says = format!(
                "VLAN {} is relayed by {} to the services at {services}, but no tunnel leads there",
                vlan.name, relay.id
            );
            findings.add(format!("vlan {}", vlan.name), &vlan.at, says);
        }
    }
}

/// VLANs on which the server is to hear broadcasts that never come to its site.
pub(crate) fn server_off_link(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let Some(services) = services_site(plan).filter(|site| site.as_str() != "venue") else { return };
    for vlan in plan.vlans.values() {
        if matches!(vlan.dhcp.as_ref().map(|dhcp| &dhcp.via), Some(DhcpVia::Direct(_))) {
            let says = format!("VLAN {} wants broadcasts heard, but the services run at {services}", vlan.name);
            findings.add(format!("vlan {}", vlan.name), &vlan.at, says);
        }
    }
}

/// Services at the venue with an address in no subnet.
pub(crate) fn services_outside_subnets(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let Some(address) = plan.server_address() else { return };
    let at_venue = services_site(plan).is_none_or(|site| site.as_str() == "venue");
    let stated = plan.services.device.as_ref().and_then(|device| plan.device(device)?.address) != Some(address);
    if at_venue && stated && !plan.vlans.values().any(|vlan| vlan.subnet.contains(&address)) {
        let says = format!("the services have the address {address}, which is in no subnet of the plan");
        findings.add("services", &plan.services.at, says);
    }
}

/// Nobody is asked for names that are not ours.
pub(crate) fn dns_upstream_missing(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    if plan.services.dns.upstreams.is_empty() && !plan.vlans.is_empty() {
        findings.add("services", &plan.services.at, "nobody is asked for names outside the event's zone");
    }
}

/// One server is asked for names that are not ours, and no other when it fails.
pub(crate) fn dns_upstream_single(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    if let [upstream] = plan.services.dns.upstreams.as_slice() {
        let says = format!("only {} is asked for names outside the event's zone", upstream.address.ip());
        findings.add("services", &plan.services.at, says);
    }
}

/// No time server for gear and clients.
pub(crate) fn ntp_missing(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    if plan.services.ntp.is_empty() {
        findings.add("services", &plan.services.at, "clients and gear are told no time server");
    }
}

/// Leases that keep an attendee's address until the next day, from a pool without that many.
pub(crate) fn lease_outlives_day(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let days = f64::from(u32::try_from(plan.days.len()).unwrap_or(u32::MAX).max(1));
    let wanted = plan.expected_devices_peak().likely * days.min(2.0);
    for (vlan, lease) in attendee_leases(plan).filter(|(_, lease)| *lease >= LEASE_OVER_NIGHT) {
        let size = plan.pool_size(vlan);
        if (size as f64) < wanted {
            let hours = lease.as_secs() / 3_600;
            let says = format!(
                "leases of {hours} h on VLAN {} outlive the day; {size} addresses for about {wanted:.0}",
                vlan.name
            );
            findings.add(format!("vlan {}", vlan.name), &vlan.at, says);
        }
    }
}

/// Leases longer than people stay in one place.
pub(crate) fn lease_long(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, lease) in attendee_leases(plan).filter(|(_, lease)| *lease > LEASE_LONG) {
        let says = format!("leases on VLAN {} last {} min; people come and go faster", vlan.name, lease.as_secs() / 60);
        findings.add(format!("vlan {}", vlan.name), &vlan.at, says);
    }
}

/// Leases so short that renewals become the load.
pub(crate) fn lease_short(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, lease) in attendee_leases(plan).filter(|(_, lease)| *lease < LEASE_SHORT) {
        let says =
            format!("leases on VLAN {} last {} s; every device renews after half of that", vlan.name, lease.as_secs());
        findings.add(format!("vlan {}", vlan.name), &vlan.at, says);
    }
}

/// Less room on disk than the logs of the event take.
pub(crate) fn telemetry_too_small(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let per_device = plan.expected_devices_peak().high * LOG_LINES_PER_DEVICE;
    let lines = plan.services.log_lines_per_day.map_or(per_device, |lines| lines as f64);
    let bytes = lines * plan.days.len() as f64 * LOG_LINE_BYTES;
    let allowed = plan.services.telemetry_bytes_max;
    if bytes > allowed as f64 {
        let says = format!(
            "about {:.1} GB of logs are expected, but telemetry may take {:.1} GB",
            bytes / 1e9,
            allowed as f64 / 1e9
        );
        findings.add("services", &plan.services.at, says);
    }
}

/// The site that hotstage's services run at, when the plan says.
fn services_site(plan: &Plan) -> Option<&SiteId> {
    let of_device = plan.services.device.as_ref().and_then(|device| plan.device(device)).map(|device| &device.site);
    of_device.or_else(|| plan.sites.values().find(|site| site.services).map(|site| &site.id))
}

fn relayed(plan: &Plan) -> impl Iterator<Item = (&VlanPlan, Option<&model::DeviceId>)> {
    plan.vlans.values().filter_map(|vlan| match &vlan.dhcp.as_ref()?.via {
        DhcpVia::Relay(relay) => Some((vlan, relay.as_ref())),
        DhcpVia::Direct(_) | DhcpVia::Other(_) => None,
    })
}

/// VLANs of attendees that we serve, with their lease time.
fn attendee_leases(plan: &Plan) -> impl Iterator<Item = (&VlanPlan, Duration)> {
    plan.attendee_vlans().filter_map(|vlan| {
        let dhcp = vlan.dhcp.as_ref()?;
        (!matches!(dhcp.via, DhcpVia::Other(_))).then_some((vlan, dhcp.lease))
    })
}
