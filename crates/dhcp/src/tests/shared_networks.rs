//! Several subnets on one link.

use super::{Bench, GATEWAY, HOUR, SERVER, attendee, crew, example, kind, mac, sender};
use crate::{
    DhcpEvent, Reservation, ReservationKey, Settings,
    client::{self, Request},
    message::MessageType,
};

fn hall() -> Settings {
    let mut settings = example();
    for subnet in &mut settings.subnets {
        subnet.shared_network = Some("hall".into());
    }
    settings
}

/// When one is full the next one gives, told apart by nothing but the address; when all are full nobody does.
#[test]
fn a_full_subnet_overflows_into_the_next() {
    let mut bench = Bench::new(hall());
    let through = |number| sender(number).relayed(GATEWAY, b"");
    let addresses: Vec<_> = (0..20).map(|number| bench.bind(&through(number))).collect();
    assert!(addresses[..10].iter().all(|address| *address < attendee(20)));
    assert_eq!((addresses[10], addresses[19]), (crew(100), crew(109)));
    assert!(bench.discover(&through(20)).is_none());
    assert!(matches!(bench.events()[..], [DhcpEvent::PoolExhausted { .. }]));
    // Everything that has an address goes on as if there were one subnet.
    for (number, address) in (0..).zip(&addresses) {
        let extending = client::request(&through(number), Request::Extending { address: *address });
        assert_eq!(kind(bench.send(&extending)), Some(MessageType::Ack), "{address}");
        assert_eq!(kind(bench.renew(&sender(number), *address)), Some(MessageType::Ack), "{address}");
        let rebooting = client::request(&through(number), Request::Rebooting { address: *address });
        assert_eq!(kind(bench.send(&rebooting)), Some(MessageType::Ack), "{address}");
        assert_eq!(bench.discover(&through(number)).map(|offer| offer.yiaddr), Some(*address));
    }
    let elsewhere = client::request(&through(3), Request::Rebooting { address: [10, 0, 0, 1].into() });
    assert_eq!(kind(bench.send(&elsewhere)), Some(MessageType::Nak));
    bench.send(&client::release(&through(15), addresses[15], SERVER));
    bench.send(&client::decline(&through(16), addresses[16], SERVER));
    assert_eq!((bench.engine.counters().releases, bench.engine.counters().declines), (1, 1));
    assert_eq!(bench.bind(&through(20)), addresses[15]);
}

/// A client that comes back gets its last address, also when it is of the second subnet and the first has room.
#[test]
fn the_last_address_counts_before_room() {
    let mut bench = Bench::new(hall());
    let addresses: Vec<_> = (0..12).map(|number| bench.bind(&sender(number))).collect();
    assert_eq!(addresses[11], crew(101));
    bench.pass(HOUR * 2);
    assert_eq!(bench.used(), 0);
    assert_eq!(bench.bind(&sender(11)), crew(101));
    assert_eq!(bench.bind(&sender(10)), crew(100));
    assert_eq!(bench.bind(&sender(5)), addresses[5]);
}

/// A reservation counts in whichever of the subnets it is.
#[test]
fn a_reservation_in_the_next_subnet() {
    let mut settings = hall();
    let client = ReservationKey::Mac(mac(7));
    settings.subnets[1].reservations =
        vec![Reservation { client, address: crew(5), host_name: None, options: Vec::new() }];
    let mut bench = Bench::new(settings);
    assert_eq!(bench.bind(&sender(7)), crew(5));
    assert_eq!(bench.bind(&sender(8)), attendee(10));
    assert_eq!(kind(bench.reboot(&sender(8), crew(5))), Some(MessageType::Nak));
}

/// Subnets without the name are on links of their own.
#[test]
fn others_do_not_share() {
    let mut bench = Bench::example();
    for number in 0..10 {
        bench.bind(&sender(number));
    }
    assert!(bench.discover(&sender(20)).is_none());
    assert_eq!(kind(bench.reboot(&sender(20), crew(100))), Some(MessageType::Nak), "another link");
}
