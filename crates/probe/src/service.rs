//! Service: asking the service itself, over the connection that was just attempt, before any login.
//!
//! One request, one reply, HTTP/1.1, nothing else: no credentials, no redirect followed, no second
//! request, a bounded head and the beginning of the body. What may be asked is in the catalogue's
//! crate; what the reply proves is judged there.

mod chunked;

use std::io;
use std::time::SystemTime;

use privatelink_verdict::observation::{NoReply, ServiceReply};
use privatelink_verdict::service_evidence::{HEADERS, Reply, Request};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use self::chunked::Chunked;
use privatelink_verdict::sanitize::from_wire;

/// The largest head of a reply that is read.
const MAX_HEAD: usize = 16 * 1024;
/// Headers of a reply that are read.
const MAX_HEADERS: usize = 256;
/// Interim replies (1xx) that are passed over.
const MAX_INTERIM: usize = 8;
/// Bytes of a body that are kept: a denial can be recognised within these.
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
        let ended = if let Some(chunked) = &mut chunked {
            chunked.feed(&piece, &mut body)
        } else {
            body.extend_from_slice(&piece);
            false
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
mod tests;
