//! What goes to the terminal: text, tables, JSON and CSV on stdout, complaints on stderr.

use std::io::{self, Write};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::args::TableFormat;

/// Writes `text` and a line end to stdout.
pub(crate) fn line(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").context("stdout cannot be written")?;
    out.flush().context("stdout cannot be written")
}

/// Writes `value` to stdout as indented JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from).context("stdout cannot be written")?;
    writeln!(out).context("stdout cannot be written")?;
    out.flush().context("stdout cannot be written")
}

/// Writes an error with its causes to stderr.
#[expect(clippy::print_stderr, reason = "the one place where the program complains")]
pub(crate) fn complain(error: &anyhow::Error) {
    eprintln!("hotstage: {error:#}");
}

/// Writes a note to stderr, so that stdout stays for the answer.
#[expect(clippy::print_stderr, reason = "the one place where the program says what it is doing")]
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}

/// Writes records to stdout: `records` for JSON, `columns` and `rows` for tables and CSV.
pub(crate) fn records<T: Serialize>(
    format: TableFormat,
    records: &[T],
    columns: &[&str],
    row: impl Fn(&T) -> Vec<String>,
) -> Result<()> {
    match format {
        TableFormat::Json => json(&records),
        TableFormat::Csv => csv(columns, records.iter().map(row)),
        TableFormat::Table => table(columns, records.iter().map(row).collect()),
    }
}

fn csv(columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Result<()> {
    let mut out = csv::WriterBuilder::new().from_writer(io::stdout().lock());
    let written = (|| {
        out.write_record(columns)?;
        for row in rows {
            out.write_record(&row)?;
        }
        out.flush().map_err(csv::Error::from)
    })();
    // The cause as the system gave it, so that a closed pipe is seen as one.
    let written = written.map_err(|error| match error.into_kind() {
        csv::ErrorKind::Io(cause) => cause,
        kind => io::Error::other(format!("{kind:?}")),
    });
    written.context("stdout cannot be written")
}

/// Columns as wide as their widest cell; control characters from the network are shown, not obeyed.
fn table(columns: &[&str], rows: Vec<Vec<String>>) -> Result<()> {
    let rows: Vec<Vec<String>> = rows.into_iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let mut widths: Vec<usize> = columns.iter().map(|name| name.chars().count()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut write = |cells: &mut dyn Iterator<Item = &str>| -> io::Result<()> {
        let mut text = String::new();
        for (cell, width) in cells.zip(&widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', (width + 2).saturating_sub(cell.chars().count())));
        }
        writeln!(out, "{}", text.trim_end())
    };
    write(&mut columns.iter().copied()).context("stdout cannot be written")?;
    for row in &rows {
        write(&mut row.iter().map(String::as_str)).context("stdout cannot be written")?;
    }
    out.flush().context("stdout cannot be written")
}

/// Control characters as escapes: a log line must not be able to steer the reader's terminal.
pub(crate) fn printable(text: &str) -> String {
    store::printable(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_not_obeyed() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(printable("日本語"), "日本語");
    }
}
