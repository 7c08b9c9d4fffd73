use std::{
    collections::BTreeSet,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use model::{LogRecord, LogSeverity, Sample, Timestamp};
use parquet::{
    arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
    file::{metadata::RowGroupMetaData, statistics::Statistics},
};

use super::{
    columns::{LogRows, SampleRows},
    record::{self, Record},
    seal::{Paths, SealedFile, sealed_files},
};
use crate::segment::{self, Kind, read_file, scan, segment_path};

/// Which log lines are wanted. The default is the newest 1,000 of all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogQuery {
    /// Received at or after this moment.
    pub from: Option<Timestamp>,
    /// Received before this moment.
    pub to: Option<Timestamp>,
    /// Of this host, upper and lower case alike.
    pub host: Option<String>,
    /// This severe or worse; lines without a severity are left out then.
    pub severity_at_most: Option<LogSeverity>,
    /// With this text in message or raw line, upper and lower case of ASCII alike.
    pub text: Option<String>,
    /// Lines wanted at most.
    pub limit: usize,
    /// Newest first, and the newest when there are more than `limit`; else oldest first.
    pub newest_first: bool,
}

impl Default for LogQuery {
    fn default() -> Self {
        Self { from: None, to: None, host: None, severity_at_most: None, text: None, limit: 1_000, newest_first: true }
    }
}

impl LogQuery {
    fn is_in_time(&self, received: Timestamp) -> bool {
        self.from.is_none_or(|from| received >= from) && self.to.is_none_or(|to| received < to)
    }

    fn has_only_time(&self) -> bool {
        self.host.is_none() && self.severity_at_most.is_none() && self.text.is_none()
    }

    fn matches(&self, severity: Option<LogSeverity>, host: &str, message: &str, raw: &[u8]) -> bool {
        self.severity_at_most.is_none_or(|most| severity.is_some_and(|severity| severity <= most))
            && self.host.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(host))
            && self
                .text
                .as_ref()
                .is_none_or(|text| contains(message.as_bytes(), text.as_bytes()) || contains(raw, text.as_bytes()))
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
}

/// The log lines of the state directory `path` that `query` wants, by receive time; lines of one moment in the order
/// they were stored. Also while a daemon writes: everything synced at the time of the call is found, once.
pub fn search_logs(path: &Path, query: &LogQuery) -> Result<Vec<LogRecord>, QueryError> {
    let mut best = Best { query, items: Vec::new(), threshold: None };
    let stored = Stored::open(path, true)?;
    // Those that are likely to fill the limit first, so that the others can be skipped by their statistics.
    for (sequence, bytes) in newest_or_oldest(&stored.live, query.newest_first) {
        let mut row = 0;
        scan(bytes, Kind::Telemetry, *sequence, |payload| {
            if record::is_log(payload) == Some(true) {
                row += 1;
                if let Some(Record::Log(log)) = record::decode(payload)
                    && query.is_in_time(log.received)
                    && query.matches(log.severity, &log.host, &log.message, &log.raw)
                {
                    best.offer((log.received, *sequence, row), || log);
                }
            }
        });
    }
    for file in newest_or_oldest(&stored.sealed, query.newest_first) {
        search_sealed(file, query, &mut best)?;
    }
    Ok(best.finish())
}

/// How many log lines `query` matches; its limit does not count.
pub fn count_logs(path: &Path, query: &LogQuery) -> Result<u64, QueryError> {
    let stored = Stored::open(path, true)?;
    let mut count = 0;
    for (sequence, bytes) in &stored.live {
        scan(bytes, Kind::Telemetry, *sequence, |payload| {
            if record::is_log(payload) == Some(true)
                && let Some(Record::Log(log)) = record::decode(payload)
                && query.is_in_time(log.received)
            {
                count += u64::from(query.matches(log.severity, &log.host, &log.message, &log.raw));
            }
        });
    }
    for file in &stored.sealed {
        let whole = |group: &RowGroupMetaData| {
            let is_inside =
                time_range(group).is_some_and(|(first, last)| query.is_in_time(first) && query.is_in_time(last));
            query.has_only_time() && is_inside
        };
        let Some(metadata) = open_builder(file)? else { continue };
        let groups = metadata.metadata().row_groups();
        count += groups.iter().filter(|group| whole(group)).map(|group| group.num_rows().unsigned_abs()).sum::<u64>();
        let wanted = |group: &RowGroupMetaData| !whole(group) && overlaps(group, query.from, query.to);
        for_each_batch(file, wanted, |batch, _| {
            let rows = LogRows::of(batch)?;
            let matching = (0..batch.num_rows()).filter(|&row| {
                query.is_in_time(Timestamp::from_nanos(rows.received.value(row)))
                    && query.matches(
                        rows.severity_at(row),
                        rows.host.value(row),
                        rows.message.value(row),
                        rows.raw.value(row),
                    )
            });
            count += matching.count() as u64;
            Some(())
        })?;
    }
    Ok(count)
}

/// The samples of the state directory `path` from `from` until before `to`, of one metric or of all, by time. Also
/// while a daemon writes.
pub fn read_samples(
    path: &Path,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    metric: Option<&str>,
) -> Result<Vec<Sample>, QueryError> {
    let is_wanted = |at: Timestamp, name: &str| {
        from.is_none_or(|from| at >= from) && to.is_none_or(|to| at < to) && metric.is_none_or(|metric| metric == name)
    };
    let stored = Stored::open(path, false)?;
    let mut samples = Vec::new();
    for file in &stored.sealed {
        for_each_batch(
            file,
            |group| overlaps(group, from, to),
            |batch, _| {
                let rows = SampleRows::of(batch)?;
                let wanted = (0..batch.num_rows()).filter(|&row| is_wanted(rows.at(row), rows.metric(row)));
                samples.extend(wanted.map(|row| rows.sample(row)));
                Some(())
            },
        )?;
    }
    for (sequence, bytes) in &stored.live {
        scan(bytes, Kind::Telemetry, *sequence, |payload| {
            if record::is_log(payload) == Some(false)
                && let Some(Record::Sample(sample)) = record::decode(payload)
                && is_wanted(sample.at, &sample.metric)
            {
                samples.push(sample);
            }
        });
    }
    samples.sort_by_key(|sample| sample.at);
    Ok(samples)
}

/// What is stored at one moment, each record once.
struct Stored {
    live: Vec<(u64, Vec<u8>)>,
    sealed: Vec<SealedFile>,
}

impl Stored {
    /// Segments first, sealed files after: what is sealed in between is then in both, and the sealed one is left out.
    fn open(state: &Path, is_log: bool) -> Result<Self, QueryError> {
        let paths = Paths::of(state);
        let sequences = at(&paths.ring, segment::sequences(&paths.ring))?;
        let mut live = Vec::new();
        for sequence in sequences {
            let path = segment_path(&paths.ring, sequence);
            match File::open(&path).and_then(read_file) {
                Ok(bytes) => live.push((sequence, bytes)),
                // Sealed since the listing.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(QueryError::Io { path, source }),
            }
        }
        let taken: BTreeSet<u64> = live.iter().map(|(sequence, _)| *sequence).collect();
        let dir = if is_log { &paths.log } else { &paths.sample };
        let mut sealed = at(dir, sealed_files(dir, is_log))?;
        sealed.retain(|file| !taken.contains(&file.sequence));
        Ok(Self { live, sealed })
    }
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, QueryError> {
    result.map_err(|source| QueryError::Io { path: path.to_owned(), source })
}

fn newest_or_oldest<T>(items: &[T], is_newest_first: bool) -> Box<dyn Iterator<Item = &T> + '_> {
    if is_newest_first { Box::new(items.iter().rev()) } else { Box::new(items.iter()) }
}

/// Receive time, segment, row: the order of lines.
type Key = (Timestamp, u64, usize);

/// The best lines so far, at most twice the limit at any time.
struct Best<'a> {
    query: &'a LogQuery,
    items: Vec<(Key, LogRecord)>,
    /// With the limit reached: what is not better than this is not wanted.
    threshold: Option<Key>,
}

impl Best<'_> {
    fn is_better(&self, one: Key, other: Key) -> bool {
        if self.query.newest_first { one > other } else { one < other }
    }

    /// True when a line of that time may still be wanted.
    fn may_want(&self, range: (Timestamp, Timestamp)) -> bool {
        self.threshold.is_none_or(|(time, ..)| if self.query.newest_first { range.1 >= time } else { range.0 <= time })
    }

    fn offer(&mut self, key: Key, log: impl FnOnce() -> LogRecord) {
        if self.query.limit == 0 || self.threshold.is_some_and(|threshold| !self.is_better(key, threshold)) {
            return;
        }
        self.items.push((key, log()));
        if self.items.len() >= self.query.limit.saturating_mul(2) {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        self.items.sort_unstable_by_key(|(key, _)| *key);
        if self.query.newest_first {
            self.items.reverse();
        }
        self.items.truncate(self.query.limit);
        if self.items.len() == self.query.limit {
            self.threshold = self.items.last().map(|(key, _)| *key);
        }
    }

    fn finish(mut self) -> Vec<LogRecord> {
        self.shrink();
        self.items.into_iter().map(|(_, log)| log).collect()
    }
}

fn search_sealed(file: &SealedFile, query: &LogQuery, best: &mut Best<'_>) -> Result<(), QueryError> {
    if best.items.len() >= query.limit {
        best.shrink();
    }
    let wanted = |group: &RowGroupMetaData| {
        overlaps(group, query.from, query.to) && time_range(group).is_none_or(|range| best.may_want(range))
    };
    let mut found = Vec::new();
    for_each_batch(file, wanted, |batch, first_row| {
        let rows = LogRows::of(batch)?;
        for row in 0..batch.num_rows() {
            let received = Timestamp::from_nanos(rows.received.value(row));
            if query.is_in_time(received)
                && query.matches(
                    rows.severity_at(row),
                    rows.host.value(row),
                    rows.message.value(row),
                    rows.raw.value(row),
                )
            {
                found.push(((received, file.sequence, first_row + row), rows.record(row)));
            }
        }
        Some(())
    })?;
    for (key, log) in found {
        best.offer(key, || log);
    }
    Ok(())
}

/// Gives each batch of the wanted row groups to `take`, with a number that grows from row to row; `take` answers
/// `None` when the columns are not ours.
fn for_each_batch(
    file: &SealedFile,
    wanted: impl Fn(&RowGroupMetaData) -> bool,
    mut take: impl FnMut(&arrow_array::RecordBatch, usize) -> Option<()>,
) -> Result<(), QueryError> {
    const BATCH_ROWS: usize = 8 << 10;
    let Some(builder) = open_builder(file)? else { return Ok(()) };
    let groups: Vec<usize> =
        (0..).zip(builder.metadata().row_groups()).filter(|(_, group)| wanted(group)).map(|(at, _)| at).collect();
    if groups.is_empty() {
        return Ok(());
    }
    let damaged = |source| QueryError::Damaged { path: file.path.clone(), source };
    let reader: ParquetRecordBatchReader =
        builder.with_row_groups(groups).with_batch_size(BATCH_ROWS).build().map_err(|error| damaged(Some(error)))?;
    let mut row = 0;
    for batch in reader {
        let batch = batch.map_err(|error| damaged(Some(error.into())))?;
        take(&batch, row).ok_or_else(|| damaged(None))?;
        row += batch.num_rows();
    }
    Ok(())
}

/// `None` when the quota has removed the file since it was listed.
fn open_builder(file: &SealedFile) -> Result<Option<ParquetRecordBatchReaderBuilder<File>>, QueryError> {
    match File::open(&file.path) {
        Ok(opened) => ParquetRecordBatchReaderBuilder::try_new(opened)
            .map(Some)
            .map_err(|source| QueryError::Damaged { path: file.path.clone(), source: Some(source) }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(QueryError::Io { path: file.path.clone(), source }),
    }
}

/// First and last time of a row group, from its statistics; the time is the first column of every kind.
fn time_range(group: &RowGroupMetaData) -> Option<(Timestamp, Timestamp)> {
    match group.columns().first()?.statistics()? {
        Statistics::Int64(values) => {
            Some((Timestamp::from_nanos(*values.min_opt()?), Timestamp::from_nanos(*values.max_opt()?)))
        }
        _ => None,
    }
}

fn overlaps(group: &RowGroupMetaData, from: Option<Timestamp>, to: Option<Timestamp>) -> bool {
    time_range(group).is_none_or(|(first, last)| from.is_none_or(|from| last >= from) && to.is_none_or(|to| first < to))
}

/// ASCII letters alike in upper and lower case; other octets as they are.
fn contains(octets: &[u8], wanted: &[u8]) -> bool {
    let Some(first) = wanted.first() else { return true };
    let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    let last_start = octets.len().checked_sub(wanted.len());
    last_start.is_some_and(|last| {
        octets[..=last].iter().enumerate().any(|(at, octet)| {
            (*octet == lower || *octet == upper) && octets[at..at + wanted.len()].eq_ignore_ascii_case(wanted)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_found_in_any_case() {
        for (octets, wanted, is_found) in [
            ("Interface DOWN", "down", true),
            ("Interface DOWN", "Down", true),
            ("Interface DOWN", "downs", false),
            ("", "x", false),
            ("x", "", true),
            ("障害発生", "害", true),
            ("aab", "ab", true),
        ] {
            assert_eq!(contains(octets.as_bytes(), wanted.as_bytes()), is_found, "{octets} {wanted}");
        }
    }
}
