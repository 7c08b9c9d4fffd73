//! DHCP options: names and codes to typed values.

use std::{collections::BTreeMap, net::Ipv4Addr};

use ipnet::Ipv4Net;
use model::Place;

use super::Build;
use crate::{
    DhcpOption, OptionValue,
    file::{
        leaf::{AnyValue, parse_hex, parse_octets},
        shape::At,
        tree::{Node, Table, Value},
    },
    options::{self, OptionKind, OptionType},
    problem::{did_you_mean, shown},
};

/// Octets that the value of one option may have: two options' worth (RFC 3396).
const OCTETS_MAX: usize = 510;

impl Build {
    /// The options of a table, by code. Each that cannot be sent is a problem.
    pub(super) fn options(&mut self, stated: &BTreeMap<String, At<AnyValue>>) -> Vec<DhcpOption> {
        let mut by_code: BTreeMap<u8, (&str, DhcpOption)> = BTreeMap::new();
        for (name, value) in stated {
            let Some(option) = self.option(name, value) else { continue };
            if let Some((first, _)) = by_code.get(&option.code) {
                let says = format!("`{}` and `{}` are both option {}", shown(first), shown(name), option.code);
                self.problems.add(&value.at, says, "keep one of the two");
                continue;
            }
            by_code.insert(option.code, (name, option));
        }
        by_code.into_values().map(|(_, option)| option).collect()
    }

    fn option(&mut self, name: &str, stated: &At<AnyValue>) -> Option<DhcpOption> {
        let Some(kind) = options::find(name) else {
            let says = format!("`options`: there is no option `{}`", shown(name));
            let known = options::OPTIONS.iter().flat_map(|kind| kind.names).copied();
            let remedy = format!("{} Or write its code, 1 to 254", did_you_mean(name, known));
            self.problems.add(&stated.at, says, remedy);
            return None;
        };
        if let Some(why) = options::refused(kind.code) {
            let says = format!("`options`: option {} (`{}`) is not for a plan", kind.code, shown(name));
            self.problems.add(&stated.at, says, why);
            return None;
        }
        let (always, value) = self.wrapped(&stated.value.0)?;
        match read(kind, value) {
            Ok(read) => Some(DhcpOption { code: kind.code, value: read, always, at: stated.at.clone() }),
            Err(wrong) => {
                let at = wrong.at.unwrap_or(&stated.at);
                let (is, example) = kind.of.written();
                let known = if kind.names.is_empty() { "octets, addresses or true or false" } else { is };
                let says = format!("`{}`: {} is not {known}", shown(name), wrong.value.shown());
                let remedy = if wrong.says.is_empty() { format!("write it like `{example}`") } else { wrong.says };
                self.problems.add(at, says, remedy);
                None
            }
        }
    }

    /// `{ value, always }` around a value.
    fn wrapped<'a>(&mut self, value: &'a Value) -> Option<(bool, &'a Value)> {
        let Value::Table(table) = value else { return Some((false, value)) };
        let Some((_, inner)) = table.get("value") else { return Some((false, value)) };
        let mut always = false;
        for (key, (at, node)) in table.iter().filter(|(key, _)| *key != "value") {
            match (&node.value, key.as_str()) {
                (Value::Boolean(claim), "always") => always = *claim,
                (other, "always") => {
                    let says = format!("`always`: {} is not true or false", other.shown());
                    self.problems.add(&node.at, says, "write it like `true`");
                    return None;
                }
                (_, key) => {
                    let says = format!("`{}` is not a known key here", shown(key));
                    self.problems.add(at, says, did_you_mean(key, ["value", "always"]));
                    return None;
                }
            }
        }
        Some((always, &inner.value))
    }
}

/// A value that is not of its option's type.
struct Wrong<'a> {
    /// Where, when it is one of a list.
    at: Option<&'a Place>,
    value: &'a Value,
    /// What to do, when it is not just to write it like the example.
    says: String,
}

impl<'a> Wrong<'a> {
    fn of(value: &'a Value) -> Self {
        Self { at: None, value, says: String::new() }
    }
}

fn read(kind: OptionKind, value: &Value) -> Result<OptionValue, Wrong<'_>> {
    let read = if kind.names.is_empty() { raw(value)? } else { typed(kind.of, value)? };
    match octets_of(&read) {
        0 => Err(Wrong { says: "leave the option out".into(), ..Wrong::of(value) }),
        length if length > OCTETS_MAX => {
            let says = format!("it is {length} octets long, more than the {OCTETS_MAX} allowed");
            Err(Wrong { says, ..Wrong::of(value) })
        }
        _ => Ok(read),
    }
}

fn typed(of: OptionType, value: &Value) -> Result<OptionValue, Wrong<'_>> {
    // Octets always go: what a configuration of another server has may be of no type that we know.
    if let Value::Text(text) = value
        && let Some(digits) = text.trim().strip_prefix("hex:")
    {
        return parse_hex(digits).map(OptionValue::Octets).ok_or_else(|| Wrong::of(value));
    }
    match of {
        OptionType::Address => one(value, address).map(|address| OptionValue::Addresses(vec![address])),
        OptionType::Addresses => many(value, address).map(OptionValue::Addresses),
        OptionType::AddressPairs => match many(value, address)? {
            pairs if pairs.len().is_multiple_of(2) => Ok(OptionValue::Addresses(pairs)),
            _ => Err(Wrong::of(value)),
        },
        OptionType::Domain => one(value, domain).map(OptionValue::Text),
        OptionType::SipServers => {
            many(value, address).map(OptionValue::Addresses).or_else(|_| many(value, domain).map(OptionValue::Domains))
        }
        OptionType::Text => one(value, printable).map(|text| OptionValue::Text(text.to_owned())),
        OptionType::Uint8 => one(value, number).map(OptionValue::Uint8),
        OptionType::Uint16 => one(value, number).map(OptionValue::Uint16),
        OptionType::Uint32 => one(value, number).map(OptionValue::Uint32),
        OptionType::Int32 => one(value, number).map(OptionValue::Int32),
        OptionType::Flag => one(value, flag).map(OptionValue::Flag),
        OptionType::Domains => many(value, domain).map(OptionValue::Domains),
        OptionType::Routes => many(value, route).map(OptionValue::Routes),
        OptionType::SubOptions => match value {
            Value::Table(table) => sub_options(table),
            _ => Err(Wrong::of(value)),
        },
        OptionType::Octets => one(value, text).map(|text| OptionValue::Octets(text.as_bytes().to_vec())),
    }
}

/// The value of a code whose type nobody told us: what it looks like.
fn raw(value: &Value) -> Result<OptionValue, Wrong<'_>> {
    match value {
        Value::Boolean(claim) => Ok(OptionValue::Flag(*claim)),
        Value::Integer(_) => {
            let says = "write how many octets it has, e.g. `\"hex:0001\"` for 1 in two".to_owned();
            Err(Wrong { says, ..Wrong::of(value) })
        }
        Value::Text(text) if address(value).is_none() => {
            let octets = parse_octets(text.trim()).ok_or_else(|| Wrong::of(value))?;
            Ok(OptionValue::Octets(octets))
        }
        Value::Table(table) => sub_options(table),
        _ => many(value, address).map(OptionValue::Addresses),
    }
}

fn sub_options(table: &Table) -> Result<OptionValue, Wrong<'_>> {
    let mut found = BTreeMap::new();
    for (key, (at, node)) in table {
        let wrong = |says: &str| Wrong { at: Some(at), value: &node.value, says: says.to_owned() };
        let code = key.parse::<u8>().ok().filter(|code| (1..=254).contains(code));
        let code = code.ok_or_else(|| wrong("write the sub-option's code, 1 to 254, before it"))?;
        let octets = match raw(&node.value)? {
            OptionValue::Addresses(addresses) => addresses.iter().flat_map(|address| address.octets()).collect(),
            OptionValue::Octets(octets) => octets,
            OptionValue::Flag(claim) => vec![u8::from(claim)],
            _ => return Err(wrong("write `hex:` and its octets")),
        };
        if octets.len() > 255 {
            return Err(wrong("a sub-option has at most 255 octets"));
        }
        found.insert(code, octets);
    }
    Ok(OptionValue::SubOptions(found.into_iter().collect()))
}

fn one<'a, T>(value: &'a Value, parse: fn(&'a Value) -> Option<T>) -> Result<T, Wrong<'a>> {
    match value {
        Value::Array(items) if items.len() == 1 => {
            parse(&items[0].value).ok_or_else(|| Wrong { at: Some(&items[0].at), ..Wrong::of(&items[0].value) })
        }
        _ => parse(value).ok_or_else(|| Wrong::of(value)),
    }
}

/// A list, or one alone without brackets.
fn many<'a, T>(value: &'a Value, parse: fn(&'a Value) -> Option<T>) -> Result<Vec<T>, Wrong<'a>> {
    let item = |node: &'a Node| parse(&node.value).ok_or(Wrong { at: Some(&node.at), ..Wrong::of(&node.value) });
    match value {
        Value::Array(items) => items.iter().map(item).collect(),
        _ => parse(value).map(|one| vec![one]).ok_or_else(|| Wrong::of(value)),
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) if !text.is_empty() && !text.chars().any(char::is_control) => Some(text),
        _ => None,
    }
}

/// Text of printable ASCII characters (RFC 2132 section 2: NVT ASCII).
fn printable(value: &Value) -> Option<&str> {
    text(value).filter(|text| text.bytes().all(|byte| (b' '..=b'~').contains(&byte)))
}

fn address(value: &Value) -> Option<Ipv4Addr> {
    text(value)?.trim().parse().ok()
}

fn number<T: TryFrom<i64>>(value: &Value) -> Option<T> {
    match value {
        Value::Integer(number) => T::try_from(*number).ok(),
        _ => None,
    }
}

fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Boolean(claim) => Some(*claim),
        _ => None,
    }
}

/// Labels of 1 to 63 letters, digits, hyphens and underscores, 253 characters in all; without the last dot.
fn domain(value: &Value) -> Option<String> {
    let name = text(value)?.trim().trim_end_matches('.').to_ascii_lowercase();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(plain);
    (name.len() <= 253 && name.split('.').all(label)).then_some(name)
}

/// `198.51.100.0/24 via 192.0.2.1`.
fn route(value: &Value) -> Option<(Ipv4Net, Ipv4Addr)> {
    let (net, router) = text(value)?.split_once(" via ")?;
    let net: Ipv4Net = match net.trim() {
        "default" => "0.0.0.0/0".parse().ok()?,
        net => net.parse().ok()?,
    };
    (net.trunc() == net).then_some((net, router.trim().parse().ok()?))
}

/// Octets that the value takes, names and routes at their longest.
fn octets_of(value: &OptionValue) -> usize {
    match value {
        OptionValue::Addresses(addresses) => addresses.len() * 4,
        OptionValue::Text(text) => text.len(),
        OptionValue::Uint8(_) | OptionValue::Flag(_) => 1,
        OptionValue::Uint16(_) => 2,
        OptionValue::Uint32(_) | OptionValue::Int32(_) => 4,
        OptionValue::Domains(names) => names.iter().map(|name| name.len() + 2).sum(),
        OptionValue::Routes(routes) => routes.len() * 9,
        OptionValue::SubOptions(options) => options.iter().map(|(_, octets)| octets.len() + 2).sum(),
        OptionValue::Octets(octets) => octets.len(),
    }
}
