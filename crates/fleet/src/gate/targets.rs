//! Targets: which are judged, and which are not, because nothing says that they should be private.

use std::collections::{BTreeMap, HashSet};

use privatelink_verdict::target::Expectation;

use super::WhyNotJudged;
use crate::fleet::Seen;
use crate::query::GateQuery;
use crate::table::TargetNumbers;
use crate::{FleetHistory, FleetQuery, FleetTarget, Moment};

/// The targets that are judged, and those that are not.
pub(super) struct Targets<'a> {
    /// By their names.
    pub(super) judged: BTreeMap<&'a str, &'a FleetTarget>,
    pub(super) not_judged: BTreeMap<WhyNotJudged, Vec<&'a str>>,
    /// How many were published that no agent has.
    pub(super) unwatched: u32,
}

impl<'a> Targets<'a> {
    pub(super) fn of(
        seen: &[Seen<'a>],
        history: &FleetHistory,
        (query, asked): (&FleetQuery, &GateQuery),
        from: Moment,
    ) -> Self {
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
        let hosts: HashSet<&str> = known.iter().map(|(target, _)| &*target.host).collect();
        let published = asked.published.iter();
        let unwatched = published
            .filter(|host| query.takes_target(host, host) && !hosts.contains(host.as_str()));
        let mut targets = Self {
            judged: BTreeMap::new(),
            not_judged: BTreeMap::new(),
            unwatched: u32::try_from(unwatched.count()).unwrap_or(u32::MAX),
        };
        for (target, expect) in known {
            if !query.takes_target(&target.name, &target.host) {
                continue;
            }
            // A target that was found has its host's name until somebody declares it under another one.
            let was_private = [&target.name, &target.host]
                .iter()
                .any(|name| history.was_private(name, from));
            if expect == Expectation::PrivateEndpoint || was_private {
                targets.judged.insert(&*target.name, target);
            } else {
                let why = match expect {
                    Expectation::ServiceEndpoint => WhyNotJudged::ServiceEndpoint,
                    _ => WhyNotJudged::Public,
                };
                targets
                    .not_judged
                    .entry(why)
                    .or_default()
                    .push(&target.name);
            }
        }
        targets
    }
}
