//! Who holds which address: the table behind the engine, without any rule of the protocol in it.
//!
//! One [`Slot`] for each address that was ever granted and is still remembered, `leases_max` for each subnet at most.
//! All maps are ordered trees: no client can make them slow by choosing its identifiers.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv6Addr,
};

use model::{Duid, Lease6, LeaseState, Timestamp};

use crate::{
    limits::{Circuits, Limits},
    request::Request,
};

/// Associations of one client remembered in one subnet; one client cannot hold more addresses than this.
pub(crate) const CLIENT_LEASES_MAX: usize = 8;

/// One address and its lease, in force or the last one.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) lease: Lease6,
    /// True while nobody else may have it. Not [`Lease6::is_active`]: that would read a clock that may step.
    pub(crate) is_held: bool,
    /// Index of the subnet.
    subnet: usize,
    /// May go to any client once it is free.
    is_dynamic: bool,
    /// When it became free, in the order of such events.
    freed: u64,
}

impl Slot {
    /// True when it is bound to that association now.
    pub(crate) fn is_bound_to(&self, duid: &Duid, iaid: u32) -> bool {
        self.is_held && self.lease.state == LeaseState::Bound && self.lease.iaid == iaid && self.lease.duid == *duid
    }

    fn timer(&self) -> Option<(Timestamp, Ipv6Addr)> {
        (self.is_held && self.lease.expires != Timestamp::MAX).then_some((self.lease.expires, self.lease.address))
    }
}

/// What is kept for each subnet.
#[derive(Default, Debug)]
struct Ledger {
    by_client: BTreeMap<Duid, Vec<(u32, Ipv6Addr)>>,
    /// Dynamic addresses that were granted once and are free, the longest free first.
    free: BTreeSet<(u64, Ipv6Addr)>,
    slots: usize,
    /// Dynamic addresses remembered, and those of them that are held.
    touched: u64,
    used: u64,
}

/// No room for another lease, nothing changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Full;

/// True while nobody may have the address because it was found in use.
fn is_quarantined(slots: &BTreeMap<Ipv6Addr, Slot>, address: Ipv6Addr) -> bool {
    slots.get(&address).is_some_and(|slot| slot.is_held && slot.lease.state == LeaseState::Declined)
}

#[derive(Debug)]
pub(crate) struct Bindings {
    slots: BTreeMap<Ipv6Addr, Slot>,
    ledgers: Vec<Ledger>,
    timers: BTreeSet<(Timestamp, Ipv6Addr)>,
    freed: u64,
    leases_max: usize,
    circuits: Circuits,
    /// Ended leases forgotten because there was no room.
    pub(crate) forgotten: u64,
}

impl Bindings {
    pub(crate) fn new(subnets: usize, leases_max: usize) -> Self {
        Self {
            slots: BTreeMap::new(),
            ledgers: (0..subnets).map(|_| Ledger::default()).collect(),
            timers: BTreeSet::new(),
            freed: 0,
            leases_max,
            circuits: Circuits::default(),
            forgotten: 0,
        }
    }

    pub(crate) fn slot(&self, address: Ipv6Addr) -> Option<&Slot> {
        self.slots.get(&address)
    }

    /// All slots by address.
    pub(crate) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.values()
    }

    /// The address that the association holds or held last.
    pub(crate) fn find(&self, subnet: usize, duid: &Duid, iaid: u32) -> Option<Ipv6Addr> {
        self.of_client(subnet, duid).iter().rfind(|entry| entry.0 == iaid).map(|entry| entry.1)
    }

    /// IAIDs and addresses of a client, held or held last.
    pub(crate) fn of_client(&self, subnet: usize, duid: &Duid) -> &[(u32, Ipv6Addr)] {
        self.ledgers[subnet].by_client.get(duid).map_or(&[], Vec::as_slice)
    }

    /// True when nobody but that association holds the address.
    pub(crate) fn is_available_to(&self, address: Ipv6Addr, duid: &Duid, iaid: u32) -> bool {
        self.slot(address).is_none_or(|slot| !slot.is_held || slot.is_bound_to(duid, iaid))
    }

    /// True when the circuit of the request, and its relay agent, may hold one more.
    pub(crate) fn has_room(&self, request: &Request<'_>, limits: &Limits) -> bool {
        if limits.leases_per_circuit.is_none() && limits.leases_per_relay.is_none() {
            return true;
        }
        self.circuits.has_room(request.subnet, &request.remote_id(), &request.interface_id(), limits)
    }

    /// Dynamic addresses held.
    pub(crate) fn used(&self, subnet: usize) -> u64 {
        self.ledgers[subnet].used
    }

    /// Dynamic addresses remembered.
    pub(crate) fn touched(&self, subnet: usize) -> u64 {
        self.ledgers[subnet].touched
    }

    /// Dynamic addresses that are free again, the longest free first.
    pub(crate) fn oldest_free(&self, subnet: usize) -> impl Iterator<Item = Ipv6Addr> {
        self.ledgers[subnet].free.iter().map(|entry| entry.1)
    }

    /// Puts a lease in the table in place of what was there for its address. `is_held` false: the last owner only.
    pub(crate) fn put(&mut self, subnet: usize, is_dynamic: bool, lease: Lease6, is_held: bool) -> Result<(), Full> {
        let (address, duid, iaid) = (lease.address, lease.duid.clone(), lease.iaid);
        self.make_room(subnet, address, &duid, iaid)?;
        self.take_out(address);
        self.freed += u64::from(!is_held);
        let slot = Slot { lease, is_held, subnet, is_dynamic, freed: self.freed };
        self.timers.extend(slot.timer());
        if is_held {
            self.circuits.add(subnet, &slot.lease);
        }
        let ledger = &mut self.ledgers[subnet];
        ledger.slots += 1;
        if is_dynamic {
            ledger.touched += 1;
            ledger.used += u64::from(is_held);
            if !is_held {
                ledger.free.insert((slot.freed, address));
            }
        }
        let slots = &self.slots;
        let entries = ledger.by_client.entry(duid).or_default();
        entries.retain(|entry| entry.0 != iaid || is_quarantined(slots, entry.1));
        entries.push((iaid, address));
        self.slots.insert(address, slot);
        Ok(())
    }

    /// Addresses of a client that another grant to the association would leave held, quarantines included: so a
    /// client that declines all it gets comes to an end too.
    pub(crate) fn held_besides(&self, subnet: usize, duid: &Duid, iaid: u32) -> usize {
        let is_held = |address| self.slot(address).is_some_and(|slot| slot.is_held);
        let stays = |entry: &(u32, Ipv6Addr)| entry.0 != iaid || is_quarantined(&self.slots, entry.1);
        self.of_client(subnet, duid).iter().filter(|entry| stays(entry) && is_held(entry.1)).count()
    }

    /// Makes room for one more address and one more association, by forgetting what has ended.
    fn make_room(&mut self, subnet: usize, address: Ipv6Addr, duid: &Duid, iaid: u32) -> Result<(), Full> {
        let entries = self.of_client(subnet, duid);
        // An entry that this call replaces takes no room: the association's own, or the address's from before.
        let is_replaced =
            |entry: &(u32, Ipv6Addr)| entry.1 == address || entry.0 == iaid && !is_quarantined(&self.slots, entry.1);
        let needs_entry = !entries.iter().any(is_replaced);
        let surplus = if needs_entry && entries.len() >= CLIENT_LEASES_MAX {
            let ended =
                entries.iter().map(|entry| entry.1).find(|held| self.slot(*held).is_none_or(|slot| !slot.is_held));
            Some(ended.ok_or(Full)?)
        } else {
            None
        };
        let is_full = !self.slots.contains_key(&address) && self.ledgers[subnet].slots >= self.leases_max;
        let oldest = if is_full { Some(self.oldest_free(subnet).next()) } else { None };
        let forget = match (surplus, oldest) {
            (Some(surplus), _) => Some(surplus),
            (None, Some(oldest)) => Some(oldest.ok_or(Full)?),
            (None, None) => None,
        };
        if let Some(forget) = forget {
            self.take_out(forget);
            self.forgotten += 1;
        }
        Ok(())
    }

    /// Removes all trace of an address.
    fn take_out(&mut self, address: Ipv6Addr) -> Option<Slot> {
        let slot = self.slots.remove(&address)?;
        if let Some(timer) = slot.timer() {
            self.timers.remove(&timer);
        }
        if slot.is_held {
            self.circuits.remove(slot.subnet, &slot.lease);
        }
        let ledger = &mut self.ledgers[slot.subnet];
        ledger.slots -= 1;
        ledger.touched -= u64::from(slot.is_dynamic);
        ledger.used -= u64::from(slot.is_dynamic && slot.is_held);
        ledger.free.remove(&(slot.freed, address));
        if let Some(entries) = ledger.by_client.get_mut(&slot.lease.duid) {
            entries.retain(|entry| entry.1 != address);
            if entries.is_empty() {
                ledger.by_client.remove(&slot.lease.duid);
            }
        }
        Some(slot)
    }

    /// Changes the lease of an address, but neither whose it is nor the address; what `change` answers is whether it
    /// is held from now on.
    pub(crate) fn update(&mut self, address: Ipv6Addr, change: impl FnOnce(&mut Lease6) -> bool) -> Option<&Lease6> {
        let slot = self.slots.get_mut(&address)?;
        let ledger = &mut self.ledgers[slot.subnet];
        if let Some(timer) = slot.timer() {
            self.timers.remove(&timer);
        }
        ledger.free.remove(&(slot.freed, address));
        ledger.used -= u64::from(slot.is_dynamic && slot.is_held);
        if slot.is_held {
            self.circuits.remove(slot.subnet, &slot.lease);
        }
        slot.is_held = change(&mut slot.lease);
        if slot.is_held {
            self.circuits.add(slot.subnet, &slot.lease);
        }
        if !slot.is_held {
            self.freed += 1;
            slot.freed = self.freed;
        }
        ledger.used += u64::from(slot.is_dynamic && slot.is_held);
        if slot.is_dynamic && !slot.is_held {
            ledger.free.insert((slot.freed, address));
        }
        self.timers.extend(slot.timer());
        Some(&slot.lease)
    }

    /// When the next lease or quarantine ends.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.timers.first().map(|timer| timer.0)
    }

    /// Frees one address whose lease or quarantine has ended; call until `None`.
    pub(crate) fn end_one(&mut self, now: Timestamp) -> Option<&Lease6> {
        let &(_, address) = self.timers.first().filter(|timer| timer.0 <= now)?;
        self.update(address, |_| false)
    }

    /// All slots, the longest free first, to be put in another table.
    pub(crate) fn into_slots(self) -> Vec<Slot> {
        let mut slots: Vec<_> = self.slots.into_values().collect();
        slots.sort_by_key(|slot| (slot.freed, slot.lease.address));
        slots
    }

    /// Changes every lease in force, as after a step of the clock.
    pub(crate) fn for_each_held(&mut self, mut change: impl FnMut(&mut Lease6)) {
        for slot in self.slots.values_mut().filter(|slot| slot.is_held) {
            change(&mut slot.lease);
        }
        self.timers = self.slots.values().filter_map(Slot::timer).collect();
    }

    /// Checks that all tables say the same as the slots. For tests: looks at everything.
    #[cfg(test)]
    pub(crate) fn check_invariants(&self) {
        for (index, ledger) in self.ledgers.iter().enumerate() {
            let own = || self.slots.values().filter(|slot| slot.subnet == index);
            assert_eq!(ledger.slots, own().count());
            assert!(ledger.slots <= self.leases_max);
            assert_eq!(ledger.touched, own().filter(|slot| slot.is_dynamic).count() as u64);
            assert_eq!(ledger.used, own().filter(|slot| slot.is_dynamic && slot.is_held).count() as u64);
            let free = own().filter(|slot| slot.is_dynamic && !slot.is_held);
            assert_eq!(ledger.free, free.map(|slot| (slot.freed, slot.lease.address)).collect());
            for (duid, entries) in &ledger.by_client {
                assert!((1..=CLIENT_LEASES_MAX).contains(&entries.len()));
                for (iaid, address) in entries {
                    let lease = &self.slots[address].lease;
                    assert_eq!((&lease.duid, lease.iaid), (duid, *iaid));
                }
            }
        }
        let mut circuits = Circuits::default();
        let held = self.slots.values().filter(|slot| slot.is_held);
        held.for_each(|slot| circuits.add(slot.subnet, &slot.lease));
        assert_eq!(format!("{:?}", self.circuits), format!("{circuits:?}"));
        assert_eq!(self.timers, self.slots.values().filter_map(Slot::timer).collect());
    }
}
