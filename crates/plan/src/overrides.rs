use model::Place;

use crate::{
    file::tree::{Node, Table, Value, parse_value},
    problem::{Problem, Problems, did_you_mean, shown},
};

/// The file name in places of overridden values.
pub(crate) const SET: &str = "--set";

/// Segments that a path may have.
const SEGMENTS_MAX: usize = 12;

/// A value of the plan that is replaced for one run: `event.people=300`, `vlan.attendee.dhcp.lease="30m"`,
/// `room.hall.seats=80` (a member of a list by its `id`, `date` or index from 0), `cables.C-001.length_m=20`
/// (a row of a CSV file by its first column).
#[derive(Clone, Debug)]
pub struct Override {
    path: Vec<String>,
    node: Node,
    text: String,
}

impl Override {
    /// From `path=value`. The value is a TOML value, or else text as it stands. Quotes in the path protect dots.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let problem = |says: String| Problem {
            at: Place::file(SET),
            says,
            remedy: "write `--set path=value`, e.g. `--set event.people=300`".into(),
        };
        let (path, value) = split(text).ok_or_else(|| problem(format!("`{}` has no `=`", shown(text))))?;
        if path.iter().any(String::is_empty) || path.len() > SEGMENTS_MAX {
            return Err(problem(format!("`{}` has no usable path", shown(text))));
        }
        let node = parse_value(SET, value.trim())
            .unwrap_or_else(|| Node { at: Place::file(SET), value: Value::Text(value.trim().to_owned()) });
        Ok(Self { path, node, text: value.trim().trim_matches('"').to_owned() })
    }

    /// For a row of the CSV file that is called `list` in paths: the row's key, the column, the value.
    pub(crate) fn for_list(&self, list: &str) -> Option<(&str, &str, &str)> {
        match self.path.as_slice() {
            [first, row, column] if first == list => Some((row, column, &self.text)),
            _ => None,
        }
    }

    /// True when the path starts in a CSV file.
    fn is_for_a_list(&self) -> bool {
        ["inventory", "cables", "timetable", "roster"].contains(&self.path[0].as_str())
    }

    /// Puts the value into the merged document.
    pub(crate) fn apply(&self, document: &mut Table, problems: &mut Problems) {
        if self.is_for_a_list() {
            if self.path.len() != 3 {
                let says = format!("`{}` does not name a value of a list", shown(&self.path.join(".")));
                problems.add(&Place::file(SET), says, "write LIST.ROW.COLUMN, e.g. `cables.C-001.length_m`");
            }
            return;
        }
        apply(document, &self.path, &self.node, problems);
    }
}

/// Path segments and value; the first `=` outside quotes separates.
fn split(text: &str) -> Option<(Vec<String>, &str)> {
    let mut path = vec![String::new()];
    let mut quoted = false;
    for (index, character) in text.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '=' if !quoted => {
                let trimmed = path.iter().map(|segment| segment.trim().to_owned()).collect();
                return Some((trimmed, &text[index + 1..]));
            }
            '.' if !quoted => path.push(String::new()),
            _ => path.last_mut()?.push(character),
        }
    }
    None
}

fn apply(table: &mut Table, path: &[String], value: &Node, problems: &mut Problems) {
    let Some((key, rest)) = path.split_first() else { return };
    let at = Place::file(SET);
    if rest.is_empty() {
        table.insert(key.clone(), (at, value.clone()));
        return;
    }
    let new = || (at.clone(), Node { at: at.clone(), value: Value::Table(Table::new()) });
    let (_, node) = table.entry(key.clone()).or_insert_with(new);
    if !matches!(node.value, Value::Table(_) | Value::Array(_)) {
        node.value = Value::Table(Table::new());
    }
    match &mut node.value {
        Value::Table(inner) => apply(inner, rest, value, problems),
        Value::Array(items) => apply_member(items, rest, value, problems),
        Value::Text(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Moment(_) => {}
    }
}

fn apply_member(items: &mut [Node], path: &[String], value: &Node, problems: &mut Problems) {
    let Some((key, rest)) = path.split_first() else { return };
    let names: Vec<String> = items.iter().map(|item| name(item).unwrap_or_default()).collect();
    let index = names.iter().position(|name| name == key).or_else(|| key.parse().ok().filter(|i| *i < items.len()));
    match index.and_then(|index| items.get_mut(index)) {
        None => {
            let remedy = did_you_mean(key, names.iter().map(String::as_str));
            problems.add(&Place::file(SET), format!("there is no `{}` in that list", shown(key)), remedy);
        }
        Some(item) if rest.is_empty() => *item = value.clone(),
        Some(Node { value: Value::Table(inner), .. }) => apply(inner, rest, value, problems),
        Some(_) => problems.add(&Place::file(SET), format!("`{}` has no keys", shown(key)), "shorten the path"),
    }
}

/// What a member of a list is called in paths.
fn name(item: &Node) -> Option<String> {
    let Value::Table(table) = &item.value else { return None };
    let (_, node) = table.get("id").or_else(|| table.get("date"))?;
    match &node.value {
        Value::Text(text) | Value::Moment(text) => Some(text.clone()),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Array(_) | Value::Table(_) => None,
    }
}
