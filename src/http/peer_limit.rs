//! Peer limit: how much of something costly is under way at a time, in all and for one peer: long replies,
//! which hold memory, and checks of passwords, which take time. The others wait in the order of their
//! arrival, and are refused after a while. As many wait as there are connections.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// What is under way. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct PeerLimit {
    all: Arc<Semaphore>,
    max_per_peer: usize,
    wait: Duration,
    /// The peers that have some, or wait.
    peers: Arc<Mutex<Vec<Peer>>>,
}

#[derive(Debug)]
struct Peer {
    ip: IpAddr,
    permits: Weak<Semaphore>,
}

/// The right to one, until it is dropped.
#[derive(Debug)]
pub(super) struct PeerPermit {
    _permits: [OwnedSemaphorePermit; 2],
}

impl PeerLimit {
    /// At most `max` at a time, of them `max_per_peer` for one peer: the others stay free, whatever that
    /// peer does. A request waits for so long.
    pub(super) fn new(max: usize, max_per_peer: usize, wait: Duration) -> Self {
        Self {
            all: Arc::new(Semaphore::new(max)),
            max_per_peer,
            wait,
            peers: Arc::default(),
        }
    }

    /// Waits until it is the turn of a request of `peer`; `None` where it is not in time.
    pub(super) async fn admit(&self, peer: IpAddr) -> Option<PeerPermit> {
        let (of_peer, of_all) = (self.of_peer(peer.to_canonical()), Arc::clone(&self.all));
        // The peer's own first: who waits for it takes nothing from others.
        let admitted = async {
            let of_peer = of_peer.acquire_owned().await.ok()?;
            let of_all = of_all.acquire_owned().await.ok()?;
            Some(PeerPermit {
                _permits: [of_peer, of_all],
            })
        };
        timeout(self.wait, admitted).await.ok()?
    }

    /// How long a request waits.
    pub(super) const fn wait(&self) -> Duration {
        self.wait
    }

    fn of_peer(&self, ip: IpAddr) -> Arc<Semaphore> {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.retain(|peer| peer.permits.strong_count() > 0);
        let known = peers.iter().find(|peer| peer.ip == ip);
        if let Some(permits) = known.and_then(|peer| peer.permits.upgrade()) {
            return permits;
        }
        let permits = Arc::new(Semaphore::new(self.max_per_peer));
        peers.push(Peer {
            ip,
            permits: Arc::downgrade(&permits),
        });
        permits
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const WAIT: Duration = Duration::from_secs(5);

    fn limit() -> PeerLimit {
        PeerLimit::new(4, 2, WAIT)
    }

    fn peer(number: u8) -> IpAddr {
        [10, 0, 0, number].into()
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_keeps_its_permits_leaves_room_for_others() {
        let limit = limit();
        let held = [limit.admit(peer(1)).await, limit.admit(peer(1)).await];
        assert!(held.iter().all(Option::is_some));
        let (refused, admitted) = tokio::join!(limit.admit(peer(1)), limit.admit(peer(2)));
        assert!(refused.is_none() && admitted.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_admitted_when_a_permit_ends_and_refused_if_none_does() {
        let limit = limit();
        let mut held = Vec::new();
        for number in 0..4u8 {
            held.push(limit.admit(peer(number)).await);
        }
        let started = Instant::now();
        assert!(limit.admit(peer(9)).await.is_none());
        assert_eq!(started.elapsed(), WAIT);
        let (admitted, ()) = tokio::join!(limit.admit(peer(9)), async { held.truncate(3) });
        assert!(admitted.is_some());
    }

    #[tokio::test]
    async fn peers_without_permits_are_forgotten() {
        let limit = limit();
        for number in 0..100 {
            assert!(limit.admit(peer(number)).await.is_some());
        }
        let peers = limit.peers.lock().expect("no panic");
        assert!(peers.len() <= 1, "{}", peers.len());
    }
}
