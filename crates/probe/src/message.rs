//! Message: one DNS question on the wire, and the facts of the message that answers it.

use std::collections::HashSet;
use std::net::IpAddr;

use hickory_proto::ProtoError;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::DecodeError;
use privatelink_verdict::name::normalised;
use privatelink_verdict::names::Names;
use privatelink_verdict::observation::{Flags, QueryOutcome, Rcode, Soa};

/// CNAMEs that are followed in one answer; recursive servers follow fewer.
pub(super) const MAX_CHAIN: usize = 16;

/// SRV records that are kept of an answer: a cluster of `MongoDB` has as many as it has servers.
const MAX_SRV: usize = 8;

/// The payload that is offered with EDNS: DNS flag day 2020's value, which no path fragments.
const EDNS_PAYLOAD: u16 = 1232;

/// The option code of extended DNS errors (RFC 8914 section 2).
const EXTENDED_ERROR: u16 = 15;

/// A question as it is sent.
#[derive(Debug)]
pub(super) struct Question {
    message: Message,
}

/// What a datagram or frame is to the question that it came after.
#[derive(Debug)]
pub(super) enum Received {
    /// The answer to another question, or forged: wait on.
    Foreign,
    /// No DNS message at all: wait on, and report it should nothing better come.
    Noise,
    /// It carries our id, and cannot be read.
    Malformed(DecodeError),
    /// The reply.
    Reply(Box<DnsReply>),
}

/// The facts of a reply.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DnsReply {
    /// What it amounts to.
    pub outcome: QueryOutcome,
    /// Its RCODE, EDNS bits included.
    pub rcode: Rcode,
    /// Its header bits.
    pub flags: Flags,
    /// The names of the answer, the one asked for first.
    pub chain: Names,
    /// The addresses of the last name, with their TTLs. A frame over TCP can carry thousands.
    pub addresses: Vec<(IpAddr, u32)>,
    /// Whose address records are ignored: the first owner that is not the name to expect where they stand.
    pub ignored_owner: Option<String>,
    /// The smallest TTL of the answer.
    pub ttl: Option<u32>,
    /// The largest TTL of the answer.
    pub longest_ttl: Option<u32>,
    /// The SOA, of the answer where it was asked for, else of the authority section.
    pub soa: Option<Soa>,
    /// The hosts of its SRV records, with their ports, where SRV was asked for.
    pub srv: Vec<(String, u16)>,
    /// Extended DNS errors.
    pub extended_errors: Vec<u16>,
    /// Why the outcome is `invalid`.
    pub detail: Option<String>,
}

/// Why the aliases of an answer lead to no name.
#[derive(Debug, thiserror::Error)]
enum ChainError {
    #[error("the aliases loop at {0}")]
    Loop(String),
    #[error("the chain has more than {MAX_CHAIN} aliases")]
    TooLong,
    /// RFC 2181 section 10.1. Of several, clients follow the first, the last, or all.
    #[error("{0} has several CNAMEs, of which each client follows another")]
    Several(String),
}

impl Question {
    /// Asks for `kind` records of the absolute name `name`, with a random id.
    pub(super) fn new(name: &Name, kind: RecordType, edns: bool) -> Self {
        let mut message = Message::query();
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(name.clone(), kind));
        if edns {
            let mut options = Edns::new();
            options.set_max_payload(EDNS_PAYLOAD);
            message.set_edns(options);
        }
        Self { message }
    }

    /// The message as it is sent, without TCP's length.
    pub(super) fn wire(&self) -> Result<Vec<u8>, ProtoError> {
        self.message.to_vec()
    }

    /// Whether it asks with EDNS.
    pub(super) fn has_edns(&self) -> bool {
        self.message.edns.is_some()
    }

    /// What `bytes`, received from the server, are to this question.
    pub(super) fn receive(&self, bytes: &[u8]) -> Received {
        match bytes {
            [high, low, ..] if u16::from_be_bytes([*high, *low]) == self.message.metadata.id => {}
            [] => return Received::Foreign,
            _ if parse(bytes).is_err() => return Received::Noise,
            _ => return Received::Foreign,
        }
        let message = match parse(bytes) {
            Ok(message) => message,
            Err(error) => return Received::Malformed(error),
        };
        let metadata = &message.metadata;
        let replies = metadata.message_type == MessageType::Response
            && metadata.op_code == OpCode::Query
            && self.is_asked_by(&message);
        if !replies {
            return Received::Foreign;
        }
        Received::Reply(Box::new(self.read(&message)))
    }

    /// A reply repeats the question; only a refusal may leave it out.
    fn is_asked_by(&self, reply: &Message) -> bool {
        let refused = !matches!(
            reply.metadata.response_code,
            ResponseCode::NoError | ResponseCode::NXDomain
        );
        reply.queries == self.message.queries || (refused && reply.queries.is_empty())
    }

    fn read(&self, message: &Message) -> DnsReply {
        let question = &self.message.queries[0];
        let metadata = &message.metadata;
        let mut reply = DnsReply {
            outcome: QueryOutcome::ServerFailure,
            rcode: Rcode(metadata.response_code.into()),
            flags: Flags {
                authoritative: metadata.authoritative,
                recursion_available: metadata.recursion_available,
                truncated: metadata.truncation,
                referral: refers(message),
            },
            chain: [text(question.name())].as_slice().into(),
            addresses: Vec::new(),
            ignored_owner: None,
            ttl: None,
            longest_ttl: None,
            soa: None,
            srv: Vec::new(),
            extended_errors: extended_errors(message),
            detail: None,
        };
        let answered = match metadata.response_code {
            ResponseCode::NoError => QueryOutcome::Nodata,
            ResponseCode::NXDomain => QueryOutcome::Nxdomain,
            _ => return reply,
        };
        match walk(question.name(), &message.answers) {
            Ok(chain) => {
                let last = &chain[chain.len() - 1];
                reply.chain = chain.iter().map(text).collect();
                let read = read_in_order(question, &message.answers);
                // Stub resolvers go by the RCODE: an address that comes with NXDOMAIN reaches no application.
                if answered != QueryOutcome::Nxdomain {
                    reply.addresses = read.addresses;
                }
                reply.ignored_owner = read.ignored_owner;
                reply.srv = srv(&chain, &message.answers);
                let ttls = in_chain(&chain, &message.answers).map(|record| record.ttl);
                reply.ttl = ttls.clone().min();
                reply.longest_ttl = ttls.max();
                reply.soa = soa(last, &message.answers).or_else(|| soa(last, &message.authorities));
                reply.outcome = if !reply.addresses.is_empty() {
                    QueryOutcome::Answer
                } else if answered == QueryOutcome::Nodata && reply.ignored_owner.is_some() {
                    QueryOutcome::Invalid
                } else {
                    answered
                };
            }
            Err(error) => {
                reply.outcome = QueryOutcome::Invalid;
                reply.detail = Some(error.to_string());
            }
        }
        reply
    }
}

/// The names from `first` along the CNAMEs of `answers`, whatever order they come in.
fn walk(first: &Name, answers: &[Record]) -> Result<Vec<Name>, ChainError> {
    let mut chain = vec![first.clone()];
    loop {
        let last = &chain[chain.len() - 1];
        let mut targets = answers.iter().filter_map(|record| match &record.data {
            RData::CNAME(target) if record.name == *last => Some(&target.0),
            _ => None,
        });
        let Some(next) = targets.next() else {
            return Ok(chain);
        };
        if targets.any(|other| other != next) {
            return Err(ChainError::Several(text(last)));
        }
        if chain.contains(next) {
            return Err(ChainError::Loop(text(next)));
        }
        if chain.len() > MAX_CHAIN {
            return Err(ChainError::TooLong);
        }
        chain.push(next.clone());
    }
}

/// The addresses of an answer, as stub resolvers read them.
#[derive(Default)]
struct ReadInOrder {
    addresses: Vec<(IpAddr, u32)>,
    ignored_owner: Option<String>,
}

/// Reads `answers` once, from the first record to the last, as glibc does (`getanswer_r`): each CNAME
/// names the owner of what follows, and an address record of another owner is ignored. So it is where
/// an address comes before the CNAME that leads to it. A CNAME of another owner, which glibc follows,
/// is that of a rewrite without its answer half; resolvers that check owners do not.
fn read_in_order(question: &Query, answers: &[Record]) -> ReadInOrder {
    let mut read = ReadInOrder::default();
    let mut expected = question.name();
    let mut known = HashSet::new();
    for record in answers {
        let ip = match (&record.data, question.query_type()) {
            (RData::CNAME(target), _) => {
                if record.name == *expected {
                    expected = &target.0;
                }
                continue;
            }
            (RData::A(a), RecordType::A) => IpAddr::V4(a.0),
            (RData::AAAA(aaaa), RecordType::AAAA) => IpAddr::V6(aaaa.0),
            _ => continue,
        };
        if record.name != *expected {
            read.ignored_owner.get_or_insert_with(|| text(&record.name));
        } else if record.dns_class == DNSClass::IN && known.insert(ip) {
            read.addresses.push((ip, record.ttl));
        }
    }
    read
}

fn in_chain<'a>(
    chain: &'a [Name],
    answers: &'a [Record],
) -> impl Iterator<Item = &'a Record> + Clone {
    answers.iter().filter(|record| chain.contains(&record.name))
}

/// The hosts of the SRV records among `answers`, the first [`MAX_SRV`] of them.
fn srv(chain: &[Name], answers: &[Record]) -> Vec<(String, u16)> {
    let hosts = in_chain(chain, answers).filter_map(|record| match &record.data {
        RData::SRV(srv) => Some((text(&srv.target), srv.port)),
        _ => None,
    });
    hosts.take(MAX_SRV).collect()
}

/// The SOA among `records`: of several the one of the zone that `name` lies deepest in.
fn soa(name: &Name, records: &[Record]) -> Option<Soa> {
    let depth = |owner: &Name| owner.zone_of(name).then(|| owner.num_labels());
    let found = records
        .iter()
        .rev()
        .filter_map(|record| match &record.data {
            RData::SOA(soa) => Some((depth(&record.name), &record.name, soa)),
            _ => None,
        });
    let (_, owner, soa) = found.max_by_key(|(depth, ..)| *depth)?;
    Some(Soa {
        owner: text(owner),
        mname: text(&soa.mname),
        rname: text(&soa.rname),
    })
}

/// Whether the server only names others to ask: NOERROR, no answer, and name servers in its place
/// (RFC 1034 section 4.3.2).
fn refers(message: &Message) -> bool {
    let of_kind = |kind| {
        let mut records = message.authorities.iter();
        records.any(|record| record.record_type() == kind)
    };
    message.metadata.response_code == ResponseCode::NoError
        && !message.metadata.authoritative
        && message.answers.is_empty()
        && of_kind(RecordType::NS)
        && !of_kind(RecordType::SOA)
}

/// The message in `bytes`. Its additional section, in which nothing of ours is but the extended
/// errors, is left out where it alone cannot be read: stub resolvers never look at it.
fn parse(bytes: &[u8]) -> Result<Message, DecodeError> {
    Message::from_vec(bytes).or_else(|error| {
        let mut without = bytes.to_vec();
        match without.get_mut(10..12) {
            Some(count) if count != [0, 0] => count.fill(0),
            _ => return Err(error),
        }
        Message::from_vec(&without).map_err(|_| error)
    })
}

fn extended_errors(message: &Message) -> Vec<u16> {
    let options = message
        .edns
        .iter()
        .flat_map(|edns| edns.options().options.iter());
    options
        .filter_map(|(code, option)| match (code, option) {
            (EdnsCode::Unknown(EXTENDED_ERROR), EdnsOption::Unknown(_, data)) => {
                Some(u16::from_be_bytes([*data.first()?, *data.get(1)?]))
            }
            _ => None,
        })
        .collect()
}

/// A name from the wire as text: normalised, octets that are no letters escaped.
fn text(name: &Name) -> String {
    normalised(&name.to_ascii())
}

#[cfg(test)]
mod tests;
