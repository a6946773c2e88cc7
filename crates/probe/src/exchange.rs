//! Exchange: one question put to the servers of a resolver until one of them answers.
//!
//! Sockets are connected, so that the kernel drops what comes from elsewhere and a closed port is
//! told apart from silence. A try that is given up keeps its socket: a late answer still counts.

mod failure;

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hickory_proto::rr::{Name, RecordType};
use privatelink_verdict::observation::{QueryOutcome, Rcode, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout_at};

use self::failure::Failure;
use super::message::{Question, Received, Reply};
use super::nameserver::Nameservers;
use super::rate_limit::RateLimit;

/// The largest datagram that is read; nothing that was not offered with EDNS comes near it.
const MAX_DATAGRAM: usize = 4096;

/// Frames of other questions that are passed over on one TCP connection.
const MAX_FOREIGN_FRAMES: usize = 4;

/// One question to a resolver.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask<'a> {
    /// The absolute name.
    pub name: &'a Name,
    /// The record type.
    pub kind: RecordType,
    /// Whether to begin with EDNS.
    pub edns: bool,
    /// Whom to ask.
    pub nameservers: &'a Nameservers,
    /// Until when.
    pub deadline: Instant,
    /// What counts the messages.
    pub rate_limit: &'a RateLimit,
}

/// How an exchange ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Exchanged {
    /// The deciding message; none where no usable one came.
    pub reply: Option<Reply>,
    /// The reply's outcome, or the best of the failed tries'.
    pub outcome: QueryOutcome,
    /// The RCODE behind a server failure.
    pub rcode: Option<Rcode>,
    /// The server that decided.
    pub server: Option<SocketAddr>,
    /// How the deciding message travelled.
    pub transport: Transport,
    /// Questions sent over UDP, EDNS retries not counted.
    pub tries: u32,
    /// Whether it was answered only after a try was lost, or without EDNS.
    pub degraded: bool,
    /// From the first try to the outcome.
    pub elapsed: Duration,
    /// What went wrong, in words.
    pub detail: Option<String>,
    /// A socket error that is none of the network's.
    pub fault: Option<String>,
}

/// What became of one try.
#[derive(Debug)]
struct Tried {
    number: u32,
    server: SocketAddr,
    transport: Transport,
    without_edns: bool,
    result: Result<Reply, Failure>,
}

/// What the tries of one exchange tell while they are still waiting.
#[derive(Debug, Default)]
struct Meanwhile {
    /// Tries that fetch a truncated answer over TCP.
    over_tcp: AtomicUsize,
    /// The first server from which something came that is no DNS message.
    noise: OnceLock<SocketAddr>,
}

type Pending<'a> = FuturesUnordered<Pin<Box<dyn Future<Output = Tried> + Send + 'a>>>;

impl Ask<'_> {
    /// Puts the question to one server after another, in rounds, until one answers or time is up.
    /// SERVFAIL, REFUSED, NOTIMP, FORMERR, an unreadable message and silence lead to the next.
    pub(super) async fn exchange(self) -> Exchanged {
        let started = Instant::now();
        let servers = self.order();
        let count = u32::try_from(servers.len()).unwrap_or(u32::MAX);
        let tries = count.saturating_mul(self.nameservers.attempts).max(1);
        let patience = ((self.deadline - started) / tries).min(self.nameservers.timeout);

        let meanwhile = Meanwhile::default();
        let mut pending = Pending::new();
        let mut failed: Vec<Tried> = Vec::new();
        let mut number = 0;
        for server in servers.iter().cycle().take(tries as usize) {
            let until = (Instant::now() + patience).min(self.deadline);
            number += 1;
            pending.push(Box::pin(
                self.try_server(number, *server, patience, &meanwhile),
            ));
            loop {
                match timeout_at(until, pending.next()).await {
                    Ok(Some(tried)) if tried.result.is_ok() => {
                        return answered(tried, number, &failed, started);
                    }
                    Ok(Some(tried)) => {
                        let own = tried.number == number;
                        failed.push(tried);
                        if own {
                            break;
                        }
                    }
                    Ok(None) => break,
                    // The try stays pending: its answer counts, should it still come.
                    Err(_) => {
                        failed.push(Tried::silent(number, *server));
                        break;
                    }
                }
            }
        }
        // A truncated answer that came late is still being fetched over TCP.
        while meanwhile.over_tcp.load(Ordering::Relaxed) > 0 {
            match timeout_at(self.deadline, pending.next()).await {
                Ok(Some(tried)) if tried.result.is_ok() => {
                    return answered(tried, number, &failed, started);
                }
                Ok(Some(tried)) => failed.push(tried),
                Ok(None) | Err(_) => break,
            }
        }
        unanswered(failed, meanwhile.noise.get().copied(), number, started)
    }

    fn order(&self) -> Vec<SocketAddr> {
        let mut servers = self.nameservers.servers.clone();
        if self.nameservers.rotate && !servers.is_empty() {
            let first = fastrand::usize(..servers.len());
            servers.rotate_left(first);
        }
        servers
    }

    async fn try_server(
        self,
        number: u32,
        server: SocketAddr,
        patience: Duration,
        meanwhile: &Meanwhile,
    ) -> Tried {
        let mut without_edns = false;
        let mut question = Question::new(self.name, self.kind, self.edns);
        let mut result = self.udp(server, &question, meanwhile).await;
        if question.has_edns() && result.as_ref().is_ok_and(refuses_edns) {
            without_edns = true;
            question = Question::new(self.name, self.kind, false);
            result = self.udp(server, &question, meanwhile).await;
        }
        let mut transport = Transport::Udp;
        if result.as_ref().is_ok_and(|reply| reply.flags.truncated) {
            transport = Transport::Tcp;
            meanwhile.over_tcp.fetch_add(1, Ordering::Relaxed);
            // A share of its own, since the answer may have come at the end of its try's; it ends a
            // little before everything does, so that its own failure is reported, not silence.
            let left = self.deadline.saturating_duration_since(Instant::now());
            let until = Instant::now() + patience.min(left * 15 / 16);
            let fetched = timeout_at(until, self.tcp(server, &question)).await;
            meanwhile.over_tcp.fetch_sub(1, Ordering::Relaxed);
            result = match fetched {
                Ok(result) => result,
                Err(_) => Err("no answer".to_owned()),
            }
            .map_err(|cause| Failure {
                outcome: QueryOutcome::Truncated,
                rcode: None,
                detail: Some(format!(
                    "truncated over UDP, and TCP to {server} fails: {cause}"
                )),
                fault: false,
            });
        }
        Tried {
            number,
            server,
            transport,
            without_edns,
            result: result.and_then(usable),
        }
    }

    /// Sends the question and waits for its reply: for as long as the exchange lasts, since a late
    /// answer counts.
    async fn udp(
        self,
        server: SocketAddr,
        question: &Question,
        meanwhile: &Meanwhile,
    ) -> Result<Reply, Failure> {
        let any: SocketAddr = match server {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let wire = question.wire().map_err(Failure::ours)?;
        let socket = UdpSocket::bind(any).await?;
        socket.connect(server).await?;
        self.rate_limit.count();
        socket.send(&wire).await?;
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            let length = socket.recv(&mut buffer).await?;
            match question.receive(&buffer[..length]) {
                Received::Foreign => {}
                Received::Noise => {
                    meanwhile.noise.get_or_init(|| server);
                }
                Received::Malformed(detail) => return Err(Failure::unreadable(&detail)),
                Received::Reply(reply) => return Ok(*reply),
            }
        }
    }

    async fn tcp(self, server: SocketAddr, question: &Question) -> Result<Reply, String> {
        let told = |error: io::Error| error.to_string();
        let wire = question.wire()?;
        self.rate_limit.count();
        let mut stream = TcpStream::connect(server).await.map_err(told)?;
        let length = u16::try_from(wire.len()).map_err(|error| error.to_string())?;
        stream
            .write_all(&[&length.to_be_bytes()[..], &wire].concat())
            .await
            .map_err(told)?;
        for _ in 0..MAX_FOREIGN_FRAMES {
            let length = stream.read_u16().await.map_err(told)?;
            if length == 0 {
                return Err("an empty frame".to_owned());
            }
            let mut frame = vec![0; length.into()];
            stream.read_exact(&mut frame).await.map_err(told)?;
            match question.receive(&frame) {
                Received::Foreign => {}
                Received::Noise => return Err("what comes is no DNS message".to_owned()),
                Received::Malformed(detail) => {
                    return Err(format!("an unreadable answer: {detail}"));
                }
                // There is no larger transport to turn to.
                Received::Reply(reply) if reply.flags.truncated && reply.addresses.is_empty() => {
                    return Err("the answer is truncated there too".to_owned());
                }
                Received::Reply(reply) => return Ok(*reply),
            }
        }
        Err("only answers to other questions".to_owned())
    }
}

/// FORMERR and NOTIMP (RFC 6891 section 7), BADVERS (section 6.1.3).
fn refuses_edns(reply: &Reply) -> bool {
    matches!(reply.rcode, Rcode(1 | 4 | 16))
}

/// A reply that ends the exchange, or the failure it stands for.
fn usable(reply: Reply) -> Result<Reply, Failure> {
    match reply.outcome {
        QueryOutcome::Answer | QueryOutcome::Nodata | QueryOutcome::Nxdomain => Ok(reply),
        outcome => Err(Failure {
            outcome,
            rcode: Some(reply.rcode),
            detail: reply.detail,
            fault: false,
        }),
    }
}

fn answered(tried: Tried, tries: u32, failed: &[Tried], started: Instant) -> Exchanged {
    let lost = failed.first().and_then(Tried::told);
    let reply = tried.result.ok();
    Exchanged {
        outcome: reply
            .as_ref()
            .map_or(QueryOutcome::Invalid, |reply| reply.outcome),
        rcode: reply.as_ref().map(|reply| reply.rcode),
        server: Some(tried.server),
        transport: tried.transport,
        tries,
        degraded: tries > 1 || tried.without_edns,
        elapsed: started.elapsed(),
        detail: lost.or_else(|| {
            tried
                .without_edns
                .then(|| "the server refuses EDNS".to_owned())
        }),
        fault: None,
        reply,
    }
}

/// The best of the failed tries speaks for all of them; noise says more than silence.
fn unanswered(
    mut failed: Vec<Tried>,
    noise: Option<SocketAddr>,
    tries: u32,
    started: Instant,
) -> Exchanged {
    let closeness = |tried: &Tried| tried.result.as_ref().err().map(|f| f.outcome.closeness());
    for tried in failed
        .iter_mut()
        .filter(|tried| Some(tried.server) == noise)
    {
        if tried.result.as_ref().is_err_and(Failure::is_silence) {
            tried.result = Err(Failure::unreadable("it is no DNS message"));
        }
    }
    let best = failed.into_iter().rev().max_by_key(closeness);
    let (server, transport) = best.as_ref().map_or((None, Transport::Udp), |tried| {
        (Some(tried.server), tried.transport)
    });
    let failure = best
        .and_then(|tried| tried.result.err())
        .unwrap_or_else(Failure::silence);
    Exchanged {
        reply: None,
        outcome: failure.outcome,
        rcode: failure.rcode,
        server,
        transport,
        tries,
        degraded: false,
        elapsed: started.elapsed(),
        fault: failure
            .fault
            .then(|| failure.detail.clone().unwrap_or_default()),
        detail: failure.detail,
    }
}

impl Tried {
    fn silent(number: u32, server: SocketAddr) -> Self {
        let result = Err(Failure::silence());
        Self {
            number,
            server,
            transport: Transport::Udp,
            without_edns: false,
            result,
        }
    }

    /// `10.0.0.10:53: timeout`.
    fn told(&self) -> Option<String> {
        let failure = self.result.as_ref().err()?;
        let what = failure
            .detail
            .as_deref()
            .unwrap_or(failure.outcome.as_str());
        match failure.rcode {
            Some(rcode) => Some(format!("{} said {rcode}", self.server)),
            None => Some(format!("{}: {what}", self.server)),
        }
    }
}

#[cfg(test)]
mod tests;
