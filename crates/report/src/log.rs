//! Log: one struct for every thing that happens and is worth a line. Its field names are API in
//! the JSON format; `target` is the target's name.

use std::error::Error;
use std::fmt;
use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::time::Duration;

use clap::ValueEnum;
use privatelink_verdict::reason::Reason;
use privatelink_verdict::verdict::Outcome;
use tracing::{Subscriber, debug, error, info, warn};
use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::json::summary::Counts;
use crate::json::{VERSION, convert};
use crate::text;
use privatelink_board::Probed;

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// The logs could not be set up.
#[derive(Debug)]
pub enum InitError {
    /// The level is none.
    Level {
        /// What was given.
        level: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Something else set them up before.
    Twice,
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level { level, .. } => write!(
                f,
                "{level:?} is no log level; use error, warn, info, debug or trace, or a filter \
                 such as info,privatelink_prober::probe=debug"
            ),
            Self::Twice => f.write_str("the logs were set up before"),
        }
    }
}

impl Error for InitError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Level { source, .. } => Some(source),
            Self::Twice => None,
        }
    }
}

/// Sends log lines of `level` (or of a list of levels by module, see [`Targets`]) and above to stderr.
/// Colours only for people: on a terminal, and not with `NO_COLOR`.
pub fn init(format: Format, level: &str) -> Result<(), InitError> {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = io::stderr().is_terminal() && !no_color;
    let subscriber = subscriber(format, level, colour, io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| InitError::Twice)
}

fn subscriber<W>(
    format: Format,
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
        Format::Json => Box::new(builder.json().flatten_event(true).finish().with(filter)),
        Format::Text => Box::new(builder.with_ansi(colour).finish().with(filter)),
    })
}

/// A target's verdict is another one than before, or its first.
#[derive(Debug)]
pub struct VerdictChanged<'a> {
    /// The probe that changed it.
    pub probed: &'a Probed,
    /// The reason before; `None` for a first verdict.
    pub previous: Option<Reason>,
}

impl VerdictChanged<'_> {
    /// Writes the line: a warning for a failure, else information; a target that passes from the
    /// start is no news.
    pub fn emit(&self) {
        let verdict = &self.probed.verdict;
        let remedy = convert::remedy_of(verdict.reason);
        macro_rules! line {
            ($level:ident, $message:literal) => {
                $level!(
                    target = self.probed.target.name.as_str(),
                    outcome = verdict.outcome.as_str(),
                    reason = verdict.reason.as_str(),
                    stage = verdict.stage().as_str(),
                    previous = self.previous.map(Reason::as_str),
                    summary = &*text::sentence(&verdict.summary),
                    remedy = remedy,
                    $message
                )
            };
        }
        match (verdict.outcome, self.previous) {
            (Outcome::Fail, None) => line!(warn, "first verdict"),
            (Outcome::Warn, None) => line!(info, "first verdict"),
            (Outcome::Pass, None) => line!(debug, "first verdict"),
            (Outcome::Fail, Some(_)) => line!(warn, "verdict changed"),
            (Outcome::Warn | Outcome::Pass, Some(_)) => line!(info, "verdict changed"),
        }
    }
}

/// A probe was completed and changed nothing.
#[derive(Debug)]
pub struct ProbeCompleted<'a>(pub &'a Probed);

impl ProbeCompleted<'_> {
    /// Writes the line, for those who debug.
    pub fn emit(&self) {
        debug!(
            target = self.0.target.name.as_str(),
            outcome = self.0.verdict.outcome.as_str(),
            reason = self.0.verdict.reason.as_str(),
            seconds = text::seconds(self.0.observation.timing.total),
            "probed"
        );
    }
}

/// A probe panicked: a defect of ours.
#[derive(Debug)]
pub struct ProbePanicked<'a> {
    /// The target's name.
    pub target: &'a str,
    /// What the panic said.
    pub message: &'a str,
}

impl ProbePanicked<'_> {
    /// Writes the line.
    pub fn emit(&self) {
        error!(
            target = self.target,
            error = &*text::sentence(self.message),
            "a probe panicked, which is a defect of this program; please report it"
        );
    }
}

/// A beat was skipped, because the probe before it was late.
#[derive(Debug)]
pub struct BeatSkipped<'a> {
    /// The target's name.
    pub target: &'a str,
    /// How many beats were skipped at once.
    pub beats: u64,
}

impl BeatSkipped<'_> {
    /// Writes the line.
    pub fn emit(&self) {
        debug!(
            target = self.target,
            beats = self.beats,
            "a beat was skipped: the probe before it was late"
        );
    }
}

/// Probes wait for a limit for longer than they should.
#[derive(Debug, PartialEq, Eq)]
pub struct LimitWaiting {
    /// The limit's name in the configuration: `limits.maxConcurrent`, `limits.maxDnsQps`.
    pub limit: &'static str,
    /// How many probes waited since the last such line.
    pub probes: u64,
    /// For how long the one of them waited that waited longest.
    pub longest: Duration,
}

impl LimitWaiting {
    /// Writes the line.
    pub fn emit(&self) {
        warn!(
            limit = self.limit,
            probes = self.probes,
            seconds = text::seconds(self.longest),
            "probes wait for a limit; raise it, or lengthen the interval"
        );
    }
}

/// A configuration was loaded.
#[derive(Debug)]
pub struct ConfigLoaded<'a> {
    /// How many targets it has.
    pub targets: usize,
    /// What is doubtful about it.
    pub warnings: &'a [String],
}

impl ConfigLoaded<'_> {
    /// Writes a line, and one for every warning.
    pub fn emit(&self) {
        info!(targets = self.targets, "configuration loaded");
        for warning in self.warnings {
            warn!(
                warning = &*text::sentence(warning),
                "the configuration is doubtful"
            );
        }
    }
}

/// A new configuration was refused; the one before goes on.
#[derive(Debug)]
pub struct ConfigRefused<'a> {
    /// What is wrong with it.
    pub error: &'a str,
}

impl ConfigRefused<'_> {
    /// Writes the line.
    pub fn emit(&self) {
        error!(
            error = self.error,
            "configuration refused; the one before goes on"
        );
    }
}

/// The agent has started.
#[derive(Debug)]
pub struct AgentStarted<'a> {
    /// The node's name.
    pub node: &'a str,
    /// Where it listens.
    pub listen: SocketAddr,
    /// How many targets it has.
    pub targets: usize,
}

impl AgentStarted<'_> {
    /// Writes the line.
    pub fn emit(&self) {
        info!(
            version = VERSION,
            node = self.node,
            listen = %self.listen,
            targets = self.targets,
            "agent started"
        );
    }
}

/// Every initial target was probed.
#[derive(Debug)]
pub struct AgentReady {
    /// How the first round ended.
    pub counts: Counts,
}

impl AgentReady {
    /// Writes the line.
    pub fn emit(&self) {
        let Counts {
            pass,
            warn,
            fail,
            unknown,
        } = self.counts;
        info!(pass, warn, fail, unknown, "agent ready");
    }
}

/// The agent is stopping.
#[derive(Debug)]
pub struct AgentStopping<'a> {
    /// Why: the signal's name.
    pub cause: &'a str,
}

impl AgentStopping<'_> {
    /// Writes the line.
    pub fn emit(&self) {
        info!(cause = self.cause, "agent stopping");
    }
}

#[cfg(test)]
mod tests;
