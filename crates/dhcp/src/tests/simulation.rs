//! Random clients, loss, duplicates, restarts and clock steps against a plain reference model: who was told what.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    time::Duration,
};

use model::{Lease, Mac};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Bench, SERVER, example, mac, sender};
use crate::{
    DhcpEvent, Effect,
    client::{self, ClientReply, Request},
    message::MessageType,
};

/// More clients than addresses, so that the pool is full time and again.
const CLIENTS: u16 = 16;
const STEPS: usize = 4_000;

/// What clients believe, by the ACKs that they heard or might have heard.
#[derive(Default)]
struct Reference {
    /// By address: who was granted it, and the simulation's own time at which the grant ends.
    granted: BTreeMap<Ipv4Addr, (Mac, Duration)>,
    /// By address: in quarantine until then.
    resting: BTreeMap<Ipv4Addr, Duration>,
    /// What the disk holds, in order of writing.
    journal: Vec<Lease>,
    /// Addresses saved since the last reply.
    saved: BTreeSet<Ipv4Addr>,
}

impl Reference {
    /// Takes note of what the engine wants done, and checks it.
    fn check(&mut self, effect: &Effect, elapsed: Duration, quarantine: Duration) {
        match effect {
            Effect::Save(lease) => {
                self.journal.push(lease.clone());
                self.saved.insert(lease.address);
            }
            Effect::Send(reply) => {
                let parsed = ClientReply::parse(&reply.bytes).unwrap().unwrap();
                if matches!(parsed.message_type, MessageType::Offer | MessageType::Ack) {
                    self.check_address(&parsed, elapsed);
                }
                if parsed.message_type == MessageType::Ack {
                    assert!(reply.needs_save && self.saved.contains(&parsed.yiaddr()), "an ACK without its save");
                    let end = elapsed + parsed.lease_time().unwrap();
                    self.granted.insert(parsed.yiaddr(), (parsed.message.mac().unwrap(), end));
                }
                self.saved.clear();
            }
            Effect::Event(DhcpEvent::Declined { lease }) => {
                self.granted.remove(&lease.address);
                self.resting.insert(lease.address, elapsed + quarantine);
            }
            Effect::Event(DhcpEvent::Released { lease }) => _ = self.granted.remove(&lease.address),
            Effect::Event(_) => {}
        }
    }

    fn check_address(&self, reply: &ClientReply<'_>, elapsed: Duration) {
        let (address, mac) = (reply.yiaddr(), reply.message.mac().unwrap());
        let holder = self.granted.get(&address).filter(|(holder, end)| *holder != mac && *end > elapsed);
        assert_eq!(holder, None, "{address} is held by another client than {mac}");
        let rests = self.resting.get(&address).is_some_and(|end| *end > elapsed);
        assert!(!rests, "{address} is in quarantine");
        assert!(example().subnets[0].pools[0].first <= address && address <= example().subnets[0].pools[0].last);
    }
}

struct Simulation {
    bench: Bench,
    reference: Reference,
    /// True time since the start, whatever the wall clock says.
    elapsed: Duration,
    random: ChaCha8Rng,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        Self {
            bench: Bench::example(),
            reference: Reference::default(),
            elapsed: Duration::ZERO,
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    fn take(&mut self) {
        for effect in std::mem::take(&mut self.bench.effects) {
            self.reference.check(&effect, self.elapsed, example().decline_quarantine);
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        // Lost on the way, or forwarded twice.
        for _ in 0..[0, 1, 1, 1, 2][self.random.random_range(0..5)] {
            self.bench.send(bytes);
            self.take();
        }
    }

    fn any_address(&mut self) -> Ipv4Addr {
        let known: Vec<_> = self.reference.granted.keys().copied().collect();
        match self.random.random_range(0..4) {
            0 => super::attendee(self.random.random_range(0..=255)),
            1 => super::crew(self.random.random_range(100..110)),
            _ if known.is_empty() => super::attendee(10),
            _ => known[self.random.random_range(0..known.len())],
        }
    }

    fn step(&mut self) {
        let who = sender(self.random.random_range(0..CLIENTS));
        let own = self.reference.granted.iter().find(|(_, grant)| grant.0 == who.mac).map(|(address, _)| *address);
        let other = self.any_address();
        let address = own.filter(|_| self.random.random_bool(0.8)).unwrap_or(other);
        match self.random.random_range(0..100) {
            0..30 => {
                self.bench.send(&client::discover(&who, Some(address).filter(|_| own.is_none())));
                let offered = self.bench.effects.iter().find_map(|effect| match effect {
                    Effect::Send(reply) => Some(ClientReply::parse(&reply.bytes).unwrap().unwrap().yiaddr()),
                    Effect::Save(_) | Effect::Event(_) => None,
                });
                self.take();
                if let Some(address) = offered.filter(|_| self.random.random_bool(0.8)) {
                    self.send(&client::request(&who, Request::Selecting { address, server: SERVER }));
                }
            }
            30..50 => self.send(&client::request(&who, Request::Extending { address })),
            50..60 => self.send(&client::request(&who, Request::Rebooting { address })),
            60..65 => self.send(&client::request(&who, Request::Selecting { address, server: SERVER })),
            65..72 => self.send(&client::release(&who, address, SERVER)),
            72..75 => self.send(&client::decline(&who, address, SERVER)),
            75..97 => {
                let time = Duration::from_secs(self.random.random_range(1..600));
                // The truth about grants at their end is the engine's later clock, so time passes for both at once.
                self.elapsed += time;
                self.bench.pass(time);
                self.take();
            }
            97..99 => {
                let step = Duration::from_secs(self.random.random_range(400..200_000));
                let forward = self.random.random_bool(0.5);
                self.bench.now = if forward { self.bench.now + step } else { self.bench.now - step };
                self.bench.pass(Duration::ZERO);
                self.take();
            }
            _ => self.restart(),
        }
    }

    /// Power is cut: all that is left is what was saved.
    fn restart(&mut self) {
        let (now, mut next) = (self.bench.now, Bench::example());
        next.now = now;
        let mut latest: BTreeMap<Ipv4Addr, usize> = BTreeMap::new();
        for (index, lease) in self.reference.journal.iter().enumerate() {
            latest.insert(lease.address, index);
        }
        // Compacted: only the last record of each address is left, in the order of writing.
        let mut kept: Vec<usize> = latest.into_values().collect();
        kept.sort_unstable();
        self.reference.journal = kept.into_iter().map(|index| self.reference.journal[index].clone()).collect();
        for lease in &self.reference.journal {
            next.engine.restore(lease.clone(), now);
        }
        self.bench = next;
    }
}

/// No address with two clients at once, none out of quarantine early, no ACK before its save; whatever happens.
#[test]
fn random_clients_against_a_reference_model() {
    for seed in 0..24 {
        let mut simulation = Simulation::new(seed);
        for _ in 0..STEPS {
            simulation.step();
            simulation.bench.engine.bindings.check_invariants();
        }
        let unique: BTreeSet<_> = simulation.reference.journal.iter().map(|lease| lease.client.clone()).collect();
        assert!(unique.len() >= usize::from(CLIENTS) / 2, "seed {seed}: the simulation did something");
    }
}

/// The same seed and input: the same output, byte for byte.
#[test]
fn the_engine_is_deterministic() {
    let run = || {
        let mut simulation = Simulation::new(3);
        for _ in 0..500 {
            simulation.step();
        }
        simulation.reference.journal
    };
    assert_eq!(run(), run());
    assert_ne!(mac(1), mac(2));
}

/// A thousand strangers on a full pool cost the same as on an empty one: nothing is scanned. Counted, not timed:
/// after them, the table holds not one slot more.
#[test]
fn strangers_on_a_full_pool_leave_no_trace() {
    let mut bench = Bench::example();
    for number in 0..10 {
        bench.bind(&sender(number));
    }
    for number in 100..1_100 {
        assert!(bench.discover(&sender(number)).is_none());
    }
    assert_eq!(bench.engine.bindings.slots().len(), 10);
    assert_eq!(bench.engine.leases().count(), 10);
}

/// A flood of random hardware addresses is forgotten when its offers lapse.
#[test]
fn clients_that_never_request_are_forgotten() {
    let mut bench = Bench::example();
    for number in 100..200 {
        bench.discover(&sender(number));
        bench.pass(Duration::from_secs(7));
    }
    assert!(bench.engine.bindings.clients(0) <= 10);
    bench.pass(Duration::from_secs(60));
    bench.engine.bindings.check_invariants();
    assert_eq!((bench.engine.bindings.clients(0), bench.used()), (0, 0));
}
