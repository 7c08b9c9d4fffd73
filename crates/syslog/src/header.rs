//! The headers of RFC 5424 and of everything else, after PRI.

use jiff::tz::TimeZone;
use model::Timestamp;

use crate::clock::{self, Clock, device_clock};

/// The parts of a line, borrowed from it. Empty text = absent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Header<'a> {
    pub(crate) host: &'a str,
    pub(crate) app: &'a str,
    pub(crate) time: Option<Timestamp>,
    pub(crate) message: &'a str,
    /// `daemon.notice` of OpenWrt's `logread`, which stands for PRI.
    pub(crate) priority_name: Option<&'a str>,
}

/// RFC 5424 section 6: `1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID SD [MSG]`. `None` when it is not one.
///
/// Structured data is skipped; when nothing follows it, it is the message, so that no line looks empty.
pub(crate) fn rfc5424(text: &str) -> Option<Header<'_>> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if !(1..=3).contains(&digits) || text.starts_with('0') {
        return None;
    }
    let text = text[digits..].strip_prefix(' ')?;
    let (stamp, text) = text.split_once(' ')?;
    let time = match stamp {
        "-" => None,
        _ => Some(clock::rfc3339(stamp).filter(|(_, rest)| rest.is_empty())?.0),
    };
    let (host, text) = field(text)?;
    let (app, text) = field(text)?;
    let (_procid, text) = field(text)?;
    let (_msgid, text) = match text.split_once(' ') {
        Some((msgid, rest)) => (msgid, rest),
        None => (text, ""),
    };
    let message = match after_structured_data(text) {
        Some("") => text.strip_prefix('-').unwrap_or(text),
        Some(message) => message,
        None => text,
    };
    // RFC 5424 section 6.4: MSG may begin with a byte-order mark.
    let message = message.strip_prefix('\u{feff}').unwrap_or(message);
    Some(Header { host, app, time, message, priority_name: None })
}

fn field(text: &str) -> Option<(&str, &str)> {
    let (value, rest) = text.split_once(' ')?;
    match value {
        "" => None,
        "-" => Some(("", rest)),
        _ => Some((value, rest)),
    }
}

/// What follows STRUCTURED-DATA (RFC 5424 section 6.3); `None` when that is malformed.
fn after_structured_data(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix('-') {
        return match rest {
            "" => Some(""),
            _ => rest.strip_prefix(' '),
        };
    }
    let bytes = text.as_bytes();
    let mut position = 0;
    while bytes.get(position) == Some(&b'[') {
        let (mut is_quoted, mut is_escaped) = (false, false);
        let length = bytes[position..].iter().position(|&byte| {
            let ends = byte == b']' && !is_quoted;
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' if is_quoted => is_escaped = true,
                b'"' => is_quoted = !is_quoted,
                _ => {}
            }
            ends
        })?;
        position += length + 1;
    }
    if position == 0 {
        return None;
    }
    let rest = &text[position..];
    if rest.is_empty() { Some("") } else { rest.strip_prefix(' ') }
}

/// RFC 3164 section 4.1 and the dialects: an optional time, host and tag in the orders that devices use.
pub(crate) fn legacy<'a>(text: &'a str, received: Timestamp, zone: &TimeZone) -> Header<'a> {
    let text = text.trim_start_matches(' ');
    if let Some(clock) = device_clock(text, received, zone) {
        return after_clock(clock, "", received, zone);
    }
    if let Some(header) = cisco_prefix(text, received, zone) {
        return header;
    }
    let (app, message) = tag(text);
    Header { app, message, ..Header::default() }
}

/// Sequence numbers, a host and a task name, each ended by a colon, in front of the time (Cisco IOS, WLC):
/// `387448: sw1: Sep 16 10:00:00.123: %..`, `: sw1: 12: ..`, `wlc1: *task1: ..`; or of a bare `%SYS-5-..`.
fn cisco_prefix<'a>(text: &'a str, received: Timestamp, zone: &TimeZone) -> Option<Header<'a>> {
    const ITEMS_MAX: usize = 4;
    let (mut host, mut is_numbered, mut cursor) = ("", false, text);
    for _ in 0..ITEMS_MAX {
        let (item, rest) = cursor.split_once(':')?;
        let rest = rest.trim_start_matches(' ');
        if item.len() > HOST_OCTETS_MAX || !item.bytes().all(is_name_octet) {
            return None;
        }
        if item.bytes().all(|octet| octet.is_ascii_digit()) {
            is_numbered = true;
        } else if !item.starts_with('*') {
            if !host.is_empty() {
                return None;
            }
            host = item;
        }
        if let Some(clock) = device_clock(rest, received, zone)
            && clock.is_closed
            && (clock.is_dated || is_numbered)
        {
            return Some(after_clock(clock, host, received, zone));
        }
        if is_numbered && rest.starts_with('%') {
            let (app, message) = tag(rest);
            return Some(Header { host, app, message, ..Header::default() });
        }
        cursor = rest;
    }
    None
}

fn after_clock<'a>(clock: Clock<'a>, host: &'a str, received: Timestamp, zone: &TimeZone) -> Header<'a> {
    let mut rest = clock.rest.trim_start_matches(' ');
    let mut header = Header { host, time: clock.time, ..Header::default() };
    // A colon after the time is Cisco's and leaves no room for a host; an undated line has no header (NEC IX).
    if !clock.is_closed && clock.is_dated {
        if clock.has_weekday
            && let Some((name, after)) = rest.split_once(' ')
            && is_priority_name(name)
        {
            header.priority_name = Some(name);
            rest = after;
        } else {
            (header.host, rest) = host_slot(rest);
        }
        // Cisco IOS XR repeats node and time behind the host: `RP/0/RP0/CPU0:Sep 16 10:00:00.1 UTC: ...`.
        if let Some((node, after)) = rest.split_once(':')
            && node.contains('/')
            && !node.contains(' ')
            && let Some(inner) = device_clock(after, received, zone)
            && inner.is_closed
        {
            header.time = inner.time.or(header.time);
            rest = inner.rest.trim_start_matches(' ');
        }
    }
    (header.app, header.message) = tag(rest);
    header
}

const HOST_OCTETS_MAX: usize = 255;
const APP_OCTETS_MAX: usize = 48;

/// The HOSTNAME of RFC 3164 section 4.1.2, which pfSense and hostapd leave out, and UniFi fills with
/// `model,mac,firmware`. Answers host (or nothing) and the rest.
fn host_slot(text: &str) -> (&str, &str) {
    let Some((word, rest)) = text.split_once(' ') else { return ("", text) };
    let rest = rest.trim_start_matches(' ');
    if word.matches(',').count() == 2 {
        // The firmware is left out, so that an upgrade does not make a new host.
        return (word.rsplit_once(',').map_or(word, |(host, _firmware)| host), rest);
    }
    let is_address = word.parse::<std::net::IpAddr>().is_ok();
    let is_tag = word.ends_with(':') || word.contains(['[', '%', '=']);
    let is_too_long = word.len() > HOST_OCTETS_MAX || word.chars().any(char::is_control);
    if (is_tag && !is_address) || is_too_long || text.starts_with("last message repeated") {
        return ("", text);
    }
    (word, rest)
}

/// TAG of RFC 3164 section 4.1.3, without process id, or Cisco's `%FACILITY-SEVERITY-MNEMONIC`; then the rest.
fn tag(text: &str) -> (&str, &str) {
    if text.starts_with('%') {
        let length = text.find([':', ' ']).unwrap_or(text.len());
        let (app, rest) = text.split_at(length);
        if !app.contains(['-', '/']) || app.len() > APP_OCTETS_MAX {
            return ("", text);
        }
        return (app, rest.trim_start_matches([' ', ':']));
    }
    let length = text.bytes().take_while(|&octet| is_name_octet(octet)).count();
    let (app, mut rest) = text.split_at(length);
    if app.is_empty() || length > APP_OCTETS_MAX {
        return ("", text);
    }
    if let Some(inside) = rest.strip_prefix('[') {
        let Some(end) = inside.bytes().take(APP_OCTETS_MAX).position(|octet| octet == b']') else { return ("", text) };
        rest = &inside[end + 1..];
    }
    match rest.strip_prefix(':') {
        Some("") => (app, ""),
        Some(message) if message.starts_with(' ') => (app, message.trim_start_matches(' ')),
        Some(_) | None => ("", text),
    }
}

fn is_name_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'_' | b'-' | b'/' | b'@' | b'*' | b'#')
}

/// `facility.severity` in words.
fn is_priority_name(name: &str) -> bool {
    name.split_once('.').is_some_and(|(facility, severity)| {
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_alphanumeric());
        is_word(facility) && is_word(severity)
    })
}
