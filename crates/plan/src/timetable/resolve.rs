use std::collections::BTreeMap;

use jiff::{civil, tz::TimeZone};
use model::{Place, RoomId, Timestamp};

use super::{Entry, EntryDay, EntryEnd, Import};
use crate::{
    Day, DayKind, Room, Talk,
    build::hour,
    derive::{from_jiff, local_timestamp},
    problem::{did_you_mean, shown},
};

/// Unknown rooms that are named in notes.
const UNKNOWN_ROOMS_NAMED: usize = 30;

impl Import<'_> {
    /// Entries as talks in the rooms and on the days of a plan.
    pub(crate) fn talks(
        &mut self,
        name: &str,
        entries: Vec<Entry>,
        rooms: &[Room],
        days: &[Day],
        zone: &TimeZone,
    ) -> Vec<Talk> {
        let by_name = room_names(rooms);
        let mut unknown: BTreeMap<String, usize> = BTreeMap::new();
        let mut incomplete = 0_usize;
        let mut talks = Vec::new();
        for entry in entries {
            if entry.room.is_empty() {
                incomplete += 1;
                continue;
            }
            let Some(room) = by_name.get(&folded(&entry.room)) else {
                *unknown.entry(entry.room).or_default() += 1;
                continue;
            };
            match self.times(&entry, days, zone) {
                Some((starts, ends)) => talks.push(talk(entry, room.clone(), starts, ends)),
                None => incomplete += 1,
            }
        }
        self.note(name, &unknown, incomplete, rooms);
        talks.sort_by(|a, b| (a.starts, &a.room, &a.id).cmp(&(b.starts, &b.room, &b.id)));
        talks
    }

    /// First and last moment; `None` when the entry does not say them.
    fn times(&mut self, entry: &Entry, days: &[Day], zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let end = entry.end?;
        if let (Some(moment), EntryEnd::After(length)) = (entry.moment, end) {
            let starts = from_jiff(moment);
            return Some((starts, starts + length));
        }
        let date = self.date(entry, days)?;
        let starts = date.to_datetime(entry.start?);
        let first = local_timestamp(zone, starts);
        let last = match end {
            EntryEnd::After(length) => first + length,
            EntryEnd::Time(time) if time > starts.time() => local_timestamp(zone, date.to_datetime(time)),
            EntryEnd::Time(time) => {
                let says = format!(
                    "`{}` ends at {}, not after its start at {}",
                    shown(&entry.id),
                    hour(time),
                    hour(starts.time())
                );
                self.problems.add(&entry.at, says, "correct the hours; split what goes past midnight");
                first
            }
        };
        Some((first, last))
    }

    fn date(&mut self, entry: &Entry, days: &[Day]) -> Option<civil::Date> {
        let number = match entry.day? {
            EntryDay::Date(date) => return Some(date),
            EntryDay::Number(number) => number,
        };
        let counted = counted_days(days);
        let day = usize::try_from(number).ok().and_then(|number| counted.get(number.checked_sub(1)?));
        if day.is_none() {
            let says = format!("`{}` is on day {number}, but the event has {}", shown(&entry.id), counted.len());
            self.problems.add(&entry.at, says, "count days of talks from 1, or write dates");
        }
        day.copied()
    }

    fn note(&mut self, name: &str, unknown: &BTreeMap<String, usize>, incomplete: usize, rooms: &[Room]) {
        let at = Place::file(name);
        let known = rooms.iter().flat_map(|room| [room.id.as_str(), room.name.as_str()]);
        for (room, count) in unknown.iter().take(UNKNOWN_ROOMS_NAMED) {
            let says = format!("room `{}` is not in the plan: {} left out", shown(room), entries(*count));
            let remedy = format!("add it to a room's `aliases`; {}", did_you_mean(room, known.clone()));
            self.notes.add(&at, says, remedy);
        }
        if unknown.len() > UNKNOWN_ROOMS_NAMED {
            let count: usize = unknown.values().skip(UNKNOWN_ROOMS_NAMED).sum();
            let says = format!(
                "{} more rooms are not in the plan: {} left out",
                unknown.len() - UNKNOWN_ROOMS_NAMED,
                entries(count)
            );
            self.notes.add(&at, says, "add them to the plan or to `aliases`");
        }
        if incomplete > 0 {
            let says = format!("{} without day, room or hours left out", entries(incomplete));
            self.notes.add(&at, says, "complete them if they draw people to a room");
        }
    }
}

fn entries(count: usize) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") }
}

/// The dates that a timetable's day numbers count.
pub(super) fn counted_days(days: &[Day]) -> Vec<civil::Date> {
    let of_talks = |day: &&Day| matches!(day.kind, DayKind::Conference | DayKind::Sprint);
    let dates: Vec<civil::Date> = days.iter().filter(of_talks).map(|day| day.date).collect();
    if dates.is_empty() { days.iter().map(|day| day.date).collect() } else { dates }
}

/// Every name by which a room may be meant.
fn room_names(rooms: &[Room]) -> BTreeMap<String, RoomId> {
    let mut names = BTreeMap::new();
    for room in rooms {
        for name in [room.id.as_str(), &room.name].into_iter().chain(room.aliases.iter().map(String::as_str)) {
            names.entry(folded(name)).or_insert_with(|| room.id.clone());
        }
    }
    names
}

/// Without blanks and in lower case, so that `Room A+B` and `room a + b` are one.
pub(super) fn folded(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

fn talk(entry: Entry, room: RoomId, starts: Timestamp, ends: Timestamp) -> Talk {
    Talk {
        id: entry.id,
        title: entry.title,
        room,
        starts,
        ends,
        kind: entry.kind,
        track: entry.track,
        language: entry.language,
        at: entry.at,
    }
}
