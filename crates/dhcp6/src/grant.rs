//! Puts what was decided in the table and asks for it to be saved.

use std::net::Ipv6Addr;

use model::{Lease6, LeaseState, Timestamp};

use crate::{Dhcp6Event, Effect, Engine, answers::end_of, request::Request};

impl Engine {
    /// Binds the address to the association, in place of another one that it held; false = there is no room.
    pub(crate) fn commit(&mut self, request: &Request<'_>, iaid: u32, address: Ipv6Addr) -> bool {
        let index = request.subnet;
        let is_own = |slot: &crate::bindings::Slot| slot.is_bound_to(&request.duid, iaid);
        let renewed = self.bindings.slot(address).is_some_and(is_own);
        let previous = self.bindings.find(index, &request.duid, iaid).filter(|&previous| previous != address);
        let previous = previous.filter(|&previous| self.bindings.slot(previous).is_some_and(is_own));
        let lease = self.lease_for(request, iaid, address);
        let is_dynamic = self.subnets[index].is_dynamic(address);
        if self.bindings.put(index, is_dynamic, lease.clone(), true).is_err() {
            return false;
        }
        if let Some(previous) = previous {
            self.end(previous, request.now);
        }
        self.counters.leases_granted += 1;
        self.effects.push_back(Effect::Save(lease.clone()));
        self.effects.push_back(Effect::Event(Dhcp6Event::Bound { lease, renewed }));
        true
    }

    /// Ends a lease: its address goes to others last.
    pub(crate) fn end(&mut self, address: Ipv6Addr, now: Timestamp) {
        let lease = self.bindings.update(address, |lease| {
            lease.state = LeaseState::Released;
            lease.expires = now;
            lease.preferred_until = lease.preferred_until.min(now);
            false
        });
        if let Some(lease) = lease.cloned() {
            self.effects.push_back(Effect::Save(lease.clone()));
            self.effects.push_back(Effect::Event(Dhcp6Event::Released { lease }));
        }
    }

    fn lease_for(&self, request: &Request<'_>, iaid: u32, address: Ipv6Addr) -> Lease6 {
        let subnet = &self.subnets[request.subnet];
        // A RENEW need not say the name again.
        let before = self.bindings.slot(address).map(|slot| &slot.lease).filter(|lease| lease.duid == request.duid);
        let said = request.message.host_name().or_else(|| before.and_then(|lease| lease.host_name.clone()));
        Lease6 {
            subnet: subnet.id,
            address,
            duid: request.duid.clone(),
            iaid,
            mac: request.mac,
            state: LeaseState::Bound,
            starts: request.now,
            preferred_until: end_of(request.now, subnet.preferred),
            expires: end_of(request.now, subnet.valid),
            host_name: subnet.reserved_name(address).cloned().or(said),
            interface_id: request.interface_id(),
            remote_id: request.remote_id(),
        }
    }
}
