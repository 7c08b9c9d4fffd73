//! Subnets, pools and options of the DHCP server.

use std::net::{IpAddr, Ipv4Addr};

use dhcp::{Reservation, ReservationKey, Settings, SubnetSettings};
use model::{HostName, SubnetId};
use plan::{DhcpPlan, DhcpVia, Plan, VlanPlan};

/// The settings, and which subnets are on a link of this machine.
pub(crate) fn dhcp_settings(plan: &Plan) -> (Settings, Vec<(SubnetId, Option<String>)>) {
    let mut subnets = Vec::new();
    let mut direct = Vec::new();
    // The id is the VLAN's position in the plan, so that it does not move when another VLAN stops being served.
    for (index, vlan) in plan.vlans.values().enumerate() {
        let Some(dhcp) = &vlan.dhcp else { continue };
        let id = SubnetId(u32::try_from(index).unwrap_or(u32::MAX));
        match &dhcp.via {
            DhcpVia::Relay(_) => {}
            DhcpVia::Direct(interface) => direct.push((id, interface.clone())),
            DhcpVia::Other(_) => continue,
        }
        subnets.push(subnet(plan, id, vlan, dhcp));
    }
    let settings = Settings { server_identifier: Ipv4Addr::UNSPECIFIED, subnets, ..Settings::default() };
    (settings, direct)
}

fn subnet(plan: &Plan, id: SubnetId, vlan: &VlanPlan, dhcp: &DhcpPlan) -> SubnetSettings {
    let fixed = plan.devices.values().filter_map(|device| device.address);
    let excluded = fixed.chain(plan.server_address()).filter(|address| vlan.subnet.contains(address)).collect();
    let reservations = dhcp.reservations.iter().map(|reservation| Reservation {
        client: ReservationKey::Mac(reservation.mac),
        address: reservation.address,
        host_name: reservation.name.as_deref().and_then(|name| HostName::sanitise(name.as_bytes())),
    });
    SubnetSettings {
        pools: dhcp.pools.clone(),
        excluded,
        gateway: Some(vlan.gateway),
        name_servers: plan.server_address().into_iter().collect(),
        domain: Some(plan.event.domain.clone()),
        ntp_servers: plan.services.ntp.iter().filter_map(v4).collect(),
        lease: dhcp.lease,
        reservations: reservations.collect(),
        ..SubnetSettings::new(id, vlan.name.as_str(), vlan.subnet)
    }
}

fn v4(address: &IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(*address),
        IpAddr::V6(_) => None,
    }
}
