use std::net::IpAddr;

use ipnet::IpNet;
use model::DeviceId;

/// Whose flows are counted, and by what networks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CollectorSettings {
    /// Devices whose flows are counted, told by their source address.
    pub exporters: Vec<Exporter>,
    /// Prefixes from which other exporters are counted as well, together.
    pub allow: Vec<IpNet>,
    /// Networks of the plan.
    pub networks: Vec<Network>,
    /// Addresses of devices that send the event's own stream.
    pub streamers: Vec<IpAddr>,
}

/// A device that exports flows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exporter {
    /// Its name in the plan.
    pub device: DeviceId,
    /// The address that it sends from.
    pub address: IpAddr,
}

/// A network of the plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Network {
    /// Its name in the plan.
    pub name: String,
    /// Its 802.1Q identifier.
    pub vlan: u16,
    /// Its prefixes.
    pub prefixes: Vec<IpNet>,
    /// People's devices are in it, not gear: it has the side from which up and down are told.
    pub has_clients: bool,
}
