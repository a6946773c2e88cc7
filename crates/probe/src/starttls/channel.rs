//! Channel: the open connection that a handshake begins on, and how a protocol's first messages are sent
//! and read over it.
//!
//! Every message is read by its exact length, which has a bound, and not a byte beyond it: the next one
//! belongs to TLS. The deadline is the caller's.

use std::fmt::Debug;
use std::io;

use privatelink_verdict::observation::{Handshake, NoHandshake, Refused};
use privatelink_verdict::sanitize::from_wire;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes of a message that are read at most, whatever length it announces.
pub(super) const MAX_MESSAGE: usize = 4096;

/// What a TLS handshake can run on.
pub(crate) trait Channel: AsyncRead + AsyncWrite + Debug + Send + Unpin {
    /// To be called once the handshake is complete.
    fn handshake_completed(&mut self) {}

    /// The first and the last bytes that were read of the handshake, where the channel keeps them.
    fn recorded(&self) -> &[u8] {
        &[]
    }
}

impl Channel for TcpStream {}

/// Why no handshake could begin.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub(crate) struct StarttlsError {
    /// `Failed`, or `Interrupted` where the peer went away.
    pub outcome: Handshake,
    /// What the peer said or did.
    pub detail: String,
    /// Why, in a word, where that is known.
    pub no_handshake: Option<NoHandshake>,
    /// How it refused this host, where it named a rule.
    pub refused: Option<Refused>,
}

impl StarttlsError {
    pub(super) fn failed(detail: impl Into<String>) -> Self {
        Self {
            outcome: Handshake::Failed,
            detail: detail.into(),
            no_handshake: None,
            refused: None,
        }
    }

    /// The server offers no TLS, which `detail` says in its protocol's terms.
    pub(super) fn no_tls(detail: &str) -> Self {
        Self {
            no_handshake: Some(NoHandshake::NoTls),
            ..Self::failed(detail)
        }
    }

    /// The server answers with an error, which `detail` quotes.
    pub(super) fn error(no_handshake: NoHandshake, detail: String) -> Self {
        Self {
            no_handshake: Some(no_handshake),
            ..Self::failed(detail)
        }
    }

    /// The peer speaks something else than `protocol`: `bytes` are its first.
    pub(super) fn foreign(protocol: &str, bytes: &[u8]) -> Self {
        let detail = format!(
            "the peer does not speak {protocol}: it begins with `{}`",
            bytes.escape_ascii()
        );
        Self {
            no_handshake: Some(NoHandshake::OtherProtocol),
            ..Self::failed(detail)
        }
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
            no_handshake: (outcome == Handshake::Interrupted)
                .then_some(NoHandshake::EndedBeforeTls),
            refused: None,
        }
    }
}

/// Sends `bytes`; `awaited` is what should come next.
pub(super) async fn send(
    channel: &mut impl Channel,
    bytes: &[u8],
    awaited: &str,
) -> Result<(), StarttlsError> {
    let sent = async {
        channel.write_all(bytes).await?;
        channel.flush().await
    };
    sent.await
        .map_err(|error| StarttlsError::ended(&error, awaited))
}

/// Reads `N` bytes of `awaited`.
pub(super) async fn receive<const N: usize>(
    channel: &mut impl Channel,
    awaited: &str,
) -> Result<[u8; N], StarttlsError> {
    let mut bytes = [0; N];
    let read = channel.read_exact(&mut bytes).await;
    read.map_err(|error| StarttlsError::ended(&error, awaited))?;
    Ok(bytes)
}

/// Reads `length` bytes of `awaited`; the caller has refused what is longer than [`MAX_MESSAGE`].
pub(super) async fn receive_message(
    channel: &mut impl Channel,
    length: usize,
    awaited: &str,
) -> Result<Vec<u8>, StarttlsError> {
    let mut bytes = vec![0; length.min(MAX_MESSAGE)];
    let read = channel.read_exact(&mut bytes).await;
    read.map_err(|error| StarttlsError::ended(&error, awaited))?;
    Ok(bytes)
}

/// Reads until `enough`, at most [`MAX_MESSAGE`] bytes; fewer where the peer sends no more.
///
/// For the text of an error, after which no handshake follows: it may read too much.
pub(super) async fn receive_error(
    channel: &mut impl Channel,
    enough: impl Fn(&[u8]) -> bool + Send,
) -> Vec<u8> {
    let mut text = Vec::new();
    let mut room = [0; 512];
    while text.len() < MAX_MESSAGE && !enough(&text) {
        match channel.read(&mut room).await {
            Ok(0) | Err(_) => break,
            Ok(length) => text.extend_from_slice(&room[..length]),
        }
    }
    text.truncate(MAX_MESSAGE);
    text
}
