//! Advice: what a finding means, and what to do about it. Both are the general sentences of its reason,
//! unless a fact or the expectation makes them wrong or useless.

use std::borrow::Cow;

use crate::case::Case;
use crate::catalogue;
use crate::fact::{
    AddressFact, AliasZone, DnsFact, Fact, MissingRecord, Nature, ServiceFact, TlsFact, ZoneAnswers,
};
use crate::observation::Refusal;
use crate::reason::Reason;
use crate::target::Expectation;
use crate::verdict::Finding;

/// What a finding means.
pub(super) fn meaning(finding: &Finding) -> &'static str {
    let special = finding.facts.iter().find_map(|fact| match fact {
        Fact::Dns(DnsFact::RecordsOfAnotherName { .. }) => {
            Some("The answer holds addresses of another name, which clients ignore.")
        }
        Fact::Dns(DnsFact::InternalName { .. }) => Some(
            "The name does not exist here: it is in a private DNS zone that is not visible here, or \
             its resource is gone.",
        ),
        Fact::Dns(DnsFact::FamilyDenied { .. }) => Some(
            "The name has addresses of one family, but for the other the server says that the name \
             does not exist.",
        ),
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
        Fact::Dns(fact) => dns(case, fact),
        Fact::Address(fact) => address(case, finding.reason, fact),
        Fact::Tls(fact) => tls(fact),
        Fact::Service(fact) => service(case, fact),
        _ => None,
    });
    special.map_or(Cow::Borrowed(finding.reason.remedy()), Cow::Owned)
}

fn dns(case: &Case<'_>, fact: &DnsFact) -> Option<String> {
    Some(match fact {
        DnsFact::RecordsOfAnotherName { name, owner, .. } => format!(
            "Turn the answer back where {name} is rewritten to {owner}: in CoreDNS, add `answer auto` \
             to the rewrite, so that the records are owned by {name}."
        ),
        DnsFact::FamilyDenied { families, .. } => {
            let kind = families.first()?.record_type();
            format!(
                "Make the DNS server answer {kind} with NOERROR and no record: look for a rewrite, a \
                 template or a filter that answers {kind} with NXDOMAIN."
            )
        }
        DnsFact::InternalName { zone, .. } => format!(
            "Check that the resource of {} exists, and if it is internal, link the private zone \
             {zone} to the virtual network whose DNS answers here.",
            case.host()
        ),
        DnsFact::RecordMissing(record) => return missing_record(case, record),
        _ => return None,
    })
}

fn missing_record(case: &Case<'_>, record: &MissingRecord) -> Option<String> {
    let MissingRecord {
        zone,
        answers,
        name,
        leads_to,
        ..
    } = record;
    let is_linked = matches!(answers, ZoneAnswers::Linked | ZoneAnswers::InPlace(_));
    if case.expect == Expectation::Public && is_linked {
        return Some(format!(
            "Unlink the zone {zone} from this network, or turn on fallback to internet \
             (NxDomainRedirect) at its link: public access is expected, and the zone without a record \
             hides the public address."
        ));
    }
    if let Some(last) = leads_to {
        return Some(format!(
            "Change the record {name}: it exists and is an alias of {last}, which has no address, and \
             it should hold the address of the private endpoint."
        ));
    }
    match answers {
        ZoneAnswers::ServedBy(mname) => Some(format!(
            "Add the record {name} to the zone {zone} on {mname}, or forward the zone to Azure DNS, \
             which knows the records of private endpoints."
        )),
        _ => None,
    }
}

fn address(case: &Case<'_>, reason: Reason, fact: &AddressFact) -> Option<String> {
    match fact {
        AddressFact::NotDialled {
            ip,
            nature: Nature::Denied(net),
        } => Some(format!(
            "If {ip} is the private endpoint's address, the range {net} overlaps its subnet: take the \
             range out of deniedCidrs (chart: serviceCidrs) or move the endpoint; else correct the \
             record."
        )),
        AddressFact::NotDialled {
            nature: Nature::Unspecified,
            ..
        } => Some(format!(
            "Allow {} in the DNS filter that blocks it, or correct the record that holds this address.",
            case.host()
        )),
        AddressFact::AliasEndsAt {
            alias,
            zone: Some(AliasZone::Private(served_by)),
            ..
        } if reason == Reason::PublicFallbackZoneLinked => Some(match served_by {
            Some(mname) => format!(
                "Look at the record {alias} on {mname}: add it with the private endpoint's address, \
                 or change it if it is an alias of the public side."
            ),
            None => format!(
                "Look at the record {alias} in the linked zone: create it if it is missing, change \
                 it if it is an alias of the public side, and if it holds the private address, \
                 forward the whole public zone to the resolver that sees it."
            ),
        }),
        AddressFact::NoAlias { .. } => {
            let host = case.host();
            if let Some(subresource) = secondary(case) {
                return Some(format!(
                    "Create or approve a private endpoint with the sub-resource {subresource}: {host} is \
                     the read-only secondary, which the endpoint of the primary does not serve."
                ));
            }
            let service = catalogue::sharing(host)?;
            Some(if service.slug == "ai-services" {
                format!(
                    "Use the custom subdomain of the resource, such as \
                     NAME.cognitiveservices.azure.com: many resources share {host}, and no private \
                     endpoint serves it."
                )
            } else {
                format!(
                    "Create or approve the private endpoint that serves {host}, which many resources \
                     share, or change the target's expectation if public access is meant."
                )
            })
        }
        _ => None,
    }
}

/// The sub-resource of a storage account's secondary endpoint (azure-docs, "Use private endpoints for
/// Azure Storage").
fn secondary<'a>(case: &Case<'a>) -> Option<&'a str> {
    let (label, _) = case.resource().split_once('.')?;
    let subresources = &case.target.service?.subresources;
    let mut secondary = subresources
        .iter()
        .filter(|name| name.ends_with("_secondary"));
    secondary
        .next()
        .copied()
        .filter(|_| label.ends_with("-secondary"))
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
