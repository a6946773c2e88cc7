//! Schema: the JSON schema of the configuration, generated from its raw shape.

use crate::raw::RawConfig;

/// The JSON schema (draft 2020-12) of the configuration file.
pub fn config() -> serde_json::Value {
    schemars::schema_for!(RawConfig).to_value()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// Calls `visit` with every object schema in `value`.
    fn objects(value: &Value, visit: &mut impl FnMut(&Value)) {
        if value["type"] == "object" {
            visit(value);
        }
        match value {
            Value::Object(map) => map.values().for_each(|value| objects(value, visit)),
            Value::Array(list) => list.iter().for_each(|value| objects(value, visit)),
            _ => {}
        }
    }

    #[test]
    fn every_mapping_refuses_unknown_fields_and_describes_the_known_ones() {
        let schema = config();
        let mut seen = 0;
        objects(&schema, &mut |object| {
            seen += 1;
            assert_eq!(object["additionalProperties"], false, "{object}");
            for (name, field) in object["properties"].as_object().expect("properties") {
                assert!(
                    field.get("description").is_some(),
                    "{name} has no description"
                );
            }
        });
        assert!(seen >= 6, "the schema has only {seen} mappings");
    }

    #[test]
    fn words_are_listed() {
        let schema = config();
        assert_eq!(
            schema["$defs"]["Expectation"]["enum"],
            serde_json::json!(["privateEndpoint", "serviceEndpoint", "public", "auto"])
        );
    }
}
