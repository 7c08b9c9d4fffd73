//! A stored line as RFC 5424 message, for whoever collects from several.

use model::{LogRecord, Timestamp};

/// What RFC 5424 allows of a name (section 6.2): printable ASCII without space.
const HOST_OCTETS_MAX: usize = 255;
const APP_OCTETS_MAX: usize = 48;
/// `user.notice`, for a line that came without PRI (RFC 3164 section 4.3.3).
const PRI_DEFAULT: u8 = 13;

/// Appends the line with its length in front (RFC 6587 section 3.4.1, which RFC 5425 asks for).
pub(super) fn append_counted(log: &LogRecord, octets: &mut Vec<u8>) {
    let mut message = Vec::with_capacity(log.raw.len() + 96);
    append(log, &mut message);
    octets.extend_from_slice(message.len().to_string().as_bytes());
    octets.push(b' ');
    octets.extend_from_slice(&message);
}

/// A line that is RFC 5424 already goes on as it came, structured data and all; only a time or host that it lacks is
/// filled in. Another gets a header: its own time or else when it was received, its originator, and its sender's address
/// in the parameter `ip` of `origin` (RFC 5424 section 7.2).
fn append(log: &LogRecord, message: &mut Vec<u8>) {
    if let Some((pri, time, host, rest)) = parts_of_5424(&log.raw) {
        message.extend_from_slice(pri);
        message.push(b' ');
        match time {
            b"-" => message.extend_from_slice(shown(log.received).as_bytes()),
            time => message.extend_from_slice(time),
        }
        message.push(b' ');
        match host {
            b"-" => message.extend_from_slice(originator(log).as_bytes()),
            host => message.extend_from_slice(host),
        }
        message.push(b' ');
        message.extend_from_slice(rest);
        return;
    }
    let pri = log
        .facility
        .zip(log.severity)
        .map_or(PRI_DEFAULT, |(facility, severity)| (facility.0 & 31) * 8 + severity.number());
    let time = shown(log.device_time.unwrap_or(log.received));
    let (host, app) = (originator(log), name(&log.app, APP_OCTETS_MAX));
    let ip = log.source.ip().to_canonical();
    let header = format!("<{pri}>1 {time} {host} {app} - - [origin ip=\"{ip}\"] ");
    message.extend_from_slice(header.as_bytes());
    message.extend_from_slice(log.message.as_bytes());
}

/// `<PRI>1`, TIMESTAMP, HOSTNAME and what follows them.
type Parts<'a> = (&'a [u8], &'a [u8], &'a [u8], &'a [u8]);

/// `None` for a line of another form.
fn parts_of_5424(raw: &[u8]) -> Option<Parts<'_>> {
    let digits = raw.strip_prefix(b"<")?.iter().take_while(|octet| octet.is_ascii_digit()).count();
    let (pri, rest) = raw.split_at_checked(1 + digits + 2)?;
    if !(1..=3).contains(&digits) || !pri.ends_with(b">1") {
        return None;
    }
    let mut rest = rest.strip_prefix(b" ")?;
    let mut word = || -> Option<&[u8]> {
        let end = rest.iter().position(|octet| *octet == b' ')?;
        let (word, behind) = rest.split_at(end);
        rest = &behind[1..];
        (!word.is_empty()).then_some(word)
    };
    let (time, host) = (word()?, word()?);
    let is_time = time == b"-" || (time.len() >= 20 && time[4] == b'-' && time[10] == b'T');
    is_time.then_some((pri, time, host, rest))
}

/// The device's name, else the address of who sent it.
fn originator(log: &LogRecord) -> String {
    match name(&log.host, HOST_OCTETS_MAX).as_str() {
        "-" => log.source.ip().to_canonical().to_string(),
        name => name.to_owned(),
    }
}

fn name(text: &str, octets_max: usize) -> String {
    let kept: String = text.chars().filter(char::is_ascii_graphic).take(octets_max).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}

/// RFC 5424 section 6.2.3: at most six digits of a second.
fn shown(at: Timestamp) -> String {
    Timestamp::from_nanos(at.as_nanos().div_euclid(1_000) * 1_000).to_string()
}

#[cfg(test)]
mod tests {
    use model::{Facility, LogSeverity, Transport};

    use super::*;

    fn check(raw: &[u8], log: Option<(&str, &str, &str)>, expected: &str) {
        let (host, app, message) = log.unwrap_or_default();
        let log = LogRecord {
            received: Timestamp::from_nanos(1_700_000_000_123_456_789),
            source: "[::ffff:192.0.2.20]:514".parse().unwrap(),
            transport: Transport::Udp,
            facility: (host != "no-pri").then_some(Facility(23)),
            severity: (host != "no-pri").then_some(LogSeverity::Error),
            host: host.to_owned(),
            app: app.to_owned(),
            device_time: None,
            message: message.to_owned(),
            raw: raw.to_vec(),
        };
        let mut octets = Vec::new();
        append_counted(&log, &mut octets);
        let text = String::from_utf8_lossy(&octets);
        let (length, message) = text.split_once(' ').unwrap();
        assert_eq!(message, expected);
        assert_eq!(length.parse::<usize>().unwrap(), octets.len() - length.len() - 1);
    }

    #[test]
    fn what_has_the_form_goes_on_as_it_came() {
        let whole = "<165>1 2026-05-16T10:00:00.5+09:00 sw-1 app 7 ID [a@1 x=\"y\\]\"][b@1] text\nmore \u{fffd}";
        check(whole.as_bytes(), None, whole);
        check(
            b"<13>1 - - app - - - hello",
            Some(("sw-1", "", "")),
            "<13>1 2023-11-14T22:13:20.123456Z sw-1 app - - - hello",
        );
        check(b"<13>1 - - app - - - hello", None, "<13>1 2023-11-14T22:13:20.123456Z 192.0.2.20 app - - - hello");
    }

    #[test]
    fn another_line_gets_a_header_that_says_who_sent_it() {
        let log = Some(("sw 1", "%LINK-3-UPDOWN", "Interface Gi1/0/1, changed state to down"));
        let expected = "<187>1 2023-11-14T22:13:20.123456Z sw1 %LINK-3-UPDOWN - - [origin ip=\"192.0.2.20\"] Interface Gi1/0/1, changed state to down";
        check(b"<187>12: Interface", log, expected);
        let expected = "<13>1 2023-11-14T22:13:20.123456Z no-pri - - - [origin ip=\"192.0.2.20\"] x";
        check(b"x", Some(("no-pri", "", "x")), expected);
        for raw in
            [&b""[..], b"<", b"<13", b"<13>", b"<13>1", b"<13>1 ", b"<13>1 2026 x", b"<13>1 a b c", b"<1234>1 - - -"]
        {
            check(
                raw,
                Some(("h", "a", "m")),
                "<187>1 2023-11-14T22:13:20.123456Z h a - - [origin ip=\"192.0.2.20\"] m",
            );
        }
    }
}
