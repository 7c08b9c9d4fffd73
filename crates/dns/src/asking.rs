//! The engine seen from upstreams: attempts, what comes back, giving up.
//!
//! ```text
//!            send                 answer
//!  open ------------> asked -----------------> closed: every waiter answered, the rest forgotten
//!                     |  ^  TC: same upstream over TCP
//!                     |  |  refused, failed: next upstream at once
//!                     +--+  400 to 1000 ms without answer: next upstream, the earlier ask stays open
//!                     |
//!                     |  ^  4 times the usual round trip, rarely: another upstream beside it
//!                     |  |  FORMERR: the same one without OPT
//!                     +-----------------------> closed: what is known, past its end or not (RFC 8767),
//!                        no attempt left        else SERVFAIL, remembered for 1 to 30 s
//! ```
//!
//! After 1.8 s whoever waits gets what is known, if something is, and asking goes on.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use model::Timestamp;
use rand::Rng;

use crate::{
    AskId, Effect, Engine, Transport,
    inflight::{Ask, Pending, Waiter},
    reply::{Freshness, aged, reply},
    upstream::Upstreams,
    upstream_answer::{Asked, Verdict, judge},
    wire::{CD, CLASS_IN, EDE_NETWORK_ERROR, RD, UDP_LEN_MAX, rcode, rtype},
    writer::{Answer, Writer},
};

/// How long each attempt waits before the next upstream is asked as well; 4.7 s in all. Six attempts bring 98 in 100
/// questions through a tunnel that loses half of its packets.
const PATIENCE: [Duration; 6] = [
    Duration::from_millis(400),
    Duration::from_millis(600),
    Duration::from_millis(800),
    Duration::from_millis(900),
    Duration::from_millis(1_000),
    Duration::from_millis(1_000),
];
/// Attempts while every upstream is silent: enough to notice a return, short enough not to pile up questions.
const ATTEMPTS_WHILE_DOWN: usize = 3;
/// Attempts of one question that may wait for answers at once; each holds a socket of the driver.
const ASKS_OPEN_MAX: usize = 3;
/// A second upstream is asked beside the first when that takes so many times longer than it usually does, plus a little:
/// a lost packet then costs a client a tenth of a second and not 400 ms.
const HEDGE_FACTOR: u32 = 4;
const HEDGE_AFTER_LEAST: Duration = Duration::from_millis(30);
/// One question in twenty may be hedged, in bursts of up to fifty, so that an upstream that slows down is not doubled.
pub(crate) const HEDGES_MAX: u32 = 50 * HEDGE_COST;
const HEDGE_COST: u32 = 20;
/// Upstreams whose answer to one question may turn out bogus.
const BOGUS_MAX: u32 = 2;
/// What a connection and an answer over TCP may take.
const TCP_PATIENCE: Duration = Duration::from_millis(1_500);
/// Packets that are not the answer, after which an ask moves to TCP, where nobody can guess along (RFC 5452 section 9.1).
const UNWANTED_MAX: u32 = 16;
/// How long a failure is remembered (RFC 9520 section 3.2: at least 1 s): all upstreams refused, none answered.
/// Each failure in a row doubles it, up to the second figure: far below the 5 min allowed, so that a link that comes
/// back is noticed.
const REFUSED_LIFETIME_S: (u32, u32) = (5, 30);
const UNREACHABLE_LIFETIME_S: (u32, u32) = (1, 5);
/// After so long clients get what is known though its end has passed, and asking goes on (RFC 8767 section 5).
const CLIENT_RESPONSE_TIMER: Duration = Duration::from_millis(1_800);

/// What a query to an upstream asks for beside its question.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// An OPT record; `signatures` for our own checks even when the client did not set DO.
    Edns { dnssec_ok: bool, signatures: bool },
    /// No OPT record, for a server that cannot read one.
    NothingOfEdns,
}

impl Engine {
    /// A message that arrived on the socket of `ask`. What does not match is counted, and waiting goes on.
    pub fn on_answer(&mut self, now: Timestamp, ask: AskId, from: SocketAddr, bytes: &[u8]) {
        let Some(asked) = self.inflight.ask(ask.0) else {
            self.counters.upstream_late += 1;
            return;
        };
        let upstream = asked.upstream;
        let address = self.upstreams.address(upstream);
        let verdict = if (from.ip(), from.port()) == (address.ip(), address.port()) {
            let is_case_exact = asked.transport == Transport::Udp;
            let question = &asked.question;
            judge(&Asked { id: asked.id, question, dnssec_ok: asked.dnssec_ok, is_case_exact }, bytes)
        } else {
            Verdict::Mismatch
        };
        match verdict {
            Verdict::Mismatch => {
                self.counters.upstream_mismatched += 1;
                self.on_unwanted(now, ask.0);
            }
            Verdict::Malformed => {
                self.counters.upstream_malformed += 1;
                self.on_unwanted(now, ask.0);
            }
            Verdict::CaseChanged => self.on_case_changed(now, ask.0),
            Verdict::Truncated => self.on_truncated(now, ask.0),
            Verdict::FormErr => self.on_form_error(now, ask.0),
            Verdict::ServFail | Verdict::Rejected => self.on_refused(now, ask.0),
            Verdict::Answer(answer) => {
                self.counters.upstream_answers += 1;
                let Some(id) = self.on_alive(now, ask.0).and_then(|asked| asked.pending) else { return };
                if self.wants_validation(now, id) {
                    self.begin_validation(now, id, upstream, answer, bytes);
                } else {
                    self.conclude(now, id, answer);
                }
            }
        }
    }

    /// The socket of `ask` failed: connection refused, TCP closed, network unreachable.
    pub fn on_ask_failed(&mut self, now: Timestamp, ask: AskId) {
        let Some(asked) = self.inflight.remove_ask(ask.0) else { return };
        self.effects.push_back(Effect::Forget { ask });
        let Some(id) = asked.pending else { return self.upstreams.probe_ended(asked.upstream) };
        self.counters.upstream_failures += 1;
        if !asked.is_settled {
            self.upstreams.failed(asked.upstream, now);
        }
        self.attempt_or_fail(now, id);
    }

    /// Asks the next upstream; fails the question when there is none and nothing is left to wait for.
    pub(crate) fn attempt_or_fail(&mut self, now: Timestamp, id: u64) {
        if !self.attempt(now, id) && self.inflight.get(id).is_some_and(|pending| pending.asks.is_empty()) {
            self.fail(now, id);
        }
    }

    /// The deadline of a question has come.
    pub(crate) fn on_patience_over(&mut self, now: Timestamp, id: u64) {
        let Some(pending) = self.inflight.get(id) else { return };
        if pending.stale_at.is_some_and(|stale_at| stale_at <= now) {
            return self.on_clients_waited(now, id);
        }
        if pending.held.is_some() {
            // Its validation takes too long.
            return self.fail(now, id);
        }
        if pending.is_hedging {
            return self.hedge(now, id);
        }
        let (asks, is_last) = (pending.asks.clone(), pending.give_up <= now);
        for ask in asks {
            let Some(asked) = self.inflight.ask(ask).filter(|asked| !asked.is_settled) else { continue };
            asked.is_settled = true;
            self.counters.upstream_timeouts += 1;
            self.upstreams.failed(asked.upstream, now);
        }
        if is_last || !self.attempt(now, id) {
            self.fail(now, id);
        }
    }

    /// Asks an upstream believed dead for the root's name servers; any answer at all revives it.
    pub(crate) fn probe(&mut self, now: Timestamp, upstream: usize, stale: Option<u64>) {
        if let Some(stale) = stale {
            self.forget(stale);
        }
        self.counters.upstream_probes += 1;
        let question = [&[0], rtype::NS.to_be_bytes().as_slice(), &CLASS_IN.to_be_bytes()].concat();
        let id = self.send_ask(
            now,
            None,
            upstream,
            Transport::Udp,
            question.into(),
            0,
            Wants::Edns { dnssec_ok: false, signatures: false },
        );
        self.upstreams.probe_sent(upstream, id);
    }

    /// Sends the question to the best upstream left; false when attempts or upstreams are used up.
    fn attempt(&mut self, now: Timestamp, id: u64) -> bool {
        let Some(pending) = self.inflight.get(id) else { return false };
        let attempts_max =
            if self.upstreams.any_alive(pending.allowed, now) { PATIENCE.len() } else { ATTEMPTS_WHILE_DOWN };
        if pending.attempts >= attempts_max {
            return false;
        }
        let chosen = self.upstreams.choose(pending.allowed, pending.rejected, pending.tried);
        let Some(upstream) = chosen else { return false };
        let patience = PATIENCE[pending.attempts] * self.patience_factor;
        let hedge_after = hedge_after(&self.upstreams, upstream, self.patience_factor);
        let may_hedge = pending.attempts == 0
            && self.hedges >= HEDGE_COST
            && hedge_after.is_some_and(|after| after < patience)
            && self.upstreams.has_other(pending.allowed, upstream);
        if pending.attempts == 0 {
            self.hedges = (self.hedges + 1).min(HEDGES_MAX);
        }
        pending.is_hedging = may_hedge;
        let patience = hedge_after.filter(|_| may_hedge).unwrap_or(patience);
        // The first ask stays to the end, for an upstream that is merely slow; of the later ones the newest stay.
        let surplus = pending.asks.get(1).copied().filter(|_| pending.asks.len() >= ASKS_OPEN_MAX);
        pending.attempts += 1;
        pending.tried.insert(upstream);
        if let Some(surplus) = surplus {
            self.forget(surplus);
        }
        self.inflight.set_deadline(id, now + patience);
        self.ask(now, id, upstream, Transport::Udp);
        true
    }

    /// The first upstream takes longer than it usually does: another is asked too, and nobody is blamed yet.
    fn hedge(&mut self, now: Timestamp, id: u64) {
        let Some(pending) = self.inflight.get(id) else { return };
        pending.is_hedging = false;
        if self.hedges >= HEDGE_COST {
            self.hedges -= HEDGE_COST;
            self.counters.upstream_hedges += 1;
            self.attempt_or_fail(now, id);
        } else {
            let patience = PATIENCE[0] * self.patience_factor;
            self.inflight.set_deadline(id, now + patience);
        }
    }

    fn wants_validation(&mut self, now: Timestamp, id: u64) -> bool {
        let Some(pending) = self.inflight.get(id) else { return false };
        let name = &pending.key[..pending.key.len().saturating_sub(3)];
        self.validation.wants(now, name, pending.checking_disabled)
    }

    fn ask(&mut self, now: Timestamp, id: u64, upstream: usize, transport: Transport) {
        let is_validated = self.wants_validation(now, id);
        let Some(Pending { question, dnssec_ok, checking_disabled, .. }) = self.inflight.get(id) else { return };
        let (question, dnssec_ok) = (question.clone(), *dnssec_ok);
        let flags = if *checking_disabled || is_validated { CD } else { 0 };
        self.counters.upstream_asks += 1;
        if transport == Transport::Tcp {
            self.counters.upstream_asks_tcp += 1;
            self.inflight.extend_deadline(id, now + TCP_PATIENCE * self.patience_factor);
        }
        let wants = Wants::Edns { dnssec_ok, signatures: dnssec_ok || is_validated };
        self.send_ask(now, Some(id), upstream, transport, question, flags, wants);
    }

    #[expect(clippy::too_many_arguments, reason = "one place that builds a query, for questions and probes")]
    fn send_ask(
        &mut self,
        now: Timestamp,
        pending: Option<u64>,
        upstream: usize,
        transport: Transport,
        mut question: Box<[u8]>,
        flags: u16,
        wants: Wants,
    ) -> u64 {
        let (dnssec_ok, wants_signatures) = match wants {
            Wants::Edns { dnssec_ok, signatures } => (dnssec_ok, signatures),
            Wants::NothingOfEdns => (false, false),
        };
        if transport == Transport::Udp && self.upstreams.keeps_case(upstream) {
            mix_case(&mut question, &mut self.random);
        }
        let id = (self.random.next_u32() >> 16) as u16;
        // Whoever wants signatures cannot do without an OPT record (RFC 3225).
        let has_edns = wants_signatures || (wants != Wants::NothingOfEdns && self.upstreams.reads_edns(upstream));
        let bytes = query_bytes(id, flags, &question, has_edns.then_some(wants_signatures));
        let ask = Ask {
            pending,
            upstream,
            transport,
            id,
            question,
            has_edns,
            dnssec_ok,
            sent: now,
            unwanted: 0,
            is_settled: false,
        };
        let ask = self.inflight.add_ask(ask);
        let upstream = self.upstreams.address(upstream);
        self.effects.push_back(Effect::Ask { ask: AskId(ask), upstream, transport, bytes });
        ask
    }

    /// An answer settles an ask and proves its upstream alive.
    fn on_alive(&mut self, now: Timestamp, ask: u64) -> Option<Ask> {
        let asked = self.forget(ask)?;
        if asked.pending.is_none() {
            self.upstreams.probe_ended(asked.upstream);
        }
        if !self.upstreams.is_healthy(asked.upstream) {
            self.cache.upstream_is_back(now);
        }
        if let Some(probe) = self.upstreams.answered(asked.upstream, now, now.since(asked.sent)) {
            self.forget(probe);
        }
        Some(asked)
    }

    fn on_unwanted(&mut self, now: Timestamp, ask: u64) {
        let Some(asked) = self.inflight.ask(ask) else { return };
        asked.unwanted += 1;
        if asked.unwanted < UNWANTED_MAX {
            return;
        }
        let transport = asked.transport;
        let Some(asked) = self.forget(ask) else { return };
        match (asked.pending, transport) {
            (None, _) => self.upstreams.probe_ended(asked.upstream),
            (Some(id), Transport::Udp) => self.ask(now, id, asked.upstream, Transport::Tcp),
            (Some(id), _) => self.attempt_or_fail(now, id),
        }
    }

    /// The right answer may still come; meanwhile the same upstream is asked over TCP, where case does not matter.
    fn on_case_changed(&mut self, now: Timestamp, ask: u64) {
        self.counters.upstream_case_changed += 1;
        let Some(asked) = self.inflight.ask(ask) else { return };
        let (upstream, id) = (asked.upstream, asked.pending);
        asked.is_settled = true;
        self.upstreams.case_changed(upstream);
        let Some(id) = id else { return };
        if let Some(pending) = self.inflight.get(id)
            && !pending.case_checked
        {
            pending.case_checked = true;
            self.ask(now, id, upstream, Transport::Tcp);
        }
    }

    fn on_truncated(&mut self, now: Timestamp, ask: u64) {
        let Some(asked) = self.on_alive(now, ask) else { return };
        let Some(id) = asked.pending else { return };
        match asked.transport {
            Transport::Udp => self.ask(now, id, asked.upstream, Transport::Tcp),
            _ => self.reject(now, id, asked.upstream),
        }
    }

    fn on_refused(&mut self, now: Timestamp, ask: u64) {
        self.counters.upstream_refusals += 1;
        let Some(asked) = self.on_alive(now, ask) else { return };
        if let Some(id) = asked.pending {
            self.upstreams.refused(asked.upstream);
            self.reject(now, id, asked.upstream);
        }
    }

    /// FORMERR or NOTIMP: perhaps the OPT record is what it cannot read, so the same is asked without (RFC 6891 section 7),
    /// unless signatures are wanted.
    fn on_form_error(&mut self, now: Timestamp, ask: u64) {
        let Some(asked) = self.inflight.ask(ask) else { return };
        let (had_edns, upstream) = (asked.has_edns, asked.upstream);
        let wants_signatures = asked.pending.is_none_or(|id| {
            self.wants_validation(now, id) || self.inflight.get(id).is_some_and(|pending| pending.dnssec_ok)
        });
        if !had_edns || wants_signatures {
            return self.on_refused(now, ask);
        }
        self.counters.upstream_refusals += 1;
        let Some(id) = self.on_alive(now, ask).and_then(|asked| asked.pending) else { return };
        let Some(pending) = self.inflight.get(id) else { return };
        let (question, flags) = (pending.question.clone(), if pending.checking_disabled { CD } else { 0 });
        self.upstreams.edns_refused(upstream);
        self.counters.upstream_asks += 1;
        self.send_ask(now, Some(id), upstream, Transport::Udp, question, flags, Wants::NothingOfEdns);
    }

    /// What this upstream said is bogus; another may say better, which a forger on the way to one of them cannot hinder. False
    /// when none is left to ask.
    pub(crate) fn ask_another_after_bogus(&mut self, now: Timestamp, id: u64, code: u16) -> bool {
        let Some(pending) = self.inflight.get(id) else { return false };
        let count = pending.rejected.len();
        pending.rejected.insert(pending.held_from);
        pending.bogus = Some(code);
        // Nobody gets what was known while another is asked: the forger may want to keep it alive.
        self.inflight.set_stale_at(id, None);
        count + 1 < BOGUS_MAX && self.attempt(now, id)
    }

    /// This upstream will not help with this question; the next one may.
    fn reject(&mut self, now: Timestamp, id: u64, upstream: usize) {
        if let Some(pending) = self.inflight.get(id) {
            pending.rejected.insert(upstream);
            pending.was_refused = true;
            self.attempt_or_fail(now, id);
        }
    }

    /// Starts the client response timer if something is known that could be answered.
    pub(crate) fn watch_patience(&mut self, now: Timestamp, id: u64) {
        let Some(pending) = self.inflight.get(id) else { return };
        if self.cache.known(now, &pending.key, |_| ()).is_some() {
            self.inflight.set_stale_at(id, Some(now + CLIENT_RESPONSE_TIMER * self.patience_factor));
        }
    }

    /// The client response timer ended: who waits gets what is known, and asking goes on.
    fn on_clients_waited(&mut self, now: Timestamp, id: u64) {
        self.inflight.set_stale_at(id, None);
        self.answer_waiters_with_known(now, id);
        if let Some(pending) = self.inflight.get(id) {
            pending.is_late = true;
        }
    }

    /// Answers who waits with what the cache knows, past its end or not. Nobody, when it knows nothing.
    fn answer_waiters_with_known(&mut self, now: Timestamp, id: u64) {
        let Some(pending) = self.inflight.get(id) else { return };
        let waiters = &mut pending.waiters;
        let mut followed = None;
        let replies = self.cache.known(now, &pending.key, |known| {
            let (followers, waiters): (Vec<_>, Vec<_>) =
                std::mem::take(waiters).into_iter().partition(Waiter::is_following);
            followed = Some((followers, aged(known.answer, known.freshness)));
            let answer_one = |waiter: Waiter| {
                let reply = reply(&waiter.head(), waiter.client.transport, known.answer, known.freshness);
                (waiter.client, waiter.since, reply, known.freshness)
            };
            waiters.into_iter().map(answer_one).collect::<Vec<_>>()
        });
        for (client, since, reply, freshness) in replies.into_iter().flatten() {
            self.waits.count(now.since(since));
            self.counters.stale_answers += u64::from(freshness == Freshness::Stale);
            self.send(client, reply.bytes, reply.is_truncated);
        }
        let (followers, answer) = followed.unzip();
        for waiter in followers.into_iter().flatten() {
            if let Some(answer) = &answer {
                self.follow(now, waiter, answer);
            }
        }
    }

    /// No upstream helped: what is known serves on (RFC 8767 section 4), else SERVFAIL is remembered (RFC 9520).
    pub(crate) fn fail(&mut self, now: Timestamp, id: u64) {
        let Some(pending) = self.inflight.get(id) else { return };
        if let Some(code) = pending.bogus {
            // Nothing old in its place: it may be what a forger wants to keep alive.
            return self.conclude_bogus(now, id, code);
        }
        if self.cache.refresh_failed(now, &pending.key) {
            self.answer_waiters_with_known(now, id);
            return self.close(id);
        }
        let ((first_s, max_s), extended_error) = if pending.was_refused {
            (REFUSED_LIFETIME_S, None)
        } else {
            (UNREACHABLE_LIFETIME_S, Some(EDE_NETWORK_ERROR))
        };
        let last_s = self.cache.last_failure_s(now, &pending.key).unwrap_or(0);
        let lifetime_s = last_s.saturating_mul(2).clamp(first_s, max_s);
        let empty = Writer::new(&pending.question).finish(rcode::SERVFAIL);
        self.conclude(now, id, Answer { lifetime_s, extended_error, ..empty });
    }

    /// Answers everyone who waits, keeps the answer, closes the sockets.
    pub(crate) fn conclude(&mut self, now: Timestamp, id: u64, answer: Answer) {
        let Some(pending) = self.inflight.get(id) else { return };
        let (waiters, key) = (std::mem::take(&mut pending.waiters), Arc::clone(&pending.key));
        let (followers, waiters) = if waiters.iter().any(Waiter::is_following) {
            waiters.into_iter().partition(Waiter::is_following)
        } else {
            (Vec::new(), waiters)
        };
        for waiter in &waiters {
            self.waits.count(now.since(waiter.since));
            self.respond(waiter.client, &waiter.head(), &answer);
        }
        let followed = (!followers.is_empty()).then(|| answer.clone());
        // Zones and lists may have changed while the question was in flight.
        if !self.local.is_ours(&key[..key.len().saturating_sub(3)]) {
            self.cache.insert(now, key, answer);
        }
        self.close(id);
        // Last, for they may ask again.
        for waiter in followers {
            if let Some(answer) = &followed {
                self.waits.count(now.since(waiter.since));
                self.follow(now, waiter, answer);
            }
        }
    }

    fn close(&mut self, id: u64) {
        let Some(pending) = self.inflight.close(id) else { return };
        for ask in pending.asks {
            self.forget(ask);
        }
    }

    pub(crate) fn forget(&mut self, ask: u64) -> Option<Ask> {
        let asked = self.inflight.remove_ask(ask)?;
        self.effects.push_back(Effect::Forget { ask: AskId(ask) });
        Some(asked)
    }
}

/// Random case for every letter of the name (draft-vixie-dnsext-dns0x20): more for a forger to guess.
fn mix_case(question: &mut [u8], random: &mut impl Rng) {
    let name_len = question.len().saturating_sub(4);
    for octets in question[..name_len].chunks_mut(64) {
        let bits = random.next_u64();
        for (at, octet) in octets.iter_mut().enumerate() {
            if bits >> at & 1 == 1 {
                octet.make_ascii_uppercase();
            }
        }
    }
}

/// After how long another upstream is asked beside this one; `None` while it is not known how long it takes.
fn hedge_after(upstreams: &Upstreams, upstream: usize, patience_factor: u32) -> Option<Duration> {
    let usual = upstreams.srtt(upstream)?;
    Some((usual * HEDGE_FACTOR).max(HEDGE_AFTER_LEAST) * patience_factor)
}

/// A query with RD set and an OPT record (RFC 6891 section 6.1.2), with DO or not; `None`: without one.
fn query_bytes(id: u16, flags: u16, question: &[u8], edns: Option<bool>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(23 + question.len());
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes.extend_from_slice(&(RD | flags).to_be_bytes());
    bytes.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, u8::from(edns.is_some())]);
    bytes.extend_from_slice(question);
    let Some(dnssec_ok) = edns else { return bytes };
    bytes.push(0);
    bytes.extend_from_slice(&rtype::OPT.to_be_bytes());
    bytes.extend_from_slice(&UDP_LEN_MAX.to_be_bytes());
    bytes.extend_from_slice(&[0, 0, if dnssec_ok { 0x80 } else { 0 }, 0, 0, 0]);
    bytes
}
