//! Scope: which nodes have a symptom, said by what they have in common.
//!
//! A value of a trait explains the nodes that have it if all of them have the symptom. Of eight or more
//! one may be well, and of forty or more one in twenty: a node that was not restarted, or not asked
//! since. Which trait explains most of the nodes with the fewest exceptions and the fewest values is
//! named; among equals the first of pool, subnet, zone, image, time of joining.

use std::sync::Arc;

use privatelink_verdict::words;

use crate::Moment;
use crate::node_set::NodeSet;
use crate::table::{Table, Trait, TraitColumn};

words! {
    /// Which nodes have a symptom.
    Scope {
        /// All nodes that know the target.
        AllNodes = "all_nodes",
        /// All nodes of one node pool, or of several.
        Pool = "pool",
        /// All nodes of one subnet, or of several.
        Subnet = "subnet",
        /// All nodes of one availability zone, or of several.
        Zone = "zone",
        /// All nodes with one version of the node image, or with several.
        Image = "image",
        /// All nodes that joined since a moment, and none that joined before.
        JoinedLater = "joined_later",
        /// All nodes that joined before a moment, and none that joined since.
        JoinedEarlier = "joined_earlier",
        /// One node.
        OneNode = "one_node",
        /// Some nodes, with nothing in common that tells them from the others.
        SomeNodes = "some_nodes",
    }
}

/// Some of the nodes that have a symptom, and what they have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) scope: Scope,
    /// The values of the trait; the node; for some nodes that are all of one pool, the pool.
    pub(crate) values: Vec<Arc<str>>,
    /// For scopes by the time of joining: the moment.
    pub(crate) joined: Option<Moment>,
    /// The nodes with the symptom.
    pub(crate) nodes: NodeSet,
    /// All nodes of that place that judged the target.
    pub(crate) of: NodeSet,
}

/// As many traits explain a symptom together; what remains is listed.
const ROUNDS: usize = 3;

/// As many nodes with nothing in common are looked at one by one.
pub(crate) const ALONE: usize = 5;

/// As many nodes joined at least on either side of a moment that explains anything.
const BESIDE: usize = 2;

/// How many of `count` nodes may be well.
const fn tolerated(count: usize) -> usize {
    match count {
        0..8 => 0,
        8..40 => 1,
        _ => count / 20,
    }
}

/// Where the nodes `ill` of those that `judged` are.
pub(crate) fn places(table: &Table<'_>, ill: &NodeSet, judged: &NodeSet) -> Vec<Place> {
    if ill.is_empty() {
        return Vec::new();
    }
    if judged.len() == 1 && table.len() > 1 {
        return vec![alone(table, ill)];
    }
    let whole = Place {
        scope: Scope::AllNodes,
        values: Vec::new(),
        joined: None,
        nodes: ill.clone(),
        of: judged.clone(),
    };
    if whole.exceptions() == 0 {
        return vec![whole];
    }
    let mut places = Vec::new();
    let (mut ill, mut judged) = (ill.clone(), judged.clone());
    for round in 0..ROUNDS {
        let is_whole = round == 0 && whole.exceptions() <= tolerated(whole.of.len());
        let whole = is_whole.then(|| whole.clone());
        let candidates = whole.into_iter().chain(by_traits(table, &ill, &judged));
        let candidates = candidates.chain(by_joining(table, &ill, &judged));
        // The first of equals.
        let Some(best) = candidates.min_by_key(Place::rank) else {
            break;
        };
        ill = ill.without(&best.nodes);
        judged = judged.without(&best.of);
        places.push(best);
        if ill.is_empty() {
            return places;
        }
    }
    places.extend(rest(table, &ill, &judged));
    places
}

impl Place {
    /// Whether each of its nodes, which are few, is a case of its own.
    pub(crate) fn is_each_alone(&self) -> bool {
        match self.scope {
            Scope::OneNode => true,
            Scope::SomeNodes => self.values.is_empty() && self.nodes.len() <= ALONE,
            _ => false,
        }
    }

    fn exceptions(&self) -> usize {
        self.of.len() - self.nodes.len()
    }

    /// The best has the least.
    fn rank(&self) -> (std::cmp::Reverse<usize>, usize, usize) {
        let nodes = std::cmp::Reverse(self.nodes.len());
        (nodes, self.exceptions(), self.values.len().max(1))
    }
}

fn by_traits(table: &Table<'_>, ill: &NodeSet, judged: &NodeSet) -> Vec<Place> {
    let columns = table.traits.iter();
    columns
        .filter_map(|column| by_trait(table, column, ill, judged))
        .collect()
}

/// The values of a trait all of whose nodes are ill.
fn by_trait(
    table: &Table<'_>,
    column: &TraitColumn,
    ill: &NodeSet,
    judged: &NodeSet,
) -> Option<Place> {
    let mut counts = vec![(0_usize, 0_usize); column.values.len()];
    for node in judged.iter() {
        if let Some(value) = column.of_node[node] {
            counts[value].0 += 1;
            counts[value].1 += usize::from(ill.contains(node));
        }
    }
    let explains = |value: usize| {
        let (of, ill) = counts[value];
        ill > 0 && of - ill <= tolerated(of)
    };
    let values: Vec<usize> = (0..counts.len()).filter(|value| explains(*value)).collect();
    // One node alone says nothing about what it shares with others.
    if !values.iter().any(|value| counts[*value].1 > 1) {
        return None;
    }
    let of = select(table, judged, |node| {
        column.of_node[node].is_some_and(explains)
    });
    Some(Place {
        scope: match column.name {
            Trait::Pool => Scope::Pool,
            Trait::Subnet => Scope::Subnet,
            Trait::Zone => Scope::Zone,
            Trait::Image => Scope::Image,
        },
        values: values
            .iter()
            .map(|value| column.values[*value].clone())
            .collect(),
        joined: None,
        nodes: of.and(ill),
        of,
    })
    // All of them have it: the trait tells nothing from anything.
    .filter(|place| place.of != *judged)
}

/// The nodes that joined since a moment, or before it, where that parts the ill from the others.
fn by_joining(table: &Table<'_>, ill: &NodeSet, judged: &NodeSet) -> Vec<Place> {
    let mut by_time = Vec::with_capacity(judged.len());
    for node in table
        .by_joining
        .iter()
        .copied()
        .filter(|node| judged.contains(*node))
    {
        let Some(joined) = table.nodes[node].joined else {
            return Vec::new();
        };
        by_time.push((joined, ill.contains(node)));
    }
    let count = by_time.len();
    let ill_count = ill.len();
    if ill_count <= BESIDE || count - ill_count.min(count) < BESIDE {
        return Vec::new();
    }
    let mut found = Vec::new();
    // Since which moment the ill ones joined, if they are the latest. Nodes that joined at the same moment
    // are not parted.
    let (earliest_ill, _) = by_time[count - ill_count];
    let (latest_well, _) = by_time[count - ill_count - 1];
    let all_ill = |nodes: &[(Moment, bool)]| nodes.iter().all(|(_, is_ill)| *is_ill);
    if all_ill(&by_time[count - ill_count..]) && latest_well < earliest_ill {
        found.push(joining(Scope::JoinedLater, earliest_ill, ill.clone()));
    }
    // Before which moment they joined, if they are the earliest.
    let (latest_ill, _) = by_time[ill_count - 1];
    let (first_well, _) = by_time[ill_count];
    if all_ill(&by_time[..ill_count]) && latest_ill < first_well {
        found.push(joining(Scope::JoinedEarlier, first_well, ill.clone()));
    }
    found
}

fn joining(scope: Scope, joined: Moment, nodes: NodeSet) -> Place {
    Place {
        scope,
        values: Vec::new(),
        joined: Some(joined),
        of: nodes.clone(),
        nodes,
    }
}

/// Nodes that no trait explains: one by one where they are few, together where they are many or share a
/// pool.
fn rest(table: &Table<'_>, ill: &NodeSet, judged: &NodeSet) -> Vec<Place> {
    let count = ill.len();
    let pools = &table.traits[0];
    let mut of_ill = ill.iter().map(|node| pools.of_node[node]);
    let pool = of_ill.next().flatten();
    let pool =
        pool.filter(|pool| pools.values.len() > 1 && of_ill.all(|other| other == Some(*pool)));
    if count <= BESIDE || (count <= ALONE && pool.is_none()) {
        return ill
            .iter()
            .map(|node| alone(table, &only(table, node)))
            .collect();
    }
    vec![Place {
        scope: Scope::SomeNodes,
        values: pool
            .map(|pool| pools.values[pool].clone())
            .into_iter()
            .collect(),
        joined: None,
        nodes: ill.clone(),
        of: match pool {
            Some(_) => select(table, judged, |node| pools.of_node[node] == pool),
            None => judged.clone(),
        },
    }]
}

fn alone(table: &Table<'_>, node: &NodeSet) -> Place {
    let name = node
        .iter()
        .next()
        .map(|node| table.nodes[node].name.clone());
    Place {
        scope: Scope::OneNode,
        values: name.into_iter().collect(),
        joined: None,
        nodes: node.clone(),
        of: node.clone(),
    }
}

fn only(table: &Table<'_>, node: usize) -> NodeSet {
    let mut nodes = table.none();
    nodes.insert(node);
    nodes
}

fn select(table: &Table<'_>, nodes: &NodeSet, is_in: impl Fn(usize) -> bool) -> NodeSet {
    let mut selected = table.none();
    nodes
        .iter()
        .filter(|node| is_in(*node))
        .for_each(|node| selected.insert(node));
    selected
}
