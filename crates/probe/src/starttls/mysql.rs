//! `MySQL`: the server's greeting, then `SSLRequest` (MySQL Source Code Documentation, "Connection
//! Phase": `Protocol::HandshakeV10`, `Protocol::SSLRequest`, `ERR_Packet`). `MariaDB` speaks the same.

use privatelink_verdict::address::first_in;
use privatelink_verdict::observation::{NoHandshake, Refusal, Refused};
use privatelink_verdict::sanitize::from_wire;

use super::channel::{Channel, MAX_MESSAGE, StarttlsError, receive, receive_message, send};

/// Capabilities: long password 0x1, protocol 4.1 0x200, TLS 0x800, secure connection 0x8000, plugin
/// authentication 0x80000.
const CAPABILITIES: u32 = 0x0008_8a01;
const TLS: u16 = 0x0800;

/// utf8mb3, which every version knows.
const CHARSET: u8 = 33;

/// Waits for the greeting and asks for TLS.
pub(super) async fn start(channel: &mut impl Channel) -> Result<(), StarttlsError> {
    // A packet's header: three bytes of length, little-endian, and a number. The number is not looked
    // at: MariaDB once sent refusals with a wrong one (MDEV-21252).
    let header: [u8; 4] = receive(channel, "its MySQL greeting").await?;
    let length =
        usize::from(header[0]) | usize::from(header[1]) << 8 | usize::from(header[2]) << 16;
    if !(1..=MAX_MESSAGE).contains(&length) {
        return Err(StarttlsError::foreign("MySQL", &header));
    }
    let greeting = receive_message(channel, length, "its MySQL greeting was whole").await?;
    match greeting.split_first() {
        Some((10, rest)) => match capabilities(rest) {
            Some(capabilities) if capabilities & TLS != 0 => {}
            Some(_) => {
                return Err(StarttlsError::no_tls(
                    "the server offers no TLS: its MySQL greeting lacks CLIENT_SSL",
                ));
            }
            None => {
                return Err(StarttlsError::failed(
                    "the server's MySQL greeting is cut short",
                ));
            }
        },
        Some((0xff, rest)) => return Err(refused(rest)),
        _ => return Err(StarttlsError::foreign("MySQL", &greeting[..1])),
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
fn refused(error: &[u8]) -> StarttlsError {
    let Some((code, words)) = error.split_first_chunk() else {
        return StarttlsError::failed("the server refuses with an error that is cut short");
    };
    let code = u16::from_le_bytes(*code);
    // An SQL state of five characters may come first. The documents have none this early; some servers send it.
    let words = match words {
        [b'#', rest @ ..] if rest.len() >= 5 => &rest[5..],
        words => words,
    };
    let words = from_wire(&String::from_utf8_lossy(words)).into_owned();
    let refusal = match code {
        1129 => Some(Refusal::HostBlocked),
        1130 => Some(Refusal::HostNotAllowed),
        // Azure Database for MySQL, "Troubleshoot connection issues".
        9000 => Some(Refusal::NoFirewallRule),
        _ => None,
    };
    let no_handshake = match code {
        // ER_CON_COUNT_ERROR, ER_TOO_MANY_USER_CONNECTIONS.
        1040 | 1203 => NoHandshake::ServerFull,
        _ => NoHandshake::ServerError,
    };
    StarttlsError {
        refused: refusal.map(|by| Refused {
            by,
            seen_from: first_in(&words),
        }),
        ..StarttlsError::error(
            no_handshake,
            format!("the server refuses with MySQL error {code}: {words}"),
        )
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

#[cfg(test)]
mod tests {
    use privatelink_verdict::target::Protocol;
    use proptest::prelude::*;

    use super::*;
    use crate::starttls::tests::{assert_ends_well, failure, started};

    fn mysql(payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("short").to_le_bytes();
        [&length[..3], &[0], payload].concat()
    }

    fn greeting(capabilities: u16) -> Vec<u8> {
        let scramble = [b'x'; 8];
        let capabilities = capabilities.to_le_bytes();
        let parts: [&[u8]; 7] = [
            b"\x0a8.0.36\0",
            &[7, 0, 0, 0],
            &scramble,
            &[0],
            &capabilities,
            &[33, 2, 0],
            &[0; 31],
        ];
        mysql(&parts.concat())
    }

    #[tokio::test]
    async fn mysql_is_asked_for_tls_after_its_greeting() {
        let (result, request) = started(Protocol::Mysql, &greeting(0xffff)).await;
        result.expect("TLS may begin");
        assert_eq!(request.len(), 36);
        assert_eq!(request[..4], [32, 0, 0, 1]);
        let capabilities = u32::from_le_bytes([request[4], request[5], request[6], request[7]]);
        assert_eq!(capabilities & 0x800, 0x800, "CLIENT_SSL");
    }

    #[tokio::test]
    async fn a_mysql_server_without_tls_says_so_and_is_told_nothing() {
        let (result, request) = started(Protocol::Mysql, &greeting(0xf7ff)).await;
        let error = result.expect_err("no TLS");
        assert_eq!(
            error.detail,
            "the server offers no TLS: its MySQL greeting lacks CLIENT_SSL"
        );
        assert_eq!(request, b"");
    }

    #[tokio::test]
    async fn a_mysql_greeting_that_ends_too_early_is_said_to_be_cut_short() {
        for payload in [&b"\x0a"[..], b"\x0a8.0.36", b"\x0a8.0.36\0\x01\x02"] {
            let text = failure(Protocol::Mysql, &mysql(payload)).await;
            assert_eq!(text, "failed: the server's MySQL greeting is cut short");
        }
    }

    #[tokio::test]
    async fn a_mysql_error_is_told_in_the_servers_words_and_a_ban_is_a_refusal() {
        for (code, words, text, refusal) in [
            (
                1129,
                "Host '10.1.2.3' is blocked because of many connection errors",
                "Host '10.1.2.3' is blocked because of many connection errors",
                Some(Refusal::HostBlocked),
            ),
            (
                1130,
                "#HY000Host '10.1.2.3' is not allowed to connect",
                "Host '10.1.2.3' is not allowed to connect",
                Some(Refusal::HostNotAllowed),
            ),
            (
                9000,
                "#28000Client with IP address '10.1.2.3' is not allowed to connect",
                "Client with IP address '10.1.2.3' is not allowed to connect",
                Some(Refusal::NoFirewallRule),
            ),
            (
                1040,
                "#08004Too many connections",
                "Too many connections",
                None,
            ),
            (1040, "#", "#", None),
        ] {
            let code_bytes = u16::to_le_bytes(code);
            let packet = mysql(&[&[0xff][..], &code_bytes, words.as_bytes()].concat());
            let error = started(Protocol::Mysql, &packet)
                .await
                .0
                .expect_err("no TLS");
            assert_eq!(
                error.detail,
                format!("the server refuses with MySQL error {code}: {text}")
            );
            let refused = error.refused.map(|refused| (refused.by, refused.seen_from));
            let from = "10.1.2.3".parse().expect("an address");
            assert_eq!(refused, refusal.map(|refusal| (refusal, Some(from))));
        }
        let text = failure(Protocol::Mysql, &mysql(&[0xff, 1])).await;
        assert!(text.ends_with("cut short"), "{text}");
    }

    #[tokio::test]
    async fn what_speaks_another_protocol_is_named_by_its_first_bytes() {
        for (sent, text) in [
            (b"\x01\0\0\0\x09".as_slice(), "it begins with `\\t`"),
            (b"\0\0\0\0", "it begins with `\\x00"),
        ] {
            let failure = failure(Protocol::Mysql, sent).await;
            assert!(failure.contains(text), "{failure}");
        }
    }

    #[tokio::test]
    async fn a_greeting_that_ends_in_its_middle_has_interrupted_the_handshake() {
        let text = failure(Protocol::Mysql, &greeting(0x800)[..20]).await;
        assert!(text.starts_with("interrupted: "), "{text}");
        assert!(text.ends_with("was whole"), "{text}");
    }

    proptest! {
        #[test]
        fn no_greeting_makes_it_panic(
            kind in prop_oneof![Just(10), Just(0xff)],
            bytes in proptest::collection::vec(any::<u8>(), 0..600),
        ) {
            assert_ends_well(Protocol::Mysql, &mysql(&[&[kind], &bytes[..]].concat()));
        }
    }
}
