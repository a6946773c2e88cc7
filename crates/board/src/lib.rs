//! Board: what the agent knows right now: every target with its latest probe and its counters.
//!
//! The agent writes to it; metrics, the API and the page read from it. It is shared behind a mutex
//! that is never held across an await.

#[cfg(any(test, feature = "fixtures"))]
pub mod fixtures;
mod path_history;
mod summary_budget;
#[cfg(test)]
mod tests;
mod verdict_history;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use privatelink_verdict::address::ClassSet;
use privatelink_verdict::observation::Observation;
use privatelink_verdict::prose::Prose;
use privatelink_verdict::reason::{Reason, Stage};
use privatelink_verdict::sanitize::sentence;
use privatelink_verdict::target::Target;
use privatelink_verdict::verdict::{Outcome, Verdict};

pub use self::path_history::{PathHistory, Paths};
use self::summary_budget::SummaryBudget;
pub use self::verdict_history::{VerdictChange, VerdictHistory};
use privatelink_config::plan::{Detail, Plan, Rejected};

/// How many transitions of a target are kept.
pub const TRANSITIONS: usize = 100;

/// How many different summaries of a target's transitions are kept. Targets that flap go back and forth
/// between a few; where each is another, those of older transitions are dropped.
const SUMMARIES: usize = 8;

/// Lines that are shown of why a configuration was refused.
const ERROR_LINES: usize = 40;

/// What the agent knows right now.
#[derive(Debug)]
pub struct Board {
    /// The node's name, on every series and report.
    pub node: String,
    /// When the agent started.
    pub started_at: SystemTime,
    /// Every target, in the plan's order.
    pub entries: Vec<Entry>,
    /// The hash of each name and the place of its entry, in the order of the hashes: numbers side by side are quicker
    /// to search than names, each of which is elsewhere in memory.
    by_name: Box<[(u32, u32)]>,
    /// How many series a target gets.
    pub detail: Detail,
    /// The state of the configuration.
    pub config: ConfigState,
    /// Whether the latest attempt to load the web configuration succeeded; `None` where there is none.
    pub web_reload_ok: Option<bool>,
    /// The state of the scheduler.
    pub scheduler: SchedulerState,
    /// What was counted of the clients of the HTTP server.
    pub http: Arc<HttpCounters>,
    /// What the summaries of all transitions take.
    summaries: SummaryBudget,
}

/// One target, its latest probe and its counters.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The target.
    pub target: Arc<Target>,
    /// The latest completed probe.
    pub latest: Option<Arc<Probed>>,
    /// Its verdicts so far.
    pub verdicts: VerdictHistory,
    /// What was counted since the target appeared. Shared, so that a scrape can take it as it is.
    pub counters: Arc<Counters>,
    /// Changes of the verdict, oldest first, at most [`TRANSITIONS`].
    pub transitions: VecDeque<Transition>,
    /// Since when transitions are kept.
    pub since: SystemTime,
    /// What each path to it answered over time.
    pub paths: Paths,
    /// The classes of the last answered probe.
    last_classes: Option<ClassSet>,
    /// The places of its companions, and of the targets whose companion it is, in order.
    companions: Box<[usize]>,
}

/// A completed probe and its verdict.
#[derive(Clone, Debug)]
pub struct Probed {
    /// The target as it was probed.
    pub target: Arc<Target>,
    /// The facts.
    pub observation: Observation,
    /// What they mean.
    pub verdict: Verdict,
}

impl Probed {
    /// The verdict in words.
    pub fn prose(&self) -> Prose<'_> {
        Prose::of(&self.target, &self.observation, &self.verdict)
    }
}

/// What is new about a completed probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Its verdict, where that is the first or not the one before.
    pub verdict: Option<VerdictChange>,
    /// The classes of the answer before and of this one, where they differ.
    pub classes: Option<(ClassSet, ClassSet)>,
}

/// A change of a target's verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// When the probe that changed it was completed.
    pub at: SystemTime,
    /// The outcome from then on.
    pub outcome: Outcome,
    /// The primary reason from then on.
    pub reason: Reason,
    /// The summary of that probe, in at most [`privatelink_verdict::sanitize::SENTENCE_BYTES`]: peers
    /// choose parts of it. `None` where it was dropped.
    pub summary: Option<Arc<str>>,
}

/// What was counted of one target. At a probe a second, a counter is full after 136 years.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Probes by outcome, in the order of [`Outcome::ALL`].
    pub outcomes: [u32; Outcome::ALL.len()],
    /// Failures by stage, in the order of [`Stage::ALL`] (`none` stays 0).
    pub failures: [u32; Stage::ALL.len()],
    /// Timeouts by stage, in the order of [`Stage::ALL`]; at most one per probe and stage.
    pub timeouts: [u32; Stage::ALL.len()],
    /// Changes of the answer's classes between answered probes.
    pub class_changes: u32,
}

/// The state of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigState {
    /// Whether the latest attempt to load it succeeded.
    pub last_reload_ok: bool,
    /// When it was last loaded with success.
    pub last_success_at: SystemTime,
    /// [`Plan::hash`] of what is running.
    pub hash: u64,
    /// What was wrong with the latest attempt, for people: see [`ConfigState::error_lines`].
    pub error: Option<String>,
    /// Targets refused, by source.
    pub rejected: Rejected,
}

impl ConfigState {
    /// What was wrong with the latest attempt, a problem on each line, safe to show.
    pub fn error_lines(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let error = self.error.as_deref().unwrap_or("no detail");
        error.lines().take(ERROR_LINES).map(sentence)
    }
}

/// The state of the scheduler.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchedulerState {
    /// When the scheduler last showed a sign of life, on the runtime's clock.
    pub heartbeat: Option<tokio::time::Instant>,
    /// Probes in flight.
    pub in_flight: u64,
    /// Beats skipped because the one before was late.
    pub skipped: u64,
    /// Probes that panicked.
    pub panics: u64,
    /// Whether the agent was ever ready; it stays so.
    pub ready: bool,
}

/// What was counted of the clients of the HTTP server, which counts without the board's lock.
#[derive(Debug, Default)]
pub struct HttpCounters {
    /// Requests that were refused because too many replies were under way.
    pub refused: AtomicU64,
    /// Readers that were too slow, and whose connection was ended.
    pub slow_readers: AtomicU64,
    /// Requests that were refused because who sent them may not read.
    pub denied: AtomicU64,
}

/// The board as it is shared.
#[derive(Clone, Debug)]
pub struct SharedBoard(Arc<Mutex<Board>>);

impl SharedBoard {
    /// Shares `board`.
    pub fn new(board: Board) -> Self {
        Self(Arc::new(Mutex::new(board)))
    }

    /// Locks the board; never hold the guard across an await.
    pub fn lock(&self) -> MutexGuard<'_, Board> {
        // A panic while the lock was held is counted elsewhere; the board is still readable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The hash of a target's name.
#[expect(clippy::cast_possible_truncation, reason = "any part of a hash is one")]
fn hash(name: &str) -> u32 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish() as u32
}

impl Board {
    /// A board for `plan`, nothing probed yet.
    pub fn new(node: String, plan: &Plan, now: SystemTime) -> Self {
        let mut board = Self {
            node,
            started_at: now,
            entries: Vec::new(),
            by_name: Box::default(),
            detail: plan.metrics,
            config: ConfigState {
                last_reload_ok: true,
                last_success_at: now,
                hash: plan.hash,
                error: None,
                rejected: plan.rejected,
            },
            web_reload_ok: None,
            scheduler: SchedulerState::default(),
            http: Arc::default(),
            summaries: SummaryBudget::default(),
        };
        board.adopt(plan, now);
        board
    }

    /// Takes over a new plan: targets that stay keep what is known of them.
    pub fn adopt(&mut self, plan: &Plan, now: SystemTime) {
        let known = std::mem::take(&mut self.entries).into_iter();
        let mut known: HashMap<String, Entry> = known
            .map(|entry| (entry.target.name.clone(), entry))
            .collect();
        let entries = plan.targets.iter().map(|target| {
            let known = known.remove(&target.name);
            known.map_or_else(
                || Entry::new(Arc::clone(target), now),
                |entry| entry.adopted(target, now),
            )
        });
        self.entries = entries.collect();
        for entry in &mut self.entries {
            let own = Arc::clone(&entry.target.resolver);
            let must_agree = |name: &str| {
                let mut resolvers = plan.resolvers.iter();
                resolvers.any(|one| one.must_agree && *one.name == *name)
            };
            entry.paths.keep(|name| *own == *name || must_agree(name));
        }
        self.index();
        self.detail = plan.metrics;
        self.config = ConfigState {
            last_reload_ok: true,
            last_success_at: now,
            hash: plan.hash,
            error: None,
            rejected: plan.rejected,
        };
    }

    /// The entry of the target called `name`.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.place(name).map(|at| &self.entries[at])
    }

    /// The same, to record a probe.
    pub fn entry_mut(&mut self, name: &str) -> Option<&mut Entry> {
        self.place(name).map(|at| &mut self.entries[at])
    }

    /// The companions of the target called `name`, and the targets whose companion it is, in the plan's
    /// order.
    pub fn companions(&self, name: &str) -> impl Iterator<Item = &Entry> {
        let entry = self.entry(name);
        let places = entry.map_or(&[][..], |entry| &entry.companions);
        places.iter().map(|at| &self.entries[*at])
    }

    fn place(&self, name: &str) -> Option<usize> {
        let hash = hash(name);
        let first = self.by_name.partition_point(|(other, _)| *other < hash);
        let same = self.by_name[first..].iter();
        let same = same.take_while(|(other, _)| *other == hash);
        let mut places = same.map(|(_, at)| *at as usize);
        places.find(|at| self.entries[*at].target.name == name)
    }

    /// Finds out where each target is, and its companions.
    fn index(&mut self) {
        let hashes = self.entries.iter().map(|entry| hash(&entry.target.name));
        let mut by_name: Vec<(u32, u32)> = hashes.zip(0..).collect();
        by_name.sort_unstable();
        self.by_name = by_name.into();
        let mut companions = vec![BTreeSet::new(); self.entries.len()];
        for (at, entry) in self.entries.iter().enumerate() {
            for companion in &entry.target.companions {
                if let Some(other) = self.place(companion).filter(|other| *other != at) {
                    companions[at].insert(other);
                    companions[other].insert(at);
                }
            }
        }
        for (entry, companions) in self.entries.iter_mut().zip(companions) {
            entry.companions = companions.into_iter().collect();
        }
    }

    /// Bounds what the summaries of all targets take together. To be called after each change of a verdict.
    pub fn bound_summaries(&mut self) {
        self.summaries.bound(&mut self.entries);
    }

    /// Forgets the answers of every target, which the next ones are not to be compared with: other
    /// resolvers gave them.
    pub fn forget_answers(&mut self) {
        self.entries.iter_mut().for_each(Entry::forget_answers);
    }
}

impl Entry {
    /// A target that was never probed.
    pub fn new(target: Arc<Target>, now: SystemTime) -> Self {
        Self {
            target,
            latest: None,
            verdicts: VerdictHistory::default(),
            counters: Arc::default(),
            transitions: VecDeque::new(),
            since: now,
            paths: Paths::default(),
            last_classes: None,
            companions: Box::default(),
        }
    }

    /// The same target under a new plan. Counters stay in any case.
    fn adopted(mut self, target: &Arc<Target>, now: SystemTime) -> Self {
        let old = std::mem::replace(&mut self.target, Arc::clone(target));
        if old.is_probed_like(target) {
            return self;
        }
        if old.host != target.host || old.port != target.port {
            // What was judged of another host is not this one's.
            return Self {
                counters: self.counters,
                ..Self::new(self.target, now)
            };
        }
        let asked_alike = old.rules == target.rules
            && old.families == target.families
            && old.resolver == target.resolver;
        if !asked_alike {
            self.forget_answers();
        }
        // It was judged by what was demanded then: unknown until it is probed again.
        self.latest = None;
        self
    }

    fn forget_answers(&mut self) {
        self.verdicts.forget_answers();
        self.last_classes = None;
        self.paths.forget_answers();
    }

    /// Records a completed probe as the latest, and says what is new about it. It counts nothing.
    pub fn record(&mut self, probed: &Arc<Probed>) -> Changes {
        let (observation, verdict) = (&probed.observation, &probed.verdict);
        let classes = observation.classes();
        let mut changes = Changes::default();
        if !classes.is_empty() {
            let last = self.last_classes.replace(classes);
            changes.classes = last
                .filter(|last| *last != classes)
                .map(|last| (last, classes));
        }
        self.paths.record(observation, probed.target.interval);
        changes.verdict = self.verdicts.record(observation, verdict);
        if changes.verdict.is_some() {
            self.push_transition(probed);
        }
        self.latest = Some(Arc::clone(probed));
        changes
    }
}

impl Entry {
    fn push_transition(&mut self, probed: &Probed) {
        let (observation, verdict) = (&probed.observation, &probed.verdict);
        if self.transitions.len() == TRANSITIONS {
            self.transitions.pop_front();
        }
        let summary = probed.prose().summary();
        let summary = sentence(&summary);
        let mut earlier = self
            .transitions
            .iter()
            .filter_map(|one| one.summary.as_ref());
        let same = earlier.find(|earlier| ***earlier == *summary).cloned();
        // Most targets have one transition for as long as the agent runs.
        if self.transitions.is_empty() {
            self.transitions.reserve_exact(1);
        }
        self.transitions.push_back(Transition {
            at: observation.checked_at,
            outcome: verdict.outcome,
            reason: verdict.reason,
            summary: Some(same.unwrap_or_else(|| summary.into())),
        });
        let mut kept: Vec<Arc<str>> = Vec::with_capacity(SUMMARIES);
        for transition in self.transitions.iter_mut().rev() {
            let Some(summary) = &transition.summary else {
                continue;
            };
            if kept.iter().any(|kept| Arc::ptr_eq(kept, summary)) {
                continue;
            }
            if kept.len() == SUMMARIES {
                transition.summary = None;
            } else {
                kept.push(Arc::clone(summary));
            }
        }
    }
}

impl Counters {
    /// Counts a completed probe.
    pub fn count(&mut self, observation: &Observation, verdict: &Verdict) {
        self.outcomes[verdict.outcome as usize] += 1;
        if verdict.outcome == Outcome::Fail {
            self.failures[verdict.stage() as usize] += 1;
        }
        for (stage, timed_out) in [
            (Stage::Dns, observation.dns_timed_out()),
            (Stage::Connect, observation.connect_timed_out()),
            (Stage::Tls, observation.tls_timed_out()),
            (Stage::Http, observation.http_timed_out()),
        ] {
            self.timeouts[stage as usize] += u32::from(timed_out);
        }
    }
}

impl SchedulerState {
    /// How long ago the scheduler last showed a sign of life.
    pub fn heartbeat_age(&self) -> Option<Duration> {
        self.heartbeat.map(|at| at.elapsed())
    }
}
