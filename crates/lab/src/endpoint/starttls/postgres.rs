//! `PostgreSQL` in the lab (manual, chapter Frontend/Backend Protocol).

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::{TlsBehaviour, listen, protocol_error, serve_tls, trickle};
use crate::endpoint::AcceptedConnection;

const SSL_REQUEST: (u32, u32) = (8, 80_877_103);

pub(crate) async fn serve(
    behaviour: &TlsBehaviour,
    tls: Option<&TlsAcceptor>,
    mut stream: AcceptedConnection,
) -> io::Result<()> {
    if (stream.read_u32().await?, stream.read_u32().await?) != SSL_REQUEST {
        return Err(protocol_error("not SSLRequest"));
    }
    match behaviour {
        TlsBehaviour::Tls(_) => {
            stream.write_all(b"S").await?;
            serve_tls(tls, stream).await
        }
        TlsBehaviour::NoTls => {
            stream.write_all(b"N").await?;
            listen(stream).await
        }
        TlsBehaviour::Error { code, text } => stream.write_all(&error(*code, text)).await,
        TlsBehaviour::WrongLength => {
            stream.write_all(b"E\0\0\x0f\xa0SFATAL\0").await?;
            listen(stream).await
        }
        TlsBehaviour::Trickle => trickle(stream, &error(53300, &"slow ".repeat(100))).await,
    }
}

/// `ErrorResponse`: severity, SQLSTATE, message.
fn error(code: u16, text: &str) -> Vec<u8> {
    let body = format!("SFATAL\0VFATAL\0C{code:05}\0M{text}\0\0");
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [b"E", &length.to_be_bytes()[..], body.as_bytes()].concat()
}
