//! Verdict: what a probe means: an outcome, a primary reason, and the findings behind it.

use std::net::IpAddr;

use crate::fact::Fact;
use crate::reason::{Reason, Severity, Stage};
use crate::target::Expectation;
use crate::words::words;

words! {
    /// How a probe ended.
    Outcome {
        /// As it should be.
        Pass = "pass",
        /// Works, but not as it should.
        Warn = "warn",
        /// Broken.
        Fail = "fail",
    }
}

words! {
    /// How sure a finding is of its meaning.
    Confidence {
        /// The facts leave no other reading.
        High = "high",
        /// The usual reading of the facts.
        Medium = "medium",
        /// One reading among several.
        Low = "low",
    }
}

/// One judged fact.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What it is.
    pub reason: Reason,
    /// How much it matters here.
    pub severity: Severity,
    /// The first address it concerns, if it concerns one.
    pub address: Option<IpAddr>,
    /// How sure the reading is.
    pub confidence: Confidence,
    /// What was seen.
    pub facts: Vec<Fact>,
}

/// What a probe means. A pure function of target, observation and recent history.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The worst severity among the findings, as an outcome.
    pub outcome: Outcome,
    /// The primary reason: worst severity, then stage, then row order.
    pub reason: Reason,
    /// The expectation that was in force; never `auto`.
    pub expect_effective: Expectation,
    /// Every finding, the primary one first.
    pub findings: Vec<Finding>,
    /// What other resolvers, servers and targets say beside the findings.
    pub context: Vec<Fact>,
}

impl Verdict {
    /// The primary reason's stage.
    pub const fn stage(&self) -> Stage {
        self.reason.stage()
    }

    /// The finding that decides the outcome; `None` where nothing warns or fails.
    pub fn primary(&self) -> Option<&Finding> {
        let first = self.findings.first();
        first.filter(|finding| finding.severity != Severity::Info)
    }

    /// Whether some finding has this reason.
    pub fn found(&self, reason: Reason) -> bool {
        self.findings.iter().any(|finding| finding.reason == reason)
    }
}
