use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use arrow_array::RecordBatch;
use model::{LogRef, Timestamp};
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

/// A sealed file. It holds one kind of one segment; `sequence` is that segment's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct SealedFile {
    pub(super) path: PathBuf,
    pub(super) sequence: u64,
    pub(super) bytes: u64,
    pub(super) is_log: bool,
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
    let mut sealing = Sealing { paths, sequence, logs: None, samples: None, result: Ok(()) };
    scan(&bytes, Kind::Telemetry, sequence, |payload| sealing.take(payload));
    let files = sealing.finish()?;
    durable::remove_if_there(&segment)?;
    durable::sync_dir(&paths.ring)?;
    Ok(files)
}

struct Sealing<'a> {
    paths: &'a Paths,
    sequence: u64,
    logs: Option<LogFile>,
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
        if self.logs.is_none() {
            self.logs = Some(LogFile::create(&self.paths.log, log.received, self.sequence)?);
        }
        self.logs.as_mut().map_or(Ok(()), |file| file.push(log))
    }

    fn take_sample(&mut self, sample: &model::Sample) -> io::Result<()> {
        if self.samples.is_none() {
            let columns = SampleColumns::new();
            let file = ParquetFile::create(&self.paths.sample, sample.at, self.sequence, columns.schema())?;
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
        if let Some(file) = self.logs {
            files.push(file.finish(self.sequence)?);
        }
        if let Some((mut columns, _, mut file)) = self.samples {
            file.write(&columns.finish().map_err(io::Error::other)?)?;
            files.push(file.finish(self.sequence, false)?);
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
    pub(super) fn create(dir: &Path, first: Timestamp, sequence: u64) -> io::Result<Self> {
        let columns = LogColumns::new();
        let file = ParquetFile::create(dir, first, sequence, columns.schema())?;
        Ok(Self { columns, rows: 0, grams: Grams::new(), index: GramIndex::default(), file })
    }

    pub(super) fn push(&mut self, log: &LogRef<'_>) -> io::Result<()> {
        self.columns.push(log);
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

    pub(super) fn finish(mut self, sequence: u64) -> io::Result<SealedFile> {
        if !self.rows.is_multiple_of(ROW_GROUP_ROWS) {
            self.file.write(&self.columns.finish().map_err(io::Error::other)?)?;
            self.end_group()?;
        }
        let (key, value) = self.index.to_metadata();
        self.file.writer.append_key_value_metadata(KeyValue::new(key, value));
        self.file.finish(sequence, true)
    }
}

/// A Parquet file that is not there until it is whole.
struct ParquetFile {
    path: PathBuf,
    new: NewFile,
    writer: ArrowWriter<File>,
}

impl ParquetFile {
    fn create(
        dir: &Path,
        first: Timestamp,
        sequence: u64,
        schema: std::sync::Arc<arrow_schema::Schema>,
    ) -> io::Result<Self> {
        let path = dir.join(file_name(first, sequence));
        let new = NewFile::create(&path)?;
        let writer = ArrowWriter::try_new(new.file().try_clone()?, schema, Some(properties())).map_err(io_error)?;
        Ok(Self { path, new, writer })
    }

    fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        if batch.num_rows() == 0 { Ok(()) } else { self.writer.write(batch).map_err(io_error) }
    }

    fn finish(self, sequence: u64, is_log: bool) -> io::Result<SealedFile> {
        self.writer.close().map_err(io_error)?;
        let bytes = self.new.publish()?.metadata()?.len();
        Ok(SealedFile { path: self.path, sequence, bytes, is_log })
    }
}

pub(super) fn properties() -> WriterProperties {
    let level = ZstdLevel::try_new(1).unwrap_or_default();
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        // The least and the greatest of texts skip nothing, and every text would be compared with them.
        .set_statistics_enabled(EnabledStatistics::None);
    for column in ["received", "device_time", "at", "facility", "severity"] {
        builder = builder.set_column_statistics_enabled(ColumnPath::from(column), EnabledStatistics::Chunk);
    }
    // Each value is different; a dictionary of them would only be thrown away when full.
    for (column, encoding) in [
        ("received", Encoding::DELTA_BINARY_PACKED),
        ("device_time", Encoding::DELTA_BINARY_PACKED),
        ("at", Encoding::DELTA_BINARY_PACKED),
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

/// Hour of the first record and sequence: `2019-09-16T01-000000012.parquet`. Nothing from the network is in it.
fn file_name(first: Timestamp, sequence: u64) -> String {
    let time = jiff::Timestamp::from_nanosecond(i128::from(first.as_nanos())).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{}-{sequence:09}{SUFFIX}", time.strftime("%Y-%m-%dT%H"))
}

/// The sealed files of one kind, by sequence. A missing directory holds none.
pub(super) fn sealed_files(dir: &Path, is_log: bool) -> io::Result<Vec<SealedFile>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let sequence = name
            .to_str()
            .and_then(|name| name.strip_suffix(SUFFIX)?.rsplit_once('-'))
            .and_then(|(_, sequence)| sequence.parse().ok());
        let Some(sequence) = sequence else { continue };
        // The quota may remove it between the listing and here.
        let Ok(metadata) = entry.metadata() else { continue };
        files.push(SealedFile { path: entry.path(), sequence, bytes: metadata.len(), is_log });
    }
    files.sort_unstable_by_key(|file| file.sequence);
    Ok(files)
}
