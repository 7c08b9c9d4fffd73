//! The cache over a restart.

use proptest::prelude::*;

use super::*;

/// An engine that knows three names, two of them for long.
fn warm() -> Rig {
    let mut rig = Rig::new(settings());
    for name in ["a.example.org", "b.example.org", "nope.nxdomain.example"] {
        rig.resolve(&client::query(7, name, client::TYPE_A, true));
    }
    assert_eq!(rig.engine.cache_use().0, 3);
    rig
}

fn restarted(now: Timestamp, settings: Settings, octets: &[u8]) -> Rig {
    let mut rig = Rig { now, ..Rig::new(settings) };
    rig.engine.load_memory(now, octets);
    rig
}

#[test]
fn a_restart_finds_what_was_known_with_the_time_that_is_left() {
    let mut before = warm();
    let octets = before.engine.memory().dump(before.now, usize::MAX);
    let mut after = restarted(before.now + Duration::from_secs(10), settings(), &octets);
    before.wait(Duration::from_secs(10));
    for name in ["a.example.org", "B.example.org", "nope.nxdomain.example"] {
        let query = client::query(7, name, client::TYPE_A, true);
        assert_eq!(after.resolve(&query), before.resolve(&query));
    }
    assert_eq!(after.engine.counters().cache_hits, 3);
}

#[test]
fn what_is_over_or_ours_now_or_from_the_future_is_not_taken_back() {
    let before = warm();
    let octets = before.engine.memory().dump(before.now, usize::MAX);
    let count = |rig: Rig| rig.engine.cache_use().0;
    assert_eq!(count(restarted(before.now + Duration::from_secs(10 * 86_400), settings(), &octets)), 0);
    assert_eq!(count(restarted(Timestamp::from_secs(1_000), settings(), &octets)), 0);
    let mut ours = settings();
    ours.zones.push(Zone { origin: "example.org".into(), records: Vec::new(), ..ours.zones[0].clone() });
    assert_eq!(count(restarted(before.now, ours, &octets)), 1);
    let short = before.engine.memory().dump(before.now, octets.len() - 1);
    assert_eq!(count(restarted(before.now, settings(), &short)), 2, "whole answers up to the bound");
}

/// What was kept without validation, or said by other servers, is not believed after it was turned on or they were changed.
#[test]
fn what_was_believed_otherwise_is_not_taken_back() {
    let before = warm();
    let octets = before.engine.memory().dump(before.now, usize::MAX);
    let count = |settings| restarted(before.now, settings, &octets).engine.cache_use().0;
    assert_eq!(count(Settings { cache_bytes_max: 2 << 20, waiters_max: 9, ..settings() }), 3, "no matter of belief");
    let forwards = vec![crate::Forward { zone: "corp.example".into(), upstreams: vec![upstream(9)] }];
    let table = [
        ("validated now", Settings { validate: true, ..settings() }),
        ("other keys", Settings { trust_anchors: ". IN DS 1 8 2 AB".into(), ..settings() }),
        ("other exceptions", Settings { negative_trust_anchors: vec!["corp.example".into()], ..settings() }),
        ("other upstreams", Settings { upstreams: vec![upstream(3)], ..settings() }),
        ("other forwards", Settings { forwards, ..settings() }),
    ];
    for (what, settings) in table {
        assert_eq!(count(settings), 0, "{what}");
    }
}

/// Failures are not remembered over a restart (RFC 9520 section 3.2 bounds them to minutes).
#[test]
fn failures_are_forgotten() {
    let mut rig = Rig::new(Settings { upstreams: Vec::new(), ..settings() });
    rig.query(udp(1), &plain("a.example.org", client::TYPE_A));
    assert_eq!(rig.engine.cache_use().0, 1);
    let octets = rig.engine.memory().dump(rig.now, usize::MAX);
    assert_eq!(restarted(rig.now, settings(), &octets).engine.cache_use().0, 0);
}

proptest! {
    /// Octets cut, changed or made up: never a panic, and what was not touched may be served.
    #[test]
    fn damaged_octets_do_no_harm(at in 0_usize..400, octet: u8, end in 0_usize..400, noise: Vec<u8>) {
        let before = warm();
        let mut octets = before.engine.memory().dump(before.now, usize::MAX);
        let length = octets.len();
        octets[at % length] = octet;
        octets.truncate(end % (length + 1));
        octets.extend_from_slice(&noise);
        let mut after = restarted(before.now, settings(), &octets);
        for name in ["a.example.org", "b.example.org", "nope.nxdomain.example"] {
            after.resolve(&client::query(7, name, client::TYPE_A, true));
        }
        restarted(before.now, settings(), &noise);
    }
}
