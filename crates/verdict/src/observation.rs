//! Observation: the facts of one probe: DNS messages, connections, handshakes, service replies.
//! No judgement.

mod server;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

pub use self::server::ServerAnswer;
use crate::address::{Class, ClassSet, Family};
use crate::service::{Proof, Reply, ReplyOutcome, prove};
use crate::target::words;

/// The facts of one probe of one target.
#[derive(Clone, Debug)]
pub struct Observation {
    /// When the probe was completed.
    pub checked_at: SystemTime,
    /// How long each stage took.
    pub timing: Timing,
    /// Why we could not probe, where the fault is ours.
    pub fault: Option<AgentFault>,
    /// What the target's path answered.
    pub resolution: Resolution,
    /// What the other resolvers answered, as last asked.
    pub comparisons: Vec<Comparison>,
    /// One entry for every address of the answer, in its order.
    pub connections: Vec<Connection>,
    /// The variable (`HTTPS_PROXY`) that sends applications elsewhere, and does not spare the host.
    pub proxy: Option<String>,
}

/// How long each stage took; `None` where it did not run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timing {
    /// Resolving.
    pub dns: Option<Duration>,
    /// Connecting, until the last address was decided.
    pub connect: Option<Duration>,
    /// Handshaking, until the last address was decided.
    pub tls: Option<Duration>,
    /// Asking the service.
    pub http: Option<Duration>,
    /// The whole probe.
    pub total: Duration,
}

/// We could not probe: the fault is on our side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentFault {
    /// What we tried, with its context: `read /etc/resolv.conf`.
    pub operation: String,
    /// What the system said.
    pub cause: String,
}

/// What one resolver answered to A and AAAA of one name, with the evidence asked for on trouble.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resolution {
    /// The resolver's name.
    pub resolver: String,
    /// One entry per family asked, IPv4 first.
    pub queries: Vec<Query>,
    /// The addresses of all families with their class, in the answers' order.
    pub addresses: Vec<Address>,
    /// The SOA of the privatelink zone, where it had to be asked for.
    pub zone: Option<ZoneEvidence>,
    /// The same label in the zone that people mistake the right one for, where it was asked for.
    pub mistaken: Option<NameEvidence>,
    /// The last name of a chain that the server did not chase, where it was asked for.
    pub unchased: Option<NameEvidence>,
    /// The alias asked by itself, where the host leads to a public address.
    pub alias: Option<NameEvidence>,
    /// What the relative name led to through the search list, where it led elsewhere.
    pub search: Option<NameEvidence>,
    /// Extended DNS errors (RFC 8914) of this resolver's answers, as last asked with EDNS.
    pub extended_errors: Vec<u16>,
    /// What each of the resolver's servers said when it was asked alone, where that was asked for.
    pub servers: Vec<ServerAnswer>,
}

impl Resolution {
    /// The chain of names, the host first: of the family that has addresses, else the longest.
    pub fn chain(&self) -> &[String] {
        let answered = self
            .queries
            .iter()
            .find(|query| !query.addresses.is_empty());
        answered
            .or_else(|| {
                self.queries
                    .iter()
                    .rev()
                    .max_by_key(|query| query.chain.len())
            })
            .map_or(&[], |query| &query.chain)
    }

    /// Whether some family got an address.
    pub fn answered(&self) -> bool {
        !self.addresses.is_empty()
    }

    /// The query of `family` that was answered, be it negatively.
    fn answer(&self, family: Family) -> Option<&Query> {
        self.queries
            .iter()
            .find(|query| query.family == family && !query.outcome.is_failure())
    }

    /// The classes of the addresses.
    pub fn classes(&self) -> ClassSet {
        self.addresses.iter().map(|address| address.class).collect()
    }

    /// The outcome of all families together: an answer if any has one, else a failed family before
    /// a negative one, as section 5 ranks them; `None` where nothing was asked.
    pub fn outcome(&self) -> Option<QueryOutcome> {
        self.queries.iter().map(|query| query.outcome).min()
    }

    /// The server of the query that decides [`Self::outcome`].
    pub fn server(&self) -> Option<SocketAddr> {
        self.queries
            .iter()
            .min_by_key(|query| query.outcome)
            .and_then(|query| query.server)
    }
}

words! {
    /// How a query ended. The order is that in which one family's outcome outranks another's: an
    /// answer first, then the failures in the order of their reasons, then the negative answers.
    QueryOutcome {
        /// At least one address.
        Answer = "answer",
        /// No server answered in time.
        Timeout = "timeout",
        /// The server's port is closed or no route leads to it.
        Unreachable = "unreachable",
        /// SERVFAIL, REFUSED, FORMERR, NOTIMP.
        ServerFailure = "server_failure",
        /// Truncated over UDP, and TCP failed.
        Truncated = "truncated",
        /// Unparsable, a CNAME loop, too long a chain.
        Invalid = "invalid",
        /// The name does not exist.
        Nxdomain = "nxdomain",
        /// The name exists, without an address of this family.
        Nodata = "nodata",
    }
}

impl QueryOutcome {
    /// Whether no usable message came back: neither an answer nor a negative one.
    pub const fn is_failure(self) -> bool {
        !matches!(self, Self::Answer | Self::Nxdomain | Self::Nodata)
    }

    /// Which of two tries' outcomes says more about the server: whatever came closer to an answer.
    /// Section 5: a family's reason is the best of its tries.
    pub const fn closeness(self) -> u8 {
        match self {
            Self::Answer => 7,
            Self::Nodata => 6,
            Self::Nxdomain => 5,
            Self::Truncated => 4,
            Self::Invalid => 3,
            Self::ServerFailure => 2,
            Self::Timeout => 1,
            Self::Unreachable => 0,
        }
    }
}

words! {
    /// How a DNS message travelled.
    Transport {
        /// UDP.
        Udp = "udp",
        /// TCP, after truncation.
        Tcp = "tcp",
    }
}

/// One family's question to a resolver, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The family asked for.
    pub family: Family,
    /// The server whose message (or failure) decided the outcome.
    pub server: Option<SocketAddr>,
    /// How that message travelled.
    pub transport: Transport,
    /// How the query ended.
    pub outcome: QueryOutcome,
    /// The RCODE of the deciding message (RFC 1035 section 4.1.1, RFC 6895).
    pub rcode: Option<Rcode>,
    /// Header bits of the deciding message.
    pub flags: Flags,
    /// From the first try to the outcome.
    pub elapsed: Duration,
    /// Messages sent, TCP and EDNS retries not counted.
    pub tries: u32,
    /// Whether it was answered only after a try was lost, or without EDNS.
    pub degraded: bool,
    /// The names of the answer, the host first, each the CNAME of the one before it.
    pub chain: Vec<String>,
    /// The addresses of the chain's last name, with their TTLs in seconds.
    pub addresses: Vec<(IpAddr, u32)>,
    /// The smallest TTL of the whole answer, in seconds.
    pub ttl: Option<u32>,
    /// The largest TTL of the whole answer, in seconds: for so long a cache may give parts of it.
    pub longest_ttl: Option<u32>,
    /// The SOA of the authority section.
    pub soa: Option<Soa>,
    /// Extended DNS errors (RFC 8914), where EDNS was used.
    pub extended_errors: Vec<u16>,
    /// What went wrong, in words, where the outcome alone does not say it.
    pub detail: Option<String>,
}

impl Query {
    /// A server that does not chase: NOERROR with a CNAME, neither address nor SOA; or with
    /// nothing but a referral to other servers.
    pub fn is_incomplete(&self) -> bool {
        self.outcome == QueryOutcome::Nodata
            && self.soa.is_none()
            && (self.chain.len() > 1 || self.flags.referral)
    }
}

/// What a DNS message says of itself, beside its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts of one message, as the wire has them"
)]
pub struct Flags {
    /// AA: the server is authoritative.
    pub authoritative: bool,
    /// RA: the server recurses.
    pub recursion_available: bool,
    /// TC: the message was cut.
    pub truncated: bool,
    /// The message answers nothing and names other servers to ask instead.
    pub referral: bool,
}

/// A response code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rcode(pub u16);

impl fmt::Display for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            0 => "NOERROR",
            1 => "FORMERR",
            2 => "SERVFAIL",
            3 => "NXDOMAIN",
            4 => "NOTIMP",
            5 => "REFUSED",
            6 => "YXDOMAIN",
            9 => "NOTAUTH",
            16 => "BADVERS",
            other => return write!(f, "RCODE{other}"),
        };
        f.pad(name)
    }
}

/// A start of authority: who answers for a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Soa {
    /// The zone, normalised.
    pub owner: String,
    /// The primary name server, normalised.
    pub mname: String,
    /// The mailbox of the person responsible, normalised.
    pub rname: String,
}

/// An address of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address as answered.
    pub ip: IpAddr,
    /// What it is to the target.
    pub class: Class,
    /// Seconds the answer may be cached.
    pub ttl: u32,
}

/// What a resolver said when asked for a zone's SOA.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneEvidence {
    /// The zone asked for.
    pub zone: String,
    /// How the query ended; an SOA may come with a negative answer too.
    pub outcome: QueryOutcome,
    /// The SOA, of the answer or the authority section.
    pub soa: Option<Soa>,
    /// When it was asked.
    pub checked_at: SystemTime,
}

/// What a resolver said of another name than the host.
#[derive(Clone, Debug, PartialEq)]
pub struct NameEvidence {
    /// The name asked for.
    pub name: String,
    /// How the query ended.
    pub outcome: QueryOutcome,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// When it was asked.
    pub checked_at: SystemTime,
}

/// What a resolver other than the path answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Whether a difference is a finding.
    pub must_agree: bool,
    /// What it answered.
    pub resolution: Resolution,
    /// When it was asked.
    pub checked_at: SystemTime,
}

impl Comparison {
    /// Whether it gives the same classes as `path`, in the families that both answered, be it
    /// negatively; `None` where there is none. A lost query is no difference.
    pub fn agrees_with(&self, path: &Resolution) -> Option<bool> {
        let answered = path
            .queries
            .iter()
            .filter(|query| !query.outcome.is_failure());
        let both = answered.filter_map(|ours| Some((ours, self.resolution.answer(ours.family)?)));
        let (ours, theirs): (Vec<_>, Vec<_>) = both.unzip();
        let classes = |of: &Resolution, answers: Vec<&Query>| -> ClassSet {
            let addresses = of.addresses.iter().filter(|address| {
                answers
                    .iter()
                    .flat_map(|query| &query.addresses)
                    .any(|(ip, _)| *ip == address.ip)
            });
            addresses.map(|address| address.class).collect()
        };
        (!ours.is_empty()).then(|| classes(path, ours) == classes(&self.resolution, theirs))
    }
}

words! {
    /// How connecting to one address ended.
    TcpOutcome {
        /// Connected.
        Ok = "ok",
        /// No answer in time.
        Timeout = "timeout",
        /// The port is closed.
        Refused = "refused",
        /// No route to the address.
        Unreachable = "unreachable",
        /// Reset while connecting.
        Reset = "reset",
        /// A socket error that is none of the network's.
        Error = "error",
        /// Not dialled.
        Skipped = "skipped",
    }
}

words! {
    /// How a handshake ended, whatever the certificate is worth.
    Handshake {
        /// Completed.
        Ok = "ok",
        /// No answer in time.
        Timeout = "timeout",
        /// Closed or reset before it was complete.
        Interrupted = "interrupted",
        /// An alert, an incompatible peer, or not TLS at all.
        Failed = "failed",
        /// The peer's certificate cannot be read, or does not prove that the peer holds its key.
        BadCertificate = "bad_certificate",
        /// There was no connection to handshake on.
        Skipped = "skipped",
        /// The protocol has no handshake.
        NotApplicable = "not_applicable",
    }
}

words! {
    /// Why an address was not dialled.
    Skip {
        /// Reserved or denied.
        Reserved = "reserved",
        /// The pod has no route for its family.
        NoRoute = "no_route",
        /// More addresses than are dialled at once.
        TooMany = "too_many",
        /// The target is judged on DNS alone.
        DnsOnly = "dns_only",
    }
}

words! {
    /// By which rule of its own protocol a server turned us away before TLS.
    Refusal {
        /// `MySQL` error 1129: too many broken connections came from this host.
        HostBlocked = "host_blocked",
        /// `MySQL` error 1130: no account may log in from this host.
        HostNotAllowed = "host_not_allowed",
    }
}

/// What became of one address.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// The address dialled.
    pub ip: IpAddr,
    /// The port dialled.
    pub port: u16,
    /// Why it was not dialled, if it was not.
    pub skip: Option<Skip>,
    /// How connecting ended.
    pub tcp: TcpOutcome,
    /// Time to the outcome, where it was dialled.
    pub tcp_elapsed: Option<Duration>,
    /// What the system said, where connecting failed.
    pub tcp_detail: Option<String>,
    /// Another port of the service, and whether it opened.
    pub other_port: Option<(u16, bool)>,
    /// How the handshake ended.
    pub handshake: Handshake,
    /// Time to the outcome, where there was a handshake.
    pub handshake_elapsed: Option<Duration>,
    /// What the peer or the library said, where the handshake failed.
    pub handshake_detail: Option<String>,
    /// By which rule the server turned us away before TLS, in the words of `handshake_detail`.
    pub refusal: Option<Refusal>,
    /// The leaf certificate, if one was received, whether or not it was any good.
    pub certificate: Option<Certificate>,
    /// What the service itself replied, as last asked.
    pub service: Option<ServiceReply>,
    /// Time to that reply, where it was asked in this probe.
    pub service_elapsed: Option<Duration>,
}

/// What became of asking the service at one address.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceReply {
    /// The reply, or why there is none.
    pub reply: Result<Reply, NoReply>,
    /// When it was asked.
    pub checked_at: SystemTime,
}

words! {
    /// Why a service gave no reply.
    NoReply {
        /// Nothing came in time.
        Timeout = "no answer in time",
        /// The connection was closed before the reply was complete.
        Closed = "the connection was closed",
        /// What came is not HTTP/1.1, or larger than any reply of the service.
        Unreadable = "what came is not an HTTP/1.1 reply",
    }
}

impl ServiceReply {
    /// What the reply proves of the service called `slug`; `None` where nothing came.
    pub fn proof(&self, slug: &str) -> Option<Proof> {
        match &self.reply {
            Ok(reply) => Some(prove(slug, reply)),
            // Somebody spoke, and it was not the service.
            Err(NoReply::Unreadable) => Some(Proof {
                outcome: ReplyOutcome::Other,
                evidence: NoReply::Unreadable.to_string(),
                seen_from: None,
                busy: false,
            }),
            Err(NoReply::Timeout | NoReply::Closed) => None,
        }
    }

    /// Why there is no reply, in words; empty where there is one.
    pub fn failure(&self) -> &'static str {
        self.reply
            .as_ref()
            .err()
            .map_or("", |failure| failure.as_str())
    }
}

/// The leaf certificate of a peer, and what verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The DNS names and addresses it is for (subject alternative names), as written.
    pub names: Vec<String>,
    /// Its subject, as RFC 4514 text.
    pub subject: String,
    /// Its issuer, as RFC 4514 text.
    pub issuer: String,
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
    /// Whether it covers the target's server name.
    pub covers_name: bool,
    /// Where its chain ends.
    pub trust: Trust,
    /// Unix seconds at which it was verified.
    pub verified_at: i64,
}

/// Where a certificate's chain ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// In a root built into the binary.
    BuiltIn,
    /// In a root of the configured CA files.
    CaFile,
    /// In nothing we trust.
    UnknownIssuer,
    /// An issuer's certificate in the chain is outside its dates.
    ChainExpired,
    /// The certificate cannot serve a TLS server, for the reason given.
    Invalid(String),
}

words! {
    /// The contract's one word for a handshake and its certificate together.
    TlsOutcome {
        /// As it should be.
        Ok = "ok",
        /// For other names.
        NameMismatch = "name_mismatch",
        /// By an unknown issuer.
        Untrusted = "untrusted",
        /// Expired.
        Expired = "expired",
        /// Not valid yet.
        NotYetValid = "not_yet_valid",
        /// Cannot serve a TLS server.
        Invalid = "invalid",
        /// No answer in time.
        Timeout = "timeout",
        /// Closed or reset before it was complete.
        Interrupted = "interrupted",
        /// An alert, an incompatible peer, or not TLS at all.
        Failed = "failed",
        /// There was no connection to handshake on.
        Skipped = "skipped",
        /// The protocol has no handshake.
        NotApplicable = "not_applicable",
    }
}

impl Certificate {
    /// Whether its own dates had passed when it was verified.
    pub const fn is_expired(&self) -> bool {
        self.verified_at > self.not_after
    }

    /// Whether its own dates had not begun when it was verified.
    pub const fn is_not_yet_valid(&self) -> bool {
        self.verified_at < self.not_before
    }

    /// The first thing wrong with it, in the order of section 5, or `Ok`.
    pub fn outcome(&self) -> TlsOutcome {
        if !self.covers_name {
            TlsOutcome::NameMismatch
        } else if self.trust == Trust::UnknownIssuer {
            TlsOutcome::Untrusted
        } else if self.is_expired() || self.trust == Trust::ChainExpired {
            TlsOutcome::Expired
        } else if self.is_not_yet_valid() {
            TlsOutcome::NotYetValid
        } else if matches!(self.trust, Trust::Invalid(_)) {
            TlsOutcome::Invalid
        } else {
            TlsOutcome::Ok
        }
    }
}

impl Connection {
    /// Whether it was dialled, or had to be counted as dialled in vain for want of any route.
    pub const fn was_dialled(&self) -> bool {
        !matches!(self.tcp, TcpOutcome::Skipped)
    }

    /// The contract's one word for the handshake and the certificate together.
    pub fn tls(&self) -> TlsOutcome {
        match (self.handshake, &self.certificate) {
            (Handshake::Ok, Some(certificate)) => certificate.outcome(),
            (Handshake::Ok, None) => TlsOutcome::Ok,
            (Handshake::Timeout, _) => TlsOutcome::Timeout,
            (Handshake::Interrupted, _) => TlsOutcome::Interrupted,
            (Handshake::BadCertificate, _) => TlsOutcome::Invalid,
            (Handshake::Failed, Some(certificate)) if certificate.outcome() != TlsOutcome::Ok => {
                certificate.outcome()
            }
            (Handshake::Failed, _) => TlsOutcome::Failed,
            (Handshake::Skipped, _) => TlsOutcome::Skipped,
            (Handshake::NotApplicable, _) => TlsOutcome::NotApplicable,
        }
    }
}

impl Observation {
    /// The classes of the path's addresses.
    pub fn classes(&self) -> ClassSet {
        self.resolution.classes()
    }

    /// When the path's answers had come: what followed took the rest of the probe's time.
    pub fn resolved_at(&self) -> SystemTime {
        let dns = self.timing.dns.unwrap_or_default();
        let since = self.timing.total.saturating_sub(dns);
        self.checked_at
            .checked_sub(since)
            .unwrap_or(self.checked_at)
    }

    /// Whether the pod has a route for `family`, as far as this probe could tell.
    pub fn has_route(&self, family: Family) -> bool {
        !self.connections.iter().any(|connection| {
            connection.skip == Some(Skip::NoRoute) && Family::of(connection.ip) == family
        })
    }

    /// The smallest TTL of the path's answers, in seconds.
    pub fn ttl(&self) -> Option<u32> {
        let answered = self
            .resolution
            .queries
            .iter()
            .filter(|query| !query.addresses.is_empty());
        answered.filter_map(|query| query.ttl).min()
    }

    /// The leaf certificates received.
    pub fn certificates(&self) -> impl Iterator<Item = (&Connection, &Certificate)> {
        self.connections
            .iter()
            .filter_map(|connection| Some((connection, connection.certificate.as_ref()?)))
    }

    /// Whether something timed out while resolving: no server answered for some family.
    pub fn dns_timed_out(&self) -> bool {
        self.resolution
            .queries
            .iter()
            .any(|query| query.outcome == QueryOutcome::Timeout)
    }

    /// Whether connecting to some address timed out.
    pub fn connect_timed_out(&self) -> bool {
        self.connections
            .iter()
            .any(|connection| connection.tcp == TcpOutcome::Timeout)
    }

    /// Whether a service gave no reply in time, when it was asked in this probe.
    pub fn http_timed_out(&self) -> bool {
        let asked_now = self
            .connections
            .iter()
            .filter(|c| c.service_elapsed.is_some());
        asked_now
            .filter_map(|connection| connection.service.as_ref())
            .any(|service| matches!(service.reply, Err(NoReply::Timeout)))
    }

    /// Whether a handshake timed out.
    pub fn tls_timed_out(&self) -> bool {
        self.connections
            .iter()
            .any(|connection| connection.handshake == Handshake::Timeout)
    }
}
