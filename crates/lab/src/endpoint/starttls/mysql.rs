//! `MySQL` in the lab (MySQL Source Code Documentation, "Connection Phase").

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::{TlsBehaviour, listen, protocol_error, serve_tls, trickle};
use crate::endpoint::AcceptedConnection;

/// What a server of version 8 can do, with `CLIENT_SSL`.
const CAPABILITIES: u32 = 0xdfff_ffff;
const TLS: u32 = 0x0800;

pub(crate) async fn serve(
    behaviour: &TlsBehaviour,
    tls: Option<&TlsAcceptor>,
    mut stream: AcceptedConnection,
) -> io::Result<()> {
    match behaviour {
        TlsBehaviour::Tls(_) => {
            stream.write_all(&packet(&greeting(CAPABILITIES))).await?;
            // `SSLRequest` is the start of a login: 32 bytes, packet number 1.
            let mut request = [0; 36];
            stream.read_exact(&mut request).await?;
            let wanted = u32::from_le_bytes([request[4], request[5], request[6], request[7]]);
            if request[..4] != [32, 0, 0, 1] || wanted & TLS == 0 || request[13..] != [0; 23] {
                return Err(protocol_error("not SSLRequest"));
            }
            serve_tls(tls, stream).await
        }
        TlsBehaviour::NoTls => {
            let greeting = greeting(CAPABILITIES & !TLS);
            stream.write_all(&packet(&greeting)).await?;
            listen(stream).await
        }
        TlsBehaviour::Error { code, text } => {
            let code = code.to_le_bytes();
            let error = [&[0xff], &code[..], text.as_bytes()].concat();
            stream.write_all(&packet(&error)).await
        }
        TlsBehaviour::WrongLength => {
            stream.write_all(b"\xa0\x0f\0\0\x0a8.0").await?;
            listen(stream).await
        }
        TlsBehaviour::Trickle => trickle(stream, &packet(&greeting(CAPABILITIES))).await,
    }
}

/// `Protocol::HandshakeV10`.
fn greeting(capabilities: u32) -> Vec<u8> {
    let [low, lower, high, higher] = capabilities.to_le_bytes();
    [
        b"\x0a8.0.40-azure\0", // version 10, the server's own
        &[42, 0, 0, 0][..],    // thread
        b"scramble\0",         // and a filler
        &[low, lower, 33, 2, 0, high, higher, 21],
        &[0; 10], // reserved
        b"scramblerest\0caching_sha2_password\0",
    ]
    .concat()
}

fn packet(payload: &[u8]) -> Vec<u8> {
    let [low, middle, high, _] = u32::try_from(payload.len())
        .unwrap_or(u32::MAX)
        .to_le_bytes();
    [&[low, middle, high, 0], payload].concat()
}
