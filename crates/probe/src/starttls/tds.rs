//! TDS: `PRELOGIN`, then TLS inside packets of type 0x12, as SQL Server speaks TDS 7 (MS-TDS 2.2.6.5
//! PRELOGIN, 2.2.3.1 packet header, 3.2.5.1 and 3.2.5.2 the client's states).

mod packets;

use privatelink_verdict::address::first_in;
use privatelink_verdict::observation::{NoHandshake, Refusal, Refused};
use privatelink_verdict::sanitize::from_wire;

pub(super) use self::packets::Packets;
use self::packets::{END_OF_MESSAGE, HEADER, PRELOGIN, REPLY};
use super::channel::{Channel, MAX_MESSAGE, StarttlsError, receive, receive_message, send};

/// Option tokens and encryption values (MS-TDS 2.2.6.5).
const ENCRYPTION: u8 = 0x01;
const TERMINATOR: u8 = 0xff;
const ENCRYPT_OFF: u8 = 0x00;
const ENCRYPT_ON: u8 = 0x01;
const ENCRYPT_NOT_SUP: u8 = 0x02;

/// An ERROR token in place of PRELOGIN (MS-TDS 2.2.7.10).
const ERROR: u8 = 0xaa;

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

/// Negotiates encryption. The result is the explanation, if there is one, should no handshake follow.
pub(super) async fn start(
    channel: &mut impl Channel,
) -> Result<Option<&'static str>, StarttlsError> {
    let awaited = "it answered PRELOGIN (TDS)";
    send(channel, &REQUEST, awaited).await?;
    let start: [u8; 2] = receive(channel, awaited).await?;
    // A TLS alert or handshake record, version 3.x (RFC 8446 section 5.1): shorter than a header. It wants
    // TLS first (TDS 8, MS-TDS 3.3.5: TLS Negotiation).
    if let [0x15 | 0x16, 3] = start {
        let detail = "the server answers PRELOGIN (TDS) with TLS".to_owned();
        return Err(StarttlsError::error(NoHandshake::TlsFirst, detail));
    }
    let answer = receive_answer(channel, start).await?;
    match encryption(&answer) {
        Some(ENCRYPT_NOT_SUP) => Err(StarttlsError::no_tls(
            "the server offers no TLS: it answers PRELOGIN (TDS) with ENCRYPT_NOT_SUP",
        )),
        // It should have agreed with ENCRYPT_ON. Some begin TLS all the same, as for the login alone.
        Some(ENCRYPT_OFF) => Ok(Some(OFF)),
        Some(_) => Ok(None),
        None => Err(match error(&answer) {
            Some((number, words)) => {
                let no_handshake = match number {
                    // Azure SQL, "Troubleshooting common connection issues".
                    40532 => NoHandshake::UnknownName,
                    _ => NoHandshake::ServerError,
                };
                StarttlsError {
                    refused: refusal(number).map(|by| Refused {
                        by,
                        seen_from: first_in(&words),
                    }),
                    ..StarttlsError::error(
                        no_handshake,
                        format!(
                            "the server answers PRELOGIN (TDS) with an error: {number}: {words}"
                        ),
                    )
                }
            }
            None => StarttlsError::failed(
                "the server's answer to PRELOGIN (TDS) says nothing of encryption",
            ),
        }),
    }
}

/// The rest of the answer, of which two bytes have come, without the packets' headers.
async fn receive_answer(
    channel: &mut impl Channel,
    start: [u8; 2],
) -> Result<Vec<u8>, StarttlsError> {
    let awaited = "its answer to PRELOGIN (TDS) was whole";
    let [mut kind, mut status] = start;
    let mut answer = Vec::new();
    loop {
        let rest: [u8; HEADER - 2] = receive(channel, "its TDS header was whole").await?;
        let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
        // Some servers answer with the type of the question.
        if !matches!(kind, REPLY | PRELOGIN) {
            return Err(StarttlsError::foreign(
                "TDS",
                &[kind, status, rest[0], rest[1]],
            ));
        }
        // Before login no packet is longer than 4096 bytes (MS-TDS 2.2.3.1.3), and the whole
        // answer needs no more either.
        if !(HEADER + 1..=MAX_MESSAGE - answer.len()).contains(&length) {
            return Err(StarttlsError::failed(format!(
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

/// The errors that refuse a client because of its address: server firewall, virtual network rule,
/// public access denied (Azure SQL, "Troubleshooting common connection issues" and "Connectivity
/// settings").
const fn refusal(number: i32) -> Option<Refusal> {
    match number {
        40615 => Some(Refusal::NoFirewallRule),
        40914 => Some(Refusal::NoSubnetRule),
        47073 => Some(Refusal::PublicAccessOff),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use privatelink_verdict::target::Protocol;
    use proptest::prelude::*;
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;
    use crate::starttls::start as start_protocol;
    use crate::starttls::tests::{assert_ends_well, failure, started};

    fn tds(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len() + 8).expect("short");
        [
            &[kind, 1][..],
            &length.to_be_bytes(),
            &[0, 0, 1, 0],
            payload,
        ]
        .concat()
    }

    /// VERSION and ENCRYPTION, as a server answers.
    fn prelogin(encryption: u8) -> Vec<u8> {
        let options = [0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff];
        tds(
            4,
            &[&options[..], &[16, 0, 4, 21, 0, 0, encryption]].concat(),
        )
    }

    #[tokio::test]
    async fn sql_server_is_asked_for_encryption_in_a_well_formed_prelogin() {
        let (result, request) = started(Protocol::Tds, &prelogin(1)).await;
        result.expect("TLS may begin");
        assert_eq!(
            request[..4],
            [0x12, 1, 0, u8::try_from(request.len()).expect("short")]
        );
        // Each option lies where its token says, one after another to the end.
        let payload = &request[8..];
        let mut end = payload
            .iter()
            .position(|byte| *byte == 0xff)
            .expect("an end")
            + 1;
        for option in payload[..end - 1].chunks(5) {
            assert_eq!(usize::from(option[2]), end, "{option:?}");
            end += usize::from(option[4]);
        }
        assert_eq!(end, payload.len());
    }

    #[tokio::test]
    async fn a_sql_server_without_tls_says_so() {
        let text = failure(Protocol::Tds, &prelogin(2)).await;
        assert_eq!(
            text,
            "failed: the server offers no TLS: it answers PRELOGIN (TDS) with ENCRYPT_NOT_SUP"
        );
    }

    #[tokio::test]
    async fn an_answer_to_prelogin_may_come_in_several_packets() {
        let whole = prelogin(1);
        let mut sent = Vec::new();
        for part in whole[8..].chunks(5) {
            sent.extend(tds(4, part));
            let header = sent.len() - part.len() - 8;
            sent[header + 1] = 0;
        }
        // Not ended yet: the peer goes away before the last packet.
        let text = failure(Protocol::Tds, &sent).await;
        assert!(text.starts_with("interrupted: the peer closed"), "{text}");
        let last = sent.len() - (whole.len() - 8) % 5 - 8;
        sent[last + 1] = 1;
        assert!(started(Protocol::Tds, &sent).await.0.is_ok());
        // Nor does it grow without end.
        let endless: Vec<u8> = [4, 0, 4, 0, 0, 0, 1, 0]
            .into_iter()
            .chain([7; 1016])
            .collect();
        let text = failure(Protocol::Tds, &endless.repeat(8)).await;
        assert!(text.ends_with("an impossible length, 1024 bytes"), "{text}");
    }

    #[tokio::test]
    async fn a_sql_server_that_does_not_agree_to_tls_is_given_the_chance() {
        for (encryption, has_caveat) in [(0, true), (1, false), (3, false)] {
            let (near, mut far) = duplex(4096);
            far.write_all(&prelogin(encryption))
                .await
                .expect("room for it");
            let started = start_protocol(Protocol::Tds, near)
                .await
                .expect("TLS may begin");
            assert_eq!(started.caveat.is_some(), has_caveat, "{encryption}");
        }
    }

    #[tokio::test]
    async fn a_sql_servers_firewall_is_a_rule_that_turns_us_away() {
        for (number, refusal) in [
            (40_615_i32, Some(Refusal::NoFirewallRule)),
            (40_914, Some(Refusal::NoSubnetRule)),
            (47_073, Some(Refusal::PublicAccessOff)),
            (17_809, None),
        ] {
            let number = number.to_le_bytes();
            let token = [&[0xaa, 10, 0][..], &number, &[1, 16, 0, 0]].concat();
            let error = started(Protocol::Tds, &tds(4, &token))
                .await
                .0
                .expect_err("no TLS");
            let refused = error.refused.map(|refused| refused.by);
            assert_eq!(refused, refusal, "{}", error.detail);
        }
    }

    #[tokio::test]
    async fn a_sql_server_that_wants_tls_first_is_told_from_one_that_goes_away() {
        let alert = [0x15, 3, 1, 0, 2, 2, 70];
        for (sent, no_handshake) in [
            (&alert[..], NoHandshake::TlsFirst),
            (b"", NoHandshake::EndedBeforeTls),
        ] {
            let (result, _) = started(Protocol::Tds, sent).await;
            let error = result.expect_err("no TLS");
            assert_eq!(error.no_handshake, Some(no_handshake), "{}", error.detail);
        }
    }

    #[tokio::test]
    async fn an_answer_to_prelogin_that_makes_no_sense_is_told_as_it_is() {
        let lying = |length: u16| [&[4, 1][..], &length.to_be_bytes(), &[0; 60]].concat();
        for (sent, text) in [
            (lying(0), "an impossible length, 0 bytes"),
            (lying(8), "an impossible length, 8 bytes"),
            (lying(u16::MAX), "an impossible length, 65535 bytes"),
            (tds(4, &[0xff]), "says nothing of encryption"),
            // The value would lie beyond the end; it would be two bytes.
            (
                tds(4, &[1, 0, 60, 0, 1, 0xff]),
                "says nothing of encryption",
            ),
            (
                tds(4, &[1, 0, 6, 0, 2, 0xff, 1, 1]),
                "says nothing of encryption",
            ),
        ] {
            let failure = failure(Protocol::Tds, &sent).await;
            assert!(failure.ends_with(text), "{failure}");
        }
    }

    #[tokio::test]
    async fn a_sql_servers_error_is_told_in_its_words() {
        let words: Vec<u8> = "busy".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let token = [
            &[0xaa, 22, 0][..],
            &17_809_i32.to_le_bytes(),
            &[1, 16, 4, 0],
            &words,
        ]
        .concat();
        let text = failure(Protocol::Tds, &tds(4, &token)).await;
        assert!(text.ends_with("with an error: 17809: busy"), "{text}");
        let text = failure(Protocol::Tds, &tds(4, &[0xaa, 0])).await;
        assert!(text.ends_with("says nothing of encryption"), "{text}");
    }

    #[tokio::test]
    async fn an_answer_that_ends_in_its_middle_has_interrupted_the_handshake() {
        for length in [5, 12] {
            let text = failure(Protocol::Tds, &prelogin(1)[..length]).await;
            assert!(text.starts_with("interrupted: "), "{text}");
            assert!(text.ends_with("was whole"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(
            is_error: bool,
            bytes in proptest::collection::vec(any::<u8>(), 0..600),
        ) {
            let token: &[u8] = if is_error { &[ERROR] } else { &[] };
            assert_ends_well(Protocol::Tds, &tds(4, &[token, &bytes[..]].concat()));
        }
    }
}
