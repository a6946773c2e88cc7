//! Dns facts: what the answers, or their absence, say about names and zones.

use std::net::{IpAddr, SocketAddr};

use crate::address::Family;
use crate::observation::{QueryOutcome, Rcode, Soa};
use crate::surroundings::OtherNames;

/// What the answers, or their absence, say about names and zones.
#[derive(Clone, Debug, PartialEq)]
pub enum DnsFact {
    /// No usable message came back for these families.
    QueryFailed {
        /// The families of which it is true.
        families: Vec<Family>,
        /// How the queries ended.
        query: FailedQuery,
    },
    /// What became of other names that the same resolver was asked for.
    OtherNames(OtherNames),
    /// The same, while another family was answered.
    FamilyFails {
        /// The families of which it is true.
        families: Vec<Family>,
        /// How the queries ended.
        query: FailedQuery,
    },
    /// The answer came only after something was lost.
    AnsweredLate {
        /// The families of which it is true.
        families: Vec<Family>,
        /// The number of the try that was answered; 1 where the same try was repeated without EDNS.
        at_try: u32,
        /// What was lost, where that is known.
        lost: Option<String>,
        /// The server that lost it, where it is not the one that answered in the end.
        lost_at: Option<SocketAddr>,
    },
    /// The relative name leads elsewhere through the search list.
    SearchListLeadsElsewhere {
        /// The name that answered.
        name: String,
        /// Its addresses.
        addresses: Vec<IpAddr>,
    },
    /// The server marks its answer as stale (RFC 8914 sections 4.4 and 4.20).
    MarkedStale,
    /// The answer holds address records of another name alone.
    RecordsOfAnotherName {
        /// The families so answered.
        families: Vec<Family>,
        /// The name that needs an address: the chain's last.
        name: String,
        /// The owner of the records.
        owner: String,
    },
    /// The addresses come before the CNAME that leads to their owner.
    RecordsBeforeTheirAlias {
        /// The families so answered.
        families: Vec<Family>,
        /// The owner: the chain's last name.
        owner: String,
    },
    /// One family is NXDOMAIN, although the other has addresses.
    FamilyDenied {
        /// The families denied.
        families: Vec<Family>,
        /// The server that said so.
        server: Option<SocketAddr>,
    },
    /// The server answers with other servers to ask.
    Referral,
    /// The server answers with a CNAME alone.
    NotChased {
        /// The CNAME's target.
        alias: String,
    },
    /// What that CNAME's target has when it is asked by itself: an address, or how the query ended.
    AskedForItself(Result<IpAddr, QueryOutcome>),
    /// The name exists only in a private zone, and is NXDOMAIN.
    PrivateOnlyName {
        /// The name, where it is not the host.
        name: Option<String>,
        /// The zone that should hold it.
        zone: String,
    },
    /// The name is NXDOMAIN. If its resource is internal, it exists only in a private zone; else the
    /// resource is gone.
    InternalName {
        /// The name, where it is not the host.
        name: Option<String>,
        /// The zone that should hold it.
        zone: String,
    },
    /// The alias has no address, and the public side, or another owner's zone, answers for its zone.
    AliasDangles(DanglingAlias),
    /// The private zone has no record, or no address, for the name.
    RecordMissing(MissingRecord),
    /// The record exists in the zone that people mistake for the right one.
    RecordInOtherZone {
        /// The record.
        name: String,
        /// Its private address, where it was asked for.
        ip: Option<IpAddr>,
    },
    /// A private zone answers in place of the service's public one.
    ZoneShadows {
        /// The private zone.
        owner: String,
        /// Who serves it, where it is not Azure Private DNS.
        served_by: Option<String>,
        /// What it says of the host.
        negative: Negative,
    },
    /// The name has no address.
    NoAddress {
        /// What is said of it.
        negative: Negative,
        /// The last name of the chain.
        name: String,
        /// The server that said so.
        server: Option<SocketAddr>,
    },
    /// The host has SRV records in place of addresses, as that of a `mongodb+srv` connection string.
    LeadsBySrv {
        /// Their name.
        name: String,
        /// The first hosts that they name, with their ports.
        first: Vec<(String, u16)>,
        /// How many there are besides.
        more: usize,
    },
    /// The host is probably misspelt.
    ProbablyMeant {
        /// The likely spelling.
        instead: String,
    },
    /// The negative answer is that of a private zone.
    SaidByPrivateZone {
        /// The zone.
        owner: String,
    },
}

/// What a negative answer says of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Negative {
    /// The name does not exist.
    Nxdomain,
    /// The name exists and has no address.
    Nodata,
}

/// How a query without a usable message ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedQuery {
    /// How it ended.
    pub outcome: QueryOutcome,
    /// The RCODE, where that is how it ended.
    pub rcode: Option<Rcode>,
    /// The server asked last, and the messages sent.
    pub server: Option<(SocketAddr, u32)>,
    /// What went wrong, where the outcome alone does not say it.
    pub detail: Option<String>,
}

/// Who answers for a zone in which a record is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoneAnswers {
    /// Azure Private DNS: the zone is linked.
    Linked,
    /// A server that is not Azure's, by its mname.
    ServedBy(String),
    /// A private zone above it, by its owner.
    InPlace(String),
    /// A server of which it is not known whether it is private, by its mname.
    Unknown(String),
    /// No SOA came.
    Silent,
}

/// An alias without any address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DanglingAlias {
    /// The alias.
    pub alias: String,
    /// What is said of its last name.
    pub negative: Negative,
    /// The last name of the chain, where it is not the alias.
    pub last: Option<String>,
    /// The SOA that answers, where it is not the public side's.
    pub other_zone: Option<Soa>,
    /// The zone that the alias lies in.
    pub zone: String,
}

/// A name for which the private zone has no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingRecord {
    /// The zone.
    pub zone: String,
    /// Who answers for it.
    pub answers: ZoneAnswers,
    /// The name that should have a record.
    pub name: String,
    /// Where its record leads, if it has one.
    pub leads_to: Option<String>,
    /// What is said of the last name.
    pub negative: Negative,
}
