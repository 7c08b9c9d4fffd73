//! Times as devices write them. Every function takes text and answers what it read and the rest.

use jiff::{civil, tz::TimeZone};
use model::Timestamp;

/// A time at the front of a header.
pub(crate) struct Clock<'a> {
    /// The moment, if the form says enough (an uptime or a time of day does not).
    pub(crate) time: Option<Timestamp>,
    /// True when a date was written.
    pub(crate) is_dated: bool,
    /// True when a weekday stood in front, as OpenWrt's `logread` writes it.
    pub(crate) has_weekday: bool,
    /// True when a colon ended it, as Cisco writes it; removed from `rest`.
    pub(crate) is_closed: bool,
    /// What follows.
    pub(crate) rest: &'a str,
}

/// RFC 3339 section 5.6 with a mandatory offset, as RFC 5424 section 6.2.3 wants it.
pub(crate) fn rfc3339(text: &str) -> Option<(Timestamp, &str)> {
    let (mut moment, rest) = iso_date(text, b'-')?;
    let rest = rest.strip_prefix(['T', 't'])?;
    let rest = moment.time_of_day(rest)?;
    let (offset, rest) = numeric_offset(rest)?;
    Some((moment.at_offset(offset)?, rest))
}

/// Any of the forms devices put in front of a message. `received` gives the year where none is written,
/// `zone` the offset where none is written.
pub(crate) fn device_clock<'a>(text: &'a str, received: Timestamp, zone: &TimeZone) -> Option<Clock<'a>> {
    // `*` = never synchronised, `.` = synchronisation lost (Cisco IOS `service timestamps`).
    let text = text.strip_prefix(['*', '.']).unwrap_or(text);
    if let Some((time, rest)) = rfc3339(text) {
        return Some(closed(Some(time), true, rest));
    }
    if let Some(clock) = named_month(text, received, zone) {
        return Some(clock);
    }
    if let Some((mut moment, rest)) = iso_date(text, b'/').or_else(|| iso_date(text, b'-')) {
        let rest = moment.time_of_day(rest.strip_prefix([' ', 'T'])?)?;
        let (offset, rest) = cisco_zone(rest);
        return Some(closed(moment.at(offset, zone), true, rest));
    }
    undated(text)
}

/// `Jan  6 10:00:00`, with optional weekday and year before, year after the day or after the time, fraction and zone.
fn named_month<'a>(text: &'a str, received: Timestamp, zone: &TimeZone) -> Option<Clock<'a>> {
    let (has_weekday, text) = match weekday(text) {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mut year, text) = match digits(text, 4, 4) {
        Some((year, rest)) => (Some(year), rest.strip_prefix(' ')?),
        None => (None, text),
    };
    let (month, text) = month(text)?;
    let (day, text) = digits(spaces(text)?, 1, 2)?;
    let mut text = spaces(text)?;
    if year.is_none()
        && let Some((number, rest)) = digits(text, 4, 4)
    {
        year = Some(number);
        text = spaces(rest)?;
    }
    let mut moment = Moment { month, day, ..Moment::default() };
    let mut text = moment.time_of_day(text)?;
    if year.is_none()
        && let Some((number, rest)) = text.strip_prefix(' ').and_then(|rest| digits(rest, 4, 4))
        && (1970..=2261).contains(&number)
        && ends_a_year(rest)
    {
        year = Some(number);
        text = rest;
    }
    let (offset, rest) = cisco_zone(text);
    moment.year = match year {
        Some(year) => i64::from(year),
        None => moment.likely_year(received)?,
    };
    Some(Clock { has_weekday, ..closed(moment.at(offset, zone), true, rest) })
}

/// A year stands alone or before Cisco's colon; `2001:db8::7` begins an address.
fn ends_a_year(rest: &str) -> bool {
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    rest.is_empty() || rest.starts_with(' ')
}

/// A time of day or an uptime (`03:11:27`, `1w2d`, `2d03h`), which say no moment.
fn undated(text: &str) -> Option<Clock<'_>> {
    let mut moment = Moment::default();
    if let Some(rest) = moment.time_of_day(text) {
        let (_, rest) = cisco_zone(rest);
        return (rest.is_empty() || rest.starts_with([' ', ':'])).then(|| closed(None, false, rest));
    }
    let (_, rest) = digits(text, 1, 4)?;
    let (_, rest) = digits(rest.strip_prefix(['y', 'w', 'd'])?, 1, 2)?;
    rest.strip_prefix(['w', 'd', 'h'])?.strip_prefix(':').map(|rest| Clock {
        time: None,
        is_dated: false,
        has_weekday: false,
        is_closed: true,
        rest,
    })
}

fn closed(time: Option<Timestamp>, is_dated: bool, rest: &str) -> Clock<'_> {
    let (is_closed, rest) = match rest.strip_prefix(':') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    Clock { time, is_dated, has_weekday: false, is_closed, rest }
}

/// A date and time as written, before its offset is known.
#[derive(Clone, Copy, Default)]
struct Moment {
    year: i64,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    nanos: u32,
}

impl Moment {
    /// Reads `hh:mm:ss` with an optional fraction after a dot or comma; answers the rest.
    fn time_of_day<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        let (hour, text) = digits(text, 1, 2)?;
        let (minute, text) = digits(text.strip_prefix(':')?, 2, 2)?;
        let (second, text) = digits(text.strip_prefix(':')?, 2, 2)?;
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        // A leap second (60) is counted as the second before it, since POSIX time has none.
        (self.hour, self.minute, self.second) = (hour, minute, second.min(59));
        let Some(fraction) = text.strip_prefix(['.', ',']) else { return Some(text) };
        let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if length == 0 {
            return Some(text);
        }
        let mut unit = 100_000_000;
        for digit in fraction.bytes().take(length.min(9)) {
            self.nanos += u32::from(digit - b'0') * unit;
            unit /= 10;
        }
        Some(&fraction[length..])
    }

    /// Seconds since the epoch as if the offset were zero; `None` when the calendar has no such day.
    fn civil_secs(&self) -> Option<i64> {
        let is_leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let days_in_month = match self.month {
            2 => 28 + u32::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        if self.day == 0 || self.day > days_in_month || !(1970..=2261).contains(&self.year) {
            return None;
        }
        // Days from the civil calendar, with years that begin in March so that the leap day comes last.
        let month = i64::from(self.month);
        let year = self.year - i64::from(month <= 2);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(self.day) - 1;
        let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
        Some(days * 86_400 + i64::from(self.hour) * 3_600 + i64::from(self.minute) * 60 + i64::from(self.second))
    }

    fn at_offset(&self, offset_secs: i64) -> Option<Timestamp> {
        let nanos = (self.civil_secs()? - offset_secs).checked_mul(1_000_000_000)?;
        Some(Timestamp::from_nanos(nanos.checked_add(i64::from(self.nanos))?))
    }

    fn at(&self, offset_secs: Option<i64>, zone: &TimeZone) -> Option<Timestamp> {
        if let Some(offset_secs) = offset_secs {
            return self.at_offset(offset_secs);
        }
        self.civil_secs()?;
        let small = |value: u32| i8::try_from(value).ok();
        let date = civil::DateTime::new(
            i16::try_from(self.year).ok()?,
            small(self.month)?,
            small(self.day)?,
            small(self.hour)?,
            small(self.minute)?,
            small(self.second)?,
            i32::try_from(self.nanos).ok()?,
        );
        let nanos = zone.to_timestamp(date.ok()?).ok()?.as_nanosecond();
        i64::try_from(nanos).ok().map(Timestamp::from_nanos)
    }

    /// The year that puts this moment last before `received`, or at most a week after it: a line of 31 December may
    /// arrive on 1 January, and a device's clock may be a little ahead.
    fn likely_year(&self, received: Timestamp) -> Option<i64> {
        const WEEK_SECS: i64 = 7 * 86_400;
        let around = 1970 + received.as_secs().div_euclid(31_556_952);
        (around - 1..=around + 1)
            .filter_map(|year| {
                let secs = Self { year, ..*self }.civil_secs()?;
                let is_ahead = secs > received.as_secs().saturating_add(WEEK_SECS);
                Some((is_ahead, secs.abs_diff(received.as_secs()), year))
            })
            .min()
            .map(|(.., year)| year)
    }
}

/// `2019-09-16` or `2019/09/16`.
fn iso_date(text: &str, separator: u8) -> Option<(Moment, &str)> {
    let separator = char::from(separator);
    let (year, text) = digits(text, 4, 4)?;
    let (month, text) = digits(text.strip_prefix(separator)?, 2, 2)?;
    let (day, text) = digits(text.strip_prefix(separator)?, 2, 2)?;
    Some((Moment { year: i64::from(year), month, day, ..Moment::default() }, text))
}

/// `Z` or `+hh:mm`, in seconds east of UTC.
fn numeric_offset(text: &str) -> Option<(i64, &str)> {
    if let Some(rest) = text.strip_prefix(['Z', 'z']) {
        return Some((0, rest));
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, text) = digits(text.strip_prefix(['+', '-'])?, 2, 2)?;
    let (minutes, text) = digits(text.strip_prefix(':')?, 2, 2)?;
    (hours < 24 && minutes < 60).then_some((sign * i64::from(hours * 3_600 + minutes * 60), text))
}

/// ` JST`, ` UTC+07:30` or ` Z` before a colon; anything else is left alone, since it may be a host name.
fn cisco_zone(text: &str) -> (Option<i64>, &str) {
    let Some(zone) = text.strip_prefix(' ') else { return (None, text) };
    if let Some((offset, rest)) = zone.strip_prefix("UTC").and_then(numeric_offset)
        && rest.starts_with(':')
    {
        return (Some(offset), rest);
    }
    let length = zone.bytes().take_while(u8::is_ascii_uppercase).count();
    if !(1..=5).contains(&length) || !zone[length..].starts_with(':') {
        return (None, text);
    }
    match zone_offset(&zone[..length]) {
        Zone::Known(offset_secs) => (Some(offset_secs), &zone[length..]),
        Zone::Ambiguous => (None, &zone[length..]),
        Zone::Unknown => (None, text),
    }
}

enum Zone {
    Known(i64),
    Ambiguous,
    Unknown,
}

/// Abbreviations that mean one thing only; those that several countries share take the zone of the plan.
fn zone_offset(name: &str) -> Zone {
    let quarter_hours = match name {
        "Z" | "UTC" | "GMT" | "WET" => 0,
        "CET" | "WEST" => 4,
        "CEST" | "EET" => 8,
        "EEST" | "MSK" => 12,
        "JST" | "KST" => 36,
        "AEST" => 40,
        "AEDT" => 44,
        "EST" => -20,
        "EDT" => -16,
        "CDT" => -20,
        "MST" => -28,
        "MDT" => -24,
        "PST" => -32,
        "PDT" => -28,
        "CST" | "IST" | "BST" | "AST" | "SGT" | "HKT" | "ICT" | "NZST" | "NZDT" => return Zone::Ambiguous,
        _ => return Zone::Unknown,
    };
    Zone::Known(quarter_hours * 900)
}

fn weekday(text: &str) -> Option<&str> {
    let name = text.get(..3)?;
    ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].contains(&name).then(|| spaces(&text[3..]))?
}

fn month(text: &str) -> Option<(u32, &str)> {
    const NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let name = text.get(..3)?;
    let month = (1..).zip(NAMES).find(|(_, known)| known.eq_ignore_ascii_case(name))?.0;
    Some((month, &text[3..]))
}

/// At least one space.
fn spaces(text: &str) -> Option<&str> {
    text.strip_prefix(' ').map(|rest| rest.trim_start_matches(' '))
}

/// A number of `at_least` to `at_most` (below 10) digits.
fn digits(text: &str, at_least: usize, at_most: usize) -> Option<(u32, &str)> {
    let length = text.bytes().take(at_most).take_while(u8::is_ascii_digit).count();
    if length < at_least {
        return None;
    }
    Some((text[..length].parse().ok()?, &text[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, time: Option<&str>, rest: &str) {
        let received = "2019-09-16T01:00:00Z".parse::<jiff::Timestamp>().unwrap();
        let received = Timestamp::from_nanos(i64::try_from(received.as_nanosecond()).unwrap());
        let zone = TimeZone::get("Asia/Tokyo").unwrap();
        let clock = device_clock(text, received, &zone).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(clock.time.map(|time| time.to_string()).as_deref(), time, "{text}");
        assert_eq!(clock.rest, rest, "{text}");
    }

    #[test]
    fn reads_the_forms_of_devices() {
        for (text, time, rest) in [
            ("Sep 16 10:00:00 sw1", Some("2019-09-16T01:00:00Z"), " sw1"),
            ("Sep  6 10:00:00 sw1", Some("2019-09-06T01:00:00Z"), " sw1"),
            ("*Sep 16 10:00:00.123: %SYS", Some("2019-09-16T01:00:00.123Z"), " %SYS"),
            (".Sep 16 2018 10:00:00: x", Some("2018-09-16T01:00:00Z"), " x"),
            ("Sep 16 10:00:00.123 UTC+07:30: x", Some("2019-09-16T02:30:00.123Z"), " x"),
            ("Sep 16 10:00:00 CEST: x", Some("2019-09-16T08:00:00Z"), " x"),
            ("Sep 16 10:00:00 CST: x", Some("2019-09-16T01:00:00Z"), " x"),
            ("Sep 16 10:00:00 CRON: x", Some("2019-09-16T01:00:00Z"), " CRON: x"),
            ("2019 Sep 16 10:00:00 JST: x", Some("2019-09-16T01:00:00Z"), " x"),
            ("Oct 9 14:59:04 2009 Sysname", Some("2009-10-09T05:59:04Z"), " Sysname"),
            ("Mon Sep 16 10:00:00 2019 daemon", Some("2019-09-16T01:00:00Z"), " daemon"),
            ("2019/09/16 10:00:00 PPP.012: x", Some("2019-09-16T01:00:00Z"), " PPP.012: x"),
            ("2019-09-16 10:00:00,250 x", Some("2019-09-16T01:00:00.25Z"), " x"),
            ("2024-10-11T10:15:31.208321-05:00 h", Some("2024-10-11T15:15:31.208321Z"), " h"),
            ("03:11:27: %SYS", None, " %SYS"),
            ("1w2d: %SYS", None, " %SYS"),
            ("2d03h: %SYS", None, " %SYS"),
            ("Dec 31 23:59:60 h", Some("2018-12-31T14:59:59Z"), " h"),
            ("Feb 29 10:00:00 h", Some("2020-02-29T01:00:00Z"), " h"),
        ] {
            check(text, time, rest);
        }
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in
            ["", "Sep", "Sep 16", "Sep 16 10:00", "Sep 16 25:00:00 x", "1234", "日本語", "Sep 31:00:00:00", "2019-"]
        {
            assert!(device_clock(text, Timestamp::EPOCH, &TimeZone::UTC).is_none(), "{text}");
        }
    }

    #[test]
    fn a_line_of_last_year_arrives_this_year() {
        let new_year = Timestamp::from_secs(1_577_836_805); // 2020-01-01T00:00:05Z
        let clock = device_clock("Dec 31 23:59:59 h", new_year, &TimeZone::UTC).unwrap();
        assert_eq!(clock.time.unwrap().to_string(), "2019-12-31T23:59:59Z");
    }
}
