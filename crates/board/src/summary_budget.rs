//! Summary budget: how many bytes the summaries in the transitions of all targets take together. The
//! oldest go first; that of a target's latest transition stays.

use std::sync::Arc;
use std::time::SystemTime;

use privatelink_verdict::sanitize::SENTENCE_BYTES;

use crate::Entry;

/// The most that they take, while that of each target's latest transition takes less.
const MAX_BYTES: usize = 1 << 20;

/// What is left of them when they would take more, so that they are not counted anew at each change.
const LEFT: usize = MAX_BYTES / 4 * 3;

/// What the summaries may take by now.
#[derive(Debug, Default)]
pub(crate) struct SummaryBudget {
    /// What they took when they were last counted, and as much as could have come since.
    at_most: usize,
}

impl SummaryBudget {
    /// Takes into account that one more came, and drops the oldest of `entries` where they take too much.
    pub(crate) fn bound(&mut self, entries: &mut [Entry]) {
        self.at_most += SENTENCE_BYTES;
        if self.at_most <= MAX_BYTES {
            return;
        }
        let mut used: Vec<Used> = entries.iter().enumerate().flat_map(each_used).collect();
        self.at_most = used.iter().map(|used| used.bytes).sum();
        used.retain(|used| !used.is_latest);
        used.sort_unstable_by_key(|used| used.last_at);
        for used in used {
            if self.at_most <= LEFT {
                return;
            }
            self.at_most -= used.bytes;
            for transition in &mut entries[used.entry].transitions {
                let summary = transition.summary.as_ref();
                if summary.is_some_and(|summary| summary.as_ptr() == used.text) {
                    transition.summary = None;
                }
            }
        }
    }
}

/// A text that transitions of one target share.
struct Used {
    entry: usize,
    text: *const u8,
    bytes: usize,
    last_at: SystemTime,
    is_latest: bool,
}

/// The texts of one entry, each once, with the time of the last transition that has it.
fn each_used((entry, of): (usize, &Entry)) -> Vec<Used> {
    let mut all: Vec<Used> = Vec::new();
    for (ago, transition) in of.transitions.iter().rev().enumerate() {
        let Some(summary) = &transition.summary else {
            continue;
        };
        let text = Arc::as_ptr(summary).cast();
        if !all.iter().any(|used| used.text == text) {
            all.push(Used {
                entry,
                text,
                bytes: summary.len(),
                last_at: transition.at,
                is_latest: ago == 0,
            });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use privatelink_verdict::reason::Reason;
    use privatelink_verdict::verdict::Outcome;

    use super::*;
    use crate::{Transition, fixtures};

    fn entry() -> Entry {
        let target = fixtures::target("kv-prod.vault.azure.net");
        Entry::new(target.into(), fixtures::now())
    }

    fn transition(second: u64, summary: &Arc<str>) -> Transition {
        Transition {
            at: fixtures::now() + Duration::from_secs(second),
            outcome: Outcome::Fail,
            reason: Reason::TlsNameMismatch,
            summary: Some(Arc::clone(summary)),
        }
    }

    fn long() -> Arc<str> {
        "x".repeat(SENTENCE_BYTES).into()
    }

    fn bytes(entries: &[Entry]) -> usize {
        let used = entries.iter().enumerate().flat_map(each_used);
        used.map(|used| used.bytes).sum()
    }

    fn kept(entry: &Entry) -> Vec<bool> {
        let transitions = entry.transitions.iter();
        transitions.map(|one| one.summary.is_some()).collect()
    }

    #[test]
    fn the_oldest_of_all_targets_go_first_and_the_latest_of_each_stays() {
        let mut budget = SummaryBudget::default();
        let mut entries = vec![entry(), entry()];
        // The first target changed once, long ago; the second one changes all the time.
        entries[0].transitions.push_back(transition(0, &long()));
        budget.bound(&mut entries);
        for second in 1..2000 {
            entries[1]
                .transitions
                .push_back(transition(second, &long()));
            budget.bound(&mut entries);
            assert!(bytes(&entries) <= MAX_BYTES);
        }
        assert_eq!(kept(&entries[0]), [true]);
        let kept = kept(&entries[1]);
        assert!(!kept[0] && kept[1998]);
        assert!(kept.is_sorted(), "the oldest are dropped, and no other");
        assert!(bytes(&entries) > MAX_BYTES / 2);
    }

    #[test]
    fn a_summary_that_transitions_share_is_counted_once_and_is_as_old_as_the_last_of_them() {
        let mut budget = SummaryBudget::default();
        let mut entries = vec![entry()];
        let shared = long();
        for second in 0..3000 {
            let summary = if second % 2 == 0 {
                shared.clone()
            } else {
                long()
            };
            entries[0]
                .transitions
                .push_back(transition(second, &summary));
            budget.bound(&mut entries);
        }
        let kept = kept(&entries[0]);
        assert!(kept.iter().step_by(2).all(|kept| *kept));
        assert!(!kept[1] && kept[2999]);
    }
}
