//! Names that no upstream should ever be asked for (RFC 6761, 6303, 7686, 8375, 8880, 9462, 9476, 9665).
//!
//! The event's own zones are looked up first, so a plan may serve `10.in-addr.arpa` or `home.arpa` itself.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, Ipv6Addr},
};

use foldhash::quality::FixedState;

use crate::{
    name::{from_text, suffixes},
    wire::{AA, rcode, rtype},
    writer::{Answer, Section, TooLong, Writer},
    zone::soa_rdata,
};

/// TTL of everything here: it never changes (RFC 6303 section 3 suggests 10,800).
const TTL: u32 = 10_800;

/// TTL of what clients are told to ask instead: they find out soon when it is no more.
const DESIGNATED_TTL: u32 = 300;
/// `_dns.resolver.arpa` (RFC 9462 section 4).
const DESIGNATED: &[u8] = b"\x04_dns\x08resolver\x04arpa\x00";

/// Zones that exist and are empty.
const EMPTY: [&str; 8] = ["invalid", "test", "onion", "alt", "local", "home.arpa", "service.arpa", "resolver.arpa"];

/// Empty reverse zones of RFC 6303 sections 4.2 to 4.6, of few enough members to list.
const EMPTY_REVERSE: [&str; 15] = [
    "0.in-addr.arpa",
    "10.in-addr.arpa",
    "127.in-addr.arpa",
    "254.169.in-addr.arpa",
    "168.192.in-addr.arpa",
    "2.0.192.in-addr.arpa",
    "100.51.198.in-addr.arpa",
    "113.0.203.in-addr.arpa",
    "255.255.255.255.in-addr.arpa",
    "d.f.ip6.arpa",
    "8.e.f.ip6.arpa",
    "9.e.f.ip6.arpa",
    "a.e.f.ip6.arpa",
    "b.e.f.ip6.arpa",
    "8.b.d.0.1.0.0.2.ip6.arpa",
];

/// What is special about a zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Empty,
    /// `localhost` and below: loopback addresses (RFC 6761 section 6.3).
    Localhost,
    /// The reverse name of a loopback address.
    LocalhostReverse,
    /// `ipv4only.arpa`: two well-known addresses (RFC 8880 section 7.1).
    Ipv4Only,
}

/// See the module.
pub(crate) struct SpecialNames {
    zones: HashMap<Box<[u8]>, Kind, FixedState>,
    /// SVCB records of `_dns.resolver.arpa`.
    designated: Vec<Box<[u8]>>,
}

impl SpecialNames {
    /// `designated`: what clients are told to ask instead, in RDATA of type SVCB (RFC 9462 section 4).
    pub(crate) fn new(hash_seed: u64, designated: Vec<Box<[u8]>>) -> Self {
        let mut zones = HashMap::with_hasher(FixedState::with_seed(hash_seed));
        let mut add =
            |name: &str, kind| zones.insert(from_text(name).expect("names in this file are well-formed"), kind);
        for name in EMPTY.into_iter().chain(EMPTY_REVERSE) {
            add(name, Kind::Empty);
        }
        for octet in 16..=31 {
            add(&format!("{octet}.172.in-addr.arpa"), Kind::Empty);
        }
        // RFC 7793: the shared address space of RFC 6598.
        for octet in 64..=127 {
            add(&format!("{octet}.100.in-addr.arpa"), Kind::Empty);
        }
        let zeros = "0.".repeat(31);
        add(&format!("0.{zeros}ip6.arpa"), Kind::Empty);
        add(&format!("1.{zeros}ip6.arpa"), Kind::LocalhostReverse);
        add("1.0.0.127.in-addr.arpa", Kind::LocalhostReverse);
        add("localhost", Kind::Localhost);
        add("ipv4only.arpa", Kind::Ipv4Only);
        Self { zones, designated }
    }

    /// The answer to a special name, `None` for ordinary ones. `name` is folded.
    pub(crate) fn answer(&self, name: &[u8], qtype: u16, question: &[u8]) -> Option<Answer> {
        let (apex, kind) = suffixes(name).find_map(|suffix| Some((suffix, *self.zones.get(suffix)?)))?;
        let designated: &[Box<[u8]>] = if name == DESIGNATED { &self.designated } else { &[] };
        write(apex, kind, name, qtype, question, designated).ok()
    }
}

fn write(
    apex: &[u8],
    kind: Kind,
    name: &[u8],
    qtype: u16,
    question: &[u8],
    designated: &[Box<[u8]>],
) -> Result<Answer, TooLong> {
    let mut writer = Writer::new(question);
    let is_apex = name == apex;
    // RFC 9462 section 6.1: without a designated resolver of ours there is no data at `_dns.resolver.arpa`.
    let exists = is_apex || kind == Kind::Localhost || name == DESIGNATED;
    let data: Vec<Vec<u8>> = match (kind, qtype) {
        (_, rtype::SOA) if is_apex => vec![soa(apex)],
        (_, rtype::NS) if is_apex => vec![apex.to_vec()],
        (Kind::Localhost, rtype::A) => vec![Ipv4Addr::LOCALHOST.octets().to_vec()],
        (Kind::Localhost, rtype::AAAA) => vec![Ipv6Addr::LOCALHOST.octets().to_vec()],
        (Kind::LocalhostReverse, rtype::PTR) if is_apex => vec![b"\x09localhost\x00".to_vec()],
        (Kind::Ipv4Only, rtype::A) if is_apex => vec![vec![192, 0, 0, 170], vec![192, 0, 0, 171]],
        _ => Vec::new(),
    };
    for rdata in &data {
        writer.record(Section::Answer, name, qtype, TTL, rdata)?;
    }
    if qtype == rtype::SVCB && !designated.is_empty() {
        for rdata in designated {
            writer.record(Section::Answer, name, qtype, DESIGNATED_TTL, rdata)?;
        }
        return Ok(writer.finish(AA));
    }
    if data.is_empty() {
        writer.record(Section::Authority, apex, rtype::SOA, TTL, &soa(apex))?;
    }
    Ok(writer.finish(AA | if exists { rcode::NOERROR } else { rcode::NXDOMAIN }))
}

/// RFC 6303 section 3: the zone is its own primary.
fn soa(apex: &[u8]) -> Vec<u8> {
    soa_rdata(apex, b"\x07invalid\x00", TTL).into()
}
