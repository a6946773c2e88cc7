//! Reload: reads files again when the content of one changes, and on SIGHUP.

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::files::Files;
use crate::plan::Plan;
use crate::problem::ConfigError;
use crate::read_files;
use crate::target_file::LastGood;

/// How often the files are read to see whether they changed. Kubelet needs up to a minute to update a
/// `ConfigMap`, so a shorter time would gain little; and the files are small.
const POLL_EVERY: Duration = Duration::from_secs(5);

/// What is read from files. It holds what one attempt to read them leaves for the next.
pub trait Reload: Default + Send + 'static {
    /// What the files say.
    type Meaning: Debug + Send + 'static;

    /// Reads all files, given what the attempt before left.
    fn read(self, paths: &[PathBuf]) -> (Self, Result<Self::Meaning, ConfigError>);

    /// Whether the content of a file is not what was read last.
    fn has_changed(&self) -> bool;
}

/// The files of a configuration, CA files included.
#[derive(Debug, Default)]
pub struct PlanFiles {
    seen: Files,
    last_good: LastGood,
}

/// What an attempt to read leaves, and what it read.
type Attempt<R> = (R, Result<<R as Reload>::Meaning, ConfigError>);

/// Watches the files of a configuration.
pub type Watcher = FileWatcher<PlanFiles>;

/// Watches files.
#[derive(Debug)]
pub struct FileWatcher<R: Reload> {
    paths: Vec<PathBuf>,
    /// What the last attempt left, good or bad; `None` while the next one runs.
    state: Option<R>,
    /// The attempt that runs.
    reading: Option<JoinHandle<Attempt<R>>>,
    polls: Interval,
    /// `None` where the process cannot listen to SIGHUP; then the files are only polled.
    hangup: Option<Signal>,
}

impl<R: Reload> FileWatcher<R> {
    /// Reads the files and begins to watch them. Must be called within a tokio runtime.
    pub fn start(paths: &[PathBuf]) -> Result<(R::Meaning, Self), ConfigError> {
        let (state, meaning) = R::default().read(paths);
        let mut polls = interval_at(Instant::now() + POLL_EVERY, POLL_EVERY);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let watcher = Self {
            paths: paths.to_vec(),
            state: Some(state),
            reading: None,
            polls,
            hangup: signal(SignalKind::hangup()).ok(),
        };
        Ok((meaning?, watcher))
    }

    /// Waits until the content of a file is not what was read last, or until SIGHUP arrives, and then
    /// reads all files again, on a thread of its own: to read ten thousand targets takes seconds.
    ///
    /// Without SIGHUP the same content is reported once, whether good or bad. Cancel safe: an attempt
    /// that runs is kept.
    pub async fn changed(&mut self) -> Result<R::Meaning, ConfigError> {
        loop {
            if let Some(reading) = &mut self.reading {
                let read = reading.await;
                self.reading = None;
                let (state, meaning) = read.map_err(|error| {
                    ConfigError::plain(
                        format!("the configuration could not be read: {error}"),
                        None,
                    )
                })?;
                self.state = Some(state);
                return meaning;
            }
            let is_hangup = self.poll_or_hangup().await;
            let is_changed = |state: &R| is_hangup || state.has_changed();
            if self.state.as_ref().is_none_or(is_changed) {
                let (state, paths) = (self.state.take().unwrap_or_default(), self.paths.clone());
                self.reading = Some(spawn_blocking(move || state.read(&paths)));
            }
        }
    }

    /// Waits for the next poll or for SIGHUP; returns whether it was SIGHUP.
    async fn poll_or_hangup(&mut self) -> bool {
        let Some(hangup) = &mut self.hangup else {
            self.polls.tick().await;
            return false;
        };
        tokio::select! {
            _ = self.polls.tick() => false,
            signal = hangup.recv() => {
                if signal.is_none() {
                    self.hangup = None;
                }
                signal.is_some()
            }
        }
    }
}

impl Reload for PlanFiles {
    type Meaning = Plan;

    fn read(mut self, paths: &[PathBuf]) -> (Self, Result<Plan, ConfigError>) {
        let mut seen = Files::default();
        let plan = read_files(paths, &mut seen, &mut self.last_good);
        self.seen = seen;
        (self, plan)
    }

    fn has_changed(&self) -> bool {
        self.seen.changed()
    }
}
