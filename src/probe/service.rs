//! Service: asking the service itself, over the connection that was just shaken, before any login.
//!
//! One request, one reply, HTTP/1.1, nothing else: no credentials, no redirect followed, no second
//! request, a bounded head and the beginning of the body. What may be asked is in the catalogue's
//! crate; what the reply proves is judged there.

mod chunked;

use std::io;
use std::time::SystemTime;

use privatelink_verdict::observation::{NoReply, ServiceReply};
use privatelink_verdict::service::{HEADERS, Reply, Request};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use self::chunked::Chunked;
use crate::wire::from_wire;

/// The largest head of a reply that is read.
const MAX_HEAD: usize = 16 * 1024;
/// Headers of a reply that are read.
const MAX_HEADERS: usize = 256;
/// Interim replies (1xx) that are passed over.
const MAX_INTERIM: usize = 8;
/// Bytes of a body that are kept: denials say who they are within these.
const MAX_BODY: usize = 2048;
/// Bytes that are read for them, with the sizes of chunks in between.
const MAX_RAW: usize = 16 * 1024;

/// Asks `request` of `host` on `stream` until `deadline`.
pub(super) async fn ask<S>(
    stream: &mut S,
    host: &str,
    request: Request,
    deadline: Instant,
) -> ServiceReply
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    ServiceReply {
        reply: exchange(stream, host, request, deadline).await,
        checked_at: SystemTime::now(),
    }
}

async fn exchange<S>(
    stream: &mut S,
    host: &str,
    request: Request,
    deadline: Instant,
) -> Result<Reply, NoReply>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut received = Vec::with_capacity(2048);
    let begun = async {
        let closed = |_: io::Error| NoReply::Closed;
        stream
            .write_all(written(host, request).as_bytes())
            .await
            .map_err(closed)?;
        stream.flush().await.map_err(closed)?;
        final_head(stream, &mut received).await
    };
    let mut reply = match timeout_at(deadline, begun).await {
        Ok(reply) => reply?,
        Err(_) => return Err(NoReply::Timeout),
    };
    // RFC 9112 section 6.3: these have no body, whatever their headers say.
    if request.method != "HEAD" && !matches!(reply.status, 204 | 304) {
        let body = body(stream, &reply, received, deadline).await;
        reply.body = String::from_utf8_lossy(&body).into_owned();
    }
    reply
        .headers
        .retain(|(name, _)| HEADERS.contains(&name.as_str()));
    Ok(reply)
}

fn written(host: &str, request: Request) -> String {
    let Request {
        method,
        path,
        headers,
    } = request;
    let agent = concat!("privatelink-prober/", env!("CARGO_PKG_VERSION"));
    let more: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: */*\r\n\
         Accept-Encoding: identity\r\nConnection: close\r\n{}\r\n",
        more.concat()
    )
}

/// The head of the reply proper, after interim ones (RFC 9110 section 15.2). What came beyond it
/// stays in `received`.
async fn final_head<S>(stream: &mut S, received: &mut Vec<u8>) -> Result<Reply, NoReply>
where
    S: AsyncRead + Unpin,
{
    let mut interim = 0;
    loop {
        if let Some((reply, length)) = head(received)? {
            received.drain(..length);
            // 101 is final: the peer goes on in another protocol.
            if !(100..200).contains(&reply.status) || reply.status == 101 {
                return Ok(reply);
            }
            interim += 1;
            if interim > MAX_INTERIM {
                return Err(NoReply::Unreadable);
            }
            continue;
        }
        if received.len() > MAX_HEAD {
            return Err(NoReply::Unreadable);
        }
        if !matches!(stream.read_buf(received).await, Ok(1..)) {
            return Err(NoReply::Closed);
        }
    }
}

/// The first head in `received`, with every header, and its length; `None` while it is incomplete.
fn head(received: &[u8]) -> Result<Option<(Reply, usize)>, NoReply> {
    // Boxes in between fold lines and add what is no header: that hides no mark of the service.
    let mut lenient = httparse::ParserConfig::default();
    lenient
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(true);
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let length = match lenient.parse_response(&mut response, received) {
        Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Ok(httparse::Status::Complete(_)) | Err(_) => return Err(NoReply::Unreadable),
    };
    let headers = response.headers.iter().map(|header| {
        let value = from_wire(&String::from_utf8_lossy(header.value)).into_owned();
        (header.name.to_ascii_lowercase(), value)
    });
    let status = response.code.ok_or(NoReply::Unreadable)?;
    Ok(Some((
        Reply {
            status,
            headers: headers.collect(),
            body: String::new(),
        },
        length,
    )))
}

/// The beginning of the body, of which `begun` has come. One that is cut short, stalls or never ends
/// is judged by what there is of it: the head has already proven that somebody replies.
async fn body<S>(stream: &mut S, reply: &Reply, begun: Vec<u8>, deadline: Instant) -> Vec<u8>
where
    S: AsyncRead + Unpin,
{
    let coding = reply.header("transfer-encoding").unwrap_or_default();
    let mut chunked = coding
        .to_ascii_lowercase()
        .contains("chunked")
        .then(Chunked::default);
    let wanted = match &chunked {
        Some(_) => MAX_BODY,
        None => reply
            .header("content-length")
            .and_then(|value| value.parse().ok())
            .map_or(MAX_BODY, |length: usize| length.min(MAX_BODY)),
    };
    let mut body = Vec::new();
    let mut piece = begun;
    let mut raw = 0;
    loop {
        raw += piece.len();
        let ended = match &mut chunked {
            Some(chunked) => chunked.feed(&piece, &mut body),
            None => {
                body.extend_from_slice(&piece);
                false
            }
        };
        if ended || body.len() >= wanted || raw >= MAX_RAW {
            break;
        }
        piece.clear();
        match timeout_at(deadline, stream.read_buf(&mut piece)).await {
            Ok(Ok(1..)) => {}
            _ => break,
        }
    }
    body.truncate(wanted);
    body
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use privatelink_verdict::service::request;
    use proptest::prelude::*;
    use tokio::io::duplex;

    use super::*;

    /// What `ask` makes of `bytes`, sent in pieces of `piece` and followed by silence.
    async fn replied(slug: &str, bytes: &[u8], piece: usize) -> Result<Reply, NoReply> {
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
        let request = request(slug).expect("a request");
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
            "HTTP/1.1 403 No\r\nContent-Length: -5\r\n\r\n",
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
        let many: String = (0..100).map(|n| format!("X-H{n}: 1\r\n")).collect();
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
        let request = request("key-vault").expect("a request");
        let asked = ask(&mut ours, "kv.vault.azure.net", request, deadline).await;
        peer.abort();
        assert_eq!(asked.reply, Err(NoReply::Timeout));
        assert_eq!(started.elapsed(), Duration::from_millis(2500));
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
            let request = request("key-vault").expect("a request");
            let asked = ask(&mut ours, "kv.vault.azure.net", request, deadline).await;
            peer.await.expect("it ended");
            assert_eq!(asked.reply, Err(NoReply::Closed));
        }
    }

    #[test]
    fn a_request_carries_no_credentials_and_names_the_host_not_the_alias() {
        for slug in [
            "container-registry",
            "key-vault",
            "storage-blob",
            "storage-dfs",
            "cosmos-db",
        ] {
            let text = written("kv.vault.azure.net", request(slug).expect("a request"));
            assert!(text.contains("\r\nHost: kv.vault.azure.net\r\n"), "{text}");
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
        fn no_head_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = head(&bytes);
            let _ = head(&[b"HTTP/1.1 200 OK\r\n".to_vec(), bytes].concat());
        }
    }
}
