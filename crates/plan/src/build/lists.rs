use jiff::{civil, tz::TimeZone};
use model::{Mac, PortRef};

use super::Build;
use crate::{
    Asset, Cable, Day, Override, Room, Shift, SourceFile, Talk,
    derive::local_timestamp,
    file::leaf::{parse_date_time, parse_time},
    rows::{self, Column, Row, optional, required},
    source, timetable,
};

const INVENTORY: &[Column] = &[
    required("tag"),
    required("kind"),
    optional("model"),
    optional("serial"),
    optional("mac"),
    optional("owner"),
    optional("home"),
    optional("device"),
    optional("state"),
];

const CABLES: &[Column] = &[
    required("label"),
    optional("kind"),
    optional("colour"),
    required("length_m"),
    optional("route_m"),
    required("from"),
    required("to"),
];

const ROSTER: &[Column] =
    &[required("who"), optional("date"), required("start"), required("end"), optional("place"), optional("handle")];

impl Build {
    fn rows(
        &mut self,
        files: &[SourceFile],
        name: &str,
        columns: &'static [Column],
        overrides: &[Override],
    ) -> Option<Vec<Row>> {
        let file = files.iter().find(|file| file.name == name)?;
        let text = source::text(name, &file.bytes, false, &mut self.problems, &mut self.notes)?;
        let list = name.trim_end_matches(".csv");
        Some(rows::read(name, &text, columns, list, overrides, &mut self.problems))
    }

    pub(super) fn inventory(&mut self, files: &[SourceFile], overrides: &[Override]) -> Option<Vec<Asset>> {
        let rows = self.rows(files, "inventory.csv", INVENTORY, overrides)?;
        let mut assets = Vec::new();
        for row in &rows {
            let text = |column: &str| row.text(column).to_owned();
            let mac = row.value::<Mac>("mac", &mut self.problems);
            if row.text("tag").is_empty() {
                row.refuse_empty("tag", "an asset tag", "S-01", &mut self.problems);
            }
            let device = row.text("device");
            let state = row.text("state");
            assets.push(Asset {
                tag: text("tag"),
                kind: text("kind"),
                model: text("model"),
                serial: text("serial"),
                mac,
                owner: text("owner"),
                home: text("home"),
                device: (!device.is_empty()).then(|| device.into()),
                state: if state.is_empty() { "in_stock" } else { state }.to_owned(),
                at: row.at.clone(),
            });
        }
        Some(assets)
    }

    pub(super) fn cables(&mut self, files: &[SourceFile], overrides: &[Override]) -> Option<Vec<Cable>> {
        let rows = self.rows(files, "cables.csv", CABLES, overrides)?;
        let mut cables = Vec::new();
        for row in &rows {
            let problems = &mut self.problems;
            if row.text("label").is_empty() {
                row.refuse_empty("label", "the label at both ends", "C-001", problems);
            }
            if row.text("length_m").is_empty() {
                row.refuse_empty("length_m", "its length in metres", "17.5", problems);
            }
            let length_m = row.number("length_m", problems);
            let route_m = row.number("route_m", problems);
            let (from, to) = (row.must::<PortRef>("from", problems), row.must::<PortRef>("to", problems));
            let (Some(length_m), Some(from), Some(to)) = (length_m, from, to) else { continue };
            cables.push(Cable {
                label: row.text("label").to_owned(),
                kind: row.text("kind").to_owned(),
                colour: row.text("colour").to_owned(),
                length_m,
                route_m,
                from,
                to,
                at: row.at.clone(),
            });
        }
        Some(cables)
    }

    pub(super) fn roster(
        &mut self,
        files: &[SourceFile],
        overrides: &[Override],
        zone: &TimeZone,
    ) -> Option<Vec<Shift>> {
        let rows = self.rows(files, "roster.csv", ROSTER, overrides)?;
        let mut shifts = Vec::new();
        for row in &rows {
            if row.text("who").is_empty() {
                row.refuse_empty("who", "a name", "Aki", &mut self.problems);
            }
            let Some((starts, ends)) = self.shift_times(row) else { continue };
            shifts.push(Shift {
                who: row.text("who").to_owned(),
                starts: local_timestamp(zone, starts),
                ends: local_timestamp(zone, ends),
                place: row.text("place").to_owned(),
                handle: row.text("handle").to_owned(),
                at: row.at.clone(),
            });
        }
        Some(shifts)
    }

    /// Hours on the row's date, the end on the next day when it is not after the start; or full moments.
    fn shift_times(&mut self, row: &Row) -> Option<(civil::DateTime, civil::DateTime)> {
        let date = row.value::<civil::Date>("date", &mut self.problems);
        let mut moment = |column: &str| {
            let text = row.text(column);
            let on_date = parse_time(text).and_then(|time| date.map(|date| date.to_datetime(time)));
            let moment = on_date.or_else(|| parse_date_time(text));
            if moment.is_none() {
                let kind = if date.is_some() { "an hour of the day" } else { "a date and hour (there is no `date`)" };
                let example = if date.is_some() { "08:00" } else { "2026-05-16T08:00" };
                row.refuse(column, kind, example, &mut self.problems);
            }
            moment
        };
        let (starts, ends) = (moment("start"), moment("end"));
        let (starts, ends) = (starts?, ends?);
        if ends > starts {
            return Some((starts, ends));
        }
        let next_day = ends.date().tomorrow().ok().map(|date| date.to_datetime(ends.time()));
        match next_day.filter(|ends| *ends > starts && parse_time(row.text("end")).is_some()) {
            Some(ends) => Some((starts, ends)),
            None => {
                row.refuse("end", "after the start", "2026-05-17T02:00", &mut self.problems);
                None
            }
        }
    }

    pub(super) fn timetable(
        &mut self,
        files: &[SourceFile],
        overrides: &[Override],
        rooms: &[Room],
        days: &[Day],
        zone: &TimeZone,
    ) -> Option<Vec<Talk>> {
        let present: Vec<&SourceFile> =
            timetable::FILE_NAMES.iter().filter_map(|name| files.iter().find(|file| file.name == *name)).collect();
        let (first, others) = present.split_first()?;
        for other in others {
            let says = format!("there is a timetable in `{}` already", first.name);
            self.problems.add(&model::Place::file(&other.name), says, "keep one of the two files");
        }
        let mut import = timetable::Import { problems: &mut self.problems, notes: &mut self.notes, overrides };
        let talks = import.entries(&first.name, &first.bytes)?;
        Some(import.talks(&first.name, talks.entries, rooms, days, zone))
    }
}
