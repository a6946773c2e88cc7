//! Service: asking the service itself, over the connection that was just shaken, before any login.
//!
//! One request, one reply, HTTP/1.1, nothing else: no credentials, no redirect followed, no second
//! request, a bounded head and the beginning of the body. What may be asked is in the catalogue's
//! crate; what the reply proves is judged there.

use std::io;
use std::time::SystemTime;

use privatelink_verdict::observation::{NoReply, ServiceReply};
use privatelink_verdict::service::{HEADERS, Reply, Request};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use crate::wire::from_wire;

/// The largest head of a reply that is read.
const MAX_HEAD: usize = 16 * 1024;
/// Headers of a reply that are read.
const MAX_HEADERS: usize = 64;
/// Bytes of a body that are read: denials say who they are within these.
const MAX_BODY: usize = 2048;

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
    let reply = match timeout_at(deadline, exchange(stream, host, request)).await {
        Ok(reply) => reply,
        Err(_) => Err(NoReply::Timeout),
    };
    ServiceReply {
        reply,
        checked_at: SystemTime::now(),
    }
}

async fn exchange<S>(stream: &mut S, host: &str, request: Request) -> Result<Reply, NoReply>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let closed = |_: io::Error| NoReply::Closed;
    stream
        .write_all(written(host, request).as_bytes())
        .await
        .map_err(closed)?;
    stream.flush().await.map_err(closed)?;

    let mut received = Vec::with_capacity(2048);
    let (mut reply, body_at) = loop {
        let more = stream.read_buf(&mut received).await;
        if let Some(head) = head(&received)? {
            break head;
        }
        if received.len() > MAX_HEAD {
            return Err(NoReply::Unreadable);
        }
        match more {
            Ok(0) | Err(_) if received.is_empty() => return Err(NoReply::Closed),
            Ok(0) | Err(_) => return Err(NoReply::Unreadable),
            Ok(_) => {}
        }
    };
    if request.method != "HEAD" {
        received.drain(..body_at);
        // A body that is cut short, or never ends, is judged by what there is of it.
        while received.len() < body_wanted(&reply) {
            match stream.read_buf(&mut received).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        received.truncate(MAX_BODY);
        reply.body = String::from_utf8_lossy(&received).into_owned();
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

/// The reply's head with every header, and where its body begins; `None` while it is incomplete.
fn head(received: &[u8]) -> Result<Option<(Reply, usize)>, NoReply> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(received) {
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

/// How many bytes of the body are worth waiting for. A chunked body is read as it is: the sizes in
/// between do not hide the words that are looked for.
fn body_wanted(reply: &Reply) -> usize {
    let length = reply
        .header("content-length")
        .and_then(|value| value.parse::<usize>().ok());
    length.unwrap_or(MAX_BODY).min(MAX_BODY)
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
