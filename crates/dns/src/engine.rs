//! The engine seen from its clients: queries in, replies out. The side towards upstreams is in `asking`.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use model::{HostName, Timestamp};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;

use crate::{
    Counters, Designated, Settings, SettingsError, UpstreamHealth, Waits, Worker,
    asking::HEDGES_MAX,
    cache::{Cache, Key, Known},
    client_names::{ClientIdentity, ClientNames, reverse_name},
    cookie::Cookies,
    forward::Forwards,
    gate::Gate,
    inflight::{Inflight, Waiter},
    local::{Local, LocalAnswer},
    name::from_text,
    nat64::Views,
    query::{Head, Parsed, Query, parse},
    reply::{Freshness, aged, refuse, reply},
    special::SpecialNames,
    top::{Seen, Top},
    upstream::Upstreams,
    validation::{Policy, ValidationId},
    wire::{CD, EDE_BLOCKED, EDE_OTHER, RCODE, RD, rcode, rtype, u16_at},
    worker::sign,
    writer::Answer,
    zone::Zones,
};

/// From the first ask to the SERVFAIL; less than the 5 s after which stub resolvers ask again (resolv.conf(5)).
const ANSWER_BUDGET: Duration = Duration::from_millis(4_800);

/// Waiters of one question that are our own validation: more than a validator asks at one time. Clients cannot take these.
const OWN_WAITERS_MAX: usize = 1_024;

/// Shorter-lived answers are not asked for ahead of their end.
const PREFETCH_LIFETIME_MIN_S: u32 = 20;

/// How a message travels. Bytes handed over never include the length octets of TCP (RFC 1035 section 4.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transport {
    /// One message a datagram.
    Udp,
    /// A stream of messages, answered in any order (RFC 7766 section 6.2.1.1).
    Tcp,
    /// The same under TLS (RFC 7858). Clients only.
    Tls,
    /// A request each (RFC 8484). Clients only.
    Https,
    /// No way at all: what validation asks of its own engine.
    Own,
}

impl Transport {
    /// A message may have any length, and its sender's address is true.
    pub(crate) fn is_stream(self) -> bool {
        self != Self::Udp
    }

    /// Nobody on the way can read along.
    pub(crate) fn is_encrypted(self) -> bool {
        matches!(self, Self::Tls | Self::Https | Self::Own)
    }
}

/// Where a reply goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ClientRef {
    /// The client's address and port.
    pub address: SocketAddr,
    /// How the query came and the reply goes.
    pub transport: Transport,
    /// Which socket or TCP connection; the engine only repeats it.
    pub token: u64,
}

/// Names one query to an upstream. Never used twice by an engine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AskId(pub u64);

/// What the driver must do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Send a reply.
    Respond {
        /// To whom.
        client: ClientRef,
        /// The message, at most 1232 octets over UDP and 65,535 over TCP.
        bytes: Vec<u8>,
    },
    /// Ask an upstream from a socket of its own, connected, with a random source port (RFC 5452 section 9.2).
    Ask {
        /// Repeated in [`Engine::on_answer`] and [`Engine::on_ask_failed`].
        ask: AskId,
        /// Whom.
        upstream: SocketAddr,
        /// How.
        transport: Transport,
        /// The message.
        bytes: Vec<u8>,
    },
    /// Check the signatures of an answer. What is needed for it is asked through this engine, with DO and CD set.
    Validate {
        /// Repeated in [`Engine::on_validated`].
        validation: ValidationId,
        /// The message as the upstream sent it.
        bytes: Vec<u8>,
    },
    /// Close the socket of an ask; nothing more is expected from it.
    Forget {
        /// Which.
        ask: AskId,
    },
}

/// What an engine remembers.
#[derive(Clone)]
pub struct Memory {
    cache: Arc<Cache>,
    fingerprint: u32,
}

impl Memory {
    /// Everything that may still be served but failures, as octets of a format of our own, at most `len_max` of them.
    pub fn dump(&self, now: Timestamp, len_max: usize) -> Vec<u8> {
        self.cache.dump(now, len_max, self.fingerprint)
    }
}

/// A caching forwarder with zones of its own. See the crate for how to drive it.
pub struct Engine {
    pub(crate) cache: Arc<Cache>,
    gate: Arc<Gate>,
    cookies: Cookies,
    pub(crate) local: Local,
    pub(crate) inflight: Inflight,
    pub(crate) upstreams: Upstreams,
    pub(crate) forwards: Forwards,
    /// Hedges that may still be sent, in hundredths.
    pub(crate) hedges: u32,
    pub(crate) random: ChaCha12Rng,
    pub(crate) counters: Counters,
    pub(crate) waits: Waits,
    pub(crate) validation: Policy,
    /// Of what is believed: [`Settings::fingerprint`].
    fingerprint: u32,
    pub(crate) effects: VecDeque<Effect>,
    pending_max: usize,
    waiters_max: usize,
    pub(crate) patience_factor: u32,
    pub(crate) views: Arc<Views>,
    designated: Option<Designated>,
    counts_top: bool,
    /// What each worker has seen, if that is counted.
    seen: Mutex<Vec<Arc<Mutex<Seen>>>>,
}

impl Engine {
    /// An engine with an empty cache. `seed` feeds ids, letter case and hash seeds: take it from the operating
    /// system's generator in service, from the run's seed in a rehearsal.
    pub fn new(settings: Settings, seed: u64) -> Result<Self, SettingsError> {
        let mut random = ChaCha12Rng::seed_from_u64(seed);
        let addresses = settings.checked_upstreams()?;
        let forwards = Forwards::new(&settings, &addresses, random.next_u64())?;
        let upstreams = Upstreams::new(addresses);
        let zones = Zones::compile(&settings, settings.designated.as_ref(), random.next_u64())?;
        let domain = settings.client_names_zone.as_deref().and_then(from_text);
        let designated = match &settings.designated {
            Some(designated) => designated.rdatas(&designated.wire_name()?),
            None => Vec::new(),
        };
        let client_names = ClientNames::new(domain, settings.client_names_ttl, random.next_u64());
        Ok(Self {
            cache: Arc::new(Cache::new(settings.cache_bytes_max, random.next_u64())),
            gate: Arc::new(Gate::new(
                &settings.allow,
                &settings.own_ipv6,
                settings.rates,
                [random.next_u64(), random.next_u64()],
            )),
            cookies: Cookies::new(secret(&mut random)),
            local: Local {
                zones,
                client_names,
                special: SpecialNames::new(random.next_u64(), designated),
                blocked: settings.blocked.clone(),
            },
            inflight: Inflight::new(random.next_u64()),
            upstreams,
            forwards,
            hedges: HEDGES_MAX,
            random,
            counters: Counters::default(),
            waits: Waits::default(),
            validation: Policy { is_on: settings.validate, negative_anchors: settings.checked_negative_anchors()? },
            fingerprint: settings.fingerprint(),
            effects: VecDeque::new(),
            pending_max: settings.pending_max,
            waiters_max: settings.waiters_max,
            patience_factor: settings.patience_factor.max(1),
            views: Arc::new(Views::new(&settings.nat64)?),
            designated: settings.designated,
            counts_top: settings.counts_top,
            seen: Mutex::default(),
        })
    }

    /// A message from a client. Every query is answered exactly once; responses and scraps are dropped and counted.
    pub fn on_query(&mut self, now: Timestamp, client: ClientRef, bytes: &[u8]) {
        self.counters.count_query(client.transport);
        match parse(bytes) {
            Parsed::Malformed => self.counters.dropped_malformed += 1,
            Parsed::NotQuery => self.counters.dropped_not_query += 1,
            Parsed::Reject(mut head, rcode) => {
                sign(&self.cookies, now, client.address.ip(), &mut head);
                self.refuse(client, &head, rcode, None);
            }
            Parsed::Query(mut query) => {
                sign(&self.cookies, now, client.address.ip(), &mut query.head);
                self.answer(now, client, &query);
            }
        }
    }

    /// Serves clients on a thread of its own from this engine's cache. The access list and the rates are its work alone:
    /// a driver that has them gives every query to a worker first.
    pub fn worker(&self) -> Worker {
        let seen = self.counts_top.then(Arc::default);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).extend(seen.clone());
        let (cache, gate, views) = (Arc::clone(&self.cache), Arc::clone(&self.gate), Arc::clone(&self.views));
        Worker::new(cache, gate, self.cookies.clone(), views, seen)
    }

    /// Who asked most lately, and for what, over all workers; `None` when that is not counted.
    pub fn top(&self, now: Timestamp, most: usize) -> Option<Top> {
        let mut all = Seen::default();
        for seen in self.seen.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            all.add(now, &seen.lock().unwrap_or_else(PoisonError::into_inner));
        }
        self.counts_top.then(|| all.top(most))
    }

    /// The cache, to be written down; usable on any thread.
    pub fn memory(&self) -> Memory {
        Memory { cache: Arc::clone(&self.cache), fingerprint: self.fingerprint }
    }

    /// Takes back what is not over yet of [`Memory::dump`], names that became ours since left out, nothing if other servers
    /// were asked or signatures were checked otherwise then, and says how many answers
    /// are kept then. Octets that are damaged, or not ours, are worth nothing and do no harm.
    pub fn load_memory(&mut self, now: Timestamp, octets: &[u8]) -> usize {
        self.cache.load(now, octets, self.fingerprint);
        self.cache.remove_where(|name| self.local.is_ours(name));
        self.cache.in_use().0
    }

    /// A worker answered this query from what is near its end: asks for it anew.
    pub fn refresh(&mut self, now: Timestamp, bytes: &[u8]) {
        let Parsed::Query(query) = parse(bytes) else { return };
        let key = key_of(&query, 0);
        let is_due = |known: Known<'_>| known.may_refresh && is_near_end(known.answer, known.freshness);
        if self.cache.get(now, key.as_slice(), is_due) == Some(true) {
            self.prefetch(now, &query.head, &key);
        }
    }

    /// Gives a DHCP client's name to its address until `expires`: A or AAAA, and PTR records from now on.
    ///
    /// Calling again with the same name prolongs it; another name replaces it. A name that another client has gets
    /// the first free suffix `-2` to `-9`. Planned and reserved names (`wpad`, ...) are not granted; that is counted.
    pub fn set_client_name(
        &mut self,
        now: Timestamp,
        name: &HostName,
        address: IpAddr,
        client: &ClientIdentity,
        expires: Timestamp,
    ) {
        let granted = self.local.client_names.set(now, name.as_str(), address, client, expires, &self.local.zones);
        self.count_client_names();
        if !granted {
            self.counters.client_names_refused += 1;
            return;
        }
        // Addresses outside our reverse zones may have been asked of an upstream before.
        let reverse = reverse_name(address);
        for (dnssec_ok, checking_disabled) in [(false, false), (false, true), (true, false), (true, true)] {
            self.cache.remove(Key::new(&reverse, rtype::PTR, dnssec_ok, checking_disabled).as_slice());
        }
    }

    /// Takes back the name of an address: the lease ended early.
    pub fn remove_client_name(&mut self, address: IpAddr) {
        self.local.client_names.remove(address);
        self.count_client_names();
    }

    /// Answers the zones and blocks the names of `settings` from now on; clients keep their names, and what was kept of names that are ours now
    /// is forgotten. Nothing else of the settings is taken. On an error nothing changes.
    pub fn set_zones(&mut self, settings: &Settings) -> Result<(), SettingsError> {
        let zones = Zones::compile(settings, self.designated.as_ref(), self.random.next_u64())?;
        self.local.zones = zones;
        self.local.blocked = settings.blocked.clone();
        self.cache.remove_where(|name| self.local.is_ours(name));
        Ok(())
    }

    /// Call at [`Engine::deadline`] or later: retries, gives up, probes, lets names lapse.
    pub fn on_deadline(&mut self, now: Timestamp) {
        while let Some(id) = self.inflight.due(now) {
            self.on_patience_over(now, id);
        }
        while let Some((upstream, stale)) = self.upstreams.due_probe(now) {
            self.probe(now, upstream, stale);
        }
        self.local.client_names.purge(now);
        self.count_client_names();
    }

    /// When [`Engine::on_deadline`] must be called next, if nothing else happens before.
    pub fn deadline(&self) -> Option<Timestamp> {
        let deadlines = [self.inflight.deadline(), self.upstreams.deadline(), self.local.client_names.deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// The next thing to do; call until `None` after every other call.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Totals so far, without those of workers.
    pub fn counters(&self) -> Counters {
        Counters { cache_evicted: self.cache.evicted(), ..self.counters }
    }

    /// How long clients waited for upstreams so far.
    pub fn waits(&self) -> &Waits {
        &self.waits
    }

    /// The state of each upstream, in the order of the settings.
    pub fn upstreams(&self) -> impl Iterator<Item = UpstreamHealth> {
        self.upstreams.health()
    }

    /// Entries and bytes in the cache.
    pub fn cache_use(&self) -> (usize, usize) {
        self.cache.in_use()
    }

    /// Questions waiting for upstreams now.
    pub fn pending(&self) -> usize {
        self.inflight.len()
    }

    fn count_client_names(&mut self) {
        self.counters.client_names = self.local.client_names.len() as u64;
    }

    fn answer(&mut self, now: Timestamp, client: ClientRef, query: &Query<'_>) {
        self.counters.count_type(query.qtype);
        let head = &query.head;
        let key = key_of(query, self.view_of(client, query));
        let counters = &mut self.counters;
        let hit = self.cache.get(now, key.as_slice(), |known| {
            counters.cache_hits += 1;
            counters.stale_answers += u64::from(known.freshness == Freshness::Stale);
            counters.negative_hits += u64::from(is_negative(known.answer));
            let wants_refresh = known.may_refresh && is_near_end(known.answer, known.freshness);
            (reply(head, client.transport, known.answer, known.freshness), wants_refresh)
        });
        if let Some((reply, wants_refresh)) = hit {
            self.send(client, reply.bytes, reply.is_truncated);
            if wants_refresh {
                self.prefetch(now, head, &key);
            }
            return;
        }
        // Only those who ask for recursion get it (RFC 1034 section 4.3.1).
        let is_recursive = head.flags & RD != 0;
        if is_recursive && let Some(translator) = self.translated(client, query) {
            return self.translate(now, Waiter::new(now, client, head), key.name(), translator);
        }
        // Before the special names: a prefix may lie among them.
        if is_recursive
            && query.qtype == rtype::PTR
            && self.local.zones.find(key.name()).is_none()
            && let Some((alias, target)) = self.translated_reverse(key.name(), head.question)
        {
            return self.leave(now, Waiter::new(now, client, head), alias, &target, query.qtype);
        }
        match self.own_answer(now, key.name(), query.qtype, head.question) {
            Some(LocalAnswer::Leaves { so_far, target }) if is_recursive => {
                self.counters.local_answers += 1;
                return self.leave(now, Waiter::new(now, client, head), so_far, &target, query.qtype);
            }
            Some(local) => {
                self.counters.local_answers += 1;
                self.counters.blocked += u64::from(local.answer().extended_error == Some(EDE_BLOCKED));
                return self.respond(client, head, local.answer());
            }
            None => {}
        }
        if !is_recursive {
            return self.refuse(client, head, rcode::REFUSED, None);
        }
        self.wait(now, Waiter::new(now, client, head), head, &key);
    }

    /// What we say ourselves; special names give way to a forward that the team set.
    pub(crate) fn own_answer(&self, now: Timestamp, name: &[u8], qtype: u16, question: &[u8]) -> Option<LocalAnswer> {
        let is_forwarded = self.forwards.zone(name).is_some();
        self.local.answer(now, name, qtype, question, is_forwarded)
    }

    /// The number of the view in which this question has an answer of its own; 0 for nearly all.
    pub(crate) fn view_of(&self, client: ClientRef, query: &Query<'_>) -> u8 {
        view_of(&self.views, client.address.ip(), query)
    }

    /// Joins the question if it is in flight, else sends it out. `head` is that of the question, not of the waiter.
    pub(crate) fn wait(&mut self, now: Timestamp, waiter: Waiter, head: &Head<'_>, key: &Key) {
        // What clients fill must not keep the keys from being asked for that their answers need.
        let (pending_max, waiters_max) = match waiter.client.transport {
            Transport::Own => (self.pending_max + self.pending_max / 8, self.waiters_max + OWN_WAITERS_MAX),
            _ => (self.pending_max, self.waiters_max),
        };
        if let Some(answer) = self.late_answer(now, key) {
            self.counters.stale_answers += 1;
            return self.follow(now, waiter, &answer);
        }
        if let Some(pending) = self.inflight.find(key.as_slice()).and_then(|id| self.inflight.get(id)) {
            if pending.waiters.len() >= waiters_max {
                self.counters.waiters_full += 1;
                return self.refuse(waiter.client, &waiter.head(), rcode::SERVFAIL, Some(EDE_OTHER));
            }
            pending.waiters.push(waiter);
            self.counters.joined += 1;
            return;
        }
        self.counters.misses += 1;
        if self.inflight.len() >= pending_max {
            self.counters.pending_full += 1;
            return self.refuse(waiter.client, &waiter.head(), rcode::SERVFAIL, Some(EDE_OTHER));
        }
        self.ask_upstreams(now, head, key, Some(waiter));
    }

    /// What is known, past its end, when the question has been in flight for longer than a client should wait.
    fn late_answer(&mut self, now: Timestamp, key: &Key) -> Option<Answer> {
        let id = self.inflight.find(key.as_slice())?;
        self.inflight.get(id).filter(|pending| pending.is_late)?;
        self.cache.known(now, key.as_slice(), |known| aged(known.answer, known.freshness))
    }

    /// Asks again for what is near its end and wanted, while clients get what is known. Half of the table is enough.
    pub(crate) fn prefetch(&mut self, now: Timestamp, head: &Head<'_>, key: &Key) {
        let is_wanted = head.flags & RD != 0 && self.inflight.find(key.as_slice()).is_none();
        if is_wanted && self.inflight.len() < self.pending_max / 2 {
            self.counters.prefetches += 1;
            self.ask_upstreams(now, head, key, None);
        }
    }

    fn ask_upstreams(&mut self, now: Timestamp, head: &Head<'_>, key: &Key, waiter: Option<Waiter>) {
        // Only the name is folded: type HTTPS is 65, the letter A.
        let question = [key.name(), &head.question[key.name().len()..]].concat();
        let give_up = now + ANSWER_BUDGET * self.patience_factor;
        let id = self.inflight.open(
            key.as_slice(),
            question.into(),
            head,
            waiter,
            give_up,
            self.forwards.allowed(key.name()),
        );
        self.watch_patience(now, id);
        self.attempt_or_fail(now, id);
    }

    /// Replies with a fresh answer.
    pub(crate) fn respond(&mut self, client: ClientRef, head: &Head<'_>, answer: &Answer) {
        let reply = reply(head, client.transport, answer, Freshness::Fresh { age_s: 0 });
        self.send(client, reply.bytes, reply.is_truncated);
    }

    /// A refusal without an extended error.
    pub(crate) fn refuse_with(&mut self, client: ClientRef, head: &Head<'_>, rcode: u16) {
        self.refuse(client, head, rcode, None);
    }

    fn refuse(&mut self, client: ClientRef, head: &Head<'_>, rcode: u16, extended_error: Option<u16>) {
        if !matches!(rcode, rcode::REFUSED | rcode::SERVFAIL) {
            self.counters.rejected += 1;
        }
        self.send(client, refuse(head, client.transport, rcode, extended_error), false);
    }

    pub(crate) fn send(&mut self, client: ClientRef, bytes: Vec<u8>, is_truncated: bool) {
        self.counters.count_reply(u16_at(&bytes, 2).unwrap_or(0) & RCODE, is_truncated);
        self.effects.push_back(Effect::Respond { client, bytes });
    }
}

fn secret(random: &mut impl Rng) -> [u8; 16] {
    let mut secret = [0; 16];
    random.fill_bytes(&mut secret);
    secret
}

/// See [`Engine::view_of`]. Those who check signatures themselves get what was signed (RFC 6147 section 5.5).
pub(crate) fn view_of(views: &Views, client: IpAddr, query: &Query<'_>) -> u8 {
    let checks = query.head.flags & CD != 0 && query.head.edns.is_some_and(|edns| edns.dnssec_ok);
    if query.qtype == rtype::AAAA && !checks { views.of(client) } else { 0 }
}

pub(crate) fn key_of(query: &Query<'_>, view: u8) -> Key {
    let dnssec_ok = query.head.edns.is_some_and(|edns| edns.dnssec_ok);
    Key::new(query.name, query.qtype, dnssec_ok, query.head.flags & CD != 0).in_view(view)
}

/// True in the last tenth of a lifetime that is not too short to bother.
pub(crate) fn is_near_end(answer: &Answer, freshness: Freshness) -> bool {
    let Freshness::Fresh { age_s } = freshness else { return false };
    let left_s = answer.lifetime_s.saturating_sub(age_s);
    answer.lifetime_s >= PREFETCH_LIFETIME_MIN_S && left_s <= answer.lifetime_s / 10
}

/// True when an answer has no record in its answer section or says NXDOMAIN.
pub(crate) fn is_negative(answer: &Answer) -> bool {
    u16_at(&answer.wire, 6) == Some(0) || u16_at(&answer.wire, 2).unwrap_or(0) & RCODE == rcode::NXDOMAIN
}
