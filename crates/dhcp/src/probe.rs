//! Asking whether somebody sits on an address already, before it is offered (RFC 2131 section 3.1 step 2).
//!
//! The offer waits for the answer, nobody else does: it lies here with its deadline while the engine goes on.

use std::{
    collections::{HashMap, VecDeque},
    net::Ipv4Addr,
    time::Duration,
};

use foldhash::{SharedSeed, quality::SeedableRandomState};
use model::{Lease, LeaseState, Mac, Timestamp};

use crate::{
    DhcpEvent, Effect, Engine, Reply,
    bindings::{Hold, SlotId},
    request::Request,
};

/// Whether and how addresses are probed before they are offered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProbeSettings {
    /// How long an offer waits for somebody to answer at its address. Zero = nothing is probed.
    pub wait: Duration,
    /// Probes at one time; beyond it, offers are made without.
    pub outstanding_max: usize,
}

impl Default for ProbeSettings {
    /// No probes.
    fn default() -> Self {
        Self { wait: Duration::ZERO, outstanding_max: 256 }
    }
}

/// An address to be probed now, by ARP on a link of our own, by ICMP echo behind a relay agent. To be answered with
/// [`Engine::probe_result`] when somebody is there; silence needs no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probe {
    /// The address.
    pub address: Ipv4Addr,
    /// Index of the interface the client was heard on, 0 = unknown.
    pub interface: u32,
    /// True: the client is behind a relay agent, where ARP does not reach.
    pub is_relayed: bool,
    /// The client that is to get the address. If it answers itself, that is no conflict.
    pub client: Option<Mac>,
}

/// Offers that wait, at most [`ProbeSettings::outstanding_max`].
#[derive(Debug)]
pub(crate) struct Probes {
    waiting: HashMap<Ipv4Addr, Waiting, SeedableRandomState>,
    /// In order of time; those that were answered are skipped.
    until: VecDeque<(Timestamp, Ipv4Addr)>,
    to_send: VecDeque<Probe>,
}

#[derive(Debug)]
struct Waiting {
    reply: Reply,
    /// What is put on record when the address is in use.
    quarantine: Lease,
    until: Timestamp,
}

impl Probes {
    pub(crate) fn new(seed: u64) -> Self {
        let state = SeedableRandomState::with_seed(seed, SharedSeed::global_fixed());
        Self { waiting: HashMap::with_hasher(state), until: VecDeque::new(), to_send: VecDeque::new() }
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.until.front().map(|&(until, _)| until)
    }

    /// The next address that nobody answered at by `now`.
    fn next_silent(&mut self, now: Timestamp) -> Option<Ipv4Addr> {
        while let Some(&(until, address)) = self.until.front().filter(|(until, _)| *until <= now) {
            self.until.pop_front();
            if self.waiting.get(&address).is_some_and(|waiting| waiting.until == until) {
                return Some(address);
            }
        }
        None
    }

    /// Ends the wait of all; for a clock that stepped.
    fn hurry(&mut self, now: Timestamp) {
        self.until.clear();
        for (address, waiting) in &mut self.waiting {
            waiting.until = now;
            self.until.push_back((now, *address));
        }
        self.until.make_contiguous().sort_unstable();
    }
}

impl Engine {
    /// The next address to probe. To be asked for whenever [`next_effect`](Self::next_effect) is.
    pub fn next_probe(&mut self) -> Option<Probe> {
        self.probes.to_send.pop_front()
    }

    /// What came of a probe. Answers that nobody waits for any more are ignored.
    pub fn probe_result(&mut self, address: Ipv4Addr, is_in_use: bool, now: Timestamp) {
        let now = self.advance(now);
        self.end_probe(address, is_in_use, now);
    }

    /// True when the slot is nobody's now and is to be probed first.
    pub(crate) fn is_probe_due(&self, id: SlotId) -> bool {
        !self.settings.probe.wait.is_zero() && self.bindings.slot(id).hold == Hold::Free
    }

    /// Sends an offer, or keeps it until the address is known to be free. `is_due`: nobody held it before.
    pub(crate) fn send_offer(&mut self, request: &Request<'_>, id: SlotId, reply: Reply, is_due: bool) {
        let address = self.bindings.slot(id).address;
        let before = self.probes.waiting.get(&address).map(|waiting| waiting.until);
        if !is_due && before.is_none() {
            self.counters.offers += 1;
            self.effects.push_back(Effect::Send(reply));
            return;
        }
        if before.is_none() && self.probes.waiting.len() >= self.settings.probe.outstanding_max {
            self.counters.probes_skipped += 1;
            self.counters.offers += 1;
            self.effects.push_back(Effect::Send(reply));
            return;
        }
        let until = before.unwrap_or(request.now + self.settings.probe.wait);
        let quarantine = Lease { state: LeaseState::Declined, ..self.lease(request, id, 0) };
        // A client that asks again meanwhile is answered once, in its last transaction.
        self.probes.waiting.insert(address, Waiting { reply, quarantine, until });
        if before.is_none() {
            self.counters.probes += 1;
            self.probes.until.push_back((until, address));
            // A driver that sends no probes must not make us keep them all.
            if self.probes.to_send.len() >= self.settings.probe.outstanding_max {
                self.probes.to_send.pop_front();
            }
            let is_relayed = !request.view.giaddr().is_unspecified();
            let interface = request.origin.interface;
            self.probes.to_send.push_back(Probe { address, interface, is_relayed, client: request.mac });
        }
    }

    /// Sends what waited long enough.
    pub(crate) fn end_probes(&mut self, now: Timestamp, is_step: bool) {
        if is_step {
            self.probes.hurry(now);
        }
        while let Some(address) = self.probes.next_silent(now) {
            self.end_probe(address, false, now);
        }
    }

    fn end_probe(&mut self, address: Ipv4Addr, is_in_use: bool, now: Timestamp) {
        let Some(waiting) = self.probes.waiting.remove(&address) else { return };
        let offered = self
            .bindings
            .find(address)
            .filter(|&id| self.bindings.slot(id).is_offered_to(&waiting.quarantine.client.0));
        // Meanwhile withdrawn, or taken up by a client that knew it from before.
        let Some(id) = offered else { return };
        if !is_in_use {
            self.counters.offers += 1;
            self.effects.push_back(Effect::Send(waiting.reply));
            return;
        }
        let expires = now + self.settings.decline_quarantine;
        let lease = Lease { starts: now, expires, ..waiting.quarantine };
        self.bindings.quarantine(id, lease.clone());
        self.counters.conflicts += 1;
        self.effects.push_back(Effect::Save(lease.clone()));
        self.effects.push_back(Effect::Event(DhcpEvent::Declined { lease }));
    }
}
