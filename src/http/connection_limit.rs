//! Connection limit: how many connections are open at a time, and which one ends to make room for
//! another.

use std::cmp::Reverse;
use std::net::IpAddr;

use tokio::task::AbortHandle;

/// The open connections, oldest first: at most [`ConnectionLimit::MAX`].
#[derive(Debug, Default)]
pub(super) struct ConnectionLimit(Vec<Connection>);

#[derive(Debug)]
struct Connection {
    peer: IpAddr,
    task: AbortHandle,
}

impl ConnectionLimit {
    /// Connections at a time.
    pub(super) const MAX: usize = 64;

    /// Adds a new connection, which `task` serves. Where there are too many, the oldest one of the
    /// peer that has the most is ended, and that peer's address returned.
    ///
    /// A new connection is never refused: it may be the kubelet's, which shares its address with
    /// every pod on the node's network. A peer that opens very many loses its own; a peer with one
    /// loses it only when [`Self::MAX`] other peers have one each.
    pub(super) fn add(&mut self, peer: IpAddr, task: AbortHandle) -> Option<IpAddr> {
        // A socket that listens on IPv6 sees IPv4 peers as mapped addresses.
        let peer = peer.to_canonical();
        self.0.retain(|open| !open.task.is_finished());
        self.0.push(Connection { peer, task });
        if self.0.len() <= Self::MAX {
            return None;
        }
        let open_of = |peer: IpAddr| self.0.iter().filter(|open| open.peer == peer).count();
        let older = 0..self.0.len() - 1;
        let index = older.min_by_key(|index| Reverse(open_of(self.0[*index].peer)))?;
        let ended = self.0.remove(index);
        ended.task.abort();
        Some(ended.peer)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::net::Ipv4Addr;

    use tokio::task::JoinHandle;

    use super::*;

    fn peer(number: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, number).into()
    }

    /// A connection of the peer with that number; the peer whose connection ended for it.
    fn connect(limit: &mut ConnectionLimit, number: u8) -> (JoinHandle<()>, Option<IpAddr>) {
        let connection = tokio::spawn(pending::<()>());
        let ended = limit.add(peer(number), connection.abort_handle());
        (connection, ended)
    }

    #[tokio::test]
    async fn the_oldest_connection_of_the_peer_with_the_most_ends() {
        let mut limit = ConnectionLimit::default();
        let mut flood = Vec::new();
        let (single, _) = connect(&mut limit, 1);
        for _ in 0..ConnectionLimit::MAX - 1 {
            let (connection, ended) = connect(&mut limit, 2);
            assert_eq!(ended, None);
            flood.push(connection);
        }
        for number in [1, 2, 3] {
            assert_eq!(connect(&mut limit, number).1, Some(peer(2)));
        }
        assert_eq!(limit.0.len(), ConnectionLimit::MAX);
        for ended in flood.drain(..3) {
            assert!(ended.await.expect_err("ended").is_cancelled());
        }
        assert!(flood.iter().all(|connection| !connection.is_finished()));
        assert!(!single.is_finished());
    }

    #[tokio::test]
    async fn among_equals_the_oldest_ends_and_never_the_new_one() {
        let mut limit = ConnectionLimit::default();
        for number in 1..=64 {
            assert_eq!(connect(&mut limit, number).1, None);
        }
        assert_eq!(connect(&mut limit, 100).1, Some(peer(1)));
        let (newest, ended) = connect(&mut limit, 100);
        assert_eq!(ended, Some(peer(100)), "the older one of the two");
        tokio::task::yield_now().await;
        assert!(!newest.is_finished());
    }

    #[tokio::test]
    async fn a_connection_that_ended_by_itself_makes_room() {
        let mut limit = ConnectionLimit::default();
        for _ in 0..2 * ConnectionLimit::MAX {
            let connection = tokio::spawn(async {});
            let handle = connection.abort_handle();
            connection.await.expect("no panic");
            assert_eq!(limit.add(peer(1), handle), None);
        }
    }

    #[tokio::test]
    async fn an_ipv4_peer_is_the_same_by_its_mapped_address() {
        let mut limit = ConnectionLimit::default();
        let mapped = IpAddr::from(Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped());
        for number in 2..=64 {
            connect(&mut limit, number);
        }
        let connection = tokio::spawn(pending::<()>());
        assert_eq!(limit.add(mapped, connection.abort_handle()), None);
        assert_eq!(connect(&mut limit, 1).1, Some(peer(1)));
    }
}
