//! Starttls: a server whose clients ask for TLS in words of its protocol, up to the start of TLS.
//!
//! Each is written from the documents of its protocol, and shares no code with the agent, so that the
//! agent's reading of those documents is tested, too.

pub(crate) mod mysql;
pub(crate) mod postgres;
pub(crate) mod tds;

use std::io;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, sink};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use super::AcceptedConnection;
use super::tls::TlsService;

/// How such a server answers a client that wants TLS.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TlsBehaviour {
    /// Agrees, and speaks TLS.
    Tls(TlsService),
    /// Offers no TLS.
    NoTls,
    /// Answers with an error of this number and text, and closes.
    Error { code: u16, text: String },
    /// Sends less of a message than it announces, and keeps the connection open.
    WrongLength,
    /// Sends its first message at one byte a second.
    Trickle,
}

/// Speaks TLS, and after the handshake says nothing until the client closes.
pub(crate) async fn serve_tls(
    tls: Option<&TlsAcceptor>,
    stream: AcceptedConnection,
) -> io::Result<()> {
    let tls = tls.ok_or(io::ErrorKind::Unsupported)?;
    listen(tls.accept(stream).await?).await
}

/// Reads until the client closes.
async fn listen(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    copy(&mut stream, &mut sink()).await?;
    stream.shutdown().await
}

/// Sends `message` at one byte a second.
async fn trickle(mut stream: AcceptedConnection, message: &[u8]) -> io::Result<()> {
    for byte in message {
        stream.write_all(&[*byte]).await?;
        sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// The client broke the protocol, upon which servers close.
fn protocol_error(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
