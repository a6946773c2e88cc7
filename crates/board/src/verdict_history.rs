//! Verdict history: a target's latest verdict, and what the judge remembers of its probes.

use privatelink_verdict::history::History;
use privatelink_verdict::observation::Observation;
use privatelink_verdict::reason::Reason;
use privatelink_verdict::verdict::{Outcome, Verdict};

/// A target's latest verdict, and what the judge remembers of its probes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VerdictHistory {
    history: History,
    last: Option<(Outcome, Reason)>,
}

/// A verdict that is the first of its target, or not the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerdictChange {
    /// The reason before; `None` for a first verdict.
    pub previous: Option<Reason>,
}

impl VerdictHistory {
    /// What the judge remembers.
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Remembers what was observed and judged; the change that the verdict is, if it is one.
    pub fn record(
        &mut self,
        observation: &Observation,
        verdict: &Verdict,
    ) -> Option<VerdictChange> {
        self.history.record(observation);
        let judged = (verdict.outcome, verdict.reason);
        let last = self.last.replace(judged);
        let previous = last.map(|(_, reason)| reason);
        (last != Some(judged)).then_some(VerdictChange { previous })
    }

    /// Forgets answers that the next ones are not to be compared with; what `auto` latched stays.
    pub fn forget_answers(&mut self) {
        self.history.forget_answers();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn a_verdict_is_news_the_first_time_and_when_it_is_another() {
        let (healthy, broken) = (fixtures::healthy(), fixtures::public_fallback());
        let mut verdicts = VerdictHistory::default();
        let mut record = |probed: &crate::Probed| {
            let change = verdicts.record(&probed.observation, &probed.verdict);
            change.map(|change| change.previous)
        };
        assert_eq!(record(&healthy), Some(None));
        assert_eq!(record(&healthy), None);
        let before = Some(healthy.verdict.reason);
        assert_eq!(record(&broken), Some(before));
        let before = Some(Reason::PublicFallback);
        assert_eq!(record(&healthy), Some(before));
    }
}
