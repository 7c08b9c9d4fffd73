//! Which address a client gets: RFC 2131 section 4.3.1, with reservations first and the oldest free address last.

use std::{net::Ipv4Addr, time::Duration};

use crate::{
    DhcpEvent, Effect, Engine,
    bindings::{Hold, Slot, SlotId},
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
            slot.is_dynamic && slot.is_available_to(request.client()) && slot.address != request.view.giaddr()
        });
        own.or_else(|| self.free_at(request, request.requested()?))
            .or_else(|| self.next_untouched(request))
            .or_else(|| self.bindings.longest_free(request.subnet, request.view.giaddr()))
            .or_else(|| self.reclaim_offer(request))
            .ok_or_else(|| self.note_exhausted(request))
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
        let circuit_id = request.relay.circuit_id;
        let (address, by_mac) = subnet.reservation(request.client_identifier(), request.mac, circuit_id)?;
        let id = self.bindings.touch(address, request.subnet, false);
        let slot = self.bindings.slot(id);
        let is_same_machine = by_mac && is_held_by_machine(slot, request);
        (slot.is_available_to(request.client()) || is_same_machine).then_some(id)
    }

    /// The slot of a dynamic address that nobody holds.
    fn free_at(&mut self, request: &Request<'_>, address: Ipv4Addr) -> Option<SlotId> {
        if address == request.view.giaddr() || address == request.server {
            return None;
        }
        match self.bindings.find(address) {
            Some(id) => {
                let slot = self.bindings.slot(id);
                (slot.is_dynamic && slot.subnet == request.subnet && slot.hold == Hold::Free).then_some(id)
            }
            None if self.subnets[request.subnet].is_dynamic(address) => {
                Some(self.bindings.touch(address, request.subnet, true))
            }
            None => None,
        }
    }

    /// The next address of the pools that nobody ever had.
    fn next_untouched(&mut self, request: &Request<'_>) -> Option<SlotId> {
        let subnet = &self.subnets[request.subnet];
        let cursor = &mut self.untouched[request.subnet];
        while let Some(&(first, last)) = subnet.pools.get(cursor.pool) {
            let address = u32::from(first).checked_add(cursor.offset).map(Ipv4Addr::from);
            let Some(address) = address.filter(|address| *address <= last) else {
                cursor.pool += 1;
                cursor.offset = 0;
                continue;
            };
            cursor.offset += 1;
            let is_taken = self.bindings.find(address).is_some() || !subnet.is_dynamic(address);
            // A relay's own address and ours are not the pool's to give, though it says so.
            if !is_taken && address != request.view.giaddr() && address != request.server {
                return Some(self.bindings.touch(address, request.subnet, true));
            }
        }
        None
    }

    /// With no other address left, one that was offered a while ago to a client that never came back.
    fn reclaim_offer(&mut self, request: &Request<'_>) -> Option<SlotId> {
        let (id, since) = self.bindings.oldest_offer(request.subnet)?;
        let is_stale = request.now.since(since) >= OFFER_HOLD_UNDER_PRESSURE && self.bindings.slot(id).is_dynamic;
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
        Hold::Free | Hold::Offered { .. } => true,
        Hold::Leased => slot.lease.as_ref().is_some_and(|lease| {
            lease.state == model::LeaseState::Bound && lease.mac.is_some() && lease.mac == request.mac
        }),
    }
}
