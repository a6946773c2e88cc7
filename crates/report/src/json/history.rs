//! History: how a target's verdict changed.

use privatelink_verdict::reason::Reason;
use privatelink_verdict::sanitize::sentence;
use privatelink_verdict::verdict::Outcome;
use schemars::JsonSchema;
use serde::Serialize;

use super::enums::Enum;
use crate::time::millis_utc;
use privatelink_board::{Entry, Transition};

/// How a target's verdict changed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryReport {
    /// The last 100 changes of the verdict, oldest first.
    pub history: Vec<TransitionReport>,
    /// Since when changes are kept, RFC 3339 in UTC.
    pub history_since: Option<String>,
    /// When the name last had an address that is not private, RFC 3339 in UTC.
    pub last_non_private_at: Option<String>,
}

/// A change of a target's verdict.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitionReport {
    /// When the probe that changed it was completed, RFC 3339 in UTC.
    pub at: Option<String>,
    /// The outcome from then on.
    pub outcome: Enum<Outcome>,
    /// The primary reason from then on.
    pub reason: Enum<Reason>,
    /// The story in one sentence. Of older changes only what the reason means, where the target had many
    /// different stories since.
    pub summary: String,
}

impl From<&Entry> for HistoryReport {
    fn from(entry: &Entry) -> Self {
        Self {
            history: entry.transitions.iter().map(Into::into).collect(),
            history_since: millis_utc(entry.since),
            last_non_private_at: entry.paths.last_non_private_at().and_then(millis_utc),
        }
    }
}

impl From<&Transition> for TransitionReport {
    fn from(transition: &Transition) -> Self {
        Self {
            at: millis_utc(transition.at),
            outcome: Enum(transition.outcome),
            reason: Enum(transition.reason),
            summary: match &transition.summary {
                Some(summary) => sentence(summary).into_owned(),
                None => transition.reason.meaning().to_owned(),
            },
        }
    }
}
