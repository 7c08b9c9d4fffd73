//! Sends the figures to a receiver of Prometheus remote-write 1.0. What it does not take waits on disk, so that an
//! uplink that was lost for hours, or a restart, leaves no gap.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use generate::RemoteWrite;
use model::{Snapshot, Timestamp};
use store::{Spool, SpoolLimits, StateDir};
use tokio::sync::watch::Receiver;

use super::write_request::bodies;
use crate::{
    clock::instant,
    watch::{Outcome, http_agent, outcome, read_secret},
};

/// What may wait: eight hours of one request each 15 s, or what fits.
const SPOOL: SpoolLimits = SpoolLimits { messages_max: 2_048, bytes_max: 128 << 20, bytes_free_min: 256 << 20 };
/// Wait after a failure; it doubles each time.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// How often a wait looks whether the services stop.
const STOP_LOOK: Duration = Duration::from_millis(200);

/// What became of requests, and what waits.
#[derive(Debug, Default)]
pub(crate) struct RemoteWriteView {
    pub(crate) delivered: AtomicU64,
    pub(crate) retried: AtomicU64,
    /// The receiver will never take them.
    pub(crate) refused: AtomicU64,
    /// No room, or the disk failed.
    pub(crate) dropped: AtomicU64,
    pub(crate) waiting: AtomicU64,
    pub(crate) waiting_bytes: AtomicU64,
}

/// The thread that sends.
pub(crate) struct RemoteWriter {
    url: String,
    token: Option<String>,
    interval: Duration,
    labels: Vec<(String, String)>,
    agent: ureq::Agent,
    spool: Spool,
    snapshots: Receiver<Arc<Snapshot>>,
    sent: Option<Timestamp>,
    /// Not before; and the wait after the next failure.
    retry_at: Instant,
    retry_wait: Duration,
    is_unreached: bool,
    is_refused: bool,
    view: Arc<RemoteWriteView>,
    stop: Arc<AtomicBool>,
}

impl RemoteWriter {
    /// `None` when a secret is missing, which is said. Errors: the spool's.
    pub(crate) fn open(
        settings: &RemoteWrite,
        state: &StateDir,
        snapshots: Receiver<Arc<Snapshot>>,
        view: &Arc<RemoteWriteView>,
        stop: &Arc<AtomicBool>,
    ) -> io::Result<Option<Self>> {
        let whose = "no figures are sent by `feeds.remote_write`";
        let Some(url) = read_secret(whose, &settings.url) else { return Ok(None) };
        let token = match &settings.token {
            None => None,
            Some(token) => match read_secret(whose, token) {
                None => return Ok(None),
                token => token,
            },
        };
        let spool = Spool::open(state, "remote-write", SPOOL)?;
        Ok(Some(Self {
            url,
            token,
            interval: settings.interval,
            labels: settings.labels.clone(),
            agent: http_agent(),
            spool,
            snapshots,
            sent: None,
            retry_at: instant(),
            retry_wait: RETRY_MIN,
            is_unreached: false,
            is_refused: false,
            view: Arc::clone(view),
            stop: Arc::clone(stop),
        }))
    }

    pub(crate) fn run(mut self) {
        let mut due = instant();
        while !self.stop.load(Ordering::Relaxed) {
            let now = instant();
            if now >= due {
                // After a long request it goes on from now; what was not looked at is no sample.
                due = (due + self.interval).max(now);
                self.take();
            }
            self.send_waiting();
            self.show();
            thread::park_timeout(STOP_LOOK);
        }
    }

    /// Looks at the figures and puts them behind what waits.
    fn take(&mut self) {
        let snapshot = Arc::clone(&self.snapshots.borrow());
        // A clock that was set back would give a receiver samples out of order; they would be refused.
        if self.sent.is_some_and(|sent| snapshot.at <= sent) {
            return;
        }
        self.sent = Some(snapshot.at);
        for body in bodies(&snapshot.metrics, snapshot.at, &self.labels) {
            if let Err(error) = self.spool.push(&body) {
                tracing::error!(%error, "figures for `feeds.remote_write` were dropped; free space in the state directory");
            }
        }
    }

    /// Sends until nothing waits or the receiver does not take it.
    fn send_waiting(&mut self) {
        while !self.stop.load(Ordering::Relaxed) && instant() >= self.retry_at {
            let body = match self.spool.front() {
                Ok(Some(body)) => body,
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, "what waits for `feeds.remote_write` cannot be read; look at `spool/` of the state directory");
                    self.back_off(RETRY_MAX);
                    return;
                }
            };
            match self.send(&body) {
                Outcome::Delivered => {
                    (self.retry_wait, self.is_refused) = (RETRY_MIN, false);
                    self.view.delivered.fetch_add(1, Ordering::Relaxed);
                    self.forget();
                }
                Outcome::Refused => {
                    self.view.refused.fetch_add(1, Ordering::Relaxed);
                    self.forget();
                }
                Outcome::Later(least) => {
                    self.view.retried.fetch_add(1, Ordering::Relaxed);
                    self.back_off(least);
                }
            }
        }
    }

    fn forget(&mut self) {
        if let Err(error) = self.spool.pop() {
            tracing::error!(%error, "what `feeds.remote_write` has sent cannot be removed from `spool/` of the state directory");
            self.back_off(RETRY_MAX);
        }
    }

    fn back_off(&mut self, least: Duration) {
        self.retry_at = instant() + self.retry_wait.max(least).min(RETRY_MAX);
        self.retry_wait = (self.retry_wait * 2).min(RETRY_MAX);
    }

    fn send(&mut self, body: &[u8]) -> Outcome {
        let mut request = self
            .agent
            .post(&self.url)
            .header("Content-Type", "application/x-protobuf")
            .header("Content-Encoding", "snappy")
            .header("User-Agent", concat!("hotstage/", env!("CARGO_PKG_VERSION")))
            .header("X-Prometheus-Remote-Write-Version", "0.1.0");
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        match request.send(body) {
            Ok(response) => {
                self.is_unreached = false;
                let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
                let status = response.status().as_u16();
                let outcome = outcome(status, after);
                if matches!(outcome, Outcome::Refused) && !std::mem::replace(&mut self.is_refused, true) {
                    tracing::error!(
                        status,
                        "the receiver of `feeds.remote_write` refuses the figures; check its `url` and `token`"
                    );
                }
                outcome
            }
            Err(error) => {
                // A message or two for each outage, not one for each try.
                if !std::mem::replace(&mut self.is_unreached, true) {
                    tracing::warn!(%error, "the receiver of `feeds.remote_write` is not reached; figures wait on disk");
                }
                Outcome::Later(RETRY_MIN)
            }
        }
    }

    fn show(&self) {
        self.view.dropped.store(self.spool.dropped(), Ordering::Relaxed);
        self.view.waiting.store(self.spool.len() as u64, Ordering::Relaxed);
        self.view.waiting_bytes.store(self.spool.bytes(), Ordering::Relaxed);
    }
}
