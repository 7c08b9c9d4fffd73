//! Questions that wait for upstreams, who waits for each, and what was sent on their behalf.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use foldhash::quality::FixedState;
use model::Timestamp;

use crate::{
    ClientRef, Transport,
    follow::Follow,
    query::{Edns, Head},
    upstream::Mask,
    validation::SignedSpans,
    writer::Answer,
};

/// A client that waits, with all that its reply must repeat.
pub(crate) struct Waiter {
    pub(crate) client: ClientRef,
    /// Since when it waits.
    pub(crate) since: Timestamp,
    id: u16,
    flags: u16,
    question: Box<[u8]>,
    edns: Option<Edns>,
    /// What is to be made of the answer, if it is not the client's as it comes.
    follow: Option<Box<Follow>>,
}

impl Waiter {
    pub(crate) fn new(since: Timestamp, client: ClientRef, head: &Head<'_>) -> Self {
        Self {
            client,
            since,
            id: head.id,
            flags: head.flags,
            question: head.question.into(),
            edns: head.edns,
            follow: None,
        }
    }

    pub(crate) fn following(mut self, follow: Follow) -> Self {
        self.follow = Some(Box::new(follow));
        self
    }

    pub(crate) fn follow_mut(&mut self) -> Option<&mut Follow> {
        self.follow.as_deref_mut()
    }

    pub(crate) fn take_follow(&mut self) -> Option<Follow> {
        self.follow.take().map(|follow| *follow)
    }

    pub(crate) fn is_following(&self) -> bool {
        self.follow.is_some()
    }

    pub(crate) fn head(&self) -> Head<'_> {
        Head { id: self.id, flags: self.flags, question: &self.question, edns: self.edns }
    }
}

/// A question in flight.
pub(crate) struct Pending {
    pub(crate) key: Arc<[u8]>,
    /// Folded name, type and class.
    pub(crate) question: Box<[u8]>,
    pub(crate) dnssec_ok: bool,
    pub(crate) checking_disabled: bool,
    pub(crate) waiters: Vec<Waiter>,
    /// An answer that is being validated.
    pub(crate) held: Option<Answer>,
    /// How long it may be kept if it is secure.
    pub(crate) held_spans: SignedSpans,
    /// Asks not yet settled; a late answer to an early ask is as good as any.
    pub(crate) asks: Vec<u64>,
    pub(crate) attempts: usize,
    pub(crate) tried: Mask,
    /// Upstreams that answered and did not help.
    pub(crate) rejected: Mask,
    pub(crate) was_refused: bool,
    /// The upstreams that may be asked.
    pub(crate) allowed: Mask,
    /// Which upstream gave the answer that is being validated.
    pub(crate) held_from: usize,
    /// An upstream's answer was bogus, and why.
    pub(crate) bogus: Option<u16>,
    /// The next deadline is for asking another upstream beside the first, which is not given up.
    pub(crate) is_hedging: bool,
    /// A changed case was already double-checked over TCP.
    pub(crate) case_checked: bool,
    /// Next attempt, or the end.
    pub(crate) attempt_at: Timestamp,
    /// When clients are answered with what is known, if something is (RFC 8767 section 5: the client response timer).
    pub(crate) stale_at: Option<Timestamp>,
    /// That time has passed: whoever joins is answered at once.
    pub(crate) is_late: bool,
    /// The earlier of the two.
    deadline: Timestamp,
    pub(crate) give_up: Timestamp,
}

/// A query sent to an upstream.
pub(crate) struct Ask {
    /// Whose it is; `None` for a probe.
    pub(crate) pending: Option<u64>,
    pub(crate) upstream: usize,
    pub(crate) transport: Transport,
    pub(crate) id: u16,
    /// Name, type and class, in the case sent.
    pub(crate) question: Box<[u8]>,
    /// It carries an OPT record.
    pub(crate) has_edns: bool,
    /// DNSSEC records are wanted by who asked us.
    pub(crate) dnssec_ok: bool,
    pub(crate) sent: Timestamp,
    /// Packets that arrived for it and were not its answer.
    pub(crate) unwanted: u32,
    /// Its patience ran out and was counted, or the upstream is known to be alive.
    pub(crate) is_settled: bool,
}

/// The tables. Ids are never used twice.
pub(crate) struct Inflight {
    by_key: HashMap<Arc<[u8]>, u64, FixedState>,
    pending: HashMap<u64, Pending, FixedState>,
    asks: HashMap<u64, Ask, FixedState>,
    deadlines: BTreeSet<(Timestamp, u64)>,
    next_id: u64,
}

impl Inflight {
    pub(crate) fn new(hash_seed: u64) -> Self {
        let hasher = || FixedState::with_seed(hash_seed);
        Self {
            by_key: HashMap::with_hasher(hasher()),
            pending: HashMap::with_hasher(hasher()),
            asks: HashMap::with_hasher(hasher()),
            deadlines: BTreeSet::new(),
            next_id: 0,
        }
    }

    /// Questions in flight.
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn find(&self, key: &[u8]) -> Option<u64> {
        self.by_key.get(key).copied()
    }

    /// Adds a question that gives up at `give_up`; `head` is of the query that caused it, which need not wait.
    pub(crate) fn open(
        &mut self,
        key: &[u8],
        question: Box<[u8]>,
        head: &Head<'_>,
        waiter: Option<Waiter>,
        give_up: Timestamp,
        allowed: Mask,
    ) -> u64 {
        let id = self.fresh_id();
        let pending = Pending {
            key: key.into(),
            question,
            dnssec_ok: head.edns.is_some_and(|edns| edns.dnssec_ok),
            checking_disabled: head.flags & crate::wire::CD != 0,
            waiters: waiter.into_iter().collect(),
            held: None,
            held_spans: SignedSpans::default(),
            asks: Vec::new(),
            attempts: 0,
            tried: Mask::default(),
            rejected: Mask::default(),
            was_refused: false,
            allowed,
            held_from: 0,
            bogus: None,
            is_hedging: false,
            case_checked: false,
            attempt_at: give_up,
            stale_at: None,
            is_late: false,
            deadline: give_up,
            give_up,
        };
        self.by_key.insert(Arc::clone(&pending.key), id);
        self.deadlines.insert((give_up, id));
        self.pending.insert(id, pending);
        id
    }

    pub(crate) fn get(&mut self, id: u64) -> Option<&mut Pending> {
        self.pending.get_mut(&id)
    }

    /// Moves the next attempt of a question, never past its end.
    pub(crate) fn set_deadline(&mut self, id: u64, attempt_at: Timestamp) {
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.attempt_at = attempt_at.min(pending.give_up);
            self.sort_in(id);
        }
    }

    /// Sets or ends the client response timer of a question.
    pub(crate) fn set_stale_at(&mut self, id: u64, stale_at: Option<Timestamp>) {
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.stale_at = stale_at;
            self.sort_in(id);
        }
    }

    fn sort_in(&mut self, id: u64) {
        let Some(pending) = self.pending.get_mut(&id) else { return };
        self.deadlines.remove(&(pending.deadline, id));
        pending.deadline = pending.stale_at.map_or(pending.attempt_at, |stale_at| stale_at.min(pending.attempt_at));
        self.deadlines.insert((pending.deadline, id));
    }

    /// Lets a question wait at least until `deadline`, never past its end.
    pub(crate) fn extend_deadline(&mut self, id: u64, deadline: Timestamp) {
        if self.pending.get(&id).is_some_and(|pending| pending.attempt_at < deadline) {
            self.set_deadline(id, deadline);
        }
    }

    /// Takes a question out. Its asks are the caller's to forget.
    pub(crate) fn close(&mut self, id: u64) -> Option<Pending> {
        let pending = self.pending.remove(&id)?;
        self.by_key.remove(&pending.key);
        self.deadlines.remove(&(pending.deadline, id));
        Some(pending)
    }

    /// Registers an ask and names it.
    pub(crate) fn add_ask(&mut self, ask: Ask) -> u64 {
        let id = self.fresh_id();
        if let Some(pending) = ask.pending.and_then(|pending| self.pending.get_mut(&pending)) {
            pending.asks.push(id);
        }
        self.asks.insert(id, ask);
        id
    }

    pub(crate) fn ask(&mut self, id: u64) -> Option<&mut Ask> {
        self.asks.get_mut(&id)
    }

    pub(crate) fn remove_ask(&mut self, id: u64) -> Option<Ask> {
        let ask = self.asks.remove(&id)?;
        if let Some(pending) = ask.pending.and_then(|pending| self.pending.get_mut(&pending)) {
            pending.asks.retain(|other| *other != id);
        }
        Some(ask)
    }

    /// When the next question wants attention.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// A question whose deadline has come.
    pub(crate) fn due(&self, now: Timestamp) -> Option<u64> {
        self.deadlines.first().filter(|(deadline, _)| *deadline <= now).map(|(_, id)| *id)
    }

    fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}
