//! Small sealed files of a day that is over, joined into few.

use std::{fs::File, io, path::Path};

use arrow_array::{Array as _, RecordBatch, cast::AsArray as _, types::Int64Type};
use model::{LogRecord, LogRef, Timestamp};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{
    columns::{BATCH_ROWS, LogRows, SampleColumns, SampleRows, of_position_number},
    query::named_hour,
    seal::{Class, LogFile, ParquetFile, Paths, SealedFile, io_error},
};
use crate::durable;

const DAY_SECS: i64 = 86_400;

/// Files that are to be joined next: of one class and of one day before `now`'s, one after the other, with at most
/// `bytes_max` octets together. Empty when there are none.
pub(super) fn due(sealed: &[SealedFile], now: Timestamp, bytes_max: u64) -> Vec<SealedFile> {
    let day = |file: &SealedFile| named_hour(file).map(|secs| secs.div_euclid(DAY_SECS));
    for class in [Class::Debug, Class::Log, Class::Sample] {
        let mut files: Vec<&SealedFile> = sealed.iter().filter(|file| file.class == class).collect();
        files.sort_unstable_by_key(|file| file.sequence);
        let mut group: Vec<&SealedFile> = Vec::new();
        for file in files {
            let is_over = day(file).is_some_and(|day| day < now.as_secs().div_euclid(DAY_SECS));
            let bytes: u64 = group.iter().map(|file| file.bytes).sum();
            let goes_on = group.first().is_none_or(|first| day(first) == day(file)) && bytes + file.bytes <= bytes_max;
            if is_over && goes_on {
                group.push(file);
                continue;
            }
            if group.len() > 1 {
                break;
            }
            group.clear();
            if is_over && file.bytes <= bytes_max {
                group.push(file);
            }
        }
        if group.len() > 1 {
            return group.into_iter().cloned().collect();
        }
    }
    Vec::new()
}

/// Writes one file with what `files`, in order, hold, and removes them. Memory: a row group. A crash on the way leaves
/// the files, or the one that has all of them beside those that are left, which then do not count.
pub(super) fn join(paths: &Paths, files: &[SealedFile]) -> io::Result<SealedFile> {
    let (Some(first), Some(last)) = (files.first(), files.last()) else { return Err(io::ErrorKind::NotFound.into()) };
    let dir = if first.class == Class::Sample { &paths.sample } else { &paths.log };
    let range = (first.sequence, last.last);
    let joined = match first.class {
        Class::Sample => join_samples(dir, range, files)?,
        class @ (Class::Log | Class::Debug) => join_logs(dir, range, class, files)?,
    };
    for file in files {
        durable::remove_if_there(&file.path)?;
    }
    durable::sync_dir(dir)?;
    Ok(joined)
}

fn join_logs(dir: &Path, range: (u64, u64), class: Class, files: &[SealedFile]) -> io::Result<SealedFile> {
    let mut joined: Option<LogFile> = None;
    for file in files {
        let mut index = 0;
        each_batch(file, |batch| {
            let rows = LogRows::of(batch).ok_or_else(|| odd(file))?;
            let positions = batch.column_by_name("position").and_then(|column| column.as_primitive_opt::<Int64Type>());
            for row in 0..batch.num_rows() {
                let log: LogRecord = rows.record(row);
                // Files of an older version hold all lines of their segment.
                let position = positions
                    .filter(|positions| positions.is_valid(row))
                    .map_or((file.sequence, index), |positions| of_position_number(positions.value(row)));
                index += 1;
                if joined.is_none() {
                    joined = Some(LogFile::create(dir, log.received, range, class)?);
                }
                joined.as_mut().map_or(Ok(()), |joined| joined.push(&LogRef::from(&log), position))?;
            }
            Ok(())
        })?;
    }
    joined.ok_or(io::ErrorKind::NotFound)?.finish()
}

fn join_samples(dir: &Path, range: (u64, u64), files: &[SealedFile]) -> io::Result<SealedFile> {
    let mut columns = SampleColumns::new();
    let mut joined: Option<ParquetFile> = None;
    for file in files {
        each_batch(file, |batch| {
            let rows = SampleRows::of(batch).ok_or_else(|| odd(file))?;
            (0..batch.num_rows()).for_each(|row| columns.push(&rows.sample(row)));
            if joined.is_none() {
                joined = Some(ParquetFile::create(dir, rows.at(0), range, Class::Sample, columns.schema())?);
            }
            let batch = columns.finish().map_err(io::Error::other)?;
            joined.as_mut().map_or(Ok(()), |joined| joined.write(&batch))
        })?;
    }
    joined.ok_or(io::ErrorKind::NotFound)?.finish()
}

fn each_batch(file: &SealedFile, mut take: impl FnMut(&RecordBatch) -> io::Result<()>) -> io::Result<()> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(&file.path)?).map_err(io_error)?;
    for batch in builder.with_batch_size(BATCH_ROWS).build().map_err(io_error)? {
        let batch = batch.map_err(io::Error::other)?;
        if batch.num_rows() > 0 {
            take(&batch)?;
        }
    }
    Ok(())
}

fn odd(file: &SealedFile) -> io::Error {
    io::Error::other(format!("`{}` has columns that are not ours", file.path.display()))
}
