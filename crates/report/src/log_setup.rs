//! Log set-up: the format of log lines, and which of them are written. What they say is in [`crate::events`].

use std::io::{self, IsTerminal as _};
use std::sync::Mutex;

use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::log_writer::LogWriter;

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// The log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The filter cannot be read.
    #[error(
        "{0:?} is no log level: use off, error, warn, info, debug or trace, or levels by module, such \
         as info,privatelink_probe=debug"
    )]
    Filter(String),
    /// Something else set it up before.
    #[error("the log was set up before")]
    Twice,
}

/// Sends the log lines that `filter` lets pass to stderr: a level, or levels by module (see [`Targets`]).
/// Colours only for people: on a terminal, and not with `NO_COLOR`.
pub fn init(format: LineFormat, filter: &str) -> Result<(), InitError> {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = io::stderr().is_terminal() && !no_color;
    let writer = Mutex::new(LogWriter::new(io::stderr(), format));
    let subscriber = subscriber(format, filter, colour, writer)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| InitError::Twice)
}

pub(crate) fn subscriber<W>(
    format: LineFormat,
    filter: &str,
    colour: bool,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, InitError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = targets(filter).ok_or_else(|| InitError::Filter(filter.to_owned()))?;
    // The module's path is left out: `target` is the target's name.
    let builder = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE) // `filter` is what decides
        .with_writer(writer)
        // Those would be printed to stderr, and printing panics where stderr cannot be written.
        .log_internal_errors(false)
        .with_target(false);
    Ok(match format {
        LineFormat::Json => Box::new(builder.json().flatten_event(true).finish().with(filter)),
        LineFormat::Text => Box::new(builder.with_ansi(colour).finish().with(filter)),
    })
}

/// Modules that `filter` does not name keep the level `info`, unless it says another one.
fn targets(filter: &str) -> Option<Targets> {
    // By itself, a word that is no level would be read as a module's name, and silence all others.
    let mut directives = filter.split(',').map(str::trim);
    let is_level = |word: &str| !word.is_empty() && word.parse::<LevelFilter>().is_ok();
    let is_clear = directives.all(|word| word.contains('=') || is_level(word));
    let targets: Targets = filter.parse().ok().filter(|_| is_clear)?;
    Some(match targets.default_level() {
        Some(_) => targets,
        None => targets.with_default(LevelFilter::INFO),
    })
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_says_what_is_valid() {
        for filter in [
            "",
            "verbose",
            "info,=loud=",
            "debug,verbose",
            "privatelink_probe=loud",
        ] {
            let error = subscriber(LineFormat::Text, filter, false, io::sink).err();
            let error = error
                .unwrap_or_else(|| panic!("{filter:?} is taken"))
                .to_string();
            assert!(error.contains("error, warn, info"), "{error}");
        }
    }

    #[test]
    fn what_a_filter_does_not_name_stays_at_info() {
        let targets = targets("privatelink_probe=debug").expect("a filter");
        assert!(targets.would_enable("privatelink_probe::resolve", &Level::DEBUG));
        assert!(targets.would_enable("privatelink_report::events", &Level::INFO));
        assert!(!targets.would_enable("privatelink_report::events", &Level::DEBUG));
    }

    #[test]
    fn a_level_is_for_every_module() {
        let targets = targets("warn").expect("a filter");
        assert!(targets.would_enable("privatelink_report::events", &Level::WARN));
        assert!(!targets.would_enable("privatelink_report::events", &Level::INFO));
    }
}
