//! Interfaces of this machine and the plan's IPv6 links: which is on which, and what we are called there.

use std::{collections::BTreeMap, io, net::Ipv6Addr};

use generate::{Link6, ServiceSettings};
use model::{Mac, SubnetId};
use nix::{ifaddrs::getifaddrs, net::if_::InterfaceFlags};

/// An interface that IPv6 may be spoken on.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Interface {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) mac: Option<Mac>,
    pub(crate) addresses: Vec<Ipv6Addr>,
    is_loopback: bool,
}

impl Interface {
    /// The address by which its link knows us.
    pub(crate) fn link_local(&self) -> Option<Ipv6Addr> {
        self.addresses.iter().find(|address| address.is_unicast_link_local()).copied()
    }
}

/// The interfaces that are there now, by index.
pub(crate) fn interfaces() -> io::Result<Vec<Interface>> {
    let mut found: BTreeMap<String, Interface> = BTreeMap::new();
    for one in getifaddrs()? {
        let known = found.entry(one.interface_name.clone()).or_default();
        known.is_loopback = one.flags.contains(InterfaceFlags::IFF_LOOPBACK);
        let Some(address) = one.address else { continue };
        if let Some(link) = address.as_link_addr() {
            known.index = u32::try_from(link.ifindex()).unwrap_or(0);
            known.mac = link.addr().map(Mac).filter(|mac| mac.0 != [0; 6]);
        } else if let Some(address) = address.as_sockaddr_in6() {
            known.addresses.push(address.ip());
        }
    }
    let mut all: Vec<_> = found.into_iter().map(|(name, interface)| Interface { name, ..interface }).collect();
    all.retain(|interface| interface.index != 0);
    all.sort_by_key(|interface| interface.index);
    Ok(all)
}

/// The interfaces of each of the plan's links, as found at the start.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Links {
    by_subnet: BTreeMap<SubnetId, Vec<Interface>>,
    /// Our link-local addresses, whatever the interface: two of them may be on one link.
    own: Vec<Ipv6Addr>,
}

impl Links {
    /// A link whose interface the plan names is on that one, else on those that have an address of its prefix.
    /// The error is the name of an interface that is not there.
    pub(crate) fn new(services: &ServiceSettings, interfaces: &[Interface]) -> Result<Self, String> {
        let mut by_subnet = BTreeMap::new();
        for link in &services.links6 {
            let on = match &link.interface {
                Some(name) => {
                    let found = interfaces.iter().find(|interface| interface.name == *name);
                    vec![found.cloned().ok_or_else(|| name.clone())?]
                }
                None => with_an_address_of(link, services, interfaces),
            };
            by_subnet.insert(link.subnet, on);
        }
        let addresses = interfaces.iter().flat_map(|interface| &interface.addresses);
        let own = addresses.filter(|address| address.is_unicast_link_local()).copied().collect();
        Ok(Self { by_subnet, own })
    }

    /// The interfaces of a subnet's own link.
    pub(crate) fn of(&self, subnet: SubnetId) -> &[Interface] {
        self.by_subnet.get(&subnet).map_or(&[], Vec::as_slice)
    }

    /// Every interface that is on a link of the plan.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Interface> {
        self.by_subnet.values().flatten()
    }

    /// Our link-local addresses.
    pub(crate) fn own(&self) -> &[Ipv6Addr] {
        &self.own
    }
}

fn with_an_address_of(link: &Link6, services: &ServiceSettings, interfaces: &[Interface]) -> Vec<Interface> {
    let Some(subnet) = services.dhcp6.subnets.iter().find(|subnet| subnet.id == link.subnet) else { return Vec::new() };
    let has_address = |interface: &&Interface| {
        !interface.is_loopback && interface.addresses.iter().any(|address| subnet.prefix.contains(address))
    };
    let found: Vec<_> = interfaces.iter().filter(has_address).cloned().collect();
    if found.is_empty() {
        tracing::warn!(
            vlan = %subnet.name,
            "no interface has an address of {}: nobody on its link is served; set `vlan.{}.dhcp.interface`",
            subnet.prefix,
            subnet.name
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_found_with_its_address() {
        let all = interfaces().unwrap();
        let loopback = all.iter().find(|interface| interface.is_loopback).expect("every machine has one");
        assert_eq!(loopback.mac, None);
        assert!(loopback.index > 0);
    }
}
