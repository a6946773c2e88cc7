//! Summary: the agent in a few kilobytes, for an observer that asks hundreds of them.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use privatelink_board::{Board, Entry};
use privatelink_verdict::reason::Reason;
use privatelink_verdict::target::Target;
use privatelink_verdict::verdict::Outcome;
use schemars::JsonSchema;
use serde::Serialize;

use super::enums::Enum;
use super::list::ListInPieces;
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

/// One target and its latest verdict.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetSummary {
    /// The target's name.
    pub target: String,
    /// How the latest probe ended; `null` before the first.
    pub outcome: Option<Enum<Outcome>>,
    /// The primary reason; `null` before the first probe.
    pub reason: Option<Enum<Reason>>,
    /// When the latest probe was completed, RFC 3339 in UTC; `null` before the first.
    pub checked_at: Option<String>,
    /// Whether the latest probe is older than three intervals and a minute.
    pub stale: bool,
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
    judged: Option<(Outcome, Reason)>,
    checked_at: Option<SystemTime>,
    stale: bool,
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

    /// A weak entity tag (RFC 9110 section 8.8.1), equal as long as only `checkedAt` differs: while
    /// no verdict changes, the reply to an observer's conditional request has no body. `stale` is part
    /// of the tag, so that an observer also sees when probes stop.
    pub fn tag(&self) -> String {
        let mut hasher = DefaultHasher::new();
        let summary = &self.summary;
        (summary.version, &summary.node, &summary.agent_started_at).hash(&mut hasher);
        (summary.ready, &summary.config_hash, summary.config_loaded).hash(&mut hasher);
        for state in &self.targets {
            (&state.target.name, state.judged, state.stale).hash(&mut hasher);
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
        Self {
            target: Arc::clone(&entry.target),
            judged: probed.map(|probed| (probed.verdict.outcome, probed.verdict.reason)),
            checked_at: probed.map(|probed| probed.observation.checked_at),
            stale: is_stale(entry, now),
        }
    }
}

impl From<TargetState> for TargetSummary {
    fn from(state: TargetState) -> Self {
        Self {
            target: state.target.name.clone(),
            outcome: state.judged.map(|(outcome, _)| Enum(outcome)),
            reason: state.judged.map(|(_, reason)| Enum(reason)),
            checked_at: state.checked_at.and_then(millis_utc),
            stale: state.stale,
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

    #[test]
    fn the_tag_stays_while_no_verdict_changes() {
        let mut board = fixtures::board();
        let before = SummaryAt::new(&board, fixtures::now());
        let mut again = fixtures::public_fallback();
        again.observation.checked_at += Duration::from_secs(30);
        board.record(again.into());
        let after = SummaryAt::new(&board, fixtures::now() + Duration::from_secs(30));
        let at = |summary: &SummaryAt| summary.targets[1].checked_at;
        assert_ne!(at(&before), at(&after));
        assert_eq!(before.tag(), after.tag());
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
