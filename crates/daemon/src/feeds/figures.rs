//! The thread that sends figures. What the receiver does not take waits on disk, so that an uplink that was lost for
//! hours, or a restart, leaves no gap.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use model::{Metric, Snapshot, Timestamp};
use store::{Spool, SpoolLimits, StateDir};
use tokio::sync::watch::Receiver;

use super::FeedView;
use crate::{clock::instant, http_client::Outcome};

/// What may wait: eight hours of one request each 15 s, or what fits.
const SPOOL: SpoolLimits = SpoolLimits { messages_max: 2_048, bytes_max: 128 << 20, bytes_free_min: 256 << 20 };
/// Wait after a failure; it doubles each time.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// How often a wait looks whether the services stop.
const STOP_LOOK: Duration = Duration::from_millis(200);

/// Somebody who takes figures.
pub(super) trait FigureReceiver: Send {
    /// What is to be sent of all metrics at `at`, one message or more.
    fn messages(&self, metrics: &[Metric], at: Timestamp) -> Vec<Vec<u8>>;
    /// Sends one. What is wrong is said here, once for an outage.
    fn send(&mut self, message: &[u8]) -> Outcome;
}

/// A feed of figures, to be run on a thread of its own.
pub(super) struct FigureFeed<R> {
    name: &'static str,
    interval: Duration,
    receiver: R,
    spool: Spool,
    snapshots: Receiver<Arc<Snapshot>>,
    sent: Option<Timestamp>,
    /// Not before; and the wait after the next failure.
    retry_at: Instant,
    retry_wait: Duration,
    view: Arc<FeedView>,
    stop: Arc<AtomicBool>,
}

impl<R: FigureReceiver> FigureFeed<R> {
    /// Errors: the spool's.
    pub(super) fn open(
        name: &'static str,
        interval: Duration,
        receiver: R,
        state: &StateDir,
        snapshots: Receiver<Arc<Snapshot>>,
        stop: &Arc<AtomicBool>,
    ) -> io::Result<Self> {
        Ok(Self {
            name,
            interval,
            receiver,
            spool: Spool::open(state, name, SPOOL)?,
            snapshots,
            sent: None,
            retry_at: instant(),
            retry_wait: RETRY_MIN,
            view: Arc::default(),
            stop: Arc::clone(stop),
        })
    }

    pub(super) fn view(&self) -> Arc<FeedView> {
        Arc::clone(&self.view)
    }

    pub(super) fn run(mut self) {
        let mut due = instant();
        while !self.stop.load(Ordering::Relaxed) {
            let now = instant();
            if now >= due {
                // After a long request it goes on from now; what was not looked at is no sample.
                due = (due + self.interval).max(now);
                self.take();
            }
            self.send_waiting(due);
            self.show();
            // While it catches up there is nothing to wait for.
            if self.spool.is_empty() || instant() < self.retry_at {
                thread::park_timeout(STOP_LOOK);
            }
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
        for message in self.receiver.messages(&snapshot.metrics, snapshot.at) {
            if let Err(error) = self.spool.push(&message) {
                tracing::error!(feed = self.name, %error, "figures of a feed were dropped; free space in the state directory");
            }
        }
    }

    /// Sends until nothing waits, the receiver does not take it, or the figures are to be looked at again; one at least.
    fn send_waiting(&mut self, due: Instant) {
        while !self.stop.load(Ordering::Relaxed) && instant() >= self.retry_at {
            let message = match self.spool.front() {
                Ok(Some(message)) => message,
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(feed = self.name, %error, "what waits for a feed cannot be read; look at `spool/` of the state directory");
                    self.back_off(RETRY_MAX);
                    return;
                }
            };
            match self.receiver.send(&message) {
                Outcome::Delivered => {
                    self.retry_wait = RETRY_MIN;
                    self.view.add(&self.view.delivered, 1);
                    self.forget();
                }
                Outcome::Refused => {
                    self.view.add(&self.view.refused, 1);
                    self.forget();
                }
                Outcome::Later(least) => {
                    self.view.add(&self.view.retried, 1);
                    self.back_off(least);
                }
            }
            if instant() >= due {
                return;
            }
        }
    }

    fn forget(&mut self) {
        if let Err(error) = self.spool.pop() {
            tracing::error!(feed = self.name, %error, "what a feed has sent cannot be removed from `spool/` of the state directory");
            self.back_off(RETRY_MAX);
        }
    }

    fn back_off(&mut self, least: Duration) {
        self.retry_at = instant() + self.retry_wait.max(least);
        self.retry_wait = (self.retry_wait * 2).min(RETRY_MAX);
    }

    fn show(&self) {
        self.view.dropped.store(self.spool.dropped(), Ordering::Relaxed);
        self.view.waiting.store(self.spool.len() as u64, Ordering::Relaxed);
        self.view.waiting_bytes.store(self.spool.bytes(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use store::Mode;
    use tokio::sync::watch::{self, Sender};

    use super::*;

    /// Takes its time for each message. There are new figures after each.
    struct SlowReceiver {
        snapshots: Sender<Arc<Snapshot>>,
        received: Arc<std::sync::Mutex<Vec<Vec<u8>>>>,
        stop: Arc<AtomicBool>,
    }

    const SEND_TIME: Duration = Duration::from_millis(10);
    const WAITING: usize = 100;

    impl FigureReceiver for SlowReceiver {
        fn messages(&self, _metrics: &[Metric], at: Timestamp) -> Vec<Vec<u8>> {
            vec![at.as_secs().to_le_bytes().to_vec()]
        }

        fn send(&mut self, message: &[u8]) -> Outcome {
            let begun = instant();
            while begun.elapsed() < SEND_TIME {
                thread::park_timeout(SEND_TIME);
            }
            let mut received = self.received.lock().unwrap();
            received.push(message.to_vec());
            let at = Timestamp::from_secs(received.len() as i64);
            self.snapshots.send_replace(Arc::new(Snapshot { at, ..Snapshot::default() }));
            self.stop.store(received.len() >= WAITING + 10, Ordering::Relaxed);
            Outcome::Delivered
        }
    }

    #[test]
    fn catching_up_leaves_no_gap() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state"), "Small", Mode::Serve).unwrap();
        let (snapshots, figures) = watch::channel(Arc::default());
        let (received, stop) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let receiver = SlowReceiver { snapshots, received: Arc::clone(&received), stop: Arc::clone(&stop) };
        let mut feed = FigureFeed::open("slow", SEND_TIME * 5, receiver, &state, figures, &stop).unwrap();
        for _ in 0..WAITING {
            feed.spool.push(b"from before").unwrap();
        }
        feed.run();
        let received = received.lock().unwrap();
        let fresh: Vec<i64> = received
            .iter()
            .filter_map(|message| Some(i64::from_le_bytes(message.as_slice().try_into().ok()?)))
            .collect();
        assert!(fresh.len() >= 10, "{fresh:?}");
        // A sample each five messages, whatever waits.
        assert!(fresh.windows(2).all(|pair| pair[1] - pair[0] <= 8), "{fresh:?}");
    }
}
