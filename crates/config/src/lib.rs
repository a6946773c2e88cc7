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
mod spanned;
mod target_file;
mod text;
pub mod trust;

use std::path::PathBuf;
use std::sync::Arc;

use self::assemble::{Parts, assemble};
pub use self::command_line::HostOptions;
use self::files::{Files, ReadError, utf8};
pub use self::host::parse as host;
use self::plan::{Limits, Plan};
use self::problem::ConfigError;
use self::raw::RawConfig;
use self::spanned::SourceText;
use self::target_file::{LastGood, TargetFile};

/// Reads a configuration: the operator's file first, then the target files of the observer, which
/// may be absent, empty or invalid without making the configuration invalid.
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
    let raw = read_raw(&file)?;
    let parts = Parts {
        file,
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
    let Some((first, others)) = paths.split_first() else {
        return Err(ConfigError::plain(
            "no configuration file is given",
            Some("name one with `--config FILE`".to_owned()),
        ));
    };
    // Every file is read before the first is judged, so that a change in any of them is noticed.
    let content = files.read(first);
    let target_files: Vec<_> = others
        .iter()
        .map(|path| TargetFile::read(path, files, last_good))
        .collect();
    let text = content.map_err(ReadError::Io).and_then(utf8);
    let file = SourceText {
        name: first.display().to_string(),
        text: text.map(Arc::from).map_err(|error| {
            ConfigError::plain(
                format!("{}: {error}", first.display()),
                Some("check the path, and in a pod that the volume is mounted".to_owned()),
            )
        })?,
    };
    Ok(Parts {
        raw: read_raw(&file)?,
        file,
        may_be_empty: !target_files.is_empty(),
        target_files,
        ..Parts::default()
    })
}

fn read_raw(file: &SourceText) -> Result<RawConfig, ConfigError> {
    if read::is_empty(file) {
        return Ok(RawConfig::default());
    }
    let refused = |problem| ConfigError {
        problems: vec![problem],
    };
    read::check_size(file, Limits::default().max_targets).map_err(refused)?;
    read::document(file).map_err(refused)
}

#[cfg(test)]
mod tests;
