//! The commit thread of DHCP: one write and one sync for all leases that wait, then their replies.
//!
//! ```text
//! DHCP thread: receive, decide --> offers, refusals: sent at once
//!                      |
//!                      v waits here (bounded)
//! commit thread:   all that waits --> journal: one write, one fdatasync --> acknowledgements
//! ```
//! While the disk syncs one batch the next one gathers, so a batch is as large as the disk is slow, and no reply
//! overtakes its lease (RFC 2131 section 3.1 step 4).

use std::{
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use model::Lease;
use store::LeaseJournal;

use crate::dhcp_send::{Addressed, Sender};

/// Leases that may wait for the disk; then the DHCP thread waits too, and the kernel's buffer fills and counts.
const WAITING_MAX: usize = 8_192;
/// A batch of at least so many leases says that clients come in crowds, and so few more are worth waiting for.
const GATHER_FROM: usize = 4;
const GATHER_UP_TO: usize = 24;
/// How long to wait for more of a crowd: less than a sync takes, and a sync costs as much for one lease as for thirty.
const GATHER: Duration = Duration::from_micros(50);
/// How long a disk that failed is left alone; clients ask again after 4 s at the earliest (RFC 2131 section 4.1).
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// What happened so far.
#[derive(Debug, Default)]
pub(crate) struct CommitCounters {
    /// Batches on disk.
    pub(crate) commits: AtomicU64,
    /// Leases on disk.
    pub(crate) leases: AtomicU64,
    /// Batches that the disk refused.
    pub(crate) errors: AtomicU64,
    /// Replies not sent because their lease is not on disk.
    pub(crate) withheld: AtomicU64,
    /// True while the journal cannot be written: no ACK leaves.
    pub(crate) is_failing: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    leases: Vec<Lease>,
    replies: Vec<Addressed>,
    is_idle: bool,
    is_closed: bool,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    has_work: Condvar,
    has_room: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The DHCP thread's end. Dropping it ends the commit thread when everything is on disk.
pub(crate) struct Committer {
    queue: Arc<Queue>,
    pub(crate) counters: Arc<CommitCounters>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Committer {
    pub(crate) fn start(journal: LeaseJournal, sender: Sender) -> io::Result<Self> {
        let (queue, counters) = (Arc::<Queue>::default(), Arc::<CommitCounters>::default());
        let work = Work { journal, sender, queue: Arc::clone(&queue), counters: Arc::clone(&counters) };
        let thread = thread::Builder::new().name("dhcp-commit".to_owned()).spawn(move || work.run())?;
        Ok(Self { queue, counters, thread: Some(thread) })
    }

    /// Takes over leases and the replies that depend on them, or on leases handed over before. Waits while too many wait.
    pub(crate) fn hand_over(&self, leases: &mut Vec<Lease>, replies: &mut Vec<Addressed>) {
        if leases.is_empty() && replies.is_empty() {
            return;
        }
        let mut waiting = self.queue.lock();
        while waiting.leases.len() >= WAITING_MAX {
            waiting = self.queue.has_room.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.leases.append(leases);
        waiting.replies.append(replies);
        let is_idle = waiting.is_idle;
        drop(waiting);
        // Waking costs a system call; a thread that is at work looks again by itself.
        if is_idle {
            self.queue.has_work.notify_one();
        }
    }

    /// Waits until everything handed over is on disk and sent.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.close();
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the commit thread ended by a defect")))
    }

    fn close(&self) {
        self.queue.lock().is_closed = true;
        self.queue.has_work.notify_one();
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.close();
    }
}

struct Work {
    journal: LeaseJournal,
    sender: Sender,
    queue: Arc<Queue>,
    counters: Arc<CommitCounters>,
}

impl Work {
    fn run(mut self) -> io::Result<()> {
        let (mut leases, mut replies) = (Vec::new(), Vec::new());
        let mut last_batch = 0;
        while self.take(&mut leases, &mut replies, last_batch) {
            last_batch = leases.len();
            for lease in leases.drain(..) {
                self.journal.append(&lease);
            }
            if self.commit() {
                self.sender.send(&replies);
            } else {
                self.counters.withheld.fetch_add(replies.len() as u64, Ordering::Relaxed);
                thread::park_timeout(RETRY_PAUSE);
            }
            replies.clear();
        }
        Ok(())
    }

    /// Swaps what waits with the empty vectors. False when nothing will come any more.
    fn take(&self, leases: &mut Vec<Lease>, replies: &mut Vec<Addressed>, last_batch: usize) -> bool {
        let mut waiting = self.queue.lock();
        while waiting.leases.is_empty() && waiting.replies.is_empty() {
            if waiting.is_closed {
                return false;
            }
            waiting.is_idle = true;
            waiting = self.queue.has_work.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            waiting.is_idle = false;
        }
        if last_batch >= GATHER_FROM && waiting.leases.len() < GATHER_UP_TO && !waiting.is_closed {
            drop(waiting);
            thread::park_timeout(GATHER);
            waiting = self.queue.lock();
        }
        let was_full = waiting.leases.len() >= WAITING_MAX;
        std::mem::swap(&mut waiting.leases, leases);
        std::mem::swap(&mut waiting.replies, replies);
        drop(waiting);
        if was_full {
            self.queue.has_room.notify_one();
        }
        true
    }

    /// One sync for all. If it fails, what depends on it is not sent: the clients ask again.
    fn commit(&mut self) -> bool {
        let counters = &self.counters;
        match self.journal.commit() {
            Ok(()) => {
                counters.commits.store(self.journal.status().commits, Ordering::Relaxed);
                counters.leases.store(self.journal.status().committed, Ordering::Relaxed);
                if counters.is_failing.swap(false, Ordering::Relaxed) {
                    tracing::warn!("the lease journal can be written again");
                }
                true
            }
            Err(error) => {
                counters.errors.fetch_add(1, Ordering::Relaxed);
                if !counters.is_failing.swap(true, Ordering::Relaxed) {
                    tracing::error!(%error, "the lease journal cannot be written: no lease is acknowledged; free space in the state directory");
                }
                false
            }
        }
    }
}
