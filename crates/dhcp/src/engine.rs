use std::{
    collections::{HashSet, VecDeque},
    net::Ipv4Addr,
    sync::Arc,
    time::Duration,
};

use foldhash::{SharedSeed, quality::SeedableRandomState};
use model::{Lease, LeaseState, SubnetId, Timestamp};

use crate::{
    CLASSES_MAX, ClassSettings, Counters, DhcpEvent, Effect, Origin, Settings, SettingsError, SubnetSettings,
    bindings::{self, Bindings, Ended, GroupId, Hold, Slot, SlotId},
    class::classes_of,
    counters::Drop,
    fingerprint::KindCounts,
    limits::{DirectDeclines, Ingress, Rates, Source},
    message::{MessageType, MessageView},
    probe::Probes,
    request::{Request, understand},
    rogue::{ForeignServers, is_probe},
    settings::LEASE_MIN_SECONDS,
    subnet::{Subnet, check_options},
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
    pub(crate) by_prefix: Vec<(Ipv4Addr, usize)>,
    pub(crate) bindings: Bindings,
    /// For each subnet, its groups of pools, in the order of [`Subnet::groups`].
    pub(crate) groups: Vec<Vec<GroupId>>,
    /// For each group, the next address never touched so far.
    pub(crate) untouched: Vec<Cursor>,
    /// For each subnet, the others on its link.
    pub(crate) siblings: Vec<Vec<usize>>,
    rates: Option<Rates>,
    /// Made at the first decline that no circuit answers for.
    pub(crate) direct_declines: Option<DirectDeclines>,
    pub(crate) foreign: ForeignServers,
    pub(crate) kinds: KindCounts,
    /// The settings of the subnets as given, to tell what a reload changes.
    pub(crate) given: Vec<SubnetSettings>,
    pub(crate) seed: u64,
    pub(crate) exhausted_at: Vec<Option<Timestamp>>,
    pub(crate) effects: VecDeque<Effect>,
    pub(crate) counters: Counters,
    pub(crate) identifiers: Identifiers,
    /// Addresses that clients know us by, so that we are not taken for another server.
    pub(crate) own: Vec<Ipv4Addr>,
    pub(crate) probes: Probes,
    pub(crate) last_call: Option<Timestamp>,
    /// After a clock step: the next slot whose lease is to be saved again.
    pub(crate) saves_left_from: Option<usize>,
}

impl Engine {
    /// A server without leases. `seed` makes hash tables unpredictable to clients; it changes nothing that is seen.
    pub fn new(mut settings: Settings, seed: u64) -> Result<Self, SettingsError> {
        let server = settings.server_identifier;
        check_classes(&settings.classes)?;
        let given = std::mem::take(&mut settings.subnets);
        let subnets: Vec<_> = given
            .iter()
            .map(|subnet| Subnet::new(subnet.clone(), server, &settings.classes))
            .collect::<Result<_, _>>()?;
        check_apart(&subnets)?;
        let mut by_prefix: Vec<_> = (0..subnets.len()).map(|index| (subnets[index].prefix.network(), index)).collect();
        by_prefix.sort_unstable();
        let groups = numbered_groups(&subnets)?;
        let group_count = groups.iter().map(Vec::len).sum();
        Ok(Self {
            by_prefix,
            bindings: Bindings::new(subnets.len(), group_count, seed),
            untouched: vec![Cursor::default(); group_count],
            groups,
            siblings: (0..subnets.len()).map(|index| siblings_of(index, &subnets)).collect(),
            exhausted_at: vec![None; subnets.len()],
            rates: settings.limits.packets_per_source_per_second.map(|rate| Rates::new(rate, seed)),
            direct_declines: None,
            foreign: ForeignServers::default(),
            kinds: KindCounts::default(),
            effects: VecDeque::new(),
            counters: Counters::default(),
            identifiers: Identifiers::new(seed),
            own: Vec::new(),
            probes: Probes::new(seed),
            last_call: None,
            saves_left_from: None,
            given,
            seed,
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
        let subnet_id = subnet.id;
        let id = self.touch(lease.address, index);
        let lease = bindings::bounded_by_grant(Lease { subnet: subnet_id, ..lease }, now);
        self.bindings.restore(id, lease, now);
    }

    /// Takes over all leases that were saved before, those that have ended by the time of their end, so that the
    /// address that is free the longest is still the first to be given to others.
    pub fn restore_all(&mut self, mut leases: Vec<Lease>, now: Timestamp) {
        leases.sort_unstable_by_key(|lease| (lease.expires, lease.address));
        let mut counts = vec![0; self.subnets.len()];
        for index in leases.iter().filter_map(|lease| self.subnet_of(lease.address)) {
            counts[index] += 1;
        }
        self.bindings.reserve(&counts);
        for lease in leases {
            self.restore(lease, now);
        }
        self.skip_touched();
    }

    /// The slot of an address, made if there is none.
    pub(crate) fn touch(&mut self, address: Ipv4Addr, subnet: usize) -> SlotId {
        if let Some(id) = self.bindings.find(address) {
            return id;
        }
        let group = self.subnets[subnet].group_of(address).map(|index| self.groups[subnet][index]);
        self.bindings.touch(address, subnet, group)
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
        self.note_own(view, &relay, origin);
        if is_probe(view) {
            return Err(Drop::NotForUs);
        }
        // Who asks by leasequery is known by its own address; a query names a client, if any, and not its sender.
        let giaddr = view.giaddr().octets();
        let is_query = understood.message_type == MessageType::LeaseQuery;
        if let Some(rates) = &mut self.rates {
            // Without a relay agent, option 82 is whatever the client makes up.
            let has_ids = !relay.circuit_id.is_empty() || !relay.remote_id.is_empty();
            let is_known = has_ids && !view.giaddr().is_unspecified();
            let source = Source {
                client: if is_query { &giaddr[..] } else { view.chaddr() },
                circuit: is_known.then_some((relay.remote_id, relay.circuit_id)),
                ingress: Ingress::of(view.giaddr(), origin.interface),
            };
            rates.admit(&source, now)?;
        }
        if understood.message_type == MessageType::LeaseQuery {
            return self.on_leasequery(now, origin, view, own);
        }
        let subnet = self.select_subnet(view, &relay, origin).ok_or(Drop::UnknownSubnet)?;
        let mut request = Request {
            now,
            origin: *origin,
            view,
            message_type: understood.message_type,
            relay,
            key: understood.key,
            mac: view.mac(),
            subnet,
            server: relay.server_override.filter(|address| !address.is_unspecified()).unwrap_or(own),
            classes: classes_of(&self.settings.classes, view, &relay),
        };
        if !self.siblings[subnet].is_empty() {
            request.subnet = self.subnet_on_link(&request);
        }
        match request.message_type {
            MessageType::Discover => self.on_discover(&request),
            MessageType::Request => self.on_request(&request),
            MessageType::Release => self.on_release(&request),
            MessageType::Decline => self.on_decline(&request),
            MessageType::Inform => self.on_inform(&request),
            MessageType::LeaseQuery
            | MessageType::Offer
            | MessageType::Ack
            | MessageType::Nak
            | MessageType::LeaseUnassigned
            | MessageType::LeaseUnknown
            | MessageType::LeaseActive => Err(Drop::NotARequest),
        }
    }

    pub(crate) fn own_identifier(&self, origin: &Origin) -> Ipv4Addr {
        if self.settings.server_identifier.is_unspecified() { origin.local } else { self.settings.server_identifier }
    }

    /// Lets offers lapse and leases end. Calling it too early or too late does no harm.
    pub fn on_deadline(&mut self, now: Timestamp) {
        self.advance(now);
    }

    /// When to call [`on_deadline`](Self::on_deadline) next; `None` while nothing is held that ends.
    pub fn deadline(&self) -> Option<Timestamp> {
        let end = [self.bindings.deadline(), self.probes.deadline()].into_iter().flatten().min()?;
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
    pub(crate) fn advance(&mut self, now: Timestamp) -> Timestamp {
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
        self.end_probes(now, is_step);
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

    /// An operator takes a lease from its client, which is refused when it renews and may ask anew. False when the
    /// address is leased to nobody.
    pub fn release(&mut self, address: Ipv4Addr, now: Timestamp) -> bool {
        let now = self.advance(now);
        let is_held = |slot: &Slot| {
            slot.hold == Hold::Leased && slot.lease.as_ref().is_some_and(|lease| lease.state == LeaseState::Bound)
        };
        let held = self.bindings.find(address).filter(|&id| is_held(self.bindings.slot(id)));
        let Some(lease) = held.and_then(|id| self.bindings.take_away(id, now)) else { return false };
        self.counters.leases_taken += 1;
        self.effects.push_back(Effect::Save(lease.clone()));
        self.effects.push_back(Effect::Event(DhcpEvent::Released { lease }));
        true
    }

    /// Kinds of devices that got leases, as far as they can be told; counts only.
    pub fn fingerprints(&self) -> &KindCounts {
        &self.kinds
    }

    /// What was done so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How full each subnet is, in the settings' order: number, name, dynamic addresses that are leased, offered or in
    /// quarantine, dynamic addresses in all. As of `now` once [`on_deadline`](Self::on_deadline) has been told of it.
    pub fn pool_use(&self, _now: Timestamp) -> impl Iterator<Item = (SubnetId, &str, u64, u64)> {
        let subnets = self.subnets.iter().enumerate();
        subnets.map(|(index, subnet)| (subnet.id, subnet.name.as_str(), self.used(index), subnet.size))
    }

    /// Addresses taken of each class's pools: subnet, class, how many.
    pub fn class_use(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.subnets.iter().zip(&self.groups).flat_map(|(subnet, groups)| {
            subnet.groups.iter().zip(groups).filter_map(|((class, _), &group)| {
                let class = &self.settings.classes[(*class)?];
                Some((subnet.name.as_str(), class.name.as_str(), self.bindings.used(group)))
            })
        })
    }

    /// Circuits that hold addresses: remote id, circuit id, leases, offers.
    pub fn circuit_use(&self) -> impl Iterator<Item = (&[u8], &[u8], u32, u32)> {
        let circuits = self.bindings.circuits.in_use();
        circuits.map(|circuit| (&*circuit.remote_id, &*circuit.circuit_id, circuit.leases, circuit.offers))
    }

    /// Dynamic addresses of a subnet that are leased, offered or in quarantine.
    pub(crate) fn used(&self, subnet: usize) -> u64 {
        self.groups[subnet].iter().map(|&group| self.bindings.used(group)).sum()
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
#[derive(Debug)]
pub(crate) struct Identifiers(HashSet<Arc<[u8]>, SeedableRandomState>);

impl Identifiers {
    const MAX: usize = 65_536;

    fn new(seed: u64) -> Self {
        Self(HashSet::with_hasher(SeedableRandomState::with_seed(seed, SharedSeed::global_fixed())))
    }

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

fn check_classes(classes: &[ClassSettings]) -> Result<(), SettingsError> {
    if classes.len() > CLASSES_MAX {
        return Err(SettingsError::TooManyClasses { count: classes.len() });
    }
    for (index, class) in classes.iter().enumerate() {
        if classes[..index].iter().any(|other| other.name == class.name) {
            return Err(SettingsError::DuplicateClass { name: class.name.clone() });
        }
        if class.lease.is_some_and(|lease| lease.as_secs() < LEASE_MIN_SECONDS) {
            return Err(SettingsError::ClassLeaseTooShort { class: class.name.clone() });
        }
        check_options(&class.options, || format!("class `{}`", class.name))?;
    }
    Ok(())
}

/// Numbers the groups of all subnets through.
fn numbered_groups(subnets: &[Subnet]) -> Result<Vec<Vec<GroupId>>, SettingsError> {
    let count: usize = subnets.iter().map(|subnet| subnet.groups.len()).sum();
    if GroupId::try_from(count.max(subnets.len())).is_err() {
        return Err(SettingsError::TooManySubnets { count: subnets.len() });
    }
    let mut numbers = 0..;
    Ok(subnets.iter().map(|subnet| numbers.by_ref().take(subnet.groups.len()).collect()).collect())
}

/// The other subnets of a shared network.
fn siblings_of(index: usize, subnets: &[Subnet]) -> Vec<usize> {
    let Some(name) = &subnets[index].shared_network else { return Vec::new() };
    let others = subnets
        .iter()
        .enumerate()
        .filter(|(other, subnet)| *other != index && subnet.shared_network.as_ref() == Some(name));
    others.map(|(other, _)| other).collect()
}

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
