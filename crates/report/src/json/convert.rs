//! Convert: from what was observed and judged to the versioned types.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::SystemTime;

use privatelink_verdict::judge::{has_alias, zone_authority};
use privatelink_verdict::observation::{
    Address, Certificate, Comparison, Connection, Query, ServerAnswer, ServiceReply,
};
use privatelink_verdict::prose::Prose;
use privatelink_verdict::service_evidence::{ReplyOutcome, ServiceEvidence};
use privatelink_verdict::target::Target;
use privatelink_verdict::verdict::Finding;
use serde::ser::{Serialize, SerializeSeq as _, Serializer};

use super::word::{Word, WordOrSkipped};
use super::{
    AddressReport, CertificateReport, ConnectionReport, DnsReport, FindingReport, HistoryReport,
    HttpReport, QueryReport, Report, ResolverReport, SCHEMA_VERSION, ServerReport, TargetReport,
    TransitionReport, VERSION,
};
use crate::text::{self, WIRE_NAMES, from_wire, millis_utc, seconds_utc, sentence};
use privatelink_board::{Board, Entry, Probed, Transition};

/// The most addresses of one answer that are listed. An answer over TCP could carry thousands.
const ADDRESSES: usize = 256;

/// Every target of a board as it stands, each converted only while it is written: at no time is
/// there more than one converted target in memory.
#[derive(Clone, Debug)]
pub struct Snapshot(Vec<(Arc<Target>, Option<Arc<Probed>>)>);

impl Report {
    /// What `check` found, from `node`, since `started_at`.
    pub fn of_check<'a>(
        node: &str,
        started_at: SystemTime,
        probed: impl IntoIterator<Item = &'a Probed>,
    ) -> Self {
        let targets = probed.into_iter().map(TargetReport::from).collect();
        Self::around(targets, node, started_at)
    }

    /// The one target of `entry`, with its history.
    pub fn of_entry(board: &Board, entry: &Entry) -> Self {
        let mut target = TargetReport::new(&entry.target, entry.latest.as_deref());
        target.history = Some(HistoryReport::from(entry));
        Self::around(vec![target], &board.node, board.started_at)
    }
}

impl Report<Snapshot> {
    /// Every target of `board`. Cheap: the targets are shared, not copied.
    pub fn of_board(board: &Board) -> Self {
        let targets = board.entries.iter();
        let targets = targets.map(|entry| (Arc::clone(&entry.target), entry.latest.clone()));
        Self::around(Snapshot(targets.collect()), &board.node, board.started_at)
    }
}

impl<T> Report<T> {
    fn around(targets: T, node: &str, started_at: SystemTime) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            version: VERSION,
            node: node.to_owned(),
            agent_started_at: millis_utc(started_at),
            targets,
        }
    }
}

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for (target, probed) in &self.0 {
            list.serialize_element(&TargetReport::new(target, probed.as_deref()))?;
        }
        list.end()
    }
}

impl From<&Probed> for TargetReport {
    fn from(probed: &Probed) -> Self {
        Self::new(&probed.target, Some(probed))
    }
}

impl TargetReport {
    /// `target` with its latest probe, if there was one.
    pub fn new(target: &Target, probed: Option<&Probed>) -> Self {
        let blank = Self {
            target: target.name.clone(),
            host: target.host.clone(),
            port: target.port,
            protocol: Word(target.protocol),
            service: target.service_slug().to_owned(),
            source: Word(target.source),
            expect: Word(target.expect),
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
            history: None,
        };
        match probed {
            Some(probed) => blank.filled(probed),
            None => blank,
        }
    }

    fn filled(self, probed: &Probed) -> Self {
        let (observation, verdict) = (&probed.observation, &probed.verdict);
        let comparisons = observation.comparisons.iter();
        let evidence = probed.target.evidence();
        let prose = probed.prose();
        let connections = observation.connections.iter().take(2 * ADDRESSES);
        Self {
            expect_effective: Some(Word(verdict.expect_effective)),
            checked_at: millis_utc(observation.checked_at),
            duration_seconds: Some(text::seconds(observation.timing.total)),
            outcome: Some(Word(verdict.outcome)),
            reason: Some(Word(verdict.reason)),
            stage: Some(Word(verdict.stage())),
            summary: Some(sentence(&prose.summary()).into_owned()),
            remedy: prose.primary_remedy().map(str::to_owned),
            findings: verdict
                .findings
                .iter()
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

impl FindingReport {
    fn of(finding: &Finding, prose: &Prose<'_>) -> Self {
        let command = prose.command(finding);
        Self {
            reason: Word(finding.reason),
            severity: Word(finding.severity),
            stage: Word(finding.reason.stage()),
            address: finding.address,
            detail: sentence(&prose.detail(finding)).into_owned(),
            meaning: prose.meaning(finding).to_owned(),
            confidence: Word(finding.confidence),
            command: command.map(|command| sentence(&command).into_owned()),
        }
    }
}

impl DnsReport {
    fn of(probed: &Probed) -> Option<Self> {
        let (target, observation) = (&probed.target, &probed.observation);
        let resolution = &observation.resolution;
        if resolution.queries.is_empty() {
            return None;
        }
        Some(Self {
            resolver: resolution.resolver.clone(),
            privatelink: has_alias(target, observation),
            zone_authority: Word(zone_authority(target, observation)),
            chain: names(resolution.chain()),
            queries: resolution.queries.iter().map(QueryReport::from).collect(),
            addresses: addresses(&resolution.addresses),
            servers: resolution.servers.iter().map(ServerReport::from).collect(),
        })
    }
}

impl From<&ServerAnswer> for ServerReport {
    fn from(answer: &ServerAnswer) -> Self {
        Self {
            server: answer.server.to_string(),
            outcome: WordOrSkipped(answer.outcome()),
            addresses: addresses(&answer.addresses),
            times: answer.times,
            checked_at: millis_utc(answer.checked_at),
        }
    }
}

fn names(names: &[String]) -> Vec<String> {
    let names = names.iter().take(WIRE_NAMES);
    names.map(|name| from_wire(name).into_owned()).collect()
}

fn addresses(addresses: &[Address]) -> Vec<AddressReport> {
    let addresses = addresses.iter().take(ADDRESSES);
    addresses.map(AddressReport::from).collect()
}

impl From<&Query> for QueryReport {
    fn from(query: &Query) -> Self {
        Self {
            record_type: query.family.record_type(),
            server: query.server.map(|server| server.to_string()),
            transport: Word(query.transport),
            outcome: Word(query.outcome),
            rcode: query.rcode.map(|rcode| rcode.to_string()),
            seconds: text::seconds(query.elapsed),
            tries: query.tries,
        }
    }
}

impl From<&Address> for AddressReport {
    fn from(address: &Address) -> Self {
        Self {
            ip: address.ip,
            class: Word(address.class),
            ttl_seconds: address.ttl,
        }
    }
}

impl ResolverReport {
    fn of(probed: &Probed, comparison: &Comparison) -> Self {
        let resolution = &comparison.resolution;
        Self {
            resolver: resolution.resolver.clone(),
            server: resolution.server().map(|server| server.to_string()),
            outcome: WordOrSkipped(resolution.outcome()),
            agrees: comparison.agrees_with(&probed.observation.resolution),
            addresses: addresses(&resolution.addresses),
        }
    }
}

impl ConnectionReport {
    fn of(connection: &Connection, evidence: Option<&ServiceEvidence>) -> Self {
        Self {
            ip: connection.ip,
            port: connection.port,
            tcp: Word(connection.tcp),
            tcp_seconds: connection.tcp_elapsed.map(text::seconds),
            tls: Word(connection.tls()),
            tls_seconds: connection.handshake_elapsed.map(text::seconds),
            certificate: connection.certificate.as_ref().map(Into::into),
            http: connection
                .service
                .as_ref()
                .map(|reply| HttpReport::of(reply, evidence)),
        }
    }
}

impl HttpReport {
    fn of(service: &ServiceReply, evidence: Option<&ServiceEvidence>) -> Self {
        let proof = service.proof(evidence);
        let evidence = match &proof {
            Some(proof) => proof.evidence.clone(),
            None => service.failure().to_owned(),
        };
        Self {
            outcome: Word(proof.map_or(ReplyOutcome::NoReply, |proof| proof.outcome)),
            status: service.reply.as_ref().ok().map(|reply| reply.status),
            evidence: Some(from_wire(&evidence).into_owned()),
            checked_at: millis_utc(service.checked_at),
        }
    }
}

impl From<&Certificate> for CertificateReport {
    fn from(certificate: &Certificate) -> Self {
        Self {
            names: names(&certificate.names),
            issuer: from_wire(&certificate.issuer).into_owned(),
            not_before: seconds_utc(certificate.not_before),
            not_after: seconds_utc(certificate.not_after),
            fingerprint_sha256: hex(&certificate.fingerprint),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

impl From<&Entry> for HistoryReport {
    fn from(entry: &Entry) -> Self {
        Self {
            history: entry.transitions.iter().map(Into::into).collect(),
            history_since: millis_utc(entry.since),
            last_non_private_at: entry.last_non_private_at.and_then(millis_utc),
        }
    }
}

impl From<&Transition> for TransitionReport {
    fn from(transition: &Transition) -> Self {
        Self {
            at: millis_utc(transition.at),
            outcome: Word(transition.outcome),
            reason: Word(transition.reason),
            summary: sentence(&transition.summary).into_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
