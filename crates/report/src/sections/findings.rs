//! What `check` says about the plan, and what went wrong.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use model::{Incident, Severity, Timestamp};

use super::Facts;
use crate::{
    document::{Level, Section, Table},
    words::{Words, count, fill},
};

/// Rows of a table here; the others are counted.
const ROWS_MAX: usize = 200;

pub(super) fn findings(facts: &Facts<'_>) -> Section {
    let words = facts.words;
    let mut section = Section::new("findings", words.findings);
    if facts.input.findings.is_empty() {
        section.says.push(words.no_findings.to_owned());
        return section;
    }
    let columns = [words.place, words.severity, words.says, words.remedy, words.file, words.code];
    let mut table = Table::new(&columns.map(|title| (title, false)));
    let mut findings: Vec<_> = facts.input.findings.iter().collect();
    findings.sort_by_key(|finding| finding.severity);
    section.says.extend(left_out(findings.len(), words));
    for finding in findings.into_iter().take(ROWS_MAX) {
        let cells = vec![
            finding.place.clone(),
            severity_says(finding.severity, words).to_owned(),
            finding.says.clone(),
            finding.remedy.clone(),
            finding.at.to_string(),
            finding.code.to_owned(),
        ];
        table.row(level(finding.severity), cells);
    }
    section.tables.push(table);
    section
}

pub(super) fn incidents(facts: &Facts<'_>) -> Section {
    let words = facts.words;
    let mut section = Section::new("incidents", words.incidents);
    let all = facts.input.incidents.len();
    if all == 0 {
        section.says.push(words.no_incidents.to_owned());
        return section;
    }
    let columns = [
        (words.place, false),
        (words.times, true),
        (words.opened, false),
        (words.closed, false),
        (words.lasted, true),
        (words.severity, false),
        (words.says, false),
        (words.remedy, false),
    ];
    let mut table = Table::new(&columns);
    let troubles = troubles(&facts.input.incidents);
    if troubles.len() < all {
        section.says.push(fill(words.incidents_together, &[&count(all as f64)]));
    }
    for trouble in troubles.iter().take(ROWS_MAX) {
        table.row(level(trouble.last.severity), trouble.cells(facts));
    }
    section.tables.push(table);
    section.says.extend(left_out(troubles.len(), words));
    section
}

/// Incidents of one place and kind.
struct Trouble<'a> {
    /// When the first was noticed.
    opened: Timestamp,
    /// End of the last to end; `None` while one is open.
    closed: Option<Timestamp>,
    times: usize,
    /// Those that are over, together.
    lasted: Duration,
    last: &'a Incident,
}

impl<'a> Trouble<'a> {
    fn of(incident: &'a Incident) -> Self {
        let lasted = incident.closed.map(|closed| closed.since(incident.opened)).unwrap_or_default();
        Self { opened: incident.opened, closed: incident.closed, times: 1, lasted, last: incident }
    }

    /// Takes a later one in.
    fn add(&mut self, later: &Self) {
        self.closed = self.closed.zip(later.closed).map(|(one, other)| one.max(other));
        self.times += later.times;
        self.lasted = self.lasted.saturating_add(later.lasted);
        self.last = later.last;
    }

    fn cells(&self, facts: &Facts<'_>) -> Vec<String> {
        let words = facts.words;
        vec![
            self.last.place.clone(),
            count(self.times as f64),
            facts.moment(self.opened),
            self.closed.map_or_else(|| words.still_open.to_owned(), |at| facts.moment(at)),
            if self.lasted.is_zero() { words.unknown.to_owned() } else { words.length(self.lasted) },
            severity_says(self.last.severity, words).to_owned(),
            self.last.says.clone(),
            self.last.remedy.clone(),
        ]
    }
}

/// By place and kind, the worst and longest first.
fn troubles(incidents: &[Incident]) -> Vec<Trouble<'_>> {
    let mut in_order: Vec<&Incident> = incidents.iter().collect();
    in_order.sort_by_key(|incident| incident.opened);
    let mut together: BTreeMap<(Severity, &str, &str), Trouble<'_>> = BTreeMap::new();
    for incident in in_order {
        let trouble = Trouble::of(incident);
        match together.entry((incident.severity, &incident.place, &incident.code)) {
            Entry::Vacant(entry) => drop(entry.insert(trouble)),
            Entry::Occupied(mut entry) => entry.get_mut().add(&trouble),
        }
    }
    let mut troubles: Vec<Trouble<'_>> = together.into_values().collect();
    troubles.sort_by_key(|trouble| (trouble.last.severity, Reverse(trouble.lasted)));
    troubles
}

fn left_out(rows: usize, words: &Words) -> Option<String> {
    let more = rows.checked_sub(ROWS_MAX).filter(|more| *more > 0)?;
    Some(fill(words.more_rows, &[&count(more as f64)]))
}

fn severity_says(severity: Severity, words: &Words) -> &'static str {
    match severity {
        Severity::Error => words.error,
        Severity::Warning => words.warning,
        Severity::Info => words.info,
    }
}

fn level(severity: Severity) -> Level {
    match severity {
        Severity::Error => Level::Over,
        Severity::Warning => Level::Busy,
        Severity::Info => Level::Calm,
    }
}
