//! Address advice: about addresses that are not what they should be.

use super::{in_other_zone, repaired_path};
use crate::address::Family;
use crate::case::Case;
use crate::catalogue;
use crate::fact::{AddressFact, AliasZone, Fact, Nature};
use crate::name::is_within;
use crate::reason::Reason;
use crate::target::Expectation;
use crate::verdict::Finding;

pub(super) fn meaning(case: &Case<'_>, fact: &AddressFact) -> Option<&'static str> {
    match fact {
        AddressFact::AliasEndsAt { .. } if case.may_be_somebody_elses() => Some(
            "The host has a privatelink alias and resolves to a public address, as somebody else's \
             private endpoint does that is reached publicly as meant.",
        ),
        AddressFact::NoAlias { .. } if catalogue::sharing(case.host()).is_some() => {
            Some("Many resources share this host, and here no private endpoint serves it.")
        }
        AddressFact::NoAlias { .. } if is_of_ones_own(case) => {
            Some("The host resolves to a public address, and nothing leads to a private one.")
        }
        AddressFact::PrivateForServiceEndpoint { .. } => {
            Some("The address is private, and a service endpoint works over the public one alone.")
        }
        _ => None,
    }
}

pub(super) fn remedy(case: &Case<'_>, finding: &Finding, fact: &AddressFact) -> Option<String> {
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
        AddressFact::InReservedRange { ip } => Some(format!(
            "Add the range of {ip} to classify.private if endpoints really have such addresses here, \
             because expectedCidrs alone makes no reserved address dialable; else correct the record."
        )),
        AddressFact::MixedAddresses(_) => mixed(case, finding),
        AddressFact::AliasEndsAt { alias, zone, .. } => match finding.reason {
            Reason::PublicFallbackZoneLinked => bypassed(case, finding, alias, zone.as_ref()),
            _ => fallback(case, finding, alias),
        },
        AddressFact::NoAlias { .. } => without_endpoint(case),
        AddressFact::ProxySet { .. } if case.expect == Expectation::Public => Some(
            "Change nothing if applications are meant to reach this public host through the proxy: what \
             is probed here is the direct path. Else let NO_PROXY cover it."
                .to_owned(),
        ),
        AddressFact::PrivateForServiceEndpoint { .. } => Some(
            "Take the private answer away from this network, by unlinking the zone or removing the \
             record, or change the target's expectation to privateEndpoint."
                .to_owned(),
        ),
        _ => None,
    }
}

fn mixed(case: &Case<'_>, finding: &Finding) -> Option<String> {
    if case.expect == Expectation::ServiceEndpoint {
        return Some(
            "Take the private addresses out of the answer, by unlinking the zone or removing the record, \
             because a service endpoint works over the public address alone."
                .to_owned(),
        );
    }
    let odd = finding.address?;
    let mut addresses = case.observation.resolution.addresses.iter();
    let shares_family = addresses
        .any(|address| address.class.is_private() && Family::of(address.ip) == Family::of(odd));
    shares_family.then(|| {
        format!(
            "Remove {odd} from the records of {}, which hold private addresses beside it, because \
             clients pick any address of the answer.",
            case.last_name()
        )
    })
}

/// The private zone is not seen on this path.
fn fallback(case: &Case<'_>, finding: &Finding, alias: &str) -> Option<String> {
    let zone = case.zone().unwrap_or(alias);
    if let Some(wrong) = in_other_zone(finding) {
        return Some(format!(
            "Create the zone {zone}, link it to the virtual network whose DNS answers here, and move the \
             record {wrong} into it, as {alias}: that is the name that clients are led to."
        ));
    }
    repaired_path(case).or_else(|| {
        case.may_be_somebody_elses().then(|| {
            format!(
                "If the resource is yours, link the private DNS zone {zone} to the virtual network whose \
                 DNS answers here; if it is somebody else's, nothing is wrong: let the target expect \
                 public."
            )
        })
    })
}

/// The private zone is seen on this path, and the host's address is public all the same.
fn bypassed(
    case: &Case<'_>,
    finding: &Finding,
    alias: &str,
    zone: Option<&AliasZone>,
) -> Option<String> {
    if let Some(advice) = endpoint_of_secondary(case) {
        return Some(advice);
    }
    let mut facts = finding.facts.iter();
    let special = facts.find_map(|fact| match fact {
        Fact::Address(AddressFact::AliasByItself { ip }) => Some(format!(
            "Forward the whole public zone of {}, and not the privatelink zone alone, to the resolver \
             that sees the private zone: there {alias} has {ip}.",
            case.host()
        )),
        Fact::Address(AddressFact::NothingFollowsAlias {
            by_configuration: true,
        }) => Some(format!(
            "Take the address out of classify.public if it is the private endpoint's, or correct it in \
             the record {alias}."
        )),
        Fact::Address(AddressFact::NothingFollowsAlias { .. }) => Some(format!(
            "Correct the address in the record {alias}, or add its range to classify.private if it is \
             the private endpoint's."
        )),
        _ => None,
    });
    if special.is_some() {
        return special;
    }
    if let Some(other) = case.other_resource() {
        return Some(format!(
            "Change the record {alias}: it is an alias of {other}, another resource's public name, and \
             should hold the address of the private endpoint."
        ));
    }
    if let Some(wrong) = in_other_zone(finding) {
        return Some(format!(
            "Move the record {wrong} to {alias}, in the zone that is linked: that is the name that \
             clients are led to."
        ));
    }
    match zone? {
        AliasZone::Private(Some(mname)) => Some(format!(
            "Look at the record {alias} on {mname}: add it with the private endpoint's address, \
             or change it if it is an alias of the public side."
        )),
        AliasZone::Private(None) if case.may_be_somebody_elses() => Some(format!(
            "If the resource is yours, create the record {alias} in the linked zone, best by a DNS zone \
             group of its private endpoint; if it is somebody else's, fallback to internet works as \
             meant: let the target expect public."
        )),
        AliasZone::Private(None) => Some(format!(
            "Look at the record {alias} in the linked zone: create it if it is missing, change \
             it if it is an alias of the public side, and if it holds the private address, \
             forward the whole public zone to the resolver that sees it."
        )),
        AliasZone::Public(_) | AliasZone::Unknown { .. } | AliasZone::Silent(_) => None,
    }
}

fn without_endpoint(case: &Case<'_>) -> Option<String> {
    let host = case.host();
    if let Some(advice) = endpoint_of_secondary(case) {
        return Some(advice);
    }
    if is_of_ones_own(case) {
        return Some(format!(
            "Make {host} resolve to its internal address here, as by forwarding its zone to the servers \
             that hold it, or change the target's expectation if public access is meant."
        ));
    }
    let service = catalogue::sharing(host)?;
    if service.may_have_endpoint(host) {
        return Some(format!(
            "Create or approve the private endpoint that serves {host}, which many resources share, or \
             change the target's expectation if public access is meant."
        ));
    }
    let suffix = service.suffixes.first()?;
    let own = if is_within(host, suffix) {
        "the resource's own name"
    } else {
        "the custom subdomain of the resource"
    };
    Some(format!(
        "Use {own}, such as NAME.{suffix}, in applications and as the target's host: \
         many resources share {host}, and no private endpoint serves it."
    ))
}

/// Whether no name of Azure's leads to the host's resource.
fn is_of_ones_own(case: &Case<'_>) -> bool {
    let resource = case.resource();
    case.target.service.is_none()
        && catalogue::lookup(resource).is_none()
        && catalogue::sharing(resource).is_none()
}

/// The secondary of a storage account needs a private endpoint of its own.
pub(super) fn endpoint_of_secondary(case: &Case<'_>) -> Option<String> {
    let subresource = secondary(case)?;
    Some(format!(
        "Create or approve a private endpoint with the sub-resource {subresource}: {} is the read-only \
         secondary, which the endpoint of the primary does not serve.",
        case.host()
    ))
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
