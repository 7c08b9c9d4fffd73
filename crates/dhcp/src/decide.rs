//! What a server does with each message of a client: RFC 2131 section 4.3.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use model::{ClientKey, Lease, LeaseState, Timestamp};

use crate::{
    DhcpEvent, Effect, Engine,
    bindings::{Hold, SlotId, owned_key},
    circuits::Circuits,
    class::bit,
    counters::Drop,
    fingerprint::DeviceKind,
    limits::{DirectDeclines, Ingress},
    message::code,
    request::Request,
};

/// A client that asks for a shorter lease gets no less than this, seconds: short leases cost everybody writes.
const LEASE_WANTED_MIN_SECONDS: u32 = 300;

impl Engine {
    /// RFC 2131 section 4.3.1.
    pub(crate) fn on_discover(&mut self, request: &Request<'_>) -> Result<(), Drop> {
        self.counters.discovers += 1;
        let id = self.choose(request)?;
        let is_probe_due = self.is_probe_due(id);
        if self.is_rapid(request) && !is_probe_due {
            self.counters.rapid_commits += 1;
            return self.grant(request, id);
        }
        let slot = self.bindings.slot(id);
        if !slot.is_leased_to(request.client()) && slot.hold != Hold::Leased {
            self.make_room_for_offer(request, id);
            let until = request.now + self.settings.offer_hold;
            let circuit = self.circuit_of(request);
            self.bindings.offer(id, request.client(), (request.now, until), circuit);
        }
        let address = self.bindings.slot(id).address;
        let reply = self.offer(request, address, self.lease_seconds(request, id));
        self.send_offer(request, id, reply, is_probe_due);
        Ok(())
    }

    /// RFC 4039: asked for, and allowed. A client that may do without IPv4 is not bound before it has decided.
    fn is_rapid(&self, request: &Request<'_>) -> bool {
        let subnet = &self.subnets[request.subnet];
        let may_leave_ipv4 = subnet.is_ipv6_mostly && request.asks_for(code::IPV6_ONLY_PREFERRED);
        subnet.rapid_commit && !may_leave_ipv4 && request.view.option(code::RAPID_COMMIT).is_some_and(<[u8]>::is_empty)
    }

    fn make_room_for_offer(&mut self, request: &Request<'_>, wanted: SlotId) {
        let is_offered = matches!(self.bindings.slot(wanted).hold, Hold::Offered(_));
        if is_offered || self.bindings.offers(request.subnet) < self.settings.offers_outstanding_max.max(1) {
            return;
        }
        if let Some((oldest, _)) = self.bindings.oldest_offer(request.subnet) {
            self.bindings.withdraw(oldest);
            self.counters.offers_evicted += 1;
        }
    }

    /// RFC 2131 section 4.3.2: which of its four kinds a REQUEST is follows from `ciaddr` and options 50 and 54.
    pub(crate) fn on_request(&mut self, request: &Request<'_>) -> Result<(), Drop> {
        self.counters.requests += 1;
        if !request.is_for_us() {
            self.withdraw_offer_to(request);
            if let Some(server) = request.view.address_option(code::SERVER_IDENTIFIER) {
                self.on_foreign_choice(request, server);
            }
            return Err(Drop::NotForUs);
        }
        let ciaddr = request.view.ciaddr();
        if !ciaddr.is_unspecified() {
            return self.confirm(request, ciaddr);
        }
        let address = request.requested().ok_or(Drop::Malformed)?;
        if request.view.option(code::SERVER_IDENTIFIER).is_some() {
            return self.on_selecting(request, address);
        }
        self.confirm(request, address)
    }

    /// SELECTING: the client takes up our offer. After a restart offers are forgotten, so an address that nobody
    /// else holds is granted as well; another than the one we offered is not.
    fn on_selecting(&mut self, request: &Request<'_>, address: Ipv4Addr) -> Result<(), Drop> {
        let client = request.client();
        let other = self
            .bindings
            .of_client(request.subnet, client)
            .map(|id| self.bindings.slot(id))
            .filter(|slot| slot.address != address && (slot.is_offered_to(client) || slot.is_leased_to(client)));
        if other.is_some() {
            return self.refuse(request, "another address was offered");
        }
        match self.grantable(request, address) {
            Some(id) => self.grant(request, id),
            None => self.refuse(request, "address not available"),
        }
    }

    /// INIT-REBOOT, RENEWING and REBINDING: the client has an address and wants to know whether it is still good.
    fn confirm(&mut self, request: &Request<'_>, address: Ipv4Addr) -> Result<(), Drop> {
        let subnet = &self.subnets[request.subnet];
        if !subnet.prefix.contains(&address) {
            return self.refuse(request, "wrong network");
        }
        let client = request.client();
        let known = self.bindings.of_client(request.subnet, client).map(|id| self.bindings.slot(id).address);
        let found = self.bindings.find(address).map(|id| self.bindings.slot(id));
        let is_recorded = known == Some(address) || found.is_some_and(|slot| slot.is_leased_to(client));
        let is_held_by_other = found.is_some_and(|slot| slot.hold == Hold::Leased && !slot.is_leased_to(client));
        if (is_recorded || subnet.is_reserved(address))
            && let Some(id) = self.grantable(request, address)
        {
            return self.grant(request, id);
        }
        if is_recorded || known.is_some() || is_held_by_other || self.settings.authoritative {
            return self.refuse(request, "address not yours");
        }
        Err(Drop::NoRecord)
    }

    /// DHCPACK: the lease first, then the message that depends on it.
    fn grant(&mut self, request: &Request<'_>, id: SlotId) -> Result<(), Drop> {
        let slot = self.bindings.slot(id);
        let (renewed, address) = (slot.is_leased_to(request.client()), slot.address);
        if !renewed && !self.subnets[request.subnet].is_reserved(address) {
            self.check_lease_limits(request).inspect_err(|_| self.withdraw_offer_to(request))?;
        }
        let seconds = self.lease_seconds(request, id);
        let lease = self.lease(request, id, seconds);
        self.bindings.bind(id, lease.clone());
        self.counters.acks += 1;
        if !renewed {
            self.kinds.add(DeviceKind::of(request.view));
        }
        let reply = self.ack(request, lease.address, seconds);
        self.effects.push_back(Effect::Save(lease.clone()));
        self.effects.push_back(Effect::Send(reply));
        self.effects.push_back(Effect::Event(DhcpEvent::Bound { lease, renewed }));
        Ok(())
    }

    pub(crate) fn lease(&mut self, request: &Request<'_>, id: SlotId, seconds: u32) -> Lease {
        let slot = self.bindings.slot(id);
        let address = slot.address;
        let before = slot.lease.as_ref().filter(|lease| *lease.client.0 == *request.client());
        let offered = match &slot.hold {
            Hold::Offered(offer) if *offer.client == *request.client() => Some(Arc::clone(&offer.client)),
            Hold::Free | Hold::Offered(_) | Hold::Leased => None,
        };
        let client = before.map(|lease| lease.client.clone()).or_else(|| offered.map(ClientKey));
        let name = self.subnets[request.subnet].reserved_name(address).cloned().or_else(|| request.host_name());
        let name = name.or_else(|| before.and_then(|lease| lease.host_name.clone()));
        // A renewal goes past the relay; what it said of the client's port last time still holds.
        let stashed = before.filter(|_| request.view.option(code::RELAY_AGENT_INFORMATION).is_none());
        let stashed = stashed.map(|lease| (Arc::clone(&lease.circuit_id), Arc::clone(&lease.remote_id)));
        let (circuit_id, remote_id) = stashed.unwrap_or_else(|| {
            let relay = &request.relay;
            (self.identifiers.share(relay.circuit_id), self.identifiers.share(relay.remote_id))
        });
        Lease {
            subnet: self.subnets[request.subnet].id,
            address,
            client: client.unwrap_or_else(|| owned_key(request.client())),
            mac: request.mac,
            state: LeaseState::Bound,
            starts: request.now,
            expires: end_after(request.now, seconds),
            host_name: name,
            circuit_id,
            remote_id,
        }
    }

    /// What the client asks for, within what its class or else the subnet gives (RFC 2131 section 4.3.1). While the
    /// pools that the address is of fill from 80 to 95 %, what is given shrinks, so that addresses of those who left
    /// come back sooner.
    fn lease_seconds(&self, request: &Request<'_>, id: SlotId) -> u32 {
        let subnet = &self.subnets[request.subnet];
        let classes = self.settings.classes.iter().enumerate();
        let of_class =
            classes.filter(|(index, _)| request.classes & bit(*index) != 0).find_map(|(_, class)| class.lease);
        let most = match of_class {
            Some(lease) => u32::try_from(lease.as_secs()).unwrap_or(u32::MAX),
            None => {
                let group = self.bindings.slot(id).group;
                let index =
                    group.and_then(|group| self.groups[request.subnet].iter().position(|&known| known == group));
                let size = index.map_or(0, |index| subnet.group_sizes[index]);
                let used = group.map_or(0, |group| self.bindings.used(group));
                pressed(subnet.lease_seconds, subnet.pressed_seconds, used, size)
            }
        };
        let wanted = request.view.number_option(code::LEASE_TIME).unwrap_or(most);
        wanted.clamp(LEASE_WANTED_MIN_SECONDS.min(most), most)
    }

    fn refuse(&mut self, request: &Request<'_>, why: &str) -> Result<(), Drop> {
        self.counters.naks += 1;
        let reply = self.nak(request, why);
        self.effects.push_back(Effect::Send(reply));
        Ok(())
    }

    /// The client went for another server's offer: ours is free again (RFC 2131 section 3.1 step 4).
    fn withdraw_offer_to(&mut self, request: &Request<'_>) {
        let own = self.bindings.of_client(request.subnet, request.client());
        if let Some(id) = own.filter(|&id| self.bindings.slot(id).is_offered_to(request.client())) {
            self.bindings.withdraw(id);
        }
    }

    /// RFC 2131 section 4.3.4. Only the holder can release, and it keeps the first claim on the address.
    pub(crate) fn on_release(&mut self, request: &Request<'_>) -> Result<(), Drop> {
        let address = Some(request.view.ciaddr()).filter(|address| !address.is_unspecified()).ok_or(Drop::Malformed)?;
        if !request.is_for_us() {
            return Err(Drop::NotForUs);
        }
        let held = self.bindings.find(address).filter(|&id| self.bindings.slot(id).is_leased_to(request.client()));
        let lease = held.and_then(|id| self.bindings.release(id, request.now)).ok_or(Drop::NotTheOwner)?;
        self.counters.releases += 1;
        self.effects.push_back(Effect::Save(lease.clone()));
        self.effects.push_back(Effect::Event(DhcpEvent::Released { lease }));
        Ok(())
    }

    /// RFC 2131 section 4.3.3. Only the holder can decline: else anybody could burn the whole pool.
    pub(crate) fn on_decline(&mut self, request: &Request<'_>) -> Result<(), Drop> {
        let address = request.requested().ok_or(Drop::Malformed)?;
        if !request.is_for_us() {
            return Err(Drop::NotForUs);
        }
        let held = self.bindings.find(address).filter(|&id| {
            let slot = self.bindings.slot(id);
            slot.is_leased_to(request.client()) || slot.is_offered_to(request.client())
        });
        let id = held.ok_or(Drop::NotTheOwner)?;
        if let Some(max) = self.settings.limits.declines_per_circuit_per_hour {
            let circuit = self.circuit_of(request);
            let is_known = circuit != Circuits::NOWHERE;
            let mut may_decline = !is_known || self.bindings.circuits.may_decline(circuit, max, request.now);
            // Without a relay agent, option 82 may be a switch's or whatever the client makes up.
            if may_decline && (!is_known || request.view.giaddr().is_unspecified()) {
                let seed = self.seed;
                let declines = self.direct_declines.get_or_insert_with(|| DirectDeclines::new(max, seed));
                let ingress = Ingress::of(request.view.giaddr(), request.origin.interface);
                may_decline = declines.may_decline(request.view.chaddr(), ingress, request.now);
            }
            if !may_decline {
                self.part(id, request.now);
                return Err(Drop::OverLimit);
            }
        }
        let lease = Lease {
            state: LeaseState::Declined,
            expires: request.now + self.settings.decline_quarantine,
            ..self.lease(request, id, 0)
        };
        self.bindings.quarantine(id, lease.clone());
        self.counters.declines += 1;
        self.effects.push_back(Effect::Save(lease.clone()));
        self.effects.push_back(Effect::Event(DhcpEvent::Declined { lease }));
        Ok(())
    }

    /// Frees an address that its client does not want, without a quarantine; the client is not offered it again. One
    /// that is only offered stays so until the offer lapses, as it would be the next to be offered.
    fn part(&mut self, id: SlotId, now: Timestamp) {
        if self.bindings.slot(id).hold != Hold::Leased {
            self.bindings.disown(id);
        } else if let Some(lease) = self.bindings.take_away(id, now) {
            self.effects.push_back(Effect::Save(lease.clone()));
            self.effects.push_back(Effect::Event(DhcpEvent::Released { lease }));
        }
    }

    /// RFC 2131 section 4.3.5: parameters for a host that has its address from elsewhere; nothing is allocated.
    pub(crate) fn on_inform(&mut self, request: &Request<'_>) -> Result<(), Drop> {
        let address = Some(request.view.ciaddr()).filter(|address| !address.is_unspecified());
        // Hosts that leave `ciaddr` empty still send from their address.
        let address = address.unwrap_or(*request.origin.source.ip());
        if !self.subnets[request.subnet].prefix.contains(&address) {
            return Err(Drop::UnknownSubnet);
        }
        self.counters.informs += 1;
        let reply = self.inform_ack(request, address);
        self.effects.push_back(Effect::Send(reply));
        Ok(())
    }
}

/// From `full` at 80 % used straight down to `least` at 95 %.
fn pressed(full: u32, least: u32, used: u64, size: u64) -> u32 {
    let permille = used.saturating_mul(1_000).checked_div(size).unwrap_or(0);
    let pressure = permille.clamp(800, 950) - 800;
    let less = u64::from(full.saturating_sub(least)) * pressure / 150;
    full - u32::try_from(less).unwrap_or(0)
}

fn end_after(now: Timestamp, seconds: u32) -> Timestamp {
    if seconds == u32::MAX { Timestamp::MAX } else { now + Duration::from_secs(seconds.into()) }
}
