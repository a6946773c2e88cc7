//! Starttls: what a protocol says on an open connection before a TLS handshake may begin.
//!
//! `tls` says nothing. `PostgreSQL` is asked for TLS; `MySQL` greets first and is asked then; SQL
//! Server negotiates, and carries the handshake inside packets of its own. Every message is read by
//! its exact length, which has a bound, and not a byte beyond it: the next one belongs to TLS. The
//! deadline is the caller's.

mod mysql;
mod postgres;
mod tds;

use std::fmt::Debug;
use std::io;

use privatelink_verdict::observation::{Handshake, Refusal};
use privatelink_verdict::target::Protocol;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use privatelink_verdict::sanitize::from_wire;

/// Bytes of a message that are read at most, whatever length it announces.
const MAX_MESSAGE: usize = 4096;

/// What a TLS handshake can run on.
pub(super) trait Channel: AsyncRead + AsyncWrite + Debug + Send + Unpin {
    /// Hears that the handshake is complete.
    fn secured(&mut self) {}

    /// What was read of the handshake, where the channel keeps it.
    fn heard(&self) -> &[u8] {
        &[]
    }
}

impl Channel for TcpStream {}

/// Why no handshake could begin.
#[derive(Debug)]
pub(super) struct NoTls {
    /// `Failed`, or `Interrupted` where the peer went away.
    pub outcome: Handshake,
    /// What the peer said or did.
    pub detail: String,
    /// By which rule it turned us away, if it said so.
    pub refusal: Option<Refusal>,
}

/// What carries the handshake.
#[derive(Debug)]
pub(super) struct Begun {
    /// The handshake is next on it.
    pub channel: Box<dyn Channel>,
    /// What the server said that explains it, should no handshake follow.
    pub caveat: Option<&'static str>,
}

/// Says what has to be said before TLS.
pub(super) async fn begin<C: Channel + 'static>(
    protocol: Protocol,
    mut channel: C,
) -> Result<Begun, NoTls> {
    match protocol {
        Protocol::Tls | Protocol::Tcp => {}
        Protocol::Postgres => postgres::ask(&mut channel).await?,
        Protocol::Mysql => mysql::ask(&mut channel).await?,
        Protocol::Tds => {
            let caveat = tds::negotiate(&mut channel).await?;
            return Ok(Begun {
                channel: Box::new(tds::Packets::new(channel)),
                caveat,
            });
        }
    }
    Ok(Begun {
        channel: Box::new(channel),
        caveat: None,
    })
}

/// What is missing when the time is up before TLS could begin.
pub(super) const fn missing(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tls | Protocol::Tcp => "no answer to the handshake in time",
        Protocol::Postgres => "no whole answer to PostgreSQL's SSLRequest in time",
        Protocol::Mysql => "no whole MySQL greeting in time",
        Protocol::Tds => "no whole answer to PRELOGIN (TDS) in time",
    }
}

impl NoTls {
    fn failed(detail: impl Into<String>) -> Self {
        Self {
            outcome: Handshake::Failed,
            detail: detail.into(),
            refusal: None,
        }
    }

    /// The peer speaks something else than `protocol`: `bytes` are the first it said.
    fn foreign(protocol: &str, bytes: &[u8]) -> Self {
        Self::failed(format!(
            "the peer does not speak {protocol}: it begins with `{}`",
            bytes.escape_ascii()
        ))
    }

    /// The connection ended before `awaited`.
    fn ended(error: &io::Error, awaited: &str) -> Self {
        let (outcome, how) = match error.kind() {
            io::ErrorKind::UnexpectedEof => (Handshake::Interrupted, "the peer closed".to_owned()),
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => (Handshake::Interrupted, "the peer reset".to_owned()),
            io::ErrorKind::TimedOut => (Handshake::Timeout, "the network gave up".to_owned()),
            _ => (
                Handshake::Failed,
                from_wire(&format!("{error}:")).into_owned(),
            ),
        };
        Self {
            outcome,
            detail: format!("{how} the connection before {awaited}"),
            refusal: None,
        }
    }
}

/// Sends `bytes`; `awaited` is what should come next.
async fn send(channel: &mut impl Channel, bytes: &[u8], awaited: &str) -> Result<(), NoTls> {
    let sent = async {
        channel.write_all(bytes).await?;
        channel.flush().await
    };
    sent.await.map_err(|error| NoTls::ended(&error, awaited))
}

/// Reads `N` bytes of `awaited`.
async fn receive<const N: usize>(
    channel: &mut impl Channel,
    awaited: &str,
) -> Result<[u8; N], NoTls> {
    let mut bytes = [0; N];
    let read = channel.read_exact(&mut bytes).await;
    read.map_err(|error| NoTls::ended(&error, awaited))?;
    Ok(bytes)
}

/// Reads `length` bytes of `awaited`; the caller has refused what is longer than [`MAX_MESSAGE`].
async fn receive_message(
    channel: &mut impl Channel,
    length: usize,
    awaited: &str,
) -> Result<Vec<u8>, NoTls> {
    let mut bytes = vec![0; length.min(MAX_MESSAGE)];
    let read = channel.read_exact(&mut bytes).await;
    read.map_err(|error| NoTls::ended(&error, awaited))?;
    Ok(bytes)
}

/// Reads until `enough`, at most [`MAX_MESSAGE`] bytes; fewer where the peer says no more.
///
/// For the words of a refusal, after which no handshake follows: it may read too much.
async fn receive_words(
    channel: &mut impl Channel,
    enough: impl Fn(&[u8]) -> bool + Send,
) -> Vec<u8> {
    let mut words = Vec::new();
    let mut room = [0; 512];
    while words.len() < MAX_MESSAGE && !enough(&words) {
        match channel.read(&mut room).await {
            Ok(0) | Err(_) => break,
            Ok(length) => words.extend_from_slice(&room[..length]),
        }
    }
    words.truncate(MAX_MESSAGE);
    words
}

#[cfg(test)]
mod tests;
