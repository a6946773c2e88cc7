//! Reply limit: how many long replies are under way at a time. Each holds memory, so the others wait in
//! the order of their arrival, and are refused after a while. As many wait as there are connections.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// The long replies that are under way. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct ReplyLimit {
    all: Arc<Semaphore>,
    wait: Duration,
    /// The peers that have some, or wait.
    peers: Arc<Mutex<Vec<Peer>>>,
}

#[derive(Debug)]
struct Peer {
    ip: IpAddr,
    replies: Weak<Semaphore>,
}

/// The right to one reply, until it is dropped.
#[derive(Debug)]
pub(super) struct ReplyPermit {
    _permits: [OwnedSemaphorePermit; 2],
}

impl ReplyLimit {
    /// Long replies at a time.
    pub(super) const MAX: usize = 4;

    /// Of them, those to one peer: the others stay free, whatever that peer does.
    pub(super) const MAX_PER_PEER: usize = 2;

    /// A limit at which a request waits for so long.
    pub(super) fn new(wait: Duration) -> Self {
        Self {
            all: Arc::new(Semaphore::new(Self::MAX)),
            wait,
            peers: Arc::default(),
        }
    }

    /// Waits until a reply to `peer` may begin; `None` where it may not in time.
    pub(super) async fn admit(&self, peer: IpAddr) -> Option<ReplyPermit> {
        let (of_peer, of_all) = (self.of_peer(peer.to_canonical()), Arc::clone(&self.all));
        // The peer's own first: who waits for it takes nothing from others.
        let admitted = async {
            let of_peer = of_peer.acquire_owned().await.ok()?;
            let of_all = of_all.acquire_owned().await.ok()?;
            Some(ReplyPermit {
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
        peers.retain(|peer| peer.replies.strong_count() > 0);
        let known = peers.iter().find(|peer| peer.ip == ip);
        if let Some(replies) = known.and_then(|peer| peer.replies.upgrade()) {
            return replies;
        }
        let replies = Arc::new(Semaphore::new(Self::MAX_PER_PEER));
        peers.push(Peer {
            ip,
            replies: Arc::downgrade(&replies),
        });
        replies
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const WAIT: Duration = Duration::from_secs(5);

    fn peer(number: u8) -> IpAddr {
        [10, 0, 0, number].into()
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_keeps_its_replies_leaves_room_for_others() {
        let limit = ReplyLimit::new(WAIT);
        let held = [limit.admit(peer(1)).await, limit.admit(peer(1)).await];
        assert!(held.iter().all(Option::is_some));
        let (refused, admitted) = tokio::join!(limit.admit(peer(1)), limit.admit(peer(2)));
        assert!(refused.is_none() && admitted.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_admitted_when_a_reply_ends_and_refused_if_none_does() {
        let limit = ReplyLimit::new(WAIT);
        let mut held = Vec::new();
        for number in 0..ReplyLimit::MAX {
            held.push(limit.admit(peer(u8::try_from(number).expect("few"))).await);
        }
        let started = Instant::now();
        assert!(limit.admit(peer(9)).await.is_none());
        assert_eq!(started.elapsed(), WAIT);
        let (admitted, ()) = tokio::join!(limit.admit(peer(9)), async { held.truncate(3) });
        assert!(admitted.is_some());
    }

    #[tokio::test]
    async fn peers_without_replies_are_forgotten() {
        let limit = ReplyLimit::new(WAIT);
        for number in 0..100 {
            assert!(limit.admit(peer(number)).await.is_some());
        }
        let peers = limit.peers.lock().expect("no panic");
        assert!(peers.len() <= 1, "{}", peers.len());
    }
}
