//! The thread that writes, and what it tells the rest.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    },
    time::{Duration, Instant},
};

use store::{EncodedLog, LogBatch, Telemetry};
use syslog::{FoldLimits, Folder, Stations, StationsLimits};

use super::{Batch, Delivery, Outcome};
use crate::{
    clock::{Clock, instant},
    watch::{SharedSigns, take_clock, take_event},
};

/// Telemetry is on disk at most this much wall time after it was received.
const SYNC_INTERVAL: Duration = Duration::from_millis(200);
/// The same for lines whose stream waits, so that a fast sender is not slowed down.
const STREAM_SYNC_INTERVAL: Duration = Duration::from_millis(10);
/// Streams in a hurry are gathered so long, so that they share a sync.
const GATHER_INTERVAL: Duration = Duration::from_millis(2);
/// How often is looked whether the disk is done, while nothing arrives.
const DISK_INTERVAL: Duration = Duration::from_micros(500);
/// When so many streams wait, they are not kept waiting for more.
const WAITING_MANY: usize = 32;
/// Lines of streams that are kept until the sync, to be given back when it fails; as many again while the disk is at it.
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
    /// The oldest debug lines are removed so that leases keep their room.
    pub(crate) is_short: bool,
    /// It is inodes that are short.
    pub(crate) is_short_of_files: bool,
    /// Log lines are refused, too.
    pub(crate) is_refusing: bool,
    /// Small sealed files joined into others.
    pub(crate) joined_files: u64,
}

/// The thread that writes.
pub(crate) struct LogWriter {
    telemetry: Telemetry,
    stations: Stations,
    folder: Folder,
    signs: SharedSigns,
    queue: Receiver<Batch>,
    clock: Clock,
    published: Arc<Mutex<LogView>>,
    view: LogView,
    /// What the next sync makes durable.
    group: Group,
    /// What the disk is at.
    syncing: Option<Group>,
    begun: Instant,
    refused_before: u64,
}

/// What shares a sync.
#[derive(Default)]
struct Group {
    /// Streams that wait for it.
    waiting: Vec<Waiting>,
    waiting_lines: usize,
    /// Some of their lines were folded.
    waits_for_fold: bool,
    is_urgent: bool,
    is_dirty: bool,
    /// A count of folded lines was refused.
    is_uncounted: bool,
    /// Records lost before the first of these.
    lost_before: u64,
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
        signs: SharedSigns,
        view: Arc<Mutex<LogView>>,
    ) -> Self {
        let group = Group { lost_before: telemetry.status().lost, ..Group::default() };
        Self {
            telemetry,
            stations: Stations::new(StationsLimits::default()),
            folder: Folder::new(FoldLimits::default(), seed),
            signs,
            queue,
            clock,
            published: view,
            view: LogView::default(),
            group,
            syncing: None,
            begun: instant(),
            refused_before: 0,
        }
    }

    /// Writes until every sender is gone, then seals what is left. Returns lines stored.
    pub(crate) fn run(mut self) -> io::Result<u64> {
        let mut published = instant();
        loop {
            self.end_sync();
            match self.queue.try_recv() {
                Ok(batch) => {
                    self.take(batch);
                    if !self.is_due() {
                        continue;
                    }
                }
                Err(TryRecvError::Empty) => match self.queue.recv_timeout(self.patience()) {
                    Ok(batch) => {
                        self.take(batch);
                        continue;
                    }
                    Err(RecvTimeoutError::Timeout) if !self.is_due() => continue,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                },
                Err(TryRecvError::Disconnected) => break,
            }
            self.begin_sync();
            if published.elapsed() >= SYNC_INTERVAL {
                self.publish();
                published = instant();
            }
        }
        self.wait_for_disk();
        self.group.waits_for_fold = true;
        self.begin_sync();
        self.wait_for_disk();
        self.telemetry.seal_all(self.clock.now())?;
        self.publish();
        Ok(self.view.lines_stored)
    }

    /// How long the queue may be waited for before the next look at the disk, or the next sync.
    fn patience(&self) -> Duration {
        if self.syncing.is_some() {
            return DISK_INTERVAL;
        }
        let interval = match &self.group {
            group if group.is_urgent => GATHER_INTERVAL,
            group if group.waiting.is_empty() => SYNC_INTERVAL,
            _ => STREAM_SYNC_INTERVAL,
        };
        interval.saturating_sub(self.begun.elapsed())
    }

    fn is_due(&self) -> bool {
        self.group.waiting_lines >= WAITING_LINES_MAX || (self.syncing.is_none() && self.patience().is_zero())
    }

    fn take(&mut self, batch: Batch) {
        self.group.is_dirty = true;
        match batch {
            Batch::Logs(lines) => {
                self.look_at_clock(&lines);
                // What is refused for want of space is counted in the status.
                for line in lines.iter() {
                    self.fold_or_write(line);
                }
            }
            Batch::Stream(delivery) => {
                self.look_at_clock(&delivery.lines);
                // A sender that can wait keeps its lines until there is room again.
                let is_refusing = self.telemetry.status().is_refusing_logs;
                let taken = if is_refusing { 0 } else { self.write_all(&delivery.lines) };
                let group = &mut self.group;
                group.is_urgent |= delivery.is_urgent || group.waiting.len() >= WAITING_MANY;
                group.waiting_lines += delivery.lines.len();
                group.waiting.push(Waiting { delivery, taken });
            }
            Batch::Samples(samples) => {
                for sample in &samples {
                    self.telemetry.append_sample(sample);
                }
            }
        }
    }

    /// How many of `lines` were taken before one was refused.
    fn write_all(&mut self, lines: &LogBatch) -> usize {
        let before = self.folder.folded();
        let taken = lines.iter().take_while(|line| self.fold_or_write(*line)).count();
        self.group.waits_for_fold |= self.folder.folded() != before;
        taken
    }

    /// One line of a batch is enough; the time of a rehearsal is nobody's.
    fn look_at_clock(&self, lines: &LogBatch) {
        if let (Clock::Wall, Some(line)) = (&self.clock, lines.iter().last().and_then(|line| line.decode())) {
            take_clock(&self.signs, &line);
        }
    }

    /// False when it was refused.
    fn fold_or_write(&mut self, encoded: EncodedLog<'_>) -> bool {
        let Some(line) = encoded.decode() else { return self.telemetry.append_encoded(encoded) };
        // What is told by a count only has happened all the same: a station that comes and goes is where it was last.
        if let Some(event) = syslog::event_in(&line.app, &line.message) {
            self.stations.on_event(line.received, &line.host, &event);
            take_event(&self.signs, &line, &event);
        }
        self.folder.fold(&line) || self.telemetry.append_encoded(encoded)
    }

    /// Writes what folded lines are due to be told of; all of them when a stream waits for them, or at the end.
    fn write_summaries(&mut self) {
        let summaries = self.folder.summaries(self.clock.now(), self.group.waits_for_fold);
        self.group.is_dirty |= !summaries.is_empty();
        let taken = summaries.iter().filter(|summary| self.telemetry.append_log(summary)).count();
        self.group.is_uncounted = taken < summaries.len();
    }

    /// Begins to make durable what was taken; more is taken while the disk is at it.
    fn begin_sync(&mut self) {
        self.wait_for_disk();
        self.begun = instant();
        self.write_summaries();
        if !self.group.is_dirty && !self.group.is_urgent {
            return;
        }
        self.view.syncs += 1;
        let result = self.telemetry.begin_sync();
        let next = Group { lost_before: self.telemetry.status().lost, ..Group::default() };
        let group = std::mem::replace(&mut self.group, next);
        match result {
            Ok(_) => self.syncing = Some(group),
            Err(error) => self.answer(group, &Err(error)),
        }
    }

    /// Tells those who wait, if the disk is done.
    fn end_sync(&mut self) {
        if self.syncing.is_some()
            && let Some(result) = self.telemetry.end_sync(self.clock.now())
            && let Some(group) = self.syncing.take()
        {
            self.answer(group, &result);
        }
    }

    fn wait_for_disk(&mut self) {
        if let Some(group) = self.syncing.take() {
            let result = self.telemetry.wait_for_sync(self.clock.now());
            self.answer(group, &result);
        }
    }

    fn answer(&mut self, group: Group, result: &io::Result<()>) {
        if let Err(error) = result {
            if self.view.sync_errors == 0 {
                tracing::error!(%error, "telemetry cannot be written; free space in the state directory");
            }
            self.view.sync_errors += 1;
        }
        let status = self.telemetry.status();
        // A long batch is written before the sync, and a segment is closed within one; what was lost then is not told by
        // the sync. What was lost of the next group counts here too: it is rare, and a line twice is better than none.
        let is_kept = result.is_ok() && !group.is_uncounted && status.lost == group.lost_before;
        if !is_kept || status.logs_refused != self.refused_before {
            self.folder.begin_anew();
        }
        self.refused_before = status.logs_refused;
        for Waiting { delivery, taken } in group.waiting {
            let Delivery { mut lines, reply, .. } = delivery;
            let stored = if is_kept { taken } else { 0 };
            let outcome = if stored == lines.len() {
                Outcome::Stored(lines)
            } else {
                lines.drop_first(stored);
                Outcome::NotStored(lines)
            };
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
        (view.is_short, view.is_short_of_files) = (status.is_short, status.is_short_of_files);
        view.joined_files = status.joined_files;
        (view.dropped_files, view.free_bytes, view.free_files) =
            (status.dropped_files, status.free_bytes, status.free_files);
        view.stations = self.stations.per_access_point().map(|(name, count)| (name.to_owned(), count as u64)).collect();
        view.stations_total = self.stations.total() as u64;
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = view.clone();
    }
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, sync::mpsc::sync_channel};

    use model::{Timestamp, Transport};
    use store::{Limits, Mode, StateDir};

    use super::*;

    /// The same two lines again and again are folded, and still say where the station is in the end.
    #[test]
    fn a_station_that_comes_and_goes_is_where_it_was_last() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state"), "Small", Mode::Serve).unwrap();
        let (telemetry, _) = Telemetry::open(&state, Limits::default()).unwrap();
        let (_queue, batches) = sync_channel(1);
        let signs = Arc::new(Mutex::new(watch::LineSigns::new([], [])));
        let mut writer = LogWriter::new(telemetry, 7, batches, Clock::Wall, signs, Arc::default());
        let (source, context) = (SocketAddr::from(([192, 0, 2, 20], 514)), syslog::Context::default());
        for pair in 0..15_i64 {
            for (half, word) in [(0, "associated"), (1, "disassociated")] {
                let mut lines = LogBatch::default();
                let line =
                    format!("<30>Sep 16 10:00:00 ap-1 hostapd: wlan0: STA 02:00:5e:10:00:01 IEEE 802.11: {word}");
                let now = Timestamp::from_secs(1_568_595_600 + 2 * pair + half);
                lines.push(&syslog::parse_ref(now, source, Transport::Udp, line.as_bytes(), &context));
                writer.take(Batch::Logs(lines));
                assert_eq!(writer.stations.total(), usize::from(half == 0), "pair {pair}");
            }
        }
        assert!(writer.folder.folded() > 0, "some of them were told of by a count only");
    }
}
