use std::{net::Ipv4Addr, time::Duration};

use model::SubnetId;

use super::{Bench, GATEWAY, HOUR, SERVER, attendee, example, kind, mac, sender};
use crate::{
    DhcpEvent, PoolSettings, Reservation, ReservationKey, Settings,
    client::{self, Sender},
    message::MessageType,
};

/// RFC 2131 section 4.3.1, the order of preference: own, own of last time, requested, never used, longest free.
#[test]
fn preference() {
    let mut bench = Bench::example();
    assert_eq!(bench.bind(&sender(1)), attendee(10));
    let requested = bench.send(&client::discover(&sender(2), Some(attendee(17)))).unwrap();
    assert_eq!(requested.yiaddr, attendee(17));
    bench.select(&sender(2), attendee(17)).unwrap();
    let own = bench.send(&client::discover(&sender(1), Some(attendee(18)))).unwrap();
    assert_eq!(own.yiaddr, attendee(10), "own lease before the wish");
    bench.send(&client::release(&sender(1), attendee(10), SERVER));
    let taken = bench.send(&client::discover(&sender(3), Some(attendee(17)))).unwrap();
    assert_eq!(taken.yiaddr, attendee(11), "the wish is taken: one never used, not the one just released");
    let last = bench.send(&client::discover(&sender(1), Some(attendee(18)))).unwrap();
    assert_eq!(last.yiaddr, attendee(10), "last lease before the wish");
}

/// RFC 2131 section 4.3.1: when all were used, the one that is free the longest is given first.
#[test]
fn the_longest_free_goes_first() {
    let mut bench = Bench::example();
    for number in 0..10 {
        bench.bind(&sender(number));
    }
    for number in [3, 7, 1] {
        bench.pass(Duration::from_secs(1));
        bench.send(&client::release(&sender(number), attendee(10 + u8::try_from(number).unwrap()), SERVER));
    }
    assert_eq!([20, 21, 22].map(|number| bench.bind(&sender(number))), [13, 17, 11].map(attendee));
    assert_eq!(kind(bench.discover(&sender(3))), None, "its address went to somebody else");
}

/// RFC 2131 section 4.3.1: a full pool: silence for strangers, an event at most once a minute, renewals go on.
#[test]
fn a_full_pool() {
    let mut bench = Bench::example();
    for number in 0..10 {
        bench.bind(&sender(number));
    }
    assert_eq!(bench.engine.pool_use(bench.now).next(), Some((SubnetId(0), "attendee", 10, 10)));
    assert!(bench.discover(&sender(50)).is_none());
    assert_eq!(bench.events(), [&DhcpEvent::PoolExhausted { subnet: SubnetId(0) }]);
    for number in 51..150 {
        assert!(bench.discover(&sender(number)).is_none() && bench.effects.is_empty());
    }
    assert_eq!(bench.engine.counters().dropped_pool_exhausted, 100);
    for number in 0..10 {
        let address = attendee(10 + u8::try_from(number).unwrap());
        assert_eq!(kind(bench.renew(&sender(number), address)), Some(MessageType::Ack));
        assert_eq!(bench.discover(&sender(number)).unwrap().yiaddr, address);
    }
    bench.pass(HOUR);
    assert_eq!(bench.used(), 0);
    assert_eq!(bench.bind(&sender(50)), attendee(10));
}

/// Offers lapse; a stale one gives way when nothing else is left; their number is bounded.
#[test]
fn offers_are_short_and_bounded() {
    let mut bench = Bench::example();
    for number in 0..10 {
        bench.discover(&sender(number)).unwrap();
    }
    assert_eq!((bench.used(), kind(bench.discover(&sender(50)))), (10, None));
    bench.pass(Duration::from_secs(20));
    assert_eq!(bench.discover(&sender(50)).unwrap().yiaddr, attendee(10), "the oldest offer gave way");
    bench.pass(Duration::from_secs(60));
    assert_eq!((bench.used(), bench.engine.counters().offers_lapsed), (0, 10));
    assert!(bench.saves().is_empty() && bench.engine.leases().next().is_none());

    let mut bench = Bench::new(Settings { offers_outstanding_max: 3, ..example() });
    for number in 0..10 {
        bench.discover(&sender(number)).unwrap();
    }
    assert_eq!((bench.used(), bench.engine.counters().offers_evicted), (3, 7));
    assert_eq!(kind(bench.select(&sender(0), attendee(10))), Some(MessageType::Ack), "withdrawn, but still free");
}

/// RFC 2131 section 3.1: an offer that lapsed is still honoured when the address is free.
#[test]
fn a_late_request_is_honoured_while_the_address_is_free() {
    let mut bench = Bench::example();
    let offer = bench.discover(&sender(1)).unwrap();
    bench.pass(Duration::from_secs(300));
    assert_eq!(kind(bench.select(&sender(1), offer.yiaddr)), Some(MessageType::Ack));
}

/// RFC 2131 section 4.3.1, RFC 1122 section 3.2.1.3: network, broadcast, gateway, servers' and relays' own
/// addresses, excluded and reserved ones go to nobody.
#[test]
fn some_addresses_go_to_nobody() {
    let mut settings = example();
    settings.server_identifier = attendee(7);
    let subnet = &mut settings.subnets[0];
    subnet.pools =
        vec![PoolSettings::common(attendee(128), attendee(255)), PoolSettings::common(attendee(0), attendee(8))];
    subnet.name_servers = vec![attendee(2)];
    subnet.ntp_servers = vec![attendee(3)];
    subnet.excluded = vec![attendee(4), attendee(99)];
    subnet.excluded.extend((130..=254).map(attendee));
    subnet.reservations = vec![Reservation {
        client: ReservationKey::Mac(mac(1)),
        address: attendee(5),
        host_name: None,
        options: Vec::new(),
    }];
    let mut bench = Bench::new(settings);
    assert_eq!(bench.engine.pool_use(bench.now).next(), Some((SubnetId(0), "attendee", 0, 4)));
    let relayed = |number| sender(number).relayed(attendee(129), b"");
    let own: Vec<Ipv4Addr> = (10..13).map(|number| bench.discover(&relayed(number)).unwrap().yiaddr).collect();
    assert_eq!(own, [6, 8, 128].map(attendee));
    assert!(bench.discover(&relayed(20)).is_none());
    for last in [0, 1, 2, 3, 4, 5, 7, 129, 130, 255] {
        let request =
            client::request(&relayed(21), client::Request::Selecting { address: attendee(last), server: attendee(7) });
        assert_eq!(kind(bench.send(&request)), Some(MessageType::Nak), ".{last}");
    }
    assert_eq!(bench.discover(&sender(1)).unwrap().yiaddr, attendee(5));
    assert_ne!(attendee(1), attendee(5));
    assert_eq!(GATEWAY, attendee(1));
}

/// RFC 3021: in a /31 both addresses are hosts.
#[test]
fn point_to_point_prefixes() {
    let mut settings = example();
    let subnet = &mut settings.subnets[0];
    subnet.prefix = "198.51.100.10/31".parse().unwrap();
    subnet.pools = vec![PoolSettings::common(attendee(10), attendee(11))];
    (subnet.gateway, subnet.reservations) = (Some(attendee(11)), Vec::new());
    assert_eq!(Bench::new(settings).bind(&sender(1)), attendee(10));
}

/// RFC 2131 section 4.3.1: manual allocation, by identifier, MAC and port.
#[test]
fn reservations() {
    let reserve = |client, last| Reservation { client, address: attendee(last), host_name: None, options: Vec::new() };
    let mut settings = example();
    settings.subnets[0].reservations = vec![
        reserve(ReservationKey::Mac(mac(1)), 12),
        reserve(ReservationKey::ClientId(b"\x00kiosk".to_vec()), 5),
        reserve(ReservationKey::CircuitId(b"ge-0/0/1".to_vec()), 6),
    ];
    let mut bench = Bench::new(settings);
    let kiosk = Sender { client_identifier: Some(b"\x00kiosk"), ..sender(1) };
    let port = sender(3).relayed(GATEWAY, b"\x01\x08ge-0/0/1");
    assert_eq!(bench.bind(&kiosk), attendee(5), "identifier before MAC");
    assert_eq!(bench.bind(&sender(1)), attendee(12));
    assert_eq!(bench.bind(&port), attendee(6));
    let second = sender(4).relayed(GATEWAY, b"\x01\x08ge-0/0/1");
    assert_eq!(bench.bind(&second), attendee(10), "the port's address is held by the first one there");
    assert_eq!(kind(bench.select(&sender(9), attendee(12))), Some(MessageType::Nak));
    assert_eq!(kind(bench.renew(&sender(1), attendee(12))), Some(MessageType::Ack));
    // The same machine with another identifier, after network boot.
    let booted = Sender { client_identifier: Some(b"\x00os"), ..sender(1) };
    assert_eq!(bench.bind(&booted), attendee(12));
    // Reserved for it, and asks for it without any record of ours.
    bench.send(&client::release(&booted, attendee(12), SERVER));
    assert_eq!(kind(bench.reboot(&sender(1), attendee(12))), Some(MessageType::Ack));
}

/// A reserved address that somebody else holds is not offered, and is not lost to its owner.
#[test]
fn a_reservation_waits_for_its_address() {
    let mut bench = Bench::example();
    bench.bind(&sender(2));
    let lease = bench.engine.lease_of(attendee(10)).unwrap().clone();
    let mut settings = example();
    settings.subnets[0].reservations = vec![Reservation {
        client: ReservationKey::Mac(mac(1)),
        address: attendee(10),
        host_name: None,
        options: Vec::new(),
    }];
    let mut bench = Bench::new(settings);
    bench.engine.restore(lease, bench.now);
    assert_eq!(bench.bind(&sender(1)), attendee(11));
    assert_eq!(kind(bench.renew(&sender(2), attendee(10))), Some(MessageType::Nak), "makes room at its renewal");
    bench.pass(HOUR);
    assert_eq!(bench.bind(&sender(1)), attendee(10));
}

/// A client may call itself another name (option 61) with each DISCOVER: its reserved address is offered to the last one
/// only, and nothing is remembered of the others.
#[test]
fn many_identifiers_of_one_reserved_client_leave_nothing() {
    let mut settings = example();
    settings.subnets[0].reservations = vec![Reservation {
        client: ReservationKey::Mac(mac(1)),
        address: attendee(12),
        host_name: None,
        options: Vec::new(),
    }];
    let mut bench = Bench::new(settings);
    for number in 0..1_000 {
        let identifier = format!("\0name {number}");
        let who = Sender { client_identifier: Some(identifier.as_bytes()), ..sender(1) };
        assert_eq!(bench.discover(&who).map(|offer| offer.yiaddr), Some(attendee(12)));
        assert_eq!(bench.engine.bindings.clients(0), 1, "after {number}");
    }
    bench.engine.bindings.check_invariants();
    bench.pass(HOUR);
    assert_eq!(bench.engine.bindings.clients(0), 0);
    assert_eq!(bench.bind(&sender(1)), attendee(12));
    bench.engine.bindings.check_invariants();
}
