//! Fact: one thing that was seen and that a finding rests on, as data. [`crate::prose`] makes the
//! sentences.

mod address;
mod connect;
mod dns;
mod resolver;
mod service;
mod tls;

use std::net::{IpAddr, SocketAddr};

pub use self::address::{AddressFact, AliasZone, Nature};
pub use self::connect::{ConnectFact, IcmpSays};
pub use self::dns::{DanglingAlias, DnsFact, FailedQuery, MissingRecord, Negative, ZoneAnswers};
pub use self::resolver::{Consequence, DifferenceSource, ResolverFact, ServerList, ServerSaid};
pub use self::service::ServiceFact;
pub use self::tls::{Presented, TlsFact};
use crate::address::Class;
use crate::observation::{Address, Resolution};
use crate::reason::Reason;

/// One thing that was seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// The agent could not do something.
    AgentFault {
        /// What it tried, with its context.
        operation: String,
        /// What the system said.
        cause: String,
    },
    /// The system could not open a connection, for a reason that is not the network's.
    SocketError {
        /// Where the connection should have gone.
        at: SocketAddr,
        /// What the system said.
        cause: Option<String>,
    },
    /// Addresses were not dialled, or not to the end: the agent had too much in flight.
    TooMuchInFlight {
        /// How many.
        addresses: usize,
        /// Of how many that would have been dialled.
        of: usize,
    },
    /// About names and zones.
    Dns(DnsFact),
    /// About the addresses.
    Address(AddressFact),
    /// About other resolvers, single servers and caches.
    Resolver(ResolverFact),
    /// About connecting.
    Connect(ConnectFact),
    /// About the handshake and the certificate.
    Tls(TlsFact),
    /// About the service's reply.
    Service(ServiceFact),
    /// A target of the same service fails.
    CompanionFails {
        /// The target.
        target: String,
        /// Its reason.
        reason: Reason,
    },
}

/// The most items of a list that a fact keeps.
pub const LISTED: usize = 4;

/// Addresses with their classes, the first [`LISTED`] of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressList {
    /// The first ones.
    pub first: Vec<(IpAddr, Class)>,
    /// How many there are besides.
    pub more: usize,
}

impl AddressList {
    /// The list of `addresses`.
    pub fn of(addresses: &[Address]) -> Self {
        let first = addresses.iter().take(LISTED);
        Self {
            first: first.map(|address| (address.ip, address.class)).collect(),
            more: addresses.len().saturating_sub(LISTED),
        }
    }

    /// The list of a resolution's addresses of such classes.
    pub fn of_classes(resolution: &Resolution, wanted: impl Fn(Class) -> bool) -> Self {
        let addresses = resolution.addresses.iter();
        let addresses: Vec<_> = addresses.filter(|one| wanted(one.class)).cloned().collect();
        let mut list = Self::of(&addresses);
        list.more += resolution.left_out(wanted);
        list
    }

    /// The list of all addresses of a resolution.
    pub fn of_all(resolution: &Resolution) -> Self {
        Self::of_classes(resolution, |_| true)
    }
}

macro_rules! of_stage {
    ($($variant:ident($fact:ident),)+) => {
        $(impl From<$fact> for Fact {
            fn from(fact: $fact) -> Self {
                Self::$variant(fact)
            }
        })+
    };
}

of_stage! {
    Dns(DnsFact),
    Address(AddressFact),
    Resolver(ResolverFact),
    Connect(ConnectFact),
    Tls(TlsFact),
    Service(ServiceFact),
}
