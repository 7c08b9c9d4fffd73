//! Names of DHCP clients: an address and a PTR record each, from the moment of the lease to its end.
//!
//! A name goes to the first client that asks for it; later ones get `name-2` to `name-9`, further ones none.
//! Planned names and names that software trusts blindly (`wpad`, `isatap`, ...) go to no client. One client has one
//! name for its IPv4 and its IPv6 address (RFC 4703 section 5.2: told by who asks, not by what is asked for), and of
//! each family the name leads to the address heard of last.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use foldhash::quality::FixedState;
use model::{Duid, Mac, Timestamp};

use crate::{name::parent, wire::rtype, zone::Zones};

/// Addresses that can have a name at once.
pub const CLIENT_NAMES_MAX: usize = 65_536;
/// Addresses that share one name; a client that moved has leases in several VLANs for a while.
const ADDRESSES_MAX: usize = 16;
/// The last suffix tried for a name that is taken.
const SUFFIX_MAX: u8 = 9;
/// Labels that make other machines act when they resolve (proxy discovery, tunnels, mail and more).
const RESERVED: [&str; 7] = ["wpad", "isatap", "localhost", "local", "autoconfig", "autodiscover", "ns"];
/// The tops of the reverse trees, and the labels of a whole address below them (RFC 1035 section 3.5, RFC 3596
/// section 2.5).
const REVERSE: [(&[u8], usize); 2] = [(b"\x07in-addr\x04arpa\x00", 4), (b"\x03ip6\x04arpa\x00", 32)];

/// Who a client is, as far as its leases tell; two are one when they share either.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ClientIdentity {
    /// Its hardware address.
    pub mac: Option<Mac>,
    /// Its DUID, which DHCPv4 clients may send as well (RFC 4361).
    pub duid: Option<Duid>,
}

impl ClientIdentity {
    fn is_same(&self, other: &Self) -> bool {
        (self.mac.is_some() && self.mac == other.mac) || (self.duid.is_some() && self.duid == other.duid)
    }
}

/// See the module.
pub(crate) struct ClientNames {
    /// Folded wire form; `None` when clients get no names.
    domain: Option<Box<[u8]>>,
    ttl: u32,
    by_name: HashMap<Box<[u8]>, Named, FixedState>,
    by_address: BTreeMap<IpAddr, ClientName>,
    expiries: BTreeSet<(Timestamp, IpAddr)>,
}

/// Whose a name is.
struct Named {
    client: ClientIdentity,
    /// Never empty; the one heard of last is at the end.
    addresses: Vec<IpAddr>,
}

struct ClientName {
    wanted: Box<str>,
    granted: Box<[u8]>,
    expires: Timestamp,
}

/// A record that a client's name yields.
pub(crate) struct ClientRecord {
    pub(crate) rtype: u16,
    pub(crate) ttl: u32,
    pub(crate) rdata: Vec<u8>,
}

impl ClientNames {
    pub(crate) fn new(domain: Option<Box<[u8]>>, ttl: u32, hash_seed: u64) -> Self {
        Self {
            domain,
            ttl,
            by_name: HashMap::with_hasher(FixedState::with_seed(hash_seed)),
            by_address: BTreeMap::new(),
            expiries: BTreeSet::new(),
        }
    }

    /// Grants or prolongs a name; false when the client gets none.
    pub(crate) fn set(
        &mut self,
        now: Timestamp,
        label: &str,
        address: IpAddr,
        client: &ClientIdentity,
        expires: Timestamp,
        zones: &Zones,
    ) -> bool {
        self.purge(now);
        if expires > now && self.prolong(label, address, client, expires) {
            return true;
        }
        self.remove(address);
        if expires <= now || self.by_address.len() >= CLIENT_NAMES_MAX {
            return false;
        }
        let Some(granted) = self.free_name(label, client, zones) else { return false };
        let fresh = || Named { client: client.clone(), addresses: Vec::new() };
        self.by_name.entry(granted.clone()).or_insert_with(fresh).addresses.push(address);
        self.expiries.insert((expires, address));
        self.by_address.insert(address, ClientName { wanted: label.into(), granted, expires });
        true
    }

    /// True when the address has this name already, and goes on having it.
    fn prolong(&mut self, label: &str, address: IpAddr, client: &ClientIdentity, expires: Timestamp) -> bool {
        let Some(known) = self.by_address.get_mut(&address).filter(|known| *known.wanted == *label) else {
            return false;
        };
        let Some(named) = self.by_name.get_mut(&known.granted) else { return false };
        // Another client at the same address may have the name only while it is that client's alone.
        if !named.client.is_same(client) && named.addresses.len() > 1 {
            return false;
        }
        if !named.client.is_same(client) {
            named.client = client.clone();
        }
        named.addresses.retain(|&other| other != address);
        named.addresses.push(address);
        self.expiries.remove(&(known.expires, address));
        known.expires = expires;
        self.expiries.insert((expires, address));
        true
    }

    /// Takes back the name of an address.
    pub(crate) fn remove(&mut self, address: IpAddr) {
        let Some(client) = self.by_address.remove(&address) else { return };
        self.expiries.remove(&(client.expires, address));
        if let Some(named) = self.by_name.get_mut(&client.granted) {
            named.addresses.retain(|&other| other != address);
            if named.addresses.is_empty() {
                self.by_name.remove(&client.granted);
            }
        }
    }

    /// Takes back every name whose lease has ended.
    pub(crate) fn purge(&mut self, now: Timestamp) {
        while let Some(&(expires, address)) = self.expiries.first() {
            if expires > now {
                return;
            }
            self.remove(address);
        }
    }

    /// When the next name expires.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.expiries.first().map(|(expires, _)| *expires)
    }

    /// Addresses that have a name.
    pub(crate) fn len(&self) -> usize {
        self.by_address.len()
    }

    /// The records of a folded name: A and AAAA below the clients' domain, PTR below `in-addr.arpa` and `ip6.arpa`;
    /// none when no client has it.
    pub(crate) fn find(&self, now: Timestamp, name: &[u8]) -> Vec<ClientRecord> {
        if let Some(named) = self.by_name.get(name) {
            let newest =
                |is_family: fn(&IpAddr) -> bool| named.addresses.iter().rev().find(|address| is_family(address));
            let families = [newest(IpAddr::is_ipv4), newest(IpAddr::is_ipv6)].into_iter().flatten();
            return families.filter_map(|&address| self.address_record(now, address)).collect();
        }
        let client = reverse_address(name).and_then(|address| self.by_address.get(&address));
        let record = client.and_then(|client| {
            let ttl = self.ttl_of(now, client)?;
            Some(ClientRecord { rtype: rtype::PTR, ttl, rdata: client.granted.to_vec() })
        });
        record.into_iter().collect()
    }

    fn address_record(&self, now: Timestamp, address: IpAddr) -> Option<ClientRecord> {
        let ttl = self.ttl_of(now, self.by_address.get(&address)?)?;
        let (rtype, rdata) = match address {
            IpAddr::V4(address) => (rtype::A, address.octets().to_vec()),
            IpAddr::V6(address) => (rtype::AAAA, address.octets().to_vec()),
        };
        Some(ClientRecord { rtype, ttl, rdata })
    }

    /// Never longer than the lease; `None` once that is over.
    fn ttl_of(&self, now: Timestamp, client: &ClientName) -> Option<u32> {
        let left = u32::try_from(client.expires.since(now).as_secs()).unwrap_or(u32::MAX);
        (client.expires > now).then(|| self.ttl.min(left))
    }

    /// The first of `label`, `label-2` ... that no other client has; none when the label is planned or reserved.
    fn free_name(&self, label: &str, client: &ClientIdentity, zones: &Zones) -> Option<Box<[u8]>> {
        let domain = self.domain.as_deref()?;
        let is_host_name = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-';
        if label.is_empty() || !label.bytes().all(is_host_name) || RESERVED.contains(&label) {
            return None;
        }
        let candidate = |suffix: &str| {
            let kept = label.get(..label.len().min(63 - suffix.len()))?;
            let length = u8::try_from(kept.len() + suffix.len()).ok()?;
            let wire = [&[length], kept.as_bytes(), suffix.as_bytes(), domain].concat();
            (wire.len() <= crate::wire::NAME_LEN_MAX).then(|| wire.into_boxed_slice())
        };
        let is_planned = |name: &[u8]| zones.find(name).is_some_and(|zone| zone.node(name).is_some());
        let plain = candidate("")?;
        if is_planned(&plain) {
            return None;
        }
        let is_free = |name: &[u8]| {
            let is_own = |named: &Named| named.client.is_same(client) && named.addresses.len() < ADDRESSES_MAX;
            self.by_name.get(name).is_none_or(is_own)
        };
        std::iter::once(Some(plain))
            .chain((2..=SUFFIX_MAX).map(|number| candidate(&format!("-{number}"))))
            .flatten()
            .find(|name| is_free(name) && !is_planned(name))
    }
}

/// The address of a folded reverse name, if it is a whole one.
fn reverse_address(name: &[u8]) -> Option<IpAddr> {
    let top = crate::name::suffixes(name).find(|suffix| REVERSE.iter().any(|(top, _)| suffix == top))?;
    if top == REVERSE[0].0 { reverse_v4(name).map(IpAddr::V4) } else { reverse_v6(name).map(IpAddr::V6) }
}

fn reverse_v4(name: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut rest = name;
    for octet in octets.iter_mut().rev() {
        let length = usize::from(*rest.first()?);
        let digits = std::str::from_utf8(rest.get(1..1 + length)?).ok()?;
        *octet = digits.parse().ok()?;
        if octet.to_string() != digits {
            return None;
        }
        rest = parent(rest)?;
    }
    (rest == REVERSE[0].0).then(|| octets.into())
}

/// One hexadecimal digit a label, the last one first.
fn reverse_v6(name: &[u8]) -> Option<Ipv6Addr> {
    let mut bits: u128 = 0;
    let mut rest = name;
    for place in 0..32 {
        let [1, digit, ..] = rest else { return None };
        bits |= u128::from(char::from(*digit).to_digit(16)?) << (4 * place);
        rest = parent(rest)?;
    }
    (rest == REVERSE[1].0).then(|| bits.into())
}

/// The folded reverse name of an address.
pub(crate) fn reverse_name(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => {
            let mut name = Vec::with_capacity(32);
            for octet in address.octets().iter().rev() {
                let digits = octet.to_string();
                name.push(digits.len() as u8);
                name.extend_from_slice(digits.as_bytes());
            }
            name.extend_from_slice(REVERSE[0].0);
            name
        }
        IpAddr::V6(address) => {
            let digit = |place: u32| char::from_digit((address.to_bits() >> (4 * place)) as u32 & 0xf, 16);
            let digits = (0..32).filter_map(digit).flat_map(|digit| [1, digit as u8]);
            digits.chain(REVERSE[1].0.iter().copied()).collect()
        }
    }
}

/// True for a folded name between the top of a reverse tree and a whole address: it exists as soon as any client below
/// it does, so it must never be denied (RFC 8020).
pub(crate) fn is_partial_reverse(name: &[u8]) -> bool {
    REVERSE.iter().any(|(top, whole)| {
        let labels = crate::name::suffixes(name).position(|suffix| suffix == *top);
        labels.is_some_and(|labels| labels < *whole)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reverse_names_round_trip() {
        let addresses = ["192.0.2.1", "0.0.0.0", "255.255.255.255", "2001:db8::567:89ab", "::", "ffff::f"];
        for address in addresses.map(|text| text.parse().unwrap()) {
            assert_eq!(reverse_address(&reverse_name(address)), Some(address));
            assert!(!is_partial_reverse(&reverse_name(address)));
        }
        // RFC 3596 section 2.5.
        let example = "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa";
        let address: IpAddr = "4321:0:1:2:3:4:567:89ab".parse().unwrap();
        assert_eq!(reverse_name(address), crate::name::from_text(example).unwrap().to_vec());
        let (short, long) = (&example[2..], format!("0.{example}"));
        let wide = example.replacen("b.a", "0b.a", 1);
        let other = example.replacen("b.a", "g.a", 1);
        for name in [
            "1.2.3.in-addr.arpa",
            "0.1.2.3.4.in-addr.arpa",
            "01.2.3.4.in-addr.arpa",
            "x.2.3.4.in-addr.arpa",
            "+1.2.3.4.in-addr.arpa",
            short,
            &long,
            &wide,
            &other,
        ] {
            assert_eq!(reverse_address(&crate::name::from_text(name).unwrap()), None, "{name}");
        }
        for (name, is_partial) in
            [("ip6.arpa", true), (short, true), (&long, false), ("8.b.d.0.1.0.0.2.ip6.arpa", true)]
        {
            assert_eq!(is_partial_reverse(&crate::name::from_text(name).unwrap()), is_partial, "{name}");
        }
    }
}
