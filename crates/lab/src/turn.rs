//! Turn: what a server of a world did in answer to its client, and when: a clock beside the agent's own.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use privatelink_verdict::reason::Stage;
use tokio::time::Instant;

/// Turns that are kept at most; the oldest give way.
const MOST: usize = 1024;

/// One answer of a server. The time between a client's two messages is in no turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The stage of the probe that it belongs to: `Dns`, `Connect`, `Tls` or `Http`.
    pub stage: Stage,
    /// When the last message before the answer was read. Where the server speaks first, and for `Connect`,
    /// when the connection was accepted.
    pub began: Instant,
    /// When the answer was written; of `Connect`, the same as `began`.
    pub ended: Instant,
}

/// The latest turns of all servers of a world. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turns(Arc<Mutex<VecDeque<Turn>>>);

impl Turns {
    /// Records a turn that began at `began` and ends now.
    pub(crate) fn ended(&self, stage: Stage, began: Instant) {
        let mut turns = self.turns();
        if turns.len() == MOST {
            turns.pop_front();
        }
        turns.push_back(Turn {
            stage,
            began,
            ended: Instant::now(),
        });
    }

    /// Takes those recorded since they were last taken, in the order in which they ended.
    pub(crate) fn take(&self) -> Vec<Turn> {
        std::mem::take(&mut *self.turns()).into()
    }

    fn turns(&self) -> MutexGuard<'_, VecDeque<Turn>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
