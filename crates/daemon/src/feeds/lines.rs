//! The thread that gives on log lines. It follows the log store, so what waits for a receiver that is away takes no
//! room of its own, outlives a restart, and is bounded by the store's retention.
//!
//! ```text
//!  store: ... | delivered for sure | written, may be lost when the connection breaks | not yet sent ...
//!                                  ^ kept in `documents/`, gone back to              ^ here
//! ```

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use store::{LogFollower, LogLine, LogPosition, LogQuery, StateDir};

use super::FeedView;
use crate::{clock::instant, http_client::Outcome};

/// How often is looked for new lines, and whether the services stop.
const LOOK: Duration = Duration::from_millis(200);
/// Wait after a failure; it doubles each time.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// How often the place is kept, and marked to go back to.
const MARK_INTERVAL: Duration = Duration::from_secs(1);
/// Marks that are remembered.
const MARKS_MAX: usize = 64;

/// Somebody who takes log lines.
pub(super) trait LineReceiver: Send {
    /// Lines of one call of [`LineReceiver::send`] at most.
    const LINES_MAX: usize;
    /// What was sent in this time before a connection broke may be lost with it; it is sent again. Zero where the
    /// receiver confirms.
    const UNCONFIRMED: Duration;
    /// Of that, no more octets than this.
    const UNCONFIRMED_OCTETS_MAX: u64;

    /// Sends all of `lines` or none for sure. What is wrong is said here, once for an outage.
    fn send(&mut self, lines: &[LogLine]) -> Sent;
    /// Called now and then while there is nothing to send; false when the connection has gone.
    fn is_there(&mut self) -> bool;
    /// Ends the connection so that what was written arrives.
    fn close(&mut self);
}

/// What became of lines.
pub(super) struct Sent {
    pub(super) outcome: Outcome,
    /// Of these lines the receiver took all but so many, and will not take them later.
    pub(super) refused: u64,
    pub(super) octets: u64,
}

#[derive(Serialize, Deserialize)]
struct Place {
    /// `None` = before the first line ever.
    behind: Option<LogPosition>,
}

/// How far it was at a moment.
struct Mark {
    at: Instant,
    octets: u64,
    behind: Option<LogPosition>,
}

/// A feed of lines, to be run on a thread of its own.
pub(super) struct LineFeed<R> {
    name: &'static str,
    receiver: R,
    state: Arc<StateDir>,
    follower: Option<LogFollower>,
    /// Read and not sent.
    pending: VecDeque<LogLine>,
    /// `None` = nothing of the store was sent.
    behind: Option<LogPosition>,
    /// Since the last mark.
    octets: u64,
    /// Oldest first.
    marks: VecDeque<Mark>,
    /// What the document says, once there is one.
    kept: Option<Option<LogPosition>>,
    kept_at: Instant,
    retry_at: Instant,
    retry_wait: Duration,
    is_unreadable: bool,
    view: Arc<FeedView>,
    stop: Arc<AtomicBool>,
}

impl<R: LineReceiver> LineFeed<R> {
    /// Goes on where an earlier run came to; a feed that is new begins with the next line.
    pub(super) fn open(name: &'static str, receiver: R, state: &Arc<StateDir>, stop: &Arc<AtomicBool>) -> Self {
        let kept = state.read_document(&document(name)).ok().flatten();
        let kept: Option<Place> = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let kept = kept.map(|place| place.behind);
        let mut feed = Self {
            name,
            receiver,
            state: Arc::clone(state),
            follower: None,
            pending: VecDeque::new(),
            behind: kept.flatten(),
            octets: 0,
            marks: VecDeque::new(),
            kept,
            kept_at: instant(),
            retry_at: instant(),
            retry_wait: RETRY_MIN,
            is_unreadable: false,
            view: Arc::default(),
            stop: Arc::clone(stop),
        };
        // Before the first line of this run is stored.
        if feed.kept.is_some() {
            feed.follow();
        } else {
            let begun = LogFollower::begin(feed.state.path());
            feed.follower = feed.readable(begun);
            feed.behind = feed.follower.as_ref().and_then(LogFollower::begun_behind);
            // Else lines that were never sent would be passed over after a crash.
            feed.keep(feed.behind);
        }
        feed.mark();
        feed
    }

    pub(super) fn view(&self) -> Arc<FeedView> {
        Arc::clone(&self.view)
    }

    pub(super) fn run(mut self) {
        // What is stored already when the services stop is still given on, if the receiver is there.
        while !self.stop.load(Ordering::Relaxed) {
            if !self.step() {
                thread::park_timeout(LOOK);
            }
        }
        self.receiver.close();
        // What was written is taken for delivered: the connection was ended well.
        self.keep(self.behind);
    }

    /// True when there may be more to do at once.
    fn step(&mut self) -> bool {
        if self.pending.is_empty() {
            self.read();
        }
        self.show();
        if instant() < self.retry_at {
            return false;
        }
        if self.pending.is_empty() {
            if !self.receiver.is_there() {
                self.go_back();
            }
            self.keep_now_and_then();
            return false;
        }
        let count = self.pending.len().min(R::LINES_MAX);
        let (lines, rest) = self.pending.make_contiguous().split_at(count);
        let Sent { outcome, refused, octets } = self.receiver.send(lines);
        let last = lines.last().map(|line| line.position);
        let has_more = !rest.is_empty();
        match outcome {
            Outcome::Delivered | Outcome::Refused => {
                let refused = if outcome == Outcome::Refused { count as u64 } else { refused };
                self.view.add(&self.view.delivered, count as u64 - refused.min(count as u64));
                self.view.add(&self.view.refused, refused);
                self.pending.drain(..count);
                (self.behind, self.octets) = (last, self.octets + octets);
                self.retry_wait = RETRY_MIN;
                self.mark();
                self.keep_now_and_then();
                has_more || count == R::LINES_MAX
            }
            Outcome::Later(least) => {
                self.view.add(&self.view.retried, 1);
                self.retry_at = instant() + self.retry_wait.max(least);
                self.retry_wait = (self.retry_wait * 2).min(RETRY_MAX);
                self.go_back();
                false
            }
        }
    }

    /// Opens the store behind where it was.
    fn follow(&mut self) {
        let opened = match self.behind {
            Some(behind) => LogFollower::resume(self.state.path(), behind),
            None => Ok(LogFollower::all(self.state.path())),
        };
        self.follower = self.readable(opened);
    }

    fn read(&mut self) {
        if self.follower.is_none() {
            self.follow();
        }
        let Some(mut follower) = self.follower.take() else { return };
        let lines = follower.poll(&LogQuery::default());
        if let Some(lines) = self.readable(lines) {
            self.follower = Some(follower);
            self.pending.extend(lines);
        }
    }

    fn readable<T>(&mut self, read: Result<T, store::QueryError>) -> Option<T> {
        let is_new = !std::mem::replace(&mut self.is_unreadable, read.is_err());
        read.inspect_err(|error| {
            if is_new {
                tracing::error!(feed = self.name, %error, "log lines cannot be read to be given on; they are tried again");
            }
        })
        .ok()
    }

    /// What was sent last may have been lost with the connection: it is sent again.
    fn go_back(&mut self) {
        let Some(mark) = self.marks.front() else { return };
        if self.behind == mark.behind {
            return;
        }
        self.behind = mark.behind;
        self.marks.truncate(1);
        self.pending.clear();
        self.octets = 0;
        self.follow();
    }

    /// Remembers how far it is, and forgets what was surely delivered since.
    fn mark(&mut self) {
        if R::UNCONFIRMED.is_zero() {
            return;
        }
        let (now, behind) = (instant(), self.behind);
        if self.marks.back().is_none_or(|mark| now.duration_since(mark.at) >= MARK_INTERVAL) {
            let octets = std::mem::take(&mut self.octets);
            self.marks.push_back(Mark { at: now, octets, behind });
        }
        // The first is gone back to; the second must be old enough to take its place.
        while self.marks.len() > 1 {
            let written: u64 = self.marks.iter().skip(2).map(|mark| mark.octets).sum();
            let is_sure = self.marks.get(1).is_some_and(|mark| now.duration_since(mark.at) >= R::UNCONFIRMED);
            if !is_sure && written < R::UNCONFIRMED_OCTETS_MAX && self.marks.len() <= MARKS_MAX {
                break;
            }
            self.marks.pop_front();
        }
    }

    fn keep_now_and_then(&mut self) {
        if self.kept_at.elapsed() < MARK_INTERVAL {
            return;
        }
        self.kept_at = instant();
        self.mark();
        let sure = if R::UNCONFIRMED.is_zero() { self.behind } else { self.marks.front().and_then(|mark| mark.behind) };
        self.keep(sure);
    }

    fn keep(&mut self, behind: Option<LogPosition>) {
        if self.kept == Some(behind) {
            return;
        }
        let Ok(bytes) = serde_json::to_vec(&Place { behind }) else { return };
        match self.state.write_document(&document(self.name), &bytes) {
            Ok(()) => self.kept = Some(behind),
            Err(error) => tracing::error!(
                feed = self.name,
                %error,
                "how far log lines were given on cannot be kept; after a restart some go twice; free space in the state directory"
            ),
        }
    }

    fn show(&self) {
        self.view.waiting.store(self.pending.len() as u64, Ordering::Relaxed);
    }
}

/// Name of the document in which a feed of lines keeps how far it came.
fn document(feed: &str) -> String {
    format!("feed-{feed}.json")
}
