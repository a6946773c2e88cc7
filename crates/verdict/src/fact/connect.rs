//! Connect facts: how connecting ended, and what answers beside the address.

use std::net::SocketAddr;

use ipnet::IpNet;

use crate::observation::{IcmpError, TcpOutcome};

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
    /// An ICMP message came back instead of an answer.
    IcmpCame {
        /// The message.
        icmp: IcmpError,
        /// What it says.
        says: IcmpSays,
    },
    /// A route of the node's own is of type `prohibit`.
    RouteProhibits,
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

/// What an ICMP message says to a connection attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpSays {
    /// A firewall or router does not let it pass.
    Prohibited,
    /// A firewall, or a Kubernetes Service without endpoints, rejects it in the name of the port. The host
    /// itself would reset the connection (RFC 9293 section 3.5.2).
    PortRejected,
    /// The packet was forwarded too often.
    TooManyHops,
    /// A router does not know the way, or the host does not answer on its own network.
    NoWay,
}
