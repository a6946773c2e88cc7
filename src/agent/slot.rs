//! Slot: a target of the schedule, and the evidence kept for its next probe.

use std::sync::Arc;

use privatelink_verdict::target::Target;
use tokio::task::Id;

use privatelink_probe::EvidenceCache;

/// A target of the schedule.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) target: Arc<Target>,
    /// Whether its probe was completed since the latest round began.
    pub(super) is_completed: bool,
    /// Whether the latest probe took long, so that the next one uses the lane of the slow ones.
    pub(super) is_slow: bool,
    pub(super) state: State,
}

#[derive(Debug)]
pub(super) enum State {
    Idle(EvidenceCache),
    Probing {
        task: Id,
        /// Whether the cache that the task returns may be kept.
        valid: bool,
    },
}

impl Slot {
    pub(super) fn new(target: Arc<Target>) -> Self {
        Self {
            target,
            is_completed: false,
            is_slow: false,
            state: State::Idle(EvidenceCache::default()),
        }
    }

    /// The cache for the next probe; `None` while the target is being probed.
    pub(super) fn take_cache(&mut self) -> Option<EvidenceCache> {
        self.cache().map(std::mem::take)
    }

    /// The cache that the latest probe left; `None` while the target is being probed.
    pub(super) fn cache(&mut self) -> Option<&mut EvidenceCache> {
        match &mut self.state {
            State::Idle(cache) => Some(cache),
            State::Probing { .. } => None,
        }
    }

    /// Drops the evidence, also that of a running probe once it ends.
    pub(super) fn forget_evidence(&mut self) {
        match &mut self.state {
            State::Idle(cache) => *cache = EvidenceCache::default(),
            State::Probing { valid, .. } => *valid = false,
        }
    }
}
