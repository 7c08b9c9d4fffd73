//! The page: rendered on the server, kept up to date by replacing its figures.

use askama::Template;
use axum::{
    extract::{Query, State as Extract},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use jiff::tz::TimeZone;
use model::{AccessPointLoad, LeaseNews, Severity, Snapshot, SnapshotAlert, SnapshotTalk, Timestamp};
use serde::Deserialize;

use crate::{
    State,
    language::Language,
    phrases::japanese,
    traffic::TrafficCard,
    words::{Words, words},
};

/// Lines about leases; more would push the incidents off a hall screen.
const LEASE_NEWS_SHOWN: usize = 6;

/// What the reader asked for.
#[derive(Deserialize, Default)]
pub(crate) struct Asked {
    lang: Option<String>,
}

impl Asked {
    pub(crate) fn language(&self, headers: &HeaderMap) -> Language {
        language(self.lang.as_deref(), headers)
    }
}

/// The language asked for, or the one the browser prefers.
pub(crate) fn language(asked: Option<&str>, headers: &HeaderMap) -> Language {
    let accept = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Language::choose(asked, accept)
}

pub(crate) async fn page(Extract(state): Extract<State>, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    let language = asked.language(&headers);
    let snapshot = state.snapshot();
    let is_noc = state.is_noc(&headers) && state.alerts.is_some();
    let page = Page {
        language,
        words: words(language),
        name: &snapshot.event.name,
        figures: figures(&snapshot, language, is_noc),
        has_logs: state.logs.is_some(),
        is_noc,
    };
    match page.render() {
        Ok(html) => ([(header::CACHE_CONTROL, "no-store"), (header::VARY, "Accept-Language, Cookie")], Html(html))
            .into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The part of the page that changes, as HTML.
pub(crate) fn figures(snapshot: &Snapshot, language: Language, is_noc: bool) -> String {
    // The template has no fallible part; an empty page would be noticed by the tests.
    Figures::of(snapshot, language, is_noc).render().unwrap_or_default()
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    language: Language,
    words: &'a Words,
    name: &'a str,
    figures: String,
    /// There is a log to link to.
    has_logs: bool,
    /// The reader may take alerts.
    is_noc: bool,
}

#[derive(Template)]
#[template(path = "figures.html")]
struct Figures<'a> {
    words: &'a Words,
    snapshot: &'a Snapshot,
    networks: String,
    date: String,
    time: String,
    rehearsal: Option<String>,
    rooms: Vec<Bar<'a>>,
    access_points: Vec<Bar<'a>>,
    pools: Vec<Bar<'a>>,
    dhcp_rate: String,
    dhcp_total: String,
    log_total: String,
    unique: String,
    dns_rate: String,
    log_rate: String,
    hit_percent: u32,
    failed_percent: String,
    course: Course,
    alerts: Vec<AlertCard<'a>>,
    alerts_more: u64,
    is_noc: bool,
    lease_news: Vec<NewsLine<'a>>,
    traffic: Option<TrafficCard<'a>>,
    talks_now: Vec<TalkLine<'a>>,
    talks_next: Vec<TalkLine<'a>>,
}

/// A load against its capacity. Level by text and number as well as by colour.
struct Bar<'a> {
    name: &'a str,
    place: &'a str,
    value: u64,
    capacity: u64,
    percent: u64,
    level: &'static str,
    says: &'static str,
}

/// An alert with its local hour and the words of the language.
struct AlertCard<'a> {
    alert: &'a SnapshotAlert,
    /// `error`, `warning` or `info`, for colour and sound.
    level: &'static str,
    severity: &'static str,
    /// Headline in the reader's language, or empty.
    title: &'static str,
    says: String,
    cause: String,
    remedy: String,
    since: String,
    /// Device, room and port, as far as known.
    place: String,
    silenced_until: Option<String>,
}

/// A talk with its local hours.
struct TalkLine<'a> {
    hours: String,
    room: &'a str,
    title: &'a str,
}

/// What happened to leases of one pool.
struct NewsLine<'a> {
    time: String,
    pool: &'a str,
    count: String,
    change: &'static str,
}

/// The course so far, as points of an SVG polyline in a box of 600 by 120.
struct Course {
    points: String,
    most: u64,
}

impl<'a> Figures<'a> {
    fn of(snapshot: &'a Snapshot, language: Language, is_noc: bool) -> Self {
        let words = words(language);
        let zone = TimeZone::get(&snapshot.event.time_zone).unwrap_or(TimeZone::UTC);
        let rates = &snapshot.rates;
        let mut access_points: Vec<Bar<'_>> = snapshot
            .access_points
            .iter()
            .map(|load| {
                bar(words, load.device.as_str(), room_name(snapshot, load), load.clients, load.clients_capacity)
            })
            .collect();
        access_points.sort_by(|a, b| b.percent.cmp(&a.percent).then_with(|| b.value.cmp(&a.value)));
        Self {
            words,
            snapshot,
            networks: snapshot.event.network_names.join(", "),
            date: local(snapshot.at, &zone, if language == Language::Japanese { "%-m月%-d日" } else { "%-d %B" }),
            time: local(snapshot.at, &zone, "%H:%M"),
            rehearsal: (snapshot.speed > 1.0).then(|| format!("{} ×{:.0}", words.rehearsal, snapshot.speed)),
            rooms: snapshot
                .rooms
                .iter()
                .map(|load| bar(words, &load.name, load.floor.as_str(), load.clients, load.clients_capacity))
                .collect(),
            access_points,
            pools: snapshot.pools.iter().map(|pool| bar(words, &pool.name, "", pool.used, pool.size)).collect(),
            dhcp_rate: rate(rates.dhcp_acks),
            dhcp_total: count(rates.dhcp_acks_total),
            log_total: count(rates.log_lines_total),
            unique: count(snapshot.clients_unique),
            dns_rate: rate(rates.dns_queries),
            log_rate: rate(rates.log_lines),
            hit_percent: (rates.dns_hit_ratio * 100.0).round() as u32,
            failed_percent: format!("{:.1}", rates.dns_failed_ratio * 100.0),
            course: course(snapshot),
            alerts: snapshot.alerts.iter().map(|alert| alert_card(alert, snapshot, language, &zone)).collect(),
            is_noc,
            alerts_more: snapshot.alerts_open.saturating_sub(snapshot.alerts.len() as u64),
            lease_news: lease_news(snapshot, words, &zone),
            traffic: snapshot.traffic.as_ref().map(|traffic| TrafficCard::of(traffic, words)),
            talks_now: talk_lines(&snapshot.talks_now, &zone),
            talks_next: talk_lines(&snapshot.talks_next, &zone),
        }
    }
}

fn alert_card<'a>(alert: &'a SnapshotAlert, snapshot: &Snapshot, language: Language, zone: &TimeZone) -> AlertCard<'a> {
    let words = words(language);
    let told = |sentence: &str| match language {
        Language::English => sentence.to_owned(),
        Language::Japanese => japanese(sentence),
    };
    let (level, position) = match alert.severity {
        Severity::Error => ("error", 0),
        Severity::Warning => ("warning", 1),
        Severity::Info => ("info", 2),
    };
    let room = alert.room.as_ref().map(|room| {
        let planned = snapshot.rooms.iter().find(|load| load.room == *room);
        planned.map_or(room.as_str(), |load| load.name.as_str()).to_owned()
    });
    let places = [room, alert.device.as_ref().map(ToString::to_string), alert.port.as_ref().map(ToString::to_string)];
    // The day as well, once it is no longer today.
    let form = if local(alert.since, zone, "%F") == local(snapshot.at, zone, "%F") { "%H:%M:%S" } else { "%F %H:%M" };
    AlertCard {
        alert,
        level,
        severity: words.severities[position],
        title: words.alert_titles.iter().find(|(rule, _)| *rule == alert.rule).map_or("", |(_, title)| title),
        says: told(&alert.says),
        cause: told(&alert.cause),
        remedy: told(&alert.remedy),
        since: local(alert.since, zone, form),
        place: places.into_iter().flatten().collect::<Vec<_>>().join(" · "),
        silenced_until: alert.silenced_until.map(|until| local(until, zone, "%H:%M")),
    }
}

fn lease_news<'a>(snapshot: &'a Snapshot, words: &Words, zone: &TimeZone) -> Vec<NewsLine<'a>> {
    let line = |news: &'a LeaseNews| NewsLine {
        time: local(news.at, zone, "%H:%M:%S"),
        pool: &news.pool,
        count: count(news.count),
        change: words.lease_changes.get(news.change as usize).copied().unwrap_or_default(),
    };
    snapshot.lease_news.iter().take(LEASE_NEWS_SHOWN).map(line).collect()
}

fn bar<'a>(words: &Words, name: &'a str, place: &'a str, value: u64, capacity: u64) -> Bar<'a> {
    let percent = value.saturating_mul(100).checked_div(capacity).unwrap_or(0);
    let (level, says) = match percent {
        0..70 => ("calm", words.has_room),
        70..=100 => ("busy", words.busy),
        _ => ("over", words.over),
    };
    Bar { name, place, value, capacity, percent, level, says }
}

/// The name for people of an access point's room.
fn room_name<'a>(snapshot: &'a Snapshot, load: &'a AccessPointLoad) -> &'a str {
    let room = snapshot.rooms.iter().find(|room| room.room == load.room);
    room.map_or(load.room.as_str(), |room| &room.name)
}

/// A whole number with its thousands apart: `12,345`.
fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Two digits below ten, whole numbers from there.
fn rate(value: f64) -> String {
    if value < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

pub(crate) fn local(at: Timestamp, zone: &TimeZone, form: &str) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(at.as_nanos())) {
        Ok(time) => time.to_zoned(zone.clone()).strftime(form).to_string(),
        Err(_) => String::new(),
    }
}

fn talk_lines<'a>(talks: &'a [SnapshotTalk], zone: &TimeZone) -> Vec<TalkLine<'a>> {
    talks
        .iter()
        .map(|talk| TalkLine {
            hours: format!("{}–{}", local(talk.starts, zone, "%H:%M"), local(talk.ends, zone, "%H:%M")),
            room: &talk.room,
            title: &talk.title,
        })
        .collect()
}

fn course(snapshot: &Snapshot) -> Course {
    const WIDTH: f64 = 600.0;
    const HEIGHT: f64 = 120.0;
    let most = snapshot.history.iter().map(|point| point.clients).max().unwrap_or(0);
    let last = snapshot.history.len().saturating_sub(1).max(1) as f64;
    let points: Vec<String> = snapshot
        .history
        .iter()
        .enumerate()
        .map(|(index, point)| {
            let x = index as f64 / last * WIDTH;
            let y = HEIGHT - point.clients as f64 / most.max(1) as f64 * (HEIGHT - 4.0) - 2.0;
            format!("{x:.1},{y:.1}")
        })
        .collect();
    Course { points: points.join(" "), most }
}
