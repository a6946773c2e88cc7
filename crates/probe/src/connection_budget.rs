//! Connection budget: what all probes together may have open at a time, in connections and in bytes
//! (docs/adr/0016).
//!
//! Every probe has a connection of its own, so no other probe can keep it from dialling. The other
//! addresses of its answer are dialled over connections that all probes share. While those are all in use,
//! the addresses take turns on the probe's own.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Connections that all probes share, besides the one that each of them has.
const SHARED_CONNECTIONS: usize = 128;

/// What a peer may send in one piece, a handshake or an answer of DNS, without a permit. Few chains and
/// answers are larger.
pub(super) const ORDINARY_BYTES: usize = 16 * 1024;

/// Connections whose peers may send more than [`ORDINARY_BYTES`] at the same time.
const LARGE_READS: usize = 32;

/// The budget of all probes.
#[derive(Clone, Debug)]
pub(super) struct ConnectionBudget {
    shared: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// The connections that one probe may have.
#[derive(Debug)]
pub(super) struct ProbeConnections<'a> {
    own: Semaphore,
    shared: &'a Semaphore,
}

/// Allows one peer to send more than [`ORDINARY_BYTES`] until it is dropped.
#[derive(Debug)]
pub(super) struct LargeRead {
    _permit: OwnedSemaphorePermit,
}

impl ConnectionBudget {
    pub(super) fn new() -> Self {
        Self {
            shared: Arc::new(Semaphore::new(SHARED_CONNECTIONS)),
            large: Arc::new(Semaphore::new(LARGE_READS)),
        }
    }

    /// What a probe that starts may have.
    pub(super) fn probe(&self) -> ProbeConnections<'_> {
        ProbeConnections {
            own: Semaphore::new(1),
            shared: &self.shared,
        }
    }

    /// The permission to read more than [`ORDINARY_BYTES`] from a peer, if there is one now.
    pub(super) fn try_large_read(&self) -> Option<LargeRead> {
        let permit = Arc::clone(&self.large).try_acquire_owned().ok()?;
        Some(LargeRead { _permit: permit })
    }

    /// Waits for the same, in the order of asking.
    pub(super) async fn large_read(&self) -> Option<LargeRead> {
        // The semaphore is never closed.
        let permit = Arc::clone(&self.large).acquire_owned().await.ok()?;
        Some(LargeRead { _permit: permit })
    }
}

#[cfg(test)]
impl ConnectionBudget {
    /// All that is shared, as if other probes held it.
    pub(super) fn take_shared(&self) -> OwnedSemaphorePermit {
        let all = u32::try_from(SHARED_CONNECTIONS).expect("a few");
        let shared = Arc::clone(&self.shared).try_acquire_many_owned(all);
        shared.expect("the only reference")
    }
}

impl ProbeConnections<'_> {
    /// Waits until another address may be dialled, in the order of asking. Dropping the permit lets the
    /// next one be dialled.
    pub(super) async fn free(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphores are never closed.
        tokio::select! {
            biased;
            own = self.own.acquire() => own.ok(),
            shared = self.shared.acquire() => shared.ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn free<'a>(probe: &'a ProbeConnections<'_>) -> Option<SemaphorePermit<'a>> {
        probe.free().now_or_never().flatten()
    }

    #[test]
    fn a_probe_may_dial_whatever_the_other_probes_hold() {
        let budget = ConnectionBudget::new();
        let (hanging, healthy) = (budget.probe(), budget.probe());
        let held: Vec<_> = std::iter::from_fn(|| free(&hanging)).collect();
        assert_eq!(held.len(), 1 + SHARED_CONNECTIONS);
        let first = free(&healthy);
        assert!(first.is_some());
        assert!(free(&healthy).is_none(), "its second address waits");
        drop(first);
        assert!(free(&healthy).is_some(), "and takes its turn");
    }

    #[test]
    fn so_many_peers_and_no_more_may_send_much_at_once() {
        let budget = ConnectionBudget::new();
        let held: Vec<_> = std::iter::from_fn(|| budget.try_large_read()).collect();
        assert_eq!(held.len(), LARGE_READS);
        drop(held);
        assert!(budget.try_large_read().is_some());
    }
}
