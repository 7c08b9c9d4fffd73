use super::{ENTRIES_MAX, Entry, EntryDay, EntryEnd, Import, Read};
use crate::{
    file::leaf::parse_date,
    rows::{self, Column, Row, optional, required},
};

const TIMETABLE: &[Column] = &[
    optional("id"),
    optional("title"),
    required("room"),
    optional("day"),
    optional("date"),
    required("start"),
    required("end"),
    optional("kind"),
    optional("track"),
    optional("language"),
];

impl Import<'_> {
    /// Our own CSV.
    pub(super) fn list(&mut self, name: &str, text: &str) -> Read {
        let rows = rows::read(name, text, TIMETABLE, "timetable", self.overrides, self.problems);
        let entries = rows.iter().take(ENTRIES_MAX).map(|row| self.row(row)).collect();
        Read { entries, ..Read::default() }
    }

    fn row(&mut self, row: &Row) -> Entry {
        let mut time = |column: &str| {
            let text = row.text(column);
            let time = rows::time(text);
            if time.is_none() && !text.is_empty() {
                row.refuse(column, "an hour of the day", "10:30", self.problems);
            }
            time
        };
        let (start, end) = (time("start"), time("end"));
        let text = |column: &str| row.text(column).to_owned();
        Entry {
            at: row.at.clone(),
            id: text("id"),
            title: text("title"),
            room: text("room"),
            day: self.day(row),
            start,
            moment: None,
            end: end.map(EntryEnd::Time),
            kind: text("kind"),
            track: text("track"),
            language: text("language"),
        }
    }

    /// A date in either column, or the number of a day.
    fn day(&mut self, row: &Row) -> Option<EntryDay> {
        let column = if row.text("date").is_empty() { "day" } else { "date" };
        let text = row.text(column);
        if text.is_empty() {
            return None;
        }
        let number = text.parse().ok().filter(|number| (1..=366).contains(number)).map(EntryDay::Number);
        let day = parse_date(text).map(EntryDay::Date).or(number);
        if day.is_none() {
            row.refuse(column, "a date or the number of a day", "2026-05-16", self.problems);
        }
        day
    }
}
