//! Summary: the story of a verdict in one sentence.

use super::detail::{certificate, clause, joined, list, no_address, sentence};
use crate::address::Class;
use crate::case::Case;
use crate::fact::{AddressList, DnsFact, Fact, Negative, ResolverFact, TlsFact};
use crate::observation::{Connection, TcpOutcome, TlsOutcome};
use crate::reason::{Reason, Severity, Stage};
use crate::service_evidence::ReplyOutcome;
use crate::target::{Expectation, Protocol};
use crate::verdict::{Finding, Verdict};

pub(super) fn summary(case: &Case<'_>, verdict: &Verdict) -> String {
    let story = match verdict.primary() {
        Some(finding) => story(case, finding),
        None => healthy(case),
    };
    // What a library or a peer said may end its own sentence.
    let mut summary = story.trim_end_matches('.').to_owned();
    if let Some(fact) = fails_besides(verdict) {
        summary.push_str("; besides, ");
        summary.push_str(clause(fact).trim_end_matches('.'));
    }
    for fact in &verdict.context {
        summary.push_str("; ");
        summary.push_str(&clause(fact));
    }
    summary.push('.');
    summary
}

/// What fails in the handshake besides the primary finding of an earlier stage, unless that one's story
/// tells of the certificate.
fn fails_besides(verdict: &Verdict) -> Option<&Fact> {
    let primary = verdict.primary()?;
    let mut others = verdict.findings.iter();
    let other = others
        .find(|other| other.severity == Severity::Fail && other.reason.stage() == Stage::Tls)?;
    let is_told = primary.reason == Reason::NoPrivateEndpoint;
    (primary.reason.stage() < Stage::Tls && !is_told).then_some(other.facts.first())?
}

/// The primary finding as a sentence about the host, without a full stop.
fn story(case: &Case<'_>, finding: &Finding) -> String {
    let host = case.host();
    let detail = || {
        // Too little for the summary: it says only what the cache is not.
        let too_little = Fact::Resolver(ResolverFact::TtlStays);
        let facts = finding.facts.iter().filter(|fact| **fact != too_little);
        sentence(facts)
    };
    match finding.reason {
        Reason::PublicFallback | Reason::PublicFallbackZoneLinked => format!(
            "{host} falls back to its public address{}: {}",
            at_the_public_address(case),
            detail()
        ),
        Reason::NoPrivateEndpoint => {
            format!(
                "{host} has no private endpoint{}: it {}",
                without_endpoint(case),
                detail()
            )
        }
        Reason::MixedAddresses => {
            let unreachable = if finding.severity == Severity::Warn {
                "; pods have no route to those of the unexpected class"
            } else {
                ""
            };
            format!(
                "{host} resolves to private and public addresses at once: {}{unreachable}",
                addresses(case)
            )
        }
        Reason::ConnectTimeout
        | Reason::ConnectRefused
        | Reason::ConnectUnreachable
        | Reason::ConnectReset
        | Reason::PortBlocked => format!(
            "{host} does not answer on port {}: {}",
            case.target.port,
            detail()
        ),
        Reason::DnsNameNotFound => {
            let facts = finding.facts.iter().map(|fact| about_host(host, fact));
            let facts = joined(facts, "; ");
            match finding.facts.first() {
                Some(Fact::Dns(DnsFact::NoAddress {
                    negative: Negative::Nodata,
                    name,
                    ..
                })) if name == host => format!("{host} exists in DNS here, and has {facts}"),
                _ => format!("{host} is not known to DNS here: {facts}"),
            }
        }
        Reason::TlsNameMismatch => {
            let facts = finding.facts.iter().map(|fact| about_host(host, fact));
            let server_name = case.target.server_name();
            let which = if server_name == host {
                "for other names".to_owned()
            } else {
                format!("that does not cover its serverName {server_name}")
            };
            format!("{host} gets a certificate {which}: {}", joined(facts, "; "))
        }
        Reason::AccessDenied if past_its_endpoint(case) => format!(
            "{host} resolves to its public address, past its private endpoint's alias, and there {}",
            detail()
        ),
        _ if is_about(host, finding) => detail(),
        reason => format!("{host}{}: {}", opening(reason), detail()),
    }
}

/// What the host does or lacks, where the reason alone says it.
const fn opening(reason: Reason) -> &'static str {
    match reason {
        Reason::AgentError => " could not be probed",
        Reason::DnsTimeout
        | Reason::DnsServerUnreachable
        | Reason::DnsServerFailure
        | Reason::DnsTcpFailed
        | Reason::DnsInvalidAnswer => " cannot be resolved",
        Reason::DnsDegraded => " resolves, but not without trouble",
        Reason::AddressFlapping => " resolves now to one class of address, now to another",
        Reason::TlsTimeout | Reason::TlsInterrupted | Reason::TlsHandshakeFailed => {
            " connects, but completes no handshake"
        }
        _ => "",
    }
}

/// A fact in words, without the host's name, which the sentence begins with.
fn about_host(host: &str, fact: &Fact) -> String {
    match fact {
        Fact::Dns(DnsFact::NoAddress {
            negative,
            name,
            server,
        }) if name == host => no_address(*negative, None, *server),
        Fact::Tls(TlsFact::OtherNames {
            wanted,
            ip,
            presented,
        }) if wanted == host => format!("{ip} presents {}", certificate(presented)),
        fact => clause(fact),
    }
}

/// Whether the finding's first fact is a sentence that begins with the host.
fn is_about(host: &str, finding: &Finding) -> bool {
    matches!(finding.facts.first(), Some(Fact::Tls(TlsFact::PrivatelinkName { is_only_name: false, wanted, .. })) if wanted == host)
}

/// Whether there is an alias, and the addresses are public all the same.
fn past_its_endpoint(case: &Case<'_>) -> bool {
    let public = case.observation.classes().contains(Class::Public);
    public && case.alias.is_some() && case.expect != Expectation::ServiceEndpoint
}

/// Whether the public address works, so that nothing but this probe shows the fallback.
fn at_the_public_address(case: &Case<'_>) -> &'static str {
    let evidence = case.target.evidence();
    let mut connections = case.observation.connections.iter();
    let denies = |connection: &Connection| {
        let reply = connection.service.as_ref();
        let proof = reply.and_then(|reply| reply.proof(evidence));
        connection.trouble.refused.is_some()
            || proof.is_some_and(|p| p.outcome == ReplyOutcome::Denied)
    };
    if connections.any(denies) {
        ", where the service denies access"
    } else if answers(case) > 0 {
        ", which still answers"
    } else {
        ""
    }
}

/// What answers at the public address of a host without a private endpoint.
fn without_endpoint(case: &Case<'_>) -> &'static str {
    let mut certificates = case.observation.certificates();
    if certificates.any(|(_, certificate)| !certificate.covers_name) {
        ", and what answers is not the service, by its certificate"
    } else if answers(case) > 0 {
        ", though its public address answers"
    } else {
        ""
    }
}

/// How many addresses answer as the service does.
fn answers(case: &Case<'_>) -> usize {
    let well = |c: &&Connection| {
        let tls = matches!(c.tls(), TlsOutcome::Ok | TlsOutcome::NotApplicable);
        c.tcp == TcpOutcome::Ok && tls
    };
    case.observation.connections.iter().filter(well).count()
}

fn addresses(case: &Case<'_>) -> String {
    list(&AddressList::of_all(&case.observation.resolution))
}

fn healthy(case: &Case<'_>) -> String {
    // Without a demand the address has no meaning: a host that may be public can be private too.
    let as_what = match case.expect {
        Expectation::PrivateEndpoint if case.alias.is_some() => "its private endpoint, ",
        // A server in a virtual network, or a split horizon.
        Expectation::PrivateEndpoint => "a private address, ",
        Expectation::ServiceEndpoint => "its public address, as a service endpoint keeps it, ",
        Expectation::Public | Expectation::Auto => "",
    };
    let mut text = format!("{} resolves to {as_what}{}", case.host(), addresses(case));
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
    text
}
