//! Summary: the story of a verdict in one sentence.

use super::{Case, list};
use crate::observation::{Connection, TcpOutcome};
use crate::reason::Reason;
use crate::service::ReplyOutcome;
use crate::target::{Expectation, Protocol};
use crate::verdict::Finding;

pub(super) fn summary(case: &Case<'_>, primary: Option<&Finding>) -> String {
    let host = case.host();
    let Some(finding) = primary else {
        return healthy(case);
    };
    let detail = &finding.detail;
    match finding.reason {
        Reason::PublicFallback | Reason::PublicFallbackZoneLinked => {
            format!(
                "{host} falls back to its public address{}: {detail}.",
                works(case)
            )
        }
        Reason::NoPrivateEndpoint => {
            format!(
                "{host} has no private endpoint{}: it {detail}.",
                works(case)
            )
        }
        Reason::MixedAddresses => {
            format!("{host} resolves to private and public addresses at once: {detail}.")
        }
        Reason::ConnectTimeout
        | Reason::ConnectRefused
        | Reason::ConnectUnreachable
        | Reason::ConnectReset
        | Reason::PortBlocked => format!(
            "{host} does not answer on port {}: {detail}.",
            case.target.port
        ),
        Reason::AgentError => format!("{host} could not be probed: {detail}."),
        Reason::DnsTimeout
        | Reason::DnsServerUnreachable
        | Reason::DnsServerFailure
        | Reason::DnsTcpFailed
        | Reason::DnsInvalidAnswer => format!("{host} cannot be resolved: {detail}."),
        _ => format!("{host}: {detail}."),
    }
}

/// Why nobody else notices, the public address works; or why somebody does.
fn works(case: &Case<'_>) -> &'static str {
    let slug = case.target.service_slug();
    let proofs = case
        .observation
        .connections
        .iter()
        .filter_map(|c| c.service.as_ref()?.proof(slug));
    if { proofs }.any(|proof| proof.outcome == ReplyOutcome::Denied) {
        return ", where the service denies access";
    }
    let connected = case
        .observation
        .connections
        .iter()
        .any(|c| c.tcp == TcpOutcome::Ok);
    if connected {
        ", which still answers"
    } else {
        ""
    }
}

fn healthy(case: &Case<'_>) -> String {
    let addresses = &case.observation.resolution.addresses;
    let answering = |c: &&Connection| c.tcp == TcpOutcome::Ok;
    let answers = case
        .observation
        .connections
        .iter()
        .filter(answering)
        .count();
    let as_what = match case.expect {
        Expectation::PrivateEndpoint => "its private endpoint",
        Expectation::ServiceEndpoint => "its public address, as a service endpoint keeps it",
        Expectation::Public | Expectation::Auto => "a public service",
    };
    let mut text = format!("{} resolves to {as_what}, {}", case.host(), list(addresses));
    if answers > 0 {
        text.push_str(&format!(", and answers on port {}", case.target.port));
        if case.target.protocol != Protocol::Tcp && case.observation.certificates().next().is_some()
        {
            text.push_str(" with the right certificate");
        }
    }
    text.push('.');
    text
}
