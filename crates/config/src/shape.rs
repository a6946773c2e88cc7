//! Shape: why a text that is no configuration is none, all of it at once: fields that do not exist, a
//! bare text where a mapping is meant, and a configuration in a wrapping of something else.
//!
//! Serde stops at its first error. So a text that it refuses is read once more, without types, and is
//! compared with the JSON schema of the configuration.

use std::fmt;
use std::sync::LazyLock;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::diagnostic::{Diagnostic, quoted};
use crate::problem::Problem;
use crate::read;
use crate::spanned::{Location, SourceText, Spanned};
use crate::{network, schema};

/// Largest text that is compared: its values take many times its size in memory.
const LARGEST: usize = 512 << 10;

/// The most lines of a corrected text that are shown.
const LINES: usize = 30;

static SCHEMA: LazyLock<Value> = LazyLock::new(schema::config);

/// Everything that is wrong with a text that serde refused because of `first`.
pub(crate) fn problems(source: &SourceText, first: Problem) -> Vec<Problem> {
    if source.text.len() > LARGEST {
        return vec![first];
    }
    let Ok(whole) = read::document::<Spanned<Node>>(source) else {
        // Not YAML, or several documents: Helm's output has many.
        let wrapped = looks_like_manifests(&source.text).then(|| manifests(source));
        return vec![wrapped.unwrap_or(first)];
    };
    if let Some(problem) = wrapped(&whole, source) {
        return vec![problem];
    }
    let mut found = Vec::new();
    compare(&whole, &SCHEMA, source, &mut found);
    let mut problems: Vec<_> = found
        .into_iter()
        .map(|(location, diagnostic)| Problem::new(source, location, diagnostic))
        .collect();
    let place = |problem: &Problem| problem.snippet.as_ref().map(|at| (at.line, at.column));
    if problems.iter().all(|known| place(known) != place(&first)) {
        problems.push(first);
    }
    problems.sort_by_key(place);
    problems
}

/// A YAML value without a type.
#[derive(Debug)]
pub(crate) enum Node {
    Text(String),
    /// A number, a boolean, or nothing.
    Other,
    List(Vec<Spanned<Node>>),
    Mapping(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl Node {
    fn field(&self, name: &str) -> Option<(&Spanned<String>, &Spanned<Node>)> {
        let Self::Mapping(fields) = self else {
            return None;
        };
        let field = fields.iter().find(|(key, _)| key.value == name)?;
        Some((&field.0, &field.1))
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a YAML value")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
                Ok(Node::Text(text.to_owned()))
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Node, E> {
                Ok(Node::Other)
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Node, E> {
                Ok(Node::Other)
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Node, E> {
                Ok(Node::Other)
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Node, E> {
                Ok(Node::Other)
            }

            fn visit_unit<E: Error>(self) -> Result<Node, E> {
                Ok(Node::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Node::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Node::Mapping(fields))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

type Found = Vec<(Location, Diagnostic)>;

/// Compares a value with what the schema says of its place.
fn compare(node: &Spanned<Node>, schema: &Value, source: &SourceText, found: &mut Found) {
    let (name, schema) = resolved(schema);
    match (&node.value, kind(schema)) {
        (Node::Mapping(fields), Some("object")) => {
            let known = schema["properties"].as_object();
            for (key, value) in fields {
                if let Some(schema) = known.and_then(|known| known.get(&key.value)) {
                    compare(value, schema, source, found);
                    continue;
                }
                let known = known.into_iter().flat_map(|known| known.keys());
                let known: Vec<_> = known.map(String::as_str).collect();
                found.push((key.location, unknown(&key.value, name, &known)));
            }
        }
        (Node::List(items), Some("array")) => {
            for item in items {
                compare(item, &schema["items"], source, found);
            }
        }
        (Node::Text(text), Some("object")) => {
            if let Some(fields) = as_fields(text, name) {
                let dashed = source
                    .line(node.location.line)
                    .trim_start()
                    .starts_with("- ");
                let instead = match (dashed, fields.contains(", ")) {
                    (true, false) => format!("- {fields}"),
                    (true, true) => format!("- {{{fields}}}"),
                    (false, _) => format!("{{{fields}}}"),
                };
                found.push((node.location, expected("a mapping", text, &instead)));
            }
        }
        (Node::Text(text), Some("array")) => {
            let (item, _) = resolved(&schema["items"]);
            let instead = match as_fields(text, item) {
                Some(fields) => format!("[{{{fields}}}]"),
                None => format!("[{text:?}]"),
            };
            found.push((node.location, expected("a list", text, &instead)));
        }
        (Node::Mapping(_), Some("array")) => found.push((
            node.location,
            Diagnostic::new("expected a list (`- item`, or `[item, item]`)")
                .help("begin each item with `- `"),
        )),
        _ => {}
    }
}

/// The schema that a reference or an alternative to null leads to, with the name of the reference.
fn resolved(schema: &Value) -> (&str, &Value) {
    let alternatives = schema["anyOf"].as_array();
    let schema = alternatives
        .and_then(|of| of.iter().find(|one| one["type"] != "null"))
        .unwrap_or(schema);
    let reference = schema["$ref"].as_str();
    match reference.and_then(|path| path.strip_prefix("#/$defs/")) {
        Some(name) => (name, &SCHEMA["$defs"][name]),
        None => ("", schema),
    }
}

/// The type of the values of a schema, null aside.
fn kind(schema: &Value) -> Option<&str> {
    match &schema["type"] {
        Value::Array(kinds) => kinds
            .iter()
            .filter_map(Value::as_str)
            .find(|kind| *kind != "null"),
        kind => kind.as_str(),
    }
}

fn unknown(field: &str, place: &str, known: &[&str]) -> Diagnostic {
    let help = match (place, field) {
        ("RawTarget", "source" | "usage") => {
            "only the target lists of the observer have it: name such a file after your own"
                .to_owned()
        }
        _ => read::suggestion(field, known),
    };
    Diagnostic::new(format!("unknown field {}", quoted(field))).help(help)
}

fn expected(what: &str, text: &str, instead: &str) -> Diagnostic {
    Diagnostic::new(format!("expected {what}, found the text {}", quoted(text)))
        .help(format!("write {}", quoted(instead)))
}

/// A bare text as the fields of the target or resolver that it was meant as.
fn as_fields(text: &str, place: &str) -> Option<String> {
    match place {
        "RawTarget" => Some(as_target(text)),
        "RawResolver" if text.contains('/') => Some(format!("name: node, resolvConf: {text}")),
        "RawResolver" if network::server(text).is_ok() => {
            Some(format!("name: dns, servers: [{text:?}]"))
        }
        "RawResolver" => Some(format!("name: {text}, servers: [\"10.0.0.10\"]")),
        _ => None,
    }
}

fn as_target(text: &str) -> String {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let rest = rest.split('/').next().unwrap_or_default();
    match rest.split_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => format!("host: {host}, port: {port}"),
        _ => format!("host: {rest}"),
    }
}

/// The problem of a text that holds a configuration inside something else.
fn wrapped(whole: &Spanned<Node>, source: &SourceText) -> Option<Problem> {
    let (location, message, help, corrected) = match &whole.value {
        Node::Text(text) if text.contains('\n') => (
            whole.location,
            "this is a text that holds a configuration, and no configuration itself".to_owned(),
            "drop the quotes; `yq -r` prints a text without them".to_owned(),
            Some(text.clone()),
        ),
        Node::List(items) if items.iter().all(|item| item.value.field("host").is_some()) => (
            whole.location,
            "this is a list of targets alone".to_owned(),
            "write `targets:` before it".to_owned(),
            Some(format!("targets:\n{}", source.text)),
        ),
        node if node.field("kind").is_some() && node.field("apiVersion").is_some() => {
            let kind = node.field("kind")?;
            let data = node.field("data").map(|(_, data)| &data.value);
            let Some((key, text)) = data.and_then(configuration_in) else {
                return Some(manifests(source));
            };
            (
                kind.0.location,
                format!(
                    "this is a Kubernetes {}, and no configuration",
                    kind.1.value.text().unwrap_or("manifest")
                ),
                format!(
                    "take the text of {} alone: {}",
                    quoted(key),
                    piped(source, &format!("'.data[{key:?}]'"))
                ),
                Some(text.to_owned()),
            )
        }
        node => {
            let (key, value) = node.field("config")?;
            let Node::Mapping(fields) = &value.value else {
                return None;
            };
            let first = fields.first()?.0.location;
            (
                key.location,
                "these are values of the Helm chart: the configuration is what stands under `config`"
                    .to_owned(),
                format!("take that alone: {}", piped(source, ".config")),
                (first.line > key.location.line).then(|| below(key.location, node, source)),
            )
        }
    };
    let diagnostic = Diagnostic::new(message).help(help);
    let problem = Problem::new(source, location, diagnostic);
    Some(problem.corrected(corrected.map(|text| shortened(&text))))
}

/// The text in a `ConfigMap`'s data that is a configuration, with its key.
fn configuration_in(data: &Node) -> Option<(&str, &str)> {
    let Node::Mapping(fields) = data else {
        return None;
    };
    let mut texts = fields
        .iter()
        .filter_map(|(key, value)| Some((key.value.as_str(), value.value.text()?)));
    texts.find(|(_, text)| text.contains("targets"))
}

fn looks_like_manifests(text: &str) -> bool {
    let has = |field: &str| text.lines().any(|line| line.starts_with(field));
    has("kind:") && has("apiVersion:")
}

fn manifests(source: &SourceText) -> Problem {
    let diagnostic = Diagnostic::new("these are Kubernetes manifests, and no configuration").help(
        "take the text in the one ConfigMap: `helm template … --show-only templates/configmap.yaml | \
         yq -r '.data[\"config.yaml\"]' | privatelink-prober validate -`",
    );
    Problem::new(source, Location::default(), diagnostic)
}

/// The command that validates a part of a file. Both programs called yq understand it.
fn piped(source: &SourceText, part: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "./_-".contains(c);
    let file = match source.name.as_str() {
        "-" => String::new(),
        name if name.chars().all(is_plain) => format!(" {name}"),
        _ => " FILE".to_owned(),
    };
    format!("`yq -r {part}{file} | privatelink-prober validate -`")
}

/// The lines below a key of the outermost mapping, moved to the left margin.
fn below(key: Location, whole: &Node, source: &SourceText) -> String {
    let Node::Mapping(fields) = whole else {
        return String::new();
    };
    let next = fields.iter().map(|(key, _)| key.location.line);
    let next = next.filter(|line| *line > key.line).min();
    let lines = source.text.lines().skip(key.line);
    let lines: Vec<_> = lines
        .take(next.map_or(usize::MAX, |next| next - key.line - 1))
        .collect();
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let margin = lines.iter().filter(|line| !line.trim().is_empty());
    let margin = margin.map(indent).min().unwrap_or_default();
    let moved = lines
        .iter()
        .map(|line| line.get(margin..).unwrap_or_default());
    moved.collect::<Vec<_>>().join("\n")
}

/// The beginning of a corrected text.
fn shortened(text: &str) -> String {
    let mut lines: Vec<_> = text.trim_end().lines().take(LINES).collect();
    if text.trim_end().lines().nth(LINES).is_some() {
        lines.push("…");
    }
    lines.join("\n")
}
