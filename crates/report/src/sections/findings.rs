//! What `check` says about the plan, and what went wrong.

use model::Severity;

use super::Facts;
use crate::{
    document::{Level, Section, Table},
    words::Words,
};

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
    for finding in findings {
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
    if facts.input.incidents.is_empty() {
        section.says.push(words.no_incidents.to_owned());
        return section;
    }
    let columns = [words.opened, words.closed, words.severity, words.place, words.says, words.remedy];
    let mut table = Table::new(&columns.map(|title| (title, false)));
    let mut incidents: Vec<_> = facts.input.incidents.iter().collect();
    incidents.sort_by_key(|incident| incident.opened);
    for incident in incidents {
        let cells = vec![
            facts.moment(incident.opened),
            incident.closed.map_or_else(|| words.still_open.to_owned(), |at| facts.moment(at)),
            severity_says(incident.severity, words).to_owned(),
            incident.place.clone(),
            incident.says.clone(),
            incident.remedy.clone(),
        ];
        table.row(level(incident.severity), cells);
    }
    section.tables.push(table);
    section
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
