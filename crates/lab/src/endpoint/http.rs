//! HTTP: the reply of a service that is asked over TLS.

use std::io;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, sink};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use super::AcceptedConnection;

/// How a reply is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Delivery {
    /// Whole, and the connection is closed.
    #[default]
    Whole,
    /// As it is written, and the connection is held open without another byte.
    Stalls,
    /// At one byte a second.
    Trickles,
    /// As it is written, and ten megabytes more.
    Floods,
}

/// Speaks TLS, waits for a request, and replies with `reply` whatever was asked, `delay` after it was asked.
pub(crate) async fn serve_reply(
    tls: Option<&TlsAcceptor>,
    stream: AcceptedConnection,
    reply: &str,
    delivery: Delivery,
    delay: Duration,
) -> io::Result<()> {
    let tls = tls.ok_or(io::ErrorKind::Unsupported)?;
    let mut stream = tls.accept(stream).await?;
    stream.get_mut().0.expect_request(delay);
    if stream.read(&mut [0; 4096]).await? == 0 {
        return stream.shutdown().await;
    }
    let reply = with_crlf(reply);
    let pieces = match delivery {
        Delivery::Trickles => reply.chunks(1),
        _ => reply.chunks(reply.len().max(1)),
    };
    for piece in pieces {
        stream.write_all(piece).await?;
        stream.flush().await?;
        if delivery == Delivery::Trickles {
            sleep(Duration::from_secs(1)).await;
        }
    }
    match delivery {
        Delivery::Whole | Delivery::Trickles => {}
        Delivery::Stalls => drop(copy(&mut stream, &mut sink()).await?),
        Delivery::Floods => {
            for _ in 0..10 * 1024 {
                stream.write_all(&[b'a'; 1024]).await?;
            }
        }
    }
    stream.shutdown().await
}

/// The reply as it goes over the wire: the lines of the head end in CRLF, the body is as it is.
fn with_crlf(reply: &str) -> Vec<u8> {
    let (head, body) = reply.split_once("\n\n").unwrap_or((reply.trim_end(), ""));
    format!("{}\r\n\r\n{body}", head.replace('\n', "\r\n")).into_bytes()
}
