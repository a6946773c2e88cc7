//! Intern: equal values are kept once. The pods of a workload say the same, and name the same user.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

/// How many values are kept before unused ones are looked for.
const FIRST_PURGE: usize = 1024;

/// Values that are kept once.
#[derive(Debug)]
pub(super) struct Interner<T: ?Sized> {
    values: HashSet<Arc<T>>,
    purge_at: usize,
}

impl<T: ?Sized> Default for Interner<T> {
    fn default() -> Self {
        Self {
            values: HashSet::new(),
            purge_at: FIRST_PURGE,
        }
    }
}

impl<T: ?Sized + Eq + Hash> Interner<T> {
    /// The one that is equal to `value`.
    pub(super) fn intern(&mut self, value: Arc<T>) -> Arc<T> {
        if let Some(known) = self.values.get(&value) {
            return Arc::clone(known);
        }
        if self.values.len() >= self.purge_at {
            self.purge();
            self.purge_at = FIRST_PURGE.max(2 * self.values.len());
        }
        self.values.insert(Arc::clone(&value));
        value
    }

    /// Forgets the values that nothing else holds.
    pub(super) fn purge(&mut self) {
        self.values.retain(|value| Arc::strong_count(value) > 1);
    }

    /// How many values are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }
}
