//! Workers: what they answer is what the engine would; whom they do not serve; cookies and padding.

use std::{net::SocketAddr, time::Duration};

use domain::base::{
    Message,
    iana::OptionCode,
    opt::{AllOptData, ExtendedError},
};

use super::*;
use crate::{Rates, Verdict, Worker};

const NAME: &str = "www.example.org";

fn query(name: &str) -> Vec<u8> {
    client::query(7, name, client::TYPE_A, true)
}

/// A query with an option of `code`.
fn with_option(name: &str, code: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = query(name);
    let length_at = bytes.len() - 2;
    bytes[length_at..].copy_from_slice(&(value.len() as u16 + 4).to_be_bytes());
    bytes.extend_from_slice(&code.to_be_bytes());
    bytes.extend_from_slice(&(value.len() as u16).to_be_bytes());
    bytes.extend_from_slice(value);
    bytes
}

fn ask(worker: &mut Worker, now: Timestamp, client: ClientRef, bytes: &[u8]) -> (Verdict, Vec<u8>) {
    let mut out = b"before".to_vec();
    let verdict = worker.on_query(now, client.address, client.transport, bytes, &mut out);
    (verdict, out.split_off(6))
}

/// An engine that has one name in its cache.
fn warm(settings: Settings) -> Rig {
    let mut rig = Rig::new(settings);
    rig.query(udp(5_000), &query(NAME));
    let asked = rig.take_ask();
    let answer = authority::answer(&asked.bytes).unwrap();
    rig.answer(&asked, &answer);
    rig.take_reply();
    rig
}

#[test]
fn answers_as_the_engine_does_and_hands_on_what_it_does_not_know() {
    let mut rig = warm(settings());
    let mut worker = rig.engine.worker();
    rig.wait(Duration::from_secs(3));
    for client in [udp(5_001), tcp(5_001)] {
        for bytes in [query(NAME), query("WwW.eXample.org"), vec![0; 12], b"\0\x01\x28\0\0\x01\0\0\0\0\0\0".to_vec()] {
            let (verdict, reply) = ask(&mut worker, rig.now, client, &bytes);
            assert_eq!(verdict, Verdict::Reply);
            rig.query(client, &bytes);
            assert_eq!(reply, rig.take_reply());
        }
    }
    let before = *worker.counters();
    for slow in ["www.event.example", "unknown.example"] {
        assert_eq!(ask(&mut worker, rig.now, udp(1), &query(slow)), (Verdict::Slow, Vec::new()), "{slow}");
    }
    assert_eq!(*worker.counters(), before, "what is handed on is counted there");
    let mut response = query(NAME);
    response[2] |= 0x80;
    for dropped in [response, vec![0; 11], Vec::new()] {
        assert_eq!(ask(&mut worker, rig.now, udp(1), &dropped), (Verdict::Drop, Vec::new()));
    }
    let counters = worker.counters();
    assert_eq!((counters.queries_udp, counters.queries_tcp, counters.answers), (7, 4, 8));
    assert_eq!((counters.cache_hits, counters.rejected, counters.dropped_malformed), (4, 4, 2));
}

#[test]
fn a_hit_near_its_end_is_refreshed_by_the_engine() {
    let mut rig = warm(settings());
    let mut worker = rig.engine.worker();
    let lifetime_s = ttl(&ask(&mut worker, rig.now, udp(1), &query(NAME)).1);
    rig.wait(Duration::from_secs(u64::from(lifetime_s) - 1));
    assert_eq!(ask(&mut worker, rig.now, udp(1), &query(NAME)).0, Verdict::ReplyAndRefresh);
    rig.engine.refresh(rig.now, &query(NAME));
    rig.engine.refresh(rig.now, &query(NAME));
    rig.collect();
    let asked = rig.take_ask();
    let answer = authority::answer(&asked.bytes).unwrap();
    rig.answer(&asked, &answer);
    rig.wait(Duration::from_secs(2));
    assert_eq!(ask(&mut worker, rig.now, udp(1), &query(NAME)).0, Verdict::Reply);
}

fn ttl(reply: &[u8]) -> u32 {
    let message = Message::from_octets(reply).unwrap();
    message.answer().unwrap().next().unwrap().unwrap().ttl().as_secs()
}

/// RFC 5358: who is not ours is refused, also from the cache.
#[test]
fn strangers_are_refused() {
    let allow = vec!["198.51.100.0/24".parse().unwrap()];
    let rig = warm(Settings { allow, ..settings() });
    let mut worker = rig.engine.worker();
    let stranger = ClientRef { address: SocketAddr::from(([203, 0, 113, 1], 9)), ..udp(1) };
    let (verdict, reply) = ask(&mut worker, rig.now, stranger, &query(NAME));
    let message = Message::from_octets(reply).unwrap();
    assert_eq!((verdict, message.header().rcode().to_int()), (Verdict::Reply, 5));
    let opt = message.opt().unwrap();
    let errors = opt.opt().iter::<ExtendedError<_>>().map(|error| error.unwrap().code().to_int());
    assert_eq!(errors.collect::<Vec<_>>(), [18]);
    assert_eq!(ask(&mut worker, rig.now, stranger, &query("other.example")).0, Verdict::Reply);
    assert_eq!(ask(&mut worker, rig.now, udp(1), &query(NAME)).0, Verdict::Reply);
    assert_eq!(worker.counters().prohibited, 2);
}

/// Over its rate a sender that may be made up gets nothing or TC=1; one that is proved gets nothing; all workers count together.
#[test]
fn rates_hold_over_all_workers() {
    let rates = Rates { client: Some(20), prefix: None };
    let rig = warm(Settings { rates, ..settings() });
    let (mut first, mut second) = (rig.engine.worker(), rig.engine.worker());
    for _ in 0..10 {
        assert_eq!(ask(&mut first, rig.now, udp(1), &query(NAME)).0, Verdict::Reply);
        assert_eq!(ask(&mut second, rig.now, udp(1), &query(NAME)).0, Verdict::Reply);
    }
    let verdicts: Vec<_> = (0..4).map(|_| ask(&mut first, rig.now, udp(1), &query(NAME))).collect();
    assert_eq!(verdicts[0].0, Verdict::Drop);
    let cut = Message::from_octets(verdicts[1].1.clone()).unwrap();
    assert!(cut.header().tc() && cut.header_counts().ancount() == 0 && verdicts[2].0 == Verdict::Drop);
    let (verdict, reply) = ask(&mut second, rig.now, tcp(1), &query(NAME));
    assert_eq!((verdict, reply[3] & 15), (Verdict::Reply, 5), "a connection gets an answer");
    assert_eq!((first.counters().rate_dropped, first.counters().rate_truncated), (2, 2));
}

/// RFC 7873 section 5.2: the client's part comes back with ours; RFC 9018 says how it is made.
#[test]
fn cookies_come_back_and_are_known_again() {
    let rig = warm(settings());
    let mut worker = rig.engine.worker();
    let cookie_of = |reply: &[u8]| {
        let message = Message::from_octets(reply).unwrap();
        let opt = message.opt().unwrap();
        let mut options = opt.opt().iter::<AllOptData<_, domain::base::Name<&[u8]>>>();
        options.find_map(|option| match option.unwrap() {
            AllOptData::Cookie(cookie) => Some(cookie.to_string()),
            _ => None,
        })
    };
    let (_, reply) = ask(&mut worker, rig.now, udp(1), &with_option(NAME, 10, b"abcdefgh"));
    assert!(cookie_of(&reply).is_some());
    assert_eq!(worker.counters().cookies_good, 0);
    let at = reply.windows(8).position(|octets| octets == b"abcdefgh").unwrap();
    let whole = reply[at..at + 24].to_vec();
    let (_, again) = ask(&mut worker, rig.now, udp(1), &with_option(NAME, 10, &whole));
    assert!(cookie_of(&again).is_some());
    assert_eq!(worker.counters().cookies_good, 1);
    assert_eq!(cookie_of(&ask(&mut worker, rig.now, udp(1), &query(NAME)).1), None);
    for bad in [7, 9, 15, 41] {
        let (_, reply) = ask(&mut worker, rig.now, udp(1), &with_option(NAME, 10, &vec![1; bad]));
        assert_eq!(reply[3] & 15, 1, "a cookie of {bad} octets is a format error");
    }
    // What waits for an upstream gets its cookie too.
    let mut rig = Rig::new(settings());
    rig.query(udp(1), &with_option(NAME, 10, b"abcdefgh"));
    let asked = rig.take_ask();
    assert!(!asked.bytes.windows(8).any(|octets| octets == b"abcdefgh"), "cookies are between two");
    let answer = authority::answer(&asked.bytes).unwrap();
    rig.answer(&asked, &answer);
    assert!(cookie_of(&rig.take_reply()).is_some());
}

/// RFC 8467 section 4.1: replies to who pads are multiples of 468 octets, where nobody can look in; elsewhere not.
#[test]
fn replies_are_padded_where_it_hides_something() {
    let rig = warm(settings());
    let mut worker = rig.engine.worker();
    let padded = with_option(NAME, OptionCode::PADDING.to_int(), &[0; 20]);
    for (transport, is_padded) in
        [(Transport::Udp, false), (Transport::Tcp, false), (Transport::Tls, true), (Transport::Https, true)]
    {
        let client = ClientRef { transport, ..udp(1) };
        let (_, reply) = ask(&mut worker, rig.now, client, &padded);
        assert_eq!(reply.len() % 468 == 0, is_padded, "{transport:?}");
        assert!(Message::from_octets(&reply[..]).unwrap().opt().is_some());
        assert_ne!(ask(&mut worker, rig.now, client, &query(NAME)).1.len() % 468, 0);
    }
}

/// Names and clients are counted only when the plan says so.
#[test]
fn who_asks_most_is_counted_by_workers_if_wanted() {
    for counts_top in [false, true] {
        let rig = Rig::new(Settings { counts_top, ..settings() });
        let mut workers = [rig.engine.worker(), rig.engine.worker()];
        for (number, name) in ["a.example", "B.example", "b.example"].into_iter().enumerate() {
            let query = plain(name, 1);
            workers[number % 2].on_query(rig.now, udp(1).address, Transport::Udp, &query, &mut Vec::new());
        }
        let top = rig.engine.top(rig.now, 1);
        assert_eq!(top.is_some(), counts_top);
        if let Some(top) = top {
            assert_eq!((top.questions, top.names), (3, vec![("b.example.".to_owned(), 2)]));
            assert_eq!(top.clients, [(udp(1).address.ip(), 3)]);
        }
    }
}
