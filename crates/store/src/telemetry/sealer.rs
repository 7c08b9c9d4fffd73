use std::{
    io,
    sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    thread::{self, JoinHandle},
};

use super::seal::{Paths, SealedFile, seal};

/// A segment and what became of it.
pub(super) type Outcome = (u64, io::Result<Vec<SealedFile>>);

/// Seals one segment at a time on a thread of its own, so that compressing never holds up receiving.
#[derive(Debug)]
pub(super) struct Sealer {
    jobs: Option<SyncSender<u64>>,
    outcomes: Receiver<Outcome>,
    is_busy: bool,
    thread: Option<JoinHandle<()>>,
}

impl Sealer {
    pub(super) fn spawn(paths: Paths) -> io::Result<Self> {
        let (jobs, jobs_received) = sync_channel::<u64>(1);
        let (outcomes_sent, outcomes) = sync_channel(1);
        let thread = thread::Builder::new().name("telemetry-sealer".to_owned()).spawn(move || {
            for sequence in jobs_received {
                if outcomes_sent.send((sequence, seal(&paths, sequence))).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { jobs: Some(jobs), outcomes, is_busy: false, thread: Some(thread) })
    }

    /// Begins to seal; only while not busy.
    pub(super) fn seal(&mut self, sequence: u64) {
        if let Some(jobs) = &self.jobs {
            self.is_busy = jobs.try_send(sequence).is_ok();
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

    /// Waits for the segment being sealed.
    pub(super) fn wait_outcome(&mut self) -> Option<Outcome> {
        self.is_busy = false;
        self.outcomes.recv().ok()
    }
}

impl Drop for Sealer {
    /// Waits for the segment being sealed, so that the directory is quiet when its lock goes.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // The one outcome that may wait fits the channel, so the thread ends.
            let _ = thread.join();
        }
    }
}
