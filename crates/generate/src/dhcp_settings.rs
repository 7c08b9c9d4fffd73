//! Subnets, pools, classes and options of the DHCP server.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use dhcp::{
    ClassSettings, Limits, Match, OptionSetting, PoolSettings, ProbeSettings, Reservation, ReservationKey, Settings,
    SubnetSettings,
};
use model::{HostName, SubnetId};
use plan::{Condition, DhcpClass, DhcpOption, DhcpPlan, DhcpServer, DhcpVia, Plan, ReservationClient, VlanPlan};

use crate::option_octets::octets;

/// The settings, and which subnets are on a link of this machine.
pub(crate) fn dhcp_settings(plan: &Plan) -> (Settings, Vec<(SubnetId, Option<String>)>) {
    let mut subnets = Vec::new();
    let mut direct = Vec::new();
    for vlan in plan.vlans.values() {
        let Some(dhcp) = &vlan.dhcp else { continue };
        let id = plan.subnet_id(vlan);
        match &dhcp.via {
            DhcpVia::Relay(_) => {}
            DhcpVia::Direct(interface) => direct.push((id, interface.clone())),
            DhcpVia::Other(_) => continue,
        }
        subnets.push(subnet(plan, id, vlan, dhcp));
    }
    let settings = Settings {
        server_identifier: Ipv4Addr::UNSPECIFIED,
        subnets,
        classes: plan.dhcp.classes.iter().map(class).collect(),
        limits: limits(&plan.dhcp),
        leasequery_from: plan.dhcp.leasequery_from.clone(),
        probe: ProbeSettings { wait: probe_wait(&plan.dhcp), ..ProbeSettings::default() },
        ..Settings::default()
    };
    (settings, direct)
}

fn subnet(plan: &Plan, id: SubnetId, vlan: &VlanPlan, dhcp: &DhcpPlan) -> SubnetSettings {
    let fixed = plan.devices.values().filter_map(|device| device.address);
    let excluded = fixed.chain(plan.server_address()).filter(|address| vlan.subnet.contains(address)).collect();
    let pools =
        dhcp.pools.iter().map(|pool| PoolSettings { first: pool.first, last: pool.last, class: pool.class.clone() });
    SubnetSettings {
        pools: pools.collect(),
        excluded,
        gateway: Some(vlan.gateway),
        name_servers: plan.server_address().into_iter().collect(),
        domain: Some(plan.event.domain.clone()),
        ntp_servers: plan.services.ntp.iter().filter_map(v4).collect(),
        lease: dhcp.lease,
        reservations: dhcp.reservations.iter().map(reservation).collect(),
        options: settings(&dhcp.options),
        rapid_commit: dhcp.rapid_commit,
        ipv6_only_wait: dhcp.ipv6_only_wait,
        captive_portal: dhcp.captive_portal.clone(),
        shared_network: dhcp.shared_network.clone(),
        lease_under_pressure: dhcp.lease_under_pressure,
        ..SubnetSettings::new(id, vlan.name.as_str(), vlan.subnet)
    }
}

fn reservation(reservation: &plan::Reservation) -> Reservation {
    Reservation {
        client: match &reservation.client {
            ReservationClient::Mac(mac) => ReservationKey::Mac(*mac),
            ReservationClient::ClientId(octets) => ReservationKey::ClientId(octets.clone()),
            ReservationClient::CircuitId(octets) => ReservationKey::CircuitId(octets.clone()),
            ReservationClient::RemoteId(octets) => ReservationKey::RemoteId(octets.clone()),
        },
        address: reservation.address,
        host_name: reservation.name.as_deref().and_then(|name| HostName::sanitise(name.as_bytes())),
        options: settings(&reservation.options),
    }
}

fn settings(options: &[DhcpOption]) -> Vec<OptionSetting> {
    let setting = |option: &DhcpOption| OptionSetting {
        code: option.code,
        data: octets(option.code, &option.value),
        always: option.always,
    };
    options.iter().map(setting).collect()
}

/// The ways to be a member are every condition with one of its values.
fn class(class: &DhcpClass) -> ClassSettings {
    let mut ways: Vec<Vec<Match>> = vec![Vec::new()];
    for (condition, values) in class.conditions() {
        let with = |way: &Vec<Match>, value: &Vec<u8>| {
            let found = match condition {
                Condition::VendorClass => Match::VendorClassPrefix(value.clone()),
                Condition::UserClass => Match::UserClass(value.clone()),
                Condition::CircuitId => Match::CircuitIdPrefix(value.clone()),
                Condition::RemoteId => Match::RemoteIdPrefix(value.clone()),
                Condition::MacPrefix => Match::MacPrefix(value.clone()),
                Condition::ParameterList => Match::ParameterList(value.clone()),
            };
            way.iter().cloned().chain([found]).collect()
        };
        ways = ways.iter().flat_map(|way| values.iter().map(move |value| with(way, value))).collect();
    }
    ClassSettings { name: class.name.clone(), when: ways, options: settings(&class.options), lease: class.lease }
}

/// How long an offer waits for a probe; zero = there is none. Who sits on an address answers within milliseconds on a
/// link and within a tunnel's round trip behind a relay agent; clients ask again after seconds.
fn probe_wait(server: &DhcpServer) -> Duration {
    if server.conflict_probe { Duration::from_millis(500) } else { Duration::ZERO }
}

/// What the plan limits; where it is silent, the server's own limits stay.
fn limits(server: &DhcpServer) -> Limits {
    let own = Limits::default();
    Limits {
        leases_per_circuit: server.leases_per_circuit.or(own.leases_per_circuit),
        offers_per_circuit: server.offers_per_circuit.or(own.offers_per_circuit),
        declines_per_circuit_per_hour: server.declines_per_circuit_per_hour.or(own.declines_per_circuit_per_hour),
        leases_per_relay: server.leases_per_relay.or(own.leases_per_relay),
        packets_per_source_per_second: server.packets_per_source_per_second.or(own.packets_per_source_per_second),
    }
}

fn v4(address: &IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(*address),
        IpAddr::V6(_) => None,
    }
}
