//! Resolver: a way to resolve names, by name, with its own servers or a resolv.conf.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

/// The port of a DNS server that is written without one (RFC 1035, section 4.2).
pub const DNS_PORT: u16 = 53;

/// LocalDNS of AKS, a cache on the node, as pods with the cluster's DNS policy ask it.
pub const LOCAL_DNS_OF_PODS: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 10, 11));

/// The same, as the node itself asks it.
pub const LOCAL_DNS_OF_NODE: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 10, 10));

/// A way to resolve names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolver {
    /// Its name: a metric label.
    pub name: Arc<str>,
    /// Where its servers come from.
    pub servers: Servers,
    /// Whether a difference to the path is a finding.
    pub must_agree: bool,
}

/// Where a resolver's servers come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Servers {
    /// Written in the configuration; port 53 unless given.
    Listed(Vec<SocketAddr>),
    /// A resolv.conf, read anew before every use.
    ResolvConf(PathBuf),
    /// Those that pods ask: LocalDNS on a node that uses it, else these.
    OfPods {
        /// The servers of the cluster.
        cluster: Vec<SocketAddr>,
        /// The node's resolv.conf, read anew before every use.
        node: PathBuf,
    },
}
