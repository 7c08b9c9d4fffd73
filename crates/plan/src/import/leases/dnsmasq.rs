//! dnsmasq's `dnsmasq.leases`: expiry, MAC address, address, name, client identifier.

use std::net::Ipv4Addr;

use model::{HostName, Lease, LeaseState, Mac, SubnetId, Timestamp};

use super::{Collector, ImportedLeases, key, lines};
use crate::import::value::hex_word;

/// Leases of dnsmasq. The file does not say when a lease began: `starts` is the epoch. `subnet_of` says which subnet
/// of the plan an address is in ([`crate::Plan::vlan_of`]). Never fails: what is no lease becomes a note.
pub fn leases_from_dnsmasq(bytes: &[u8], subnet_of: &dyn Fn(Ipv4Addr) -> Option<SubnetId>) -> ImportedLeases {
    let mut all = Collector::new(subnet_of);
    for (number, line) in lines(bytes) {
        let Some(text) = line.and_then(|line| std::str::from_utf8(line).ok()) else {
            all.skip(number, "the line is too long or no text");
            continue;
        };
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        match words.as_slice() {
            [] => {}
            ["duid", ..] => {
                all.notes.add(number, "what follows are leases of DHCPv6, which are not taken over");
                break;
            }
            [expiry, mac, address, name, rest @ ..] => {
                let identifier = rest.first().copied().unwrap_or("*");
                record(&mut all, number, expiry, mac, address, name, identifier);
            }
            _ => all.skip(number, "the line is no lease"),
        }
    }
    all.finish()
}

fn record(all: &mut Collector<'_>, line: u32, expiry: &str, mac: &str, address: &str, name: &str, identifier: &str) {
    let (Ok(address), Ok(expiry)) = (address.parse::<Ipv4Addr>(), expiry.parse::<i64>()) else {
        return all.skip(line, "the line is no lease");
    };
    let Some(subnet) = all.subnet(line, address) else { return };
    // Hardware that is not Ethernet has its type before a hyphen.
    let mac = mac.parse::<Mac>().ok();
    let identifier = if identifier == "*" { Vec::new() } else { hex_word(identifier).unwrap_or_default() };
    let expires = if expiry == 0 { Timestamp::MAX } else { Timestamp::from_secs(expiry.max(0)) };
    all.add(
        line,
        Lease {
            subnet,
            address,
            client: key(&identifier, mac, address),
            mac,
            state: LeaseState::Bound,
            starts: Timestamp::EPOCH,
            expires,
            host_name: HostName::sanitise(name.as_bytes()),
            circuit_id: [].into(),
            remote_id: [].into(),
        },
    );
}
