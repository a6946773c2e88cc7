//! Dns advice: about names that are not resolved, or not well.

use super::super::detail::hosts;
use super::{missing_record, repaired_path};
use crate::case::Case;
use crate::fact::{DanglingAlias, DnsFact, Fact};
use crate::observation::QueryOutcome;
use crate::reason::Reason;
use crate::verdict::Finding;

pub(super) fn meaning(reason: Reason, fact: &DnsFact) -> Option<&'static str> {
    Some(match fact {
        DnsFact::RecordsOfAnotherName { .. } => {
            "The answer holds addresses of another name, which clients ignore."
        }
        DnsFact::RecordsBeforeTheirAlias { .. } => {
            "The records of the answer are out of order, and some clients find no address in it."
        }
        DnsFact::InternalName { .. } => {
            "The name does not exist here: it is in a private DNS zone that is not visible here, or \
             its resource is gone."
        }
        DnsFact::FamilyDenied { .. } => {
            "The name has addresses of one family, but for the other the server says that the name \
             does not exist."
        }
        DnsFact::LeadsBySrv { .. } => {
            "The name has SRV records and no address: clients of mongodb+srv look up the hosts behind it, and \
             connect to those."
        }
        DnsFact::RecordMissing(record) => return missing_record::meaning(record),
        DnsFact::AliasDangles(DanglingAlias {
            other_zone: Some(_),
            ..
        }) => HIDDEN,
        DnsFact::SaidByPrivateZone { .. } if reason == Reason::DnsAliasDangling => HIDDEN,
        DnsFact::SaidByPrivateZone { .. } => {
            "A private DNS zone answers for this name here, and holds no address for it."
        }
        _ => return None,
    })
}

const HIDDEN: &str = "The host's privatelink alias leads nowhere here, where a private DNS zone \
                      answers in place of a public one: the resource may well exist.";

pub(super) fn remedy(case: &Case<'_>, finding: &Finding, fact: &DnsFact) -> Option<String> {
    let (host, last) = (case.host(), case.last_name());
    Some(match fact {
        DnsFact::RecordsOfAnotherName { name, owner, .. } => format!(
            "Turn the answer back where {name} is rewritten to {owner}: in CoreDNS, add `answer auto` \
             to the rewrite, so that the records are owned by {name}."
        ),
        DnsFact::RecordsBeforeTheirAlias { .. } => {
            "Repair or update the DNS server, so that it gives CNAMEs before the addresses that they \
             lead to; until then, CoreDNS with the plugin loadbalance in front of it sorts them."
                .to_owned()
        }
        DnsFact::FamilyDenied { families, .. } => {
            let kind = families.first()?.record_type();
            format!(
                "Make the DNS server answer {kind} with NOERROR and no record: look for a rewrite, a \
                 template or a filter that answers {kind} with NXDOMAIN."
            )
        }
        DnsFact::FamilyFails { families, query } if query.outcome == QueryOutcome::Truncated => {
            let kind = families.first()?.record_type();
            format!(
                "Allow TCP port 53 to the DNS server beside UDP, because the {kind} answer is too long \
                 for UDP."
            )
        }
        DnsFact::PrivateOnlyName { .. } => return repaired_path(case),
        DnsFact::InternalName { zone, .. } => format!(
            "Check that the resource of {host} exists, and if it is internal, link the private zone \
             {zone} to the virtual network whose DNS answers here."
        ),
        DnsFact::RecordMissing(record) => return missing_record::remedy(case, finding, record),
        DnsFact::AliasDangles(DanglingAlias {
            other_zone: Some(soa),
            ..
        }) => format!(
            "Take the zone {} off {}, or make it forward the names that it lacks: it hides the public \
             name {last}.",
            soa.owner, soa.mname
        ),
        DnsFact::AliasDangles(_) => {
            let mut facts = finding.facts.iter();
            let owner = facts.find_map(private_zone)?;
            format!(
                "Unlink the private zone {owner} from this network, or add {last} to it: it hides the \
                 public name."
            )
        }
        DnsFact::ZoneShadows {
            owner,
            served_by: Some(mname),
            ..
        } => format!("Take the zone {owner} off {mname}, or add {host} to it there."),
        DnsFact::LeadsBySrv { first, more, .. } => format!(
            "Watch the hosts that the SRV records name, each as a target of its own with its port: {}.",
            hosts(first, *more)
        ),
        // A host that is probably misspelt needs no record.
        DnsFact::ProbablyMeant { .. } => finding.reason.remedy().to_owned(),
        DnsFact::SaidByPrivateZone { owner } if case.wants_public() => format!(
            "Unlink the private zone {owner} from this network, or add {last} to it: it hides the public \
             name."
        ),
        DnsFact::SaidByPrivateZone { owner } => format!(
            "Add a record for {last} to the private zone {owner}, or unlink that zone from this network \
             if the name is a public one."
        ),
        _ => return None,
    })
}

fn private_zone(fact: &Fact) -> Option<&str> {
    match fact {
        Fact::Dns(DnsFact::SaidByPrivateZone { owner }) => Some(owner),
        _ => None,
    }
}
