use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use arrow_array::RecordBatch;
use model::{LogRef, LogSeverity, Timestamp};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, Encoding, ZstdLevel},
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
    },
    schema::types::ColumnPath,
};

use super::{
    columns::{BATCH_ROWS, LogColumns, SampleColumns},
    grams::{GramIndex, Grams},
    record::{self, Record},
};
use crate::{
    durable::{self, NewFile},
    segment::{Kind, read_file, scan, segment_path},
};

/// Rows of a row group: the unit that a time range skips.
const ROW_GROUP_ROWS: usize = 64 << 10;
const SUFFIX: &str = ".parquet";
const DEBUG_SUFFIX: &str = "-debug";
/// `2019-09-16T01`
pub(super) const HOUR_OCTETS: usize = 13;

/// Where the parts of the telemetry live.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    pub(super) ring: PathBuf,
    pub(super) log: PathBuf,
    pub(super) sample: PathBuf,
}

impl Paths {
    pub(super) fn of(state: &Path) -> Self {
        let dir = state.join("telemetry");
        Self { ring: dir.join("ring"), log: dir.join("log"), sample: dir.join("sample") }
    }
}

/// What a sealed file holds. What is short of room loses the least of them first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Class {
    /// Log lines of severity debug.
    Debug,
    /// Other log lines.
    Log,
    /// Samples.
    Sample,
}

/// A sealed file: one class of one segment, or of several that were joined.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct SealedFile {
    pub(super) path: PathBuf,
    /// Of the first segment.
    pub(super) sequence: u64,
    /// Of the last.
    pub(super) last: u64,
    pub(super) bytes: u64,
    pub(super) class: Class,
}

impl SealedFile {
    /// True when what `other` holds is in this one as well: it was joined, and is about to go.
    fn has_all_of(&self, other: &Self) -> bool {
        self.class == other.class
            && self.path != other.path
            && self.sequence < self.last
            && (self.sequence..=self.last).contains(&other.sequence)
            && other.last <= self.last
    }
}

/// It is the segment that could not be read, not its file that could not be written: trying again may be in vain.
#[derive(Debug, thiserror::Error)]
#[error("the segment cannot be read")]
struct Unreadable(#[source] io::Error);

impl Unreadable {
    fn of(error: io::Error) -> io::Error {
        io::Error::new(error.kind(), Self(error))
    }
}

/// True when a seal failed because the segment cannot be read.
pub(super) fn is_unreadable(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Unreadable>())
}

/// Turns a segment into at most one Parquet file for each kind, then frees it.
///
/// Each file is written beside its name, synced, renamed and the directory synced; only then is the segment removed.
/// A crash on the way leaves the segment, and sealing it again makes the same files under the same names.
pub(super) fn seal(paths: &Paths, sequence: u64) -> io::Result<Vec<SealedFile>> {
    let segment = segment_path(&paths.ring, sequence);
    let bytes = File::open(&segment).and_then(read_file).map_err(Unreadable::of)?;
    let mut sealing = Sealing { paths, sequence, row: 0, logs: None, debug: None, samples: None, result: Ok(()) };
    scan(&bytes, Kind::Telemetry, sequence, |payload| sealing.take(payload));
    let files = sealing.finish()?;
    durable::remove_if_there(&segment)?;
    durable::sync_dir(&paths.ring)?;
    Ok(files)
}

struct Sealing<'a> {
    paths: &'a Paths,
    sequence: u64,
    /// Log lines so far.
    row: u64,
    logs: Option<LogFile>,
    debug: Option<LogFile>,
    samples: Option<(SampleColumns, usize, ParquetFile)>,
    result: io::Result<()>,
}

impl Sealing<'_> {
    fn take(&mut self, payload: &[u8]) {
        if self.result.is_ok() {
            self.result = match record::decode_line(payload) {
                Some(line) => self.take_log(&line),
                None => match record::decode(payload) {
                    Some(Record::Sample(sample)) => self.take_sample(&sample),
                    // A record of another version: whoever wrote it has sealed its own.
                    _ => Ok(()),
                },
            };
        }
    }

    fn take_log(&mut self, log: &LogRef<'_>) -> io::Result<()> {
        let position = (self.sequence, self.row);
        self.row += 1;
        let (file, class) = match log.severity {
            Some(LogSeverity::Debug) => (&mut self.debug, Class::Debug),
            _ => (&mut self.logs, Class::Log),
        };
        if file.is_none() {
            *file = Some(LogFile::create(&self.paths.log, log.received, (self.sequence, self.sequence), class)?);
        }
        file.as_mut().map_or(Ok(()), |file| file.push(log, position))
    }

    fn take_sample(&mut self, sample: &model::Sample) -> io::Result<()> {
        if self.samples.is_none() {
            let columns = SampleColumns::new();
            let range = (self.sequence, self.sequence);
            let file = ParquetFile::create(&self.paths.sample, sample.at, range, Class::Sample, columns.schema())?;
            self.samples = Some((columns, 0, file));
        }
        let Some((columns, rows, file)) = &mut self.samples else { return Ok(()) };
        columns.push(sample);
        *rows += 1;
        if rows.is_multiple_of(BATCH_ROWS) { file.write(&columns.finish().map_err(io::Error::other)?) } else { Ok(()) }
    }

    fn finish(self) -> io::Result<Vec<SealedFile>> {
        self.result?;
        let mut files = Vec::new();
        for file in [self.logs, self.debug].into_iter().flatten() {
            files.push(file.finish()?);
        }
        if let Some((mut columns, _, mut file)) = self.samples {
            file.write(&columns.finish().map_err(io::Error::other)?)?;
            files.push(file.finish()?);
        }
        Ok(files)
    }
}

/// A Parquet file of log lines, with the short pieces of text of each row group beside it.
pub(super) struct LogFile {
    columns: LogColumns,
    rows: usize,
    grams: Grams,
    index: GramIndex,
    file: ParquetFile,
}

impl LogFile {
    pub(super) fn create(dir: &Path, first: Timestamp, range: (u64, u64), class: Class) -> io::Result<Self> {
        let columns = LogColumns::with_position();
        let file = ParquetFile::create(dir, first, range, class, columns.schema())?;
        Ok(Self { columns, rows: 0, grams: Grams::new(), index: GramIndex::default(), file })
    }

    pub(super) fn push(&mut self, log: &LogRef<'_>, position: (u64, u64)) -> io::Result<()> {
        self.columns.push_at(log, position);
        self.grams.add(if log.raw.is_empty() { log.message.as_bytes() } else { log.raw });
        self.rows += 1;
        if self.rows.is_multiple_of(BATCH_ROWS) {
            self.file.write(&self.columns.finish().map_err(io::Error::other)?)?;
        }
        if self.rows.is_multiple_of(ROW_GROUP_ROWS) { self.end_group() } else { Ok(()) }
    }

    fn end_group(&mut self) -> io::Result<()> {
        self.file.writer.flush().map_err(io_error)?;
        let octets = self.grams.finish();
        self.index.push(self.file.writer.bytes_written() as u64, octets.len() as u64);
        self.file.writer.write_all(&octets)
    }

    pub(super) fn finish(mut self) -> io::Result<SealedFile> {
        if !self.rows.is_multiple_of(ROW_GROUP_ROWS) {
            self.file.write(&self.columns.finish().map_err(io::Error::other)?)?;
            self.end_group()?;
        }
        let (key, value) = self.index.to_metadata();
        self.file.writer.append_key_value_metadata(KeyValue::new(key, value));
        self.file.finish()
    }
}

/// A Parquet file that is not there until it is whole.
pub(super) struct ParquetFile {
    path: PathBuf,
    range: (u64, u64),
    class: Class,
    new: NewFile,
    writer: ArrowWriter<File>,
}

impl ParquetFile {
    /// `range` is of the segments that it will hold, `first` the time of its first record.
    pub(super) fn create(
        dir: &Path,
        first: Timestamp,
        range: (u64, u64),
        class: Class,
        schema: std::sync::Arc<arrow_schema::Schema>,
    ) -> io::Result<Self> {
        let path = dir.join(file_name(first, range, class));
        let new = NewFile::create(&path)?;
        let writer = ArrowWriter::try_new(new.file().try_clone()?, schema, Some(properties())).map_err(io_error)?;
        Ok(Self { path, range, class, new, writer })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        if batch.num_rows() == 0 { Ok(()) } else { self.writer.write(batch).map_err(io_error) }
    }

    pub(super) fn finish(self) -> io::Result<SealedFile> {
        self.writer.close().map_err(io_error)?;
        let bytes = self.new.publish()?.metadata()?.len();
        Ok(SealedFile { path: self.path, sequence: self.range.0, last: self.range.1, bytes, class: self.class })
    }
}

pub(super) fn properties() -> WriterProperties {
    let level = ZstdLevel::try_new(1).unwrap_or_default();
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        // The least and the greatest of texts skip nothing, and every text would be compared with them.
        .set_statistics_enabled(EnabledStatistics::None);
    for column in ["received", "device_time", "at", "facility", "severity", "position"] {
        builder = builder.set_column_statistics_enabled(ColumnPath::from(column), EnabledStatistics::Chunk);
    }
    // Each value is different; a dictionary of them would only be thrown away when full.
    for (column, encoding) in [
        ("received", Encoding::DELTA_BINARY_PACKED),
        ("device_time", Encoding::DELTA_BINARY_PACKED),
        ("at", Encoding::DELTA_BINARY_PACKED),
        ("position", Encoding::DELTA_BINARY_PACKED),
        ("header", Encoding::DELTA_LENGTH_BYTE_ARRAY),
        ("message", Encoding::DELTA_LENGTH_BYTE_ARRAY),
        ("raw", Encoding::DELTA_LENGTH_BYTE_ARRAY),
    ] {
        let path = ColumnPath::from(column);
        builder = builder.set_column_dictionary_enabled(path.clone(), false).set_column_encoding(path, encoding);
    }
    builder.build()
}

pub(super) fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(source) => io::Error::other(source),
        },
        error => io::Error::other(error),
    }
}

/// Hour of the first record, and the segment: `2019-09-16T01-000000012.parquet`, `...-debug.parquet`, joined
/// `2019-09-16T01-000000012-000000031.parquet`. Nothing from the network is in it.
fn file_name(first: Timestamp, (sequence, last): (u64, u64), class: Class) -> String {
    let time = jiff::Timestamp::from_nanosecond(i128::from(first.as_nanos())).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let joined = if last > sequence { format!("-{last:09}") } else { String::new() };
    let kind = if class == Class::Debug { DEBUG_SUFFIX } else { "" };
    format!("{}-{sequence:09}{joined}{kind}{SUFFIX}", time.strftime("%Y-%m-%dT%H"))
}

/// First and last segment, and whether it is of debug lines, in a name of ours.
fn of_file_name(name: &str) -> Option<(u64, u64, bool)> {
    let stem = name.strip_suffix(SUFFIX)?;
    let (stem, is_debug) = stem.strip_suffix(DEBUG_SUFFIX).map_or((stem, false), |stem| (stem, true));
    let (_hour, numbers) = stem.split_at_checked(HOUR_OCTETS)?;
    let numbers = numbers.strip_prefix('-')?;
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last, is_debug))
}

/// The sealed files in one directory, by sequence; those that were joined only as what they were joined into. A missing
/// directory holds none.
pub(super) fn sealed_files(dir: &Path, is_log: bool) -> io::Result<Vec<SealedFile>> {
    let (files, _joined) = listed(dir, is_log)?;
    Ok(files)
}

/// The same, and the files that were joined and are not removed yet.
pub(super) fn listed(dir: &Path, is_log: bool) -> io::Result<(Vec<SealedFile>, Vec<SealedFile>)> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), Vec::new())),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some((sequence, last, is_debug)) = name.to_str().and_then(of_file_name) else { continue };
        // The quota may remove it between the listing and here.
        let Ok(metadata) = entry.metadata() else { continue };
        let class = match (is_log, is_debug) {
            (false, _) => Class::Sample,
            (true, true) => Class::Debug,
            (true, false) => Class::Log,
        };
        files.push(SealedFile { path: entry.path(), sequence, last, bytes: metadata.len(), class });
    }
    files.sort_unstable_by_key(|file| (file.sequence, file.class));
    let whole: Vec<SealedFile> = files.iter().filter(|file| file.sequence < file.last).cloned().collect();
    Ok(files.into_iter().partition(|file| !whole.iter().any(|joined| joined.has_all_of(file))))
}
