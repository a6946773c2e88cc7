//! Config: what the user wrote, made into a plan: raw → plan.

mod assemble;
mod command_line;
pub mod duration;
pub(crate) mod files;
mod host;
mod later;
mod network;
pub mod plan;
pub mod problem;
mod raw;
mod read;
pub mod reload;
pub mod schema;
mod text;
pub mod trust;
mod written;

use std::path::{Path, PathBuf};

use self::assemble::{Parts, assemble};
pub use self::command_line::HostOptions;
use self::files::Files;
pub use self::host::parse as host;
use self::later::{Later, Memory};
use self::plan::Plan;
use self::problem::{ConfigError, Problems, Source};
use self::raw::RawConfig;

/// Reads a configuration: the operator's file first, then those of the observer, of which only
/// `targets` count and which are allowed to be absent, empty or wrong.
pub fn load(files: &[PathBuf]) -> Result<Plan, ConfigError> {
    read_files(files, &mut Files::default(), &mut Memory::default())
}

/// Reads a configuration from a text; `name` is how messages call it.
pub fn load_text(name: &str, text: &str) -> Result<Plan, ConfigError> {
    let mut files = Files::default();
    files.remember(text);
    let file = Source {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    let raw = read_raw(&file)?;
    let parts = Parts {
        file,
        raw,
        ..Parts::default()
    };
    assemble(&parts, &mut files)
}

/// The plan of `check`: the configuration, if there is one, with what the flags replace in it. With
/// hosts, they are its only targets; with names, the targets of these names.
pub fn for_check(
    files: &[PathBuf],
    hosts: &[String],
    names: &[String],
    flags: &HostOptions,
) -> Result<Plan, ConfigError> {
    let mut read = Files::default();
    let mut parts = match files {
        [] => Parts::default(),
        files => parts(files, &mut read, &mut Memory::default())?,
    };
    command_line::apply(hosts, flags, &mut parts)?;
    names.clone_into(&mut parts.chosen);
    read.remember(&parts.command_line.text);
    assemble(&parts, &mut read)
}

fn read_files(
    paths: &[PathBuf],
    files: &mut Files,
    memory: &mut Memory,
) -> Result<Plan, ConfigError> {
    let parts = parts(paths, files, memory)?;
    assemble(&parts, files)
}

fn parts(paths: &[PathBuf], files: &mut Files, memory: &mut Memory) -> Result<Parts, ConfigError> {
    let Some((first, later)) = paths.split_first() else {
        return Err(ConfigError::plain(
            "no configuration file is given",
            Some("name one with `--config FILE`".to_owned()),
        ));
    };
    // Every file is read before the first is judged, so that a change in any of them is noticed.
    let operators = read_text(first, files);
    let later = later
        .iter()
        .map(|path| Later::read(path, files, memory))
        .collect::<Vec<_>>();
    let file = Source {
        name: first.display().to_string(),
        text: operators.map_err(|error| {
            ConfigError::plain(
                format!("{}: {error}", first.display()),
                Some("check the path, and in a pod that the volume is mounted".to_owned()),
            )
        })?,
    };
    Ok(Parts {
        raw: read_raw(&file)?,
        file,
        may_be_empty: !later.is_empty(),
        later,
        ..Parts::default()
    })
}

fn read_text(path: &Path, files: &mut Files) -> Result<String, String> {
    let content = files
        .read(path)
        .map_err(|error| later::unreadable(&error))?;
    later::utf8(content)
}

fn read_raw(file: &Source) -> Result<RawConfig, ConfigError> {
    let nothing = Source::default();
    let mut problems = Problems::new(file, &nothing);
    if read::is_empty(file) {
        return Ok(RawConfig::default());
    }
    match read::document(file, &mut problems) {
        Some(raw) => Ok(raw),
        None => Err(ConfigError {
            problems: problems.errors,
        }),
    }
}

#[cfg(test)]
mod tests;
