//! Starttls: servers of the lab whose clients ask for TLS in the protocol's own words: what its documents
//! say a server does, and nothing of the agent's own reading of them.

pub(super) mod mysql;
pub(super) mod postgres;
pub(super) mod tds;

use std::io;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, sink};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use super::tls::Tls;

/// How such a server meets a client that wants TLS.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum TlsBehaviour {
    /// Agrees.
    Tls(Tls),
    /// Offers no TLS.
    NoTls,
    /// Turns every client away.
    Error { code: u16, text: String },
    /// Announces a message that never comes whole, and keeps the connection open.
    LyingLength,
    /// Says its first message at one byte a second.
    Trickle,
}

/// Speaks TLS, and after the handshake listens until the client leaves.
pub(super) async fn serve_tls(tls: Option<&TlsAcceptor>, stream: TcpStream) -> io::Result<()> {
    let tls = tls.ok_or(io::ErrorKind::Unsupported)?;
    listen(tls.accept(stream).await?).await
}

async fn listen(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    copy(&mut stream, &mut sink()).await?;
    stream.shutdown().await
}

/// Sends `message` at one byte a second.
async fn trickle(mut stream: TcpStream, message: &[u8]) -> io::Result<()> {
    for byte in message {
        stream.write_all(&[*byte]).await?;
        sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// The client broke the protocol: servers close.
fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
