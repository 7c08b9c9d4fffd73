//! Timetables: our CSV, frab and pretalx JSON, `schedule.xml`, and a plain JSON list.
//!
//! Every form is read into entries first, which say what the file says. Rooms and days of the plan come second,
//! so the same entries also give the [`skeleton`] of a plan that does not exist yet.

mod json;
mod list;
mod resolve;
mod skeleton;
mod xml;

use std::time::Duration;

use jiff::{civil, tz::TimeZone};
use model::{Place, Timestamp};

pub use skeleton::{Skeleton, SkeletonDay, SkeletonRoom, skeleton};

use crate::{Day, Override, Problem, Room, Talk, problem::Problems, source};

/// File names that a timetable may have in a plan directory.
pub const FILE_NAMES: &[&str] = &["timetable.csv", "timetable.json", "schedule.json", "schedule.xml"];

/// Entries that a timetable may have.
const ENTRIES_MAX: usize = 100_000;

/// What an import gives.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The talks, by time.
    pub talks: Vec<Talk>,
    /// What was left out or assumed.
    pub notes: Vec<Problem>,
}

/// Reads a timetable for the rooms and days of a plan. The form is chosen by the file's `name`: `.csv`, `.json` or `.xml`.
/// Talks in unknown rooms, and entries without day, room or hours, are left out and counted in the notes.
pub fn import(
    name: &str,
    bytes: &[u8],
    rooms: &[Room],
    days: &[Day],
    zone: &TimeZone,
) -> Result<Imported, Vec<Problem>> {
    let (mut problems, mut notes) = (Problems::default(), Problems::default());
    let mut import = Import { problems: &mut problems, notes: &mut notes, overrides: &[] };
    let talks = match import.entries(name, bytes) {
        Some(read) => import.talks(name, read.entries, rooms, days, zone),
        None => Vec::new(),
    };
    if problems.is_empty() { Ok(Imported { talks, notes: notes.into_sorted() }) } else { Err(problems.into_sorted()) }
}

/// An import in progress.
pub(crate) struct Import<'a> {
    pub(crate) problems: &'a mut Problems,
    pub(crate) notes: &'a mut Problems,
    pub(crate) overrides: &'a [Override],
}

/// What a file says.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) entries: Vec<Entry>,
    /// Name of the event, if stated.
    title: Option<String>,
    /// IANA time zone, if stated.
    zone: Option<String>,
}

/// An entry of a timetable, as the file says it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    at: Place,
    id: String,
    title: String,
    room: String,
    day: Option<EntryDay>,
    start: Option<civil::Time>,
    /// Exact moment, which counts before day and start.
    moment: Option<jiff::Timestamp>,
    end: Option<EntryEnd>,
    kind: String,
    track: String,
    language: String,
}

/// The day of an entry.
#[derive(Clone, Copy, Debug)]
enum EntryDay {
    Date(civil::Date),
    /// From 1: of the days that are neither for set-up nor tutorials, or of all days when there is none.
    Number(u32),
}

/// When an entry ends.
#[derive(Clone, Copy, Debug)]
enum EntryEnd {
    Time(civil::Time),
    After(Duration),
}

impl Import<'_> {
    /// What the file says, whatever its form.
    pub(crate) fn entries(&mut self, name: &str, bytes: &[u8]) -> Option<Read> {
        let text = source::text(name, bytes, true, self.problems, self.notes)?;
        let read = match name.rsplit('.').next() {
            Some("csv") => self.list(name, &text),
            Some("json") => self.json(name, &text)?,
            Some("xml") => self.xml(name, &text)?,
            _ => {
                let says = "is not a timetable that can be read";
                self.problems.add(&Place::file(name), says, "give it as .csv, .json or .xml");
                return None;
            }
        };
        if read.entries.len() > ENTRIES_MAX {
            let says = format!("has more than {ENTRIES_MAX} entries");
            self.problems.add(&Place::file(name), says, "is it a timetable?");
            return None;
        }
        Some(read)
    }
}

/// `00:45`, `1:30:00` with days in front (as pretalx writes), of at most ten days.
fn parse_duration(text: &str) -> Option<Duration> {
    let parts: Option<Vec<u64>> =
        text.trim().split(':').map(|part| part.parse().ok().filter(|number| *number < 10_000)).collect();
    let minutes = match parts?.as_slice() {
        [hours, minutes] => hours * 60 + minutes,
        [days, hours, minutes] => (days * 24 + hours) * 60 + minutes,
        _ => return None,
    };
    (minutes <= 14_400).then(|| Duration::from_secs(minutes * 60))
}

/// The zone of a moment's offset, when it is of whole hours: `+09:00` is `Etc/GMT-9`, the sign being IANA's.
fn zone_of_offset(text: &str) -> Option<String> {
    let text = text.trim();
    if text.ends_with('Z') {
        return Some("Etc/UTC".into());
    }
    let hours: i8 = text.get(text.len().checked_sub(6)?..)?.strip_suffix(":00")?.parse().ok()?;
    match hours {
        0 => Some("Etc/UTC".into()),
        1..=14 => Some(format!("Etc/GMT-{hours}")),
        -12..=-1 => Some(format!("Etc/GMT+{}", -hours)),
        _ => None,
    }
}

/// A moment with offset, `2019-08-21T11:00:00+02:00`.
fn parse_moment(text: &str) -> Option<jiff::Timestamp> {
    let moment: jiff::Timestamp = text.trim().parse().ok()?;
    Timestamp::from_nanos(i64::try_from(moment.as_nanosecond()).ok()?);
    Some(moment)
}
