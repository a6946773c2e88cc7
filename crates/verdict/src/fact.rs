//! Fact: one thing that was seen and that a finding rests on, as data. [`crate::prose`] makes the
//! sentences.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use crate::address::{Class, ClassSet, Family};
use crate::observation::{Address, Handshake, NoReply, QueryOutcome, Rcode, Refusal, TcpOutcome};
use crate::reason::Reason;

/// One thing that was seen. Lists in it are bounded by [`LISTED`].
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    // The agent's own trouble.
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

    // DNS.
    /// No usable message came back for these families.
    QueryFailed {
        /// The families of which it is true.
        families: Vec<Family>,
        /// How the queries ended.
        query: FailedQuery,
    },
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
    /// The alias has no address, and the public side, or somebody's zone, answers for its zone.
    AliasDangles {
        /// The alias.
        alias: String,
        /// What is said of its last name.
        negative: Negative,
        /// The last name of the chain, where it is not the alias.
        last: Option<String>,
        /// Owner and mname of a zone that is not the public side's.
        other_zone: Option<(String, String)>,
        /// The zone that the alias lies in.
        zone: String,
    },
    /// The private zone has no record, or no address, for the name.
    RecordMissing {
        /// The zone.
        zone: String,
        /// Who answers for it.
        answers: ZoneAnswers,
        /// The name that should have a record.
        name: String,
        /// Where its record leads, if it has one.
        leads_to: Option<String>,
        /// What is said of the last name.
        negative: Negative,
    },
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

    // Addresses.
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
    /// What the servers of the resolver say, each asked alone.
    ServersAskedAlone {
        /// What each of them said.
        servers: Servers,
        /// Where the difference comes from.
        source: DifferenceSource,
    },
    /// The servers of the resolver differ, before any answer changed.
    ServersDiffer {
        /// The resolver.
        resolver: String,
        /// What each of them said.
        servers: Servers,
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
    NothingFollowsAlias,
    /// A private address outside the expected networks.
    OutsideExpected {
        /// The address.
        ip: IpAddr,
        /// The expected networks.
        expected: Vec<IpNet>,
    },
    /// A private address where the address should have stayed public.
    PrivateForServiceEndpoint {
        /// The address.
        ip: IpAddr,
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
    /// A variable sends applications through a proxy.
    ProxySet {
        /// The variable's name.
        variable: String,
    },

    // Connecting.
    /// Some addresses connect.
    SomeConnect {
        /// How many.
        connected: usize,
        /// Of how many that were dialled.
        dialled: usize,
    },
    /// The addresses that do not connect, and how each attempt ended.
    ConnectFailed(Vec<(SocketAddr, TcpOutcome)>),
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

    // Handshake and certificate.
    /// The handshake did not complete.
    HandshakeFailed {
        /// The address.
        ip: IpAddr,
        /// How it ended.
        handshake: Handshake,
        /// What the peer or the library said.
        said: Option<String>,
    },
    /// The host is a privatelink name, and the certificate covers none.
    PrivatelinkName {
        /// The name that was wanted.
        wanted: String,
        /// The address.
        ip: IpAddr,
        /// What it presents.
        presented: Presented,
    },
    /// The certificate is for other names.
    OtherNames {
        /// The name that was wanted.
        wanted: String,
        /// The address.
        ip: IpAddr,
        /// What it presents.
        presented: Presented,
    },
    /// The chain ends in nothing that is trusted.
    UnknownIssuer {
        /// The address.
        ip: IpAddr,
        /// The leaf's issuer.
        issuer: String,
        /// Whether each instance of the service has a CA of its own.
        own_ca: bool,
    },
    /// The certificate cannot serve TLS.
    CannotServeTls {
        /// The address.
        ip: IpAddr,
        /// Why.
        why: String,
    },
    /// An issuer's certificate in the chain has expired.
    IssuerExpired {
        /// The address.
        ip: IpAddr,
    },
    /// The leaf has expired.
    CertificateExpired {
        /// The address.
        ip: IpAddr,
        /// Since how many seconds.
        seconds: i64,
    },
    /// The leaf is not valid yet.
    CertificateBegins {
        /// The address.
        ip: IpAddr,
        /// In how many seconds it will be.
        seconds: i64,
    },
    /// The leaf ends soon.
    CertificateEnds {
        /// The address.
        ip: IpAddr,
        /// In how many seconds.
        seconds: i64,
    },
    /// The chain of an Azure service ends in a configured root.
    PrivateRoot {
        /// The first such address.
        ip: IpAddr,
        /// How many others there are.
        others: usize,
        /// The leaf's issuer.
        issuer: String,
        /// Whether each instance of the service has a CA of its own.
        own_ca: bool,
    },

    // The service's reply.
    /// The service gave no reply.
    NoReply {
        /// The address.
        ip: IpAddr,
        /// Why.
        why: NoReply,
    },
    /// The service saw the request come from a public address.
    SeenFrom {
        /// The address that was dialled.
        ip: IpAddr,
        /// The address that the service saw.
        from: IpAddr,
        /// What of the reply says so.
        evidence: String,
    },
    /// The service behind a private address denies this path.
    PathDenied {
        /// The address.
        ip: IpAddr,
        /// What of the reply says so.
        evidence: String,
    },
    /// The denial names a public address: the path may turn public on the way.
    DenialNamesPublic {
        /// The address that the service saw.
        from: IpAddr,
    },
    /// Another device than the service presents the certificate.
    TlsInspected,
    /// The service denies access over a public address.
    AccessDenied {
        /// The address.
        ip: IpAddr,
        /// What of the reply says so.
        evidence: String,
    },
    /// Public access is off altogether.
    PublicAccessOff,
    /// The server refused this host by its own protocol.
    RefusedByProtocol {
        /// The address.
        ip: IpAddr,
        /// By which rule.
        refusal: Refusal,
        /// The server's words.
        said: Option<String>,
    },
    /// The reply is not the service's.
    NotTheService {
        /// The address.
        ip: IpAddr,
        /// What of the reply says so.
        evidence: String,
    },
    /// The service answered with trouble of its own.
    ServiceTrouble {
        /// The address.
        ip: IpAddr,
        /// What of the reply says so.
        evidence: String,
    },
    /// Whether the service lets this subnet in is not known.
    AccessUnknown {
        /// Whether the service could be asked, had it been allowed.
        could_be_asked: bool,
    },

    // Other targets.
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
    /// A server of somebody's own, by its mname.
    ServedBy(String),
    /// A private zone above it, by its owner.
    InPlace(String),
    /// A server of which it is not known whether it is private, by its mname.
    Unknown(String),
    /// Nothing was said.
    Silent,
}

/// Who answers for the zone of an alias that ends at a public address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AliasZone {
    /// The private zone; by its mname where it is not Azure Private DNS.
    Private(Option<String>),
    /// The public side of this zone.
    Public(String),
    /// For this zone a server of which it is not known whether it is private, by its mname.
    Unknown(String, String),
    /// For this zone nothing was said.
    Silent(String),
}

/// What an address is that is never dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// In `deniedCidrs`.
    Denied,
    /// `0.0.0.0` or `::`.
    Unspecified,
    /// A loopback address.
    Loopback,
    /// A multicast address.
    Multicast,
    /// 168.63.129.16.
    Platform,
    /// 169.254.169.254.
    Metadata,
    /// Any other link-local address.
    LinkLocal,
    /// Any other reserved address.
    Reserved,
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

/// Addresses with their classes, the first [`LISTED`] of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressList {
    /// The first ones.
    pub first: Vec<(IpAddr, Class)>,
    /// How many there are besides.
    pub more: usize,
}

/// What the servers of a resolver said, each asked alone: the first [`LISTED`] of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Servers {
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

/// What a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The first names.
    pub names: Vec<String>,
    /// How many there are besides; `None` where not all were kept.
    pub more: Option<usize>,
    /// The subject, where there are no names.
    pub subject: String,
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
