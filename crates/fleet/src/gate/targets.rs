//! Targets: which are judged, and which are not, because nothing says that they should be private.

use std::collections::BTreeMap;

use privatelink_verdict::target::Expectation;

use super::WhyNotJudged;
use crate::fleet::Seen;
use crate::table::TargetNumbers;
use crate::{FleetHistory, FleetQuery, FleetTarget, Moment};

type Judged<'a> = BTreeMap<&'a str, &'a FleetTarget>;

/// The targets that are judged, and those that are not.
pub(super) fn targets<'a>(
    seen: &[Seen<'a>],
    history: &FleetHistory,
    query: &FleetQuery,
    from: Moment,
) -> (Judged<'a>, BTreeMap<WhyNotJudged, Vec<&'a str>>) {
    let mut numbers = TargetNumbers::default();
    // Each target, and the expectation that says most of it.
    let mut known: Vec<(&FleetTarget, Expectation)> = Vec::new();
    for view in seen.iter().filter_map(|seen| seen.view) {
        for (position, cell) in view.cells.iter().enumerate() {
            let number = numbers.of(&cell.target, position);
            if number == known.len() {
                known.push((&cell.target, cell.expect));
            }
            let rank = |expect| match expect {
                Expectation::PrivateEndpoint => 2,
                Expectation::ServiceEndpoint => 1,
                Expectation::Public | Expectation::Auto => 0,
            };
            if rank(cell.expect) > rank(known[number].1) {
                known[number].1 = cell.expect;
            }
        }
    }
    let (mut judged, mut others) = (BTreeMap::new(), BTreeMap::<_, Vec<&str>>::new());
    for (target, expect) in known {
        if !query.takes_target(&target.name, &target.host) {
            continue;
        }
        let is_private = expect == Expectation::PrivateEndpoint;
        if is_private || history.was_private(&target.name, from) {
            judged.insert(&*target.name, target);
        } else {
            let why = match expect {
                Expectation::ServiceEndpoint => WhyNotJudged::ServiceEndpoint,
                _ => WhyNotJudged::Public,
            };
            others.entry(why).or_default().push(&target.name);
        }
    }
    (judged, others)
}
