//! Answers made of other answers: aliases that leave our zones, and DNS64 (RFC 6147).

use std::time::Duration;

use super::*;
use crate::{Nat64, Verdict, wire::rtype};

const A: u16 = 1;
const PTR: u16 = 12;
const AAAA: u16 = 28;

/// Behind a translator.
fn v6_client() -> ClientRef {
    ClientRef { address: "[2001:db8:64::7]:4000".parse().unwrap(), ..udp(0) }
}

fn with_translator(prefix: &str) -> Rig {
    let nat64 = Nat64 { clients: "2001:db8:64::/64".parse().unwrap(), prefix: prefix.parse().unwrap() };
    Rig::new(Settings { nat64: vec![nat64], ..settings() })
}

/// Names whose first label begins with `four` have no IPv6 address.
fn internet(query: &[u8]) -> Vec<u8> {
    let name_end = crate::name::end_of_plain_name(query, 12).unwrap();
    let is_four = query[13..].to_ascii_lowercase().starts_with(b"four");
    if !is_four || query[name_end + 1] != AAAA as u8 {
        return authority::answer(query).unwrap();
    }
    let mut other = query.to_vec();
    other[name_end + 1] = rtype::HTTPS as u8;
    let mut answer = authority::answer(&other).unwrap();
    answer[name_end + 1] = AAAA as u8;
    answer
}

fn ask(rig: &mut Rig, client: ClientRef, query: &[u8]) -> String {
    rig.query(client, query);
    while !rig.asked.is_empty() {
        let asked = rig.asked.remove(0);
        let answer = internet(&asked.bytes);
        rig.answer(&asked, &answer);
    }
    show(&rig.take_reply())
}

/// A stub resolver does not follow aliases (RFC 1034 section 5.3.1): the target's records come with them.
#[test]
fn an_alias_that_leaves_our_zones_is_followed() {
    let mut rig = Rig::new(settings());
    let expected = "NOERROR rd ra; OUT.event.example A; = OUT.event.example 300 www.example.com; = www.example.com ";
    let first = ask(&mut rig, udp(1), &plain("OUT.event.example", A));
    assert!(first.starts_with(expected), "{first}");
    // The target is kept under its own name, and its age is taken off.
    rig.wait(Duration::from_secs(10));
    rig.query(udp(1), &plain("out.event.example", A));
    assert!(rig.asked.is_empty(), "the target is cached");
    let second = show(&rig.take_reply());
    let ttl = |text: &str| -> u32 {
        text.split("www.example.com ").nth(2).unwrap_or_default().split(' ').next().unwrap().parse().unwrap_or(0)
    };
    let ttl_of = |text: &str| ttl(&text.replace("; = www.example.com ", "; = www.example.com www.example.com "));
    assert_eq!(ttl_of(&first) - ttl_of(&second), 10, "{first} / {second}");
    // Who does not want recursion gets what is ours.
    let mut iterative = plain("out.event.example", A);
    iterative[2] &= !1;
    rig.query(udp(1), &iterative);
    assert!(show(&rig.take_reply()).ends_with("; = out.event.example 300 www.example.com"));
}

/// Waiters of aliases and of the target share one question; without upstreams both fail.
#[test]
fn an_alias_waits_with_others() {
    let mut rig = Rig::new(settings());
    rig.query(udp(1), &plain("out.event.example", A));
    rig.query(udp(2), &plain("www.example.com", A));
    assert_eq!(rig.engine.counters().joined, 1);
    rig.wait(Duration::from_secs(5));
    let replies: Vec<String> = rig.replies.iter().map(|(_, bytes)| show(bytes)).collect();
    assert_eq!(replies.len(), 2);
    assert!(replies.iter().all(|reply| reply.starts_with("SERVFAIL rd ra")), "{replies:?}");
    assert!(replies.iter().any(|reply| reply.contains("= out.event.example 300 www.example.com")), "{replies:?}");
}

/// RFC 6147 section 5.1: only where there is no IPv6 address, only for those behind the translator.
#[test]
fn addresses_are_made_for_clients_behind_a_translator() {
    let mut rig = with_translator("64:ff9b::/96");
    let a = ask(&mut rig, udp(1), &plain("four.example.com", A));
    let address: Ipv4Addr = a.rsplit(' ').next().unwrap().parse().unwrap();
    let made = Ipv6Addr::from_bits(0x64_ff9b << 96 | u128::from(u32::from(address)));

    let text = ask(&mut rig, v6_client(), &plain("FOUR.example.com", AAAA));
    assert!(text.starts_with("NOERROR rd ra; FOUR.example.com AAAA; = FOUR.example.com "), "{text}");
    assert!(text.ends_with(&format!(" {made}")), "{text}");
    assert_eq!(rig.engine.counters().translated, 1);
    // Kept for the view: a worker answers next time. Nobody else gets it.
    let mut out = Vec::new();
    let mut worker = rig.engine.worker();
    let query = plain("four.example.com", AAAA);
    assert_eq!(worker.on_query(rig.now, v6_client().address, Transport::Udp, &query, &mut out), Verdict::Reply);
    assert!(show(&out).ends_with(&format!(" {made}")));
    let other = ask(&mut rig, udp(1), &query);
    assert!(other.contains("~ example.com "), "no data for others: {other}");

    // Real addresses stay; what does not exist does not; who checks signatures gets what was signed (section 5.5).
    let real = ask(&mut rig, v6_client(), &plain("six.example.com", AAAA));
    assert!(real.contains("= six.example.com") && real.contains(" 2001:db8"), "{real}");
    let none = ask(&mut rig, v6_client(), &plain("nx.example.com", AAAA));
    assert!(none.starts_with("NXDOMAIN rd ra"), "{none}");
    let mut checks = client::query(9, "four.example.com", AAAA, true);
    checks[3] |= 0x10;
    let at = checks.len() - 4;
    checks[at] |= 0x80;
    let signed = ask(&mut rig, v6_client(), &checks);
    assert!(!signed.contains("64:ff9b"), "{signed}");
}

/// RFC 8880 section 7.1 and RFC 7050: how clients learn the prefix. RFC 6052 section 3.1: private hosts only behind a prefix
/// of one's own.
#[test]
fn ipv4only_arpa_and_our_own_names_are_translated() {
    let table = [
        ("64:ff9b::/96", "ipv4only.arpa", "64:ff9b::c000:ab"),
        ("2001:db8:ff::/96", "ipv4only.arpa", "2001:db8:ff::c000:ab"),
        ("2001:db8:ff::/96", "sw-4f-1.event.example", "2001:db8:ff::a00:29"),
        ("64:ff9b::/96", "sw-4f-1.event.example", "NOERROR"),
        ("64:ff9b::/96", "ns.event.example", "2001:db8::2"),
    ];
    for (prefix, name, expected) in table {
        let mut rig = with_translator(prefix);
        let text = ask(&mut rig, v6_client(), &plain(name, AAAA));
        assert!(text.contains(expected), "{prefix} {name}: {text}");
        assert_eq!(text.contains("; = "), expected != "NOERROR", "{text}");
    }
}

/// RFC 6147 section 5.3.1: the reverse name behind a translator is an alias of the IPv4 one, ours included.
#[test]
fn reverse_names_behind_a_translator() {
    let mut rig = with_translator("2001:db8:ff::/96");
    // 10.0.0.2 is ns.event.example.
    let name = "2.0.0.0.0.0.a.0.0.0.0.0.0.0.0.0.0.0.0.0.f.f.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
    let text = ask(&mut rig, udp(1), &plain(name, PTR));
    let expected = format!(
        "NOERROR rd ra; {name} PTR; = {name} 300 2.0.0.10.in-addr.arpa; = 2.0.0.10.in-addr.arpa 300 ns.event.example"
    );
    assert_eq!(text, expected);
}

/// An alias of ours, asked for by a client behind a translator: followed first, translated then.
#[test]
fn an_alias_is_followed_and_translated() {
    let mut settings = Settings {
        nat64: vec![Nat64 { clients: "2001:db8:64::/64".parse().unwrap(), prefix: "64:ff9b::/96".parse().unwrap() }],
        ..settings()
    };
    let data = RecordData::Cname("four.example.com".into());
    settings.zones[0].records.push(Record { name: "cdn.event.example".into(), data });
    let mut rig = Rig::new(settings);
    let text = ask(&mut rig, v6_client(), &plain("cdn.event.example", AAAA));
    let expected =
        "NOERROR rd ra; cdn.event.example AAAA; = cdn.event.example 300 four.example.com; = four.example.com ";
    assert!(text.starts_with(expected) && text.contains(" 64:ff9b::"), "{text}");
    assert!(!text.contains("~"), "{text}");
}

/// Our alias, then an alias of the target's, then IPv4 only: every alias is told, and the case we asked in is not.
/// RFC 6147 section 5.1.7: at most 600 s without an SOA.
#[test]
fn the_alias_chain_survives_translation() {
    use crate::writer::{Section, Writer};
    let mut settings = Settings {
        nat64: vec![Nat64 { clients: "2001:db8:64::/64".parse().unwrap(), prefix: "64:ff9b::/96".parse().unwrap() }],
        ..settings()
    };
    let data = RecordData::Cname("www.example.com".into());
    settings.zones[0].records.push(Record { name: "cdn.event.example".into(), data });
    let mut rig = Rig::new(settings);
    rig.query(v6_client(), &plain("cdn.event.example", AAAA));
    while !rig.asked.is_empty() {
        let asked = rig.asked.remove(0);
        let end = crate::name::end_of_plain_name(&asked.bytes, 12).unwrap();
        let is_www = asked.bytes[13..].to_ascii_lowercase().starts_with(b"www");
        let answer = if is_www {
            // CNAME to `four`, no AAAA there.
            let mut writer = Writer::new(&asked.bytes[12..end + 4]);
            let target = crate::name::from_text("four.example.net").unwrap();
            writer.record(Section::Answer, &asked.bytes[12..end], 5, 300, &target).unwrap();
            let mut wire = writer.finish(0x8180).wire.to_vec();
            wire[..2].copy_from_slice(&asked.bytes[..2]);
            wire
        } else {
            internet(&asked.bytes)
        };
        rig.answer(&asked, &answer);
    }
    let text = show(&rig.take_reply());
    assert!(text.contains("= www.example.com 300 four.example.net"), "the alias in between is lost: {text}");
    assert!(text.contains("= cdn.event.example 300 www.example.com; = www.example.com 300 four.example.net; = four.example.net 600 64:ff9b::"), "{text}");
}

/// A list may come while a question is in flight: its answer is not kept.
#[test]
fn a_name_blocked_while_it_is_asked_for_is_not_kept() {
    let mut rig = Rig::new(settings());
    rig.query(udp(1), &plain("ads.example.com", A));
    let asked = rig.asked.remove(0);
    let mut blocked = crate::Blocked::default();
    blocked.add_list(b"ads.example.com\n");
    rig.engine.set_zones(&Settings { blocked, ..settings() }).unwrap();
    let answer = internet(&asked.bytes);
    rig.answer(&asked, &answer);
    rig.take_reply();
    rig.query(udp(2), &plain("ads.example.com", A));
    let text = show(&rig.take_reply());
    assert!(text.starts_with("NXDOMAIN"), "{text}");
}
