//! Schedule: when each target is probed: at the beats of its own phase, which are never queued.
//!
//! A target's phase is hashed from the node and the target over the interval, and counted on the
//! wall clock, so that the nodes of a cluster do not ask at once and a restart keeps the beats. A beat that
//! comes while the target's probe is still running or waiting is skipped and counted.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{Context, SHA256};
use tokio::time::Instant;

/// The first round is spread over at most this long.
pub const FIRST_ROUND: Duration = Duration::from_secs(15);

/// A beat that is taken later than this is missed.
const LATE: Duration = Duration::from_secs(2);

/// When each of a number of targets is due, by index.
#[derive(Debug)]
pub struct Schedule {
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    /// The interval and the next regular beat of each target.
    regular: Vec<(Duration, Instant)>,
}

/// When one target is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cadence {
    /// Time between two beats.
    pub interval: Duration,
    /// When it is due first: at `next`, or before it.
    pub first: Instant,
    /// The first of its regular beats; the others follow at the interval.
    pub next: Instant,
}

/// A beat that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Whether it is still on time. After a pause of the process every target is due at once, and each
    /// goes on at its next beat instead.
    pub is_on_time: bool,
    /// The target's index.
    pub index: usize,
    /// Beats of the target that were missed because the loop was late, with this one if it is not on
    /// time.
    pub missed: u64,
}

impl Schedule {
    /// A schedule of targets with these cadences.
    pub fn new(cadences: impl IntoIterator<Item = Cadence>) -> Self {
        let cadences: Vec<Cadence> = cadences.into_iter().collect();
        let due = cadences.iter().enumerate();
        Self {
            due: due
                .map(|(index, cadence)| Reverse((cadence.first, index)))
                .collect(),
            regular: cadences.iter().map(|it| (it.interval, it.next)).collect(),
        }
    }

    /// When the next beat is; `None` without targets.
    pub fn next_at(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((at, _))| *at)
    }

    /// Every target's cadence from here on, by index.
    pub fn cadences(&self) -> Vec<Cadence> {
        let regular = self.regular.iter().map(|&(interval, next)| Cadence {
            interval,
            first: next,
            next,
        });
        let mut cadences: Vec<Cadence> = regular.collect();
        for Reverse((at, index)) in &self.due {
            cadences[*index].first = *at;
        }
        cadences
    }

    /// Takes the next beat that is due by `now`, and sets the target's next one.
    pub fn take(&mut self, now: Instant) -> Option<Beat> {
        let Reverse((at, index)) = *self.due.peek()?;
        if at > now {
            return None;
        }
        self.due.pop();
        let (interval, next) = &mut self.regular[index];
        let early = at < *next;
        let passed = now.checked_duration_since(*next).map_or(0, |late| {
            let intervals = late.as_nanos() / interval.as_nanos().max(1);
            u32::try_from(intervals)
                .unwrap_or(u32::MAX)
                .saturating_add(1)
        });
        *next += *interval * passed;
        self.due.push(Reverse((*next, index)));
        let passed = u64::from(early) + u64::from(passed);
        let is_on_time = now - at <= LATE;
        Some(Beat {
            index,
            is_on_time,
            missed: passed.saturating_sub(u64::from(is_on_time)),
        })
    }
}

/// The cadence of `target` on `node`, from `now` on, which is `wall` on the wall clock.
///
/// Its regular beats are on the wall clock at its phase and every interval after it, whenever the
/// agent starts. The first round takes min(interval, 15 s). A target that has no regular beat within
/// it gets one extra beat, after its phase modulo the length of the round.
pub fn cadence(
    node: &str,
    target: &str,
    interval: Duration,
    now: Instant,
    wall: SystemTime,
) -> Cadence {
    let phase = phase(node, target, interval);
    let round = interval.min(FIRST_ROUND);
    let wait = until_beat(phase, interval, wall);
    let first = if wait < round {
        wait
    } else {
        modulo(phase, round)
    };
    Cadence {
        interval,
        first: now + first,
        next: now + wait,
    }
}

/// Time from `wall` to the next moment that is `phase` after a whole number of intervals.
fn until_beat(phase: Duration, interval: Duration, wall: SystemTime) -> Duration {
    let since_epoch = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    let passed = modulo(since_epoch, interval);
    let still_to_come = phase.checked_sub(passed);
    still_to_come.unwrap_or_else(|| phase + interval.saturating_sub(passed))
}

fn modulo(time: Duration, period: Duration) -> Duration {
    let nanos = time.as_nanos() % period.as_nanos().max(1);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// The phase of `target` on `node`: where within `period` its beats lie. Stable over restarts, and
/// evenly spread over targets and nodes.
pub fn phase(node: &str, target: &str, period: Duration) -> Duration {
    let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX).max(1);
    Duration::from_nanos(spread(node, target) % period)
}

/// A number that is stable over restarts, and evenly spread over targets and nodes.
pub fn spread(node: &str, target: &str) -> u64 {
    let mut hash = Context::new(&SHA256);
    hash.update(node.as_bytes());
    hash.update(&[0]);
    hash.update(target.as_bytes());
    let mut word = [0; 8];
    word.copy_from_slice(&hash.finish().as_ref()[..8]);
    u64::from_be_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn regular(interval: Duration, first: Instant) -> Cadence {
        Cadence {
            interval,
            first,
            next: first,
        }
    }

    /// The seconds after `start` at which a beat is heard, and of which target.
    fn heard(schedule: &mut Schedule, start: Instant, seconds: u32) -> Vec<(u32, usize)> {
        let mut heard = Vec::new();
        for second in 0..seconds {
            while let Some(beat) = schedule.take(start + second * SECOND) {
                assert_eq!(beat.missed, 0);
                heard.push((second, beat.index));
            }
        }
        heard
    }

    #[tokio::test(start_paused = true)]
    async fn every_target_beats_at_its_own_interval() {
        let start = Instant::now();
        let mut schedule = Schedule::new([
            regular(10 * SECOND, start),
            regular(15 * SECOND, start + SECOND),
        ]);
        assert_eq!(
            heard(&mut schedule, start, 40),
            [(0, 0), (1, 1), (10, 0), (16, 1), (20, 0), (30, 0), (31, 1)]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_beat_before_the_regular_ones_does_not_move_them() {
        let start = Instant::now();
        let mut schedule = Schedule::new([Cadence {
            interval: 30 * SECOND,
            first: start + 3 * SECOND,
            next: start + 25 * SECOND,
        }]);
        assert_eq!(
            heard(&mut schedule, start, 90),
            [(3, 0), (25, 0), (55, 0), (85, 0)]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_schedule_laid_out_again_beats_on() {
        let start = Instant::now();
        let early = Cadence {
            interval: 30 * SECOND,
            first: start + 3 * SECOND,
            next: start + 25 * SECOND,
        };
        let mut schedule = Schedule::new([early, regular(10 * SECOND, start)]);
        assert_eq!(heard(&mut schedule, start, 3), [(0, 1)]);
        let mut again = Schedule::new(schedule.cadences());
        assert_eq!(
            heard(&mut again, start, 31),
            [(3, 0), (10, 1), (20, 1), (25, 0), (30, 1)]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn beats_missed_while_the_loop_was_late_are_counted_not_made_up_for() {
        let start = Instant::now();
        let mut schedule = Schedule::new([regular(10 * SECOND, start)]);
        let beat = |is_on_time, missed| {
            Some(Beat {
                index: 0,
                is_on_time,
                missed,
            })
        };
        assert_eq!(schedule.take(start), beat(true, 0));
        assert_eq!(schedule.take(start + 11 * SECOND), beat(true, 0));
        assert_eq!(schedule.take(start + 35 * SECOND), beat(false, 2));
        assert_eq!(schedule.take(start + 35 * SECOND), None);
        assert_eq!(schedule.next_at(), Some(start + 40 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_slept_through_the_first_beat_misses_that_one_too() {
        let start = Instant::now();
        let mut schedule = Schedule::new([Cadence {
            interval: 10 * SECOND,
            first: start,
            next: start + 5 * SECOND,
        }]);
        let beat = schedule.take(start + 16 * SECOND).expect("a beat");
        assert_eq!(
            (beat.is_on_time, beat.missed),
            (false, 3),
            "at 0, 5 and 15 s"
        );
        assert_eq!(schedule.next_at(), Some(start + 25 * SECOND));
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

    fn wall_at() -> impl Strategy<Value = SystemTime> {
        (0..4_000_000_000_000u64).prop_map(|millis| UNIX_EPOCH + Duration::from_millis(millis))
    }

    proptest! {
        #[test]
        fn a_phase_lies_within_the_interval_and_the_first_beat_within_the_first_round(
            node in ".{0,20}", target in ".{0,20}", seconds in 1..100_000u64, wall in wall_at()
        ) {
            let interval = Duration::from_secs(seconds);
            let now = Instant::now();
            let cadence = cadence(&node, &target, interval, now, wall);
            prop_assert!(phase(&node, &target, interval) < interval);
            prop_assert!(cadence.first <= cadence.next);
            prop_assert!(cadence.first - now < interval.min(FIRST_ROUND));
            prop_assert!(cadence.next - now < interval);
        }

        #[test]
        fn a_restart_moves_no_beat(
            target in "[a-z]{1,20}", seconds in 1..100_000u64, wall in wall_at(),
            later in 0..1_000_000_000u64
        ) {
            let interval = Duration::from_secs(seconds);
            let (now, later) = (Instant::now(), Duration::from_millis(later));
            let before = cadence("node-a", &target, interval, now, wall);
            let after = cadence("node-a", &target, interval, now + later, wall + later);
            let shifted = (after.next + interval - before.next).as_nanos() % interval.as_nanos();
            prop_assert_eq!(shifted, 0);
        }

        #[test]
        fn beats_lie_on_the_wall_clock_at_the_phase(
            target in "[a-z]{1,20}", seconds in 1..100_000u64, wall in wall_at()
        ) {
            let interval = Duration::from_secs(seconds);
            let now = Instant::now();
            let cadence = cadence("node-a", &target, interval, now, wall);
            let at = wall + (cadence.next - now);
            let since_epoch = at.duration_since(UNIX_EPOCH).expect("after it");
            prop_assert_eq!(
                since_epoch.as_nanos() % interval.as_nanos(),
                phase("node-a", &target, interval).as_nanos()
            );
        }
    }

    #[test]
    fn the_first_round_spreads_many_targets_over_15_s() {
        let (now, wall) = (Instant::now(), UNIX_EPOCH + 1_800_000_007 * SECOND);
        let mut fifths = [0; 5];
        for n in 0..1000 {
            let cadence = cadence("node-a", &format!("target-{n}"), 60 * SECOND, now, wall);
            let first = (cadence.first - now).as_secs();
            fifths[usize::try_from(first / 3).expect("a fifth")] += 1;
        }
        assert!(
            fifths.iter().all(|count| (140..260).contains(count)),
            "{fifths:?}"
        );
    }
}
