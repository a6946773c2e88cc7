//! What holds for every protocol: servers that speak another one, close, keep silent or send nonsense.

use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;

use super::*;

impl Channel for DuplexStream {}

/// What comes of a start where the peer sends `sent` and closes, and what was sent to it.
pub(super) async fn started(
    protocol: Protocol,
    sent: &[u8],
) -> (Result<(), StarttlsError>, Vec<u8>) {
    let (near, mut far) = duplex(64 * 1024);
    far.write_all(sent).await.expect("room for it");
    far.shutdown().await.expect("closed");
    let result = start(protocol, near).await.map(drop);
    let mut request = Vec::new();
    far.read_to_end(&mut request).await.expect("the request");
    (result, request)
}

/// The outcome and the words of a start that fails.
pub(super) async fn failure(protocol: Protocol, sent: &[u8]) -> String {
    let error = started(protocol, sent).await.0.expect_err("no TLS");
    format!("{}: {}", error.outcome, error.detail)
}

/// Asserts that a server that sends `sent` is started with or refused, in words that can be shown.
pub(super) fn assert_ends_well(protocol: Protocol, sent: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let (result, _) = runtime
        .expect("a runtime")
        .block_on(started(protocol, sent));
    if let Err(error) = result {
        assert!(error.detail.len() < 500, "{}", error.detail);
        assert!(
            !error.detail.contains(char::is_control),
            "{:?}",
            error.detail
        );
    }
}

/// The protocols that say something before TLS.
fn protocols() -> impl Iterator<Item = Protocol> {
    let all = Protocol::ALL.iter().copied();
    all.filter(|protocol| !matches!(protocol, Protocol::Tls | Protocol::Tcp))
}

#[tokio::test]
async fn what_speaks_another_protocol_is_named_by_its_first_bytes() {
    let http = b"HTTP/1.1 400 Bad Request\r\n\r\n";
    for protocol in protocols() {
        let text = failure(protocol, http).await;
        assert!(
            text.starts_with("failed: the peer does not speak "),
            "{text}"
        );
        assert!(text.contains(": it begins with `H"), "{text}");
    }
}

#[tokio::test]
async fn a_peer_that_closes_at_once_has_interrupted_the_handshake() {
    for protocol in protocols() {
        let text = failure(protocol, b"").await;
        let expected = "interrupted: the peer closed the connection before";
        assert!(text.starts_with(expected), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_lasts_until_the_callers_deadline_and_no_longer() {
    for protocol in protocols() {
        let (near, _far) = duplex(64);
        let started = timeout(Duration::from_secs(5), start(protocol, near)).await;
        assert!(started.is_err(), "{protocol}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_start_panic_or_hang(
        sent in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        for protocol in protocols() {
            assert_ends_well(protocol, &sent);
        }
    }
}
