//! What belongs together: the same symptom of several targets in the same place is one pattern.

use std::collections::HashMap;

use crate::Moment;
use crate::node_set::NodeSet;
use crate::scope::{self, ALONE, Place, Scope};
use crate::symptom::{PathScope, Symptom};
use crate::table::{Illness, Table};

/// A pattern whose cause is not known yet.
pub(super) struct Draft {
    pub(super) symptom: Symptom,
    pub(super) path: PathScope,
    pub(super) place: Place,
    /// The numbers of the illnesses that it is made of.
    pub(super) illnesses: Vec<usize>,
}

/// All drafts.
pub(super) fn drafts(table: &Table<'_>) -> Vec<Draft> {
    let dead = dead_nodes(table);
    let mut known: HashMap<(&NodeSet, NodeSet), Vec<Place>> = HashMap::new();
    let mut drafts: Vec<Draft> = Vec::new();
    let mut order: Vec<usize> = (0..table.illnesses.len()).collect();
    order.sort_by_key(|index| {
        let illness = &table.illnesses[*index];
        (
            illness.symptom,
            illness.path,
            &table.targets[illness.target].target.name,
        )
    });
    for index in order {
        let illness = &table.illnesses[index];
        let judged = could_show(table, illness, &dead);
        let places = known
            .entry((&illness.nodes, judged))
            .or_insert_with_key(|(ill, judged)| scope::places(table, ill, judged));
        for place in places {
            match drafts.iter_mut().find(|draft| draft.takes(illness, place)) {
                Some(draft) => {
                    draft.place.nodes.add(&place.nodes);
                    draft.place.of.add(&place.of);
                    draft.illnesses.push(index);
                }
                None => drafts.push(Draft {
                    symptom: illness.symptom,
                    path: illness.path,
                    place: place.clone(),
                    illnesses: vec![index],
                }),
            }
        }
    }
    join_equal_nodes(join_on_one_node(table, drafts))
}

impl Draft {
    /// Whether the same symptom of another target, in this place, is a part of it.
    fn takes(&self, illness: &Illness<'_>, place: &Place) -> bool {
        let mine = &self.place;
        if (self.symptom, self.path) != (illness.symptom, illness.path)
            || (mine.scope, &mine.values, mine.joined) != (place.scope, &place.values, place.joined)
        {
            return false;
        }
        let common = mine.nodes.and(&place.nodes).len();
        let larger = mine.nodes.len().max(place.nodes.len());
        // Nodes with nothing in common are the same pattern where they are nearly the same nodes.
        mine.scope != Scope::SomeNodes || common * 5 >= larger * 4
    }

    /// When the first node and the latest node had it.
    pub(super) fn began(&self, table: &Table<'_>) -> (Moment, Moment) {
        let illnesses = self.illnesses.iter().map(|index| &table.illnesses[*index]);
        let moments = illnesses.flat_map(|illness| {
            let each = illness.nodes.iter().zip(&illness.since);
            each.filter(|(node, _)| self.place.nodes.contains(*node))
        });
        let moments = moments.map(|(_, since)| *since);
        moments.fold((table.now, Moment(0)), |(first, latest), since| {
            (first.min(since), latest.max(since))
        })
    }
}

/// Nodes on which one symptom has nearly every target: there nothing else can be seen. With how many
/// targets it has.
fn dead_nodes(table: &Table<'_>) -> Vec<Option<Symptom>> {
    let mut counts = vec![[0_usize; Symptom::ALL.len()]; table.len()];
    for illness in &table.illnesses {
        for node in illness.nodes.iter() {
            counts[node][illness.symptom as usize] += 1;
        }
    }
    let mut judged = vec![0; table.len()];
    for column in &table.targets {
        column.judged.iter().for_each(|node| judged[node] += 1);
    }
    let nodes = counts.iter().zip(&judged);
    nodes
        .map(|(counts, judged)| {
            let is_dead = |symptom: &Symptom| {
                let count = counts[*symptom as usize];
                count > 1 && count * 4 >= judged * 3
            };
            Symptom::ALL.iter().copied().find(is_dead)
        })
        .collect()
}

/// The nodes that could show an illness: those that judged the target, without dead ones if these are
/// fewer than half.
fn could_show(table: &Table<'_>, illness: &Illness<'_>, dead: &[Option<Symptom>]) -> NodeSet {
    let judged = &table.targets[illness.target].judged;
    let mut others = table.none();
    for node in judged.iter() {
        let is_dead = dead[node].is_some_and(|symptom| symptom != illness.symptom);
        if is_dead && !illness.nodes.contains(node) {
            others.insert(node);
        }
    }
    if others.len() * 2 < judged.len() {
        judged.without(&others)
    } else {
        judged.clone()
    }
}

/// Where nearly everything fails on one node, it is one pattern, of the earliest stage that fails.
fn join_on_one_node(table: &Table<'_>, drafts: Vec<Draft>) -> Vec<Draft> {
    let mut joined: Vec<Draft> = Vec::new();
    for draft in drafts {
        let is_alone = draft.place.scope == Scope::OneNode;
        let mut before = joined.iter_mut();
        let same = before.find(|other| is_alone && other.place == draft.place);
        match same.filter(|other| is_nearly_all(table, other, &draft)) {
            Some(first) => {
                first.illnesses.extend(draft.illnesses);
                if first.path != draft.path && draft.path != PathScope::AnyPath {
                    first.path = PathScope::EveryPath;
                }
            }
            None => joined.push(draft),
        }
    }
    joined
}

/// Single nodes that have the same of the same targets are told together.
fn join_equal_nodes(drafts: Vec<Draft>) -> Vec<Draft> {
    let mut joined: Vec<Draft> = Vec::new();
    for draft in drafts {
        let is_alone = draft.place.scope == Scope::OneNode;
        let is_equal = |other: &&mut Draft| {
            is_alone
                && other.place.is_each_alone()
                && other.place.nodes.len() < ALONE
                && (other.symptom, other.path) == (draft.symptom, draft.path)
                && other.illnesses == draft.illnesses
        };
        match joined.iter_mut().find(is_equal) {
            Some(first) => {
                first.place.scope = Scope::SomeNodes;
                first.place.values.clear();
                first.place.nodes.add(&draft.place.nodes);
                first.place.of.add(&draft.place.of);
            }
            None => joined.push(draft),
        }
    }
    joined
}

fn is_nearly_all(table: &Table<'_>, first: &Draft, second: &Draft) -> bool {
    let node = first.place.nodes.iter().next().unwrap_or_default();
    let judged = table
        .targets
        .iter()
        .filter(|column| column.judged.contains(node));
    let of_node = table
        .illnesses
        .iter()
        .filter(|illness| illness.nodes.contains(node));
    let count = first.illnesses.len() + second.illnesses.len();
    count > 2 && of_node.count() * 4 >= judged.count() * 3
}
