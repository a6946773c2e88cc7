//! By trait: nodes that share a pool, a zone, a subnet or an image version, and what each target is on them,
//! counted. Of a large fleet that is a few columns, and they stay where they are while nodes change.

use std::collections::BTreeMap;
use std::sync::Arc;

use privatelink_verdict::reason::Reason;
use privatelink_verdict::verdict::Outcome;

use crate::group::commonest_of_worst;
use crate::table::{TargetNumbers, Trait};
use crate::{Cell, Fleet, FleetQuery, Moment, Node};

/// The nodes by the value that they have of a trait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodesByTrait {
    /// Each value with its nodes, by name. Where there are more than [`NodesByTrait::MOST`], those on whose nodes most
    /// fails, and the others as one.
    pub values: Vec<NodesWith>,
    /// Each target by its name, with what it is on the nodes of each value.
    pub targets: BTreeMap<String, Vec<Counted>>,
}

/// Nodes that share a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodesWith {
    /// The value; `None` for nodes without one, and for the others together.
    pub value: Option<Arc<str>>,
    /// How many nodes there are.
    pub nodes: u32,
    /// How many of them no agent answers for.
    pub silent: u32,
}

/// A target on the nodes with one value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// The nodes on which it passes.
    pub passing: u32,
    /// Those on which it warns.
    pub warning: u32,
    /// Those on which it fails.
    pub failing: u32,
    /// Those whose agent has it and has not judged it lately.
    pub unknown: u32,
    /// Why it does not pass, and on how many nodes.
    pub reasons: BTreeMap<(Outcome, Reason), u32>,
}

impl NodesByTrait {
    /// How many values there are at most.
    pub const MOST: usize = 12;

    /// The words of what nodes can be grouped by.
    pub fn words() -> impl Iterator<Item = &'static str> {
        Trait::ALL.into_iter().map(Trait::noun)
    }
}

impl Counted {
    /// Why it fails on most nodes or, where it fails on none, why it warns.
    pub fn reason(&self) -> Option<Reason> {
        commonest_of_worst(&self.reasons)
    }

    fn count(&mut self, cell: &Cell) {
        let Some((outcome, reason)) = cell.judged.filter(|_| !cell.is_stale) else {
            self.unknown += 1;
            return;
        };
        match outcome {
            Outcome::Pass => self.passing += 1,
            Outcome::Warn => self.warning += 1,
            Outcome::Fail => self.failing += 1,
        }
        if outcome != Outcome::Pass {
            *self.reasons.entry((outcome, reason)).or_default() += 1;
        }
    }

    fn add(&mut self, other: &Self) {
        self.passing += other.passing;
        self.warning += other.warning;
        self.failing += other.failing;
        self.unknown += other.unknown;
        for (why, count) in &other.reasons {
            *self.reasons.entry(*why).or_default() += count;
        }
    }
}

impl Fleet {
    /// The nodes that `query` asks for by the trait called `by`; `None` where no trait is called so, or no node
    /// has it.
    pub fn by_trait(&self, by: &str, query: &FleetQuery, now: Moment) -> Option<NodesByTrait> {
        let by = Trait::ALL.into_iter().find(|it| it.noun() == by)?;
        let mut numbers = TargetNumbers::default();
        let mut names: Vec<&str> = Vec::new();
        let mut drafts: BTreeMap<Option<&Arc<str>>, Draft> = BTreeMap::new();
        for seen in self
            .seen(now)
            .filter(|seen| query.selector.takes(seen.node))
        {
            let draft = drafts.entry(value(by, seen.node)).or_default();
            draft.nodes += 1;
            let Some(view) = seen.view.filter(|_| seen.is_covered()) else {
                draft.silent += 1;
                continue;
            };
            for (position, cell) in view.cells.iter().enumerate() {
                let number = numbers.of(&cell.target, position);
                if number == names.len() {
                    names.push(&cell.target.name);
                }
                if draft.targets.len() <= number {
                    draft.targets.resize_with(number + 1, Counted::default);
                }
                draft.targets[number].count(cell);
            }
        }
        if drafts.keys().all(Option::is_none) {
            return None;
        }
        let (values, drafts): (Vec<_>, Vec<_>) = shown(drafts).into_iter().unzip();
        let of_target = |number: usize| {
            let of = |draft: &Draft| draft.targets.get(number).cloned().unwrap_or_default();
            drafts.iter().map(of).collect()
        };
        Some(NodesByTrait {
            targets: names
                .iter()
                .enumerate()
                .map(|(at, name)| ((*name).to_owned(), of_target(at)))
                .collect(),
            values: values
                .into_iter()
                .zip(&drafts)
                .map(|(value, draft)| NodesWith {
                    value,
                    nodes: draft.nodes,
                    silent: draft.silent,
                })
                .collect(),
        })
    }
}

#[derive(Default)]
struct Draft {
    nodes: u32,
    silent: u32,
    /// By their numbers.
    targets: Vec<Counted>,
}

impl Draft {
    fn failing(&self) -> u64 {
        self.targets
            .iter()
            .map(|target| u64::from(target.failing))
            .sum()
    }

    fn add(&mut self, other: &Self) {
        self.nodes += other.nodes;
        self.silent += other.silent;
        if self.targets.len() < other.targets.len() {
            self.targets
                .resize_with(other.targets.len(), Counted::default);
        }
        for (target, other) in self.targets.iter_mut().zip(&other.targets) {
            target.add(other);
        }
    }
}

/// As many as are shown, by name; the others are put together, as the last.
fn shown(drafts: BTreeMap<Option<&Arc<str>>, Draft>) -> Vec<(Option<Arc<str>>, Draft)> {
    let (mut without, mut named): (Vec<_>, Vec<_>) = drafts
        .into_iter()
        .map(|(value, draft)| (value.cloned(), draft))
        .partition(|(value, _)| value.is_none());
    if named.len() + without.len() > NodesByTrait::MOST {
        named.sort_by_key(|(_, draft)| std::cmp::Reverse(draft.failing()));
        let others = named.split_off(NodesByTrait::MOST - 1);
        let (_, rest) = &mut without.pop().unwrap_or_default();
        for (_, other) in &others {
            rest.add(other);
        }
        without.push((None, std::mem::take(rest)));
        named.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    named.append(&mut without);
    named
}

fn value(by: Trait, node: &Node) -> Option<&Arc<str>> {
    by.of(&node.traits)
}

#[cfg(test)]
mod tests {
    use privatelink_verdict::target::Expectation;

    use super::*;
    use crate::{Coverage, FleetTarget, Traits, View};

    const NOW: Moment = Moment(1_796_015_400);

    /// A fleet with a node for each pool, on which the one target is so.
    fn fleet(nodes: impl IntoIterator<Item = (String, Option<Outcome>)>) -> Fleet {
        let mut fleet = Fleet::default();
        let nodes: Vec<_> = nodes.into_iter().enumerate().collect();
        let node = |(number, (pool, _)): &(usize, (String, Option<Outcome>))| Node {
            name: format!("n-{number}").into(),
            traits: Traits {
                pool: (!pool.is_empty()).then(|| pool.as_str().into()),
                ..Traits::default()
            },
            joined: None,
            coverage: Coverage::Covered,
        };
        fleet.set_nodes(nodes.iter().map(node).collect(), NOW);
        let target = Arc::new(FleetTarget {
            name: "kv".to_owned(),
            host: "kv.vault.azure.net".to_owned(),
            service: "key-vault".to_owned(),
            users: None,
        });
        for (number, (_, outcome)) in nodes {
            let Some(outcome) = outcome else { continue };
            let reason = match outcome {
                Outcome::Pass => Reason::Ok,
                _ => Reason::PublicFallback,
            };
            let view = View {
                version: "0.1.0".into(),
                agent_started: NOW,
                config_hash: "1".into(),
                config_loaded: true,
                cells: vec![Cell {
                    target: Arc::clone(&target),
                    judged: Some((outcome, reason)),
                    since: NOW,
                    is_confirmed: true,
                    is_stale: false,
                    expect: Expectation::PrivateEndpoint,
                    paths: std::iter::empty().collect(),
                }],
            };
            assert!(fleet.set_view(&format!("n-{number}"), view, NOW));
        }
        fleet
    }

    fn by_pool(fleet: &Fleet) -> NodesByTrait {
        fleet
            .by_trait("pool", &FleetQuery::default(), NOW)
            .expect("pools")
    }

    #[test]
    fn nodes_are_counted_by_the_value_that_they_share() {
        let (fail, pass) = (Some(Outcome::Fail), Some(Outcome::Pass));
        let pools = [
            ("b", fail),
            ("a", pass),
            ("b", pass),
            ("a", None),
            ("", fail),
        ];
        let pools = pools.map(|(pool, outcome)| (pool.to_owned(), outcome));
        let counted = by_pool(&fleet(pools));
        let values: Vec<_> = counted
            .values
            .iter()
            .map(|it| (it.value.as_deref(), it.nodes, it.silent))
            .collect();
        assert_eq!(values, [(Some("a"), 2, 1), (Some("b"), 2, 0), (None, 1, 0)]);
        let kv = &counted.targets["kv"];
        let counts: Vec<_> = kv.iter().map(|it| (it.passing, it.failing)).collect();
        assert_eq!(counts, [(1, 0), (1, 1), (0, 1)]);
        assert_eq!(kv[1].reason(), Some(Reason::PublicFallback));
        assert_eq!(kv[0].reason(), None);
    }

    #[test]
    fn of_many_values_those_on_whose_nodes_most_fails_have_a_column() {
        let outcome = |number| {
            if number == 19 {
                Outcome::Fail
            } else {
                Outcome::Pass
            }
        };
        let pools = (0..20).map(|number| (format!("p-{number:02}"), Some(outcome(number))));
        let counted = by_pool(&fleet(pools));
        assert_eq!(counted.values.len(), NodesByTrait::MOST);
        assert!(
            counted
                .values
                .iter()
                .any(|it| it.value.as_deref() == Some("p-19"))
        );
        assert_eq!(counted.values.iter().map(|it| it.nodes).sum::<u32>(), 20);
        assert_eq!(
            counted.targets["kv"]
                .iter()
                .map(|it| it.passing)
                .sum::<u32>(),
            19
        );
    }

    #[test]
    fn what_no_node_has_or_nobody_calls_so_is_nothing_to_group_by() {
        let fleet = fleet([(String::new(), Some(Outcome::Pass))]);
        for word in ["pool", "agreement", "colour"] {
            assert_eq!(
                fleet.by_trait(word, &FleetQuery::default(), NOW),
                None,
                "{word}"
            );
        }
    }
}
