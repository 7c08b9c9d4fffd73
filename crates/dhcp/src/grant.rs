//! Which address a client gets: RFC 2131 section 4.3.1, with reservations first and the oldest free address last.

use std::{net::Ipv4Addr, time::Duration};

use crate::{
    DhcpEvent, Effect, Engine,
    bindings::{GroupId, Hold, Slot, SlotId},
    circuits::{CircuitId, Circuits},
    class::{ClassSet, bit},
    counters::Drop,
    engine::EXHAUSTED_EVENT_INTERVAL,
    request::Request,
};

/// An offer that nobody took up for so long may be withdrawn when a subnet has no other address left.
const OFFER_HOLD_UNDER_PRESSURE: Duration = Duration::from_secs(15);

impl Engine {
    /// The address to offer: the client's reservation, its own (offered, leased or last), the one it asks for,
    /// one that nobody had yet, the one that is free the longest.
    pub(crate) fn choose(&mut self, request: &Request<'_>) -> Result<SlotId, Drop> {
        if let Some(id) = self.reserved_for(request) {
            return Ok(id);
        }
        let own = self.bindings.of_client(request.subnet, request.client()).filter(|&id| {
            let slot = self.bindings.slot(id);
            self.is_eligible(request, slot.group)
                && slot.is_available_to(request.client())
                && slot.address != request.view.giaddr()
        });
        if let Some(id) = own.filter(|&id| self.bindings.slot(id).hold != Hold::Free) {
            return Ok(id);
        }
        self.check_limits(request)?;
        if let Some(id) = own.or_else(|| self.free_at(request, request.requested()?)) {
            return Ok(id);
        }
        for group in self.eligible_groups(request.subnet, request.classes) {
            let found = self
                .next_untouched(request, group)
                .or_else(|| self.bindings.longest_free(self.groups[request.subnet][group], request.view.giaddr()));
            if let Some(id) = found {
                return Ok(id);
            }
        }
        self.reclaim_offer(request).ok_or_else(|| self.note_exhausted(request))
    }

    /// The groups of a subnet's pools that a client of these classes may have addresses of, its own classes' first.
    fn eligible_groups(&self, subnet: usize, classes: ClassSet) -> impl Iterator<Item = usize> + use<> {
        let groups = &self.subnets[subnet].groups;
        let set = groups.iter().enumerate().take(64).fold(0_u64, |set, (index, (class, _))| {
            let is_eligible = class.is_none_or(|class| classes & bit(class) != 0);
            if is_eligible { set | bit(index) } else { set }
        });
        // There is a common group besides at most 64 of classes; it is the last one.
        let last = groups.len().checked_sub(1).filter(|&last| last >= 64);
        (0..64).filter(move |&index| set & bit(index) != 0).chain(last)
    }

    fn is_eligible(&self, request: &Request<'_>, group: Option<GroupId>) -> bool {
        let Some(group) = group else { return false };
        let Some(index) = self.groups[request.subnet].iter().position(|&known| known == group) else { return false };
        self.subnets[request.subnet].groups[index].0.is_none_or(|class| request.classes & bit(class) != 0)
    }

    /// True while a client of these classes finds a free address.
    pub(crate) fn has_room(&mut self, subnet: usize, classes: ClassSet) -> bool {
        self.eligible_groups(subnet, classes).any(|index| {
            let group = self.groups[subnet][index];
            self.bindings.longest_free(group, Ipv4Addr::UNSPECIFIED).is_some()
                || self.peek_untouched(subnet, index).is_some()
        })
    }

    /// Refuses a new offer behind a circuit or relay agent that has all it may have.
    fn check_limits(&mut self, request: &Request<'_>) -> Result<(), Drop> {
        self.check_lease_limits(request)?;
        let Some(offers_max) = self.settings.limits.offers_per_circuit else { return Ok(()) };
        let id = self.circuit_of(request);
        let circuit = self.bindings.circuits.get(id).filter(|circuit| !circuit.circuit_id.is_empty());
        let is_over = circuit.is_some_and(|circuit| circuit.offers >= offers_max);
        if is_over { Err(Drop::OverLimit) } else { Ok(()) }
    }

    /// Refuses a new lease there. Asked when an address is granted as well, since a client may come without an offer,
    /// and many offers may be out before the first is taken up.
    pub(crate) fn check_lease_limits(&mut self, request: &Request<'_>) -> Result<(), Drop> {
        let limits = &self.settings.limits;
        let (circuit_max, relay_max) = (limits.leases_per_circuit, limits.leases_per_relay);
        if circuit_max.is_none() && relay_max.is_none() {
            return Ok(());
        }
        let id = self.circuit_of(request);
        let circuits = &self.bindings.circuits;
        let Some(circuit) = circuits.get(id) else { return Ok(()) };
        let over = |count: u32, max: Option<u32>| max.is_some_and(|max| count >= max);
        // A relay agent that names no circuit is no port.
        let is_over = !circuit.circuit_id.is_empty() && over(circuit.leases, circuit_max);
        if is_over || over(circuits.relay_leases(id), relay_max) { Err(Drop::OverLimit) } else { Ok(()) }
    }

    pub(crate) fn circuit_of(&mut self, request: &Request<'_>) -> CircuitId {
        let relay = &request.relay;
        if relay.circuit_id.is_empty() && relay.remote_id.is_empty() {
            return Circuits::NOWHERE;
        }
        let (remote_id, circuit_id) =
            (self.identifiers.share(relay.remote_id), self.identifiers.share(relay.circuit_id));
        self.bindings.circuits.of(&remote_id, &circuit_id)
    }

    /// The slot of `address` if this client may hold it, now and by our settings.
    pub(crate) fn grantable(&mut self, request: &Request<'_>, address: Ipv4Addr) -> Option<SlotId> {
        let subnet = &self.subnets[request.subnet];
        if !subnet.prefix.contains(&address) {
            return None;
        }
        if subnet.is_reserved(address) {
            return self.reserved_for(request).filter(|&id| self.bindings.slot(id).address == address);
        }
        match self.bindings.find(address) {
            // Leased by us and still in force: good until its end, also when the pools have shrunk.
            Some(id) if self.bindings.slot(id).is_leased_to(request.client()) => Some(id),
            Some(id) if self.bindings.slot(id).is_offered_to(request.client()) => Some(id),
            Some(_) | None => self.free_at(request, address),
        }
    }

    /// The client's reserved address, unless somebody else holds it still.
    fn reserved_for(&mut self, request: &Request<'_>) -> Option<SlotId> {
        let subnet = &self.subnets[request.subnet];
        let relay = &request.relay;
        let (address, by_mac) =
            subnet.reservation(request.client_identifier(), request.mac, relay.circuit_id, relay.remote_id)?;
        let id = self.touch(address, request.subnet);
        let slot = self.bindings.slot(id);
        let is_same_machine = by_mac && is_held_by_machine(slot, request);
        (slot.is_available_to(request.client()) || is_same_machine).then_some(id)
    }

    /// The slot of a dynamic address that nobody holds.
    fn free_at(&mut self, request: &Request<'_>, address: Ipv4Addr) -> Option<SlotId> {
        if address == request.view.giaddr() || address == request.server {
            return None;
        }
        let is_known = self.bindings.find(address).is_some();
        if !is_known && !(self.subnets[request.subnet].is_dynamic(address)) {
            return None;
        }
        let id = self.touch(address, request.subnet);
        let slot = self.bindings.slot(id);
        let is_here = usize::from(slot.subnet) == request.subnet && self.is_eligible(request, slot.group);
        (is_here && slot.hold == Hold::Free).then_some(id)
    }

    /// The next address of the pools that nobody ever had.
    fn next_untouched(&mut self, request: &Request<'_>, index: usize) -> Option<SlotId> {
        let group = self.groups[request.subnet][index];
        loop {
            let address = self.peek_untouched(request.subnet, index)?;
            // A relay's own address and ours are not the pool's to give, though it says so.
            if address != request.view.giaddr() && address != request.server {
                return Some(self.bindings.touch(address, request.subnet, Some(group)));
            }
            self.untouched[usize::from(group)].offset += 1;
        }
    }

    /// Moves the cursors of all pools past what is taken. Linear in the leases, so that no packet has to wait for it.
    pub(crate) fn skip_touched(&mut self) {
        for subnet in 0..self.subnets.len() {
            for index in 0..self.groups[subnet].len() {
                self.peek_untouched(subnet, index);
            }
        }
    }

    /// Moves the cursor of a group to the next address that nobody ever had.
    fn peek_untouched(&mut self, subnet: usize, index: usize) -> Option<Ipv4Addr> {
        let group = self.groups[subnet][index];
        let subnet = &self.subnets[subnet];
        let cursor = &mut self.untouched[usize::from(group)];
        while let Some(&(first, last)) = subnet.groups[index].1.get(cursor.pool) {
            let address = u32::from(first).checked_add(cursor.offset).map(Ipv4Addr::from);
            let Some(address) = address.filter(|address| *address <= last) else {
                cursor.pool += 1;
                cursor.offset = 0;
                continue;
            };
            if self.bindings.find(address).is_none() && subnet.is_dynamic(address) {
                return Some(address);
            }
            cursor.offset += 1;
        }
        None
    }

    /// With no other address left, one that was offered a while ago to a client that never came back.
    fn reclaim_offer(&mut self, request: &Request<'_>) -> Option<SlotId> {
        let (id, since) = self.bindings.oldest_offer(request.subnet)?;
        let is_eligible = self.is_eligible(request, self.bindings.slot(id).group);
        let is_stale = request.now.since(since) >= OFFER_HOLD_UNDER_PRESSURE && is_eligible;
        is_stale.then(|| {
            self.bindings.withdraw(id);
            self.counters.offers_evicted += 1;
            id
        })
    }

    /// Tells that a pool is exhausted, now and then.
    fn note_exhausted(&mut self, request: &Request<'_>) -> Drop {
        let subnet = &self.subnets[request.subnet];
        let told = &mut self.exhausted_at[request.subnet];
        // A subnet without pools serves reservations only; strangers there are no alarm.
        if subnet.size > 0 && told.is_none_or(|told| request.now.since(told) >= EXHAUSTED_EVENT_INTERVAL) {
            *told = Some(request.now);
            let subnet = subnet.id;
            self.effects.push_back(Effect::Event(DhcpEvent::PoolExhausted { subnet }));
        }
        Drop::PoolExhausted
    }
}

/// A machine that changed its client identifier (network boot, then operating system) is still the same machine to a
/// reservation by MAC. Only clients with that MAC are ever offered the address.
fn is_held_by_machine(slot: &Slot, request: &Request<'_>) -> bool {
    match &slot.hold {
        Hold::Free | Hold::Offered(_) => true,
        Hold::Leased => slot.lease.as_ref().is_some_and(|lease| {
            lease.state == model::LeaseState::Bound && lease.mac.is_some() && lease.mac == request.mac
        }),
    }
}
