//! The live page, `/metrics` and `/healthz` over [`Snapshot`]s.
//!
//! Opens no listener (it hands a router to whoever has one), reads no clock, knows no engine. What it shows holds
//! aggregates only, but for the log, which is for who has the key ([`LogDesk`]); everything from the plan and the
//! network is escaped. Start at [`router`].

mod events;
mod handling;
mod language;
mod logs;
mod metrics;
mod page;
mod phrases;
mod traffic;
mod words;

use std::sync::{Arc, atomic::AtomicUsize};

use axum::{
    Router,
    extract::State as Extract,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::get,
};
use model::Snapshot;
use tokio::sync::watch;

pub use handling::HandleAlert;
pub use logs::{KindOf, LogDesk, LogRoom};

/// What the routes look at.
#[derive(Clone)]
pub struct State {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    streams: Arc<AtomicUsize>,
    logs: Option<Arc<LogDesk>>,
    alerts: Option<HandleAlert>,
}

impl State {
    /// From the stream of snapshots.
    pub fn new(snapshots: watch::Receiver<Arc<Snapshot>>) -> Self {
        Self { snapshots, streams: Arc::default(), logs: None, alerts: None }
    }

    /// The same, and the log for who has its key.
    #[must_use]
    pub fn with_logs(self, desk: LogDesk) -> Self {
        Self { logs: Some(Arc::new(desk)), ..self }
    }

    /// The same, and alerts can be taken by who has the key of the log.
    #[must_use]
    pub fn with_alerts(self, handle: HandleAlert) -> Self {
        Self { alerts: Some(handle), ..self }
    }

    /// True for a reader who has the key.
    fn is_noc(&self, headers: &HeaderMap) -> bool {
        self.logs.as_ref().is_some_and(|desk| desk.lets_in(headers))
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }
}

/// `/` the page, `/events` its stream, `/api/snapshot` the same as JSON, `/metrics`, `/healthz`; for the NOC `/logs` and `/alerts/handle`.
pub fn router(state: State) -> Router {
    Router::new()
        .route("/", get(page::page))
        .route("/events", get(events::events))
        .route("/api/snapshot", get(snapshot))
        .route("/metrics", get(metrics))
        .route("/healthz", get(health))
        .route("/assets/page.css", get(|| asset("text/css; charset=utf-8", include_str!("../assets/page.css"))))
        .route("/assets/page.js", get(|| asset("text/javascript; charset=utf-8", include_str!("../assets/page.js"))))
        .route("/favicon.ico", get(|| asset("image/svg+xml", include_str!("../assets/icon.svg"))))
        .route("/alerts/handle", handling::route())
        .merge(logs::routes())
        .fallback(|| async { (StatusCode::NOT_FOUND, "not found; the page is at /\n") })
        .layer(map_response(with_security_headers))
        .with_state(state)
}

async fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "max-age=300")], text).into_response()
}

async fn snapshot(Extract(state): Extract<State>) -> Response {
    match serde_json::to_vec(&*state.snapshot()) {
        Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn metrics(Extract(state): Extract<State>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let form = metrics::Form::asked_for(accept);
    let text = metrics::text(&state.snapshot().metrics, form);
    ([(header::CONTENT_TYPE, form.content_type())], text).into_response()
}

/// 200 while whoever makes snapshots is alive, else 503.
async fn health(Extract(state): Extract<State>) -> Response {
    match state.snapshots.has_changed() {
        Ok(_) => (StatusCode::OK, "ok\n").into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the services have stopped\n").into_response(),
    }
}

/// Nothing is fetched from elsewhere, nothing is framed, nothing is guessed.
async fn with_security_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let policy = "default-src 'self'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

#[cfg(test)]
mod tests;
