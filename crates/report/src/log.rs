//! Log: how log lines are written, and which. What they say is in [`crate::events`].

use std::io::{self, IsTerminal as _};

use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

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
    /// The level is none.
    #[error(
        "{level:?} is no log level; use error, warn, info, debug or trace, or a filter such as \
         info,privatelink_probe=debug"
    )]
    Level {
        /// What was given.
        level: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Something else set it up before.
    #[error("the log was set up before")]
    Twice,
}

/// Sends log lines of `level` (or of a list of levels by module, see [`Targets`]) and above to stderr.
/// Colours only for people: on a terminal, and not with `NO_COLOR`.
pub fn init(format: LineFormat, level: &str) -> Result<(), InitError> {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = io::stderr().is_terminal() && !no_color;
    let subscriber = subscriber(format, level, colour, io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| InitError::Twice)
}

pub(crate) fn subscriber<W>(
    format: LineFormat,
    level: &str,
    colour: bool,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, InitError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter: Targets = level.parse().map_err(|source| InitError::Level {
        level: level.to_owned(),
        source,
    })?;
    // The module's path is left out: `target` is the target's name.
    let builder = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE) // `filter` is what decides
        .with_writer(writer)
        .with_target(false);
    Ok(match format {
        LineFormat::Json => Box::new(builder.json().flatten_event(true).finish().with(filter)),
        LineFormat::Text => Box::new(builder.with_ansi(colour).finish().with(filter)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_level_says_which_there_are() {
        let error = subscriber(LineFormat::Text, "info,=loud=", false, io::sink).err();
        let error = error.expect("no level").to_string();
        assert!(error.contains("error, warn, info"), "{error}");
    }
}
