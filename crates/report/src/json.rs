//! JSON: what `check -o json` and the API say: versioned types of their own, so that the judge's
//! may change without a script noticing. Fields are only added.
//!
//! Of a stage that did not run, objects and numbers are `null`, outcomes `skipped`, lists empty.

pub mod convert;
pub mod summary;
pub mod word;

use std::net::IpAddr;

use privatelink_verdict::address::Class;
use privatelink_verdict::judge::ZoneAuthority;
use privatelink_verdict::observation::{QueryOutcome, TcpOutcome, TlsOutcome, Transport};
use privatelink_verdict::reason::{Reason, Severity, Stage};
use privatelink_verdict::service_evidence::ReplyOutcome;
use privatelink_verdict::target::{Expectation, Protocol, Source};
use privatelink_verdict::verdict::{Confidence, Outcome};
use schemars::JsonSchema;
use serde::Serialize;

use self::word::{Word, WordOrSkipped};

/// The version of the types below.
pub const SCHEMA_VERSION: u32 = 1;

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What `check -o json` prints, and `/api/v1/targets` answers.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Report")]
pub struct Report<T = Vec<TargetReport>> {
    /// The version of this object; fields are only added to a version.
    pub schema_version: u32,
    /// The version of the program that wrote it.
    pub version: &'static str,
    /// The node it was seen from.
    pub node: String,
    /// When the agent started, RFC 3339 in UTC; when the check began, for `check`.
    pub agent_started_at: Option<String>,
    /// Every target, in the configuration's order.
    pub targets: T,
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
    pub protocol: Word<Protocol>,
    /// The catalogue's word for the service, `custom` outside the catalogue.
    pub service: String,
    /// Where the target was declared.
    pub source: Word<Source>,
    /// What the address should be, as configured.
    pub expect: Word<Expectation>,
    /// The expectation that was in force; never `auto`. `null` before the first probe.
    pub expect_effective: Option<Word<Expectation>>,
    /// When the probe was completed, RFC 3339 in UTC. `null` before the first probe.
    pub checked_at: Option<String>,
    /// How long the probe took, in seconds. `null` before the first probe.
    pub duration_seconds: Option<f64>,
    /// How the probe ended. `null` before the first probe.
    pub outcome: Option<Word<Outcome>>,
    /// The primary reason, `ok` without one. `null` before the first probe.
    pub reason: Option<Word<Reason>>,
    /// The stage of the primary reason, `none` without one. `null` before the first probe.
    pub stage: Option<Word<Stage>>,
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
    /// Only in `/api/v1/targets/{name}`.
    #[serde(flatten)]
    pub history: Option<HistoryReport>,
}

/// One judged fact.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FindingReport {
    /// What it is.
    pub reason: Word<Reason>,
    /// How much it matters here.
    pub severity: Word<Severity>,
    /// The stage it belongs to.
    pub stage: Word<Stage>,
    /// The address it concerns, if it concerns one.
    pub address: Option<IpAddr>,
    /// What was seen, in words.
    pub detail: String,
    /// What the reason means, in one sentence.
    pub meaning: String,
    /// How sure the reading is.
    pub confidence: Word<Confidence>,
    /// One command that would settle it, where there is one.
    pub command: Option<String>,
}

/// What the target's path answered.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DnsReport {
    /// The resolver's name.
    pub resolver: String,
    /// Whether a privatelink alias is in the chain, or the host is one itself.
    pub privatelink: bool,
    /// Who answers for the alias's zone, as seen from here.
    pub zone_authority: Word<ZoneAuthority>,
    /// The names of the answer, the host first; at most 20.
    pub chain: Vec<String>,
    /// One entry per family asked.
    pub queries: Vec<QueryReport>,
    /// The addresses, at most 256.
    pub addresses: Vec<AddressReport>,
    /// What each server of the resolver said when it was asked alone: several servers in a first
    /// probe, all where the answers flap. A server that said several things has an entry for each.
    pub servers: Vec<ServerReport>,
}

/// What one server of the path's resolver said when it was asked alone.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerReport {
    /// The server: `IP:port`.
    pub server: String,
    /// How all families together ended.
    pub outcome: WordOrSkipped<QueryOutcome>,
    /// Its addresses, at most 256.
    pub addresses: Vec<AddressReport>,
    /// How often it said so.
    pub times: u32,
    /// When it last said so, RFC 3339 in UTC.
    pub checked_at: Option<String>,
}

/// One family's question, and what became of it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueryReport {
    /// The record type asked for: `A` or `AAAA`.
    #[serde(rename = "type")]
    pub record_type: &'static str,
    /// The server whose message, or silence, decided the outcome: `IP:port`.
    pub server: Option<String>,
    /// How that message travelled.
    pub transport: Word<Transport>,
    /// How the query ended.
    pub outcome: Word<QueryOutcome>,
    /// The response code: `NOERROR`, `NXDOMAIN`, …; `null` where no message came back.
    pub rcode: Option<String>,
    /// From the first try to the outcome.
    pub seconds: f64,
    /// Messages sent, retries over TCP and without EDNS not counted.
    pub tries: u32,
}

/// An address of an answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddressReport {
    /// The address.
    pub ip: IpAddr,
    /// What it is to the target.
    pub class: Word<Class>,
    /// Seconds the answer may be cached.
    pub ttl_seconds: u32,
}

/// What a resolver other than the path answered.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolverReport {
    /// The resolver's name.
    pub resolver: String,
    /// The server that decided the outcome: `IP:port`.
    pub server: Option<String>,
    /// How all families together ended.
    pub outcome: WordOrSkipped<QueryOutcome>,
    /// Whether it gives the same classes as the path; `null` unless both answered.
    pub agrees: Option<bool>,
    /// Its addresses, at most 256.
    pub addresses: Vec<AddressReport>,
}

/// What became of one address.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionReport {
    /// The address dialled.
    pub ip: IpAddr,
    /// The port dialled.
    pub port: u16,
    /// How connecting ended.
    pub tcp: Word<TcpOutcome>,
    /// Time to that outcome.
    pub tcp_seconds: Option<f64>,
    /// How the handshake ended, the certificate included.
    pub tls: Word<TlsOutcome>,
    /// Time to that outcome.
    pub tls_seconds: Option<f64>,
    /// The leaf certificate, if one was received, whether or not it was any good.
    pub certificate: Option<CertificateReport>,
    /// What the service itself said. `null` where it was not asked.
    pub http: Option<HttpReport>,
}

/// A leaf certificate.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateReport {
    /// The DNS names and addresses it is for; at most 20.
    pub names: Vec<String>,
    /// Its issuer.
    pub issuer: String,
    /// Its first moment, RFC 3339 in UTC; `null` outside the years 1 to 9999.
    pub not_before: Option<String>,
    /// Its last moment, RFC 3339 in UTC; `null` outside the years 1 to 9999.
    pub not_after: Option<String>,
    /// SHA-256 of the certificate, in lower case hexadecimal.
    pub fingerprint_sha256: String,
}

/// What a service said to one unauthenticated request.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpReport {
    /// What the reply means.
    pub outcome: Word<ReplyOutcome>,
    /// The status code, where a reply came.
    pub status: Option<u16>,
    /// What in the reply says so.
    pub evidence: Option<String>,
    /// When it was asked, RFC 3339 in UTC.
    pub checked_at: Option<String>,
}

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
    pub outcome: Word<Outcome>,
    /// The primary reason from then on.
    pub reason: Word<Reason>,
    /// The story in one sentence.
    pub summary: String,
}
