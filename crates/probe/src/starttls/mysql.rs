//! `MySQL`: the server's greeting, then `SSLRequest` (MySQL Source Code Documentation, "Connection
//! Phase": `Protocol::HandshakeV10`, `Protocol::SSLRequest`, `ERR_Packet`). `MariaDB` speaks the same.

use privatelink_verdict::observation::{Handshake, Refusal};

use super::{Channel, MAX_MESSAGE, NoTls, receive, receive_message, send};
use privatelink_verdict::sanitize::from_wire;

/// Capabilities: long password 0x1, protocol 4.1 0x200, TLS 0x800, secure connection 0x8000, plugin
/// authentication 0x80000.
const CAPABILITIES: u32 = 0x0008_8a01;
const TLS: u16 = 0x0800;

/// utf8mb3, which every version knows.
const CHARSET: u8 = 33;

/// Waits for the greeting and asks for TLS.
pub(super) async fn ask(channel: &mut impl Channel) -> Result<(), NoTls> {
    // A packet's header: three bytes of length, little-endian, and a number. The number is not looked
    // at: MariaDB once sent refusals with a wrong one (MDEV-21252).
    let header: [u8; 4] = receive(channel, "its MySQL greeting").await?;
    let length =
        usize::from(header[0]) | usize::from(header[1]) << 8 | usize::from(header[2]) << 16;
    if !(1..=MAX_MESSAGE).contains(&length) {
        return Err(NoTls::foreign("MySQL", &header));
    }
    let greeting = receive_message(channel, length, "its MySQL greeting was whole").await?;
    match greeting.split_first() {
        Some((10, rest)) => match capabilities(rest) {
            Some(capabilities) if capabilities & TLS != 0 => {}
            Some(_) => {
                return Err(NoTls::failed(
                    "the server offers no TLS: its MySQL greeting lacks CLIENT_SSL",
                ));
            }
            None => return Err(NoTls::failed("the server's MySQL greeting is cut short")),
        },
        Some((0xff, rest)) => return Err(refused(rest)),
        _ => return Err(NoTls::foreign("MySQL", &greeting[..1])),
    }
    send(channel, &ssl_request(), "it took MySQL's SSLRequest").await
}

/// The lower capabilities of a greeting, after its first byte.
fn capabilities(greeting: &[u8]) -> Option<u16> {
    let version = greeting.iter().position(|byte| *byte == 0)?;
    // Thread id 4, first part of the scramble 8, filler 1.
    let bytes = greeting.get(version + 1 + 13..)?.first_chunk()?;
    Some(u16::from_le_bytes(*bytes))
}

/// An error in place of the greeting, after its first byte.
fn refused(error: &[u8]) -> NoTls {
    let Some((code, words)) = error.split_first_chunk() else {
        return NoTls::failed("the server refuses with an error that is cut short");
    };
    let code = u16::from_le_bytes(*code);
    // A state of five characters may come first. By rights it does not, this early.
    let words = match words {
        [b'#', rest @ ..] if rest.len() >= 5 => &rest[5..],
        words => words,
    };
    let words = from_wire(&String::from_utf8_lossy(words)).into_owned();
    NoTls {
        outcome: Handshake::Failed,
        detail: format!("the server refuses with MySQL error {code}: {words}"),
        refusal: match code {
            1129 => Some(Refusal::HostBlocked),
            // 9000 is Azure's own firewall (Azure Database for MySQL, "Troubleshoot connection issues").
            1130 | 9000 => Some(Refusal::HostNotAllowed),
            _ => None,
        },
    }
}

/// Header (length 32, number 1), capabilities, largest packet, character set, 23 bytes of nothing.
fn ssl_request() -> [u8; 36] {
    let mut request = [0; 36];
    request[0] = 32;
    request[3] = 1;
    request[4..8].copy_from_slice(&CAPABILITIES.to_le_bytes());
    request[8..12].copy_from_slice(&(1u32 << 24).to_le_bytes());
    request[12] = CHARSET;
    request
}
