//! Service findings: what the service's own reply, or its refusal, proves of the path to it.

use super::{Case, Findings};
use crate::address::Class;
use crate::observation::{Connection, Handshake, Refusal, ServiceReply, TcpOutcome, Trust};
use crate::reason::Reason;
use crate::service::{PUBLIC_ACCESS_OFF, Proof, ReplyOutcome, request};
use crate::target::Expectation;
use crate::verdict::Confidence;

pub(super) fn find(case: &Case<'_>, findings: &mut Findings) {
    for connection in &case.observation.connections {
        if let Some(reply) = &connection.service {
            judge(case, connection, reply, findings);
        }
        if let Some(refusal) = connection.refusal {
            refused(connection, refusal, findings);
        }
    }
    unverified(case, findings);
}

fn judge(case: &Case<'_>, connection: &Connection, reply: &ServiceReply, findings: &mut Findings) {
    let ip = connection.ip;
    let private = case.target.rules.classify(ip).is_private();
    let Some(proof) = reply.proof(case.target.service_slug()) else {
        let detail = format!("{ip} gave no reply: {}", reply.failure());
        return findings.add(Reason::HttpTimeout, Some(ip), detail);
    };
    let Proof {
        outcome,
        evidence,
        seen_from,
        busy,
    } = proof;
    let seen_public = seen_from.filter(|from| case.target.rules.classify(*from) == Class::Public);
    if let Some(from) = seen_public.filter(|_| private) {
        let detail =
            format!("dialled at {ip}, the service saw the request come from {from}: {evidence}");
        findings.add(Reason::PublicPathSeen, Some(ip), detail);
    }
    match outcome {
        ReplyOutcome::Denied if private => {
            // Two stories fit a denial that names a public address; the finding above tells the other.
            let (confidence, besides) = if let Some(from) = seen_public {
                let besides = format!("; it saw {from}, so the path may turn public in between");
                (Confidence::Medium, besides)
            } else if is_inspected(case, connection) {
                let besides = "; TLS is inspected on this path, by a device that may have resolved \
                               the name anew";
                (Confidence::Medium, besides.to_owned())
            } else {
                (Confidence::High, String::new())
            };
            let detail = format!("the service behind {ip} denies this path: {evidence}{besides}");
            let reason = Reason::WrongPrivateEndpoint;
            findings.add_as(reason, reason.severity(), confidence, Some(ip), detail);
        }
        ReplyOutcome::Denied => {
            let besides = if PUBLIC_ACCESS_OFF.contains(&evidence.as_str()) {
                "; public access is off altogether, so no rule helps"
            } else {
                ""
            };
            findings.add(
                Reason::AccessDenied,
                Some(ip),
                format!("the service denies access over {ip}: {evidence}{besides}"),
            );
        }
        ReplyOutcome::Other => findings.add(
            Reason::UnexpectedResponder,
            Some(ip),
            format!("what answers at {ip} is not the service: {evidence}"),
        ),
        ReplyOutcome::Arrived if busy => findings.add(
            Reason::ServiceError,
            Some(ip),
            format!("the service at {ip} has trouble of its own: {evidence}"),
        ),
        ReplyOutcome::Arrived | ReplyOutcome::NoReply => {}
    }
}

/// Whether somebody else than the service presents the certificate of this address.
fn is_inspected(case: &Case<'_>, connection: &Connection) -> bool {
    let certificate = connection.certificate.as_ref();
    let foreign = |trust: &Trust| matches!(trust, Trust::CaFile | Trust::UnknownIssuer);
    case.target.service.is_some() && certificate.is_some_and(|c| foreign(&c.trust))
}

/// Turned away by a rule of the protocol, over whatever address.
fn refused(connection: &Connection, refusal: Refusal, findings: &mut Findings) {
    let ip = connection.ip;
    let words = connection
        .handshake_detail
        .as_deref()
        .unwrap_or(match refusal {
            Refusal::HostBlocked => "the server has blocked this host",
            Refusal::HostNotAllowed => "the server lets nobody in from this host",
        });
    findings.add(Reason::AccessDenied, Some(ip), format!("{ip}: {words}"));
}

/// A service endpoint is proven by being let in over the public address, and here nobody asked.
fn unverified(case: &Case<'_>, findings: &mut Findings) {
    let connections = &case.observation.connections;
    let public = case
        .observation
        .classes()
        .iter()
        .all(|class| class == Class::Public);
    let shaken = |c: &&Connection| matches!(c.handshake, Handshake::Ok | Handshake::NotApplicable);
    let answered = connections
        .iter()
        .filter(shaken)
        .any(|connection| connection.tcp == TcpOutcome::Ok);
    // A host judged on DNS alone is not even dialled.
    let answered = answered || (case.target.dns_only && !connections.is_empty());
    let asked = connections
        .iter()
        .any(|connection| connection.service.is_some());
    if case.expect == Expectation::ServiceEndpoint && public && answered && !asked {
        let detail = if request(case.target.service_slug()).is_none() {
            "the service can be asked nothing before login: whether it lets this subnet in is not known"
        } else {
            "the service was not asked (http is off): whether it lets this subnet in is not known"
        };
        findings.add(Reason::AccessUnverified, None, detail);
    }
}
