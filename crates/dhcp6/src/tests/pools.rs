//! Which address a client gets, and what happens when there is none.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::{Reservation, ReservationKey};

#[test]
fn every_address_of_a_small_pool_is_found_and_then_no_more() {
    let mut bench = Bench::example();
    let addresses: BTreeSet<_> = (0..10).map(|client| bench.obtain(client, 1).address().unwrap()).collect();
    assert_eq!(addresses, (0x10..=0x19).map(attendee).collect());
    assert_eq!(bench.engine.pool_use().next(), Some((SubnetId(0), "attendee", 10, 10)));
    let refused = bench.obtain(10, 1);
    assert_eq!((refused.address(), refused.associations[0].status), (None, Status::NoAddrsAvail));
    assert_eq!(bench.events(), [], "told once a minute, at the SOLICIT");
    assert_eq!(bench.engine.counters().no_addresses, 2);
    bench.pass(Duration::from_secs(60));
    bench.send(&ClientMessage::solicit(1, &duid(10), 1));
    assert_eq!(bench.events(), [Dhcp6Event::PoolExhausted { subnet: SubnetId(0) }]);
}

#[test]
fn the_last_address_is_found_where_chance_does_not_find_it() {
    let mut settings = example();
    settings.subnets[0].pools = vec![(attendee(1), attendee(0x100)), (attendee(0x1000), attendee(0x1100))];
    let mut bench = Bench::new(settings);
    let addresses: BTreeSet<_> = (0..0x201).map(|client| bench.obtain(client, 1).address().unwrap()).collect();
    assert_eq!(addresses.len(), 0x201);
    assert_eq!(bench.obtain(0x999, 1).address(), None);
}

#[test]
fn when_all_were_used_once_the_longest_free_goes_first() {
    let mut bench = Bench::example();
    let replies: Vec<_> = (0..10).map(|client| bench.obtain(client, 1)).collect();
    for gone in [4, 2, 7] {
        bench.send(&replies[gone].then(MessageType::Release));
    }
    assert_eq!(bench.obtain(7, 1).address(), replies[7].address(), "its own last one, though another is free longer");
    assert_eq!(bench.obtain(20, 1).address(), replies[4].address());
    assert_eq!(bench.obtain(21, 1).address(), replies[2].address());
}

#[test]
fn what_a_client_asks_for_it_gets_if_it_is_free() {
    let table = [
        (attendee(0x13), Some(attendee(0x13))),
        (attendee(0x10), None),
        (attendee(0x99), None),
        (crew(0x100), None),
        (Ipv6Addr::LOCALHOST, None),
    ];
    for (hint, granted) in table {
        let mut bench = Bench::example();
        let mut holder = ClientMessage::solicit(1, &duid(1), 1);
        holder.associations[0].1.push(attendee(0x10));
        let holder = bench.send(&holder).unwrap();
        assert_eq!(bench.send(&holder.then(MessageType::Request)).unwrap().address(), Some(attendee(0x10)));
        let mut solicit = ClientMessage::solicit(1, &duid(2), 1);
        solicit.associations[0].1.push(hint);
        let got = bench.send(&solicit).unwrap().address();
        assert!(got.is_some_and(|got| got != attendee(0x10)));
        assert_eq!(got == Some(hint), granted.is_some(), "{hint}");
    }
}

#[test]
fn addresses_of_a_large_pool_do_not_tell_their_neighbours() {
    let mut settings = example();
    settings.subnets[0].pools = vec![(attendee(1), "2001:db8:0:1:ffff:ffff:ffff:ffff".parse().unwrap())];
    let mut bench = Bench::new(settings.clone());
    let addresses: BTreeSet<_> =
        (0..100).map(|client| u128::from(bench.obtain(client, 1).address().unwrap())).collect();
    let closest = addresses.iter().zip(addresses.iter().skip(1)).map(|(first, second)| second - first).min().unwrap();
    assert!(addresses.len() == 100 && closest > 1 << 32, "{closest}");
    let mut other = Bench::new(settings);
    other.engine.seed = 8;
    assert!(!addresses.contains(&u128::from(other.obtain(1, 1).address().unwrap())));
}

#[test]
fn section_12_several_associations_get_different_addresses_up_to_eight() {
    let mut bench = Bench::example();
    let mut solicit = ClientMessage::solicit(1, &duid(1), 0);
    solicit.associations = (0..8).map(|iaid| (iaid, vec![attendee(0x10)])).collect();
    let advertise = bench.send(&solicit).unwrap();
    let reply = bench.send(&advertise.then(MessageType::Request)).unwrap();
    let addresses: BTreeSet<_> =
        reply.associations.iter().flat_map(|association| association.addresses.clone()).collect();
    assert_eq!((reply.associations.len(), addresses.len(), bench.saved().len()), (8, 8, 8));
    assert_eq!(bench.obtain(1, 8).associations[0].status, Status::NoAddrsAvail, "a ninth is too many for one client");
    solicit.associations = (0..9).map(|iaid| (iaid, vec![])).collect();
    assert!(bench.send(&solicit).is_none());
    solicit.associations = vec![(1, vec![]), (1, vec![])];
    assert_eq!(bench.send(&solicit).unwrap().associations.len(), 1, "an IAID counts once");
}

#[test]
fn reserved_addresses_go_to_their_client_only() {
    let mut settings = example();
    let reservation =
        |client, address| Reservation { client, address, host_name: model::HostName::sanitise(b"printer") };
    settings.subnets[0].reservations = vec![
        reservation(ReservationKey::Mac(mac(1)), attendee(0x10)),
        reservation(ReservationKey::Duid(duid(2).0.to_vec()), attendee(0x99)),
    ];
    let mut bench = Bench::new(settings);
    assert_eq!(bench.engine.pool_use().next().map(|pool| pool.3), Some(9));
    for (client, address) in [(1, attendee(0x10)), (2, attendee(0x99))] {
        assert_eq!(bench.obtain(client, 1).address(), Some(address));
        assert_eq!(bench.saved()[0].host_name.as_ref().map(model::HostName::as_str), Some("printer"));
        let second = bench.obtain(client, 2).address();
        assert!(second.is_some_and(|second| second != address), "one association has it, the other gets another");
    }
    for client in 3..10 {
        assert!(bench.obtain(client, 1).address().is_some_and(|address| address > attendee(0x10)));
    }
    assert_eq!(bench.obtain(10, 1).address(), None);
}

#[test]
fn a_reservation_made_later_is_followed_at_the_next_renewal() {
    let mut bench = Bench::example();
    let reply = bench.obtain(1, 5);
    let mut settings = example();
    let address = attendee(0x99);
    settings.subnets[0].reservations =
        vec![Reservation { client: ReservationKey::Mac(mac(1)), address, host_name: None }];
    bench.engine.reconfigure(settings, bench.now).unwrap();
    let association = bench.send(&reply.then(MessageType::Renew)).unwrap().associations.remove(0);
    assert_eq!(association.addresses, [address]);
    assert_eq!(association.over, [reply.address().unwrap()]);
    assert_eq!(bench.saved().len(), 2, "the new one, and the old one given back");
}

#[test]
fn a_reserved_address_follows_its_machine_from_network_boot_to_operating_system() {
    let mut settings = example();
    let address = attendee(0x10);
    settings.subnets[0].reservations =
        vec![Reservation { client: ReservationKey::Mac(mac(1)), address, host_name: None }];
    let mut bench = Bench::new(settings);
    for seconds in [1, 2] {
        let request = ClientMessage {
            server: Some(server()),
            associations: vec![(seconds, vec![])],
            ..ClientMessage::new(MessageType::Request, 1, &Duid::from_link_layer_and_time(mac(1), seconds))
        };
        assert_eq!(bench.send(&request).unwrap().address(), Some(address));
    }
    assert_eq!(bench.engine.leases_in_force().map(|lease| lease.iaid).collect::<Vec<_>>(), [2]);
}

#[test]
fn one_client_cannot_decline_a_pool_away() {
    let mut bench = Bench::example();
    for _ in 0..8 {
        let reply = bench.obtain(1, 5);
        assert!(reply.address().is_some());
        bench.send(&reply.then(MessageType::Decline));
    }
    assert_eq!(bench.obtain(1, 5).associations[0].status, Status::NoAddrsAvail);
    let free = (0x10..=0x19).map(attendee).find(|address| bench.engine.lease_of(*address).is_none());
    let asking = ClientMessage {
        server: Some(server()),
        associations: vec![(5, free.into_iter().collect())],
        ..ClientMessage::new(MessageType::Request, 1, &duid(1))
    };
    assert_eq!(bench.send(&asking).unwrap().associations[0].status, Status::NoAddrsAvail, "asking for {free:?}");
    assert!(bench.obtain(2, 5).address().is_some());
    bench.pass(Duration::from_secs(600));
    assert!(bench.obtain(1, 5).address().is_some());
}

#[test]
fn routers_and_servers_are_not_handed_out() {
    let mut settings = example();
    settings.subnets[0].pools = vec![(attendee(0), attendee(3))];
    settings.subnets[0].excluded = vec![attendee(1)];
    settings.subnets[0].name_servers = vec![attendee(2)];
    let mut bench = Bench::new(settings);
    assert_eq!(bench.obtain(1, 1).address(), Some(attendee(3)));
    assert_eq!(bench.obtain(2, 1).address(), None);
}

#[test]
fn leases_are_bounded_however_large_the_pool_is() {
    let mut settings = Settings { leases_max: 4, ..example() };
    settings.subnets[0].pools = vec![(attendee(1), attendee(0xffff))];
    let mut bench = Bench::new(settings);
    let replies: Vec<_> = (0..4).map(|client| bench.obtain(client, 1)).collect();
    assert_eq!(bench.obtain(4, 1).associations[0].status, Status::NoAddrsAvail);
    bench.send(&replies[2].then(MessageType::Release));
    assert!(bench.obtain(5, 1).address().is_some());
    assert_eq!((bench.engine.leases().count(), bench.engine.counters().leases_forgotten), (4, 1));
}

#[derive(Clone, Debug)]
enum Step {
    Solicit(u16, u32, Option<u16>),
    Follow(u16, MessageType),
    Pass(u64),
    Reconfigure(u16),
}

fn step() -> impl Strategy<Value = Step> {
    use MessageType::*;
    let kinds = proptest::sample::select(vec![Request, Renew, Rebind, Release, Decline, Confirm]);
    prop_oneof![
        3 => (0..16_u16, 0..3_u32, proptest::option::of(0..0x20_u16)).prop_map(|(client, iaid, hint)| Step::Solicit(client, iaid, hint)),
        5 => (0..16_u16, kinds).prop_map(|(client, kind)| Step::Follow(client, kind)),
        1 => (0..5000_u64).prop_map(Step::Pass),
        1 => (0x10..0x19_u16).prop_map(Step::Reconfigure),
    ]
}

proptest! {
    /// Whatever clients do, an address in force belongs to one association, and what clients were told is in the table.
    #[test]
    fn two_clients_never_share_an_address(rapid_commit: bool, steps in proptest::collection::vec(step(), 1..80)) {
        let settings = Settings { rapid_commit, ..example() };
        let mut bench = Bench::new(settings.clone());
        let mut last: Vec<Option<Answer>> = vec![None; 16];
        for step in steps {
            let (client, message) = match step {
                Step::Solicit(client, iaid, hint) => {
                    let mut solicit = ClientMessage::solicit(1, &duid(client), iaid);
                    solicit.rapid_commit = client % 2 == 0;
                    solicit.associations[0].1.extend(hint.map(attendee));
                    (client, solicit)
                }
                Step::Follow(client, kind) => match &last[usize::from(client)] {
                    Some(answer) => (client, answer.then(kind)),
                    None => continue,
                },
                Step::Pass(seconds) => {
                    bench.pass(Duration::from_secs(seconds));
                    continue;
                }
                Step::Reconfigure(end) => {
                    let mut settings = settings.clone();
                    settings.subnets[0].pools = vec![(attendee(0x10), attendee(end))];
                    bench.engine.reconfigure(settings, bench.now).unwrap();
                    bench.engine.bindings.check_invariants();
                    continue;
                }
            };
            let Some(answer) = bench.send(&message) else { continue };
            if answer.kind == MessageType::Reply {
                for association in &answer.associations {
                    for address in &association.addresses {
                        let lease = bench.engine.lease_of(*address).unwrap();
                        prop_assert!(lease.is_active(bench.now));
                        prop_assert_eq!((&lease.duid, lease.iaid), (&duid(client), association.iaid));
                    }
                }
            }
            if !matches!(message.message_type, MessageType::Confirm) {
                last[usize::from(client)] = Some(answer);
            }
        }
    }
}
