//! Source state: whether what a source says is known, as far as the API server lets it be.

use std::collections::BTreeMap;
use std::time::SystemTime;

use privatelink_discovery::{KINDS, Source};

use crate::events::WatchChanged;

/// Whether what a source says is known. In the order of what matters most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The cluster does not have it.
    Absent,
    /// It is listed and watched.
    Ok,
    /// It was not listed yet, or the API server did not answer: what was known before stays in use.
    Stale,
    /// The service account may not read it.
    Forbidden,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Forbidden, Self::Absent, Self::Stale];

    /// The contract's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Forbidden => "forbidden",
            Self::Absent => "absent",
            Self::Stale => "stale",
        }
    }
}

/// The state of a watch or a source, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateSince {
    /// The state.
    pub state: State,
    /// Since when; of a stale one, when it was last known to be right.
    pub since: SystemTime,
    /// Why, where it is not `ok`.
    pub error: String,
}

/// The states of all watches.
#[derive(Debug)]
pub(crate) struct States {
    watches: BTreeMap<Watch, StateSince>,
    started: SystemTime,
}

/// A kind, and the namespace that it is watched in; empty for the whole cluster.
pub(crate) type Watch = (&'static str, String);

impl States {
    pub(crate) fn new(now: SystemTime) -> Self {
        Self {
            watches: BTreeMap::new(),
            started: now,
        }
    }

    /// A watch begins: nothing is known yet.
    pub(crate) fn add(&mut self, watch: Watch) {
        let started = self.started;
        self.watches.entry(watch).or_insert_with(|| StateSince {
            state: State::Stale,
            since: started,
            error: "not listed yet".to_owned(),
        });
    }

    /// The state of `watch` is this from `now` on.
    pub(crate) fn set(&mut self, watch: &Watch, state: State, error: &str, now: SystemTime) {
        let Some(known) = self.watches.get_mut(watch) else {
            return;
        };
        if known.state != state {
            let (kind, namespace) = (watch.0, watch.1.as_str());
            WatchChanged {
                kind,
                namespace,
                state,
                error,
            }
            .emit();
            // What is stale is so since it was last right; before the first list it never was.
            *known = StateSince {
                state,
                since: now,
                error: error.to_owned(),
            };
        } else if known.error != error {
            error.clone_into(&mut known.error);
        }
    }

    /// Whether every watch has an answer: its list, or why there is none.
    pub(crate) fn is_settled(&self) -> bool {
        let mut states = self.watches.values();
        states.all(|known| known.state != State::Stale)
    }

    /// The state of `source`: the worst of its kinds; absent only where all of them are. `None` if it is
    /// off.
    pub(crate) fn of(&self, source: Source) -> Option<StateSince> {
        let reads = |kind: &str| {
            let row = KINDS.iter().find(|(resource, _)| resource.kind == kind);
            row.is_some_and(|(_, sources)| sources.contains(&source))
        };
        let watches = self.watches.iter().filter(|((kind, _), _)| reads(kind));
        let worst = watches.max_by_key(|(_, known)| known.state)?;
        let ((kind, namespace), known) = worst;
        let mut known = known.clone();
        if !known.error.is_empty() {
            let place = if namespace.is_empty() {
                String::new()
            } else {
                format!(" in {namespace}")
            };
            known.error = format!("{kind}{place}: {}", known.error);
        }
        Some(known)
    }
}
