//! Prose: the sentences about a verdict, made from its reason, its facts and the expectation. All
//! of them are made here, and nothing else makes or changes one.

mod advice_by_facts;
mod command;
mod detail;
mod summary;

use std::borrow::Cow;

use crate::case::Case;
use crate::observation::Observation;
use crate::target::Target;
use crate::verdict::{Finding, Verdict};

/// A verdict with what it was judged from, ready to be put into words.
#[derive(Debug)]
pub struct Prose<'a> {
    case: Case<'a>,
    verdict: &'a Verdict,
}

impl<'a> Prose<'a> {
    /// The prose of `verdict`, which is the judge's on `observation` of `target`.
    pub fn of(target: &'a Target, observation: &'a Observation, verdict: &'a Verdict) -> Self {
        Self {
            case: Case::new(target, observation, verdict.expect_effective),
            verdict,
        }
    }

    /// The story of the verdict in one sentence.
    pub fn summary(&self) -> String {
        summary::summary(&self.case, self.verdict)
    }

    /// What a finding saw, in words: its facts, separated by semicolons.
    pub fn detail(&self, finding: &Finding) -> String {
        detail::sentence(&finding.facts)
    }

    /// What a finding means, in one sentence.
    pub fn meaning(&self, finding: &Finding) -> &'static str {
        advice_by_facts::meaning(&self.case, finding)
    }

    /// What to do about a finding, in one sentence.
    pub fn remedy(&self, finding: &Finding) -> Cow<'static, str> {
        advice_by_facts::remedy(&self.case, finding)
    }

    /// One command that would settle a finding, where there is one.
    pub fn command(&self, finding: &Finding) -> Option<String> {
        command::command(&self.case, finding)
    }

    /// What to do about the primary finding; `None` where nothing is wrong.
    pub fn primary_remedy(&self) -> Option<Cow<'static, str>> {
        self.verdict.primary().map(|finding| self.remedy(finding))
    }
}
