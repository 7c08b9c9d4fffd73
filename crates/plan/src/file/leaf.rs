//! Single values of the file: how each is written and which are refused.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use jiff::{SignedDuration, civil, tz::TimeZone};
use model::{Mac, PortRef, Severity};
use serde_json::{Value as Json, json};

use super::{shape::Leaf, tree::Value};
use crate::{
    Band, Channel, DayKind, DhcpVia, DnsProtocol, DnsUpstream, Estimate, Ipv6Mode, OutletKind, Role, RoomKind, Secret,
    VlanKind,
    catalogue::{DeviceKind, PoeStandard},
};

/// Characters that a text of the file may have.
const TEXT_MAX: usize = 600;

/// A whole number that no plan exceeds.
const COUNT_MAX: i64 = 1_000_000_000;

/// One line of text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Text(pub(crate) String);

/// An IANA time zone.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    pub(crate) name: String,
    pub(crate) zone: TimeZone,
}

/// A moment of a room's access: on a date, or on the first day.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    Time(civil::Time),
    DateTime(civil::DateTime),
}

/// Bytes, e.g. `4GiB`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes(pub(crate) u64);

/// A range of addresses, first and last included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AddressRange(pub(crate) Ipv4Addr, pub(crate) Ipv4Addr);

/// A range of IPv6 addresses, first and last included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AddressRange6(pub(crate) Ipv6Addr, pub(crate) Ipv6Addr);

/// A range of addresses, and the class that it is for.
#[derive(Clone, Debug)]
pub(crate) struct PoolRange {
    pub(crate) range: AddressRange,
    pub(crate) class: Option<String>,
}

/// Octets of an option, 1 to 255: `hex:` and digits, or text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Octets(pub(crate) Vec<u8>);

/// The start of a MAC address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct MacPrefix(pub(crate) Vec<u8>);

/// An IPv4 prefix or a single address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender(pub(crate) Ipv4Net);

/// An IPv4 or IPv6 prefix or a single address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network(pub(crate) IpNet);

/// The value of a DHCP option; its type depends on the option, so that `build` looks at it.
#[derive(Clone, Debug)]
pub(crate) struct AnyValue(pub(crate) Value);

/// A DNS server and how it is spoken to; the protocol's port when none is stated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DnsServer(pub(crate) DnsUpstream);

/// A channel, its band being the key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChannelNumber {
    pub(crate) number: u16,
    pub(crate) width_mhz: u16,
}

/// How requests reach the DHCP server, as `via` says it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Via {
    Relay,
    Direct,
    Other(String),
    None,
}

impl Via {
    /// With the relay device and interface that stand beside it.
    pub(crate) fn with(self, relay: Option<model::DeviceId>, interface: Option<String>) -> Option<DhcpVia> {
        match self {
            Self::Relay => Some(DhcpVia::Relay(relay)),
            Self::Direct => Some(DhcpVia::Direct(interface)),
            Self::Other(name) => Some(DhcpVia::Other(name)),
            Self::None => None,
        }
    }
}

/// `9.9.9.9`, `[2001:db8::1]:5300`, `tls://9.9.9.9#dns.quad9.net`, `https://9.9.9.9/dns-query#dns.quad9.net`. Without
/// a name the certificate must be of the address.
fn parse_dns_server(text: &str) -> Option<DnsUpstream> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let (place, name) = match rest.split_once('#') {
        Some((place, name)) => (place, Some(name)),
        None => (rest, None),
    };
    let (place, path) = match place.find('/') {
        Some(at) => place.split_at(at),
        None => (place, ""),
    };
    let address = |port| {
        let bare = place.strip_prefix('[').and_then(|place| place.strip_suffix(']')).unwrap_or(place);
        place.parse().ok().or_else(|| bare.parse().ok().map(|address: IpAddr| SocketAddr::new(address, port)))
    };
    let name = |address: SocketAddr| {
        let name = name.map_or_else(|| address.ip().to_string(), str::to_owned);
        let is_name = name.parse::<IpAddr>().is_ok() || is_host_name(&name);
        is_name.then_some(name)
    };
    let protocol = |address| {
        Some(match scheme {
            "" if name(address).is_some() && rest == place => DnsProtocol::Plain,
            "tls" if path.is_empty() => DnsProtocol::Tls { name: name(address)? },
            "https" => {
                let path = if path.is_empty() { "/dns-query" } else { path };
                let is_path = path.bytes().all(|octet| octet.is_ascii_graphic() && !b"?{}\"<>\\^`|".contains(&octet));
                DnsProtocol::Https { name: name(address)?, path: is_path.then(|| path.to_owned())? }
            }
            _ => return None,
        })
    };
    let address = address(match scheme {
        "tls" => 853,
        "https" => 443,
        _ => 53,
    })?;
    Some(DnsUpstream { address, protocol: protocol(address)? })
}

/// Labels of letters, digits and hyphens (RFC 1123 section 2.1).
pub(crate) fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) if text.chars().count() <= TEXT_MAX => Some(text.trim()),
        _ => None,
    }
}

/// A date or time may be written with or without quotes.
fn moment(value: &Value) -> Option<&str> {
    match value {
        Value::Moment(text) => Some(text),
        _ => text(value),
    }
}

fn integer(value: &Value, low: i64, high: i64) -> Option<i64> {
    match value {
        Value::Integer(number) if (low..=high).contains(number) => Some(*number),
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "plan figures are far below 2^52")]
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
    .filter(|number| number.is_finite() && (0.0..=1e12).contains(number))
}

/// An hour of a day, `9:00`, `09:00` or `09:00:00`; `24:00` is not one.
pub(crate) fn parse_time(text: &str) -> Option<civil::Time> {
    let mut parts = text.split(':');
    let mut part = |digits: usize| -> Option<i8> {
        let text = parts.next()?;
        ((1..=2).contains(&text.len()) && text.len() >= digits && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse().ok())?
    };
    let (hour, minute) = (part(1)?, part(2)?);
    let rest: Vec<&str> = text.splitn(3, ':').collect();
    let second = match rest.get(2) {
        None => 0,
        Some(seconds) => seconds.parse().ok()?,
    };
    civil::Time::new(hour, minute, second, 0).ok()
}

/// A civil date and hour, `2019-09-16T09:00` or with a space.
pub(crate) fn parse_date_time(text: &str) -> Option<civil::DateTime> {
    let (date, time) = text.split_once(['T', ' '])?;
    Some(parse_date(date)?.to_datetime(parse_time(time.trim())?))
}

/// A date, `2019-09-16` or `2019/9/16`; years 1900 to 2200, so that every moment of it can be told.
pub(crate) fn parse_date(text: &str) -> Option<civil::Date> {
    let mut parts = text.trim().splitn(3, ['-', '/']);
    let mut part = || parts.next().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let (year, month, day) = (part()?.parse().ok()?, part()?.parse().ok()?, part()?.parse().ok()?);
    civil::Date::new(year, month, day).ok().filter(|date| (1900..=2200).contains(&date.year()))
}

/// `10.1.0.1-10.2.255.254`, or one address.
fn parse_range(text: &str) -> Option<AddressRange> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (Ipv4Addr, Ipv4Addr) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some(AddressRange(first, last))
}

/// `2001:db8::1000-2001:db8::1fff`, or one address.
fn parse_range6(text: &str) -> Option<AddressRange6> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (Ipv6Addr, Ipv6Addr) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some(AddressRange6(first, last))
}

/// Octets written in hexadecimal, with or without colons, hyphens, dots or spaces between them.
pub(crate) fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b':' | b'-' | b'.' | b' ')).collect();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let plain = digits.len().is_multiple_of(2) && digits.iter().all(u8::is_ascii_hexdigit);
    plain.then(|| digits.chunks(2).map(octet).collect())?
}

/// `hex:0104...`, or text as it stands.
pub(crate) fn parse_octets(text: &str) -> Option<Vec<u8>> {
    match text.strip_prefix("hex:") {
        Some(digits) => parse_hex(digits),
        None => Some(text.as_bytes().to_vec()),
    }
}

/// `4GiB`, `500 MB`, `1000`.
fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (count, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    count.parse::<u64>().ok()?.checked_mul(factor)
}

/// Lets text be read by a function and described by a pattern-free schema.
macro_rules! text_leaf {
    ($type:ty, $kind:literal, $example:literal, $parse:expr) => {
        impl Leaf for $type {
            const KIND: &'static str = $kind;
            const EXAMPLE: &'static str = $example;

            fn from_value(value: &Value) -> Option<Self> {
                let parse: fn(&str) -> Option<Self> = $parse;
                moment(value).and_then(parse)
            }

            fn schema() -> Json {
                json!({ "type": "string", "examples": [$example.trim_matches('"')] })
            }
        }
    };
}

/// Lets one of a few words be read.
macro_rules! word_leaf {
    ($type:ty, $kind:literal, $example:literal, [$($word:literal => $value:expr),* $(,)?]) => {
        impl Leaf for $type {
            const KIND: &'static str = $kind;
            const EXAMPLE: &'static str = $example;

            fn from_value(value: &Value) -> Option<Self> {
                match text(value)? {
                    $($word => Some($value),)*
                    _ => None,
                }
            }

            fn schema() -> Json {
                json!({ "enum": [$($word),*] })
            }
        }
    };
}

text_leaf!(Text, "a line of text", "\"text\"", |text| {
    (!text.is_empty() && !text.chars().any(char::is_control)).then(|| Self(text.to_owned()))
});
text_leaf!(Zone, "an IANA time zone", "\"Asia/Tokyo\"", |name| {
    Some(Self { name: name.to_owned(), zone: TimeZone::get(name).ok()? })
});
text_leaf!(civil::Date, "a date", "\"2026-05-16\"", parse_date);
text_leaf!(civil::Time, "an hour of the day", "\"09:00\"", parse_time);
text_leaf!(Moment, "an hour, or a date and hour", "\"2026-05-16T09:00\"", |text| {
    parse_time(text).map(Self::Time).or_else(|| parse_date_time(text).map(Self::DateTime))
});
text_leaf!(Duration, "a length of time", "\"1h\"", |text| {
    Duration::try_from(text.parse::<SignedDuration>().ok()?).ok().filter(|time| time.as_secs() <= 366 * 86_400)
});
text_leaf!(Ipv4Addr, "an IPv4 address", "\"192.0.2.1\"", |text| text.parse().ok());
text_leaf!(IpAddr, "an IP address", "\"192.0.2.1\"", |text| text.parse().ok());
text_leaf!(Ipv4Net, "an IPv4 prefix of a network", "\"10.10.0.0/23\"", |text| {
    text.parse::<Self>().ok().filter(|net| net.trunc() == *net && net.prefix_len() <= 30)
});
text_leaf!(SocketAddr, "an address with port", "\"0.0.0.0:53\"", |text| text.parse().ok());
text_leaf!(
    AddressRange,
    "a range of addresses, the first not above the last",
    "\"10.10.0.10-10.10.1.254\"",
    parse_range
);
text_leaf!(Ipv6Addr, "an IPv6 address", "\"2001:db8::1\"", |text| text.parse().ok());
text_leaf!(Ipv6Net, "an IPv6 prefix", "\"2001:db8:10::/64\"", |text| {
    text.parse::<Self>().ok().filter(|net| net.trunc() == *net && net.prefix_len() > 0)
});
text_leaf!(
    AddressRange6,
    "a range of IPv6 addresses, the first not above the last",
    "\"2001:db8:10::1000-2001:db8:10::ffff\"",
    parse_range6
);
text_leaf!(Octets, "text or `hex:` with octets, 1 to 255 of them", "\"hex:0102\"", |text| {
    parse_octets(text).filter(|octets| (1..=255).contains(&octets.len())).map(Self)
});
text_leaf!(MacPrefix, "the start of a MAC address, 1 to 6 octets", "\"02:00:5e\"", |text| {
    parse_hex(text).filter(|octets| (1..=6).contains(&octets.len())).map(Self)
});
text_leaf!(Sender, "an IPv4 address or prefix", "\"10.10.0.0/24\"", |text| {
    let net = text.parse().or_else(|_| text.parse().map(|address: Ipv4Addr| Ipv4Net::from(address)));
    net.ok().filter(|net: &Ipv4Net| net.trunc() == *net).map(Self)
});
text_leaf!(Network, "an address or prefix", "\"10.10.0.0/16\"", |text| {
    let net = text.parse().or_else(|_| text.parse().map(|address: IpAddr| IpNet::from(address)));
    net.ok().filter(|net: &IpNet| net.trunc() == *net).map(Self)
});
text_leaf!(
    DnsServer,
    "a DNS server: ADDRESS, `tls://ADDRESS#NAME` or `https://ADDRESS/PATH#NAME`",
    "\"tls://9.9.9.9#dns.quad9.net\"",
    |text| parse_dns_server(text).map(Self)
);
text_leaf!(Mac, "a MAC address", "\"02:00:5e:00:53:01\"", |text| text.parse().ok());
text_leaf!(PortRef, "a port of a device", "\"sw-4f-1:Gi0/1\"", Self::parse);
text_leaf!(Secret, "a secret or a reference to one", "\"env:WIFI_PSK\"", |text| {
    let secret = match text.split_once(':') {
        Some(("env", name)) => Self::Environment(name.to_owned()),
        Some(("file", path)) => Self::File(path.to_owned()),
        _ => Self::Plain(text.to_owned()),
    };
    match &secret {
        Self::Environment(name) | Self::File(name) | Self::Plain(name) => !name.trim().is_empty(),
    }
    .then_some(secret)
});
text_leaf!(Via, "`relay`, `direct`, `none` or `other:NAME`", "\"relay\"", |text| match text {
    "relay" => Some(Self::Relay),
    "direct" => Some(Self::Direct),
    "none" => Some(Self::None),
    _ => text.strip_prefix("other:").filter(|name| !name.is_empty()).map(|name| Self::Other(name.to_owned())),
});
word_leaf!(DayKind, "`setup`, `tutorial`, `conference` or `sprint`", "\"conference\"",
    ["setup" => Self::Setup, "tutorial" => Self::Tutorial, "conference" => Self::Conference, "sprint" => Self::Sprint]);
word_leaf!(RoomKind, "`talk`, `lounge`, `noc` or `other`", "\"talk\"",
    ["talk" => Self::Talk, "lounge" => Self::Lounge, "noc" => Self::Noc, "other" => Self::Other]);
word_leaf!(VlanKind, "`attendee`, `staff` or `management`", "\"attendee\"",
    ["attendee" => Self::Attendee, "staff" => Self::Staff, "management" => Self::Management]);
word_leaf!(Role, "`edge`, `core`, `access`, `access-point`, `injector`, `server` or `spare`", "\"access\"",
    ["edge" => Self::Edge, "core" => Self::Core, "access" => Self::Access, "access-point" => Self::AccessPoint,
     "injector" => Self::Injector, "server" => Self::Server, "spare" => Self::Spare]);
word_leaf!(DeviceKind, "`router`, `switch`, `access-point`, `injector` or `server`", "\"switch\"",
    ["router" => Self::Router, "switch" => Self::Switch, "access-point" => Self::AccessPoint,
     "injector" => Self::Injector, "server" => Self::Server]);
word_leaf!(Severity, "`error`, `warning` or `info`", "\"warning\"",
    ["error" => Self::Error, "warning" => Self::Warning, "info" => Self::Info]);
word_leaf!(OutletKind, "`webhook`, `slack`, `discord`, `matrix` or `mail`", "\"slack\"",
    ["webhook" => Self::Webhook, "slack" => Self::Slack, "discord" => Self::Discord, "matrix" => Self::Matrix,
     "mail" => Self::Mail]);
word_leaf!(Ipv6Mode, "`slaac`, `stateless` or `stateful`", "\"stateless\"",
    ["slaac" => Self::Slaac, "stateless" => Self::Stateless, "stateful" => Self::Stateful]);
word_leaf!(PoeStandard, "`af`, `at` or `bt`", "\"af\"", ["af" => Self::Af, "at" => Self::At, "bt" => Self::Bt]);

impl Leaf for bool {
    const KIND: &'static str = "true or false";
    const EXAMPLE: &'static str = "true";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Boolean(claim) => Some(*claim),
            _ => None,
        }
    }

    fn schema() -> Json {
        json!({ "type": "boolean" })
    }
}

impl Leaf for u32 {
    const KIND: &'static str = "a whole number from 0 to 1000000000";
    const EXAMPLE: &'static str = "60";

    fn from_value(value: &Value) -> Option<Self> {
        integer(value, 0, COUNT_MAX).and_then(|number| number.try_into().ok())
    }

    fn schema() -> Json {
        json!({ "type": "integer", "minimum": 0, "maximum": COUNT_MAX })
    }
}

impl Leaf for model::VlanId {
    const KIND: &'static str = "a VLAN identifier from 1 to 4094";
    const EXAMPLE: &'static str = "10";

    fn from_value(value: &Value) -> Option<Self> {
        integer(value, 1, 4094).and_then(|number| number.try_into().ok()).map(Self)
    }

    fn schema() -> Json {
        json!({ "type": "integer", "minimum": 1, "maximum": 4094 })
    }
}

impl Leaf for f64 {
    const KIND: &'static str = "a number, 0 or more";
    const EXAMPLE: &'static str = "2.5";

    fn from_value(value: &Value) -> Option<Self> {
        number(value)
    }

    fn schema() -> Json {
        json!({ "type": "number", "minimum": 0 })
    }
}

impl Leaf for Bytes {
    const KIND: &'static str = "a number of bytes";
    const EXAMPLE: &'static str = "\"4GiB\"";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(number) => u64::try_from(*number).ok().map(Self),
            _ => parse_bytes(text(value)?).map(Self),
        }
    }

    fn schema() -> Json {
        json!({ "type": ["string", "integer"], "examples": ["4GiB"] })
    }
}

impl Leaf for Estimate {
    const KIND: &'static str = "a number or { low, likely, high } in rising order";
    const EXAMPLE: &'static str = "{ low = 900, likely = 1100, high = 1400 }";

    fn from_value(value: &Value) -> Option<Self> {
        let Value::Table(table) = value else {
            let likely = number(value)?;
            return Some(Self { low: likely, likely, high: likely });
        };
        let part = |name: &str| table.get(name).and_then(|(_, node)| number(&node.value));
        let estimate = Self { low: part("low")?, likely: part("likely")?, high: part("high")? };
        let ordered = estimate.low <= estimate.likely && estimate.likely <= estimate.high;
        (table.len() == 3 && ordered).then_some(estimate)
    }

    fn schema() -> Json {
        let part = json!({ "type": "number", "minimum": 0 });
        json!({ "anyOf": [part, {
            "type": "object",
            "properties": { "low": part, "likely": part, "high": part },
            "required": ["low", "likely", "high"],
            "additionalProperties": false,
        }] })
    }
}

impl Leaf for PoolRange {
    const KIND: &'static str = "a range of addresses or { range, class }, the first address not above the last";
    const EXAMPLE: &'static str = "\"10.10.0.10-10.10.1.254\"";

    fn from_value(value: &Value) -> Option<Self> {
        let Value::Table(table) = value else {
            return Some(Self { range: AddressRange::from_value(value)?, class: None });
        };
        let part = |name: &str| table.get(name).map(|(_, node)| &node.value);
        let class = match part("class") {
            None => None,
            Some(class) => Some(Text::from_value(class)?.0),
        };
        (table.len() == 1 + usize::from(class.is_some())).then_some(())?;
        Some(Self { range: AddressRange::from_value(part("range")?)?, class })
    }

    fn schema() -> Json {
        let range = AddressRange::schema();
        json!({ "anyOf": [range, {
            "type": "object",
            "properties": { "range": range, "class": { "type": "string" } },
            "required": ["range"],
            "additionalProperties": false,
        }] })
    }
}

impl Leaf for AnyValue {
    const KIND: &'static str = "the value of an option";
    const EXAMPLE: &'static str = "\"192.0.2.1\"";

    fn from_value(value: &Value) -> Option<Self> {
        Some(Self(value.clone()))
    }

    fn schema() -> Json {
        json!({ "anyOf": [
            { "type": ["string", "integer", "boolean"] },
            { "type": "array", "items": { "type": ["string", "integer"] } },
            { "type": "object" },
        ] })
    }
}

impl Leaf for ChannelNumber {
    const KIND: &'static str = "a channel number or { number, width }, width one of 20, 40, 80, 160, 320";
    const EXAMPLE: &'static str = "36";

    fn from_value(value: &Value) -> Option<Self> {
        let channel = |value: &Value| integer(value, 1, 233).and_then(|number| number.try_into().ok());
        let Value::Table(table) = value else {
            return Some(Self { number: channel(value)?, width_mhz: 20 });
        };
        let part = |name: &str| table.get(name).map(|(_, node)| &node.value);
        let width = match part("width") {
            None => 20,
            Some(width) => integer(width, 20, 320).filter(|width| [20, 40, 80, 160, 320].contains(width))?,
        };
        let known = 1 + usize::from(table.contains_key("width"));
        (table.len() == known).then_some(())?;
        Some(Self { number: channel(part("number")?)?, width_mhz: width.try_into().ok()? })
    }

    fn schema() -> Json {
        let number = json!({ "type": "integer", "minimum": 1, "maximum": 233 });
        json!({ "anyOf": [number, {
            "type": "object",
            "properties": { "number": number, "width": { "enum": [20, 40, 80, 160, 320] } },
            "required": ["number"],
            "additionalProperties": false,
        }] })
    }
}

impl ChannelNumber {
    /// In its band, which the file writes as key.
    pub(crate) fn in_band(self, band: Band) -> Channel {
        Channel { band, number: self.number, width_mhz: self.width_mhz }
    }
}

/// The band of a key such as `5GHz`.
pub(crate) fn parse_band(key: &str) -> Option<Band> {
    match key {
        "2.4GHz" => Some(Band::Ghz2),
        "5GHz" => Some(Band::Ghz5),
        "6GHz" => Some(Band::Ghz6),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Leaf>(text: &str, wanted: bool) {
        let node = crate::file::tree::parse_value("test", text).expect("TOML");
        assert_eq!(T::from_value(&node.value).is_some(), wanted, "{text} as {}", T::KIND);
    }

    #[test]
    fn values_are_read_or_refused() {
        check::<civil::Date>("2026-05-16", true);
        check::<civil::Date>("\"2026/5/16\"", true);
        check::<civil::Date>("\"2026-02-30\"", false);
        check::<civil::Time>("\"9:00\"", true);
        check::<civil::Time>("\"24:00\"", false);
        check::<civil::Time>("\"9:0\"", false);
        check::<civil::Time>("09:00", true);
        check::<Moment>("2026-05-16T08:00", true);
        check::<Moment>("\"2026-05-16 08:00\"", true);
        check::<Duration>("\"30m\"", true);
        check::<Duration>("\"-1h\"", false);
        check::<Duration>("3600", false);
        check::<Ipv4Net>("\"10.10.0.0/23\"", true);
        check::<Ipv4Net>("\"10.10.0.1/23\"", false);
        check::<Ipv4Net>("\"10.10.0.0/33\"", false);
        check::<AddressRange>("\"10.1.0.1-10.2.255.254\"", true);
        check::<AddressRange>("\"10.2.0.1-10.1.255.254\"", false);
        check::<Network>("\"2001:db8::/32\"", true);
        check::<Network>("\"192.0.2.1\"", true);
        check::<Network>("\"192.0.2.1/24\"", false);
        check::<Network>("\"lan\"", false);
        check::<DnsServer>("\"9.9.9.9\"", true);
        check::<DnsServer>("\"127.0.0.1:5300\"", true);
        check::<DnsServer>("\"[2001:db8::1]:53\"", true);
        check::<DnsServer>("\"resolver.example\"", false);
        check::<DnsServer>("\"9.9.9.9#dns.example\"", false);
        check::<DnsServer>("\"tls://9.9.9.9#dns.example\"", true);
        check::<DnsServer>("\"tls://[2001:db8::1]:8853\"", true);
        check::<DnsServer>("\"tls://[2001:db8::1]#dns.example\"", true);
        check::<DnsServer>("\"tls://9.9.9.9/dns-query\"", false);
        check::<DnsServer>("\"tls://9.9.9.9#-bad-.example\"", false);
        check::<DnsServer>("\"tls://dns.example\"", false);
        check::<DnsServer>("\"https://9.9.9.9/dns-query#dns.example\"", true);
        check::<DnsServer>("\"https://9.9.9.9\"", true);
        check::<DnsServer>("\"https://9.9.9.9/a b\"", false);
        check::<DnsServer>("\"quic://9.9.9.9\"", false);
        check::<Bytes>("\"4GiB\"", true);
        check::<Bytes>("\"99999999999 TiB\"", false);
        check::<Estimate>("60", true);
        check::<Estimate>("{ low = 1, likely = 2, high = 3 }", true);
        check::<Estimate>("{ low = 3, likely = 2, high = 3 }", false);
        check::<Estimate>("{ low = 1, likely = 2, high = 3, other = 4 }", false);
        check::<Estimate>("nan", false);
        check::<ChannelNumber>("36", true);
        check::<ChannelNumber>("{ number = 36, width = 40 }", true);
        check::<ChannelNumber>("{ number = 36, width = 41 }", false);
        check::<Zone>("\"Asia/Tokyo\"", true);
        check::<Zone>("\"Asia/Tokio\"", false);
        check::<Via>("\"other:venue\"", true);
        check::<Via>("\"other:\"", false);
        check::<Text>("\"\"", false);
        check::<PoolRange>("{ range = \"10.1.0.1-10.1.0.9\", class = \"ap\" }", true);
        check::<PoolRange>("{ range = \"10.1.0.9-10.1.0.1\", class = \"ap\" }", false);
        check::<PoolRange>("{ range = \"10.1.0.1\", clas = \"ap\" }", false);
        check::<Octets>("\"hex:01:04 ff\"", true);
        check::<Octets>("\"sw-1f:Gi0/7\"", true);
        check::<Octets>("\"hex:014\"", false);
        check::<Octets>("\"hex:\"", false);
        check::<MacPrefix>("\"02:00:5e\"", true);
        check::<MacPrefix>("\"02:00:5e:00:53:01:02\"", false);
        check::<Sender>("\"10.0.0.7\"", true);
        check::<Sender>("\"10.0.0.7/24\"", false);
        check::<Ipv6Net>("\"2001:db8::/32\"", true);
        check::<Ipv6Net>("\"2001:db8::1/32\"", false);
        check::<AddressRange6>("\"2001:db8::1-2001:db8::f\"", true);
        check::<AddressRange6>("\"2001:db8::f-2001:db8::1\"", false);
    }
}
