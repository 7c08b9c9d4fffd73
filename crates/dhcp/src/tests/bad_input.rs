//! What arrives at an open port: every message here is dropped and counted, or answered as its RFC says, and an honest
//! client gets and keeps its address beside it.

use std::{net::Ipv4Addr, time::Duration};

use super::{Bench, attendee, behaviours::with, example, kind, mac, sender};
use crate::{
    Counters, Limits, Settings,
    client::{self, Request, Sender},
    message::{MESSAGE_SIZE_MAX, MessageType, RelayAgentInformation, code},
};

type Count = fn(&Counters) -> u64;

/// The message with raw octets in place of END.
fn then(mut bytes: Vec<u8>, tail: &[u8]) -> Vec<u8> {
    let end = bytes.iter().rposition(|&octet| octet == code::END).unwrap();
    bytes.truncate(end);
    bytes.extend(tail);
    bytes
}

#[test]
fn one_message_at_a_time() {
    let discover = || client::discover(&sender(1), None);
    let pieces =
        |count: usize| then(discover(), &[43, 255].into_iter().chain([7; 255]).collect::<Vec<_>>().repeat(count));
    let looping = || {
        let mut bytes = with(discover(), &[(52, &[3])]);
        for field in [44..108, 108..236] {
            // Overload in an overloaded field, and an option that runs out of it.
            let end = field.end;
            bytes[field.start..field.start + 3].copy_from_slice(&[52, 1, 3]);
            bytes[end - 2..end].copy_from_slice(&[12, 9]);
            bytes[field.start + 3..end - 2].fill(0);
        }
        bytes
    };
    let all_codes: Vec<u8> = (0..=254).collect();
    let long_list = client::discover(&Sender { parameters: &all_codes, ..sender(1) }, None);
    let fqdn_overrun = with(discover(), &[(81, b"\x04\0\0\xff\xff")]);
    let malformed: Count = |counters| counters.dropped_malformed;
    let answered: Count = |counters| counters.offers;
    let table: [(&str, Vec<u8>, Count); 19] = [
        ("nothing", Vec::new(), malformed),
        ("a length past the end", then(discover(), &[12, 200, 1]), malformed),
        ("no length", then(discover(), &[12]), malformed),
        ("no END", then(discover(), &[]), answered),
        ("only PAD behind", then(discover(), &[0; 500]), answered),
        ("overload in overload", looping(), malformed),
        ("overload of an unknown kind", with(discover(), &[(52, &[255])]), malformed),
        ("8 KiB of one option", pieces(32), answered),
        ("64 KiB of one option", pieces(255), malformed),
        ("one octet too long", vec![0; MESSAGE_SIZE_MAX + 1], malformed),
        ("255 parameters", long_list, answered),
        ("an empty parameter list", with(discover(), &[(55, b"")]), answered),
        ("a type of two octets", with(discover(), &[(53, &[1])]), malformed),
        ("an address of three octets", with(discover(), &[(50, &[1, 2, 3])]), malformed),
        ("no identifier in 61", with(discover(), &[(61, b"")]), answered),
        ("a name that overruns its option", fqdn_overrun, answered),
        ("82 that overruns itself", with(discover(), &[(82, &[1, 9, 1])]), malformed),
        ("82 without anything", with(discover(), &[(82, b"")]), answered),
        ("an identifier of 256 octets", with(discover(), &[(61, &[1; 255]), (61, &[1])]), malformed),
    ];
    for (name, bytes, count) in table {
        let mut bench = Bench::example();
        let address = bench.bind(&sender(2));
        let before = count(bench.engine.counters());
        bench.send(&bytes);
        assert_eq!(count(bench.engine.counters()), before + 1, "{name}: {:?}", bench.engine.counters());
        assert_eq!(kind(bench.renew(&sender(2), address)), Some(MessageType::Ack), "{name}");
        bench.bind(&sender(3));
        bench.engine.bindings.check_invariants();
    }
}

/// 100,000 hardware addresses behind one port, half of them taking the lease as well: the port gets what it may have,
/// the other ports what they need, and nothing of the crowd is left an hour later.
#[test]
fn a_crowd_behind_one_port() {
    let limits = Limits { leases_per_circuit: Some(5), offers_per_circuit: Some(3), ..Limits::default() };
    let mut settings = Settings { limits, ..example() };
    settings.subnets[0].rapid_commit = true;
    let mut bench = Bench::new(settings);
    let port = |circuit_id: &[u8]| {
        RelayAgentInformation { circuit_id: circuit_id.to_vec(), ..RelayAgentInformation::default() }.encode()
    };
    let (crowded, calm) = (port(b"7"), port(b"8"));
    let honest = sender(1).relayed(attendee(1), &calm);
    let address = bench.bind(&honest);
    for number in 0..100_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        let who = Sender::new(number, model::Mac([6, 0, 0, a, b, c])).relayed(attendee(1), &crowded);
        let bytes = client::discover(&who, None);
        // Before option 82, which the relay agent adds last.
        let rapid = Sender { relay: Some(client::Relay { giaddr: attendee(1), information: b"" }), ..who };
        let rapid = with(client::discover(&rapid, None), &[(80, b""), (82, &crowded)]);
        bench.send(if number % 2 == 0 { &bytes } else { &rapid });
    }
    let behind = |circuit: &[u8]| {
        let found = bench.engine.circuit_use().find(|found| found.1 == circuit);
        found.map(|(_, _, leases, offers)| (leases, offers))
    };
    // Two were bound before the third offer was out, and while three are out there is nothing more.
    assert_eq!(behind(b"7"), Some((2, 3)));
    assert!(bench.engine.counters().dropped_over_limit > 99_000);
    assert_eq!(kind(bench.send(&client::request(&honest, Request::Extending { address }))), Some(MessageType::Ack));
    bench.bind(&sender(2).relayed(attendee(1), &calm));
    bench.pass(Duration::from_secs(7_200));
    assert_eq!((bench.used(), bench.engine.bindings.slots().len()), (0, 7), "and no more addresses were touched");
    bench.engine.bindings.check_invariants();
}

/// INFORMs allocate nothing and leave nothing, however many.
#[test]
fn an_inform_storm() {
    let mut bench = Bench::example();
    for number in 0..20_000_u16 {
        let answer = bench.send(&client::inform(&sender(number), attendee(200)));
        assert_eq!(kind(answer), Some(MessageType::Ack));
    }
    assert_eq!((bench.used(), bench.engine.bindings.slots().len(), bench.engine.bindings.clients(0)), (0, 0, 0));
    bench.bind(&sender(1));
}

/// Transaction numbers are the clients' own affair: the same one from different clients is not the same client.
#[test]
fn one_transaction_number_for_all() {
    let mut bench = Bench::example();
    let addresses: std::collections::BTreeSet<_> =
        (0..10).map(|number| bench.bind(&Sender { xid: 0, ..sender(number) })).collect();
    assert_eq!(addresses.len(), 10);
}

/// A relay agent that strips, changes or re-orders option 82 on the way is echoed what it says each time; the lease is
/// the client's all the same.
#[test]
fn a_relay_agent_that_cannot_make_up_its_mind() {
    let mut bench = Bench::example();
    let mut last = None;
    for information in [&b"\x01\x01a\x02\x01b"[..], b"\x02\x01b\x01\x01a", b"", b"\x01\x01c", b"\x01\x01a\x02\x01b"] {
        let who = sender(1).relayed(attendee(1), information);
        let address = bench.bind(&who);
        assert!(last.is_none_or(|last| last == address));
        last = Some(address);
        let ack = bench.send(&client::request(&who, Request::Extending { address })).unwrap();
        assert_eq!(ack.option(82).unwrap_or_default(), information);
    }
    let lease = bench.engine.lease_of(last.unwrap()).unwrap();
    assert_eq!((&*lease.circuit_id, &*lease.remote_id), (&b"a"[..], &b"b"[..]));
    assert_eq!(bench.used(), 1);
}

/// One broadcast that two relay agents forward is answered through both, and is one lease.
#[test]
fn two_relay_agents_forward_one_broadcast() {
    let mut bench = Bench::example();
    let through = |giaddr: Ipv4Addr| sender(1).relayed(giaddr, b"");
    let offers = [attendee(1), attendee(2)].map(|giaddr| bench.discover(&through(giaddr)).unwrap());
    assert_eq!(offers[0].yiaddr, offers[1].yiaddr);
    let acks = [attendee(1), attendee(2)].map(|giaddr| bench.select(&through(giaddr), offers[0].yiaddr).unwrap());
    assert!(acks.iter().all(|ack| ack.kind == MessageType::Ack && ack.yiaddr == offers[0].yiaddr));
    assert_ne!(acks[0].reply.destination, acks[1].reply.destination);
    assert_eq!((bench.used(), bench.engine.lease_of(offers[0].yiaddr).unwrap().mac), (1, Some(mac(1))));
}
