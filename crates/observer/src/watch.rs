//! Watch: follows the objects of one kind, in one namespace or in the whole cluster, and hands what they
//! say to who keeps it.
//!
//! Whatever goes wrong, the objects are listed again, after a pause that grows. What was known stays until
//! the new list is complete.

use std::fmt::Debug;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt as _;
use kube::runtime::watcher::{Config, Error, Event, watcher};
use kube::{Api, Client};
use privatelink_discovery::Resource;
use serde::de::DeserializeOwned;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep};

use crate::Shared;
use crate::served::Served;
use crate::source_state::{SourceState, WatchName};

/// After this many seconds the API server is asked to end a watch, and it is begun again: so a dead
/// connection and a right that was withdrawn are noticed.
const SECONDS: u32 = 120;

/// Objects of a page, where objects are listed by pages.
const PAGE: u32 = 100;

/// The pause before a list is tried again: the first; the longest.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How long a kind that the API server does not have is believed to stay so, unless its group changes.
const ABSENT: Duration = Duration::from_mins(5);

/// Between two lists of objects for which there was no room.
const LIST_AGAIN: Duration = Duration::from_mins(5);

/// What is watched, and who keeps what the objects say.
pub(crate) trait Watched: Send + Sync + 'static {
    /// An object as it is kept no longer than until it was read.
    type Object: kube::Resource + Clone + Debug + DeserializeOwned + Send + 'static;

    /// What the state of the watch is called.
    const NAME: &'static str = Self::RESOURCE.kind;

    /// Where the API server serves it.
    const RESOURCE: Resource;

    /// The objects of `namespace`, or of the whole cluster where it is empty, in `version`.
    fn api(client: Client, namespace: &str, version: &str) -> Api<Self::Object>;

    /// Which of the objects are wanted.
    fn config(_: &Shared, config: Config) -> Config {
        config
    }

    /// Whether there was room for every object. Where there was not, all are listed again from time to time: others
    /// may have gone since.
    fn has_room(_: &Shared) -> bool {
        true
    }

    /// Takes what the API server says about `scope`: a namespace, or empty for the whole cluster.
    fn take(shared: &Shared, scope: &str, event: Event<Self::Object>);
}

/// A watch.
pub(crate) struct Watch {
    pub(crate) client: Client,
    pub(crate) shared: Shared,
    /// The versions that the API server serves.
    pub(crate) served: Receiver<Served>,
    /// The namespace; empty for the whole cluster.
    pub(crate) namespace: String,
}

/// Why a list or a watch ended.
enum End {
    /// The rules changed, or there was no room for all objects: everything has to be read again.
    Anew,
    /// The API server does not have the kind in this version.
    Absent,
    /// It cannot send a list as a stream.
    NoStreaming,
    Failed(SourceState, String),
}

impl Watch {
    /// Runs until it is dropped.
    pub(crate) async fn run<W: Watched>(mut self) {
        let name = (W::NAME, self.namespace.clone());
        self.shared.states().add(name.clone());
        let mut is_streaming = true;
        let mut pause = PAUSE.0;
        loop {
            let served = self.served.borrow_and_update().clone();
            let Some(version) = served.version(&W::RESOURCE) else {
                if served.is_known() {
                    self.absent::<W>(&name, "the API server does not have its group");
                }
                // The sender lives as long as the observer.
                let _ = self.served.changed().await;
                continue;
            };
            let (end, listed) = self.follow::<W>(&name, version, is_streaming).await;
            // A watch that ends soon after each list must not make the API server list all the time.
            if listed.is_some_and(|at| at.elapsed() > PAUSE.1) {
                pause = PAUSE.0;
            }
            match end {
                End::Anew => {}
                End::NoStreaming => is_streaming = false,
                End::Absent => {
                    self.absent::<W>(&name, "the API server does not have the kind");
                    tokio::select! {
                        _ = self.served.changed() => {}
                        () = sleep(ABSENT) => {}
                    }
                }
                End::Failed(state, error) => {
                    self.set(&name, state, &error);
                    sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
            }
        }
    }

    /// Lists and watches until something ends it; and when the list was complete, if it was.
    async fn follow<W: Watched>(
        &self,
        name: &WatchName,
        version: &str,
        is_streaming: bool,
    ) -> (End, Option<Instant>) {
        let mut rules = self.shared.rules.clone();
        rules.mark_unchanged();
        let mut config = Config::default().timeout(SECONDS);
        config = if is_streaming {
            config.streaming_lists()
        } else {
            config.page_size(PAGE)
        };
        config = W::config(&self.shared, config);
        let api = W::api(self.client.clone(), &self.namespace, version);
        let mut events = pin!(watcher(api, config));
        let mut listed = None;
        let mut list_again = pin!(sleep(LIST_AGAIN));
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                Ok(()) = rules.changed() => return (End::Anew, listed),
                () = &mut list_again => {
                    if !W::has_room(&self.shared) {
                        return (End::Anew, listed);
                    }
                    list_again.as_mut().reset(Instant::now() + LIST_AGAIN);
                    continue;
                }
            };
            let event = match event {
                Some(Ok(event)) => event,
                Some(Err(error)) => return (ended(&error, is_streaming), listed),
                None => {
                    let ended = "the watch ended".to_owned();
                    return (End::Failed(SourceState::Stale, ended), listed);
                }
            };
            let is_complete = matches!(event, Event::InitDone);
            W::take(&self.shared, &self.namespace, event);
            if is_complete {
                listed = Some(Instant::now());
                self.set(name, SourceState::Ok, "");
            } else if listed.is_some() {
                self.shared.changed.notify_one();
            }
        }
    }

    /// Without the kind there are no objects of it.
    fn absent<W: Watched>(&self, name: &WatchName, why: &str) {
        for event in [Event::Init, Event::InitDone] {
            W::take(&self.shared, &self.namespace, event);
        }
        self.set(name, SourceState::Absent, why);
    }

    fn set(&self, name: &WatchName, state: SourceState, error: &str) {
        let now = SystemTime::now();
        self.shared.states().set(name, state, error, now);
        self.shared.changed.notify_one();
    }
}

fn ended(error: &Error, was_streaming: bool) -> End {
    let cause = match error {
        Error::InitialListFailed(cause)
        | Error::WatchStartFailed(cause)
        | Error::WatchFailed(cause) => cause,
        error => return End::Failed(SourceState::Stale, error.to_string()),
    };
    let kube::Error::Api(status) = cause else {
        return End::Failed(SourceState::Stale, cause.to_string());
    };
    match status.code {
        401 | 403 => End::Failed(SourceState::Forbidden, status.message.clone()),
        404 => End::Absent,
        // A server without the feature WatchList refuses a watch that asks for the present objects.
        400 | 422 if was_streaming => End::NoStreaming,
        _ => End::Failed(SourceState::Stale, status.message.clone()),
    }
}

#[cfg(test)]
mod tests;
