//! `hotstage logs`.

use anyhow::{Context, Result, bail};
use model::{LogRecord, LogSeverity};
use serde::Serialize;
use store::LogQuery;

use crate::{Answer, args::Logs, commands::moment, output};

/// A log line as it is shown.
#[derive(Serialize)]
struct Row {
    received: String,
    source: String,
    transport: model::Transport,
    facility: Option<u8>,
    severity: Option<LogSeverity>,
    host: String,
    app: String,
    device_time: Option<String>,
    message: String,
    raw: String,
}

pub(crate) fn run(arguments: &Logs) -> Result<Answer> {
    let state = &arguments.records.state;
    let query = LogQuery {
        from: moment(arguments.span.from.as_deref())?,
        to: moment(arguments.span.to.as_deref())?,
        host: arguments.host.clone(),
        severity_at_most: severity(arguments.severity.as_deref())?,
        text: arguments.text.clone(),
        limit: if arguments.count { usize::MAX } else { arguments.limit },
        newest_first: true,
    };
    let unreadable = || format!("the log in `{}` cannot be read", state.display());
    if arguments.count {
        let count = store::count_logs(state, &query).with_context(unreadable)?;
        output::line(&count.to_string())?;
        return Ok(Answer::Good);
    }
    let mut records = store::search_logs(state, &query).with_context(unreadable)?;
    // The newest are looked for; they are read from top to bottom.
    records.reverse();
    let rows: Vec<Row> = records.iter().map(row).collect();
    let columns = ["received", "host", "severity", "app", "message"];
    output::records(arguments.records.format, &rows, &columns, |row| {
        let severity = row.severity.map(|severity| severity.name().to_owned()).unwrap_or_default();
        let host = if row.host.is_empty() { row.source.clone() } else { row.host.clone() };
        vec![row.received.clone(), host, severity, row.app.clone(), row.message.clone()]
    })?;
    Ok(Answer::Good)
}

fn severity(name: Option<&str>) -> Result<Option<LogSeverity>> {
    let Some(name) = name else { return Ok(None) };
    let found = LogSeverity::ALL
        .into_iter()
        .find(|severity| severity.name().eq_ignore_ascii_case(name) || severity.number().to_string() == name);
    if found.is_none() {
        let names: Vec<_> = LogSeverity::ALL.iter().map(|severity| severity.name()).collect();
        bail!("`{name}` is not a severity; choose one of {}", names.join(", "));
    }
    Ok(found)
}

fn row(record: &LogRecord) -> Row {
    Row {
        received: record.received.to_string(),
        source: record.source.to_string(),
        transport: record.transport,
        facility: record.facility.map(|facility| facility.0),
        severity: record.severity,
        host: record.host.clone(),
        app: record.app.clone(),
        device_time: record.device_time.map(|time| time.to_string()),
        message: record.message.clone(),
        raw: String::from_utf8_lossy(&record.raw).into_owned(),
    }
}
