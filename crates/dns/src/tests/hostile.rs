//! Upstreams, and those who pretend to be: RFC 5452, and the tricks of the last years by their names.

use super::{caching::upstream_answer, *};
use crate::{wire::rtype, writer::Section};

type Records = Vec<(Section, &'static str, u16, u32, Vec<u8>)>;
/// What is done to a true answer, and its name.
type Change = (&'static str, fn(&mut Vec<u8>));

fn asking(rig: &mut Rig) -> Asked {
    rig.query(udp(1), &plain("www.example.com", client::TYPE_A));
    rig.take_ask()
}

fn true_answer(asked: &Asked) -> Vec<u8> {
    authority::answer(&asked.bytes).unwrap()
}

/// What is not the answer does not end the wait for it, in whatever order, and leaves nothing behind.
#[test]
fn what_is_not_the_answer_is_waited_past() {
    let changes: [Change; 9] = [
        ("wrong id", |bytes| bytes[0] ^= 0x80),
        ("a query", |bytes| bytes[2] &= 0x7f),
        ("another opcode", |bytes| bytes[2] |= 0x10),
        ("another name", |bytes| bytes[14] ^= 3),
        ("another type", |bytes| bytes[30] = 28),
        ("another class", |bytes| bytes[32] = 3),
        ("two questions", |bytes| bytes[5] = 2),
        ("a header alone", |bytes| bytes.truncate(12)),
        ("half of it", |bytes| bytes.truncate(bytes.len() / 2)),
    ];
    for (what, change) in changes {
        let mut rig = Rig::new(settings());
        let asked = asking(&mut rig);
        let mut forged = true_answer(&asked);
        change(&mut forged);
        rig.answer(&asked, &forged);
        assert!(rig.replies.is_empty() && rig.asked.is_empty(), "{what}");
        assert_eq!(rig.engine.cache_use().0, 0, "{what} was kept");
        rig.answer(&asked, &true_answer(&asked));
        assert!(show(&rig.take_reply()).starts_with("NOERROR"), "{what}");
    }
}

/// RFC 5452 section 9.1: right in everything but the sender.
#[test]
fn the_sender_counts() {
    let mut rig = Rig::new(settings());
    let asked = asking(&mut rig);
    for from in ["192.0.2.1:54", "192.0.2.9:53", "[2001:db8::1]:53"] {
        rig.engine.on_answer(rig.now, asked.ask, from.parse().unwrap(), &true_answer(&asked));
        rig.collect();
        assert!(rig.replies.is_empty(), "{from}");
    }
}

/// An answer late by more than anybody waits harms nobody and is not kept (CVE-2024-33655: no hoard to let loose at once).
#[test]
fn what_comes_too_late_is_dropped() {
    let mut rig = Rig::new(settings());
    let asked = asking(&mut rig);
    rig.wait(Duration::from_secs(5));
    assert!(show(&rig.take_reply()).starts_with("SERVFAIL"));
    rig.answer(&asked, &true_answer(&asked));
    assert!(rig.replies.is_empty());
    assert_eq!(rig.engine.counters().upstream_late, 1);
}

/// Three seconds late is in time: the first ask stays open to the end, and an upstream that answers at all is not dead.
#[test]
fn an_answer_after_three_seconds_is_taken() {
    let mut rig = Rig::new(Settings { upstreams: vec![upstream(1)], ..settings() });
    for round in 0..5 {
        rig.query(udp(1), &plain(&format!("n{round}.example.com"), client::TYPE_A));
        let asked = rig.asked.remove(0);
        rig.wait(Duration::from_secs(if round == 0 { 0 } else { 3 }));
        rig.answer(&asked, &true_answer(&asked));
        assert!(show(&rig.take_reply()).starts_with("NOERROR"), "round {round}");
        rig.asked.clear();
    }
    assert_eq!(rig.engine.pending(), 0);
}

/// CVE-2025-40778, CVE-2019-10191: of answers with unasked records only what was asked for is passed on and kept.
#[test]
fn unasked_records_are_dropped() {
    let good = (Section::Answer, "www.example.com", rtype::A, 60, vec![192, 0, 2, 1]);
    let extra: [(&str, Records); 5] = [
        ("another name", vec![(Section::Answer, "bank.example", rtype::A, 60, vec![6, 6, 6, 6])]),
        ("the parent's NS", vec![(Section::Authority, "com", rtype::NS, 60, b"\x01x\x07example\x00".to_vec())]),
        ("glue", vec![(Section::Authority, "ns.example.com", rtype::A, 60, vec![6, 6, 6, 6])]),
        (
            "an alias beside data",
            vec![(Section::Answer, "www.example.com", rtype::CNAME, 60, b"\x01x\x07example\x00".to_vec())],
        ),
        ("an alias of the parent", vec![(Section::Answer, "com", rtype::DNAME, 60, b"\x01x\x07example\x00".to_vec())]),
    ];
    for (what, records) in extra {
        let mut rig = Rig::new(settings());
        let asked = asking(&mut rig);
        let records: Records = [good.clone()].into_iter().chain(records).collect();
        rig.answer(&asked, &upstream_answer(&asked, 0, &records));
        let shown = show(&rig.take_reply());
        // A DNAME above the name belongs to its chain (RFC 6672 section 3.1) but moves nothing here.
        let shown = shown.replace("; = com 60 x.example", "");
        assert_eq!(shown, "NOERROR rd ra; www.example.com A; = www.example.com 60 192.0.2.1", "{what}");
        for name in ["bank.example", "ns.example.com", "x.example"] {
            rig.query(udp(2), &plain(name, client::TYPE_A));
            rig.take_ask();
        }
    }
}

/// Answers of 65,535 octets pass over TCP and are cut with TC over UDP (RFC 2181 section 9); 1,000 links are no answer
/// (the class of CVE-2024-1931 and of chains of aliases), sixteen are.
#[test]
fn long_answers_and_long_chains() {
    let mut rig = Rig::new(settings());
    let asked = asking(&mut rig);
    let many: Vec<_> = (0..2_000_u16)
        .map(|host| (Section::Answer, "www.example.com", rtype::A, 60, vec![10, 0, (host >> 8) as u8, host as u8]))
        .collect();
    let answer = upstream_answer(&asked, 0, &many);
    assert!(answer.len() > 30_000);
    rig.answer(&asked, &answer);
    let reply = client::Answer::parse(&rig.take_reply()).unwrap();
    assert!(reply.truncated);
    rig.query(tcp(1), &plain("www.example.com", client::TYPE_A));
    assert_eq!(client::Answer::parse(&rig.take_reply()).unwrap().answers, 2_000);
    for (links, is_answer) in [(1, true), (16, true), (17, false), (1_000, false)] {
        let mut rig = Rig::new(Settings { upstreams: vec![upstream(1)], ..settings() });
        let asked = asking(&mut rig);
        let owners: Vec<String> = std::iter::once("www.example.com".to_owned())
            .chain((1..=links).map(|link| format!("l{link}.example")))
            .collect();
        let mut records: Vec<_> = owners
            .windows(2)
            .map(|pair| {
                (
                    Section::Answer,
                    pair[0].as_str(),
                    rtype::CNAME,
                    60,
                    crate::name::from_text(&pair[1]).unwrap().to_vec(),
                )
            })
            .collect();
        records.push((Section::Answer, owners[links].as_str(), rtype::A, 60, vec![192, 0, 2, 1]));
        rig.answer(&asked, &upstream_answer(&asked, 0, &records));
        let shown = show(&rig.take_reply());
        assert_eq!(shown.starts_with("NOERROR"), is_answer, "{links} links: {shown}");
    }
}

/// A flood of guesses moves one question to TCP and costs the others nothing (RFC 5452 section 9.1; SAD DNS, CVE-2020-25705).
#[test]
fn a_flood_of_guesses_harms_no_other_question() {
    let mut rig = Rig::new(Settings { upstreams: vec![upstream(1)], ..settings() });
    let victim = asking(&mut rig);
    rig.query(udp(2), &plain("other.example.com", client::TYPE_A));
    let other = rig.take_ask();
    for guess in 0..10_000_u16 {
        let mut forged = true_answer(&victim);
        forged[..2].copy_from_slice(&guess.to_be_bytes());
        if forged[..2] != victim.bytes[..2] {
            rig.answer(&victim, &forged);
        }
    }
    let over_tcp = rig.take_ask();
    assert_eq!(over_tcp.transport, Transport::Tcp);
    rig.answer(&other, &authority::answer(&other.bytes).unwrap());
    rig.take_reply();
    rig.answer(&over_tcp, &authority::answer(&over_tcp.bytes).unwrap());
    assert!(show(&rig.take_reply()).starts_with("NOERROR"));
}
