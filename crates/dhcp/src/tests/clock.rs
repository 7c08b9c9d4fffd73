use std::time::Duration;

use super::{Bench, HOUR, attendee, example, kind, sender};
use crate::{Settings, message::MessageType};

const DAY: Duration = Duration::from_secs(86_400);

/// A step of the wall clock, either way, ends no lease and gives no address away; what remains stays the same and
/// is saved again.
#[test]
fn a_clock_step_ends_nothing() {
    for forward in [true, false] {
        let mut bench = Bench::example();
        for number in 0..10 {
            bench.bind(&sender(number));
        }
        bench.pass(Duration::from_secs(1000));
        bench.now = if forward { bench.now + DAY } else { bench.now - DAY };
        bench.engine.on_deadline(bench.now);
        bench.take_effects();
        assert_eq!((bench.used(), bench.engine.counters().clock_steps), (10, 1));
        let saved = bench.saves();
        assert_eq!(saved.len(), 10);
        assert!(saved.iter().all(|lease| lease.expires == bench.now + HOUR - Duration::from_secs(1000)));
        assert!(bench.discover(&sender(50)).is_none(), "still full");
        assert_eq!(kind(bench.renew(&sender(1), attendee(11))), Some(MessageType::Ack));
        bench.pass(HOUR - Duration::from_secs(1000));
        assert_eq!(bench.used(), 1, "and they end in their time");
    }
}

/// The same when the step is noticed with a packet in hand.
#[test]
fn a_clock_step_with_a_packet_in_hand() {
    let mut bench = Bench::example();
    for number in 0..10 {
        bench.bind(&sender(number));
    }
    bench.now = bench.now + DAY;
    assert!(bench.discover(&sender(50)).is_none());
    assert_eq!(bench.saves().len(), 10);
}

/// A clock that was decades behind does not make leases that end decades from now.
#[test]
fn a_step_of_decades_is_bounded_by_the_grant() {
    let mut bench = Bench::example();
    bench.bind(&sender(1));
    let lease = bench.engine.lease_of(attendee(10)).unwrap().clone();
    let right = bench.now;
    let mut bench = Bench::example();
    bench.now = model::Timestamp::from_secs(1000);
    bench.engine.restore(lease, bench.now);
    bench.now = bench.now + Duration::from_secs(1);
    bench.discover(&sender(2)).unwrap();
    bench.now = right;
    bench.engine.on_deadline(bench.now);
    let expires = bench.engine.lease_of(attendee(10)).unwrap().expires;
    assert!(expires > right && expires <= right + HOUR);
}

/// Small steps back do not run the engine's time back; with nothing held, a pause is only a pause.
#[test]
fn no_step_without_need() {
    let mut bench = Bench::example();
    bench.bind(&sender(1));
    bench.now = bench.now - Duration::from_secs(30);
    bench.renew(&sender(1), attendee(10)).unwrap();
    assert_eq!(bench.saves()[0].starts, bench.now + Duration::from_secs(30));
    bench.pass(HOUR * 2);
    bench.now = bench.now + DAY;
    bench.bind(&sender(1));
    assert_eq!(bench.engine.counters().clock_steps, 0);
}

/// With a clock that is known never to step, time that passed is time that passed.
#[test]
fn rehearsals_trust_their_clock() {
    let mut bench = Bench::new(Settings { clock_step_min: Duration::MAX, ..example() });
    bench.bind(&sender(1));
    assert_eq!(bench.engine.deadline(), Some(bench.now + example().offer_hold), "early, but never late");
    bench.engine.on_deadline(bench.engine.deadline().unwrap());
    assert_eq!(bench.engine.deadline(), Some(bench.now + HOUR));
    bench.now = bench.now + DAY;
    bench.engine.on_deadline(bench.now);
    assert_eq!((bench.used(), bench.engine.deadline()), (0, None));
}
