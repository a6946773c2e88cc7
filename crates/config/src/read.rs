//! Read: text → raw, and YAML's errors in our words.

use std::fmt;

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::{DuplicateKeyPolicy, Error, MessageFormatter, Options, UserMessageFormatter};

use crate::problem::{Complaint, Problems, Source, quoted};
use crate::raw::RawTarget;
use crate::written::{Place, Written};
use privatelink_verdict::suggest::nearest;

/// Largest configuration file: far more than ten thousand targets need.
pub(crate) const LARGEST_FILE: usize = 8 << 20;

/// Reads one YAML document. `None`: an error was noted.
pub(crate) fn document<T: DeserializeOwned>(
    source: &Source,
    problems: &mut Problems<'_>,
) -> Option<T> {
    serde_saphyr::from_str_with_options(&source.text, options())
        .map_err(|error| {
            let (place, complaint) = explained(&error);
            problems.error(place, complaint);
        })
        .ok()
}

/// Whether a text holds nothing: no node at all, or null.
pub(crate) fn is_empty(source: &Source) -> bool {
    matches!(
        serde_saphyr::from_str_with_options::<Option<IgnoredAny>>(&source.text, options()),
        Ok(None)
    ) || source
        .text
        .lines()
        .all(|line| matches!(line.trim_start().chars().next(), None | Some('#')))
}

/// A target of a later file, before it is checked one by one: a bad one must not take the others
/// with it.
pub(crate) fn later_target(value: serde_json::Value) -> Result<RawTarget, Complaint> {
    serde_json::from_value(value).map_err(|error| {
        // serde_json names a line of its own making after " at line"; there is none here.
        Complaint::new(error.to_string())
    })
}

/// What a later file holds: targets, each read on its own.
#[derive(Debug, Default)]
pub(crate) struct LaterFile {
    pub(crate) targets: Vec<Written<serde_json::Value>>,
    /// Other keys, which are not read.
    pub(crate) others: Vec<String>,
}

impl<'de> Deserialize<'de> for LaterFile {
    // By hand: `flatten` would lose the places of the targets.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = LaterFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping with `targets`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LaterFile, A::Error> {
                let mut file = LaterFile::default();
                while let Some(key) = map.next_key::<String>()? {
                    if key == "targets" {
                        file.targets = map.next_value::<Option<_>>()?.unwrap_or_default();
                    } else {
                        map.next_value::<IgnoredAny>()?;
                        file.others.push(key);
                    }
                }
                Ok(file)
            }
        }

        deserializer.deserialize_map(Keys)
    }
}

fn options() -> Options {
    serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        budget: serde_saphyr::budget! {
            max_depth: 16,
            max_documents: 2,
            max_aliases: 10_000,
            max_anchors: 1_000,
            max_total_scalar_bytes: LARGEST_FILE,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 100_000,
            max_replay_stack_depth: 8,
        },
    }
}

/// A YAML or shape error in our words, with the nearest valid spelling.
fn explained(error: &Error) -> (Place, Complaint) {
    let error = error.without_snippet();
    let place = error.location().map(Place::from).unwrap_or_default();
    let complaint = match error {
        Error::SerdeUnknownField {
            field, expected, ..
        } => Complaint::new(format!("unknown field {}", quoted(field)))
            .help(suggestion(field, expected)),
        Error::SerdeMissingField { field, .. } => {
            Complaint::new(format!("the field `{field}` is missing"))
        }
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or_default();
            Complaint::new(format!("the field {} is written twice", quoted(key)))
                .help("keep one of them")
        }
        Error::InvalidBooleanStrict { .. } => {
            Complaint::new("expected `true` or `false`").help("quotes, `yes` and `on` do not count")
        }
        Error::InvalidScalar { ty, .. } if ty.starts_with(['i', 'u']) => {
            Complaint::new("expected a whole number")
        }
        Error::NullIntoString { .. } => Complaint::new("expected a text, found nothing")
            .help("write a value, or drop the field"),
        Error::Unexpected { expected, .. } => Complaint::new(format!(
            "expected {}",
            match *expected {
                "string scalar" | "string" => "a text",
                "mapping start" => "a mapping (`field: value`)",
                "sequence start" => "a list (`- item`, or `[item, item]`)",
                other => other,
            }
        )),
        Error::SerdeInvalidType {
            unexpected,
            expected,
            ..
        } => Complaint::new(format!("found {unexpected}, expected {expected}")),
        Error::MultipleDocuments { .. } => {
            Complaint::new("expected one YAML document, found another one")
                .help("remove `---` and what follows it")
        }
        Error::AliasError { error, .. } => {
            let (inner, complaint) = explained(error);
            return (
                if place == Place::default() {
                    inner
                } else {
                    place
                },
                complaint,
            );
        }
        Error::Budget { .. } => Complaint::new(format!(
            "the document is too large or too deep: {}",
            plain(error)
        )),
        other => Complaint::new(plain(other)),
    };
    (place, complaint)
}

/// The library's own words, without its snippet and its place.
fn plain(error: &Error) -> String {
    UserMessageFormatter.format_message(error).into_owned()
}

fn suggestion(field: &str, expected: &[&'static str]) -> String {
    match nearest(field, expected.iter().copied()).next() {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("valid fields are {}", expected.join(", ")),
    }
}
