//! Hostile bytes and floods: no panic, bounded memory, the others still served.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_from_clients(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), header in any::<bool>()) {
        if header && bytes.len() >= 12 {
            bytes[2..12].copy_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
        }
        let mut rig = Rig::new(settings());
        rig.query(udp(1), &bytes);
        rig.wait(Duration::from_secs(10));
        let dropped = rig.engine.counters().dropped_malformed + rig.engine.counters().dropped_not_query;
        prop_assert_eq!(rig.replies.len() as u64 + dropped, 1);
        for (_, reply) in &rig.replies {
            show(reply);
        }
    }

    #[test]
    fn any_bytes_from_upstreams(tail in proptest::collection::vec(any::<u8>(), 0..400), counts in any::<[u8; 3]>(), rcode in 0_u8..16) {
        let mut rig = Rig::new(settings());
        rig.query(tcp(1), &plain("a.example", client::TYPE_A));
        let asked = rig.take_ask();
        rig.answer(&asked, &tail);
        let mut bytes = asked.bytes[..12 + 11 + 4].to_vec();
        bytes[2..4].copy_from_slice(&[0x80, rcode]);
        for (at, count) in counts.into_iter().enumerate() {
            bytes[7 + 2 * at] = count % 4;
        }
        bytes.extend(&tail);
        rig.answer(&asked, &bytes);
        rig.wait(Duration::from_secs(10));
        show(&rig.take_reply());
    }

    /// A sound answer with a few octets changed: mutations reach deeper than noise does.
    #[test]
    fn damaged_answers(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), nx in any::<bool>()) {
        let mut rig = Rig::new(settings());
        rig.query(tcp(1), &plain(if nx { "nx.b.example" } else { "a.b.example" }, client::TYPE_A));
        let asked = rig.take_ask();
        let mut bytes = authority::answer(&asked.bytes).unwrap();
        for (at, octet) in changes {
            let at = at.index(bytes.len());
            bytes[at] = octet;
        }
        rig.answer(&asked, &bytes);
        rig.wait(Duration::from_secs(10));
        show(&rig.take_reply());
    }
}

/// Every proper prefix of a good query or answer is survived; no prefix of the answer is believed.
#[test]
fn every_truncation() {
    let query = client::query(1, "www.example.com", client::TYPE_A, true);
    for length in 0..query.len() {
        let mut rig = Rig::new(settings());
        rig.query(udp(1), &query[..length]);
        assert_eq!(rig.asked.len(), 0, "{length}");
    }
    let mut rig = Rig::new(settings());
    rig.query(udp(1), &query);
    let asked = rig.take_ask();
    let answer = authority::answer(&asked.bytes).unwrap();
    for length in 0..answer.len() {
        rig.answer(&asked, &answer[..length]);
        assert!(rig.replies.is_empty(), "{length}");
        if !rig.asked.is_empty() {
            rig = Rig::new(settings());
            rig.query(udp(1), &query);
            rig.asked.clear();
        }
    }
}

/// A random-subdomain flood: memory stays inside the budget, and what is in use stays cached.
#[test]
fn random_subdomains() {
    let mut rig = Rig::new(Settings { cache_bytes_max: 100_000, ..settings() });
    rig.resolve(&plain("www.example.com", client::TYPE_A));
    for number in 0..5_000 {
        rig.resolve(&plain(&format!("nx{number}.victim.example"), client::TYPE_A));
        if number % 20 == 0 {
            let misses = rig.engine.counters().misses;
            rig.resolve(&plain("www.example.com", client::TYPE_A));
            assert_eq!(rig.engine.counters().misses, misses, "pushed out at {number}");
        }
    }
    assert!(rig.engine.cache_use().1 <= 100_000 && rig.engine.counters().cache_evicted > 4_000);
}

/// An answer built to make compression and chain-following expensive ends quickly (class of CVE-2024-8508).
#[test]
fn work_per_answer_is_bounded() {
    let mut rig = Rig::new(settings());
    let long = format!("{}example", "a.".repeat(120));
    rig.query(tcp(1), &plain(&long, client::TYPE_A));
    let asked = rig.take_ask();
    let question_end = asked.bytes.len() - 11;
    let mut bytes = asked.bytes[..question_end].to_vec();
    bytes[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0x08, 0, 0, 0, 0, 0]);
    for number in 0..2_048_u16 {
        bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 0, 0, 4, 10, 9]);
        bytes.extend(number.to_be_bytes());
    }
    rig.answer(&asked, &bytes);
    assert_eq!(client::Answer::parse(&rig.take_reply()).unwrap().answers, 2_048);
}
