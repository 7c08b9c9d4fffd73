//! The thread that writes, and what it tells the rest.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    },
    time::{Duration, Instant},
};

use model::LogRecord;
use store::Telemetry;
use syslog::{FoldLimits, Folder, Stations, StationsLimits};

use super::{Batch, Delivery, Outcome};
use crate::clock::{Clock, instant};

/// Telemetry is on disk at most this much wall time after it was received.
const SYNC_INTERVAL: Duration = Duration::from_millis(200);
/// The same for lines whose stream waits, so that a fast sender is not slowed down.
const STREAM_SYNC_INTERVAL: Duration = Duration::from_millis(10);
/// When so many streams wait, they are not kept waiting for more.
const WAITING_MANY: usize = 32;
/// Lines of streams that are kept until the sync, to be given back when it fails.
const WAITING_LINES_MAX: usize = 32_768;

/// What the rest of the services may know of the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogView {
    /// Stations by access point.
    pub(crate) stations: Vec<(String, u64)>,
    pub(crate) stations_total: u64,
    /// Lines handed to the store, summaries of folded lines among them.
    pub(crate) lines_stored: u64,
    /// Lines that repeated and are told of by a count only.
    pub(crate) lines_folded: u64,
    /// Lines that the store refused (quota, disk).
    pub(crate) lines_refused: u64,
    /// Lines and samples that were taken and lost, because the disk failed before the sync.
    pub(crate) records_lost: u64,
    pub(crate) syncs: u64,
    pub(crate) sync_errors: u64,
    /// Sealed telemetry.
    pub(crate) telemetry_bytes: u64,
    pub(crate) telemetry_files: u64,
    /// Sealed files dropped because the ceiling was reached.
    pub(crate) dropped_files: u64,
    /// Free space of the file system, as last looked at.
    pub(crate) free_bytes: u64,
    pub(crate) free_files: u64,
    /// Log lines are refused so that leases keep their room.
    pub(crate) is_refusing: bool,
}

/// The thread that writes.
pub(crate) struct LogWriter {
    telemetry: Telemetry,
    stations: Stations,
    folder: Folder,
    queue: Receiver<Batch>,
    clock: Clock,
    published: Arc<Mutex<LogView>>,
    view: LogView,
    /// Streams that wait for the sync.
    waiting: Vec<Waiting>,
    waiting_lines: usize,
    /// Some of their lines were folded.
    waits_for_fold: bool,
    is_urgent: bool,
    is_dirty: bool,
    synced: Instant,
    /// Records lost before those that wait.
    lost_before: u64,
    refused_before: u64,
}

/// A delivery whose lines, the first `taken` of them, are on disk after the next sync.
struct Waiting {
    delivery: Delivery,
    taken: usize,
}

impl LogWriter {
    /// Not running yet; `view` is renewed about every [`SYNC_INTERVAL`]. `seed` is of the folder.
    pub(crate) fn new(
        telemetry: Telemetry,
        seed: u64,
        queue: Receiver<Batch>,
        clock: Clock,
        view: Arc<Mutex<LogView>>,
    ) -> Self {
        let lost_before = telemetry.status().lost;
        Self {
            telemetry,
            stations: Stations::new(StationsLimits::default()),
            folder: Folder::new(FoldLimits::default(), seed),
            queue,
            clock,
            published: view,
            view: LogView::default(),
            waiting: Vec::new(),
            waiting_lines: 0,
            waits_for_fold: false,
            is_urgent: false,
            is_dirty: false,
            synced: instant(),
            lost_before,
            refused_before: 0,
        }
    }

    /// Writes until every sender is gone, then seals what is left. Returns lines stored.
    pub(crate) fn run(mut self) -> io::Result<u64> {
        let mut published = instant();
        loop {
            match self.queue.try_recv() {
                Ok(batch) => {
                    self.take(batch);
                    if !self.is_overdue() {
                        continue;
                    }
                }
                Err(TryRecvError::Empty) if self.is_urgent => {}
                Err(TryRecvError::Empty) => match self.queue.recv_timeout(self.patience()) {
                    Ok(batch) => {
                        self.take(batch);
                        continue;
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                },
                Err(TryRecvError::Disconnected) => break,
            }
            self.sync();
            if published.elapsed() >= SYNC_INTERVAL {
                self.publish();
                published = instant();
            }
        }
        self.waits_for_fold = true;
        self.sync();
        self.telemetry.seal_all(self.clock.now())?;
        self.publish();
        Ok(self.view.lines_stored)
    }

    /// How long the queue may be waited for before the next sync.
    fn patience(&self) -> Duration {
        let interval = if self.waiting.is_empty() { SYNC_INTERVAL } else { STREAM_SYNC_INTERVAL };
        interval.saturating_sub(self.synced.elapsed())
    }

    fn is_overdue(&self) -> bool {
        self.waiting_lines >= WAITING_LINES_MAX || self.patience().is_zero()
    }

    fn take(&mut self, batch: Batch) {
        self.is_dirty = true;
        match batch {
            Batch::Logs(records) => {
                // What is refused for want of space is counted in the status.
                for record in &records {
                    if !self.folder.fold(record) {
                        self.write(record);
                    }
                }
            }
            Batch::Stream(delivery) => {
                // A sender that can wait keeps its lines until there is room again.
                let is_refusing = self.telemetry.status().is_refusing_logs;
                let taken = if is_refusing { 0 } else { self.write_all(&delivery.records) };
                self.is_urgent |= delivery.is_urgent || self.waiting.len() >= WAITING_MANY;
                self.waiting_lines += delivery.records.len();
                self.waiting.push(Waiting { delivery, taken });
            }
            Batch::Samples(samples) => {
                for sample in &samples {
                    self.telemetry.append_sample(sample);
                }
            }
        }
    }

    /// How many of `records` were taken before one was refused.
    fn write_all(&mut self, records: &[LogRecord]) -> usize {
        let before = self.folder.folded();
        let taken = records.iter().take_while(|record| self.folder.fold(record) || self.write(record)).count();
        self.waits_for_fold |= self.folder.folded() != before;
        taken
    }

    fn write(&mut self, record: &LogRecord) -> bool {
        if let Some(event) = syslog::event(record) {
            self.stations.on_event(record.received, &record.host, &event);
        }
        self.telemetry.append_log(record)
    }

    /// Writes what folded lines are due to be told of; all of them when a stream waits for them, or at the end. False when
    /// a count was refused.
    fn write_summaries(&mut self, is_final: bool) -> bool {
        let summaries = self.folder.summaries(self.clock.now(), is_final);
        self.is_dirty |= !summaries.is_empty();
        let taken = summaries.iter().filter(|summary| self.telemetry.append_log(summary)).count();
        taken == summaries.len()
    }

    /// Makes all that was taken durable, and tells those who wait.
    fn sync(&mut self) {
        self.synced = instant();
        let is_urgent = std::mem::take(&mut self.is_urgent);
        let waits_for_fold = std::mem::take(&mut self.waits_for_fold);
        let is_counted = self.write_summaries(waits_for_fold);
        if !std::mem::take(&mut self.is_dirty) && !is_urgent {
            return;
        }
        let result = self.telemetry.sync(self.clock.now());
        self.view.syncs += 1;
        if let Err(error) = &result {
            if self.view.sync_errors == 0 {
                tracing::error!(%error, "telemetry cannot be written; free space in the state directory");
            }
            self.view.sync_errors += 1;
        }
        let status = self.telemetry.status();
        let (lost, refused) = (status.lost, status.logs_refused);
        // A long batch is written before the sync; what was lost then is not told by the sync.
        let is_kept = result.is_ok() && is_counted && lost == self.lost_before;
        if !is_kept || refused != self.refused_before {
            self.folder.begin_anew();
        }
        (self.lost_before, self.refused_before) = (lost, refused);
        self.waiting_lines = 0;
        for Waiting { delivery, taken } in self.waiting.drain(..) {
            let Delivery { mut records, reply, .. } = delivery;
            let stored = if is_kept { taken } else { 0 };
            let outcome =
                if stored == records.len() { Outcome::Stored } else { Outcome::NotStored(records.split_off(stored)) };
            // A stream that has gone away needs no answer.
            let _ = reply.send(outcome);
        }
    }

    fn publish(&mut self) {
        self.stations.expire(self.clock.now());
        let status = self.telemetry.status();
        let view = &mut self.view;
        (view.lines_stored, view.lines_refused) = (status.logs, status.logs_refused);
        view.lines_folded = self.folder.folded();
        view.records_lost = status.lost;
        (view.telemetry_bytes, view.telemetry_files) = (status.sealed_bytes, status.sealed_files);
        view.is_refusing = status.is_refusing_logs;
        (view.dropped_files, view.free_bytes, view.free_files) =
            (status.dropped_files, status.free_bytes, status.free_files);
        view.stations = self.stations.per_access_point().map(|(name, count)| (name.to_owned(), count as u64)).collect();
        view.stations_total = self.stations.total() as u64;
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = view.clone();
    }
}
