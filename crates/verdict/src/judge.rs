//! Judge: the verdict on an observation: a pure function of target, observation and recent history.
//!
//! Each stage has a file of its own that turns facts into findings; what all of them look at is the
//! [`Case`]. The primary reason falls out of the order: worst severity, then stage, then row.

mod address;
mod cache;
mod command;
mod connect;
mod dns;
mod servers;
mod service;
mod summary;
mod tls;
mod zone;

use std::cmp::Reverse;
use std::net::IpAddr;

pub use self::zone::{ZoneAuthority, zone_authority};
use crate::alias::{alias, own_zone_of};
use crate::history::History;
use crate::observation::{Observation, Soa};
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
    let case = Case::new(target, observation, history, surroundings);
    let mut findings = Findings::default();
    dns::find(&case, &mut findings);
    address::find(&case, &mut findings);
    connect::find(&case, &mut findings);
    tls::find(&case, &mut findings);
    service::find(&case, &mut findings);
    let findings = findings.finish(&case);

    let primary = findings
        .first()
        .filter(|finding| finding.severity != Severity::Info);
    let (outcome, reason) = match primary {
        None => (Outcome::Pass, Reason::Ok),
        Some(finding) if finding.severity == Severity::Fail => (Outcome::Fail, finding.reason),
        Some(finding) => (Outcome::Warn, finding.reason),
    };
    let summary = summary::summary(&case, primary);
    Verdict {
        outcome,
        reason,
        expect_effective: case.expect,
        findings,
        summary,
    }
}

/// Whether a privatelink alias is in the answer's chain, or the host is one itself.
pub fn has_alias(target: &Target, observation: &Observation) -> bool {
    alias(target, &observation.resolution).is_some()
}

/// What `expect` comes to, given what was seen: never [`Expectation::Auto`].
pub fn expect_effective(
    target: &Target,
    observation: &Observation,
    history: &History,
) -> Expectation {
    match target.expect {
        Expectation::Auto => {
            let private_now = observation
                .classes()
                .iter()
                .any(crate::address::Class::is_private);
            if private_now || history.private_seen() {
                Expectation::PrivateEndpoint
            } else {
                Expectation::Public
            }
        }
        demanded => demanded,
    }
}

/// What every stage of the judge looks at.
struct Case<'a> {
    target: &'a Target,
    observation: &'a Observation,
    history: &'a History,
    surroundings: &'a Surroundings,
    /// The expectation in force; never `auto`.
    expect: Expectation,
    /// The privatelink name of the chain.
    alias: Option<&'a str>,
    /// Who answers for the zone the alias lies in.
    authority: ZoneAuthority,
    /// The SOA that told so.
    soa: Option<&'a Soa>,
}

impl<'a> Case<'a> {
    fn new(
        target: &'a Target,
        observation: &'a Observation,
        history: &'a History,
        surroundings: &'a Surroundings,
    ) -> Self {
        Self {
            target,
            observation,
            history,
            surroundings,
            expect: expect_effective(target, observation, history),
            alias: alias(target, &observation.resolution),
            authority: zone_authority(target, observation),
            soa: zone::zone_soa(target, &observation.resolution),
        }
    }

    fn host(&self) -> &str {
        &self.target.host
    }

    /// The last name of the chain: the one that has, or lacks, the addresses.
    fn last_name(&self) -> &str {
        self.observation
            .resolution
            .chain()
            .last()
            .map_or(self.host(), String::as_str)
    }

    /// The name of the resource itself: a failover group's name leads to that of the server that is
    /// primary now, beside it in the same suffix.
    fn resource(&self) -> &str {
        let parent = |name: &str| name.split_once('.').map(|(_, parent)| parent.to_owned());
        let beside = parent(self.host());
        let chain = self.observation.resolution.chain().iter().rev();
        { chain }
            .find(|name| parent(name) == beside)
            .map_or(self.host(), String::as_str)
    }

    /// The private DNS zone that should hold the record: the one that answers, where a private one
    /// does, else the one that the name lies in by its labels.
    fn zone(&self) -> Option<&str> {
        if self.authority == ZoneAuthority::Private
            && let Some(soa) = self.soa
        {
            return Some(&soa.owner);
        }
        let names = self
            .alias
            .into_iter()
            .chain([self.last_name(), self.host()]);
        { names }.find_map(|name| own_zone_of(self.target, name))
    }
}

/// The length in bytes from which on nothing joins a detail: reports show no more of a sentence, and
/// an answer may hold addresses without end.
const LONG: usize = 1024;

/// The findings of one verdict, one per reason: what concerns further addresses joins the detail.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    /// Adds a finding of the reason's own severity.
    fn add(&mut self, reason: Reason, address: Option<IpAddr>, detail: impl Into<String>) {
        self.add_as(reason, reason.severity(), Confidence::High, address, detail);
    }

    /// Adds a finding.
    fn add_as(
        &mut self,
        reason: Reason,
        severity: Severity,
        confidence: Confidence,
        address: Option<IpAddr>,
        detail: impl Into<String>,
    ) {
        let detail = detail.into();
        match self.0.iter_mut().find(|finding| finding.reason == reason) {
            Some(known) => {
                known.severity = known.severity.max(severity);
                // Whole parts are compared: one address may end in the text of another.
                let told = || format!("; {}; ", known.detail).contains(&format!("; {detail}; "));
                if known.detail.len() < LONG && !told() {
                    known.detail.push_str("; ");
                    known.detail.push_str(&detail);
                }
            }
            None => self.0.push(Finding {
                reason,
                severity,
                address,
                detail,
                confidence,
                command: None,
            }),
        }
    }

    /// The findings in the contract's order, each with the command that would settle it.
    fn finish(mut self, case: &Case<'_>) -> Vec<Finding> {
        for finding in &mut self.0 {
            finding.command = command::command(case, finding);
        }
        // Reasons are ordered by stage and row, so one key serves both.
        self.0
            .sort_by_key(|finding| (Reverse(finding.severity), finding.reason));
        self.0
    }
}

/// `10.1.2.3 (private), 52.1.2.3 (public)`.
fn list(addresses: &[crate::observation::Address]) -> String {
    let shown = addresses
        .iter()
        .take(4)
        .map(|a| format!("{} ({})", a.ip, a.class));
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if addresses.len() > 4 {
        text.push_str(&format!(" and {} more", addresses.len() - 4));
    }
    text
}
