//! ISC dhcpd's `dhcpd.leases`: blocks; every change appends one, the last one of an address counts.

use std::net::Ipv4Addr;

use jiff::civil;
use model::{HostName, Lease, LeaseState, Mac, SubnetId, Timestamp};

use super::{Collector, IDENTIFIER_MAX, ImportedLeases, key};
use crate::import::{
    statements::{Reader, Statement, Token},
    value::hex_word,
};

/// Leases of ISC dhcpd. `subnet_of` says which subnet of the plan an address is in ([`crate::Plan::vlan_of`]). Never
/// fails: what is no lease becomes a note.
pub fn leases_from_dhcpd(bytes: &[u8], subnet_of: &dyn Fn(Ipv4Addr) -> Option<SubnetId>) -> ImportedLeases {
    let mut all = Collector::new(subnet_of);
    let mut reader = Reader::new(bytes);
    while let Some(statement) = reader.next() {
        match statement {
            Ok(statement) => match (statement.word(0), &statement.block) {
                (Some("lease"), Some(block)) => lease(&mut all, &statement, block),
                (Some("authoring-byte-order" | "server-duid"), None) => {}
                _ => all.notes.add(statement.line, format!("`{}` is not taken over", statement.shown())),
            },
            // A server that was stopped hard leaves half a record at the end.
            Err(error) => {
                all.skip(error.line, format!("{}; nothing after it was read", error.says));
                break;
            }
        }
    }
    all.finish()
}

/// What the lines of a block say.
#[derive(Default)]
struct Record {
    starts: Option<Timestamp>,
    ends: Option<Timestamp>,
    state: Option<LeaseState>,
    mac: Option<Mac>,
    identifier: Vec<u8>,
    name: Option<HostName>,
    circuit_id: Vec<u8>,
    remote_id: Vec<u8>,
}

fn lease(all: &mut Collector<'_>, statement: &Statement, block: &[Statement]) {
    let line = statement.line;
    let Some(address) = statement.word(1).and_then(|word| word.parse::<Ipv4Addr>().ok()) else {
        return all.skip(line, format!("`{}` has no address", statement.shown()));
    };
    let Some(subnet) = all.subnet(line, address) else { return };
    let mut record = Record::default();
    for inner in block {
        if !field(&mut record, inner) {
            all.notes.add(inner.line, format!("{address}: `{}` is not understood", inner.shown()));
        }
    }
    let (Some(starts), Some(ends)) = (record.starts, record.ends) else {
        return all.skip(line, format!("{address}: no start or no end"));
    };
    if record.mac.is_none() && record.identifier.is_empty() && record.state != Some(LeaseState::Declined) {
        // An address that was never leased, or of a failover partner.
        return all.forget(address);
    }
    all.add(
        line,
        Lease {
            subnet,
            address,
            client: key(&record.identifier, record.mac, address),
            mac: record.mac,
            state: record.state.unwrap_or(LeaseState::Bound),
            starts,
            expires: ends,
            host_name: record.name,
            circuit_id: record.circuit_id.into(),
            remote_id: record.remote_id.into(),
        },
    );
}

/// Takes a line of a block over; false when it is not understood.
fn field(record: &mut Record, statement: &Statement) -> bool {
    let words = &statement.words;
    match statement.word(0).unwrap_or_default() {
        "starts" => moment(words).map(|moment| record.starts = Some(moment)).is_some(),
        "ends" => moment(words).map(|moment| record.ends = Some(moment)).is_some(),
        "binding" => match statement.word(2) {
            Some("active" | "bootp") => {
                record.state = Some(LeaseState::Bound);
                true
            }
            Some("free" | "backup" | "expired" | "released" | "reset") => {
                record.state = Some(LeaseState::Released);
                true
            }
            Some("abandoned") => {
                record.state = Some(LeaseState::Declined);
                true
            }
            _ => false,
        },
        "abandoned" => {
            record.state = Some(LeaseState::Declined);
            true
        }
        "hardware" if statement.word(1) == Some("ethernet") => {
            let octets = statement.word(2).and_then(hex_word).and_then(|octets| <[u8; 6]>::try_from(octets).ok());
            record.mac = octets.map(Mac);
            record.mac.is_some()
        }
        "uid" => octets(words.get(1)).map(|octets| record.identifier = octets).is_some(),
        "client-hostname" => match words.get(1) {
            Some(Token::Text(name)) => {
                record.name = HostName::sanitise(name);
                true
            }
            _ => false,
        },
        "option" => match statement.word(1) {
            Some("agent.circuit-id") => octets(words.get(2)).map(|octets| record.circuit_id = octets).is_some(),
            Some("agent.remote-id") => octets(words.get(2)).map(|octets| record.remote_id = octets).is_some(),
            _ => false,
        },
        // What the next states would be, when the client was last heard, what scripts noted: nothing that a lease has.
        "next" | "rewind" | "cltt" | "tstp" | "tsfp" | "atsfp" | "set" | "on" | "dynamic-bootp" | "reserved" => true,
        _ => false,
    }
}

/// Text in quotes, or octets with colons; 1 to 255 of them.
fn octets(word: Option<&Token>) -> Option<Vec<u8>> {
    let octets = match word? {
        Token::Text(octets) => octets.clone(),
        Token::Word(word) => hex_word(word)?,
        Token::Mark(_) => return None,
    };
    (1..=IDENTIFIER_MAX).contains(&octets.len()).then_some(octets)
}

/// `never`, `epoch SECONDS`, or `WEEKDAY YYYY/MM/DD HH:MM:SS`, which is UTC.
fn moment(words: &[Token]) -> Option<Timestamp> {
    match words.get(1)?.word()? {
        "never" => Some(Timestamp::MAX),
        "epoch" => {
            Some(Timestamp::from_secs(words.get(2)?.word()?.parse::<i64>().ok().filter(|seconds| *seconds >= 0)?))
        }
        _ => {
            let (date, time) = (words.get(2)?.word()?, words.get(3)?.word()?);
            let parts = |text: &str, mark: char| -> Option<[i16; 3]> {
                let parts: Option<Vec<i16>> = text.split(mark).map(|part| part.parse().ok()).collect();
                parts?.try_into().ok()
            };
            let ([year, month, day], [hour, minute, second]) = (parts(date, '/')?, parts(time, ':')?);
            let small = |number: i16| i8::try_from(number).ok();
            let date = civil::Date::new(year, small(month)?, small(day)?).ok()?;
            let time = civil::Time::new(small(hour)?, small(minute)?, small(second)?, 0).ok()?;
            let moment = date.to_datetime(time).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
            Some(Timestamp::from_secs(moment.timestamp().as_second().max(0)))
        }
    }
}
