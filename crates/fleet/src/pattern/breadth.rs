//! Breadth: how many of the targets have a symptom, and whether by whole services.

use std::collections::BTreeMap;

use crate::cause::Breadth;
use crate::symptom::Symptom;
use crate::table::Table;

/// The breadth of `ill`, numbers of targets. Where a zone is not seen, targets that are public anyway
/// prove nothing, and do not count.
pub(super) fn of(table: &Table<'_>, ill: &[usize], symptom: Symptom) -> Breadth {
    let only_private = symptom == Symptom::ZoneNotSeen;
    let mut are_ill = vec![false; table.targets.len()];
    for number in ill {
        are_ill[*number] = true;
    }
    // For each zone: how many targets, how many of them ill.
    let mut zones: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (column, is_ill) in table.targets.iter().zip(are_ill) {
        if is_ill || !only_private || column.is_private {
            let zone = zones.entry(&column.zone).or_default();
            zone.0 += 1;
            zone.1 += usize::from(is_ill);
        }
    }
    let touched = zones.values().filter(|(_, ill)| *ill > 0);
    let is_part = touched.clone().any(|(all, ill)| ill < all);
    let count = touched.count();
    let is_everything = zones.values().all(|(all, ill)| ill == all);
    match count {
        2.. if is_everything => Breadth::Everything,
        2.. => Breadth::SeveralServices,
        _ if is_part => Breadth::PartOfService,
        _ => Breadth::WholeService,
    }
}
