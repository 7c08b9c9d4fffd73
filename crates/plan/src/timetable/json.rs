use std::time::Duration;

use model::Place;
use serde_json::Value;

use super::{Entry, EntryDay, EntryEnd, Import, Read, parse_duration, parse_moment, zone_of_offset};
use crate::{
    file::leaf::{parse_date, parse_time},
    problem::shown,
};

impl Import<'_> {
    /// frab or pretalx (`schedule.conference.days[].rooms{}`), or a plain list of entries.
    pub(super) fn json(&mut self, name: &str, text: &str) -> Option<Read> {
        let value: Value = match serde_json::from_str(text) {
            Ok(value) => value,
            Err(error) => {
                let line = u32::try_from(error.line()).unwrap_or(0);
                let column = u32::try_from(error.column()).unwrap_or(0);
                let says = format!("JSON: {}", shown(&error.to_string()));
                self.problems.add(&Place { file: name.into(), line, column }, says, "export the timetable again");
                return None;
            }
        };
        if let Value::Array(items) = &value {
            let entries = items.iter().enumerate().filter_map(|(index, item)| self.plain(name, index, item)).collect();
            return Some(Read { entries, ..Read::default() });
        }
        let schedule = value.get("schedule").unwrap_or(&value);
        let conference = schedule.get("conference").unwrap_or(schedule);
        let Some(Value::Array(days)) = conference.get("days") else {
            let says = "has neither `schedule.conference.days` nor a list of entries";
            self.problems.add(&Place::file(name), says, "export the timetable as frab or pretalx JSON");
            return None;
        };
        let text = |key: &str| conference.get(key).and_then(Value::as_str).map(str::to_owned);
        let entries = days.iter().flat_map(|day| self.frab_day(name, day)).collect();
        let offset = || days.iter().find_map(|day| zone_of_offset(day.get("day_start")?.as_str()?));
        Some(Read { entries, title: text("title"), zone: text("time_zone_name").or_else(offset) })
    }

    fn frab_day(&mut self, name: &str, day: &Value) -> Vec<Entry> {
        let date = day.get("date").and_then(Value::as_str).and_then(|text| parse_date(text.get(..10)?));
        let Some(Value::Object(rooms)) = day.get("rooms") else { return Vec::new() };
        let mut entries = Vec::new();
        for (room, events) in rooms {
            for event in events.as_array().into_iter().flatten() {
                entries.push(self.frab_event(name, date, room, event));
            }
        }
        entries
    }

    fn frab_event(&mut self, name: &str, date: Option<jiff::civil::Date>, room: &str, event: &Value) -> Entry {
        let text = |key: &str| string(event.get(key));
        let id = if text("id").is_empty() { text("guid") } else { text("id") };
        let duration = match event.get("duration") {
            Some(Value::Number(minutes)) => minutes.as_u64().filter(|minutes| *minutes <= 14_400),
            _ => parse_duration(&text("duration")).map(|duration| duration.as_secs() / 60),
        };
        if duration.is_none() {
            let says = format!("event `{}`: the duration `{}` is not known", shown(&id), shown(&text("duration")));
            self.problems.add(&Place::file(name), says, "write it like `00:45`");
        }
        Entry {
            at: Place::file(name),
            id,
            title: text("title"),
            room: room.trim().to_owned(),
            day: date.map(EntryDay::Date),
            start: parse_time(&text("start")),
            moment: parse_moment(&text("date")),
            end: duration.map(|minutes| EntryEnd::After(Duration::from_secs(minutes * 60))),
            kind: text("type"),
            track: text("track"),
            language: text("language"),
        }
    }

    /// An entry of a plain list: id, day (number or date), room, start, end, kind; any of them may be null.
    fn plain(&mut self, name: &str, index: usize, item: &Value) -> Option<Entry> {
        if !item.is_object() {
            let says = format!("entry {} is not an object", index + 1);
            self.problems.add(&Place::file(name), says, "write `{ \"id\": ..., \"room\": ... }`");
            return None;
        }
        let text = |key: &str| string(item.get(key));
        let mut time = |key: &str| {
            let written = text(key);
            let time = parse_time(&written);
            if time.is_none() && !written.is_empty() {
                let says = format!("entry {}: `{key}` `{}` is not an hour of the day", index + 1, shown(&written));
                self.problems.add(&Place::file(name), says, "write it like `10:30`");
            }
            time
        };
        let (start, end) = (time("start"), time("end"));
        let day = match item.get("day").or_else(|| item.get("date")) {
            Some(Value::Number(number)) => number.as_u64().and_then(|n| u32::try_from(n).ok()).map(EntryDay::Number),
            Some(Value::String(text)) => parse_date(text).map(EntryDay::Date),
            _ => None,
        };
        Some(Entry {
            at: Place::file(name),
            id: text("id"),
            title: text("title"),
            room: text("room"),
            day,
            start,
            moment: None,
            end: end.map(EntryEnd::Time),
            kind: text("kind"),
            track: text("track"),
            language: text("language"),
        })
    }
}

/// Text or number as text; a translated text (`{ "en": "..." }`) by its first translation. Bounded.
fn string(value: Option<&Value>) -> String {
    /// Characters of a title and the like that are kept.
    const KEPT: usize = 500;
    let text = match value {
        Some(Value::String(text)) => text.trim(),
        Some(Value::Number(number)) => return number.to_string(),
        Some(Value::Object(translations)) => translations.values().find_map(Value::as_str).unwrap_or_default(),
        Some(Value::Null | Value::Bool(_) | Value::Array(_)) | None => "",
    };
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(KEPT).collect()
}
