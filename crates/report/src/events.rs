//! Events: one struct for each thing that happens. To emit it writes its log line and adds to its
//! counter, so that log and metrics never differ.
//!
//! The field names are API in the JSON format; `target` is the target's name.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use privatelink_board::{ConfigState, Counters, HttpCounters, Probed, SchedulerState};
use privatelink_verdict::address::ClassSet;
use privatelink_verdict::reason::Reason;
use privatelink_verdict::sanitize::sentence;
use privatelink_verdict::verdict::Outcome;
use tracing::{debug, error, info, warn};

use crate::json::summary::Counts;
use crate::metrics::Metrics;
use crate::time::seconds;
use crate::version::VERSION;

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
    /// start writes nothing.
    pub fn emit(&self) {
        let (verdict, prose) = (&self.probed.verdict, self.probed.prose());
        let (summary, remedy) = (prose.summary(), prose.primary_remedy());
        let remedy = remedy.as_deref();
        macro_rules! line {
            ($level:ident, $message:literal) => {
                $level!(
                    target = self.probed.target.name.as_str(),
                    outcome = verdict.outcome.as_str(),
                    reason = verdict.reason.as_str(),
                    stage = verdict.stage().as_str(),
                    previous = self.previous.map(Reason::as_str),
                    summary = &*sentence(&summary),
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

/// A probe was completed: one for every probe.
#[derive(Debug)]
pub struct ProbeCompleted<'a> {
    /// The probe.
    pub probed: &'a Probed,
}

impl ProbeCompleted<'_> {
    /// Counts the probe, its stage and timeouts in `counters` and its durations in `metrics`, and
    /// writes the line, at debug.
    pub fn emit(&self, counters: &mut Counters, metrics: &Metrics) {
        let Probed {
            target,
            observation,
            verdict,
        } = self.probed;
        counters.count(observation, verdict);
        metrics.observe(self.probed);
        debug!(
            target = target.name.as_str(),
            outcome = verdict.outcome.as_str(),
            reason = verdict.reason.as_str(),
            seconds = seconds(observation.timing.total),
            "probe completed"
        );
    }
}

/// An answer holds other classes of addresses than the one before.
#[derive(Debug)]
pub struct AddressClassesChanged<'a> {
    /// The target's name.
    pub target: &'a str,
    /// The classes of the answer before.
    pub from: ClassSet,
    /// The classes of this one.
    pub to: ClassSet,
}

impl AddressClassesChanged<'_> {
    /// Counts the change and writes the line, at debug: where it matters, the verdict changes too.
    pub fn emit(&self, counters: &mut Counters) {
        counters.class_changes += 1;
        debug!(
            target = self.target,
            from = %self.from,
            to = %self.to,
            "the classes of the addresses changed"
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
    /// Counts the panic and writes the line.
    pub fn emit(&self, scheduler: &mut SchedulerState) {
        scheduler.panics += 1;
        error!(
            target = self.target,
            error = &*sentence(self.message),
            "a probe panicked, which is a defect of this program; please report it"
        );
    }
}

/// Beats were skipped, because the probe before was late or the agent itself was.
#[derive(Debug)]
pub struct BeatSkipped<'a> {
    /// The target's name.
    pub target: &'a str,
    /// How many beats were skipped at once.
    pub beats: u64,
}

impl BeatSkipped<'_> {
    /// Counts the beats and writes the line, at debug.
    pub fn emit(&self, scheduler: &mut SchedulerState) {
        scheduler.skipped += self.beats;
        debug!(
            target = self.target,
            beats = self.beats,
            "beats were skipped: the probe before was late"
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
            seconds = seconds(self.longest),
            "probes wait for a limit; raise it, or lengthen the interval"
        );
    }
}

/// A request was refused, because too many replies were under way.
#[derive(Debug)]
pub struct RequestRefused;

impl RequestRefused {
    /// Counts the request and writes the line, at debug: clients decide how many there are.
    pub fn emit(&self, http: &HttpCounters) {
        http.refused.fetch_add(1, Ordering::Relaxed);
        debug!("a request was refused: too many replies are under way");
    }
}

/// A connection was ended, because its client read a reply too slowly.
#[derive(Debug)]
pub struct SlowReaderEnded;

impl SlowReaderEnded {
    /// Counts the reader and writes the line, at debug: clients decide how many there are.
    pub fn emit(&self, http: &HttpCounters) {
        http.slow_readers.fetch_add(1, Ordering::Relaxed);
        debug!("a connection was ended: its client read a reply too slowly");
    }
}

/// A request was refused, because who sent it may not read.
#[derive(Debug)]
pub struct AccessDenied;

impl AccessDenied {
    /// Counts the request and writes the line, at debug: clients decide how many there are.
    pub fn emit(&self, http: &HttpCounters) {
        http.denied.fetch_add(1, Ordering::Relaxed);
        debug!("a request was refused: who sent it may not read");
    }
}

/// A web configuration was loaded, with the certificate that it names.
#[derive(Debug)]
pub struct WebConfigLoaded {
    /// Whether the port speaks TLS.
    pub tls: bool,
    /// How many users there are.
    pub users: usize,
}

impl WebConfigLoaded {
    /// Writes the line.
    pub fn emit(&self) {
        let Self { tls, users } = self;
        info!(tls, users, "web configuration loaded");
    }
}

/// A web configuration was refused, and the previous one stays in use.
#[derive(Debug)]
pub struct WebConfigRefused<'a> {
    /// What is wrong with it.
    pub error: &'a str,
}

impl WebConfigRefused<'_> {
    /// Writes the line.
    pub fn emit(&self) {
        error!(
            error = self.error,
            "web configuration refused; the previous one stays in use"
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
                warning = &*sentence(warning),
                "the configuration is doubtful"
            );
        }
    }
}

/// A new configuration was refused, and the agent keeps the previous one.
#[derive(Debug)]
pub struct ConfigRefused<'a> {
    /// What is wrong with it.
    pub error: &'a str,
}

impl ConfigRefused<'_> {
    /// Records that the latest reload failed, and why, and writes the line.
    pub fn emit(&self, config: &mut ConfigState) {
        config.last_reload_ok = false;
        config.error = Some(self.error.to_owned());
        self.log();
    }

    /// Writes the line.
    pub fn log(&self) {
        error!(
            error = self.error,
            "configuration refused; the previous one stays in use"
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

/// The observer has started.
#[derive(Debug)]
pub struct ObserverStarted {
    /// Where it listens.
    pub listen: SocketAddr,
}

impl ObserverStarted {
    /// Writes the line.
    pub fn emit(&self) {
        info!(version = VERSION, listen = %self.listen, "observer started");
    }
}

/// The observer is stopping.
#[derive(Debug)]
pub struct ObserverStopping<'a> {
    /// Why: the signal's name.
    pub cause: &'a str,
}

impl ObserverStopping<'_> {
    /// Writes the line.
    pub fn emit(&self) {
        info!(cause = self.cause, "observer stopping");
    }
}

/// Every initial target was probed, or a minute has passed since the start.
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
