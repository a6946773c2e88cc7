//! Attempt: one question to one server: over UDP, again without EDNS where the server refuses it, over
//! TCP where the answer is truncated.
//!
//! Sockets are connected: the kernel drops what comes from elsewhere, and reports a closed port, which
//! would otherwise look like silence.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hickory_proto::ProtoError;
use hickory_proto::serialize::binary::DecodeError;
use privatelink_machine::is_out_of_descriptors;
use privatelink_verdict::observation::{QueryOutcome, Rcode, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout};

use super::Exchange;
use super::failure::TryFailure;
use crate::connection_budget::ORDINARY_BYTES;
use crate::message::{DnsReply, Question, Received};

/// The largest datagram that is read; nothing that was not offered with EDNS comes near it.
const MAX_DATAGRAM: usize = 4096;

/// Datagrams that are read for one try; all but the last are no answer to its question.
const MAX_DATAGRAMS: usize = 16;

/// Frames of other questions that are passed over on one TCP connection.
const MAX_FOREIGN_FRAMES: usize = 4;

/// What became of one try.
#[derive(Debug)]
pub(super) struct Attempt {
    /// Its number, from 1.
    pub(super) number: u32,
    /// The server that was asked.
    pub(super) server: SocketAddr,
    /// How the deciding message travelled.
    pub(super) transport: Transport,
    /// Whether the server refused EDNS and was asked again without.
    pub(super) without_edns: bool,
    /// A reply that ends the exchange, or why there is none.
    pub(super) result: Result<DnsReply, TryFailure>,
}

/// What the tries of one exchange have come to while they still wait.
#[derive(Debug, Default)]
pub(super) struct ExchangeProgress {
    tcp_fetches: AtomicUsize,
    noisy_server: OnceLock<SocketAddr>,
}

/// Why TCP brought no answer.
#[derive(Debug, thiserror::Error)]
enum TcpError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Encode(#[from] ProtoError),
    #[error("the question is longer than a frame")]
    TooLong,
    #[error("no answer")]
    Silence,
    #[error("an empty frame")]
    EmptyFrame,
    #[error("what comes is no DNS message")]
    Noise,
    #[error("an unreadable answer: {0}")]
    Unreadable(DecodeError),
    /// No transport carries more.
    #[error("the answer is truncated there too")]
    Truncated,
    #[error("only answers to other questions")]
    Foreign,
    /// It says nothing about the server.
    #[error("the answer is large, and too many others are being read at this moment")]
    Busy,
}

impl TcpError {
    /// Whether the fault is ours, as the want of a descriptor is.
    fn is_ours(&self) -> bool {
        match self {
            Self::Busy => true,
            Self::Io(error) => is_out_of_descriptors(error),
            _ => false,
        }
    }
}

impl Exchange<'_> {
    /// Asks `server`, for as long as the exchange lasts. Fetching a truncated answer over TCP takes
    /// `tcp_share` at most.
    pub(super) async fn attempt(
        self,
        number: u32,
        server: SocketAddr,
        tcp_share: Duration,
        progress: &ExchangeProgress,
    ) -> Attempt {
        let mut without_edns = false;
        let mut question = Question::new(self.name, self.kind, self.edns);
        let mut result = self.udp(server, &question, progress).await;
        if question.has_edns() && result.as_ref().is_ok_and(refuses_edns) {
            without_edns = true;
            question = Question::new(self.name, self.kind, false);
            result = self.udp(server, &question, progress).await;
        }
        let mut transport = Transport::Udp;
        if result.as_ref().is_ok_and(|reply| reply.flags.truncated) {
            transport = Transport::Tcp;
            progress.tcp_fetches.fetch_add(1, Ordering::Relaxed);
            // A share of its own, since the answer may have come at the end of its try's; it ends a
            // little before everything does, so that its own failure is reported, not silence.
            let left = self.deadline.saturating_duration_since(Instant::now());
            let share = tcp_share.min(left * 15 / 16);
            let fetched = timeout(share, self.tcp(server, &question, share / 2)).await;
            progress.tcp_fetches.fetch_sub(1, Ordering::Relaxed);
            result = fetched
                .unwrap_or(Err(TcpError::Silence))
                .map_err(|error| TryFailure {
                    outcome: QueryOutcome::Truncated,
                    rcode: None,
                    detail: Some(format!(
                        "truncated over UDP, and TCP to {server} fails: {error}"
                    )),
                    fault: error.is_ours(),
                    no_socket: false,
                });
        }
        Attempt {
            number,
            server,
            transport,
            without_edns,
            result: result.and_then(usable),
        }
    }

    async fn udp(
        self,
        server: SocketAddr,
        question: &Question,
        progress: &ExchangeProgress,
    ) -> Result<DnsReply, TryFailure> {
        let any: SocketAddr = match server {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let wire = question
            .wire()
            .map_err(|error| TryFailure::ours(error.to_string()))?;
        let socket = UdpSocket::bind(any).await.map_err(TryFailure::no_socket)?;
        socket.connect(server).await?;
        self.budget.count();
        socket.send(&wire).await?;
        // A server that floods the socket must not take the time of the other probes.
        for _ in 0..MAX_DATAGRAMS {
            // The buffer comes when there is something to read: hundreds of tries wait at a time.
            socket.ready(Interest::READABLE | Interest::ERROR).await?;
            let mut buffer = vec![0; MAX_DATAGRAM];
            let length = socket.recv(&mut buffer).await?;
            match question.receive(&buffer[..length]) {
                Received::Foreign => {}
                Received::Noise => {
                    progress.noisy_server.get_or_init(|| server);
                }
                Received::Malformed(error) => {
                    return Err(TryFailure::unreadable(&error.to_string()));
                }
                Received::Reply(reply) => return Ok(*reply),
            }
        }
        Err(TryFailure::flooded())
    }

    /// Asks over TCP. Where the answer is large, it waits for as long as `patience` to read it.
    async fn tcp(
        self,
        server: SocketAddr,
        question: &Question,
        patience: Duration,
    ) -> Result<DnsReply, TcpError> {
        let wire = question.wire()?;
        let length = u16::try_from(wire.len()).map_err(|_| TcpError::TooLong)?;
        self.budget.count();
        let mut stream = TcpStream::connect(server).await?;
        stream
            .write_all(&[&length.to_be_bytes()[..], &wire].concat())
            .await?;
        for _ in 0..MAX_FOREIGN_FRAMES {
            let length = stream.read_u16().await?;
            if length == 0 {
                return Err(TcpError::EmptyFrame);
            }
            let _large = if usize::from(length) > ORDINARY_BYTES {
                let large = timeout(patience, self.budget.large_read()).await;
                Some(large.map_err(|_| TcpError::Busy)?)
            } else {
                None
            };
            let mut frame = vec![0; length.into()];
            stream.read_exact(&mut frame).await?;
            match question.receive(&frame) {
                Received::Foreign => {}
                Received::Noise => return Err(TcpError::Noise),
                Received::Malformed(error) => return Err(TcpError::Unreadable(error)),
                Received::Reply(reply) if reply.flags.truncated && reply.addresses.is_empty() => {
                    return Err(TcpError::Truncated);
                }
                Received::Reply(reply) => return Ok(*reply),
            }
        }
        Err(TcpError::Foreign)
    }
}

impl ExchangeProgress {
    /// Whether a truncated answer is being fetched over TCP.
    pub(super) fn is_fetching_over_tcp(&self) -> bool {
        self.tcp_fetches.load(Ordering::Relaxed) > 0
    }

    /// The first server from which something came that is no DNS message.
    pub(super) fn noisy_server(&self) -> Option<SocketAddr> {
        self.noisy_server.get().copied()
    }
}

impl Attempt {
    /// One that was not answered in time.
    pub(super) fn silent(number: u32, server: SocketAddr) -> Self {
        Self {
            number,
            server,
            transport: Transport::Udp,
            without_edns: false,
            result: Err(TryFailure::silence()),
        }
    }

    /// Whether it failed by a fault of ours.
    pub(super) fn is_fault(&self) -> bool {
        self.result.as_ref().is_err_and(|failure| failure.fault)
    }

    /// Whether there was no socket to ask with.
    pub(super) fn had_no_socket(&self) -> bool {
        self.result.as_ref().is_err_and(|failure| failure.no_socket)
    }

    /// Why it failed, in words: `10.0.0.10:53: timeout`.
    pub(super) fn failure(&self) -> Option<String> {
        let failure = self.result.as_ref().err()?;
        if let Some(rcode) = failure.rcode {
            return Some(format!("{} said {rcode}", self.server));
        }
        let cause = failure
            .detail
            .as_deref()
            .unwrap_or(failure.outcome.as_str());
        Some(format!("{}: {cause}", self.server))
    }
}

/// FORMERR and NOTIMP (RFC 6891 section 7), BADVERS (section 6.1.3).
fn refuses_edns(reply: &DnsReply) -> bool {
    matches!(reply.rcode, Rcode(1 | 4 | 16))
}

/// A reply that ends the exchange, or the failure it stands for.
pub(super) fn usable(reply: DnsReply) -> Result<DnsReply, TryFailure> {
    match reply.outcome {
        QueryOutcome::Answer | QueryOutcome::Nodata | QueryOutcome::Nxdomain => Ok(reply),
        // A stub resolver takes it for an answer without an address, and asks no other server.
        QueryOutcome::Invalid if reply.ignored_owner.is_some() => Ok(reply),
        outcome => Err(TryFailure {
            outcome,
            rcode: Some(reply.rcode),
            detail: reply.detail,
            fault: false,
            no_socket: false,
        }),
    }
}
