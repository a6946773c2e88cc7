//! Course: what a target was judged to be so far, and what the judge remembers of it.

use privatelink_verdict::history::History;
use privatelink_verdict::observation::Observation;
use privatelink_verdict::reason::Reason;
use privatelink_verdict::verdict::{Outcome, Verdict};

/// What a target was judged to be so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    history: History,
    last: Option<(Outcome, Reason)>,
}

/// A verdict that is another one than before, or the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The reason before; `None` for a first verdict.
    pub previous: Option<Reason>,
}

impl Course {
    /// What the judge remembers.
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Remembers what was observed and judged; the change that the verdict is, if it is one.
    pub fn record(&mut self, observation: &Observation, verdict: &Verdict) -> Option<Change> {
        self.history.record(observation);
        let judged = (verdict.outcome, verdict.reason);
        let last = self.last.replace(judged);
        let previous = last.map(|(_, reason)| reason);
        (last != Some(judged)).then_some(Change { previous })
    }

    /// Forgets answers that the next ones are not to be compared with; what `auto` latched stays.
    pub fn forget_answers(&mut self) {
        self.history.forget_answers();
    }
}

impl Change {
    /// Whether there was another verdict before: worth asking the service about.
    pub const fn is_otherwise(self) -> bool {
        self.previous.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn a_verdict_is_news_the_first_time_and_when_it_is_another() {
        let (healthy, broken) = (fixtures::healthy(), fixtures::public_fallback());
        let mut course = Course::default();
        let mut record = |probed: &crate::Probed| {
            let change = course.record(&probed.observation, &probed.verdict);
            change.map(|change| (change.previous, change.is_otherwise()))
        };
        assert_eq!(record(&healthy), Some((None, false)));
        assert_eq!(record(&healthy), None);
        let before = Some(healthy.verdict.reason);
        assert_eq!(record(&broken), Some((before, true)));
        let before = Some(Reason::PublicFallback);
        assert_eq!(record(&healthy), Some((before, true)));
    }
}
