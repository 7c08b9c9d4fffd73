//! What a caching forwarder has to get right, beside what the other files of this folder test by theme.
//!
//! A number with * is also asked of the program through real clients: `tests/e2e/tests/all/dns_lines.py` by dnspython.
//!
//! | No. | What | Source | Where |
//! |---|---|---|---|
//! | 1* | header, question echoed, NOTIMP, FORMERR, classes | RFC 1035 4.1, 9619 | `headers::header_rules` |
//! | 2* | EDNS: version, doubles, places, sizes | RFC 6891 6 | `headers::edns_rules` |
//! | 3* | TC, TCP same answer, pipelining, time of silence | RFC 2181 9, 7766, 7828 | `headers::{truncation, keepalive_*}`, `message_stream`, e2e `dns_transports` |
//! | 4* | cookies | RFC 7873, 9018 | `worker::cookies_*`, `cookie` |
//! | 5 | padding, both sides | RFC 7830, 8467 | `worker::replies_are_padded_*`, `headers::queries_are_padded`, e2e `dns_clients` |
//! | 6* | TTLs | RFC 1035 3.2.1, 2181 8 | `caching::time_to_live` |
//! | 7* | negative answers | RFC 2308 | `caching::negative_answers`, here |
//! | 8 | failures | RFC 9520 | `caching::failures`, `stale::failures_in_a_row_*`, e2e `dns_faults` |
//! | 9 | serve-stale | RFC 8767 | `stale`, e2e `dns_faults` |
//! | 10 | prefetch leaves TTLs as they are | RFC 8767 | `stale::prefetch` |
//! | 11* | only what was asked is kept | RFC 5452 6 | `upstreams::unrelated_records_are_left_out`, `hostile` |
//! | 12* | DO, CD, AD | RFC 4035 3.2 | `caching::what_shares_an_entry`, here |
//! | 13* | de-duplication, no client subnet | RFC 5452 5, 7871 7.1.2 | `upstreams::questions_in_flight_*`, here |
//! | 14 | ids, ports, 0x20, waiting past forgeries | RFC 5452 9.1, 9.2 | `upstreams`, `hostile`, `daemon::dns::ask_udp` |
//! | 15 | TC to TCP, no EDNS | RFC 7766 5, 6891 7 | `upstreams`, `upstreams::a_server_without_edns_*` |
//! | 16 | choice, patience, hedges | RFC 1035 7.2 | `upstreams::patience`, `upstreams::slow_answers_are_hedged`, `upstreams::names_are_forwarded_by_zone` |
//! | 17 | DoT and DoH to upstreams, never in clear text | RFC 7858, 8484 | e2e `dns_transports::upstreams_are_asked_*` |
//! | 18 | loops | RFC 1123 6.1.3.2 | `upstreams::a_loop_*`, `local_names::settings_are_checked` |
//! | 19* | DNSSEC behind a forwarder | RFC 4035, 6840 | `validation`, `upstream_choice`, e2e `dns_validation`, `dns_clients` |
//! | 20 | work limits, denials out of their zone | RFC 4035 5.3.1, 5.4, 5155 8.3 | `validation::{signatures_*, denials_*}`, here |
//! | 21* | no aggressive NSEC | RFC 8198 | here |
//! | 22* | special names | RFC 6761, 6303 | `local_names::special_names`, here |
//! | 23* | resolver.arpa | RFC 9462 6.1 | `team_data::clients_learn_*` |
//! | 24 | canary names | | here |
//! | 25* | ipv4only.arpa | RFC 8880 | `follow::ipv4only_*` |
//! | 26 | DNS64 | RFC 6147 | `follow::addresses_are_made_*` |
//! | 27* | ANY, AXFR, UPDATE, NOTIFY | RFC 8482, 5936, 2136, 1996 | `local_names::any_is_minimal`, here |
//! | 28* | HTTPS, unknown types | RFC 9460, 3597 | `upstreams::types_pass_unchanged` |
//! | 29* | private addresses pass | RFC 1918 | here |
//! | 30* | EDE | RFC 8914 | `stale`, `validation`, `team_data`, here |
//! | 31 | never recurses: minimisation, priming and glue have no place | RFC 1034 4.3.1 | here |
//! | 32* | DHCP names | RFC 1035 2.3.1 | `local_names::client_names`, e2e `dns` |

use super::{caching::upstream_answer, *};
use crate::{wire::rtype, writer::Section, zone::soa_rdata};

/// A query with an option in its OPT record, DO as wanted.
fn with_option(name: &str, qtype: u16, dnssec_ok: bool, code: u16, value: &[u8]) -> Vec<u8> {
    let mut query = client::query(9, name, qtype, true);
    let at = query.len() - 2;
    query[at - 2] = if dnssec_ok { 0x80 } else { 0 };
    let length = value.len() as u16;
    query[at..].copy_from_slice(&(length + 4).to_be_bytes());
    query.extend([code.to_be_bytes(), length.to_be_bytes()].concat());
    query.extend_from_slice(value);
    query
}

fn options_len(message: &[u8]) -> usize {
    let opt = Message::from_octets(message).unwrap().opt().unwrap();
    opt.opt().iter::<domain::base::opt::AllOptData<_, _>>().count()
}

/// RFC 6891 section 6.1.2, RFC 7871 section 7.1.2, RFC 5001: options we do not have are neither echoed nor passed on; a client
/// subnet makes no question of its own, which would let a forger guess for one name many times at once.
#[test]
fn options_end_here() {
    let subnet = [0, 1, 24, 0, 203, 0, 113];
    for (code, value) in [(8_u16, subnet.as_slice()), (3, &[]), (65_001, &[1, 2, 3])] {
        let mut rig = Rig::new(settings());
        rig.query(udp(1), &with_option("www.example.com", client::TYPE_A, false, code, value));
        let asked = rig.take_ask();
        assert_eq!(options_len(&asked.bytes), 0, "option {code} went upstream");
        let other: Vec<u8> = value.iter().map(|octet| octet ^ 2).collect();
        rig.query(udp(2), &with_option("www.example.com", client::TYPE_A, false, code, &other));
        assert!(rig.asked.is_empty(), "option {code} made a question of its own");
        rig.answer(&asked, &authority::answer(&asked.bytes).unwrap());
        assert_eq!(rig.replies.len(), 2);
        for (_, reply) in &rig.replies {
            assert_eq!(options_len(reply), 0, "option {code} came back");
        }
    }
}

/// RFC 6840 section 5.8, RFC 4035 section 3.2.3: AD of an upstream says nothing without validation of our own.
#[test]
fn upstreams_cannot_say_that_data_is_authentic() {
    let mut rig = Rig::new(settings());
    rig.query(udp(1), &with_option("www.example.com", client::TYPE_A, true, 65_001, &[]));
    let asked = rig.take_ask();
    let mut answer = authority::answer(&asked.bytes).unwrap();
    answer[3] |= 0x20;
    answer[2] |= 0x04;
    rig.answer(&asked, &answer);
    let reply = rig.take_reply();
    assert_eq!(reply[3] & 0x20, 0, "AD");
    assert_eq!(reply[2] & 0x04, 0, "AA (RFC 1035 section 4.1.1): the answer is not ours");
}

/// RFC 8198 is left out on purpose: a denial of one name says nothing of its neighbours, nor of names below it (RFC 8020).
#[test]
fn a_denial_is_of_one_name() {
    let mut rig = Rig::new(settings());
    let nsec = [b"\x01z\x07example\x00".as_slice(), &[0, 1, 0x40]].concat();
    let soa = soa_rdata(b"\x02ns\x00", b"\x07example\x00", 300).to_vec();
    rig.query(udp(1), &with_option("b.example", client::TYPE_A, true, 65_001, &[]));
    let asked = rig.take_ask();
    let records = [
        (Section::Authority, "example", rtype::SOA, 300, soa),
        (Section::Authority, "a.example", rtype::NSEC, 300, nsec),
    ];
    rig.answer(&asked, &upstream_answer(&asked, 3, &records));
    assert!(show(&rig.take_reply()).starts_with("NXDOMAIN"));
    for name in ["c.example", "below.b.example"] {
        rig.query(udp(1), &with_option(name, client::TYPE_A, true, 65_001, &[]));
        rig.take_ask();
    }
}

/// RFC 2308 sections 2.1 and 5: NXDOMAIN behind an alias is of the alias's target, kept for the least of its times.
#[test]
fn an_alias_to_a_name_that_does_not_exist() {
    let mut rig = Rig::new(settings());
    rig.query(udp(1), &plain("a.example", client::TYPE_A));
    let asked = rig.take_ask();
    let records = [
        (Section::Answer, "a.example", rtype::CNAME, 600, b"\x01b\x07example\x00".to_vec()),
        (Section::Authority, "example", rtype::SOA, 60, soa_rdata(b"\x02ns\x00", b"\x07example\x00", 90).to_vec()),
    ];
    rig.answer(&asked, &upstream_answer(&asked, 3, &records));
    assert!(
        show(&rig.take_reply()).starts_with("NXDOMAIN rd ra; a.example A; = a.example 600 b.example; ~ example 60")
    );
    rig.wait(Duration::from_secs(30));
    rig.query(udp(1), &plain("a.example", client::TYPE_A));
    assert!(show(&rig.take_reply()).starts_with("NXDOMAIN"));
    rig.wait(Duration::from_secs(30));
    rig.query(udp(1), &plain("a.example", client::TYPE_A));
    rig.take_ask();
}

/// The names with which browsers and phones ask whether they may go around us are ordinary unless a list blocks them; then
/// they are answered at once.
#[test]
fn canary_names_are_ordinary_unless_blocked() {
    for name in ["use-application-dns.net", "mask.icloud.com", "mask-h2.icloud.com"] {
        let mut rig = Rig::new(settings());
        assert!(rig.resolve(&plain(name, client::TYPE_A)).starts_with("NOERROR"));
        assert_eq!(rig.engine.counters().upstream_asks, 1);
    }
}

/// RFC 6761 section 6, RFC 6303, RFC 7686, RFC 8375, RFC 9462, RFC 9476: for no type, at no depth, in no case is an upstream asked.
#[test]
fn special_names_never_leave() {
    let names = [
        "localhost",
        "x.LOCALHOST",
        "1.0.0.127.in-addr.arpa",
        "invalid",
        "a.b.test",
        "x.onion",
        "x.alt",
        "printer.local",
        "nas.home.arpa",
        "x.service.arpa",
        "_dns.resolver.arpa",
        "1.1.16.172.in-addr.arpa",
        "1.1.31.172.in-addr.arpa",
        "1.0.168.192.in-addr.arpa",
        "9.9.254.169.in-addr.arpa",
        "1.64.100.in-addr.arpa",
        "1.127.100.in-addr.arpa",
        "1.2.0.192.in-addr.arpa",
        "1.100.51.198.in-addr.arpa",
        "1.113.0.203.in-addr.arpa",
        "255.255.255.255.in-addr.arpa",
        "1.d.f.ip6.arpa",
        "0.8.e.f.ip6.arpa",
        "0.b.e.f.ip6.arpa",
        "1.8.b.d.0.1.0.0.2.ip6.arpa",
        "ipv4only.arpa",
    ];
    let mut rig = Rig::new(settings());
    for name in names {
        for qtype in [client::TYPE_A, client::TYPE_AAAA, client::TYPE_HTTPS, rtype::PTR, rtype::SOA, 43, 65_280] {
            rig.query(udp(1), &plain(name, qtype));
            let reply = rig.take_reply();
            assert!(rig.asked.is_empty(), "{name} {qtype}");
            assert!(matches!(reply[3] & 15, 0 | 3), "{name} {qtype}");
        }
    }
    for name in ["1.1.15.172.in-addr.arpa", "1.32.172.in-addr.arpa", "1.63.100.in-addr.arpa", "localhosts", "xtest"] {
        rig.query(udp(1), &plain(name, rtype::PTR));
        rig.take_ask();
    }
}

/// RFC 5936 section 2.2, RFC 1995, RFC 2136, RFC 1996, RFC 6895 section 3.1: transfers, updates, notifications and meta types end
/// here, over TCP as well.
#[test]
fn transfers_updates_and_meta_types_are_not_forwarded() {
    for client in [udp(1), tcp(1)] {
        for qtype in [251_u16, 252, 250, 249, 253, 254, 128, 200] {
            let mut rig = Rig::new(settings());
            rig.query(client, &plain("www.example.com", qtype));
            let code = rig.take_reply()[3] & 15;
            assert!(rig.asked.is_empty() && matches!(code, 1 | 4 | 5), "type {qtype}: {code}");
        }
        for opcode in [1_u8, 2, 3, 4, 5, 6, 15] {
            let mut rig = Rig::new(settings());
            let mut query = plain("www.example.com", client::TYPE_A);
            query[2] = opcode << 3 | 1;
            rig.query(client, &query);
            assert_eq!((rig.take_reply()[3] & 15, rig.asked.len()), (4, 0), "opcode {opcode}");
        }
    }
}

/// RFC 1918 addresses of public names pass: the event decides what is private (no rebinding protection).
#[test]
fn private_addresses_pass() {
    let mut rig = Rig::new(settings());
    rig.query(udp(1), &plain("nas.example", client::TYPE_A));
    let asked = rig.take_ask();
    rig.answer(
        &asked,
        &upstream_answer(&asked, 0, &[(Section::Answer, "nas.example", rtype::A, 60, vec![192, 168, 1, 9])]),
    );
    assert!(show(&rig.take_reply()).ends_with("nas.example 60 192.168.1.9"));
}

/// RFC 1034 section 4.3.1: a referral is not followed, and no answer; RFC 9156 and root hints have no place in a forwarder.
#[test]
fn a_referral_is_no_answer_that_is_kept() {
    let mut rig = Rig::new(settings());
    rig.query(udp(1), &plain("www.example.com", client::TYPE_A));
    let asked = rig.take_ask();
    assert_eq!(asked.bytes[2] & 1, 1, "recursion is desired of whoever is asked");
    let ns = [(Section::Authority, "com", rtype::NS, 86_400, b"\x01a\x07example\x00".to_vec())];
    rig.answer(&asked, &upstream_answer(&asked, 0, &ns));
    let reply = client::Answer::parse(&rig.take_reply()).unwrap();
    assert_eq!(reply.answers, 0);
    rig.query(udp(1), &plain("www.example.com", client::TYPE_A));
    rig.take_ask();
}

/// RFC 8914: the codes we say are those that fit, and only to who can read them (RFC 6891 section 7: no OPT without OPT).
#[test]
fn reasons_are_for_those_with_edns() {
    for edns in [true, false] {
        let mut rig = Rig::new(settings());
        rig.query(udp(1), &client::query(1, "silent.example", client::TYPE_A, edns));
        rig.wait(Duration::from_secs(5));
        let shown = show(&rig.take_reply());
        assert_eq!(shown.contains("opt"), edns, "{shown}");
        assert_eq!(shown.contains("ede 23"), edns, "RFC 8914 section 4.24: network error");
    }
}

/// RFC 4035 section 5.3 and the class of CVE-2023-50387: what would be too much work is refused before any key is asked for.
#[test]
fn too_many_records_are_not_validated() {
    let mut rig = Rig {
        now: Timestamp::from_secs(1_780_000_000),
        ..Rig::new(Settings { validate: true, upstreams: vec![upstream(1)], ..settings() })
    };
    rig.query(tcp(1), &plain("www.example.org", client::TYPE_A));
    let asked = rig.take_ask();
    let records: Vec<_> = (0..600_u16)
        .map(|host| (Section::Answer, "www.example.org", rtype::A, 60, vec![10, 0, (host >> 8) as u8, host as u8]))
        .collect();
    rig.answer(&asked, &upstream_answer(&asked, 0, &records));
    assert!(rig.validations.is_empty());
    assert!(show(&rig.take_reply()).starts_with("SERVFAIL"));
}
