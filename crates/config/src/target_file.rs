//! Target file: a file that the observer writes; only its `targets` count.
//!
//! The agent must not depend on the observer: when a target file can no longer be read, its last good
//! content stays in use.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::files::{Files, ReadError, utf8};
use crate::plan::MOST_TARGETS;
use crate::problem::Problem;
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

/// The last good text of each target file.
#[derive(Debug, Default)]
pub(crate) struct LastGood(HashMap<PathBuf, Arc<str>>);

/// What a path holds.
enum Found {
    Targets(SourceText, TargetFileContent),
    /// No targets, and why.
    Nothing(String),
    /// Not a target file, and why.
    Invalid(String),
}

impl TargetFile {
    /// Reads the file at `path`. An absent or empty file has no targets; an invalid one has those of
    /// its last good content.
    pub(crate) fn read(path: &Path, files: &mut Files, last_good: &mut LastGood) -> Self {
        Self::from_content(path, files.read(path), last_good)
    }

    /// The same, given the result of reading `path`.
    pub(crate) fn from_content(
        path: &Path,
        content: io::Result<Vec<u8>>,
        last_good: &mut LastGood,
    ) -> Self {
        let name = path.display().to_string();
        match find(&name, content) {
            Found::Targets(source, content) => {
                last_good
                    .0
                    .insert(path.to_owned(), Arc::clone(&source.text));
                Self {
                    source,
                    content,
                    ..Self::default()
                }
            }
            Found::Nothing(warning) => {
                last_good.0.remove(path);
                Self {
                    warning: Some(warning),
                    ..Self::default()
                }
            }
            Found::Invalid(what) => {
                let text = last_good.0.get(path).cloned();
                let before = text.and_then(|text| parse(SourceText { name, text }).ok());
                let consequence = match before {
                    Some(_) => "the targets of its last good content stay in use",
                    None => "no target of this file is probed",
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
        Err(error) => return Found::Invalid(format!("{name}: {error}")),
    };
    let name = name.to_owned();
    let source = SourceText {
        name,
        text: text.into(),
    };
    if read::is_empty(&source) {
        return Found::Nothing(format!("{}: the file is empty", source.name));
    }
    match parse(source) {
        Ok((source, content)) => Found::Targets(source, content),
        Err(problem) => Found::Invalid(problem.one_line()),
    }
}

fn parse(source: SourceText) -> Result<(SourceText, TargetFileContent), Problem> {
    read::check_size(&source, MOST_TARGETS)?;
    let content = read::document(&source)?;
    Ok((source, content))
}
