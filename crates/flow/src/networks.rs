use std::{collections::BTreeMap, net::IpAddr};

use ipnet::{IpNet, Ipv4Net};

use crate::Network;

/// Which network of the plan an address is in: the longest prefix that has it.
#[derive(Clone, Debug)]
pub(crate) struct Networks {
    v4: Prefixes<u32>,
    v6: Prefixes<u128>,
    by_vlan: BTreeMap<u16, usize>,
    has_clients: Vec<bool>,
}

/// Prefixes by length, the longest first, and the network of each.
#[derive(Clone, Debug)]
struct Prefixes<A>(Vec<(u8, BTreeMap<A, usize>)>);

impl<A: Ord> Prefixes<A> {
    fn new(mut of: impl FnMut(&IpNet) -> Option<(u8, A)>, networks: &[Network]) -> Self {
        let mut lengths: BTreeMap<u8, BTreeMap<A, usize>> = BTreeMap::new();
        for (index, network) in networks.iter().enumerate() {
            for (length, address) in network.prefixes.iter().filter_map(&mut of) {
                lengths.entry(length).or_default().insert(address, index);
            }
        }
        Self(lengths.into_iter().rev().collect())
    }

    fn find(&self, masked: impl Fn(u8) -> A) -> Option<(u8, usize)> {
        self.0.iter().find_map(|(length, prefixes)| Some((*length, *prefixes.get(&masked(*length))?)))
    }
}

/// Where an address is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Spot {
    /// Number of the network in the settings.
    pub(crate) network: Option<usize>,
    /// It goes to many hosts at once.
    pub(crate) is_group: bool,
    /// It means a host only on its own link, so it says nothing of networks.
    pub(crate) is_on_link: bool,
}

impl Networks {
    pub(crate) fn new(networks: &[Network]) -> Self {
        let v4 = |net: &IpNet| match net {
            IpNet::V4(net) => Some((net.prefix_len(), net.network().to_bits())),
            IpNet::V6(_) => None,
        };
        let v6 = |net: &IpNet| match net {
            IpNet::V6(net) => Some((net.prefix_len(), net.network().to_bits())),
            IpNet::V4(_) => None,
        };
        Self {
            v4: Prefixes::new(v4, networks),
            v6: Prefixes::new(v6, networks),
            by_vlan: networks.iter().enumerate().map(|(index, network)| (network.vlan, index)).collect(),
            has_clients: networks.iter().map(|network| network.has_clients).collect(),
        }
    }

    pub(crate) fn spot(&self, address: IpAddr) -> Spot {
        match address {
            IpAddr::V4(address) => {
                let bits = address.to_bits();
                let mask = |length: u8| bits & u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                let found = self.v4.find(mask);
                let is_directed = found.is_some_and(|(length, _)| {
                    length < 31 && Ipv4Net::new(address, length).is_ok_and(|net| net.broadcast() == address)
                });
                Spot {
                    network: found.map(|(_, network)| network),
                    is_group: address.is_multicast() || address.is_broadcast() || is_directed,
                    is_on_link: address.is_link_local() || address.is_unspecified(),
                }
            }
            IpAddr::V6(address) => {
                let bits = address.to_bits();
                let mask = |length: u8| bits & u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                Spot {
                    network: self.v6.find(mask).map(|(_, network)| network),
                    is_group: address.is_multicast(),
                    is_on_link: address.is_unicast_link_local() || address.is_unspecified(),
                }
            }
        }
    }

    pub(crate) fn of_vlan(&self, vlan: u16) -> Option<usize> {
        self.by_vlan.get(&vlan).copied()
    }

    /// People's devices are in it.
    pub(crate) fn has_clients(&self, network: usize) -> bool {
        self.has_clients.get(network).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_counts() {
        let network = |name: &str, vlan, prefixes: &[&str]| Network {
            name: name.to_owned(),
            vlan,
            prefixes: prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect(),
            has_clients: true,
        };
        let networks = Networks::new(&[
            network("all", 1, &["10.0.0.0/8", "::/0"]),
            network("hall", 2, &["10.1.0.0/16", "2001:db8:1::/64"]),
            network("one", 3, &["10.1.2.3/32"]),
        ]);
        for (address, wanted, is_group) in [
            ("10.9.9.9", Some(0), false),
            ("10.1.9.9", Some(1), false),
            ("10.1.2.3", Some(2), false),
            ("10.1.255.255", Some(1), true),
            ("10.255.255.255", Some(0), true),
            ("255.255.255.255", None, true),
            ("224.0.0.251", None, true),
            ("192.0.2.1", None, false),
            ("2001:db8:1::9", Some(1), false),
            ("2001:db8:2::9", Some(0), false),
            ("ff02::1", Some(0), true),
        ] {
            let spot = networks.spot(address.parse().unwrap());
            assert_eq!((spot.network, spot.is_group), (wanted, is_group), "{address}");
        }
        assert!(networks.spot("fe80::1".parse().unwrap()).is_on_link);
        assert!(networks.spot("169.254.1.1".parse().unwrap()).is_on_link);
        assert_eq!(networks.of_vlan(2), Some(1));
    }
}
