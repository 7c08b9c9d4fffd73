//! What the clients were told: every ACK, and who holds which address, so that an address held twice is seen.

use std::{
    collections::{HashMap, HashSet},
    net::Ipv4Addr,
    sync::mpsc::SyncSender,
};

use model::{Mac, Timestamp};
use serde::{Deserialize, Serialize};

/// One ACK that a client accepted, or the end of what it gave. After a crash the server must still know the last entry
/// of each address that has not ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The client.
    pub mac: Mac,
    /// The address it was given.
    pub address: Ipv4Addr,
    /// Event time at which the ACK reached the client, or at which it gave the address back.
    pub acked_at: Timestamp,
    /// Event time until which the client may use the address; not later than what the server counts. The same as
    /// `acked_at` when the client gave the address back.
    pub expires: Timestamp,
}

/// The ledger of one play. Devices are indices into the course.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Who wants to be told each entry, at once.
    listener: Option<SyncSender<LedgerEntry>>,
    /// Of each address the device that holds it, and until when.
    holders: HashMap<Ipv4Addr, (u32, Timestamp)>,
    /// Of each device the address it holds.
    held: HashMap<u32, Ipv4Addr>,
    /// Every device and address that ever came together.
    granted: HashSet<(u32, Ipv4Addr)>,
    /// Devices that ever got a lease.
    clients: HashSet<u32>,
    duplicates: u64,
    /// Entries that the listener did not take.
    unheard: u64,
}

impl Ledger {
    /// An empty one. Entries that `listener` has no room for are counted, not waited for.
    pub(crate) fn new(listener: Option<SyncSender<LedgerEntry>>) -> Self {
        Self { listener, ..Self::default() }
    }

    /// A client accepted an ACK; true when it is the client's first. Counts a duplicate when another client may use
    /// the address at that moment.
    pub(crate) fn grant(&mut self, device: u32, entry: LedgerEntry) -> bool {
        if let Some(before) = self.held.insert(device, entry.address)
            && before != entry.address
        {
            self.forget(device, before);
        }
        let holder = self.holders.insert(entry.address, (device, entry.expires));
        if holder.is_some_and(|(other, expires)| other != device && expires > entry.acked_at) {
            self.duplicates += 1;
        }
        self.granted.insert((device, entry.address));
        self.tell(entry);
        self.clients.insert(device)
    }

    /// A client gave its address back.
    pub(crate) fn release(&mut self, device: u32, mac: Mac, at: Timestamp) {
        if let Some(&address) = self.held.get(&device) {
            self.drop_held(device);
            self.tell(LedgerEntry { mac, address, acked_at: at, expires: at });
        }
    }

    /// A client may no longer use what it held: a NAK, or its lease ran out.
    pub(crate) fn drop_held(&mut self, device: u32) {
        if let Some(address) = self.held.remove(&device) {
            self.forget(device, address);
        }
    }

    /// Different pairs of client and address.
    pub(crate) fn leases_granted(&self) -> u64 {
        self.granted.len() as u64
    }

    /// Different clients that got a lease.
    pub(crate) fn clients_unique(&self) -> u64 {
        self.clients.len() as u64
    }

    /// Times an address was given to a client while another could use it.
    pub(crate) fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Entries that the listener had no room for.
    pub(crate) fn unheard(&self) -> u64 {
        self.unheard
    }

    fn tell(&mut self, entry: LedgerEntry) {
        if self.listener.as_ref().is_some_and(|listener| listener.try_send(entry).is_err()) {
            self.unheard += 1;
        }
    }

    fn forget(&mut self, device: u32, address: Ipv4Addr) {
        if self.holders.get(&address).is_some_and(|(holder, _)| *holder == device) {
            self.holders.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Happens {
        Grant(u32, u8, i64, i64),
        Release(u32, i64),
        Drop(u32),
    }
    use Happens::{Drop, Grant, Release};

    fn check(course: &[Happens], duplicates: u64, granted: u64) {
        let mut ledger = Ledger::default();
        for happens in course {
            match *happens {
                Grant(device, host, at, expires) => {
                    let entry = LedgerEntry {
                        mac: Mac([2, 0, 0x5e, 0, 0x53, host]),
                        address: Ipv4Addr::new(192, 0, 2, host),
                        acked_at: Timestamp::from_secs(at),
                        expires: Timestamp::from_secs(expires),
                    };
                    ledger.grant(device, entry);
                }
                Release(device, at) => ledger.release(device, Mac::default(), Timestamp::from_secs(at)),
                Drop(device) => ledger.drop_held(device),
            }
        }
        assert_eq!((ledger.duplicates(), ledger.leases_granted()), (duplicates, granted));
    }

    #[test]
    fn an_address_held_twice_is_seen() {
        check(&[Grant(1, 7, 0, 100), Grant(2, 7, 50, 150)], 1, 2);
        check(&[Grant(1, 7, 0, 100), Grant(1, 7, 50, 150), Grant(2, 7, 120, 220)], 1, 2);
        check(&[Grant(1, 7, 0, 100), Grant(1, 8, 10, 110), Grant(2, 8, 20, 120)], 1, 3);
    }

    #[test]
    fn an_address_passed_on_is_no_duplicate() {
        check(&[Grant(1, 7, 0, 100), Grant(2, 7, 100, 200)], 0, 2);
        check(&[Grant(1, 7, 0, 100), Release(1, 20), Grant(2, 7, 21, 121)], 0, 2);
        check(&[Grant(1, 7, 0, 100), Drop(1), Grant(2, 7, 21, 121)], 0, 2);
        check(&[Grant(1, 7, 0, 100), Grant(1, 8, 10, 110), Grant(2, 7, 20, 120)], 0, 3);
        check(&[Grant(1, 7, 0, 100), Grant(1, 7, 50, 150)], 0, 1);
    }

    #[test]
    fn a_listener_hears_acks_and_ends() {
        let (listener, entries) = std::sync::mpsc::sync_channel(2);
        let mut ledger = Ledger::new(Some(listener));
        let (mac, address) = (Mac([2, 0, 0x5e, 0, 0x53, 1]), Ipv4Addr::new(192, 0, 2, 1));
        let at = Timestamp::from_secs;
        assert!(ledger.grant(0, LedgerEntry { mac, address, acked_at: at(1), expires: at(9) }));
        ledger.release(0, mac, at(5));
        ledger.release(0, mac, at(6));
        assert!(!ledger.grant(0, LedgerEntry { mac, address, acked_at: at(7), expires: at(15) }));
        assert_eq!(ledger.unheard(), 1);
        assert_eq!(entries.try_iter().map(|entry| entry.expires).collect::<Vec<_>>(), [at(9), at(5)]);
    }
}
