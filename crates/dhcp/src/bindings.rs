//! Who holds which address: the table behind the engine, without any rule of the protocol in it.
//!
//! One [`Slot`] for each address that was ever touched. What the packet path asks takes constant time however many
//! leases there are and however full the pools: two hash lookups (by address, by client) and the heads of three
//! linked lists that run through the slots. Ends are kept in an ordered set, one entry for each slot at most, moved
//! only when an end comes nearer, so that renewals do not touch it.
//!
//! ```text
//!             offer                    bind
//!   Free ----------------> Offered -----------> Leased (state Bound)
//!    ^  ^ withdraw, lapse     |                   |  |  ^ bind (renewal)
//!    |  +---------------------+    release, end   |  +--+
//!    +--------------------------------------------+ decline: Leased (state Declined) until the quarantine ends
//! ```

use std::{collections::BTreeSet, net::Ipv4Addr, sync::Arc, time::Duration};

use model::{ClientKey, Lease, LeaseState, Timestamp};

use crate::{
    circuits::{Charge, CircuitId, Circuits},
    index::{AddressIndex, ClientIndex},
};

/// Index of a slot; slots are never removed, so it stays good.
pub(crate) type SlotId = u32;

const NONE: SlotId = SlotId::MAX;

/// Index of the pools of one subnet that are for one class, or for everybody.
pub(crate) type GroupId = u16;

/// One address and what is known of it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) address: Ipv4Addr,
    /// Index of the subnet.
    pub(crate) subnet: u16,
    /// The pools that hand it out; `None` = reserved, or in no pool any more.
    pub(crate) group: Option<GroupId>,
    /// Where the holder, if any, is plugged in; [`Circuits::NOWHERE`] when not known.
    circuit: CircuitId,
    pub(crate) hold: Hold,
    /// The lease in force, or the last one; its client gets the address back if nobody else needed it.
    pub(crate) lease: Option<Lease>,
    timer: Option<Timestamp>,
    list: Option<ListKind>,
    previous: SlotId,
    next: SlotId,
}

/// Whether somebody holds the address. The engine's own word: [`Lease::is_active`] would read a clock that may step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Hold {
    Free,
    /// In a box, as few are offered at one time and each slot would have to be larger for it.
    Offered(Box<Offer>),
    /// As `Slot::lease` says.
    Leased,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Offer {
    pub(crate) client: Arc<[u8]>,
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
}

impl Slot {
    /// True when `client` has a lease in force on it.
    pub(crate) fn is_leased_to(&self, client: &[u8]) -> bool {
        self.hold == Hold::Leased
            && self.lease.as_ref().is_some_and(|lease| lease.state == LeaseState::Bound && *lease.client.0 == *client)
    }

    /// True when it is offered to `client`.
    pub(crate) fn is_offered_to(&self, client: &[u8]) -> bool {
        matches!(&self.hold, Hold::Offered(offer) if *offer.client == *client)
    }

    /// True when nobody but `client` holds it.
    pub(crate) fn is_available_to(&self, client: &[u8]) -> bool {
        self.hold == Hold::Free || self.is_offered_to(client) || self.is_leased_to(client)
    }

    /// True when `client` holds it, is offered it or had it last.
    pub(crate) fn names(&self, client: &[u8]) -> bool {
        self.lease.as_ref().is_some_and(|lease| *lease.client.0 == *client) || self.is_offered_to(client)
    }

    /// The key of a client that it names, to share.
    fn key_of(&self, client: &[u8]) -> Option<Arc<[u8]>> {
        let offered = match &self.hold {
            Hold::Offered(offer) => Some(&offer.client),
            Hold::Free | Hold::Leased => None,
        };
        let had = self.lease.as_ref().map(|lease| &lease.client.0);
        offered.into_iter().chain(had).find(|key| ***key == *client).cloned()
    }

    fn list_wanted(&self) -> Option<ListKind> {
        match (&self.hold, &self.lease) {
            (Hold::Offered(_), _) => Some(ListKind::Offered),
            (Hold::Leased, _) => None,
            (Hold::Free, _) if self.group.is_none() => None,
            (Hold::Free, None) => Some(ListKind::Untouched),
            (Hold::Free, Some(_)) => Some(ListKind::Free),
        }
    }

    /// What counts against the limits of a circuit.
    fn charge(&self) -> (CircuitId, Charge) {
        let charge = match (&self.hold, &self.lease) {
            (Hold::Offered(_), _) => Charge::Offer,
            (Hold::Leased, Some(lease)) if lease.state == LeaseState::Bound => Charge::Lease,
            (Hold::Leased | Hold::Free, _) => Charge::Nothing,
        };
        (self.circuit, charge)
    }

    fn ends(&self) -> Option<Timestamp> {
        match &self.hold {
            Hold::Free => None,
            Hold::Offered(offer) => Some(offer.until),
            Hold::Leased => self.lease.as_ref().map(|lease| lease.expires),
        }
        .filter(|&end| end != Timestamp::MAX)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ListKind {
    /// Free and never leased, but offered once.
    Untouched,
    /// Free and leased before, the longest free first.
    Free,
    /// Offered, the oldest offer first.
    Offered,
}

#[derive(Clone, Copy, Debug)]
struct List {
    head: SlotId,
    tail: SlotId,
    len: usize,
}

const EMPTY: List = List { head: NONE, tail: NONE, len: 0 };

/// What is kept for each subnet.
#[derive(Debug)]
struct Ledger {
    by_client: ClientIndex,
    offered: List,
}

/// What is kept for each group of pools.
#[derive(Clone, Debug)]
struct Group {
    /// By [`ListKind`], without the offered.
    free: [List; 2],
    /// Addresses held.
    used: u64,
}

/// What came to its end by itself.
#[derive(Debug)]
pub(crate) enum Ended {
    Offer,
    Lease(SlotId),
}

#[derive(Debug)]
pub(crate) struct Bindings {
    slots: Vec<Slot>,
    by_address: AddressIndex,
    ledgers: Vec<Ledger>,
    groups: Vec<Group>,
    timers: BTreeSet<(Timestamp, SlotId)>,
    pub(crate) circuits: Circuits,
}

impl Bindings {
    /// An empty table for so many subnets with so many groups of pools in all. `seed` keeps hostile clients from
    /// choosing colliding identifiers.
    pub(crate) fn new(subnets: usize, groups: usize, seed: u64) -> Self {
        let ledger = || Ledger { by_client: ClientIndex::new(seed), offered: EMPTY };
        Self {
            slots: Vec::new(),
            by_address: AddressIndex::new(seed),
            ledgers: (0..subnets).map(|_| ledger()).collect(),
            groups: vec![Group { free: [EMPTY; 2], used: 0 }; groups],
            timers: BTreeSet::new(),
            circuits: Circuits::new(seed),
        }
    }

    /// Room for so many slots of each subnet, so that a restart does not grow the tables step by step.
    pub(crate) fn reserve(&mut self, counts: &[usize]) {
        let count = counts.iter().sum();
        self.slots.reserve(count);
        self.by_address.reserve(count, &self.slots);
        for (ledger, &count) in self.ledgers.iter_mut().zip(counts) {
            ledger.by_client.reserve(count);
        }
    }

    pub(crate) fn slot(&self, id: SlotId) -> &Slot {
        &self.slots[place(id)]
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(crate) fn find(&self, address: Ipv4Addr) -> Option<SlotId> {
        self.by_address.find(address, &self.slots)
    }

    /// All slots, in the order of their ids, without the tables around them.
    pub(crate) fn into_slots(self) -> Vec<Slot> {
        self.slots
    }

    /// The slot of `address`, made if there is none.
    pub(crate) fn touch(&mut self, address: Ipv4Addr, subnet: usize, group: Option<GroupId>) -> SlotId {
        if let Some(id) = self.find(address) {
            return id;
        }
        let id = SlotId::try_from(self.slots.len()).expect("fewer slots than IPv4 addresses");
        self.slots.push(Slot {
            address,
            subnet: u16::try_from(subnet).expect("fewer subnets than settings may list"),
            group,
            circuit: Circuits::NOWHERE,
            hold: Hold::Free,
            lease: None,
            timer: None,
            list: None,
            previous: NONE,
            next: NONE,
        });
        self.by_address.insert(address, id, &self.slots);
        // If it is not given out after all, the next one finds it.
        let wanted = self.slot(id).list_wanted();
        self.link(id, wanted);
        id
    }

    /// The address that the client has, is offered or had last.
    pub(crate) fn of_client(&self, subnet: usize, client: &[u8]) -> Option<SlotId> {
        self.ledgers[subnet].by_client.get(client, &self.slots)
    }

    /// Addresses of a group that are leased, offered or in quarantine.
    pub(crate) fn used(&self, group: GroupId) -> u64 {
        self.groups[usize::from(group)].used
    }

    pub(crate) fn offers(&self, subnet: usize) -> usize {
        self.ledgers[subnet].offered.len
    }

    /// The free address to give next, other than `not`: one never leased, else the one that is free the longest.
    pub(crate) fn longest_free(&self, group: GroupId, not: Ipv4Addr) -> Option<SlotId> {
        self.groups[usize::from(group)].free.iter().find_map(|list| {
            let head = Some(list.head).filter(|&id| id != NONE)?;
            let second = Some(self.slot(head).next).filter(|&id| id != NONE);
            [Some(head), second].into_iter().flatten().find(|&id| self.slot(id).address != not)
        })
    }

    /// The offer that was made first, and when.
    pub(crate) fn oldest_offer(&self, subnet: usize) -> Option<(SlotId, Timestamp)> {
        let head = self.ledgers[subnet].offered.head;
        if head == NONE {
            return None;
        }
        match &self.slot(head).hold {
            Hold::Offered(offer) => Some((head, offer.since)),
            Hold::Free | Hold::Leased => None,
        }
    }

    /// Holds a slot for a client until it requests it. An offer that the client has on another slot, or another client
    /// on this one, is withdrawn.
    pub(crate) fn offer(
        &mut self,
        id: SlotId,
        client: &[u8],
        (since, until): (Timestamp, Timestamp),
        circuit: CircuitId,
    ) {
        let subnet = usize::from(self.slot(id).subnet);
        // A client that changes its identifier, on an address reserved for its MAC, takes the offer from itself.
        if matches!(&self.slot(id).hold, Hold::Offered(offer) if *offer.client != *client) {
            self.withdraw(id);
        }
        let before = self.of_client(subnet, client);
        let key = before.and_then(|other| self.slot(other).key_of(client));
        if let Some(other) = before.filter(|&other| other != id && self.slot(other).is_offered_to(client)) {
            self.withdraw(other);
        }
        let client = key.unwrap_or_else(|| client.into());
        self.ledgers[subnet].by_client.insert(&client, id, &self.slots);
        self.change(id, |slot| {
            slot.hold = Hold::Offered(Box::new(Offer { client, since, until }));
            slot.circuit = circuit;
        });
    }

    /// Ends an offer; the address goes back to where it was.
    pub(crate) fn withdraw(&mut self, id: SlotId) {
        let Hold::Offered(offer) = &self.slot(id).hold else { return };
        let client = Arc::clone(&offer.client);
        let had_it_before = self.slot(id).lease.as_ref().is_some_and(|lease| lease.client.0 == client);
        if !had_it_before {
            self.forget_client(id, &client);
        }
        self.change(id, |slot| slot.hold = Hold::Free);
    }

    /// Puts `lease` in force on its slot, whatever was there.
    pub(crate) fn bind(&mut self, id: SlotId, lease: Lease) {
        let subnet = usize::from(self.slot(id).subnet);
        let circuit = self.circuits.of(&lease.remote_id, &lease.circuit_id);
        let client = Arc::clone(&lease.client.0);
        self.forget_others(id, &client);
        let before = self.ledgers[subnet].by_client.insert(&client, id, &self.slots);
        if let Some(other) = before.filter(|&other| other != id && self.slot(other).is_offered_to(&client)) {
            self.change(other, |slot| slot.hold = Hold::Free);
        }
        self.change(id, |slot| {
            slot.hold = Hold::Leased;
            slot.lease = Some(lease);
            slot.circuit = circuit;
        });
    }

    /// The client gives the lease back at `now`; it keeps the first claim on the address. What to save, if it had one.
    pub(crate) fn release(&mut self, id: SlotId, now: Timestamp) -> Option<Lease> {
        self.change(id, |slot| {
            let lease = slot.lease.as_mut()?;
            lease.state = LeaseState::Released;
            lease.expires = now;
            slot.hold = Hold::Free;
            Some(lease.clone())
        })
    }

    /// As [`Self::release`], but the client loses its claim.
    pub(crate) fn take_away(&mut self, id: SlotId, now: Timestamp) -> Option<Lease> {
        self.disown(id);
        self.release(id, now)
    }

    /// Gives the address to nobody until `lease.expires`.
    pub(crate) fn quarantine(&mut self, id: SlotId, lease: Lease) {
        self.forget_others(id, &[]);
        self.change(id, |slot| {
            slot.hold = Hold::Leased;
            slot.lease = Some(lease);
        });
    }

    /// Enters a lease of the past: in force, or only remembered for its client's sake.
    pub(crate) fn restore(&mut self, id: SlotId, lease: Lease, now: Timestamp) {
        let (subnet, is_active) = (usize::from(self.slot(id).subnet), lease.is_active(now));
        let circuit = self.circuits.of(&lease.remote_id, &lease.circuit_id);
        self.forget_others(id, &lease.client.0);
        if lease.state == LeaseState::Declined {
            self.forget_client(id, &lease.client.0);
        } else {
            self.ledgers[subnet].by_client.insert(&lease.client.0, id, &self.slots);
        }
        // Out of its list and in again: the order of freeing is the order of restoring.
        if self.slot(id).lease.is_some() {
            self.change(id, |slot| slot.hold = Hold::Leased);
        }
        self.change(id, |slot| {
            slot.hold = if is_active { Hold::Leased } else { Hold::Free };
            slot.lease = Some(lease);
            slot.circuit = circuit;
        });
    }

    /// When the next hold may end; early rather than late.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.timers.first().map(|&(at, _)| at)
    }

    /// Ends one hold that is over at `now`; to be called until it says `None`.
    pub(crate) fn end_next(&mut self, now: Timestamp) -> Option<Ended> {
        while let Some(&(at, id)) = self.timers.first().filter(|&&(at, _)| at <= now) {
            self.timers.remove(&(at, id));
            self.slots[place(id)].timer = None;
            if self.slot(id).ends().is_none_or(|end| end > now) {
                self.schedule(id);
                continue;
            }
            match self.slot(id).hold {
                Hold::Free => {}
                Hold::Offered(_) => {
                    self.withdraw(id);
                    return Some(Ended::Offer);
                }
                Hold::Leased => {
                    self.change(id, |slot| slot.hold = Hold::Free);
                    return Some(Ended::Lease(id));
                }
            }
        }
        None
    }

    /// The wall clock stepped from `before` to `now`: every time moves along, so that what remains of each lease
    /// stays the same. No lease is left with more than it was granted. Linear in the slots; clocks step rarely.
    pub(crate) fn follow_clock(&mut self, before: Timestamp, now: Timestamp) {
        let (forward, back) = (now.since(before), before.since(now));
        let moved = |at: Timestamp| if at == Timestamp::MAX { at } else { at + forward - back };
        self.timers.clear();
        for slot in &mut self.slots {
            slot.timer = None;
            if let Hold::Offered(offer) = &mut slot.hold {
                let until = moved(offer.until).min(now + offer.until.since(offer.since));
                (offer.since, offer.until) = (moved(offer.since), until);
            }
            if let Some(lease) = &mut slot.lease {
                let granted = lease.expires.since(lease.starts);
                if lease.expires != Timestamp::MAX {
                    lease.expires = moved(lease.expires).min(now + granted);
                }
                lease.starts = moved(lease.starts).min(now);
            }
        }
        for id in 0..self.slots.len() {
            self.schedule(SlotId::try_from(id).expect("fewer slots than IPv4 addresses"));
        }
    }

    /// Nobody has a claim on the address any more; whoever holds it goes on holding it.
    pub(crate) fn disown(&mut self, id: SlotId) {
        self.forget_others(id, &[]);
    }

    /// Forgets that anybody but `client` has a claim on the slot.
    fn forget_others(&mut self, id: SlotId, client: &[u8]) {
        let holder = match &self.slot(id).hold {
            Hold::Offered(offer) => Some(Arc::clone(&offer.client)),
            Hold::Free | Hold::Leased => None,
        };
        let owner = self.slot(id).lease.as_ref().map(|lease| Arc::clone(&lease.client.0));
        for other in [holder, owner].into_iter().flatten().filter(|other| **other != *client) {
            self.forget_client(id, &other);
        }
    }

    fn forget_client(&mut self, id: SlotId, client: &[u8]) {
        let subnet = usize::from(self.slot(id).subnet);
        self.ledgers[subnet].by_client.remove(client, id, &self.slots);
    }

    /// The only way to change a slot's hold or lease: keeps list, count and timer in step.
    fn change<T>(&mut self, id: SlotId, change: impl FnOnce(&mut Slot) -> T) -> T {
        let slot = &mut self.slots[place(id)];
        let (was_held, charged) = (slot.hold != Hold::Free, slot.charge());
        let result = change(slot);
        let (is_held, charge) = (slot.hold != Hold::Free, slot.charge());
        let (list, wanted) = (slot.list, slot.list_wanted());
        if let Some(group) = slot.group.filter(|_| was_held != is_held) {
            let used = &mut self.groups[usize::from(group)].used;
            *used = if is_held { *used + 1 } else { *used - 1 };
        }
        if charged != charge {
            self.circuits.move_charge(charged, charge);
        }
        if list != wanted || wanted == Some(ListKind::Offered) {
            self.unlink(id);
            self.link(id, wanted);
        }
        self.schedule(id);
        result
    }

    fn schedule(&mut self, id: SlotId) {
        let slot = &mut self.slots[place(id)];
        let Some(end) = slot.ends().filter(|&end| slot.timer.is_none_or(|timer| end < timer)) else { return };
        if let Some(timer) = slot.timer.replace(end) {
            self.timers.remove(&(timer, id));
        }
        self.timers.insert((end, id));
    }

    fn link(&mut self, id: SlotId, kind: Option<ListKind>) {
        let slot = &mut self.slots[place(id)];
        slot.list = kind;
        let Some(kind) = kind else { return };
        let list = match (kind, slot.group) {
            (ListKind::Offered, _) | (_, None) => &mut self.ledgers[usize::from(slot.subnet)].offered,
            (ListKind::Untouched | ListKind::Free, Some(group)) => {
                &mut self.groups[usize::from(group)].free[kind as usize]
            }
        };
        slot.previous = list.tail;
        slot.next = NONE;
        let tail = std::mem::replace(&mut list.tail, id);
        list.len += 1;
        if tail == NONE {
            list.head = id;
        } else {
            self.slots[place(tail)].next = id;
        }
    }

    fn unlink(&mut self, id: SlotId) {
        let slot = &mut self.slots[place(id)];
        let Some(kind) = slot.list.take() else { return };
        let (previous, next) = (slot.previous, slot.next);
        (slot.previous, slot.next) = (NONE, NONE);
        let list = match (kind, slot.group) {
            (ListKind::Offered, _) | (_, None) => &mut self.ledgers[usize::from(slot.subnet)].offered,
            (ListKind::Untouched | ListKind::Free, Some(group)) => {
                &mut self.groups[usize::from(group)].free[kind as usize]
            }
        };
        list.len -= 1;
        if previous == NONE {
            list.head = next;
        }
        if next == NONE {
            list.tail = previous;
        }
        if previous != NONE {
            self.slots[place(previous)].next = next;
        }
        if next != NONE {
            self.slots[place(next)].previous = previous;
        }
    }
}

/// What a lease's remaining time becomes when the clock at start is behind the one that wrote it: never more than
/// was granted, counted from `now`.
pub(crate) fn bounded_by_grant(mut lease: Lease, now: Timestamp) -> Lease {
    if lease.starts > now && lease.expires != Timestamp::MAX {
        let granted: Duration = lease.expires.since(lease.starts);
        lease.expires = lease.expires.min(now + granted);
        lease.starts = now;
    }
    lease
}

/// The key of a client without one of its own.
pub(crate) fn owned_key(client: &[u8]) -> ClientKey {
    ClientKey(client.into())
}

fn place(id: SlotId) -> usize {
    id as usize
}

#[cfg(test)]
impl Bindings {
    /// Checks that maps, lists, counts and timers say the same as the slots. For tests: looks at everything.
    pub(crate) fn check_invariants(&self) {
        assert_eq!(self.by_address.len(), self.slots.len());
        for (index, ledger) in self.ledgers.iter().enumerate() {
            let mut remembered = 0;
            for slot in &self.slots {
                let offered = if let Hold::Offered(offer) = &slot.hold { Some(&offer.client) } else { None };
                let had = slot.lease.as_ref().map(|lease| &lease.client.0).filter(|had| Some(*had) != offered);
                let is_entered = |client: &&Arc<[u8]>| self.of_client(index, client) == self.find(slot.address);
                remembered += offered.into_iter().chain(had).filter(is_entered).count();
            }
            assert_eq!(remembered, ledger.by_client.len(), "a client is remembered for nothing");
            assert!(ledger.by_client.slots().all(|id| usize::from(self.slot(id).subnet) == index));
            self.check_list(&ledger.offered, ListKind::Offered, |slot| usize::from(slot.subnet) == index);
        }
        for (index, group) in self.groups.iter().enumerate() {
            let is_ours = |slot: &Slot| slot.group.map(usize::from) == Some(index);
            let held = self.slots.iter().filter(|slot| is_ours(slot) && slot.hold != Hold::Free);
            assert_eq!(group.used, held.count() as u64);
            for (list, kind) in group.free.iter().zip([ListKind::Untouched, ListKind::Free]) {
                self.check_list(list, kind, is_ours);
            }
        }
        self.circuits.check_invariants(self.slots.iter().map(Slot::charge));
        for (index, slot) in self.slots.iter().enumerate() {
            assert_eq!(self.find(slot.address), SlotId::try_from(index).ok());
            assert_eq!(slot.list, slot.list_wanted(), "{slot:?}");
            assert!(slot.ends().is_none_or(|end| slot.timer.is_some_and(|timer| timer <= end)), "{slot:?}");
        }
        assert_eq!(self.timers.len(), self.slots.iter().filter(|slot| slot.timer.is_some()).count());
    }

    fn check_list(&self, list: &List, kind: ListKind, is_ours: impl Fn(&Slot) -> bool) {
        let (mut at, mut previous, mut len) = (list.head, NONE, 0);
        while at != NONE {
            let slot = self.slot(at);
            assert_eq!((slot.list, slot.previous), (Some(kind), previous));
            assert!(is_ours(slot), "{slot:?}");
            (previous, at, len) = (at, slot.next, len + 1);
        }
        assert_eq!((list.tail, list.len), (previous, len));
    }

    /// Clients remembered in a subnet.
    pub(crate) fn clients(&self, subnet: usize) -> usize {
        self.ledgers[subnet].by_client.len()
    }
}
