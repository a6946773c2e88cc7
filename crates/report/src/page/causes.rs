//! Causes: what several targets have in common, above the table: one dead DNS server is one line, and not
//! fifty rows that somebody has to read.

use std::time::SystemTime;

use maud::{Markup, html};
use privatelink_board::{Board, Entry};
use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::verdict::Outcome;

use super::components::{age, label};
use super::view::View;

/// As many targets with one reason have a line.
const SEVERAL: usize = 3;

/// The most lines.
const LINES: usize = 4;

/// The most targets that a line names.
const NAMED: usize = 3;

/// The primary reasons that several targets share, the worst first.
pub(super) struct Causes<'a>(Vec<Cause<'a>>);

struct Cause<'a> {
    outcome: Outcome,
    reason: Reason,
    targets: Vec<&'a Entry>,
}

impl<'a> Causes<'a> {
    pub(super) fn of(board: &'a Board) -> Self {
        let mut causes: Vec<Cause<'a>> = Vec::new();
        for entry in &board.entries {
            let Some(verdict) = entry.latest.as_ref().map(|probed| &probed.verdict) else {
                continue;
            };
            if verdict.outcome == Outcome::Pass {
                continue;
            }
            let (outcome, reason) = (verdict.outcome, verdict.reason);
            match causes
                .iter_mut()
                .find(|cause| (cause.outcome, cause.reason) == (outcome, reason))
            {
                Some(cause) => cause.targets.push(entry),
                None => causes.push(Cause {
                    outcome,
                    reason,
                    targets: vec![entry],
                }),
            }
        }
        causes.retain(|cause| cause.targets.len() >= SEVERAL);
        causes.sort_by_key(|cause| std::cmp::Reverse((cause.outcome, cause.targets.len())));
        causes.truncate(LINES);
        Self(causes)
    }

    pub(super) fn render(&self, view: &View, now: SystemTime) -> Markup {
        html! {
            @if !self.0.is_empty() {
                section.causes aria-label="What several targets have in common" {
                    @for cause in &self.0 { (cause.render(view, now)) }
                }
            }
        }
    }
}

impl Cause<'_> {
    fn render(&self, view: &View, now: SystemTime) -> Markup {
        let first = self
            .targets
            .iter()
            .filter_map(|entry| Some(entry.transitions.back()?.at))
            .min();
        let users = self
            .targets
            .iter()
            .filter_map(|entry| entry.target.users.as_deref());
        let workloads: u64 = users.map(|users| users.workloads).sum();
        html! {
            div class={"notice " (self.outcome)} {
                h2 {
                    (label(self.outcome.as_str(), self.outcome.as_str())) " "
                    (self.targets.len()) " targets: " (self.reason.meaning())
                }
                p.remedy { (self.reason.remedy()) }
                p.quiet {
                    a data-soft href=(view.link("reason", self.reason.as_str())) { code { (self.reason) } } ": "
                    @for (index, entry) in self.targets.iter().take(NAMED).enumerate() {
                        @if index > 0 { ", " }
                        (entry.target.name)
                    }
                    @if self.targets.len() > NAMED { " and " (self.targets.len() - NAMED) " more" }
                    @if let Some(first) = first { ", the first for " (age(first, now)) }
                    @if workloads > 0 { "; used by " (workloads) " workloads" }
                }
            }
        }
    }
}

/// The reasons for which a target does not pass, each once.
pub(super) fn reasons_of(entry: &Entry) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let findings = entry
        .latest
        .iter()
        .flat_map(|probed| &probed.verdict.findings);
    for finding in findings.filter(|finding| finding.severity > Severity::Info) {
        if !reasons.contains(&finding.reason) {
            reasons.push(finding.reason);
        }
    }
    reasons
}
