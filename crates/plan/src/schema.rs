//! JSON Schemas of the TOML files, so that editors complete and validate them. `schema/` holds what this gives.

use schemars::{Schema, generate::SchemaSettings};
use serde_json::{Value, json};

use crate::file::v1::{Document, VERSION};

/// File name and schema of each TOML file of a plan, as pretty JSON with a last line end.
///
/// Any table may stand in any of the files; they differ in that only `event.toml` must state `version` and `event`
/// is asked for there. What only a reader knows (references, addresses in their subnets) is left to `hotstage check`.
pub fn all() -> Vec<(&'static str, String)> {
    ["event", "venue", "network"].map(|file| (file, of(file))).to_vec()
}

fn of(file: &'static str) -> String {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Document>();
    finish(&mut schema, file);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

fn finish(schema: &mut Schema, file: &str) {
    schema.insert("title".into(), format!("hotstage {file}.toml, version {VERSION}").into());
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        let version = json!({ "const": VERSION, "description": "Version of the plan's form." });
        properties.insert("version".into(), version);
    }
    let required = if file == "event" { json!(["version"]) } else { json!([]) };
    schema.insert("required".into(), required);
}

#[cfg(test)]
mod tests {
    use std::{env, fs, path::Path};

    use super::*;

    /// `UPDATE_SCHEMA=1 cargo test -p plan schema` writes the files anew.
    #[test]
    fn the_files_in_schema_are_what_the_code_gives() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema");
        for (file, text) in all() {
            let path = dir.join(format!("{file}.schema.json"));
            if env::var_os("UPDATE_SCHEMA").is_some() {
                fs::create_dir_all(&dir).unwrap();
                fs::write(&path, &text).unwrap();
            }
            let there = fs::read_to_string(&path).unwrap_or_default();
            assert!(there == text, "{} is stale: run with UPDATE_SCHEMA=1", path.display());
        }
    }

    #[test]
    fn every_table_refuses_unknown_keys() {
        let schema: Value = serde_json::from_str(&of("event")).unwrap();
        let definitions = schema["$defs"].as_object().unwrap();
        assert!(definitions.len() > 20);
        for (name, definition) in definitions {
            assert_eq!(definition["additionalProperties"], false, "{name}");
        }
        assert_eq!(schema["$defs"]["RoomTable"]["required"], json!(["id"]));
    }
}
