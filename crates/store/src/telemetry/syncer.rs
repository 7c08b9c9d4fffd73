use std::{
    io,
    sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    thread::{self, JoinHandle},
};

use crate::segment::Unsynced;

/// What was to be on disk, and whether it is.
pub(super) type Outcome = (Unsynced, io::Result<()>);

/// Waits for the disk on a thread of its own, one sync at a time, so that lines are taken meanwhile.
#[derive(Debug)]
pub(super) struct Syncer {
    jobs: Option<SyncSender<Unsynced>>,
    outcomes: Receiver<Outcome>,
    is_busy: bool,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    pub(super) fn spawn() -> io::Result<Self> {
        let (jobs, jobs_received) = sync_channel::<Unsynced>(1);
        let (outcomes_sent, outcomes) = sync_channel(1);
        let thread = thread::Builder::new().name("telemetry-syncer".to_owned()).spawn(move || {
            for unsynced in jobs_received {
                let result = unsynced.wait();
                if outcomes_sent.send((unsynced, result)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { jobs: Some(jobs), outcomes, is_busy: false, thread: Some(thread) })
    }

    /// Begins to wait; only while not busy.
    pub(super) fn begin(&mut self, unsynced: Unsynced) {
        if let Some(jobs) = &self.jobs {
            self.is_busy = jobs.try_send(unsynced).is_ok();
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.is_busy
    }

    pub(super) fn try_outcome(&mut self) -> Option<Outcome> {
        match self.outcomes.try_recv() {
            Ok(outcome) => {
                self.is_busy = false;
                Some(outcome)
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        }
    }

    /// Waits for the sync that was begun.
    pub(super) fn wait_outcome(&mut self) -> Option<Outcome> {
        if !std::mem::take(&mut self.is_busy) {
            return None;
        }
        self.outcomes.recv().ok()
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // The one outcome that may wait fits the channel, so the thread ends.
            let _ = thread.join();
        }
    }
}
