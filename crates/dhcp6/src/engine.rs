use std::{collections::VecDeque, net::Ipv6Addr, time::Duration};

use model::{Duid, Lease6, LeaseState, SubnetId, Timestamp};

use crate::{
    Counters, Dhcp6Event, Effect, Mode, Origin, Settings, SettingsError,
    bindings::Bindings,
    counters::Drop,
    limits::Rates,
    message::{MessageType, Packet},
    request::{self, Request},
    subnet::Subnet,
};

/// A DHCPv6 server without sockets, disk and clock.
///
/// Call [`on_packet`](Self::on_packet) for each datagram and [`on_deadline`](Self::on_deadline) when
/// [`deadline`](Self::deadline) has come; after either, carry out effects until
/// [`next_effect`](Self::next_effect) says `None`. Leases of the past are handed in by [`restore`](Self::restore)
/// before the first packet.
///
/// **Offers.** An ADVERTISE holds nothing: what it says is worked out from the client, the seed and the table, so the
/// same client is offered the same address while that is free, and a REQUEST for one that has gone gets another.
///
/// **Time.** Leases end by the time handed in, a wall clock, which may step. While anything is held the engine asks to
/// be called every so often, so a longer jump, either way, is a step: all leases move along, keep what remains of
/// them and are saved again, and none ends because of it.
///
/// **Bounds.** `leases_max` leases for each subnet, ended ones included, and eight for each client in it. Effects: a
/// few for each association of a message, one for each lease that ended, one for each lease after a clock step.
#[derive(Debug)]
pub struct Engine {
    pub(crate) settings: Settings,
    pub(crate) server: Duid,
    pub(crate) subnets: Vec<Subnet>,
    pub(crate) bindings: Bindings,
    pub(crate) seed: u64,
    rates: Option<Rates>,
    /// For each subnet, where the walk to an address never touched goes on.
    pub(crate) cursors: Vec<u128>,
    exhausted_at: Vec<Option<Timestamp>>,
    pub(crate) effects: VecDeque<Effect>,
    pub(crate) counters: Counters,
    last_call: Option<Timestamp>,
}

/// How long [`Dhcp6Event::PoolExhausted`] is not repeated.
const EXHAUSTED_EVENT_INTERVAL: Duration = Duration::from_secs(60);

impl Engine {
    /// A server without leases. `seed` makes the addresses that clients get unpredictable.
    pub fn new(mut settings: Settings, seed: u64) -> Result<Self, SettingsError> {
        let subnets = checked(&mut settings)?;
        Ok(Self {
            server: Duid(settings.server_duid.as_slice().into()),
            bindings: Bindings::new(subnets.len(), settings.leases_max),
            seed,
            rates: settings.limits.packets_per_source_per_second.map(|rate| Rates::new(rate, seed)),
            cursors: vec![0; subnets.len()],
            exhausted_at: vec![None; subnets.len()],
            effects: VecDeque::new(),
            counters: Counters::default(),
            last_call: None,
            settings,
            subnets,
        })
    }

    /// Takes over a lease that was saved before. Of several for one address, or of one association, the last one
    /// handed in counts. A lease outside the pools is kept until it ends; one outside all subnets is counted and left
    /// out. One granted in the future, by a clock that has stepped since, lasts as long from `now` on.
    pub fn restore(&mut self, mut lease: Lease6, now: Timestamp) {
        self.last_call = Some(now.max(self.last_call.unwrap_or(now)));
        if lease.starts > now {
            let valid = lease.expires.since(lease.starts);
            let preferred = lease.preferred_until.since(lease.starts);
            lease.expires = if lease.expires == Timestamp::MAX { lease.expires } else { now + valid };
            lease.preferred_until =
                if lease.preferred_until == Timestamp::MAX { lease.preferred_until } else { now + preferred };
            lease.starts = now;
        }
        let is_held = lease.is_active(now);
        self.take_over(lease, is_held);
    }

    fn take_over(&mut self, lease: Lease6, is_held: bool) {
        let Some(index) = self.subnet_of(lease.address) else {
            self.counters.restore_left_out += 1;
            return;
        };
        let subnet = &self.subnets[index];
        let is_dynamic = subnet.is_dynamic(lease.address);
        let lease = Lease6 { subnet: subnet.id, ..lease };
        if self.bindings.put(index, is_dynamic, lease, is_held).is_err() {
            self.counters.restore_left_out += 1;
        }
    }

    /// Serves other settings from now on. Leases stay, except those that no subnet holds any more, which are counted
    /// and forgotten. On an error nothing changes.
    pub fn reconfigure(&mut self, mut settings: Settings, now: Timestamp) -> Result<(), SettingsError> {
        let subnets = checked(&mut settings)?;
        self.advance(now);
        let old = std::mem::replace(&mut self.bindings, Bindings::new(subnets.len(), settings.leases_max));
        self.server = Duid(settings.server_duid.as_slice().into());
        self.cursors = vec![0; subnets.len()];
        self.exhausted_at = vec![None; subnets.len()];
        if self.settings.limits != settings.limits {
            let rate = settings.limits.packets_per_source_per_second;
            self.rates = rate.map(|rate| Rates::new(rate, self.seed));
        }
        (self.settings, self.subnets) = (settings, subnets);
        for slot in old.into_slots() {
            self.take_over(slot.lease, slot.is_held);
        }
        Ok(())
    }

    /// An operator takes a lease from its client, which is told so when it renews and may ask anew (RFC 8415 section
    /// 18.3.4). False when the address is leased to nobody.
    pub fn release(&mut self, address: Ipv6Addr, now: Timestamp) -> bool {
        let now = self.advance(now);
        let is_bound =
            self.bindings.slot(address).is_some_and(|slot| slot.is_held && slot.lease.state == LeaseState::Bound);
        if is_bound {
            self.counters.leases_taken += 1;
            self.end(address, now);
        }
        is_bound
    }

    /// Reads one datagram and decides. What cannot be understood is counted and dropped.
    pub fn on_packet(&mut self, now: Timestamp, origin: &Origin, bytes: &[u8]) {
        let now = self.advance(now);
        self.counters.packets += 1;
        let outcome = match Packet::parse(bytes) {
            Ok(packet) => self.on_message(now, origin, &packet),
            Err(_) => Err(Drop::Malformed),
        };
        if let Err(reason) = outcome {
            self.counters.count(reason);
        }
    }

    fn on_message(&mut self, now: Timestamp, origin: &Origin, packet: &Packet<'_>) -> Result<(), Drop> {
        let message = packet.message;
        let source = origin.source.ip();
        let is_reply = packet.relays.first().is_some_and(|relay| relay.is_reply);
        if is_reply || source.is_unspecified() || source.is_multicast() {
            return Err(Drop::Invalid);
        }
        self.counters.relayed += u64::from(!packet.relays.is_empty());
        // The client's own address: relay agents speak for all of theirs.
        let client = packet.relays.last().map_or(*source, |relay| relay.peer_address);
        if self.rates.as_mut().is_some_and(|rates| !rates.take((client.octets(), origin.interface), now)) {
            return Err(Drop::OverRate);
        }
        request::validate(&message, &self.server)?;
        let duid = message.duid(crate::message::code::CLIENT_ID).unwrap_or_else(|| Duid([].into()));
        let subnet = self.select_subnet(packet, origin).ok_or(Drop::UnknownLink)?;
        if self.subnets[subnet].mode == Mode::Slaac {
            return Err(Drop::NotServed);
        }
        let mac = request::mac_of(packet, &duid);
        let request = Request { now, origin: *origin, message, relays: &packet.relays, duid, mac, subnet };
        if request.is_unicast() {
            return self.on_unicast(&request);
        }
        match message.message_type {
            MessageType::Solicit => self.on_solicit(&request),
            MessageType::Request => self.on_request(&request),
            MessageType::Confirm => return self.on_confirm(&request),
            MessageType::Renew => self.on_renew(&request),
            MessageType::Rebind => self.on_rebind(&request),
            MessageType::Release => self.on_release(&request),
            MessageType::Decline => self.on_decline(&request),
            MessageType::InformationRequest => self.on_information_request(&request),
            MessageType::Advertise | MessageType::Reply | MessageType::Reconfigure => return Err(Drop::Invalid),
        }
        Ok(())
    }

    /// The client's subnet: by its relay, else by the interface, else by our address on it.
    fn select_subnet(&self, packet: &Packet<'_>, origin: &Origin) -> Option<usize> {
        if let Some(link) = request::link_address(&packet.relays) {
            return self.subnet_of(link);
        }
        let is_ours = |subnet: &Subnet| origin.interface != 0 && subnet.interfaces.contains(&origin.interface);
        self.subnets.iter().position(is_ours).or_else(|| self.subnet_of(origin.local))
    }

    pub(crate) fn subnet_of(&self, address: Ipv6Addr) -> Option<usize> {
        self.subnets.iter().position(|subnet| subnet.prefix.contains(&address))
    }

    /// Lets leases end. Calling it too early or too late does no harm.
    pub fn on_deadline(&mut self, now: Timestamp) {
        self.advance(now);
    }

    /// When to call [`on_deadline`](Self::on_deadline) next; `None` while nothing is held that ends.
    pub fn deadline(&self) -> Option<Timestamp> {
        let end = self.bindings.deadline()?;
        let heartbeat = self.settings.clock_step_min / 2;
        Some(self.last_call.map_or(end, |last| end.min(last + heartbeat)))
    }

    /// The next thing to do, in order. `None`: done until the next call.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Moves the engine's time on; the answer is the time to decide by.
    fn advance(&mut self, now: Timestamp) -> Timestamp {
        let last = self.last_call.unwrap_or(now);
        let step = now.since(last).max(last.since(now));
        let now = if step > self.settings.clock_step_min && self.bindings.deadline().is_some() {
            self.step(last, now);
            now
        } else {
            now.max(last)
        };
        self.last_call = Some(now);
        while let Some(lease) = self.bindings.end_one(now).cloned() {
            self.counters.leases_expired += u64::from(lease.state == LeaseState::Bound);
            self.effects.push_back(Effect::Event(Dhcp6Event::Expired { lease }));
        }
        now
    }

    /// Moves all leases along with the clock.
    fn step(&mut self, last: Timestamp, now: Timestamp) {
        self.counters.clock_steps += 1;
        let moved = |at: Timestamp| match at {
            Timestamp::MAX => at,
            _ if now > last => at + now.since(last),
            _ => at - last.since(now),
        };
        let effects = &mut self.effects;
        self.bindings.for_each_held(|lease| {
            lease.starts = moved(lease.starts);
            lease.preferred_until = moved(lease.preferred_until);
            lease.expires = moved(lease.expires);
            effects.push_back(Effect::Save(lease.clone()));
        });
    }

    pub(crate) fn tell_exhausted(&mut self, request: &Request<'_>) {
        self.counters.no_addresses += 1;
        let told = &mut self.exhausted_at[request.subnet];
        if self.subnets[request.subnet].mode == Mode::Stateful
            && told.is_none_or(|at| request.now.since(at) >= EXHAUSTED_EVENT_INTERVAL)
        {
            *told = Some(request.now);
            let subnet = self.subnets[request.subnet].id;
            self.effects.push_back(Effect::Event(Dhcp6Event::PoolExhausted { subnet }));
        }
    }
}

/// What others may look at.
impl Engine {
    /// What was done so far.
    pub fn counters(&self) -> Counters {
        Counters { leases_forgotten: self.bindings.forgotten, ..self.counters }
    }

    /// For each subnet its id and name, the addresses of its pools that are held, and how many there are.
    pub fn pool_use(&self) -> impl Iterator<Item = (SubnetId, &str, u64, u128)> {
        let subnets = self.subnets.iter().enumerate();
        subnets.map(|(index, subnet)| (subnet.id, subnet.name.as_str(), self.bindings.used(index), subnet.size))
    }

    /// All leases in force and the last one of each free address, by address.
    pub fn leases(&self) -> impl Iterator<Item = &Lease6> {
        self.bindings.slots().map(|slot| &slot.lease)
    }

    /// The leases in force, quarantines included, by address.
    pub fn leases_in_force(&self) -> impl Iterator<Item = &Lease6> {
        self.bindings.slots().filter(|slot| slot.is_held).map(|slot| &slot.lease)
    }

    /// The lease of an address, in force or the last one.
    pub fn lease_of(&self, address: Ipv6Addr) -> Option<&Lease6> {
        self.bindings.slot(address).map(|slot| &slot.lease)
    }
}

/// Takes the subnets out of the settings, checked.
fn checked(settings: &mut Settings) -> Result<Vec<Subnet>, SettingsError> {
    if !(Duid::LEN_MIN..=Duid::LEN_MAX).contains(&settings.server_duid.len()) {
        return Err(SettingsError::ServerDuid(settings.server_duid.len()));
    }
    for (option, value) in [("SOL_MAX_RT", settings.sol_max_rt), ("INF_MAX_RT", settings.inf_max_rt)] {
        let seconds = value.map_or(60, |value| value.as_secs());
        if !(60..=86_400).contains(&seconds) {
            return Err(SettingsError::SecondsOutOfRange { option, seconds, min: 60, max: 86_400 });
        }
    }
    let subnets: Vec<_> =
        std::mem::take(&mut settings.subnets).into_iter().map(Subnet::new).collect::<Result<_, _>>()?;
    for (index, second) in subnets.iter().enumerate() {
        for first in &subnets[..index] {
            let (one, other) = (first.name.clone(), second.name.clone());
            if first.id == second.id {
                return Err(SettingsError::DuplicateSubnetId { first: one, second: other, id: second.id });
            }
            if first.prefix.contains(&second.prefix) || second.prefix.contains(&first.prefix) {
                return Err(SettingsError::OverlappingSubnets { first: one, second: other });
            }
            if let Some(&interface) = second.interfaces.iter().find(|interface| first.interfaces.contains(interface)) {
                return Err(SettingsError::DuplicateInterface { subnet: other, interface });
            }
        }
    }
    Ok(subnets)
}
