//! Lines on their way to a person or a file.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt as _,
};

use anyhow::{Context as _, Result};
use model::LogRecord;
use store::{LogExport, LogFormat};

use super::kind;
use crate::{
    args::{Logs, LogsFormat},
    output::printable,
};

/// Where lines go, and how.
pub(super) struct Show {
    form: Form,
    /// What to say when it cannot be written.
    target: String,
}

type Out = BufWriter<Box<dyn Write + Send>>;

enum Form {
    Table(Table),
    Export(Box<LogExport<Out>>),
}

/// Columns as wide as their widest cell so far.
struct Table {
    out: Out,
    widths: [usize; 4],
    is_begun: bool,
}

impl Show {
    pub(super) fn new(arguments: &Logs) -> Result<Self> {
        let (out, target): (Box<dyn Write + Send>, String) = match &arguments.output {
            Some(path) => {
                let target = format!("`{}`", path.display());
                // Lines hold personal data: for this user alone.
                let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path);
                (Box::new(file.with_context(|| format!("{target} cannot be written"))?), target)
            }
            None => (Box::new(io::stdout()), "stdout".to_owned()),
        };
        let out = BufWriter::with_capacity(1 << 16, out);
        let export = match (arguments.format, arguments.follow) {
            (LogsFormat::Table, _) => None,
            (LogsFormat::Json, false) => Some(LogFormat::Json),
            (LogsFormat::Json, true) => Some(LogFormat::JsonLines),
            (LogsFormat::Csv, _) => Some(LogFormat::Csv),
            (LogsFormat::Parquet, _) => Some(LogFormat::Parquet),
        };
        let form = match export {
            Some(format) => {
                let export = LogExport::new(format, out).with_context(|| format!("{target} cannot be written"))?;
                Form::Export(Box::new(export))
            }
            None => Form::Table(Table { out, widths: [0; 4], is_begun: false }),
        };
        Ok(Self { form, target })
    }

    /// Writes lines; each may say whether it was asked for or stands around one that was.
    pub(super) fn lines<'l>(&mut self, mut lines: impl Iterator<Item = (&'l LogRecord, Option<bool>)>) -> Result<()> {
        let written = match &mut self.form {
            Form::Table(table) => table.lines(lines),
            Form::Export(export) => lines.try_for_each(|(log, is_hit)| export.write(log, kind(log), is_hit)),
        };
        self.or_say(written)
    }

    /// Between lines that do not follow each other.
    pub(super) fn gap(&mut self) -> Result<()> {
        let written = match &mut self.form {
            Form::Table(table) => table.out.write_all(b"--\n"),
            Form::Export(_) => Ok(()),
        };
        self.or_say(written)
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        let written = match &mut self.form {
            Form::Table(table) => table.out.flush(),
            Form::Export(export) => export.flush(),
        };
        self.or_say(written)
    }

    pub(super) fn finish(self) -> Result<()> {
        let written = match self.form {
            Form::Table(mut table) => table.header(false).and_then(|()| table.out.flush()),
            Form::Export(export) => export.finish().map(drop),
        };
        written.with_context(|| format!("{} cannot be written", self.target))
    }

    fn or_say(&self, written: io::Result<()>) -> Result<()> {
        written.with_context(|| format!("{} cannot be written", self.target))
    }
}

impl Table {
    fn lines<'l>(&mut self, lines: impl Iterator<Item = (&'l LogRecord, Option<bool>)>) -> io::Result<()> {
        let rows: Vec<_> = lines.map(|(log, is_hit)| (cells(log), is_hit)).collect();
        for (width, name) in self.widths.iter_mut().zip(["received", "host", "severity", "app"]) {
            *width = (*width).max(name.len());
        }
        for (row, _) in &rows {
            self.widths.iter_mut().zip(row).for_each(|(width, cell)| *width = (*width).max(cell.chars().count()));
        }
        if let Some((_, is_hit)) = rows.first() {
            self.header(is_hit.is_some())?;
        }
        rows.iter().try_for_each(|(row, is_hit)| self.line(row, *is_hit))
    }

    fn header(&mut self, has_mark: bool) -> io::Result<()> {
        if std::mem::replace(&mut self.is_begun, true) {
            return Ok(());
        }
        let names = ["received", "host", "severity", "app", "message"].map(str::to_owned);
        self.line(&names, has_mark.then_some(false))
    }

    fn line(&mut self, cells: &[String; 5], is_hit: Option<bool>) -> io::Result<()> {
        let mut text = match is_hit {
            Some(true) => String::from("> "),
            Some(false) => String::from("  "),
            None => String::new(),
        };
        let widths = self.widths.iter().copied().chain([0]);
        for (cell, width) in cells.iter().zip(widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', (width + 2).saturating_sub(cell.chars().count())));
        }
        writeln!(self.out, "{}", text.trim_end())
    }
}

fn cells(log: &LogRecord) -> [String; 5] {
    let host = if log.host.is_empty() { log.source.to_string() } else { printable(&log.host) };
    let severity = log.severity.map_or("", |severity| severity.name()).to_owned();
    [log.received.to_string(), host, severity, printable(&log.app), printable(&log.message)]
}
