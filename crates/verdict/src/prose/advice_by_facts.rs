//! Advice: what a finding means, and what to do about it. Both are the general sentences of its reason,
//! unless a fact or the expectation makes them wrong or useless.

mod address;
pub(super) mod connect;
mod denial;
mod dns;
mod missing_record;
mod refusal;
mod tls;

use std::borrow::Cow;

use crate::case::Case;
use crate::fact::{DnsFact, Fact, ServiceFact};
use crate::verdict::Finding;

/// What a finding means.
pub(super) fn meaning(case: &Case<'_>, finding: &Finding) -> &'static str {
    let special = finding.facts.iter().find_map(|fact| match fact {
        Fact::Dns(fact) => dns::meaning(finding.reason, fact),
        Fact::Address(fact) => address::meaning(case, fact),
        Fact::Tls(fact) => tls::meaning(fact),
        Fact::Service(ServiceFact::RefusedByProtocol { refused, .. }) => {
            Some(refusal::meaning(refused.by))
        }
        _ => None,
    });
    special
        .or_else(|| connect::meaning(finding))
        .unwrap_or(finding.reason.meaning())
}

/// What to do about a finding.
pub(super) fn remedy(case: &Case<'_>, finding: &Finding) -> Cow<'static, str> {
    let special = finding.facts.iter().find_map(|fact| match fact {
        Fact::Dns(fact) => dns::remedy(case, finding, fact),
        Fact::Address(fact) => address::remedy(case, finding, fact),
        Fact::Tls(fact) => tls::remedy(case, fact),
        Fact::Service(fact) => service(case, fact),
        _ => None,
    });
    special
        .or_else(|| connect::remedy(case, finding))
        .or_else(|| denial::remedy(case, finding))
        .map_or(Cow::Borrowed(finding.reason.remedy()), Cow::Owned)
}

fn service(case: &Case<'_>, fact: &ServiceFact) -> Option<String> {
    match fact {
        ServiceFact::RefusedByProtocol { ip, refused, .. } => {
            Some(refusal::remedy(case, *ip, *refused))
        }
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
    let path = &*case.observation.resolution.resolver;
    let other = &case.private_elsewhere()?.resolution;
    Some(match (path, &*other.resolver) {
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
