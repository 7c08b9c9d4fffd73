//! Upstreams that are of no use, forge or cut: RFC 3225 section 3, RFC 8767 section 5, RFC 7766 section 5.

use super::{caching::upstream_answer, *};
use crate::Validity;

fn ask(rig: &mut Rig, name: &str) -> Asked {
    rig.query(udp(5_000), &plain(name, client::TYPE_A));
    rig.take_ask()
}

/// A rig with upstreams of 5 ms.
fn fast() -> Rig {
    let mut rig = Rig::new(settings());
    for round in 0..40 {
        let asked = ask(&mut rig, &format!("warm{round}.example.com"));
        rig.wait(ms(5));
        rig.answer(&asked, &authority::answer(&asked.bytes).unwrap());
        rig.take_reply();
    }
    rig
}

/// Without EDNS there are no signatures: where they are checked, an upstream without it is of no use (RFC 3225 section 3).
#[test]
fn validation_never_does_without_edns() {
    let mut rig =
        Rig { now: Timestamp::from_secs(1_780_000_000), ..Rig::new(Settings { validate: true, ..settings() }) };
    let asked = ask(&mut rig, "www.example.com");
    rig.answer(&asked, &upstream_answer(&asked, 1, &[]));
    let other = rig.take_ask();
    assert_ne!(other.upstream, asked.upstream);
    assert_eq!(other.bytes[other.bytes.len() - 4] & 0x80, 0x80);
}

/// RFC 8767 section 5 is for upstreams that fail; what they forge is never covered up with what was known.
#[test]
fn nothing_stale_covers_a_forgery() {
    let mut rig =
        Rig { now: Timestamp::from_secs(1_780_000_000), ..Rig::new(Settings { validate: true, ..settings() }) };
    let known = ask(&mut rig, "www.example.com");
    rig.answer(&known, &authority::answer(&known.bytes).unwrap());
    let (validation, _) = rig.validations.pop().unwrap();
    rig.engine.on_validated(rig.now, validation, Validity::Insecure);
    rig.collect();
    rig.take_reply();
    rig.wait(Duration::from_secs(3_700));
    let forged = ask(&mut rig, "www.example.com");
    rig.answer(&forged, &authority::answer(&forged.bytes).unwrap());
    let (validation, _) = rig.validations.pop().unwrap();
    rig.engine.on_validated(rig.now, validation, Validity::Bogus(6));
    rig.wait(Duration::from_secs(5));
    assert!(show(&rig.take_reply()).starts_with("SERVFAIL"));
}

/// TCP after TC is not cut short by a hedge that was planned before (RFC 7766 section 5).
#[test]
fn tcp_ends_a_planned_hedge() {
    let mut rig = fast();
    let first = ask(&mut rig, "www.example.com");
    let mut truncated = authority::answer(&first.bytes).unwrap();
    truncated[2] |= 2;
    rig.answer(&first, &truncated);
    let tcp = rig.take_ask();
    assert_eq!(tcp.transport, Transport::Tcp);
    rig.wait(ms(1_499));
    assert!(rig.asked.is_empty(), "{:?}", rig.asked);
    rig.answer(&tcp, &authority::answer(&tcp.bytes).unwrap());
    assert!(show(&rig.take_reply()).starts_with("NOERROR"));
}
