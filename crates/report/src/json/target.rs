//! Target: one target and its latest probe.

use privatelink_verdict::catalogue::Usage;
use privatelink_verdict::reason::{Reason, Stage};
use privatelink_verdict::target::{Expectation, Protocol, Source, Target, Users};
use privatelink_verdict::verdict::Outcome;
use schemars::JsonSchema;
use serde::Serialize;

use super::bounds::ADDRESSES;
use super::connection::ConnectionReport;
use super::dns::{DnsReport, ResolverReport};
use super::enums::Enum;
use super::finding::FindingReport;
use super::history::HistoryReport;
use crate::time::{millis_utc, seconds};
use privatelink_board::Probed;
use privatelink_verdict::sanitize::sentence;

/// Who in the cluster uses a target: whom a failure hurts.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsersReport {
    /// The users in words: `image pulls of 14 workloads in 3 namespaces`.
    pub summary: String,
    /// What they do with it, where that decides the path; else `null`.
    pub usage: Option<Enum<Usage>>,
    /// How many workloads use it. Pods count for the controllers that make them.
    pub workloads: u64,
    /// In how many namespaces they are.
    pub namespaces: u64,
    /// At most three of them; where no workload is known, objects that name the target.
    pub examples: Vec<String>,
}

impl From<&Users> for UsersReport {
    fn from(users: &Users) -> Self {
        Self {
            summary: sentence(&users.to_string()).into_owned(),
            usage: users.usage.map(Enum),
            workloads: users.workloads,
            namespaces: users.namespaces,
            examples: users.examples.clone(),
        }
    }
}

/// One target and its latest probe.
///
/// A target that was not probed yet has `null` wherever a probe would have spoken.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetReport {
    /// The target's name, its label in metrics.
    pub target: String,
    /// The host, lower case and without the trailing dot.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How the handshake begins.
    pub protocol: Enum<Protocol>,
    /// The catalogue's word for the service, `custom` outside the catalogue.
    pub service: String,
    /// Where the target was declared.
    pub source: Enum<Source>,
    /// What the address should be, as configured.
    pub expect: Enum<Expectation>,
    /// The expectation that was in force; never `auto`. `null` before the first probe.
    pub expect_effective: Option<Enum<Expectation>>,
    /// When the probe was completed, RFC 3339 in UTC. `null` before the first probe.
    pub checked_at: Option<String>,
    /// How long the probe took, in seconds. `null` before the first probe.
    pub duration_seconds: Option<f64>,
    /// How the probe ended. `null` before the first probe.
    pub outcome: Option<Enum<Outcome>>,
    /// The primary reason, `ok` without one. `null` before the first probe.
    pub reason: Option<Enum<Reason>>,
    /// The stage of the primary reason, `none` without one. `null` before the first probe.
    pub stage: Option<Enum<Stage>>,
    /// The story in one sentence. `null` before the first probe.
    pub summary: Option<String>,
    /// What to do about it, in one or two sentences. `null` where there is nothing to do.
    pub remedy: Option<String>,
    /// Every finding, the primary one first.
    pub findings: Vec<FindingReport>,
    /// What the target's path answered. `null` where nothing was asked.
    pub dns: Option<DnsReport>,
    /// What the other resolvers answered.
    pub resolvers: Vec<ResolverReport>,
    /// One entry for every address of the answer.
    pub connections: Vec<ConnectionReport>,
    /// Who in the cluster uses it. `null` where that is not known.
    pub users: Option<UsersReport>,
    /// Only in `/api/v1/targets/{name}`.
    #[serde(flatten)]
    pub history: Option<HistoryReport>,
}

impl From<&Probed> for TargetReport {
    fn from(probed: &Probed) -> Self {
        Self::new(&probed.target, Some(probed))
    }
}

impl TargetReport {
    /// `target` with its latest probe, if there was one.
    pub fn new(target: &Target, probed: Option<&Probed>) -> Self {
        let not_probed = Self {
            target: target.name.clone(),
            host: target.host.clone(),
            port: target.port,
            protocol: Enum(target.protocol),
            service: target.service_slug().to_owned(),
            source: Enum(target.source),
            expect: Enum(target.expect),
            expect_effective: None,
            checked_at: None,
            duration_seconds: None,
            outcome: None,
            reason: None,
            stage: None,
            summary: None,
            remedy: None,
            findings: Vec::new(),
            dns: None,
            resolvers: Vec::new(),
            connections: Vec::new(),
            users: target.users.as_deref().map(UsersReport::from),
            history: None,
        };
        match probed {
            Some(probed) => not_probed.probed(probed),
            None => not_probed,
        }
    }

    fn probed(self, probed: &Probed) -> Self {
        let (observation, verdict) = (&probed.observation, &probed.verdict);
        let prose = probed.prose();
        let evidence = probed.target.evidence();
        let findings = verdict.findings.iter();
        let comparisons = observation.comparisons.iter();
        // One per address of either family.
        let connections = observation.connections.iter().take(2 * ADDRESSES);
        Self {
            expect_effective: Some(Enum(verdict.expect_effective)),
            checked_at: millis_utc(observation.checked_at),
            duration_seconds: Some(seconds(observation.timing.total)),
            outcome: Some(Enum(verdict.outcome)),
            reason: Some(Enum(verdict.reason)),
            stage: Some(Enum(verdict.stage())),
            summary: Some(sentence(&prose.summary()).into_owned()),
            remedy: prose.primary_remedy().map(std::borrow::Cow::into_owned),
            findings: findings
                .map(|finding| FindingReport::of(finding, &prose))
                .collect(),
            dns: DnsReport::of(probed),
            resolvers: comparisons
                .map(|comparison| ResolverReport::of(probed, comparison))
                .collect(),
            connections: connections
                .map(|connection| ConnectionReport::of(connection, evidence))
                .collect(),
            ..self
        }
    }
}
