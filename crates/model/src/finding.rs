use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// How bad a finding or an incident is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It will not work.
    Error,
    /// It may hurt.
    Warning,
    /// Good to know.
    Info,
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        })
    }
}

/// Where in the plan directory something is written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Place {
    /// File name relative to the plan directory; `--set` for a value overridden on the command line.
    pub file: Arc<str>,
    /// Line, from 1; 0 when the whole file is meant.
    pub line: u32,
    /// Column in characters, from 1; 0 when the whole line is meant.
    pub column: u32,
}

impl Place {
    /// The whole of `file`.
    pub fn file(file: &str) -> Self {
        Self { file: file.into(), line: 0, column: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => write!(formatter, "{}", self.file),
            (line, 0) => write!(formatter, "{}:{line}", self.file),
            (line, column) => write!(formatter, "{}:{line}:{column}", self.file),
        }
    }
}

/// Something that `check` says about a plan. Data, not text: shown as a table, JSON or SARIF.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// Stable code from the table of rules in the manual, e.g. `pool-too-small`.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// The thing of the plan it is about, e.g. `room convention-ume`.
    pub place: String,
    /// Where it is written.
    pub at: Place,
    /// What is wrong, with the values; one sentence without full stop.
    pub says: String,
    /// What to do.
    pub remedy: String,
}
