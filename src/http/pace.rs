//! Pace: how much of the thread's time goes to HTTP. Probes and HTTP share one thread, and clients may
//! ask without end; a probe that waits for them would find faults that no service has.
//!
//! Everything that serves a client is metered: for each moment that it runs, it owes some.
//! Before it takes up a request, or goes on with a long reply, it waits for its turn. Turns come one at
//! a time, in the order in which they were asked for, and only while little is owed; between two turns
//! everything else that is ready runs.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as TurnMutex;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

/// How much longer than HTTP others can run in the long run, in an agent. With what cannot be metered, which
/// is the runtime's own work, HTTP takes less than a third of the time.
pub(super) const AGENT_REST: u32 = 4;

/// The same in the observer, which measures no time.
#[cfg(feature = "observer")]
pub(super) const OBSERVER_REST: u32 = 1;

/// How much may be owed: a usual scrape never waits.
const CREDIT: Duration = Duration::from_millis(30);

/// The longest that a step is taken to have run. None takes as long, unless the kernel stops the
/// process meanwhile.
const LONGEST: Duration = Duration::from_millis(100);

/// The pace of HTTP. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Pace(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    turn: TurnMutex<()>,
    /// When nothing is owed any more.
    settled: Mutex<Instant>,
    /// What is owed for a moment.
    rest: u32,
}

impl Pace {
    /// One that owes `rest` moments for each that HTTP runs.
    pub(super) fn new(rest: u32) -> Self {
        Self(Arc::new(Shared {
            turn: TurnMutex::new(()),
            settled: Mutex::new(Instant::now()),
            rest,
        }))
    }

    /// Waits for a turn.
    pub(super) async fn turn(&self) {
        let _turn = self.0.turn.lock().await;
        yield_now().await;
        loop {
            let Some(start) = self.settled().checked_sub(CREDIT) else {
                return;
            };
            if start <= Instant::now() {
                return;
            }
            sleep_until(start).await;
        }
    }

    /// Runs `work`, which counts as HTTP.
    pub(super) async fn metered<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        poll_fn(|context| {
            let started = Instant::now();
            let polled = work.as_mut().poll(context);
            self.spend(started.elapsed());
            polled
        })
        .await
    }

    fn spend(&self, time: Duration) {
        let mut settled = self
            .0
            .settled
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        *settled = (*settled).max(now) + self.0.rest * time.min(LONGEST);
    }

    fn settled(&self) -> Instant {
        *self
            .0
            .settled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn who_spent_little_need_not_wait() {
        let pace = Pace::new(AGENT_REST);
        let started = Instant::now();
        for _ in 0..CREDIT.as_millis() / u128::from(AGENT_REST) {
            pace.turn().await;
            pace.spend(MOMENT);
        }
        assert_eq!(started.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn others_get_the_rest_of_the_time_in_the_long_run() {
        let pace = Pace::new(AGENT_REST);
        let started = Instant::now();
        let steps = 1_000;
        for _ in 0..steps {
            pace.turn().await;
            pace.spend(MOMENT);
        }
        // The clock of the test stands still while a step runs.
        let rest = AGENT_REST * steps * MOMENT;
        assert!((started.elapsed() + CREDIT).abs_diff(rest) < 10 * MOMENT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_another_process_held_up_is_not_paid_for_in_full() {
        let pace = Pace::new(AGENT_REST);
        pace.spend(Duration::from_mins(1));
        pace.turn().await;
        let soon = timeout(Duration::from_secs(1), pace.turn()).await;
        soon.expect("soon");
    }

    #[tokio::test(start_paused = true)]
    async fn turns_come_in_the_order_in_which_they_were_asked_for() {
        let pace = Pace::new(AGENT_REST);
        let order = Mutex::new(Vec::new());
        let step = |name| {
            let (pace, order) = (&pace, &order);
            async move {
                for _ in 0..3 {
                    pace.turn().await;
                    pace.spend(CREDIT);
                    order.lock().expect("no panic").push(name);
                }
            }
        };
        tokio::join!(step("a"), step("b"), step("c"));
        assert_eq!(order.lock().expect("no panic").concat(), "abcabcabc");
    }
}
