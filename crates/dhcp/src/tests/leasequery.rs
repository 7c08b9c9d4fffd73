use std::{
    net::{Ipv4Addr, SocketAddrV4},
    sync::Arc,
    time::Duration,
};

use model::{ClientKey, HostName, Lease, LeaseState, SubnetId, Timestamp};

use super::{Bench, SERVER, attendee, example, mac, sender};
use crate::{
    Destination, Effect, Settings,
    client::Sender,
    leasequery::{Known, Question, answer, question},
    message::{HTYPE_ETHERNET, MessageBuilder, MessageType, MessageView, RelayAgentView, code},
};

const RELAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 250);
const NOW: Timestamp = Timestamp::from_secs(1_568_595_600);

fn lease(last: u8, key: &[u8]) -> Lease {
    Lease {
        subnet: SubnetId(0),
        address: attendee(last),
        client: ClientKey(key.into()),
        mac: Some(mac(7)),
        state: LeaseState::Bound,
        starts: NOW - Duration::from_secs(600),
        expires: NOW + Duration::from_secs(3000),
        host_name: HostName::sanitise(b"laptop"),
        circuit_id: Arc::from(&b"ge-0/0/7"[..]),
        remote_id: Arc::from(&b"sw-1"[..]),
    }
}

/// A query as an access concentrator sends it.
fn query(ciaddr: Option<Ipv4Addr>, hardware: (u8, &[u8]), options: &[(u8, &[u8])]) -> Vec<u8> {
    let mut builder = MessageBuilder::request(MessageType::LeaseQuery, 0x4388, mac(1));
    builder.hardware(hardware.0, hardware.1).giaddr(RELAY).ciaddr(ciaddr.unwrap_or(Ipv4Addr::UNSPECIFIED));
    for (code, data) in options {
        builder.option(*code, data);
    }
    builder.finish(None)
}

/// RFC 4388 section 6.3: by address, by client identifier, by hardware address.
#[test]
fn what_is_asked_for() {
    let ethernet = (HTYPE_ETHERNET, &mac(7).0[..]);
    let id = [(code::CLIENT_IDENTIFIER, &b"\x00id"[..])];
    let by_address = Some(Question::Address(attendee(9)));
    for (bytes, want) in [
        (query(Some(attendee(9)), (0, &[]), &[]), by_address),
        (query(Some(attendee(9)), ethernet, &id), by_address),
        (query(None, (0, &[]), &id), Some(Question::ClientIdentifier(b"\x00id"))),
        (query(None, ethernet, &[]), Some(Question::Hardware { htype: 1, chaddr: &mac(7).0 })),
        (query(None, (0, &[]), &[]), None),
        (query(None, (1, &[]), &[]), None),
    ] {
        let view = MessageView::parse(&bytes).unwrap();
        assert_eq!(question(&view), want);
    }
}

/// RFC 4388 section 6.4.1: what is known decides the type.
#[test]
fn the_three_answers() {
    let held = lease(9, b"\x00id");
    let (unknown, unassigned) = (MessageType::LeaseUnknown, MessageType::LeaseUnassigned);
    let ethernet = (HTYPE_ETHERNET, &mac(7).0[..]);
    for (ciaddr, is_ours, leases, want) in [
        (Some(attendee(9)), true, &[&held][..], MessageType::LeaseActive),
        (Some(attendee(9)), true, &[], unassigned),
        (Some(attendee(9)), false, &[], unknown),
        (None, true, &[&held], MessageType::LeaseActive),
        (None, true, &[], unknown),
    ] {
        let bytes = query(ciaddr, if ciaddr.is_some() { (0, &[]) } else { ethernet }, &[]);
        let asked = MessageView::parse(&bytes).unwrap();
        let reply = answer(&asked, SERVER, NOW, &Known { is_ours, leases }, |_| None);
        let view = MessageView::parse(&reply).unwrap();
        assert_eq!((view.message_type(), view.op(), view.xid()), (Some(want), 2, 0x4388));
        assert_eq!((view.giaddr(), view.address_option(code::SERVER_IDENTIFIER)), (RELAY, Some(SERVER)));
        assert_eq!(view.yiaddr(), Ipv4Addr::UNSPECIFIED);
        if want == MessageType::LeaseActive {
            assert_eq!((view.ciaddr(), view.mac()), (attendee(9), Some(mac(7))));
        } else {
            let codes: Vec<u8> = view.options().map(|option| option.0).collect();
            assert_eq!(codes, [code::MESSAGE_TYPE, code::SERVER_IDENTIFIER], "{want:?}: no lease, no options");
        }
    }
}

fn told(reply: &[u8], code: u8) -> Option<Vec<u8>> {
    MessageView::parse(reply).unwrap().option(code).map(<[u8]>::to_vec)
}

/// RFC 4388 sections 6.1 and 6.4.2: times count from now; circuit and remote id come back as option 82; 92 lists all
/// addresses; option 55 says what is wanted.
#[test]
fn what_is_told_of_a_lease() {
    let (held, other) = (lease(9, b"\x00\x01id"), lease(10, b"\x00\x01id"));
    let known = Known { is_ours: true, leases: &[&held, &other] };
    let ask = |options: &[(u8, &[u8])]| {
        let bytes = query(Some(attendee(9)), (0, &[]), options);
        let routers = GATEWAY_OCTETS;
        answer(&MessageView::parse(&bytes).unwrap(), SERVER, NOW, &known, |code| (code == 3).then_some(routers))
    };
    let whole = ask(&[]);
    for (code, want) in [
        (code::LEASE_TIME, &3000_u32.to_be_bytes()[..]),
        (code::RENEWAL_TIME, &1200_u32.to_be_bytes()),
        (code::REBINDING_TIME, &2550_u32.to_be_bytes()),
        (code::CLIENT_LAST_TRANSACTION_TIME, &600_u32.to_be_bytes()),
        (code::CLIENT_IDENTIFIER, b"\x01id"),
        (code::ASSOCIATED_IP, &[198, 51, 100, 9, 198, 51, 100, 10]),
    ] {
        assert_eq!(told(&whole, code).as_deref(), Some(want), "{code}");
    }
    let information = told(&whole, code::RELAY_AGENT_INFORMATION).unwrap();
    let relay = RelayAgentView::parse(&information).unwrap();
    assert_eq!((relay.circuit_id, relay.remote_id), (&b"ge-0/0/7"[..], &b"sw-1"[..]));
    let some = ask(&[(code::PARAMETER_LIST, &[12, 3, 3, 54, 0, 255, 77])]);
    assert_eq!((told(&some, 12), told(&some, 3)), (Some(b"laptop".to_vec()), Some(GATEWAY_OCTETS.to_vec())));
    for code in [code::RENEWAL_TIME, code::CLIENT_IDENTIFIER, code::ASSOCIATED_IP, code::RELAY_AGENT_INFORMATION] {
        assert_eq!(told(&some, code), None, "{code} was not asked for");
    }
}

const GATEWAY_OCTETS: &[u8] = &[198, 51, 100, 1];

/// A lease for ever, of a client without identifier and not on Ethernet.
#[test]
fn the_other_kinds_of_lease() {
    let mut held = lease(9, &[1, 32, 1, 2, 3]);
    (held.mac, held.expires, held.circuit_id, held.remote_id) = (None, Timestamp::MAX, Arc::from([]), Arc::from([]));
    let bytes = query(Some(attendee(9)), (0, &[]), &[]);
    let asked = MessageView::parse(&bytes).unwrap();
    let reply = answer(&asked, SERVER, NOW, &Known { is_ours: true, leases: &[&held] }, |_| None);
    let view = MessageView::parse(&reply).unwrap();
    assert_eq!((view.htype(), view.chaddr()), (32, &[1, 2, 3][..]));
    assert_eq!(view.option(code::LEASE_TIME), Some(&[255; 4][..]));
    for code in [code::RENEWAL_TIME, code::CLIENT_IDENTIFIER, code::RELAY_AGENT_INFORMATION, code::ASSOCIATED_IP] {
        assert_eq!(view.option(code), None, "{code}");
    }
}

/// RFC 4388 sections 6.4 and 7: asked through the engine; only who may ask is answered, at its `giaddr`.
#[test]
fn who_may_ask_is_answered() {
    for (from, source, is_answered) in [
        (Some("192.0.2.0/24"), RELAY, true),
        (Some("192.0.2.0/24"), Ipv4Addr::new(203, 0, 113, 9), false),
        (Some("203.0.113.0/24"), RELAY, false),
        (None, RELAY, false),
    ] {
        let leasequery_from = from.iter().map(|net| net.parse().unwrap()).collect();
        let mut bench = Bench::new(Settings { leasequery_from, ..example() });
        let address = bench.bind(&sender(7));
        bench.origin.source = SocketAddrV4::new(source, 67);
        for (ciaddr, hardware, want) in [
            (Some(address), (0, &[][..]), MessageType::LeaseActive),
            (Some(attendee(19)), (0, &[]), MessageType::LeaseUnassigned),
            (Some(Ipv4Addr::new(10, 0, 0, 1)), (0, &[]), MessageType::LeaseUnknown),
            (None, (HTYPE_ETHERNET, &mac(7).0), MessageType::LeaseActive),
            (None, (HTYPE_ETHERNET, &mac(8).0), MessageType::LeaseUnknown),
        ] {
            bench.engine.on_packet(bench.now, &bench.origin, &query(ciaddr, hardware, &[]));
            bench.take_effects();
            let [Effect::Send(reply)] = &bench.effects[..] else {
                assert!(!is_answered && bench.effects.is_empty(), "{from:?} {source}");
                continue;
            };
            assert!(is_answered, "{from:?} {source}");
            assert_eq!(MessageView::parse(&reply.bytes).unwrap().message_type(), Some(want));
            assert_eq!(reply.destination, Destination::Relay(SocketAddrV4::new(RELAY, 67)));
        }
        let counters = bench.engine.counters();
        let (told, refused) = if is_answered { (5, 0) } else { (0, 5) };
        assert_eq!((counters.leasequeries, counters.dropped_not_permitted), (told, refused), "{from:?} {source}");
    }
}

/// RFC 4388 section 6.4: by whatever the client is known, also when it is known by an identifier of its own making; a
/// lease that is over is nobody's.
#[test]
fn clients_are_found() {
    let mut bench = Bench::new(Settings { leasequery_from: vec!["192.0.2.0/24".parse().unwrap()], ..example() });
    let ethernet = [&[1], &mac(2).0[..]].concat();
    let plain = bench.bind(&sender(1));
    let by_ethernet = bench.bind(&Sender { client_identifier: Some(&ethernet), ..sender(2) });
    let by_name = bench.bind(&Sender { client_identifier: Some(b"\xffname"), ..sender(3) });
    bench.origin.source = SocketAddrV4::new(RELAY, 67);
    let mut ask = |hardware: (u8, &[u8]), options: &[(u8, &[u8])]| {
        bench.engine.on_packet(bench.now, &bench.origin, &query(None, hardware, options));
        bench.take_effects();
        let [Effect::Send(reply)] = &bench.effects[..] else { panic!("{:?}", bench.effects) };
        let view = MessageView::parse(&reply.bytes).unwrap();
        (view.message_type().unwrap() == MessageType::LeaseActive).then(|| view.ciaddr())
    };
    for (number, want) in [(1, Some(plain)), (2, Some(by_ethernet)), (3, Some(by_name)), (4, None)] {
        assert_eq!(ask((HTYPE_ETHERNET, &mac(number).0), &[]), want, "{number}");
    }
    assert_eq!(ask((0, &[]), &[(code::CLIENT_IDENTIFIER, b"\xffname")]), Some(by_name));
    assert_eq!(ask((0, &[]), &[(code::CLIENT_IDENTIFIER, b"\xffother")]), None);
    bench.pass(Duration::from_secs(7_200));
    bench.engine.on_packet(bench.now, &bench.origin, &query(Some(plain), (0, &[]), &[]));
    bench.take_effects();
    let [Effect::Send(reply)] = &bench.effects[..] else { panic!("{:?}", bench.effects) };
    let kind = MessageView::parse(&reply.bytes).unwrap().message_type();
    assert_eq!(kind, Some(MessageType::LeaseUnassigned));
}
