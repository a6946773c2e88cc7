//! Address facts: what the addresses are, and why they are not what they should be.

use std::net::IpAddr;

use ipnet::IpNet;

use super::AddressList;
use crate::address::ClassSet;

/// What the addresses are, and why they are not what they should be.
#[derive(Clone, Debug, PartialEq)]
pub enum AddressFact {
    /// An address is reserved or denied, and was not dialled.
    NotDialled {
        /// The address.
        ip: IpAddr,
        /// What it is.
        nature: Nature,
    },
    /// A private or public address lies in a reserved range.
    InReservedRange {
        /// The address.
        ip: IpAddr,
    },
    /// The classes of the answers changed back and forth.
    ClassesChanged {
        /// How often they changed.
        changes: usize,
        /// The classes of the latest answers, oldest first.
        answers: Vec<ClassSet>,
    },
    /// One answer holds private and public addresses.
    MixedAddresses(AddressList),
    /// No route leads to these addresses.
    NoRouteTo(AddressList),
    /// A public address without an alias.
    NoAlias {
        /// The addresses.
        addresses: AddressList,
        /// The name of the resource, where it is not the host.
        resource: Option<String>,
    },
    /// The alias ends at public addresses.
    AliasEndsAt {
        /// The alias.
        alias: String,
        /// The addresses.
        addresses: AddressList,
        /// Who answers for the alias's zone; `None` where the alias's own answer says more.
        zone: Option<AliasZone>,
    },
    /// The alias has a private address when it is asked by itself.
    AliasByItself {
        /// The address.
        ip: IpAddr,
    },
    /// The public address may be the private zone's own record.
    NothingFollowsAlias {
        /// Whether the address is public by `classify.public`.
        by_configuration: bool,
    },
    /// It was private before, and that is what it is held to.
    WasPrivate,
    /// A private address outside the expected networks.
    OutsideExpected {
        /// The address.
        ip: IpAddr,
        /// The expected networks, as configured.
        expected: Vec<IpNet>,
    },
    /// A private address where the address should have stayed public.
    PrivateForServiceEndpoint {
        /// The address.
        ip: IpAddr,
    },
    /// A variable sends applications through a proxy.
    ProxySet {
        /// The variable's name.
        variable: String,
    },
}

/// Who answers for the zone of an alias that ends at a public address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AliasZone {
    /// The private zone; by its mname where it is not Azure Private DNS.
    Private(Option<String>),
    /// The public side of this zone.
    Public(String),
    /// A server of which it is not known whether it is private.
    Unknown {
        /// The zone.
        zone: String,
        /// The server.
        mname: String,
    },
    /// No SOA of this zone came.
    Silent(String),
}

/// What an address is that is never dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// In this network of `deniedCidrs`.
    Denied(IpNet),
    /// `0.0.0.0` or `::`.
    Unspecified,
    /// A loopback address.
    Loopback,
    /// In this range of multicast addresses.
    Multicast(IpNet),
    /// 168.63.129.16.
    Platform,
    /// 169.254.169.254.
    Metadata,
    /// Any other link-local address.
    LinkLocal,
    /// In this reserved range, which is none of the above.
    Reserved(IpNet),
}
