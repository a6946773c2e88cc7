//! Address: one address of the answer in the tree, and what became of it.

use std::fmt::Write as _;
use std::time::Duration;

use privatelink_verdict::observation::{
    Certificate, Connection, Observation, ServiceReply, Skip, TcpOutcome, TlsOutcome,
};
use privatelink_verdict::service_evidence::{ReplyOutcome, ServiceEvidence};
use privatelink_verdict::target::Target;
use privatelink_verdict::verdict::Outcome;

use super::node::Node;
use super::{ADDRESSES, DIM, INLINE, classified, paint, style_of};
use crate::text::{expiry, from_wire, short_duration};

pub(super) fn addresses(target: &Target, observation: &Observation) -> Vec<Node> {
    let all = &observation.resolution.addresses;
    let mut nodes: Vec<_> = all
        .iter()
        .take(ADDRESSES)
        .map(|address| {
            let ttl = paint(DIM, &format!("ttl {} s", address.ttl));
            let mut connections = observation.connections.iter();
            let connection = connections.find(|one| one.ip == address.ip);
            let became =
                connection.map(|connection| self::connection(connection, target.evidence()));
            Node::new(format!("{}  {ttl}", classified(address))).with(became.into_iter().flatten())
        })
        .collect();
    if let Some(more) = all.len().checked_sub(ADDRESSES).filter(|more| *more > 0) {
        nodes.push(Node::new(format!("… {more} more addresses")));
    }
    nodes
}

fn connection(connection: &Connection, evidence: Option<&ServiceEvidence>) -> Vec<Node> {
    let dialled = format!("tcp {}", connection.port);
    let width = dialled.len();
    let ok = connection.tcp == TcpOutcome::Ok;
    let mut tcp = vec![dialled, ended(connection.tcp.as_str(), ok)];
    tcp.extend(connection.skip.map(|skip| match skip {
        Skip::Reserved => "reserved or denied, so it is not dialled".to_owned(),
        Skip::NoRoute => "no route for this family, so it is not counted".to_owned(),
        Skip::TooMany => "more addresses than are dialled at once".to_owned(),
        Skip::DnsOnly => "judged on DNS alone, so it is not dialled".to_owned(),
    }));
    tcp.extend(elapsed(connection.tcp_elapsed));
    tcp.extend(connection.other_port.map(|(port, open)| {
        let verb = if open {
            "opens"
        } else {
            "does not open either"
        };
        format!("port {port} {verb}")
    }));
    tcp.extend(detail(connection.tcp_detail.as_deref()));
    let mut nodes = vec![Node::new(tcp.join("  "))];
    let outcome = connection.tls();
    if !matches!(outcome, TlsOutcome::Skipped | TlsOutcome::NotApplicable) {
        let ok = outcome == TlsOutcome::Ok;
        let mut tls = vec![format!("{:width$}", "tls"), ended(outcome.as_str(), ok)];
        tls.extend(elapsed(connection.handshake_elapsed));
        tls.extend(detail(connection.handshake_detail.as_deref()));
        nodes.push(Node::new(tls.join("  ")));
    }
    nodes.extend(connection.certificate.as_ref().map(certificate));
    nodes.extend(
        connection
            .service
            .as_ref()
            .map(|reply| service(reply, evidence)),
    );
    nodes
}

fn service(reply: &ServiceReply, evidence: Option<&ServiceEvidence>) -> Node {
    let proof = reply.proof(evidence);
    let outcome = proof
        .as_ref()
        .map_or(ReplyOutcome::NoReply, |proof| proof.outcome);
    let word = ended(outcome.as_str(), outcome == ReplyOutcome::Arrived);
    let evidence = proof.map_or_else(|| reply.failure().to_owned(), |proof| proof.evidence);
    Node::new(format!(
        "service     {word}  {}",
        paint(DIM, &from_wire(&evidence))
    ))
}

fn ended(word: &str, ok: bool) -> String {
    if ok || word == TcpOutcome::Skipped.as_str() {
        word.to_owned()
    } else {
        paint(style_of(Outcome::Fail), word)
    }
}

fn elapsed(elapsed: Option<Duration>) -> Option<String> {
    Some(paint(DIM, &short_duration(elapsed?)))
}

fn detail(detail: Option<&str>) -> Option<String> {
    Some(paint(DIM, &from_wire(detail?)))
}

fn certificate(certificate: &Certificate) -> Node {
    let shown = certificate.names.iter().take(INLINE);
    let mut names = shown
        .map(|name| from_wire(name))
        .collect::<Vec<_>>()
        .join(", ");
    if certificate.names.len() > INLINE {
        let _ = write!(names, " +{}", certificate.names.len() - INLINE);
    }
    if names.is_empty() {
        names = format!("no names, subject {}", from_wire(&certificate.subject));
    }
    let expires = expiry(certificate.not_after, certificate.verified_at);
    let issuer = from_wire(&certificate.issuer);
    let facts = format!("by {}, {expires}", common_name(&issuer));
    Node::new(format!("certificate for {names}  {}", paint(DIM, &facts)))
}

/// The common name of an RFC 4514 name, or all of it.
fn common_name(name: &str) -> &str {
    let mut parts = name.split(',').map(str::trim);
    parts
        .find_map(|part| part.strip_prefix("CN="))
        .unwrap_or(name)
}
