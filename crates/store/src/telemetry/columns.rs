//! Records as columns and back. No nested types, times in UTC: pandas, Polars and DuckDB read the files as they are.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use arrow_array::{
    Array, ArrayRef, BinaryArray, Float64Array, RecordBatch, StringArray, TimestampNanosecondArray, UInt8Array,
    builder::{BinaryBuilder, Float64Builder, Int64Builder, StringBuilder, TimestampNanosecondBuilder, UInt8Builder},
    cast::AsArray as _,
    types::{Float64Type, TimestampNanosecondType, UInt8Type},
};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use model::{Facility, LogRecord, LogRef, LogSeverity, Sample, Timestamp, Transport};

fn utc() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
}

fn schema(columns: &[(&str, DataType, bool)]) -> Arc<Schema> {
    let fields = columns.iter().map(|(name, kind, is_null)| Field::new(*name, kind.clone(), *is_null));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Rows turned into columns at a time: few enough that they stay in the processor's cache until they are encoded.
pub(super) const BATCH_ROWS: usize = 1 << 10;

/// Builds the columns of log lines: `received`, `source`, `transport`, `facility`, `severity`, `host`, `app`,
/// `device_time`, `header`, `message`, `tail`, `raw`.
///
/// What was received is `header`, `message` and `tail` one after the other, and `raw` is null, so that no octet is kept
/// twice; where that is not so (a line that is no UTF-8, a count of repeats), `raw` has it, and `header` and `tail` are
/// empty. Sealed files have `position` as well, see [`position_number`]. Older files have `raw` always and neither of
/// `header`, `tail` and `position`.
pub(super) struct LogColumns {
    schema: Arc<Schema>,
    received: TimestampNanosecondBuilder,
    source: StringBuilder,
    /// Lines of one sender come together, and its text need not be made for each.
    last_source: Option<(SocketAddr, String)>,
    transport: StringBuilder,
    facility: UInt8Builder,
    severity: UInt8Builder,
    host: StringBuilder,
    app: StringBuilder,
    device_time: TimestampNanosecondBuilder,
    header: StringBuilder,
    message: StringBuilder,
    tail: StringBuilder,
    raw: BinaryBuilder,
    /// Of sealed lines.
    position: Option<Int64Builder>,
}

/// Where a line was in the ring, as one number: segment and line of it, as long as both are not absurd.
pub(super) fn position_number(sequence: u64, row: u64) -> i64 {
    i64::try_from(sequence << 32 | row & 0xffff_ffff).unwrap_or(i64::MAX)
}

/// Segment and line.
pub(super) fn of_position_number(number: i64) -> (u64, u64) {
    let number = number.unsigned_abs();
    (number >> 32, number & 0xffff_ffff)
}

type Column = (&'static str, fn() -> DataType, bool);

impl LogColumns {
    const COLUMNS: [Column; 12] = [
        ("received", utc, false),
        ("source", || DataType::Utf8, false),
        ("transport", || DataType::Utf8, false),
        ("facility", || DataType::UInt8, true),
        ("severity", || DataType::UInt8, true),
        ("host", || DataType::Utf8, false),
        ("app", || DataType::Utf8, false),
        ("device_time", utc, true),
        ("header", || DataType::Utf8, false),
        ("message", || DataType::Utf8, false),
        ("tail", || DataType::Utf8, false),
        ("raw", || DataType::Binary, true),
    ];

    /// Lines without a place, for whoever takes them elsewhere.
    pub(super) fn new() -> Self {
        Self::of(false)
    }

    /// Lines with the place that they had in the ring.
    pub(super) fn with_position() -> Self {
        Self::of(true)
    }

    fn of(has_position: bool) -> Self {
        let position = has_position.then_some(("position", DataType::Int64, false));
        let columns = Self::COLUMNS.iter().map(|(name, kind, is_null)| (*name, kind(), *is_null)).chain(position);
        Self {
            schema: schema(&columns.collect::<Vec<_>>()),
            received: TimestampNanosecondBuilder::new().with_timezone("UTC"),
            source: StringBuilder::new(),
            last_source: None,
            transport: StringBuilder::new(),
            facility: UInt8Builder::new(),
            severity: UInt8Builder::new(),
            host: StringBuilder::new(),
            app: StringBuilder::new(),
            device_time: TimestampNanosecondBuilder::new().with_timezone("UTC"),
            header: StringBuilder::new(),
            message: StringBuilder::new(),
            tail: StringBuilder::new(),
            raw: BinaryBuilder::new(),
            position: has_position.then(Int64Builder::new),
        }
    }

    pub(super) fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schema)
    }

    pub(super) fn push(&mut self, log: &LogRef<'_>) {
        self.received.append_value(log.received.as_nanos());
        if self.last_source.as_ref().is_none_or(|(source, _)| *source != log.source) {
            self.last_source = Some((log.source, log.source.to_string()));
        }
        self.source.append_option(self.last_source.as_ref().map(|(_, text)| text));
        self.transport.append_value(transport_name(log.transport));
        self.facility.append_option(log.facility.map(|facility| facility.0));
        self.severity.append_option(log.severity.map(LogSeverity::number));
        self.host.append_value(&log.host);
        self.app.append_value(&log.app);
        self.device_time.append_option(log.device_time.map(Timestamp::as_nanos));
        self.message.append_value(&log.message);
        let around = around_message(log.raw, &log.message);
        let (header, tail) = around.unwrap_or_default();
        self.header.append_value(header);
        self.tail.append_value(tail);
        self.raw.append_option(around.is_none().then_some(log.raw));
    }

    /// The same for a line with a place.
    pub(super) fn push_at(&mut self, log: &LogRef<'_>, (sequence, row): (u64, u64)) {
        self.push(log);
        if let Some(position) = &mut self.position {
            position.append_value(position_number(sequence, row));
        }
    }

    pub(super) fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.received.finish()),
            Arc::new(self.source.finish()),
            Arc::new(self.transport.finish()),
            Arc::new(self.facility.finish()),
            Arc::new(self.severity.finish()),
            Arc::new(self.host.finish()),
            Arc::new(self.app.finish()),
            Arc::new(self.device_time.finish()),
            Arc::new(self.header.finish()),
            Arc::new(self.message.finish()),
            Arc::new(self.tail.finish()),
            Arc::new(self.raw.finish()),
        ];
        columns.extend(self.position.as_mut().map(|position| Arc::new(position.finish()) as ArrayRef));
        RecordBatch::try_new(self.schema(), columns)
    }
}

/// What stands before `message` in `raw`, and the ends of line behind it; `None` when it is not there as it is.
fn around_message<'r>(raw: &'r [u8], message: &str) -> Option<(&'r str, &'r str)> {
    let message = message.as_bytes();
    let (header, tail) = match raw.strip_suffix(message) {
        Some(header) => (header, &[][..]),
        None => {
            let is_text = |octet: &u8| !matches!(octet, 0 | b'\n' | b'\r');
            let (text, tail) = raw.split_at(raw.iter().rposition(is_text)? + 1);
            (text.strip_suffix(message)?, tail)
        }
    };
    Some((str::from_utf8(header).ok()?, str::from_utf8(tail).ok()?))
}

/// The columns of a batch of log lines, borrowed.
pub(super) struct LogRows<'a> {
    pub(super) received: &'a TimestampNanosecondArray,
    source: &'a StringArray,
    transport: &'a StringArray,
    facility: &'a UInt8Array,
    pub(super) severity: &'a UInt8Array,
    pub(super) host: &'a StringArray,
    app: &'a StringArray,
    device_time: &'a TimestampNanosecondArray,
    message: &'a StringArray,
    texts: Texts<'a>,
}

/// The columns that hold what was received, borrowed.
pub(super) struct Texts<'a> {
    header: Option<&'a StringArray>,
    message: &'a StringArray,
    tail: Option<&'a StringArray>,
    raw: &'a BinaryArray,
}

impl<'a> Texts<'a> {
    /// The columns needed, those of which a file has.
    pub(super) const COLUMNS: [&'static str; 4] = ["header", "message", "tail", "raw"];

    /// `None` when a column is missing or of another type.
    pub(super) fn of(batch: &'a RecordBatch) -> Option<Self> {
        let optional = |name| batch.column_by_name(name).map(|column| column.as_string_opt());
        let (header, tail) = (optional("header"), optional("tail"));
        Some(Self {
            header: if let Some(column) = header { Some(column?) } else { None },
            message: batch.column_by_name("message")?.as_string_opt()?,
            tail: if let Some(column) = tail { Some(column?) } else { None },
            raw: batch.column_by_name("raw")?.as_binary_opt()?,
        })
    }

    /// Appends what was received.
    fn push_raw(&self, row: usize, octets: &mut Vec<u8>) {
        if self.raw.is_valid(row) {
            octets.extend_from_slice(self.raw.value(row));
            return;
        }
        octets.extend_from_slice(self.header.map_or("", |header| header.value(row)).as_bytes());
        octets.extend_from_slice(self.message.value(row).as_bytes());
        octets.extend_from_slice(self.tail.map_or("", |tail| tail.value(row)).as_bytes());
    }

    /// Appends what text is looked for in: what was received, which holds the message; a line of our own has only that.
    pub(super) fn push_searched(&self, row: usize, octets: &mut Vec<u8>) {
        if self.raw.is_valid(row) && self.raw.value(row).is_empty() {
            octets.extend_from_slice(self.message.value(row).as_bytes());
        } else {
            self.push_raw(row, octets);
        }
    }
}

impl<'a> LogRows<'a> {
    /// `None` when a column is missing or of another type.
    pub(super) fn of(batch: &'a RecordBatch) -> Option<Self> {
        let column = |name| batch.column_by_name(name);
        Some(Self {
            received: column("received")?.as_primitive_opt::<TimestampNanosecondType>()?,
            source: column("source")?.as_string_opt()?,
            transport: column("transport")?.as_string_opt()?,
            facility: column("facility")?.as_primitive_opt::<UInt8Type>()?,
            severity: column("severity")?.as_primitive_opt::<UInt8Type>()?,
            host: column("host")?.as_string_opt()?,
            app: column("app")?.as_string_opt()?,
            device_time: column("device_time")?.as_primitive_opt::<TimestampNanosecondType>()?,
            message: column("message")?.as_string_opt()?,
            texts: Texts::of(batch)?,
        })
    }

    pub(super) fn severity_at(&self, row: usize) -> Option<LogSeverity> {
        self.severity.is_valid(row).then(|| LogSeverity::from_number(self.severity.value(row)))
    }

    pub(super) fn record(&self, row: usize) -> LogRecord {
        let mut raw = Vec::new();
        self.texts.push_raw(row, &mut raw);
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        LogRecord {
            received: Timestamp::from_nanos(self.received.value(row)),
            source: self.source.value(row).parse().unwrap_or(nowhere),
            transport: transport_of(self.transport.value(row)),
            facility: self.facility.is_valid(row).then(|| Facility(self.facility.value(row))),
            severity: self.severity_at(row),
            host: self.host.value(row).to_owned(),
            app: self.app.value(row).to_owned(),
            device_time: self.device_time.is_valid(row).then(|| Timestamp::from_nanos(self.device_time.value(row))),
            message: self.message.value(row).to_owned(),
            raw,
        }
    }
}

/// Builds the columns of samples: `at`, `metric`, `subject`, `value`.
pub(super) struct SampleColumns {
    schema: Arc<Schema>,
    at: TimestampNanosecondBuilder,
    metric: StringBuilder,
    subject: StringBuilder,
    value: Float64Builder,
}

impl SampleColumns {
    pub(super) fn new() -> Self {
        Self {
            schema: schema(&[
                ("at", utc(), false),
                ("metric", DataType::Utf8, false),
                ("subject", DataType::Utf8, false),
                ("value", DataType::Float64, false),
            ]),
            at: TimestampNanosecondBuilder::new().with_timezone("UTC"),
            metric: StringBuilder::new(),
            subject: StringBuilder::new(),
            value: Float64Builder::new(),
        }
    }

    pub(super) fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schema)
    }

    pub(super) fn push(&mut self, sample: &Sample) {
        self.at.append_value(sample.at.as_nanos());
        self.metric.append_value(&sample.metric);
        self.subject.append_value(&sample.subject);
        self.value.append_value(sample.value);
    }

    pub(super) fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.at.finish()),
            Arc::new(self.metric.finish()),
            Arc::new(self.subject.finish()),
            Arc::new(self.value.finish()),
        ];
        RecordBatch::try_new(self.schema(), columns)
    }
}

/// The columns of a batch of samples, borrowed.
pub(super) struct SampleRows<'a> {
    at: &'a TimestampNanosecondArray,
    metric: &'a StringArray,
    subject: &'a StringArray,
    value: &'a Float64Array,
}

impl<'a> SampleRows<'a> {
    pub(super) fn of(batch: &'a RecordBatch) -> Option<Self> {
        let column = |name| batch.column_by_name(name);
        Some(Self {
            at: column("at")?.as_primitive_opt::<TimestampNanosecondType>()?,
            metric: column("metric")?.as_string_opt()?,
            subject: column("subject")?.as_string_opt()?,
            value: column("value")?.as_primitive_opt::<Float64Type>()?,
        })
    }

    pub(super) fn at(&self, row: usize) -> Timestamp {
        Timestamp::from_nanos(self.at.value(row))
    }

    pub(super) fn metric(&self, row: usize) -> &str {
        self.metric.value(row)
    }

    pub(super) fn sample(&self, row: usize) -> Sample {
        Sample {
            at: self.at(row),
            metric: self.metric(row).to_owned(),
            subject: self.subject.value(row).to_owned(),
            value: self.value.value(row),
        }
    }
}

fn transport_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
        Transport::Tls => "tls",
        Transport::Internal => "internal",
    }
}

fn transport_of(name: &str) -> Transport {
    match name {
        "udp" => Transport::Udp,
        "tcp" => Transport::Tcp,
        "tls" => Transport::Tls,
        _ => Transport::Internal,
    }
}

#[cfg(test)]
mod tests {
    use model::LogRecord;
    use proptest::prelude::*;

    use super::*;
    use crate::telemetry::record::tests::any_log;

    #[test]
    fn what_was_received_is_kept_once() {
        for (raw, message, want) in [
            (&b"<30>h app: hello"[..], "hello", Some(("<30>h app: ", ""))),
            (b"<30>h app: hello\n\0", "hello", Some(("<30>h app: ", "\n\0"))),
            (b"hello", "hello", Some(("", ""))),
            (b"<30>app:", "", Some(("<30>app:", ""))),
            (b"", "", Some(("", ""))),
            // A count of repeats, and what is no UTF-8.
            (b"", "hello", None),
            (b"<30>\xff hello", "hello", None),
            (b"<30>hell\xff", "hell\u{fffd}", None),
            (b"\n\n", "hello", None),
        ] {
            assert_eq!(around_message(raw, message), want, "{message}");
        }
    }

    proptest! {
        #[test]
        fn lines_are_read_back(logs in prop::collection::vec((any_log(), "[\0\n\r]{0,3}"), 0..20)) {
            let logs: Vec<LogRecord> = logs
                .into_iter()
                .map(|(mut log, tail)| {
                    log.raw.extend_from_slice(tail.as_bytes());
                    log
                })
                .collect();
            let mut columns = LogColumns::new();
            logs.iter().for_each(|log| columns.push(&log.into()));
            let batch = columns.finish().unwrap();
            let rows = LogRows::of(&batch).unwrap();
            let read: Vec<_> = (0..logs.len()).map(|row| rows.record(row)).collect();
            prop_assert_eq!(read, logs);
        }
    }
}
