//! B1-B4: where replies go, and which subnet a message is of.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::{selecting, with};
use crate::{
    Destination,
    client::{self, Request, Sender},
    message::{MessageBuilder, MessageType, MessageView, RelayAgentInformation, code},
    tests::{ATTENDEE_INTERFACE, Bench, CREW_GATEWAY, GATEWAY, HOUR, SERVER, attendee, crew, kind, mac, sender},
};

/// RFC 2131 section 4.1: giaddr, then ciaddr, then the broadcast bit, then the hardware address. A NAK is broadcast;
/// through a relay agent it says so in the broadcast bit (section 4.3.2).
#[test]
fn b1_destinations() {
    let interface = ATTENDEE_INTERFACE;
    let relay = |address| Destination::Relay(SocketAddrV4::new(address, 67));
    let hardware = Destination::Hardware { interface, mac: mac(1), address: attendee(10) };
    let broadcast = Destination::Broadcast { interface };
    let unicast = Destination::Unicast(SocketAddrV4::new(attendee(10), 68));
    let direct = sender(1);
    let shouting = Sender { wants_broadcast: true, ..direct };
    for (name, who, offered, renewed, refused) in [
        ("direct", direct, hardware, unicast, broadcast),
        ("broadcast bit", shouting, broadcast, unicast, broadcast),
        ("relayed", direct.relayed(GATEWAY, b""), relay(GATEWAY), relay(GATEWAY), relay(GATEWAY)),
        ("relayed, broadcast bit", shouting.relayed(GATEWAY, b""), relay(GATEWAY), relay(GATEWAY), relay(GATEWAY)),
    ] {
        let mut bench = Bench::example();
        let mut check = |bytes: &[u8], want: (MessageType, Destination)| {
            let answer = bench.send(bytes).unwrap();
            assert_eq!((answer.kind, answer.reply.destination), want, "{name}");
            MessageView::parse(&answer.reply.bytes).unwrap().is_broadcast()
        };
        let is_broadcast = check(&client::discover(&who, None), (MessageType::Offer, offered));
        assert_eq!(is_broadcast, who.wants_broadcast, "{name}: flags are the client's");
        check(&selecting(&who, attendee(10), SERVER), (MessageType::Ack, offered));
        let extending = client::request(&who, Request::Extending { address: attendee(10) });
        check(&extending, (MessageType::Ack, renewed));
        let elsewhere = client::request(&who, Request::Rebooting { address: Ipv4Addr::new(10, 0, 0, 9) });
        let is_broadcast = check(&elsewhere, (MessageType::Nak, refused));
        assert_eq!(is_broadcast, who.wants_broadcast || who.relay.is_some(), "{name}");
    }
}

/// RFC 2131 section 4.1, table 3: to the relay's port 67 from the address asked; its fields come back, hops and secs
/// are zero.
#[test]
fn b2_replies_through_a_relay() {
    let mut bench = Bench::example();
    (bench.origin.source, bench.origin.local) = (SocketAddrV4::new(CREW_GATEWAY, 1_067), attendee(2));
    let mut builder = MessageBuilder::request(MessageType::Discover, 0xfeed, mac(7));
    builder.giaddr(CREW_GATEWAY).hops(3).secs(77).broadcast();
    let asked = builder.finish(None);
    let answer = bench.send(&asked).unwrap();
    assert_eq!(answer.reply.destination, Destination::Relay(SocketAddrV4::new(CREW_GATEWAY, 67)));
    assert_eq!(answer.reply.from, attendee(2));
    let bytes = &answer.reply.bytes;
    assert_eq!(bytes[0], 2);
    for (name, field) in
        [("htype, hlen", 1..3), ("xid", 4..8), ("flags", 10..12), ("giaddr", 24..28), ("chaddr", 28..44)]
    {
        assert_eq!(bytes[field.clone()], asked[field], "{name}");
    }
    assert_eq!((bytes[3], &bytes[8..10]), (0, &[0, 0][..]), "hops, secs");
}

/// RFC 2131 section 4.3.2: a client renews past its relay, so its own address says where it is; not the interface
/// that the datagram came in by.
#[test]
fn b3_a_renewal_from_another_subnet() {
    let mut bench = Bench::example();
    let address = bench.bind(&sender(1).relayed(CREW_GATEWAY, b""));
    assert_eq!(address, crew(100));
    bench.pass(HOUR / 2);
    bench.origin.source = SocketAddrV4::new(address, 68);
    let ack = bench.renew(&sender(1), address).unwrap();
    assert_eq!((ack.kind, ack.yiaddr), (MessageType::Ack, address));
    assert_eq!(ack.reply.destination, Destination::Unicast(SocketAddrV4::new(address, 68)));
    assert_eq!(bench.engine.lease_of(address).unwrap().expires, bench.now + HOUR);
    assert_eq!(bench.used(), 0, "nothing in the interface's own subnet");
}

/// RFC 3527 section 3 before RFC 3011 section 3 before giaddr; the reply goes to giaddr. RFC 5107 section 4: what the
/// relay calls the server is option 54, and is taken for ourselves later.
#[test]
fn b4_link_and_subnet_selection() {
    let link = RelayAgentInformation { link_selection: Some(crew(9)), ..RelayAgentInformation::default() }.encode();
    let to_attendees = (code::SUBNET_SELECTION, &attendee(0).octets()[..]);
    let to_crew = (code::SUBNET_SELECTION, &crew(0).octets()[..]);
    for (information, selection, want) in [
        (&b""[..], None, attendee(10)),
        (&link, None, crew(100)),
        (b"", Some(to_crew), crew(100)),
        (&link, Some(to_attendees), crew(100)),
    ] {
        let mut bench = Bench::example();
        let who = sender(1).relayed(GATEWAY, information);
        // Before option 82, which comes last.
        let plain = client::discover(
            &Sender { relay: who.relay.map(|relay| client::Relay { information: b"", ..relay }), ..who },
            None,
        );
        let options: Vec<_> =
            selection.into_iter().chain((!information.is_empty()).then_some((82, information))).collect();
        let offer = bench.send(&with(plain, &options)).unwrap();
        assert_eq!(offer.yiaddr, want);
        assert_eq!(offer.reply.destination, Destination::Relay(SocketAddrV4::new(GATEWAY, 67)));
    }
    let server = GATEWAY;
    let information = RelayAgentInformation { server_override: Some(server), ..RelayAgentInformation::default() };
    let information = information.encode();
    let who = sender(1).relayed(GATEWAY, &information);
    let mut bench = Bench::example();
    let offer = bench.discover(&who).unwrap();
    assert_eq!(offer.option(code::SERVER_IDENTIFIER), Some(server.octets().to_vec()));
    assert_eq!(kind(bench.send(&selecting(&who, offer.yiaddr, server))), Some(MessageType::Ack));
}
