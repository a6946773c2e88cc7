//! Summary: the story of a verdict in one sentence.

use super::cache::STAYS;
use super::{Case, address, list, servers};
use crate::address::Class;
use crate::observation::{Connection, TcpOutcome, TlsOutcome};
use crate::reason::{Reason, Severity};
use crate::service::ReplyOutcome;
use crate::target::{Expectation, Protocol};
use crate::verdict::{Finding, Outcome};

pub(super) fn summary(case: &Case<'_>, primary: Option<&Finding>) -> String {
    let mut summary = story(case, primary);
    let mut add = |more: String| {
        summary.truncate(summary.trim_end_matches('.').len());
        summary.push_str(&format!("; {more}."));
    };
    if primary.is_some_and(|finding| finding.reason != Reason::ResolverDisagreement) {
        paths(case).into_iter().for_each(&mut add);
    }
    let resolution = &case.observation.resolution;
    // A flapping answer's own detail tells of the servers.
    if servers::differ(case) && !case.history.flaps(resolution) {
        add(format!(
            "asked one by one, the servers of the resolver {} differ: {}",
            resolution.resolver,
            servers::each(case)
        ));
    }
    let companions = &case.surroundings.companions;
    if let Some(failing) = companions.iter().find(|c| c.outcome == Outcome::Fail) {
        add(format!(
            "{}, which belongs to the same service, fails with {}",
            failing.target, failing.reason
        ));
    }
    summary
}

/// Which path the verdict is about, where another resolver that must agree gives something else.
fn paths(case: &Case<'_>) -> Option<String> {
    let path = &case.observation.resolution;
    let comparisons = case.observation.comparisons.iter();
    let mut others = comparisons.filter(|comparison| {
        let differs = match comparison.agrees_with(path) {
            Some(agrees) => !agrees,
            None => {
                !path.answered() && path.outcome().is_some() && comparison.resolution.answered()
            }
        };
        comparison.must_agree && differs
    });
    let other = others.next()?;
    let consequence = address::consequence(case, other);
    if !consequence.is_empty() {
        return Some(consequence.to_owned());
    }
    Some(format!(
        "that is the path {}, while {} gives {}",
        path.resolver,
        other.resolution.resolver,
        address::described(&other.resolution.addresses)
    ))
}

fn story(case: &Case<'_>, primary: Option<&Finding>) -> String {
    let host = case.host();
    let Some(finding) = primary else {
        return healthy(case);
    };
    // What a library or a peer said may end its own sentence.
    let detail = finding.detail.trim_end_matches('.').replace(STAYS, "");
    match finding.reason {
        Reason::PublicFallback | Reason::PublicFallbackZoneLinked => {
            format!(
                "{host} falls back to its public address{}: {detail}.",
                noticed(case)
            )
        }
        Reason::NoPrivateEndpoint => {
            let mut certificates = case.observation.certificates();
            let unnoticed = if certificates.any(|(_, certificate)| !certificate.covers_name) {
                ", and what answers is not the service, by its certificate"
            } else if answers(case) > 0 {
                ", though its public address answers"
            } else {
                ""
            };
            format!("{host} has no private endpoint{unnoticed}: it {detail}.")
        }
        Reason::MixedAddresses => {
            let addresses = list(&case.observation.resolution.addresses);
            let unreachable = if finding.severity == Severity::Warn {
                "; pods have no route to the odd ones"
            } else {
                ""
            };
            format!(
                "{host} resolves to private and public addresses at once: {addresses}{unreachable}."
            )
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
        Reason::DnsNameNotFound => {
            let negative = detail.replacen(&format!(" for {host}"), "", 1);
            format!("{host} is not known to DNS here: {negative}.")
        }
        Reason::TlsNameMismatch => {
            let presented = detail.replace(&format!(", not {host}"), "");
            format!("{host} gets a certificate for other names: {presented}.")
        }
        Reason::TlsTimeout | Reason::TlsInterrupted | Reason::TlsHandshakeFailed => {
            format!("{host} connects, but completes no handshake: {detail}.")
        }
        Reason::AccessDenied if past_its_endpoint(case) => format!(
            "{host} resolves to its public address, past its private endpoint's alias, and there {detail}."
        ),
        Reason::DnsDegraded => format!("{host} resolves, but not without trouble: {detail}."),
        Reason::AddressFlapping => {
            format!("{host} resolves now to one class of address, now to another: {detail}.")
        }
        // Where the detail begins with the host, it is the sentence.
        _ if detail.starts_with(&format!("{host} ")) => format!("{detail}."),
        _ => format!("{host}: {detail}."),
    }
}

/// Whether there is an alias, and the addresses are public all the same.
fn past_its_endpoint(case: &Case<'_>) -> bool {
    let public = case.observation.classes().contains(Class::Public);
    public && case.alias.is_some() && case.expect != Expectation::ServiceEndpoint
}

/// Why nobody else notices, the public address works; or why somebody does.
fn noticed(case: &Case<'_>) -> &'static str {
    let slug = case.target.service_slug();
    let mut connections = case.observation.connections.iter();
    let denies = |connection: &Connection| {
        let reply = connection.service.as_ref();
        let proof = reply.and_then(|reply| reply.proof(slug));
        connection.refusal.is_some() || proof.is_some_and(|p| p.outcome == ReplyOutcome::Denied)
    };
    if connections.any(denies) {
        ", where the service denies access"
    } else if answers(case) > 0 {
        ", which still answers"
    } else {
        ""
    }
}

/// How many addresses answer as the service does: nobody notices a public one that works.
fn answers(case: &Case<'_>) -> usize {
    let well = |c: &&Connection| {
        let tls = matches!(c.tls(), TlsOutcome::Ok | TlsOutcome::NotApplicable);
        c.tcp == TcpOutcome::Ok && tls
    };
    case.observation.connections.iter().filter(well).count()
}

fn healthy(case: &Case<'_>) -> String {
    let addresses = &case.observation.resolution.addresses;
    // No demand, nothing to say of its address: a host that may be public can be private too.
    let as_what = match case.expect {
        Expectation::PrivateEndpoint => "its private endpoint, ",
        Expectation::ServiceEndpoint => "its public address, as a service endpoint keeps it, ",
        Expectation::Public | Expectation::Auto => "",
    };
    let mut text = format!("{} resolves to {as_what}{}", case.host(), list(addresses));
    if answers(case) > 0 {
        text.push_str(&format!(", and answers on port {}", case.target.port));
        if case.target.protocol != Protocol::Tcp && case.observation.certificates().next().is_some()
        {
            text.push_str(" with the right certificate");
        }
    } else if case.target.dns_only {
        text.push_str(
            ", and was not dialled, since the server counts that against this host: write its protocol to \
             probe it",
        );
    }
    text.push('.');
    text
}
