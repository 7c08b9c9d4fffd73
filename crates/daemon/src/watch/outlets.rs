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

use generate::Outlet;
use model::Timestamp;
use watch::{Alert, AlertState, OutletKind, Roster, message_body};

use super::{mail_outlet::Mailer, secret::read_secret};
use crate::{
    clock::instant,
    http_client::{Outcome, http_agent, outcome, retry_after},
};

/// Messages that may wait for one outlet; further ones are dropped and counted.
const QUEUE_MAX: usize = 256;
/// A message that was not delivered for so long is given up. Long enough to tell of a lost uplink once it is back.
const DELIVER_FOR: Duration = Duration::from_secs(3_600);
/// Wait after the first failure; it doubles each time.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// Chat services take one message a second each (429 and `Retry-After` beyond).
const CHAT_GAP: Duration = Duration::from_secs(1);
/// How often a wait looks whether the services stop.
const STOP_LOOK: Duration = Duration::from_millis(200);
/// E-mails are at least so far apart; what came meanwhile goes together.
const MAIL_GAP: Duration = Duration::from_secs(60);
/// Messages that go together.
const TOGETHER_MAX: usize = 50;

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
    roster: Roster,
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
        roster: Roster,
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
            let Some(agent) = agent.clone() else { continue };
            let way = match &outlet.mail {
                None => Way::Http { kind: outlet.kind, url, token, agent },
                Some(mail) => match Mailer::open(&url, token, mail, event) {
                    Ok(mailer) => Way::Mail(Box::new(mailer)),
                    Err(error) => {
                        tracing::error!(%error, "{whose}");
                        continue;
                    }
                },
            };
            let (sender, queue) = sync_channel(QUEUE_MAX);
            queues.push((outlet.kind, sender));
            threads.push(OutletThread {
                name: outlet.name.clone(),
                way,
                queue,
                is_unreached: Cell::new(false),
                counters: Arc::clone(&counters),
                stop: Arc::clone(stop),
            });
        }
        (Self { queues, event: event.to_owned(), roster, counters }, threads)
    }

    /// Queues an alert for every outlet.
    pub(crate) fn tell(&self, now: Timestamp, alert: &Alert) {
        let duty = self.roster.addressee(now, alert.escalations);
        let over = if alert.state == AlertState::Resolved { "-over" } else { "" };
        let transaction = format!("hotstage-{}-{}-{}{over}", alert.since.as_nanos(), alert.id.0, alert.escalations);
        for (kind, queue) in &self.queues {
            let body = message_body(*kind, alert, &self.event, &duty);
            if queue.try_send(Message { body, transaction: transaction.clone() }).is_err() {
                self.counters.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Delivers to one outlet.
pub(crate) struct OutletThread {
    name: String,
    way: Way,
    queue: Receiver<Message>,
    /// Nothing was heard from it at the last try.
    is_unreached: Cell<bool>,
    counters: Arc<OutletCounters>,
    stop: Arc<AtomicBool>,
}

/// How messages are delivered.
enum Way {
    Http { kind: OutletKind, url: String, token: Option<String>, agent: ureq::Agent },
    Mail(Box<Mailer>),
}

impl OutletThread {
    pub(crate) fn run(self) {
        while !self.stop.load(Ordering::Relaxed) {
            match self.queue.recv_timeout(STOP_LOOK) {
                Ok(message) => {
                    let mut messages = vec![message];
                    if matches!(self.way, Way::Mail(_)) {
                        messages.extend(self.queue.try_iter().take(TOGETHER_MAX - 1));
                    }
                    self.deliver(&messages);
                    self.wait(self.gap());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn deliver(&self, messages: &[Message]) {
        let count = messages.len() as u64;
        let (mut wait, began) = (RETRY_MIN, instant());
        while began.elapsed() < DELIVER_FOR {
            match self.send(messages) {
                Outcome::Delivered => {
                    self.counters.delivered.fetch_add(count, Ordering::Relaxed);
                    return;
                }
                Outcome::Refused => break,
                Outcome::Later(least) => {
                    self.counters.retried.fetch_add(1, Ordering::Relaxed);
                    self.wait(wait.max(least));
                    wait = wait.saturating_mul(2).min(RETRY_MAX);
                }
            }
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
        }
        self.counters.failed.fetch_add(count, Ordering::Relaxed);
        tracing::error!(outlet = self.name, "an alert could not be delivered; check the outlet's `url` in the plan");
    }

    /// All of `messages`, of which there are several for e-mail only.
    fn send(&self, messages: &[Message]) -> Outcome {
        let (outcome, error) = match &self.way {
            Way::Mail(mailer) => {
                let texts: Vec<&str> = messages.iter().map(|message| message.body.as_str()).collect();
                mailer.send(&texts)
            }
            Way::Http { kind, url, token, agent } => {
                let Some(message) = messages.first() else { return Outcome::Delivered };
                post(*kind, url, token.as_deref(), agent, message)
            }
        };
        if error.is_empty() {
            self.is_unreached.set(false);
        } else if !self.is_unreached.replace(true) {
            // A message or two for each outage, not one for each try.
            tracing::warn!(outlet = self.name, error, "an outlet is not reached; its alerts wait");
        }
        outcome
    }

    fn gap(&self) -> Duration {
        match self.way {
            Way::Http { kind: OutletKind::Webhook | OutletKind::Mail, .. } => Duration::ZERO,
            Way::Http { kind: OutletKind::Slack | OutletKind::Discord | OutletKind::Matrix, .. } => CHAT_GAP,
            Way::Mail(_) => MAIL_GAP,
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

/// What came of it, and why nothing was heard, or nothing.
fn post(kind: OutletKind, url: &str, token: Option<&str>, agent: &ureq::Agent, message: &Message) -> (Outcome, String) {
    let request = match kind {
        OutletKind::Webhook | OutletKind::Slack | OutletKind::Discord | OutletKind::Mail => agent.post(url),
        // The same transaction for each try: the server shows it once.
        OutletKind::Matrix => agent.put(format!("{}/{}", url.trim_end_matches('/'), message.transaction)),
    };
    let mut request = request.header("Content-Type", "application/json");
    if let Some(token) = token {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    match request.send(message.body.as_str()) {
        Ok(response) => (outcome(response.status().as_u16(), retry_after(response.headers())), String::new()),
        Err(error) => (Outcome::Later(RETRY_MIN), error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use generate::SecretSource;

    use super::*;

    #[test]
    fn a_full_queue_drops_and_counts() {
        let outlet = Outlet {
            name: "noc".to_owned(),
            kind: OutletKind::Slack,
            url: SecretSource::Plain("http://127.0.0.1:9/".to_owned()),
            token: None,
            mail: None,
        };
        let lost = Outlet { url: SecretSource::File("/nonexistent/secret".to_owned()), ..outlet.clone() };
        let stop = Arc::new(AtomicBool::new(false));
        let (outlets, threads) = Outlets::open(&[outlet, lost], "Small", Roster::default(), &stop);
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
