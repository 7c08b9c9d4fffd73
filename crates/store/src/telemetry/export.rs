//! Log lines on their way out: CSV, JSON, Parquet.

use std::{borrow::Cow, io, io::Write};

use model::{LogRecord, LogRef, LogSeverity, Transport};
use parquet::arrow::ArrowWriter;
use serde::Serialize;

use super::{
    columns::{BATCH_ROWS, LogColumns},
    seal::{io_error, properties},
};

/// How lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// Comma-separated, with a header line. Control characters are written as escapes, and text that a spreadsheet would
    /// take for a formula has `'` in front.
    Csv,
    /// One array of objects.
    Json,
    /// One object a line.
    JsonLines,
    /// The columns of the sealed files.
    Parquet,
}

/// Writes lines in a format, one after the other, in bounded memory.
pub struct LogExport<W: Write + Send>(Form<W>);

enum Form<W: Write + Send> {
    Csv(Box<csv::Writer<W>>),
    Json { out: W, is_array: bool, is_first: bool },
    Parquet { writer: Box<ArrowWriter<W>>, columns: Box<LogColumns>, rows: usize },
}

/// A line in JSON.
#[derive(Serialize)]
struct Row<'a> {
    received: String,
    source: String,
    transport: Transport,
    facility: Option<u8>,
    severity: Option<LogSeverity>,
    host: &'a str,
    app: &'a str,
    device_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_hit: Option<bool>,
    message: &'a str,
    raw: Cow<'a, str>,
}

const CSV_COLUMNS: [&str; 10] =
    ["received", "source", "transport", "facility", "severity", "host", "app", "kind", "device_time", "message"];

impl<W: Write + Send> LogExport<W> {
    /// Begins to write to `out`.
    pub fn new(format: LogFormat, mut out: W) -> io::Result<Self> {
        Ok(Self(match format {
            LogFormat::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                writer.write_record(CSV_COLUMNS).map_err(csv_error)?;
                Form::Csv(Box::new(writer))
            }
            LogFormat::Json => {
                out.write_all(b"[")?;
                Form::Json { out, is_array: true, is_first: true }
            }
            LogFormat::JsonLines => Form::Json { out, is_array: false, is_first: true },
            LogFormat::Parquet => {
                let columns = LogColumns::new();
                let writer = ArrowWriter::try_new(out, columns.schema(), Some(properties())).map_err(io_error)?;
                Form::Parquet { writer: Box::new(writer), columns: Box::new(columns), rows: 0 }
            }
        }))
    }

    /// Writes a line. `kind` is its typed event, where it is one; `is_hit` tells lines asked for from those around them,
    /// where there are such. Parquet has neither.
    pub fn write(&mut self, log: &LogRecord, kind: Option<&str>, is_hit: Option<bool>) -> io::Result<()> {
        match &mut self.0 {
            Form::Csv(writer) => writer.write_record(csv_cells(log, kind)).map_err(csv_error),
            Form::Json { out, is_array, is_first } => {
                if *is_array {
                    out.write_all(if *is_first { b"\n" } else { b",\n" })?;
                }
                *is_first = false;
                serde_json::to_writer(&mut *out, &row(log, kind, is_hit))?;
                if *is_array { Ok(()) } else { out.write_all(b"\n") }
            }
            Form::Parquet { writer, columns, rows } => {
                columns.push(&LogRef::from(log));
                *rows += 1;
                if *rows < BATCH_ROWS {
                    return Ok(());
                }
                *rows = 0;
                let batch = columns.finish().map_err(io::Error::other)?;
                writer.write(&batch).map_err(io_error)
            }
        }
    }

    /// Hands what is buffered to the output.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Form::Csv(writer) => writer.flush(),
            Form::Json { out, .. } => out.flush(),
            // A row group is written when it is full.
            Form::Parquet { .. } => Ok(()),
        }
    }

    /// Ends what was written, and gives the output back.
    pub fn finish(self) -> io::Result<W> {
        let mut out = match self.0 {
            Form::Csv(writer) => writer.into_inner().map_err(|error| error.into_error())?,
            Form::Json { mut out, is_array, is_first } => {
                if is_array {
                    out.write_all(if is_first { b"]\n" } else { b"\n]\n" })?;
                }
                out
            }
            Form::Parquet { mut writer, mut columns, rows } => {
                if rows > 0 {
                    writer.write(&columns.finish().map_err(io::Error::other)?).map_err(io_error)?;
                }
                writer.into_inner().map_err(io_error)?
            }
        };
        out.flush()?;
        Ok(out)
    }
}

fn row<'a>(log: &'a LogRecord, kind: Option<&'a str>, is_hit: Option<bool>) -> Row<'a> {
    Row {
        received: log.received.to_string(),
        source: log.source.to_string(),
        transport: log.transport,
        facility: log.facility.map(|facility| facility.0),
        severity: log.severity,
        host: &log.host,
        app: &log.app,
        device_time: log.device_time.map(|time| time.to_string()),
        kind,
        is_hit,
        message: &log.message,
        raw: String::from_utf8_lossy(&log.raw),
    }
}

fn csv_cells(log: &LogRecord, kind: Option<&str>) -> [String; 10] {
    let transport = match log.transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
        Transport::Tls => "tls",
        Transport::Internal => "internal",
    };
    [
        log.received.to_string(),
        log.source.to_string(),
        transport.to_owned(),
        log.facility.map(|facility| facility.0.to_string()).unwrap_or_default(),
        log.severity.map(|severity| severity.name().to_owned()).unwrap_or_default(),
        cell(&log.host),
        cell(&log.app),
        kind.unwrap_or_default().to_owned(),
        log.device_time.map(|time| time.to_string()).unwrap_or_default(),
        cell(&log.message),
    ]
}

/// Text of a device for a spreadsheet: never a formula, whatever it says.
fn cell(text: &str) -> String {
    let text = printable(text);
    let is_formula = text.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    if is_formula { format!("'{text}") } else { text.into_owned() }
}

/// Control characters, and those that turn the direction of writing, as escapes: a log line must not be able to steer
/// the reader's terminal.
pub fn printable(text: &str) -> Cow<'_, str> {
    let steers = |character: char| {
        character.is_control()
            || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if steers(character) { shown.extend(character.escape_default()) } else { shown.push(character) }
    }
    Cow::Owned(shown)
}

/// The cause as the system gave it, so that a closed pipe is seen as one.
fn csv_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(cause) => cause,
        kind => io::Error::other(format!("{kind:?}")),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use model::{Facility, Timestamp};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

    use super::*;
    use crate::telemetry::columns::LogRows;

    fn hostile() -> LogRecord {
        LogRecord {
            received: Timestamp::from_secs(1_568_592_000),
            source: SocketAddr::from(([192, 0, 2, 1], 514)),
            transport: Transport::Tls,
            facility: Some(Facility(23)),
            severity: None,
            host: "=cmd|'/c calc'!A0".to_owned(),
            app: "+1".to_owned(),
            device_time: None,
            message: "-2,\"q\"\0\u{1b}[2J\n<b>\u{202e}".to_owned(),
            raw: b"\xff\0".to_vec(),
        }
    }

    fn written(format: LogFormat, logs: &[LogRecord]) -> Vec<u8> {
        let mut export = LogExport::new(format, Vec::new()).unwrap();
        logs.iter().for_each(|log| export.write(log, Some("link"), None).unwrap());
        export.finish().unwrap()
    }

    #[test]
    fn a_spreadsheet_gets_text_not_formulas() {
        let text = String::from_utf8(written(LogFormat::Csv, &[hostile()])).unwrap();
        let want = "2019-09-16T00:00:00Z,192.0.2.1:514,tls,23,,'=cmd|'/c calc'!A0,'+1,link,,\
                    \"'-2,\"\"q\"\"\\u{0}\\u{1b}[2J\\n<b>\\u{202e}\"";
        assert_eq!(text.lines().nth(1).unwrap(), want);
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn json_is_one_array_or_one_object_a_line() {
        for count in [0, 1, 3] {
            let logs = vec![hostile(); count];
            let array: Vec<serde_json::Value> = serde_json::from_slice(&written(LogFormat::Json, &logs)).unwrap();
            let lines = String::from_utf8(written(LogFormat::JsonLines, &logs)).unwrap();
            let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!((array.len(), &array), (count, &lines));
            assert!(array.iter().all(|row| row["message"] == hostile().message && row["kind"] == "link"));
        }
    }

    #[test]
    fn parquet_is_read_back() {
        let logs: Vec<_> = (0..20_000).map(|number| LogRecord { app: number.to_string(), ..hostile() }).collect();
        let bytes = written(LogFormat::Parquet, &logs);
        let temp = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(temp.path(), bytes).unwrap();
        let reader = ParquetRecordBatchReader::try_new(temp.reopen().unwrap(), 1_000).unwrap();
        let mut found = Vec::new();
        for batch in reader {
            let batch = batch.unwrap();
            let rows = LogRows::of(&batch).unwrap();
            found.extend((0..batch.num_rows()).map(|row| rows.record(row)));
        }
        assert_eq!(found, logs);
    }
}
