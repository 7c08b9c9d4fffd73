//! From an address or a client to its slot: hash tables of slot numbers. The slots hold the keys, so a million leases
//! cost these tables about 30 octets each and not 70.

use std::{hash::BuildHasher, net::Ipv4Addr};

use foldhash::{SharedSeed, quality::SeedableRandomState};
use hashbrown::{HashTable, hash_table::Entry};

use crate::bindings::{Slot, SlotId};

/// A seeded hash, so that hostile clients cannot choose identifiers that collide.
pub(crate) fn seeded(seed: u64) -> SeedableRandomState {
    SeedableRandomState::with_seed(seed, SharedSeed::global_fixed())
}

/// The slot of each address.
#[derive(Debug)]
pub(crate) struct AddressIndex {
    table: HashTable<SlotId>,
    state: SeedableRandomState,
}

impl AddressIndex {
    pub(crate) fn new(seed: u64) -> Self {
        Self { table: HashTable::new(), state: seeded(seed) }
    }

    pub(crate) fn find(&self, address: Ipv4Addr, slots: &[Slot]) -> Option<SlotId> {
        let is_it = |&id: &SlotId| slot(slots, id).is_some_and(|slot| slot.address == address);
        self.table.find(self.state.hash_one(address), is_it).copied()
    }

    /// Enters a slot that is among `slots` and whose address is not entered.
    pub(crate) fn insert(&mut self, address: Ipv4Addr, id: SlotId, slots: &[Slot]) {
        let rehash = |&id: &SlotId| slot(slots, id).map_or(0, |slot| self.state.hash_one(slot.address));
        self.table.insert_unique(self.state.hash_one(address), id, rehash);
    }

    pub(crate) fn reserve(&mut self, count: usize, slots: &[Slot]) {
        let rehash = |&id: &SlotId| slot(slots, id).map_or(0, |slot| self.state.hash_one(slot.address));
        self.table.reserve(count, rehash);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }
}

/// The slot that each client of one subnet has, is offered or had last. A client entered for a slot must be the holder
/// or the owner in it ([`Slot::names`]) whenever that client is looked for.
#[derive(Debug)]
pub(crate) struct ClientIndex {
    table: HashTable<Claim>,
    state: SeedableRandomState,
}

#[derive(Clone, Copy, Debug)]
struct Claim {
    /// Half of the hash: a slot may name two clients, so the table could not make the hash anew from the slot.
    hash: u32,
    slot: SlotId,
}

impl Claim {
    /// The table takes its place from the low and its tag from the high bits.
    fn spread(hash: u32) -> u64 {
        u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl ClientIndex {
    pub(crate) fn new(seed: u64) -> Self {
        Self { table: HashTable::new(), state: seeded(seed) }
    }

    pub(crate) fn get(&self, client: &[u8], slots: &[Slot]) -> Option<SlotId> {
        let hash = self.hash(client);
        self.table.find(Claim::spread(hash), |claim| claim.is_of(hash, client, slots)).map(|claim| claim.slot)
    }

    /// Enters `client` for the slot, and answers for which it was entered before.
    pub(crate) fn insert(&mut self, client: &[u8], id: SlotId, slots: &[Slot]) -> Option<SlotId> {
        let hash = self.hash(client);
        let is_it = |claim: &Claim| claim.is_of(hash, client, slots);
        match self.table.entry(Claim::spread(hash), is_it, |claim| Claim::spread(claim.hash)) {
            Entry::Occupied(mut there) => Some(std::mem::replace(&mut there.get_mut().slot, id)),
            Entry::Vacant(free) => {
                free.insert(Claim { hash, slot: id });
                None
            }
        }
    }

    pub(crate) fn reserve(&mut self, count: usize) {
        self.table.reserve(count, |claim| Claim::spread(claim.hash));
    }

    /// Forgets `client` if it is entered for the slot.
    pub(crate) fn remove(&mut self, client: &[u8], id: SlotId, slots: &[Slot]) {
        let hash = self.hash(client);
        let is_it = |claim: &Claim| claim.slot == id && claim.is_of(hash, client, slots);
        if let Ok(there) = self.table.find_entry(Claim::spread(hash), is_it) {
            there.remove();
        }
    }

    fn hash(&self, client: &[u8]) -> u32 {
        (self.state.hash_one(client) >> 32) as u32
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    #[cfg(test)]
    pub(crate) fn slots(&self) -> impl Iterator<Item = SlotId> + '_ {
        self.table.iter().map(|claim| claim.slot)
    }
}

impl Claim {
    fn is_of(&self, hash: u32, client: &[u8], slots: &[Slot]) -> bool {
        self.hash == hash && slot(slots, self.slot).is_some_and(|slot| slot.names(client))
    }
}

fn slot(slots: &[Slot], id: SlotId) -> Option<&Slot> {
    slots.get(usize::try_from(id).ok()?)
}
