//! What servers say before TLS, true and false, byte for byte.

use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{DuplexStream, duplex};
use tokio::time::timeout;

use super::*;

impl Channel for DuplexStream {}

/// What becomes of a beginning where the peer says `said` and closes, and what we said to it.
async fn begun(protocol: Protocol, said: &[u8]) -> (Result<(), NoTls>, Vec<u8>) {
    let (near, mut far) = duplex(64 * 1024);
    far.write_all(said).await.expect("room for it");
    far.shutdown().await.expect("closed");
    let result = begin(protocol, near).await.map(drop);
    let mut heard = Vec::new();
    far.read_to_end(&mut heard).await.expect("what we said");
    (result, heard)
}

async fn detail(protocol: Protocol, said: &[u8]) -> String {
    let none = begun(protocol, said).await.0.expect_err("no TLS");
    format!("{}: {}", none.outcome, none.detail)
}

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
async fn postgresql_is_asked_for_tls_and_not_a_byte_of_the_handshake_is_taken() {
    let (near, mut far) = duplex(64);
    far.write_all(b"S\x16").await.expect("room for it");
    let mut channel = begin(Protocol::Postgres, near)
        .await
        .expect("TLS may begin")
        .channel;
    assert_eq!(channel.read_u8().await.expect("a byte of TLS"), 0x16);
    let mut request = [0; 8];
    far.read_exact(&mut request).await.expect("a request");
    assert_eq!(request, [0, 0, 0, 8, 4, 210, 22, 47]);
}

#[tokio::test]
async fn a_postgresql_server_without_tls_says_so() {
    let told = detail(Protocol::Postgres, b"N").await;
    assert_eq!(
        told,
        "failed: the server offers no TLS: it answers PostgreSQL's SSLRequest with `N`"
    );
}

#[tokio::test]
async fn a_postgresql_error_is_told_in_the_servers_words() {
    let body = b"SFATAL\0VFATAL\0C53300\0Msorry, too many\x1b[2J clients already\0\0";
    let length = u32::try_from(body.len() + 4).expect("short").to_be_bytes();
    let told = detail(Protocol::Postgres, &[b"E", &length[..], body].concat()).await;
    assert_eq!(
        told,
        "failed: the server answers PostgreSQL's SSLRequest with an error: \
         FATAL 53300: sorry, too many\\u{1b}[2J clients already"
    );
    // Of protocol 2: a text without a length.
    let told = detail(Protocol::Postgres, b"Ecould not fork new process\n\0").await;
    assert!(
        told.ends_with("with an error: could not fork new process"),
        "{told}"
    );
}

#[tokio::test]
async fn a_postgresql_error_that_lies_about_its_length_is_read_as_far_as_it_goes() {
    let told = detail(Protocol::Postgres, b"E\0\0\x0f\xffSFATAL\0Mgone").await;
    assert!(told.ends_with("with an error: FATAL gone"), "{told}");
    let endless = [b"E".to_vec(), vec![b'x'; 32 * 1024]].concat();
    let told = detail(Protocol::Postgres, &endless).await;
    assert!(told.len() < 400, "{}", told.len());
    let told = detail(Protocol::Postgres, b"E").await;
    assert!(told.ends_with("with an error: without a word"), "{told}");
}

#[tokio::test]
async fn what_speaks_another_protocol_is_named_by_its_first_bytes() {
    let http = b"HTTP/1.1 400 Bad Request\r\n\r\n";
    for (protocol, said, told) in [
        (
            Protocol::Postgres,
            &http[..],
            "speak PostgreSQL: it begins with `H`",
        ),
        (Protocol::Mysql, http, "speak MySQL: it begins with `HTTP`"),
        (
            Protocol::Mysql,
            b"\x01\0\0\0\x09",
            "speak MySQL: it begins with `\\t`",
        ),
        (
            Protocol::Mysql,
            b"\0\0\0\0",
            "speak MySQL: it begins with `\\x00",
        ),
        (Protocol::Tds, http, "speak TDS: it begins with `HTTP`"),
    ] {
        let detail = detail(protocol, said).await;
        assert!(detail.starts_with("failed: "), "{detail}");
        assert!(detail.contains(told), "{detail}");
    }
}

#[tokio::test]
async fn a_peer_that_closes_at_once_has_interrupted_the_handshake() {
    for protocol in [Protocol::Postgres, Protocol::Mysql, Protocol::Tds] {
        let told = detail(protocol, b"").await;
        assert!(
            told.starts_with("interrupted: the peer closed the connection before"),
            "{told}"
        );
    }
    // And so has one that closes in the middle of its first message.
    for (protocol, said) in [
        (Protocol::Mysql, &greeting(0x800)[..20]),
        (Protocol::Tds, &prelogin(1)[..5]),
        (Protocol::Tds, &prelogin(1)[..12]),
    ] {
        let told = detail(protocol, said).await;
        assert!(told.starts_with("interrupted: "), "{told}");
        assert!(told.ends_with("was whole"), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_lasts_until_the_callers_deadline_and_no_longer() {
    for protocol in [Protocol::Postgres, Protocol::Mysql, Protocol::Tds] {
        let (near, _far) = duplex(64);
        let begun = timeout(Duration::from_secs(5), begin(protocol, near)).await;
        assert!(begun.is_err(), "{protocol}");
    }
}

#[tokio::test]
async fn mysql_is_asked_for_tls_after_its_greeting() {
    let (result, heard) = begun(Protocol::Mysql, &greeting(0xffff)).await;
    result.expect("TLS may begin");
    assert_eq!(heard.len(), 36);
    assert_eq!(heard[..4], [32, 0, 0, 1]);
    let capabilities = u32::from_le_bytes([heard[4], heard[5], heard[6], heard[7]]);
    assert_eq!(capabilities & 0x800, 0x800, "CLIENT_SSL");
}

#[tokio::test]
async fn a_mysql_server_without_tls_says_so_and_is_told_nothing() {
    let (result, heard) = begun(Protocol::Mysql, &greeting(0xf7ff)).await;
    let none = result.expect_err("no TLS");
    assert_eq!(
        none.detail,
        "the server offers no TLS: its MySQL greeting lacks CLIENT_SSL"
    );
    assert_eq!(heard, b"");
}

#[tokio::test]
async fn a_mysql_greeting_that_ends_too_early_is_said_to_be_cut_short() {
    for payload in [&b"\x0a"[..], b"\x0a8.0.36", b"\x0a8.0.36\0\x01\x02"] {
        let told = detail(Protocol::Mysql, &mysql(payload)).await;
        assert_eq!(told, "failed: the server's MySQL greeting is cut short");
    }
}

#[tokio::test]
async fn a_mysql_error_is_told_in_the_servers_words_and_a_ban_is_a_refusal() {
    for (code, words, told, refusal) in [
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
            Some(Refusal::HostNotAllowed),
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
        let none = begun(Protocol::Mysql, &packet).await.0.expect_err("no TLS");
        assert_eq!(
            none.detail,
            format!("the server refuses with MySQL error {code}: {told}")
        );
        assert_eq!(none.refusal, refusal);
    }
    let told = detail(Protocol::Mysql, &mysql(&[0xff, 1])).await;
    assert!(told.ends_with("cut short"), "{told}");
}

#[tokio::test]
async fn sql_server_is_asked_for_encryption_in_a_well_formed_prelogin() {
    let (result, heard) = begun(Protocol::Tds, &prelogin(1)).await;
    result.expect("TLS may begin");
    assert_eq!(
        heard[..4],
        [0x12, 1, 0, u8::try_from(heard.len()).expect("short")]
    );
    // Each option lies where its token says, one after another to the end.
    let payload = &heard[8..];
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
    let told = detail(Protocol::Tds, &prelogin(2)).await;
    assert_eq!(
        told,
        "failed: the server offers no TLS: it answers PRELOGIN (TDS) with ENCRYPT_NOT_SUP"
    );
}

#[tokio::test]
async fn an_answer_to_prelogin_may_come_in_several_packets() {
    let whole = prelogin(1);
    let mut said = Vec::new();
    for part in whole[8..].chunks(5) {
        said.extend(tds(4, part));
        let header = said.len() - part.len() - 8;
        said[header + 1] = 0;
    }
    // Not ended yet: the peer goes away before the last packet.
    let told = detail(Protocol::Tds, &said).await;
    assert!(told.starts_with("interrupted: the peer closed"), "{told}");
    let last = said.len() - (whole.len() - 8) % 5 - 8;
    said[last + 1] = 1;
    assert!(begun(Protocol::Tds, &said).await.0.is_ok());
    // Nor does it grow without end.
    let endless: Vec<u8> = [4, 0, 4, 0, 0, 0, 1, 0]
        .into_iter()
        .chain([7; 1016])
        .collect();
    let told = detail(Protocol::Tds, &endless.repeat(8)).await;
    assert!(told.ends_with("an impossible length, 1024 bytes"), "{told}");
}

#[tokio::test]
async fn a_sql_server_that_does_not_agree_to_tls_is_given_the_chance() {
    for (encryption, has_caveat) in [(0, true), (1, false), (3, false)] {
        let (near, mut far) = duplex(4096);
        far.write_all(&prelogin(encryption))
            .await
            .expect("room for it");
        let begun = begin(Protocol::Tds, near).await.expect("TLS may begin");
        assert_eq!(begun.caveat.is_some(), has_caveat, "{encryption}");
    }
}

#[tokio::test]
async fn a_sql_servers_firewall_is_a_rule_that_turns_us_away() {
    for (number, refusal) in [
        (40_615_i32, Some(Refusal::HostNotAllowed)),
        (40_914, Some(Refusal::HostNotAllowed)),
        (47_073, Some(Refusal::HostNotAllowed)),
        (17_809, None),
    ] {
        let number = number.to_le_bytes();
        let token = [&[0xaa, 10, 0][..], &number, &[1, 16, 0, 0]].concat();
        let none = begun(Protocol::Tds, &tds(4, &token))
            .await
            .0
            .expect_err("no TLS");
        assert_eq!(none.refusal, refusal, "{}", none.detail);
    }
}

#[tokio::test]
async fn a_sql_server_that_wants_tls_first_is_told_how_to_be_probed() {
    let alert = [0x15, 3, 1, 0, 2, 2, 70];
    for (said, outcome) in [(&alert[..], "failed"), (b"", "interrupted")] {
        let told = detail(Protocol::Tds, said).await;
        assert!(told.starts_with(outcome), "{told}");
        assert!(told.contains("TDS 8"), "{told}");
        assert!(told.contains("`protocol: tls`"), "{told}");
    }
}

#[tokio::test]
async fn an_answer_to_prelogin_that_makes_no_sense_is_told_as_it_is() {
    let lying = |length: u16| [&[4, 1][..], &length.to_be_bytes(), &[0; 60]].concat();
    for (said, told) in [
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
        let detail = detail(Protocol::Tds, &said).await;
        assert!(detail.ends_with(told), "{detail}");
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
    let told = detail(Protocol::Tds, &tds(4, &token)).await;
    assert!(told.ends_with("with an error: 17809: busy"), "{told}");
    let told = detail(Protocol::Tds, &tds(4, &[0xaa, 0])).await;
    assert!(told.ends_with("says nothing of encryption"), "{told}");
}

proptest! {
    #[test]
    fn no_bytes_make_a_beginning_panic_or_hang(
        protocol in 0..3_usize,
        kind in 0..4_usize,
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let protocol = [Protocol::Postgres, Protocol::Mysql, Protocol::Tds][protocol];
        let said = match (protocol, kind) {
            (_, 0) => bytes,
            (Protocol::Postgres, _) => [b"E", &bytes[..]].concat(),
            (Protocol::Mysql, 1) => mysql(&[&[10], &bytes[..]].concat()),
            (Protocol::Mysql, _) => mysql(&[&[0xff], &bytes[..]].concat()),
            (_, 1) => tds(4, &[&[0xaa], &bytes[..]].concat()),
            _ => tds(4, &bytes),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let (result, _) = runtime.expect("a runtime").block_on(begun(protocol, &said));
        if let Err(none) = result {
            prop_assert!(none.detail.len() < 500, "{}", none.detail);
            prop_assert!(!none.detail.chars().any(char::is_control), "{:?}", none.detail);
        }
    }
}
