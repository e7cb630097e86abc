//! The configuration file as a JSON Schema, for editors.
//!
//! Made from the table of keys; what stands above a key in the annotated default file is
//! its description. A file that is valid by it may still be refused for what a schema
//! cannot say: only `config check` decides.

use serde_json::{Map, Value, json};

use super::{
    Config,
    form::Raw,
    key::{KEYS, Key},
};

/// The annotated default file.
pub const ANNOTATED: &str = include_str!("../../../deploy/etc/config.yaml");

/// The schema: JSON Schema, draft 2020-12.
#[must_use]
pub fn schema() -> Value {
    let mut root = section(comment("").as_deref());
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("lineage-sensor configuration");
    let default = Config::default();
    for key in KEYS {
        let mut parts: Vec<&str> = key.path.split('.').collect();
        let leaf = parts.pop().unwrap_or_default();
        let mut at = &mut root;
        let mut path = String::new();
        for part in parts {
            path = if path.is_empty() {
                part.to_owned()
            } else {
                format!("{path}.{part}")
            };
            let sections = &mut at["properties"];
            if sections[part].is_null() {
                sections[part] = section(comment(&path).as_deref());
            }
            at = &mut sections[part];
        }
        at["properties"][leaf] = leaf_schema(key, &default);
    }
    root
}

/// [`schema`] as text.
#[must_use]
pub fn text() -> String {
    format!("{:#}\n", schema())
}

fn leaf_schema(key: &Key, default: &Config) -> Value {
    let mut schema = (key.schema)();
    let must = format!("Must be {}.", (key.expected)());
    let about = comment(key.path).map_or(must.clone(), |comment| format!("{comment}\n\n{must}"));
    schema["description"] = json!(about);
    schema["default"] = plain(&(key.get)(default));
    schema
}

/// A section; one whose keys are all commented out is nothing at all.
fn section(about: Option<&str>) -> Value {
    let mut schema = json!({
        "type": ["object", "null"],
        "properties": Map::new(),
        "additionalProperties": false,
    });
    if let Some(about) = about {
        schema["description"] = json!(about);
    }
    schema
}

/// A default as JSON.
fn plain(raw: &Raw) -> Value {
    match raw {
        Raw::Flag(value) => json!(value),
        Raw::Whole(value) => json!(value),
        Raw::Text(text) => json!(text),
        Raw::List(items) => json!(items),
        // No default has rows.
        Raw::Table(_) => json!([]),
        Raw::Nothing | Raw::Number(_) | Raw::Section | Raw::Tagged => Value::Null,
    }
}

/// What stands above `path` in the annotated file; for the empty path its first lines.
fn comment(path: &str) -> Option<String> {
    let mut open: Vec<(usize, &str)> = Vec::new();
    let mut above: Vec<&str> = Vec::new();
    for line in ANNOTATED.lines() {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim_start();
        if let Some(words) = line.strip_prefix('#') {
            above.push(words.strip_prefix(' ').unwrap_or(words));
            continue;
        }
        if line.is_empty() {
            if path.is_empty() {
                break;
            }
            above.clear();
            continue;
        }
        if let Some((name, _)) = line.split_once(':').filter(|_| !line.starts_with('-')) {
            open.retain(|(depth, _)| *depth < indent);
            open.push((indent, name));
            let names: Vec<_> = open.iter().map(|(_, name)| *name).collect();
            if names.join(".") == path {
                break;
            }
        }
        above.clear();
    }
    (!above.is_empty()).then(|| above.join("\n"))
}

#[cfg(test)]
mod tests;
