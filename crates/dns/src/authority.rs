//! A make-believe internet for tests and rehearsals: an upstream that knows an answer to every name.

use std::net::Ipv6Addr;

use crate::{
    Transport,
    name::parent,
    query::{Parsed, parse},
    reply::{Freshness, refuse, reply},
    wire::{rcode, rtype},
    writer::{Section, TooLong, Writer},
    zone::soa_rdata,
};

/// MINIMUM of its zones, so the lifetime of its negative answers, in seconds.
const NEGATIVE_TTL: u32 = 300;

/// The answer to a client's or forwarder's query over UDP; `None` for what a server must not answer.
///
/// The same name always has the same answer. A: one address of 203.0.113.0/24 or 198.51.100.0/24; AAAA: one of
/// 2001:db8::/32; TTL from 30 to 3600. A first label that starts with `nx` does not exist; every other type,
/// HTTPS included, has no data. Negative answers carry the SOA of the parent name (RFC 2308).
pub fn answer(query: &[u8]) -> Option<Vec<u8>> {
    match parse(query) {
        Parsed::Malformed | Parsed::NotQuery => None,
        Parsed::Reject(head, rcode) => Some(refuse(&head, Transport::Tcp, rcode, None)),
        Parsed::Query(query) => {
            let mut folded = query.name.to_vec();
            folded.make_ascii_lowercase();
            let answer = write(&folded, query.qtype, query.head.question).ok()?;
            Some(reply(&query.head, Transport::Udp, &answer, Freshness::Fresh { age_s: 0 }).bytes)
        }
    }
}

fn write(name: &[u8], qtype: u16, question: &[u8]) -> Result<crate::writer::Answer, TooLong> {
    let hash = hash(name);
    let ttl = 30 + (hash >> 32) as u32 % 3_571;
    let mut writer = Writer::new(question);
    let exists = !name.get(1..).is_some_and(|label| label.starts_with(b"nx"));
    match (exists, qtype) {
        (true, rtype::A) => {
            let network = if hash & 0x100 == 0 { [203, 0, 113] } else { [198, 51, 100] };
            let host = 1 + (hash % 254) as u8;
            writer.record(Section::Answer, name, qtype, ttl, &[network[0], network[1], network[2], host])?;
        }
        (true, rtype::AAAA) => {
            let address = Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(hash));
            writer.record(Section::Answer, name, qtype, ttl, &address.octets())?;
        }
        _ => {
            let zone = parent(name).unwrap_or(b"\0");
            let soa = soa_rdata(zone, zone, NEGATIVE_TTL);
            writer.record(Section::Authority, zone, rtype::SOA, NEGATIVE_TTL, &soa)?;
        }
    }
    Ok(writer.finish(if exists { rcode::NOERROR } else { rcode::NXDOMAIN }))
}

/// FNV-1a with a final mix: the same on every machine and version, unlike a hasher of the standard library.
fn hash(name: &[u8]) -> u64 {
    let hash = name
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, octet| (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3));
    (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}
