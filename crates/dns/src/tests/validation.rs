//! What the engine does with a validator's word (RFC 4035 section 4, RFC 6840 section 5).

use super::*;
use crate::Validity;

/// With one upstream.
fn validating() -> Rig {
    validating_by(vec![upstream(1)])
}

fn validating_by(upstreams: Vec<SocketAddr>) -> Rig {
    let insecure = vec!["corp.example".to_owned()];
    Rig {
        now: Timestamp::from_secs(1_780_000_000),
        ..Rig::new(Settings { upstreams, validate: true, negative_trust_anchors: insecure, ..settings() })
    }
}

fn query(name: &str, flags: u8, dnssec_ok: bool) -> Vec<u8> {
    let mut bytes = client::query(7, name, client::TYPE_A, true);
    bytes[3] |= flags;
    let ttl_at = bytes.len() - 6 + 2;
    bytes[ttl_at] = if dnssec_ok { 0x80 } else { 0 };
    bytes
}

const AD: u8 = 0x20;
const CD: u8 = 0x10;

/// Asks, answers as the make-believe internet, and leaves the answer with the validator.
fn begin(rig: &mut Rig, name: &str) -> ValidationId {
    rig.query(udp(5_000), &query(name, 0, true));
    let asked = rig.take_ask();
    assert_eq!(asked.bytes[3] & CD, CD, "RFC 6840 section 5.9");
    assert_eq!(asked.bytes[asked.bytes.len() - 4] & 0x80, 0x80, "RFC 4035 section 4.1: DO is set");
    let answer = authority::answer(&asked.bytes).unwrap();
    rig.answer(&asked, &answer);
    assert!(rig.replies.is_empty(), "nobody gets what is not validated");
    let (validation, bytes) = rig.validations.pop().unwrap();
    assert_eq!(bytes, answer);
    validation
}

fn end(rig: &mut Rig, validation: ValidationId, validity: Validity) {
    rig.engine.on_validated(rig.now, validation, validity);
    rig.collect();
}

/// RFC 4035 section 3.2.3, RFC 6840 section 5.8: AD for who asks for it, on what was validated here, also from the cache.
#[test]
fn secure_answers_have_ad_for_who_asks() {
    let mut rig = validating();
    let validation = begin(&mut rig, "www.example.org");
    end(&mut rig, validation, Validity::Secure);
    assert!(show(&rig.take_reply()).starts_with("NOERROR rd ra ad;"));
    for (flags, dnssec_ok, has_ad) in [(0, true, true), (AD, false, false), (0, false, false)] {
        rig.query(udp(5_001), &query("www.example.org", flags, dnssec_ok));
        if !dnssec_ok && rig.replies.is_empty() {
            // Without DO it is another answer, and validated as well.
            let asked = rig.take_ask();
            let answer = authority::answer(&asked.bytes).unwrap();
            rig.answer(&asked, &answer);
            let (validation, _) = rig.validations.pop().unwrap();
            end(&mut rig, validation, Validity::Secure);
            assert_eq!(rig.take_reply()[3] & AD, flags & AD, "AD in the query asks for it");
            continue;
        }
        assert_eq!(rig.take_reply()[3] & AD != 0, has_ad, "flags {flags}, DO {dnssec_ok}");
    }
    assert_eq!((rig.engine.counters().validations, rig.engine.counters().secure), (2, 2));
}

#[test]
fn insecure_answers_are_plain() {
    let mut rig = validating();
    let validation = begin(&mut rig, "www.example.org");
    end(&mut rig, validation, Validity::Insecure);
    assert!(show(&rig.take_reply()).starts_with("NOERROR rd ra;"));
}

/// RFC 4035 sections 4.7 and 5.5: SERVFAIL, remembered for a short time; RFC 8914 says why; who checks himself gets the data.
#[test]
fn bogus_answers_are_servfail_but_for_cd() {
    let mut rig = validating();
    let validation = begin(&mut rig, "www.example.org");
    end(&mut rig, validation, Validity::Bogus(7));
    assert!(show(&rig.take_reply()).contains("SERVFAIL"));
    rig.query(udp(5_001), &query("www.example.org", 0, true));
    assert!(show(&rig.take_reply()).contains("ede 7"), "from the cache");
    rig.query(udp(5_002), &query("www.example.org", CD, true));
    let asked = rig.take_ask();
    let answer = authority::answer(&asked.bytes).unwrap();
    rig.answer(&asked, &answer);
    assert!(rig.validations.is_empty());
    assert!(show(&rig.take_reply()).starts_with("NOERROR rd ra cd;"));
    rig.wait(Duration::from_secs(31));
    begin(&mut rig, "www.example.org");
    assert_eq!(rig.engine.counters().bogus, 1);
}

/// What one upstream says is bogus, another may say rightly; but not for ever.
#[test]
fn another_upstream_is_asked_after_a_bogus_answer() {
    for second in [Validity::Secure, Validity::Bogus(9)] {
        let mut rig = validating_by(vec![upstream(1), upstream(2), upstream(3)]);
        let validation = begin(&mut rig, "www.example.org");
        end(&mut rig, validation, Validity::Bogus(7));
        let asked = rig.take_ask();
        let answer = authority::answer(&asked.bytes).unwrap();
        rig.answer(&asked, &answer);
        let (validation, _) = rig.validations.pop().unwrap();
        end(&mut rig, validation, second);
        let text = show(&rig.take_reply());
        match second {
            Validity::Secure => assert!(text.starts_with("NOERROR rd ra ad;"), "{text}"),
            _ => assert!(text.starts_with("SERVFAIL") && text.ends_with("ede 9"), "{text}"),
        }
        assert!(rig.asked.is_empty(), "two are enough");
    }
    // The other is silent: the reason is what the first said.
    let mut rig = validating_by(vec![upstream(1), upstream(2)]);
    let validation = begin(&mut rig, "www.example.org");
    end(&mut rig, validation, Validity::Bogus(7));
    rig.wait(Duration::from_secs(5));
    assert!(show(&rig.take_reply()).ends_with("ede 7"));
}

/// A validator that cannot know, or says nothing, is a failed upstream: clients get SERVFAIL in time, never a wrong answer.
#[test]
fn without_a_judgement_there_is_no_answer() {
    for says in [Some(Validity::Unknown), None] {
        let mut rig = validating();
        let validation = begin(&mut rig, "www.example.org");
        match says {
            Some(validity) => end(&mut rig, validation, validity),
            None => rig.wait(Duration::from_secs(5)),
        }
        assert!(show(&rig.take_reply()).starts_with("SERVFAIL"));
        end(&mut rig, validation, Validity::Secure);
        assert!(rig.replies.is_empty() && rig.engine.pending() == 0, "too late");
    }
}

/// RFC 7646: names below a negative trust anchor; our own zones; a clock that was not set.
#[test]
fn what_is_not_validated() {
    for (name, now_s) in [("www.corp.example", 1_780_000_000), ("www.example.org", 1_000_000)] {
        let mut rig = Rig { now: Timestamp::from_secs(now_s), ..validating() };
        rig.query(udp(5_000), &query(name, 0, true));
        let asked = rig.take_ask();
        assert_eq!(asked.bytes[3] & CD, 0);
        let answer = authority::answer(&asked.bytes).unwrap();
        rig.answer(&asked, &answer);
        assert!(rig.validations.is_empty() && show(&rig.take_reply()).starts_with("NOERROR rd ra;"), "{name}");
    }
}

/// RFC 4035 section 5.3.1: signatures that cannot be right are refused before any key is asked for.
#[test]
fn signatures_out_of_their_zone_are_bogus_at_a_glance() {
    let signature = |labels: u8, signer: &[u8]| {
        let mut rdata = vec![0, 1, 8, labels, 0, 0, 0, 60, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1, 1];
        rdata.extend_from_slice(signer);
        rdata.extend_from_slice(&[0; 64]);
        rdata
    };
    let table = [
        (signature(3, b"\x07example\x03org\0"), 1, true),
        (signature(2, b"\x07EXAMPLE\x03org\0"), 1, true),
        (signature(4, b"\x07example\x03org\0"), 1, false),
        (signature(1, b"\x07example\x03org\0"), 1, false),
        (signature(3, b"\x05other\x03org\0"), 1, false),
        (signature(3, b"\xc0\x0c"), 1, false),
        (vec![0, 1, 8], 1, false),
        (signature(3, b"\x07example\x03org\0"), 65, false),
    ];
    for (rdata, count, is_sound) in table {
        let mut rig = validating();
        rig.query(udp(5_000), &query("www.example.org", 0, true));
        let asked = rig.take_ask();
        let end = asked.bytes.len() - 11;
        let mut answer = asked.bytes[..end].to_vec();
        answer[2] |= 0x80;
        answer[6..12].copy_from_slice(&[0, count + 1, 0, 0, 0, 0]);
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
        for _ in 0..count {
            answer.extend_from_slice(&[0xc0, 12, 0, 46, 0, 1, 0, 0, 0, 60]);
            answer.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
            answer.extend_from_slice(&rdata);
        }
        rig.answer(&asked, &answer);
        if is_sound {
            assert_eq!((rig.validations.len(), rig.replies.len()), (1, 0), "{rdata:?} {:?}", rig.engine.counters());
        } else {
            assert!(rig.validations.is_empty() && show(&rig.take_reply()).contains("ede 6"), "{rdata:?}");
        }
    }
}

/// An upstream's answer to `asked` with these records in its authority section: owner, type, RDATA.
fn denying(asked: &Asked, records: &[(&[u8], u16, Vec<u8>)]) -> Vec<u8> {
    let end = asked.bytes.len() - 11;
    let mut answer = asked.bytes[..end].to_vec();
    answer[2] |= 0x80;
    answer[3] |= 3;
    answer[6..12].copy_from_slice(&[0, 0, 0, records.len() as u8, 0, 0]);
    for (owner, rtype, rdata) in records {
        answer.extend_from_slice(owner);
        answer.extend_from_slice(&rtype.to_be_bytes());
        answer.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
        answer.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
        answer.extend_from_slice(rdata);
    }
    answer
}

/// RFC 4035 section 5.4, RFC 5155 section 8.3, RFC 6840 section 4.1: a denial is of its own zone, reaches no further, and is no
/// wildcard's; the class of CVE-2017-15105, and of NSEC records whose next name lies in another zone.
#[test]
fn denials_out_of_their_zone_are_bogus_at_a_glance() {
    let signature = |covered: u8, labels: u8| {
        let mut rdata = vec![0, covered, 8, labels, 0, 0, 0, 60, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1, 1];
        rdata.extend_from_slice(b"\x07example\x03org\0");
        rdata.extend_from_slice(&[0; 64]);
        rdata
    };
    let nsec = |next: &[u8]| [next, &[0, 1, 0x40]].concat();
    let (nsec_type, nsec3_type) = (47, 50);
    let hashed: &[u8] = b"\x010\x07example\x03org\0";
    let deep: &[u8] = b"\x010\x01a\x07example\x03org\0";
    let before: &[u8] = b"\x01a\x07example\x03org\0";
    let table = [
        ("inside", before, nsec_type, nsec(b"\x01z\x07EXAMPLE\x03org\0"), signature(47, 3), true),
        ("the last name's next is the apex", before, nsec_type, nsec(b"\x07example\x03org\0"), signature(47, 3), true),
        ("a sibling zone", before, nsec_type, nsec(b"\x01z\x08examplea\x03org\0"), signature(47, 3), false),
        ("above", before, nsec_type, nsec(b"\x03org\0"), signature(47, 3), false),
        ("made of a wildcard", before, nsec_type, nsec(b"\x01z\x07example\x03org\0"), signature(47, 2), false),
        ("the wildcard's own", b"\x01*\x07example\x03org\0", nsec_type, nsec(before), signature(47, 2), true),
        ("compressed", before, nsec_type, vec![0xc0, 12, 0, 1, 0x40], signature(47, 3), false),
        ("a hash below the apex", hashed, nsec3_type, vec![1, 0, 0, 1, 0, 1, 7], signature(50, 3), true),
        ("a hash two labels below", deep, nsec3_type, vec![1, 0, 0, 1, 0, 1, 7], signature(50, 4), false),
        ("a hash made of a wildcard", hashed, nsec3_type, vec![1, 0, 0, 1, 0, 1, 7], signature(50, 2), false),
    ];
    for (what, owner, rtype, rdata, signature, is_sound) in table {
        let mut rig = validating();
        rig.query(udp(5_000), &query("www.example.org", 0, true));
        let asked = rig.take_ask();
        let answer = denying(&asked, &[(owner, rtype, rdata), (owner, 46, signature)]);
        let believed = crate::without_unsound_proof(answer.clone());
        if is_sound {
            assert_eq!(believed, answer, "{what}");
        } else {
            assert_eq!(believed.len(), asked.bytes.len() - 11, "{what}: header and question are left");
        }
        rig.answer(&asked, &answer);
        if is_sound {
            assert_eq!((rig.validations.len(), rig.replies.len()), (1, 0), "{what}: {:?}", rig.engine.counters());
        } else {
            assert!(rig.validations.is_empty() && show(&rig.take_reply()).contains("ede 6"), "{what}");
        }
    }
}

/// An upstream's answer: one address with `ttl`, and a signature of it.
fn signed(asked: &Asked, ttl: u32, signatures: &[(u32, u32, u32)]) -> Vec<u8> {
    let end = asked.bytes.len() - 11;
    let mut answer = asked.bytes[..end].to_vec();
    answer[2] |= 0x80;
    answer[6..12].copy_from_slice(&[0, 1 + signatures.len() as u8, 0, 0, 0, 0]);
    answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1]);
    answer.extend_from_slice(&ttl.to_be_bytes());
    answer.extend_from_slice(&[0, 4, 192, 0, 2, 1]);
    for (own_ttl, original_ttl, expiration) in signatures {
        answer.extend_from_slice(&[0xc0, 12, 0, 46, 0, 1]);
        answer.extend_from_slice(&own_ttl.to_be_bytes());
        let rdata = [
            &[0, 1, 13, 3],
            original_ttl.to_be_bytes().as_slice(),
            &expiration.to_be_bytes(),
            &[0, 0, 0, 0, 1, 1],
            b"\x07example\x03org\0",
            &[0; 64],
        ]
        .concat();
        answer.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
        answer.extend_from_slice(&rdata);
    }
    answer
}

/// TTL of the RRSIG, original TTL, expiration; all in seconds.
type Signature = (u32, u32, u32);

/// RFC 4035 section 5.3.3: no longer than the signature's TTL, the TTL it was made with, and the time to its expiration.
#[test]
fn what_is_secure_does_not_outlive_its_signature() {
    const DAY: u32 = 86_400;
    let now = 1_780_000_000;
    let table: [(&[Signature], Option<u32>); 7] = [
        (&[(DAY, DAY, now + 2 * DAY)], Some(DAY)),
        (&[(DAY, DAY, now + 60)], Some(60)),
        (&[(DAY, 300, now + 2 * DAY)], Some(300)),
        (&[(200, DAY, now + 2 * DAY)], Some(200)),
        // One in its time is enough.
        (&[(DAY, DAY, now - 1), (DAY, DAY, now + 90)], Some(90)),
        (&[(DAY, DAY, now)], None),
        (&[(DAY, DAY, now.wrapping_sub(1))], None),
    ];
    for (signatures, expected) in table {
        for dnssec_ok in [true, false] {
            let mut rig = validating();
            rig.query(udp(5_000), &query("www.example.org", 0, dnssec_ok));
            let asked = rig.take_ask();
            rig.answer(&asked, &signed(&asked, DAY, signatures));
            let (validation, _) = rig.validations.pop().unwrap();
            end(&mut rig, validation, Validity::Secure);
            let text = show(&rig.take_reply());
            let Some(span) = expected else {
                assert!(text.starts_with("SERVFAIL") && text.ends_with("ede 7"), "{signatures:?}: {text}");
                continue;
            };
            let address = format!("; = www.example.org {span} 192.0.2.1");
            assert!(text.starts_with("NOERROR") && text.contains(&address), "{signatures:?}: {text}");
            assert_eq!(
                text.matches(&format!("; = www.example.org {span} ")).count(),
                text.matches("; = ").count(),
                "{text}"
            );
            rig.wait(Duration::from_secs(u64::from(span) - 1));
            rig.query(udp(5_001), &query("www.example.org", 0, dnssec_ok));
            assert!(show(&rig.take_reply()).contains("; = www.example.org 1 192.0.2.1"));
            rig.asked.clear();
            rig.wait(ms(1_000));
            rig.query(udp(5_002), &query("www.example.org", 0, dnssec_ok));
            assert!(rig.replies.is_empty(), "its time is over");
        }
    }
}

/// What is served past its end (RFC 8767) is not authentic any more: its signatures say nothing of now.
#[test]
fn stale_answers_have_no_ad() {
    let mut rig = validating();
    let validation = begin(&mut rig, "www.example.org");
    end(&mut rig, validation, Validity::Secure);
    assert!(show(&rig.take_reply()).starts_with("NOERROR rd ra ad;"));
    rig.wait(Duration::from_secs(4_000));
    rig.query(udp(5_001), &query("www.example.org", AD, true));
    rig.wait(Duration::from_secs(6));
    let text = show(&rig.take_reply());
    assert!(text.starts_with("NOERROR rd ra;") && text.ends_with("ede 3"), "{text}");
}

/// A validator keeps what was signed: what is too large for that is not handed over. Without signatures nothing is kept.
#[test]
fn large_messages_with_signatures_are_bogus_at_a_glance() {
    for (texts, is_signed, is_sound) in [(60, true, true), (70, true, false), (200, false, true)] {
        let mut rig = validating();
        rig.query(tcp(5_000), &query("www.example.org", 0, true));
        let asked = rig.take_ask();
        let mut answer = signed(&asked, 60, if is_signed { &[(60, 60, 1_790_000_000)] } else { &[] });
        answer[7] += texts;
        for number in 0..texts {
            answer.extend_from_slice(&[0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, 250, 249]);
            answer.extend_from_slice(&[number; 249]);
        }
        assert_eq!(crate::without_unsound_proof(answer.clone()).len() == answer.len(), is_sound, "{texts} {is_signed}");
        rig.answer(&asked, &answer);
        assert_eq!(rig.validations.len(), usize::from(is_sound), "{texts} {is_signed}");
    }
}
