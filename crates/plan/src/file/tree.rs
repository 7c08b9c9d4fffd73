//! A TOML document as a tree of values that know their place.

use std::{collections::BTreeMap, ops::Range};

use model::Place;
use toml::{Spanned, de::DeTable, de::DeValue};

use crate::{
    problem::{Problems, shown},
    source::Lines,
};

/// Levels of tables and arrays in each other; a plan needs six.
pub(crate) const DEPTH_MAX: usize = 16;

/// A value and where it is written. A table's place is its key, so that messages point at its name.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: Place,
    pub(crate) value: Value,
}

/// What TOML can say; dates and times stay text.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// A date or time written without quotes.
    Moment(String),
    Array(Vec<Node>),
    Table(Table),
}

/// A table: keys with their places and values.
pub(crate) type Table = BTreeMap<String, (Place, Node)>;

impl Value {
    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::Moment(_) => "a date or time",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }

    /// The value as a message shows it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Text(text) | Self::Moment(text) => format!("`{}`", shown(text)),
            Self::Integer(number) => format!("`{number}`"),
            Self::Float(number) => format!("`{number}`"),
            Self::Boolean(claim) => format!("`{claim}`"),
            Self::Array(_) | Self::Table(_) => self.kind().to_owned(),
        }
    }
}

/// Syntax errors that are told of one file.
const SYNTAX_ERRORS_MAX: usize = 20;

/// Parses `text` of file `name`. Syntax errors are reported; there is no tree then, as half of one would mislead.
pub(crate) fn parse(name: &str, text: &str, problems: &mut Problems) -> Option<Table> {
    let reader = Reader { file: name.into(), text, lines: Lines::new(text) };
    let (table, errors) = DeTable::parse_recoverable(text);
    // After an unclosed bracket every line is wrong as a list's member; saying so once is enough.
    let mut in_list = false;
    for error in errors.iter().take(SYNTAX_ERRORS_MAX) {
        let message = error.message();
        let follows = in_list && (message.contains("in array") || message.contains("array elements"));
        in_list |= message.contains("array");
        if !follows {
            let at = reader.place(&error.span().unwrap_or(0..0));
            problems.add(&at, format!("TOML: {}", shown(message)), "correct the line");
        }
    }
    errors.is_empty().then(|| reader.table(table.get_ref(), 0, problems))
}

/// One TOML value from the command line, e.g. `300`, `"30m"`, `["127.0.0.1:5353"]`; `None` when it is not TOML.
pub(crate) fn parse_value(file: &str, text: &str) -> Option<Node> {
    let value = DeValue::parse(text).ok()?;
    let reader = Reader { file: file.into(), text, lines: Lines::new(text) };
    let mut problems = Problems::default();
    let mut node = reader.node(&value, 0, &mut problems);
    forget_columns(&mut node, &Place::file(file));
    problems.is_empty().then_some(node)
}

/// Columns of a command line's value say nothing to its reader.
fn forget_columns(node: &mut Node, at: &Place) {
    node.at = at.clone();
    match &mut node.value {
        Value::Array(items) => items.iter_mut().for_each(|item| forget_columns(item, at)),
        Value::Table(table) => {
            for (place, item) in table.values_mut() {
                *place = at.clone();
                forget_columns(item, at);
            }
        }
        Value::Text(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Moment(_) => {}
    }
}

struct Reader<'a> {
    file: std::sync::Arc<str>,
    text: &'a str,
    lines: Lines,
}

impl Reader<'_> {
    fn place(&self, span: &Range<usize>) -> Place {
        let (line, column) = self.lines.position(self.text, span.start);
        Place { file: self.file.clone(), line, column }
    }

    fn table(&self, table: &DeTable<'_>, depth: usize, problems: &mut Problems) -> Table {
        let entry = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
            let at = self.place(&key.span());
            let mut node = self.node(value, depth + 1, problems);
            if matches!(node.value, Value::Table(_)) {
                node.at = at.clone();
            }
            (key.get_ref().clone().into_owned(), (at, node))
        };
        table.iter().map(entry).collect()
    }

    fn node(&self, value: &Spanned<DeValue<'_>>, depth: usize, problems: &mut Problems) -> Node {
        let at = self.place(&value.span());
        if depth > DEPTH_MAX {
            problems.add(&at, format!("is nested more than {DEPTH_MAX} levels deep"), "a plan never needs that");
            return Node { at, value: Value::Boolean(false) };
        }
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.clone().into_owned()),
            DeValue::Integer(digits) => match i64::from_str_radix(digits.as_str(), digits.radix()) {
                Ok(number) => Value::Integer(number),
                Err(_) => {
                    problems.add(&at, format!("`{}` is too large", shown(digits.as_str())), "write a smaller number");
                    Value::Integer(0)
                }
            },
            DeValue::Float(digits) => Value::Float(digits.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(claim) => Value::Boolean(*claim),
            DeValue::Datetime(moment) => Value::Moment(moment.to_string()),
            DeValue::Array(items) => {
                Value::Array(items.iter().map(|item| self.node(item, depth + 1, problems)).collect())
            }
            DeValue::Table(table) => Value::Table(self.table(table, depth, problems)),
        };
        Node { at, value }
    }
}
