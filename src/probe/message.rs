//! Message: one DNS question on the wire, and the facts of the message that answers it.

use std::net::IpAddr;

use hickory_proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use privatelink_verdict::name::normalised;
use privatelink_verdict::observation::{Flags, QueryOutcome, Rcode, Soa};

/// CNAMEs that are followed in one answer; recursive servers follow fewer.
pub(super) const MAX_CHAIN: usize = 16;

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
    /// For somebody else, or forged: wait on.
    Foreign,
    /// It carries our id, and cannot be read.
    Malformed(String),
    /// The reply.
    Reply(Box<Reply>),
}

/// The facts of a reply.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reply {
    /// What it amounts to.
    pub outcome: QueryOutcome,
    /// Its RCODE, EDNS bits included.
    pub rcode: Rcode,
    /// Its header bits.
    pub flags: Flags,
    /// The names of the answer, the one asked for first.
    pub chain: Vec<String>,
    /// The addresses of the last name, with their TTLs.
    pub addresses: Vec<(IpAddr, u32)>,
    /// The smallest TTL of the answer.
    pub ttl: Option<u32>,
    /// The largest TTL of the answer.
    pub longest_ttl: Option<u32>,
    /// The SOA, of the answer where it was asked for, else of the authority section.
    pub soa: Option<Soa>,
    /// Extended DNS errors.
    pub extended_errors: Vec<u16>,
    /// Why the outcome is `invalid`.
    pub detail: Option<String>,
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
    pub(super) fn wire(&self) -> Result<Vec<u8>, String> {
        self.message.to_vec().map_err(|error| error.to_string())
    }

    /// Whether it asks with EDNS.
    pub(super) fn has_edns(&self) -> bool {
        self.message.edns.is_some()
    }

    /// What `bytes`, received from the server, are to this question.
    pub(super) fn receive(&self, bytes: &[u8]) -> Received {
        match bytes {
            [high, low, ..] if u16::from_be_bytes([*high, *low]) == self.message.metadata.id => {}
            _ => return Received::Foreign,
        }
        let message = match Message::from_vec(bytes) {
            Ok(message) => message,
            Err(error) => return Received::Malformed(error.to_string()),
        };
        if message.metadata.message_type != MessageType::Response || !self.is_asked_by(&message) {
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

    fn read(&self, message: &Message) -> Reply {
        let question = &self.message.queries[0];
        let metadata = &message.metadata;
        let mut reply = Reply {
            outcome: QueryOutcome::ServerFailure,
            rcode: Rcode(metadata.response_code.into()),
            flags: Flags {
                authoritative: metadata.authoritative,
                recursion_available: metadata.recursion_available,
                truncated: metadata.truncation,
            },
            chain: vec![text(question.name())],
            addresses: Vec::new(),
            ttl: None,
            longest_ttl: None,
            soa: None,
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
                reply.addresses = addresses(last, question.query_type(), &message.answers);
                let ttls = in_chain(&chain, &message.answers).map(|record| record.ttl);
                reply.ttl = ttls.clone().min();
                reply.longest_ttl = ttls.max();
                reply.soa = soa(&message.answers).or_else(|| soa(&message.authorities));
                reply.outcome = if reply.addresses.is_empty() {
                    answered
                } else {
                    QueryOutcome::Answer
                };
            }
            Err(detail) => {
                reply.outcome = QueryOutcome::Invalid;
                reply.detail = Some(detail);
            }
        }
        reply
    }
}

/// The names from `first` along the CNAMEs of `answers`, whatever order they come in.
fn walk(first: &Name, answers: &[Record]) -> Result<Vec<Name>, String> {
    let mut chain = vec![first.clone()];
    loop {
        let last = &chain[chain.len() - 1];
        let next = answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == *last => Some(&target.0),
            _ => None,
        });
        let Some(next) = next else { return Ok(chain) };
        if chain.contains(next) {
            return Err(format!("the aliases loop at {}", text(next)));
        }
        if chain.len() > MAX_CHAIN {
            return Err(format!("the chain has more than {MAX_CHAIN} aliases"));
        }
        chain.push(next.clone());
    }
}

fn addresses(name: &Name, kind: RecordType, answers: &[Record]) -> Vec<(IpAddr, u32)> {
    let mut found: Vec<(IpAddr, u32)> = Vec::new();
    for record in answers {
        let ip = match (&record.data, kind) {
            (RData::A(a), RecordType::A) => IpAddr::V4(a.0),
            (RData::AAAA(aaaa), RecordType::AAAA) => IpAddr::V6(aaaa.0),
            _ => continue,
        };
        let ours = record.name == *name && record.dns_class == DNSClass::IN;
        if ours && !found.iter().any(|(known, _)| *known == ip) {
            found.push((ip, record.ttl));
        }
    }
    found
}

fn in_chain<'a>(
    chain: &'a [Name],
    answers: &'a [Record],
) -> impl Iterator<Item = &'a Record> + Clone {
    answers.iter().filter(|record| chain.contains(&record.name))
}

fn soa(records: &[Record]) -> Option<Soa> {
    records.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(Soa {
            owner: text(&record.name),
            mname: text(&soa.mname),
            rname: text(&soa.rname),
        }),
        _ => None,
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
mod tests {
    use super::*;
    use hickory_proto::rr::rdata::{A, CNAME};
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).expect("a name")
    }

    fn question() -> Question {
        Question::new(&name("kv.vault.azure.net."), RecordType::A, false)
    }

    fn reply_to(question: &Question, answers: Vec<Record>) -> Message {
        let mut message = Message::response(
            question.message.metadata.id,
            hickory_proto::op::OpCode::Query,
        );
        message.add_queries(question.message.queries.clone());
        message.add_answers(answers);
        message
    }

    fn cname(from: &str, to: &str) -> Record {
        Record::from_rdata(name(from), 60, RData::CNAME(CNAME(name(to))))
    }

    fn a(from: &str, ip: [u8; 4], ttl: u32) -> Record {
        Record::from_rdata(name(from), ttl, RData::A(A(ip.into())))
    }

    fn received(question: &Question, message: &Message) -> Reply {
        match question.receive(&message.to_vec().expect("a message")) {
            Received::Reply(reply) => *reply,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_chain_is_followed_whatever_the_order_and_the_case_of_its_records() {
        let question = question();
        let reply = received(
            &question,
            &reply_to(
                &question,
                vec![
                    a("c.example.", [10, 1, 2, 3], 10),
                    cname("B.Example.", "c.example."),
                    cname("kv.vault.azure.net.", "b.example."),
                ],
            ),
        );
        assert_eq!(reply.outcome, QueryOutcome::Answer);
        assert_eq!(
            reply.chain,
            ["kv.vault.azure.net", "b.example", "c.example"]
        );
        assert_eq!(reply.addresses, [(IpAddr::from([10, 1, 2, 3]), 10)]);
        assert_eq!((reply.ttl, reply.longest_ttl), (Some(10), Some(60)));
    }

    #[test]
    fn addresses_of_other_names_do_not_count_and_duplicates_count_once() {
        let question = question();
        let reply = received(
            &question,
            &reply_to(
                &question,
                vec![
                    a("kv.vault.azure.net.", [10, 1, 2, 3], 10),
                    a("other.example.", [10, 9, 9, 9], 10),
                    a("kv.vault.azure.net.", [10, 1, 2, 3], 10),
                ],
            ),
        );
        assert_eq!(reply.addresses.len(), 1);
    }

    #[test]
    fn a_looping_or_endless_chain_is_invalid() {
        let question = question();
        let looping = vec![
            cname("kv.vault.azure.net.", "b.example."),
            cname("b.example.", "kv.vault.azure.net."),
        ];
        assert_eq!(
            received(&question, &reply_to(&question, looping)).outcome,
            QueryOutcome::Invalid
        );
        let long = (0..40).map(|n| match n {
            0 => cname("kv.vault.azure.net.", "n1.example."),
            n => cname(&format!("n{n}.example."), &format!("n{}.example.", n + 1)),
        });
        let reply = received(&question, &reply_to(&question, long.collect()));
        assert_eq!(
            reply.detail.as_deref(),
            Some("the chain has more than 16 aliases")
        );
    }

    #[test]
    fn a_message_with_another_id_or_question_is_foreign() {
        let question = question();
        let mut other = reply_to(&question, vec![]);
        other.metadata.id = question.message.metadata.id.wrapping_add(1);
        assert!(matches!(
            question.receive(&other.to_vec().expect("a message")),
            Received::Foreign
        ));
        let mut other = reply_to(&question, vec![]);
        other.queries[0].set_name(name("evil.example."));
        assert!(matches!(
            question.receive(&other.to_vec().expect("a message")),
            Received::Foreign
        ));
        assert!(matches!(question.receive(&[]), Received::Foreign));
    }

    #[test]
    fn a_refusal_may_leave_the_question_out_an_answer_may_not() {
        let question = question();
        let mut message = reply_to(&question, vec![]);
        message.queries.clear();
        assert!(matches!(
            question.receive(&message.to_vec().expect("a message")),
            Received::Foreign
        ));
        message.metadata.response_code = ResponseCode::FormErr;
        assert_eq!(received(&question, &message).rcode, Rcode(1));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_the_chain_stays_bounded(mut bytes: Vec<u8>) {
            let question = question();
            if let [high, low, ..] = bytes.as_mut_slice() {
                [*high, *low] = question.message.metadata.id.to_be_bytes();
            }
            if let Received::Reply(reply) = question.receive(&bytes) {
                prop_assert!(reply.chain.len() <= MAX_CHAIN + 1);
            }
        }

        #[test]
        fn any_permutation_of_a_chain_reads_the_same(order in Just((0..8usize).collect::<Vec<_>>()).prop_shuffle()) {
            let question = question();
            let mut records = vec![cname("kv.vault.azure.net.", "n1.example.")];
            records.extend((1..7).map(|n| cname(&format!("n{n}.example."), &format!("n{}.example.", n + 1))));
            records.push(a("n7.example.", [10, 0, 0, 1], 5));
            let shuffled = order.iter().map(|at| records[*at].clone()).collect();
            let reply = received(&question, &reply_to(&question, shuffled));
            prop_assert_eq!(reply.chain.len(), 8);
            prop_assert_eq!(reply.addresses.len(), 1);
        }
    }
}
