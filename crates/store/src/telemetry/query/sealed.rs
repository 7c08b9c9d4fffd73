//! Lines of one sealed file. Only the columns that a query asks about are read; the rest for the lines that are wanted
//! in the end.

use std::{collections::BTreeSet, fs::File, io, ops::Range, sync::Arc};

use arrow_array::{
    Array as _, BooleanArray, RecordBatch, StringArray,
    cast::AsArray as _,
    types::{Int32Type, Int64Type, TimestampNanosecondType, UInt8Type},
};
use arrow_schema::{DataType, Field, Schema};
use model::{LogRecord, Timestamp};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
            RowSelection,
        },
    },
    errors::ParquetError,
    file::{
        metadata::{PageIndexPolicy, RowGroupMetaData},
        statistics::Statistics,
    },
};
use regex::bytes::Regex;

use super::{
    LogPosition, QueryError,
    best::Best,
    dictionary,
    filter::{Filter, mark_matches},
};
use crate::telemetry::{
    columns::{LogRows, Texts, of_position_number},
    grams::GramIndex,
    seal::SealedFile,
};

/// Lines whose text is looked at in one go.
const BATCH_ROWS: usize = 8 << 10;
/// More lines than a row group of ours ever has.
const GROUP_ROWS_MAX: usize = 16 << 20;

/// A sealed file, opened. What the quota removes meanwhile can still be read.
pub(super) struct Sealed<'f> {
    file: &'f SealedFile,
    opened: File,
    /// Columns as they were written.
    plain: ArrowReaderMetadata,
    /// The same, names as dictionaries: each is then compared once, not once a line.
    coded: ArrowReaderMetadata,
    /// Which pieces of text are in which row group, where the file says so.
    grams: Option<GramIndex>,
}

/// Segment and row of a line.
type Place = (u64, u64);

/// Which lines of a row group are wanted. All of them until the first `keep`.
struct Wanted {
    rows: usize,
    mask: Option<Vec<bool>>,
}

impl<'f> Sealed<'f> {
    /// `None` when the quota has removed the file since it was listed.
    pub(super) fn open(file: &'f SealedFile) -> Result<Option<Self>, QueryError> {
        let opened = match File::open(&file.path) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(QueryError::Io { path: file.path.clone(), source }),
        };
        let options = ArrowReaderOptions::new().with_offset_index_policy(PageIndexPolicy::Optional);
        let load = || {
            let plain = ArrowReaderMetadata::load(&opened, options.clone())?;
            let options = options.with_schema(with_dictionaries(plain.schema()));
            let coded = ArrowReaderMetadata::try_new(Arc::clone(plain.metadata()), options)?;
            Ok((plain, coded))
        };
        match load() {
            Ok((plain, coded)) => {
                let pairs = plain.metadata().file_metadata().key_value_metadata().into_iter().flatten();
                let grams = GramIndex::of(pairs.filter_map(|pair| Some((pair.key.as_str(), pair.value.as_deref()?))));
                Ok(Some(Self { file, opened, plain, coded, grams }))
            }
            Err(error) => Err(damaged(file, Some(error))),
        }
    }

    /// Offers the lines that `filter` wants, newest row group first when the newest are asked for, as long as they may
    /// be wanted. `is_stopped` is asked before each row group.
    pub(super) fn search(
        &self,
        filter: &Filter,
        best: &Best,
        newest_first: bool,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<(), QueryError> {
        let mut groups = self.groups();
        if newest_first {
            groups.reverse();
        }
        for (group, rows) in groups {
            if is_stopped() {
                return Ok(());
            }
            let metadata = self.row_group(group);
            if !may_match(metadata, filter)
                || time_range(metadata).is_some_and(|(first, last)| !best.may_want(first, last))
            {
                continue;
            }
            let wanted = self.evaluate(group, filter)?;
            if wanted.count() == 0 {
                continue;
            }
            let positions = self.positions(group, rows.start, &wanted)?;
            best.offer(
                positions.into_iter().filter(|position| filter.is_beyond(*position)).map(|position| (position, None)),
            );
        }
        Ok(())
    }

    /// How many lines `filter` wants.
    pub(super) fn count(&self, filter: &Filter, is_stopped: &dyn Fn() -> bool) -> Result<u64, QueryError> {
        let mut count = 0;
        for (group, _) in self.groups() {
            let metadata = self.row_group(group);
            if is_stopped() {
                return Ok(count);
            }
            if !may_match(metadata, filter) {
                continue;
            }
            let is_inside = time_range(metadata).is_some_and(|(first, last)| filter.encloses(first, last));
            count += if is_inside && filter.has_only_time() {
                metadata.num_rows().unsigned_abs()
            } else {
                self.evaluate(group, filter)?.count()
            };
        }
        Ok(count)
    }

    /// The records of the lines `wanted`, by segment and row. Those that are not here are not answered.
    pub(super) fn records(&self, wanted: &BTreeSet<Place>) -> Result<Vec<(Place, LogRecord)>, QueryError> {
        let mut records = Vec::with_capacity(wanted.len());
        for (group, rows) in self.groups() {
            let (first, last) = self.place_range(group, &rows);
            if first <= last && wanted.range(first..=last).next().is_none() {
                continue;
            }
            let all = Wanted { rows: rows.len(), mask: None };
            let places: Vec<Place> = self.places(group, rows.start, &all)?;
            let mask: Vec<bool> = places.iter().map(|place| wanted.contains(place)).collect();
            let mut found = places.into_iter().filter(|place| wanted.contains(place));
            let of_group = Wanted { rows: rows.len(), mask: Some(mask) };
            for batch in self.read(&self.plain, group, None, of_group.selection(), BATCH_ROWS)? {
                let batch = batch.map_err(|error| self.damaged(Some(error.into())))?;
                let rows = LogRows::of(&batch).ok_or_else(|| self.damaged(None))?;
                records.extend(found.by_ref().zip((0..batch.num_rows()).map(|row| rows.record(row))));
            }
        }
        Ok(records)
    }

    /// Which lines of a row group are wanted, by time, severity, facility and names first and by what they say last.
    fn evaluate(&self, group: usize, filter: &Filter) -> Result<Wanted, QueryError> {
        let metadata = self.row_group(group);
        let rows = usize::try_from(metadata.num_rows()).unwrap_or(usize::MAX);
        if rows > GROUP_ROWS_MAX {
            return Err(self.damaged(None));
        }
        let mut wanted = Wanted { rows, mask: None };
        if !self.may_have_text(group, filter) || !self.has_names(metadata, filter)? {
            wanted.mask = Some(vec![false; rows]);
            return Ok(wanted);
        }
        let mut columns = Vec::new();
        let mut ask = |column, is_needed: bool| {
            if is_needed {
                columns.push(column);
            }
        };
        ask("received", time_range(metadata).is_none_or(|(first, last)| !filter.encloses(first, last)));
        ask("severity", filter.severity_at_most.is_some());
        ask("facility", filter.facility.is_some());
        ask("host", filter.hosts.is_some());
        ask("source", filter.hosts.is_some() && filter.may_be_source);
        ask("app", filter.apps.is_some());
        if !columns.is_empty() {
            for batch in self.read(&self.coded, group, Some(&columns), None, rows.max(1))? {
                let batch = batch.map_err(|error| self.damaged(Some(error.into())))?;
                by_columns(&batch, filter, &mut wanted).ok_or_else(|| self.damaged(None))?;
            }
        }
        if filter.looks_into_lines() && wanted.count() > 0 {
            self.look_into_lines(group, filter, &mut wanted)?;
        }
        Ok(wanted)
    }

    /// False when no line of the row group holds the text for certain.
    fn may_have_text(&self, group: usize, filter: &Filter) -> bool {
        let (Some(asked), Some(index)) = (&filter.grams, &self.grams) else { return true };
        asked.may_be_in(&self.opened, index, group)
    }

    /// False when no originator or no program of the row group is one that `filter` wants.
    fn has_names(&self, group: &RowGroupMetaData, filter: &Filter) -> Result<bool, QueryError> {
        let any = |column: &str, is_wanted: &dyn Fn(&[u8]) -> bool| {
            let values = dictionary::values(&self.opened, group, column).map_err(|error| self.damaged(Some(error)))?;
            Ok::<_, QueryError>(values.is_none_or(|values| values.iter().any(|value| is_wanted(value))))
        };
        if let Some(apps) = &filter.apps
            && !any("app", &|app| apps.is_match(app))?
        {
            return Ok(false);
        }
        let Some(hosts) = &filter.hosts else { return Ok(true) };
        any("host", &|host| hosts.is_match(host) || filter.may_be_source && host.is_empty())
    }

    /// Where each of the wanted lines stands; `begin` is the number of the group's first row within the file.
    fn positions(&self, group: usize, begin: usize, wanted: &Wanted) -> Result<Vec<LogPosition>, QueryError> {
        let mut received = Vec::new();
        for batch in self.read(&self.plain, group, Some(&["received"]), wanted.selection(), wanted.rows.max(1))? {
            let batch = batch.map_err(|error| self.damaged(Some(error.into())))?;
            let column = batch.column(0).as_primitive_opt::<TimestampNanosecondType>();
            let column = column.ok_or_else(|| self.damaged(None))?;
            received.extend(column.values().iter().map(|nanos| Timestamp::from_nanos(*nanos)));
        }
        let places = self.places(group, begin, wanted)?;
        let both = received.into_iter().zip(places);
        Ok(both.map(|(received, (sequence, row))| LogPosition { received, sequence, row }).collect())
    }

    /// Segment and row of each of the wanted lines.
    fn places(&self, group: usize, begin: usize, wanted: &Wanted) -> Result<Vec<Place>, QueryError> {
        if self.plain.schema().index_of("position").is_err() {
            return Ok(wanted.indices().map(|row| (self.file.sequence, (begin + row) as u64)).collect());
        }
        let mut places = Vec::new();
        for batch in self.read(&self.plain, group, Some(&["position"]), wanted.selection(), wanted.rows.max(1))? {
            let batch = batch.map_err(|error| self.damaged(Some(error.into())))?;
            let column = batch.column(0).as_primitive_opt::<Int64Type>().ok_or_else(|| self.damaged(None))?;
            places.extend(column.values().iter().map(|number| of_position_number(*number)));
        }
        Ok(places)
    }

    /// The least and the greatest of [`Self::places`] of a row group.
    fn place_range(&self, group: usize, rows: &Range<usize>) -> (Place, Place) {
        let columns = self.row_group(group).columns();
        let column = columns.iter().find(|column| column.column_path().string() == "position");
        match column.map(|column| column.statistics()) {
            None => ((self.file.sequence, rows.start as u64), (self.file.sequence, rows.end as u64)),
            Some(Some(Statistics::Int64(values))) => (
                values.min_opt().map_or((0, 0), |number| of_position_number(*number)),
                values.max_opt().map_or((u64::MAX, 0), |number| of_position_number(*number)),
            ),
            Some(_) => ((0, 0), (u64::MAX, 0)),
        }
    }

    fn look_into_lines(&self, group: usize, filter: &Filter, wanted: &mut Wanted) -> Result<(), QueryError> {
        if let Some(text) = &filter.text {
            let (mut octets, mut offsets) = (Vec::new(), Vec::new());
            let found = self.each_wanted(group, &Texts::COLUMNS, wanted, |batch, found| {
                let texts = Texts::of(batch)?;
                octets.clear();
                offsets.clear();
                offsets.push(0);
                for row in 0..batch.num_rows() {
                    texts.push_searched(row, &mut octets);
                    offsets.push(octets.len());
                }
                mark_matches(text, &octets, &offsets, found);
                Some(())
            })?;
            wanted.keep_only(&found);
        }
        if let Some(regex) = filter.regex.as_ref().filter(|_| wanted.count() > 0) {
            let found =
                self.each_wanted(group, &["message"], wanted, |batch, found| by_message(batch, regex, found))?;
            wanted.keep_only(&found);
        }
        if let Some(test) = filter.test.as_ref().filter(|_| wanted.count() > 0) {
            let found = self.each_wanted(group, &["app", "message"], wanted, |batch, found| {
                let app: &StringArray = batch.column_by_name("app")?.as_string_opt()?;
                let message: &StringArray = batch.column_by_name("message")?.as_string_opt()?;
                let both = app.iter().flatten().zip(message.iter().flatten());
                found.iter_mut().zip(both).for_each(|(found, (app, message))| *found = test.wants(app, message));
                Some(())
            })?;
            wanted.keep_only(&found);
        }
        Ok(())
    }

    /// Reads columns of the wanted lines and lets `look` say which are found; answers that for each wanted line.
    fn each_wanted(
        &self,
        group: usize,
        columns: &[&str],
        wanted: &Wanted,
        mut look: impl FnMut(&RecordBatch, &mut [bool]) -> Option<()>,
    ) -> Result<Vec<bool>, QueryError> {
        let mut all = Vec::with_capacity(wanted.rows);
        for batch in self.read(&self.plain, group, Some(columns), wanted.selection(), BATCH_ROWS)? {
            let batch = batch.map_err(|error| self.damaged(Some(error.into())))?;
            let begin = all.len();
            all.resize(begin + batch.num_rows(), true);
            look(&batch, &mut all[begin..]).ok_or_else(|| self.damaged(None))?;
        }
        Ok(all)
    }

    fn read(
        &self,
        metadata: &ArrowReaderMetadata,
        group: usize,
        columns: Option<&[&str]>,
        selection: Option<RowSelection>,
        batch_rows: usize,
    ) -> Result<ParquetRecordBatchReader, QueryError> {
        let opened = self.opened.try_clone();
        let opened = opened.map_err(|source| QueryError::Io { path: self.file.path.clone(), source })?;
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(opened, metadata.clone())
            .with_row_groups(vec![group])
            .with_batch_size(batch_rows);
        if let Some(columns) = columns {
            let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
            builder = builder.with_projection(mask);
        }
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        builder.build().map_err(|error| self.damaged(Some(error)))
    }

    /// Row groups and the numbers of their rows within the file.
    fn groups(&self) -> Vec<(usize, Range<usize>)> {
        let mut begin = 0;
        let groups = self.plain.metadata().row_groups().iter().enumerate();
        groups
            .map(|(at, group)| {
                let rows = begin..begin + usize::try_from(group.num_rows()).unwrap_or(0);
                begin = rows.end;
                (at, rows)
            })
            .collect()
    }

    fn row_group(&self, group: usize) -> &RowGroupMetaData {
        self.plain.metadata().row_group(group)
    }

    fn damaged(&self, source: Option<ParquetError>) -> QueryError {
        damaged(self.file, source)
    }
}

fn damaged(file: &SealedFile, source: Option<ParquetError>) -> QueryError {
    QueryError::Damaged { path: file.path.clone(), source }
}

impl Wanted {
    fn count(&self) -> u64 {
        self.mask.as_ref().map_or(self.rows, |mask| mask.iter().filter(|&&is_wanted| is_wanted).count()) as u64
    }

    fn indices(&self) -> Box<dyn Iterator<Item = usize> + '_> {
        match &self.mask {
            Some(mask) => Box::new(mask.iter().enumerate().filter(|(_, is_wanted)| **is_wanted).map(|(row, _)| row)),
            None => Box::new(0..self.rows),
        }
    }

    fn selection(&self) -> Option<RowSelection> {
        self.mask.as_ref().map(|mask| RowSelection::from_filters(&[BooleanArray::from(mask.clone())]))
    }

    fn keep(&mut self, is_kept: impl Fn(usize) -> bool) {
        let mask = self.mask.get_or_insert_with(|| vec![true; self.rows]);
        mask.iter_mut().enumerate().for_each(|(row, is_wanted)| *is_wanted &= is_kept(row));
    }

    /// `found` has a word for each line that is wanted now.
    fn keep_only(&mut self, found: &[bool]) {
        let mask = self.mask.get_or_insert_with(|| vec![true; self.rows]);
        let still = mask.iter_mut().filter(|is_wanted| **is_wanted);
        still.zip(found).for_each(|(is_wanted, is_found)| *is_wanted = *is_found);
    }
}

/// One batch with all lines of a row group. `None` when a column is not ours.
fn by_columns(batch: &RecordBatch, filter: &Filter, wanted: &mut Wanted) -> Option<()> {
    if batch.num_rows() != wanted.rows {
        return None;
    }
    if let Some(column) = batch.column_by_name("received") {
        let received = column.as_primitive_opt::<TimestampNanosecondType>()?.values();
        wanted.keep(|row| filter.is_in_time(Timestamp::from_nanos(received[row])));
    }
    if let Some(most) = filter.severity_at_most {
        let severity = batch.column_by_name("severity")?.as_primitive_opt::<UInt8Type>()?;
        wanted.keep(|row| severity.is_valid(row) && severity.value(row) & 7 <= most.number());
    }
    if let Some(wanted_facility) = filter.facility {
        let facility = batch.column_by_name("facility")?.as_primitive_opt::<UInt8Type>()?;
        wanted.keep(|row| facility.is_valid(row) && facility.value(row) == wanted_facility.0);
    }
    if let Some(apps) = &filter.apps {
        let (codes, found) = names(batch, "app", |app| apps.is_match(app.as_bytes()))?;
        wanted.keep(|row| found[codes[row]]);
    }
    if let Some(hosts) = &filter.hosts {
        let (codes, found) = names(batch, "host", |host| hosts.is_match(host.as_bytes()))?;
        if filter.may_be_source {
            let (_, nameless) = names(batch, "host", str::is_empty)?;
            let (sources, found_source) = names(batch, "source", |source| hosts.is_match(address(source).as_bytes()))?;
            wanted.keep(|row| found[codes[row]] || nameless[codes[row]] && found_source[sources[row]]);
        } else {
            wanted.keep(|row| found[codes[row]]);
        }
    }
    Some(())
}

/// The code of each line's name, and what `test` says of each code.
fn names(batch: &RecordBatch, column: &str, test: impl Fn(&str) -> bool) -> Option<(Vec<usize>, Vec<bool>)> {
    let column = batch.column_by_name(column)?.as_dictionary_opt::<Int32Type>()?;
    let values: &StringArray = column.values().as_string_opt()?;
    let tested = values.iter().map(|value| value.is_some_and(&test)).collect();
    let codes: Vec<usize> = column.keys().values().iter().map(|code| usize::try_from(*code).unwrap_or(0)).collect();
    codes.iter().all(|code| *code < values.len()).then_some((codes, tested))
}

/// `192.0.2.1:514` and `[2001:db8::1]:514` without the port.
fn address(source: &str) -> &str {
    let address = source.rsplit_once(':').map_or(source, |(address, _)| address);
    address.trim_start_matches('[').trim_end_matches(']')
}

fn by_message(batch: &RecordBatch, regex: &Regex, found: &mut [bool]) -> Option<()> {
    let message: &StringArray = batch.column(0).as_string_opt()?;
    let messages = message.iter().flatten();
    found.iter_mut().zip(messages).for_each(|(found, message)| *found = regex.is_match(message.as_bytes()));
    Some(())
}

/// False when statistics say that no line of the row group is wanted.
fn may_match(group: &RowGroupMetaData, filter: &Filter) -> bool {
    let number = |name: &str| {
        let column = group.columns().iter().find(|column| column.column_path().string() == name)?;
        match column.statistics()? {
            Statistics::Int32(values) => Some((*values.min_opt()?, *values.max_opt()?)),
            _ => None,
        }
    };
    time_range(group).is_none_or(|(first, last)| filter.overlaps(first, last))
        && filter
            .severity_at_most
            .is_none_or(|most| number("severity").is_none_or(|(least, _)| least <= i32::from(most.number())))
        && filter.facility.is_none_or(|facility| {
            number("facility").is_none_or(|(least, most)| (least..=most).contains(&i32::from(facility.0)))
        })
}

/// First and last time of a row group, from its statistics; the time is the first column of every kind.
pub(super) fn time_range(group: &RowGroupMetaData) -> Option<(Timestamp, Timestamp)> {
    match group.columns().first()?.statistics()? {
        Statistics::Int64(values) => {
            Some((Timestamp::from_nanos(*values.min_opt()?), Timestamp::from_nanos(*values.max_opt()?)))
        }
        _ => None,
    }
}

fn with_dictionaries(schema: &Schema) -> Arc<Schema> {
    let names = ["host", "source", "app"];
    let coded = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let fields = schema.fields().iter().map(|field| {
        if names.contains(&field.name().as_str()) && *field.data_type() == DataType::Utf8 {
            Field::new(field.name(), coded(), field.is_nullable())
        } else {
            Field::clone(field)
        }
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_without_port() {
        for (source, want) in [("192.0.2.1:514", "192.0.2.1"), ("[2001:db8::1]:6514", "2001:db8::1"), ("x", "x")] {
            assert_eq!(address(source), want);
        }
    }
}
