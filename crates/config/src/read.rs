//! Read: a YAML text becomes the raw configuration, or a problem in the words of this program.

use std::fmt;

use privatelink_verdict::suggest::did_you_mean;
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::{DuplicateKeyPolicy, Error, MessageFormatter, Options, UserMessageFormatter};

use crate::diagnostic::{Diagnostic, quoted};
use crate::plan::MOST_TARGETS;
use crate::problem::Problem;
use crate::raw::{RawConfig, RawTarget};
use crate::shape;
use crate::spanned::{Location, SourceText, Spanned, within_file};

/// Largest configuration file: far more than ten thousand targets need.
pub(crate) const LARGEST_FILE: usize = 8 << 20;

/// Largest file that is read without counting its targets first.
const UNCOUNTED_FILE: usize = 64 << 10;

/// What is known of a large file before its targets are read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Outline {
    limits: Option<OutlineLimits>,
    /// Elements without a size, so that any number of them takes no memory.
    targets: Option<Vec<IgnoredAny>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OutlineLimits {
    max_targets: Option<usize>,
}

/// Refuses a file that has more targets than its own `limits.maxTargets`, or than `most` without one,
/// before they are read: to read tens of thousands of them would take more memory than the agent has.
/// What else is wrong with the file is left to [`document`].
pub(crate) fn check_size(source: &SourceText, most: usize) -> Result<(), Box<Problem>> {
    if source.text.len() <= UNCOUNTED_FILE {
        return Ok(());
    }
    let outline = serde_saphyr::from_str_with_options::<Outline>(&source.text, options());
    let outline = outline.unwrap_or_default();
    let found = outline.targets.map_or(0, |targets| targets.len());
    let limit = outline.limits.and_then(|limits| limits.max_targets);
    let most = limit.unwrap_or(most).min(MOST_TARGETS);
    if found <= most {
        return Ok(());
    }
    Err(Box::new(Problem::new(
        source,
        Location::default(),
        Diagnostic::new(format!(
            "there are {found} targets, and limits.maxTargets is {most}"
        ))
        .help("raise limits.maxTargets, or probe less"),
    )))
}

/// Reads one YAML document.
pub(crate) fn document<T: DeserializeOwned>(source: &SourceText) -> Result<T, Box<Problem>> {
    serde_saphyr::from_str_with_options(&source.text, options()).map_err(|error| {
        let (location, diagnostic) = explained(&error);
        Box::new(Problem::new(source, location, diagnostic))
    })
}

/// Reads one YAML document that holds secrets; on error, where and why, without any of its values. The library
/// quotes some: a password that begins with `!` is a tag to it.
pub(crate) fn secret_document<T: DeserializeOwned>(
    text: &str,
) -> Result<T, (Location, Diagnostic)> {
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let (location, diagnostic) = explained(&error);
        let quotes_no_value = matches!(
            error.without_snippet(),
            Error::SerdeUnknownField { .. }
                | Error::SerdeMissingField { .. }
                | Error::DuplicateMappingKey { .. }
                | Error::InvalidBooleanStrict { .. }
                | Error::NullIntoString { .. }
                | Error::Unexpected { .. }
                | Error::MultipleDocuments { .. }
        );
        if quotes_no_value {
            return (location, diagnostic);
        }
        let diagnostic = Diagnostic::new("this cannot be read as YAML, or is of another type");
        (
            location,
            diagnostic.help("put values with special characters in quotes"),
        )
    })
}

/// Reads a file of the operator, the one with this index among those that are read together, with at
/// most `most` targets unless its own limits say otherwise; on error, everything that is wrong with its
/// shape.
pub(crate) fn configuration(
    source: &SourceText,
    index: u16,
    most: usize,
) -> Result<RawConfig, Vec<Problem>> {
    if is_empty(source) {
        return Ok(RawConfig::default());
    }
    check_size(source, most).map_err(|problem| vec![*problem])?;
    within_file(index, || document(source)).map_err(|first| shape::problems(source, *first))
}

/// The keys of the outermost mapping; none where the text is no mapping.
pub(crate) fn keys(source: &SourceText) -> Vec<Spanned<String>> {
    document(source).map_or_else(|_| Vec::new(), |Keys(keys)| keys)
}

/// The keys of a mapping.
struct Keys(Vec<Spanned<String>>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Mapping;

        impl<'de> Visitor<'de> for Mapping {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, IgnoredAny)) = map.next_entry()? {
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }

        deserializer.deserialize_map(Mapping)
    }
}

/// Whether a text holds no YAML node, or null alone.
pub(crate) fn is_empty(source: &SourceText) -> bool {
    matches!(
        serde_saphyr::from_str_with_options::<Option<IgnoredAny>>(&source.text, options()),
        Ok(None)
    ) || source
        .text
        .lines()
        .all(|line| matches!(line.trim_start().chars().next(), None | Some('#')))
}

/// Reads a target of a target file. Each is read by itself, so that a bad one does not make the
/// others unreadable.
pub(crate) fn listed_target(value: serde_json::Value) -> Result<RawTarget, Diagnostic> {
    serde_json::from_value(value).map_err(|error| Diagnostic::new(error.to_string()))
}

/// The content of a target file; its targets are not read yet.
#[derive(Debug, Default)]
pub(crate) struct TargetFileContent {
    pub(crate) targets: Vec<Spanned<serde_json::Value>>,
    /// Other keys, which are not read.
    pub(crate) others: Vec<String>,
}

impl TargetFileContent {
    /// Whether a person wrote it: it says something, and no target says where it comes from, which
    /// every target of the observer does.
    pub(crate) fn is_operators(&self) -> bool {
        let says_something = !self.targets.is_empty() || !self.others.is_empty();
        let mut targets = self.targets.iter();
        says_something && !targets.any(|target| target.value.get("source").is_some())
    }
}

impl<'de> Deserialize<'de> for TargetFileContent {
    // Not derived: `flatten` would lose the locations of the targets.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = TargetFileContent;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping with `targets`")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<TargetFileContent, A::Error> {
                let mut file = TargetFileContent::default();
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

/// The location and diagnostic of a YAML error or of a value of the wrong type.
fn explained(error: &Error) -> (Location, Diagnostic) {
    let error = error.without_snippet();
    let location = error.location().map(Location::from).unwrap_or_default();
    let diagnostic = match error {
        Error::SerdeUnknownField {
            field, expected, ..
        } => Diagnostic::new(format!("unknown field {}", quoted(field)))
            .help(suggestion(field, expected)),
        Error::SerdeMissingField { field, .. } => {
            Diagnostic::new(format!("the field `{field}` is missing"))
        }
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or_default();
            Diagnostic::new(format!("the field {} is written twice", quoted(key)))
                .help("keep one of them")
        }
        Error::InvalidBooleanStrict { .. } => Diagnostic::new("expected `true` or `false`")
            .help("write it without quotes; `yes` and `on` are not booleans"),
        Error::InvalidScalar { ty, .. } if ty.starts_with(['i', 'u']) => {
            Diagnostic::new("expected a whole number")
        }
        Error::NullIntoString { .. } => Diagnostic::new("expected a text, found nothing")
            .help("write a value, or drop the field"),
        Error::Unexpected { expected, .. } => Diagnostic::new(format!(
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
        } => Diagnostic::new(format!("found {unexpected}, expected {expected}")),
        Error::MultipleDocuments { .. } => {
            Diagnostic::new("expected one YAML document, found another one")
                .help("remove `---` and what follows it")
        }
        Error::AliasError { error, .. } => {
            let (inner, diagnostic) = explained(error);
            return (
                if location == Location::default() {
                    inner
                } else {
                    location
                },
                diagnostic,
            );
        }
        Error::Budget { .. } => Diagnostic::new(format!(
            "the document is too large or too deep: {}",
            plain(error)
        )),
        other => Diagnostic::new(plain(other)),
    };
    (location, diagnostic)
}

/// The message of the library, without its snippet and location.
fn plain(error: &Error) -> String {
    UserMessageFormatter.format_message(error).into_owned()
}

/// What to write instead of a field that is none of `expected`.
pub(crate) fn suggestion(field: &str, expected: &[&str]) -> String {
    did_you_mean(field, expected.iter().copied())
        .unwrap_or_else(|| format!("valid fields are {}", expected.join(", ")))
}
