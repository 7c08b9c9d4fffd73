//! Asking: RFC 5452, 7766 section 5, 9520, and draft-vixie-dnsext-dns0x20.

use super::{caching::upstream_answer, *};
use crate::{Forward, SettingsError};
use crate::{wire::rtype, writer::Section};

fn good(asked: &Asked) -> Vec<u8> {
    authority::answer(&asked.bytes).unwrap()
}

fn asking(rig: &mut Rig, name: &str) -> Asked {
    rig.query(udp(5_000), &client::query(1, name, client::TYPE_A, true));
    rig.take_ask()
}

/// RFC 5452 section 9.1: id, source and question must match; what does not is counted and waited past.
#[test]
fn mismatching_answers_are_waited_past() {
    let mut rig = Rig::new(settings());
    let asked = asking(&mut rig, "www.example.com");
    let base = good(&asked);
    let with = |change: fn(&mut Vec<u8>)| {
        let mut bytes = base.clone();
        change(&mut bytes);
        bytes
    };
    let wrong = [
        with(|bytes| bytes[0] ^= 1),
        with(|bytes| bytes[2] &= 0x7f),
        with(|bytes| bytes[2] |= 0x28),
        with(|bytes| bytes[5] = 0),
        with(|bytes| bytes[15] = b'x'),
        with(|bytes| bytes[30] ^= 1),
        with(|bytes| bytes.truncate(11)),
        with(Vec::clear),
    ];
    for bytes in &wrong {
        rig.answer(&asked, bytes);
    }
    rig.engine.on_answer(rig.now, asked.ask, upstream(2), &base);
    assert_eq!(rig.engine.counters().upstream_mismatched, wrong.len() as u64 + 1);
    rig.answer(&asked, &with(|bytes| bytes.truncate(40)));
    assert_eq!(rig.engine.counters().upstream_malformed, 1);
    rig.collect();
    assert!(rig.replies.is_empty() && rig.asked.is_empty());
    rig.answer(&asked, &base);
    assert!(show(&rig.take_reply()).starts_with("NOERROR rd ra; www.example.com A; = www.example.com"));
    assert_eq!(rig.forgotten, [asked.ask]);
    rig.answer(&asked, &base);
    assert_eq!(rig.engine.counters().upstream_late, 1);
}

/// Too many packets that are not the answer: somebody is guessing; TCP cannot be guessed along.
#[test]
fn guessing_moves_the_ask_to_tcp() {
    let mut rig = Rig::new(settings());
    let asked = asking(&mut rig, "www.example.com");
    for _ in 0..16 {
        let mut forged = good(&asked);
        forged[1] ^= 1;
        rig.answer(&asked, &forged);
    }
    let again = rig.take_ask();
    assert_eq!(
        (again.transport, again.upstream, rig.forgotten.as_slice()),
        (Transport::Tcp, asked.upstream, [asked.ask].as_slice())
    );
    rig.answer(&again, &good(&again));
    rig.take_reply();
}

/// Ids and case are random, and the case must come back; an upstream that folds names is found out and spared.
#[test]
fn mixed_case_with_fallback() {
    let mut rig = Rig::new(Settings { upstreams: vec![upstream(1)], ..settings() });
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..8 {
        let asked = asking(&mut rig, &format!("a-longer-name-{round}.example"));
        seen.insert(asked.bytes[..2].to_vec());
        let mixed = asked.bytes[12..].iter().any(u8::is_ascii_uppercase);
        assert_eq!(mixed, round < 3, "round {round}");
        let mut folded = good(&asked);
        folded[13..40].make_ascii_lowercase();
        rig.answer(&asked, &folded);
        if mixed {
            assert!(rig.replies.is_empty());
            let checked = rig.take_ask();
            assert_eq!(checked.transport, Transport::Tcp);
            rig.answer(&checked, &good(&checked));
        }
        rig.take_reply();
    }
    assert!(seen.len() > 6, "ids repeat");
    assert_eq!(rig.engine.counters().upstream_case_changed, 3);
    assert_eq!(rig.engine.upstreams().next().unwrap().failures, 0);
}

/// RFC 7766 section 5: TC is followed by TCP to the same upstream; TC over TCP is no answer.
#[test]
fn truncated_answers_are_fetched_over_tcp() {
    let mut rig = Rig::new(settings());
    let asked = asking(&mut rig, "www.example.com");
    let mut truncated = good(&asked);
    truncated[2] |= 2;
    rig.answer(&asked, &truncated);
    let again = rig.take_ask();
    assert_eq!((again.transport, again.upstream), (Transport::Tcp, asked.upstream));
    let mut truncated = good(&again);
    truncated[2] |= 2;
    rig.answer(&again, &truncated);
    let other = rig.take_ask();
    assert_ne!(other.upstream, asked.upstream);
    rig.answer(&other, &good(&other));
    assert!(show(&rig.take_reply()).starts_with("NOERROR"));
}

/// REFUSED, FORMERR, SERVFAIL, BADVERS from one upstream: ask the other at once; from both: SERVFAIL.
#[test]
fn refusals_lead_to_the_next_upstream() {
    for rcode in [1, 2, 4, 5, 9] {
        let mut rig = Rig::new(settings());
        let asked = asking(&mut rig, "www.example.com");
        rig.answer(&asked, &upstream_answer(&asked, rcode, &[]));
        let mut other = rig.take_ask();
        if matches!(rcode, 1 | 4) {
            // First the same without OPT.
            assert_eq!((other.upstream, other.bytes[11]), (asked.upstream, 0));
            rig.answer(&other, &upstream_answer(&other, rcode, &[]));
            other = rig.take_ask();
        }
        assert_ne!(other.upstream, asked.upstream);
        let mut bad_header = upstream_answer(&other, rcode, &[]);
        bad_header.truncate(12);
        bad_header[5] = 0;
        rig.answer(&other, &bad_header);
        if matches!(rcode, 1 | 4) {
            let plain = rig.take_ask();
            rig.answer(&plain, &upstream_answer(&plain, rcode, &[]));
        }
        assert_eq!(show(&rig.take_reply()), "SERVFAIL rd ra; www.example.com A; opt 1232 v0");
    }
}

/// Each attempt waits longer, the first ask stays open, and everything ends before a stub resolver's 5 s.
#[test]
fn patience() {
    let mut rig = Rig::new(settings());
    let first = asking(&mut rig, "www.example.com");
    rig.wait(ms(399));
    assert!(rig.asked.is_empty());
    rig.wait(ms(1));
    let second = rig.take_ask();
    assert_ne!(second.upstream, first.upstream);
    assert!(rig.forgotten.is_empty());
    rig.answer(&first, &good(&first));
    assert!(show(&rig.take_reply()).starts_with("NOERROR"));
    assert_eq!(rig.forgotten.len(), 2);

    asking(&mut rig, "silent.example");
    rig.wait(ms(4_699));
    assert!(rig.replies.is_empty());
    assert_eq!(rig.asked.len(), 5);
    assert_eq!(rig.forgotten.len(), 2 + 3, "no more than three sockets at once");
    rig.wait(ms(1));
    assert_eq!(show(&rig.take_reply()), "SERVFAIL rd ra; silent.example A; opt 1232 v0 ede 23");
    rig.query(udp(5_000), &plain("silent.example", client::TYPE_A));
    assert_eq!(show(&rig.take_reply()), "SERVFAIL rd ra; silent.example A");
    assert_eq!(rig.engine.pending(), 0);
}

/// All upstreams dead: short SERVFAILs; a probe's answer brings one back.
#[test]
fn death_and_return() {
    let mut rig = Rig::new(settings());
    for round in 0..3 {
        asking(&mut rig, &format!("n{round}.example"));
        rig.wait(ms(4_700));
        rig.take_reply();
        rig.asked.clear();
    }
    assert!(rig.engine.upstreams().all(|upstream| !upstream.healthy));
    rig.wait(Duration::from_secs(60));
    assert!(rig.asked.len() < 40, "probes are rare: {}", rig.asked.len());
    let probe = rig.asked.iter().rfind(|asked| asked.upstream == upstream(2)).unwrap().clone();
    rig.asked.clear();
    asking(&mut rig, "still.example");
    rig.wait(ms(1_800));
    assert!(show(&rig.take_reply()).ends_with("ede 23"));
    rig.asked.clear();
    let probe = {
        rig.wait(Duration::from_secs(5));
        rig.asked.iter().rfind(|asked| asked.upstream == upstream(2)).unwrap_or(&probe).clone()
    };
    rig.asked.clear();
    rig.answer(&probe, &upstream_answer(&probe, 5, &[]));
    assert_eq!(rig.engine.upstreams().map(|upstream| upstream.healthy).collect::<Vec<_>>(), [false, true]);
    assert_eq!(asking(&mut rig, "back.example").upstream, upstream(2));
}

/// A refused connection costs no patience.
#[test]
fn failed_sockets_move_on_at_once() {
    let mut rig = Rig::new(settings());
    let mut asked = asking(&mut rig, "www.example.com");
    for _ in 0..5 {
        rig.engine.on_ask_failed(rig.now, asked.ask);
        rig.collect();
        asked = rig.take_ask();
    }
    rig.engine.on_ask_failed(rig.now, asked.ask);
    rig.engine.on_ask_failed(rig.now, asked.ask);
    rig.collect();
    assert!(show(&rig.take_reply()).ends_with("ede 23"));
    let mut alone = Rig::new(Settings { upstreams: Vec::new(), ..settings() });
    alone.query(udp(1), &plain("www.example.com", client::TYPE_A));
    assert!(show(&alone.take_reply()).starts_with("SERVFAIL"));
}

/// An upstream that leads back to us cannot start a storm: our own question joins itself and ends with it.
#[test]
fn a_loop_through_an_upstream_ends() {
    let mut rig = Rig::new(settings());
    let asked = asking(&mut rig, "www.example.com");
    for port in 1..=20 {
        rig.query(udp(port), &asked.bytes);
    }
    assert!(rig.asked.is_empty());
    rig.wait(ms(4_700));
    assert_eq!(rig.replies.len(), 21);
    assert_eq!(rig.engine.counters().upstream_asks, 6);
}

/// One question for many clients, each with its own id, case and EDNS; no more than the caps allow.
#[test]
fn questions_in_flight_are_shared_and_bounded() {
    let mut rig = Rig::new(Settings { waiters_max: 3, pending_max: 2, ..settings() });
    for (port, name) in [(1, "www.example.com"), (2, "WWW.example.com"), (3, "www.EXAMPLE.com")] {
        rig.query(udp(port), &client::query(port, name, client::TYPE_A, false));
    }
    let asked = rig.take_ask();
    rig.query(udp(4), &plain("www.example.com", client::TYPE_A));
    assert!(show(&rig.take_reply()).starts_with("SERVFAIL"));
    rig.query(udp(5), &plain("b.example", client::TYPE_A));
    rig.take_ask();
    rig.query(udp(6), &plain("c.example", client::TYPE_A));
    assert!(show(&rig.take_reply()).starts_with("SERVFAIL"));
    rig.answer(&asked, &good(&asked));
    let names: Vec<_> = rig
        .replies
        .iter()
        .map(|(client, bytes)| {
            assert_eq!(bytes[..2], client.address.port().to_be_bytes());
            show(bytes).split(' ').nth(3).unwrap().to_owned()
        })
        .collect();
    assert_eq!(names, ["www.example.com", "WWW.example.com", "www.EXAMPLE.com"]);
    let counters = rig.engine.counters();
    assert_eq!((counters.joined, counters.misses, counters.waiters_full, counters.pending_full), (2, 3, 1, 1));
}

/// What validation asks of its own engine is not shut out by clients: it has room above theirs.
#[test]
fn own_questions_have_room_above_clients() {
    let own = ClientRef { transport: Transport::Own, ..udp(0) };
    let mut rig = Rig::new(Settings { waiters_max: 8, pending_max: 16, ..settings() });
    for number in 0..17 {
        rig.query(udp(number), &plain(&format!("c{number}.example"), client::TYPE_A));
    }
    assert!(show(&rig.take_reply()).starts_with("SERVFAIL"), "full for clients");
    rig.asked.clear();
    for _ in 0..300 {
        rig.query(own, &plain("example.com", client::TYPE_A));
    }
    let asked = rig.take_ask();
    rig.query(udp(99), &plain("example.com", client::TYPE_A));
    assert!(show(&rig.take_reply()).starts_with("SERVFAIL"), "no client joins what is full");
    rig.answer(&asked, &good(&asked));
    assert_eq!(rig.replies.len(), 300);
    assert!(rig.replies.iter().all(|(client, bytes)| *client == own && show(bytes).starts_with("NOERROR")));
    rig.replies.clear();
    for number in 0..3 {
        rig.query(own, &plain(&format!("o{number}.example"), client::TYPE_A));
    }
    assert!(show(&rig.take_reply()).starts_with("SERVFAIL"), "an eighth above, no more");
}

/// Only the alias chain of the question is believed (CVE-2025-40778, CVE-2019-10191 and their kin).
#[test]
fn unrelated_records_are_left_out() {
    let mut rig = Rig::new(settings());
    let asked = asking(&mut rig, "www.example.com");
    let name = |text: &str| crate::name::from_text(text).unwrap().to_vec();
    let records = [
        (Section::Answer, "bank.example", rtype::A, 300, vec![6, 6, 6, 6]),
        (Section::Answer, "edge.cdn.example", rtype::A, 300, vec![192, 0, 2, 9]),
        (Section::Answer, "www.example.com", rtype::CNAME, 300, name("edge.cdn.example")),
        (Section::Answer, "www.example.com", rtype::TXT, 300, vec![1, b'x']),
        (Section::Authority, "example.com", rtype::NS, 300, name("ns.evil.example")),
    ];
    rig.answer(&asked, &upstream_answer(&asked, 0, &records));
    let expected = "NOERROR rd ra; www.example.com A; = edge.cdn.example 300 192.0.2.9; = www.example.com 300 edge.cdn.example; opt 1232 v0";
    assert_eq!(show(&rig.take_reply()), expected);
    // A loop and a chain without end are no answers.
    for long in [false, true] {
        let asked = asking(&mut rig, if long { "h0.example" } else { "loop.example" });
        let alias = |at: usize| (format!("h{at}.example"), name(&format!("h{}.example", at + 1)));
        let chain: Vec<_> = (0..1_000).map(alias).collect();
        let loops = [("loop.example".to_owned(), name("loop.example"))];
        let links = if long { chain.as_slice() } else { loops.as_slice() };
        let records: Vec<_> = links
            .iter()
            .map(|(owner, target)| (Section::Answer, owner.as_str(), rtype::CNAME, 300, target.clone()))
            .collect();
        rig.answer(&asked, &upstream_answer(&asked, 0, &records));
        assert_eq!(rig.engine.counters().upstream_refusals, 1 + u64::from(long));
        let next = rig.take_ask();
        rig.answer(&next, &good(&next));
        rig.replies.clear();
    }
}

/// RFC 3597: unknown types and HTTPS pass unchanged; RFC 3225: signatures reach only those who ask.
#[test]
fn types_pass_unchanged() {
    let rdata = vec![0, 1, 0, 0xc0, 0x0c, 0xff];
    for qtype in [65, 65_280] {
        let mut rig = Rig::new(settings());
        rig.query(udp(1), &plain("svc.example", qtype));
        let asked = rig.take_ask();
        rig.answer(&asked, &upstream_answer(&asked, 0, &[(Section::Answer, "svc.example", qtype, 60, rdata.clone())]));
        let reply = rig.take_reply();
        assert!(reply.ends_with(&rdata) && client::Answer::parse(&reply).unwrap().answers == 1);
    }
    for edns in [false, true] {
        let mut rig = Rig::new(settings());
        let mut query = client::query(1, "svc.example", 1, edns);
        if edns {
            let at = query.len() - 4;
            query[at] = 0x80;
        }
        rig.query(udp(1), &query);
        let asked = rig.take_ask();
        assert_eq!(asked.bytes[asked.bytes.len() - 4], if edns { 0x80 } else { 0 });
        let signature = [&[0, 1, 8, 2, 0, 0, 0, 60][..], &[0; 8], &[0, 1, 0], &[1; 8]].concat();
        let records = [
            (Section::Answer, "svc.example", 1, 60, vec![192, 0, 2, 1]),
            (Section::Answer, "svc.example", 46, 60, signature),
        ];
        rig.answer(&asked, &upstream_answer(&asked, 0, &records));
        assert_eq!(client::Answer::parse(&rig.take_reply()).unwrap().answers, 1 + usize::from(edns));
    }
}

/// RFC 6891 section 7: a server that cannot read an OPT record is asked without, and after three such questions at once; one
/// that wants signatures is told the truth.
#[test]
fn a_server_without_edns_is_asked_without() {
    let mut rig = Rig::new(Settings { upstreams: vec![upstream(1)], ..settings() });
    let old_server = |asked: &Asked| match asked.bytes[11] {
        0 => good(asked),
        _ => upstream_answer(asked, 1, &[]),
    };
    for number in 0..4 {
        let mut asked = asking(&mut rig, &format!("www{number}.example.com"));
        assert_eq!(asked.bytes[11], u8::from(number < 3), "{number}");
        if number < 3 {
            rig.answer(&asked, &old_server(&asked));
            asked = rig.take_ask();
        }
        rig.answer(&asked, &old_server(&asked));
        assert!(show(&rig.take_reply()).starts_with("NOERROR"));
    }
    let mut signed = client::query(1, "signed.example.com", client::TYPE_A, true);
    let at = signed.len() - 4;
    signed[at] |= 0x80;
    rig.query(udp(5_000), &signed);
    let asked = rig.take_ask();
    rig.answer(&asked, &old_server(&asked));
    assert!(show(&rig.take_reply()).starts_with("SERVFAIL") && rig.asked.is_empty());
}

/// A second upstream is asked when the first takes four times as long as usual; nobody is blamed; not without end.
#[test]
fn slow_answers_are_hedged() {
    let mut rig = Rig::new(settings());
    for number in 0..4 {
        let asked = asking(&mut rig, &format!("warm{number}.example.com"));
        rig.now = rig.now + ms(10);
        rig.answer(&asked, &good(&asked));
        rig.take_reply();
    }
    let first = asking(&mut rig, "slow.example.com");
    rig.wait(ms(29));
    assert!(rig.asked.is_empty());
    rig.wait(ms(200));
    let second = rig.take_ask();
    assert_ne!(second.upstream, first.upstream);
    assert_eq!((rig.engine.counters().upstream_hedges, rig.engine.counters().upstream_timeouts), (1, 0));
    // Whoever comes first is believed.
    rig.answer(&first, &good(&first));
    assert!(show(&rig.take_reply()).starts_with("NOERROR"));
    for number in 0..500 {
        asking_all(&mut rig, &format!("s{number}.example.com"));
        rig.wait(ms(60));
        while let Some(asked) = rig.asked.pop() {
            rig.answer(&asked, &good(&asked));
        }
        rig.replies.clear();
    }
    let hedges = rig.engine.counters().upstream_hedges;
    assert!((50..=80).contains(&hedges), "{hedges} of 500");
}

fn asking_all(rig: &mut Rig, name: &str) {
    rig.query(udp(5_000), &client::query(1, name, client::TYPE_A, true));
}

/// Split horizon: a zone's own servers, special names among them, nobody else when they fail; never ourselves.
#[test]
fn names_are_forwarded_by_zone() {
    let forward = |zone: &str, host| Forward { zone: zone.into(), upstreams: vec![upstream(host)] };
    let forwards = vec![forward("corp.example", 8), forward("lab.corp.example", 9), forward("10.in-addr.arpa", 8)];
    let mut rig = Rig::new(Settings { forwards, ..settings() });
    for (name, hosts) in [
        ("www.corp.example", &[8][..]),
        ("CORP.example", &[8]),
        ("a.lab.corp.example", &[9]),
        ("4.3.2.10.in-addr.arpa", &[8]),
        ("xcorp.example", &[1, 2]),
        ("www.example.com", &[1, 2]),
    ] {
        let asked = asking(&mut rig, name);
        assert!(hosts.iter().any(|host| asked.upstream == upstream(*host)), "{name} {}", asked.upstream);
        rig.answer(&asked, &upstream_answer(&asked, 5, &[]));
        let others: Vec<_> = std::mem::take(&mut rig.asked).into_iter().map(|asked| asked.upstream).collect();
        assert!(others.iter().all(|other| hosts.len() > 1 && *other != asked.upstream), "{name} {others:?}");
        rig.wait(Duration::from_secs(5));
        assert!(show(&rig.take_reply()).starts_with("SERVFAIL"), "{name}");
        rig.asked.clear();
    }
    // What is ours stays ours; other private zones stay special.
    rig.query(udp(1), &plain("2.0.0.10.in-addr.arpa", 12));
    assert!(show(&rig.take_reply()).contains("ns.event.example"));
    rig.query(udp(1), &plain("1.1.168.192.in-addr.arpa", 12));
    assert!(show(&rig.take_reply()).starts_with("NXDOMAIN"));
    let ourselves = Forward { zone: "corp.example".into(), upstreams: vec!["10.0.0.2:53".parse().unwrap()] };
    let refused = Engine::new(Settings { forwards: vec![ourselves], ..settings() }, 1).err();
    assert!(matches!(refused, Some(SettingsError::UpstreamIsOurself { .. })), "{refused:?}");
}
