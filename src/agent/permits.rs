//! Permits: the limit of probes in flight, across reloads, in two lanes.
//!
//! A probe that hangs holds its permit for the whole timeout. So that many of them cannot make the
//! others late, targets whose latest probe was slow have a lane of their own: three quarters of the
//! limit. The last quarter is for the others, which may use the slow lane too while it has room. A probe
//! that turns out to be slow moves there.

use std::sync::Arc;

use privatelink_probe::SLOW;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// The limit of probes in flight.
#[derive(Clone, Debug)]
pub(super) struct Permits {
    fast: Lane,
    slow: Lane,
}

#[derive(Clone, Debug)]
struct Lane {
    semaphore: Arc<Semaphore>,
    total: usize,
}

/// The permit of one probe; dropping it lets another probe start.
#[derive(Debug)]
pub(super) struct Permit {
    held: Option<OwnedSemaphorePermit>,
    is_fast: bool,
    slow: Arc<Semaphore>,
}

impl Permits {
    pub(super) fn new(total: usize) -> Self {
        let (fast, slow) = lanes(total);
        Self {
            fast: Lane::new(fast),
            slow: Lane::new(slow),
        }
    }

    /// Waits for a permit, in the order of asking.
    pub(super) fn acquire(&self, is_slow: bool) -> impl Future<Output = Permit> + use<> {
        let fast = Arc::clone(&self.fast.semaphore);
        let slow = Arc::clone(&self.slow.semaphore);
        // The semaphores are never closed; without a permit the probe would merely start at once.
        async move {
            let (held, is_fast) = if is_slow {
                (Arc::clone(&slow).acquire_owned().await, false)
            } else {
                tokio::select! {
                    biased;
                    held = fast.acquire_owned() => (held, true),
                    held = Arc::clone(&slow).acquire_owned() => (held, false),
                }
            };
            Permit {
                held: held.ok(),
                is_fast,
                slow,
            }
        }
    }

    /// Changes the limit to `total` probes. Those in flight go on, and others start when there are few
    /// enough.
    pub(super) fn set_total(&mut self, total: usize) {
        let (fast, slow) = lanes(total);
        self.fast.set_total(fast);
        self.slow.set_total(slow);
    }
}

/// How many permits of `total` each lane has: at least one for each, and one for both if there is only
/// one.
const fn lanes(total: usize) -> (usize, usize) {
    match total {
        0 | 1 => (0, 1),
        2..4 => (1, total - 1),
        _ => (total / 4, total - total / 4),
    }
}

impl Permit {
    /// Holds the permit while `probe` runs. Once that is slow, its permit is given back in exchange for
    /// one of the slow lane, if there is one.
    pub(super) async fn hold<T>(mut self, probe: impl Future<Output = T>) -> T {
        let mut probe = std::pin::pin!(probe);
        if let Ok(done) = timeout(SLOW, &mut probe).await {
            return done;
        }
        if self.is_fast
            && let Ok(slow) = self.slow.try_acquire_owned()
        {
            self.held = Some(slow);
        }
        let done = probe.await;
        drop(self.held);
        done
    }
}

impl Lane {
    fn new(total: usize) -> Self {
        Self {
            semaphore: Arc::new(Semaphore::new(total)),
            total,
        }
    }

    fn set_total(&mut self, total: usize) {
        let before = std::mem::replace(&mut self.total, total);
        self.semaphore.add_permits(total.saturating_sub(before));
        let surplus = before.saturating_sub(total);
        let in_use = surplus - self.semaphore.forget_permits(surplus);
        let in_use = u32::try_from(in_use).unwrap_or(u32::MAX);
        if in_use > 0 {
            let semaphore = Arc::clone(&self.semaphore);
            tokio::spawn(async move {
                if let Ok(returned) = semaphore.acquire_many_owned(in_use).await {
                    returned.forget();
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;

    /// Takes every permit that probes of this lane can have.
    async fn take_all(permits: &Permits, is_slow: bool) -> Vec<Permit> {
        let mut held = Vec::new();
        while let Ok(permit) = timeout(Duration::from_secs(1), permits.acquire(is_slow)).await {
            assert!(permit.held.is_some());
            held.push(permit);
        }
        held
    }

    /// How many probes of both lanes may start.
    async fn available(permits: &Permits) -> usize {
        take_all(permits, false).await.len()
    }

    #[tokio::test(start_paused = true)]
    async fn a_total_that_is_raised_and_lowered_again_is_kept_to() {
        let mut permits = Permits::new(2);
        assert_eq!(available(&permits).await, 2);
        for total in [5, 5, 256, 1, 4] {
            permits.set_total(total);
            assert_eq!(available(&permits).await, total);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn permits_in_use_are_given_up_when_they_come_back() {
        let mut permits = Permits::new(8);
        let held = take_all(&permits, false).await;
        permits.set_total(4);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(available(&permits).await, 0, "eight are still in use");
        drop(held);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(available(&permits).await, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_targets_leave_a_quarter_of_the_limit_to_the_others() {
        let permits = Permits::new(256);
        let slow = take_all(&permits, true).await;
        assert_eq!(slow.len(), 192);
        assert_eq!(available(&permits).await, 64);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_turns_out_to_be_slow_moves_to_the_slow_lane() {
        let permits = Permits::new(4);
        let held = permits.acquire(false).await;
        assert!(held.is_fast);
        let probe = tokio::spawn(held.hold(sleep(Duration::from_secs(10))));
        sleep(SLOW + Duration::from_millis(1)).await;
        assert_eq!(permits.fast.semaphore.available_permits(), 1);
        assert_eq!(permits.slow.semaphore.available_permits(), 2);
        probe.await.expect("no panic");
        assert_eq!(permits.slow.semaphore.available_permits(), 3);
    }
}
