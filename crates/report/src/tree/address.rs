//! Address: one address of the answer in the tree, with its connection, certificate and service.

use std::fmt::Write as _;
use std::time::Duration;

use privatelink_verdict::observation::{
    Certificate, Connection, Observation, ServiceReply, Skip, TcpOutcome, TlsOutcome,
};
use privatelink_verdict::sanitize::from_wire;
use privatelink_verdict::service_evidence::{ReplyOutcome, ServiceEvidence};
use privatelink_verdict::target::Target;
use privatelink_verdict::verdict::Outcome;

use super::branch::Branch;
use super::dns::classified;
use super::style::{DIM, paint, style_of};
use crate::time::{expiry, short_duration};

/// The most addresses of one answer that are drawn.
const ADDRESSES: usize = 16;

/// The most names of a certificate that are drawn.
const NAMES: usize = 3;

pub(super) fn addresses(target: &Target, observation: &Observation) -> Vec<Branch> {
    let addresses = &observation.resolution.addresses;
    let shown = addresses.iter().take(ADDRESSES);
    let mut branches: Vec<_> = shown
        .map(|address| {
            let ttl = paint(DIM, &format!("ttl {} s", address.ttl));
            let mut connections = observation.connections.iter();
            let connection = connections.find(|one| one.ip == address.ip);
            let below = connection.map(|one| self::connection(one, target.evidence()));
            Branch::new(format!("{}  {ttl}", classified(address))).with(below.into_iter().flatten())
        })
        .collect();
    let left_out = observation.resolution.left_out(|_| true);
    let more = addresses.len().saturating_sub(ADDRESSES) + left_out;
    if more > 0 {
        branches.push(Branch::new(format!("… {more} more addresses")));
    }
    branches
}

fn connection(connection: &Connection, evidence: Option<&ServiceEvidence>) -> Vec<Branch> {
    let label = format!("tcp {}", connection.port);
    let width = label.len();
    let mut branches = vec![tcp(connection, label)];
    branches.extend(tls(connection, width));
    branches.extend(connection.certificate.as_ref().map(certificate));
    let reply = connection.service.as_ref();
    branches.extend(reply.map(|reply| service(reply, evidence)));
    branches
}

fn tcp(connection: &Connection, label: String) -> Branch {
    let ok = connection.tcp == TcpOutcome::Ok;
    let mut parts = vec![label, outcome(connection.tcp.as_str(), ok)];
    parts.extend(connection.skip.map(|skip| match skip {
        Skip::Reserved => "reserved or denied, so it is not dialled".to_owned(),
        Skip::NoRoute => "no route for this family, so it is not counted".to_owned(),
        Skip::TooMany => "more addresses than are dialled at once".to_owned(),
        Skip::DnsOnly => "judged on DNS alone, so it is not dialled".to_owned(),
        Skip::Busy => "the agent has too much in flight".to_owned(),
    }));
    parts.extend(connection.tcp_elapsed.map(elapsed));
    parts.extend(connection.trouble.other_port.map(|(port, open)| {
        let verb = if open {
            "opens"
        } else {
            "does not open either"
        };
        format!("port {port} {verb}")
    }));
    parts.extend(connection.trouble.tcp_detail.as_deref().map(detail));
    Branch::new(parts.join("  "))
}

/// `label_width` is that of the label of the line above.
fn tls(connection: &Connection, label_width: usize) -> Option<Branch> {
    let tls = connection.tls();
    if matches!(tls, TlsOutcome::Skipped | TlsOutcome::NotApplicable) {
        return None;
    }
    let label = format!("{:label_width$}", "tls");
    let mut parts = vec![label, outcome(tls.as_str(), tls == TlsOutcome::Ok)];
    parts.extend(connection.handshake_elapsed.map(elapsed));
    parts.extend(connection.trouble.handshake_detail.as_deref().map(detail));
    Some(Branch::new(parts.join("  ")))
}

fn certificate(certificate: &Certificate) -> Branch {
    let leaf = &certificate.leaf;
    let shown = leaf.names.iter().take(NAMES);
    let shown: Vec<_> = shown.map(|name| from_wire(name)).collect();
    let mut names = shown.join(", ");
    if leaf.names.len() > NAMES {
        let _ = write!(names, " +{}", leaf.names.len() - NAMES);
    }
    if names.is_empty() {
        names = format!("no names, subject {}", from_wire(&leaf.subject));
    }
    let issuer = from_wire(&leaf.issuer);
    let expires = expiry(leaf.not_after, certificate.verified_at);
    let facts = format!("by {}, {expires}", common_name(&issuer));
    Branch::new(format!("certificate for {names}  {}", paint(DIM, &facts)))
}

fn service(reply: &ServiceReply, evidence: Option<&ServiceEvidence>) -> Branch {
    let (reached, said) = match reply.proof(evidence) {
        Some(proof) => (proof.outcome, proof.evidence),
        None => (ReplyOutcome::NoReply, reply.failure().to_owned()),
    };
    let word = outcome(reached.as_str(), reached == ReplyOutcome::Arrived);
    Branch::new(format!("service     {word}  {}", detail(&said)))
}

/// The word of an outcome, red where it is a failure.
fn outcome(word: &str, ok: bool) -> String {
    if ok || word == TcpOutcome::Skipped.as_str() {
        word.to_owned()
    } else {
        paint(style_of(Outcome::Fail), word)
    }
}

fn elapsed(elapsed: Duration) -> String {
    paint(DIM, &short_duration(elapsed))
}

fn detail(detail: &str) -> String {
    paint(DIM, &from_wire(detail))
}

/// The common name of a distinguished name (RFC 4514), or all of it where there is none.
fn common_name(name: &str) -> &str {
    let mut parts = name.split(',').map(str::trim);
    parts
        .find_map(|part| part.strip_prefix("CN="))
        .unwrap_or(name)
}
