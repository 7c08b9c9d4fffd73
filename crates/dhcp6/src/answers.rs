//! What each message is answered (RFC 8415 section 18.3).

use std::net::Ipv6Addr;

use model::{LeaseState, Timestamp};

use crate::{
    Dhcp6Event, Effect, Engine,
    counters::Drop,
    message::{IaView, MessageType, Status, Writer, code},
    request::Request,
    subnet,
};

impl Engine {
    /// RFC 8415 sections 18.3.1 and 18.3.9. A REPLY to a SOLICIT commits something, or it is an ADVERTISE.
    pub(crate) fn on_solicit(&mut self, request: &Request<'_>) {
        self.counters.solicits += 1;
        let mut writer = request.answer(MessageType::Advertise, &self.server);
        if self.settings.preference > 0 {
            writer.option(code::PREFERENCE, &[self.settings.preference]);
        }
        let has_address = self.assign(request, &mut writer, false);
        if has_address && self.settings.rapid_commit && request.message.option(code::RAPID_COMMIT).is_some() {
            let mut writer = request.answer(MessageType::Reply, &self.server);
            writer.option(code::RAPID_COMMIT, &[]);
            let needs_save = self.assign(request, &mut writer, true);
            return self.send(request, writer, needs_save);
        }
        self.counters.advertises += 1;
        self.write_options(request, &mut writer);
        self.effects.push_back(Effect::Send(request.reply(writer, false)));
    }

    /// RFC 8415 section 18.3.2.
    pub(crate) fn on_request(&mut self, request: &Request<'_>) {
        self.counters.requests += 1;
        let mut writer = request.answer(MessageType::Reply, &self.server);
        let needs_save = self.assign(request, &mut writer, true);
        self.send(request, writer, needs_save);
    }

    /// RFC 8415 section 18.3.3: silence when there is nothing to confirm.
    pub(crate) fn on_confirm(&mut self, request: &Request<'_>) -> Result<(), Drop> {
        self.counters.confirms += 1;
        let mut addresses = request.message.associations().flat_map(|association| association.addresses()).peekable();
        addresses.peek().ok_or(Drop::NothingToSay)?;
        let prefix = self.subnets[request.subnet].prefix;
        let is_on_link = addresses.all(|(address, ..)| prefix.contains(&address));
        let mut writer = request.answer(MessageType::Reply, &self.server);
        match is_on_link {
            true => writer.status(Status::Success, "all addresses are on link"),
            false => writer.status(Status::NotOnLink, "an address is not of this link"),
        }
        self.send(request, writer, false);
        Ok(())
    }

    /// RFC 8415 section 18.3.4.
    pub(crate) fn on_renew(&mut self, request: &Request<'_>) {
        self.counters.renews += 1;
        self.extend_all(request);
    }

    /// RFC 8415 section 18.3.5. The subnets are ours alone, so what we do not know nobody does, and silence would
    /// only make the client wait.
    pub(crate) fn on_rebind(&mut self, request: &Request<'_>) {
        self.counters.rebinds += 1;
        self.extend_all(request);
    }

    /// RFC 8415 section 18.3.7.
    pub(crate) fn on_release(&mut self, request: &Request<'_>) {
        self.counters.releases += 1;
        self.give_back(request, "released", |engine, address| engine.end(address, request.now));
    }

    /// RFC 8415 section 18.3.8.
    pub(crate) fn on_decline(&mut self, request: &Request<'_>) {
        self.counters.declines += 1;
        let until = request.now + self.settings.decline_quarantine;
        self.give_back(request, "noted", |engine, address| {
            let lease = engine.bindings.update(address, |lease| {
                lease.state = LeaseState::Declined;
                lease.starts = request.now;
                lease.expires = until;
                lease.preferred_until = request.now;
                until > request.now
            });
            let lease = lease.cloned();
            engine.effects.extend(lease.iter().cloned().map(Effect::Save));
            engine.effects.extend(lease.map(|lease| Effect::Event(Dhcp6Event::Declined { lease })));
        });
    }

    /// RFC 8415 section 18.3.6.
    pub(crate) fn on_information_request(&mut self, request: &Request<'_>) {
        self.counters.information_requests += 1;
        let mut writer = request.answer(MessageType::Reply, &self.server);
        let refresh = self.subnets[request.subnet].information_refresh;
        if request.wants(code::INFORMATION_REFRESH) {
            writer.option(code::INFORMATION_REFRESH, &refresh.to_be_bytes());
        }
        self.send(request, writer, false);
    }

    /// RFC 8415 section 18.4: we never send option 12, so nobody may write to us past the relays.
    pub(crate) fn on_unicast(&mut self, request: &Request<'_>) -> Result<(), Drop> {
        match request.message.message_type {
            MessageType::Request | MessageType::Renew | MessageType::Release | MessageType::Decline => {
                let mut writer = request.answer(MessageType::Reply, &self.server);
                writer.status(Status::UseMulticast, "write to ff02::1:2");
                self.counters.replies += 1;
                self.effects.push_back(Effect::Send(request.reply(writer, false)));
                Ok(())
            }
            _ => Err(Drop::Unicast),
        }
    }

    /// Gives every association an address, or says why not; true when one got an address, with `commit` to be saved.
    fn assign(&mut self, request: &Request<'_>, writer: &mut Writer, commit: bool) -> bool {
        let is_request = request.message.message_type == MessageType::Request;
        let mut taken = Vec::new();
        for association in request.associations() {
            let iaid = association.iaid;
            let prefix = self.subnets[request.subnet].prefix;
            if is_request && association.addresses().any(|(address, ..)| !prefix.contains(&address)) {
                write_status(writer, iaid, Status::NotOnLink, "an address is not of this link");
                continue;
            }
            let hints = association.addresses().map(|(address, ..)| address);
            if !self.is_within_limits(request, iaid) {
                self.counters.over_limit += 1;
                write_status(writer, iaid, Status::NoAddrsAvail, "no more leases for this port");
                continue;
            }
            let chosen = self.choose(request, iaid, hints, &taken);
            match chosen.filter(|&address| !commit || self.commit(request, iaid, address)) {
                Some(address) => {
                    taken.push(address);
                    self.write_association(request, writer, iaid, Some(address), []);
                }
                None => {
                    self.tell_exhausted(request);
                    write_status(writer, iaid, Status::NoAddrsAvail, "no address is free");
                }
            }
        }
        for iaid in request.message.prefix_associations() {
            write_prefix_status(writer, iaid, Status::NoPrefixAvail);
        }
        !taken.is_empty()
    }

    /// Extends every association's address, takes over what others than this table remember, and says of the rest
    /// that it must go.
    fn extend_all(&mut self, request: &Request<'_>) {
        let mut writer = request.answer(MessageType::Reply, &self.server);
        let (mut needs_save, mut taken) = (false, Vec::new());
        for association in request.associations() {
            needs_save |= self.extend(request, &association, &mut writer, &mut taken);
        }
        for iaid in request.message.prefix_associations() {
            write_prefix_status(&mut writer, iaid, Status::NoBinding);
        }
        self.send(request, writer, needs_save);
    }

    fn extend(
        &mut self,
        request: &Request<'_>,
        association: &IaView<'_>,
        writer: &mut Writer,
        taken: &mut Vec<Ipv6Addr>,
    ) -> bool {
        let iaid = association.iaid;
        let sent: Vec<_> = association.addresses().map(|(address, ..)| address).collect();
        let held = self.bindings.find(request.subnet, &request.duid, iaid);
        let held = held.filter(|&address| self.is_bound(request, iaid, address));
        // Without binding only what the client says it has will do: after a loss of the table it keeps its address.
        let chosen = match held {
            Some(_) => self.choose(request, iaid, sent.iter().copied(), taken),
            None if self.is_within_limits(request, iaid) => {
                sent.iter().copied().find(|&address| !taken.contains(&address) && self.may_have(request, iaid, address))
            }
            None => None,
        };
        let chosen = chosen.filter(|&address| self.commit(request, iaid, address));
        taken.extend(chosen);
        let prefix = self.subnets[request.subnet].prefix;
        let is_over = |address: &Ipv6Addr| Some(*address) != chosen && (chosen.is_some() || !prefix.contains(address));
        let over: Vec<_> = sent.into_iter().filter(is_over).collect();
        if chosen.is_none() && over.is_empty() {
            write_status(writer, iaid, Status::NoBinding, "no such binding");
        } else {
            self.write_association(request, writer, iaid, chosen, over);
        }
        chosen.is_some()
    }

    /// Ends the bindings that a RELEASE or DECLINE names, and answers it.
    fn give_back(&mut self, request: &Request<'_>, text: &str, mut end: impl FnMut(&mut Self, Ipv6Addr)) {
        let mut writer = request.answer(MessageType::Reply, &self.server);
        writer.status(Status::Success, text);
        let mut needs_save = false;
        for association in request.associations() {
            let mut is_known = false;
            for (address, ..) in association.addresses() {
                if self.is_bound(request, association.iaid, address) {
                    is_known = true;
                    end(self, address);
                }
            }
            needs_save |= is_known;
            if !is_known {
                write_status(&mut writer, association.iaid, Status::NoBinding, "no such binding");
            }
        }
        for iaid in request.message.prefix_associations() {
            write_prefix_status(&mut writer, iaid, Status::NoBinding);
        }
        self.counters.replies += 1;
        self.effects.push_back(Effect::Send(request.reply(writer, needs_save)));
    }

    /// True when the association has an address already, or its circuit and relay agent may hold one more.
    fn is_within_limits(&self, request: &Request<'_>, iaid: u32) -> bool {
        let held = self.bindings.find(request.subnet, &request.duid, iaid);
        held.is_some_and(|address| self.is_bound(request, iaid, address))
            || self.bindings.has_room(request, &self.settings.limits)
    }

    fn is_bound(&self, request: &Request<'_>, iaid: u32, address: Ipv6Addr) -> bool {
        self.bindings.slot(address).is_some_and(|slot| slot.is_bound_to(&request.duid, iaid))
    }

    /// Adds what the client wants to know, and sends.
    fn send(&mut self, request: &Request<'_>, mut writer: Writer, needs_save: bool) {
        self.write_options(request, &mut writer);
        self.counters.replies += 1;
        self.effects.push_back(Effect::Send(request.reply(writer, needs_save)));
    }

    fn write_options(&self, request: &Request<'_>, writer: &mut Writer) {
        for (code, data) in self.subnets[request.subnet].options() {
            // Nobody needs both kinds of time servers; the old one goes to those that know its name.
            let is_old = *code == code::SNTP_SERVERS;
            if if is_old { request.message.requests(*code) } else { request.wants(*code) } {
                writer.option(*code, data);
            }
        }
        if let Some(data) = self.client_fqdn(request) {
            writer.option(code::CLIENT_FQDN, &data);
        }
        for (code, value) in
            [(code::SOL_MAX_RT, self.settings.sol_max_rt), (code::INF_MAX_RT, self.settings.inf_max_rt)]
        {
            if let Some(value) = value.filter(|_| request.message.requests(code)) {
                writer.option(code, &subnet::seconds(value).to_be_bytes());
            }
        }
    }

    /// IA_NA with the address that the association has now and those that are over (lifetimes 0).
    fn write_association(
        &self,
        request: &Request<'_>,
        writer: &mut Writer,
        iaid: u32,
        address: Option<Ipv6Addr>,
        over: impl IntoIterator<Item = Ipv6Addr>,
    ) {
        let subnet = &self.subnets[request.subnet];
        let (t1, t2) = match (address, subnet.preferred) {
            (None, _) => (0, 0),
            (Some(_), u32::MAX) => (u32::MAX, u32::MAX),
            // RFC 8415 section 21.4: half, and four fifths.
            (Some(_), preferred) => (preferred / 2, preferred / 5 * 4 + preferred % 5 * 4 / 5),
        };
        writer.association(iaid, t1, t2, |inner| {
            if let Some(address) = address {
                inner.address(address, subnet.preferred, subnet.valid);
            }
            for address in over {
                inner.address(address, 0, 0);
            }
        });
    }
}

fn write_status(writer: &mut Writer, iaid: u32, status: Status, text: &str) {
    writer.association(iaid, 0, 0, |inner| inner.status(status, text));
}

fn write_prefix_status(writer: &mut Writer, iaid: u32, status: Status) {
    let fixed = [iaid, 0, 0].map(u32::to_be_bytes);
    writer.nested(code::IA_PD, fixed.as_flattened(), |inner| inner.status(status, "prefixes are not delegated here"));
}

/// When a lifetime of so many seconds ends; `u32::MAX` never does.
pub(crate) fn end_of(now: Timestamp, seconds: u32) -> Timestamp {
    match seconds {
        u32::MAX => Timestamp::MAX,
        _ => now + std::time::Duration::from_secs(u64::from(seconds)),
    }
}
