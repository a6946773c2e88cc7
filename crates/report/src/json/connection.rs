//! Connection: what became of one address: connecting, the handshake, the service's reply.

use std::fmt::Write as _;
use std::net::IpAddr;

use privatelink_verdict::observation::{
    Certificate, Connection, ServiceReply, TcpOutcome, TlsOutcome,
};
use privatelink_verdict::sanitize::from_wire;
use privatelink_verdict::service_evidence::{ReplyOutcome, ServiceEvidence};
use schemars::JsonSchema;
use serde::Serialize;

use super::bounds::names;
use super::enums::Enum;
use crate::time::{millis_utc, seconds, seconds_utc};

/// What became of one address.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionReport {
    /// The address dialled.
    pub ip: IpAddr,
    /// The port dialled.
    pub port: u16,
    /// How connecting ended.
    pub tcp: Enum<TcpOutcome>,
    /// Time to that outcome.
    pub tcp_seconds: Option<f64>,
    /// How the handshake ended, the certificate included.
    pub tls: Enum<TlsOutcome>,
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
    pub outcome: Enum<ReplyOutcome>,
    /// The status code, where a reply came.
    pub status: Option<u16>,
    /// What in the reply says so.
    pub evidence: Option<String>,
    /// When it was asked, RFC 3339 in UTC.
    pub checked_at: Option<String>,
}

impl ConnectionReport {
    pub(super) fn of(connection: &Connection, evidence: Option<&ServiceEvidence>) -> Self {
        let reply = connection.service.as_ref();
        Self {
            ip: connection.ip,
            port: connection.port,
            tcp: Enum(connection.tcp),
            tcp_seconds: connection.tcp_elapsed.map(seconds),
            tls: Enum(connection.tls()),
            tls_seconds: connection.handshake_elapsed.map(seconds),
            certificate: connection.certificate.as_ref().map(Into::into),
            http: reply.map(|reply| HttpReport::of(reply, evidence)),
        }
    }
}

impl From<&Certificate> for CertificateReport {
    fn from(certificate: &Certificate) -> Self {
        let leaf = &certificate.leaf;
        Self {
            names: names(&leaf.names),
            issuer: from_wire(&leaf.issuer).into_owned(),
            not_before: seconds_utc(leaf.not_before),
            not_after: seconds_utc(leaf.not_after),
            fingerprint_sha256: hex(&leaf.fingerprint),
        }
    }
}

impl HttpReport {
    fn of(service: &ServiceReply, evidence: Option<&ServiceEvidence>) -> Self {
        let (outcome, evidence) = match service.proof(evidence) {
            Some(proof) => (proof.outcome, proof.evidence),
            None => (ReplyOutcome::NoReply, service.failure().to_owned()),
        };
        Self {
            outcome: Enum(outcome),
            status: service.reply.as_ref().ok().map(|reply| reply.status),
            evidence: Some(from_wire(&evidence).into_owned()),
            checked_at: millis_utc(service.checked_at),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
