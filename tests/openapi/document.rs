//! The document as a tree, with its references.

use serde_json::{Map, Value, json};
use yaml_rust2::{Yaml, YamlLoader};

/// docs/openapi.yaml.
pub fn document() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.yaml");
    let yaml = std::fs::read_to_string(path).expect("the document is there");
    let documents = YamlLoader::load_from_str(&yaml).expect("the document is YAML");
    json_of(documents.first().expect("one document"))
}

fn json_of(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Null => Value::Null,
        Yaml::Boolean(truth) => json!(truth),
        Yaml::Integer(number) => json!(number),
        Yaml::String(text) => json!(text),
        Yaml::Array(items) => items.iter().map(json_of).collect(),
        Yaml::Hash(members) => {
            let key = |key: &Yaml| {
                key.as_str()
                    .expect("keys are quoted where need be")
                    .to_owned()
            };
            let members = members.iter().map(|(k, v)| (key(k), json_of(v)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        other => unreachable!("the document has no {other:?}"),
    }
}

/// What of `value` breaks the schema at this pointer.
pub fn faults(document: &Value, pointer: &str, value: &Value) -> Vec<String> {
    // Braces are no part of a URI.
    let reference = format!("#{pointer}")
        .replace('{', "%7B")
        .replace('}', "%7D");
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": reference,
        "paths": document["paths"],
        "components": document["components"],
    });
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema);
    let validator = validator.expect("the document's schemas are schemas");
    validator
        .iter_errors(value)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect()
}

/// What is at this pointer, behind a reference if there is one.
pub fn resolve<'d>(document: &'d Value, pointer: &str) -> Option<(String, &'d Value)> {
    let part = document.pointer(pointer)?;
    match part.get("$ref") {
        Some(reference) => resolve(document, text(reference).trim_start_matches('#')),
        None => Some((pointer.to_owned(), part)),
    }
}

/// Every text under this key, however deep.
pub fn collect<'d>(value: &'d Value, key: &str, found: &mut Vec<&'d Value>) {
    found.extend(value.get(key).filter(|value| value.is_string()));
    let items = value.as_array().into_iter().flatten();
    items
        .chain(members(value).map(|(_, v)| v))
        .for_each(|value| collect(value, key, found));
}

/// An object's members; none if it is no object.
pub fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// A string's text; empty if it is none.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A key as a part of a pointer (RFC 6901).
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
