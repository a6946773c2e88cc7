//! Crd: the definition that teaches the API server the kind, and the parts of its schema that are made from
//! the words of the product.
//!
//! What a pattern can refuse is refused at once, when the object is written. `admission` checks everything
//! again: an object may be older than the definition.

use kube::CustomResourceExt;
use privatelink_verdict::target::{Expectation, Protocol};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::PrivateLinkTarget;
use super::health::MOST_REASONS;

/// A full name: at least two labels, of which the last begins with a letter, as that of no address does.
const HOST: &str = "^([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?[.])+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?[.]?$";

/// A network; `admission` checks the numbers, and that no bit is set beyond the prefix.
pub(super) const CIDR: &str =
    "^([0-9]{1,3}([.][0-9]{1,3}){3}/[0-9]{1,2}|[0-9A-Fa-f]*(:[0-9A-Fa-f.]*){2,8}/[0-9]{1,3})$";

/// A duration.
pub(super) const DURATION: &str = privatelink_verdict::duration::PATTERN;

/// The definition as YAML, as `kubectl apply` reads it.
pub fn crd_yaml() -> String {
    let mut definition = serde_json::to_value(PrivateLinkTarget::crd()).unwrap_or_default();
    tidy(&mut definition);
    let mut yaml = serde_saphyr::to_string(&definition).unwrap_or_default();
    yaml.push('\n');
    yaml
}

/// Makes each description one line, since `kubectl explain` wraps lines itself, and writes whole numbers as
/// such.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(text) if name == "description" => *text = text.replace('\n', " "),
                    field => tidy(field),
                }
            }
        }
        Value::Array(entries) => entries.iter_mut().for_each(tidy),
        // The bounds here are far from where a float loses the units.
        #[expect(clippy::cast_possible_truncation, reason = "they are ports and counts")]
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or_default();
            if float.fract() == 0.0 {
                *schema = Value::from(float as i64);
            }
        }
        _ => {}
    }
}

pub(super) fn host(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "minLength": 3, "maxLength": 254, "pattern": HOST})
}

pub(super) fn name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "nullable": true, "minLength": 3, "maxLength": 254, "pattern": HOST})
}

/// All but `mysql`, which the agent connects to only where the operator says so.
pub(super) fn protocol(_: &mut SchemaGenerator) -> Schema {
    let mut protocols = Protocol::ALL.to_vec();
    protocols.retain(|protocol| *protocol != Protocol::Mysql);
    words(protocols.iter().map(|protocol| protocol.as_str()))
}

pub(super) fn expect(_: &mut SchemaGenerator) -> Schema {
    words(Expectation::ALL.iter().map(|expect| expect.as_str()))
}

fn words(words: impl Iterator<Item = &'static str>) -> Schema {
    let words: Vec<_> = words.collect();
    json_schema!({"type": "string", "nullable": true, "enum": words})
}

pub(super) fn families(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "nullable": true,
        "minItems": 1,
        "maxItems": 2,
        "items": {"type": "string", "enum": ["ipv4", "ipv6"]},
    })
}

/// As many as the observer writes.
pub(super) fn reasons(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "nullable": true,
        "maxItems": MOST_REASONS,
        "x-kubernetes-list-type": "atomic",
        "items": {
            "type": "object",
            "required": ["reason", "outcome", "nodes"],
            "properties": {
                "reason": {
                    "type": "string", "maxLength": 64,
                    "description": "The reason, which the runbook explains.",
                },
                "outcome": {
                    "type": "string", "enum": ["fail", "warn"],
                    "description": "What it makes of the target.",
                },
                "nodes": {
                    "type": "integer", "format": "int64", "minimum": 0,
                    "description": "On how many nodes.",
                },
            },
        },
    })
}

pub(super) fn sample_nodes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "nullable": true,
        "maxItems": 5,
        "x-kubernetes-list-type": "atomic",
        "items": {"type": "string", "maxLength": 253},
    })
}

/// A list by type, as other kinds have it (`metav1.Condition`).
pub(super) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "nullable": true,
        "maxItems": 8,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": {
                "type": {
                    "type": "string", "maxLength": 316,
                    "description": "What the condition is about: Accepted or Healthy.",
                },
                "status": {
                    "type": "string", "enum": ["True", "False", "Unknown"],
                    "description": "Whether it is so.",
                },
                "reason": {
                    "type": "string", "minLength": 1, "maxLength": 1024,
                    "description": "Why, in one word of a closed set.",
                },
                "message": {
                    "type": "string", "maxLength": 32768,
                    "description": "Why, in a sentence, and what to do.",
                },
                "observedGeneration": {
                    "type": "integer", "format": "int64", "minimum": 0,
                    "description": "The generation of the spec that the condition is about.",
                },
                "lastTransitionTime": {
                    "type": "string", "format": "date-time",
                    "description": "When the status changed last.",
                },
            },
        },
    })
}
