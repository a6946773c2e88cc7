//! Health: what the status of a `PrivateLinkTarget` says of it on all nodes: the condition `Healthy`, with
//! counts, examples and the likely cause. Pure: it is made from the standing alone.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use privatelink_fleet::Standing;
use privatelink_fleet::pattern::Pattern;
use privatelink_verdict::sanitize::sentence;
use privatelink_verdict::verdict::Outcome;
use serde_json::Value;

use super::{NodesStatus, PatternStatus, PrivateLinkTargetStatus, ReasonStatus};
use crate::camel_case;

/// The type of the condition.
pub const HEALTHY: &str = "Healthy";

/// How many reasons a status holds.
pub(super) const MOST_REASONS: usize = 10;

/// What an object's status shows of its health.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// The condition `Healthy`.
    pub healthy: Option<Condition>,
    /// Of all that is shown but times.
    digest: u64,
}

impl Shown {
    /// What a status shows. One that the observer cannot have written is as good as none, and is written over.
    pub fn of(status: &Value) -> Self {
        let Ok(mut status) = serde_json::from_value::<PrivateLinkTargetStatus>(status.clone())
        else {
            return Self::default();
        };
        let conditions = status.conditions.as_mut();
        if let Some(conditions) = conditions {
            conditions.retain(|condition| condition.type_ == HEALTHY);
        }
        let healthy = status.conditions.iter().flatten().next();
        let is_bounded = |condition: &&Condition| {
            sentence(&condition.message) == condition.message
                && condition.reason.len() <= 64
                && condition.status.len() <= 8
        };
        Self {
            healthy: healthy.filter(is_bounded).cloned(),
            digest: digest(&status),
        }
    }

    /// Whether it is what `status` says, whenever that began.
    pub fn is(&self, status: &PrivateLinkTargetStatus) -> bool {
        self.digest == digest(status)
    }

    /// Whether it says that the target fails.
    pub fn is_failing(&self) -> bool {
        let healthy = self.healthy.as_ref();
        healthy.is_some_and(|condition| condition.status == State::Failing.status())
    }
}

/// Of the health in a status, without times.
pub(super) fn digest(status: &PrivateLinkTargetStatus) -> u64 {
    let PrivateLinkTargetStatus {
        observed_generation: _,
        conditions,
        nodes,
        reasons,
        sample_nodes,
        pattern,
    } = status;
    let mut hasher = DefaultHasher::new();
    for condition in conditions.iter().flatten() {
        let Condition {
            type_,
            status,
            reason,
            message,
            observed_generation,
            last_transition_time: _,
        } = condition;
        (type_, status, reason, message, observed_generation).hash(&mut hasher);
    }
    (nodes, reasons, sample_nodes, pattern).hash(&mut hasher);
    hasher.finish()
}

/// Whether a target is healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It fails on no node.
    Healthy,
    /// It fails on a node, as two probes said; or it did, and this may go on.
    Failing,
    /// No node has judged it.
    Unknown,
}

impl State {
    /// The state of a target that is known to fail, or is not.
    pub fn of(standing: &Standing, is_failing: bool) -> Self {
        let is_over = standing.unsure == 0 && standing.passing + standing.warning > 0;
        if standing.failing > 0 || (is_failing && !is_over) {
            Self::Failing
        } else if standing.passing + standing.warning == 0 {
            Self::Unknown
        } else {
            Self::Healthy
        }
    }

    const fn status(self) -> &'static str {
        match self {
            Self::Healthy => "True",
            Self::Failing => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// What the status says of a target with this standing, of whose object `shown` is shown now.
pub fn health(
    standing: &Standing,
    pattern: Option<&Pattern>,
    generation: i64,
    shown: &Shown,
    now: Timestamp,
) -> PrivateLinkTargetStatus {
    let state = State::of(standing, shown.is_failing());
    let before = shown.healthy.as_ref();
    let same = before.filter(|before| before.status == state.status());
    let reason = match (standing.worst(), same) {
        (Some((_, reason)), _) => camel_case(reason.as_str()),
        // That it is over is not known: what was said stays.
        (None, Some(before)) if state == State::Failing => before.reason.clone(),
        (None, _) if state == State::Unknown => "NotJudged".to_owned(),
        (None, _) => "Ok".to_owned(),
    };
    let condition = Condition {
        type_: HEALTHY.to_owned(),
        status: state.status().to_owned(),
        reason,
        message: sentence(&message(standing, pattern)).into_owned(),
        observed_generation: Some(generation),
        last_transition_time: same.map_or(Time(now), |before| before.last_transition_time.clone()),
    };
    let reasons = standing.reasons.iter().take(MOST_REASONS);
    let reasons = reasons.map(|(outcome, reason, nodes)| ReasonStatus {
        reason: reason.to_string(),
        outcome: outcome.to_string(),
        nodes: i64::from(*nodes),
    });
    let samples = standing.samples.iter().map(ToString::to_string);
    PrivateLinkTargetStatus {
        observed_generation: None,
        conditions: Some(vec![condition]),
        nodes: Some(NodesStatus {
            passing: standing.passing.into(),
            warning: standing.warning.into(),
            failing: standing.failing.into(),
            unknown: (standing.unsure + standing.unknown).into(),
        }),
        reasons: some(reasons.collect()),
        sample_nodes: some(samples.collect()),
        pattern: pattern.map(|pattern| PatternStatus {
            place: sentence(&pattern.place).into_owned(),
            cause: pattern.cause.to_string(),
            meaning: pattern.cause.meaning().to_owned(),
            remedy: pattern.cause.remedy().to_owned(),
            confidence: pattern.confidence.as_str().to_owned(),
        }),
    }
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// `It fails on 3 of 5000 nodes (public_fallback on 3), passes on 4990, and is not known on 7.` and the cause.
pub(crate) fn message(standing: &Standing, pattern: Option<&Pattern>) -> String {
    let all = standing.nodes();
    let reasons = |asked: Outcome| {
        let reasons = standing.reasons.iter();
        let reasons = reasons.filter(|(outcome, ..)| *outcome == asked).take(3);
        let reasons = reasons.map(|(_, reason, nodes)| format!("{reason} on {nodes}"));
        reasons.collect::<Vec<_>>().join(", ")
    };
    let unknown = standing.unsure + standing.unknown;
    let mut parts = Vec::new();
    if standing.failing > 0 {
        let reasons = reasons(Outcome::Fail);
        parts.push(format!("fails on {} ({reasons})", standing.failing));
    }
    if standing.warning > 0 {
        let reasons = reasons(Outcome::Warn);
        parts.push(format!("warns on {} ({reasons})", standing.warning));
    }
    if standing.passing > 0 {
        parts.push(format!("passes on {}", standing.passing));
    }
    if unknown > 0 {
        parts.push(format!("is not known on {unknown}"));
    }
    let nodes = if all == 1 { "node" } else { "nodes" };
    let mut message = format!("Of {all} {nodes}, it {}.", parts.join(", "));
    if let Some(pattern) = pattern {
        let (place, meaning) = (&pattern.place, pattern.cause.meaning());
        message.push_str(&format!(" On {place}: {meaning}"));
    }
    message
}

#[cfg(test)]
mod tests {
    use privatelink_verdict::reason::Reason;
    use serde_json::{json, to_value};

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn standing(failing: u32, unsure: u32, passing: u32) -> Standing {
        let reason = (Outcome::Fail, Reason::PublicFallback, failing);
        Standing {
            failing,
            unsure,
            passing,
            reasons: (failing > 0).then_some(reason).into_iter().collect(),
            ..Standing::default()
        }
    }

    #[test]
    fn a_failure_is_over_when_no_node_has_it_and_all_that_had_it_are_heard() {
        let of = |failing, unsure, passing, is_failing| {
            State::of(&standing(failing, unsure, passing), is_failing)
        };
        assert_eq!(of(1, 0, 9, false), State::Failing);
        assert_eq!(of(0, 1, 9, true), State::Failing);
        assert_eq!(of(0, 1, 9, false), State::Healthy);
        assert_eq!(of(0, 0, 9, true), State::Healthy);
        // Nobody says anything.
        assert_eq!(of(0, 0, 0, true), State::Failing);
        assert_eq!(of(0, 0, 0, false), State::Unknown);
    }

    #[test]
    fn the_time_of_the_condition_is_that_of_its_status() {
        let first = health(&standing(1, 0, 9), None, 1, &Shown::default(), NOW);
        let shown = Shown::of(&to_value(&first).expect("JSON"));
        assert!(shown.is(&first) && shown.is_failing());
        let later = NOW + std::time::Duration::from_hours(1);
        let second = health(&standing(2, 0, 8), None, 1, &shown, later);
        assert!(!shown.is(&second));
        let time = |status: &PrivateLinkTargetStatus| {
            let conditions = status.conditions.as_ref().expect("conditions");
            conditions[0].last_transition_time.0
        };
        assert_eq!(time(&second), NOW);
        let over = health(&standing(0, 0, 10), None, 1, &shown, later);
        assert_eq!(time(&over), later);
    }

    /// Others may write any status, of any size.
    #[test]
    fn what_the_observer_cannot_have_written_is_as_good_as_nothing() {
        for status in [
            json!("text"),
            json!({"conditions": 7}),
            json!({"conditions": [{
                "type": "Healthy", "status": "False", "reason": "X", "message": "x".repeat(1 << 20),
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }]}),
        ] {
            assert!(!Shown::of(&status).is_failing());
        }
    }
}
