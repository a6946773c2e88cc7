//! Permits: the limit of probes in flight, across reloads.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The limit of probes in flight.
#[derive(Debug)]
pub(super) struct Permits {
    semaphore: Arc<Semaphore>,
    total: usize,
}

impl Permits {
    pub(super) fn new(total: usize) -> Self {
        Self {
            semaphore: Arc::new(Semaphore::new(total)),
            total,
        }
    }

    /// Waits for a permit, in the order of asking.
    pub(super) fn acquire(&self) -> impl Future<Output = Option<OwnedSemaphorePermit>> + use<> {
        let semaphore = Arc::clone(&self.semaphore);
        // It is never closed; without a permit the probe would merely start at once.
        async { semaphore.acquire_owned().await.ok() }
    }

    /// From now on `total` probes; those in flight go on, and more start once few enough are left.
    pub(super) fn set_total(&mut self, total: usize) {
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

    use tokio::time::{sleep, timeout};

    use super::*;

    /// How many permits there are to have.
    async fn available(permits: &Permits) -> usize {
        let mut held = Vec::new();
        while let Ok(permit) = timeout(Duration::from_secs(1), permits.acquire()).await {
            held.push(permit.expect("a permit"));
        }
        held.len()
    }

    #[tokio::test(start_paused = true)]
    async fn a_total_that_is_raised_and_lowered_again_is_kept_to() {
        let mut permits = Permits::new(2);
        assert_eq!(available(&permits).await, 2);
        permits.set_total(5);
        assert_eq!(available(&permits).await, 5);
        permits.set_total(5);
        assert_eq!(available(&permits).await, 5);
        permits.set_total(1);
        assert_eq!(available(&permits).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn permits_in_use_are_given_up_when_they_come_back() {
        let mut permits = Permits::new(3);
        let held = [permits.acquire().await, permits.acquire().await];
        permits.set_total(1);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(available(&permits).await, 0, "two are still in use");
        drop(held);
        assert_eq!(available(&permits).await, 1);
    }
}
