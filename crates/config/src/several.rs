//! Several: the operator's files, as one configuration. Targets add up; a setting that concerns all of
//! them is written in one file.

use crate::diagnostic::{Diagnostic, quoted};
use crate::plan::{Limits, MOST_TARGETS};
use crate::problem::{ConfigError, Problem};
use crate::raw::RawConfig;
use crate::read;
use crate::spanned::{SourceText, Spanned};

/// Reads and merges the files, or returns what is wrong with any of them. The same setting in two of
/// them is an error, whatever its values: which of them were to win would depend on the order of the
/// files.
pub(crate) fn merged(
    files: Vec<Result<SourceText, ConfigError>>,
) -> Result<(Vec<SourceText>, RawConfig), ConfigError> {
    // Where there are several, the limit may be written in another.
    let most = match files.len() {
        1 => Limits::default().max_targets,
        _ => MOST_TARGETS,
    };
    let mut whole = RawConfig::default();
    let mut sources = Vec::with_capacity(files.len());
    let mut problems = Vec::new();
    for file in files {
        let source = match file {
            Ok(source) => source,
            Err(error) => {
                problems.extend(error.problems);
                continue;
            }
        };
        let index = u16::try_from(sources.len()).unwrap_or(u16::MAX);
        match read::configuration(&source, index, most) {
            Ok(raw) => whole.add(raw),
            Err(found) => problems.extend(found),
        }
        sources.push(source);
    }
    problems.extend(repeated(&sources));
    if problems.is_empty() {
        Ok((sources, whole))
    } else {
        Err(ConfigError { problems })
    }
}

/// An error for every setting that is written in a second file.
fn repeated(files: &[SourceText]) -> Vec<Problem> {
    if files.len() < 2 {
        return Vec::new();
    }
    let mut first: Vec<(&str, Spanned<String>)> = Vec::new();
    let mut problems = Vec::new();
    for file in files {
        let name = file.name.as_str();
        for key in read::keys(file) {
            if key.value == "targets" {
                continue;
            }
            let Some((place, known)) = first.iter().find(|(_, known)| known.value == key.value)
            else {
                first.push((name, key));
                continue;
            };
            let diagnostic = Diagnostic::new(format!(
                "{} is written in two files; the first is {place}:{}",
                quoted(&key.value),
                known.location.line
            ))
            .help("keep it in one of them: it counts for the targets of all files");
            problems.push(Problem::new(file, key.location, diagnostic));
        }
    }
    problems
}
