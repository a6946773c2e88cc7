//! Judge: the verdict on an observation: a pure function of target, observation and recent history.

use crate::history::History;
use crate::observation::Observation;
use crate::target::Target;
use crate::verdict::Verdict;

/// The verdict on `observation`; `history` is what was recorded before it.
pub fn judge(target: &Target, observation: &Observation, history: &History) -> Verdict {
    let _ = (target, observation, history);
    unreachable!()
}
