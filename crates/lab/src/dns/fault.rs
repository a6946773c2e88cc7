//! Fault: a way in which a DNS server misbehaves, and for which questions.

use std::net::Ipv4Addr;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use privatelink_verdict::observation::Transport;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::answer::alias;

/// Which questions a server misbehaves for, and how. What is left out matches every question.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct FaultRule {
    /// A name, in which `*` stands for any text.
    name: Option<String>,
    #[serde(default, rename = "type", deserialize_with = "record_type")]
    kind: Option<RecordType>,
    #[serde(default, deserialize_with = "transport")]
    transport: Option<Transport>,
    /// Only questions with (or without) EDNS.
    edns: Option<bool>,
    /// Only the first `times` matching questions.
    times: Option<u64>,
    pub(crate) then: Fault,
}

/// What a server does instead of answering well. A new fault is a variant here, and an arm of
/// [`Fault::reply`] or [`Fault::change`].
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Fault {
    /// SERVFAIL with every section empty, as the next five.
    Servfail,
    /// REFUSED.
    Refused,
    /// NOTIMP.
    Notimp,
    /// FORMERR.
    Formerr,
    /// NXDOMAIN.
    Nxdomain,
    /// NOERROR.
    Empty,
    /// Only the first alias, without the SOA: a server that does not follow aliases.
    BareCname,
    /// TC and no answer, over UDP; TCP is answered well.
    Truncate,
    /// No reply; over TCP the connection stays open.
    Silence,
    /// TCP only: the connection is closed.
    Close,
    /// A message of no length.
    ZeroLength,
    /// Three bytes.
    Short,
    /// The first half; TCP announces the whole, and closes.
    Half,
    /// The right id, then noise.
    Garbage,
    /// The question, sent back.
    Echo,
    /// The answer with another id.
    WrongId,
    /// The answer with another name in its question section.
    WrongQuestion,
    /// The answer with an empty question section.
    NoQuestion,
    /// UDP only: the reply comes from another port.
    OtherSource,
    /// An alias that leads back to the question.
    CnameLoop,
    /// This many aliases, then 127.0.1.1.
    LongChain(u16),
    /// A name whose compression pointer points to itself.
    CompressionLoop,
    /// This many addresses in 127.0.1.0/24.
    ManyAddresses(u16),
    /// The answer, in which the asked name's records are owned by this name: a rewrite that turns the
    /// question and not the answer.
    OwnedBy(String),
    /// The answer, in which the aliases come after the addresses.
    CnameLast,
    /// The answer, later.
    Delay(
        #[serde(
            deserialize_with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required::deserialize"
        )]
        Duration,
    ),
    /// The answer, with this extended error (RFC 8914) where the question has EDNS.
    Ede(u16),
}

/// What is sent to the client, and after which delay.
#[derive(Debug)]
pub(crate) struct FaultyReply {
    pub(crate) delay: Duration,
    pub(crate) action: Action,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Action {
    Send(Vec<u8>),
    SendHalf(Vec<u8>),
    SendFromOtherPort(Vec<u8>),
    Nothing,
    Close,
}

impl FaultRule {
    /// Whether the rule matches this question, after it has matched `used` questions before.
    pub(crate) fn matches(
        &self,
        name: &Name,
        kind: RecordType,
        transport: Transport,
        edns: bool,
        used: u64,
    ) -> bool {
        let named = self.name.as_deref().is_none_or(|pattern| {
            let name = name.to_lowercase().to_ascii();
            glob(
                &pattern.trim_end_matches('.').to_lowercase(),
                name.trim_end_matches('.'),
            )
        });
        let applicable = match self.then {
            Fault::Truncate | Fault::OtherSource => transport == Transport::Udp,
            Fault::Close => transport == Transport::Tcp,
            _ => true,
        };
        named
            && applicable
            && self.kind.is_none_or(|wanted| wanted == kind)
            && self.transport.is_none_or(|wanted| wanted == transport)
            && self.edns.is_none_or(|wanted| wanted == edns)
            && self.times.is_none_or(|times| used < times)
    }
}

impl Fault {
    /// The reply to `query` that this fault makes of the good `answer`. `encode` writes a message
    /// within the limits of the transport.
    pub(crate) fn reply(
        &self,
        query: &Message,
        answer: Message,
        encode: impl Fn(Message) -> Vec<u8>,
    ) -> FaultyReply {
        let id = answer.metadata.id.to_be_bytes();
        let message = self.change(query, answer);
        let action = match self {
            Self::Silence => Action::Nothing,
            Self::Close => Action::Close,
            Self::ZeroLength => Action::Send(Vec::new()),
            Self::Short => Action::Send([&id[..], &[0x81]].concat()),
            Self::Garbage => {
                let noise = (0..40u8).map(|n| n.wrapping_mul(97) ^ 0xff);
                Action::Send(id.into_iter().chain(noise).collect())
            }
            Self::CompressionLoop => Action::Send(compression_loop(&message)),
            Self::Half => Action::SendHalf(encode(message)),
            Self::OtherSource => Action::SendFromOtherPort(encode(message)),
            _ => Action::Send(encode(message)),
        };
        let delay = match self {
            Self::Delay(length) => *length,
            _ => Duration::ZERO,
        };
        FaultyReply { delay, action }
    }

    /// The message that is sent in place of `answer`.
    fn change(&self, query: &Message, mut answer: Message) -> Message {
        match self {
            Self::Servfail => return bare(answer, ResponseCode::ServFail),
            Self::Refused => return bare(answer, ResponseCode::Refused),
            Self::Notimp => return bare(answer, ResponseCode::NotImp),
            Self::Formerr => return bare(answer, ResponseCode::FormErr),
            Self::Nxdomain => return bare(answer, ResponseCode::NXDomain),
            Self::Empty => return bare(answer, ResponseCode::NoError),
            Self::BareCname => {
                let mut aliases = answer.answers.iter();
                let first = aliases.find(|record| record.record_type() == RecordType::CNAME);
                let first = first.cloned();
                answer = bare(answer, ResponseCode::NoError);
                answer.answers.extend(first);
            }
            Self::Truncate => {
                answer = bare(answer, ResponseCode::NoError);
                answer.metadata.truncation = true;
            }
            Self::Echo => {
                answer = query.clone();
                answer.metadata.message_type = MessageType::Query;
            }
            Self::WrongId => answer.metadata.id = answer.metadata.id.wrapping_add(1),
            Self::WrongQuestion => {
                for question in &mut answer.queries {
                    question.name = below("another", &question.name);
                }
            }
            Self::NoQuestion => answer.queries.clear(),
            Self::CnameLoop => {
                let asked = asked(query);
                let other = below("loop", &asked);
                answer = bare(answer, ResponseCode::NoError);
                answer.answers = vec![alias(&asked, other.clone()), alias(&other, asked)];
            }
            Self::LongChain(hops) => {
                answer = bare(answer, ResponseCode::NoError);
                answer.answers = long_chain(&asked(query), *hops);
            }
            Self::ManyAddresses(count) => {
                answer = bare(answer, ResponseCode::NoError);
                answer.answers = many_addresses(&asked(query), *count);
            }
            Self::CnameLast => answer
                .answers
                .sort_by_key(|record| record.record_type() == RecordType::CNAME),
            Self::OwnedBy(owner) => {
                let (asked, owner) = (asked(query), Name::from_ascii(owner).unwrap_or_default());
                for record in &mut answer.answers {
                    if record.name == asked {
                        record.name.clone_from(&owner);
                    }
                }
            }
            Self::Ede(code) => {
                if let Some(edns) = &mut answer.edns {
                    let option = EdnsOption::Unknown(15, code.to_be_bytes().to_vec());
                    edns.options_mut().insert(option);
                }
            }
            Self::Silence
            | Self::Close
            | Self::ZeroLength
            | Self::Short
            | Self::Half
            | Self::Garbage
            | Self::OtherSource
            | Self::CompressionLoop
            | Self::Delay(_) => {}
        }
        answer
    }
}

/// `answer` with `code` and nothing in its sections.
fn bare(mut answer: Message, code: ResponseCode) -> Message {
    answer.metadata.response_code = code;
    answer.answers.clear();
    answer.authorities.clear();
    answer
}

/// The name that `query` asks for.
fn asked(query: &Message) -> Name {
    query
        .queries
        .first()
        .map_or_else(Name::root, |question| question.name.clone())
}

/// `name` with one more label, or `name` itself where that would be too long.
fn below(label: &str, name: &Name) -> Name {
    name.prepend_label(label).unwrap_or_else(|_| name.clone())
}

fn address(name: Name, ip: Ipv4Addr) -> Record {
    Record::from_rdata(name, 60, RData::A(A(ip)))
}

fn long_chain(asked: &Name, hops: u16) -> Vec<Record> {
    let mut records = Vec::new();
    let mut last = asked.clone();
    for hop in 1..=hops {
        let next = below(&format!("hop{hop}"), asked);
        records.push(alias(&last, next.clone()));
        last = next;
    }
    records.push(address(last, Ipv4Addr::new(127, 0, 1, 1)));
    records
}

fn many_addresses(asked: &Name, count: u16) -> Vec<Record> {
    (1..=count)
        .map(|n| u8::try_from(n % 255).unwrap_or_default())
        .map(|n| address(asked.clone(), Ipv4Addr::new(127, 0, 1, n)))
        .collect()
}

/// The question, and one answer whose name is a pointer to itself (RFC 1035 section 4.1.4).
fn compression_loop(answer: &Message) -> Vec<u8> {
    let mut question = bare(answer.clone(), ResponseCode::NoError);
    question.edns = None;
    let mut bytes = question.to_vec().unwrap_or_default();
    let Some(ancount) = bytes.get_mut(6..8) else {
        return bytes;
    };
    ancount.copy_from_slice(&[0, 1]);
    let here = u16::try_from(bytes.len()).unwrap_or_default() | 0xc000;
    bytes.extend(here.to_be_bytes());
    // Type A, class IN, 60 seconds, four bytes of address.
    bytes.extend([0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 1, 1]);
    bytes
}

fn record_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RecordType>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let known = text.parse().map(Some);
    known
        .map_err(|_| D::Error::custom(format!("`{text}` is no record type such as A, AAAA or SOA")))
}

fn transport<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Transport>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let known = Transport::ALL.iter().find(|it| it.as_str() == text);
    known.map_or_else(
        || {
            Err(D::Error::custom(format!(
                "`{text}` is neither `udp` nor `tcp`"
            )))
        },
        |transport| Ok(Some(*transport)),
    )
}

/// Whether `text` is `pattern`, where every `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len())
                .filter_map(|start| rest.get(start..))
                .any(|rest| glob(after, rest))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(glob("*", ""));
        assert!(glob("*.vault.azure.net", "kv.vault.azure.net"));
        assert!(glob("kv*net", "kv.vault.azure.net"));
        assert!(glob("*.*.net", "a.b.net"));
        assert!(!glob("*.vault.azure.net", "vault.azure.net"));
        assert!(!glob("kv", "kv2"));
        assert!(!glob("*.*.net", "b.net"));
    }

    #[test]
    fn a_rule_matches_only_what_it_names() {
        let rule: FaultRule = serde_saphyr::from_str(
            "{name: KV.test., type: AAAA, transport: udp, edns: false, times: 2, then: servfail}",
        )
        .expect("a rule");
        let kv = Name::from_ascii("kv.test.").expect("a name");
        let other = Name::from_ascii("kv2.test.").expect("a name");
        let (aaaa, udp) = (RecordType::AAAA, Transport::Udp);
        assert!(rule.matches(&kv, aaaa, udp, false, 1));
        assert!(!rule.matches(&other, aaaa, udp, false, 0));
        assert!(!rule.matches(&kv, RecordType::A, udp, false, 0));
        assert!(!rule.matches(&kv, aaaa, Transport::Tcp, false, 0));
        assert!(!rule.matches(&kv, aaaa, udp, true, 0));
        assert!(!rule.matches(&kv, aaaa, udp, false, 2));
    }

    #[test]
    fn a_rule_with_an_unknown_word_is_refused() {
        let error = serde_saphyr::from_str::<FaultRule>("{then: explode}").expect_err("no fault");
        assert!(error.to_string().contains("explode"), "{error}");
        let error =
            serde_saphyr::from_str::<FaultRule>("{typ: A, then: empty}").expect_err("no field");
        assert!(error.to_string().contains("typ"), "{error}");
    }
}
