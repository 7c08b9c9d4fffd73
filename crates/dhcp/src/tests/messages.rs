use std::net::Ipv4Addr;

use model::{LeaseState, Mac};

use super::{ATTENDEE_INTERFACE, Bench, HOUR, SERVER, attendee, example, kind, mac, sender};
use crate::{
    Destination, DhcpEvent, Effect, Settings,
    client::{self, Request},
    message::{MessageBuilder, MessageType, code},
};

/// RFC 2131 section 3.1 step 4: the binding is stored before the ACK leaves.
#[test]
fn the_save_comes_before_its_ack() {
    let mut bench = Bench::example();
    let offer = bench.discover(&sender(1)).unwrap();
    assert_eq!(offer.kind, MessageType::Offer);
    assert!(!offer.reply.needs_save && bench.saves().is_empty(), "offers live in memory only");
    bench.select(&sender(1), offer.yiaddr).unwrap();
    let [Effect::Save(lease), Effect::Send(reply), Effect::Event(DhcpEvent::Bound { lease: told, renewed: false })] =
        bench.effects.as_slice()
    else {
        panic!("{:?}", bench.effects)
    };
    assert!(reply.needs_save);
    assert_eq!(lease, told);
    assert_eq!((lease.address, lease.mac, lease.expires), (offer.yiaddr, Some(mac(1)), bench.now + HOUR));
}

/// RFC 2131 section 3.1: a client that did not hear the ACK asks again and is told the same, saved again.
#[test]
fn a_repeated_request_gets_the_same_ack() {
    let mut bench = Bench::example();
    let offer = bench.discover(&sender(1)).unwrap();
    let first = bench.select(&sender(1), offer.yiaddr).unwrap();
    let second = bench.select(&sender(1), offer.yiaddr).unwrap();
    assert_eq!(first.reply, second.reply);
    assert_eq!(bench.saves().len(), 1);
}

/// RFC 2131 section 4.3.1: however often and by whatever xid one client asks, it is one address.
#[test]
fn parallel_discovers_of_one_client_get_one_address() {
    let mut bench = Bench::example();
    let first = bench.discover(&sender(1)).unwrap();
    let mut again = sender(1);
    again.xid = 99;
    assert_eq!(bench.discover(&again).unwrap().yiaddr, first.yiaddr);
    assert_eq!(bench.used(), 1);
    assert_ne!(bench.discover(&sender(2)).unwrap().yiaddr, first.yiaddr);
}

/// RFC 2131 section 4.3.2, SELECTING: another server's offer was taken; ours is free again, and we are silent.
#[test]
fn another_servers_offer_frees_ours() {
    let mut bench = Bench::example();
    let offer = bench.discover(&sender(1)).unwrap();
    let server = Ipv4Addr::new(192, 0, 2, 2);
    let request = client::request(&sender(1), Request::Selecting { address: offer.yiaddr, server });
    assert!(bench.send(&request).is_none());
    assert_eq!((bench.used(), bench.engine.counters().dropped_not_for_us), (0, 1));
}

/// RFC 2131 section 4.3.2, SELECTING: another address than the one offered is refused.
#[test]
fn selecting_another_address_is_refused() {
    let mut bench = Bench::example();
    bench.discover(&sender(1)).unwrap();
    let nak = bench.select(&sender(1), attendee(15)).unwrap();
    assert_eq!((nak.kind, nak.yiaddr), (MessageType::Nak, Ipv4Addr::UNSPECIFIED));
    let taken = bench.bind(&sender(2));
    assert_eq!(kind(bench.select(&sender(3), taken)), Some(MessageType::Nak));
}

/// RFC 2131 section 4.3.2, INIT-REBOOT: (authoritative, has a lease, asks for, answer).
#[test]
fn init_reboot() {
    let (ack, nak) = (Some(MessageType::Ack), Some(MessageType::Nak));
    let own = attendee(10);
    for (authoritative, is_known, address, want) in [
        (false, true, own, ack),
        (true, true, own, ack),
        (false, true, attendee(11), nak),
        (false, true, Ipv4Addr::new(10, 0, 0, 7), nak),
        (false, false, Ipv4Addr::new(10, 0, 0, 7), nak),
        (false, false, attendee(11), None),
        (true, false, attendee(11), nak),
        (false, false, own, nak),
    ] {
        let mut bench = Bench::new(Settings { authoritative, ..example() });
        let holder = if is_known { sender(1) } else { sender(2) };
        assert_eq!(bench.bind(&holder), own);
        let case = (authoritative, is_known, address);
        assert_eq!(kind(bench.reboot(&sender(1), address)), want, "{case:?}");
    }
}

/// RFC 2131 section 4.3.2, RENEWING and REBINDING: `ciaddr`, no options 50 and 54; unicast back, renewed in full.
#[test]
fn renewing() {
    let mut bench = Bench::example();
    let address = bench.bind(&sender(1));
    bench.pass(HOUR / 2);
    let ack = bench.renew(&sender(1), address).unwrap();
    assert_eq!((ack.kind, ack.yiaddr), (MessageType::Ack, address));
    assert_eq!(ack.reply.destination, Destination::Unicast(std::net::SocketAddrV4::new(address, 68)));
    assert_eq!(bench.saves()[0].expires, bench.now + HOUR);
    assert!(matches!(bench.events()[..], [DhcpEvent::Bound { renewed: true, .. }]));
    bench.pass(HOUR - HOUR / 60);
    assert_eq!(bench.used(), 1, "held until the renewed end");
    assert_eq!(kind(bench.renew(&sender(2), address)), Some(MessageType::Nak), "never an address of somebody else");
}

/// RFC 2131 section 4.3.2: a late renewal is fine while nobody else got the address.
#[test]
fn renewing_after_the_end() {
    let mut bench = Bench::example();
    let address = bench.bind(&sender(1));
    bench.pass(HOUR * 2);
    assert!(matches!(bench.events()[..], [DhcpEvent::Expired { .. }]));
    assert_eq!(bench.used(), 0);
    assert_eq!(kind(bench.renew(&sender(1), address)), Some(MessageType::Ack));
}

/// RFC 2131 section 4.3.2: no record of a renewing client: silence, or NAK if nobody else can have one.
#[test]
fn renewing_without_a_record() {
    for (authoritative, want) in [(false, None), (true, Some(MessageType::Nak))] {
        let mut bench = Bench::new(Settings { authoritative, ..example() });
        assert_eq!(kind(bench.renew(&sender(1), attendee(12))), want);
        assert_eq!(bench.engine.counters().dropped_no_record, u64::from(!authoritative));
    }
}

/// RFC 2131 section 4.3.4: only the holder releases, nobody is answered, and the client gets the address back.
#[test]
fn release() {
    let mut bench = Bench::example();
    let address = bench.bind(&sender(1));
    assert!(bench.send(&client::release(&sender(2), address, SERVER)).is_none());
    assert_eq!((bench.used(), bench.engine.counters().dropped_not_the_owner), (1, 1));
    assert!(bench.send(&client::release(&sender(1), address, SERVER)).is_none());
    assert_eq!(bench.saves()[0].state, LeaseState::Released);
    assert!(matches!(bench.events()[..], [DhcpEvent::Released { .. }]));
    assert_eq!(bench.used(), 0);
    assert_ne!(bench.bind(&sender(2)), address, "others get it last");
    assert_eq!(bench.bind(&sender(1)), address);
}

/// RFC 2131 section 4.3.3: only the holder declines; the address rests, the client gets another.
#[test]
fn decline() {
    let mut bench = Bench::example();
    let address = bench.bind(&sender(1));
    for (who, address) in [(2, address), (1, attendee(15))] {
        assert!(bench.send(&client::decline(&sender(who), address, SERVER)).is_none());
        assert!(bench.saves().is_empty());
    }
    assert!(bench.send(&client::decline(&sender(1), address, SERVER)).is_none());
    let [lease] = bench.saves()[..] else { panic!("{:?}", bench.effects) };
    assert_eq!((lease.state, lease.address), (LeaseState::Declined, address));
    assert_eq!(lease.expires, bench.now + example().decline_quarantine);
    assert!(matches!(bench.events()[..], [DhcpEvent::Declined { .. }]));
    assert_ne!(bench.bind(&sender(1)), address);
    assert_eq!(kind(bench.select(&sender(3), address)), Some(MessageType::Nak), "in quarantine");
    assert_eq!(kind(bench.reboot(&sender(1), address)), Some(MessageType::Nak));
    bench.pass(example().decline_quarantine);
    assert_eq!(kind(bench.select(&sender(3), address)), Some(MessageType::Ack), "quarantine over");
}

/// RFC 2131 section 3.1 step 5: the client that found an address in use is not offered it again.
#[test]
fn a_declined_address_is_not_the_clients_any_more() {
    let mut bench = Bench::example();
    let address = bench.bind(&sender(1));
    bench.send(&client::decline(&sender(1), address, SERVER));
    bench.pass(HOUR);
    assert_ne!(bench.discover(&sender(1)).unwrap().yiaddr, address);
}

/// RFC 2131 section 4.3.1: a client that looked at its last address without taking it still has the first claim.
#[test]
fn a_lapsed_offer_leaves_the_last_owner_its_claim() {
    let mut bench = Bench::example();
    let address = bench.bind(&sender(1));
    bench.send(&client::release(&sender(1), address, SERVER));
    assert_eq!(bench.discover(&sender(1)).unwrap().yiaddr, address);
    bench.pass(HOUR);
    assert_eq!(bench.discover(&sender(1)).unwrap().yiaddr, address);
}

/// RFC 2131 section 4.3.5: parameters only, to `ciaddr`, and no address, times or lease; also outside the pools.
#[test]
fn inform() {
    let mut bench = Bench::example();
    let ack = bench.send(&client::inform(&sender(1), attendee(200))).unwrap();
    assert_eq!((ack.kind, ack.yiaddr), (MessageType::Ack, Ipv4Addr::UNSPECIFIED));
    assert_eq!(ack.reply.destination, Destination::Unicast(std::net::SocketAddrV4::new(attendee(200), 68)));
    assert!(!ack.reply.needs_save && bench.saves().is_empty());
    for code in [code::LEASE_TIME, code::RENEWAL_TIME, code::REBINDING_TIME] {
        assert_eq!(ack.option(code), None);
    }
    assert_eq!(ack.option(code::NAME_SERVERS), Some(vec![192, 0, 2, 53]));
    assert_eq!((bench.used(), bench.engine.counters().informs), (0, 1));
    assert!(bench.send(&client::inform(&sender(1), Ipv4Addr::new(8, 8, 8, 8))).is_none(), "no answers to anywhere");
}

/// RFC 2131 section 4.1: where replies to direct clients go.
#[test]
fn destinations_of_direct_clients() {
    let interface = ATTENDEE_INTERFACE;
    let mut bench = Bench::example();
    let offer = bench.discover(&sender(1)).unwrap();
    let address = offer.yiaddr;
    assert_eq!(offer.reply.destination, Destination::Hardware { interface, mac: mac(1), address });
    assert_eq!(offer.reply.from, SERVER);
    let mut deaf = sender(2);
    deaf.wants_broadcast = true;
    assert_eq!(bench.discover(&deaf).unwrap().reply.destination, Destination::Broadcast { interface });
    let nak = bench.reboot(&sender(3), Ipv4Addr::new(10, 0, 0, 1)).unwrap();
    assert_eq!(nak.reply.destination, Destination::Broadcast { interface }, "a NAK is broadcast, section 4.3.2");
    let nak = bench.renew(&sender(1), Ipv4Addr::new(10, 0, 0, 1)).unwrap();
    assert_eq!(nak.reply.destination, Destination::Broadcast { interface });
}

/// RFC 2131 section 4.3.2: a renewal that comes past the relay is judged by its `ciaddr`, not by our interface.
#[test]
fn a_routed_renewal_is_judged_by_its_address() {
    let mut bench = Bench::example();
    let information = client::unprivileged_relay(b"port-7", b"sw-1", super::crew(1));
    let address = bench.bind(&sender(1).relayed(super::CREW_GATEWAY, &information));
    let ack = bench.renew(&sender(1), address).unwrap();
    assert_eq!(ack.kind, MessageType::Ack);
    let lease = bench.saves()[0];
    assert_eq!((&*lease.circuit_id, &*lease.remote_id), (&b"port-7"[..], &b"sw-1"[..]), "remembered: RFC 3046");
}

/// RFC 2131 section 2, RFC 951: what is no client's message, or contradicts itself, is counted and dropped.
#[test]
fn bad_messages_are_dropped() {
    fn check(name: &str, bytes: &[u8], count: fn(&crate::Counters) -> u64) {
        let mut bench = Bench::example();
        assert!(bench.send(bytes).is_none(), "{name}");
        let counters = bench.engine.counters();
        assert_eq!((count(counters), counters.dropped()), (1, 1), "{name}");
        assert_eq!(bench.bind(&sender(9)), attendee(10), "{name}: a normal client binds");
    }
    let good = client::discover(&sender(1), None);
    let changed = |at: usize, octet: u8| {
        let mut bytes = good.clone();
        bytes[at] = octet;
        bytes
    };
    let with = |code: u8, data: &[u8]| {
        let mut builder = MessageBuilder::request(MessageType::Discover, 1, mac(1));
        builder.option(code, data);
        builder.finish(None)
    };
    check("empty", &[], |counters| counters.dropped_malformed);
    check("too long", &vec![0; 65_507], |counters| counters.dropped_malformed);
    check("cookie", &changed(237, 0), |counters| counters.dropped_malformed);
    check("op 2", &changed(0, 2), |counters| counters.dropped_not_a_request);
    for hlen in [0, 5, 17, 255] {
        check("hlen", &changed(2, hlen), |counters| counters.dropped_malformed);
    }
    check("group address", &changed(28, 3), |counters| counters.dropped_malformed);
    check("type 0", &changed(242, 0), |counters| counters.dropped_not_a_request);
    check("type 5", &changed(242, 5), |counters| counters.dropped_not_a_request);
    check("BOOTP", &changed(240, 255), |counters| counters.dropped_not_a_request);
    check("type twice", &with(53, &[3]), |counters| counters.dropped_malformed);
    for (code, data) in [(50, &[1][..]), (51, &[1]), (54, &[]), (57, &[1]), (52, &[4]), (82, &[1, 9]), (118, &[0])] {
        check(&format!("option {code}"), &with(code, data), |counters| counters.dropped_malformed);
    }
    check("option 61 of 300", &with(61, &[7; 300]), |counters| counters.dropped_malformed);
    let mut elsewhere = MessageBuilder::request(MessageType::Discover, 1, mac(1));
    elsewhere.giaddr(Ipv4Addr::new(10, 9, 9, 9));
    check("unknown giaddr", &elsewhere.clone().finish(None), |counters| counters.dropped_unknown_subnet);
    for giaddr in [Ipv4Addr::BROADCAST, Ipv4Addr::new(224, 0, 0, 1), Ipv4Addr::new(0, 0, 0, 9), SERVER] {
        elsewhere.giaddr(giaddr);
        check("giaddr", &elsewhere.clone().finish(None), |counters| counters.dropped_bad_relay);
    }
    let no_address = MessageBuilder::request(MessageType::Request, 1, mac(1)).finish(None);
    check("REQUEST of nothing", &no_address, |counters| counters.dropped_malformed);
}

/// A message cut anywhere is dropped or answered, and the next client binds.
#[test]
fn truncated_messages_do_no_harm() {
    let bytes = client::discover(&sender(1).relayed(super::GATEWAY, b"\x01\x02ab"), Some(attendee(12)));
    let mut bench = Bench::example();
    for len in 0..bytes.len() {
        bench.send(&bytes[..len]);
    }
    assert!(bench.engine.counters().dropped_malformed >= 240);
    bench.bind(&sender(2));
}

/// RFC 2131 section 4.2, RFC 2132 section 9.14: option 61 identifies, the hardware address is only an attribute.
#[test]
fn the_client_identifier_counts_before_the_hardware_address() {
    let mut bench = Bench::example();
    let with_id = |number: u16, id: &'static [u8]| client::Sender { client_identifier: Some(id), ..sender(number) };
    let address = bench.bind(&with_id(1, b"\x00laptop"));
    assert_eq!(bench.bind(&with_id(2, b"\x00laptop")), address, "docked: another MAC, the same client");
    assert_ne!(bench.bind(&sender(1)), address, "network boot: the same MAC, another client");
    assert_ne!(bench.bind(&with_id(1, b"\x00other")), address);
    // Too short to identify anybody: counts as absent.
    let bare = bench.bind(&sender(7));
    assert_eq!(bench.bind(&with_id(7, b"x")), bare);
    assert_ne!(Mac::default(), mac(1));
}

/// RFC 1123 section 2.1, RFC 4702 section 2: names are sanitised; option 81 counts before option 12; kept on renewal.
#[test]
fn host_names() {
    let name_of = |options: &[(u8, &[u8])]| {
        let mut bench = Bench::example();
        let offer = bench.discover(&sender(1)).unwrap();
        let mut builder = MessageBuilder::request(MessageType::Request, 1, mac(1));
        builder.option(code::REQUESTED_ADDRESS, &offer.yiaddr.octets());
        builder.option(code::SERVER_IDENTIFIER, &SERVER.octets());
        for (code, data) in options {
            builder.option(*code, data);
        }
        bench.send(&builder.finish(None)).unwrap();
        bench.renew(&sender(1), offer.yiaddr).unwrap();
        bench.saves()[0].host_name.as_ref().map(|name| name.as_str().to_owned())
    };
    for (options, want) in [
        (&[(12, &b"Phone"[..])][..], Some("phone")),
        (&[(12, b"../etc")], None),
        (&[(12, b"\xff\xfe\0")], None),
        (&[(12, b"")], None),
        (&[(12, &[b'a'; 255])], Some(&*"a".repeat(63))),
        (&[(12, b"phone"), (81, b"\x01\0\0laptop.example")], Some("laptop")),
        (&[(12, b"phone"), (81, b"\x05\0\0\x06laptop\x07example\0")], Some("laptop")),
        (&[(12, b"phone"), (81, b"\x05\0\0\xc0")], Some("phone")),
        (&[(12, b"phone"), (81, b"")], Some("phone")),
    ] {
        assert_eq!(name_of(options).as_deref(), want, "{options:?}");
    }
}
