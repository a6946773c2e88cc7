//! Judge: the verdict on an observation: a pure function of target, observation and recent history.
//!
//! Each stage has a file of its own that turns what was observed into findings; what all of them look
//! at is the `Case`. The primary reason follows from the order: worst severity, then stage, then row.
//! No sentence is made here: [`crate::prose`] makes them from the facts of the findings.

mod address;
mod cache;
mod connect;
mod context;
mod dns;
mod resolver;
mod servers;
mod service;
mod tls;

use std::cmp::Reverse;
use std::net::IpAddr;

use crate::address::Class;
use crate::case::Case;
use crate::fact::Fact;
use crate::history::History;
use crate::observation::Observation;
use crate::reason::{Reason, Severity};
use crate::surroundings::Surroundings;
use crate::target::{Expectation, Target};
use crate::verdict::{Confidence, Finding, Outcome, Verdict};

/// The verdict on `observation`; `history` is what was recorded before it, `surroundings` what
/// other targets were last seen to be.
pub fn judge(
    target: &Target,
    observation: &Observation,
    history: &History,
    surroundings: &Surroundings,
) -> Verdict {
    let expect = expect_effective(target, observation, history);
    let case = Case::new(target, observation, expect);
    let mut findings = Findings::default();
    dns::find(&case, surroundings, &mut findings);
    address::find(&case, history, &mut findings);
    resolver::find(&case, history, &mut findings);
    connect::find(&case, surroundings, &mut findings);
    tls::find(&case, &mut findings);
    service::find(&case, &mut findings);
    let findings = findings.in_order();

    let primary = findings
        .first()
        .filter(|finding| finding.severity != Severity::Info);
    let (outcome, reason) = match primary {
        None => (Outcome::Pass, Reason::Ok),
        Some(finding) if finding.severity == Severity::Fail => (Outcome::Fail, finding.reason),
        Some(finding) => (Outcome::Warn, finding.reason),
    };
    let context = context::of(&case, history, surroundings, reason);
    Verdict {
        outcome,
        reason,
        expect_effective: expect,
        findings,
        context,
    }
}

/// What `expect` comes to, given what was seen: never [`Expectation::Auto`].
pub fn expect_effective(
    target: &Target,
    observation: &Observation,
    history: &History,
) -> Expectation {
    match target.expect {
        Expectation::Auto => {
            let private_now = observation.classes().iter().any(Class::is_private);
            if private_now || history.private_seen() {
                Expectation::PrivateEndpoint
            } else {
                Expectation::Public
            }
        }
        demanded => demanded,
    }
}

/// The most facts of a finding: an answer may hold hundreds of addresses of which the same is true. It
/// bounds the detail and the summary, which are made from the facts.
const MOST_FACTS: usize = 16;

/// The findings of one verdict, one per reason: what concerns further addresses joins its facts.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    /// Adds a finding of the reason's own severity.
    fn add(
        &mut self,
        reason: Reason,
        address: Option<IpAddr>,
        facts: impl IntoIterator<Item = impl Into<Fact>>,
    ) {
        self.add_as(reason, reason.severity(), Confidence::High, address, facts);
    }

    /// Adds a finding.
    fn add_as(
        &mut self,
        reason: Reason,
        severity: Severity,
        confidence: Confidence,
        address: Option<IpAddr>,
        facts: impl IntoIterator<Item = impl Into<Fact>>,
    ) {
        let facts: Vec<Fact> = facts.into_iter().map(Into::into).take(MOST_FACTS).collect();
        match self.0.iter_mut().find(|finding| finding.reason == reason) {
            Some(known) => {
                known.severity = known.severity.max(severity);
                let is_known = facts.iter().all(|fact| known.facts.contains(fact));
                if !is_known {
                    let room = MOST_FACTS.saturating_sub(known.facts.len());
                    known.facts.extend(facts.into_iter().take(room));
                }
            }
            None => self.0.push(Finding {
                reason,
                severity,
                address,
                confidence,
                facts,
            }),
        }
    }

    /// The findings in the contract's order.
    fn in_order(mut self) -> Vec<Finding> {
        // Reasons are ordered by stage and row, so one key serves both.
        self.0
            .sort_by_key(|finding| (Reverse(finding.severity), finding.reason));
        // They are kept until the next verdict, and usually there is one or none.
        self.0.shrink_to_fit();
        self.0
    }
}
