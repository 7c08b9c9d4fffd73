//! A report as data: what both HTML and Markdown say.

use crate::{Input, Language, sections, words::Words};

/// A report, ready to be written in some form.
pub(crate) struct Document {
    pub(crate) language: Language,
    pub(crate) words: &'static Words,
    /// Name of the event.
    pub(crate) title: String,
    pub(crate) motto: String,
    /// Present when this was a rehearsal, e.g. `rehearsal ×1,200`.
    pub(crate) badge: Option<String>,
    pub(crate) sections: Vec<Section>,
}

/// A part of the report.
pub(crate) struct Section {
    /// Anchor.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// Sentences, one paragraph each.
    pub(crate) says: Vec<String>,
    pub(crate) figures: Vec<Figure>,
    pub(crate) tables: Vec<Table>,
}

/// A drawing, for a wide and for a narrow screen.
pub(crate) struct Figure {
    pub(crate) caption: String,
    /// What the lines are: class of the swatch, name.
    pub(crate) key: Vec<(&'static str, &'static str)>,
    pub(crate) wide: String,
    pub(crate) narrow: String,
}

/// A table.
pub(crate) struct Table {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Row>,
}

/// The head of a column.
pub(crate) struct Column {
    pub(crate) title: &'static str,
    /// Numbers are set to the right.
    pub(crate) is_number: bool,
}

/// A row; its first cell names it.
pub(crate) struct Row {
    pub(crate) cells: Vec<String>,
    pub(crate) level: Level,
}

/// How a load stands to its capacity. Colour never says it alone: a cell does too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Level {
    /// Nothing to say.
    Calm,
    /// Near the limit.
    Busy,
    /// Over the limit, or broken.
    Over,
}

impl Document {
    pub(crate) fn of(input: &Input, language: Language) -> Self {
        let words = Words::of(language);
        Self {
            language,
            words,
            title: input.planned.event.clone(),
            motto: input.planned.motto.clone(),
            badge: input.rehearsal.as_ref().map(|rehearsal| sections::badge(rehearsal, words)),
            sections: sections::all(input, language),
        }
    }
}

impl Section {
    pub(crate) fn new(id: &'static str, title: &'static str) -> Self {
        Self { id, title, says: Vec::new(), figures: Vec::new(), tables: Vec::new() }
    }
}

impl Table {
    /// `columns`: titles; those of numbers are marked true.
    pub(crate) fn new(columns: &[(&'static str, bool)]) -> Self {
        let columns = columns.iter().map(|&(title, is_number)| Column { title, is_number }).collect();
        Self { columns, rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, level: Level, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.columns.len(), "a cell for each column");
        self.rows.push(Row { cells, level });
    }
}

impl Level {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Busy => "busy",
            Self::Over => "over",
        }
    }

    /// Of a share of a capacity, in percent.
    pub(crate) fn of_percent(percent: f64) -> Self {
        match percent {
            _ if percent > 100.0 => Self::Over,
            _ if percent >= 70.0 => Self::Busy,
            _ => Self::Calm,
        }
    }
}
