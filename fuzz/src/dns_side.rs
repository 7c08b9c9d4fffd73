use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use dns::{
    AskId, ClientIdentity, ClientRef, Effect, Engine, MessageStream, Nat64, Rates, Record, RecordData, Settings,
    Transport, Validity, Zone, client,
};
use model::{HostName, Mac, Timestamp};

use crate::Script;

const START: Timestamp = Timestamp::from_secs(1_700_000_000);
const UDP_REPLY_MAX: usize = 1_232;
const HEADER_LEN: usize = 12;
const CACHE_BYTES_MAX: usize = 1 << 16;

/// Any queries, and names of DHCP clients in between: each query is answered once, soundly, and not longer than its way
/// and its sender allow.
pub fn dns_query(data: &[u8]) {
    let mut play = Play::new();
    for (way, message) in std::iter::once((0, data)).chain(Script::read(data)) {
        match (way & 3, HostName::sanitise(message)) {
            (2, Some(name)) => {
                let until = play.now + Duration::from_secs(u64::from(way));
                let client = ClientIdentity { mac: Some(Mac([2, 0, 0, 0, 0, way & 0x3c])), duid: None };
                play.engine.set_client_name(play.now, &name, Ipv4Addr::new(10, 0, 1, way).into(), &client, until);
            }
            (3, _) => play.engine.remove_client_name(Ipv4Addr::new(10, 0, 1, way ^ 1).into()),
            _ => play.query(way, message),
        }
        play.settle();
        play.now = play.now + Duration::from_millis(u64::from(way));
    }
    play.finish();
}

/// Any answers of upstreams. Each is tried as it is, and as the sections of an answer that fits the question; then the
/// same question is asked again, so that what was cached is read.
pub fn dns_answer(data: &[u8]) {
    let mut play = Play::new();
    for (way, octets) in Script::read(data) {
        let name = ["www.example.com", "a.example.net", "out.event.example"][usize::from(way) % 3];
        let qtype = [client::TYPE_A, client::TYPE_AAAA, client::TYPE_HTTPS, 16, 5, 255][usize::from(way >> 2) % 6];
        let query = client::query(u16::from(way), name, qtype, way & 2 != 0);
        play.query(way, &query);
        for round in 0..4 {
            play.settle();
            for (ask, upstream, asked) in std::mem::take(&mut play.asks) {
                play.engine.on_answer(play.now, ask, upstream, octets);
                if round < 3 {
                    play.engine.on_answer(play.now, ask, upstream, &fitting(&asked, octets));
                } else {
                    play.engine.on_ask_failed(play.now, ask);
                }
            }
        }
        play.settle();
        play.now = play.now + Duration::from_secs(u64::from(way >> 5));
        play.query(way, &query);
        play.engine.on_deadline(play.now);
        play.settle();
    }
    play.finish();
}

struct Play {
    engine: Engine,
    now: Timestamp,
    /// Queries not answered yet, by token.
    unanswered: BTreeMap<u64, Vec<u8>>,
    tokens: u64,
    /// What upstreams were asked and have not been told of.
    asks: Vec<(AskId, SocketAddr, Vec<u8>)>,
}

impl Play {
    fn new() -> Self {
        Self { engine: engine(), now: START, unanswered: BTreeMap::new(), tokens: 0, asks: Vec::new() }
    }

    /// A query, if it is one: responses and less than a header are dropped.
    fn query(&mut self, way: u8, message: &[u8]) {
        self.tokens += 1;
        if message.len() >= HEADER_LEN && message[2] & 0x80 == 0 {
            self.unanswered.insert(self.tokens, message.to_vec());
        }
        let client = ClientRef { token: self.tokens, ..from(way) };
        self.engine.on_query(self.now, client, message);
    }

    /// Takes the effects and looks at the replies.
    fn settle(&mut self) {
        while let Some(effect) = self.engine.next_effect() {
            match effect {
                Effect::Respond { client, bytes } => {
                    let asked = self.unanswered.remove(&client.token).expect("no query, or answered twice");
                    check_reply(client.transport, &asked, &bytes);
                }
                Effect::Ask { ask, upstream, bytes, .. } => self.asks.push((ask, upstream, bytes)),
                // What is checked is as hostile as what was sent: any verdict may come of it.
                Effect::Validate { validation, bytes } => {
                    let verdict = match bytes.iter().fold(0, |sum: u8, octet| sum.wrapping_add(*octet)) % 3 {
                        0 => Validity::Secure,
                        1 => Validity::Insecure,
                        _ => Validity::Bogus(6),
                    };
                    self.engine.on_validated(self.now, validation, verdict);
                }
                Effect::Forget { .. } => {}
            }
        }
        let (_, bytes) = self.engine.cache_use();
        assert!(bytes <= CACHE_BYTES_MAX, "the cache holds {bytes} octets");
    }

    /// Upstreams fail from now on: whoever still waits is told so.
    fn finish(mut self) {
        self.settle();
        self.now = self.now + Duration::from_secs(30);
        while self.engine.deadline().is_some_and(|at| at <= self.now) {
            self.engine.on_deadline(self.now);
            self.settle();
            for (ask, ..) in std::mem::take(&mut self.asks) {
                self.engine.on_ask_failed(self.now, ask);
            }
        }
        self.settle();
        assert_eq!(self.engine.pending(), 0, "every question ends");
        assert!(self.unanswered.is_empty(), "every query is answered");
    }
}

/// A reply has the query's id and question, records that can be read to its last octet, and a length that the client
/// can take.
fn check_reply(transport: Transport, asked: &[u8], reply: &[u8]) {
    assert!(reply.len() >= HEADER_LEN && reply[2] & 0x80 != 0, "a reply is a reply");
    assert_eq!(reply[..2], asked[..2], "the id that asked");
    let walked = Walk::over(reply).expect("our own replies can be read");
    assert_eq!(walked.end, reply.len(), "nothing follows the records");
    if walked.question_end > HEADER_LEN {
        assert_eq!(reply[HEADER_LEN..walked.question_end], asked[HEADER_LEN..walked.question_end], "the question");
    }
    if transport == Transport::Udp {
        let size = Walk::over(asked).map(|query| query.size.unwrap_or(512).clamp(512, UDP_REPLY_MAX));
        assert!(reply.len() <= size.unwrap_or(UDP_REPLY_MAX), "more than the client can take");
    }
}

/// A message, read in the plainest way, as a check of the engine's own.
struct Walk {
    question_end: usize,
    end: usize,
    /// What the sender can take over UDP (RFC 6891 section 6.2.3).
    size: Option<usize>,
}

impl Walk {
    fn over(message: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(usize::from(u16::from_be_bytes(message.get(at..at + 2)?.try_into().ok()?)));
        let mut at = HEADER_LEN;
        for _ in 0..number(4)? {
            at = name_end(message, at)? + 4;
        }
        let question_end = at;
        let mut size = None;
        for _ in 0..number(6)? + number(8)? + number(10)? {
            at = name_end(message, at)?;
            let rtype = number(at)?;
            if rtype == 41 {
                size = Some(number(at + 2)?);
            }
            let data = at + 10;
            at = data + number(at + 8)?;
            message.get(data..at)?;
            // NS, CNAME, PTR, DNAME, and SOA with its second name: those that point into the message.
            match rtype {
                2 | 5 | 12 | 39 => (name_end(message, data)? == at).then_some(())?,
                6 => (name_end(message, name_end(message, data)?)? + 20 == at).then_some(())?,
                _ => {}
            }
        }
        (at <= message.len()).then_some(Self { question_end, end: at, size })
    }
}

/// Where the name at `at` ends; `None` unless it is one, pointers backwards and 255 octets in all included.
fn name_end(message: &[u8], mut at: usize) -> Option<usize> {
    let (mut end, mut octets) = (None, 0);
    loop {
        let length = usize::from(*message.get(at)?);
        if length >= 0xc0 {
            let target = (length & 0x3f) << 8 | usize::from(*message.get(at + 1)?);
            end = end.or(Some(at + 2));
            (HEADER_LEN..at).contains(&target).then_some(())?;
            at = target;
            continue;
        }
        octets += 1 + length;
        at += 1 + length;
        if length > 63 || octets > 255 {
            return None;
        }
        if length == 0 {
            return end.or(Some(at));
        }
    }
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

/// Names differ for the cache if and only if they differ beyond the case of ASCII letters.
pub fn dns_name(data: &[u8]) {
    let (first, second) = data.split_at(data.len() / 2);
    let flipped: Vec<u8> =
        second.iter().map(|octet| if octet.is_ascii_alphabetic() { octet ^ 0x20 } else { *octet }).collect();
    let (Some(one), Some(two), Some(three)) = (question(1, first), question(2, second), question(3, &flipped)) else {
        return;
    };
    let mut play = Play::new();
    // A question that is in flight is joined and not asked again, which tells what the engine takes as the same.
    let mut asked = |query: &[u8]| {
        let joined = play.engine.counters().joined;
        play.query(1, query);
        play.settle();
        let is_asked = !play.asks.is_empty();
        play.asks.clear();
        (is_asked, play.engine.counters().joined > joined)
    };
    let (is_asked, _) = asked(&one);
    let (is_asked_again, is_joined) = asked(&two);
    let is_same = first.eq_ignore_ascii_case(second);
    assert!(!(is_same && is_asked && is_asked_again), "one name, asked twice");
    assert!(is_same || !is_joined, "two names, taken as one");
    assert!(!asked(&three).0, "the case of letters makes no other name");
    play.finish();
}

/// A stream gives the same messages however it is cut into pieces, holds no more than one message and a piece, gives back what
/// it was made of, and each message is answered as if it had come alone.
pub fn dns_stream(data: &[u8]) {
    let Some((&size, octets)) = data.split_first() else { return };
    let piece = usize::from(size).max(1);
    let messages = messages(octets, piece);
    assert_eq!(messages, self::messages(octets, octets.len().max(1)), "the pieces make no difference");
    let mut again = Vec::new();
    for message in &messages {
        assert!(dns::append_message(&mut again, message), "what was read can be written");
    }
    assert!(octets.starts_with(&again), "nothing is lost between messages");
    let rest = &octets[again.len()..];
    let is_whole = |rest: &[u8]| matches!(*rest, [high, low, ..] if rest.len() - 2 >= usize::from(u16::from_be_bytes([high, low])));
    assert!(!is_whole(rest), "a whole message was left");
    let mut play = Play::new();
    for message in messages.iter().take(48) {
        play.query(1, message);
        play.settle();
    }
    play.finish();
}

fn messages(octets: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let (mut stream, mut messages) = (MessageStream::new(), Vec::new());
    for octets in octets.chunks(piece) {
        stream.push(octets);
        while let Some(message) = stream.next_message() {
            messages.push(message.to_vec());
        }
        assert!(!stream.has_message() && stream.len() < 2 + 65_535, "held: {}", stream.len());
    }
    messages
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
        cache_bytes_max: CACHE_BYTES_MAX,
        pending_max: 64,
        waiters_max: 8,
        own_addresses: Vec::new(),
        client_names_zone: Some("clients.event.example".into()),
        client_names_ttl: 60,
        patience_factor: 1,
        validate: true,
        negative_trust_anchors: vec!["a.example.net".into()],
        allow: vec!["0.0.0.0/0".parse().expect("a network")],
        rates: Rates::default(),
        nat64: vec![Nat64 {
            clients: "198.51.100.0/29".parse().expect("a network"),
            prefix: "64:ff9b::/96".parse().expect("a network"),
        }],
        ..Settings::default()
    };
    Engine::new(settings, 7).expect("the settings are fixed")
}
