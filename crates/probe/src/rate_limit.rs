//! Rate limit: the cap on DNS messages a second. A probe waits before it starts, never while it runs.
//!
//! A name whose servers do not answer costs several times as many messages as another. So that such
//! names cannot make the others late, the messages of slow probes have a part of the rate of their own, and
//! what the others leave.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::connection_budget::{ConnectionBudget, LargeRead};

/// A probe in flight for longer than this is slow.
pub const SLOW: Duration = Duration::from_secs(1);

/// The part of the rate that is for slow probes alone.
const SLOW_SHARE: f64 = 0.25;

/// The longest sleep before a bucket is looked at again: its rate may be raised meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Two token buckets that hold one second's worth together. A probe that has started may overdraw its own.
#[derive(Debug)]
pub(super) struct RateLimit {
    buckets: Mutex<Buckets>,
    /// Held by the probe that starts next: probes that wait start one by one, in the order they came.
    next_fast: tokio::sync::Mutex<()>,
    next_slow: tokio::sync::Mutex<()>,
}

/// What one probe may spend on DNS.
#[derive(Clone, Copy, Debug)]
pub(super) struct DnsBudget<'a> {
    /// The rate that all probes share.
    pub rate_limit: &'a RateLimit,
    /// The bytes that all probes share.
    pub connections: &'a ConnectionBudget,
    /// Whether the probe before this one was slow.
    pub is_slow: bool,
    /// When the probe started.
    pub started: Instant,
}

#[derive(Debug)]
struct Buckets {
    fast: Bucket,
    slow: Bucket,
    since: Instant,
}

#[derive(Debug)]
struct Bucket {
    per_second: f64,
    tokens: f64,
    /// Messages that started probes have taken tokens for and not sent yet.
    reserved: u64,
}

impl RateLimit {
    /// At most `per_second` messages a second, on average.
    pub(super) fn new(per_second: u32) -> Self {
        let (fast, slow) = rates(per_second);
        Self {
            buckets: Mutex::new(Buckets {
                fast: Bucket::new(fast),
                slow: Bucket::new(slow),
                since: Instant::now(),
            }),
            next_fast: tokio::sync::Mutex::default(),
            next_slow: tokio::sync::Mutex::default(),
        }
    }

    /// From now on at most `per_second` messages a second; what is overdrawn stays so.
    pub(super) fn set_rate(&self, per_second: u32) {
        self.refilled(|buckets| {
            (buckets.fast.per_second, buckets.slow.per_second) = rates(per_second);
            buckets.spill();
        });
    }

    /// Waits until a probe may start, and reserves its first message.
    pub(super) async fn ready(&self, is_slow: bool) {
        let next = if is_slow {
            &self.next_slow
        } else {
            &self.next_fast
        };
        let _next = next.lock().await;
        while let Some(wait) = self.refilled(|buckets| buckets.reserve(is_slow)) {
            sleep(wait).await;
        }
    }

    /// Counts one message sent.
    pub(super) fn count(&self, is_slow: bool) {
        self.refilled(|buckets| buckets.of(is_slow).count());
    }

    /// Gives back the message that was reserved for a probe, which sends none.
    pub(super) fn give_back(&self, is_slow: bool) {
        self.refilled(|buckets| buckets.of(is_slow).give_back());
    }

    fn refilled<T>(&self, act: impl FnOnce(&mut Buckets) -> T) -> T {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.refill(Instant::now());
        act(&mut buckets)
    }
}

impl DnsBudget<'_> {
    /// Counts one message sent.
    pub(super) fn count(self) {
        let is_slow = self.is_slow || self.started.elapsed() > SLOW;
        self.rate_limit.count(is_slow);
    }

    /// Waits for the permission to read an answer that is large.
    pub(super) async fn large_read(self) -> Option<LargeRead> {
        self.connections.large_read().await
    }
}

impl Buckets {
    fn of(&mut self, is_slow: bool) -> &mut Bucket {
        if is_slow {
            &mut self.slow
        } else {
            &mut self.fast
        }
    }

    /// Reserves one message; where no token is left, the time until it is worth trying again. Without
    /// the reservation all probes that wait for the same refill would start at once.
    fn reserve(&mut self, is_slow: bool) -> Option<Duration> {
        let all_per_second = self.fast.per_second + self.slow.per_second;
        let bucket = self.of(is_slow);
        // A bucket of a low rate never holds a whole token.
        let missing = bucket.per_second.min(1.0) - bucket.tokens;
        if missing <= 0.0 {
            bucket.tokens -= 1.0;
            bucket.reserved += 1;
            return None;
        }
        let wait = Duration::from_secs_f64(missing / all_per_second);
        Some(wait.clamp(Duration::from_millis(1), LOOK_AGAIN))
    }

    fn refill(&mut self, now: Instant) {
        let seconds = (now - self.since).as_secs_f64();
        for bucket in [&mut self.fast, &mut self.slow] {
            bucket.tokens += seconds * bucket.per_second;
        }
        self.since = now;
        self.spill();
    }

    /// What one bucket cannot hold goes to the other.
    fn spill(&mut self) {
        self.slow.tokens += self.fast.surplus();
        self.fast.tokens += self.slow.surplus();
        self.fast.surplus();
    }
}

impl Bucket {
    fn new(per_second: f64) -> Self {
        Self {
            per_second,
            tokens: per_second,
            reserved: 0,
        }
    }

    /// Takes out what it cannot hold.
    fn surplus(&mut self) -> f64 {
        let surplus = (self.tokens - self.per_second).max(0.0);
        self.tokens -= surplus;
        surplus
    }

    fn give_back(&mut self) {
        if let Some(left) = self.reserved.checked_sub(1) {
            self.reserved = left;
            self.tokens += 1.0;
        }
    }

    fn count(&mut self) {
        match self.reserved.checked_sub(1) {
            Some(left) => self.reserved = left,
            None => self.tokens -= 1.0,
        }
    }
}

/// The rates of the buckets for fast and for slow probes.
fn rates(per_second: u32) -> (f64, f64) {
    let all = f64::from(per_second.max(1));
    (all * (1.0 - SLOW_SHARE), all * SLOW_SHARE)
}

#[cfg(test)]
impl DnsBudget<'static> {
    /// Enough for any test.
    pub(super) fn plenty() -> Self {
        Self {
            rate_limit: Box::leak(Box::new(RateLimit::new(1000))),
            connections: Box::leak(Box::new(ConnectionBudget::new())),
            is_slow: false,
            started: Instant::now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    fn overdrawn(per_second: u32, messages: u32) -> RateLimit {
        let rate_limit = RateLimit::new(per_second);
        for _ in 0..messages {
            rate_limit.count(false);
        }
        rate_limit
    }

    async fn seconds_until_ready(rate_limit: &RateLimit) -> f64 {
        let start = Instant::now();
        rate_limit.ready(false).await;
        start.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn an_overdrawn_bucket_makes_the_next_probe_wait_for_its_refill() {
        // It has 7.5 a second, and all ten from when the other bucket is full, which it is.
        let waited = seconds_until_ready(&overdrawn(10, 30)).await;
        assert!((2.3..2.6).contains(&waited), "{waited}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_bucket_does_not_wait() {
        let start = Instant::now();
        RateLimit::new(10).ready(false).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_for_the_same_refill_start_one_after_the_other() {
        let rate_limit = overdrawn(10, 7);
        let start = Instant::now();
        let waits = (0..8).map(|_| async {
            rate_limit.ready(false).await;
            Instant::now()
        });
        let ready = join_all(waits).await;
        for (earlier, later) in ready[1..].iter().zip(&ready[2..]) {
            assert!(*later - *earlier >= Duration::from_millis(99), "{ready:?}");
        }
        assert!(ready[7] - start < Duration::from_secs(1), "{ready:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_message_of_a_probe_was_paid_for_when_it_started() {
        let rate_limit = RateLimit::new(10);
        for _ in 0..7 {
            rate_limit.ready(false).await;
            rate_limit.count(false);
        }
        let waited = seconds_until_ready(&rate_limit).await;
        assert!((0.04..0.1).contains(&waited), "{waited}");
    }

    #[tokio::test(start_paused = true)]
    async fn probes_that_send_nothing_leave_no_messages_for_later() {
        let rate_limit = RateLimit::new(10);
        for _ in 0..100 {
            rate_limit.ready(false).await;
            rate_limit.give_back(false);
        }
        // These are not reserved, and take more than there is.
        for _ in 0..30 {
            rate_limit.count(false);
        }
        let waited = seconds_until_ready(&rate_limit).await;
        assert!((2.3..2.6).contains(&waited), "{waited}");
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

    /// Probes that start within a minute, where each sends this many messages.
    async fn started_in_a_minute(rate_limit: &RateLimit, is_slow: bool, messages: u32) -> u32 {
        let end = Instant::now() + Duration::from_mins(1);
        let mut started = 0;
        loop {
            rate_limit.ready(is_slow).await;
            if Instant::now() >= end {
                return started;
            }
            started += 1;
            for _ in 0..messages {
                rate_limit.count(is_slow);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_probes_leave_the_others_their_part_of_the_rate() {
        let rate_limit = RateLimit::new(50);
        let (slow, fast) = tokio::join!(
            started_in_a_minute(&rate_limit, true, 8),
            started_in_a_minute(&rate_limit, false, 2),
        );
        assert!((1100..=1150).contains(&fast), "{fast} of 37 a second");
        assert!((90..=100).contains(&slow), "{slow} of 12 a second");
    }

    #[tokio::test(start_paused = true)]
    async fn slow_probes_have_what_the_others_leave() {
        let slow = started_in_a_minute(&RateLimit::new(50), true, 8).await;
        assert!((370..=385).contains(&slow), "{slow} of 50 a second");
    }

    #[tokio::test(start_paused = true)]
    async fn the_lowest_rate_lets_every_probe_start() {
        for is_slow in [false, true] {
            let started = started_in_a_minute(&RateLimit::new(1), is_slow, 2).await;
            assert!((25..=35).contains(&started), "{started}");
        }
    }
}
