//! Samples by metric and time.

use std::{fs::File, io, path::Path};

use arrow_array::RecordBatch;
use model::{Sample, Timestamp};
use parquet::{
    arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
    file::metadata::RowGroupMetaData,
};

use super::{QueryError, Stored, sealed::time_range};
use crate::{
    segment::{Kind, read_file, scan},
    telemetry::{
        columns::SampleRows,
        record::{self, Record},
        seal::SealedFile,
    },
};

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
    super::again_if_joined(path, false, |stored| samples_of(stored, path, from, to, &is_wanted))
}

fn samples_of(
    stored: &Stored,
    path: &Path,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    is_wanted: &impl Fn(Timestamp, &str) -> bool,
) -> Result<Vec<Sample>, QueryError> {
    let mut samples = Vec::new();
    for file in &stored.sealed {
        for_each_batch(
            file,
            |group| overlaps(group, from, to),
            |batch| {
                let rows = SampleRows::of(batch)?;
                let wanted = (0..batch.num_rows()).filter(|&row| is_wanted(rows.at(row), rows.metric(row)));
                samples.extend(wanted.map(|row| rows.sample(row)));
                Some(())
            },
        )?;
    }
    for (sequence, file) in &stored.live {
        scan(&super::at(path, file.try_clone().and_then(read_file))?, Kind::Telemetry, *sequence, |payload| {
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

/// Gives each batch of the wanted row groups to `take`; `take` answers
/// `None` when the columns are not ours.
fn for_each_batch(
    file: &SealedFile,
    wanted: impl Fn(&RowGroupMetaData) -> bool,
    mut take: impl FnMut(&RecordBatch) -> Option<()>,
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
    for batch in reader {
        let batch = batch.map_err(|error| damaged(Some(error.into())))?;
        take(&batch).ok_or_else(|| damaged(None))?;
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

fn overlaps(group: &RowGroupMetaData, from: Option<Timestamp>, to: Option<Timestamp>) -> bool {
    time_range(group).is_none_or(|(first, last)| from.is_none_or(|from| last >= from) && to.is_none_or(|to| first < to))
}
