//! Recursor: a recursive DNS server without its ports: what it replies to a message, faults included.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use privatelink_verdict::observation::Transport;

use super::answer::{NegativeSoa, answer};
use super::fault::{Action, FaultRule, FaultyReply};
use super::records::{RecordLine, RecordName, Records};
use super::sequence::Sequence;
use super::server::Server;

/// A running server: what it knows, and what it was asked. Clones are the same server.
#[derive(Clone, Debug)]
pub(crate) struct Recursor {
    soa: NegativeSoa,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    records: Records,
    sequences: Vec<(RecordName, Sequence)>,
    /// Each with how many questions it has matched.
    faults: Vec<(FaultRule, u64)>,
    questions: u64,
    /// How often each name was asked for, at most [`MOST_NAMES`] of them.
    names: BTreeMap<String, u64>,
}

/// Names counted: far more than any probe asks for.
const MOST_NAMES: usize = 10_000;

/// What a server may send over UDP to a question without EDNS (RFC 1035 section 4.2.1).
const PLAIN_UDP_LIMIT: u16 = 512;

impl Recursor {
    pub(crate) fn new(server: &Server) -> Self {
        let sequences = server.sequences.iter();
        let sequences =
            sequences.map(|(name, phases)| (name.clone(), Sequence::new(phases.clone())));
        Self {
            soa: server.soa,
            state: Arc::new(Mutex::new(State {
                records: server.records.iter().collect(),
                sequences: sequences.collect(),
                faults: server.faults.iter().map(|rule| (rule.clone(), 0)).collect(),
                questions: 0,
                names: BTreeMap::new(),
            })),
        }
    }

    /// The reply to `message`; `None` if it is no question.
    pub(crate) fn reply(&self, message: &[u8], transport: Transport) -> Option<FaultyReply> {
        let query = Message::from_vec(message).ok()?;
        if query.metadata.message_type != MessageType::Query {
            return None;
        }
        let question = query.queries.first()?;
        let (name, kind) = (&question.name, question.query_type);
        let edns = query.edns.is_some();
        let mut state = self.state();
        state.count(name);

        let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
        reply.metadata.recursion_desired = query.metadata.recursion_desired;
        reply.metadata.recursion_available = true;
        reply.queries.clone_from(&query.queries);
        if edns {
            reply.set_edns(Edns::new());
        }
        if query.metadata.op_code == OpCode::Query {
            let records = state.records_for(name, kind, edns);
            let answer = answer(&records, self.soa, name, kind);
            reply.metadata.response_code = answer.code;
            reply.answers = answer.answers;
            reply.authorities = answer.authorities;
        } else {
            reply.metadata.response_code = ResponseCode::NotImp;
        }

        let limit = match transport {
            Transport::Udp => query.edns.as_ref().map_or(PLAIN_UDP_LIMIT, |edns| {
                edns.max_payload().max(PLAIN_UDP_LIMIT)
            }),
            Transport::Tcp => u16::MAX,
        };
        let fault = state
            .faults
            .iter_mut()
            .find(|(rule, used)| rule.matches(name, kind, transport, edns, *used));
        Some(match fault {
            Some((rule, used)) => {
                *used += 1;
                rule.then
                    .reply(&query, reply, |message| encode(message, limit))
            }
            None => FaultyReply {
                delay: Duration::ZERO,
                action: Action::Send(encode(reply, limit)),
            },
        })
    }

    /// How many questions it was asked.
    pub(crate) fn questions(&self) -> u64 {
        self.state().questions
    }

    /// How often `name` was asked for, whatever the type; it is in lower case, without the trailing dot.
    pub(crate) fn questions_for(&self, name: &str) -> u64 {
        self.state().names.get(name).copied().unwrap_or_default()
    }

    /// From now on knows these records and no others; sequences and faults stay.
    pub(crate) fn set_records(&self, records: &[RecordLine]) {
        self.state().records = records.iter().collect();
    }

    /// From now on has these faults and no others.
    pub(crate) fn set_faults(&self, faults: Vec<FaultRule>) {
        self.state().faults = faults.into_iter().map(|rule| (rule, 0)).collect();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count(&mut self, name: &Name) {
        self.questions += 1;
        let name = name.to_lowercase().to_ascii();
        let name = name.trim_end_matches('.');
        if self.names.len() < MOST_NAMES || self.names.contains_key(name) {
            *self.names.entry(name.to_owned()).or_default() += 1;
        }
    }

    fn records_for(&mut self, name: &Name, kind: RecordType, edns: bool) -> Records {
        let sequence = self.sequences.iter_mut().find(|(of, _)| of.0 == *name);
        self.records.with(match sequence {
            Some((_, sequence)) => sequence.phase(kind, edns),
            None => &[],
        })
    }
}

/// `message` in bytes, or only its question and TC where those are more than `limit`.
fn encode(mut message: Message, limit: u16) -> Vec<u8> {
    let bytes = message.to_vec().unwrap_or_default();
    if bytes.len() <= usize::from(limit) {
        return bytes;
    }
    message.metadata.truncation = true;
    message.answers.clear();
    message.authorities.clear();
    message.to_vec().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recursor(yaml: &str) -> Recursor {
        let server: Server = serde_saphyr::from_str(yaml).expect("a server");
        Recursor::new(&server)
    }

    fn question(name: &str, kind: RecordType) -> Message {
        let mut message = Message::query();
        message.metadata.recursion_desired = true;
        let name = Name::from_ascii(name).expect("a name");
        message.add_query(hickory_proto::op::Query::query(name, kind));
        message
    }

    fn with_edns(mut message: Message) -> Message {
        message.set_edns(Edns::new());
        message
    }

    fn action(recursor: &Recursor, query: &Message, transport: Transport) -> Action {
        let query = query.to_vec().expect("bytes");
        recursor.reply(&query, transport).expect("a reply").action
    }

    fn ask(recursor: &Recursor, query: &Message, transport: Transport) -> Message {
        match action(recursor, query, transport) {
            Action::Send(bytes) => Message::from_vec(&bytes).expect("a message"),
            other => panic!("no message: {other:?}"),
        }
    }

    fn addresses(message: &Message) -> Vec<String> {
        let ips = message
            .answers
            .iter()
            .filter_map(|record| record.data.ip_addr());
        ips.map(|ip| ip.to_string()).collect()
    }

    #[test]
    fn an_answer_has_the_header_of_a_recursive_server() {
        let recursor = recursor("records: [a.test A 127.0.1.1]");
        let query = question("A.test.", RecordType::A);
        let reply = ask(&recursor, &query, Transport::Udp);
        assert_eq!(reply.metadata.id, query.metadata.id);
        assert!(reply.metadata.recursion_available && reply.metadata.recursion_desired);
        assert!(!reply.metadata.authoritative);
        assert_eq!(reply.queries, query.queries);
        assert_eq!(reply.edns, None);
        let reply = ask(&recursor, &with_edns(query), Transport::Udp);
        assert!(reply.edns.is_some());
    }

    #[test]
    fn what_exceeds_the_datagram_is_truncated_and_sent_over_tcp() {
        let recursor = recursor("{faults: [{then: {manyAddresses: 200}}]}");
        let query = question("many.test.", RecordType::A);
        let udp = ask(&recursor, &query, Transport::Udp);
        assert!(udp.metadata.truncation);
        assert_eq!(udp.answers, []);
        let tcp = ask(&recursor, &query, Transport::Tcp);
        assert!(!tcp.metadata.truncation);
        assert_eq!(tcp.answers.len(), 200);
        assert_eq!(
            addresses(&tcp).first().map(String::as_str),
            Some("127.0.1.1")
        );
    }

    #[test]
    fn a_probe_sees_one_phase_of_a_sequence_in_either_order() {
        let recursor = recursor(
            "sequences: {f.test: [[f.test A 127.0.1.1, 'f.test AAAA ::1'], [f.test A 127.0.2.1]]}",
        );
        let see = |kind| addresses(&ask(&recursor, &question("f.test.", kind), Transport::Udp));
        let (a, aaaa) = (RecordType::A, RecordType::AAAA);
        let private = (vec!["127.0.1.1".to_owned()], vec!["::1".to_owned()]);
        let public = (vec!["127.0.2.1".to_owned()], vec![]);
        assert_eq!((see(a), see(aaaa)), private);
        let six = see(aaaa);
        assert_eq!((see(a), six), public);
        let evidence = with_edns(question("f.test.", a));
        assert_eq!(
            addresses(&ask(&recursor, &evidence, Transport::Udp)),
            public.0
        );
        let six = see(aaaa);
        assert_eq!((see(a), six), private);
        assert_eq!((see(a), see(aaaa)), public);
    }

    #[test]
    fn a_fault_limited_in_times_ends() {
        let recursor =
            recursor("{records: [a.test A 127.0.1.1], faults: [{times: 1, then: servfail}]}");
        let query = question("a.test.", RecordType::A);
        let code = |message: Message| message.metadata.response_code;
        assert_eq!(
            code(ask(&recursor, &query, Transport::Udp)),
            ResponseCode::ServFail
        );
        assert_eq!(
            code(ask(&recursor, &query, Transport::Udp)),
            ResponseCode::NoError
        );
    }

    #[test]
    fn every_fault_does_what_its_name_says() {
        let faulty = |fault: &str| {
            recursor(&format!(
                "{{records: [a.test CNAME b.test, b.test A 127.0.1.1], faults: [{{then: {fault}}}]}}"
            ))
        };
        let query = with_edns(question("a.test.", RecordType::A));
        let reply = |fault| ask(&faulty(fault), &query, Transport::Udp);
        let action_of = |fault, transport| action(&faulty(fault), &query, transport);

        assert_eq!(
            reply("refused").metadata.response_code,
            ResponseCode::Refused
        );
        assert_eq!(reply("notimp").metadata.response_code, ResponseCode::NotImp);
        assert_eq!(
            reply("formerr").metadata.response_code,
            ResponseCode::FormErr
        );
        assert_eq!(
            reply("nxdomain").metadata.response_code,
            ResponseCode::NXDomain
        );
        assert_eq!(reply("empty").answers, []);
        assert_eq!(reply("bareCname").answers.len(), 1);
        assert_eq!(reply("bareCname").authorities, []);
        assert!(reply("truncate").metadata.truncation);
        assert_eq!(
            ask(&faulty("truncate"), &query, Transport::Tcp)
                .answers
                .len(),
            2
        );
        assert_ne!(reply("wrongId").metadata.id, query.metadata.id);
        assert_ne!(reply("wrongQuestion").queries, query.queries);
        assert_eq!(reply("noQuestion").queries, []);
        assert_eq!(reply("echo").metadata.message_type, MessageType::Query);
        assert_eq!(reply("cnameLoop").answers.len(), 2);
        assert_eq!(
            ask(&faulty("{longChain: 40}"), &query, Transport::Tcp)
                .answers
                .len(),
            41
        );
        let ede = reply("{ede: 3}")
            .edns
            .expect("EDNS")
            .option(15.into())
            .cloned();
        let stale = hickory_proto::rr::rdata::opt::EdnsOption::Unknown(15, vec![0, 3]);
        assert_eq!(ede, Some(stale));

        assert_eq!(action_of("silence", Transport::Udp), Action::Nothing);
        assert_eq!(action_of("close", Transport::Tcp), Action::Close);
        assert!(
            matches!(action_of("close", Transport::Udp), Action::Send(bytes) if bytes.len() > 12)
        );
        assert_eq!(
            action_of("zeroLength", Transport::Tcp),
            Action::Send(vec![])
        );
        assert!(
            matches!(action_of("short", Transport::Udp), Action::Send(bytes) if bytes.len() == 3)
        );
        assert!(matches!(
            action_of("half", Transport::Tcp),
            Action::SendHalf(_)
        ));
        assert!(matches!(
            action_of("otherSource", Transport::Udp),
            Action::SendFromOtherPort(_)
        ));
        for fault in ["garbage", "compressionLoop"] {
            let Action::Send(bytes) = action_of(fault, Transport::Udp) else {
                panic!("{fault} sends nothing");
            };
            assert_eq!(bytes.get(..2), Some(&query.metadata.id.to_be_bytes()[..]));
            assert!(Message::from_vec(&bytes).is_err(), "{fault} can be read");
        }
    }

    #[test]
    fn a_delayed_answer_is_a_good_one() {
        let recursor =
            recursor("{records: [a.test A 127.0.1.1], faults: [{then: {delay: 300ms}}]}");
        let query = question("a.test.", RecordType::A).to_vec().expect("bytes");
        let reply = recursor.reply(&query, Transport::Udp).expect("a reply");
        assert_eq!(reply.delay, Duration::from_millis(300));
        assert!(matches!(reply.action, Action::Send(_)));
    }

    #[test]
    fn questions_are_counted_and_records_can_change() {
        let recursor = recursor("records: [a.test A 127.0.1.1]");
        let query = question("A.test.", RecordType::A);
        ask(&recursor, &query, Transport::Udp);
        let records = [RecordLine::try_from("a.test A 127.0.2.1".to_owned()).expect("a record")];
        recursor.set_records(&records);
        assert_eq!(
            addresses(&ask(&recursor, &query, Transport::Udp)),
            ["127.0.2.1"]
        );
        assert_eq!(recursor.questions_for("a.test"), 2);
        assert_eq!(recursor.questions_for("b.test"), 0);
        assert_eq!(recursor.questions(), 2);
    }

    #[test]
    fn what_is_no_question_gets_no_reply() {
        let recursor = recursor("{}");
        assert!(recursor.reply(b"", Transport::Udp).is_none());
        assert!(recursor.reply(b"GET / HTTP/1.1", Transport::Udp).is_none());
        let response = Message::response(1, OpCode::Query).to_vec().expect("bytes");
        assert!(recursor.reply(&response, Transport::Udp).is_none());
    }
}
