//! The three TOML files as one document.

use model::Place;

use super::{
    tree::{Node, Table, Value},
    v1::VERSION,
};
use crate::problem::Problems;

/// Tables whose members have names, so that files may each hold some of them.
const NAMED: [&str; 10] = ["site", "ssid", "vlan", "device", "group", "tunnel", "uplink", "alert", "outlet", "model"];

/// Takes `version` out of a file's table and says whether the rest can be understood.
/// Only `event.toml` must state it; the other files follow it.
pub(crate) fn version_is_known(file: &str, table: &mut Table, problems: &mut Problems) -> bool {
    let remedy = format!("write `version = {VERSION}`; this program reads version {VERSION} of plans");
    match table.remove("version") {
        Some((_, Node { value: Value::Integer(VERSION), .. })) => true,
        Some((_, node)) => {
            problems.add(&node.at, format!("`version`: {} is not known", node.value.shown()), remedy);
            false
        }
        None if file == "event.toml" => {
            let at = Place { file: file.into(), line: 1, column: 1 };
            problems.add(&at, "`version` is missing", remedy);
            true
        }
        None => true,
    }
}

/// Adds `more` to `all`. The same table in two files is a problem that names both places.
pub(crate) fn merge(all: &mut Table, more: Table, problems: &mut Problems) {
    for (key, (at, node)) in more {
        let Some((_, present)) = all.get_mut(&key) else {
            all.insert(key, (at, node));
            continue;
        };
        match (&mut present.value, node.value) {
            (Value::Array(items), Value::Array(more)) => items.extend(more),
            (Value::Table(items), Value::Table(more)) if NAMED.contains(&key.as_str()) => {
                merge_named(&key, items, more, problems);
            }
            _ => twice(&key, &present.at, &at, problems),
        }
    }
}

fn merge_named(kind: &str, all: &mut Table, more: Table, problems: &mut Problems) {
    for (key, (at, node)) in more {
        match all.get(&key) {
            Some((first, _)) => twice(&format!("{kind}.{key}"), first, &at, problems),
            None => drop(all.insert(key, (at, node))),
        }
    }
}

fn twice(key: &str, first: &Place, second: &Place, problems: &mut Problems) {
    problems.add(second, format!("`[{key}]` is already written at {first}"), "keep one of the two");
}
