//! Paths: numbers for targets, resolvers, and pairs of them; and sets of these, since most nodes have
//! the same.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The number of a pair of target and resolver.
pub(crate) type PathNumber = u16;

/// The number of a target.
pub(crate) type TargetNumber = u16;

/// As many targets, resolvers, pairs and sets are numbered. What is beyond is not remembered, and the gate says
/// so.
const MOST_TARGETS: usize = 2_000;
const MOST_RESOLVERS: usize = 16;
const MOST_PATHS: usize = 8_000;
const MOST_SETS: usize = 1_000;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Paths {
    pub(super) targets: Vec<Arc<str>>,
    pub(super) resolvers: Vec<Arc<str>>,
    pub(super) pairs: Vec<(u16, u16)>,
    pub(super) sets: Vec<Vec<PathNumber>>,
    target_numbers: BTreeMap<Arc<str>, u16>,
    pair_numbers: BTreeMap<(u16, u16), PathNumber>,
    set_numbers: BTreeMap<Vec<PathNumber>, usize>,
    /// Whether there was no number for something.
    is_full: bool,
}

impl Paths {
    /// The number of a target; `None` where there are too many.
    pub(super) fn target(&mut self, name: &str) -> Option<u16> {
        if let Some(number) = self.target_numbers.get(name) {
            return Some(*number);
        }
        let number = self.next(self.targets.len(), MOST_TARGETS)?;
        let name: Arc<str> = name.into();
        self.targets.push(name.clone());
        self.target_numbers.insert(name, number);
        Some(number)
    }

    pub(super) fn known_target(&self, name: &str) -> Option<u16> {
        self.target_numbers.get(name).copied()
    }

    /// The number of a target's path; `None` where there are too many.
    pub(super) fn number(&mut self, target: u16, resolver: &str) -> Option<PathNumber> {
        let resolver = self.resolver(resolver)?;
        let pair = (target, resolver);
        if let Some(number) = self.pair_numbers.get(&pair) {
            return Some(*number);
        }
        let number = self.next(self.pairs.len(), MOST_PATHS)?;
        self.pairs.push(pair);
        self.pair_numbers.insert(pair, number);
        Some(number)
    }

    fn resolver(&mut self, name: &str) -> Option<u16> {
        if let Some(known) = self.resolvers.iter().position(|known| **known == *name) {
            return u16::try_from(known).ok();
        }
        let number = self.next(self.resolvers.len(), MOST_RESOLVERS)?;
        self.resolvers.push(name.into());
        Some(number)
    }

    /// The number of a set of paths, which are in order. Where there are too many sets it is the empty
    /// one.
    pub(super) fn set(&mut self, numbers: Vec<PathNumber>) -> usize {
        if self.sets.is_empty() {
            self.sets.push(Vec::new());
            self.set_numbers.insert(Vec::new(), 0);
        }
        if let Some(number) = self.set_numbers.get(&numbers) {
            return *number;
        }
        if self.sets.len() == MOST_SETS {
            self.is_full = true;
            return 0;
        }
        self.sets.push(numbers.clone());
        self.set_numbers.insert(numbers, self.sets.len() - 1);
        self.sets.len() - 1
    }

    /// The paths of a set, in order.
    pub(crate) fn of_set(&self, set: usize) -> &[PathNumber] {
        self.sets.get(set).map_or(&[], Vec::as_slice)
    }

    pub(super) fn has(&self, set: usize, number: PathNumber) -> bool {
        self.of_set(set).binary_search(&number).is_ok()
    }

    /// Whether something is not remembered because there was no number for it.
    pub(crate) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// The number after `len` others; `None` where there are too many.
    fn next(&mut self, len: usize, most: usize) -> Option<u16> {
        self.is_full |= len >= most;
        u16::try_from(len).ok().filter(|_| len < most)
    }

    /// How many pairs are numbered.
    pub(crate) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// How many sets there are.
    pub(crate) fn sets(&self) -> usize {
        self.sets.len()
    }

    /// The target's number of a path.
    pub(crate) fn target_of(&self, number: PathNumber) -> TargetNumber {
        self.pairs[usize::from(number)].0
    }

    pub(crate) fn target_name(&self, number: TargetNumber) -> &str {
        &self.targets[usize::from(number)]
    }

    /// The target and the resolver of a path.
    pub(crate) fn names(&self, number: PathNumber) -> (&Arc<str>, &Arc<str>) {
        let (target, resolver) = self.pairs[usize::from(number)];
        let resolver = &self.resolvers[usize::from(resolver)];
        (&self.targets[usize::from(target)], resolver)
    }
}
