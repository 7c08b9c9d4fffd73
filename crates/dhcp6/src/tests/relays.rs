//! Relay agents (RFC 8415 sections 13.1 and 19, RFC 4649, 6221, 6939, 8357).

use super::*;
use crate::{
    SERVER_PORT,
    client::relayed,
    message::{Writer, code},
};

fn behind_relay() -> Bench {
    let mut bench = Bench::example();
    bench.origin = Origin {
        source: SocketAddrV6::new(RELAY, SERVER_PORT, 0, 0),
        local: "2001:db8::547".parse().unwrap(),
        interface: 9,
    };
    bench
}

fn solicit() -> Vec<u8> {
    ClientMessage::solicit(1, &duid(1), 5).to_bytes()
}

#[test]
fn section_19_3_the_answer_goes_back_the_way_it_came() {
    let mut bench = behind_relay();
    let inner = relayed(RELAY, CLIENT, b"port 7", &solicit());
    let mut outer = Writer::relay_forward(1, Ipv6Addr::UNSPECIFIED, crew(2), &inner);
    outer.option(code::INTERFACE_ID, b"uplink");
    let answer = bench.send_bytes(&outer.finish()).unwrap();
    assert_eq!(answer.reply.to, SocketAddrV6::new(RELAY, SERVER_PORT, 0, 0));
    assert_eq!((answer.reply.from, answer.reply.interface), (Some(bench.origin.local), 9));
    assert!(answer.address().is_some_and(|address| (crew(0x100)..=crew(0x109)).contains(&address)));
    let parsed = ServerMessage::parse(&answer.reply.bytes).unwrap().unwrap();
    let relays: Vec<_> = parsed
        .packet
        .relays
        .iter()
        .map(|relay| {
            (relay.is_reply, relay.hop_count, relay.link_address, relay.peer_address, relay.option(code::INTERFACE_ID))
        })
        .collect();
    assert_eq!(
        relays,
        [
            (true, 1, Ipv6Addr::UNSPECIFIED, crew(2), Some(&b"uplink"[..])),
            (true, 0, RELAY, CLIENT, Some(&b"port 7"[..])),
        ]
    );
}

#[test]
fn section_13_1_the_relay_next_to_the_client_that_knows_the_link_decides() {
    let link_local: Ipv6Addr = "fe80::9".parse().unwrap();
    let elsewhere: Ipv6Addr = "2001:db8:ffff::1".parse().unwrap();
    let none = Ipv6Addr::UNSPECIFIED;
    // Inner link, outer link, subnet.
    let table = [
        (crew(1), none, Some(SubnetId(1))),
        (none, crew(1), Some(SubnetId(1))),
        (link_local, crew(1), Some(SubnetId(1))),
        (attendee(1), crew(1), Some(SubnetId(0))),
        (elsewhere, crew(1), None),
        (none, none, None),
    ];
    for (inner, outer, subnet) in table {
        let mut bench = behind_relay();
        let message = relayed(outer, RELAY, b"", &relayed(inner, CLIENT, b"", &solicit()));
        let address = bench.send_bytes(&message).and_then(|answer| answer.address());
        let got =
            address.and_then(|address| bench.engine.subnet_of(address)).map(|index| bench.engine.subnets[index].id);
        assert_eq!(got, subnet, "{inner} {outer}");
        assert_eq!(bench.engine.counters().dropped_unknown_link, u64::from(subnet.is_none()));
    }
}

#[test]
fn rfc_8357_relays_may_use_another_port() {
    for (option, port) in [(Some([0_u8, 0]), 40_000), (None, SERVER_PORT)] {
        let mut bench = behind_relay();
        bench.origin.source.set_port(40_000);
        let mut relay = Writer::relay_forward(0, RELAY, CLIENT, &solicit());
        if let Some(downstream) = option {
            relay.option(code::RELAY_SOURCE_PORT, &downstream);
        }
        let answer = bench.send_bytes(&relay.finish()).unwrap();
        assert_eq!(answer.reply.to.port(), port);
        let parsed = ServerMessage::parse(&answer.reply.bytes).unwrap().unwrap();
        assert_eq!(parsed.packet.relays[0].option(code::RELAY_SOURCE_PORT), option.as_ref().map(|data| &data[..]));
    }
}

#[test]
fn rfc_4649_and_6939_what_relays_say_is_kept_with_the_lease() {
    let mut bench = behind_relay();
    let client = Duid::from_uuid([1; 16]);
    let request = ClientMessage {
        server: Some(server()),
        associations: vec![(5, vec![])],
        ..ClientMessage::new(MessageType::Request, 1, &client)
    };
    let mut relay = Writer::relay_forward(0, RELAY, CLIENT, &request.to_bytes());
    relay.option(code::INTERFACE_ID, &[b'x'; 300]);
    relay.option(code::REMOTE_ID, b"\0\0\0\x09switch-3");
    relay.option(code::CLIENT_LINK_LAYER, &[&[0, 1], &mac(7).0[..]].concat());
    bench.send_bytes(&relay.finish()).unwrap();
    let lease = bench.saved().remove(0);
    assert_eq!((&*lease.interface_id, &*lease.remote_id), (&[b'x'; 255][..], &b"\0\0\0\x09switch-3"[..]));
    assert_eq!(lease.mac, Some(mac(7)));
}

#[test]
fn section_7_6_relays_nest_eight_deep_and_no_deeper() {
    for depth in [1, 8, 9, 40] {
        let mut bench = behind_relay();
        let message = (0..depth).fold(solicit(), |inner, _| relayed(RELAY, CLIENT, b"", &inner));
        assert_eq!(bench.send_bytes(&message).is_some(), depth <= 8, "{depth}");
        assert_eq!(bench.engine.counters().dropped_malformed, u64::from(depth > 8));
    }
}

#[test]
fn replies_of_other_relays_and_senders_without_address_are_dropped() {
    let mut bench = behind_relay();
    let reply = Writer::relay_reply(0, RELAY, CLIENT, &solicit()).finish();
    assert!(bench.send_bytes(&reply).is_none());
    for source in [Ipv6Addr::UNSPECIFIED, MULTICAST] {
        let mut bench = Bench::example();
        bench.origin.source.set_ip(source);
        assert!(bench.send_bytes(&solicit()).is_none());
        assert_eq!(bench.engine.counters().dropped_invalid, 1);
    }
}

#[test]
fn clients_on_link_are_answered_at_their_address_port_546() {
    let mut bench = Bench::example();
    bench.origin.source.set_port(50_000);
    let reply = bench.send_bytes(&solicit()).unwrap().reply;
    assert_eq!(reply.to, SocketAddrV6::new(CLIENT, CLIENT_PORT, 0, INTERFACE));
    assert_eq!((reply.from, reply.interface), (None, INTERFACE));
}
