//! Ask: one question to an agent, or to the replica that leads, over HTTP. Every reply is bounded, and so is
//! the time that it may take.

use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use flate2::read::GzDecoder;
use futures_util::future::join;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, DATE, ETAG, HOST, IF_NONE_MATCH,
};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use k8s_openapi::jiff::fmt::rfc2822;
use privatelink_fleet::Moment;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::either::Either;

/// How long a question may take, from the connection to the end of the reply.
pub(crate) const ASK: Duration = Duration::from_secs(5);

/// How agents, and the replica that leads, are asked. The default: over plain HTTP, without a password.
#[derive(Clone, Debug, Default)]
pub struct AgentAccess {
    /// Whom to trust, and the name in the certificate; `None`: plain HTTP.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// The header `Authorization`.
    pub authorization: Option<HeaderValue>,
}

/// The largest reply, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// As it is sent.
    sent: usize,
    /// When it is unpacked.
    unpacked: u64,
}

/// Of one of many agents.
pub(crate) const OF_AN_AGENT: Bounds = Bounds {
    sent: 1 << 20,
    unpacked: 3 << 20,
};

/// Of the replica that leads, about all of them.
pub(crate) const OF_THE_LEADER: Bounds = Bounds {
    sent: 4 << 20,
    unpacked: 16 << 20,
};

/// A reply, and what the clock of who sent it said.
#[derive(Debug)]
pub(crate) struct Replied {
    pub(crate) reply: Reply,
    pub(crate) date: Option<Moment>,
}

/// What is in a reply.
#[derive(Debug)]
pub(crate) enum Reply {
    /// What is known is still right.
    Unchanged,
    /// A new one.
    Whole {
        /// What to ask with from now on.
        tag: Option<HeaderValue>,
        /// The text.
        body: Vec<u8>,
    },
}

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoReply {
    #[error("there was no reply within {} s", ASK.as_secs())]
    Silent,
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    #[error("the TLS handshake failed: {0}")]
    Handshake(io::Error),
    #[error("the exchange broke off")]
    Http(#[source] hyper::Error),
    #[error("the reply is {0}{advice}", advice = advice(*.0))]
    Status(StatusCode),
    #[error("the reply cannot be read: {0}")]
    Unreadable(Box<dyn std::error::Error + Send + Sync>),
}

impl NoReply {
    /// Whether something answered.
    pub(crate) fn is_unreadable(&self) -> bool {
        matches!(self, Self::Status(_) | Self::Unreadable(_))
    }
}

fn advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "; if it asks for TLS, a certificate or a password, --client-config-file gives them"
        }
        _ => "",
    }
}

/// Asks for `path`; with the tag of the last reply, if there was one. A redirect is not followed: it is a
/// status like others.
pub(crate) async fn ask(
    access: &AgentAccess,
    at: SocketAddr,
    path: &str,
    tag: Option<&HeaderValue>,
    bounds: Bounds,
) -> Result<Replied, NoReply> {
    let asked = timeout(ASK, exchange(access, at, path, tag, bounds)).await;
    asked.unwrap_or(Err(NoReply::Silent))
}

async fn exchange(
    access: &AgentAccess,
    at: SocketAddr,
    path: &str,
    tag: Option<&HeaderValue>,
    bounds: Bounds,
) -> Result<Replied, NoReply> {
    let stream = TcpStream::connect(at).await.map_err(NoReply::Connect)?;
    let stream = match &access.tls {
        None => Either::Left(stream),
        Some((config, name)) => {
            let connector = TlsConnector::from(Arc::clone(config));
            let stream = connector.connect(name.clone(), stream).await;
            Either::Right(Box::new(stream.map_err(NoReply::Handshake)?))
        }
    };
    // The connection serves one question; what it takes is given back at once.
    let io = TokioIo::new(stream);
    let (mut sender, connection) = http1::handshake(io).await.map_err(NoReply::Http)?;
    let mut request = Request::get(path)
        .header(HOST, at.to_string())
        .header(ACCEPT_ENCODING, "gzip")
        .header(CONNECTION, "close");
    if let Some(authorization) = &access.authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    if let Some(tag) = tag {
        request = request.header(IF_NONE_MATCH, tag);
    }
    let request = request
        .body(Empty::<Bytes>::new())
        .map_err(|error| NoReply::Unreadable(error.into()))?;
    let reply = async move {
        let response = sender.send_request(request).await.map_err(NoReply::Http)?;
        let (head, body) = response.into_parts();
        let date = date(&head.headers);
        match head.status {
            StatusCode::NOT_MODIFIED if tag.is_some() => {
                let reply = Reply::Unchanged;
                return Ok(Replied { reply, date });
            }
            StatusCode::OK => {}
            other => return Err(NoReply::Status(other)),
        }
        let body = Limited::new(body, bounds.sent).collect().await;
        let body = body.map_err(NoReply::Unreadable)?.to_bytes();
        let is_packed = head
            .headers
            .get(CONTENT_ENCODING)
            .is_some_and(|it| it == "gzip");
        let body = if is_packed {
            unpacked(&body, bounds.unpacked).map_err(|error| NoReply::Unreadable(error.into()))?
        } else {
            body.into()
        };
        let tag = head.headers.get(ETAG).cloned();
        let reply = Reply::Whole { tag, body };
        Ok(Replied { reply, date })
    };
    // Without the question the connection ends; how it ends says nothing more.
    let (reply, _) = join(reply, connection).await;
    reply
}

/// The moment in the header `Date`.
pub(crate) fn date(headers: &HeaderMap) -> Option<Moment> {
    let text = headers.get(DATE)?.to_str().ok()?;
    let time = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    u32::try_from(time.as_second()).ok().map(Moment)
}

fn unpacked(body: &[u8], most: u64) -> io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    let mut reader = GzDecoder::new(body).take(most + 1);
    reader.read_to_end(&mut unpacked)?;
    if unpacked.len() as u64 > most {
        return Err(io::Error::other(format!(
            "it is larger than {} MiB",
            most >> 20
        )));
    }
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_a_reply_is_read() {
        let with = |text: &str| {
            let value = HeaderValue::from_str(text).expect("a value");
            date(&HeaderMap::from_iter([(DATE, value)]))
        };
        let at = Some(Moment(784_111_777));
        assert_eq!(with("Sun, 06 Nov 1994 08:49:37 GMT"), at);
        assert_eq!(with("yesterday"), None);
        assert_eq!(date(&HeaderMap::new()), None);
    }
}
