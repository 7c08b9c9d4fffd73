//! Kea's memfile: CSV with a header; every change appends a record, the last one of an address counts.

use std::net::Ipv4Addr;

use csv::{ByteRecord, ReaderBuilder};
use model::{HostName, Lease, LeaseState, Mac, SubnetId, Timestamp};

use super::{Collector, IDENTIFIER_MAX, ImportedLeases, LINE_MAX, key};
use crate::import::value::hex_word;

/// Kea's way to say for ever.
const INFINITE: i64 = 0xffff_ffff;

/// Leases of Kea's memfile (`kea-leases4.csv`, and its `.2` before or after). `subnet_of` says which subnet of the
/// plan an address is in ([`crate::Plan::vlan_of`]). Never fails: what is no lease becomes a note.
///
/// A lease began when its expiry less its length was. Records of length 0 delete a lease. Circuit and remote id come
/// from `user_context`, where Kea keeps them when `store-extended-info` is on.
pub fn leases_from_kea(bytes: &[u8], subnet_of: &dyn Fn(Ipv4Addr) -> Option<SubnetId>) -> ImportedLeases {
    let mut all = Collector::new(subnet_of);
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).quoting(false).from_reader(bytes);
    let mut columns: Option<Columns> = None;
    let mut record = ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(_) => {
                all.skip(0, "the file cannot be read to its end");
                break;
            }
        }
        let line = record.position().map_or(0, |place| u32::try_from(place.line()).unwrap_or(u32::MAX));
        if record.get(0) == Some(b"address") {
            columns = Some(Columns::of(&record));
            continue;
        }
        let Some(columns) = &columns else {
            all.skip(line, "the first line does not name the columns, as Kea writes them");
            break;
        };
        if record.as_slice().len() > LINE_MAX {
            all.skip(line, "the record is too long");
            continue;
        }
        if record.as_slice().is_empty() {
            continue;
        }
        take(&mut all, line, columns, &record);
    }
    all.finish()
}

/// Where each column is.
#[derive(Default)]
struct Columns {
    hwaddr: Option<usize>,
    client_id: Option<usize>,
    valid_lifetime: Option<usize>,
    expire: Option<usize>,
    hostname: Option<usize>,
    state: Option<usize>,
    user_context: Option<usize>,
}

impl Columns {
    fn of(header: &ByteRecord) -> Self {
        let of = |name: &str| header.iter().position(|column| column.trim_ascii() == name.as_bytes());
        Self {
            hwaddr: of("hwaddr"),
            client_id: of("client_id"),
            valid_lifetime: of("valid_lifetime"),
            expire: of("expire"),
            hostname: of("hostname"),
            state: of("state"),
            user_context: of("user_context"),
        }
    }
}

fn take(all: &mut Collector<'_>, line: u32, columns: &Columns, record: &ByteRecord) {
    let text = |column: Option<usize>| -> &str {
        let field = column.and_then(|column| record.get(column)).unwrap_or_default();
        std::str::from_utf8(field).unwrap_or_default().trim()
    };
    let number = |column: Option<usize>| text(column).parse::<i64>().ok().filter(|number| *number >= 0);
    let Some(address) = text(Some(0)).parse::<Ipv4Addr>().ok() else {
        return all.skip(line, "the record has no IPv4 address");
    };
    let (Some(length), Some(expire)) = (number(columns.valid_lifetime), number(columns.expire)) else {
        return all.skip(line, format!("{address}: no lifetime or no expiry"));
    };
    if length == 0 {
        return all.forget(address);
    }
    let Some(subnet) = all.subnet(line, address) else { return };
    let state = match text(columns.state) {
        "" | "0" => LeaseState::Bound,
        "1" => LeaseState::Declined,
        // 2: expired and reclaimed; 3: released.
        "2" | "3" => LeaseState::Released,
        other => return all.skip(line, format!("{address}: state `{other}` is not known")),
    };
    let mac = text(columns.hwaddr).parse::<Mac>().ok();
    let identifier = hex_word(text(columns.client_id)).filter(|octets| octets.len() <= IDENTIFIER_MAX);
    let (circuit_id, remote_id) = relay_of(&unescaped(text(columns.user_context)));
    let (starts, expires) = match length {
        INFINITE => (Timestamp::EPOCH, Timestamp::MAX),
        length => (Timestamp::from_secs(expire.saturating_sub(length).max(0)), Timestamp::from_secs(expire)),
    };
    all.add(
        line,
        Lease {
            subnet,
            address,
            client: key(&identifier.unwrap_or_default(), mac, address),
            mac,
            state,
            starts,
            expires,
            host_name: HostName::sanitise(unescaped(text(columns.hostname)).as_bytes()),
            circuit_id: circuit_id.into(),
            remote_id: remote_id.into(),
        },
    );
}

/// Kea writes a comma in a field as `&#x2c`.
fn unescaped(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut rest = field;
    while let Some(start) = rest.find("&#x") {
        let (before, escape) = rest.split_at(start);
        text.push_str(before);
        let code = escape.get(3..5).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(code) => {
                text.push(char::from(code));
                rest = &escape[5..];
            }
            None => {
                text.push_str("&#x");
                rest = &escape[3..];
            }
        }
    }
    text.push_str(rest);
    text
}

/// Circuit and remote id in `{"ISC": {"relay-agent-info": {"sub-options": "0x..."}}}`; before Kea 2.3 the octets
/// stood in place of the inner object.
fn relay_of(context: &str) -> (Vec<u8>, Vec<u8>) {
    let none = (Vec::new(), Vec::new());
    if context.is_empty() {
        return none;
    }
    let Ok(json) = serde_json::from_str::<serde_json::Value>(context) else { return none };
    let info = &json["ISC"]["relay-agent-info"];
    let text = info.as_str().or_else(|| info["sub-options"].as_str()).unwrap_or_default();
    let Some(octets) = hex_word(text) else { return none };
    let (mut circuit, mut remote) = none;
    let mut rest = octets.as_slice();
    while let [code, length, after @ ..] = rest {
        let Some(value) = after.get(..usize::from(*length)) else { break };
        match code {
            1 => circuit = value.to_vec(),
            2 => remote = value.to_vec(),
            _ => {}
        }
        rest = &after[usize::from(*length)..];
    }
    (circuit, remote)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_relay_information_are_undone() {
        assert_eq!(unescaped("a&#x2cb&#xzz&#x"), "a,b&#xzz&#x");
        let context = unescaped(
            "{ \"ISC\": { \"relay-agent-info\": { \"sub-options\": \"0x0104aabbccdd020131\" }&#x2c \"x\": 1 } }",
        );
        assert_eq!(relay_of(&context), (vec![0xaa, 0xbb, 0xcc, 0xdd], b"1".to_vec()));
        assert_eq!(relay_of("{ \"ISC\": { \"relay-agent-info\": \"0x01ffaa\" } }"), (vec![], vec![]));
    }
}
