//! Table: the fleet at a moment in numbers, so that what is common to nodes can be counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use privatelink_verdict::catalogue;
use privatelink_verdict::reason::Reason;
use privatelink_verdict::target::Expectation;
use privatelink_verdict::verdict::Outcome;

use crate::fleet::Seen;
use crate::node_set::NodeSet;
use crate::symptom::{self, PathScope, Symptom};
use crate::{Cell, FleetTarget, Moment, Node, Traits, View};

/// A node that joined within this time neither supports a pattern nor breaks one: it may still be starting.
pub(crate) const JUST_JOINED: Duration = Duration::from_mins(5);

/// The fleet at a moment.
pub(crate) struct Table<'a> {
    pub(crate) now: Moment,
    /// Every node, in the order of their names.
    pub(crate) nodes: Vec<&'a Node>,
    /// Those whose view can be relied on.
    pub(crate) heard: NodeSet,
    /// Every target of these views, by its number.
    pub(crate) targets: Vec<Column<'a>>,
    /// What is wrong, for each target.
    pub(crate) illnesses: Vec<Illness<'a>>,
    /// All nodes in the order in which they joined.
    pub(crate) by_joining: Vec<usize>,
    /// The values of each trait.
    pub(crate) traits: Vec<TraitColumn>,
}

/// A target, and the nodes that judged it lately.
pub(crate) struct Column<'a> {
    pub(crate) target: &'a Arc<FleetTarget>,
    pub(crate) judged: NodeSet,
    /// Whether some node expects a private endpoint.
    pub(crate) is_private: bool,
    /// The zone that its private names are in, where the catalogue knows it.
    pub(crate) private_zone: Option<String>,
}

impl<'a> Column<'a> {
    fn new(target: &'a Arc<FleetTarget>, nodes: usize) -> Self {
        let known = catalogue::lookup(&target.host).and_then(|found| found.private_zone());
        Self {
            target,
            judged: NodeSet::none_of(nodes),
            is_private: false,
            private_zone: known,
        }
    }

    /// What it is in with others: their zone, or its host alone.
    pub(crate) fn zone(&self) -> &str {
        self.private_zone.as_deref().unwrap_or(&self.target.host)
    }
}

/// One symptom of one target: on which nodes, and since when.
pub(crate) struct Illness<'a> {
    pub(crate) target: usize,
    pub(crate) symptom: Symptom,
    pub(crate) path: PathScope,
    pub(crate) nodes: NodeSet,
    pub(crate) outcome: Outcome,
    pub(crate) reasons: Vec<(Reason, usize)>,
    pub(crate) resolvers: BTreeSet<&'a str>,
    /// Since when, for each of the nodes in their order.
    pub(crate) since: Vec<Moment>,
    /// Whether the path that users take is the one that is ill, on some node.
    pub(crate) hurts: bool,
}

/// A trait that nodes may share, in the order in which it is named where several explain the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trait {
    Pool,
    Subnet,
    Zone,
    Image,
}

impl Trait {
    pub(crate) const ALL: [Self; 4] = [Self::Pool, Self::Subnet, Self::Zone, Self::Image];

    /// What people call it.
    pub(crate) const fn noun(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Subnet => "subnet",
            Self::Zone => "zone",
            Self::Image => "image",
        }
    }

    pub(crate) fn of(self, traits: &Traits) -> Option<&Arc<str>> {
        match self {
            Self::Pool => traits.pool.as_ref(),
            Self::Subnet => traits.subnet.as_ref(),
            Self::Zone => traits.zone.as_ref(),
            Self::Image => traits.image.as_ref(),
        }
    }
}

/// The values of a trait, and which node has which.
pub(crate) struct TraitColumn {
    pub(crate) name: Trait,
    pub(crate) values: Vec<Arc<str>>,
    /// For each node the number of its value.
    pub(crate) of_node: Vec<Option<usize>>,
}

impl<'a> Table<'a> {
    pub(crate) fn new(seen: impl Iterator<Item = Seen<'a>>, now: Moment) -> Self {
        let seen: Vec<Seen<'a>> = seen.collect();
        let nodes: Vec<&Node> = seen.iter().map(|seen| seen.node).collect();
        let mut by_joining: Vec<usize> = (0..nodes.len()).collect();
        by_joining.sort_by_key(|node| nodes[*node].joined);
        let mut table = Self {
            by_joining,
            now,
            heard: NodeSet::none_of(nodes.len()),
            targets: Vec::new(),
            illnesses: Vec::new(),
            traits: Trait::ALL.map(|name| TraitColumn::new(name, &nodes)).into(),
            nodes,
        };
        let mut filling = Filling::default();
        for (index, seen) in seen.iter().enumerate() {
            let Some(view) = seen.view.filter(|_| seen.is_covered()) else {
                continue;
            };
            let joined = seen.node.joined;
            if joined.is_none_or(|joined| now.since(joined) >= JUST_JOINED) {
                table.heard.insert(index);
                table.add(index, view, &mut filling);
            }
        }
        table
    }

    /// How many nodes there are, whether they are heard or not.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn none(&self) -> NodeSet {
        NodeSet::none_of(self.nodes.len())
    }

    pub(crate) fn names(&self, nodes: &NodeSet, most: usize) -> Vec<String> {
        let names = nodes.iter().take(most).map(|node| &self.nodes[node].name);
        names.map(ToString::to_string).collect()
    }

    fn add(&mut self, node: usize, view: &'a View, filling: &mut Filling<'a>) {
        for (position, cell) in view.cells.iter().enumerate() {
            let target = filling.numbers.of(&cell.target, position);
            if target == self.targets.len() {
                self.targets
                    .push(Column::new(&cell.target, self.nodes.len()));
            }
            if cell.judged.is_none() || cell.is_stale {
                continue;
            }
            let column = &mut self.targets[target];
            column.judged.insert(node);
            column.is_private |= cell.expect == Expectation::PrivateEndpoint;
            if let Some((symptom, path)) = symptom::of_cell(cell) {
                let illness = self.illness_of(target, symptom, path, filling);
                self.illnesses[illness].take(node, cell);
            }
        }
    }

    fn illness_of(
        &mut self,
        target: usize,
        symptom: Symptom,
        path: PathScope,
        filling: &mut Filling<'a>,
    ) -> usize {
        if filling.illnesses.len() <= target {
            filling.illnesses.resize_with(target + 1, Vec::new);
        }
        let known = &mut filling.illnesses[target];
        let is_it = |(s, p, _): &&(Symptom, PathScope, usize)| (*s, *p) == (symptom, path);
        if let Some((_, _, number)) = known.iter().find(is_it) {
            return *number;
        }
        let number = self.illnesses.len();
        known.push((symptom, path, number));
        self.illnesses.push(Illness {
            target,
            symptom,
            path,
            nodes: NodeSet::none_of(self.nodes.len()),
            outcome: Outcome::Warn,
            reasons: Vec::new(),
            resolvers: BTreeSet::new(),
            since: Vec::new(),
            hurts: false,
        });
        number
    }
}

/// Numbers of targets, by their names, in the order in which they are met.
#[derive(Default)]
pub(crate) struct TargetNumbers<'a> {
    known: Vec<&'a Arc<FleetTarget>>,
    by_name: BTreeMap<&'a str, usize>,
    at_position: Vec<usize>,
}

impl<'a> TargetNumbers<'a> {
    /// The number of the target at this position of a view. Views are in the same order, so it is nearly
    /// always the one that the view before had there.
    pub(crate) fn of(&mut self, target: &'a Arc<FleetTarget>, position: usize) -> usize {
        if let Some(guess) = self.at_position.get(position).copied() {
            let known = self.known[guess];
            if Arc::ptr_eq(known, target) || known.name == target.name {
                return guess;
            }
        }
        let number = *self.by_name.entry(&target.name).or_insert_with(|| {
            self.known.push(target);
            self.known.len() - 1
        });
        match self.at_position.get_mut(position) {
            Some(at) => *at = number,
            None => self.at_position.push(number),
        }
        number
    }
}

/// What makes filling a table quick.
#[derive(Default)]
struct Filling<'a> {
    numbers: TargetNumbers<'a>,
    /// The illnesses of each target, which are few.
    illnesses: Vec<Vec<(Symptom, PathScope, usize)>>,
}

impl<'a> Illness<'a> {
    fn take(&mut self, node: usize, cell: &'a Cell) {
        let Some((outcome, reason)) = cell.judged else {
            return;
        };
        self.nodes.insert(node);
        self.outcome = self.outcome.max(outcome);
        match self.reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => self.reasons.push((reason, 1)),
        }
        self.since.push(cell.since);
        self.hurts |= !symptom::is_about_another_path(cell);
        if matches!(self.path, PathScope::AnyPath | PathScope::EveryPath) {
            return;
        }
        let ill = symptom::ill_paths(self.symptom, cell);
        self.resolvers.extend(ill.map(|path| &**path.resolver));
    }
}

impl TraitColumn {
    fn new(name: Trait, nodes: &[&Node]) -> Self {
        let mut numbers: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        for value in nodes.iter().filter_map(|node| name.of(&node.traits)) {
            numbers.entry(value.clone()).or_default();
        }
        for (number, at) in numbers.values_mut().enumerate() {
            *at = number;
        }
        let number = |node: &&Node| Some(numbers[&**name.of(&node.traits)?]);
        Self {
            name,
            of_node: nodes.iter().map(number).collect(),
            values: numbers.into_keys().collect(),
        }
    }
}
