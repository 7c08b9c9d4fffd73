use std::net::{Ipv4Addr, SocketAddrV4};

use super::{Bench, CREW_GATEWAY, GATEWAY, SERVER, attendee, crew, kind, sender};
use crate::{
    Destination,
    client::{self, Request},
    message::{FLAG_BROADCAST, MessageType, MessageView, RelayAgentInformation, code},
};

/// RFC 2131 section 4.1: replies go to port 67 of the relay, from the address that was asked.
#[test]
fn replies_go_to_the_relay() {
    let mut bench = Bench::example();
    bench.origin.source = SocketAddrV4::new(CREW_GATEWAY, 1067);
    let who = sender(1).relayed(CREW_GATEWAY, b"");
    let offer = bench.discover(&who).unwrap();
    assert_eq!(offer.yiaddr, crew(100));
    assert_eq!(offer.reply.destination, Destination::Relay(SocketAddrV4::new(CREW_GATEWAY, 67)));
    let view = MessageView::parse(&offer.reply.bytes).unwrap();
    assert_eq!((view.giaddr(), view.xid(), view.hops(), view.secs()), (CREW_GATEWAY, who.xid, 0, 0));
    assert_eq!((view.mac(), view.flags()), (Some(who.mac), 0));
    let ack = bench.select(&who, offer.yiaddr).unwrap();
    assert_eq!(ack.reply.destination, Destination::Relay(SocketAddrV4::new(CREW_GATEWAY, 67)));
}

/// RFC 8357: with sub-option 19 the reply goes to the port that the relay sent from.
#[test]
fn replies_go_to_the_relays_source_port() {
    let mut bench = Bench::example();
    bench.origin.source = SocketAddrV4::new(CREW_GATEWAY, 40_067);
    let information = RelayAgentInformation { source_port: true, ..RelayAgentInformation::default() }.encode();
    assert_eq!(information, [19, 0]);
    let offer = bench.discover(&sender(1).relayed(CREW_GATEWAY, &information)).unwrap();
    assert_eq!(offer.reply.destination, Destination::Relay(SocketAddrV4::new(CREW_GATEWAY, 40_067)));
    assert_eq!(offer.option(code::RELAY_AGENT_INFORMATION), Some(information));
}

/// RFC 3527 section 3, RFC 3011 section 3: link selection, then subnet selection, then giaddr choose the subnet;
/// the reply goes to giaddr all the same.
#[test]
fn subnet_choice() {
    let link = |address: Ipv4Addr| {
        RelayAgentInformation { link_selection: Some(address), ..RelayAgentInformation::default() }.encode()
    };
    for (information, selection, giaddr, want) in [
        (vec![], None, GATEWAY, Some(attendee(10))),
        (link(crew(1)), None, GATEWAY, Some(crew(100))),
        (vec![], Some(crew(0)), GATEWAY, Some(crew(100))),
        (link(attendee(1)), Some(crew(0)), CREW_GATEWAY, Some(attendee(10))),
        (link(Ipv4Addr::UNSPECIFIED), None, GATEWAY, None),
        (link(Ipv4Addr::BROADCAST), None, GATEWAY, None),
        (vec![], Some(Ipv4Addr::new(10, 0, 0, 0)), GATEWAY, None),
    ] {
        let mut bench = Bench::example();
        let mut builder = crate::message::MessageBuilder::request(MessageType::Discover, 1, super::mac(1));
        builder.giaddr(giaddr);
        if let Some(subnet) = selection {
            builder.option(code::SUBNET_SELECTION, &subnet.octets());
        }
        let answer = bench.send(&builder.finish(Some(&information)));
        let case = (information, selection, giaddr);
        assert_eq!(answer.as_ref().map(|offer| offer.yiaddr), want, "{case:?}");
        let Some(offer) = answer else {
            assert_eq!(bench.engine.counters().dropped_unknown_subnet, 1, "{case:?}");
            continue;
        };
        assert_eq!(offer.reply.destination, Destination::Relay(SocketAddrV4::new(giaddr, 67)), "{case:?}");
    }
}

/// RFC 2131 section 4.3.1: direct clients belong to the subnet of the interface, else of the address they reached.
#[test]
fn subnet_of_direct_clients() {
    let mut bench = Bench::example();
    assert_eq!(bench.discover(&sender(1)).unwrap().yiaddr, attendee(10));
    (bench.origin.interface, bench.origin.local) = (0, crew(1));
    assert_eq!(bench.discover(&sender(2)).unwrap().yiaddr, crew(100));
    bench.origin.local = SERVER;
    assert!(bench.discover(&sender(3)).is_none());
}

/// RFC 5107 section 4: the relay's word is option 54, and is accepted when the client says it.
#[test]
fn server_identifier_override() {
    let mut bench = Bench::example();
    let server = crew(1);
    let information = RelayAgentInformation { server_override: Some(server), ..RelayAgentInformation::default() };
    let information = information.encode();
    let who = sender(1).relayed(CREW_GATEWAY, &information);
    let offer = bench.discover(&who).unwrap();
    assert_eq!(offer.option(code::SERVER_IDENTIFIER), Some(server.octets().to_vec()));
    let address = offer.yiaddr;
    assert_eq!(kind(bench.select(&who, address)), None, "our own identifier was not what we said");
    let request = client::request(&who, Request::Selecting { address, server });
    assert_eq!(kind(bench.send(&request)), Some(MessageType::Ack));
    bench.send(&client::release(&who, address, server));
    assert_eq!(bench.engine.counters().releases, 1);
}

/// RFC 3046 section 2.2: option 82 comes back byte for byte and last, in every reply; never if it did not come.
#[test]
fn option_82_is_echoed_last() {
    fn check(name: &str, answer: Option<super::Answer>, kind: MessageType, information: &[u8]) {
        let answer = answer.unwrap();
        assert_eq!(answer.kind, kind, "{name}");
        let mut end = vec![code::RELAY_AGENT_INFORMATION, u8::try_from(information.len()).unwrap()];
        end.extend(information);
        end.push(code::END);
        let bytes = &answer.reply.bytes;
        let at = bytes.windows(end.len()).rposition(|window| window == end).unwrap_or_else(|| panic!("{name}"));
        assert!(bytes[at + end.len()..].iter().all(|&octet| octet == 0), "{name}");
    }
    // Not in order, repeated, unknown and empty sub-options.
    let information = [9, 3, 1, 2, 3, 2, 1, b'r', 1, 2, b'c', b'c', 1, 1, b'd', 200, 0];
    let long: Vec<u8> = [1, 253].into_iter().chain([b'x'; 253]).collect();
    for information in [&information[..], &long, &[]] {
        let mut bench = Bench::example();
        let wire = |who: &client::Sender<'_>, bytes: Vec<u8>| {
            // An empty option 82 is added by hand, as the client side leaves it out.
            if !information.is_empty() {
                return bytes;
            }
            let mut builder = crate::message::MessageBuilder::request(MessageType::Discover, who.xid, who.mac);
            builder.giaddr(GATEWAY);
            builder.finish(Some(&[]))
        };
        let who = sender(1).relayed(GATEWAY, information);
        check("OFFER", bench.send(&wire(&who, client::discover(&who, None))), MessageType::Offer, information);
        if information.is_empty() {
            continue;
        }
        check("ACK", bench.select(&who, attendee(10)), MessageType::Ack, information);
        check("renewal", bench.renew(&who, attendee(10)), MessageType::Ack, information);
        check("NAK", bench.reboot(&who, attendee(12)), MessageType::Nak, information);
        check("INFORM", bench.send(&client::inform(&who, attendee(99))), MessageType::Ack, information);
    }
    let mut bench = Bench::example();
    assert_eq!(bench.discover(&sender(1)).unwrap().option(code::RELAY_AGENT_INFORMATION), None);
}

/// RFC 2131 section 4.3.2: a NAK through a relay has the broadcast bit set, so that the client hears it.
#[test]
fn a_relayed_nak_is_to_be_broadcast() {
    let mut bench = Bench::example();
    let nak = bench.reboot(&sender(1).relayed(CREW_GATEWAY, b""), attendee(10)).unwrap();
    assert_eq!(nak.kind, MessageType::Nak, "moved to another VLAN");
    assert_eq!(nak.reply.destination, Destination::Relay(SocketAddrV4::new(CREW_GATEWAY, 67)));
    let view = MessageView::parse(&nak.reply.bytes).unwrap();
    assert_eq!(view.flags(), FLAG_BROADCAST);
    assert_eq!(
        (view.ciaddr(), view.yiaddr(), view.siaddr()),
        (Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED)
    );
    assert_eq!((nak.option(code::LEASE_TIME), nak.option(code::SUBNET_MASK)), (None, None));
}

/// RFC 2131 section 4.3: two relays that forward one broadcast are both answered, with one address.
#[test]
fn a_broadcast_through_two_relays_is_one_lease() {
    let mut bench = Bench::example();
    let first = bench.discover(&sender(1).relayed(attendee(2), b"\x01\x01a")).unwrap();
    let second = bench.discover(&sender(1).relayed(attendee(3), b"\x01\x01b")).unwrap();
    assert_eq!(first.yiaddr, second.yiaddr);
    assert_ne!(first.reply.destination, second.reply.destination);
    assert_eq!(bench.used(), 1);
}

/// RFC 2131 section 4.3.1: the same client on two links has a lease on each.
#[test]
fn a_client_that_moves_keeps_both_leases() {
    let mut bench = Bench::example();
    let here = bench.bind(&sender(1));
    let there = bench.bind(&sender(1).relayed(CREW_GATEWAY, b""));
    assert_eq!((here, there), (attendee(10), crew(100)));
    assert_eq!(bench.bind(&sender(1)), here);
}
