//! Reload: a configuration that is read again when the content of its files changes, and on SIGHUP.

use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::files::Files;
use crate::later::Memory;
use crate::plan::Plan;
use crate::problem::ConfigError;
use crate::read_files;

/// How often the files are looked at. Kubelet needs up to a minute to swap a `ConfigMap`; five
/// seconds add nothing to that, and the files are small.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Watches the files of a configuration, CA files included.
#[derive(Debug)]
pub struct Watcher {
    paths: Vec<PathBuf>,
    /// What the last attempt read, good or bad.
    seen: Files,
    /// What later files held when they could last be read.
    memory: Memory,
    looks: Interval,
    /// `None` where the process cannot listen to SIGHUP; then only the clock makes it look.
    hangup: Option<Signal>,
}

impl Watcher {
    /// Reads the configuration and begins to watch it. Needs a runtime.
    pub fn start(paths: &[PathBuf]) -> Result<(Plan, Self), ConfigError> {
        let mut seen = Files::default();
        let mut memory = Memory::default();
        let plan = read_files(paths, &mut seen, &mut memory)?;
        let mut looks = interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let watcher = Self {
            paths: paths.to_vec(),
            seen,
            memory,
            looks,
            hangup: signal(SignalKind::hangup()).ok(),
        };
        Ok((plan, watcher))
    }

    /// Waits until the content of a file differs from what was read last, or SIGHUP asks, and reads
    /// it all again.
    ///
    /// Unless asked, the same content is reported once, good or bad. Cancel safe: nothing is read
    /// before the last await.
    pub async fn changed(&mut self) -> Result<Plan, ConfigError> {
        loop {
            let asked = self.look().await;
            if asked || self.seen.changed() {
                let mut seen = Files::default();
                let plan = read_files(&self.paths, &mut seen, &mut self.memory);
                self.seen = seen;
                return plan;
            }
        }
    }

    /// Waits until it is time to look; whether somebody asks for a new attempt in any case.
    async fn look(&mut self) -> bool {
        let Some(hangup) = &mut self.hangup else {
            self.looks.tick().await;
            return false;
        };
        tokio::select! {
            _ = self.looks.tick() => false,
            signal = hangup.recv() => {
                if signal.is_none() {
                    self.hangup = None;
                }
                signal.is_some()
            }
        }
    }
}
