//! Resolver facts: what other resolvers, single servers and caches say.

use std::net::{IpAddr, SocketAddr};

use super::AddressList;
use crate::observation::QueryOutcome;

/// What other resolvers, single servers and caches say.
#[derive(Clone, Debug, PartialEq)]
pub enum ResolverFact {
    /// What the servers of the resolver say, each asked alone.
    ServersAskedAlone {
        /// What each of them said.
        servers: ServerList,
        /// Where the difference comes from.
        source: DifferenceSource,
    },
    /// The servers of the resolver differ, before any answer changed.
    ServersDiffer {
        /// The resolver.
        resolver: String,
        /// What each of them said.
        servers: ServerList,
    },
    /// A cache gives the answer: its TTL falls.
    Cached {
        /// The longest that the cache may keep it, in seconds.
        seconds: u64,
    },
    /// The TTL does not fall from probe to probe.
    TtlStays,
    /// The answer came through LocalDNS.
    ThroughLocalDns {
        /// Where LocalDNS listens.
        server: IpAddr,
        /// Whether its TTL is that of an expired answer.
        expired: bool,
    },
    /// Another resolver gives other addresses.
    ResolversDiffer {
        /// The path's resolver and its addresses.
        path: (String, AddressList),
        /// The other resolver and its addresses.
        other: (String, AddressList),
    },
    /// What a difference between the resolvers of a node means to its workloads.
    Consequence(Consequence),
    /// The other resolver may still have the answer of before the repair in a cache.
    MayBeCached {
        /// The other resolver.
        resolver: String,
        /// For how long still, in seconds.
        seconds: u64,
    },
    /// Another resolver did not answer, or could not be asked at all.
    ResolverSilent {
        /// The other resolver.
        resolver: String,
        /// How its queries ended, where it was asked.
        outcome: Option<QueryOutcome>,
    },
    /// Which path the verdict is about, and what another resolver gives.
    OtherPath {
        /// The path's resolver.
        path: String,
        /// The other resolver and its addresses.
        other: (String, AddressList),
    },
}

/// What a difference between the resolvers `pod` and `node` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// Private for pods, public for the node.
    NodeGoesPublic,
    /// Private for pods, nothing for the node.
    NodeFails,
    /// Private for the node, public for pods.
    PodsGoPublic,
    /// Private for the node, nothing for pods.
    PodsFail,
}

/// What the servers of a resolver said, each asked alone: the first [`super::LISTED`] of them.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerList {
    /// The first ones.
    pub first: Vec<ServerSaid>,
    /// How many there are besides.
    pub more: usize,
}

/// What one server said.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerSaid {
    /// The server.
    pub server: SocketAddr,
    /// Its different answers: the outcome of all families together, and the addresses.
    pub answers: Vec<(Option<QueryOutcome>, AddressList)>,
    /// How often it was asked.
    pub times: u32,
}

/// Where a difference between answers comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DifferenceSource {
    /// There is one server, and it said one thing when asked.
    BehindTheOnlyServer,
    /// There is one server, and it said different things.
    TheOnlyServer,
    /// The servers differ from one another.
    TheServers,
    /// The servers agree when each is asked alone.
    BehindTheServers,
    /// One server said different things.
    Behind(SocketAddr),
    /// Several servers each said different things.
    BehindSeveral,
}
