//! Watch: follows the objects of one kind, in one namespace or in the whole cluster, and hands what they
//! say to the index.
//!
//! Whatever goes wrong, the objects are listed again, after a pause that grows. What was known stays until
//! the new list is complete.

use std::pin::pin;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt as _;
use kube::api::ApiResource;
use kube::runtime::watcher::{self, Error, watcher};
use kube::{Api, Client, core::GroupVersionKind};
use privatelink_discovery::{Event, Key, Kind, Resource};
use tokio::sync::watch::Receiver;
use tokio::time::sleep;

use crate::Shared;
use crate::served::Served;
use crate::source_state::{State, Watch as Name};
use crate::watched::Watched;

/// After this many seconds the API server is asked to end a watch, and it is begun again: so a dead
/// connection and a right that was withdrawn are noticed.
const SECONDS: u32 = 120;

/// Objects of a page, where objects are listed by pages.
const PAGE: u32 = 100;

/// The pause before a list is tried again: the first; the longest.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How long a kind that the API server does not have is believed to stay so, unless its group changes.
const ABSENT: Duration = Duration::from_mins(5);

/// Pods that ended use nothing any more, so the API server need not send them.
const RUNNING: &str = "status.phase!=Succeeded,status.phase!=Failed";

/// The watch of the kind `K`.
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
    /// The rules changed, so everything has to be read again.
    NewRules,
    /// The API server does not have the kind in this version.
    Absent,
    /// It cannot send a list as a stream.
    NoStreaming,
    Failed(State, String),
}

impl Watch {
    /// Runs until it is dropped.
    pub(crate) async fn run<K: Kind>(mut self) {
        let name: Name = (K::RESOURCE.kind, self.namespace.clone());
        self.shared.states().add(name.clone());
        let mut is_streaming = true;
        let mut pause = PAUSE.0;
        loop {
            let served = self.served.borrow_and_update().clone();
            let Some(version) = served.version(&K::RESOURCE) else {
                if served.is_known() {
                    self.set(
                        &name,
                        State::Absent,
                        "the API server does not have its group",
                    );
                }
                // The sender lives as long as the observer.
                let _ = self.served.changed().await;
                continue;
            };
            let (end, was_listed) = self.follow::<K>(&name, version, is_streaming).await;
            if was_listed {
                pause = PAUSE.0;
            }
            match end {
                End::NewRules => {}
                End::NoStreaming => is_streaming = false,
                End::Absent => {
                    self.set(
                        &name,
                        State::Absent,
                        "the API server does not have the kind",
                    );
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

    /// Lists and watches until something ends it; whether the list was complete.
    async fn follow<K: Kind>(&self, name: &Name, version: &str, is_streaming: bool) -> (End, bool) {
        let mut rules = self.shared.rules.clone();
        let current = rules.borrow_and_update().clone();
        let mut config = watcher::Config::default().timeout(SECONDS);
        config = if is_streaming {
            config.streaming_lists()
        } else {
            config.page_size(PAGE)
        };
        if K::RESOURCE.kind == "Pod" {
            config = config.fields(RUNNING);
        }
        let mut events = pin!(watcher(self.api::<K>(version), config));
        let mut is_listed = false;
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                _ = rules.changed() => return (End::NewRules, is_listed),
            };
            let event = match event {
                Some(Ok(event)) => event,
                Some(Err(error)) => return (ended(&error, is_streaming), is_listed),
                None => {
                    return (
                        End::Failed(State::Stale, "the watch ended".to_owned()),
                        is_listed,
                    );
                }
            };
            let found = |watched: &Watched<K>| watched.object.find(&current.discovery);
            let event = match event {
                watcher::Event::Init => Event::Init,
                watcher::Event::InitApply(watched) => {
                    Event::InitApply(key(&watched), found(&watched))
                }
                watcher::Event::InitDone => {
                    is_listed = true;
                    Event::InitDone
                }
                watcher::Event::Apply(watched) => Event::Apply(key(&watched), found(&watched)),
                watcher::Event::Delete(watched) => Event::Delete(key(&watched)),
            };
            let is_done = matches!(event, Event::InitDone);
            let is_news = is_listed;
            self.shared.index().take(name.0, &name.1, event);
            if is_done {
                self.set(name, State::Ok, "");
            }
            if is_news {
                self.shared.changed.notify_one();
            }
        }
    }

    fn api<K: Kind>(&self, version: &str) -> Api<Watched<K>> {
        let Resource {
            group,
            kind,
            plural,
            ..
        } = K::RESOURCE;
        let gvk = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk_with_plural(&gvk, plural);
        if self.namespace.is_empty() {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
        }
    }

    fn set(&self, name: &Name, state: State, error: &str) {
        self.shared
            .states()
            .set(name, state, error, SystemTime::now());
        self.shared.changed.notify_one();
    }
}

fn key<K: Kind>(watched: &Watched<K>) -> Key {
    let metadata = &watched.object.metadata;
    Key {
        namespace: metadata.namespace.clone(),
        name: metadata.name.clone(),
    }
}

fn ended(error: &Error, was_streaming: bool) -> End {
    let (Error::InitialListFailed(cause)
    | Error::WatchStartFailed(cause)
    | Error::WatchFailed(cause)) = error
    else {
        return match error {
            Error::WatchError(status) if status.code == 410 => End::Failed(
                State::Stale,
                "the API server no longer has the version".to_owned(),
            ),
            _ => End::Failed(State::Stale, error.to_string()),
        };
    };
    match cause {
        kube::Error::Api(status) if status.is_forbidden() || status.code == 401 => {
            End::Failed(State::Forbidden, status.message.clone())
        }
        kube::Error::Api(status) if status.is_not_found() => End::Absent,
        // A server without the feature WatchList refuses a watch that asks for the present objects.
        kube::Error::Api(status) if was_streaming && matches!(status.code, 400 | 422) => {
            End::NoStreaming
        }
        cause => End::Failed(State::Stale, cause.to_string()),
    }
}
