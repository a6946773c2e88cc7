//! Reload: reads files again when the content of one changes, and on SIGHUP.

use std::fmt::Debug;
use std::future::{pending, poll_fn};
use std::path::PathBuf;
use std::task::Poll;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until};

use crate::files::Files;
use crate::plan::Plan;
use crate::problem::ConfigError;
use crate::read_files;
use crate::target_file::LastGood;

/// How long the files are not read again to see whether they changed. Kubelet needs up to a minute to update
/// a `ConfigMap`, so a shorter time would gain little; and the files are small.
const POLL_AFTER: Duration = Duration::from_secs(5);
/// After this long they are read in any case. Before, they are read when something else wakes the task, so that
/// the polls alone seldom wake a process that has something to do now and then.
const POLL_WITHIN: Duration = Duration::from_secs(8);

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
    polled: Instant,
    /// `None` where the process cannot listen to SIGHUP; then the files are only polled.
    hangup: Option<Signal>,
}

impl<R: Reload> FileWatcher<R> {
    /// Reads the files and begins to watch them. Must be called within a tokio runtime.
    pub fn start(paths: &[PathBuf]) -> Result<(R::Meaning, Self), ConfigError> {
        let (state, meaning) = R::default().read(paths);
        let watcher = Self {
            paths: paths.to_vec(),
            state: Some(state),
            reading: None,
            polled: Instant::now(),
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
        let polled = self.polled;
        // What else wakes the task polls this future too.
        let woken = poll_fn(|_| {
            if polled.elapsed() >= POLL_AFTER {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => pending().await,
            }
        };
        let signal = tokio::select! {
            biased;
            signal = hangup => Some(signal),
            () = woken => None,
            () = sleep_until(polled + POLL_WITHIN) => None,
        };
        self.polled = Instant::now();
        if signal == Some(None) {
            self.hangup = None;
        }
        signal.flatten().is_some()
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

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::time::timeout;

    use super::*;

    /// A watcher of a configuration that has changed since.
    fn watcher(name: &str) -> (PathBuf, Watcher) {
        let name = format!("plp-reload-{name}-{}.yaml", std::process::id());
        let file = std::env::temp_dir().join(name);
        fs::write(&file, "targets: [{host: a.example.com}]\n").expect("a temporary file");
        let (_, watcher) = Watcher::start(std::slice::from_ref(&file)).expect("a plan");
        fs::write(&file, "targets: [{host: b.example.com}]\n").expect("a temporary file");
        (file, watcher)
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_seen_when_something_else_wakes_the_task() {
        let (file, mut watcher) = watcher("woken");
        let started = Instant::now();
        let changed = watcher.changed();
        tokio::pin!(changed);
        for second in [4, 6] {
            let other = sleep_until(started + Duration::from_secs(second));
            tokio::select! {
                biased;
                () = other => {}
                _ = &mut changed => panic!("before second {second}"),
            }
        }
        let plan = timeout(Duration::from_millis(1), changed).await;
        assert_eq!(
            plan.expect("at once").expect("a plan").targets[0].host,
            "b.example.com"
        );
        fs::remove_file(&file).expect("the temporary file");
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_seen_where_nothing_else_wakes_the_task() {
        let (file, mut watcher) = watcher("alone");
        let plan = timeout(POLL_WITHIN + Duration::from_millis(1), watcher.changed()).await;
        assert_eq!(
            plan.expect("in time").expect("a plan").targets[0].host,
            "b.example.com"
        );
        fs::remove_file(&file).expect("the temporary file");
    }
}
