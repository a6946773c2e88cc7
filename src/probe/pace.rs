//! Pace: the cap on DNS messages a second. A probe waits before it starts, never while it runs.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// A token bucket that holds one second's worth, and may be overdrawn by probes that had started.
#[derive(Debug)]
pub struct Pace {
    per_second: f64,
    state: Mutex<(f64, Instant)>,
}

impl Pace {
    /// At most `per_second` messages a second, on average.
    pub fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second.max(1));
        Self {
            per_second,
            state: Mutex::new((per_second, Instant::now())),
        }
    }

    /// Waits until a probe may start.
    pub async fn ready(&self) {
        while let Some(wait) = self.wait() {
            sleep(wait).await;
        }
    }

    /// Counts one message sent.
    pub fn spend(&self) {
        self.refilled(|tokens| *tokens -= 1.0);
    }

    /// Time until the bucket is above zero; `None` when it is, and then one message is reserved so
    /// that those who wait together do not all start at once.
    fn wait(&self) -> Option<Duration> {
        self.refilled(|tokens| {
            (*tokens < 1.0)
                .then(|| Duration::from_secs_f64((1.0 - *tokens) / self.per_second))
                .map(|wait| wait.max(Duration::from_millis(1)))
        })
    }

    fn refilled<T>(&self, act: impl FnOnce(&mut f64) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (tokens, since) = &mut *state;
        let refill = (now - *since).as_secs_f64() * self.per_second;
        *tokens = (*tokens + refill).min(self.per_second);
        *since = now;
        act(tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_overdrawn_bucket_makes_the_next_probe_wait_for_its_refill() {
        let pace = Pace::new(10);
        let start = Instant::now();
        for _ in 0..30 {
            pace.spend();
        }
        pace.ready().await;
        let waited = start.elapsed().as_secs_f64();
        assert!((2.0..2.3).contains(&waited), "{waited}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_bucket_does_not_wait() {
        let start = Instant::now();
        Pace::new(10).ready().await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
