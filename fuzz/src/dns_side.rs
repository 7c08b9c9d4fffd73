use std::{net::SocketAddr, time::Duration};

use dns::{AskId, ClientRef, Effect, Engine, Record, RecordData, Settings, Transport, Zone, client};
use model::Timestamp;

use crate::Script;

const START: Timestamp = Timestamp::from_secs(1_700_000_000);
const UDP_REPLY_MAX: usize = 1_232;

/// Any queries: every reply is one, to the id that asked, and not longer than its way allows.
pub fn dns_query(data: &[u8]) {
    let mut engine = engine();
    for (way, message) in std::iter::once((0, data)).chain(Script::read(data)) {
        engine.on_query(START, from(way), message);
        while let Some(effect) = engine.next_effect() {
            if let Effect::Respond { client, bytes } = effect {
                check_reply(client.transport, message, &bytes);
            }
        }
    }
}

fn check_reply(transport: Transport, asked: &[u8], reply: &[u8]) {
    assert!(reply.len() >= 12 && reply[2] & 0x80 != 0, "a reply is a reply");
    assert_eq!(reply[..2], asked[..2], "the id that asked");
    if transport == Transport::Udp {
        assert!(reply.len() <= UDP_REPLY_MAX);
    }
}

/// Any answers of upstreams. Each is tried as it is, and as the sections of an answer that fits the question; then the
/// same question is asked again, so that what was cached is read.
pub fn dns_answer(data: &[u8]) {
    let mut engine = engine();
    let mut now = START;
    for (index, (way, octets)) in Script::read(data).enumerate() {
        let name = ["www.example.com", "a.example.net", "example.org"][usize::from(way) % 3];
        let qtype = [client::TYPE_A, client::TYPE_AAAA, client::TYPE_HTTPS, 16, 5, 255][usize::from(way >> 2) % 6];
        let query = client::query(index as u16, name, qtype, way & 2 != 0);
        engine.on_query(now, from(way), &query);
        for round in 0..4 {
            let asks = drain(&mut engine, &query);
            if asks.is_empty() {
                break;
            }
            for (ask, upstream, asked) in asks {
                engine.on_answer(now, ask, upstream, octets);
                if round < 3 {
                    engine.on_answer(now, ask, upstream, &fitting(&asked, octets));
                } else {
                    engine.on_ask_failed(now, ask);
                }
            }
        }
        now = now + Duration::from_secs(u64::from(way >> 5));
        engine.on_query(now, from(way), &query);
        drain(&mut engine, &query);
        engine.on_deadline(now);
        drain(&mut engine, &query);
    }
    now = now + Duration::from_secs(30);
    while engine.deadline().is_some_and(|at| at <= now) {
        engine.on_deadline(now);
        while let Some(effect) = engine.next_effect() {
            if let Effect::Ask { ask, .. } = effect {
                engine.on_ask_failed(now, ask);
            }
        }
    }
    assert_eq!(engine.pending(), 0, "every question ends");
}

/// Header and question of what was asked, with the flags, counts and sections of the input.
fn fitting(asked: &[u8], octets: &[u8]) -> Vec<u8> {
    let end =
        asked.get(12..).and_then(|question| question.iter().position(|&octet| octet == 0)).map_or(12, |at| at + 17);
    let (head, sections) = octets.split_at(octets.len().min(8));
    let mut answer = asked.get(..end.min(asked.len())).unwrap_or(asked).to_vec();
    if let ([high, low, counts @ ..], true) = (head, answer.len() >= 12) {
        answer[2] = high | 0x80;
        answer[3] = *low;
        for (place, count) in answer[6..12].iter_mut().zip(counts) {
            *place = *count;
        }
    }
    answer.extend_from_slice(sections);
    answer
}

fn drain(engine: &mut Engine, query: &[u8]) -> Vec<(AskId, SocketAddr, Vec<u8>)> {
    let mut asks = Vec::new();
    while let Some(effect) = engine.next_effect() {
        match effect {
            Effect::Respond { client, bytes } if bytes[..2] == query[..2] => {
                check_reply(client.transport, query, &bytes);
            }
            Effect::Ask { ask, upstream, bytes, .. } => asks.push((ask, upstream, bytes)),
            Effect::Respond { .. } | Effect::Forget { .. } => {}
        }
    }
    asks
}

/// Names differ for the cache if and only if they differ beyond the case of ASCII letters.
pub fn dns_name(data: &[u8]) {
    let (first, second) = data.split_at(data.len() / 2);
    let flipped: Vec<u8> =
        second.iter().map(|octet| if octet.is_ascii_alphabetic() { octet ^ 0x20 } else { *octet }).collect();
    let (Some(one), Some(two), Some(three)) = (question(1, first), question(2, second), question(3, &flipped)) else {
        return;
    };
    let mut engine = engine();
    let mut asked = |query: &[u8]| {
        engine.on_query(START, from(1), query);
        drain(&mut engine, query).len()
    };
    // A question that is in flight is joined and not asked again, which tells what the engine takes as the same.
    let is_asked = asked(&one) > 0;
    let is_asked_again = asked(&two) > 0;
    if is_asked && first.eq_ignore_ascii_case(second) {
        assert!(!is_asked_again, "one name, asked twice");
    }
    assert_eq!(asked(&three), 0, "the case of letters makes no other name");
}

/// A query for labels in wire form; `None` when the octets are none.
fn question(id: u16, labels: &[u8]) -> Option<Vec<u8>> {
    let mut at = 0;
    while at < labels.len() {
        let length = usize::from(labels[at]);
        if !(1..=63).contains(&length) || at + 1 + length > labels.len() {
            return None;
        }
        at += 1 + length;
    }
    if labels.len() > 254 {
        return None;
    }
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    bytes.extend_from_slice(labels);
    bytes.extend_from_slice(&[0, 0, 1, 0, 1]);
    Some(bytes)
}

fn from(way: u8) -> ClientRef {
    let transport = if way & 1 == 0 { Transport::Udp } else { Transport::Tcp };
    ClientRef { address: SocketAddr::from(([198, 51, 100, 7], 4_000 + u16::from(way))), transport, token: 1 }
}

fn engine() -> Engine {
    let record = |name: &str, data| Record { name: name.into(), data };
    let settings = Settings {
        zones: vec![Zone {
            origin: "event.example".into(),
            primary: "ns.event.example".into(),
            records: vec![
                record("ns.event.example", RecordData::A([10, 0, 0, 2].into())),
                record("www.event.example", RecordData::Cname("ns.event.example".into())),
                record("out.event.example", RecordData::Cname("www.example.com".into())),
                record("note.event.example", RecordData::Txt("x".repeat(300))),
            ],
            ttl: 300,
        }],
        upstreams: vec![SocketAddr::from(([192, 0, 2, 1], 53)), SocketAddr::from(([192, 0, 2, 2], 53))],
        cache_bytes_max: 1 << 16,
        pending_max: 64,
        waiters_max: 8,
        own_addresses: Vec::new(),
        client_names_zone: None,
        client_names_ttl: 60,
        patience_factor: 1,
    };
    Engine::new(settings, 7).expect("the settings are fixed")
}
