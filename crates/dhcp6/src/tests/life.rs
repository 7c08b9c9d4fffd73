//! Leases over time: ends, restarts, new settings and steps of the clock.

use model::LeaseState;

use super::*;

fn with_steps() -> Bench {
    Bench::new(Settings { clock_step_min: Settings::default().clock_step_min, ..example() })
}

#[test]
fn leases_end_by_themselves() {
    let mut bench = with_steps();
    bench.obtain(1, 1);
    bench.pass(Duration::from_secs(100));
    bench.obtain(2, 1);
    assert!(
        bench.engine.deadline().is_some_and(|at| at <= bench.now + Duration::from_secs(150)),
        "often enough to see steps"
    );
    for (seconds, in_force) in [(200, 2), (6899, 2), (1, 1), (100, 0)] {
        // Small steps, as a caller makes that keeps the deadlines.
        for _ in 0..seconds / 100 {
            bench.pass(Duration::from_secs(100));
        }
        bench.pass(Duration::from_secs(seconds % 100));
        assert_eq!(bench.engine.leases_in_force().count(), in_force, "{}", bench.now);
    }
    assert_eq!((bench.engine.counters().leases_expired, bench.engine.deadline()), (2, None));
}

#[test]
fn leases_survive_a_restart() {
    let mut bench = Bench::example();
    let reply = bench.obtain(1, 1);
    let saved: Vec<_> = bench.engine.leases().cloned().collect();
    let mut again = Bench::example();
    again.now = bench.now + Duration::from_secs(1000);
    for lease in saved {
        again.engine.restore(lease, again.now);
    }
    again.engine.bindings.check_invariants();
    assert_eq!(again.send(&reply.then(MessageType::Renew)).unwrap().address(), reply.address());
    assert!(matches!(again.events()[..], [Dhcp6Event::Bound { renewed: true, .. }]));
    assert_eq!(again.engine.pool_use().next().map(|pool| pool.2), Some(1));
}

#[test]
fn restored_leases_that_ended_are_last_owners_and_strangers_are_left_out() {
    let mut bench = Bench::example();
    bench.obtain(1, 1);
    let lease = bench.saved().remove(0);
    let table = [
        (Lease6 { expires: bench.now, ..lease.clone() }, 0, 1),
        (Lease6 { state: LeaseState::Released, ..lease.clone() }, 0, 1),
        (Lease6 { state: LeaseState::Declined, ..lease.clone() }, 1, 1),
        (Lease6 { address: "2001:db8:ffff::1".parse().unwrap(), ..lease.clone() }, 0, 0),
        (Lease6 { address: attendee(0x99), ..lease }, 1, 1),
    ];
    for (lease, in_force, known) in table {
        let mut bench = Bench::example();
        bench.engine.restore(lease, bench.now);
        bench.engine.bindings.check_invariants();
        let engine = &bench.engine;
        assert_eq!((engine.leases_in_force().count(), engine.leases().count()), (in_force, known));
        assert_eq!(engine.counters().restore_left_out, 1 - known as u64);
    }
}

#[test]
fn a_lease_granted_in_the_future_lasts_as_long_from_now_on() {
    let mut bench = Bench::example();
    bench.obtain(1, 1);
    let lease = bench.saved().remove(0);
    let mut again = Bench::example();
    again.now = bench.now - Duration::from_secs(1_000_000);
    again.engine.restore(lease, again.now);
    let lease = again.engine.leases().next().unwrap();
    assert_eq!((lease.starts, lease.expires), (again.now, again.now + Duration::from_secs(7200)));
    assert_eq!(lease.preferred_until, again.now + Duration::from_secs(3600));
}

#[test]
fn steps_of_the_clock_move_leases_along() {
    for step in [-1_000_000_i64, 1_000_000] {
        let mut bench = with_steps();
        bench.obtain(1, 1);
        let before = bench.saved().remove(0);
        bench.now = Timestamp::from_secs(bench.now.as_secs() + step);
        bench.engine.on_deadline(bench.now);
        bench.take_effects();
        let moved = |at: Timestamp| Timestamp::from_secs(at.as_secs() + step);
        let after = Lease6 {
            starts: moved(before.starts),
            preferred_until: moved(before.preferred_until),
            expires: moved(before.expires),
            ..before
        };
        assert_eq!(bench.effects, [Effect::Save(after)]);
        assert_eq!(bench.engine.counters().clock_steps, 1);
    }
}

#[test]
fn new_settings_keep_leases() {
    let mut bench = Bench::example();
    let reply = bench.obtain(1, 1);
    let mut settings = example();
    settings.subnets.reverse();
    bench.engine.reconfigure(settings.clone(), bench.now).unwrap();
    bench.engine.bindings.check_invariants();
    assert_eq!(bench.send(&reply.then(MessageType::Renew)).unwrap().address(), reply.address());

    settings.subnets[1].pools = vec![(attendee(0x50), attendee(0x51))];
    bench.engine.reconfigure(settings.clone(), bench.now).unwrap();
    assert_eq!(bench.engine.leases_in_force().count(), 1, "kept until it ends");
    let association = bench.send(&reply.then(MessageType::Renew)).unwrap().associations.remove(0);
    assert!((attendee(0x50)..=attendee(0x51)).contains(&association.addresses[0]));
    assert_eq!(association.over, [reply.address().unwrap()]);

    settings.subnets.truncate(1);
    bench.engine.reconfigure(settings.clone(), bench.now).unwrap();
    assert_eq!((bench.engine.leases().count(), bench.engine.counters().restore_left_out), (0, 2));

    settings.server_duid.clear();
    assert!(bench.engine.reconfigure(settings, bench.now).is_err());
    assert_eq!(bench.engine.server, server(), "on an error nothing changes");
}

#[test]
fn lifetimes_without_end() {
    let mut settings = example();
    (settings.subnets[0].preferred, settings.subnets[0].valid) = (Duration::MAX, Duration::MAX);
    let mut bench = Bench::new(settings);
    let reply = bench.obtain(1, 1);
    assert_eq!(reply.associations[0].t1_t2, (u32::MAX, u32::MAX));
    assert_eq!((bench.saved()[0].expires, bench.engine.deadline()), (Timestamp::MAX, None));
}
