//! Context: what other resolvers, servers and targets say that bears on a verdict and is no finding.

use super::{Case, resolver, servers};
use crate::fact::{AddressList, Fact, ResolverFact};
use crate::history::History;
use crate::reason::Reason;
use crate::surroundings::Surroundings;
use crate::verdict::Outcome;

pub(super) fn of(
    case: &Case<'_>,
    history: &History,
    surroundings: &Surroundings,
    primary: Reason,
) -> Vec<Fact> {
    let mut facts = Vec::new();
    if !matches!(primary, Reason::Ok | Reason::ResolverDisagreement) {
        facts.extend(other_path(case));
    }
    let resolution = &case.observation.resolution;
    // A flapping answer's own facts tell of the servers.
    if servers::differ(case) && !history.flaps(resolution) {
        let differ = ResolverFact::ServersDiffer {
            resolver: resolution.resolver.to_string(),
            servers: servers::each(case),
        };
        facts.push(differ.into());
    }
    let mut companions = surroundings.companions.iter();
    if let Some(failing) = companions.find(|companion| companion.outcome == Outcome::Fail) {
        facts.push(Fact::CompanionFails {
            target: failing.target.clone(),
            reason: failing.reason,
        });
    }
    facts
}

/// Which path the verdict is about, where another resolver that must agree gives something else.
fn other_path(case: &Case<'_>) -> Option<Fact> {
    let path = &case.observation.resolution;
    let mut comparisons = case.observation.comparisons.iter();
    let other = comparisons.find(|comparison| {
        let differs = match comparison.agrees_with(path) {
            Some(agrees) => !agrees,
            None => {
                !path.answered() && path.outcome().is_some() && comparison.resolution.answered()
            }
        };
        comparison.must_agree && differs
    })?;
    if let Some(consequence) = resolver::consequence(case, other) {
        return Some(ResolverFact::Consequence(consequence).into());
    }
    let addresses = AddressList::of_all(&other.resolution);
    let other = ResolverFact::OtherPath {
        path: path.resolver.to_string(),
        other: (other.resolution.resolver.to_string(), addresses),
    };
    Some(other.into())
}
