//! Headers, EDNS and truncation: RFC 1035, 6891, 7766, 9619.

use super::*;

/// A query by hand: flags, counts, what follows the header.
fn message(flags: u16, counts: [u16; 4], rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xab, 0xcd];
    bytes.extend(flags.to_be_bytes());
    bytes.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
    bytes.extend(rest);
    bytes
}

const QUESTION: &[u8] = b"\x02Ns\x05EvEnT\x07example\x00\x00\x01\x00\x01";

fn opt(size: u16, ttl: u32, options: &[u8]) -> Vec<u8> {
    let length = options.len() as u16;
    [b"\0\0\x29".as_slice(), &size.to_be_bytes(), &ttl.to_be_bytes(), &length.to_be_bytes(), options].concat()
}

fn check(query: &[u8], expected: &str) {
    let mut rig = Rig::new(settings());
    rig.query(udp(5_000), query);
    let shown = match rig.replies.first() {
        Some((_, bytes)) => {
            assert_eq!(bytes[..2], query[..2], "id");
            show(bytes)
        }
        None => "(dropped)".into(),
    };
    assert_eq!(shown, expected, "{query:x?}");
}

/// RFC 1035 section 4.1, RFC 9619: what is answered how.
#[test]
fn header_rules() {
    let good = "NOERROR aa rd ra; Ns.EvEnT.example A; = Ns.EvEnT.example 300 10.0.0.2";
    check(&message(0x0100, [1, 0, 0, 0], QUESTION), good);
    check(&message(0x0000, [1, 0, 0, 0], QUESTION), &good.replace(" rd", ""));
    check(&message(0x0110, [1, 0, 0, 0], QUESTION), &good.replace("ra;", "ra cd;"));
    check(&message(0x0160, [1, 0, 0, 0], QUESTION), good);
    check(&message(0x8100, [1, 0, 0, 0], QUESTION), "(dropped)");
    check(&message(0x0100, [0, 0, 0, 0], b""), "FORMERR rd ra");
    check(&message(0x0100, [2, 0, 0, 0], &[QUESTION, QUESTION].concat()), "FORMERR rd ra");
    check(&message(0x0100, [1, 0, 0, 0], &[QUESTION, b"x"].concat()), "FORMERR rd ra; Ns.EvEnT.example A");
    check(&message(0x0100, [1, 9, 0, 0], QUESTION), "FORMERR rd ra; Ns.EvEnT.example A");
    check(&message(0x0100, [1, 0xffff, 0xffff, 0xffff], QUESTION), "FORMERR rd ra; Ns.EvEnT.example A");
    check(&message(0x0100, [1, 0, 0, 0], b"\xc0\x0c\x00\x01\x00\x01"), "FORMERR rd ra");
    check(&message(0x0100, [1, 0, 0, 0], &QUESTION[..10]), "FORMERR rd ra");
    check(&message(0x2900, [1, 0, 0, 0], QUESTION), "NOTIMP rd ra; Ns.EvEnT.example A");
    check(&message(0x2000, [0, 0, 0, 0], b""), "NOTIMP ra");
    check(
        &message(0x0100, [1, 0, 0, 0], b"\x07version\x04bind\x00\x00\x10\x00\x03"),
        "REFUSED rd ra; version.bind TXT",
    );
    check(&[0xab; 11], "(dropped)");
    check(b"", "(dropped)");
    for (qtype, rcode) in
        [(252_u16, "REFUSED"), (251, "REFUSED"), (250, "REFUSED"), (41, "FORMERR"), (0, "FORMERR"), (253, "NOTIMP")]
    {
        let name = &QUESTION[..QUESTION.len() - 4];
        let query = message(0x0100, [1, 0, 0, 0], &[name, &qtype.to_be_bytes(), b"\0\x01"].concat());
        let mut rig = Rig::new(settings());
        rig.query(tcp(5_000), &query);
        assert!(show(&rig.take_reply()).starts_with(rcode), "{qtype}");
    }
}

/// RFC 6891 section 6.
#[test]
fn edns_rules() {
    let answer = "NOERROR aa rd ra; Ns.EvEnT.example A; = Ns.EvEnT.example 300 10.0.0.2; opt 1232 v0";
    let formerr = "FORMERR rd ra; Ns.EvEnT.example A; opt 1232 v0";
    let with = |opts: &[Vec<u8>]| message(0x0100, [1, 0, 0, opts.len() as u16], &[QUESTION, &opts.concat()].concat());
    check(&with(&[opt(4096, 0, b"")]), answer);
    check(&with(&[opt(4096, 0x8000, b"")]), &format!("{answer} do"));
    check(&with(&[opt(0, 0x7fff, b"\xff\xfe\x00\x02xx")]), answer);
    check(&with(&[opt(1232, 0x0001_0000, b"")]), "BADVERS rd ra; Ns.EvEnT.example A; opt 1232 v0");
    check(&with(&[opt(1232, 0, b""), opt(1232, 0, b"")]), formerr);
    check(&with(&[opt(1232, 0, b"\x00\x0a\x00\x08abcdefgh")]), answer);
    check(&with(&[opt(1232, 0, b"\x00\x0a\x00\x07abcdefg")]), "FORMERR rd ra; Ns.EvEnT.example A");
    check(&with(&[opt(1232, 0, b"\x00\x0a\x00\x50")]), "FORMERR rd ra; Ns.EvEnT.example A");
    check(&with(&[opt(1232, 0, b"\x00")]), "FORMERR rd ra; Ns.EvEnT.example A");
    let named = [b"\x01a\0\0\x29\x04\xd0".as_slice(), &[0; 6]].concat();
    check(&with(&[named]), "FORMERR rd ra; Ns.EvEnT.example A");
    let in_answer = message(0x0100, [1, 1, 0, 0], &[QUESTION, &opt(1232, 0, b"")].concat());
    check(&in_answer, "FORMERR rd ra; Ns.EvEnT.example A");
}

/// RFC 2181 section 9, RFC 7766 section 5: TC over UDP beyond the client's size or 1232, everything over TCP.
#[test]
fn truncation() {
    let mut settings = settings();
    for (count, name) in [(30, "mid"), (100, "big")] {
        let addresses = (0..count).map(|host| RecordData::A(Ipv4Addr::new(10, 1, 0, host)));
        let records = addresses.map(|data| Record { name: format!("{name}.event.example"), data });
        settings.zones[0].records.extend(records);
    }
    let sizes = [("mid", None, 0), ("mid", Some(512), 0), ("mid", Some(100), 0), ("mid", Some(700), 30)];
    let more = [("big", Some(1232), 0), ("big", Some(65_535), 0)];
    for (name, size, expected) in sizes.into_iter().chain(more) {
        let mut query = plain(&format!("{name}.event.example"), client::TYPE_A);
        if let Some(size) = size {
            query[11] = 1;
            query.extend(opt(size, 0, b""));
        }
        let mut rig = Rig::new(settings.clone());
        rig.query(udp(5_000), &query);
        let reply = rig.take_reply();
        let head = client::Answer::parse(&reply).unwrap();
        assert_eq!((head.answers, head.truncated), (expected, expected == 0), "{name} {size:?}");
        assert_eq!(show(&reply).contains("; opt 1232 v0"), size.is_some());
        assert_eq!(rig.engine.counters().truncated, u64::from(head.truncated));
        rig.query(tcp(5_000), &query);
        let head = client::Answer::parse(&rig.take_reply()).unwrap();
        assert!(!head.truncated && head.answers >= 30);
    }
}

/// RFC 7828 sections 3.1 to 3.3: who asks over a connection is told how long it may be silent; over UDP it is nobody's business, and
/// a client that says a time itself has not understood.
#[test]
fn keepalive_is_said_over_connections() {
    const TIMEOUT: &[u8] = &[0, 11, 0, 2, 0, 100];
    let ask = |client: ClientRef, option: &[u8]| {
        let mut query = plain("ns.event.example", client::TYPE_A);
        query[11] = 1;
        query.extend_from_slice(&opt(1_232, 0, option));
        let mut rig = Rig::new(settings());
        rig.query(client, &query);
        rig.take_reply()
    };
    let says = |reply: &[u8]| reply.windows(TIMEOUT.len()).any(|octets| octets == TIMEOUT);
    let tls = ClientRef { transport: Transport::Tls, ..tcp(5_000) };
    let https = ClientRef { transport: Transport::Https, ..tcp(5_000) };
    for (client, is_told) in [(tcp(5_000), true), (tls, true), (udp(5_000), false), (https, false)] {
        assert_eq!(says(&ask(client, &[0, 11, 0, 0])), is_told, "{client:?}");
    }
    assert!(!says(&ask(tcp(5_000), &[])), "nobody asked");
    assert!(show(&ask(tcp(5_000), &[0, 11, 0, 2, 0, 9])).starts_with("FORMERR"));
}

/// RFC 8467 section 4.1: queries to upstreams that nobody can read along are multiples of 128 octets.
#[test]
fn queries_are_padded() {
    for name in ["a.example", "a-much-longer-name-that-says-more-of-itself.of-some-company.example"] {
        let mut padded = client::query(7, name, client::TYPE_A, true);
        let plain = padded.clone();
        crate::pad_query(&mut padded);
        assert_eq!(padded.len() % 128, 0, "{name}");
        let message = Message::from_octets(padded.clone()).unwrap();
        let options = message.opt().unwrap();
        assert_eq!(options.opt().iter::<domain::base::opt::Padding<_>>().count(), 1);
        assert_eq!(padded[..plain.len() - 2], plain[..plain.len() - 2]);
        let again = padded.clone();
        crate::pad_query(&mut padded);
        assert_eq!(padded, again, "once is enough");
    }
    let mut bare = client::query(7, "a.example", client::TYPE_A, false);
    crate::pad_query(&mut bare);
    assert_eq!(bare, client::query(7, "a.example", client::TYPE_A, false), "no OPT record, no padding");
}
