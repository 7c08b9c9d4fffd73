//! How a table of the file becomes a struct: every problem is reported, none stops the reading.

use std::{borrow::Cow, collections::BTreeMap};

use model::Place;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value as Json, json};

use super::tree::{Node, Table, Value};
use crate::problem::{Problems, did_you_mean};

/// Something that can be read from a node. `name` is its key, for messages. `None` = a problem was added.
pub(crate) trait Shape: Sized {
    /// It is a table, not a single value.
    const TABLE: bool;
    fn read(node: &Node, name: &str, problems: &mut Problems) -> Option<Self>;
}

/// Something that a table holds under a key: required, optional, a list or named tables.
pub(crate) trait Field: Sized {
    const REQUIRED: bool;
    type Schema: JsonSchema;
    fn field(table: &Table, here: &Place, name: &str, problems: &mut Problems) -> Option<Self>;
}

/// A single value of the file.
pub(crate) trait Leaf: Sized {
    /// What it is, with article: `a date`.
    const KIND: &'static str;
    /// How it is written: `"2026-05-16"`.
    const EXAMPLE: &'static str;
    fn from_value(value: &Value) -> Option<Self>;
    fn schema() -> Json;
}

/// A single value and where it is written.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) at: Place,
    pub(crate) value: T,
}

/// A list of single values; one alone may be written without brackets.
#[derive(Clone, Debug)]
pub(crate) struct Many<T>(pub(crate) Vec<At<T>>);

/// Something that is there, whether it could be read or not: who must know that it was written is not told twice.
#[derive(Clone, Debug)]
pub(crate) struct Stated<T>(pub(crate) Option<T>);

impl<T: Shape> Shape for Stated<T> {
    const TABLE: bool = T::TABLE;

    fn read(node: &Node, name: &str, problems: &mut Problems) -> Option<Self> {
        Some(Self(T::read(node, name, problems)))
    }
}

impl<T: JsonSchema> JsonSchema for Stated<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: Leaf> Shape for At<T> {
    const TABLE: bool = false;

    fn read(node: &Node, name: &str, problems: &mut Problems) -> Option<Self> {
        let value = T::from_value(&node.value);
        if value.is_none() {
            let says = format!("`{name}`: {} is not {}", node.value.shown(), T::KIND);
            problems.add(&node.at, says, format!("write it like `{}`", T::EXAMPLE));
        }
        Some(Self { at: node.at.clone(), value: value? })
    }
}

impl<T: Leaf> Shape for Many<T> {
    const TABLE: bool = false;

    fn read(node: &Node, name: &str, problems: &mut Problems) -> Option<Self> {
        let nodes = match &node.value {
            Value::Array(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        Some(Self(nodes.iter().filter_map(|node| At::read(node, name, problems)).collect()))
    }
}

impl<T: Leaf> Field for At<T> {
    const REQUIRED: bool = true;
    type Schema = Self;

    fn field(table: &Table, here: &Place, name: &str, problems: &mut Problems) -> Option<Self> {
        let Some((_, node)) = table.get(name) else {
            let remedy = format!("add `{name} = {}`, {}", T::EXAMPLE, T::KIND);
            problems.add(here, format!("`{name}` is missing"), remedy);
            return None;
        };
        Self::read(node, name, problems)
    }
}

impl<T: Shape + JsonSchema> Field for Option<T> {
    const REQUIRED: bool = false;
    type Schema = T;

    fn field(table: &Table, _: &Place, name: &str, problems: &mut Problems) -> Option<Self> {
        Some(table.get(name).and_then(|(_, node)| T::read(node, name, problems)))
    }
}

impl<T: Shape + JsonSchema> Field for Vec<T> {
    const REQUIRED: bool = false;
    type Schema = Self;

    fn field(table: &Table, _: &Place, name: &str, problems: &mut Problems) -> Option<Self> {
        match table.get(name).map(|(_, node)| node) {
            None => Some(Self::new()),
            Some(Node { value: Value::Array(items), .. }) => {
                Some(items.iter().filter_map(|item| T::read(item, name, problems)).collect())
            }
            Some(node) => {
                let says = format!("`{name}` is {}, not a list of tables", node.value.kind());
                problems.add(&node.at, says, format!("write `[[{name}]]` with two brackets"));
                Some(Self::new())
            }
        }
    }
}

impl<T: Shape + JsonSchema> Field for BTreeMap<String, T> {
    const REQUIRED: bool = false;
    type Schema = Self;

    fn field(table: &Table, _: &Place, name: &str, problems: &mut Problems) -> Option<Self> {
        match table.get(name).map(|(_, node)| node) {
            None => Some(Self::new()),
            Some(Node { value: Value::Table(items), .. }) => Some(
                named(items, name, T::TABLE, problems)
                    .filter_map(|(key, (_, node))| Some((key.clone(), T::read(node, key, problems)?)))
                    .collect(),
            ),
            Some(node) => {
                let says = format!("`{name}` is {}, not a table of names", node.value.kind());
                problems.add(&node.at, says, format!("write `[{name}.NAME]`"));
                Some(Self::new())
            }
        }
    }
}

impl<T: Leaf> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::KIND.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Schema::try_from(T::schema()).unwrap_or_default()
    }
}

impl<T: Leaf> JsonSchema for Many<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::KIND.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = T::schema();
        Schema::try_from(json!({ "anyOf": [one, { "type": "array", "items": one }] })).unwrap_or_default()
    }
}

/// The members of a table of names. `[vlan]` with keys of a VLAN below it lacks the VLAN's name, which is said once.
fn named<'a>(
    items: &'a Table,
    name: &str,
    tables: bool,
    problems: &mut Problems,
) -> impl Iterator<Item = (&'a String, &'a (Place, Node))> + use<'a> {
    let is_wrong = move |node: &Node| tables && !matches!(node.value, Value::Table(_));
    if let Some((key, (at, node))) = items.iter().find(|(_, (_, node))| is_wrong(node)) {
        let says = format!("`{name}` holds tables by name, but `{key}` is {}", node.value.kind());
        problems.add(at, says, format!("write `[{name}.NAME]` above it"));
    }
    items.iter().filter(move |(_, (_, node))| !is_wrong(node))
}

/// The table in `node`, its unknown keys refused.
pub(crate) fn known_table<'a>(
    node: &'a Node,
    name: &str,
    known: &[&str],
    problems: &mut Problems,
) -> Option<&'a Table> {
    let Value::Table(table) = &node.value else {
        let says = format!("`{name}` is {}, not a table", node.value.kind());
        problems.add(&node.at, says, format!("write `[{name}]` on a line of its own, or `{name} = {{ key = value }}`"));
        return None;
    };
    for (key, (at, _)) in table {
        if !known.contains(&key.as_str()) {
            let key = crate::problem::shown(key);
            problems.add(at, format!("`{key}` is not a known key here"), did_you_mean(&key, known.iter().copied()));
        }
    }
    Some(table)
}

/// The JSON Schema of a table, field by field.
pub(crate) struct TableSchema {
    description: &'static str,
    properties: Map<String, Json>,
    required: Vec<Json>,
}

impl TableSchema {
    pub(crate) fn new(description: &'static str) -> Self {
        Self { description, properties: Map::new(), required: Vec::new() }
    }

    pub(crate) fn property<F: Field>(&mut self, name: &str, description: &str, generator: &mut SchemaGenerator) {
        let mut schema = generator.subschema_for::<F::Schema>();
        if !description.is_empty() {
            schema.insert("description".into(), description.trim().into());
        }
        self.properties.insert(name.into(), schema.to_value());
        if F::REQUIRED {
            self.required.push(name.into());
        }
    }

    pub(crate) fn finish(self) -> Schema {
        let schema = json!({
            "type": "object",
            "description": self.description.trim(),
            "properties": self.properties,
            "required": self.required,
            "additionalProperties": false,
        });
        Schema::try_from(schema).unwrap_or_default()
    }
}

/// Declares a table of the file: a struct with `here` as its place, its reader and its JSON Schema.
macro_rules! shape {
    ($(#[doc = $doc:literal])* $name:ident { $( $(#[doc = $field_doc:literal])* $field:ident : $type:ty ),* $(,)? }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug)]
        #[allow(dead_code, reason = "not every table's place is needed, and a group's keys are read by its members")]
        pub(crate) struct $name {
            $( $(#[doc = $field_doc])* pub(crate) $field: $type, )*
            /// Where the table is written.
            pub(crate) here: model::Place,
        }

        impl $name {
            /// The keys that the table may have.
            pub(crate) const KEYS: &[&str] = &[$( stringify!($field) ),*];
        }

        impl crate::file::shape::Shape for $name {
            const TABLE: bool = true;

            fn read(
                node: &crate::file::tree::Node,
                name: &str,
                problems: &mut crate::problem::Problems,
            ) -> Option<Self> {
                let table = crate::file::shape::known_table(node, name, Self::KEYS, problems)?;
                $(
                    let $field = <$type as crate::file::shape::Field>::field(table, &node.at, stringify!($field), problems);
                )*
                Some(Self { $( $field: $field?, )* here: node.at.clone() })
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let mut table = crate::file::shape::TableSchema::new(concat!($($doc),*));
                $( table.property::<$type>(stringify!($field), concat!($($field_doc),*), generator); )*
                table.finish()
            }
        }
    };
}

pub(crate) use shape;
