use std::{collections::VecDeque, net::Ipv4Addr, sync::Arc, time::Duration};

use model::{Lease, SubnetId, Timestamp};

use crate::{
    Counters, DhcpEvent, Effect, Origin, Settings, SettingsError,
    bindings::{self, Bindings, Ended, Hold},
    counters::Drop,
    message::{MessageType, MessageView, RelayAgentView, code},
    request::{Request, understand},
    subnet::Subnet,
};

/// A DHCPv4 server without sockets, disk and clock.
///
/// Call [`on_packet`](Self::on_packet) for each datagram and [`on_deadline`](Self::on_deadline) when
/// [`deadline`](Self::deadline) has come; after either, carry out effects until
/// [`next_effect`](Self::next_effect) says `None`. Leases of the past are handed in by [`restore`](Self::restore)
/// before the first packet.
///
/// **Time.** Leases end by the time handed in. That is a wall clock, and wall clocks step (a Raspberry Pi finds the
/// time only after it has started). While anything is held the engine asks to be called every so often, so a longer
/// jump, either way, is a step and not time that passed: all leases move along and keep what remains of them, are
/// saved again, and none ends because of it. A pause of the whole machine looks the same and errs to the same safe
/// side. Steps smaller than [`Settings::clock_step_min`] shorten leases by as much at most; the address that was
/// freed last is given to others last.
///
/// **Bounds.** Leases and last owners: one for each address of the pools. Offers: `offers_outstanding_max` for each
/// subnet, in memory only. Effects: a few for each call, plus one for each lease that ended.
#[derive(Debug)]
pub struct Engine {
    pub(crate) settings: Settings,
    pub(crate) subnets: Vec<Subnet>,
    /// Indexes of `subnets` by the start of their prefix.
    by_prefix: Vec<(Ipv4Addr, usize)>,
    pub(crate) bindings: Bindings,
    /// For each subnet, the next address never touched so far.
    pub(crate) untouched: Vec<Cursor>,
    pub(crate) exhausted_at: Vec<Option<Timestamp>>,
    pub(crate) effects: VecDeque<Effect>,
    pub(crate) counters: Counters,
    pub(crate) identifiers: Identifiers,
    last_call: Option<Timestamp>,
    /// After a clock step: the next slot whose lease is to be saved again.
    saves_left_from: Option<usize>,
}

impl Engine {
    /// A server without leases. `seed` makes hash tables unpredictable to clients; it changes nothing that is seen.
    pub fn new(mut settings: Settings, seed: u64) -> Result<Self, SettingsError> {
        let server = settings.server_identifier;
        let subnets: Vec<_> = std::mem::take(&mut settings.subnets)
            .into_iter()
            .map(|subnet| Subnet::new(subnet, server))
            .collect::<Result<_, _>>()?;
        check_apart(&subnets)?;
        let mut by_prefix: Vec<_> = (0..subnets.len()).map(|index| (subnets[index].prefix.network(), index)).collect();
        by_prefix.sort_unstable();
        Ok(Self {
            by_prefix,
            bindings: Bindings::new(subnets.len(), seed),
            untouched: vec![Cursor::default(); subnets.len()],
            exhausted_at: vec![None; subnets.len()],
            effects: VecDeque::new(),
            counters: Counters::default(),
            identifiers: Identifiers::default(),
            last_call: None,
            saves_left_from: None,
            settings,
            subnets,
        })
    }

    /// Takes over a lease that was saved before. Of several for one address, or of one client, the last one handed in
    /// counts. A lease outside the pools is kept until it ends; one outside all subnets is counted and left out.
    pub fn restore(&mut self, lease: Lease, now: Timestamp) {
        self.last_call = Some(now.max(self.last_call.unwrap_or(now)));
        let Some(index) = self.subnet_of(lease.address) else {
            self.counters.restore_unknown += 1;
            return;
        };
        let subnet = &self.subnets[index];
        let id = self.bindings.touch(lease.address, index, subnet.is_dynamic(lease.address));
        let lease = bindings::bounded_by_grant(Lease { subnet: subnet.id, ..lease }, now);
        self.bindings.restore(id, lease, now);
    }

    /// Reads one datagram and decides. What cannot be understood is counted and dropped.
    pub fn on_packet(&mut self, now: Timestamp, origin: &Origin, bytes: &[u8]) {
        let now = self.advance(now);
        self.counters.packets += 1;
        let outcome = match MessageView::parse(bytes) {
            Ok(view) => self.on_message(now, origin, &view),
            Err(_) => Err(Drop::Malformed),
        };
        if let Err(reason) = outcome {
            self.counters.count(reason);
        }
    }

    fn on_message(&mut self, now: Timestamp, origin: &Origin, view: &MessageView<'_>) -> Result<(), Drop> {
        let own = self.own_identifier(origin);
        let understood = understand(view, origin, own)?;
        let relay = understood.relay;
        let request = Request {
            now,
            origin: *origin,
            view,
            message_type: understood.message_type,
            relay,
            key: understood.key,
            mac: view.mac(),
            subnet: self.select_subnet(view, &relay, origin).ok_or(Drop::UnknownSubnet)?,
            server: relay.server_override.filter(|address| !address.is_unspecified()).unwrap_or(own),
        };
        match request.message_type {
            MessageType::Discover => self.on_discover(&request),
            MessageType::Request => self.on_request(&request),
            MessageType::Release => self.on_release(&request),
            MessageType::Decline => self.on_decline(&request),
            MessageType::Inform => self.on_inform(&request),
            MessageType::Offer | MessageType::Ack | MessageType::Nak => Err(Drop::NotARequest),
        }
    }

    fn own_identifier(&self, origin: &Origin) -> Ipv4Addr {
        if self.settings.server_identifier.is_unspecified() { origin.local } else { self.settings.server_identifier }
    }

    /// The client's subnet: link selection (RFC 3527), subnet selection (RFC 3011), relay agent, own address of a
    /// client that renews past its relay (RFC 2131 section 4.3.2), interface, address of the interface.
    /// The first that is present decides, except that a `ciaddr` of elsewhere says nothing about where we are.
    fn select_subnet(&self, view: &MessageView<'_>, relay: &RelayAgentView<'_>, origin: &Origin) -> Option<usize> {
        if let Some(link) = relay.link_selection {
            return self.subnet_of(link);
        }
        if let Some(address) = view.address_option(code::SUBNET_SELECTION) {
            return self.subnet_of(address);
        }
        if !view.giaddr().is_unspecified() {
            return self.subnet_of(view.giaddr());
        }
        let by_client = Some(view.ciaddr()).filter(|address| !address.is_unspecified());
        by_client
            .and_then(|address| self.subnet_of(address))
            .or_else(|| {
                let index = Some(origin.interface).filter(|&index| index != 0)?;
                self.subnets.iter().position(|subnet| subnet.interfaces.contains(&index))
            })
            .or_else(|| self.subnet_of(origin.local))
    }

    fn subnet_of(&self, address: Ipv4Addr) -> Option<usize> {
        let after = self.by_prefix.partition_point(|&(network, _)| network <= address);
        let (_, index) = *self.by_prefix.get(after.checked_sub(1)?)?;
        self.subnets[index].prefix.contains(&address).then_some(index)
    }

    /// Lets offers lapse and leases end. Calling it too early or too late does no harm.
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
        self.effects.pop_front().or_else(|| self.next_save_after_step())
    }

    /// After a clock step, saves all leases again without holding copies of all of them at once.
    fn next_save_after_step(&mut self) -> Option<Effect> {
        let from = self.saves_left_from?;
        let slots = self.bindings.slots();
        let found = (from..slots.len()).find_map(|index| slots[index].lease.clone().map(|lease| (index, lease)));
        self.saves_left_from = found.as_ref().map(|(index, _)| index + 1);
        found.map(|(_, lease)| Effect::Save(lease))
    }

    /// Moves the engine's time on; the answer is the time to decide by, which never runs back.
    fn advance(&mut self, now: Timestamp) -> Timestamp {
        let last = self.last_call.unwrap_or(now);
        let step_min = self.settings.clock_step_min;
        let is_step = now.since(last) > step_min || last.since(now) > step_min;
        let now = if is_step { now } else { now.max(last) };
        self.last_call = Some(now);
        if is_step && self.bindings.deadline().is_some() {
            self.counters.clock_steps += 1;
            self.bindings.follow_clock(last, now);
            self.exhausted_at.fill(None);
            self.saves_left_from = Some(0);
        }
        while let Some(ended) = self.bindings.end_next(now) {
            match ended {
                Ended::Offer => self.counters.offers_lapsed += 1,
                Ended::Lease(id) => {
                    let lease = self.bindings.slot(id).lease.clone();
                    self.counters.leases_expired += 1;
                    self.effects.extend(lease.map(|lease| Effect::Event(DhcpEvent::Expired { lease })));
                }
            }
        }
        now
    }

    /// What was done so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How full each subnet is, in the settings' order: number, name, dynamic addresses that are leased, offered or in
    /// quarantine, dynamic addresses in all. As of `now` once [`on_deadline`](Self::on_deadline) has been told of it.
    pub fn pool_use(&self, _now: Timestamp) -> impl Iterator<Item = (SubnetId, &str, u64, u64)> {
        let subnets = self.subnets.iter().enumerate();
        subnets.map(|(index, subnet)| (subnet.id, subnet.name.as_str(), self.bindings.used(index), subnet.size))
    }

    /// All leases in force and the last one of each free address, in the order in which addresses were first used.
    pub fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.bindings.slots().iter().filter_map(|slot| slot.lease.as_ref())
    }

    /// The leases in force, quarantines included.
    pub fn leases_in_force(&self) -> impl Iterator<Item = &Lease> {
        let held = self.bindings.slots().iter().filter(|slot| slot.hold == Hold::Leased);
        held.filter_map(|slot| slot.lease.as_ref())
    }

    /// The lease of an address, in force or the last one.
    pub fn lease_of(&self, address: Ipv4Addr) -> Option<&Lease> {
        self.bindings.slot(self.bindings.find(address)?).lease.as_ref()
    }
}

/// Where the walk through the addresses that were never touched stands. It only moves on, so that all
/// allocations together look at each address once.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Cursor {
    /// Index of the pool.
    pub(crate) pool: usize,
    /// Address relative to the pool's first.
    pub(crate) offset: u32,
}

/// Circuit and remote ids, shared between the leases of one port. Bounded: forgets all when full.
#[derive(Debug, Default)]
pub(crate) struct Identifiers(std::collections::BTreeSet<Arc<[u8]>>);

impl Identifiers {
    const MAX: usize = 4_096;

    pub(crate) fn share(&mut self, identifier: &[u8]) -> Arc<[u8]> {
        if let Some(shared) = self.0.get(identifier) {
            return Arc::clone(shared);
        }
        if self.0.len() >= Self::MAX {
            self.0.clear();
        }
        let shared: Arc<[u8]> = identifier.into();
        self.0.insert(Arc::clone(&shared));
        shared
    }
}

/// How long [`DhcpEvent::PoolExhausted`] is not repeated.
pub(crate) const EXHAUSTED_EVENT_INTERVAL: Duration = Duration::from_secs(60);

fn check_apart(subnets: &[Subnet]) -> Result<(), SettingsError> {
    for (index, second) in subnets.iter().enumerate() {
        for first in &subnets[..index] {
            let names = || (first.name.clone(), second.name.clone());
            if first.id == second.id {
                let (first, second) = names();
                return Err(SettingsError::DuplicateSubnetId { first, second, id: subnets[index].id });
            }
            if first.prefix.contains(&second.prefix) || second.prefix.contains(&first.prefix) {
                let (first, second) = names();
                return Err(SettingsError::OverlappingSubnets { first, second });
            }
            if let Some(&interface) = second.interfaces.iter().find(|interface| first.interfaces.contains(interface)) {
                return Err(SettingsError::DuplicateInterface { subnet: names().1, interface });
            }
        }
    }
    Ok(())
}
