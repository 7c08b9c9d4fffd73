//! Finding stored lines and samples, also while a daemon writes.
//!
//! ```text
//! segments of the ring   every line is decoded and compared
//! sealed files           by name, row groups by statistics, then the columns asked about, then what lines say;
//!                        whole records only of lines that are wanted in the end
//! ```
//! Files are searched by several threads, the likely ones first; what cannot be better than what was found is skipped.

mod best;
mod dictionary;
mod filter;
mod follow;
mod samples;
mod sealed;

pub use filter::{LineTest, exact_name};
pub use follow::LogFollower;
pub use samples::read_samples;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::File,
    io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
};

use model::{Facility, LogRecord, LogSeverity, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    record::{self, Record},
    seal::{HOUR_OCTETS, Paths, SealedFile, sealed_files},
};
use crate::segment::{self, Kind, read_file, scan, segment_path};
use best::Best;
use filter::Filter;
use sealed::Sealed;

/// Which log lines are wanted. The default is the newest 1,000 of all.
#[derive(Clone, Debug)]
pub struct LogQuery {
    /// Received at or after this moment.
    pub from: Option<Timestamp>,
    /// Received before this moment.
    pub to: Option<Timestamp>,
    /// Of any of these originators, upper and lower case alike; `*` and `?` as in a shell, `\` before a character that is
    /// meant as it stands. A line without originator is
    /// found by the address of its sender.
    pub hosts: Option<Vec<String>>,
    /// Of any of these programs, in the same way.
    pub apps: Option<Vec<String>>,
    /// This severe or worse; lines without a severity are left out then.
    pub severity_at_most: Option<LogSeverity>,
    /// Of this facility.
    pub facility: Option<Facility>,
    /// With this text anywhere in the line, upper and lower case of ASCII alike.
    pub text: Option<String>,
    /// With a match of this regular expression in the message (syntax of the crate `regex`, linear time).
    pub regex: Option<String>,
    /// What else is asked about program and message.
    pub test: Option<LineTest>,
    /// Lines wanted at most.
    pub limit: usize,
    /// Newest first, and the newest when there are more than `limit`; else oldest first.
    pub newest_first: bool,
    /// Only lines behind this one in that order: the next page.
    pub beyond: Option<LogPosition>,
    /// Threads at most; never more than there are cores.
    pub threads_max: usize,
    /// Set by somebody else, it ends the search with [`QueryError::Stopped`].
    pub stop: Option<Arc<AtomicBool>>,
}

impl Default for LogQuery {
    fn default() -> Self {
        Self {
            from: None,
            to: None,
            hosts: None,
            apps: None,
            severity_at_most: None,
            facility: None,
            text: None,
            regex: None,
            test: None,
            limit: 1_000,
            newest_first: true,
            beyond: None,
            threads_max: usize::MAX,
            stop: None,
        }
    }
}

/// Where a line stands among all: by receive time, then in the order of storing. It stays when its segment is sealed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct LogPosition {
    /// When it was received.
    pub received: Timestamp,
    pub(super) sequence: u64,
    pub(super) row: u64,
}

/// A line and where it stands.
#[derive(Clone, PartialEq, Debug)]
pub struct LogLine {
    /// Where.
    pub position: LogPosition,
    /// The line.
    pub log: LogRecord,
}

/// Text that is no [`LogPosition`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this is not the position of a log line")]
pub struct PositionError;

impl fmt::Display for LogPosition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.received.as_nanos(), self.sequence, self.row)
    }
}

impl FromStr for LogPosition {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let mut parts = text.split('.');
        let mut next = || parts.next().ok_or(PositionError);
        let received = next()?.parse().map_err(|_| PositionError)?;
        let (sequence, row) = (next()?, next()?);
        let number = |text: &str| text.parse().map_err(|_| PositionError);
        let position =
            Self { received: Timestamp::from_nanos(received), sequence: number(sequence)?, row: number(row)? };
        parts.next().is_none().then_some(position).ok_or(PositionError)
    }
}

impl From<LogPosition> for String {
    fn from(position: LogPosition) -> Self {
        position.to_string()
    }
}

impl TryFrom<String> for LogPosition {
    type Error = PositionError;

    fn try_from(text: String) -> Result<Self, PositionError> {
        text.parse()
    }
}

/// Stored telemetry could not be read.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The system refused.
    #[error("`{path}` cannot be read; check its permissions")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A sealed file is not what was written.
    #[error("`{path}` is damaged; move it away to read the rest")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the reader of Parquet said, if it was that.
        source: Option<parquet::errors::ParquetError>,
    },
    /// The regular expression cannot be used.
    #[error("the regular expression cannot be used: {says}")]
    Pattern {
        /// Why.
        says: String,
    },
    /// Too many originators or programs are asked for.
    #[error("more than {max} names, or too long ones; use a pattern with `*`")]
    TooManyNames {
        /// How many may be.
        max: usize,
    },
    /// [`LogQuery::stop`] was set.
    #[error("the search was stopped before its end; ask for a shorter time")]
    Stopped,
}

/// The log lines of the state directory `path` that `query` wants, by receive time; lines of one moment in the order
/// they were stored. Also while a daemon writes: everything synced at the time of the call is found, once.
pub fn search_logs(path: &Path, query: &LogQuery) -> Result<Vec<LogRecord>, QueryError> {
    Ok(search_lines(path, query)?.into_iter().map(|line| line.log).collect())
}

/// As [`search_logs`], with the place of each line.
pub fn search_lines(path: &Path, query: &LogQuery) -> Result<Vec<LogLine>, QueryError> {
    let filter = Filter::compile(query)?;
    again_if_joined(path, true, |stored| search_stored(path, query, &filter, stored))
}

/// How often is begun anew because files were joined, or removed by the quota, on the way.
const ATTEMPTS_MAX: usize = 3;

/// Does `work` on what is stored now; again when one of its files has gone meanwhile, for then what it held is in
/// another.
fn again_if_joined<T>(
    path: &Path,
    is_log: bool,
    work: impl Fn(&Stored) -> Result<T, QueryError>,
) -> Result<T, QueryError> {
    for _ in 1..ATTEMPTS_MAX {
        let stored = Stored::open(path, is_log)?;
        let result = work(&stored)?;
        if stored.sealed.iter().all(|file| file.path.exists()) {
            return Ok(result);
        }
    }
    work(&Stored::open(path, is_log)?)
}

fn search_stored(path: &Path, query: &LogQuery, filter: &Filter, stored: &Stored) -> Result<Vec<LogLine>, QueryError> {
    let best = Best::new(query.limit, query.newest_first);
    let sources = stored.sources(filter, query.newest_first);
    in_parallel(&sources, query, |source, is_stopped| match source {
        Source::Live(sequence, file) => search_live(path, *sequence, file, filter, &best),
        Source::Sealed(file) if !best.may_want(earliest(file), latest(file)) => Ok(()),
        Source::Sealed(file) => match Sealed::open(file)? {
            Some(sealed) => sealed.search(filter, &best, query.newest_first, is_stopped),
            None => Ok(()),
        },
    })?;
    fetch_records(&stored.sealed, best.finish(), query)
}

/// How many log lines `query` matches; its limit does not count.
pub fn count_logs(path: &Path, query: &LogQuery) -> Result<u64, QueryError> {
    let filter = Filter::compile(query)?;
    again_if_joined(path, true, |stored| count_stored(path, query, &filter, stored))
}

fn count_stored(path: &Path, query: &LogQuery, filter: &Filter, stored: &Stored) -> Result<u64, QueryError> {
    let count = AtomicU64::new(0);
    in_parallel(&stored.sources(filter, true), query, |source, is_stopped| {
        let found = match source {
            Source::Live(sequence, file) => {
                let mut found = 0;
                each_live(path, *sequence, file, filter, |_, _| found += 1)?;
                found
            }
            Source::Sealed(file) => match Sealed::open(file)? {
                Some(sealed) => sealed.count(filter, is_stopped)?,
                None => 0,
            },
        };
        count.fetch_add(found, Ordering::Relaxed);
        Ok(())
    })?;
    Ok(count.into_inner())
}

/// What is stored at one moment, each record once. What is sealed or removed meanwhile can still be read.
struct Stored {
    live: Vec<(u64, File)>,
    sealed: Vec<SealedFile>,
}

/// A part of it that one thread searches.
enum Source<'s> {
    Live(u64, &'s File),
    Sealed(&'s SealedFile),
}

impl Source<'_> {
    fn sequence(&self) -> u64 {
        match self {
            Self::Live(sequence, _) => *sequence,
            Self::Sealed(file) => file.sequence,
        }
    }
}

impl Stored {
    /// Segments first, sealed files after: what is sealed in between is then in both, and the sealed one is left out.
    fn open(state: &Path, is_log: bool) -> Result<Self, QueryError> {
        let paths = Paths::of(state);
        let sequences = at(&paths.ring, segment::sequences(&paths.ring))?;
        let mut live = Vec::new();
        for sequence in sequences {
            let path = segment_path(&paths.ring, sequence);
            match File::open(&path) {
                Ok(file) => live.push((sequence, file)),
                // Sealed since the listing.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(QueryError::Io { path, source }),
            }
        }
        let taken: BTreeSet<u64> = live.iter().map(|(sequence, _)| *sequence).collect();
        let dir = if is_log { &paths.log } else { &paths.sample };
        let mut sealed = at(dir, sealed_files(dir, is_log))?;
        sealed.retain(|file| taken.range(file.sequence..=file.last).next().is_none());
        Ok(Self { live, sealed })
    }

    /// What may hold wanted lines, the likeliest to fill the limit first.
    fn sources(&self, filter: &Filter, newest_first: bool) -> Vec<Source<'_>> {
        let live = self.live.iter().map(|(sequence, file)| Source::Live(*sequence, file));
        let in_time = |file: &&SealedFile| filter.overlaps(earliest(file), latest(file));
        let mut sources: Vec<_> = live.chain(self.sealed.iter().filter(in_time).map(Source::Sealed)).collect();
        sources.sort_by_key(Source::sequence);
        if newest_first {
            sources.reverse();
        }
        sources
    }
}

/// Lines of a sealed file are at most a day and an hour away from the hour in its name: a segment takes records of its
/// hour, and late ones of a day. Files are joined within a day.
const SPAN_SECS: i64 = 25 * 3_600;
const DAY_SECS: i64 = 24 * 3_600;

fn earliest(file: &SealedFile) -> Timestamp {
    named_hour(file).map_or(Timestamp::from_nanos(i64::MIN), |secs| Timestamp::from_secs(secs - SPAN_SECS))
}

fn latest(file: &SealedFile) -> Timestamp {
    let span = if file.last > file.sequence { SPAN_SECS + DAY_SECS } else { SPAN_SECS };
    named_hour(file).map_or(Timestamp::from_nanos(i64::MAX), |secs| Timestamp::from_secs(secs + span))
}

/// The hour in the name, as seconds since 1970; `None` where there is none.
pub(super) fn named_hour(file: &SealedFile) -> Option<i64> {
    let hour = file.path.file_stem()?.to_str()?.get(..HOUR_OCTETS)?;
    let time: jiff::civil::DateTime = format!("{hour}:00:00").parse().ok()?;
    let secs = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    // Times that nanoseconds cannot tell are not compared.
    (secs.abs() < i64::MAX / 2_000_000_000).then_some(secs)
}

/// Hands each source to one of the threads, in order.
fn in_parallel<'s>(
    sources: &[Source<'s>],
    query: &LogQuery,
    work: impl Fn(&Source<'s>, &dyn Fn() -> bool) -> Result<(), QueryError> + Sync,
) -> Result<(), QueryError> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(query.threads_max).min(sources.len()).max(1);
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    let has_failed = AtomicBool::new(false);
    let is_stopped =
        || has_failed.load(Ordering::Relaxed) || query.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed));
    let run = || {
        while let Some(source) = sources.get(next.fetch_add(1, Ordering::Relaxed)).filter(|_| !is_stopped()) {
            if let Err(error) = work(source, &is_stopped) {
                has_failed.store(true, Ordering::Relaxed);
                *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
        }
    };
    thread::scope(|scope| {
        (1..threads).for_each(|_| drop(scope.spawn(run)));
        run();
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None if is_stopped() => Err(QueryError::Stopped),
        None => Ok(()),
    }
}

fn search_live(path: &Path, sequence: u64, file: &File, filter: &Filter, best: &Best) -> Result<(), QueryError> {
    let mut found = Vec::new();
    each_live(path, sequence, file, filter, |position, log| {
        if best.may_want(log.received, log.received) {
            found.push((position, Some(log)));
        }
        // Handed over in between, so that few are held.
        if found.len() >= 1_024 {
            best.offer(found.drain(..));
        }
    })?;
    best.offer(found);
    Ok(())
}

/// Gives each line of a segment that `filter` wants to `take`.
fn each_live(
    path: &Path,
    sequence: u64,
    file: &File,
    filter: &Filter,
    mut take: impl FnMut(LogPosition, LogRecord),
) -> Result<(), QueryError> {
    let bytes = at(path, file.try_clone().and_then(read_file))?;
    let mut row = 0;
    scan(&bytes, Kind::Telemetry, sequence, |payload| {
        if record::is_log(payload) == Some(true)
            && let Some(Record::Log(log)) = record::decode(payload)
        {
            let position = LogPosition { received: log.received, sequence, row };
            // Counted as sealing counts, so that the position stays.
            row += 1;
            if filter.is_in_time(log.received) && filter.is_beyond(position) && filter.matches(&log) {
                take(position, log);
            }
        }
    });
    Ok(())
}

/// The records of the lines found: those of sealed files are read now, by several threads.
fn fetch_records(
    files: &[SealedFile],
    found: Vec<(LogPosition, Option<LogRecord>)>,
    query: &LogQuery,
) -> Result<Vec<LogLine>, QueryError> {
    let missing: BTreeSet<(u64, u64)> =
        found.iter().filter(|(_, log)| log.is_none()).map(|(at, _)| (at.sequence, at.row)).collect();
    let holds = |file: &&SealedFile| missing.range((file.sequence, 0)..=(file.last, u64::MAX)).next().is_some();
    let sources: Vec<_> = files.iter().filter(holds).map(Source::Sealed).collect();
    let fetched = Mutex::new(BTreeMap::new());
    in_parallel(&sources, query, |source, _| {
        let Source::Sealed(file) = source else { return Ok(()) };
        // Removed since it was searched: its lines are gone, or elsewhere.
        let Some(sealed) = Sealed::open(file)? else { return Ok(()) };
        let records = sealed.records(&missing)?;
        fetched.lock().unwrap_or_else(PoisonError::into_inner).extend(records);
        Ok(())
    })?;
    let mut fetched = fetched.into_inner().unwrap_or_else(PoisonError::into_inner);
    let lines = found.into_iter().filter_map(|(position, log)| {
        let log = log.or_else(|| fetched.remove(&(position.sequence, position.row)))?;
        Some(LogLine { position, log })
    });
    Ok(lines.collect())
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, QueryError> {
    result.map_err(|source| QueryError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
