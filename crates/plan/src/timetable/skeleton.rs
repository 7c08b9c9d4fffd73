use std::collections::{BTreeMap, BTreeSet};

use jiff::{civil, tz::TimeZone};

use super::{Entry, EntryDay, EntryEnd, Import, resolve::folded};
use crate::{Problem, build::slug, problem::Problems};

/// Rooms and days of a timetable whose plan does not exist yet; what `hotstage init --timetable` starts from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skeleton {
    /// Name of the event, if the timetable says it.
    pub name: Option<String>,
    /// IANA time zone, if the timetable says it.
    pub time_zone: Option<String>,
    /// Rooms, in order of first use.
    pub rooms: Vec<SkeletonRoom>,
    /// Days, by date.
    pub days: Vec<SkeletonDay>,
    /// Talks in all.
    pub talks: usize,
}

/// A room that a timetable names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SkeletonRoom {
    /// A key for it, made from its name.
    pub id: String,
    /// Its name in the timetable.
    pub name: String,
}

/// A day that a timetable has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SkeletonDay {
    /// Date.
    pub date: civil::Date,
    /// The first start.
    pub first: civil::Time,
    /// The last end; 23:59 when it is past midnight.
    pub last: civil::Time,
}

/// Rooms and days of a timetable. `first_day` is the date of day 1 where the file numbers its days instead of dating them.
pub fn skeleton(name: &str, bytes: &[u8], first_day: civil::Date) -> Result<Skeleton, Vec<Problem>> {
    let (mut problems, mut notes) = (Problems::default(), Problems::default());
    let mut import = Import { problems: &mut problems, notes: &mut notes, overrides: &[] };
    let read = import.entries(name, bytes).unwrap_or_default();
    if !problems.is_empty() {
        return Err(problems.into_sorted());
    }
    let zone = read.zone.filter(|name| TimeZone::get(name).is_ok());
    let time_zone = zone.as_deref().and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC);
    let spans: Vec<_> =
        read.entries.iter().filter_map(|entry| span(entry, first_day, zone.is_some().then_some(&time_zone))).collect();
    Ok(Skeleton {
        name: read.title.filter(|title| !title.is_empty()),
        time_zone: zone,
        rooms: rooms(&read.entries),
        days: days(&spans),
        talks: spans.len(),
    })
}

/// Local start and end of an entry; `None` when it has no room or hours.
fn span(entry: &Entry, first_day: civil::Date, zone: Option<&TimeZone>) -> Option<(civil::DateTime, civil::DateTime)> {
    if entry.room.is_empty() {
        return None;
    }
    let date = match entry.day? {
        EntryDay::Date(date) => date,
        EntryDay::Number(number) => {
            let days = jiff::Span::new().try_days(i64::from(number) - 1).ok()?;
            first_day.checked_add(days).ok()?
        }
    };
    let starts = match (entry.moment, zone) {
        (Some(moment), Some(zone)) => zone.to_datetime(moment),
        _ => date.to_datetime(entry.start?),
    };
    let ends = match entry.end? {
        EntryEnd::Time(time) => starts.date().to_datetime(time),
        EntryEnd::After(length) => starts.checked_add(length).ok()?,
    };
    Some((starts, ends))
}

fn rooms(entries: &[Entry]) -> Vec<SkeletonRoom> {
    let mut seen = BTreeSet::new();
    let mut ids = BTreeSet::new();
    let mut rooms = Vec::new();
    for entry in entries.iter().filter(|entry| !entry.room.is_empty()) {
        if !seen.insert(folded(&entry.room)) {
            continue;
        }
        let number = rooms.len() + 1;
        let id = slug(&entry.room).filter(|id| !ids.contains(id)).unwrap_or_else(|| format!("room-{number}"));
        ids.insert(id.clone());
        rooms.push(SkeletonRoom { id, name: entry.room.clone() });
    }
    rooms
}

fn days(spans: &[(civil::DateTime, civil::DateTime)]) -> Vec<SkeletonDay> {
    let midnight = civil::Time::constant(23, 59, 0, 0);
    let mut days: BTreeMap<civil::Date, SkeletonDay> = BTreeMap::new();
    for (starts, ends) in spans {
        let date = starts.date();
        let end = if ends.date() == date { ends.time() } else { midnight };
        let day = days.entry(date).or_insert(SkeletonDay { date, first: starts.time(), last: end });
        day.first = day.first.min(starts.time());
        day.last = day.last.max(end);
    }
    days.into_values().collect()
}
