//! One port must not take what others need, and nobody gets an address that somebody sits on.

use std::{net::Ipv4Addr, time::Duration};

use model::LeaseState;

use super::{Bench, HOUR, SERVER, attendee, crew, example, kind, mac, sender};
use crate::{
    ClassSettings, DhcpEvent, Limits, Match, PoolSettings, Probe, ProbeSettings, Settings,
    client::{self, Request},
    message::{MessageType, RelayAgentInformation},
};

fn limited(limits: Limits) -> Bench {
    Bench::new(Settings { limits, ..example() })
}

fn behind(circuit_id: &str) -> Vec<u8> {
    let circuit_id = circuit_id.as_bytes().to_vec();
    RelayAgentInformation { circuit_id, remote_id: b"sw-1".to_vec(), ..RelayAgentInformation::default() }.encode()
}

/// A port has its cap however its clients come by their addresses, and those who have one keep it.
#[test]
fn a_port_cannot_drain_the_pool() {
    let mut bench = limited(Limits { leases_per_circuit: Some(3), ..Limits::default() });
    let information = behind("ge-0/0/1");
    let mut addresses = Vec::new();
    for number in 1..=3 {
        addresses.push(bench.bind(&sender(number).relayed(attendee(1), &information)));
    }
    for number in 4..20 {
        let who = sender(number).relayed(attendee(1), &information);
        assert!(bench.discover(&who).is_none());
        let free = attendee(10 + u8::try_from(number % 10).unwrap());
        assert_ne!(kind(bench.select(&who, free)), Some(MessageType::Ack), "a REQUEST without an OFFER");
    }
    assert_eq!(bench.used(), 3);
    for (number, address) in (1..).zip(&addresses) {
        let who = sender(number).relayed(attendee(1), &information);
        let renewing = client::request(&who, Request::Extending { address: *address });
        assert_eq!(kind(bench.send(&renewing)), Some(MessageType::Ack));
        assert_eq!(bench.discover(&who).map(|offer| offer.yiaddr), Some(*address));
    }
    bench.bind(&sender(50).relayed(attendee(1), &behind("ge-0/0/2")));
}

/// The cap holds also when the offers were all made before the first of them was taken up.
#[test]
fn a_port_cannot_drain_the_pool_by_offers() {
    let mut bench = limited(Limits { leases_per_circuit: Some(3), ..Limits::default() });
    let information = behind("ge-0/0/1");
    let clients: Vec<_> = (1..=8).map(|number| sender(number).relayed(attendee(1), &information)).collect();
    let offers: Vec<_> = clients.iter().map(|who| bench.discover(who).map(|offer| offer.yiaddr)).collect();
    for (who, address) in clients.iter().zip(offers) {
        if let Some(address) = address {
            bench.select(who, address);
        }
    }
    assert_eq!(bench.engine.leases_in_force().count(), 3);
}

/// RFC 2131 section 4.3.3: a port that declines too much burns no more addresses, but its clients, who may be right, do
/// not get the same address over and over.
#[test]
fn a_port_cannot_burn_the_pool_by_declines() {
    let mut bench = limited(Limits { declines_per_circuit_per_hour: Some(2), ..Limits::default() });
    let information = behind("ge-0/0/1");
    let who = sender(1).relayed(attendee(1), &information);
    let mut last = None;
    for round in 0..30 {
        bench.pass(Duration::from_secs(10));
        let address = bench.discover(&who).unwrap().yiaddr;
        assert_ne!(last, Some(address), "round {round}");
        // Every other time it is bound already.
        if round % 2 == 0 {
            bench.select(&who, address);
        }
        bench.send(&client::decline(&who, address, SERVER));
        last = Some(address);
        bench.engine.bindings.check_invariants();
    }
    bench.pass(Duration::from_secs(60));
    let counters = bench.engine.counters();
    assert_eq!((bench.used(), counters.declines, counters.dropped_over_limit), (2, 2, 28));
    bench.bind(&sender(2).relayed(attendee(1), &behind("ge-0/0/2")));
}

/// RFC 2131 section 4.3.3: without option 82 a client has the cap, and however many it makes up, their interface has.
#[test]
fn an_interface_cannot_burn_the_pool_by_declines() {
    let mut settings =
        Settings { limits: Limits { declines_per_circuit_per_hour: Some(2), ..Limits::default() }, ..example() };
    settings.subnets[0].pools = vec![PoolSettings::common(attendee(10), attendee(99))];
    for (is_made_up, want) in [(false, 2), (true, 8)] {
        let mut bench = Bench::new(settings.clone());
        for number in 0..40 {
            let who = sender(if is_made_up { number } else { 0 });
            let address = bench.discover(&who).unwrap().yiaddr;
            bench.select(&who, address);
            bench.send(&client::decline(&who, address, SERVER));
        }
        let counters = bench.engine.counters();
        assert_eq!((counters.declines, counters.dropped_over_limit), (want, 40 - want), "made up: {is_made_up}");
        bench.engine.bindings.check_invariants();
        bench.bind(&sender(100));
    }
}

/// Without a relay agent, option 82 is what the client says: another one each time is no way round the cap.
#[test]
fn made_up_circuits_burn_no_more_of_the_pool() {
    let mut settings =
        Settings { limits: Limits { declines_per_circuit_per_hour: Some(2), ..Limits::default() }, ..example() };
    settings.subnets[0].pools = vec![PoolSettings::common(attendee(10), attendee(99))];
    for (is_made_up, want) in [(false, 2), (true, 8)] {
        let mut bench = Bench::new(settings.clone());
        for number in 0..40 {
            let who = sender(if is_made_up { number } else { 0 });
            let information = behind(&format!("port-{number}"));
            let on_a_port = |message: Vec<u8>| with_option_82(message, &information);
            let address = bench.send(&on_a_port(client::discover(&who, None))).unwrap().yiaddr;
            bench.send(&on_a_port(client::decline(&who, address, SERVER)));
        }
        let counters = bench.engine.counters();
        assert_eq!((counters.declines, counters.dropped_over_limit), (want, 40 - want), "made up: {is_made_up}");
        bench.engine.bindings.check_invariants();
    }
    // A switch that says the port, and is no relay agent, has each port keep to its own cap.
    let mut bench = Bench::new(settings);
    for (number, want) in [(0, 1), (1, 2), (2, 2), (3, 2), (4, 2)] {
        let who = sender(number);
        let on_a_port = |message: Vec<u8>| with_option_82(message, &behind("port-1"));
        let address = bench.send(&on_a_port(client::discover(&who, None))).unwrap().yiaddr;
        bench.send(&on_a_port(client::decline(&who, address, SERVER)));
        assert_eq!(bench.engine.counters().declines, want, "client {number}");
    }
}

/// A message of a client on our own link, with option 82 at its end.
fn with_option_82(mut message: Vec<u8>, information: &[u8]) -> Vec<u8> {
    let end = message.iter().rposition(|&octet| octet == 255).unwrap();
    let length = u8::try_from(information.len()).unwrap();
    message.splice(end..=end, [&[82, length], information, &[255]].concat());
    message
}

/// One client that goes in circles has its own rate, and takes nothing from those that come the same way.
#[test]
fn a_client_in_circles_stops_nobody_else() {
    for information in [b"".to_vec(), behind("ge-0/0/7")] {
        let mut bench = limited(Limits { packets_per_source_per_second: Some(5), ..Limits::default() });
        let looping = client::discover(&sender(1).relayed(attendee(1), &information), None);
        for _ in 0..50_000 {
            bench.send(&looping);
            bench.now = bench.now + Duration::from_micros(20);
        }
        let counters = bench.engine.counters();
        // A burst of four seconds at 5 messages in a second, and what a second brings.
        assert_eq!((counters.discovers, counters.dropped_over_rate), (24, 49_976), "{counters:?}");
        bench.bind(&sender(2).relayed(attendee(1), &information));
    }
}

/// A flood of made-up hardware addresses is stopped at its port, and a client at another one binds.
#[test]
fn a_flood_is_stopped_at_its_port() {
    let limits = Limits { packets_per_source_per_second: Some(5), offers_per_circuit: Some(3), ..Limits::default() };
    let mut bench = limited(limits);
    let (crowded, calm) = (behind("ge-0/0/7"), behind("ge-0/0/8"));
    for number in 0..100_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        let who = client::Sender::new(number, model::Mac([6, 0, 0, a, b, c])).relayed(attendee(1), &crowded);
        bench.send(&client::discover(&who, None));
    }
    let counters = bench.engine.counters();
    // A burst of four seconds at 32 times 5 messages in a second.
    assert_eq!((counters.discovers, counters.dropped_over_circuit_rate, counters.dropped_over_rate), (640, 99_360, 0));
    assert_eq!((counters.offers, counters.dropped_over_limit), (3, 637));
    bench.bind(&sender(1).relayed(attendee(1), &calm));
}

/// Where there is no port to tell, the relay agent's rate keeps the flood from those behind others.
#[test]
fn a_flood_is_stopped_at_its_relay_agent() {
    let mut bench = limited(Limits { packets_per_source_per_second: Some(5), ..Limits::default() });
    for number in 0..100_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        let who = client::Sender::new(number, model::Mac([6, 0, 0, a, b, c])).relayed(attendee(1), b"");
        bench.send(&client::discover(&who, None));
    }
    let counters = bench.engine.counters();
    // A burst of four seconds at 1,024 times 5 messages in a second.
    assert!(counters.dropped_over_ingress_rate >= 79_000, "{counters:?}");
    assert_eq!(counters.dropped_over_circuit_rate, 0);
    bench.bind(&sender(1).relayed(crew(1), b""));
}

/// Asking for addresses of pools that are for others does not use them up.
#[test]
fn strangers_cannot_burn_the_pool_of_a_class() {
    let mut settings = example();
    let when = vec![vec![Match::VendorClassPrefix(b"Cisco AP".to_vec())]];
    settings.classes = vec![ClassSettings { name: "ap".into(), when, options: Vec::new(), lease: None }];
    settings.subnets[0].pools = vec![
        PoolSettings { class: Some("ap".into()), ..PoolSettings::common(attendee(10), attendee(14)) },
        PoolSettings::common(attendee(15), attendee(19)),
    ];
    let mut bench = Bench::new(settings);
    for last in 10..15 {
        let offer = bench.send(&client::discover(&sender(last.into()), Some(attendee(last))));
        assert!(offer.is_some_and(|offer| offer.yiaddr >= attendee(15)), "a common one");
        assert_eq!(kind(bench.select(&sender(50 + u16::from(last)), attendee(last))), Some(MessageType::Nak));
    }
    for number in 100..105 {
        let mut discover = client::discover(&sender(number), None);
        let end = discover.iter().rposition(|&octet| octet == 255).unwrap();
        discover.splice(end..=end, b"\x3c\x08Cisco AP\xff".iter().copied());
        assert!(bench.send(&discover).is_some_and(|offer| offer.yiaddr < attendee(15)), "{number}");
    }
    bench.engine.bindings.check_invariants();
}

fn probing(outstanding_max: usize) -> Bench {
    let probe = ProbeSettings { wait: Duration::from_millis(500), outstanding_max };
    Bench::new(Settings { probe, ..example() })
}

/// RFC 2131 section 3.1 step 2 (B31): the offer waits for the answer of the address, other clients do not.
#[test]
fn an_offer_waits_for_its_probe_and_nobody_else_does() {
    let mut bench = probing(1);
    assert!(bench.discover(&sender(1)).is_none());
    let probe = Probe { address: attendee(10), interface: 2, is_relayed: false, client: Some(sender(1).mac) };
    assert_eq!((bench.engine.next_probe(), bench.engine.next_probe()), (Some(probe), None));
    // No more than so many at once: the second gets its offer without.
    let second = bench.bind(&sender(2));
    assert_eq!((second, bench.engine.counters().probes_skipped), (attendee(11), 1));
    assert_eq!(kind(bench.renew(&sender(2), second)), Some(MessageType::Ack));
    // Asking again makes no second probe and no second answer.
    assert!(bench.discover(&client::Sender { xid: 99, ..sender(1) }).is_none());
    assert_eq!(bench.engine.next_probe(), None);
    bench.pass(Duration::from_millis(500));
    let [crate::Effect::Send(reply)] = bench.effects.as_slice() else { panic!("{:?}", bench.effects) };
    let offer = client::ClientReply::parse(&reply.bytes).unwrap().unwrap();
    assert_eq!((offer.message_type, offer.yiaddr(), offer.xid()), (MessageType::Offer, attendee(10), 99));
    assert_eq!(bench.engine.counters().offers, 2);
    assert_eq!(kind(bench.select(&sender(1), attendee(10))), Some(MessageType::Ack));
    // Its own address needs no probe.
    assert_eq!(bench.discover(&sender(1)).map(|offer| offer.yiaddr), Some(attendee(10)));
    bench.pass(HOUR);
    assert_eq!(bench.engine.counters().probes, 1);
}

/// Somebody is there: the address is in quarantine, and the client gets another one.
#[test]
fn an_address_that_answers_is_not_offered() {
    let mut bench = probing(8);
    bench.discover(&sender(1));
    bench.engine.probe_result(attendee(99), true, bench.now);
    bench.engine.probe_result(attendee(10), true, bench.now);
    bench.take_effects();
    let [lease] = bench.saves()[..] else { panic!("{:?}", bench.effects) };
    assert_eq!((lease.address, lease.state), (attendee(10), LeaseState::Declined));
    assert_eq!(lease.expires, bench.now + example().decline_quarantine);
    assert!(matches!(bench.events()[..], [DhcpEvent::Declined { .. }]));
    assert_eq!(bench.effects.len(), 2, "and no offer");
    assert!(bench.discover(&sender(1)).is_none());
    bench.engine.probe_result(attendee(11), false, bench.now);
    bench.take_effects();
    assert_eq!(bench.effects.len(), 1);
    assert_eq!(kind(bench.select(&sender(1), attendee(11))), Some(MessageType::Ack));
    assert_eq!((bench.engine.counters().probes, bench.engine.counters().conflicts), (2, 1));
    bench.engine.bindings.check_invariants();
}

/// A driver that asks for no probes delays offers, and costs no memory.
#[test]
fn probes_that_nobody_sends_are_bounded() {
    let mut bench = probing(3);
    for number in 0..100 {
        bench.discover(&sender(number));
        bench.pass(Duration::from_secs(70));
    }
    assert_eq!(bench.engine.counters().probes, 100);
    assert_eq!(std::iter::from_fn(|| bench.engine.next_probe()).count(), 3);
}

/// What happens to the address meanwhile makes a late answer void.
#[test]
fn late_answers_are_void() {
    for is_in_use in [false, true] {
        let mut bench = probing(8);
        bench.discover(&sender(1));
        assert_eq!(kind(bench.select(&sender(1), attendee(10))), Some(MessageType::Ack));
        bench.engine.probe_result(attendee(10), is_in_use, bench.now);
        bench.take_effects();
        assert!(bench.effects.is_empty() && bench.engine.lease_of(attendee(10)).is_some());
        assert_eq!(bench.engine.lease_of(attendee(10)).unwrap().state, LeaseState::Bound);
    }
}

/// A clock that steps makes no offer wait for years; a reload loses none.
#[test]
fn probes_survive_clock_steps_and_reloads() {
    let mut bench = probing(8);
    bench.discover(&sender(1));
    bench.engine.reconfigure(Settings { probe: ProbeSettings::default(), ..example() }, bench.now).unwrap();
    bench.now = bench.now - HOUR * 24;
    bench.engine.on_deadline(bench.now);
    bench.take_effects();
    assert_eq!(bench.effects.len(), 1, "the offer");
}

/// An address is not committed at once (RFC 4039) before it is known to be free.
#[test]
fn rapid_commit_waits_for_the_probe() {
    let mut settings = Settings { probe: probing(8).engine.settings.probe.clone(), ..example() };
    settings.subnets[0].rapid_commit = true;
    let mut bench = Bench::new(settings);
    let mut discover = client::discover(&sender(1), None);
    let end = discover.iter().rposition(|&octet| octet == 255).unwrap();
    discover.splice(end..=end, [80, 0, 255]);
    assert!(bench.send(&discover).is_none());
    assert_eq!(bench.engine.leases_in_force().count(), 0);
    bench.pass(Duration::from_secs(1));
    assert!(matches!(bench.effects[..], [crate::Effect::Send(_)]));
    assert_eq!(kind(bench.select(&sender(1), attendee(10))), Some(MessageType::Ack));
    assert_eq!(kind(bench.send(&discover)), Some(MessageType::Ack), "its own address now");
    assert_eq!(attendee(10), Ipv4Addr::new(198, 51, 100, 10));
}

/// Where another server is, as far as can be known: the client that took its offer says behind which port it was, and
/// the server's machine may have had a lease of its own.
#[test]
fn where_a_rogue_server_may_be() {
    let mut bench = Bench::example();
    let port = |circuit_id: &[u8]| RelayAgentInformation {
        circuit_id: circuit_id.to_vec(),
        remote_id: b"sw-1".to_vec(),
        ..RelayAgentInformation::default()
    };
    let (first, second) = (port(b"ge-0/0/7").encode(), port(b"ge-0/0/8").encode());
    let rogue = Ipv4Addr::new(192, 0, 2, 66);
    let victim = sender(1).relayed(attendee(1), &first);
    bench.send(&client::request(&victim, Request::Selecting { address: attendee(10), server: rogue }));
    let told = bench.events().into_iter().find_map(|event| match event {
        DhcpEvent::ForeignServer { server, heard_from, relay, circuit_id, remote_id, .. } => {
            Some((*server, *heard_from, *relay, circuit_id.to_vec(), remote_id.to_vec()))
        }
        _ => None,
    });
    let expected = (rogue, Some(mac(1)), attendee(1), b"ge-0/0/7".to_vec(), b"sw-1".to_vec());
    assert_eq!(told, Some(expected));

    assert_eq!(bench.engine.lease_with_port(mac(2)), None);
    bench.bind(&sender(2));
    assert_eq!(bench.engine.lease_with_port(mac(2)), None, "direct: no port");
    bench.pass(Duration::from_secs(1));
    bench.bind(&sender(2).relayed(attendee(1), &second));
    assert_eq!(*bench.engine.lease_with_port(mac(2)).unwrap().circuit_id, *b"ge-0/0/8");
}

/// A server that goes by several names, or whose relay agent calls it by its own (RFC 5107), is no other server.
#[test]
fn we_are_no_rogue_server() {
    let mut bench = Bench::new(Settings { server_identifier: Ipv4Addr::UNSPECIFIED, ..example() });
    let (first, second) = (bench.origin.local, attendee(2));
    for local in [first, second] {
        bench.origin.local = local;
        bench.discover(&sender(1)).unwrap();
    }
    let by_relay = RelayAgentInformation { server_override: Some(attendee(1)), ..RelayAgentInformation::default() };
    bench.discover(&sender(1).relayed(attendee(1), &by_relay.encode())).unwrap();
    let rogue = Ipv4Addr::new(192, 0, 2, 66);
    for (server, is_told) in [(first, false), (second, false), (attendee(1), false), (rogue, true), (rogue, false)] {
        bench.send(&client::request(&sender(1), Request::Selecting { address: attendee(10), server }));
        let told = bench.events().iter().any(|event| matches!(event, DhcpEvent::ForeignServer { .. }));
        assert_eq!(told, is_told, "{server}");
    }
    assert_eq!(bench.engine.counters().foreign_servers, 2);
}
