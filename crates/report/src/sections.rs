//! What the report says, part by part.

mod findings;
mod loads;
mod method;
mod services;
mod summary;

use model::Timestamp;

use crate::{
    Input, Language, RehearsalSummary,
    axis::local,
    chart::{Size, TimeChart},
    course::{Course, Runs},
    document::{Figure, Section},
    words::{Words, count, fill},
};

/// What every part looks at.
struct Facts<'a> {
    input: &'a Input,
    course: Course<'a>,
    words: &'static Words,
}

/// Every part, in the order read.
pub(crate) fn all(input: &Input, language: Language) -> Vec<Section> {
    let facts = Facts { input, course: Course::of(input), words: Words::of(language) };
    let mut sections = vec![summary::section(&facts)];
    sections.extend(input.rehearsal.as_ref().map(|rehearsal| summary::rehearsal(&facts, rehearsal)));
    sections.push(loads::clients(&facts));
    sections.push(loads::rooms(&facts));
    sections.push(loads::access_points(&facts));
    sections.push(services::pools(&facts));
    sections.push(services::dhcp(&facts));
    sections.push(services::dns(&facts));
    sections.push(services::logs(&facts));
    sections.push(findings::findings(&facts));
    sections.push(findings::incidents(&facts));
    sections.push(method::method(&facts));
    sections.push(method::privacy(&facts));
    sections
}

/// That this was a rehearsal, and how fast.
pub(crate) fn badge(rehearsal: &RehearsalSummary, words: &Words) -> String {
    fill(words.rehearsal_badge, &[&count(rehearsal.speed)])
}

impl Facts<'_> {
    fn moment(&self, at: Timestamp) -> String {
        local(at, &self.input.planned.time_zone, self.words.moment_form)
    }

    /// A figure over time; `None` when there is nothing to draw.
    fn figure(
        &self,
        caption: String,
        key: Vec<(&'static str, &'static str)>,
        lines: Vec<Runs>,
        limit: Option<f64>,
    ) -> Option<Figure> {
        let axis = &self.course.axis;
        if axis.is_empty() || lines.iter().flatten().all(Vec::is_empty) {
            return None;
        }
        let chart = TimeChart { axis, lines, limit, day_form: self.words.date_form };
        Some(Figure { caption, key, wide: chart.svg(Size::Wide), narrow: chart.svg(Size::Narrow) })
    }
}

/// A share of a capacity, in percent; 0 when there is no capacity.
fn percent(value: f64, capacity: f64) -> f64 {
    if capacity > 0.0 { value / capacity * 100.0 } else { 0.0 }
}
