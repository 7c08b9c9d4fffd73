//! Names of DHCP clients: an A and a PTR record each, from the moment of the lease to its end.
//!
//! A name goes to the first client that asks for it; later ones get `name-2` to `name-9`, further ones none.
//! Planned names and names that software trusts blindly (`wpad`, `isatap`, ...) go to no client.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::Ipv4Addr,
};

use foldhash::quality::FixedState;
use model::Timestamp;

use crate::{name::parent, wire::rtype, zone::Zones};

/// Clients that can have a name at once.
pub const CLIENT_NAMES_MAX: usize = 65_536;
/// The last suffix tried for a name that is taken.
const SUFFIX_MAX: u8 = 9;
/// Labels that make other machines act when they resolve (proxy discovery, tunnels, mail and more).
const RESERVED: [&str; 7] = ["wpad", "isatap", "localhost", "local", "autoconfig", "autodiscover", "ns"];

/// See the module.
pub(crate) struct ClientNames {
    /// Folded wire form; `None` when clients get no names.
    domain: Option<Box<[u8]>>,
    ttl: u32,
    by_name: HashMap<Box<[u8]>, Ipv4Addr, FixedState>,
    by_address: BTreeMap<Ipv4Addr, ClientName>,
    expiries: BTreeSet<(Timestamp, Ipv4Addr)>,
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
        address: Ipv4Addr,
        expires: Timestamp,
        zones: &Zones,
    ) -> bool {
        self.purge(now);
        if let Some(client) = self.by_address.get_mut(&address)
            && *client.wanted == *label
            && expires > now
        {
            self.expiries.remove(&(client.expires, address));
            client.expires = expires;
            self.expiries.insert((expires, address));
            return true;
        }
        self.remove(address);
        if expires <= now || self.by_address.len() >= CLIENT_NAMES_MAX {
            return false;
        }
        let Some(granted) = self.free_name(label, zones) else { return false };
        self.by_name.insert(granted.clone(), address);
        self.expiries.insert((expires, address));
        self.by_address.insert(address, ClientName { wanted: label.into(), granted, expires });
        true
    }

    /// Takes back the name of an address.
    pub(crate) fn remove(&mut self, address: Ipv4Addr) {
        if let Some(client) = self.by_address.remove(&address) {
            self.by_name.remove(&client.granted);
            self.expiries.remove(&(client.expires, address));
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

    /// Names held.
    pub(crate) fn len(&self) -> usize {
        self.by_address.len()
    }

    /// The record of a folded name: A below the clients' domain, PTR below `in-addr.arpa`.
    pub(crate) fn find(&self, now: Timestamp, name: &[u8]) -> Option<ClientRecord> {
        if let Some(&address) = self.by_name.get(name) {
            let ttl = self.ttl_of(now, self.by_address.get(&address)?)?;
            return Some(ClientRecord { rtype: rtype::A, ttl, rdata: address.octets().to_vec() });
        }
        let client = self.by_address.get(&reverse_address(name)?)?;
        let ttl = self.ttl_of(now, client)?;
        Some(ClientRecord { rtype: rtype::PTR, ttl, rdata: client.granted.to_vec() })
    }

    /// Never longer than the lease; `None` once that is over.
    fn ttl_of(&self, now: Timestamp, client: &ClientName) -> Option<u32> {
        let left = u32::try_from(client.expires.since(now).as_secs()).unwrap_or(u32::MAX);
        (client.expires > now).then(|| self.ttl.min(left))
    }

    /// The first of `label`, `label-2` ... that no client has; none when the label is planned or reserved.
    fn free_name(&self, label: &str, zones: &Zones) -> Option<Box<[u8]>> {
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
        std::iter::once(Some(plain))
            .chain((2..=SUFFIX_MAX).map(|number| candidate(&format!("-{number}"))))
            .flatten()
            .find(|name| !self.by_name.contains_key(name) && !is_planned(name))
    }
}

/// The address of a folded name under `in-addr.arpa` (RFC 1035 section 3.5), if it is a whole one.
fn reverse_address(name: &[u8]) -> Option<Ipv4Addr> {
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
    (rest == b"\x07in-addr\x04arpa\x00").then(|| octets.into())
}

/// The folded name under `in-addr.arpa` of an address.
pub(crate) fn reverse_name(address: Ipv4Addr) -> Vec<u8> {
    let mut name = Vec::with_capacity(32);
    for octet in address.octets().iter().rev() {
        let digits = octet.to_string();
        name.push(digits.len() as u8);
        name.extend_from_slice(digits.as_bytes());
    }
    name.extend_from_slice(b"\x07in-addr\x04arpa\x00");
    name
}

/// True for a folded name between `in-addr.arpa` and a whole address: it exists as soon as any client below it does,
/// so it must never be denied (RFC 8020).
pub(crate) fn is_partial_reverse(name: &[u8]) -> bool {
    let labels = crate::name::suffixes(name).position(|suffix| suffix == b"\x07in-addr\x04arpa\x00");
    labels.is_some_and(|labels| labels < 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reverse_names_round_trip() {
        for address in [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST] {
            assert_eq!(reverse_address(&reverse_name(address)), Some(address));
        }
        for name in [
            "1.2.3.in-addr.arpa",
            "0.1.2.3.4.in-addr.arpa",
            "01.2.3.4.in-addr.arpa",
            "x.2.3.4.in-addr.arpa",
            "+1.2.3.4.in-addr.arpa",
        ] {
            assert_eq!(reverse_address(&crate::name::from_text(name).unwrap()), None, "{name}");
        }
    }
}
