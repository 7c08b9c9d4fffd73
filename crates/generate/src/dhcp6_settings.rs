//! Subnets of the DHCPv6 server, and what router advertisements say.

use std::net::{IpAddr, Ipv6Addr};

use dhcp6::{
    Limits, Mode, Reservation, ReservationKey, Settings, SubnetSettings,
    ra::{Advertisement, PrefixSetting},
};
use model::{HostName, SubnetId};
use plan::{DhcpVia, Ipv6Mode, Ipv6Plan, Ipv6Reservation, Ipv6ReservationClient, Plan, VlanPlan};

/// An IPv6 subnet on a link of this machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link6 {
    /// The subnet.
    pub subnet: SubnetId,
    /// The operating system's name of the interface, or any.
    pub interface: Option<String>,
    /// What we advertise there; `None` = another router does, and we only watch for foreign ones.
    pub advertisement: Option<Advertisement>,
    /// Link-local addresses of the routers that belong there.
    pub routers_expected: Vec<Ipv6Addr>,
}

/// The settings, and the links that they are about. The server's DUID is for whoever keeps it.
pub(crate) fn dhcp6_settings(plan: &Plan) -> (Settings, Vec<Link6>) {
    let mut subnets = Vec::new();
    let mut links = Vec::new();
    for vlan in plan.vlans.values() {
        let via = vlan.dhcp.as_ref().map(|dhcp| &dhcp.via);
        let (Some(ipv6), false) = (&vlan.ipv6, matches!(via, Some(DhcpVia::Other(_)))) else { continue };
        subnets.push(subnet(plan, vlan, ipv6));
        if let Some(DhcpVia::Direct(interface)) = via {
            let is_link_local = |router: &Ipv6Addr| router.is_unicast_link_local();
            links.push(Link6 {
                subnet: plan.subnet_id(vlan),
                interface: interface.clone(),
                advertisement: ipv6.advertise.then(|| advertisement(plan, vlan, ipv6)),
                routers_expected: ipv6.router.filter(is_link_local).into_iter().collect(),
            });
        }
    }
    let rapid_commit = plan.vlans.values().filter_map(|vlan| vlan.dhcp.as_ref()).any(|dhcp| dhcp.rapid_commit);
    let limits = Limits {
        leases_per_circuit: plan.dhcp.leases_per_circuit,
        leases_per_relay: plan.dhcp.leases_per_relay,
        packets_per_source_per_second: plan.dhcp.packets_per_source_per_second,
    };
    (Settings { subnets, rapid_commit, limits, ..Settings::default() }, links)
}

/// True when some subnet's clients get answers to DHCPv6.
pub(crate) fn is_answered(settings: &Settings) -> bool {
    settings.subnets.iter().any(|subnet| subnet.mode != Mode::Slaac)
}

fn subnet(plan: &Plan, vlan: &VlanPlan, ipv6: &Ipv6Plan) -> SubnetSettings {
    let taken = ipv6.router.iter().chain(&ipv6.name_servers).copied();
    SubnetSettings {
        mode: match ipv6.mode {
            Ipv6Mode::Slaac => Mode::Slaac,
            Ipv6Mode::Stateless => Mode::Stateless,
            Ipv6Mode::Stateful => Mode::Stateful,
        },
        pools: ipv6.pools.clone(),
        reservations: ipv6.reservations.iter().map(reservation).collect(),
        excluded: taken.filter(|address| ipv6.prefix.contains(address)).collect(),
        name_servers: ipv6.name_servers.clone(),
        domain: Some(plan.event.domain.clone()),
        ntp_servers: plan.services.ntp.iter().filter_map(v6).collect(),
        captive_portal: captive_portal(vlan),
        preferred: ipv6.lease,
        valid: ipv6.lease * 2,
        ..SubnetSettings::new(plan.subnet_id(vlan), vlan.name.as_str(), ipv6.prefix)
    }
}

fn reservation(own: &Ipv6Reservation) -> Reservation {
    Reservation {
        client: match &own.client {
            Ipv6ReservationClient::Duid(duid) => ReservationKey::Duid(duid.clone()),
            Ipv6ReservationClient::Mac(mac) => ReservationKey::Mac(*mac),
        },
        address: own.address,
        host_name: own.name.as_deref().and_then(|name| HostName::sanitise(name.as_bytes())),
    }
}

/// We tell of the prefix and of servers; the default router is another, which tells of itself.
fn advertisement(plan: &Plan, vlan: &VlanPlan, ipv6: &Ipv6Plan) -> Advertisement {
    let is_autonomous = ipv6.mode != Ipv6Mode::Stateful;
    Advertisement {
        prefixes: vec![PrefixSetting { is_autonomous, ..PrefixSetting::new(ipv6.prefix) }],
        is_managed: ipv6.mode == Ipv6Mode::Stateful,
        has_other: ipv6.mode == Ipv6Mode::Stateless,
        name_servers: ipv6.name_servers.clone(),
        domains: vec![plan.event.domain.clone()],
        pref64: ipv6.pref64,
        captive_portal: captive_portal(vlan),
        ..Advertisement::default()
    }
}

fn captive_portal(vlan: &VlanPlan) -> Option<String> {
    vlan.dhcp.as_ref().and_then(|dhcp| dhcp.captive_portal.clone())
}

fn v6(address: &IpAddr) -> Option<Ipv6Addr> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => Some(*address),
    }
}
