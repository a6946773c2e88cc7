//! Summary: the agent in a few kilobytes, for an observer that asks hundreds of them.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use privatelink_board::{Board, Entry, PathHistory};
use privatelink_verdict::address::{Class, ClassSet};
use privatelink_verdict::reason::Reason;
use privatelink_verdict::target::{Expectation, Target};
use privatelink_verdict::verdict::Outcome;
use schemars::JsonSchema;
use serde::Serialize;

use super::enums::Enum;
use super::list::ListInPieces;
use super::target::UsersReport;
use crate::pieces::Pieces;
use crate::time::millis_utc;
use crate::version::{SCHEMA_VERSION, VERSION};

/// What `/api/v1/summary` answers.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The version of this object; fields are only added to a version.
    pub schema_version: u32,
    /// The version of the agent.
    pub version: &'static str,
    /// The agent's node.
    pub node: String,
    /// When the agent started, RFC 3339 in UTC.
    pub agent_started_at: Option<String>,
    /// Whether the agent is, or ever was, ready.
    pub ready: bool,
    /// Of the content of the configuration's files, in hexadecimal: equal on two nodes that run
    /// the same configuration.
    pub config_hash: String,
    /// Whether the latest attempt to load the configuration succeeded.
    pub config_loaded: bool,
    /// How many targets are in which state.
    pub counts: Counts,
    /// Every target, in the configuration's order.
    pub targets: Vec<TargetSummary>,
}

/// How many targets are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// As they should be.
    pub pass: u64,
    /// Working, but not as they should.
    pub warn: u64,
    /// Broken.
    pub fail: u64,
    /// Not probed yet.
    pub unknown: u64,
}

/// One target, its latest verdict, and what its paths answered.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetSummary {
    /// The target's name.
    pub target: String,
    /// The host; left out where it is the target's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The catalogue's word for the service, `custom` outside the catalogue.
    pub service: &'static str,
    /// What the address should be, as it is judged; as configured before the first probe.
    pub expect: Enum<Expectation>,
    /// How the latest probe ended; `null` before the first.
    pub outcome: Option<Enum<Outcome>>,
    /// The primary reason; `null` before the first probe.
    pub reason: Option<Enum<Reason>>,
    /// When the latest probe was completed, RFC 3339 in UTC; `null` before the first.
    pub checked_at: Option<String>,
    /// Since when outcome and reason are these, RFC 3339 in UTC; `null` before the first probe.
    pub since: Option<String>,
    /// Whether a second probe in a row said so.
    pub confirmed: bool,
    /// Whether the latest probe is older than three intervals and a minute.
    pub stale: bool,
    /// What each path answered, the one that the target is judged by first. Empty before the first probe.
    pub paths: Vec<PathSummary>,
    /// Who in the cluster uses it; left out where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<UsersReport>,
}

/// What one path to a target answered.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PathSummary {
    /// The resolver's name.
    pub resolver: String,
    /// The classes of the latest answer; empty where the latest question got no address.
    pub classes: Vec<Enum<Class>>,
    /// Since when the path was answered without a gap of more than five minutes, or of twice the pause between
    /// two questions where that is longer; RFC 3339 in UTC. `null` where it never was, or is not now.
    pub answered_since: Option<String>,
    /// When an answer last had an address that is not private, RFC 3339 in UTC; `null` where the agent saw
    /// none.
    pub last_non_private_at: Option<String>,
}

impl Counts {
    /// Counts the targets of `board`.
    pub fn of(board: &Board) -> Self {
        let mut counts = Self::default();
        for entry in &board.entries {
            *match entry.latest.as_ref().map(|probed| probed.verdict.outcome) {
                Some(Outcome::Pass) => &mut counts.pass,
                Some(Outcome::Warn) => &mut counts.warn,
                Some(Outcome::Fail) => &mut counts.fail,
                None => &mut counts.unknown,
            } += 1;
        }
        counts
    }
}

/// The summary of a board at one moment. Its targets are kept in little memory, and become
/// [`TargetSummary`]s when they are written.
#[derive(Debug)]
pub struct SummaryAt {
    /// Without targets.
    summary: Summary,
    targets: Vec<TargetState>,
}

/// What is in a [`TargetSummary`].
#[derive(Debug)]
struct TargetState {
    target: Arc<Target>,
    expect: Expectation,
    judged: Option<(Outcome, Reason)>,
    checked_at: Option<SystemTime>,
    since: Option<SystemTime>,
    stale: bool,
    paths: Vec<PathAt>,
}

/// What is in a [`PathSummary`].
#[derive(Debug, Hash)]
struct PathAt {
    resolver: Arc<str>,
    classes: ClassSet,
    answered_since: Option<SystemTime>,
    last_non_private_at: Option<SystemTime>,
}

impl SummaryAt {
    /// The summary of `board` at `now`.
    pub fn new(board: &Board, now: SystemTime) -> Self {
        let summary = Summary {
            schema_version: SCHEMA_VERSION,
            version: VERSION,
            node: board.node.clone(),
            agent_started_at: millis_utc(board.started_at),
            ready: board.scheduler.ready,
            config_hash: format!("{:016x}", board.config.hash),
            config_loaded: board.config.last_reload_ok,
            counts: Counts::of(board),
            targets: Vec::new(),
        };
        let targets = board.entries.iter();
        Self {
            summary,
            targets: targets.map(|entry| TargetState::of(entry, now)).collect(),
        }
    }

    /// A weak entity tag (RFC 9110 section 8.8.1), equal as long as only `checkedAt` differs, and
    /// `lastNonPrivateAt` of a path that is not private: while neither a verdict nor the classes of a path
    /// change, the reply to an observer's conditional request has no body. `stale` is part of the tag,
    /// so that an observer also sees when probes stop, and so is whether a path has a gap.
    pub fn tag(&self) -> String {
        let mut hasher = DefaultHasher::new();
        let summary = &self.summary;
        (summary.version, &summary.node, &summary.agent_started_at).hash(&mut hasher);
        (summary.ready, &summary.config_hash, summary.config_loaded).hash(&mut hasher);
        for state in &self.targets {
            let target = &state.target;
            (
                &target.name,
                &target.host,
                target.service_slug(),
                state.expect,
            )
                .hash(&mut hasher);
            (state.judged, state.since, state.is_confirmed(), state.stale).hash(&mut hasher);
            (state.paths.len(), target.users.as_ref()).hash(&mut hasher);
            for path in &state.paths {
                (&path.resolver, path.classes, path.answered_since).hash(&mut hasher);
                // While addresses are not private, each answer moves it.
                let moves = !path.classes.iter().all(Class::is_private);
                (!moves)
                    .then_some(path.last_non_private_at)
                    .hash(&mut hasher);
            }
        }
        format!("W/\"{:016x}\"", hasher.finish())
    }

    /// The text of the [`Summary`].
    pub fn in_pieces(self) -> serde_json::Result<impl Pieces> {
        let targets = self.targets.into_iter().map(TargetSummary::from);
        ListInPieces::new(&self.summary, targets)
    }
}

impl TargetState {
    fn of(entry: &Entry, now: SystemTime) -> Self {
        let probed = entry.latest.as_deref();
        let target = &entry.target;
        let since = entry.transitions.back().map(|transition| transition.at);
        let path = |(path, answered_since): (&PathHistory, _)| PathAt {
            resolver: path.resolver.clone(),
            classes: path.classes,
            answered_since,
            last_non_private_at: path.last_non_private_at(),
        };
        Self {
            target: Arc::clone(target),
            expect: probed.map_or(target.expect, |probed| probed.verdict.expect_effective),
            judged: probed.map(|probed| (probed.verdict.outcome, probed.verdict.reason)),
            checked_at: probed.map(|probed| probed.observation.checked_at),
            since: since.filter(|_| probed.is_some()),
            stale: is_stale(entry, now),
            paths: entry.paths.iter(now, target.interval).map(path).collect(),
        }
    }

    /// Whether a second probe in a row had the same outcome and reason.
    fn is_confirmed(&self) -> bool {
        self.since
            .is_some_and(|since| Some(since) < self.checked_at)
    }
}

impl From<TargetState> for TargetSummary {
    fn from(state: TargetState) -> Self {
        let target = &state.target;
        Self {
            target: target.name.clone(),
            host: (target.host != target.name).then(|| target.host.clone()),
            service: target.service_slug(),
            expect: Enum(state.expect),
            outcome: state.judged.map(|(outcome, _)| Enum(outcome)),
            reason: state.judged.map(|(_, reason)| Enum(reason)),
            checked_at: state.checked_at.and_then(millis_utc),
            since: state.since.and_then(millis_utc),
            confirmed: state.is_confirmed(),
            stale: state.stale,
            paths: state.paths.into_iter().map(PathSummary::from).collect(),
            users: target.users.as_deref().map(UsersReport::from),
        }
    }
}

impl From<PathAt> for PathSummary {
    fn from(path: PathAt) -> Self {
        Self {
            resolver: path.resolver.as_ref().to_owned(),
            classes: path.classes.iter().map(Enum).collect(),
            answered_since: path.answered_since.and_then(millis_utc),
            last_non_private_at: path.last_non_private_at.and_then(millis_utc),
        }
    }
}

/// Whether the latest probe of `entry` is older than three intervals and a minute, which is also the
/// rule of the alert on staleness. Before the first probe, the age is that of the target.
pub fn is_stale(entry: &Entry, now: SystemTime) -> bool {
    let last = entry
        .latest
        .as_ref()
        .map_or(entry.since, |probed| probed.observation.checked_at);
    let age = now.duration_since(last).unwrap_or_default();
    age > 3 * entry.target.interval + Duration::from_mins(1)
}

#[cfg(test)]
mod tests {
    use privatelink_board::fixtures;

    use super::*;

    /// `board` when its broken target was probed again `seconds` later, and said the same.
    fn again(board: &mut Board, seconds: u64) -> SummaryAt {
        let later = Duration::from_secs(seconds);
        let mut again = fixtures::public_fallback();
        again.observation.checked_at += later;
        board.record(again.into());
        SummaryAt::new(board, fixtures::now() + later)
    }

    #[test]
    fn the_tag_stays_while_no_verdict_changes() {
        let mut board = fixtures::board();
        let before = again(&mut board, 30);
        let after = again(&mut board, 60);
        let at = |summary: &SummaryAt| summary.targets[1].checked_at;
        assert_ne!(at(&before), at(&after));
        assert_eq!(before.tag(), after.tag());
    }

    #[test]
    fn the_tag_changes_when_a_second_probe_says_the_same() {
        let mut board = fixtures::board();
        let first = SummaryAt::new(&board, fixtures::now());
        let second = again(&mut board, 30);
        assert!(!first.targets[1].is_confirmed() && second.targets[1].is_confirmed());
        assert_ne!(first.tag(), second.tag());
    }

    #[test]
    fn the_tag_changes_when_a_path_has_a_gap() {
        let board = fixtures::board();
        let at = |minutes| {
            let now = fixtures::now() + Duration::from_mins(minutes);
            SummaryAt::new(&board, now)
        };
        let (stale, with_a_gap) = (at(5), at(6));
        let since = |summary: &SummaryAt| summary.targets[1].paths[0].answered_since;
        assert!(since(&stale).is_some() && since(&with_a_gap).is_none());
        assert_ne!(stale.tag(), with_a_gap.tag());
    }

    #[test]
    fn the_tag_changes_with_a_verdict_and_when_probes_stop() {
        let mut board = fixtures::board();
        let before = SummaryAt::new(&board, fixtures::now());
        let late = SummaryAt::new(&board, fixtures::now() + Duration::from_secs(200));
        assert_ne!(before.tag(), late.tag(), "stale");
        let repaired = fixtures::named("kv-prod.vault.azure.net", fixtures::healthy());
        board.record(repaired.into());
        let after = SummaryAt::new(&board, fixtures::now());
        assert_ne!(before.tag(), after.tag(), "repaired");
        assert_eq!(after.summary.counts.fail + 1, before.summary.counts.fail);
    }
}
