//! The definition: what the API server refuses by itself, and that it can take the definition.

use privatelink_observer::private_link_target::crd_yaml;
use privatelink_observer::private_link_target::reason::AcceptedReason;
use serde_json::Value;

fn definition() -> Value {
    serde_saphyr::from_str(&crd_yaml()).expect("YAML")
}

fn version() -> Value {
    definition()["spec"]["versions"][0].clone()
}

fn spec() -> Value {
    version()["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

#[test]
fn the_kind_has_its_names_columns_status_and_selectable_host() {
    let definition = definition();
    assert_eq!(
        definition["metadata"]["name"],
        "privatelinktargets.privatelink-prober.dev"
    );
    assert_eq!(definition["spec"]["scope"], "Namespaced");
    assert_eq!(definition["spec"]["names"]["shortNames"][0], "plt");
    let version = version();
    assert_eq!(version["name"], "v1alpha1");
    assert!(version["subresources"]["status"].is_object());
    assert_eq!(version["selectableFields"][0]["jsonPath"], ".spec.host");
    let columns = version["additionalPrinterColumns"]
        .as_array()
        .expect("columns");
    let names: Vec<_> = columns
        .iter()
        .map(|column| column["name"].as_str())
        .collect();
    let names: Vec<_> = names.into_iter().flatten().collect();
    assert_eq!(
        names,
        [
            "Host", "Expect", "Accepted", "Reason", "Healthy", "Failing", "Message", "Age"
        ]
    );
}

/// `kubectl explain` shows the descriptions.
#[test]
fn every_field_is_explained() {
    fn walk(at: &str, schema: &Value, seen: &mut usize) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let at = format!("{at}.{name}");
            if !["apiVersion", "kind", "metadata"].contains(&name.as_str()) {
                let text = field["description"].as_str().unwrap_or_default();
                assert!(text.len() > 10, "{at} is not explained");
                assert!(!text.contains('\n'), "{at}: kubectl wraps lines itself");
                *seen += 1;
            }
            walk(&at, field, seen);
            walk(&at, &field["items"], seen);
        }
    }
    let mut seen = 0;
    walk("", &version()["schema"]["openAPIV3Schema"], &mut seen);
    assert!(seen > 20, "{seen}");
}

/// The rules of the API server for a structural schema, and for the cost of a CEL rule: the size of
/// everything has a bound.
#[test]
fn the_schema_is_structural_and_every_value_is_bounded() {
    fn walk(at: &str, schema: &Value) {
        let kind = schema["type"].as_str();
        let kind = kind.unwrap_or_else(|| panic!("{at} has no type"));
        for key in [
            "$ref",
            "allOf",
            "oneOf",
            "not",
            "definitions",
            "$defs",
            "additionalProperties",
        ] {
            assert!(schema[key].is_null(), "{at}: {key}");
        }
        match kind {
            "string" => {
                let is_bounded = schema["maxLength"].is_u64()
                    || schema["enum"].is_array()
                    || schema["format"] == "date-time";
                assert!(is_bounded, "{at} has no bound");
            }
            "array" => {
                assert!(schema["maxItems"].is_u64(), "{at} has no bound");
                walk(&format!("{at}[]"), &schema["items"]);
            }
            "integer" => {
                let format = schema["format"].as_str();
                assert!(
                    format.is_none_or(|format| ["int32", "int64"].contains(&format)),
                    "{at}"
                );
            }
            "object" => {
                for (name, below) in schema["properties"].as_object().expect(at) {
                    walk(&format!("{at}.{name}"), below);
                }
            }
            "boolean" => {}
            other => panic!("{at} is a {other}"),
        }
    }
    let schema = &version()["schema"]["openAPIV3Schema"]["properties"];
    walk("spec", &schema["spec"]);
    walk("status", &schema["status"]);
}

/// A host that the pattern refuses would be refused by the observer too, or is never allowed.
#[test]
fn the_pattern_of_the_host_refuses_addresses_wildcards_and_bare_names() {
    let spec = spec();
    let pattern = spec["properties"]["host"]["pattern"]
        .as_str()
        .expect("a pattern");
    let pattern = regex::Regex::new(pattern).expect("a pattern");
    for host in [
        "kv-prod.vault.azure.net",
        "KV.Vault.Azure.NET.",
        "my_db.example.com",
        "1.example.com",
        "xn--bcher-kva.example",
        "a.xn--p1ai",
    ] {
        assert!(pattern.is_match(host), "{host}");
    }
    for host in [
        "10.1.2.3",
        "fd00::1",
        "[fd00::1]",
        "127.1",
        "localhost",
        "*.vault.azure.net",
        "bücher.example",
        "https://kv.vault.azure.net",
        "kv.vault.azure.net/x",
        "kv.vault.azure.net:443",
        "a..example.com",
        ".example.com",
        "a.-b.com",
        "",
        ".",
        "a b.example.com",
        "kv.vault.azure.net\n",
        "a.com..",
    ] {
        assert!(!pattern.is_match(host), "{host}");
    }
    let long = format!("{}.com", "a".repeat(64));
    assert!(!pattern.is_match(&long));
}

#[test]
fn the_host_alone_is_required_and_nothing_else_has_a_default() {
    let spec = spec();
    assert_eq!(spec["required"], serde_json::json!(["host"]));
    assert!(version()["schema"]["openAPIV3Schema"]["properties"]["status"]["required"].is_null());
    assert!(!crd_yaml().contains("default:"));
}

#[test]
fn only_words_that_a_tenant_may_write_are_in_the_schema() {
    let spec = spec();
    let words = |key: &str| {
        spec["properties"][key]["enum"].as_array().map(|words| {
            let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
            words.join(" ")
        })
    };
    assert_eq!(words("protocol").as_deref(), Some("tls tcp tds postgres"));
    assert_eq!(
        words("expect").as_deref(),
        Some("privateEndpoint serviceEndpoint public auto")
    );
    for key in ["classify", "resolver", "sameService", "name"] {
        assert!(spec["properties"][key].is_null(), "{key}");
    }
}

#[test]
fn the_guide_lists_every_key_and_every_reason() {
    let guide = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/private-link-targets.md"
    );
    let guide = std::fs::read_to_string(guide).expect("the guide");
    for key in spec()["properties"].as_object().expect("keys").keys() {
        let rows = guide.lines().filter(|line| line.starts_with("| `"));
        let mut keys = rows.filter_map(|row| row.split('|').nth(1));
        assert!(keys.any(|keys| keys.contains(&format!("`{key}`"))), "{key}");
    }
    for reason in AcceptedReason::ALL {
        let accepted = if reason.is_accepted() {
            "True"
        } else {
            "False"
        };
        let row = format!("| `{reason}` | {accepted} |");
        assert!(guide.contains(&row), "{row}");
    }
}
