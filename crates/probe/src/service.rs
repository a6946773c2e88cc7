//! Service: asking the service itself, over the connection whose handshake was just completed, before
//! any login.
//!
//! One request, one reply, HTTP/1.1, nothing else: no credentials, no redirect followed, no second
//! request, a bounded head and the beginning of the body. The catalogue says what may be asked; what the
//! reply proves is judged elsewhere.

mod bounded;

use std::pin::pin;
use std::time::SystemTime;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, CONNECTION, HOST, USER_AGENT};
use hyper::http;
use hyper_util::rt::TokioIo;
use privatelink_verdict::observation::{NoReply, ServiceReply};
use privatelink_verdict::sanitize::from_wire;
use privatelink_verdict::service_evidence::{HEADERS, Reply, Request};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use self::bounded::Bounded;

/// The largest head of a reply that is read.
const MAX_HEAD: usize = 16 * 1024;
/// Headers of a reply that are read.
const MAX_HEADERS: usize = 256;
/// Bytes of a body that are kept: a denial can be recognised within these.
const MAX_BODY: usize = 2048;
/// Bytes that are read of a reply in all, interim replies and the sizes of chunks included.
const MAX_READ: usize = 24 * 1024;

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
    let request = http_request(host, request).map_err(|_| NoReply::Unreadable)?;
    let (mut sender, connection) = client()
        .handshake(TokioIo::new(Bounded::new(stream, MAX_READ)))
        .await
        .map_err(|error| no_reply(&error))?;
    // Kept outside the exchange: a body that stalls is judged by what has come of it.
    let (mut head, mut body) = (None, Vec::new());
    let exchange = async {
        let response = sender.send_request(request).await?;
        head = Some(reply_without_body(&response));
        let mut incoming = response.into_body();
        while body.len() < MAX_BODY
            && let Some(Ok(frame)) = incoming.frame().await
        {
            body.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        }
        Ok(())
    };
    let driven = async {
        let (mut exchange, mut connection) = (pin!(exchange), pin!(connection));
        tokio::select! {
            biased;
            done = &mut exchange => done,
            // The connection has ended: what it left behind is all that comes.
            _ = &mut connection => exchange.await,
        }
    };
    let done: Result<hyper::Result<()>, _> = timeout_at(deadline, driven).await;
    let Some(mut reply) = head else {
        return Err(match done {
            Ok(Err(error)) => no_reply(&error),
            Ok(Ok(())) => NoReply::Closed,
            Err(_) => NoReply::Timeout,
        });
    };
    body.truncate(MAX_BODY);
    reply.body = String::from_utf8_lossy(&body).into_owned();
    Ok(reply)
}

/// A client within the bounds above. Boxes between us and the service fold lines and add what is
/// no header: that hides no mark of the service.
fn client() -> http1::Builder {
    let mut client = http1::Builder::new();
    client
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .title_case_headers(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(true);
    client
}

fn http_request(host: &str, request: Request) -> http::Result<http::Request<Empty<Bytes>>> {
    let Request {
        method,
        path,
        headers,
    } = request;
    let agent = concat!("privatelink-prober/", env!("CARGO_PKG_VERSION"));
    let mut builder = http::Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, host)
        .header(USER_AGENT, agent)
        .header(ACCEPT, "*/*")
        .header(ACCEPT_ENCODING, "identity")
        .header(CONNECTION, "close");
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Empty::new())
}

fn reply_without_body(response: &http::Response<Incoming>) -> Reply {
    let kept = response
        .headers()
        .iter()
        .filter(|(name, _)| HEADERS.contains(&name.as_str()));
    Reply {
        status: response.status().as_u16(),
        headers: kept
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes());
                (name.to_string(), from_wire(&value).into_owned())
            })
            .collect(),
        body: String::new(),
    }
}

fn no_reply(error: &hyper::Error) -> NoReply {
    if error.is_parse() || bounded::is_limit_exceeded(error) {
        NoReply::Unreadable
    } else {
        NoReply::Closed
    }
}

#[cfg(test)]
mod tests;
