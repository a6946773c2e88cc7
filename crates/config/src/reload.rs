//! Reload: reads the configuration again when the content of its files changes, and on SIGHUP.

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

/// What one attempt to read leaves for the next.
#[derive(Debug, Default)]
struct ReadState {
    seen: Files,
    last_good: LastGood,
}

/// Watches the files of a configuration, CA files included.
#[derive(Debug)]
pub struct Watcher {
    paths: Vec<PathBuf>,
    /// What the last attempt left, good or bad; `None` while the next one runs.
    state: Option<ReadState>,
    /// The attempt that runs.
    reading: Option<JoinHandle<(ReadState, Result<Plan, ConfigError>)>>,
    polls: Interval,
    /// `None` where the process cannot listen to SIGHUP; then the files are only polled.
    hangup: Option<Signal>,
}

impl Watcher {
    /// Reads the configuration and begins to watch it. Must be called within a tokio runtime.
    pub fn start(paths: &[PathBuf]) -> Result<(Plan, Self), ConfigError> {
        let (state, plan) = ReadState::default().read(paths);
        let mut polls = interval_at(Instant::now() + POLL_EVERY, POLL_EVERY);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let watcher = Self {
            paths: paths.to_vec(),
            state: Some(state),
            reading: None,
            polls,
            hangup: signal(SignalKind::hangup()).ok(),
        };
        Ok((plan?, watcher))
    }

    /// Waits until the content of a file is not what was read last, or until SIGHUP arrives, and then
    /// reads all files again, on a thread of its own: to read ten thousand targets takes seconds.
    ///
    /// Without SIGHUP the same content is reported once, whether good or bad. Cancel safe: an attempt
    /// that runs is kept.
    pub async fn changed(&mut self) -> Result<Plan, ConfigError> {
        loop {
            if let Some(reading) = &mut self.reading {
                let read = reading.await;
                self.reading = None;
                let (state, plan) = read.map_err(|error| {
                    ConfigError::plain(
                        format!("the configuration could not be read: {error}"),
                        None,
                    )
                })?;
                self.state = Some(state);
                return plan;
            }
            let is_hangup = self.poll_or_hangup().await;
            let is_changed = |state: &ReadState| is_hangup || state.seen.changed();
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

impl ReadState {
    /// Reads all files, given what the attempt before left.
    fn read(mut self, paths: &[PathBuf]) -> (Self, Result<Plan, ConfigError>) {
        let mut seen = Files::default();
        let plan = read_files(paths, &mut seen, &mut self.last_good);
        self.seen = seen;
        (self, plan)
    }
}
