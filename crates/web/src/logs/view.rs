//! Lines as HTML. Everything a device says is escaped by the templates, and what would steer a reader is shown.

use askama::Template;
use axum::{
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use jiff::tz::TimeZone;
use store::{LogLine, LogPosition, printable};

use super::{
    KindOf, LogAsk, LogDesk, LogRoom, Refusal,
    ask::{PAGE_LINES, PERIODS},
    words::{LogWords, words},
};
use crate::{State, language::Language, page::local};

/// A message on a page of many; the whole is on the page around it.
const MESSAGE_CHARACTERS_MAX: usize = 500;

#[derive(Template)]
#[template(path = "logs_entrance.html")]
struct Entrance<'a> {
    language: Language,
    words: &'a LogWords,
    name: &'a str,
    is_wrong: bool,
    /// Where the reader comes from, to go back there.
    to: &'a str,
}

#[derive(Template)]
#[template(path = "logs.html")]
struct Page<'a> {
    language: Language,
    words: &'a LogWords,
    name: &'a str,
    ask: &'a LogAsk,
    rooms: &'a [LogRoom],
    periods: Vec<(&'a str, &'a str)>,
    severities: Vec<(&'a str, &'a str)>,
    /// What was asked, for links.
    asked: String,
    other_language: String,
    rows: String,
}

#[derive(Template)]
#[template(path = "logs_rows.html")]
struct Rows<'a> {
    language: Language,
    words: &'a LogWords,
    rows: Vec<Row>,
    /// Why there are none.
    refusal: Option<String>,
    /// Address of the next page.
    older: Option<String>,
}

#[derive(Template)]
#[template(path = "logs_around.html")]
struct Around<'a> {
    language: Language,
    words: &'a LogWords,
    name: &'a str,
    rows: String,
    raw: Option<String>,
}

/// A line with its local time and the words of the language.
struct Row {
    position: LogPosition,
    time: String,
    day: String,
    source: String,
    host: String,
    level: &'static str,
    severity: &'static str,
    app: String,
    kind: &'static str,
    message: String,
    is_cut: bool,
    is_hit: bool,
}

/// Where the key is asked for.
pub(super) fn entrance(state: &State, language: Language, is_wrong: bool, to: Option<&str>) -> Response {
    let snapshot = state.snapshot();
    let page =
        Entrance { language, words: words(language), name: &snapshot.event.name, is_wrong, to: to.unwrap_or_default() };
    let headers = [(header::CACHE_CONTROL, "no-store")];
    (StatusCode::UNAUTHORIZED, headers, Html(page.render().unwrap_or_default())).into_response()
}

pub(super) fn page(
    state: &State,
    desk: &LogDesk,
    ask: &LogAsk,
    language: Language,
    raw: &str,
    found: Result<Vec<LogLine>, Refusal>,
) -> (StatusCode, String) {
    let (status, rows) = rows(state, desk, language, raw, found);
    let (snapshot, words) = (state.snapshot(), words(language));
    let page = Page {
        language,
        words,
        name: &snapshot.event.name,
        ask,
        rooms: &desk.rooms,
        periods: PERIODS.iter().map(|(name, _)| *name).zip(words.periods).collect(),
        severities: model::LogSeverity::ALL.iter().map(|severity| severity.name()).zip(words.severities).collect(),
        asked: without(raw, &["key", "at"]),
        other_language: format!("{}&lang={}", without(raw, &["key", "at", "lang"]), language.other().tag()),
        rows,
    };
    (status, page.render().unwrap_or_default())
}

/// The lines and what follows them; what the page brings up to date.
pub(super) fn rows(
    state: &State,
    desk: &LogDesk,
    language: Language,
    raw: &str,
    found: Result<Vec<LogLine>, Refusal>,
) -> (StatusCode, String) {
    let words = words(language);
    let (status, lines, refusal) = match found {
        Ok(lines) => (StatusCode::OK, lines, None),
        Err(refusal) => (refusal.status(), Vec::new(), Some(says(&refusal, words))),
    };
    let last = lines.last().filter(|_| lines.len() >= PAGE_LINES);
    let older = last.map(|last| format!("{}&beyond={}", without(raw, &["key", "at", "beyond"]), last.position));
    let zone = zone(state);
    let rows = lines.iter().map(|line| row(line, words, desk.kind, &zone, Some(MESSAGE_CHARACTERS_MAX))).collect();
    (status, Rows { language, words, rows, refusal, older }.render().unwrap_or_default())
}

pub(super) fn around(
    state: &State,
    desk: &LogDesk,
    language: Language,
    hit: LogPosition,
    found: Result<Vec<LogLine>, Refusal>,
) -> (StatusCode, String) {
    let (words, zone) = (words(language), zone(state));
    let (status, lines, refusal) = match found {
        Ok(lines) => (StatusCode::OK, lines, None),
        Err(refusal) => (refusal.status(), Vec::new(), Some(says(&refusal, words))),
    };
    let raw = lines.iter().find(|line| line.position == hit).map(|line| String::from_utf8_lossy(&line.log.raw));
    let raw = raw.map(|raw| printable(&raw).into_owned());
    let to_row = |line: &LogLine| {
        let is_hit = line.position == hit;
        Row { is_hit, ..row(line, words, desk.kind, &zone, (!is_hit).then_some(MESSAGE_CHARACTERS_MAX)) }
    };
    let rows = Rows { language, words, rows: lines.iter().map(to_row).collect(), refusal, older: None };
    let snapshot = state.snapshot();
    let page = Around { language, words, name: &snapshot.event.name, rows: rows.render().unwrap_or_default(), raw };
    (status, page.render().unwrap_or_default())
}

fn row(line: &LogLine, words: &LogWords, kind_of: KindOf, zone: &TimeZone, characters_max: Option<usize>) -> Row {
    let log = &line.log;
    let kind = kind_of(&log.app, &log.message);
    let message = printable(&log.message);
    let end = characters_max.and_then(|most| message.char_indices().nth(most)).map(|(end, _)| end);
    Row {
        position: line.position,
        time: local(log.received, zone, "%H:%M:%S%.3f"),
        day: local(log.received, zone, "%F"),
        source: log.source.to_string(),
        host: if log.host.is_empty() { log.source.ip().to_string() } else { printable(&log.host).into_owned() },
        level: log.severity.map_or("none", |severity| severity.name()),
        severity: log.severity.map_or("", |severity| words.severities[usize::from(severity.number())]),
        app: printable(&log.app).into_owned(),
        kind: kind.and_then(|kind| words.kinds.iter().find(|(name, _)| *name == kind)).map_or("", |(_, word)| word),
        message: end.map_or(&*message, |end| &message[..end]).to_owned(),
        is_cut: end.is_some(),
        is_hit: false,
    }
}

fn says(refusal: &Refusal, words: &LogWords) -> String {
    match refusal {
        Refusal::Busy => words.busy.to_owned(),
        Refusal::TooLong => words.too_long.to_owned(),
        Refusal::Unreadable => words.unreadable.to_owned(),
        Refusal::Pattern(says) => format!("{} {says}", words.wrong_pattern),
        Refusal::Time(text) => format!("{} {}", words.wrong_time, printable(text)),
    }
}

fn zone(state: &State) -> TimeZone {
    TimeZone::get(&state.snapshot().event.time_zone).unwrap_or(TimeZone::UTC)
}

/// A query of an address without some of its fields; still encoded, so it can stand in an address again.
fn without(raw: &str, names: &[&str]) -> String {
    let is_kept = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        !pair.is_empty() && !names.contains(&name)
    };
    raw.split('&').filter(is_kept).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_taken_out_of_an_address() {
        for (raw, want) in
            [("text=a%26b&key=x&device=sw-*", "text=a%26b&device=sw-*"), ("key=x", ""), ("", ""), ("&&text=", "text=")]
        {
            assert_eq!(without(raw, &["key"]), want, "{raw}");
        }
    }
}
