//! Resolver findings: whether the other resolvers give what the path gives.

use super::{Case, Findings, cache};
use crate::address::{Class, ClassSet};
use crate::fact::{AddressList, Consequence, ResolverFact};
use crate::history::History;
use crate::observation::{Comparison, QueryOutcome};
use crate::reason::Reason;

pub(super) fn find(case: &Case<'_>, history: &History, findings: &mut Findings) {
    for comparison in case.observation.comparisons.iter() {
        compared(case, history, comparison, findings);
    }
}

fn compared(case: &Case<'_>, history: &History, comparison: &Comparison, findings: &mut Findings) {
    if !comparison.must_agree {
        return;
    }
    let (path, other) = (&case.observation.resolution, &comparison.resolution);
    match comparison.agrees_with(path) {
        Some(true) => {}
        Some(false) => {
            let mut facts = vec![ResolverFact::ResolversDiffer {
                path: (path.resolver.to_string(), AddressList::of_all(path)),
                other: (other.resolver.to_string(), AddressList::of_all(other)),
            }];
            facts.extend(consequence(case, comparison).map(ResolverFact::Consequence));
            facts.extend(cache::after_repair(case, history, comparison));
            let address = other.addresses.first().map(|address| address.ip);
            findings.add(Reason::ResolverDisagreement, address, facts);
        }
        None => {
            let outcome = other.outcome();
            if outcome.is_none_or(QueryOutcome::is_failure) {
                let fact = ResolverFact::ResolverSilent {
                    resolver: other.resolver.to_string(),
                    outcome,
                };
                findings.add(Reason::ResolverUnavailable, None, [fact]);
            }
        }
    }
}

/// What a difference between the two resolvers of a node means to its workloads: without an address
/// they fail, with a public one they go public. `None` where nothing follows for either.
pub(super) fn consequence(case: &Case<'_>, comparison: &Comparison) -> Option<Consequence> {
    let path = &case.observation.resolution;
    let other = &comparison.resolution;
    let (pod, node) = match (&*path.resolver, &*other.resolver) {
        ("pod", "node") => (path.classes(), other.classes()),
        ("node", "pod") => (other.classes(), path.classes()),
        _ => return None,
    };
    let private = |classes: ClassSet| !classes.is_empty() && classes.iter().all(Class::is_private);
    let public = |classes: ClassSet| classes.contains(Class::Public);
    if private(pod) && public(node) {
        Some(Consequence::NodeGoesPublic)
    } else if private(pod) && node.is_empty() {
        Some(Consequence::NodeFails)
    } else if private(node) && public(pod) {
        Some(Consequence::PodsGoPublic)
    } else if private(node) && pod.is_empty() {
        Some(Consequence::PodsFail)
    } else {
        None
    }
}
