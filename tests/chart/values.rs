//! Values: values.yaml and the schema have the same values, and the templates use all of them.

use serde_json::Value;

use super::helm::{ROOT, yaml};

fn read(path: &str) -> String {
    let path = format!("{ROOT}/charts/privatelink-prober/{path}");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The value's schema, references followed.
fn resolved<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => {
            let pointer = reference.strip_prefix('#').expect("a local reference");
            root.pointer(pointer).expect(reference)
        }
        None => schema,
    }
}

fn same_fields(values: &Value, schema: &Value, root: &Value, at: &str) {
    let schema = resolved(schema, root);
    if schema["additionalProperties"] != false || at == ".config" {
        return;
    }
    let known = schema["properties"].as_object().expect(at);
    let values = values.as_object().expect(at);
    for (name, below) in known {
        // Objects of Kubernetes, whose fields values.yaml does not list.
        let foreign = [
            ".resources",
            ".affinity",
            ".observer.resources",
            ".observer.affinity",
            ".updateStrategy.rollingUpdate",
            ".dnsConfig",
            ".serviceMonitor.attachMetadata",
            ".podMonitor.attachMetadata",
            ".web.config",
            ".web.client",
        ];
        // What each alert may have, and the comment of `rules` explains.
        let left_out = !values.contains_key(name)
            && at.starts_with(".prometheusRule.rules.")
            && ["keepFiringFor", "labels", "annotations", "expr"].contains(&name.as_str());
        if !foreign.contains(&at) && !left_out {
            let value = values.get(name);
            let value = value.unwrap_or_else(|| panic!("values.yaml lacks {at}.{name}"));
            same_fields(value, below, root, &format!("{at}.{name}"));
        }
    }
    for name in values.keys() {
        assert!(known.contains_key(name), "the schema lacks {at}.{name}");
    }
}

#[test]
fn the_schema_and_values_yaml_know_the_same_values() {
    let schema: Value = serde_json::from_str(&read("values.schema.json")).expect("JSON");
    let values = yaml(&read("values.yaml"));
    assert_eq!(schema["additionalProperties"], false);
    same_fields(&values, &schema, &schema, "");
}

#[test]
fn the_schema_knows_every_field_of_the_configuration() {
    let schema: Value = serde_json::from_str(&read("values.schema.json")).expect("JSON");
    let config: Value = serde_json::from_str(&read("../../docs/schema/config.json")).expect("JSON");
    let names = |schema: &Value| -> Vec<String> {
        let properties = schema["properties"].as_object().expect("properties");
        properties.keys().cloned().collect()
    };
    assert_eq!(names(&schema["properties"]["config"]), names(&config));
    assert_eq!(
        names(&schema["$defs"]["config.RawTarget"]),
        names(&config["$defs"]["RawTarget"])
    );
}

#[test]
fn every_value_is_used() {
    let templates = std::fs::read_dir(format!("{ROOT}/charts/privatelink-prober/templates"));
    let mut text = read("templates/tests/validate.yaml");
    for entry in templates.expect("templates") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            text += &std::fs::read_to_string(path).expect("a template");
        }
    }
    let values = yaml(&read("values.yaml"));
    for (name, value) in values.as_object().expect("values") {
        assert!(text.contains(name.as_str()), "{name}");
        for below in value
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
        {
            let whole = text.contains(&format!("toYaml .Values.{name}"))
                || text.contains(&format!("with .Values.{name} }}}}"));
            assert!(
                whole
                    || text.contains(&format!(".{below}"))
                    || text.contains(&format!("\"{below}\"")),
                "{name}.{below}"
            );
        }
    }
}
