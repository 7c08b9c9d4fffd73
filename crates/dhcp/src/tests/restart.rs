use std::net::Ipv4Addr;

use model::{Lease, LeaseState, SubnetId};

use super::{Bench, HOUR, SERVER, attendee, crew, example, kind, sender};
use crate::{PoolSettings, client, message::MessageType};

/// The walk through the pools goes on behind what was restored before the first packet comes, so that nobody waits for
/// it, and a full subnet of a shared network is known to be full.
#[test]
fn a_full_subnet_is_known_to_be_full_after_a_restart() {
    let mut settings = example();
    for subnet in &mut settings.subnets {
        subnet.shared_network = Some("hall".into());
    }
    let mut bench = Bench::new(settings.clone());
    for number in 0..10 {
        bench.bind(&sender(number));
    }
    let leases: Vec<_> = bench.engine.leases().cloned().collect();
    let now = bench.now;
    let mut bench = Bench::new(settings);
    bench.now = now;
    bench.engine.restore_all(leases, now);
    assert_eq!(bench.discover(&sender(20)).map(|offer| offer.yiaddr), Some(crew(100)));
    assert!(bench.events().is_empty());
}

/// What was saved by an engine, in order, brings up another that knows the same.
#[test]
fn a_restarted_engine_knows_its_leases() {
    let mut bench = Bench::example();
    let mut journal: Vec<Lease> = Vec::new();
    for number in 0..6 {
        bench.bind(&sender(number));
        journal.extend(bench.saves().into_iter().cloned());
    }
    bench.send(&client::release(&sender(2), attendee(12), SERVER));
    journal.extend(bench.saves().into_iter().cloned());
    bench.send(&client::decline(&sender(3), attendee(13), SERVER));
    journal.extend(bench.saves().into_iter().cloned());
    bench.pass(HOUR / 2);
    bench.renew(&sender(0), attendee(10)).unwrap();
    journal.extend(bench.saves().into_iter().cloned());

    let mut again = Bench::example();
    again.now = bench.now;
    for lease in &journal {
        again.engine.restore(lease.clone(), again.now);
    }
    assert_eq!((again.used(), bench.used()), (4, 4), "four leases in force; the quarantine is over");
    let states = |bench: &Bench| {
        let mut leases: Vec<_> = bench.engine.leases().cloned().collect();
        leases.sort_by_key(|lease| lease.address);
        leases
    };
    assert_eq!(states(&again), states(&bench));
    assert_eq!(kind(again.renew(&sender(1), attendee(11))), Some(MessageType::Ack));
    assert_eq!(kind(again.reboot(&sender(0), attendee(10))), Some(MessageType::Ack));
    assert_eq!(again.discover(&sender(2)).unwrap().yiaddr, attendee(12), "affinity survives");
    assert_eq!(again.bind(&sender(30)), attendee(16), "the first address nobody had");
    assert_eq!(again.engine.leases_in_force().count(), 5);
}

/// Later records win: of one address, and of one client.
#[test]
fn later_records_win() {
    let mut bench = Bench::example();
    bench.bind(&sender(1));
    let first = bench.engine.lease_of(attendee(10)).unwrap().clone();
    let other = Lease { client: model::ClientKey((*b"\x01\x01other").into()), ..first.clone() };
    let moved = Lease { address: attendee(15), ..first.clone() };
    let mut bench = Bench::example();
    for lease in [&first, &other, &moved] {
        bench.engine.restore(lease.clone(), bench.now);
    }
    assert_eq!(bench.engine.lease_of(attendee(10)).unwrap().client, other.client);
    assert_eq!(kind(bench.renew(&sender(1), attendee(10))), Some(MessageType::Nak));
    assert_eq!(bench.discover(&sender(1)).unwrap().yiaddr, attendee(15));
}

/// Pools shrank: leases outside are honoured until they end, then given to nobody. Subnets that went are left out.
#[test]
fn leases_outside_the_pools_are_kept_until_their_end() {
    let mut bench = Bench::example();
    for number in 0..3 {
        bench.bind(&sender(number));
    }
    let leases: Vec<Lease> = bench.engine.leases().cloned().collect();
    let mut settings = example();
    settings.subnets[0].pools = vec![PoolSettings::common(attendee(12), attendee(13))];
    settings.subnets[0].id = SubnetId(4);
    let mut bench = Bench::new(settings);
    for lease in leases {
        bench.engine.restore(lease, bench.now);
    }
    assert_eq!(bench.engine.lease_of(attendee(10)).unwrap().subnet, SubnetId(4), "known by its address");
    assert_eq!(bench.used(), 1, "only dynamic addresses count");
    assert_eq!(kind(bench.renew(&sender(0), attendee(10))), Some(MessageType::Ack));
    assert_eq!(bench.discover(&sender(1)).unwrap().yiaddr, attendee(13), "who asks anew moves into the pool");
    bench.pass(HOUR);
    assert_eq!(kind(bench.renew(&sender(0), attendee(10))), Some(MessageType::Nak));
    let elsewhere = Lease {
        address: Ipv4Addr::new(10, 0, 0, 1),
        state: LeaseState::Bound,
        ..bench.engine.leases().next().unwrap().clone()
    };
    bench.engine.restore(elsewhere, bench.now);
    assert_eq!(bench.engine.counters().restore_unknown, 1);
    assert_eq!(bench.engine.lease_of(crew(1)), None);
}

/// Offers are not saved; after a restart the client that accepts one still gets it.
#[test]
fn an_offer_survives_a_restart_by_being_free() {
    let offer = Bench::example().discover(&sender(1)).unwrap();
    assert_eq!(kind(Bench::example().select(&sender(1), offer.yiaddr)), Some(MessageType::Ack));
}
