//! Log lines and samples: a ring of segments, sealed into Parquet files, under a ceiling of bytes and files.

mod batch;
mod columns;
mod export;
mod grams;
mod join;
mod query;
mod record;
mod seal;
mod sealer;
mod syncer;

pub use batch::{EncodedLog, LogBatch};
pub use export::{LogExport, LogFormat, printable};
pub use query::{
    LineTest, LogFollower, LogLine, LogPosition, LogQuery, PositionError, QueryError, count_logs, exact_name,
    read_samples, search_lines, search_logs,
};

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::PathBuf,
};

use model::{LogRecord, Sample, Timestamp};
use seal::{Class, Paths, SealedFile, is_unreadable, listed};
use sealer::{Job, Sealer};
use syncer::Syncer;

use crate::{
    StateDir,
    durable::{self, FreeSpace, free_space},
    segment::{self, Kind, Writer, read_file, scan, segment_path},
};

/// How much disk telemetry may use, and what it leaves to the leases.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Preallocated size of a ring segment, in octets.
    pub segment_bytes: u64,
    /// Segments that may wait to be sealed; when all are full, records are refused and counted.
    pub segments_max: usize,
    /// Octets of sealed files; the oldest are removed beyond it.
    pub sealed_bytes_max: u64,
    /// Number of sealed files; the oldest are removed beyond it.
    pub sealed_files_max: usize,
    /// Free octets of the file system below which the oldest debug lines go; below half of it other lines go and new ones
    /// are refused, below a quarter samples are refused.
    pub reserve_bytes: u64,
    /// The same of free inodes.
    pub reserve_files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            segment_bytes: 32 << 20,
            segments_max: 16,
            sealed_bytes_max: 8 << 30,
            sealed_files_max: 2_000,
            reserve_bytes: 512 << 20,
            reserve_files: 1_000,
        }
    }
}

impl Limits {
    /// The same with a reserve of at most an eighth of the file system of `state`, for small ones.
    pub fn fitted_to(self, state: &StateDir) -> Self {
        let Ok(whole) = durable::whole_space(state.path()) else { return self };
        Self {
            reserve_bytes: self.reserve_bytes.min(whole.bytes / 8),
            reserve_files: self.reserve_files.min(whole.files / 8),
            ..self
        }
    }

    /// The most octets telemetry ever uses, files being written included.
    pub fn bytes_max(&self) -> u64 {
        let segments = self.segments_max as u64 + 1 + ASIDE_MAX as u64;
        (self.segment_bytes + BUFFER_BYTES_MAX as u64)
            .saturating_mul(segments + 2)
            .saturating_add(self.sealed_bytes_max)
    }

    /// The most files telemetry ever uses, files being written included. The number of hosts, programs and metrics
    /// does not matter.
    pub fn files_max(&self) -> u64 {
        (self.segments_max + 1 + ASIDE_MAX + self.sealed_files_max + 4) as u64
    }
}

/// A batch is handed to the system when it is so long, synced or not.
const BUFFER_BYTES_MAX: usize = 1 << 20;
/// A log record with longest host, app, raw and message.
const RECORD_BYTES_MAX: u64 = 1 << 20;
const HOUR_SECS: i64 = 3_600;
/// A record up to so many hours older than the open segment goes into it.
const LATE_HOURS_MAX: i64 = 24;
/// Small files are looked for so often.
const JOIN_LOOK_SECS: u64 = 60;
/// Files that could not be joined are tried again after so long.
const JOIN_RETRY_SECS: i64 = 3_600;
/// A failed seal is tried again after so long.
const RETRY_SECS: i64 = 10;
/// A segment that could not be read so often is set aside.
const READS_MAX: u32 = 3;
/// What the name of a segment that was set aside begins with.
const ASIDE_PREFIX: &str = "damaged-";
/// Segments set aside that are kept, so that a person may still look at them; the older go.
const ASIDE_MAX: usize = 1;

/// Appends log lines and samples; durable after [`Telemetry::sync`].
///
/// ```text
/// append -> buffer -> sync (one write, one fdatasync) -> segment -- full, or its hour is over --> waiting
///                                                                       sealer thread: Parquet, then the segment goes
/// ```
/// Time may jump (a rehearsal does): a record of a later hour, or of more than a day before, begins a segment.
#[derive(Debug)]
pub struct Telemetry {
    paths: Paths,
    state: PathBuf,
    limits: Limits,
    /// The segment being written and the hour it is of.
    open: Option<(Writer, i64)>,
    next_sequence: u64,
    spare_buffer: Vec<u8>,
    syncer: Syncer,
    sealer: Sealer,
    /// Full segments that are not Parquet yet.
    waiting: BTreeSet<u64>,
    /// When a seal that failed is tried again.
    retry_at: Option<Timestamp>,
    /// The segment whose seal failed last; the others have their turn before it.
    failed: Option<u64>,
    /// How often each of those that wait could not be read.
    unreadable: BTreeMap<u64, u32>,
    /// When files may be joined again after it failed.
    join_at: Option<Timestamp>,
    sealed: Vec<SealedFile>,
    space: Option<FreeSpace>,
    status: TelemetryStatus,
}

/// Counts since the telemetry was opened, and how things stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TelemetryStatus {
    /// Log lines taken.
    pub logs: u64,
    /// Samples taken.
    pub samples: u64,
    /// Log lines refused: free space below the reserve, or the ring full.
    pub logs_refused: u64,
    /// Samples refused, for the same reasons.
    pub samples_refused: u64,
    /// Records taken and then lost, because the disk failed before the sync.
    pub lost: u64,
    /// Sealed files on disk.
    pub sealed_files: u64,
    /// Octets of the sealed files.
    pub sealed_bytes: u64,
    /// Sealed files removed by the quota.
    pub dropped_files: u64,
    /// Octets of those.
    pub dropped_bytes: u64,
    /// Segments waiting to be sealed.
    pub waiting_segments: u64,
    /// Seals that failed; they are tried again.
    pub seals_failed: u64,
    /// Segments set aside because they could not be read, as `damaged-` and their number.
    pub segments_aside: u64,
    /// True while free space or inodes are below the reserve: the oldest debug lines go.
    pub is_short: bool,
    /// True while it is inodes that are short.
    pub is_short_of_files: bool,
    /// True while they are below half of it, and log lines are refused.
    pub is_refusing_logs: bool,
    /// Small sealed files that were joined into others.
    pub joined_files: u64,
    /// Free octets of the file system at the last sync; 0 before the first.
    pub free_bytes: u64,
    /// Free inodes of the file system at the last sync, `u64::MAX` where it has no fixed number; 0 before the first.
    pub free_files: u64,
}

/// What opening found in segments that a crash or a stop left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TelemetryRecovery {
    /// Segments found; they are being sealed.
    pub segments: u64,
    /// Whole log lines in them.
    pub logs: u64,
    /// Whole samples in them.
    pub samples: u64,
    /// Octets of a write that a crash cut.
    pub torn_bytes: u64,
    /// Damaged places with good records behind them.
    pub damaged: u64,
    /// Whole records of a format this version does not know.
    pub unknown: u64,
    /// Segments set aside because they could not be read, as `damaged-` and their number.
    pub segments_aside: u64,
}

/// The telemetry could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("the telemetry in `{path}` cannot be used; check permissions and free space")]
pub struct TelemetryError {
    /// The directory.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl Telemetry {
    /// Opens the telemetry; segments that were left are counted and sealed in the background.
    pub fn open(state: &StateDir, limits: Limits) -> Result<(Self, TelemetryRecovery), TelemetryError> {
        let paths = Paths::of(state.path());
        let path = paths.ring.clone();
        Self::open_paths(state, paths, limits).map_err(|source| TelemetryError { path, source })
    }

    fn open_paths(state: &StateDir, paths: Paths, limits: Limits) -> io::Result<(Self, TelemetryRecovery)> {
        for dir in [&paths.ring, &paths.log, &paths.sample] {
            durable::create_dir(dir)?;
            durable::remove_temporaries(dir)?;
        }
        let mut sealed = Vec::new();
        for (dir, is_log) in [(&paths.log, true), (&paths.sample, false)] {
            let (files, joined) = listed(dir, is_log)?;
            sealed.extend(files);
            joined.iter().try_for_each(|file| durable::remove_if_there(&file.path))?;
        }
        let (waiting, recovery) = recover(&paths)?;
        let mut taken = segment::sequences(&paths.ring)?;
        taken.extend(segment::numbered(&paths.ring, ASIDE_PREFIX)?);
        let newest = sealed.iter().map(|file| file.last).chain(taken).max();
        let sealer = Sealer::spawn(paths.clone())?;
        let mut telemetry = Self {
            paths,
            state: state.path().to_owned(),
            limits,
            open: None,
            next_sequence: newest.unwrap_or(0) + 1,
            spare_buffer: Vec::new(),
            syncer: Syncer::spawn()?,
            sealer,
            waiting,
            retry_at: None,
            failed: None,
            unreadable: BTreeMap::new(),
            join_at: None,
            sealed,
            space: None,
            status: TelemetryStatus::default(),
        };
        telemetry.enforce_quota();
        telemetry.seal_next();
        Ok((telemetry, recovery))
    }

    /// Takes a log line, without a system call. False when it was refused, which is counted.
    pub fn append_log(&mut self, log: &LogRecord) -> bool {
        self.append_any_log(log.received, |buffer| record::encode_log(&log.into(), buffer))
    }

    /// The same with a line of a batch.
    pub fn append_encoded(&mut self, log: EncodedLog<'_>) -> bool {
        self.append_any_log(log.received(), |buffer| buffer.extend_from_slice(log.payload))
    }

    fn append_any_log(&mut self, received: Timestamp, encode: impl FnOnce(&mut Vec<u8>)) -> bool {
        let is_taken = !self.status.is_refusing_logs && self.append(received, encode);
        self.status.logs += u64::from(is_taken);
        self.status.logs_refused += u64::from(!is_taken);
        is_taken
    }

    /// Takes a sample, without a system call. False when it was refused, which is counted.
    pub fn append_sample(&mut self, sample: &Sample) -> bool {
        let is_taken = !self.is_below(4) && self.append(sample.at, |buffer| record::encode_sample(sample, buffer));
        self.status.samples += u64::from(is_taken);
        self.status.samples_refused += u64::from(!is_taken);
        is_taken
    }

    /// Makes all that was taken durable; also seals what is due, keeps the quota and looks at the free space. Call at
    /// most every 200 ms. After an error the records since the last sync are lost and counted; the next may succeed.
    pub fn sync(&mut self, now: Timestamp) -> io::Result<()> {
        let result = self.sync_open();
        self.look_around(now);
        result
    }

    /// The first half of [`Telemetry::sync`]: hands what was taken to the system and has another thread wait for the
    /// disk. More may be taken meanwhile; it is not part of it. False when there is nothing to wait for, or still a sync
    /// that was begun before. An error is as one of [`Telemetry::sync`].
    pub fn begin_sync(&mut self) -> io::Result<bool> {
        if self.syncer.is_busy() {
            return Ok(false);
        }
        let Some((writer, _)) = &mut self.open else { return Ok(false) };
        let frames = writer.unsynced_frames();
        let result = writer.begin_sync();
        if result.is_err() {
            self.status.lost += frames - writer.unsynced_frames();
        }
        let unsynced = result?;
        Ok(unsynced.is_some_and(|unsynced| {
            self.syncer.begin(unsynced);
            self.syncer.is_busy()
        }))
    }

    /// The second half: what became of the sync that was begun, without waiting; `None` while the disk is at it. After an
    /// error all that is not on disk is lost and counted, also what was taken since.
    pub fn end_sync(&mut self, now: Timestamp) -> Option<io::Result<()>> {
        let result = match self.syncer.try_outcome() {
            Some(outcome) => self.on_synced(outcome),
            None if self.syncer.is_busy() => return None,
            // Someone had to wait for it; if it failed, what was lost is counted.
            None => Ok(()),
        };
        self.look_around(now);
        Some(result)
    }

    /// The same, waiting for the disk.
    pub fn wait_for_sync(&mut self, now: Timestamp) -> io::Result<()> {
        let result = self.syncer.wait_outcome().map_or(Ok(()), |outcome| self.on_synced(outcome));
        self.look_around(now);
        result
    }

    fn on_synced(&mut self, (unsynced, result): syncer::Outcome) -> io::Result<()> {
        // A segment is closed only while nothing is waited for, so this is the one.
        if let Some((writer, _)) = &mut self.open {
            let frames = writer.unsynced_frames();
            writer.end_sync(&unsynced, result.is_ok());
            if result.is_err() {
                self.status.lost += frames - writer.unsynced_frames();
            }
        }
        result
    }

    fn look_around(&mut self, now: Timestamp) {
        while let Some(outcome) = self.sealer.try_outcome() {
            self.on_sealed(outcome, now);
        }
        let is_over = |hour: i64| now.as_secs().div_euclid(HOUR_SECS) > hour;
        if self.open.as_ref().is_some_and(|(_, hour)| is_over(*hour)) && self.sync_open().is_ok() {
            self.close_segment();
        }
        // After a jump back the time to try again may be far away.
        let is_due = |at: Timestamp| at <= now || at.as_secs() - now.as_secs() > RETRY_SECS;
        if self.retry_at.is_some_and(is_due) {
            self.retry_at = None;
        }
        self.seal_next();
        self.join_next(now);
        self.look_at_space();
    }

    /// Syncs and seals everything, and waits for it: for a graceful stop, and before a report is made.
    pub fn seal_all(&mut self, now: Timestamp) -> io::Result<()> {
        let result = self.sync_open();
        self.close_segment();
        self.retry_at = None;
        let mut tries_left = self.waiting.len();
        self.seal_next();
        while self.sealer.is_busy() {
            let Some(outcome) = self.sealer.wait_outcome() else { break };
            // One that cannot be read says nothing about the others; a disk that takes no file takes none. Files that were
            // being joined are no try.
            let (is_stuck, tries) = match &outcome {
                sealer::Outcome::Sealed(_, sealed) => {
                    (sealed.as_ref().is_err_and(|error| !is_unreadable(error)), tries_left.saturating_sub(1))
                }
                sealer::Outcome::Joined(..) => (false, tries_left),
            };
            tries_left = tries;
            self.on_sealed(outcome, now);
            if is_stuck || tries_left == 0 {
                break;
            }
            self.retry_at = None;
            self.seal_next();
        }
        self.look_at_space();
        result?;
        if self.waiting.is_empty() {
            return Ok(());
        }
        Err(io::Error::other(
            "some telemetry could not be sealed; it stays in the ring and is sealed at the next start",
        ))
    }

    /// Counts since the telemetry was opened, and how things stand.
    pub fn status(&self) -> TelemetryStatus {
        TelemetryStatus {
            sealed_files: self.sealed.len() as u64,
            sealed_bytes: self.sealed.iter().map(|file| file.bytes).sum(),
            waiting_segments: self.waiting.len() as u64,
            free_bytes: self.space.map_or(0, |space| space.bytes),
            free_files: self.space.map_or(0, |space| space.files),
            ..self.status
        }
    }

    fn append(&mut self, at: Timestamp, encode: impl FnOnce(&mut Vec<u8>)) -> bool {
        let hour = at.as_secs().div_euclid(HOUR_SECS);
        if let Some((writer, open_hour)) = &self.open {
            let is_full =
                writer.position() + RECORD_BYTES_MAX.min(self.limits.segment_bytes / 8) > self.limits.segment_bytes;
            // Records come a little late, in a fast rehearsal by hours; further back, time has jumped.
            if is_full || hour > *open_hour || hour < *open_hour - LATE_HOURS_MAX {
                if self.sync_open().is_err() {
                    return false;
                }
                self.close_segment();
            }
        }
        if self.open.is_none() && !self.begin_segment(hour) {
            return false;
        }
        let Some((writer, _)) = &mut self.open else { return false };
        let is_put = writer.append(encode);
        if writer.buffered_bytes() >= BUFFER_BYTES_MAX {
            let frames = writer.unsynced_frames();
            if writer.write_out().is_err() {
                self.status.lost += frames - writer.unsynced_frames();
            }
        }
        is_put
    }

    fn begin_segment(&mut self, hour: i64) -> bool {
        if self.waiting.len() >= self.limits.segments_max.max(1) {
            // Waiting for one seal (or for a join and then a seal) slows the sender down; when seals fail, waiting would not
            // help.
            for _ in 0..2 {
                let is_full = self.waiting.len() >= self.limits.segments_max.max(1);
                let outcome = if is_full && self.sealer.is_busy() { self.sealer.wait_outcome() } else { None };
                let Some(outcome) = outcome else { break };
                self.on_sealed(outcome, Timestamp::from_secs(hour.saturating_mul(HOUR_SECS)));
                self.seal_next();
            }
            if self.waiting.len() >= self.limits.segments_max.max(1) {
                return false;
            }
        }
        let buffer = std::mem::take(&mut self.spare_buffer);
        let (sequence, bytes) = (self.next_sequence, self.limits.segment_bytes);
        self.open = Some((Writer::new(Kind::Telemetry, &self.paths.ring, sequence, bytes, buffer), hour));
        self.next_sequence += 1;
        true
    }

    fn sync_open(&mut self) -> io::Result<()> {
        if let Some(outcome) = self.syncer.wait_outcome() {
            self.on_synced(outcome)?;
        }
        let Some((writer, _)) = &mut self.open else { return Ok(()) };
        let frames = writer.unsynced_frames();
        let result = writer.sync();
        if result.is_err() {
            self.status.lost += frames - writer.unsynced_frames();
        }
        result
    }

    /// Ends the segment being written, which must be synced and no sync waited for, and lets it be sealed.
    fn close_segment(&mut self) {
        let Some((writer, _)) = self.open.take() else { return };
        self.waiting.insert(writer.sequence());
        self.spare_buffer = writer.into_buffer();
        self.seal_next();
    }

    fn seal_next(&mut self) {
        if self.retry_at.is_none()
            && !self.sealer.is_busy()
            && let Some(sequence) = self.next_to_seal()
        {
            self.sealer.begin(Job::Seal(sequence));
        }
    }

    /// The oldest, but after one that failed those behind it.
    fn next_to_seal(&self) -> Option<u64> {
        let behind = self.failed.and_then(|failed| self.waiting.range(failed + 1..).next());
        behind.or(self.waiting.first()).copied()
    }

    /// Joins small files of days that are over, while there is nothing to seal and room for both.
    fn join_next(&mut self, now: Timestamp) {
        let is_due = |at: Timestamp| at <= now || at.as_secs() - now.as_secs() > JOIN_RETRY_SECS;
        if self.sealer.is_busy() || !self.waiting.is_empty() || self.is_below(1) || !self.join_at.is_none_or(is_due) {
            return;
        }
        // Looking through the names is not for each sync.
        self.join_at = Some(now + std::time::Duration::from_secs(JOIN_LOOK_SECS));
        let bytes_max = self.limits.segment_bytes.min(self.limits.sealed_bytes_max / 16);
        let files = join::due(&self.sealed, now, bytes_max);
        if !files.is_empty() {
            self.sealer.begin(Job::Join(files));
        }
    }

    fn on_joined(&mut self, files: &[SealedFile], outcome: io::Result<SealedFile>, now: Timestamp) {
        match outcome {
            Ok(joined) => {
                self.status.joined_files += files.len() as u64;
                self.sealed.retain(|file| !files.contains(file));
                self.sealed.push(joined);
                self.join_at = None;
            }
            // They stay as they are, which is only more files.
            Err(_) => self.join_at = Some(now + std::time::Duration::from_secs(JOIN_RETRY_SECS.unsigned_abs())),
        }
    }

    fn on_sealed(&mut self, outcome: sealer::Outcome, now: Timestamp) {
        let (sequence, outcome) = match outcome {
            sealer::Outcome::Sealed(sequence, outcome) => (sequence, outcome),
            sealer::Outcome::Joined(files, outcome) => return self.on_joined(&files, outcome, now),
        };
        match outcome {
            Ok(files) => {
                self.waiting.remove(&sequence);
                // Sealing again after a crash replaces files of the same name.
                self.sealed.retain(|file| (file.sequence, file.last) != (sequence, sequence));
                self.sealed.extend(files);
                self.enforce_quota();
            }
            Err(error) if is_unreadable(&error) && error.kind() == io::ErrorKind::NotFound => {
                // Its file was never made, or someone removed it: nothing is left to seal.
                self.waiting.remove(&sequence);
            }
            Err(error) => {
                self.status.seals_failed += 1;
                self.failed = Some(sequence);
                self.retry_at = Some(now + std::time::Duration::from_secs(RETRY_SECS.unsigned_abs()));
                if is_unreadable(&error) && error.kind() != io::ErrorKind::PermissionDenied {
                    self.count_unreadable(sequence);
                }
            }
        }
        self.unreadable.retain(|sequence, _| self.waiting.contains(sequence));
    }

    /// After some tries the segment is set aside, so that it holds no place in the ring.
    fn count_unreadable(&mut self, sequence: u64) {
        let times = self.unreadable.entry(sequence).or_default();
        *times += 1;
        if *times >= READS_MAX {
            self.waiting.remove(&sequence);
            self.status.segments_aside += 1;
            set_aside(&self.paths, sequence);
        }
    }

    /// Removes sealed files beyond the quota.
    fn enforce_quota(&mut self) {
        loop {
            let (files, bytes) = self.sealed_sum(|_| true);
            let is_beyond = bytes > self.limits.sealed_bytes_max || files > self.limits.sealed_files_max as u64;
            if !is_beyond || !self.drop_least(true) {
                return;
            }
        }
    }

    fn sealed_sum(&self, is_meant: impl Fn(&SealedFile) -> bool) -> (u64, u64) {
        let meant = self.sealed.iter().filter(|file| is_meant(file));
        meant.fold((0, 0), |(files, bytes), file| (files + 1, bytes + file.bytes))
    }

    /// Removes the oldest of what is missed least: debug lines, then other lines, then (with `samples`) samples. Samples
    /// that take more than half of the quota go first, so that they do not push out all lines. False when nothing could
    /// be removed.
    fn drop_least(&mut self, samples: bool) -> bool {
        let (files, bytes) = self.sealed_sum(|file| file.class == Class::Sample);
        let are_too_many =
            bytes > self.limits.sealed_bytes_max / 2 || files > (self.limits.sealed_files_max / 2) as u64;
        let missed = |file: &SealedFile| match file.class {
            Class::Sample if samples && are_too_many => Some(0),
            Class::Debug => Some(1),
            Class::Log => Some(2),
            Class::Sample => samples.then_some(3),
        };
        let files = self.sealed.iter().enumerate();
        let least = files.filter_map(|(at, file)| Some((missed(file)?, file.sequence, at))).min();
        least.is_some_and(|(.., at)| self.drop_file(at))
    }

    /// False when it cannot be removed.
    fn drop_file(&mut self, at: usize) -> bool {
        if durable::remove_if_there(&self.sealed[at].path).is_err() {
            return false;
        }
        let dropped = self.sealed.swap_remove(at);
        self.status.dropped_files += 1;
        self.status.dropped_bytes += dropped.bytes;
        true
    }

    /// Below the reserve the oldest debug lines go, one file for each sync; below half of it other lines go too, and new
    /// ones are refused; below a quarter samples are refused. A file that is being joined is left to it.
    fn look_at_space(&mut self) {
        if let Ok(space) = free_space(&self.state) {
            self.space = Some(space);
            self.status.is_refusing_logs = self.is_below(2);
            self.status.is_short = self.is_below(1);
            self.status.is_short_of_files = space.files < self.limits.reserve_files;
            let has_debug = self.sealed.iter().any(|file| file.class == Class::Debug);
            if self.is_below(2) || (self.is_below(1) && has_debug) {
                self.drop_least(false);
            }
        }
    }

    /// True when less than one `part` of the reserve is free.
    fn is_below(&self, part: u64) -> bool {
        self.space.is_some_and(|space| {
            space.bytes < self.limits.reserve_bytes / part || space.files < self.limits.reserve_files / part
        })
    }
}

impl Drop for Telemetry {
    /// Hands over what is buffered, so that an early return loses nothing; errors were for `sync` to say.
    fn drop(&mut self) {
        let _ = self.sync_open();
    }
}

/// Counts what segments hold and cuts torn tails.
fn recover(paths: &Paths) -> io::Result<(BTreeSet<u64>, TelemetryRecovery)> {
    let mut recovery = TelemetryRecovery::default();
    let mut waiting = BTreeSet::new();
    for sequence in segment::sequences(&paths.ring)? {
        let path = segment_path(&paths.ring, sequence);
        let bytes = match fs::File::open(&path).and_then(read_file) {
            Ok(bytes) => bytes,
            // That is for a person to set right, and then it can be read.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            // Telemetry that is lost must not keep the leases from being served.
            Err(_) => {
                recovery.segments_aside += 1;
                set_aside(paths, sequence);
                continue;
            }
        };
        let scanned = scan(&bytes, Kind::Telemetry, sequence, |payload| match record::is_log(payload) {
            Some(true) => recovery.logs += 1,
            Some(false) => recovery.samples += 1,
            None => recovery.unknown += 1,
        });
        recovery.torn_bytes += scanned.torn_bytes;
        recovery.damaged += scanned.damaged;
        if scanned.frames == 0 {
            durable::remove_if_there(&path)?;
        } else {
            recovery.segments += 1;
            waiting.insert(sequence);
        }
    }
    Ok((waiting, recovery))
}

/// Gives a segment that cannot be read another name. One that cannot be renamed either stays, and nothing is sealed of it.
fn set_aside(paths: &Paths, sequence: u64) {
    let aside = |sequence: u64| paths.ring.join(format!("{ASIDE_PREFIX}{sequence:09}"));
    let _ = fs::rename(segment_path(&paths.ring, sequence), aside(sequence));
    let kept = segment::numbered(&paths.ring, ASIDE_PREFIX).unwrap_or_default();
    for &oldest in &kept[..kept.len().saturating_sub(ASIDE_MAX)] {
        let _ = durable::remove_if_there(&aside(oldest));
    }
}

#[cfg(test)]
mod tests;
