//! B27-B32: pools, bad input, clocks, reloads, probes, exhaustion.

use std::{net::Ipv4Addr, time::Duration};

use super::hold;
use crate::{
    Counters, DhcpEvent, PoolSettings, ProbeSettings, Reservation, ReservationKey, Settings,
    client::{self, Request},
    message::MessageType,
    tests::{Bench, GATEWAY, HOUR, SERVER, attendee, example, kind, mac, sender},
};

/// RFC 2131 section 2.2: no address goes to a client that is the network's, the broadcast's, a router's or a server's.
/// A reserved one may lie outside the pools; held by another client it is not offered, and not lost either.
#[test]
fn b27_addresses_that_are_not_to_give() {
    let mut settings = example();
    let subnet = &mut settings.subnets[0];
    subnet.pools =
        vec![PoolSettings::common(attendee(0), attendee(3)), PoolSettings::common(attendee(252), attendee(255))];
    subnet.name_servers = vec![attendee(2)];
    subnet.ntp_servers = vec![attendee(253)];
    subnet.excluded = vec![attendee(254)];
    let mut bench = Bench::new(settings.clone());
    let taken = [bench.bind(&sender(1)), bench.bind(&sender(2))];
    assert_eq!(taken, [attendee(3), attendee(252)], "the gateway is {GATEWAY}");
    assert!(bench.discover(&sender(3)).is_none());
    let mut bench = Bench::example();
    hold(&mut bench, &sender(9), attendee(15));
    let reserve = |number, address| Reservation {
        client: ReservationKey::Mac(mac(number)),
        address,
        host_name: None,
        options: Vec::new(),
    };
    let mut settings = example();
    settings.subnets[0].reservations = vec![reserve(1, attendee(15)), reserve(2, attendee(200))];
    bench.engine.reconfigure(settings, bench.now).unwrap();
    assert_eq!(bench.bind(&sender(2)), attendee(200), "outside the pools");
    let meanwhile = bench.bind(&sender(1));
    assert_ne!(meanwhile, attendee(15), "held by another client");
    bench.send(&client::release(&sender(9), attendee(15), SERVER));
    assert_eq!(bench.discover(&sender(1)).unwrap().yiaddr, attendee(15), "and now it is free");
    assert_ne!(bench.bind(&sender(9)), attendee(15));
}

type Count = fn(&Counters) -> u64;

/// RFC 2131 sections 2 and 3, RFC 951: not a request, no cookie, no or too long hardware address, no or an unknown
/// type, a relay agent of nowhere: counted by cause, never answered.
#[test]
fn b28_what_is_not_for_a_server() {
    let discover = client::discover(&sender(1), None);
    let changed = |at: usize, octet: u8| {
        let mut bytes = discover.clone();
        bytes[at] = octet;
        bytes
    };
    let relayed = client::discover(&sender(1).relayed(Ipv4Addr::new(10, 0, 0, 1), b""), None);
    let ourselves = client::discover(&sender(1).relayed(SERVER, b""), None);
    let untyped = [&discover[..240], &[255]].concat();
    let offer = Bench::example().discover(&sender(1)).unwrap().reply.bytes;
    let table: [(&str, Vec<u8>, Count); 10] = [
        ("a reply", changed(0, 2), |counters| counters.dropped_not_a_request),
        ("our own OFFER", offer, |counters| counters.dropped_not_a_request),
        ("no cookie", changed(236, 0), |counters| counters.dropped_malformed),
        ("hlen 0", changed(2, 0), |counters| counters.dropped_malformed),
        ("hlen 17", changed(2, 17), |counters| counters.dropped_malformed),
        ("BOOTP", untyped, |counters| counters.dropped_not_a_request),
        ("an unknown type", changed(242, 99), |counters| counters.dropped_not_a_request),
        ("giaddr of nowhere", relayed, |counters| counters.dropped_unknown_subnet),
        ("giaddr is our own", ourselves, |counters| counters.dropped_bad_relay),
        ("cut short", discover[..239].to_vec(), |counters| counters.dropped_malformed),
    ];
    for (name, bytes, count) in table {
        let mut bench = Bench::example();
        assert!(bench.send(&bytes).is_none(), "{name}");
        assert!(bench.effects.is_empty(), "{name}");
        assert_eq!((count(bench.engine.counters()), bench.engine.counters().dropped()), (1, 1), "{name}");
        bench.bind(&sender(2));
    }
}

/// A clock that is set by a day either way ends no lease and gives no address away.
#[test]
fn b29_clock_steps() {
    for forward in [true, false] {
        let mut bench = Bench::example();
        let address = bench.bind(&sender(1));
        bench.now = if forward { bench.now + HOUR * 24 } else { bench.now - HOUR * 24 };
        bench.engine.on_deadline(bench.now);
        bench.take_effects();
        assert_eq!((bench.used(), bench.saves().len()), (1, 1), "forward: {forward}");
        assert_ne!(bench.send(&client::discover(&sender(2), Some(address))).unwrap().yiaddr, address);
        assert_eq!(kind(bench.renew(&sender(1), address)), Some(MessageType::Ack));
        assert_eq!(bench.engine.lease_of(address).unwrap().expires, bench.now + HOUR);
    }
}

/// New settings end no lease: who is outside the pools now is renewed as long as it asks, and nobody inside is refused.
#[test]
fn b30_reload() {
    let mut bench = Bench::example();
    let addresses: Vec<_> = (1..=5).map(|number| bench.bind(&sender(number))).collect();
    let offered = bench.discover(&sender(6)).unwrap().yiaddr;
    let mut settings = example();
    settings.subnets[0].pools = vec![PoolSettings::common(attendee(13), attendee(30))];
    let preview = bench.engine.preview(&settings);
    assert_eq!((preview.leases_kept, preview.leases_outside, preview.leases_refused.len()), (2, 3, 0), "{preview}");
    bench.engine.reconfigure(settings, bench.now).unwrap();
    assert_eq!(kind(bench.select(&sender(6), offered)), Some(MessageType::Ack), "offered before, taken up after");
    bench.pass(HOUR / 2);
    for (number, address) in (1..).zip(&addresses) {
        assert_eq!(kind(bench.renew(&sender(number), *address)), Some(MessageType::Ack), "{address}");
        assert_eq!(kind(bench.reboot(&sender(number), *address)), Some(MessageType::Ack), "{address}");
    }
    assert_eq!(bench.engine.counters().naks, 0);
    bench.send(&client::release(&sender(1), addresses[0], SERVER));
    let next = bench.send(&client::discover(&sender(7), Some(addresses[0]))).unwrap().yiaddr;
    assert!(next >= attendee(13), "{next}: the old pools give nothing new");
}

/// RFC 2131 section 3.1 step 2: a probe delays its own offer only.
#[test]
fn b31_probes_block_nobody() {
    let probe = ProbeSettings { wait: Duration::from_millis(500), outstanding_max: 64 };
    let mut bench = Bench::new(Settings { probe: ProbeSettings::default(), ..example() });
    let address = bench.bind(&sender(1));
    bench.engine.reconfigure(Settings { probe, ..example() }, bench.now).unwrap();
    assert!(bench.discover(&sender(2)).is_none());
    assert!(bench.engine.next_probe().is_some());
    assert_eq!(kind(bench.renew(&sender(1), address)), Some(MessageType::Ack));
    assert_eq!(bench.discover(&sender(1)).map(|offer| offer.yiaddr), Some(address));
    bench.pass(Duration::from_millis(500));
    assert_eq!(bench.effects.len(), 1, "the offer, late");
}

/// A full pool: whoever has an address keeps it, strangers are not answered, told of once a minute, and leave nothing
/// behind.
#[test]
fn b32_exhaustion() {
    let mut bench = Bench::example();
    for number in 0..10 {
        bench.bind(&sender(number));
    }
    let mut told = 0;
    for number in 100..1_100 {
        assert!(bench.discover(&sender(number)).is_none());
        told += bench.events().iter().filter(|event| matches!(event, DhcpEvent::PoolExhausted { .. })).count();
    }
    assert_eq!((told, bench.engine.counters().dropped_pool_exhausted), (1, 1_000));
    assert_eq!(bench.engine.bindings.slots().len(), 10);
    for number in 0..10 {
        let address = attendee(10 + u8::try_from(number).unwrap());
        assert_eq!(kind(bench.renew(&sender(number), address)), Some(MessageType::Ack));
        let rebinding = client::request(&sender(number).relayed(attendee(1), b""), Request::Extending { address });
        assert_eq!(kind(bench.send(&rebinding)), Some(MessageType::Ack));
    }
}
