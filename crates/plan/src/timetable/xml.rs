use std::time::Duration;

use model::Place;
use quick_xml::{
    Reader,
    events::{BytesRef, BytesStart, Event},
};

use super::{ENTRIES_MAX, Entry, EntryDay, EntryEnd, Import, Read, parse_duration, parse_moment, zone_of_offset};
use crate::{
    file::leaf::{parse_date, parse_time},
    problem::shown,
    source::Lines,
};

/// Elements in each other; a schedule needs eight.
const DEPTH_MAX: usize = 32;

/// Characters of a text that are kept.
const KEPT: usize = 500;

/// What is known while the file is walked through.
#[derive(Default)]
struct Walk {
    path: Vec<String>,
    date: Option<jiff::civil::Date>,
    room: String,
    event: Option<Fields>,
    text: String,
    read: Read,
}

/// The fields of an `event` element.
#[derive(Default)]
struct Fields {
    offset: u64,
    id: String,
    room: String,
    title: String,
    date: String,
    start: String,
    duration: String,
    kind: String,
    track: String,
    language: String,
}

impl Import<'_> {
    /// frab's and pretalx's `schedule.xml`. Only the entities that XML itself defines are resolved.
    pub(super) fn xml(&mut self, name: &str, text: &str) -> Option<Read> {
        let lines = Lines::new(text);
        let place = |offset: u64| {
            let (line, column) = lines.position(text, usize::try_from(offset).unwrap_or(usize::MAX));
            Place { file: name.into(), line, column }
        };
        let mut reader = Reader::from_str(text);
        let mut walk = Walk::default();
        let mut seen_schedule = false;
        loop {
            let offset = reader.buffer_position();
            match reader.read_event() {
                Ok(Event::Eof) => break,
                Ok(Event::Start(element)) => {
                    seen_schedule |= element.name().as_ref() == "schedule";
                    if walk.path.len() >= DEPTH_MAX || walk.read.entries.len() > ENTRIES_MAX {
                        let says = "is nested too deeply or has too many entries";
                        self.problems.add(&place(offset), says, "is it a timetable?");
                        return None;
                    }
                    walk.open(&element, offset);
                }
                Ok(Event::Empty(element)) => {
                    walk.open(&element, offset);
                    self.close(&mut walk, &place);
                }
                Ok(Event::End(_)) => self.close(&mut walk, &place),
                Ok(Event::Text(piece)) => walk.add(&piece),
                Ok(Event::CData(piece)) => walk.add(&piece),
                Ok(Event::GeneralRef(entity)) => walk.add(&resolve(&entity)),
                Ok(Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_)) => {}
                Err(error) => {
                    let says = format!("XML: {}", shown(&error.to_string()));
                    self.problems.add(&place(reader.error_position()), says, "export the timetable again");
                    return None;
                }
            }
        }
        if !seen_schedule {
            self.problems.add(&Place::file(name), "has no `schedule` element", "export it as frab or pretalx XML");
            return None;
        }
        Some(walk.read)
    }

    fn close(&mut self, walk: &mut Walk, place: &dyn Fn(u64) -> Place) {
        let Some(name) = walk.path.pop() else { return };
        let text = std::mem::take(&mut walk.text).trim().to_owned();
        let parent = walk.path.last().map(String::as_str);
        if name == "event" {
            if let Some(fields) = walk.event.take() {
                let entry = self.entry(walk, fields, place);
                walk.read.entries.push(entry);
            }
        } else if let (Some(fields), Some("event")) = (&mut walk.event, parent) {
            fields.set(&name, text);
        } else if parent == Some("conference") {
            match name.as_str() {
                "title" => walk.read.title = Some(text),
                "time_zone_name" => walk.read.zone = Some(text),
                _ => {}
            }
        }
    }

    fn entry(&mut self, walk: &Walk, fields: Fields, place: &dyn Fn(u64) -> Place) -> Entry {
        let at = place(fields.offset);
        let duration = parse_duration(&fields.duration);
        if duration.is_none() {
            let says =
                format!("event `{}`: the duration `{}` is not known", shown(&fields.id), shown(&fields.duration));
            self.problems.add(&at, says, "write it like `00:45`");
        }
        Entry {
            at,
            id: fields.id,
            title: fields.title,
            room: if walk.room.is_empty() { fields.room } else { walk.room.clone() },
            day: walk.date.map(EntryDay::Date),
            start: parse_time(&fields.start),
            moment: parse_moment(&fields.date),
            end: duration.map(|length: Duration| EntryEnd::After(length)),
            kind: fields.kind,
            track: fields.track,
            language: fields.language,
        }
    }
}

impl Walk {
    fn open(&mut self, element: &BytesStart<'_>, offset: u64) {
        let name = element.name().as_ref().to_owned();
        match name.as_str() {
            "day" if self.read.zone.is_none() => {
                self.read.zone = attribute(element, "start").and_then(|text| zone_of_offset(&text));
                self.date = attribute(element, "date").and_then(|text| parse_date(text.get(..10)?));
            }
            "day" => self.date = attribute(element, "date").and_then(|text| parse_date(text.get(..10)?)),
            "room" if self.event.is_none() => {
                self.room = attribute(element, "name").unwrap_or_default().trim().to_owned();
            }
            "event" => {
                let id = attribute(element, "id").or_else(|| attribute(element, "guid")).unwrap_or_default();
                self.event = Some(Fields { offset, id, ..Fields::default() });
            }
            _ => {}
        }
        self.path.push(name);
        self.text.clear();
    }

    fn add(&mut self, piece: &str) {
        let room = KEPT.saturating_sub(self.text.chars().count());
        self.text.extend(piece.chars().take(room).map(|c| if c.is_control() { ' ' } else { c }));
    }
}

impl Fields {
    fn set(&mut self, name: &str, text: String) {
        match name {
            "title" => self.title = text,
            "room" => self.room = text,
            "date" => self.date = text,
            "start" => self.start = text,
            "duration" => self.duration = text,
            "type" => self.kind = text,
            "track" => self.track = text,
            "language" => self.language = text,
            _ => {}
        }
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = element.try_get_attribute(name).ok()??;
    let text = attribute.value.into_owned();
    Some(quick_xml::escape::unescape(&text).map_or(text.clone(), |text| text.into_owned()))
}

/// The character of a reference such as `&amp;` or `&#12354;`; an entity that XML does not define is left out.
fn resolve(entity: &BytesRef<'_>) -> String {
    if let Ok(Some(character)) = entity.resolve_char_ref() {
        return character.to_string();
    }
    quick_xml::escape::resolve_predefined_entity(entity).unwrap_or_default().to_owned()
}
