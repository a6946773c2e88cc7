//! Config: what the user wrote (raw) becomes what it means (plan).

mod assemble;
mod command_line;
pub mod diagnostic;
pub mod duration;
mod files;
mod host;
mod network;
pub mod plan;
pub mod problem;
mod problems;
mod raw;
mod read;
pub mod reload;
pub mod schema;
mod several;
mod shape;
mod spanned;
mod target_file;
mod text;
pub mod trust;
pub mod web;

use std::io;
use std::path::{Path, PathBuf};

use self::assemble::{Parts, assemble};
pub use self::command_line::HostOptions;
pub use self::files::STANDARD_INPUT;
use self::files::{Files, ReadError, utf8};
pub use self::host::parse as host;
use self::plan::{Limits, Plan};
use self::problem::ConfigError;
use self::spanned::SourceText;
use self::target_file::{LastGood, LaterFile};

/// Reads a configuration: the operator's files, which are merged, and the target files of the observer,
/// which may be absent, empty or invalid without making the configuration invalid. The first file is
/// the operator's; the content of the others says whose they are. `-` is standard input.
pub fn load(files: &[PathBuf]) -> Result<Plan, ConfigError> {
    read_files(files, &mut Files::default(), &mut LastGood::default())
}

/// Reads a configuration from a text; `name` is its name in messages.
pub fn load_text(name: &str, text: &str) -> Result<Plan, ConfigError> {
    let mut files = Files::default();
    files.add_text(text);
    let file = SourceText {
        name: name.to_owned(),
        text: text.into(),
    };
    let most = Limits::default().max_targets;
    let raw = read::configuration(&file, 0, most).map_err(|problems| ConfigError { problems })?;
    let parts = Parts {
        files: vec![file],
        raw,
        ..Parts::default()
    };
    assemble(&parts, &mut files)
}

/// The plan of `check`: the configuration, if there is one, with the flags applied to it. Where
/// `hosts` are given, they are its only targets; where `names` are given, the targets so named.
pub fn for_check(
    files: &[PathBuf],
    hosts: &[String],
    names: &[String],
    flags: &HostOptions,
) -> Result<Plan, ConfigError> {
    let mut read = Files::default();
    let mut parts = match files {
        [] => Parts::default(),
        files => read_parts(files, &mut read, &mut LastGood::default())?,
    };
    command_line::apply(hosts, flags, &mut parts)?;
    names.clone_into(&mut parts.chosen);
    read.add_text(&parts.command_line.text);
    assemble(&parts, &mut read)
}

fn read_files(
    paths: &[PathBuf],
    files: &mut Files,
    last_good: &mut LastGood,
) -> Result<Plan, ConfigError> {
    let parts = read_parts(paths, files, last_good)?;
    assemble(&parts, files)
}

fn read_parts(
    paths: &[PathBuf],
    files: &mut Files,
    last_good: &mut LastGood,
) -> Result<Parts, ConfigError> {
    // Every file is read before the first is judged, so that a change in any of them is noticed.
    let contents: Vec<_> = paths.iter().map(|path| files.read(path)).collect();
    let mut read = paths.iter().zip(contents);
    let Some((first, content)) = read.next() else {
        return Err(ConfigError::plain(
            "no configuration file is given",
            Some("name one with `--config FILE`".to_owned()),
        ));
    };
    let mut operators = vec![first_file(first, content)];
    let mut target_files = Vec::new();
    for (path, content) in read {
        match LaterFile::new(path, first, content, last_good) {
            LaterFile::Operators(file) => operators.push(file),
            LaterFile::Observers(file) => target_files.push(file),
        }
    }
    let (sources, raw) = several::merged(operators)?;
    Ok(Parts {
        files: sources,
        raw,
        may_be_empty: !target_files.is_empty(),
        target_files,
        ..Parts::default()
    })
}

/// The text of the first file, which must be there.
fn first_file(path: &Path, content: io::Result<Vec<u8>>) -> Result<SourceText, ConfigError> {
    let name = path.display().to_string();
    match content.map_err(ReadError::Io).and_then(utf8) {
        Ok(text) => Ok(SourceText {
            name,
            text: text.into(),
        }),
        Err(error) => Err(ConfigError::plain(
            format!("{name}: {error}"),
            Some("check the path, and in a pod that the volume is mounted".to_owned()),
        )),
    }
}

#[cfg(test)]
mod tests;
