//! Resolution: what one resolver answered to A and AAAA of one name, and the evidence beside it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{Rare, RareFacts, ServerAnswer};
use crate::address::{Class, ClassSet, Family};
use crate::names::Names;
use crate::words::words;

/// What one resolver answered to A and AAAA of one name, with the evidence asked for on trouble.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resolution {
    /// The resolver's name.
    pub resolver: Arc<str>,
    /// One entry per family asked, IPv4 first.
    pub queries: Vec<Query>,
    /// The addresses of all families with their class, in the answers' order; at least one of each class
    /// that the answers hold.
    pub addresses: Vec<Address>,
    /// How many more the answers hold.
    pub left_out: LeftOut,
    /// What the relative name led to through the search list, where it led elsewhere.
    pub search: Option<Arc<NameEvidence>>,
    /// What was asked beside the question itself.
    pub evidence: Rare<Evidence>,
}

/// What a resolver was asked beside the question itself: mostly on trouble. Shared with what keeps it for the next
/// probe.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The SOA of the privatelink zone, where it had to be asked for.
    pub zone: Option<Arc<ZoneEvidence>>,
    /// The same label in the zone that people mistake the right one for, where it was asked for.
    pub mistaken: Option<Arc<NameEvidence>>,
    /// The last name of a chain that the server did not chase, where it was asked for.
    pub unchased: Option<Arc<NameEvidence>>,
    /// The alias asked by itself, where the host leads to a public address.
    pub alias: Option<Arc<NameEvidence>>,
    /// The SRV records that clients of `MongoDB` look for, where the host exists and has no address.
    pub srv: Option<Arc<SrvEvidence>>,
    /// Extended DNS errors (RFC 8914) of this resolver's answers, as last asked with EDNS.
    pub extended_errors: Vec<u16>,
    /// What each of the resolver's servers said when it was asked alone, where that was asked for.
    pub servers: Vec<ServerAnswer>,
}

impl RareFacts for Evidence {
    const NONE: &'static Self = &Self {
        zone: None,
        mistaken: None,
        unchased: None,
        alias: None,
        srv: None,
        extended_errors: Vec::new(),
        servers: Vec::new(),
    };
}

/// How many addresses of an answer were not kept, by class, in the order of [`Class::ALL`].
pub type LeftOut = [u16; Class::ALL.len()];

impl Resolution {
    /// How many more addresses of such classes the answers hold than [`Self::addresses`].
    pub fn left_out(&self, wanted: impl Fn(Class) -> bool) -> usize {
        let classes = Class::ALL.iter().zip(self.left_out);
        let wanted = classes.filter(|(class, _)| wanted(**class));
        wanted.map(|(_, count)| usize::from(count)).sum()
    }

    /// The chain of names, the host first: of the family that has addresses, else the longest.
    pub fn chain(&self) -> &Names {
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
            .map_or(Names::NONE, |query| &query.chain)
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

    /// The servers that were asked alone, each once, in the order in which they were asked.
    pub(crate) fn servers_asked_alone(&self) -> Vec<SocketAddr> {
        let mut servers: Vec<SocketAddr> = Vec::new();
        for answer in &self.evidence.servers {
            if !servers.contains(&answer.server) {
                servers.push(answer.server);
            }
        }
        servers
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
        /// Unparsable, a CNAME loop, too long a chain, address records of another name alone.
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
    pub chain: Names,
    /// The addresses of the chain's last name, with their TTLs in seconds.
    pub addresses: Vec<(IpAddr, u32)>,
    /// The smallest TTL of the whole answer, in seconds.
    pub ttl: Option<u32>,
    /// The largest TTL of the whole answer, in seconds: for so long a cache may give parts of it.
    pub longest_ttl: Option<u32>,
    /// The SOA of the authority section.
    pub soa: Option<Arc<Soa>>,
    /// What was out of the ordinary.
    pub trouble: Rare<QueryTrouble>,
}

/// What is out of the ordinary about a query.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryTrouble {
    /// The server of the first try that was lost before the answer.
    pub lost_at: Option<SocketAddr>,
    /// The owner of address records that the answer holds and that stub resolvers ignore: another name
    /// than the chain's last, or that one, where they come before the CNAME that leads to it. `invalid`
    /// where there are no others.
    pub ignored_owner: Option<Box<str>>,
    /// Extended DNS errors (RFC 8914), where EDNS was used.
    pub extended_errors: Vec<u16>,
    /// What went wrong, in words, where the outcome alone does not say it.
    pub detail: Option<Box<str>>,
}

impl RareFacts for QueryTrouble {
    const NONE: &'static Self = &Self {
        lost_at: None,
        ignored_owner: None,
        extended_errors: Vec::new(),
        detail: None,
    };
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    pub soa: Option<Arc<Soa>>,
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

/// What a resolver said when asked for SRV records (RFC 2782).
#[derive(Clone, Debug, PartialEq)]
pub struct SrvEvidence {
    /// The name asked for: `_mongodb._tcp.` and the host.
    pub name: String,
    /// How the query ended; `nodata` also where records came.
    pub outcome: QueryOutcome,
    /// The hosts that the records name, with their ports.
    pub hosts: Vec<(String, u16)>,
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
