//! Slot: a target's place in the schedule.

use std::sync::Arc;

use privatelink_verdict::target::Target;
use tokio::task::Id;

use privatelink_probe::Memory;

/// A target's place in the schedule.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) target: Arc<Target>,
    pub(super) state: State,
}

#[derive(Debug)]
pub(super) enum State {
    Idle(Box<Memory>),
    Probing {
        task: Id,
        /// Whether the memory that the task brings back is still evidence.
        valid: bool,
    },
}

impl Slot {
    pub(super) fn new(target: Arc<Target>) -> Self {
        Self {
            target,
            state: State::Idle(Box::default()),
        }
    }

    /// Forgets what other resolvers said, also what a probe under way brings back.
    pub(super) fn forget_evidence(&mut self) {
        match &mut self.state {
            State::Idle(memory) => **memory = Memory::default(),
            State::Probing { valid, .. } => *valid = false,
        }
    }
}
