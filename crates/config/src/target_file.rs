//! Target file: a file that the observer writes; only its `targets` count.
//!
//! A file that is named after the first may be one, or another file of the operator. It is the
//! operator's if it is in the directory of the first, and none of its targets has a `source`, which every
//! target of the observer has. So a person who can write the observer's file alone cannot write settings.
//! A file that cannot be read, or is empty, counts as the observer's, unless it was the operator's when it
//! was read last.
//!
//! The agent must not depend on the observer: when a target file can no longer be read, its last good
//! content stays in use.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::files::{ReadError, utf8};
use crate::plan::MOST_TARGETS;
use crate::problem::ConfigError;
use crate::read::{self, TargetFileContent};
use crate::spanned::SourceText;

/// A target file, read.
#[derive(Debug, Default)]
pub(crate) struct TargetFile {
    /// The text that the targets are written in, for messages.
    pub(crate) source: SourceText,
    /// Its content; without targets where the file is absent, empty or was never good.
    pub(crate) content: TargetFileContent,
    /// Why the content is not that of the file, or why it is empty.
    pub(crate) warning: Option<String>,
    /// Whether the file exists and its content cannot be used.
    pub(crate) refused: bool,
}

/// What the files after the first held when they could be read last.
#[derive(Debug, Default)]
pub(crate) struct LastGood {
    /// The text of each target file.
    texts: HashMap<PathBuf, Arc<str>>,
    /// The files of the operator.
    operators: HashSet<PathBuf>,
}

/// A file that is named after the first.
#[derive(Debug)]
pub(crate) enum LaterFile {
    /// Another one of the operator, which is not read yet.
    Operators(Result<SourceText, ConfigError>),
    /// One of the observer.
    Observers(TargetFile),
}

impl LaterFile {
    /// Tells whose file it is, given the path of the first file and the result of reading `path`.
    pub(crate) fn new(
        path: &Path,
        first: &Path,
        content: io::Result<Vec<u8>>,
        last_good: &mut LastGood,
    ) -> Self {
        let name = path.display().to_string();
        let found = find(&name, content);
        let was_operators = last_good.operators.contains(path);
        match found {
            Found::Operators(source) if path.parent() == first.parent() => {
                last_good.operators.insert(path.to_owned());
                last_good.texts.remove(path);
                Self::Operators(Ok(source))
            }
            Found::Invalid(_, Some(source)) if was_operators => Self::Operators(Ok(source)),
            Found::Invalid(what, None) | Found::Nothing(what) if was_operators => {
                Self::Operators(Err(ConfigError::plain(what, None)))
            }
            found => Self::Observers(TargetFile::new(path, found, last_good)),
        }
    }
}

/// What a path holds.
enum Found {
    Targets(SourceText, TargetFileContent),
    /// A configuration, as a person writes it.
    Operators(SourceText),
    /// No targets, and why.
    Nothing(String),
    /// Not a target file, and why; the text, if it is one.
    Invalid(String, Option<SourceText>),
}

impl TargetFile {
    /// The targets of what was found at `path`. An absent or empty file has none; an invalid one has
    /// those of its last good content.
    fn new(path: &Path, found: Found, last_good: &mut LastGood) -> Self {
        let name = path.display().to_string();
        match found {
            Found::Targets(source, content) => {
                last_good
                    .texts
                    .insert(path.to_owned(), Arc::clone(&source.text));
                Self {
                    source,
                    content,
                    ..Self::default()
                }
            }
            Found::Nothing(warning) => {
                last_good.texts.remove(path);
                Self {
                    warning: Some(warning),
                    ..Self::default()
                }
            }
            Found::Operators(_) => Self {
                warning: Some(format!(
                    "{name}: nothing of this file is used: no target of it has a `source`, as those of \
                     the observer have, and a file of yours has to be in the directory of the first"
                )),
                refused: true,
                ..Self::default()
            },
            Found::Invalid(what, _) => {
                let text = last_good.texts.get(path).cloned();
                let before = text.and_then(|text| {
                    let source = SourceText { name, text };
                    let content = read::document(&source).ok()?;
                    Some((source, content))
                });
                let consequence = match before {
                    Some(_) => "the targets of its last good content stay in use",
                    None => "it counts as the observer's, and no target of this file is probed",
                };
                let (source, content) = before.unwrap_or_default();
                Self {
                    source,
                    content,
                    warning: Some(format!("{what}: {consequence}")),
                    refused: true,
                }
            }
        }
    }
}

fn find(name: &str, content: io::Result<Vec<u8>>) -> Found {
    let text = match content.map_err(ReadError::Io).and_then(utf8) {
        Ok(text) => text,
        Err(error) if error.is_not_found() => {
            return Found::Nothing(format!("{name}: {error}: its targets are not probed"));
        }
        Err(error) => return Found::Invalid(format!("{name}: {error}"), None),
    };
    let source = SourceText {
        name: name.to_owned(),
        text: text.into(),
    };
    if read::is_empty(&source) {
        return Found::Nothing(format!("{name}: the file is empty"));
    }
    let content = read::check_size(&source, MOST_TARGETS).and_then(|()| read::document(&source));
    match content {
        Ok(content) if TargetFileContent::is_operators(&content) => Found::Operators(source),
        Ok(content) => Found::Targets(source, content),
        Err(problem) => Found::Invalid(problem.one_line(), Some(source)),
    }
}
