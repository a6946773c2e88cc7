//! Finding: one judged fact of a target's latest probe.

use std::net::IpAddr;

use privatelink_verdict::prose::Prose;
use privatelink_verdict::reason::{Reason, Severity, Stage};
use privatelink_verdict::sanitize::sentence;
use privatelink_verdict::verdict::{Confidence, Finding};
use schemars::JsonSchema;
use serde::Serialize;

use super::enums::Enum;

/// One judged fact.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FindingReport {
    /// What it is.
    pub reason: Enum<Reason>,
    /// How much it matters here.
    pub severity: Enum<Severity>,
    /// The stage it belongs to.
    pub stage: Enum<Stage>,
    /// The address it concerns, if it concerns one.
    pub address: Option<IpAddr>,
    /// What was seen, in words.
    pub detail: String,
    /// What the reason means, in one sentence.
    pub meaning: String,
    /// How sure the reading is.
    pub confidence: Enum<Confidence>,
    /// One command that would settle it, where there is one.
    pub command: Option<String>,
}

impl FindingReport {
    pub(super) fn of(finding: &Finding, prose: &Prose<'_>) -> Self {
        let command = prose.command(finding);
        Self {
            reason: Enum(finding.reason),
            severity: Enum(finding.severity),
            stage: Enum(finding.reason.stage()),
            address: finding.address,
            detail: sentence(&prose.detail(finding)).into_owned(),
            meaning: prose.meaning(finding).to_owned(),
            confidence: Enum(finding.confidence),
            command: command.map(|command| sentence(&command).into_owned()),
        }
    }
}
