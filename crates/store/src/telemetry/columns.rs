//! Records as columns and back. No nested types, times in UTC: pandas, Polars and DuckDB read the files as they are.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use arrow_array::{
    Array, ArrayRef, BinaryArray, Float64Array, RecordBatch, StringArray, TimestampNanosecondArray, UInt8Array,
    builder::{BinaryBuilder, Float64Builder, StringBuilder, TimestampNanosecondBuilder, UInt8Builder},
    cast::AsArray as _,
    types::{Float64Type, TimestampNanosecondType, UInt8Type},
};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use model::{Facility, LogRecord, LogSeverity, Sample, Timestamp, Transport};

use super::record::RingLine;

fn utc() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
}

fn schema(columns: &[(&str, DataType, bool)]) -> Arc<Schema> {
    let fields = columns.iter().map(|(name, kind, is_null)| Field::new(*name, kind.clone(), *is_null));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Builds the columns of log lines: `received`, `source`, `transport`, `facility`, `severity`, `host`, `app`,
/// `device_time`, `message`, `raw`.
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
    message: StringBuilder,
    raw: BinaryBuilder,
}

impl LogColumns {
    pub(super) fn new() -> Self {
        Self {
            schema: schema(&[
                ("received", utc(), false),
                ("source", DataType::Utf8, false),
                ("transport", DataType::Utf8, false),
                ("facility", DataType::UInt8, true),
                ("severity", DataType::UInt8, true),
                ("host", DataType::Utf8, false),
                ("app", DataType::Utf8, false),
                ("device_time", utc(), true),
                ("message", DataType::Utf8, false),
                ("raw", DataType::Binary, false),
            ]),
            received: TimestampNanosecondBuilder::new().with_timezone("UTC"),
            source: StringBuilder::new(),
            last_source: None,
            transport: StringBuilder::new(),
            facility: UInt8Builder::new(),
            severity: UInt8Builder::new(),
            host: StringBuilder::new(),
            app: StringBuilder::new(),
            device_time: TimestampNanosecondBuilder::new().with_timezone("UTC"),
            message: StringBuilder::new(),
            raw: BinaryBuilder::new(),
        }
    }

    pub(super) fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schema)
    }

    pub(super) fn push(&mut self, log: &RingLine<'_>) {
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
        self.raw.append_value(log.raw);
    }

    pub(super) fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.received.finish()),
            Arc::new(self.source.finish()),
            Arc::new(self.transport.finish()),
            Arc::new(self.facility.finish()),
            Arc::new(self.severity.finish()),
            Arc::new(self.host.finish()),
            Arc::new(self.app.finish()),
            Arc::new(self.device_time.finish()),
            Arc::new(self.message.finish()),
            Arc::new(self.raw.finish()),
        ];
        RecordBatch::try_new(self.schema(), columns)
    }
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
    pub(super) message: &'a StringArray,
    pub(super) raw: &'a BinaryArray,
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
            raw: column("raw")?.as_binary_opt()?,
        })
    }

    pub(super) fn severity_at(&self, row: usize) -> Option<LogSeverity> {
        self.severity.is_valid(row).then(|| LogSeverity::from_number(self.severity.value(row)))
    }

    pub(super) fn record(&self, row: usize) -> LogRecord {
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
            raw: self.raw.value(row).to_vec(),
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
