use std::collections::BTreeMap;

use jiff::civil;

use super::Build;
use crate::{
    Day, DayKind, Estimate, Event,
    file::v1::{DayTable, EventTable},
    problem::shown,
};

/// Days that an event may have.
const DAYS_MAX: usize = 60;

/// Devices per person when the plan is silent.
const DEVICES_PER_PERSON: Estimate = Estimate { low: 1.5, likely: 2.0, high: 2.5 };

/// When attendees come in, when the plan is silent.
const DOORS: civil::Time = civil::Time::constant(9, 0, 0, 0);

/// When they must be out, when the plan is silent.
const CLOSE: civil::Time = civil::Time::constant(19, 0, 0, 0);

impl Build {
    pub(super) fn event(&mut self, table: &EventTable) -> Event {
        let name = table.name.value.0.clone();
        let languages = match &table.languages {
            Some(languages) => languages.0.iter().map(|language| language.value.0.clone()).collect(),
            None => vec!["ja".to_owned(), "en".to_owned()],
        };
        let devices_per_person = match &table.devices_per_person {
            Some(stated) => stated.value,
            None => {
                let value = DEVICES_PER_PERSON.to_string();
                self.took("event.devices_per_person", value, "a phone each and a laptop for most");
                DEVICES_PER_PERSON
            }
        };
        Event {
            domain: self.domain(table, &name),
            name,
            motto: table.motto.as_ref().map(|motto| motto.value.0.clone()).unwrap_or_default(),
            time_zone: table.timezone.value.zone.clone(),
            time_zone_name: table.timezone.value.name.clone(),
            languages,
            people: table.people.value,
            devices_per_person,
            at: table.here.clone(),
        }
    }

    fn domain(&mut self, table: &EventTable, name: &str) -> String {
        let Some(stated) = &table.domain else {
            let domain = format!("{}.internal", slug(name).unwrap_or_else(|| "event".into()));
            self.took("event.domain", &domain, "the event's name under the top level reserved for private use");
            return domain;
        };
        let domain = stated.value.0.trim_end_matches('.').to_ascii_lowercase();
        if !is_domain(&domain) {
            let says = format!("`domain`: `{}` is not a DNS name", shown(&domain));
            self.problems.add(&stated.at, says, "write it like `meetup.example`");
        }
        domain
    }

    pub(super) fn days(
        &mut self,
        event: Option<&EventTable>,
        tables: &[DayTable],
        people: Option<Estimate>,
    ) -> Vec<Day> {
        let inline = event.map(|event| event.days.as_slice()).unwrap_or_default();
        if let (Some(first), Some(second)) = (inline.first(), tables.first()) {
            let says = format!("`[[day]]` is written besides `days` at {}", first.here);
            self.problems.add(&second.here, says, "write all days in one of the two forms");
        }
        let tables: Vec<&DayTable> = inline.iter().chain(tables).collect();
        if let (true, Some(event), true) = (tables.is_empty(), event, !self.names.days) {
            let remedy = "add `days = [{ date = \"2026-05-16\" }]`, or `[[day]]` with a date";
            self.problems.add(&event.here, "the event has no day", remedy);
        }
        if let Some(beyond) = tables.get(DAYS_MAX) {
            self.problems.add(&beyond.here, format!("there are more than {DAYS_MAX} days"), "plan a shorter event");
        }
        let mut seen = BTreeMap::new();
        let mut days = Vec::new();
        for table in tables.into_iter().take(DAYS_MAX) {
            self.refuse_twice(&mut seen, "day", &table.date.value.to_string(), &table.date.at);
            days.push(self.day(table, people.unwrap_or(Estimate { low: 0.0, likely: 0.0, high: 0.0 })));
        }
        days.sort_by_key(|day| day.date);
        days
    }

    fn day(&mut self, table: &DayTable, people: Estimate) -> Day {
        let path = format!("day.{}", table.date.value);
        let kind = table.kind.as_ref().map_or(DayKind::Conference, |kind| kind.value);
        let doors = table.doors.as_ref().map_or(DOORS, |doors| doors.value);
        if table.doors.is_none() {
            self.took(&format!("{path}.doors"), hour(DOORS), "most events open at nine");
        }
        let close = table.close.as_ref().map_or(CLOSE, |close| close.value);
        if table.close.is_none() {
            self.took(&format!("{path}.close"), hour(CLOSE), "most events end in the early evening");
        }
        if doors >= close {
            let at = table.close.as_ref().or(table.doors.as_ref()).map_or(&table.here, |stated| &stated.at);
            let says = format!("the day closes at {}, not after its doors open at {}", hour(close), hour(doors));
            self.problems.add(at, says, "let `close` be later than `doors`, on the same day");
        }
        Day {
            date: table.date.value,
            kind,
            access: table.access.as_ref().map(|access| access.value),
            doors,
            close,
            people: self.people_of_day(table, kind, people),
            at: table.here.clone(),
        }
    }

    fn people_of_day(&mut self, table: &DayTable, kind: DayKind, people: Estimate) -> Estimate {
        if let Some(stated) = &table.people {
            return stated.value;
        }
        let (share, reason) = match kind {
            DayKind::Conference => (1.0, "all come to a conference day"),
            DayKind::Tutorial => (0.2, "a fifth of the event's people come to a tutorial day"),
            DayKind::Sprint => (0.2, "a fifth of the event's people stay for the sprint"),
            DayKind::Setup => (0.05, "one in twenty is on site on a set-up day"),
        };
        let scaled = Estimate { low: people.low * share, likely: people.likely * share, high: people.high * share };
        self.took(&format!("day.{}.people", table.date.value), scaled.to_string(), reason);
        scaled
    }
}

impl std::fmt::Display for Estimate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [low, likely, high] = [self.low, self.likely, self.high].map(|number| (number * 100.0).round() / 100.0);
        if low < high { write!(formatter, "{likely} ({low} to {high})") } else { write!(formatter, "{likely}") }
    }
}

/// An hour as people write it.
pub(crate) fn hour(time: civil::Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

/// A name as one DNS label: lower case, what may not stand there becomes a hyphen. `None` when nothing is left.
pub(crate) fn slug(name: &str) -> Option<String> {
    let mut slug = String::new();
    for character in name.chars() {
        match character.to_ascii_lowercase() {
            character if character.is_ascii_alphanumeric() => slug.push(character),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(63);
    let slug = slug.trim_end_matches('-');
    (!slug.is_empty()).then(|| slug.to_owned())
}

/// True for a name that the event's zone can have: labels of letters, digits and inner hyphens (RFC 1123 section 2.1).
pub(crate) fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 200 && text.split('.').all(label)
}
