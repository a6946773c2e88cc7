//! Connect facts: how connecting ended, and what answers beside the address.

use std::net::SocketAddr;

use ipnet::IpNet;

use crate::observation::TcpOutcome;

/// How connecting ended, and what answers beside the address.
#[derive(Clone, Debug, PartialEq)]
pub enum ConnectFact {
    /// Some addresses connect.
    SomeConnect {
        /// How many.
        connected: usize,
        /// Of how many that were dialled.
        dialled: usize,
    },
    /// The addresses that do not connect.
    ConnectFailed {
        /// The first ones, and how each attempt ended.
        first: Vec<(SocketAddr, TcpOutcome)>,
        /// How many there are besides.
        more: usize,
    },
    /// The pod has no route to any address.
    NoRouteAtAll,
    /// Another port of the service opens at the same address.
    OtherPortOpens {
        /// The port.
        port: u16,
    },
    /// What other endpoints of the same subnet do.
    Neighbours {
        /// The subnet.
        net: IpNet,
        /// How many answer.
        answering: usize,
        /// Of how many.
        known: usize,
    },
}
