//! Renumbering: over months targets come and go, and their numbers would run out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{FleetHistory, PathNumber, Paths, TargetNumber};

/// As many numbers more than twice those in use may stand for nothing.
const UNUSED: usize = 64;

impl FleetHistory {
    /// Gives new numbers to what is in use, where most numbers are not.
    pub(super) fn renumber(&mut self) {
        let departed = self.departed.iter().map(|departed| &departed.history);
        let nodes = self.nodes.values().chain(departed);
        let sets: BTreeSet<usize> = nodes.map(|node| node.set).collect();
        let of_sets = sets.iter().flat_map(|set| self.paths.of_set(*set));
        let forgotten = self.forgotten_non_private.keys();
        let used: BTreeSet<PathNumber> = of_sets.chain(forgotten).copied().collect();
        let are_few = |used: usize, all: usize| all > 2 * used + UNUSED;
        if !are_few(used.len(), self.paths.len()) && !are_few(sets.len(), self.paths.sets()) {
            return;
        }
        let before = std::mem::take(&mut self.paths);
        let mut numbers: BTreeMap<PathNumber, PathNumber> = BTreeMap::new();
        for number in used {
            let (target, resolver) = before.names(number);
            let target = self.paths.target(target);
            let new = target.and_then(|target| self.paths.number(target, resolver));
            // Fewer than before always fit.
            numbers.insert(number, new.unwrap_or_default());
        }
        self.renumber_nodes(&before, &numbers);
        self.expected = Arc::default();
        let private = std::mem::take(&mut self.private);
        for (target, last) in private {
            // A target that no node has is not asked for.
            if let Some(target) = self.paths.known_target(before.target_name(target)) {
                self.private.insert(target, last);
            }
        }
        let forgotten = std::mem::take(&mut self.forgotten_non_private);
        self.forgotten_non_private = forgotten
            .into_iter()
            .map(|(number, last)| (numbers[&number], last))
            .collect();
        self.is_changed = true;
    }

    fn renumber_nodes(&mut self, before: &Paths, numbers: &BTreeMap<PathNumber, PathNumber>) {
        let mut sets: BTreeMap<usize, usize> = BTreeMap::new();
        let mut expected: BTreeMap<Arc<[TargetNumber]>, Arc<[TargetNumber]>> = BTreeMap::new();
        let departed = self
            .departed
            .iter_mut()
            .map(|departed| &mut departed.history);
        for node in self.nodes.values_mut().chain(departed) {
            node.set = *sets.entry(node.set).or_insert_with_key(|set| {
                let mut of_set: Vec<PathNumber> = before
                    .of_set(*set)
                    .iter()
                    .map(|number| numbers[number])
                    .collect();
                of_set.sort_unstable();
                self.paths.set(of_set)
            });
            let paths = &self.paths;
            let expects = expected
                .entry(node.expects.clone())
                .or_insert_with_key(|expects| {
                    let names = expects.iter().map(|target| before.target_name(*target));
                    let mut new: Vec<_> =
                        names.filter_map(|name| paths.known_target(name)).collect();
                    new.sort_unstable();
                    new.into()
                });
            node.expects = expects.clone();
            node.tracks.retain_mut(|(number, _)| {
                let new = numbers.get(number);
                *number = new.copied().unwrap_or_default();
                new.is_some()
            });
            node.tracks.sort_unstable_by_key(|(number, _)| *number);
        }
    }
}
