//! What a query asks, ready to be compared with lines.

use std::{fmt, sync::Arc};

use model::{Facility, LogRecord, LogSeverity, Timestamp};
use regex::bytes::{Regex, RegexBuilder};

use super::{LogPosition, LogQuery, QueryError};
use crate::telemetry::grams::Asked;

/// Longest pattern of a regular expression, octets.
const REGEX_OCTETS_MAX: usize = 1_000;
/// A compiled regular expression, and what searching with it remembers, may take so many octets.
const REGEX_BYTES_MAX: usize = 1 << 20;
/// Names and patterns of names at one time.
const NAMES_MAX: usize = 10_000;
/// All names together, octets.
const NAMES_BYTES_MAX: usize = 16 << 20;

/// A question about program and message of a line that the store cannot answer itself, e.g. whether it tells of a link
/// that went down. Asked only of lines that everything else of the query wants.
#[derive(Clone)]
pub struct LineTest(Arc<Test>);

type Test = dyn Fn(&str, &str) -> bool + Send + Sync;

impl LineTest {
    /// `test` gets program and message.
    pub fn new(test: impl Fn(&str, &str) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(test))
    }

    pub(super) fn wants(&self, app: &str, message: &str) -> bool {
        (self.0)(app, message)
    }
}

impl fmt::Debug for LineTest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LineTest")
    }
}

/// A pattern for exactly this name, whatever stands in it; see [`LogQuery::hosts`].
pub fn exact_name(name: &str) -> String {
    let mut pattern = String::with_capacity(name.len());
    for character in name.chars() {
        if matches!(character, '*' | '?' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

/// A [`LogQuery`], compiled.
pub(super) struct Filter {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    /// In the direction of the query, what is not beyond this is not wanted.
    beyond: Option<(LogPosition, bool)>,
    pub(super) hosts: Option<Regex>,
    /// A line without originator is looked for by the address of its sender.
    pub(super) may_be_source: bool,
    pub(super) apps: Option<Regex>,
    pub(super) severity_at_most: Option<LogSeverity>,
    pub(super) facility: Option<Facility>,
    pub(super) text: Option<Regex>,
    /// Pieces that a line with `text` has for certain.
    pub(super) grams: Option<Asked>,
    pub(super) regex: Option<Regex>,
    pub(super) test: Option<LineTest>,
}

impl Filter {
    pub(super) fn compile(query: &LogQuery) -> Result<Self, QueryError> {
        let text = query.text.as_deref().filter(|text| !text.is_empty());
        let is_address = |name: &String| name.chars().all(|c| c.is_ascii_hexdigit() || ".:*?".contains(c));
        Ok(Self {
            from: query.from,
            to: query.to,
            beyond: query.beyond.map(|position| (position, query.newest_first)),
            may_be_source: query.hosts.iter().flatten().any(is_address),
            hosts: query.hosts.as_deref().map(names).transpose()?,
            apps: query.apps.as_deref().map(names).transpose()?,
            severity_at_most: query.severity_at_most,
            facility: query.facility,
            text: text.map(literal).transpose()?,
            grams: text.and_then(Asked::of),
            regex: query.regex.as_deref().map(expression).transpose()?,
            test: query.test.clone(),
        })
    }

    /// True when lines received from `first` to `last` may be wanted.
    pub(super) fn overlaps(&self, first: Timestamp, last: Timestamp) -> bool {
        self.from.is_none_or(|from| last >= from)
            && self.to.is_none_or(|to| first < to)
            && self.beyond.is_none_or(
                |(position, is_back)| {
                    if is_back { first <= position.received } else { last >= position.received }
                },
            )
    }

    /// True when all lines received from `first` to `last` are wanted, as far as time goes.
    pub(super) fn encloses(&self, first: Timestamp, last: Timestamp) -> bool {
        self.is_in_time(first) && self.is_in_time(last) && self.beyond.is_none()
    }

    pub(super) fn is_in_time(&self, received: Timestamp) -> bool {
        self.from.is_none_or(|from| received >= from) && self.to.is_none_or(|to| received < to)
    }

    pub(super) fn is_beyond(&self, position: LogPosition) -> bool {
        self.beyond.is_none_or(|(limit, is_back)| if is_back { position < limit } else { position > limit })
    }

    pub(super) fn has_only_time(&self) -> bool {
        self.hosts.is_none()
            && self.apps.is_none()
            && self.severity_at_most.is_none()
            && self.facility.is_none()
            && !self.looks_into_lines()
    }

    /// True when what a line says is asked about.
    pub(super) fn looks_into_lines(&self) -> bool {
        self.text.is_some() || self.regex.is_some() || self.test.is_some()
    }

    /// Everything but time.
    pub(super) fn matches(&self, log: &LogRecord) -> bool {
        self.severity_at_most.is_none_or(|most| log.severity.is_some_and(|severity| severity <= most))
            && self.facility.is_none_or(|facility| log.facility == Some(facility))
            && self.apps.as_ref().is_none_or(|apps| apps.is_match(log.app.as_bytes()))
            && self.is_host(&log.host, || log.source.ip().to_string())
            && self.text.as_ref().is_none_or(|text| text.is_match(searched(&log.raw, &log.message)))
            && self.regex.as_ref().is_none_or(|regex| regex.is_match(log.message.as_bytes()))
            && self.test.as_ref().is_none_or(|test| test.wants(&log.app, &log.message))
    }

    /// `source` is the address without port.
    fn is_host(&self, host: &str, source: impl FnOnce() -> String) -> bool {
        self.hosts.as_ref().is_none_or(|hosts| {
            hosts.is_match(host.as_bytes())
                || self.may_be_source && host.is_empty() && hosts.is_match(source().as_bytes())
        })
    }
}

/// What text is looked for in: the line as it came, which holds the message; lines of our own have only a message.
fn searched<'a>(raw: &'a [u8], message: &'a str) -> &'a [u8] {
    if raw.is_empty() { message.as_bytes() } else { raw }
}

/// Any of `patterns`, whole, upper and lower case of ASCII alike; `*` is anything, `?` any one octet.
fn names(patterns: &[String]) -> Result<Regex, QueryError> {
    let octets: usize = patterns.iter().map(String::len).sum();
    if patterns.len() > NAMES_MAX || octets > NAMES_BYTES_MAX / 64 {
        return Err(QueryError::TooManyNames { max: NAMES_MAX });
    }
    // Without a name nothing is wanted: the class is empty.
    let mut pattern = String::from(if patterns.is_empty() { "[^\\x00-\\xff]" } else { "^(?:" });
    for (at, name) in patterns.iter().enumerate() {
        if at > 0 {
            pattern.push('|');
        }
        let mut octets = name.bytes();
        while let Some(octet) = octets.next() {
            match octet {
                b'*' => pattern.push_str(".*"),
                b'?' => pattern.push('.'),
                b'\\' => push_octet(&mut pattern, octets.next().unwrap_or(b'\\')),
                octet => push_octet(&mut pattern, octet),
            }
        }
    }
    if !patterns.is_empty() {
        pattern.push_str(")$");
    }
    build(
        RegexBuilder::new(&pattern)
            .size_limit(NAMES_BYTES_MAX)
            .dot_matches_new_line(true)
            .unicode(false)
            .case_insensitive(true),
    )
}

/// Text as it stands, upper and lower case of ASCII alike.
fn literal(text: &str) -> Result<Regex, QueryError> {
    let mut pattern = String::with_capacity(text.len() * 4);
    text.bytes().for_each(|octet| push_octet(&mut pattern, octet));
    let size = REGEX_BYTES_MAX.max(text.len().saturating_mul(512));
    build(RegexBuilder::new(&pattern).size_limit(size).unicode(false).case_insensitive(true))
}

fn expression(pattern: &str) -> Result<Regex, QueryError> {
    if pattern.len() > REGEX_OCTETS_MAX {
        return Err(QueryError::Pattern { says: format!("it is longer than {REGEX_OCTETS_MAX} octets") });
    }
    build(RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX))
}

fn build(builder: &mut RegexBuilder) -> Result<Regex, QueryError> {
    builder.dfa_size_limit(REGEX_BYTES_MAX).build().map_err(|error| {
        let says = match error {
            regex::Error::CompiledTooBig(_) => "it is too large when compiled; make it shorter".to_owned(),
            error => error.to_string(),
        };
        QueryError::Pattern { says }
    })
}

fn push_octet(pattern: &mut String, octet: u8) {
    use fmt::Write as _;
    if octet.is_ascii_alphanumeric() {
        pattern.push(char::from(octet));
    } else {
        // Writing into a string cannot fail.
        let _ = write!(pattern, "\\x{octet:02x}");
    }
}

/// Marks in `wanted` the values that hold a match of `text`. `octets` are all values one after the other, `offsets`
/// where each begins and the last ends: one search through all is far faster than one for each value.
pub(super) fn mark_matches(text: &Regex, octets: &[u8], offsets: &[usize], wanted: &mut [bool]) {
    let at = |index: usize| offsets[index];
    let rows = offsets.len().saturating_sub(1);
    let end = if rows == 0 { 0 } else { at(rows) };
    let mut matched = vec![false; rows];
    let mut row = 0;
    let mut start = if rows == 0 { 0 } else { at(0) };
    while let Some(found) = octets.get(..end).filter(|_| start < end).and_then(|octets| text.find_at(octets, start)) {
        while at(row + 1) <= found.start() {
            row += 1;
        }
        if found.end() <= at(row + 1) {
            matched[row] = true;
            start = at(row + 1);
        } else {
            // It runs over into the next value, so it is none; another may begin right behind.
            start = found.start() + 1;
        }
    }
    wanted.iter_mut().zip(matched).for_each(|(wanted, matched)| *wanted &= matched);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_found_in_any_case() {
        for (octets, wanted, is_found) in [
            ("Interface DOWN", "down", true),
            ("Interface DOWN", "Down", true),
            ("Interface DOWN", "downs", false),
            ("", "x", false),
            ("障害発生", "害", true),
            ("aab", "ab", true),
            ("a.b", "a.b", true),
            ("axb", "a.b", false),
            ("a\0b\u{1b}[2J", "\0B\u{1b}[", true),
        ] {
            assert_eq!(literal(wanted).unwrap().is_match(octets.as_bytes()), is_found, "{octets} {wanted}");
        }
    }

    #[test]
    fn names_are_whole_and_may_have_stars() {
        let table = [
            ("sw-4f-1", "SW-4F-1", true),
            ("sw-4f-1", "sw-4f-10", false),
            ("sw-4f-1", "xsw-4f-1", false),
            ("sw-*", "sw-4f-10", true),
            ("sw-?f-1", "sw-4f-1", true),
            ("*", "", true),
            ("a.c", "abc", false),
            ("a*\n", "a\n\n", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            (&exact_name("a?\\*"), "a?\\*", true),
        ];
        for (pattern, name, is_found) in table {
            assert_eq!(names(&[pattern.to_owned()]).unwrap().is_match(name.as_bytes()), is_found, "{pattern} {name}");
        }
        let two = names(&["a".to_owned(), "b*".to_owned()]).unwrap();
        assert!(two.is_match(b"A") && two.is_match(b"bc") && !two.is_match(b"ab"));
        assert!(!names(&[]).unwrap().is_match(b"") && !names(&[]).unwrap().is_match(b"a"));
        let many: Vec<String> = (0..5_000).map(|number| format!("sw-{number}-of-the-hall")).collect();
        assert!(names(&many).unwrap().is_match(b"sw-4999-of-the-hall"));
    }

    #[test]
    fn patterns_that_would_cost_too_much_are_refused() {
        for pattern in ["(", "(a{1000}){1000}", &"a".repeat(2_000)] {
            assert!(matches!(expression(pattern), Err(QueryError::Pattern { .. })), "{pattern}");
        }
        assert!(literal(&"x".repeat(4_096)).is_ok());
    }

    #[test]
    fn values_are_searched_apart() {
        let rows: [&[u8]; 6] = [b"xxab", b"c ABC", b"", b"ab", b"c", b"abcabc"];
        let mut offsets = vec![0];
        let mut octets = Vec::new();
        for row in rows {
            octets.extend_from_slice(row);
            offsets.push(octets.len());
        }
        let mut wanted = [true; 6];
        mark_matches(&literal("abc").unwrap(), &octets, &offsets, &mut wanted);
        assert_eq!(wanted, [false, true, false, false, false, true]);
        let mut sliced = [true, false, true];
        mark_matches(&literal("ab").unwrap(), &octets, &offsets[2..6], &mut sliced);
        assert_eq!(sliced, [false, false, false]);
        mark_matches(&literal("a").unwrap(), &[], &[], &mut []);
    }
}
