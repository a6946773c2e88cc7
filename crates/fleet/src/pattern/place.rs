//! A place in words.

use std::sync::Arc;

use super::together::Draft;
use crate::node_set::NodeSet;
use crate::scope::{Place, Scope};
use crate::table::{Table, Trait};

/// The nodes of a place that neither have a symptom nor are well, counted by why.
pub(super) struct LeftOut {
    /// Their agents are silent, or they have just joined.
    unheard: usize,
    /// They do not have the targets.
    pub(super) lacking: usize,
    /// Nearly everything fails there in another way, so that this cannot be seen.
    otherwise_ill: usize,
}

impl LeftOut {
    pub(super) fn of(table: &Table<'_>, draft: &Draft, targets: &[usize]) -> Self {
        let place = &draft.place;
        let members = members(table, place);
        let heard = members.and(&table.heard);
        let mut judged = table.none();
        for target in targets {
            judged.add(&table.targets[*target].judged);
        }
        let mut told = place.of.clone();
        for illness in &draft.illnesses {
            told.add(&table.illnesses[*illness].nodes);
        }
        Self {
            unheard: members.len() - heard.len(),
            lacking: heard.without(&judged).len(),
            otherwise_ill: heard.and(&judged).without(&told).len(),
        }
    }
}

/// The place, to follow `on`: `all 5 nodes of pool a`. `is_alone` says that no other place has the symptom.
pub(super) fn text(
    table: &Table<'_>,
    place: &Place,
    left_out: &LeftOut,
    is_one_target: bool,
    is_alone: bool,
) -> String {
    let (ill, of) = (place.nodes.len(), place.of.len());
    let every = match ill {
        2 if of == 2 => "both nodes".to_owned(),
        _ if ill == of => format!("all {of} nodes"),
        _ => format!("{ill} of the {of} nodes"),
    };
    let values = listed(&place.values);
    let plural = if place.values.len() == 1 { "" } else { "s" };
    let joined = place.joined.unwrap_or_default().to_the_minute();
    let place = match place.scope {
        Scope::AllNodes if table.len() == 1 => return "the only node".to_owned(),
        Scope::OneNode => return one_node(table, place, is_alone),
        Scope::SomeNodes if place.is_each_alone() => {
            let names: Vec<Arc<str>> = place
                .nodes
                .iter()
                .map(|node| table.nodes[node].name.clone())
                .collect();
            return format!("nodes {}", listed(&names));
        }
        Scope::SomeNodes if place.values.is_empty() => {
            return format!("{ill} of {of} nodes, with nothing in common");
        }
        Scope::AllNodes => String::new(),
        Scope::Pool | Scope::SomeNodes => format!(" of pool{plural} {values}"),
        Scope::Subnet => format!(" of subnet{plural} {values}"),
        Scope::Zone => format!(" of zone{plural} {values}"),
        Scope::Image => format!(" with image{plural} {values}"),
        Scope::JoinedLater => format!(" that joined at {joined} or later"),
        Scope::JoinedEarlier => format!(" that joined before {joined}"),
    };
    format!("{every}{place}{}", left_out.text(is_one_target))
}

impl LeftOut {
    /// ` that are heard (1 more is silent or new)`.
    fn text(&self, is_one_target: bool) -> String {
        let that = match (self.unheard, self.lacking) {
            (0, 0) => "",
            (_, 0) => " that are heard",
            (0, _) if is_one_target => " that have the target",
            (0, _) => " that have the targets",
            (_, _) if is_one_target => " that are heard and have the target",
            (_, _) => " that are heard and have the targets",
        };
        let more = |count: usize, one: &str, several: &str| match count {
            0 => None,
            1 => Some(format!("1 more {one}")),
            _ => Some(format!("{count} more {several}")),
        };
        let others = [
            more(self.unheard, "is silent or new", "are silent or new"),
            more(
                self.otherwise_ill,
                "has other trouble",
                "have other trouble",
            ),
        ];
        let others: Vec<String> = others.into_iter().flatten().collect();
        if others.is_empty() {
            that.to_owned()
        } else {
            format!("{that} ({})", others.join(", "))
        }
    }
}

fn one_node(table: &Table<'_>, place: &Place, is_alone: bool) -> String {
    let name = listed(&place.values);
    let pool = siblings(table, place);
    match pool {
        Some((pool, nodes)) if nodes.len() > 1 && is_only_heard(table, place, &nodes) => {
            format!("node {name}, the only one of pool {pool} that is heard")
        }
        _ if is_alone => format!("node {name} alone"),
        _ => format!("node {name}"),
    }
}

/// Whether one node is all that is heard of its pool, and there are other pools, so that the pool may be what is
/// ill.
pub(super) fn is_all_that_is_known_of_a_pool(table: &Table<'_>, place: &Place) -> bool {
    siblings(table, place)
        .is_some_and(|(_, nodes)| nodes.len() < table.len() && is_only_heard(table, place, &nodes))
}

fn is_only_heard(table: &Table<'_>, place: &Place, pool: &NodeSet) -> bool {
    pool.and(&table.heard) == place.nodes
}

/// The pool of the one node of a place, with all its nodes.
fn siblings(table: &Table<'_>, place: &Place) -> Option<(Arc<str>, NodeSet)> {
    let pools = &table.traits[0];
    let pool = pools.of_node[place.nodes.iter().next()?]?;
    let mut nodes = table.none();
    let all = pools.of_node.iter().enumerate();
    all.filter(|(_, other)| **other == Some(pool))
        .for_each(|(node, _)| nodes.insert(node));
    Some((pools.values[pool].clone(), nodes))
}

/// All nodes of a place, heard or not.
fn members(table: &Table<'_>, place: &Place) -> NodeSet {
    let is_trait = |is: Trait, node: usize| {
        let mut columns = table.traits.iter();
        let value = columns
            .find(|column| column.name == is)
            .and_then(|column| Some(&column.values[column.of_node[node]?]));
        value.is_some_and(|value| place.values.contains(value))
    };
    let joined = |node: usize| table.nodes[node].joined;
    let is_member = |node: &usize| match place.scope {
        Scope::AllNodes => true,
        Scope::Pool | Scope::SomeNodes => is_trait(Trait::Pool, *node),
        Scope::Subnet => is_trait(Trait::Subnet, *node),
        Scope::Zone => is_trait(Trait::Zone, *node),
        Scope::Image => is_trait(Trait::Image, *node),
        Scope::JoinedLater => joined(*node) >= place.joined,
        Scope::JoinedEarlier => joined(*node) < place.joined,
        Scope::OneNode => false,
    };
    let mut members = table.none();
    (0..table.len())
        .filter(is_member)
        .for_each(|node| members.insert(node));
    members
}

/// What else these nodes have, and no other node that is heard: `subnet snet-a`.
pub(super) fn also(table: &Table<'_>, place: &Place) -> Vec<String> {
    if matches!(place.scope, Scope::AllNodes | Scope::SomeNodes) {
        return Vec::new();
    }
    let columns = table.traits.iter();
    let values = columns.filter_map(|column| Some((column, own(table, place, column.name)?)));
    values
        .filter(|(_, value)| !place.values.contains(value))
        .map(|(column, value)| format!("{} {value}", column.name.noun()))
        .collect()
}

/// Whether the nodes of a place share a value of a trait that no other node has that is heard.
pub(super) fn is_own(table: &Table<'_>, place: &Place, of: Trait) -> bool {
    own(table, place, of).is_some()
}

fn own<'t>(table: &'t Table<'_>, place: &Place, of: Trait) -> Option<&'t Arc<str>> {
    let column = table.traits.iter().find(|column| column.name == of)?;
    let mut values = place.of.iter().map(|node| column.of_node[node]);
    let value = values.next()??;
    let is_shared = values.all(|other| other == Some(value));
    // Silent nodes neither have the symptom nor are well.
    let others = table.heard.without(&place.of);
    let is_own = is_shared
        && !others
            .iter()
            .any(|node| column.of_node[node] == Some(value));
    is_own.then(|| &column.values[value])
}

/// `a`, `a and b`, `a, b and c`.
fn listed(values: &[Arc<str>]) -> String {
    match values {
        [] => String::new(),
        [one] => one.to_string(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
