//! How the figures came about, what they cannot say, and whose data is not in them.

use super::Facts;
use crate::{
    document::Section,
    words::{count, fill},
};

pub(super) fn method(facts: &Facts<'_>) -> Section {
    let (words, input) = (facts.words, facts.input);
    let mut section = Section::new("method", words.method);
    let zone = input.planned.time_zone.iana_name().unwrap_or("UTC");
    let mut says = vec![
        words.method_clients.to_owned(),
        words.method_unique.to_owned(),
        fill(words.method_samples, &[&count(facts.course.samples as f64)]),
        fill(words.method_times, &[zone]),
    ];
    if facts.course.samples_ignored > 0 {
        says.push(fill(words.method_ignored, &[&count(facts.course.samples_ignored as f64)]));
    }
    if let Some(rehearsal) = &input.rehearsal {
        says.push(words.method_rehearsal.to_owned());
        if !rehearsal.notes.is_empty() {
            says.push(words.method_notes.to_owned());
            says.extend(rehearsal.notes.iter().cloned());
        }
    }
    section.says = says;
    section
}

pub(super) fn privacy(facts: &Facts<'_>) -> Section {
    let words = facts.words;
    let mut section = Section::new("privacy", words.privacy);
    section.says.push(words.privacy_says.to_owned());
    section.says.push(match &facts.input.planned.erase_on {
        Some(date) => fill(words.privacy_erase, &[date]),
        None => words.privacy_no_date.to_owned(),
    });
    section
}
