//! TDS: `PRELOGIN`, then TLS inside packets of type 0x12, as SQL Server speaks TDS 7 (MS-TDS 2.2.6.5
//! PRELOGIN, 2.2.3.1 packet header, 3.2.5.1 and 3.2.5.2 the client's states).

mod packets;

use privatelink_verdict::observation::Refusal;

pub(super) use self::packets::Packets;
use super::{Channel, MAX_MESSAGE, NoTls, receive, receive_message, send};
use privatelink_verdict::sanitize::from_wire;

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
const ENCRYPT_OFF: u8 = 0x00;
const ENCRYPT_ON: u8 = 0x01;
const ENCRYPT_NOT_SUP: u8 = 0x02;

/// An ERROR token in place of PRELOGIN (MS-TDS 2.2.7.10).
const ERROR: u8 = 0xaa;

/// What is to be done about a server that wants TLS first (TDS 8, MS-TDS 3.3.5: TLS Negotiation).
const STRICT: &str = "a server that demands strict encryption (TDS 8) does so, and is probed with \
                      `protocol: tls`";

/// What `ENCRYPT_OFF` means, to a client that asked for `ENCRYPT_ON`.
const OFF: &str = "the server offers no TLS: it answers PRELOGIN (TDS) with ENCRYPT_OFF, and no \
                   handshake follows";

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

/// Negotiates encryption; what to say, if there is anything, should no handshake follow.
pub(super) async fn negotiate(channel: &mut impl Channel) -> Result<Option<&'static str>, NoTls> {
    let awaited = format!("it answered PRELOGIN (TDS): {STRICT}");
    send(channel, &REQUEST, &awaited).await?;
    let start: [u8; 2] = receive(channel, &awaited).await?;
    // A TLS alert or handshake record, version 3.x (RFC 8446 section 5.1): shorter than a header.
    if let [0x15 | 0x16, 3] = start {
        return Err(NoTls::failed(format!(
            "the server answers PRELOGIN (TDS) with TLS: {STRICT}"
        )));
    }
    let answer = receive_answer(channel, start).await?;
    match encryption(&answer) {
        Some(ENCRYPT_NOT_SUP) => Err(NoTls::failed(
            "the server offers no TLS: it answers PRELOGIN (TDS) with ENCRYPT_NOT_SUP",
        )),
        // It should have agreed with ENCRYPT_ON. Some begin TLS all the same, as for the login alone.
        Some(ENCRYPT_OFF) => Ok(Some(OFF)),
        Some(_) => Ok(None),
        None => Err(match error(&answer) {
            Some((number, words)) => NoTls {
                refusal: refusal(number),
                ..NoTls::failed(format!(
                    "the server answers PRELOGIN (TDS) with an error: {number}: {words}"
                ))
            },
            None => {
                NoTls::failed("the server's answer to PRELOGIN (TDS) says nothing of encryption")
            }
        }),
    }
}

/// The rest of the answer, of which two bytes have come, without the packets' headers.
async fn receive_answer(channel: &mut impl Channel, start: [u8; 2]) -> Result<Vec<u8>, NoTls> {
    let awaited = "its answer to PRELOGIN (TDS) was whole";
    let [mut kind, mut status] = start;
    let mut answer = Vec::new();
    loop {
        let rest: [u8; HEADER - 2] = receive(channel, "its TDS header was whole").await?;
        let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
        // Some servers answer with the type of the question.
        if !matches!(kind, REPLY | PRELOGIN) {
            return Err(NoTls::foreign("TDS", &[kind, status, rest[0], rest[1]]));
        }
        // Before login no packet is longer than 4096 bytes (MS-TDS 2.2.3.1.3), and the whole
        // answer needs no more either.
        if !(HEADER + 1..=MAX_MESSAGE - answer.len()).contains(&length) {
            return Err(NoTls::failed(format!(
                "the server's answer to PRELOGIN (TDS) claims an impossible length, {length} bytes"
            )));
        }
        answer.extend(receive_message(channel, length - HEADER, awaited).await?);
        if status & END_OF_MESSAGE != 0 {
            return Ok(answer);
        }
        [kind, status] = receive(channel, awaited).await?;
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
fn error(answer: &[u8]) -> Option<(i32, String)> {
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
    Some((number, words))
}

/// The errors that turn a client away for where it comes from: server firewall, virtual network rule,
/// public access denied (Azure SQL, "Troubleshooting common connection issues" and "Connectivity
/// settings").
fn refusal(number: i32) -> Option<Refusal> {
    matches!(number, 40615 | 40914 | 47073).then_some(Refusal::HostNotAllowed)
}
