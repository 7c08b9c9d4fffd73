//! What is known while upstreams do not help: RFC 8767, RFC 9520; and asking ahead of the end.

use super::{caching::upstream_answer, *};
use crate::{
    wire::rtype,
    writer::{Section, Writer},
    zone::soa_rdata,
};

const TTL_S: u32 = 100;
const SECOND: Duration = Duration::from_secs(1);

fn address(asked: &Asked, last: u8) -> Vec<u8> {
    let name = crate::name::end_of_plain_name(&asked.bytes, 12).unwrap();
    let mut writer = Writer::new(&asked.bytes[12..name + 4]);
    writer.record(Section::Answer, &asked.bytes[12..name], rtype::A, TTL_S, &[192, 0, 2, last]).unwrap();
    let mut bytes = writer.finish(0x8080).wire.to_vec();
    bytes[..2].copy_from_slice(&asked.bytes[..2]);
    bytes
}

fn query() -> Vec<u8> {
    client::query(1, "a.example", client::TYPE_A, true)
}

fn shown(ttl_s: u32, last: u8, error: &str) -> String {
    format!("NOERROR rd ra; a.example A; = a.example {ttl_s} 192.0.2.{last}; opt 1232 v0{error}")
}

/// A rig that knows `a.example` for `TTL_S` seconds, `passed` ago.
fn knowing(passed: Duration) -> Rig {
    let mut rig = Rig::new(settings());
    rig.query(udp(1), &query());
    let asked = rig.take_ask();
    let answer = address(&asked, 1);
    rig.answer(&asked, &answer);
    rig.take_reply();
    rig.wait(passed);
    rig
}

/// Every upstream asked says SERVFAIL, until none is asked any more; how many were.
fn fail_all(rig: &mut Rig) -> usize {
    let mut count = 0;
    while let Some(asked) = rig.asked.pop() {
        rig.answer(&asked, &upstream_answer(&asked, 2, &[]));
        count += 1;
    }
    count
}

/// RFC 8767 section 5: the client response timer, after which a client gets what has expired with TTL 30 (section 4) and
/// extended error 3 (RFC 8914 section 4.4), and asking goes on.
#[test]
fn clients_wait_for_a_refresh_no_longer_than_the_timer() {
    let mut rig = knowing(SECOND * TTL_S);
    rig.query(udp(2), &query());
    let first = rig.take_ask();
    rig.wait(ms(1_799));
    assert!(rig.replies.is_empty(), "a refresh may still come");
    rig.wait(ms(1));
    assert_eq!(show(&rig.take_reply()), shown(30, 1, " ede 3"));
    // Whoever comes now has nothing to wait for; one without EDNS is told no error code.
    rig.query(udp(3), &plain("a.example", client::TYPE_A));
    assert_eq!(show(&rig.take_reply()), "NOERROR rd ra; a.example A; = a.example 30 192.0.2.1");
    assert_eq!((rig.engine.pending(), rig.engine.counters().stale_answers), (1, 2));
    // The late answer refreshes what is known.
    rig.answer(&first, &address(&first, 2));
    assert!(rig.replies.is_empty(), "nobody is answered twice");
    rig.query(udp(4), &query());
    assert_eq!(show(&rig.take_reply()), shown(TTL_S, 2, ""));
}

/// An answer within the timer is given as it is, not what has expired.
#[test]
fn a_refresh_in_time_is_preferred() {
    let mut rig = knowing(SECOND * TTL_S);
    rig.query(udp(2), &query());
    let asked = rig.take_ask();
    rig.wait(ms(300));
    rig.answer(&asked, &address(&asked, 9));
    assert_eq!(show(&rig.take_reply()), shown(TTL_S, 9, ""));
    assert_eq!(rig.engine.counters().stale_answers, 0);
}

/// RFC 8767 section 5: the failure recheck timer, 30 s without another try; section 4: SERVFAIL is no data.
#[test]
fn a_failed_refresh_is_not_tried_again_at_once() {
    let mut rig = knowing(SECOND * TTL_S);
    for _ in 0..3 {
        rig.query(udp(2), &query());
        assert_eq!(fail_all(&mut rig), 2, "both upstreams");
        assert_eq!(show(&rig.take_reply()), shown(30, 1, " ede 3"));
        rig.wait(ms(29_999));
        rig.query(udp(3), &query());
        assert_eq!(show(&rig.take_reply()), shown(30, 1, " ede 3"));
        assert!(rig.asked.is_empty());
        rig.wait(ms(1));
    }
}

/// RFC 8767 section 5: not for ever. RFC 8767 section 4: when upstreams answer, what they say ends what was known.
#[test]
fn what_has_expired_ends() {
    let mut rig = knowing(SECOND * (TTL_S + 86_399));
    rig.query(udp(2), &query());
    fail_all(&mut rig);
    assert_eq!(show(&rig.take_reply()), shown(30, 1, " ede 3"));
    let mut rig = knowing(SECOND * (TTL_S + 86_400));
    rig.query(udp(2), &query());
    fail_all(&mut rig);
    assert_eq!(show(&rig.take_reply()), "SERVFAIL rd ra; a.example A; opt 1232 v0");

    let mut rig = knowing(SECOND * TTL_S);
    rig.query(udp(2), &query());
    let asked = rig.take_ask();
    rig.answer(&asked, &upstream_answer(&asked, 3, &[]));
    assert!(show(&rig.take_reply()).starts_with("NXDOMAIN"));
    rig.query(udp(3), &query());
    fail_all(&mut rig);
    assert!(show(&rig.take_reply()).starts_with("SERVFAIL"), "it was gone");
}

/// RFC 8914 section 4.20: a name that did not exist may still not.
#[test]
fn names_that_did_not_exist() {
    let mut rig = Rig::new(settings());
    let soa = soa_rdata(b"\x02ns\x00", b"\x07example\x00", 60).to_vec();
    rig.query(udp(1), &query());
    let asked = rig.take_ask();
    rig.answer(&asked, &upstream_answer(&asked, 3, &[(Section::Authority, "example", rtype::SOA, 60, soa)]));
    rig.take_reply();
    rig.wait(SECOND * 60);
    rig.query(udp(2), &query());
    fail_all(&mut rig);
    let text = show(&rig.take_reply());
    assert!(text.starts_with("NXDOMAIN") && text.contains("~ example 30 ns.") && text.ends_with("ede 19"), "{text}");
}

/// In the last tenth of its life an answer that is wanted is asked for again, once, and clients do not wait for it.
#[test]
fn prefetch() {
    let mut rig = knowing(SECOND * 89);
    rig.query(udp(2), &query());
    rig.take_reply();
    assert!(rig.asked.is_empty());
    rig.wait(SECOND);
    for port in 3..6 {
        rig.query(udp(port), &query());
        assert_eq!(show(&rig.take_reply()), shown(10, 1, ""), "TTLs mean what they meant");
    }
    let asked = rig.take_ask();
    rig.answer(&asked, &address(&asked, 2));
    assert!(rig.replies.is_empty());
    rig.query(udp(7), &query());
    assert_eq!(show(&rig.take_reply()), shown(TTL_S, 2, ""));
    assert_eq!(rig.engine.counters().prefetches, 1);
}

/// A failed prefetch leaves what is known, and is not repeated for 30 s.
#[test]
fn a_failed_prefetch_harms_nobody() {
    let mut rig = knowing(SECOND * 95);
    rig.query(udp(2), &query());
    assert_eq!(fail_all(&mut rig), 2);
    assert_eq!(show(&rig.take_reply()), shown(5, 1, ""));
    rig.query(udp(3), &query());
    assert_eq!(show(&rig.take_reply()), shown(5, 1, ""));
    rig.wait(SECOND * 10);
    rig.query(udp(4), &query());
    assert_eq!(show(&rig.take_reply()), shown(30, 1, " ede 3"));
    assert!(rig.asked.is_empty());
    assert_eq!(rig.engine.pending(), 0);
}

/// RFC 9520 section 3.2: at least 1 s, longer while it fails again, far less than 5 min.
#[test]
fn failures_in_a_row_are_remembered_longer() {
    let mut rig = Rig::new(settings());
    for seconds in [5, 10, 20, 30, 30] {
        rig.query(udp(1), &query());
        assert_eq!(fail_all(&mut rig), 2);
        rig.wait(SECOND * seconds - ms(1));
        rig.query(udp(1), &query());
        assert!(rig.asked.is_empty(), "within {seconds} s");
        rig.wait(ms(1));
    }
    // A success ends the row.
    rig.query(udp(1), &query());
    let asked = rig.take_ask();
    rig.answer(&asked, &upstream_answer(&asked, 3, &[]));
    rig.query(udp(1), &query());
    fail_all(&mut rig);
    rig.wait(SECOND * 5);
    rig.query(udp(1), &query());
    rig.take_ask();
}

/// RFC 8767 section 5 holds back after a failure; when an upstream that was dead answers again, nobody waits for that to end.
#[test]
fn what_is_past_its_end_is_asked_for_as_soon_as_an_upstream_is_back() {
    let mut rig = knowing(SECOND * TTL_S);
    // Enough silence for both upstreams to be believed dead.
    for name in ["b.example", "c.example", "d.example", "e.example", "a.example"] {
        rig.query(udp(2), &client::query(1, name, client::TYPE_A, true));
        rig.wait(SECOND * 6);
    }
    rig.replies.clear();
    assert!(rig.engine.upstreams().all(|upstream| !upstream.healthy));
    rig.asked.clear();
    rig.query(udp(3), &query());
    assert_eq!(show(&rig.take_reply()), shown(30, 1, " ede 3"));
    assert!(rig.asked.is_empty(), "held back");
    // A probe is answered.
    rig.wait(SECOND * 5);
    let probe = rig.asked.pop().unwrap();
    rig.answer(&probe, &upstream_answer(&probe, 0, &[]));
    rig.asked.clear();
    rig.query(udp(4), &query());
    let asked = rig.take_ask();
    rig.answer(&asked, &address(&asked, 2));
    assert_eq!(show(&rig.take_reply()), shown(TTL_S, 2, ""));
}
