//! TDS: `PRELOGIN`, then TLS inside packets of type 0x12, as SQL Server speaks TDS 7 (MS-TDS 2.2.6.5
//! PRELOGIN, 2.2.3.1 packet header, 3.2.5.1 and 3.2.5.2 the client's states).

mod packets;

pub(super) use self::packets::Packets;
use super::{Channel, MAX_MESSAGE, NoTls, receive, receive_message, send};
use crate::wire::from_wire;

/// Packet types (MS-TDS 2.2.3.1.1): a client's PRELOGIN and TLS of both sides; a server's reply.
const PRELOGIN: u8 = 0x12;
const REPLY: u8 = 0x04;

/// Bytes of a packet's header: type, status, length (2, big-endian, of the whole packet), process id
/// (2), number, window.
const HEADER: usize = 8;

/// The last packet of a message (MS-TDS 2.2.3.1.2).
const END_OF_MESSAGE: u8 = 0x01;

/// Option tokens and encryption values (MS-TDS 2.2.6.5).
const ENCRYPTION: u8 = 0x01;
const TERMINATOR: u8 = 0xff;
const ENCRYPT_ON: u8 = 0x01;
const ENCRYPT_NOT_SUP: u8 = 0x02;

/// An ERROR token in place of PRELOGIN (MS-TDS 2.2.7.10).
const ERROR: u8 = 0xaa;

/// What is to be done about a server that wants TLS first (TDS 8, MS-TDS 3.3.5: TLS Negotiation).
const STRICT: &str = "a server that demands strict encryption (TDS 8) does so, and is probed with \
                      `protocol: tls`";

/// PRELOGIN: five options, each a token, the offset and the length of its value.
#[rustfmt::skip]
const REQUEST: [u8; 47] = [
    PRELOGIN, END_OF_MESSAGE, 0, 47, 0, 0, 1, 0,
    0x00, 0, 26, 0, 6, // VERSION
    ENCRYPTION, 0, 32, 0, 1,
    0x02, 0, 33, 0, 1, // INSTOPT
    0x03, 0, 34, 0, 4, // THREADID
    0x04, 0, 38, 0, 1, // MARS
    TERMINATOR,
    0, 1, 0, 0, 0, 0, // the client's version, which servers do not act on
    ENCRYPT_ON,
    0, // no instance to check
    0, 0, 0, 0,
    0, // no MARS
];

/// Negotiates encryption.
pub(super) async fn negotiate(channel: &mut impl Channel) -> Result<(), NoTls> {
    let awaited = format!("it answered PRELOGIN (TDS): {STRICT}");
    send(channel, &REQUEST, &awaited).await?;
    let start: [u8; 2] = receive(channel, &awaited).await?;
    // A TLS alert or handshake record, version 3.x (RFC 8446 section 5.1): shorter than a header.
    if let [0x15 | 0x16, 3] = start {
        return Err(NoTls::failed(format!(
            "the server answers PRELOGIN (TDS) with TLS: {STRICT}"
        )));
    }
    let rest: [u8; HEADER - 2] = receive(channel, "its TDS header was whole").await?;
    let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
    if start[0] != REPLY {
        return Err(NoTls::foreign(
            "TDS",
            &[start[0], start[1], rest[0], rest[1]],
        ));
    }
    // Before login no packet is longer than 4096 bytes (MS-TDS 2.2.3.1.3).
    if !(HEADER + 1..=MAX_MESSAGE).contains(&length) {
        return Err(NoTls::failed(format!(
            "the server's answer to PRELOGIN (TDS) claims an impossible length, {length} bytes"
        )));
    }
    let awaited = "its answer to PRELOGIN (TDS) was whole";
    let answer = receive_message(channel, length - HEADER, awaited).await?;
    match encryption(&answer) {
        Some(ENCRYPT_NOT_SUP) => Err(NoTls::failed(
            "the server offers no TLS: it answers PRELOGIN (TDS) with ENCRYPT_NOT_SUP",
        )),
        Some(_) => Ok(()),
        None => Err(NoTls::failed(match error(&answer) {
            Some(words) => format!("the server answers PRELOGIN (TDS) with an error: {words}"),
            None => "the server's answer to PRELOGIN (TDS) says nothing of encryption".to_owned(),
        })),
    }
}

/// The value of the option ENCRYPTION; `None` where there is none or the options are no options.
fn encryption(answer: &[u8]) -> Option<u8> {
    let option = answer
        .chunks_exact(5)
        .take_while(|option| option[0] != TERMINATOR)
        .find(|option| option[0] == ENCRYPTION)?;
    let offset = usize::from(u16::from_be_bytes([option[1], option[2]]));
    let length = u16::from_be_bytes([option[3], option[4]]);
    (length == 1).then(|| answer.get(offset).copied()).flatten()
}

/// The words of an ERROR token: length (2, little-endian like all that follows), number (4), state,
/// class, and the text, as UTF-16 with the count of its units (2) before it.
fn error(answer: &[u8]) -> Option<String> {
    let (&ERROR, token) = answer.split_first()? else {
        return None;
    };
    let number = i32::from_le_bytes(*token.get(2..)?.first_chunk()?);
    let (units, text) = token.get(8..)?.split_first_chunk()?;
    let units = usize::from(u16::from_le_bytes(*units));
    let text = text.chunks_exact(2).take(units);
    let text: Vec<u16> = text
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
        .collect();
    let words = from_wire(&String::from_utf16_lossy(&text)).into_owned();
    Some(format!("{number}: {words}"))
}
