//! History: what the judge remembers of a target's earlier probes.

use std::collections::VecDeque;

use crate::address::{Class, ClassSet};
use crate::observation::Observation;

/// The number of answered probes within which changes count as flapping (section 5).
const WINDOW: usize = 10;

/// What the judge remembers of a target's earlier probes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    answered: VecDeque<ClassSet>,
    private_seen: bool,
}

impl History {
    /// Remembers a probe that was judged. Probes without an address leave no trace.
    pub fn record(&mut self, observation: &Observation) {
        let classes = observation.classes();
        if classes.is_empty() {
            return;
        }
        if self.answered.len() == WINDOW {
            self.answered.pop_front();
        }
        self.answered.push_back(classes);
        self.private_seen |= classes.iter().any(Class::is_private);
    }

    /// Whether an address of the target was ever private: `auto` stays `privateEndpoint` then.
    pub const fn private_seen(&self) -> bool {
        self.private_seen
    }

    /// The class sets of the latest answered probes up to and with `current`, oldest first.
    pub(crate) fn window(&self, current: ClassSet) -> impl Iterator<Item = ClassSet> + '_ {
        let current = (!current.is_empty()).then_some(current);
        let kept = WINDOW - usize::from(current.is_some());
        let skipped = self.answered.len().saturating_sub(kept);
        self.answered.iter().copied().skip(skipped).chain(current)
    }
}
