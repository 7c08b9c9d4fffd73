//! Which address an identity association gets.

use std::{hash::BuildHasher, net::Ipv6Addr};

use foldhash::quality::FixedState;
use model::{Duid, LeaseState};

use crate::{Engine, bindings::CLIENT_LEASES_MAX, message::ADDRESSES_MAX, request::Request};

/// Addresses tried at random before the pool is walked. In a pool half full one in 65,536 clients needs the walk.
const PROBES: u32 = 16;
/// Steps of one walk; only a pool riddled with exclusions needs more, and its client is told that none is free.
const WALK_MAX: u32 = 65_536;

impl Engine {
    /// The address for association `iaid`, none of those in `taken`. In this order: what it has; what is reserved for the
    /// client; what it had last; what it asks for; any never granted, at random (RFC 7824: an address shall not tell
    /// when it was given or to whom); the one that is free the longest.
    pub(crate) fn choose(
        &mut self,
        request: &Request<'_>,
        iaid: u32,
        hints: impl Iterator<Item = Ipv6Addr>,
        taken: &[Ipv6Addr],
    ) -> Option<Ipv6Addr> {
        let mut wanted = Vec::with_capacity(ADDRESSES_MAX + 3);
        let last =
            self.bindings.find(request.subnet, &request.duid, iaid).and_then(|address| self.bindings.slot(address));
        let reserved = self.subnets[request.subnet].reservation(&request.duid.0, request.mac);
        if let Some(slot) = last {
            let holds_reserved = Some(slot.lease.address) == reserved;
            let is_bound = slot.is_bound_to(&request.duid, iaid);
            // A reservation made since then comes before what it has, unless the address is another association's.
            wanted.extend(reserved.filter(|_| is_bound && !holds_reserved));
            wanted.extend(is_bound.then_some(slot.lease.address));
        }
        wanted.extend(reserved);
        wanted.extend(last.filter(|slot| slot.lease.state != LeaseState::Declined).map(|slot| slot.lease.address));
        wanted.extend(hints.take(ADDRESSES_MAX));
        let fits = |address: &Ipv6Addr| !taken.contains(address) && self.may_have(request, iaid, *address);
        wanted.iter().find(|address| fits(address)).copied().or_else(|| self.choose_any(request, iaid, taken))
    }

    /// True when the address may be granted to the association now.
    pub(crate) fn may_have(&self, request: &Request<'_>, iaid: u32, address: Ipv6Addr) -> bool {
        let subnet = &self.subnets[request.subnet];
        let is_available = self.bindings.is_available_to(address, &request.duid, iaid);
        if subnet.reservation(&request.duid.0, request.mac) == Some(address) {
            return is_available || self.is_held_by_machine(request, address);
        }
        subnet.is_dynamic(address) && is_available
    }

    /// True when the same machine holds the address under another DUID: its network boot has one, each of its
    /// operating systems another.
    fn is_held_by_machine(&self, request: &Request<'_>, address: Ipv6Addr) -> bool {
        self.bindings.slot(address).is_some_and(|slot| {
            let lease = &slot.lease;
            lease.state == LeaseState::Bound
                && lease.duid != request.duid
                && lease.mac.is_some()
                && lease.mac == request.mac
        })
    }

    fn choose_any(&mut self, request: &Request<'_>, iaid: u32, taken: &[Ipv6Addr]) -> Option<Ipv6Addr> {
        let index = request.subnet;
        // Saying so at once saves the client its REQUEST.
        if self.bindings.held_besides(index, &request.duid, iaid) >= CLIENT_LEASES_MAX {
            return None;
        }
        if u128::from(self.bindings.touched(index)) < self.subnets[index].size {
            let probes = (0..PROBES).filter_map(|probe| self.probe(index, &request.duid, iaid, probe));
            let found = probes.into_iter().find(|address| self.is_untouched(index, *address, taken));
            if let Some(address) = found.or_else(|| self.walk(index, taken)) {
                return Some(address);
            }
        }
        self.bindings.oldest_free(index).find(|address| !taken.contains(address))
    }

    fn probe(&self, subnet: usize, duid: &Duid, iaid: u32, probe: u32) -> Option<Ipv6Addr> {
        let subnet = &self.subnets[subnet];
        let hash = |half: u8| FixedState::with_seed(self.seed).hash_one((subnet.id.0, &duid.0, iaid, probe, half));
        let random = (u128::from(hash(0)) << 64) | u128::from(hash(1));
        subnet.nth(random.checked_rem(subnet.total())?)
    }

    fn is_untouched(&self, subnet: usize, address: Ipv6Addr, taken: &[Ipv6Addr]) -> bool {
        self.subnets[subnet].is_dynamic(address) && self.bindings.slot(address).is_none() && !taken.contains(&address)
    }

    /// The next address never touched after where the last walk ended, so that all walks together look at each
    /// address about once.
    fn walk(&mut self, index: usize, taken: &[Ipv6Addr]) -> Option<Ipv6Addr> {
        let subnet = &self.subnets[index];
        let occupied = u128::from(self.bindings.touched(index)).saturating_add(subnet.left_out());
        let steps = occupied.saturating_add(taken.len() as u128 + 1).min(subnet.total()).min(u128::from(WALK_MAX));
        let start = self.cursors[index];
        for step in 0..steps {
            let at = start.saturating_add(step).checked_rem(subnet.total())?;
            let Some(address) = subnet.nth(at) else { continue };
            if self.is_untouched(index, address, taken) {
                self.cursors[index] = at;
                return Some(address);
            }
        }
        self.cursors[index] = start.saturating_add(steps).checked_rem(subnet.total())?;
        None
    }
}
