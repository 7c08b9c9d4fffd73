//! Telling people: each outlet has a thread and a bounded queue, so that a slow one delays neither the services nor
//! another outlet.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use generate::{Duty, Outlet};
use model::Timestamp;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use watch::{Alert, AlertState, OutletKind, message_body};

use super::secret::read_secret;
use crate::clock::instant;

/// Messages that may wait for one outlet; further ones are dropped and counted.
const QUEUE_MAX: usize = 256;
/// A message that was not delivered for so long is given up. Long enough to tell of a lost uplink once it is back.
const DELIVER_FOR: Duration = Duration::from_secs(3_600);
/// Wait after the first failure; it doubles each time.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// Chat services take one message a second each (429 and `Retry-After` beyond).
const CHAT_GAP: Duration = Duration::from_secs(1);
/// How long a receiver may take in all.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(5);
/// How often a wait looks whether the services stop.
const STOP_LOOK: Duration = Duration::from_millis(200);
/// People on duty named in one message.
const DUTIES_MAX: usize = 4;

/// What became of messages, over all outlets.
#[derive(Debug, Default)]
pub(crate) struct OutletCounters {
    pub(crate) delivered: AtomicU64,
    pub(crate) retried: AtomicU64,
    /// Refused by the receiver, or not delivered within [`DELIVER_FOR`].
    pub(crate) failed: AtomicU64,
    /// No room in the queue.
    pub(crate) dropped: AtomicU64,
}

/// The queues of all outlets.
pub(crate) struct Outlets {
    queues: Vec<(OutletKind, SyncSender<Message>)>,
    event: String,
    duties: Vec<Duty>,
    pub(crate) counters: Arc<OutletCounters>,
}

struct Message {
    body: String,
    /// The same for each try, so that a receiver that knows it shows it once (Matrix).
    transaction: String,
}

impl Outlets {
    /// The queues, and the threads to run. An outlet whose secret cannot be had is said and left out.
    pub(crate) fn open(
        outlets: &[Outlet],
        event: &str,
        duties: Vec<Duty>,
        stop: &Arc<AtomicBool>,
    ) -> (Self, Vec<OutletThread>) {
        let counters = Arc::new(OutletCounters::default());
        let (mut queues, mut threads) = (Vec::new(), Vec::new());
        let agent = if outlets.is_empty() { None } else { Some(http_agent()) };
        for outlet in outlets {
            let whose = format!("nobody is told by outlet `{}`", outlet.name);
            let token = outlet.token.as_ref().map(|token| read_secret(&whose, token));
            let (Some(url), Ok(token)) =
                (read_secret(&whose, &outlet.url), token.map_or(Ok(None), |token| token.map(Some).ok_or(())))
            else {
                continue;
            };
            let (sender, queue) = sync_channel(QUEUE_MAX);
            queues.push((outlet.kind, sender));
            let Some(agent) = agent.clone() else { continue };
            threads.push(OutletThread {
                name: outlet.name.clone(),
                kind: outlet.kind,
                url,
                token,
                queue,
                agent,
                is_unreached: Cell::new(false),
                counters: Arc::clone(&counters),
                stop: Arc::clone(stop),
            });
        }
        (Self { queues, event: event.to_owned(), duties, counters }, threads)
    }

    /// Queues an alert for every outlet.
    pub(crate) fn tell(&self, now: Timestamp, alert: &Alert) {
        let duty = self.on_duty(now);
        let over = if alert.state == AlertState::Resolved { "-over" } else { "" };
        let transaction = format!("hotstage-{}-{}-{}{over}", alert.since.as_nanos(), alert.id.0, alert.escalations);
        for (kind, queue) in &self.queues {
            let body = message_body(*kind, alert, &self.event, &duty);
            if queue.try_send(Message { body, transaction: transaction.clone() }).is_err() {
                self.counters.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn on_duty(&self, now: Timestamp) -> String {
        let here = self.duties.iter().filter(|duty| duty.starts <= now && now < duty.ends);
        here.map(|duty| duty.who.as_str()).take(DUTIES_MAX).collect::<Vec<_>>().join("; ")
    }
}

/// Delivers to one outlet.
pub(crate) struct OutletThread {
    name: String,
    kind: OutletKind,
    url: String,
    token: Option<String>,
    queue: Receiver<Message>,
    agent: ureq::Agent,
    /// Nothing was heard from it at the last try.
    is_unreached: Cell<bool>,
    counters: Arc<OutletCounters>,
    stop: Arc<AtomicBool>,
}

/// What a receiver answered.
pub(crate) enum Outcome {
    Delivered,
    /// Try again, not before so long.
    Later(Duration),
    /// It will never take it.
    Refused,
}

impl OutletThread {
    pub(crate) fn run(self) {
        while !self.stop.load(Ordering::Relaxed) {
            match self.queue.recv_timeout(STOP_LOOK) {
                Ok(message) => {
                    self.deliver(&message);
                    self.wait(self.gap());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn deliver(&self, message: &Message) {
        let (mut wait, began) = (RETRY_MIN, instant());
        while began.elapsed() < DELIVER_FOR {
            match self.send(message) {
                Outcome::Delivered => {
                    self.counters.delivered.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                Outcome::Refused => break,
                Outcome::Later(least) => {
                    self.counters.retried.fetch_add(1, Ordering::Relaxed);
                    self.wait(wait.max(least).min(RETRY_MAX));
                    wait = wait.saturating_mul(2);
                }
            }
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
        }
        self.counters.failed.fetch_add(1, Ordering::Relaxed);
        tracing::error!(outlet = self.name, "an alert could not be delivered; check the outlet's `url` in the plan");
    }

    fn send(&self, message: &Message) -> Outcome {
        let request = match self.kind {
            OutletKind::Webhook | OutletKind::Slack | OutletKind::Discord => self.agent.post(&self.url),
            OutletKind::Matrix => self.agent.put(format!("{}/{}", self.url.trim_end_matches('/'), message.transaction)),
        };
        let mut request = request.header("Content-Type", "application/json");
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        match request.send(message.body.as_str()) {
            Ok(response) => {
                self.is_unreached.set(false);
                let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
                outcome(response.status().as_u16(), after)
            }
            Err(error) => {
                // A message or two for each outage, not one for each try.
                if !self.is_unreached.replace(true) {
                    tracing::warn!(outlet = self.name, %error, "an outlet is not reached; its alerts wait");
                }
                Outcome::Later(RETRY_MIN)
            }
        }
    }

    fn gap(&self) -> Duration {
        match self.kind {
            OutletKind::Webhook => Duration::ZERO,
            OutletKind::Slack | OutletKind::Discord | OutletKind::Matrix => CHAT_GAP,
        }
    }

    /// Waits, but not for longer than the services run.
    fn wait(&self, time: Duration) {
        let began = instant();
        while began.elapsed() < time && !self.stop.load(Ordering::Relaxed) {
            thread::park_timeout(STOP_LOOK.min(time));
        }
    }
}

/// HTTP with the trust anchors of the system, as DNS over TLS has them; `SSL_CERT_FILE` names others.
pub(crate) fn http_agent() -> ureq::Agent {
    let native = rustls_native_certs::load_native_certs();
    let roots: Vec<_> = native.certs.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .build();
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(REQUEST_TIME_MAX))
        .http_status_as_error(false)
        .max_redirects(0)
        .tls_config(tls)
        .build();
    config.into()
}

/// RFC 9110 section 15: 2xx took it; 429 and 5xx may take it later; the rest never will.
pub(crate) fn outcome(status: u16, retry_after_seconds: Option<u64>) -> Outcome {
    match status {
        200..=299 => Outcome::Delivered,
        408 | 429 | 500..=599 => Outcome::Later(Duration::from_secs(retry_after_seconds.unwrap_or(0))),
        _ => Outcome::Refused,
    }
}

#[cfg(test)]
mod tests {
    use generate::SecretSource;

    use super::*;

    #[test]
    fn what_comes_of_a_status() {
        let word = |status, after| match outcome(status, after) {
            Outcome::Delivered => "delivered".to_owned(),
            Outcome::Later(least) => format!("later {}", least.as_secs()),
            Outcome::Refused => "refused".to_owned(),
        };
        for (status, after, expected) in [
            (200, None, "delivered"),
            (204, None, "delivered"),
            (301, None, "refused"),
            (404, None, "refused"),
            (429, Some(7), "later 7"),
            (503, None, "later 0"),
        ] {
            assert_eq!(word(status, after), expected, "{status}");
        }
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let outlet = Outlet {
            name: "noc".to_owned(),
            kind: OutletKind::Slack,
            url: SecretSource::Plain("http://127.0.0.1:9/".to_owned()),
            token: None,
        };
        let lost = Outlet { url: SecretSource::File("/nonexistent/secret".to_owned()), ..outlet.clone() };
        let stop = Arc::new(AtomicBool::new(false));
        let (outlets, threads) = Outlets::open(&[outlet, lost], "Small", Vec::new(), &stop);
        assert_eq!(threads.len(), 1, "an outlet without its secret is left out");
        let alert = Alert {
            id: watch::AlertId(1),
            rule: "r".to_owned(),
            place: "p".to_owned(),
            severity: model::Severity::Error,
            subject: watch::Subject::default(),
            says: "s".to_owned(),
            cause: String::new(),
            remedy: String::new(),
            remedy_public: String::new(),
            state: AlertState::Firing,
            since: Timestamp::EPOCH,
            ended: None,
            acknowledged_by: None,
            silenced_until: None,
            is_flapping: false,
            hidden_by: None,
            escalations: 0,
        };
        (0..QUEUE_MAX + 3).for_each(|_| outlets.tell(Timestamp::EPOCH, &alert));
        assert_eq!(outlets.counters.dropped.load(Ordering::Relaxed), 3);
    }
}
