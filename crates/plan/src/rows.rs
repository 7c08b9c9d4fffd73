//! CSV files as rows of named cells, with places and column names for messages.

use std::rc::Rc;

use model::Place;

use crate::{
    Override,
    file::{leaf, shape::Leaf},
    overrides::SET,
    problem::{Problems, did_you_mean, shown},
};

/// Rows that a list may have.
const ROWS_MAX: usize = 100_000;

/// Characters that a cell may have.
const CELL_MAX: usize = 2_000;

/// A column that a file may have.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
}

/// A column that must be there.
pub(crate) const fn required(name: &'static str) -> Column {
    Column { name, required: true }
}

/// A column that may be left out.
pub(crate) const fn optional(name: &'static str) -> Column {
    Column { name, required: false }
}

/// A row; cells of absent columns are empty.
pub(crate) struct Row {
    pub(crate) at: Place,
    columns: &'static [Column],
    /// For each column, whether the file has it.
    present: Rc<[bool]>,
    cells: Vec<(Option<Place>, String)>,
}

impl Row {
    /// The cell of a column, trimmed.
    pub(crate) fn text(&self, column: &str) -> &str {
        let index = self.columns.iter().position(|known| known.name == column);
        index.and_then(|index| self.cells.get(index)).map_or("", |(_, text)| text.as_str())
    }

    /// The cell of a column as a value; `None` when empty or wrong, the latter with a problem.
    pub(crate) fn value<T: Leaf>(&self, column: &str, problems: &mut Problems) -> Option<T> {
        let text = self.text(column);
        if text.is_empty() {
            return None;
        }
        let value = T::from_value(&crate::file::tree::Value::Text(text.to_owned()));
        if value.is_none() {
            self.refuse(column, T::KIND, T::EXAMPLE, problems);
        }
        value
    }

    /// Like [`Row::value`], but an empty cell is a problem.
    pub(crate) fn must<T: Leaf>(&self, column: &str, problems: &mut Problems) -> Option<T> {
        if self.text(column).is_empty() {
            self.refuse_empty(column, T::KIND, T::EXAMPLE, problems);
            return None;
        }
        self.value(column, problems)
    }

    /// Says that a cell is empty, unless its whole column is missing, which is said once for the file.
    pub(crate) fn refuse_empty(&self, column: &str, kind: &str, example: &str, problems: &mut Problems) {
        let index = self.columns.iter().position(|known| known.name == column);
        if index.and_then(|index| self.present.get(index)) == Some(&true) {
            let says = format!("column `{column}` is empty");
            problems.add(&self.at, says, format!("write {kind}, e.g. `{}`", example.trim_matches('"')));
        }
    }

    /// Length in metres and the like; decimal comma refused.
    pub(crate) fn number(&self, column: &str, problems: &mut Problems) -> Option<f64> {
        let text = self.text(column);
        if text.is_empty() {
            return None;
        }
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && (0.0..=1e9).contains(number));
        if number.is_none() {
            self.refuse(column, "a number, 0 or more", "17.5", problems);
        }
        number
    }

    /// Says that the cell of a column is not what it should be.
    pub(crate) fn refuse(&self, column: &str, kind: &str, example: &str, problems: &mut Problems) {
        let index = self.columns.iter().position(|known| known.name == column);
        let set = index.and_then(|index| self.cells.get(index)).and_then(|(at, _)| at.as_ref());
        let says = format!("column `{column}`: `{}` is not {kind}", shown(self.text(column)));
        problems.add(set.unwrap_or(&self.at), says, format!("write it like `{}`", example.trim_matches('"')));
    }
}

/// The rows of a CSV file; overridden cells replaced (`list` is what `--set` calls the file).
pub(crate) fn read(
    name: &str,
    text: &str,
    columns: &'static [Column],
    list: &str,
    overrides: &[Override],
    problems: &mut Problems,
) -> Vec<Row> {
    let file: std::sync::Arc<str> = name.into();
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .comment(Some(b'#'))
        .delimiter(delimiter(text))
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut header: Option<Vec<Option<usize>>> = None;
    let mut present: Rc<[bool]> = Rc::from([]);
    let mut rows = Vec::new();
    let mut record = csv::StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {}
            Err(error) => {
                problems.add(&Place::file(name), format!("CSV: {}", shown(&error.to_string())), "correct the file");
                break;
            }
        }
        let line = first_line(text, record.position());
        let at = Place { file: file.clone(), line, column: 0 };
        if record.iter().all(str::is_empty) {
            continue;
        }
        let Some(header) = &header else {
            let read = read_header(&record, &at, columns, problems);
            present = (0..columns.len()).map(|index| read.contains(&Some(index))).collect();
            header = Some(read);
            continue;
        };
        if rows.len() >= ROWS_MAX {
            problems.add(&at, format!("there are more than {ROWS_MAX} rows"), "split the list");
            break;
        }
        let cells = read_row(&record, &at, header, columns, problems);
        rows.push(Row { at, columns, present: present.clone(), cells });
    }
    if header.is_none() {
        let names = columns.iter().map(|column| column.name).collect::<Vec<_>>().join(",");
        problems.add(&Place::file(name), "has no header", format!("let the first line be `{names}`"));
    }
    replace(&mut rows, columns, list, overrides, problems);
    rows
}

/// Comma; semicolon or tab when the first line has those and no comma, as some spreadsheets write.
fn delimiter(text: &str) -> u8 {
    let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#')).unwrap_or_default();
    match (first.contains(','), first.contains(';'), first.contains('\t')) {
        (false, true, _) => b';',
        (false, false, true) => b'\t',
        _ => b',',
    }
}

/// The line that a record begins on. The reader's own position may be that of blank and comment lines before it.
fn first_line(text: &str, position: Option<&csv::Position>) -> u32 {
    let Some(position) = position else { return 0 };
    let offset = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let mut line = position.line();
    let mut rest = text.get(offset..).unwrap_or_default();
    while let Some((first, more)) = rest.split_once('\n') {
        if !first.trim().is_empty() && !first.starts_with('#') {
            break;
        }
        line += 1;
        rest = more;
    }
    u32::try_from(line).unwrap_or(u32::MAX)
}

/// For each column of the file, the known column it is.
fn read_header(
    record: &csv::StringRecord,
    at: &Place,
    columns: &'static [Column],
    problems: &mut Problems,
) -> Vec<Option<usize>> {
    let mut header: Vec<Option<usize>> = Vec::new();
    for name in record {
        let index = columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
        if index.is_none() && !name.is_empty() {
            let remedy = did_you_mean(name, columns.iter().map(|column| column.name));
            problems.add(at, format!("column `{}` is not known", shown(name)), remedy);
        }
        if index.is_some() && header.contains(&index) {
            problems.add(at, format!("column `{}` is there twice", shown(name)), "remove one of the two");
        }
        header.push(index);
    }
    for (index, column) in columns.iter().enumerate() {
        if column.required && !header.contains(&Some(index)) {
            let says = format!("column `{}` is missing", column.name);
            problems.add(at, says, "add it to the first line and to every row");
        }
    }
    header
}

fn read_row(
    record: &csv::StringRecord,
    at: &Place,
    header: &[Option<usize>],
    columns: &'static [Column],
    problems: &mut Problems,
) -> Vec<(Option<Place>, String)> {
    let mut cells = vec![(None, String::new()); columns.len()];
    for (position, text) in record.iter().enumerate() {
        if text.chars().count() > CELL_MAX {
            let says = format!("column {} is longer than {CELL_MAX} characters", position + 1);
            problems.add(at, says, "is a quotation mark missing?");
            continue;
        }
        match header.get(position) {
            Some(Some(index)) => cells[*index].1 = text.to_owned(),
            Some(None) => {}
            None if text.is_empty() => {}
            None => {
                let says = format!("has more cells than the header's {}: `{}`", header.len(), shown(text));
                problems.add(at, says, "put cells that hold a comma in quotation marks");
                break;
            }
        }
    }
    cells
}

/// Replaces overridden cells; a row is found by its first column.
fn replace(rows: &mut [Row], columns: &'static [Column], list: &str, overrides: &[Override], problems: &mut Problems) {
    for (key, column, text) in overrides.iter().filter_map(|value| value.for_list(list)) {
        let at = &Place::file(SET);
        let Some(index) = columns.iter().position(|known| known.name == column) else {
            let remedy = did_you_mean(column, columns.iter().map(|column| column.name));
            problems.add(at, format!("`{list}` has no column `{}`", shown(column)), remedy);
            continue;
        };
        let mut found = false;
        for row in rows.iter_mut().filter(|row| row.cells[0].1 == key) {
            row.cells[index] = (Some(at.clone()), text.to_owned());
            found = true;
        }
        if !found {
            let says = format!("`{list}` has no row `{}`", shown(key));
            let remedy = did_you_mean(key, rows.iter().map(|row| row.cells[0].1.as_str()));
            problems.add(at, says, remedy);
        }
    }
}

/// An hour in a cell.
pub(crate) fn time(text: &str) -> Option<jiff::civil::Time> {
    leaf::parse_time(text)
}
