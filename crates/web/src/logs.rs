//! `/logs`: the log for who runs the network. Lines hold personal data, so nothing of them is shown without the key.
//!
//! The key lies in the state directory: who can read that can read the log anyway. `hotstage logs --page` shows a link
//! with it; the browser keeps it in a cookie for half a day. Everything here reads, nothing changes anything.

mod ask;
mod download;
mod view;
mod words;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{Query, RawQuery, State as Extract},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use store::{LogLine, LogQuery, QueryError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::State;
use ask::LogAsk;

/// Searches at one time, downloads among them; each may use a core for a while.
const SEARCHES_MAX: usize = 3;
/// How long a search may take; what services need comes first.
const SEARCH_TIME_MAX: Duration = Duration::from_secs(10);
/// Threads of one search.
const SEARCH_THREADS: usize = 2;
const COOKIE: &str = "hotstage_noc";
/// How long a browser keeps the key, in seconds.
const COOKIE_SECS: u32 = 12 * 3_600;
/// What `to` says of the live page; nothing else is gone to.
const TO_PAGE: &str = "page";
/// Shortest key that is taken: 128 bits in hexadecimal.
const KEY_OCTETS_MIN: usize = 32;

/// Where the log is, who may see it, and what the plan knows of it.
pub struct LogDesk {
    state: PathBuf,
    key: String,
    rooms: Vec<LogRoom>,
    kind: KindOf,
    searches: Arc<Semaphore>,
}

/// A room of the plan and what stands in it.
#[derive(Clone, Debug)]
pub struct LogRoom {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Ids of its devices, which are their names in the log.
    pub devices: Vec<String>,
}

/// The typed event that program and message of a line tell of, if any.
pub type KindOf = fn(&str, &str) -> Option<&'static str>;

impl LogDesk {
    /// The log in the state directory `state`, for who has `key`; `None` when that could be guessed.
    pub fn new(state: PathBuf, key: String, rooms: Vec<LogRoom>, kind: KindOf) -> Option<Self> {
        let is_good = key.len() >= KEY_OCTETS_MIN && key.bytes().all(|octet| octet.is_ascii_alphanumeric());
        let searches = Arc::new(Semaphore::new(SEARCHES_MAX));
        is_good.then_some(Self { state, key, rooms, kind, searches })
    }

    fn is_key(&self, given: &str) -> bool {
        // Looks at every octet, so that time tells nothing about where the first wrong one is.
        let differing = given.bytes().zip(self.key.bytes()).fold(0, |sum, (one, other)| sum | (one ^ other));
        given.len() == self.key.len() && differing == 0
    }

    pub(crate) fn lets_in(&self, headers: &HeaderMap) -> bool {
        let texts = |name| headers.get_all(name).iter().filter_map(|value: &HeaderValue| value.to_str().ok());
        let is_bearer = |value: &str| value.strip_prefix("Bearer ").is_some_and(|key| self.is_key(key));
        let is_cookie =
            |pair: &str| pair.trim().split_once('=').is_some_and(|(name, value)| name == COOKIE && self.is_key(value));
        texts(header::COOKIE).any(|value| value.split(';').any(is_cookie))
            || texts(header::AUTHORIZATION).any(is_bearer)
    }

    /// A place for a search, or `None` when too many are under way.
    fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.searches).try_acquire_owned().ok()
    }

    /// Searches on a thread that may wait for the disk; stopped when it takes too long or nobody waits any more.
    async fn search(&self, query: LogQuery) -> Result<Vec<LogLine>, Refusal> {
        let place = self.place().ok_or(Refusal::Busy)?;
        let stop = StopOnDrop::default();
        let query = LogQuery { stop: Some(Arc::clone(&stop.0)), threads_max: SEARCH_THREADS, ..query };
        let state = self.state.clone();
        let search = tokio::task::spawn_blocking(move || {
            let found = store::search_lines(&state, &query);
            drop(place);
            found
        });
        match tokio::time::timeout(SEARCH_TIME_MAX, search).await {
            Ok(Ok(found)) => found.map_err(Refusal::from),
            Ok(Err(_)) => Err(Refusal::Unreadable),
            Err(_) => Err(Refusal::TooLong),
        }
    }
}

/// Why there are no lines to show.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Refusal {
    Busy,
    TooLong,
    Unreadable,
    /// The pattern is wrong; how.
    Pattern(String),
    /// A moment cannot be read; which.
    Time(String),
}

impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Pattern { says } => Self::Pattern(says),
            error @ QueryError::TooManyNames { .. } => Self::Pattern(error.to_string()),
            QueryError::Stopped => Self::TooLong,
            // The path of the state directory is nobody's business.
            QueryError::Io { .. } | QueryError::Damaged { .. } => Self::Unreadable,
        }
    }
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Busy | Self::TooLong => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreadable => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Pattern(_) | Self::Time(_) => StatusCode::BAD_REQUEST,
        }
    }
}

/// Stops a search when its reader has gone.
#[derive(Default)]
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// `/logs` the page, `/logs/rows` its lines, `/logs/around` those around one, `/logs/lines.csv` and `.json` all of them.
pub(crate) fn routes() -> Router<State> {
    Router::new()
        .route("/logs", get(page))
        .route("/logs/rows", get(rows))
        .route("/logs/around", get(around))
        .route("/logs/lines.csv", get(download::csv))
        .route("/logs/lines.json", get(download::json))
        .route("/assets/logs.css", get(|| crate::asset("text/css; charset=utf-8", include_str!("../assets/logs.css"))))
        .route(
            "/assets/logs.js",
            get(|| crate::asset("text/javascript; charset=utf-8", include_str!("../assets/logs.js"))),
        )
}

/// The key, where the reader comes with it.
#[derive(Deserialize, Default)]
struct Entry {
    key: Option<String>,
    /// Back to the live page afterwards.
    to: Option<String>,
}

async fn page(
    Extract(state): Extract<State>,
    Query(entry): Query<Entry>,
    Query(ask): Query<LogAsk>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Some(desk) = &state.logs else { return absent() };
    let language = ask.language(&headers);
    if let Some(key) = &entry.key {
        return if desk.is_key(key.trim()) {
            welcome(key.trim(), entry.to.as_deref())
        } else {
            view::entrance(&state, language, true, entry.to.as_deref())
        };
    }
    if !desk.lets_in(&headers) {
        return view::entrance(&state, language, false, entry.to.as_deref());
    }
    let found = found(&state, desk, &ask).await;
    private(view::page(&state, desk, &ask, language, raw.as_deref().unwrap_or_default(), found))
}

async fn rows(
    Extract(state): Extract<State>,
    Query(ask): Query<LogAsk>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Some(desk) = &state.logs else { return absent() };
    if !desk.lets_in(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let language = ask.language(&headers);
    let found = found(&state, desk, &ask).await;
    private(view::rows(&state, desk, language, raw.as_deref().unwrap_or_default(), found))
}

/// The line at a position with those of the same originator before and after it.
async fn around(Extract(state): Extract<State>, Query(ask): Query<LogAsk>, headers: HeaderMap) -> Response {
    let Some(desk) = &state.logs else { return absent() };
    let language = ask.language(&headers);
    if !desk.lets_in(&headers) {
        return view::entrance(&state, language, false, None);
    }
    let Some(position) = ask.at() else { return StatusCode::BAD_REQUEST.into_response() };
    let found = async {
        let Some(hit) = desk.search(ask::exactly(position)).await?.into_iter().find(|line| line.position == position)
        else {
            return Ok(Vec::new());
        };
        let mut lines = desk.search(ask::after(&hit)).await?;
        lines.reverse();
        let before = desk.search(ask::before(&hit)).await?;
        lines.push(hit);
        lines.extend(before);
        Ok(lines)
    };
    private(view::around(&state, desk, language, position, found.await))
}

async fn found(state: &State, desk: &LogDesk, ask: &LogAsk) -> Result<Vec<LogLine>, Refusal> {
    desk.search(ask.query(&state.snapshot(), desk)?).await
}

/// Keeps the key in the browser and takes it out of the address, so that it is in no history.
fn welcome(key: &str, to: Option<&str>) -> Response {
    let cookie = format!("{COOKIE}={key}; Path=/; Max-Age={COOKIE_SECS}; HttpOnly; SameSite=Lax");
    let headers =
        [(header::SET_COOKIE, cookie), (header::LOCATION, if to == Some(TO_PAGE) { "/" } else { "/logs" }.to_owned())];
    (StatusCode::SEE_OTHER, headers, [(header::CACHE_CONTROL, "no-store")]).into_response()
}

fn absent() -> Response {
    (StatusCode::NOT_FOUND, "the log is not shown here\n").into_response()
}

/// Kept by nobody on the way.
fn private((status, html): (StatusCode, String)) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Html(html)).into_response()
}

#[cfg(test)]
mod tests;
