//! Limit waits: logs how long probes waited for a limit, at most once a minute per limit.

use std::time::Duration;

use tokio::time::Instant;

use privatelink_report::events::LimitWaiting;

/// A probe that waited longer than this for a limit is logged.
const LONG: Duration = Duration::from_secs(5);
/// The shortest time between two lines about the same limit.
const PAUSE: Duration = Duration::from_mins(1);

/// How long one probe waited for each limit before it started.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wait {
    /// For `limits.maxConcurrent`.
    pub(super) permit: Duration,
    /// For `limits.maxDnsQps`.
    pub(super) pace: Duration,
}

/// The waits that are not logged yet, per limit.
#[derive(Debug)]
pub(super) struct LimitWaits {
    permit: Pending,
    pace: Pending,
}

#[derive(Debug)]
struct Pending {
    limit: &'static str,
    probes: u64,
    longest: Duration,
    logged_at: Option<Instant>,
}

impl LimitWaits {
    pub(super) const fn new() -> Self {
        Self {
            permit: Pending::new("limits.maxConcurrent"),
            pace: Pending::new("limits.maxDnsQps"),
        }
    }

    pub(super) fn count(&mut self, wait: Wait) {
        self.permit.count(wait.permit);
        self.pace.count(wait.pace);
    }

    /// The lines that are due at `now`.
    pub(super) fn due(&mut self, now: Instant) -> impl Iterator<Item = LimitWaiting> {
        [self.permit.due(now), self.pace.due(now)]
            .into_iter()
            .flatten()
    }
}

impl Pending {
    const fn new(limit: &'static str) -> Self {
        Self {
            limit,
            probes: 0,
            longest: Duration::ZERO,
            logged_at: None,
        }
    }

    fn count(&mut self, waited: Duration) {
        if waited > LONG {
            self.probes += 1;
            self.longest = self.longest.max(waited);
        }
    }

    fn due(&mut self, now: Instant) -> Option<LimitWaiting> {
        if self.probes == 0 || self.logged_at.is_some_and(|at| now < at + PAUSE) {
            return None;
        }
        self.logged_at = Some(now);
        Some(LimitWaiting {
            limit: self.limit,
            probes: std::mem::take(&mut self.probes),
            longest: std::mem::take(&mut self.longest),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn lines(waits: &mut LimitWaits, now: Instant) -> Vec<(&'static str, u64, u64)> {
        let lines = waits.due(now);
        lines
            .map(|line| (line.limit, line.probes, line.longest.as_secs()))
            .collect()
    }

    #[test]
    fn each_limit_is_logged_once_a_minute_with_the_longest_wait() {
        let (mut waits, start) = (LimitWaits::new(), Instant::now());
        let pace = |seconds| Wait {
            pace: seconds * SECOND,
            ..Wait::default()
        };
        waits.count(pace(6));
        assert_eq!(lines(&mut waits, start), [("limits.maxDnsQps", 1, 6)]);
        for seconds in [7, 9, 8] {
            waits.count(pace(seconds));
        }
        waits.count(Wait {
            permit: 20 * SECOND,
            ..Wait::default()
        });
        assert_eq!(
            lines(&mut waits, start + SECOND),
            [("limits.maxConcurrent", 1, 20)]
        );
        assert_eq!(lines(&mut waits, start + 59 * SECOND), []);
        assert_eq!(
            lines(&mut waits, start + 60 * SECOND),
            [("limits.maxDnsQps", 3, 9)]
        );
        assert_eq!(lines(&mut waits, start + 180 * SECOND), []);
    }

    #[test]
    fn short_waits_are_not_logged() {
        let mut waits = LimitWaits::new();
        waits.count(Wait {
            permit: 5 * SECOND,
            pace: 5 * SECOND,
        });
        assert_eq!(lines(&mut waits, Instant::now()), []);
    }
}
