use std::{
    io,
    sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    thread::{self, JoinHandle},
};

use super::{
    join::join,
    seal::{Paths, SealedFile, seal},
};

/// What there is to do.
pub(super) enum Job {
    /// A segment is to be sealed.
    Seal(u64),
    /// Files are to be joined.
    Join(Vec<SealedFile>),
}

/// What became of it.
pub(super) enum Outcome {
    /// The files of a segment.
    Sealed(u64, io::Result<Vec<SealedFile>>),
    /// The file that several were joined into.
    Joined(Vec<SealedFile>, io::Result<SealedFile>),
}

/// Seals one segment, or joins some files, at a time on a thread of its own, so that compressing never holds up
/// receiving.
#[derive(Debug)]
pub(super) struct Sealer {
    jobs: Option<SyncSender<Job>>,
    outcomes: Receiver<Outcome>,
    is_busy: bool,
    thread: Option<JoinHandle<()>>,
}

impl Sealer {
    pub(super) fn spawn(paths: Paths) -> io::Result<Self> {
        let (jobs, jobs_received) = sync_channel::<Job>(1);
        let (outcomes_sent, outcomes) = sync_channel(1);
        let thread = thread::Builder::new().name("telemetry-sealer".to_owned()).spawn(move || {
            for job in jobs_received {
                let outcome = match job {
                    Job::Seal(sequence) => Outcome::Sealed(sequence, seal(&paths, sequence)),
                    Job::Join(files) => {
                        let joined = join(&paths, &files);
                        Outcome::Joined(files, joined)
                    }
                };
                if outcomes_sent.send(outcome).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { jobs: Some(jobs), outcomes, is_busy: false, thread: Some(thread) })
    }

    /// Begins a job; only while not busy.
    pub(super) fn begin(&mut self, job: Job) {
        if let Some(jobs) = &self.jobs {
            self.is_busy = jobs.try_send(job).is_ok();
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

    /// Waits for the job that was begun.
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
