//! Advice: what a finding means, and what to do about it. Both are the general sentences of its reason,
//! unless a fact or the expectation makes them wrong or useless.

mod address;
mod dns;
mod missing_record;

use std::borrow::Cow;

use crate::case::Case;
use crate::fact::{DnsFact, Fact, ServiceFact, TlsFact};
use crate::observation::Refusal;
use crate::verdict::Finding;

/// What a finding means.
pub(super) fn meaning(finding: &Finding) -> &'static str {
    let special = finding.facts.iter().find_map(|fact| match fact {
        Fact::Dns(fact) => dns::meaning(finding.reason, fact),
        Fact::Address(fact) => address::meaning(fact),
        Fact::Service(ServiceFact::RefusedByProtocol { refusal, .. }) => Some(match refusal {
            Refusal::HostBlocked => {
                "The server blocks this address, because too many connections from it ended before \
                 a login."
            }
            Refusal::HostNotAllowed => "No account of the server may log in from this address.",
        }),
        _ => None,
    });
    special.unwrap_or(finding.reason.meaning())
}

/// What to do about a finding.
pub(super) fn remedy(case: &Case<'_>, finding: &Finding) -> Cow<'static, str> {
    let special = finding.facts.iter().find_map(|fact| match fact {
        Fact::Dns(fact) => dns::remedy(case, finding, fact),
        Fact::Address(fact) => address::remedy(case, finding, fact),
        Fact::Tls(fact) => tls(fact),
        Fact::Service(fact) => service(case, fact),
        _ => None,
    });
    special.map_or(Cow::Borrowed(finding.reason.remedy()), Cow::Owned)
}

fn tls(fact: &TlsFact) -> Option<String> {
    match fact {
        TlsFact::UnknownIssuer {
            sent_alone: true,
            own_ca: false,
            issuer,
            ..
        } => Some(format!(
            "Make the server send the certificate of its issuer ({issuer}) along with its own; add a \
             root to tls.caFiles only where the chain really ends in one."
        )),
        TlsFact::ChainNotFollowed { .. } => Some(
            "Make the server send only the certificates from its own to the root, each once; clients \
             that try more of them may accept it as it is."
                .to_owned(),
        ),
        TlsFact::OfferRefused => Some(
            "Try another client, such as openssl s_client: if it succeeds, allow AES-GCM cipher \
             suites at the server, else check that port and protocol belong together."
                .to_owned(),
        ),
        _ => None,
    }
}

fn service(case: &Case<'_>, fact: &ServiceFact) -> Option<String> {
    match fact {
        ServiceFact::RefusedByProtocol { refusal, .. } => Some(match refusal {
            Refusal::HostBlocked => {
                "Unblock the node on the server (TRUNCATE TABLE performance_schema.host_cache, or \
                 mysqladmin flush-hosts), and find what connects from it without a login: a health \
                 check, a monitor, or this agent with a short interval."
                    .to_owned()
            }
            Refusal::HostNotAllowed => {
                "Let an account of the server log in from this address: its host part has to match \
                 the addresses of the cluster, as in user@'10.1.%'."
                    .to_owned()
            }
        }),
        ServiceFact::PublicAccessOff => Some(format!(
            "Make {} resolve to its private endpoint here: public access is off, so no network rule \
             lets this path in.",
            case.host()
        )),
        _ => None,
    }
}

/// The record that was made in the zone that people mistake for the right one.
fn in_other_zone(finding: &Finding) -> Option<&str> {
    finding.facts.iter().find_map(|fact| match fact {
        Fact::Dns(DnsFact::RecordInOtherZone { name, .. }) => Some(name.as_str()),
        _ => None,
    })
}

/// What to repair where another resolver sees the private zone: it is linked, and this path does not
/// lead to it.
fn repaired_path(case: &Case<'_>) -> Option<String> {
    let host = case.host();
    let path = case.observation.resolution.resolver.as_str();
    let other = &case.private_elsewhere()?.resolution;
    Some(match (path, other.resolver.as_str()) {
        ("pod", "node") => format!(
            "Make the cluster's DNS resolve {host} as the node does, which sees the private zone: look \
             at `forward` in CoreDNS's Corefile and at the ConfigMap coredns-custom."
        ),
        ("node", "pod") => format!(
            "Make the node resolve {host} as pods do, which see the private zone: look at the DNS \
             servers of its virtual network and at the zone's links, and restart nodes that still have \
             the servers of before."
        ),
        (path, other) => format!(
            "Make the resolver {path} ask where {other} asks, or forward to it: {other} sees the private \
             zone."
        ),
    })
}
