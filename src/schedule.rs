//! Schedule: when each target is probed: at a phase of its own, never late, never queued.
//!
//! A target's phase is hashed from the node and the target over the interval, so that a fleet does
//! not ask at once and a restart does not move the beat. A beat that comes while the target's probe
//! is still running or waiting is skipped and counted.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

/// The first round is spread over at most this long.
const FIRST_ROUND: Duration = Duration::from_secs(15);

/// When each of a number of targets is due, by index.
#[derive(Debug)]
pub struct Schedule {
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    intervals: Vec<Duration>,
}

/// What one beat means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// The target's index.
    pub index: usize,
    /// Beats that passed unheard since the last one: the loop itself was late.
    pub missed: u64,
}

impl Schedule {
    /// A schedule that begins at `now`. `beats` gives every target's interval, and when it is due
    /// for the first time; see [`first_beat`].
    pub fn new(beats: impl IntoIterator<Item = (Duration, Instant)>) -> Self {
        let (mut due, mut intervals) = (BinaryHeap::new(), Vec::new());
        for (index, (interval, first)) in beats.into_iter().enumerate() {
            due.push(Reverse((first, index)));
            intervals.push(interval);
        }
        Self { due, intervals }
    }

    /// When the next beat is; `None` without targets.
    pub fn next_at(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((at, _))| *at)
    }

    /// When each target's next beat is, by index.
    pub fn due(&self) -> impl Iterator<Item = (usize, Instant)> + '_ {
        self.due.iter().map(|Reverse((at, index))| (*index, *at))
    }

    /// Takes the next beat that is due by `now`, and sets the target's next one.
    pub fn take(&mut self, now: Instant) -> Option<Beat> {
        let Reverse((at, index)) = *self.due.peek()?;
        if at > now {
            return None;
        }
        self.due.pop();
        let interval = self.intervals[index];
        let missed = (now - at).as_nanos() / interval.as_nanos().max(1);
        let missed = u32::try_from(missed).unwrap_or(u32::MAX);
        self.due
            .push(Reverse((at + interval * missed.saturating_add(1), index)));
        Some(Beat {
            index,
            missed: missed.into(),
        })
    }
}

/// The phase of `target` on `node`: where within `period` its beats lie. Stable over restarts, and
/// evenly spread over targets and nodes.
pub fn phase(node: &str, target: &str, period: Duration) -> Duration {
    let mut hash = Sha256::new();
    hash.update(node.as_bytes());
    hash.update([0]);
    hash.update(target.as_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let mut word = [0; 8];
    word.copy_from_slice(&digest[..8]);
    let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX).max(1);
    Duration::from_nanos(u64::from_be_bytes(word) % period)
}

/// How long after the start a target's first probe begins: the first round takes the phase modulo
/// min(interval, 15 s), and the beats after it keep that offset.
pub fn first_beat(node: &str, target: &str, interval: Duration) -> Duration {
    let period = interval.min(FIRST_ROUND).as_nanos().max(1);
    let offset = phase(node, target, interval).as_nanos() % period;
    Duration::from_nanos(u64::try_from(offset).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn every_target_beats_at_its_own_interval() {
        let start = Instant::now();
        let mut schedule = Schedule::new([(10 * SECOND, start), (15 * SECOND, start + SECOND)]);
        let mut heard = Vec::new();
        for second in 0..40 {
            while let Some(beat) = schedule.take(start + second * SECOND) {
                heard.push((second, beat.index));
            }
        }
        assert_eq!(
            heard,
            [(0, 0), (1, 1), (10, 0), (16, 1), (20, 0), (30, 0), (31, 1)]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn beats_missed_while_the_loop_was_late_are_counted_not_made_up_for() {
        let start = Instant::now();
        let mut schedule = Schedule::new([(10 * SECOND, start)]);
        assert_eq!(
            schedule.take(start),
            Some(Beat {
                index: 0,
                missed: 0
            })
        );
        assert_eq!(
            schedule.take(start + 35 * SECOND),
            Some(Beat {
                index: 0,
                missed: 2
            })
        );
        assert_eq!(schedule.take(start + 35 * SECOND), None);
        assert_eq!(schedule.next_at(), Some(start + 40 * SECOND));
    }

    #[test]
    fn phases_of_many_targets_fill_the_interval_evenly() {
        let interval = 30 * SECOND;
        let mut tenths = [0; 10];
        for n in 0..1000 {
            let phase = phase("node-a", &format!("target-{n}"), interval);
            tenths[usize::try_from(phase.as_millis() / 3000).expect("a tenth")] += 1;
        }
        assert!(
            tenths.iter().all(|count| (60..150).contains(count)),
            "{tenths:?}"
        );
    }

    proptest! {
        #[test]
        fn a_phase_lies_within_the_interval_and_the_first_round_within_15_s(
            node in ".{0,20}", target in ".{0,20}", seconds in 1..100_000u64
        ) {
            let interval = Duration::from_secs(seconds);
            prop_assert!(phase(&node, &target, interval) < interval);
            prop_assert_eq!(phase(&node, &target, interval), phase(&node, &target, interval));
            prop_assert!(first_beat(&node, &target, interval) < interval.min(FIRST_ROUND));
        }
    }
}
