//! Later: the observer's files, of which only `targets` count, and what is remembered of them.
//!
//! Whatever becomes of the observer, the agents go on with what they have: a file that can no longer
//! be read as one leaves the targets that it held last.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::files::Files;
use crate::problem::{Problem, Problems, Source};
use crate::read::{self, LaterFile};

/// A later file as it counts.
#[derive(Debug, Default)]
pub(crate) struct Later {
    /// The text that the targets are written in: for messages.
    pub(crate) source: Source,
    /// What it says; nothing where there is nothing to go by.
    pub(crate) file: LaterFile,
    /// Why it does not say what it might.
    pub(crate) warning: Option<String>,
    /// Whether something stands there that is no file of targets.
    pub(crate) refused: bool,
}

/// The last text of each later file that could be read as one.
#[derive(Debug, Default)]
pub(crate) struct Memory(HashMap<PathBuf, String>);

/// What a path holds.
enum Found {
    Targets(Source, LaterFile),
    Nothing(String),
    Invalid(String),
}

impl Later {
    /// Reads the file at `path`. Absent or empty, it has no targets; invalid, those that `memory`
    /// has of it.
    pub(crate) fn read(path: &Path, files: &mut Files, memory: &mut Memory) -> Self {
        Self::of(path, files.read(path), memory)
    }

    /// The same, given what reading gave.
    pub(crate) fn of(path: &Path, content: io::Result<Vec<u8>>, memory: &mut Memory) -> Self {
        let name = path.display().to_string();
        match found(&name, content) {
            Found::Targets(source, file) => {
                memory.0.insert(path.to_owned(), source.text.clone());
                Self {
                    source,
                    file,
                    ..Self::default()
                }
            }
            Found::Nothing(warning) => {
                memory.0.remove(path);
                Self {
                    warning: Some(warning),
                    ..Self::default()
                }
            }
            Found::Invalid(what) => {
                let before = memory.0.get(path).cloned();
                let before = before.and_then(|text| parsed(Source { name, text }).ok());
                let consequence = match before {
                    Some(_) => "the targets that it held before stay",
                    None => "no target of this file is probed",
                };
                let (source, file) = before.unwrap_or_default();
                Self {
                    source,
                    file,
                    warning: Some(format!("{what}: {consequence}")),
                    refused: true,
                }
            }
        }
    }
}

fn found(name: &str, content: io::Result<Vec<u8>>) -> Found {
    let content = match content {
        Ok(content) => content,
        Err(error) => {
            let what = format!("{name}: {}", unreadable(&error));
            return match error.kind() {
                io::ErrorKind::NotFound => {
                    Found::Nothing(format!("{what}: its targets are not probed"))
                }
                _ => Found::Invalid(what),
            };
        }
    };
    let text = match utf8(content) {
        Ok(text) => text,
        Err(what) => return Found::Invalid(format!("{name}: {what}")),
    };
    let source = Source {
        name: name.to_owned(),
        text,
    };
    if read::is_empty(&source) {
        return Found::Nothing(format!("{name}: the file is empty"));
    }
    match parsed(source) {
        Ok((source, file)) => Found::Targets(source, file),
        Err(what) => Found::Invalid(what),
    }
}

fn parsed(source: Source) -> Result<(Source, LaterFile), String> {
    let nothing = Source::default();
    let mut problems = Problems::new(&source, &nothing);
    match read::document(&source, &mut problems) {
        Some(file) => Ok((source, file)),
        None => Err(problems
            .errors
            .first()
            .map(Problem::one_line)
            .unwrap_or_default()),
    }
}

pub(super) fn unreadable(error: &io::Error) -> String {
    format!("the file cannot be read: {error}")
}

pub(super) fn utf8(content: Vec<u8>) -> Result<String, String> {
    String::from_utf8(content).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("the file is not UTF-8 text: byte {at} is where it stops being so")
    })
}
