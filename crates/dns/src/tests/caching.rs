//! The cache: RFC 1035 section 3.2.1, RFC 2181 section 8, RFC 2308, RFC 9520.

use proptest::prelude::*;

use super::*;
use crate::{
    wire::rtype,
    writer::{Section, Writer},
    zone::soa_rdata,
};

/// An upstream's answer to what was asked.
pub(crate) fn upstream_answer(asked: &Asked, rcode: u16, records: &[(Section, &str, u16, u32, Vec<u8>)]) -> Vec<u8> {
    let name_end = crate::name::end_of_plain_name(&asked.bytes, 12).unwrap();
    let mut writer = Writer::new(&asked.bytes[12..name_end + 4]);
    for (section, owner, rtype, ttl, rdata) in records {
        writer.record(*section, &crate::name::from_text(owner).unwrap(), *rtype, *ttl, rdata).unwrap();
    }
    let mut bytes = writer.finish(0x8080 | rcode).wire.to_vec();
    bytes[..2].copy_from_slice(&asked.bytes[..2]);
    bytes
}

fn soa(minimum: u32) -> Vec<u8> {
    soa_rdata(b"\x02ns\x00", b"\x07example\x00", minimum).into()
}

/// Asks once, lets the upstream answer, asks again after `pause` and shows the second reply and whether it was cached.
fn check(pause: Duration, rcode: u16, records: &[(Section, &str, u16, u32, Vec<u8>)], expected: Option<&str>) {
    let mut rig = Rig::new(settings());
    rig.query(udp(5_000), &plain("a.example", client::TYPE_A));
    let asked = rig.take_ask();
    let answer = upstream_answer(&asked, rcode, records);
    rig.answer(&asked, &answer);
    rig.take_reply();
    rig.wait(pause);
    rig.query(udp(5_001), &plain("A.eXample", client::TYPE_A));
    assert_eq!(rig.replies.first().map(|(_, bytes)| show(bytes)).as_deref(), expected, "{records:?}");
}

#[test]
fn time_to_live() {
    let a = |ttl| vec![(Section::Answer, "a.example", rtype::A, ttl, vec![192, 0, 2, 1])];
    let shown = |ttl: u32| format!("NOERROR rd ra; A.eXample A; = A.eXample {ttl} 192.0.2.1");
    let second = Duration::from_secs(1);
    check(ms(0), 0, &a(300), Some(&shown(300)));
    check(ms(10_999), 0, &a(300), Some(&shown(290)));
    check(second * 299, 0, &a(300), Some(&shown(1)));
    check(second * 300, 0, &a(300), None);
    check(ms(0), 0, &a(0), None);
    // RFC 2181 section 8: the top bit makes it 0; RFC 8767 section 4: a cap.
    check(ms(0), 0, &a(0x8000_0001), None);
    check(second, 0, &a(0x7fff_ffff), Some(&shown(86_399)));
    check(second * 86_400, 0, &a(0x7fff_ffff), None);
    // The least TTL of the answer rules.
    let mut two = a(300);
    two.push((Section::Answer, "a.example", rtype::A, 5, vec![192, 0, 2, 2]));
    check(second * 5, 0, &two, None);
}

/// RFC 2308 section 5: the lesser of the SOA's TTL and MINIMUM, at most an hour; nothing without SOA or with a foreign one.
#[test]
fn negative_answers() {
    let negative = |owner, ttl, minimum| vec![(Section::Authority, owner, rtype::SOA, ttl, soa(minimum))];
    let shown = |rcode: &str, ttl: u32, minimum: u32| {
        format!("{rcode} rd ra; A.eXample A; ~ eXample {ttl} ns. hostmaster.eXample. 1 3600 900 604800 {minimum}")
    };
    let second = Duration::from_secs(1);
    check(second * 9, 3, &negative("example", 100, 60), Some(&shown("NXDOMAIN", 51, 60)));
    check(second * 9, 0, &negative("example", 50, 60), Some(&shown("NOERROR", 41, 60)));
    check(second * 60, 3, &negative("example", 100, 60), None);
    check(second * 3_599, 3, &negative("example", 90_000, 90_000), Some(&shown("NXDOMAIN", 1, 90_000)));
    check(second * 3_600, 3, &negative("example", 90_000, 90_000), None);
    check(ms(0), 3, &[], None);
    check(ms(0), 0, &[], None);
    check(ms(0), 3, &negative("elsewhere", 100, 60), None);
}

/// RFC 9520 section 3: failures are remembered for a moment, so that a broken name costs one question.
#[test]
fn failures() {
    let mut rig = Rig::new(settings());
    rig.query(udp(5_000), &client::query(1, "a.example", client::TYPE_A, true));
    for _ in 0..2 {
        let asked = rig.take_ask();
        rig.answer(&asked, &upstream_answer(&asked, 2, &[]));
    }
    assert_eq!(show(&rig.take_reply()), "SERVFAIL rd ra; a.example A; opt 1232 v0");
    rig.wait(ms(4_999));
    rig.query(udp(5_000), &plain("a.example", client::TYPE_A));
    assert_eq!(show(&rig.take_reply()), "SERVFAIL rd ra; a.example A");
    rig.wait(ms(1));
    rig.query(udp(5_000), &plain("a.example", client::TYPE_A));
    rig.take_ask();
}

/// DO and CD have entries of their own; id, size and case do not (RFC 4035 section 3.2).
#[test]
fn what_shares_an_entry() {
    let mut rig = Rig::new(settings());
    let base = client::query(1, "a.example", client::TYPE_A, true);
    rig.resolve(&base);
    let mut misses = 1;
    let with = |change: fn(&mut Vec<u8>)| {
        let mut query = base.clone();
        change(&mut query);
        query
    };
    let size_at = base.len() - 8;
    assert_eq!(base[size_at..size_at + 2], [4, 208]);
    let table: [(Vec<u8>, u64); 7] = [
        (with(|query| query[0] = 9), 0),
        (with(|query| query[13] = b'A'), 0),
        (with(|query| query[29 + 4 - 1] = 5), 0),
        (client::query(2, "a.example", client::TYPE_A, false), 0),
        (with(|query| query[3] |= 0x10), 1),
        (with(|query| *query.iter_mut().rev().nth(3).unwrap() = 0x80), 1),
        (client::query(1, "a.example", client::TYPE_AAAA, true), 1),
    ];
    for (query, more) in table {
        rig.resolve(&query);
        misses += more;
        assert_eq!(rig.engine.counters().misses, misses, "{query:x?}");
    }
}

/// Without RD only what is known is told (RFC 1034 section 4.3.1).
#[test]
fn recursion_is_for_those_who_desire_it() {
    let mut rig = Rig::new(settings());
    let mut query = plain("a.example", client::TYPE_A);
    query[2] = 0;
    assert_eq!(rig.resolve(&query), "REFUSED ra; a.example A");
    rig.resolve(&plain("a.example", client::TYPE_A));
    assert!(rig.resolve(&query).starts_with("NOERROR ra; a.example A; = a.example"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A cached answer differs from the first one in id, question case and TTLs only.
    #[test]
    fn ages_nothing_but_ttls(
        addresses in proptest::collection::vec((any::<[u8; 4]>(), 100_u32..10_000), 1..20),
        age_s in 0_u64..100,
        alias in any::<bool>(),
    ) {
        let mut rig = Rig::new(settings());
        rig.query(tcp(5_000), &plain("name.example", client::TYPE_A));
        let asked = rig.take_ask();
        let owner = if alias { "b.other.example" } else { "name.example" };
        let mut records: Vec<_> = addresses
            .iter()
            .map(|(address, ttl)| (Section::Answer, owner, rtype::A, *ttl, address.to_vec()))
            .collect();
        if alias {
            let target = crate::name::from_text(owner).unwrap().to_vec();
            records.insert(0, (Section::Answer, "name.example", rtype::CNAME, 5_000, target));
        }
        let answer = upstream_answer(&asked, 0, &records);
        rig.answer(&asked, &answer);
        let first = rig.take_reply();
        rig.wait(Duration::from_secs(age_s));
        rig.query(tcp(5_001), &plain("name.example", client::TYPE_A));
        let mut cached = rig.take_reply();
        let message = Message::from_octets(first.clone()).unwrap();
        prop_assert_eq!(message.header_counts().ancount() as usize, records.len());
        let key = crate::cache::Key::new(b"\x04name\x07example\x00", 1, false, false);
        let known = |known: crate::cache::Known<'_>| (known.answer.clone(), known.freshness);
        let (kept, freshness) = rig.engine.cache.get(rig.now, key.as_slice(), known).unwrap();
        let age = u32::try_from(age_s).unwrap();
        prop_assert_eq!(freshness, crate::reply::Freshness::Fresh { age_s: age });
        prop_assert_eq!(kept.ttl_offsets.len(), records.len());
        for &at in &kept.ttl_offsets {
            let at = usize::from(at);
            let ttl = u32::from_be_bytes(cached[at..at + 4].try_into().unwrap()) + age;
            cached[at..at + 4].copy_from_slice(&ttl.to_be_bytes());
        }
        prop_assert_eq!(first, cached);
    }
}
