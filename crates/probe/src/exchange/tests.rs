//! Exchanges with servers that are scripted answer by answer, on real sockets.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use privatelink_verdict::observation::{QueryOutcome, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::time::{Instant, sleep};

use super::{Exchange, ExchangeResult};
use crate::nameserver::Nameservers;
use crate::rate_limit::DnsBudget;

/// What a scripted server does with one question.
#[derive(Clone, Copy)]
enum Step {
    Silence,
    Answer,
    Truncate,
    Say(ResponseCode),
    /// FORMERR to a question with EDNS, an answer to one without.
    RefuseEdns,
}

/// A server that takes one step for each question, after a wait of milliseconds, and repeats the last; over TCP it
/// always answers.
async fn server(steps: &[(u64, Step)]) -> SocketAddr {
    let (udp, tcp) = same_port().await;
    let address = udp.local_addr().expect("an address");
    let steps = steps.to_vec();
    let udp = std::sync::Arc::new(udp);
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        for number in 0.. {
            let Ok((length, from)) = udp.recv_from(&mut buffer).await else {
                return;
            };
            let (wait, step) = steps[number.min(steps.len() - 1)];
            let question = Message::from_vec(&buffer[..length]).expect("a question");
            let udp = std::sync::Arc::clone(&udp);
            tokio::spawn(async move {
                sleep(Duration::from_millis(wait)).await;
                if let Some(reply) = reply(question, step) {
                    let _ = udp.send_to(&reply.to_vec().expect("a reply"), from).await;
                }
            });
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let length = stream.read_u16().await.unwrap_or(0);
            let mut frame = vec![0; length.into()];
            if stream.read_exact(&mut frame).await.is_err() {
                continue;
            }
            let question = Message::from_vec(&frame).expect("a question");
            let bytes = reply(question, Step::Answer).and_then(|reply| reply.to_vec().ok());
            let bytes = bytes.expect("a reply");
            let length = u16::try_from(bytes.len()).expect("a short reply");
            let _ = stream
                .write_all(&[&length.to_be_bytes()[..], &bytes].concat())
                .await;
        }
    });
    address
}

/// A port that is free for UDP and TCP: what is free for one may be taken for the other.
async fn same_port() -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().expect("an address")).await {
            return (udp, tcp);
        }
    }
    panic!("no port is free for UDP and TCP");
}

fn reply(mut question: Message, step: Step) -> Option<Message> {
    let had_edns = question.edns.take().is_some();
    let name = question.queries[0].name().clone();
    question.metadata.message_type = MessageType::Response;
    match step {
        Step::Silence => return None,
        Step::Truncate => question.metadata.truncation = true,
        Step::Say(code) => question.metadata.response_code = code,
        Step::RefuseEdns if had_edns => question.metadata.response_code = ResponseCode::FormErr,
        Step::Answer | Step::RefuseEdns => {
            let address = RData::A(A([10, 1, 2, 3].into()));
            question.answers.push(Record::from_rdata(name, 10, address));
        }
    }
    Some(question)
}

/// Asks `servers` within `millis`, two rounds, as a resolv.conf without options would have it.
async fn asked(servers: &[SocketAddr], edns: bool, millis: u64) -> ExchangeResult {
    let nameservers = Nameservers {
        servers: servers.to_vec(),
        edns,
        ..Nameservers::default()
    };
    let name = Name::from_ascii("kv.vault.azure.net.").expect("a name");
    let ask = Exchange {
        name: &name,
        kind: RecordType::A,
        edns,
        nameservers: &nameservers,
        deadline: Instant::now() + Duration::from_millis(millis),
        budget: DnsBudget::plenty(),
    };
    ask.run().await
}

#[tokio::test]
async fn an_answer_that_comes_after_its_try_was_given_up_still_counts() {
    let slow = server(&[(700, Step::Answer), (0, Step::Silence)]).await;
    let exchanged = asked(&[slow], false, 1000).await;
    assert_eq!(exchanged.outcome, QueryOutcome::Answer);
    assert_eq!(exchanged.tries, 2);
    assert!(exchanged.degraded);
}

/// A server that sends `count` datagrams with another id before the answer to each question.
async fn flooding(count: u16) -> SocketAddr {
    let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let address = udp.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
            let question = Message::from_vec(&buffer[..length]).expect("a question");
            let id = question.metadata.id;
            let mut answer = reply(question, Step::Answer).expect("an answer");
            for other in (1..=count).map(|n| id.wrapping_add(n)).chain([id]) {
                answer.metadata.id = other;
                let _ = udp.send_to(&answer.to_vec().expect("a reply"), from).await;
            }
        }
    });
    address
}

#[tokio::test]
async fn a_few_answers_to_other_questions_are_passed_over() {
    let exchanged = asked(&[flooding(15).await], false, 1000).await;
    assert_eq!(exchanged.outcome, QueryOutcome::Answer);
}

#[tokio::test]
async fn a_server_that_floods_the_socket_is_given_up_at_once() {
    let exchanged = asked(&[flooding(200).await], false, 10_000).await;
    assert_eq!(
        (exchanged.outcome, exchanged.tries),
        (QueryOutcome::Invalid, 2)
    );
    assert!(exchanged.elapsed < Duration::from_secs(2), "{exchanged:?}");
    let detail = exchanged.detail.expect("a detail");
    assert!(detail.contains("one datagram after another"), "{detail}");
}

#[tokio::test]
async fn a_late_truncated_answer_is_still_fetched_over_tcp() {
    let slow = server(&[(700, Step::Truncate), (0, Step::Silence)]).await;
    let exchanged = asked(&[slow], false, 1000).await;
    assert_eq!(
        (exchanged.outcome, exchanged.transport),
        (QueryOutcome::Answer, Transport::Tcp)
    );
}

#[tokio::test]
async fn a_server_that_fails_is_left_for_the_next_at_once() {
    for code in [
        ResponseCode::ServFail,
        ResponseCode::Refused,
        ResponseCode::NotImp,
    ] {
        let failing = server(&[(0, Step::Say(code))]).await;
        let well = server(&[(0, Step::Answer)]).await;
        let exchanged = asked(&[failing, well], false, 2000).await;
        assert_eq!(
            (exchanged.server, exchanged.tries),
            (Some(well), 2),
            "{code}"
        );
        assert!(
            exchanged.elapsed < Duration::from_millis(400),
            "{:?}",
            exchanged.elapsed
        );
    }
}

#[tokio::test]
async fn nxdomain_is_an_answer_and_nobody_else_is_asked() {
    let negative = server(&[(0, Step::Say(ResponseCode::NXDomain))]).await;
    let well = server(&[(0, Step::Answer)]).await;
    let exchanged = asked(&[negative, well], false, 2000).await;
    assert_eq!(
        (exchanged.outcome, exchanged.tries),
        (QueryOutcome::Nxdomain, 1)
    );
    assert!(!exchanged.degraded);
}

#[tokio::test]
async fn a_server_that_refuses_edns_is_asked_without_and_that_is_degraded() {
    let old = server(&[(0, Step::RefuseEdns)]).await;
    let exchanged = asked(&[old], true, 2000).await;
    assert_eq!(
        (exchanged.outcome, exchanged.tries),
        (QueryOutcome::Answer, 1)
    );
    assert!(exchanged.degraded);
    assert!(!asked(&[old], false, 2000).await.degraded);
}

/// Listens at a port and says the same to whatever comes.
async fn speaker(text: &'static [u8]) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let address = socket.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((_, from)) = socket.recv_from(&mut buffer).await {
            let _ = socket.send_to(text, from).await;
        }
    });
    address
}

#[tokio::test]
async fn what_is_no_dns_message_is_told_from_silence_unless_an_answer_comes() {
    let web = speaker(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let silent = server(&[(0, Step::Silence)]).await;
    let exchanged = asked(&[silent, web], false, 400).await;
    assert_eq!(
        (exchanged.outcome, exchanged.server),
        (QueryOutcome::Invalid, Some(web))
    );
    assert_eq!(
        exchanged.detail.as_deref(),
        Some("the answer cannot be read: it is no DNS message")
    );
    let empty = speaker(b"").await;
    let exchanged = asked(&[empty], false, 400).await;
    assert_eq!(exchanged.outcome, QueryOutcome::Timeout);
    let well = server(&[(0, Step::Answer)]).await;
    let exchanged = asked(&[web, well], false, 2000).await;
    assert_eq!(exchanged.outcome, QueryOutcome::Answer);
}

#[tokio::test]
async fn a_closed_port_is_told_from_silence_and_silence_ends_with_the_budget() {
    let silent = server(&[(0, Step::Silence)]).await;
    let started = Instant::now();
    let exchanged = asked(&[silent], false, 400).await;
    assert_eq!(exchanged.outcome, QueryOutcome::Timeout);
    assert!(
        started.elapsed() < Duration::from_millis(700),
        "{:?}",
        started.elapsed()
    );

    let closed = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let address = closed.local_addr().expect("an address");
    drop(closed);
    assert_eq!(
        asked(&[address], false, 400).await.outcome,
        QueryOutcome::Unreachable
    );
    // The one that came closer to an answer speaks for both.
    assert_eq!(
        asked(&[address, silent], false, 400).await.outcome,
        QueryOutcome::Timeout
    );
}
