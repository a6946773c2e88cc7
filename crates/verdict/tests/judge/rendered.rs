//! Rendered: a verdict and its findings in words.

use std::net::IpAddr;

use privatelink_verdict::observation::Observation;
use privatelink_verdict::prose::Prose;
use privatelink_verdict::reason::Reason;
use privatelink_verdict::target::Target;
use privatelink_verdict::verdict::{Confidence, Finding, Outcome, Verdict};

use crate::probe::Probe;

impl Probe {
    /// The verdict in words.
    pub(crate) fn rendered(&self) -> Rendered {
        rendered(&self.target, &self.observation(), &self.verdict())
    }

    /// The finding of `reason`, which there must be, in words.
    pub(crate) fn finding(&self, reason: Reason) -> RenderedFinding {
        let rendered = self.rendered();
        let found = rendered.findings.iter().find(|f| f.reason == reason);
        found
            .cloned()
            .unwrap_or_else(|| panic!("no {reason} in {rendered:#?}"))
    }
}

/// `verdict` in words.
pub(crate) fn rendered(target: &Target, observation: &Observation, verdict: &Verdict) -> Rendered {
    let prose = Prose::of(target, observation, verdict);
    let in_words = |finding: &Finding| RenderedFinding {
        reason: finding.reason,
        address: finding.address,
        confidence: finding.confidence,
        detail: prose.detail(finding),
        meaning: prose.meaning(finding),
        remedy: prose.remedy(finding).into_owned(),
        command: prose.command(finding),
    };
    Rendered {
        outcome: verdict.outcome,
        reason: verdict.reason,
        findings: verdict.findings.iter().map(in_words).collect(),
        summary: prose.summary(),
    }
}

/// A verdict in words.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) outcome: Outcome,
    pub(crate) reason: Reason,
    pub(crate) findings: Vec<RenderedFinding>,
    pub(crate) summary: String,
}

/// A finding in words.
#[derive(Clone, Debug)]
pub(crate) struct RenderedFinding {
    pub(crate) reason: Reason,
    pub(crate) address: Option<IpAddr>,
    pub(crate) confidence: Confidence,
    pub(crate) detail: String,
    pub(crate) meaning: &'static str,
    pub(crate) remedy: String,
    pub(crate) command: Option<String>,
}
