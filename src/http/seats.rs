//! Seats: the connections there are, and which one has to go when there is no room for another.

use std::cmp::Reverse;
use std::net::IpAddr;

use tokio::task::AbortHandle;

/// Connections at a time.
pub(super) const SEATS: usize = 64;

/// The connections there are, oldest first.
#[derive(Debug, Default)]
pub(super) struct Seats(Vec<Seat>);

#[derive(Debug)]
struct Seat {
    peer: IpAddr,
    connection: AbortHandle,
}

impl Seats {
    /// Seats a new connection. Where there is no room, the oldest one of the peer that has the most
    /// is ended, whose address is returned.
    ///
    /// The newcomer always gets its turn: it may be the kubelet, which shares its address with every
    /// pod on the node's network. Who floods, floods his own connections away; a peer with one loses
    /// it only to as many peers as there are seats.
    pub(super) fn take(&mut self, peer: IpAddr, connection: AbortHandle) -> Option<IpAddr> {
        // A socket that listens on IPv6 sees IPv4 peers as mapped addresses.
        let peer = peer.to_canonical();
        self.0.retain(|seat| !seat.connection.is_finished());
        self.0.push(Seat { peer, connection });
        if self.0.len() <= SEATS {
            return None;
        }
        let held = |peer: IpAddr| self.0.iter().filter(|seat| seat.peer == peer).count();
        let older = 0..self.0.len() - 1;
        let index = older.min_by_key(|index| Reverse(held(self.0[*index].peer)))?;
        let seat = self.0.remove(index);
        seat.connection.abort();
        Some(seat.peer)
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

    fn sit(seats: &mut Seats, number: u8) -> (JoinHandle<()>, Option<IpAddr>) {
        let connection = tokio::spawn(pending::<()>());
        let left = seats.take(peer(number), connection.abort_handle());
        (connection, left)
    }

    #[tokio::test]
    async fn the_oldest_of_the_peer_with_the_most_leaves() {
        let mut seats = Seats::default();
        let mut flood = Vec::new();
        let (single, _) = sit(&mut seats, 1);
        for _ in 0..SEATS - 1 {
            let (connection, left) = sit(&mut seats, 2);
            assert_eq!(left, None);
            flood.push(connection);
        }
        for newcomer in [1, 2, 3] {
            assert_eq!(sit(&mut seats, newcomer).1, Some(peer(2)));
        }
        assert_eq!(seats.0.len(), SEATS);
        for ended in flood.drain(..3) {
            assert!(ended.await.expect_err("ended").is_cancelled());
        }
        assert!(flood.iter().all(|connection| !connection.is_finished()));
        assert!(!single.is_finished());
    }

    #[tokio::test]
    async fn among_equals_the_oldest_leaves_and_never_the_newcomer() {
        let mut seats = Seats::default();
        for number in 1..=64 {
            assert_eq!(sit(&mut seats, number).1, None);
        }
        assert_eq!(sit(&mut seats, 100).1, Some(peer(1)));
        let (newest, left) = sit(&mut seats, 100);
        assert_eq!(left, Some(peer(100)), "the older one of the two");
        tokio::task::yield_now().await;
        assert!(!newest.is_finished());
    }

    #[tokio::test]
    async fn a_connection_that_ended_leaves_room() {
        let mut seats = Seats::default();
        for _ in 0..2 * SEATS {
            let connection = tokio::spawn(async {});
            let handle = connection.abort_handle();
            connection.await.expect("no panic");
            assert_eq!(seats.take(peer(1), handle), None);
        }
    }

    #[tokio::test]
    async fn an_ipv4_peer_is_the_same_by_its_mapped_address() {
        let mut seats = Seats::default();
        let mapped = IpAddr::from(Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped());
        for number in 2..=64 {
            sit(&mut seats, number);
        }
        let connection = tokio::spawn(pending::<()>());
        assert_eq!(seats.take(mapped, connection.abort_handle()), None);
        assert_eq!(sit(&mut seats, 1).1, Some(peer(1)));
    }
}
