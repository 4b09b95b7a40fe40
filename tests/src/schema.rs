//! Schemas as the description of the API has them: what does not fit one, and one with nothing left to look up.

use serde_json::{Map, Value};

/// How deep references are followed when a schema is written out: some name themselves.
const DEPTH_MAX: usize = 6;

/// What of `value` does not fit `schema`, each with its place.
#[must_use]
pub fn faults(description: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    look(description, schema, value, "", &mut found);
    found
}

fn look(description: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        return match named(description, name) {
            Some(schema) => look(description, schema, value, at, found),
            None => found.push(format!("{at}: nothing is called {name}")),
        };
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        look(description, part, value, at, found);
    }
    if let Some(some) = schema["oneOf"].as_array() {
        let fits = some.iter().filter(|one| faults(description, one, value).is_empty()).count();
        if fits == 0 {
            found.push(format!("{at}: {value} is none of {} kinds", some.len()));
        }
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(some) => some.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is(value, kind)) {
        found.push(format!("{at}: {value} is no {}", kinds.join(" or ")));
    }
    if let Some(some) = schema["enum"].as_array()
        && !some.contains(value)
    {
        found.push(format!("{at}: {value} is none of {some:?}"));
    }
    if let (Some(least), Some(number)) = (schema["minimum"].as_i64(), value.as_i64())
        && number < least
    {
        found.push(format!("{at}: {number} is less than {least}"));
    }
    for item in value.as_array().into_iter().flatten().take(50) {
        look(description, &schema["items"], item, &format!("{at}/0"), found);
    }
    let Some(members) = value.as_object() else { return };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !members.contains_key(name) {
            found.push(format!("{at}: there is no {name}"));
        }
    }
    for (name, member) in members {
        let at = format!("{at}/{name}");
        match (schema["properties"].get(name), &schema["additionalProperties"]) {
            (Some(schema), _) => look(description, schema, member, &at, found),
            (None, Value::Bool(false)) => found.push(format!("{at} is not described")),
            (None, others @ Value::Object(_)) => look(description, others, member, &at, found),
            (None, _) => {}
        }
    }
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

fn named<'d>(description: &'d Value, name: &str) -> Option<&'d Value> {
    description.pointer(name.strip_prefix('#')?)
}

/// A schema with what it refers to written out, so deep.
#[must_use]
pub fn written_out(description: &Value, schema: &Value) -> Value {
    write_out(description, schema, 0)
}

fn write_out(description: &Value, schema: &Value, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Object(Map::new());
    }
    match schema {
        Value::Object(members) => match schema["$ref"].as_str() {
            Some(name) => named(description, name)
                .map_or(Value::Null, |found| write_out(description, found, depth + 1)),
            None => members
                .iter()
                .map(|(name, inner)| (name.clone(), write_out(description, inner, depth)))
                .collect(),
        },
        Value::Array(items) => {
            items.iter().map(|inner| write_out(description, inner, depth)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => schema.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_does_not_fit_is_found_where_it_is() {
        let description = json!({"components": {"schemas": {
            "Row": {"type": "object", "required": ["height"], "additionalProperties": false, "properties": {
                "height": {"type": "integer", "minimum": 0},
                "name": {"type": ["string", "null"]},
                "kind": {"oneOf": [{"type": "string", "enum": ["a", "b"]}, {"type": "object", "required": ["c"]}]},
                "more": {"type": "array", "items": {"$ref": "#/components/schemas/Row"}},
            }},
        }}});
        let row = json!({"$ref": "#/components/schemas/Row"});
        for (value, wanted) in [
            (json!({"height": 1, "name": null, "kind": "a", "more": [{"height": 2}]}), None),
            (json!({"height": 1, "kind": {"c": 1}}), None),
            (json!([]), Some("no object")),
            (json!({}), Some("there is no height")),
            (json!({"height": -1}), Some("less than 0")),
            (json!({"height": "1"}), Some("/height: \"1\" is no integer")),
            (json!({"height": 1, "name": 2}), Some("string or null")),
            (json!({"height": 1, "kind": "c"}), Some("none of 2 kinds")),
            (json!({"height": 1, "other": 2}), Some("/other is not described")),
            (
                json!({"height": 1, "more": [{"height": 1}, {}]}),
                Some("/more/0: there is no height"),
            ),
        ] {
            let found = faults(&description, &row, &value).join("; ");
            assert_eq!(found.is_empty(), wanted.is_none(), "{value}: {found}");
            assert!(found.contains(wanted.unwrap_or_default()), "{value}: {found}");
        }
        let whole = written_out(&description, &row);
        assert_eq!(whole["properties"]["more"]["items"]["required"][0], "height");
        assert!(!whole["properties"]["height"]["type"].is_null());
    }
}
