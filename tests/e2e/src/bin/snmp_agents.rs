//! SNMP version 2c agents with sixty ports each, for tests: well-behaved ones for load, and ones without manners.
//!
//! `snmp_agents HOW FIRST COUNT` answers at port 161 of COUNT addresses from FIRST on. HOW is `good`, `late` (two
//! seconds), `wrong-id`, `endless`, `looping`, `wrong-type`, `junk` or `mute`. Prints `ready` when it listens.

use std::{
    collections::BTreeMap,
    error::Error,
    io::Write,
    net::{Ipv4Addr, UdpSocket},
    ops::Bound,
    sync::Arc,
    thread,
    time::Duration,
};

const PORTS: u32 = 60;
const LATE: Duration = Duration::from_secs(2);
/// Tags of RFC 3416 section 3.
const INTEGER: u8 = 2;
const OCTETS: u8 = 4;
const OID: u8 = 6;
const COUNTER32: u8 = 0x41;
const GAUGE: u8 = 0x42;
const TICKS: u8 = 0x43;
const COUNTER64: u8 = 0x46;
const END_OF_MIB: &[u8] = &[0x82, 0];
const NO_SUCH: &[u8] = &[0x81, 0];

type Values = BTreeMap<Vec<u32>, Vec<u8>>;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [how, first, count] = &arguments[..] else { return Err("usage: snmp_agents HOW FIRST COUNT".into()) };
    let (first, count): (Ipv4Addr, u32) = (first.parse()?, count.parse()?);
    let values = Arc::new(values());
    let mut agents = Vec::new();
    for number in 0..count {
        let socket = UdpSocket::bind((Ipv4Addr::from(u32::from(first) + number), 161))?;
        let (values, how) = (Arc::clone(&values), how.clone());
        agents.push(thread::Builder::new().stack_size(128 << 10).spawn(move || serve(&socket, &values, &how))?);
    }
    writeln!(std::io::stdout(), "ready")?;
    agents.into_iter().for_each(|agent| drop(agent.join()));
    Ok(())
}

fn values() -> Values {
    let mut values = Values::new();
    let mut add = |oid: &[u32], index: u32, kind: u8, content: &[u8]| {
        values.insert([oid, &[index]].concat(), tlv(kind, content));
    };
    add(&[1, 3, 6, 1, 2, 1, 1, 3], 0, TICKS, &[1, 0, 0]);
    for port in 1..=PORTS {
        let name = format!("Gi1/0/{port}");
        add(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 8], port, INTEGER, &[1]);
        add(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 14], port, COUNTER32, &[0]);
        add(&[1, 3, 6, 1, 2, 1, 10, 7, 2, 1, 19], port, INTEGER, &[3]);
        add(&[1, 3, 6, 1, 2, 1, 17, 1, 4, 1, 2], port, INTEGER, &[port as u8]);
        add(&[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1], port, OCTETS, name.as_bytes());
        add(&[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6], port, COUNTER64, &[1, 2, 3, 4, 5, 6]);
        add(&[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 10], port, COUNTER64, &[6, 5, 4, 3, 2, 1]);
        add(&[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 15], port, GAUGE, &[3, 0xe8]);
        add(&[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 19], port, TICKS, &[0]);
        add(&[1, 0, 8802, 1, 1, 2, 1, 3, 7, 1, 2], port, INTEGER, &[5]);
        add(&[1, 0, 8802, 1, 1, 2, 1, 3, 7, 1, 3], port, OCTETS, name.as_bytes());
        add(&[1, 3, 6, 1, 2, 1, 17, 7, 1, 4, 5, 1, 1], port, GAUGE, &[10]);
    }
    values
}

fn serve(socket: &UdpSocket, values: &Values, how: &str) {
    let mut buffer = [0; 2_048];
    while let Ok((length, client)) = socket.recv_from(&mut buffer) {
        let answer = match how {
            "mute" => None,
            "junk" => Some(buffer[..length].iter().rev().copied().collect()),
            _ => buffer.get(..length).and_then(|octets| answer(octets, values, how)),
        };
        if how == "late" {
            thread::park_timeout(LATE);
        }
        if let Some(answer) = answer {
            // Whoever asked may be gone.
            let _ = socket.send_to(&answer, client);
        }
    }
}

/// A tag, its content, and what follows.
fn take(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = octets.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => (usize::from(u16::from_be_bytes(rest.get(..2)?.try_into().ok()?)), rest.get(2..)?),
        _ => return None,
    };
    Some((tag, rest.get(..length)?, rest.get(length..)?))
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut octets = match length {
        0..=0x7f => vec![tag, length as u8],
        0x80..=0xff => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    octets.extend_from_slice(content);
    octets
}

fn answer(request: &[u8], values: &Values, how: &str) -> Option<Vec<u8>> {
    let (_, message, _) = take(request)?;
    let (_, version, rest) = take(message)?;
    let (_, community, rest) = take(rest)?;
    let (kind, pdu, _) = take(rest)?;
    let (_, id, rest) = take(pdu)?;
    let (_, fixed, rest) = take(rest)?;
    let (_, repetitions, rest) = take(rest)?;
    let (_, mut bindings, _) = take(rest)?;
    let number = |octets: &[u8]| octets.iter().fold(0_usize, |number, octet| number << 8 | usize::from(*octet));
    let (fixed, repetitions) = if kind == 0xa5 { (number(fixed), number(repetitions)) } else { (usize::MAX, 1) };
    let mut answers = Vec::new();
    let mut position = 0;
    while let Some((_, binding, rest)) = take(bindings) {
        let (_, name, _) = take(binding)?;
        let mut at = arcs(name);
        for _ in 0..if position < fixed { 1 } else { repetitions.min(64) } {
            let (next, value) = match (kind, how) {
                (0xa0, _) => (at.clone(), values.get(&at).map_or(NO_SUCH, |value| value).to_vec()),
                (_, "endless") => (beyond(&at), tlv(OCTETS, b"more")),
                (_, "looping") => ([&at[..at.len().min(11)], &[1]].concat(), tlv(OCTETS, b"again")),
                _ => {
                    let next = values.range((Bound::Excluded(at.clone()), Bound::Unbounded)).next();
                    next.map_or((at.clone(), END_OF_MIB.to_vec()), |(next, value)| (next.clone(), value.clone()))
                }
            };
            let is_end = value == END_OF_MIB;
            let value = if how == "wrong-type" && !is_end { tlv(OID, &[0x2b, 6]) } else { value };
            answers.extend(tlv(0x30, &[tlv(OID, &name_of(&next)), value].concat()));
            at = next;
            if is_end {
                break;
            }
        }
        (position, bindings) = (position + 1, rest);
    }
    let mut id = id.to_vec();
    if how == "wrong-id" {
        id.iter_mut().for_each(|octet| *octet ^= 1);
    }
    let error = tlv(INTEGER, &[0]);
    let pdu = [tlv(INTEGER, &id), error.clone(), error, tlv(0x30, &answers)].concat();
    let message = [tlv(INTEGER, version), tlv(OCTETS, community), tlv(0xa2, &pdu)].concat();
    Some(tlv(0x30, &message))
}

/// The next row of a table that never ends.
fn beyond(at: &[u32]) -> Vec<u32> {
    match at {
        [column @ .., last] if at.len() > 11 => [column, &[last.wrapping_add(1).max(1)]].concat(),
        _ => [at, &[1; 2][..]].concat(),
    }
}

fn arcs(name: &[u8]) -> Vec<u32> {
    let mut arcs = Vec::new();
    let mut arc = 0_u32;
    for octet in name {
        arc = arc << 7 | u32::from(octet & 0x7f);
        if octet & 0x80 == 0 {
            if arcs.is_empty() {
                arcs.push((arc / 40).min(2));
                arc -= (arc / 40).min(2) * 40;
            }
            arcs.push(arc);
            arc = 0;
        }
    }
    arcs
}

fn name_of(arcs: &[u32]) -> Vec<u8> {
    let [first, second, rest @ ..] = arcs else { return Vec::new() };
    let mut octets = Vec::new();
    for arc in std::iter::once(&(first * 40 + second)).chain(rest) {
        let groups = (1..5).rev().map(|group| arc >> (7 * group)).filter(|high| *high > 0);
        octets.extend(groups.map(|high| (high & 0x7f) as u8 | 0x80));
        octets.push((arc & 0x7f) as u8);
    }
    octets
}
