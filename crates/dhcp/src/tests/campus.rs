//! Random clients of several kinds on several ports, while an operator reloads and takes leases away: classes, caps,
//! shared networks, reservations and probes together, against a plain reference model.

use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};

use model::{LeaseState, Mac};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Bench, SERVER, attendee, behaviours::with, crew, example, mac, sender};
use crate::{
    ClassSettings, DhcpEvent, Effect, Limits, Match, PoolSettings, ProbeSettings, Reservation, ReservationKey,
    Settings,
    client::{self, ClientReply, Request, Sender},
    message::{MessageBuilder, MessageType, RelayAgentInformation},
};

/// More than there are addresses. Every third one is an access point; number modulo three is the port.
const CLIENTS: u16 = 30;
const STEPS: usize = 3_000;
const LEASES_PER_CIRCUIT: u32 = 7;
/// Only for access points.
const FOR_ACCESS_POINTS: std::ops::RangeInclusive<u8> = 10..=12;
/// Reserved for client 7 in every other plan.
const RESERVED: u8 = 18;

fn is_access_point(number: u16) -> bool {
    number.is_multiple_of(3)
}

/// The plans that the operator switches between.
fn plan(variant: usize) -> Settings {
    let mut settings = example();
    let when = vec![vec![Match::VendorClassPrefix(b"Cisco AP".to_vec())]];
    settings.classes = vec![ClassSettings { name: "ap".into(), when, options: Vec::new(), lease: None }];
    let [first, second] = &mut settings.subnets[..] else { unreachable!("two subnets") };
    let last = if variant & 1 == 0 { 19 } else { 16 };
    first.pools = vec![
        PoolSettings { class: Some("ap".into()), ..PoolSettings::common(attendee(10), attendee(12)) },
        PoolSettings::common(attendee(13), attendee(last)),
    ];
    (first.shared_network, second.shared_network) = (Some("hall".into()), Some("hall".into()));
    first.rapid_commit = variant & 2 == 0;
    if variant & 4 == 0 {
        let client = ReservationKey::Mac(mac(7));
        first.reservations =
            vec![Reservation { client, address: attendee(RESERVED), host_name: None, options: Vec::new() }];
    }
    if variant & 8 == 0 {
        settings.probe = ProbeSettings { wait: Duration::from_millis(500), outstanding_max: 3 };
    }
    settings.limits =
        Limits { leases_per_circuit: Some(LEASES_PER_CIRCUIT), offers_per_circuit: Some(4), ..Limits::default() };
    settings
}

struct Campus {
    bench: Bench,
    variant: usize,
    random: ChaCha8Rng,
    /// True time since the start, whatever the wall clock says.
    elapsed: Duration,
    /// By address: who was granted it until when, in true time.
    granted: BTreeMap<Ipv4Addr, (Mac, Duration)>,
    resting: BTreeMap<Ipv4Addr, Duration>,
    offered: BTreeMap<Mac, Ipv4Addr>,
    acks: u64,
}

impl Campus {
    fn new(seed: u64) -> Self {
        Self {
            bench: Bench::new(plan(0)),
            variant: 0,
            random: ChaCha8Rng::seed_from_u64(seed),
            elapsed: Duration::ZERO,
            granted: BTreeMap::new(),
            resting: BTreeMap::new(),
            offered: BTreeMap::new(),
            acks: 0,
        }
    }

    /// Checks what the engine wants done, and answers its probes; the type of the last reply.
    fn take(&mut self) -> Option<MessageType> {
        let mut last = None;
        for effect in std::mem::take(&mut self.bench.effects) {
            match effect {
                Effect::Send(reply) => {
                    let parsed = ClientReply::parse(&reply.bytes).unwrap().unwrap();
                    last = Some(parsed.message_type);
                    self.check(&parsed);
                }
                Effect::Event(DhcpEvent::Bound { lease, renewed }) if !renewed => self.check_cap(&lease),
                Effect::Event(DhcpEvent::Released { lease }) => _ = self.granted.remove(&lease.address),
                Effect::Event(DhcpEvent::Declined { lease }) => {
                    self.granted.remove(&lease.address);
                    self.resting.insert(lease.address, self.elapsed + example().decline_quarantine);
                }
                Effect::Event(_) | Effect::Save(_) => {}
            }
        }
        last
    }

    fn check(&mut self, reply: &ClientReply<'_>) {
        let (address, client) = (reply.yiaddr(), reply.message.mac().unwrap());
        if reply.message_type == MessageType::Nak {
            return;
        }
        let holder = self.granted.get(&address).filter(|(holder, end)| *holder != client && *end > self.elapsed);
        assert_eq!(holder, None, "{address} is held by another client than {client}");
        assert!(self.resting.get(&address).is_none_or(|end| *end <= self.elapsed), "{address} is in quarantine");
        let is_own = self.granted.get(&address).is_some_and(|(holder, end)| *holder == client && *end > self.elapsed);
        let number = u16::from_be_bytes([client.0[4], client.0[5]]);
        let is_for_access_points = FOR_ACCESS_POINTS.into_iter().any(|last| address == attendee(last));
        assert!(is_own || is_access_point(number) || !is_for_access_points, "{address} is not for {client}");
        let is_reserved = address == attendee(RESERVED) && self.variant & 4 == 0;
        assert!(!is_reserved || number == 7, "{address} is reserved: {:?} to {client}", reply.message_type);
        match reply.message_type {
            MessageType::Offer => _ = self.offered.insert(client, address),
            _ => {
                self.acks += 1;
                self.granted.insert(address, (client, self.elapsed + reply.lease_time().unwrap()));
            }
        }
    }

    /// A new lease never takes a port beyond its cap. One that moved there with its client may have.
    fn check_cap(&self, lease: &model::Lease) {
        let beside = self.bench.engine.leases_in_force().filter(|other| {
            other.state == LeaseState::Bound && other.circuit_id == lease.circuit_id && !other.circuit_id.is_empty()
        });
        let is_reserved = lease.address == attendee(RESERVED);
        let count = u32::try_from(beside.count()).unwrap();
        assert!(count <= LEASES_PER_CIRCUIT || is_reserved, "{count} leases behind one port");
    }

    fn send(&mut self, number: u16, bytes: Vec<u8>) -> Option<MessageType> {
        let bytes = if is_access_point(number) { with(bytes, &[(60, b"Cisco AP c9130")]) } else { bytes };
        self.bench.send(&bytes);
        let reply = self.take();
        while let Some(probe) = self.bench.engine.next_probe() {
            if self.random.random_bool(0.3) {
                let is_in_use = self.random.random_bool(0.1);
                self.bench.engine.probe_result(probe.address, is_in_use, self.bench.now);
                self.bench.take_effects();
                self.take();
            }
        }
        reply
    }

    fn step(&mut self) {
        let number = self.random.random_range(0..CLIENTS);
        let circuit_id = format!("port-{}", (number + u16::from(self.random.random_bool(0.02))) % 3).into_bytes();
        let information = RelayAgentInformation { circuit_id, ..RelayAgentInformation::default() }.encode();
        let direct = sender(number);
        let who = Sender { relay: Some(client::Relay { giaddr: attendee(1), information: b"" }), ..direct };
        let relayed = |bytes: Vec<u8>| with(bytes, &[(82, &information)]);
        let own = self.granted.iter().find(|(_, (holder, end))| *holder == who.mac && *end > self.elapsed);
        let own = own.map(|(address, _)| *address);
        let any = match self.random.random_range(0..3) {
            0 => crew(self.random.random_range(99..=110)),
            _ => attendee(self.random.random_range(9..=20)),
        };
        match self.random.random_range(0..100) {
            0..40 => {
                let discover = relayed(client::discover(&who, Some(any)));
                let rapid = self.random.random_bool(0.1);
                self.send(number, if rapid { with(discover, &[(80, b"")]) } else { discover });
            }
            40..60 => {
                let address = self.offered.remove(&who.mac).unwrap_or(any);
                self.send(number, relayed(client::request(&who, Request::Selecting { address, server: SERVER })));
            }
            60..75 => {
                let Some(address) = own else { return };
                let sent = if self.random.random_bool(0.5) { direct } else { who };
                let reply = self.send(number, client::request(&sent, Request::Extending { address }));
                let is_refused = address == attendee(RESERVED) && self.variant & 4 == 0 && number != 7;
                assert!(reply == Some(MessageType::Ack) || is_refused, "{address} is {}'s: {reply:?}", who.mac);
            }
            75..80 => _ = self.send(number, client::release(&who, own.unwrap_or(any), SERVER)),
            80..82 => _ = self.send(number, client::decline(&who, own.unwrap_or(any), SERVER)),
            82..84 => _ = self.send(number, relayed(client::request(&who, Request::Rebooting { address: any }))),
            84..94 => {
                let time = Duration::from_secs(self.random.random_range(1..900));
                self.elapsed += time;
                self.bench.pass(time);
                self.take();
            }
            94..96 => {
                let address = own.unwrap_or(any);
                self.bench.engine.release(address, self.bench.now);
                self.bench.take_effects();
                self.take();
            }
            96 => {
                let step = Duration::from_secs(self.random.random_range(400..200_000));
                let forward = self.random.random_bool(0.5);
                self.bench.now = if forward { self.bench.now + step } else { self.bench.now - step };
                self.bench.pass(Duration::ZERO);
                self.take();
            }
            _ => {
                self.variant = self.random.random_range(0..16);
                let wanted = plan(self.variant);
                let before = self.bench.engine.leases_in_force().count() as u64;
                let preview = self.bench.engine.preview(&wanted);
                self.bench.engine.reconfigure(wanted, self.bench.now).unwrap();
                self.bench.take_effects();
                self.take();
                let refused = preview.leases_refused.len() as u64;
                assert_eq!(preview.leases_kept + preview.leases_outside + refused, before, "{preview}");
                assert_eq!(self.bench.engine.leases_in_force().count() as u64, before);
            }
        }
    }
}

/// No address with two clients, none of a class's pool or reserved for somebody else, no port beyond its cap, nobody
/// refused who extends what it holds: whatever happens.
#[test]
fn a_campus_against_a_reference_model() {
    for seed in 0..12 {
        let mut campus = Campus::new(seed);
        for _ in 0..STEPS {
            campus.step();
            campus.bench.engine.bindings.check_invariants();
        }
        let counters = campus.bench.engine.counters();
        let seen =
            [campus.acks / 100, counters.dropped_over_limit, counters.reloads, counters.conflicts, counters.probes];
        assert!(seen.iter().all(|count| *count > 0), "seed {seed}: the simulation did something: {seen:?}");
    }
}

/// Options that servers look at, and what they may be filled with.
fn any_option() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let code = prop::sample::select(vec![12_u8, 50, 51, 52, 54, 55, 57, 60, 61, 77, 80, 81, 82, 82, 82, 118, 43, 91]);
    let address =
        prop_oneof![Just(SERVER), (8..22_u8).prop_map(attendee), (98..112_u8).prop_map(crew), any::<Ipv4Addr>()];
    let sub_option = (prop::sample::select(vec![1_u8, 2, 5, 11, 19, 200]), prop::collection::vec(any::<u8>(), 0..5));
    let relay = prop::collection::vec(sub_option, 0..4).prop_map(|list| {
        list.into_iter()
            .flat_map(|(code, data)| [vec![code, u8::try_from(data.len()).unwrap()], data].concat())
            .collect()
    });
    let data = prop_oneof![
        3 => address.prop_map(|address| address.octets().to_vec()),
        2 => relay,
        1 => Just(b"Cisco AP".to_vec()),
        1 => Just(Vec::new()),
        2 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    (code, data)
}

/// A message of some type, of one of a few clients, by one of a few ways.
fn any_message() -> impl Strategy<Value = Vec<u8>> {
    let address =
        || prop_oneof![2 => Just(Ipv4Addr::UNSPECIFIED), 2 => (8..22_u8).prop_map(attendee), 1 => Just(SERVER)];
    let options = prop::collection::vec(any_option(), 0..6);
    (0..14_u8, 0..20_u16, address(), address(), options).prop_map(|(kind, number, ciaddr, giaddr, options)| {
        let mut builder = MessageBuilder::request(MessageType::Discover, 1, mac(number));
        builder.ciaddr(ciaddr).giaddr(giaddr);
        for (code, data) in &options {
            builder.option(*code, data);
        }
        let mut bytes = builder.finish(None);
        bytes[242] = kind;
        bytes
    })
}

proptest! {
    /// Whatever strangers say, under whichever plan: no panic, no reply that cannot be read, and the books balance.
    #[test]
    fn strangers_do_no_harm_to_a_campus(
        messages in prop::collection::vec((any_message(), 0..16_usize, 0..700_u64, any::<bool>()), 1..60),
    ) {
        let mut bench = Bench::new(Settings { leasequery_from: vec!["0.0.0.0/0".parse().unwrap()], ..plan(0) });
        for (bytes, variant, time, is_in_use) in messages {
            bench.origin.is_broadcast = is_in_use;
            bench.engine.on_packet(bench.now, &bench.origin, &bytes);
            bench.engine.on_foreign(bench.now, &bench.origin, &bytes);
            bench.take_effects();
            for effect in &bench.effects {
                if let Effect::Send(reply) = effect {
                    prop_assert!(ClientReply::parse(&reply.bytes).unwrap().is_some());
                    prop_assert!(reply.bytes.len() >= 300);
                }
            }
            while let Some(probe) = bench.engine.next_probe() {
                bench.engine.probe_result(probe.address, is_in_use, bench.now);
            }
            if time % 5 == 0 {
                bench.engine.reconfigure(plan(variant), bench.now).unwrap();
            }
            bench.pass(Duration::from_secs(time));
            bench.engine.bindings.check_invariants();
        }
        let counters = bench.engine.counters();
        prop_assert!(counters.dropped() <= counters.packets);
    }
}
