//! Missing record: what to do where a private zone has no address for the host. It depends on who
//! answers for the zone, who writes its records, and what is expected.

use super::address::endpoint_of_secondary;
use super::in_other_zone;
use crate::case::Case;
use crate::catalogue::{private_only_zone, privatelink_zone};
use crate::fact::{MissingRecord, ZoneAnswers};
use crate::name::is_within;
use crate::verdict::Finding;

pub(super) fn meaning(record: &MissingRecord) -> Option<&'static str> {
    match record.answers {
        ZoneAnswers::Unknown(_) | ZoneAnswers::Silent => Some(
            "Either the private zone lacks a record for this host, or the resource is gone: the answer \
             does not show who gave it.",
        ),
        _ if record.leads_to.is_some() => Some(
            "The private DNS zone has a record for this host, but it leads to a name without an address.",
        ),
        ZoneAnswers::InPlace(_) => Some(
            "Another private zone answers in place of the right one, and holds no record for this host.",
        ),
        ZoneAnswers::Linked | ZoneAnswers::ServedBy(_) => None,
    }
}

pub(super) fn remedy(case: &Case<'_>, finding: &Finding, record: &MissingRecord) -> Option<String> {
    let MissingRecord {
        zone,
        answers,
        name,
        leads_to,
        ..
    } = record;
    if let Some(last) = leads_to {
        let instead = if case.wants_public() {
            "take it out of the zone, because public access is expected"
        } else {
            "it should hold the address of the private endpoint"
        };
        return Some(format!(
            "Change the record {name}: it exists and is an alias of {last}, which has no address, and \
             {instead}."
        ));
    }
    if let Some(other) = case.private_elsewhere() {
        let (path, other) = (&case.observation.resolution.resolver, &other.resolution);
        return Some(format!(
            "Let the resolver {path} see the zone {zone} that {} sees, which holds the record, or add the \
             record {name} to the one seen here: there are two.",
            other.resolver
        ));
    }
    match answers {
        ZoneAnswers::Linked => in_linked_zone(case, finding, zone, name),
        ZoneAnswers::ServedBy(mname) => Some(on_own_server(case, zone, name, mname)),
        ZoneAnswers::InPlace(owner) => Some(format!(
            "Link the zone {zone} to this network too, where its longer name goes first, or unlink the \
             private zone {owner}, which answers in its place."
        )),
        ZoneAnswers::Unknown(mname) => Some(match case.soa {
            Some(soa) if is_within(&soa.owner, zone) => {
                format!(
                    "Add the record {name} to the zone {zone} on {mname}, which serves it here."
                )
            }
            _ => format!(
                "Make the zone {zone} visible here, by a link or by forwarding it, and check that it has \
                 the record {name}: a zone above it answers in its place."
            ),
        }),
        ZoneAnswers::Silent => Some(format!(
            "Find out who answers for the zone {zone} here: if it is a private zone, create the record \
             {name} in it; if it is the public side, the resource is gone."
        )),
    }
}

/// In a zone of Azure Private DNS. Without its record the public address is hidden too.
fn in_linked_zone(case: &Case<'_>, finding: &Finding, zone: &str, name: &str) -> Option<String> {
    if private_only_zone(name).is_some() {
        // Neither a zone group nor fallback to the internet is of use.
        return Some(format!(
            "Check that the server or cluster of {} exists, runs and uses the zone {zone}: the service \
             itself writes the record {name} there.",
            case.host()
        ));
    }
    // A zone group writes into the zone that Azure knows; one that begins below it hides that record.
    let right = privatelink_zone(name).filter(|right| *right != zone && is_within(zone, right));
    if let Some(right) = right {
        return Some(format!(
            "Unlink the zone {zone}, which hides {right}, where a DNS zone group of the private endpoint \
             writes the record {name}; or create the record in it by hand."
        ));
    }
    if case.wants_public() {
        return Some(format!(
            "Turn on fallback to internet (NxDomainRedirect) at the link of the zone {zone} to this \
             network, or unlink the zone if nothing here needs it: public access is expected, and the zone \
             without a record hides the public address."
        ));
    }
    if let Some(wrong) = in_other_zone(finding) {
        return Some(format!(
            "Move the record {wrong} into the zone {zone}, as {name}: that is the name that clients are \
             led to."
        ));
    }
    if let Some(advice) = endpoint_of_secondary(case) {
        return Some(advice);
    }
    if has_regional_names(case) && !case.may_be_somebody_elses() {
        return Some(format!(
            "Create the record {name} in the private DNS zone, best by attaching a DNS zone group to the \
             private endpoint, which also adds the names of a region that joins later."
        ));
    }
    case.may_be_somebody_elses().then(|| {
        format!(
            "If the resource is yours, create the record {name} in the zone {zone}, best by a DNS zone \
             group of its private endpoint; if it is somebody else's, turn on fallback to internet \
             (NxDomainRedirect) at the zone's link."
        )
    })
}

/// Whether the resource has a name for each of its regions, and one endpoint for all of them
/// (azure-docs, "Azure Private Endpoint private DNS zone values").
fn has_regional_names(case: &Case<'_>) -> bool {
    let slug = case.target.service_slug();
    slug.starts_with("cosmos-db") || slug == "container-registry-data"
}

fn on_own_server(case: &Case<'_>, zone: &str, name: &str, mname: &str) -> String {
    let falls_back = "with fallback to internet (NxDomainRedirect) at its link";
    if case.wants_public() {
        return format!(
            "Make {mname} forward the zone {zone} to Azure DNS, {falls_back}: public access is expected, \
             and the zone without a record hides the public address."
        );
    }
    if case.may_be_somebody_elses() {
        return format!(
            "If the resource is yours, add the record {name} to the zone {zone} on {mname}; if it is \
             somebody else's, make {mname} forward the zone to Azure DNS, {falls_back}."
        );
    }
    format!(
        "Add the record {name} to the zone {zone} on {mname}, or forward the zone to Azure DNS, which \
         knows the records of private endpoints."
    )
}
