//! Room in the kernel's neighbour table for the planned addresses of this machine's own links. An address that does not
//! answer takes a place there as long as it is asked for; when the table is full, devices that are well seem down.

use std::{fs, net::IpAddr};

use ipnet::IpNet;
use nix::{ifaddrs::getifaddrs, net::if_::InterfaceFlags, sys::socket::SockaddrStorage};
use watch::PingSettings;

/// Says at start what would be a riddle later. Not in a network namespace of its own: the limit is the machine's.
pub(super) fn warn_of_neighbours(settings: &PingSettings) {
    let own = own_networks();
    for (family, is_v4) in [("ipv4", true), ("ipv6", false)] {
        let path = format!("/proc/sys/net/{family}/neigh/default/gc_thresh3");
        let Some(limit) = fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()) else { continue };
        let addresses = settings.targets.iter().map(|target| target.address);
        let count = on_link(addresses.filter(|address| address.is_ipv4() == is_v4), &own);
        if let Some(warning) = warning(family, count, limit) {
            tracing::warn!("{warning}");
        }
    }
}

fn warning(family: &str, count: usize, limit: usize) -> Option<String> {
    (count > limit).then(|| {
        format!(
            "{count} planned addresses are on links of this machine and its neighbour table holds {limit}: while many are \
             missing, others may seem down; `sysctl -w net.{family}.neigh.default.gc_thresh3={}`",
            (count * 2).next_power_of_two()
        )
    })
}

fn on_link(addresses: impl Iterator<Item = IpAddr>, own: &[IpNet]) -> usize {
    addresses.filter(|address| own.iter().any(|network| network.contains(address))).count()
}

/// Networks that this machine reaches without a router. The loopback interface needs no neighbours.
fn own_networks() -> Vec<IpNet> {
    let Ok(interfaces) = getifaddrs() else { return Vec::new() };
    let network = |interface: nix::ifaddrs::InterfaceAddress| {
        if interface.flags.contains(InterfaceFlags::IFF_LOOPBACK) {
            return None;
        }
        IpNet::with_netmask(ip(&interface.address?)?, ip(&interface.netmask?)?).ok()
    };
    interfaces.filter_map(network).collect()
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_on_own_links_beyond_the_table_are_said() {
        let own = ["192.0.2.7/24", "2001:db8::7/64"].map(|text| text.parse().unwrap());
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        let mixed = addresses(&["192.0.2.1", "192.0.3.1", "2001:db8::1", "2001:db8:1::1"]);
        assert_eq!(on_link(mixed.into_iter(), &own), 2);
        assert_eq!(warning("ipv4", 1_024, 1_024), None);
        let warning = warning("ipv4", 1_025, 1_024).unwrap();
        assert!(warning.contains("1025 planned") && warning.contains("gc_thresh3=4096"), "{warning}");
    }
}
