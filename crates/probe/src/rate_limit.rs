//! Rate limit: the cap on DNS messages a second. A probe waits before it starts, never while it runs.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The longest sleep before the bucket is looked at again: its rate may be raised meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A token bucket that holds one second's worth. A probe that has started may overdraw it.
#[derive(Debug)]
pub(super) struct RateLimit {
    bucket: Mutex<Bucket>,
    /// Held by the probe that starts next: probes that wait start one by one, in the order they came.
    next_probe: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Bucket {
    per_second: f64,
    tokens: f64,
    /// Messages that started probes have taken tokens for and not sent yet.
    reserved: u64,
    since: Instant,
}

impl RateLimit {
    /// At most `per_second` messages a second, on average.
    pub(super) fn new(per_second: u32) -> Self {
        let per_second = rate(per_second);
        Self {
            bucket: Mutex::new(Bucket {
                per_second,
                tokens: per_second,
                reserved: 0,
                since: Instant::now(),
            }),
            next_probe: tokio::sync::Mutex::default(),
        }
    }

    /// From now on at most `per_second` messages a second; what is overdrawn stays so.
    pub(super) fn set_rate(&self, per_second: u32) {
        self.refilled(|bucket| {
            bucket.per_second = rate(per_second);
            bucket.tokens = bucket.tokens.min(bucket.per_second);
        });
    }

    /// Waits until a probe may start, and reserves its first message.
    pub(super) async fn ready(&self) {
        let _next = self.next_probe.lock().await;
        while let Some(wait) = self.refilled(Bucket::reserve) {
            sleep(wait).await;
        }
    }

    /// Counts one message sent.
    pub(super) fn count(&self) {
        self.refilled(|bucket| match bucket.reserved.checked_sub(1) {
            Some(left) => bucket.reserved = left,
            None => bucket.tokens -= 1.0,
        });
    }

    fn refilled<T>(&self, act: impl FnOnce(&mut Bucket) -> T) -> T {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let refill = (now - bucket.since).as_secs_f64() * bucket.per_second;
        bucket.tokens = (bucket.tokens + refill).min(bucket.per_second);
        bucket.since = now;
        act(&mut bucket)
    }
}

impl Bucket {
    /// Reserves one message; where no token is left, the time until it is worth trying again. Without
    /// the reservation all probes that wait for the same refill would start at once.
    fn reserve(&mut self) -> Option<Duration> {
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            self.reserved += 1;
            return None;
        }
        let wait = Duration::from_secs_f64((1.0 - self.tokens) / self.per_second);
        Some(wait.clamp(Duration::from_millis(1), LOOK_AGAIN))
    }
}

fn rate(per_second: u32) -> f64 {
    f64::from(per_second.max(1))
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    fn overdrawn(per_second: u32, messages: u32) -> RateLimit {
        let rate_limit = RateLimit::new(per_second);
        for _ in 0..messages {
            rate_limit.count();
        }
        rate_limit
    }

    async fn seconds_until_ready(rate_limit: &RateLimit) -> f64 {
        let start = Instant::now();
        rate_limit.ready().await;
        start.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn an_overdrawn_bucket_makes_the_next_probe_wait_for_its_refill() {
        let waited = seconds_until_ready(&overdrawn(10, 30)).await;
        assert!((2.0..2.3).contains(&waited), "{waited}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_bucket_does_not_wait() {
        let start = Instant::now();
        RateLimit::new(10).ready().await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_for_the_same_refill_start_one_after_the_other() {
        let rate_limit = overdrawn(10, 10);
        let start = Instant::now();
        let waits = (0..8).map(|_| async {
            rate_limit.ready().await;
            Instant::now()
        });
        let ready = join_all(waits).await;
        for (earlier, later) in ready.iter().zip(&ready[1..]) {
            assert!(*later - *earlier >= Duration::from_millis(99), "{ready:?}");
        }
        assert!(ready[7] - start < Duration::from_secs(1), "{ready:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_message_of_a_probe_was_paid_for_when_it_started() {
        let rate_limit = RateLimit::new(10);
        for _ in 0..10 {
            rate_limit.ready().await;
            rate_limit.count();
        }
        let waited = seconds_until_ready(&rate_limit).await;
        assert!((0.09..0.12).contains(&waited), "{waited}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_raised_rate_helps_those_who_wait_already() {
        let rate_limit = overdrawn(1, 100);
        let raise = async {
            sleep(Duration::from_millis(1)).await;
            rate_limit.set_rate(100);
        };
        let (waited, ()) = tokio::join!(seconds_until_ready(&rate_limit), raise);
        assert!((1.0..3.0).contains(&waited), "{waited}");
    }
}
