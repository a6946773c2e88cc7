//! Breadth: how many of the targets have a symptom, whether by whole services, and in which zones they are.

use std::collections::{BTreeMap, BTreeSet};

use super::SAMPLES;
use super::together::Draft;
use crate::cause::{Breadth, Cause, OnNode};
use crate::scope::{Place, Scope};
use crate::symptom::Symptom;
use crate::table::{Column, Table};

/// The breadth of `ill`, numbers of targets, among those that the nodes of the place have. Where a zone is not
/// seen, targets that are public anyway prove nothing, and do not count.
pub(super) fn of(table: &Table<'_>, ill: &[usize], draft: &Draft) -> Breadth {
    let only_private = draft.symptom == Symptom::ZoneNotSeen;
    // For each zone: how many targets, how many of them ill.
    let mut zones: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (column, is_ill) in columns(table, ill) {
        let counts = column.judged.intersects(&draft.place.of);
        if is_ill || (counts && (!only_private || column.is_private)) {
            let zone = zones.entry(column.zone()).or_default();
            zone.0 += 1;
            zone.1 += usize::from(is_ill);
        }
    }
    let touched = zones.values().filter(|(_, ill)| *ill > 0);
    let is_part = touched.clone().any(|(all, ill)| ill < all);
    let is_everything = zones.values().all(|(all, ill)| ill == all);
    match touched.count() {
        2.. if is_everything => Breadth::Everything,
        2.. => Breadth::SeveralServices,
        _ if is_part => Breadth::PartOfService,
        _ if is_everything => Breadth::OnlyService,
        _ => Breadth::WholeService,
    }
}

/// How many of the targets that the nodes of the place have are `ill`.
pub(super) fn on_node(table: &Table<'_>, ill: &[usize], place: &Place) -> OnNode {
    let columns = table.targets.iter();
    let has = |column: &&Column<'_>| column.judged.intersects(&place.nodes);
    let all = columns.filter(has).count();
    match ill.len() {
        count if count * 4 >= all * 3 => OnNode::NearlyAll,
        1 => OnNode::OneTarget,
        _ => OnNode::Several,
    }
}

/// The private zones of the targets `ill`, where it is about what is in them, or about who is asked for them.
pub(super) fn zones(
    table: &Table<'_>,
    ill: &[usize],
    symptom: Symptom,
    cause: Cause,
) -> Vec<String> {
    let is_of_zones = symptom.is_of_zones() || cause == Cause::ZoneForwarder;
    let targets = ill.iter().filter(|_| is_of_zones);
    let zones = targets.filter_map(|target| table.targets[*target].private_zone.clone());
    zones.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The targets in the same zones that are well on all nodes of the place, where only a part of a service is ill.
pub(super) fn same_zone(
    table: &Table<'_>,
    ill: &[usize],
    draft: &Draft,
    breadth: Breadth,
) -> Vec<String> {
    let nodes = &draft.place.nodes;
    let is_proof = breadth == Breadth::PartOfService && draft.place.scope != Scope::SomeNodes;
    if !is_proof || !draft.symptom.is_of_zones() {
        return Vec::new();
    }
    let zone = table.targets[ill[0]].zone();
    let is_well = |target: usize| {
        let mut illnesses = table.illnesses.iter();
        !illnesses.any(|illness| illness.target == target && illness.nodes.intersects(nodes))
    };
    let mut well: Vec<String> = columns(table, ill)
        .enumerate()
        .filter(|(_, (column, is_ill))| !is_ill && column.zone() == zone)
        .filter(|(number, (column, _))| column.judged.intersects(nodes) && is_well(*number))
        .map(|(_, (column, _))| column.target.name.clone())
        .collect();
    well.sort_unstable();
    well.truncate(SAMPLES);
    well
}

/// Every target, and whether it is one of `ill`.
fn columns<'t, 'a>(
    table: &'t Table<'a>,
    ill: &[usize],
) -> impl Iterator<Item = (&'t Column<'a>, bool)> {
    let mut are_ill = vec![false; table.targets.len()];
    for number in ill {
        are_ill[*number] = true;
    }
    table.targets.iter().zip(are_ill)
}
