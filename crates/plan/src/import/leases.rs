//! Lease files of other servers -> our leases.

mod dhcpd;
mod dnsmasq;
mod kea;

use std::{collections::HashMap, net::Ipv4Addr};

use model::{ClientKey, Lease, Mac, SubnetId};

use super::{Note, Notes};

pub use dhcpd::leases_from_dhcpd;
pub use dnsmasq::leases_from_dnsmasq;
pub use kea::leases_from_kea;

/// Leases that are taken over; a /8 of them would need more memory than a server for events has.
pub const LEASES_MAX: usize = 4_000_000;

/// Octets of one line or record.
const LINE_MAX: usize = 65_536;

/// Octets of a client identifier.
const IDENTIFIER_MAX: usize = 255;

/// Leases of another server.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ImportedLeases {
    /// The last record of each address, by address. Released and expired ones are there too: their clients get the
    /// same address again when they come back.
    pub leases: Vec<Lease>,
    /// What was not understood, by line.
    pub notes: Vec<Note>,
    /// Notes beyond the first thousand.
    pub notes_beyond: usize,
    /// Records that were not taken over, replaced ones left out of the count.
    pub skipped: u64,
}

/// Collects the last record of each address.
struct Collector<'a> {
    subnet_of: &'a dyn Fn(Ipv4Addr) -> Option<SubnetId>,
    leases: HashMap<Ipv4Addr, Lease>,
    notes: Notes,
    skipped: u64,
}

impl<'a> Collector<'a> {
    fn new(subnet_of: &'a dyn Fn(Ipv4Addr) -> Option<SubnetId>) -> Self {
        Self { subnet_of, leases: HashMap::new(), notes: Notes::default(), skipped: 0 }
    }

    /// The subnet of an address; a note when the plan has none.
    fn subnet(&mut self, line: u32, address: Ipv4Addr) -> Option<SubnetId> {
        let subnet = (self.subnet_of)(address);
        if subnet.is_none() {
            self.skip(line, format!("{address} is in no subnet of the plan"));
        }
        subnet
    }

    fn add(&mut self, line: u32, lease: Lease) {
        if self.leases.len() >= LEASES_MAX && !self.leases.contains_key(&lease.address) {
            return self.skip(line, format!("{} is beyond the {LEASES_MAX} leases that are taken over", lease.address));
        }
        self.leases.insert(lease.address, lease);
    }

    fn forget(&mut self, address: Ipv4Addr) {
        self.leases.remove(&address);
    }

    fn skip(&mut self, line: u32, says: impl AsRef<str>) {
        self.skipped += 1;
        self.notes.add(line, says);
    }

    fn finish(self) -> ImportedLeases {
        let mut leases: Vec<Lease> = self.leases.into_values().collect();
        leases.sort_by_key(|lease| lease.address);
        let (notes, notes_beyond) = self.notes.into_sorted();
        ImportedLeases { leases, notes, notes_beyond, skipped: self.skipped }
    }
}

/// The key of a client: its identifier, else its Ethernet address, else the address that it has (RFC 2131 section 4.2).
fn key(identifier: &[u8], mac: Option<Mac>, address: Ipv4Addr) -> ClientKey {
    let octets: Vec<u8> = match (identifier, mac) {
        ([], Some(mac)) => [1, 1].into_iter().chain(mac.0).collect(),
        ([], None) => [1, 0].into_iter().chain(address.octets()).collect(),
        (identifier, _) => std::iter::once(0).chain(identifier.iter().copied().take(IDENTIFIER_MAX)).collect(),
    };
    ClientKey(octets.into())
}

/// Lines with their numbers; those that are too long are told by `None`.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (u32, Option<&[u8]>)> {
    let number = |index: usize| u32::try_from(index + 1).unwrap_or(u32::MAX);
    let clean = |line: &'_ [u8]| line.len() <= LINE_MAX;
    bytes
        .strip_prefix(b"\xef\xbb\xbf".as_slice())
        .unwrap_or(bytes)
        .split(|byte| *byte == b'\n')
        .enumerate()
        .map(move |(index, line)| (number(index), clean(line).then(|| line.trim_ascii())))
}
