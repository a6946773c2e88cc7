//! Interned: what the views of many nodes have in common, kept once.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use super::{CellPaths, FleetTarget, PathState};

/// What the views of many nodes have in common.
#[derive(Debug, Default)]
pub struct Interned {
    targets: HashSet<Arc<FleetTarget>>,
    texts: HashSet<Arc<str>>,
    resolvers: HashSet<Arc<Vec<Arc<str>>>>,
}

impl Interned {
    /// Forgets what no view has any more.
    pub fn forget_unused(&mut self) {
        self.targets.retain(|target| Arc::strong_count(target) > 1);
        let resolvers = &mut self.resolvers;
        resolvers.retain(|resolvers| Arc::strong_count(resolvers) > 1);
        self.texts.retain(|text| Arc::strong_count(text) > 1);
    }

    /// The paths of a cell, whose resolvers are shared with other cells.
    pub fn paths(&mut self, paths: &[PathState]) -> CellPaths {
        let resolvers: Vec<_> = paths
            .iter()
            .map(|path| Arc::clone(&path.resolver))
            .collect();
        let known = self.resolvers.get(&resolvers).cloned();
        let resolvers = known.unwrap_or_else(|| kept(&mut self.resolvers, Arc::new(resolvers)));
        CellPaths::new(resolvers, paths)
    }

    pub(super) fn target(&mut self, target: FleetTarget) -> Arc<FleetTarget> {
        if let Some(known) = self.targets.get(&target) {
            return Arc::clone(known);
        }
        kept(&mut self.targets, Arc::new(target))
    }

    pub(super) fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        kept(&mut self.texts, text.into())
    }
}

fn kept<T: Hash + Eq + ?Sized>(known: &mut HashSet<Arc<T>>, new: Arc<T>) -> Arc<T> {
    known.insert(Arc::clone(&new));
    new
}
