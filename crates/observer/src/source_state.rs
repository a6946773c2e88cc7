//! Source state: whether what a source says is known, as far as the API server lets it be.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::SystemTime;

use privatelink_discovery::{KINDS, Resource, Source};

use crate::events::WatchChanged;

/// Whether what a source says is known. In the order of what matters most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceState {
    /// The cluster does not have it.
    Absent,
    /// It is listed and watched.
    Ok,
    /// It was not listed yet, or the API server did not answer: what was known before stays in use.
    Stale,
    /// The service account may not read it.
    Forbidden,
}

impl SourceState {
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
    pub state: SourceState,
    /// Since when; of a stale one, when it was last known to be right.
    pub since: SystemTime,
    /// Why, where it is not `ok`.
    pub error: String,
    /// Whether it was ever known what it says.
    pub was_known: bool,
}

impl StateSince {
    /// The greater, the worse: of stale ones that which was never known, then that which is stale for longest.
    fn severity(&self) -> impl Ord + use<> {
        (self.state, !self.was_known, Reverse(self.since))
    }
}

/// The states of all watches.
#[derive(Debug)]
pub(crate) struct States {
    watches: BTreeMap<WatchName, StateSince>,
    started: SystemTime,
}

/// A kind, and the namespace that it is watched in; empty for the whole cluster.
pub(crate) type WatchName = (&'static str, String);

impl States {
    pub(crate) fn new(now: SystemTime) -> Self {
        Self {
            watches: BTreeMap::new(),
            started: now,
        }
    }

    /// A watch begins: nothing is known yet.
    pub(crate) fn add(&mut self, watch: WatchName) {
        let started = self.started;
        self.watches.entry(watch).or_insert_with(|| StateSince {
            state: SourceState::Stale,
            since: started,
            error: "not listed yet".to_owned(),
            was_known: false,
        });
    }

    /// The state of `watch` is this from `now` on.
    pub(crate) fn set(
        &mut self,
        watch: &WatchName,
        state: SourceState,
        error: &str,
        now: SystemTime,
    ) {
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
                was_known: known.was_known
                    || matches!(state, SourceState::Ok | SourceState::Absent),
            };
        } else if known.error != error {
            error.clone_into(&mut known.error);
        }
    }

    /// Whether every watch has an answer: its list, or why there is none.
    pub(crate) fn is_settled(&self) -> bool {
        let mut states = self.watches.values();
        states.all(|known| known.state != SourceState::Stale)
    }

    /// The state of the watches of `kind`: the worst of them. `None` without one.
    pub(crate) fn of_kind(&self, kind: &str) -> Option<StateSince> {
        let watches = self.watches.iter().filter(|((known, _), _)| *known == kind);
        let (_, worst) = watches.max_by_key(|(_, known)| known.severity())?;
        Some(worst.clone())
    }

    /// The namespaces in which `kind` is watched; an empty one stands for the whole cluster.
    pub(crate) fn scopes(&self, kind: &str) -> Vec<String> {
        let watches = self.watches.keys().filter(|(known, _)| *known == kind);
        watches.map(|(_, namespace)| namespace.clone()).collect()
    }

    /// The state of `source`: the worst of its kinds; absent where all those of a CRD are. `None` if it
    /// is off.
    pub(crate) fn of(&self, source: Source) -> Option<StateSince> {
        let kinds = KINDS
            .iter()
            .filter(|(_, sources)| sources.contains(&source));
        let (custom, built_in): (Vec<_>, Vec<_>) = kinds
            .map(|(resource, _)| resource)
            .partition(|resource| resource.is_custom);
        let worst = |kinds: &[&Resource]| {
            let reads = |kind: &str| kinds.iter().any(|resource| resource.kind == kind);
            let watches = self.watches.iter().filter(|((kind, _), _)| reads(kind));
            watches.max_by_key(|(_, known)| known.severity())
        };
        let (custom, built_in) = (worst(&custom), worst(&built_in));
        let is_absent = |(_, known): &(_, &StateSince)| known.state == SourceState::Absent;
        let ((kind, namespace), known) = match (custom, built_in) {
            (Some(custom), _) if is_absent(&custom) => custom,
            (custom, built_in) => custom
                .into_iter()
                .chain(built_in)
                .max_by_key(|(_, known)| known.severity())?,
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn states(watches: &[(&'static str, SourceState)]) -> States {
        let mut states = States::new(START);
        for (kind, state) in watches {
            let watch = (*kind, String::new());
            states.add(watch.clone());
            states.set(&watch, *state, "why", START);
        }
        states
    }

    fn of(watches: &[(&'static str, SourceState)], source: Source) -> Option<SourceState> {
        states(watches).of(source).map(|known| known.state)
    }

    #[test]
    fn a_source_is_as_well_known_as_the_worst_of_its_kinds() {
        let pods = |state| [("Pod", state), ("Deployment", SourceState::Ok)];
        for state in [SourceState::Ok, SourceState::Stale, SourceState::Forbidden] {
            assert_eq!(of(&pods(state), Source::Images), Some(state));
        }
        assert_eq!(of(&pods(SourceState::Ok), Source::Flux), None);
    }

    #[test]
    fn a_source_is_absent_where_all_its_kinds_of_a_crd_are() {
        let flux = |first, second| [("OCIRepository", first), ("HelmRepository", second)];
        let (ok, absent) = (SourceState::Ok, SourceState::Absent);
        assert_eq!(of(&flux(absent, absent), Source::Flux), Some(absent));
        assert_eq!(of(&flux(absent, ok), Source::Flux), Some(ok));
        let mounted = [("Pod", ok), ("SecretProviderClass", absent)];
        assert_eq!(of(&mounted, Source::SecretProviderClasses), Some(absent));
        assert_eq!(of(&mounted, Source::Images), Some(ok));
    }

    #[test]
    fn what_is_stale_is_so_since_it_was_last_right() {
        let watch = ("Pod", String::new());
        let mut states = states(&[("Pod", SourceState::Ok)]);
        let later = START + std::time::Duration::from_mins(5);
        states.set(&watch, SourceState::Stale, "no answer", later);
        states.set(
            &watch,
            SourceState::Stale,
            "still none",
            later + std::time::Duration::from_mins(5),
        );
        let known = states.of(Source::Images).expect("it is on");
        assert_eq!((known.since, &*known.error), (later, "Pod: still none"));
        assert!(!states.is_settled());
    }
}
