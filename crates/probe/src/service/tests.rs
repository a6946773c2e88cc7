//! Replies whole, broken and endless, read in pieces of every size.

use std::time::Duration;

use privatelink_verdict::service_evidence::ServiceEvidence;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

/// What a kind of service is asked.
fn request(word: &str) -> Request {
    let mut kinds = ServiceEvidence::ALL.iter();
    kinds
        .find(|kind| kind.word() == word)
        .expect("a kind")
        .request
}

/// What `ask` makes of `bytes`, sent in pieces of `piece` and followed by silence.
async fn replied(kind: &str, bytes: &[u8], piece: usize) -> Result<Reply, NoReply> {
    let (mut ours, mut theirs) = duplex(64 * 1024);
    let bytes = bytes.to_vec();
    let peer = tokio::spawn(async move {
        let mut asked = vec![0; 1024];
        let length = theirs.read(&mut asked).await.unwrap_or(0);
        for piece in bytes.chunks(piece) {
            if theirs.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        asked.truncate(length);
        asked
    });
    let deadline = Instant::now() + Duration::from_millis(200);
    let request = request(kind);
    let asked = ask(&mut ours, "kv.vault.azure.net", request, deadline).await;
    peer.abort();
    asked.reply
}

#[tokio::test(start_paused = true)]
async fn a_reply_is_read_whole_whatever_pieces_it_comes_in() {
    let bytes = b"HTTP/1.1 200 OK\r\nX-MS-KeyVault-Network-Info: addr=10.1.2.3;\r\n\
        Set-Cookie: secret=1\r\nContent-Length: 4\r\n\r\nfine";
    for piece in [1, 7, 4096] {
        let reply = replied("key-vault", bytes, piece).await.expect("a reply");
        assert_eq!(reply.status, 200);
        assert_eq!(reply.body, "fine");
        let name = "x-ms-keyvault-network-info".to_owned();
        assert_eq!(reply.headers, [(name, "addr=10.1.2.3;".to_owned())]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_endless_head_or_body_is_bounded() {
    let head = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'a'; 60_000]].concat();
    assert_eq!(
        replied("key-vault", &head, 4096).await,
        Err(NoReply::Unreadable)
    );
    let body = [b"HTTP/1.1 403 No\r\n\r\n".to_vec(), vec![b'a'; 60_000]].concat();
    let reply = replied("key-vault", &body, 4096).await.expect("a reply");
    assert_eq!(reply.body.len(), MAX_BODY);
}

#[tokio::test(start_paused = true)]
async fn silence_is_a_timeout_and_plain_text_no_reply() {
    assert_eq!(replied("key-vault", b"", 1).await, Err(NoReply::Timeout));
    assert_eq!(
        replied("key-vault", b"<html>hello", 99).await,
        Err(NoReply::Unreadable)
    );
    assert_eq!(
        replied("key-vault", b"220 smtp ready\r\n", 99).await,
        Err(NoReply::Unreadable)
    );
    let http2 = b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80";
    assert_eq!(
        replied("key-vault", http2, 99).await,
        Err(NoReply::Unreadable)
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_judged_by_what_came_of_it() {
    for head in [
        "HTTP/1.1 403 No\r\nContent-Length: 99999\r\n\r\n",
        "HTTP/1.1 403 No\r\n\r\n",
        "HTTP/1.1 403 No\r\nTransfer-Encoding: Chunked\r\n\r\nffff;x=\"y\"\r\n",
    ] {
        let bytes = format!("{head}ForbiddenByConnection");
        let reply = replied("key-vault", bytes.as_bytes(), 4096).await;
        let reply = reply.expect("the head came");
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (403, "ForbiddenByConnection")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_has_no_body_is_not_waited_for() {
    let started = Instant::now();
    let bytes = b"HTTP/1.1 204 No Content\r\nX-MS-Request-Id: 1\r\n\r\n";
    assert_eq!(
        replied("key-vault", bytes, 4096).await.map(|r| r.status),
        Ok(204)
    );
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn chunks_do_not_hide_the_words_of_a_denial() {
    let bytes = b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n\
        9;a=\"b\";c\r\nForbidden\r\n0C\r\nByConnection\r\n0\r\nX-Trailer: 1\r\n\r\n";
    for piece in [1, 4096] {
        let reply = replied("key-vault", bytes, piece).await.expect("a reply");
        assert_eq!(reply.body, "ForbiddenByConnection");
    }
}

#[tokio::test(start_paused = true)]
async fn interim_replies_are_passed_over_and_a_flood_of_them_is_no_reply() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let last = "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n";
    for piece in [1, 4096] {
        let bytes = [interim, early, last].concat();
        let reply = replied("key-vault", bytes.as_bytes(), piece).await;
        assert_eq!(reply.map(|reply| reply.status), Ok(401));
    }
    let flood = interim.repeat(1000);
    assert_eq!(
        replied("key-vault", flood.as_bytes(), 4096).await,
        Err(NoReply::Unreadable)
    );
    let switched = b"HTTP/1.1 101 Switching Protocols\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        replied("key-vault", switched, 99).await.map(|r| r.status),
        Ok(101)
    );
}

#[tokio::test(start_paused = true)]
async fn an_odd_head_still_shows_the_services_mark() {
    let many = "X-Many: 1\r\n".repeat(100);
    for odd in [
        b"X-Odd: \xff\xfe\r\n".as_slice(),
        b"X-Folded: 1\r\n  2\r\n",
        b"No header at all\r\n",
        b"X-Spaced : 1\r\n",
        b"Content-Encoding: gzip\r\n",
        many.as_bytes(),
    ] {
        let bytes = [
            b"HTTP/1.1 200 \xff\r\n".as_slice(),
            odd,
            b"X-MS-Request-Id: 1\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
        ];
        let reply = replied("key-vault", &bytes.concat(), 4096).await;
        let reply = reply.unwrap_or_else(|error| panic!("{error:?}: {}", odd.escape_ascii()));
        assert_eq!(reply.header("x-ms-request-id"), Some("1"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_byte_a_second_ends_at_the_deadline() {
    let (mut ours, mut theirs) = duplex(64);
    let peer = tokio::spawn(async move {
        for byte in b"HTTP/1.1 200 OK\r\n".iter().cycle() {
            if theirs.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let started = Instant::now();
    let deadline = started + Duration::from_millis(2500);
    let request = request("key-vault");
    let asked = ask(&mut ours, "kv.vault.azure.net", request, deadline).await;
    peer.abort();
    assert_eq!(asked.reply, Err(NoReply::Timeout));
    assert_eq!(started.elapsed(), Duration::from_millis(2500));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_speaks_before_it_is_asked_is_read_all_the_same() {
    let (mut ours, mut theirs) = duplex(4096);
    let bytes = b"HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nForbidden";
    theirs.write_all(bytes).await.expect("room");
    let deadline = Instant::now() + Duration::from_secs(1);
    let request = request("key-vault");
    let asked = ask(&mut ours, "kv.vault.azure.net", request, deadline).await;
    assert_eq!(
        asked.reply.map(|reply| reply.body),
        Ok("Forbidden".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_ends_within_the_head_gave_no_reply() {
    for bytes in [b"".as_slice(), b"HTTP/1.1 200 OK\r\nX-MS-Req"] {
        let (mut ours, mut theirs) = duplex(4096);
        theirs.write_all(bytes).await.expect("room");
        let peer = tokio::spawn(async move {
            let asked = theirs.read(&mut [0; 1024]).await;
            drop((asked, theirs));
        });
        let deadline = Instant::now() + Duration::from_secs(1);
        let request = request("key-vault");
        let asked = ask(&mut ours, "kv.vault.azure.net", request, deadline).await;
        peer.await.expect("it ended");
        assert_eq!(asked.reply, Err(NoReply::Closed));
    }
}

#[tokio::test(start_paused = true)]
async fn a_length_that_is_none_makes_the_reply_unreadable() {
    // RFC 9112 section 6.3: the framing is invalid, and the reply is discarded.
    let bytes = b"HTTP/1.1 403 No\r\nContent-Length: -5\r\n\r\nForbiddenByConnection";
    let reply = replied("key-vault", bytes, 4096).await;
    assert_eq!(reply, Err(NoReply::Unreadable));
}

#[tokio::test(start_paused = true)]
async fn a_request_carries_no_credentials_and_names_the_host_not_the_alias() {
    for kind in ServiceEvidence::ALL {
        let (mut ours, mut theirs) = duplex(4096);
        let deadline = Instant::now() + Duration::from_secs(1);
        let asked = ask(&mut ours, "kv.vault.azure.net", kind.request, deadline);
        let mut sent = vec![0; 4096];
        let (_, length) = tokio::join!(asked, theirs.read(&mut sent));
        sent.truncate(length.expect("a request"));
        let text = String::from_utf8(sent).expect("text");
        assert!(text.contains("\r\nHost: kv.vault.azure.net\r\n"), "{text}");
        assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\n"), "{text}");
        assert!(
            !text.to_ascii_lowercase().contains("authorization"),
            "{text}"
        );
        assert!(!text.contains("comp=list"), "{text}");
    }
}

proptest! {
    #[test]
    fn no_reply_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        runtime.expect("a runtime").block_on(async {
            let _ = replied("key-vault", &bytes, 500).await;
            let begun = [b"HTTP/1.1 200 OK\r\n".to_vec(), bytes].concat();
            let _ = replied("key-vault", &begun, 500).await;
        });
    }
}
