//! The engine as its clients and upstreams see it. Messages are read back with `domain`, not with our own parser.

mod abuse;
mod caching;
mod correctness;
mod explain;
mod follow;
mod headers;
mod hostile;
mod local_names;
mod memory;
mod simulation;
mod stale;
mod team_data;
mod upstream_choice;
mod upstreams;
mod validation;
mod worker;

use std::{
    fmt::Write,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use domain::{
    base::{Message, opt::ExtendedError},
    rdata::AllRecordData,
};
use model::Timestamp;

use crate::{
    AskId, ClientIdentity, ClientRef, Effect, Engine, Record, RecordData, Settings, Transport, ValidationId, Zone,
    authority, client,
};

pub(crate) const START: Timestamp = Timestamp::from_secs(1_568_595_600);
/// A client that is told from others by its address alone.
pub(crate) const NOBODY: ClientIdentity = ClientIdentity { mac: None, duid: None };

pub(crate) fn upstream(host: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, host], 53))
}

pub(crate) fn udp(port: u16) -> ClientRef {
    ClientRef { address: SocketAddr::from(([198, 51, 100, 7], port)), transport: Transport::Udp, token: 1 }
}

pub(crate) fn tcp(port: u16) -> ClientRef {
    ClientRef { transport: Transport::Tcp, ..udp(port) }
}

pub(crate) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(crate) fn settings() -> Settings {
    let record = |name: &str, data| Record { name: name.into(), data };
    Settings {
        zones: vec![
            Zone {
                origin: "event.example".into(),
                primary: "ns.event.example".into(),
                records: vec![
                    record("ns.event.example", RecordData::A(Ipv4Addr::new(10, 0, 0, 2))),
                    record("ns.event.example", RecordData::Aaaa("2001:db8::2".parse().unwrap())),
                    record("sw-4f-1.event.example", RecordData::A(Ipv4Addr::new(10, 0, 0, 41))),
                    record("www.event.example", RecordData::Cname("ns.event.example".into())),
                    record("loop-a.event.example", RecordData::Cname("loop-b.event.example".into())),
                    record("loop-b.event.example", RecordData::Cname("loop-a.event.example".into())),
                    record("out.event.example", RecordData::Cname("www.example.com".into())),
                    record("note.event.example", RecordData::Txt("x".repeat(300))),
                    record("deep.er.event.example", RecordData::A(Ipv4Addr::new(10, 0, 0, 9))),
                ],
                ttl: 300,
            },
            Zone {
                origin: "0.10.in-addr.arpa".into(),
                primary: "ns.event.example".into(),
                records: vec![record("2.0.0.10.in-addr.arpa", RecordData::Ptr("ns.event.example".into()))],
                ttl: 300,
            },
        ],
        upstreams: vec![upstream(1), upstream(2)],
        cache_bytes_max: 1 << 20,
        pending_max: 64,
        waiters_max: 8,
        own_addresses: vec!["10.0.0.2:53".parse().unwrap()],
        client_names_zone: Some("clients.event.example".into()),
        client_names_ttl: 60,
        patience_factor: 1,
        ..Settings::default()
    }
}

/// What an engine asked of an upstream.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) ask: AskId,
    pub(crate) upstream: SocketAddr,
    pub(crate) transport: Transport,
    pub(crate) bytes: Vec<u8>,
}

/// An engine with a clock, its effects sorted into what went where.
pub(crate) struct Rig {
    pub(crate) engine: Engine,
    pub(crate) now: Timestamp,
    pub(crate) replies: Vec<(ClientRef, Vec<u8>)>,
    pub(crate) asked: Vec<Asked>,
    pub(crate) forgotten: Vec<AskId>,
    pub(crate) validations: Vec<(ValidationId, Vec<u8>)>,
}

impl Rig {
    pub(crate) fn new(settings: Settings) -> Self {
        let engine = Engine::new(settings, 7).unwrap();
        Self {
            engine,
            now: START,
            replies: Vec::new(),
            asked: Vec::new(),
            forgotten: Vec::new(),
            validations: Vec::new(),
        }
    }

    pub(crate) fn collect(&mut self) {
        while let Some(effect) = self.engine.next_effect() {
            match effect {
                Effect::Respond { client, bytes } => self.replies.push((client, bytes)),
                Effect::Ask { ask, upstream, transport, bytes } => {
                    self.asked.push(Asked { ask, upstream, transport, bytes });
                }
                Effect::Validate { validation, bytes } => self.validations.push((validation, bytes)),
                Effect::Forget { ask } => self.forgotten.push(ask),
            }
        }
    }

    pub(crate) fn query(&mut self, client: ClientRef, bytes: &[u8]) {
        self.engine.on_query(self.now, client, bytes);
        self.collect();
    }

    pub(crate) fn answer(&mut self, asked: &Asked, bytes: &[u8]) {
        self.engine.on_answer(self.now, asked.ask, asked.upstream, bytes);
        self.collect();
    }

    pub(crate) fn wait(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(deadline) = self.engine.deadline().filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            self.engine.on_deadline(self.now);
            self.collect();
        }
        self.now = until;
    }

    pub(crate) fn take_ask(&mut self) -> Asked {
        assert_eq!(self.asked.len(), 1, "{:?}", self.asked);
        self.asked.remove(0)
    }

    pub(crate) fn take_reply(&mut self) -> Vec<u8> {
        assert_eq!(self.replies.len(), 1, "one reply");
        self.replies.remove(0).1
    }

    /// Sends a query over UDP, lets the make-believe internet answer what is asked, and shows the reply.
    pub(crate) fn resolve(&mut self, query: &[u8]) -> String {
        self.query(udp(5_000), query);
        while let Some(asked) = self.asked.pop() {
            let answer = authority::answer(&asked.bytes).unwrap();
            self.answer(&asked, &answer);
        }
        show(&self.take_reply())
    }
}

/// `name` in the case given, RD set, no EDNS.
pub(crate) fn plain(name: &str, qtype: u16) -> Vec<u8> {
    client::query(0x1234, name, qtype, false)
}

/// One line for a message: code, flags, question, sections, OPT. Every record is parsed by `domain`.
pub(crate) fn show(bytes: &[u8]) -> String {
    let message = Message::from_octets(bytes).unwrap();
    let header = message.header();
    let mut text = format!("{}", message.opt_rcode());
    for (set, flag) in [
        (header.aa(), "aa"),
        (header.tc(), "tc"),
        (header.rd(), "rd"),
        (header.ra(), "ra"),
        (header.ad(), "ad"),
        (header.cd(), "cd"),
    ] {
        if set {
            write!(text, " {flag}").unwrap();
        }
    }
    for question in message.question() {
        let question = question.unwrap();
        write!(text, "; {} {}", question.qname(), question.qtype()).unwrap();
    }
    for (mark, section) in [("=", message.answer().unwrap()), ("~", message.authority().unwrap())] {
        for record in section {
            let record = record.unwrap().into_record::<AllRecordData<_, _>>().unwrap().unwrap();
            let data = record.data().to_string();
            let data = data.trim_end_matches('.');
            write!(text, "; {mark} {} {} {data}", record.owner(), record.ttl().as_secs()).unwrap();
        }
    }
    if let Some(opt) = message.opt() {
        let flags = if opt.dnssec_ok() { " do" } else { "" };
        write!(text, "; opt {} v{}{flags}", opt.udp_payload_size(), opt.version()).unwrap();
        for error in opt.opt().iter::<ExtendedError<_>>() {
            write!(text, " ede {}", error.unwrap().code().to_int()).unwrap();
        }
    }
    assert!(message.additional().unwrap().count() <= 1, "nothing but OPT in the additional section");
    text
}
