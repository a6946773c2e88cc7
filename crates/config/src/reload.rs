//! Reload: reads the configuration again when the content of its files changes, and on SIGHUP.

use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::files::Files;
use crate::plan::Plan;
use crate::problem::ConfigError;
use crate::read_files;
use crate::target_file::LastGood;

/// How often the files are read to see whether they changed. Kubelet needs up to a minute to update a
/// `ConfigMap`, so a shorter time would gain little; and the files are small.
const POLL_EVERY: Duration = Duration::from_secs(5);

/// Watches the files of a configuration, CA files included.
#[derive(Debug)]
pub struct Watcher {
    paths: Vec<PathBuf>,
    /// The files of the last attempt, good or bad.
    seen: Files,
    last_good: LastGood,
    polls: Interval,
    /// `None` where the process cannot listen to SIGHUP; then the files are only polled.
    hangup: Option<Signal>,
}

impl Watcher {
    /// Reads the configuration and begins to watch it. Must be called within a tokio runtime.
    pub fn start(paths: &[PathBuf]) -> Result<(Plan, Self), ConfigError> {
        let mut seen = Files::default();
        let mut last_good = LastGood::default();
        let plan = read_files(paths, &mut seen, &mut last_good)?;
        let mut polls = interval_at(Instant::now() + POLL_EVERY, POLL_EVERY);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let watcher = Self {
            paths: paths.to_vec(),
            seen,
            last_good,
            polls,
            hangup: signal(SignalKind::hangup()).ok(),
        };
        Ok((plan, watcher))
    }

    /// Waits until the content of a file is not what was read last, or until SIGHUP arrives, and then
    /// reads all files again.
    ///
    /// Without SIGHUP the same content is reported once, whether good or bad. Cancel safe: nothing is
    /// read before the last await.
    pub async fn changed(&mut self) -> Result<Plan, ConfigError> {
        loop {
            let is_hangup = self.poll_or_hangup().await;
            if is_hangup || self.seen.changed() {
                let mut seen = Files::default();
                let plan = read_files(&self.paths, &mut seen, &mut self.last_good);
                self.seen = seen;
                return plan;
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
