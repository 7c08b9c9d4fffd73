//! Values of options as other servers write them -> as a plan writes them.

use std::{collections::BTreeMap, net::Ipv4Addr};

use crate::options::{self, OptionKind, OptionType};

/// A part of an option's value, commas removed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Item {
    /// As it stands: an address, a number, `true`, octets with colons.
    Word(String),
    /// In quotes.
    Text(Vec<u8>),
}

impl Item {
    pub(super) fn word(text: &str) -> Self {
        Self::Word(text.to_owned())
    }

    fn text(&self) -> Option<String> {
        match self {
            Self::Word(word) => Some(word.clone()),
            Self::Text(octets) => String::from_utf8(octets.clone()).ok(),
        }
    }
}

/// Options by code: the value as TOML.
pub(super) type Options = BTreeMap<u8, String>;

/// The value of an option as TOML; `Err` says why it is none, as the end of a sentence.
pub(super) fn toml(kind: OptionKind, items: &[Item]) -> Result<String, String> {
    if items.is_empty() {
        return Err("has no value".into());
    }
    if kind.names.is_empty() {
        return raw(items);
    }
    match kind.of {
        OptionType::Address => addresses(items).filter(|found| found.len() == 1).map(|found| address_list(&found)),
        OptionType::Addresses => addresses(items).map(|found| address_list(&found)),
        OptionType::AddressPairs => {
            addresses(items).filter(|found| found.len().is_multiple_of(2)).map(|found| address_list(&found))
        }
        OptionType::Domain => match items {
            [item] => item.text().and_then(|name| domain(&name)).map(|name| quoted(&name)),
            _ => None,
        },
        OptionType::SipServers => addresses(items).map(|found| address_list(&found)).or_else(|| domains(items)),
        OptionType::Text => joined(items).filter(|octets| !octets.is_empty()).map(|octets| text_or_hex(&octets)),
        OptionType::Uint8 => number(items, 0, i64::from(u8::MAX)),
        OptionType::Uint16 => number(items, 0, i64::from(u16::MAX)),
        OptionType::Uint32 => number(items, 0, i64::from(u32::MAX)),
        OptionType::Int32 => number(items, i64::from(i32::MIN), i64::from(i32::MAX)),
        OptionType::Flag => flag(items),
        OptionType::Domains => domains(items),
        OptionType::Routes => routes(items),
        OptionType::SubOptions | OptionType::Octets => octets(items).map(|octets| hex(&octets)),
    }
    .ok_or_else(|| format!("is not {}", kind.of.written().0))
}

/// The value of a code without a known type: addresses, octets with colons, or text.
fn raw(items: &[Item]) -> Result<String, String> {
    if let Some(found) = addresses(items) {
        return Ok(address_list(&found));
    }
    match items {
        [Item::Word(word)] if word.eq_ignore_ascii_case("true") => return Ok("true".into()),
        [Item::Word(word)] if word.eq_ignore_ascii_case("false") => return Ok("false".into()),
        [Item::Word(word)] if word.parse::<i64>().is_ok() => {
            return Err("is a number of unknown width; write it as `hex:`".into());
        }
        _ => {}
    }
    octets(items)
        .filter(|octets| !octets.is_empty())
        .map(
            |octets| {
                if items.iter().all(|item| matches!(item, Item::Text(_))) { text_or_hex(&octets) } else { hex(&octets) }
            },
        )
        .ok_or_else(|| "has a value that is not understood".into())
}

pub(super) fn addresses(items: &[Item]) -> Option<Vec<Ipv4Addr>> {
    items.iter().map(|item| item.text()?.trim().parse().ok()).collect()
}

pub(super) fn address_list(addresses: &[Ipv4Addr]) -> String {
    match addresses {
        [one] => format!("\"{one}\""),
        _ => format!("[{}]", addresses.iter().map(|address| format!("\"{address}\"")).collect::<Vec<_>>().join(", ")),
    }
}

/// Text that was split at commas is joined again.
fn joined(items: &[Item]) -> Option<Vec<u8>> {
    let parts: Vec<Vec<u8>> = items
        .iter()
        .map(|item| match item {
            Item::Word(word) => word.as_bytes().to_vec(),
            Item::Text(octets) => octets.clone(),
        })
        .collect();
    let whole = parts.join(&b',');
    (!whole.is_empty()).then_some(whole)
}

fn number(items: &[Item], low: i64, high: i64) -> Option<String> {
    let [item] = items else { return None };
    let text = item.text()?;
    let number = match text.trim().strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok()?,
        None => text.trim().parse().ok()?,
    };
    (low..=high).contains(&number).then(|| number.to_string())
}

fn flag(items: &[Item]) -> Option<String> {
    let [item] = items else { return None };
    match item.text()?.trim().to_ascii_lowercase().as_str() {
        "true" | "on" | "1" | "yes" => Some("true".into()),
        "false" | "off" | "0" | "no" => Some("false".into()),
        _ => None,
    }
}

fn domains(items: &[Item]) -> Option<String> {
    let mut names = Vec::new();
    for item in items {
        for name in item.text()?.split([',', ' ']).filter(|name| !name.trim().is_empty()) {
            names.push(domain(name)?);
        }
    }
    (!names.is_empty()).then(|| format!("[{}]", names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")))
}

/// A domain name that a plan takes.
pub(super) fn domain(name: &str) -> Option<String> {
    let name = name.trim().trim_end_matches('.').to_ascii_lowercase();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(plain);
    (name.len() <= 253 && name.split('.').all(label)).then_some(name)
}

/// Pairs of prefix and router, however they are written; else the octets of RFC 3442.
fn routes(items: &[Item]) -> Option<String> {
    let words: Vec<String> = items.iter().map(Item::text).collect::<Option<_>>()?;
    let words: Vec<&str> =
        words.iter().flat_map(|word| word.split([',', ' '])).filter(|word| !word.is_empty() && *word != "-").collect();
    let mut pairs = Vec::new();
    if words.first().is_some_and(|word| word.contains('/')) {
        for pair in words.chunks(2) {
            let [net, router] = pair else { return None };
            pairs.push((net.parse::<ipnet::Ipv4Net>().ok()?.trunc(), router.parse::<Ipv4Addr>().ok()?));
        }
    } else {
        let octets = match words.as_slice() {
            [one] => octets(&[Item::word(one)])?,
            _ => words.iter().map(|word| word.parse::<u8>().ok()).collect::<Option<Vec<u8>>>()?,
        };
        let mut rest = octets.as_slice();
        while let Some((&length, after)) = rest.split_first() {
            let counted = usize::from(length.div_ceil(8));
            if length > 32 || after.len() < counted + 4 {
                return None;
            }
            let mut net = [0; 4];
            net[..counted].copy_from_slice(&after[..counted]);
            let router: [u8; 4] = after[counted..counted + 4].try_into().ok()?;
            pairs.push((ipnet::Ipv4Net::new(net.into(), length).ok()?.trunc(), router.into()));
            rest = &after[counted + 4..];
        }
    }
    let routes: Vec<String> = pairs.iter().map(|(net, router)| format!("\"{net} via {router}\"")).collect();
    (!routes.is_empty()).then(|| format!("[{}]", routes.join(", ")))
}

/// Octets: text in quotes, hexadecimal with colons or `0x`, or small numbers one by one.
pub(super) fn octets(items: &[Item]) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let several = items.len() > 1;
    for item in items {
        match item {
            Item::Text(octets) => all.extend(octets),
            Item::Word(word) => match (word.parse::<u8>(), several) {
                (Ok(number), true) => all.push(number),
                _ => all.extend(hex_word(word)?),
            },
        }
    }
    (!all.is_empty() && all.len() <= 510).then_some(all)
}

/// `01:a2:3`, `01-a2`, `01 a2`, `0x01a2` or `01a2`.
pub(super) fn hex_word(word: &str) -> Option<Vec<u8>> {
    let word = word.trim();
    if word.contains([':', '-', ' ']) {
        let octet = |part: &str| (1..=2).contains(&part.len()).then(|| u8::from_str_radix(part, 16).ok())?;
        return word.split([':', '-', ' ']).map(octet).collect();
    }
    let digits = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")).unwrap_or(word);
    crate::file::leaf::parse_hex(digits).filter(|octets| !octets.is_empty())
}

/// A TOML string: as text when a plan takes it as text, else `hex:`.
pub(super) fn text_or_hex(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) if is_plain(text) => quoted(text),
        _ => hex(octets),
    }
}

/// Text that reads back as the same octets.
fn is_plain(text: &str) -> bool {
    text.chars().count() <= 400
        && !text.chars().any(char::is_control)
        && text.trim() == text
        && !text.starts_with("hex:")
}

pub(super) fn hex(octets: &[u8]) -> String {
    let digits: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("\"hex:{digits}\"")
}

/// Text in a TOML basic string; control characters are left out.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars().filter(|character| !character.is_control()) {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
    out
}

/// What an option that a plan has another key for means, when it has one.
pub(super) enum Meaning {
    /// It goes into `options`.
    Option,
    /// It follows from the plan anyway.
    Follows,
    /// The lease time.
    Lease,
    /// `ipv6_only_wait`.
    Ipv6OnlyWait,
    /// `captive_portal`.
    CaptivePortal,
    /// The name of a reservation.
    HostName,
    /// The server makes it itself.
    Refused(&'static str),
}

pub(super) fn meaning(code: u8) -> Meaning {
    match code {
        1 => Meaning::Follows,
        12 => Meaning::HostName,
        51 => Meaning::Lease,
        108 => Meaning::Ipv6OnlyWait,
        114 => Meaning::CaptivePortal,
        _ => options::refused(code).map_or(Meaning::Option, Meaning::Refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_a_plan_writes_them() {
        let word = Item::word;
        let table: [(&str, &[Item], &str); 14] = [
            ("routers", &[word("192.0.2.1")], "\"192.0.2.1\""),
            ("ntp-servers", &[word("192.0.2.1"), word("192.0.2.2")], "[\"192.0.2.1\", \"192.0.2.2\"]"),
            ("domain-name", &[Item::Text(b"example.net".to_vec())], "\"example.net\""),
            ("boot-file", &[Item::Text(b"a \"b\" \\c".to_vec())], "\"a \\\"b\\\" \\\\c\""),
            ("boot-file", &[Item::Text(b"nul\0".to_vec())], "\"hex:6e756c00\""),
            ("interface-mtu", &[word("1400")], "1400"),
            ("ip-forwarding", &[word("off")], "false"),
            ("time-offset", &[word("-3600")], "-3600"),
            ("domain-search", &[word("a.example"), word("b.example.")], "[\"a.example\", \"b.example\"]"),
            ("routes", &[word("10.0.0.0/8 - 192.0.2.1")], "[\"10.0.0.0/8 via 192.0.2.1\"]"),
            ("routes", &[word("0.0.0.0/0"), word("192.0.2.1")], "[\"0.0.0.0/0 via 192.0.2.1\"]"),
            ("vendor-specific", &[word("f1:04:c0:00:02:01")], "\"hex:f104c0000201\""),
            ("150", &[word("192.0.2.9")], "\"192.0.2.9\""),
            ("224", &[Item::Text(b"x".to_vec())], "\"x\""),
        ];
        for (name, items, wanted) in table {
            assert_eq!(toml(options::find(name).unwrap(), items).as_deref(), Ok(wanted), "{name}");
        }
        let octets: Vec<Item> = ["24", "198", "51", "100", "192", "0", "2", "1"].map(Item::word).to_vec();
        let routes = toml(options::find("routes").unwrap(), &octets);
        assert_eq!(routes.as_deref(), Ok("[\"198.51.100.0/24 via 192.0.2.1\"]"));
        assert!(toml(options::find("ntp-servers").unwrap(), &[word("ntp.example")]).is_err());
    }
}
