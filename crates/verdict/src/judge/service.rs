//! Service findings: what the service's own reply, or its refusal, proves of the path to it.

use std::net::IpAddr;

use super::{Case, Findings};
use crate::address::Class;
use crate::fact::ServiceFact;
use crate::observation::{Connection, Handshake, Refused, ServiceReply, TcpOutcome, Trust};
use crate::reason::Reason;
use crate::service_evidence::{PUBLIC_ACCESS_OFF, Proof, ReplyOutcome};
use crate::target::Expectation;
use crate::verdict::Confidence;

pub(super) fn find(case: &Case<'_>, findings: &mut Findings) {
    for connection in &case.observation.connections {
        if let Some(reply) = &connection.service {
            judge(case, connection, reply, findings);
        }
        if let Some(refused) = connection.trouble.refused {
            by_protocol(case, connection, refused, findings);
        }
    }
    unverified(case, findings);
}

fn judge(case: &Case<'_>, connection: &Connection, reply: &ServiceReply, findings: &mut Findings) {
    let ip = connection.ip;
    let private = case.target.rules.classify(ip).is_private();
    let Some(proof) = reply.proof(case.target.evidence()) else {
        if let Err(why) = reply.reply {
            let fact = ServiceFact::NoReply { ip, why };
            findings.add(Reason::HttpTimeout, Some(ip), [fact]);
        }
        return;
    };
    let Proof {
        outcome,
        evidence,
        seen_from,
        busy,
        by_perimeter,
    } = proof;
    let perimeter = by_perimeter.then_some(ServiceFact::ByPerimeter);
    let seen_public = seen_from.filter(|from| case.target.rules.classify(*from) == Class::Public);
    if let Some(from) = seen_public.filter(|_| private) {
        let evidence = evidence.clone();
        let fact = ServiceFact::SeenFrom { ip, from, evidence };
        findings.add(Reason::PublicPathSeen, Some(ip), [fact]);
    }
    match outcome {
        ReplyOutcome::Denied if private => {
            let denied = [ServiceFact::PathDenied { ip, evidence }];
            let facts = denied.into_iter().chain(perimeter).collect();
            path_denied(case, connection, seen_public, facts, findings);
        }
        ReplyOutcome::Denied => {
            let off = PUBLIC_ACCESS_OFF.contains(&evidence.as_str());
            let mut facts = vec![ServiceFact::AccessDenied { ip, evidence }];
            facts.extend(off.then_some(ServiceFact::PublicAccessOff));
            facts.extend(perimeter);
            findings.add(Reason::AccessDenied, Some(ip), facts);
        }
        ReplyOutcome::Other => findings.add(
            Reason::UnexpectedResponder,
            Some(ip),
            [ServiceFact::NotTheService { ip, evidence }],
        ),
        ReplyOutcome::Arrived if busy => findings.add(
            Reason::ServiceError,
            Some(ip),
            [ServiceFact::ServiceTrouble { ip, evidence }],
        ),
        ReplyOutcome::Arrived | ReplyOutcome::NoReply => {}
    }
}

/// The server itself refuses this host. At a private address it cannot have seen a public one, unless the
/// path turns public on the way.
fn by_protocol(
    case: &Case<'_>,
    connection: &Connection,
    refused: Refused,
    findings: &mut Findings,
) {
    let ip = connection.ip;
    let said = connection
        .trouble
        .handshake_detail
        .as_deref()
        .map(str::to_owned);
    let is_private = case.target.rules.classify(ip).is_private();
    let is_public = |from: &IpAddr| case.target.rules.classify(*from) == Class::Public;
    if let Some(from) = refused.seen_from.filter(is_public).filter(|_| is_private) {
        let evidence = said.clone().unwrap_or_default();
        let fact = ServiceFact::SeenFrom { ip, from, evidence };
        findings.add(Reason::PublicPathSeen, Some(ip), [fact]);
    }
    let fact = ServiceFact::RefusedByProtocol { ip, refused, said };
    findings.add(Reason::AccessDenied, Some(ip), [fact]);
}

/// A denial at a private address. Where it names a public one, or TLS is inspected, two readings fit.
fn path_denied(
    case: &Case<'_>,
    connection: &Connection,
    seen_public: Option<IpAddr>,
    mut facts: Vec<ServiceFact>,
    findings: &mut Findings,
) {
    let ip = connection.ip;
    let other_reading = match seen_public {
        Some(from) => Some(ServiceFact::DenialNamesPublic { from }),
        None => is_inspected(case, connection).then_some(ServiceFact::TlsInspected),
    };
    let confidence = match other_reading {
        Some(_) => Confidence::Medium,
        None => Confidence::High,
    };
    facts.extend(other_reading);
    let reason = Reason::WrongPrivateEndpoint;
    findings.add_as(reason, reason.severity(), confidence, Some(ip), facts);
}

/// Whether another device than the service presents the certificate of this address.
fn is_inspected(case: &Case<'_>, connection: &Connection) -> bool {
    let certificate = connection.certificate.as_ref();
    let foreign = |trust: &Trust| {
        matches!(
            trust,
            Trust::CaFile | Trust::UnknownIssuer | Trust::NotFollowed { .. }
        )
    };
    case.target.service.is_some() && certificate.is_some_and(|c| foreign(&c.trust))
}

/// A service endpoint is proven by being let in over the public address, and nothing was asked.
fn unverified(case: &Case<'_>, findings: &mut Findings) {
    let connections = &case.observation.connections;
    let public = case
        .observation
        .classes()
        .iter()
        .all(|class| class == Class::Public);
    let completed =
        |c: &&Connection| matches!(c.handshake, Handshake::Ok | Handshake::NotApplicable);
    let answered = connections
        .iter()
        .filter(completed)
        .any(|connection| connection.tcp == TcpOutcome::Ok);
    // A host judged on DNS alone is not even dialled.
    let answered = answered || (case.target.dns_only && !connections.is_empty());
    let asked = connections
        .iter()
        .any(|connection| connection.service.is_some());
    if case.expect == Expectation::ServiceEndpoint && public && answered && !asked {
        let could_be_asked = case.target.evidence().is_some();
        let fact = ServiceFact::AccessUnknown { could_be_asked };
        findings.add(Reason::AccessUnverified, None, [fact]);
    }
}
