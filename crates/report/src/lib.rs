//! What was planned and what happened, side by side, as one HTML file or as Markdown, in English and Japanese.
//!
//! Pure: it gets values and returns text. It opens no file, reads no clock, and the same [`Input`] gives the same
//! bytes. No MAC, address or name of a client is in it, because none is in the [`Input`]. Start at [`Input`] and
//! [`render`].

mod axis;
mod chart;
mod course;
mod document;
mod html;
mod input;
mod language;
mod markdown;
mod rehearsal;
mod sections;
mod words;

pub use input::{Input, Planned, PlannedAccessPoint, PlannedCables, PlannedDay, PlannedGear, PlannedPool, PlannedRoom};
pub use language::Language;
pub use rehearsal::{Load, RehearsalSummary};

/// The report as one HTML file: style and figures inside, nothing fetched from elsewhere.
pub fn render(input: &Input, language: Language) -> String {
    html::write(&document::Document::of(input, language))
}

/// The report as Markdown (CommonMark with tables), without the figures.
pub fn render_markdown(input: &Input, language: Language) -> String {
    markdown::write(&document::Document::of(input, language))
}

#[cfg(test)]
mod tests;
