//! dnsmasq's configuration file, as far as it is about DHCP.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;
use model::Mac;

use super::{
    ImportError, Imported,
    network::{Client, Fixed, Network, PoolRange, Scope, Subnet},
    refuse_huge,
    value::{Item, hex_word, text_or_hex},
};
use crate::options;

/// Lease time of dnsmasq when a range has none: one hour.
const LEASE_SECONDS: u64 = 3_600;

/// A plan that says what a configuration of dnsmasq says about DHCP.
///
/// Taken over: `dhcp-range`, `dhcp-host`, `dhcp-option`, tags by vendor class, user class, MAC address, circuit and
/// remote id, `dhcp-boot`, `domain`, and `server` as DNS upstreams. Everything else is a note. Errors: the text is too
/// large.
pub fn from_dnsmasq(text: &str) -> Result<Imported, ImportError> {
    refuse_huge(text)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines: Vec<(u32, &str, &str)> =
        (1..).zip(text.lines()).filter_map(|(line, text)| setting(line, text)).collect();
    let mut dnsmasq = Dnsmasq {
        network: Network { source: "dnsmasq", ..Network::default() },
        ranges: Vec::new(),
        everywhere: Scope::default(),
        hosts: Vec::new(),
    };
    // Tags first: what they stand for decides what the other lines mean.
    for (line, key, value) in &lines {
        dnsmasq.tag(*line, key, value);
    }
    for (line, key, value) in lines.iter().filter(|(_, key, _)| *key == "dhcp-range") {
        dnsmasq.range(*line, key, value);
    }
    for (line, key, value) in &lines {
        dnsmasq.rest(*line, key, value);
    }
    Ok(dnsmasq.finish())
}

/// Key and value of a line, comments removed.
fn setting(line: u32, text: &str) -> Option<(u32, &str, &str)> {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return None;
    }
    // A `#` begins a comment after a blank only: values hold it too.
    let end = text.find(" #").or_else(|| text.find("\t#")).unwrap_or(text.len());
    let (key, value) = text[..end].split_once('=').unwrap_or((&text[..end], ""));
    Some((line, key.trim(), value.trim()))
}

struct Range {
    /// Tag that the range sets.
    sets: Option<String>,
    subnet: Subnet,
}

struct Dnsmasq {
    network: Network,
    ranges: Vec<Range>,
    everywhere: Scope,
    hosts: Vec<Fixed>,
}

impl Dnsmasq {
    fn note(&mut self, line: u32, says: impl AsRef<str>) {
        self.network.notes.add(line, says);
    }

    fn left_out(&mut self, line: u32, key: &str, value: &str) {
        let shown: String = value.chars().take(80).collect();
        self.note(line, format!("`{key}={shown}` is not taken over"));
    }

    fn finish(mut self) -> Imported {
        for range in std::mem::take(&mut self.ranges) {
            let mut subnet = range.subnet;
            subnet.scope = self.everywhere.narrowed(&subnet.scope);
            self.network.subnets.push(subnet);
        }
        for own in std::mem::take(&mut self.hosts) {
            match self.network.subnets.iter_mut().find(|subnet| subnet.prefix.contains(&own.address)) {
                Some(subnet) => subnet.reservations.push(own),
                None => {
                    self.note(own.line, format!("the reservation of {} is in no subnet, and is left out", own.address));
                }
            }
        }
        self.network.into_plan()
    }

    /// A line that says which clients have a tag: the tag becomes a class.
    fn tag(&mut self, line: u32, key: &str, value: &str) {
        let (class_key, kind) = match key {
            "dhcp-vendorclass" => ("vendor_class", "text"),
            "dhcp-userclass" => ("user_class", "text"),
            "dhcp-circuitid" => ("circuit_id", "octets"),
            "dhcp-remoteid" => ("remote_id", "octets"),
            "dhcp-mac" => ("mac_prefix", "mac"),
            _ => return,
        };
        let Some((tag, wanted)) = value.split_once(',') else { return self.left_out(line, key, value) };
        let tag = tag.trim();
        let tag = tag.strip_prefix("set:").or_else(|| tag.strip_prefix("net:")).unwrap_or(tag);
        let wanted = wanted.trim().trim_matches('"');
        let octets = match kind {
            "mac" => mac_start(wanted),
            "octets" if wanted.contains(':') => hex_word(wanted),
            _ => Some(wanted.as_bytes().to_vec()),
        };
        let Some(octets) = octets.filter(|octets| !octets.is_empty() && octets.len() <= 255) else {
            return self.left_out(line, key, value);
        };
        if key == "dhcp-vendorclass" {
            self.note(line, format!("tag `{tag}`: dnsmasq looks anywhere in the vendor class, a plan at its start"));
        }
        self.network.class(tag, line).any_of(class_key, octets);
    }

    fn range(&mut self, line: u32, key: &str, value: &str) {
        let mut sets = None;
        let mut class = None;
        let mut words = Vec::new();
        for word in value.split(',').map(str::trim) {
            if let Some(tag) = word.strip_prefix("set:") {
                sets = Some(tag.to_owned());
            } else if let Some(tag) = word.strip_prefix("tag:") {
                class = Some(tag.to_owned());
            } else if let Some(name) = word.strip_prefix("interface:") {
                self.note(line, format!("the range is for interface {name}; write `via` and `interface`"));
            } else {
                words.push(word);
            }
        }
        let addresses: Vec<Ipv4Addr> = words.iter().map_while(|word| word.parse().ok()).collect();
        let mut others = words.iter().skip(addresses.len()).copied().peekable();
        let mode = others.next_if(|word| ["static", "proxy"].contains(word));
        if mode == Some("proxy") || words.first().is_some_and(|word| word.contains(':') || *word == "::") {
            return self.left_out(line, key, value);
        }
        // After `static` the mask follows.
        let more: Vec<Ipv4Addr> = others.by_ref().map_while(|word| word.parse().ok()).take(2).collect();
        let addresses: Vec<Ipv4Addr> = addresses.into_iter().chain(more.iter().copied()).collect();
        let rest: Vec<&str> =
            words.iter().copied().filter(|word| word.parse::<Ipv4Addr>().is_err() && Some(*word) != mode).collect();
        let lease = rest.first().and_then(|word| lease_seconds(word));
        if rest.len() > 1 || (rest.len() == 1 && lease.is_none()) {
            return self.left_out(line, key, value);
        }
        let (first, last, mask) = match (mode, addresses.as_slice()) {
            (Some(_), [net]) => (*net, None, None),
            (Some(_), [net, mask, ..]) => (*net, None, Some(*mask)),
            (None, [first, last]) => (*first, Some(*last), None),
            (None, [first, last, mask, ..]) => (*first, Some(*last), Some(*mask)),
            _ => return self.left_out(line, key, value),
        };
        let prefix = match mask {
            Some(mask) => Ipv4Net::with_netmask(first, mask).ok(),
            None => {
                self.note(line, "the range states no mask; /24 is taken");
                Ipv4Net::new(first, 24).ok()
            }
        };
        let Some(prefix) = prefix.map(|prefix| prefix.trunc()) else { return self.left_out(line, key, value) };
        let lease = Some(lease.unwrap_or(LEASE_SECONDS));
        let pool = last.map(|last| PoolRange { first, last, class });
        if let Some(known) = self.ranges.iter_mut().find(|range| range.subnet.prefix == prefix) {
            known.subnet.pools.extend(pool);
            known.sets = known.sets.take().or(sets);
            if known.subnet.scope.lease != lease {
                self.note(line, "the ranges of one subnet have different lease times; the first counts");
            }
            return;
        }
        let scope = Scope { lease, ..Scope::default() };
        let pools = pool.into_iter().collect();
        self.ranges.push(Range { sets, subnet: Subnet { line, prefix, pools, reservations: Vec::new(), scope } });
    }

    fn rest(&mut self, line: u32, key: &str, value: &str) {
        match key {
            "dhcp-range" | "dhcp-vendorclass" | "dhcp-userclass" | "dhcp-circuitid" | "dhcp-remoteid" | "dhcp-mac" => {}
            "dhcp-authoritative" => {}
            "dhcp-host" => self.host(line, key, value),
            "dhcp-option" => self.option(line, key, value, false),
            "dhcp-option-force" => self.option(line, key, value, true),
            "dhcp-boot" => self.boot(line, key, value),
            "dhcp-rapid-commit" => self.everywhere.rapid_commit = true,
            "domain" if !value.is_empty() && !value.contains([',', '#']) => {
                self.network.domain = Some(value.to_owned());
            }
            "server" => match upstream(value) {
                Some(address) => self.network.upstreams.push(address),
                None => self.left_out(line, key, value),
            },
            _ => self.left_out(line, key, value),
        }
    }

    fn host(&mut self, line: u32, key: &str, value: &str) {
        let mut client = None;
        let mut address = None;
        let mut name = None;
        let mut left = Vec::new();
        for word in value.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            if let Some(id) = word.strip_prefix("id:") {
                let octets = if id.contains(':') { hex_word(id) } else { Some(id.as_bytes().to_vec()) };
                match octets.filter(|octets| id != "*" && (1..=255).contains(&octets.len())) {
                    Some(octets) if client.is_none() => client = Some(Client::ClientId(octets)),
                    _ => left.push(word),
                }
            } else if let Ok(mac) = word.parse::<Mac>() {
                match &client {
                    None => client = Some(Client::Mac(mac)),
                    Some(_) => left.push(word),
                }
            } else if let Ok(found) = word.parse::<Ipv4Addr>() {
                address = Some(found);
            } else if lease_seconds(word).is_some() || word == "ignore" || word.contains([':', '*', '[']) {
                left.push(word);
            } else {
                name = Some(word.to_owned());
            }
        }
        let (Some(client), Some(address)) = (client, address) else { return self.left_out(line, key, value) };
        if !left.is_empty() {
            self.note(line, format!("of the reservation of {address}, `{}` is left out", left.join(",")));
        }
        self.hosts.push(Fixed { line, client, address, name, options: Default::default() });
    }

    fn option(&mut self, line: u32, key: &str, value: &str, always: bool) {
        let mut words = value.split(',').map(str::trim).peekable();
        let mut tags = Vec::new();
        while let Some(tag) = words.next_if(|word| word.starts_with("tag:") || word.starts_with("net:")) {
            tags.push(&tag[4..]);
        }
        let Some(told) = words.next() else { return self.left_out(line, key, value) };
        let name = told.strip_prefix("option:").unwrap_or(told);
        let code = options::find(name).map(|kind| kind.code);
        let Some(code) = code.filter(|_| tags.len() < 2 && !told.contains("option6:") && !told.starts_with("vendor:"))
        else {
            return self.left_out(line, key, value);
        };
        let values: Vec<&str> = words.collect();
        if values.is_empty() || values == [""] {
            return self.note(line, format!("`{key}={value}` says not to send option {code}; it is left out"));
        }
        if values.contains(&"0.0.0.0") && code != 121 {
            return self.note(line, format!("`{key}={value}` stands for dnsmasq's own address; it is left out"));
        }
        let of = options::by_code(code).map(|kind| kind.of);
        let is_number = matches!(
            of,
            Some(
                options::OptionType::Uint8
                    | options::OptionType::Uint16
                    | options::OptionType::Uint32
                    | options::OptionType::Int32
            )
        );
        let items: Vec<Item> = values
            .iter()
            // `30i` is a number of four octets, `1s` of two, `2b` of one.
            .map(|word| if is_number { word.trim_end_matches(['b', 's', 'i']) } else { word })
            .map(|word| match word.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
                Some(text) => Item::Text(text.as_bytes().to_vec()),
                None if is_octets(word) => Item::Word(word.to_owned()),
                None if options::by_code(code).is_none() && word.parse::<Ipv4Addr>().is_err() => {
                    Item::Text(word.as_bytes().to_vec())
                }
                None => Item::Word(word.to_owned()),
            })
            .collect();
        let mut scope = Scope::default();
        scope.option(line, told, code, &items, &mut self.network.notes);
        if always {
            scope.always.insert(code);
        }
        self.give(line, key, value, tags.first().copied(), scope);
    }

    /// Gives what a line says to those whom its tag names: a range's clients, a class, or everyone.
    fn give(&mut self, line: u32, key: &str, value: &str, tag: Option<&str>, scope: Scope) {
        let Some(tag) = tag else {
            self.everywhere = self.everywhere.narrowed(&scope);
            return;
        };
        if let Some(range) = self.ranges.iter_mut().find(|range| range.sets.as_deref() == Some(tag)) {
            range.subnet.scope = range.subnet.scope.narrowed(&scope);
        } else if self.network.classes.iter().any(|class| class.name == tag) {
            let class = self.network.class(tag, line);
            class.options.extend(scope.options);
            class.lease = scope.lease.or(class.lease);
        } else {
            self.left_out(line, key, value);
        }
    }

    fn boot(&mut self, line: u32, key: &str, value: &str) {
        let mut words = value.split(',').map(str::trim).peekable();
        let tag = words.next_if(|word| word.starts_with("tag:")).map(|word| &word[4..]);
        let words: Vec<&str> = words.collect();
        let mut scope = Scope::default();
        let Some(file) = words.first().filter(|file| !file.is_empty()) else {
            return self.left_out(line, key, value);
        };
        scope.options.insert(67, text_or_hex(file.as_bytes()));
        let server = words.get(2).or(words.get(1)).filter(|server| !server.is_empty());
        if let Some(server) = server {
            scope.options.insert(66, text_or_hex(server.as_bytes()));
        }
        self.note(line, "`dhcp-boot` becomes options 67 and 66; the header fields are not set");
        self.give(line, key, value, tag, scope);
    }
}

/// The start of a MAC address with `*` for what may be anything.
fn mac_start(pattern: &str) -> Option<Vec<u8>> {
    let parts: Vec<&str> = pattern.split([':', '-']).collect();
    let known = parts.iter().take_while(|part| **part != "*").count();
    let all_free_after = parts.iter().skip(known).all(|part| *part == "*");
    if parts.len() != 6 || !all_free_after {
        return None;
    }
    parts[..known].iter().map(|part| u8::from_str_radix(part, 16).ok()).collect()
}

/// Octets with colons, but no number, address or name.
fn is_octets(word: &str) -> bool {
    word.contains(':') && hex_word(word).is_some()
}

/// `45m`, `12h`, `3600`, `infinite`.
fn lease_seconds(word: &str) -> Option<u64> {
    if word == "infinite" {
        return Some(u64::from(u32::MAX));
    }
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &word[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// The address of a server for all names.
fn upstream(value: &str) -> Option<IpAddr> {
    value.parse().ok()
}
