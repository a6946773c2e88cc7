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
pub use self::connect::ConnectFact;
pub use self::dns::{DanglingAlias, DnsFact, FailedQuery, MissingRecord, Negative, ZoneAnswers};
pub use self::resolver::{Consequence, DifferenceSource, ResolverFact, ServerList, ServerSaid};
pub use self::service::ServiceFact;
pub use self::tls::{Presented, TlsFact};
use crate::address::Class;
use crate::observation::Address;
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
