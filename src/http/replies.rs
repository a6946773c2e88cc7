//! Replies: what every reply has in common, whatever it says: its headers, its turn, and the room that a
//! long one waits for.

use std::error::Error;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    REFERRER_POLICY, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state, map_response, map_response_with_state};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use privatelink_board::HttpCounters;
use privatelink_report::events::RequestRefused;
use privatelink_report::page::{SCRIPT, STYLE};
use privatelink_report::pieces::Pieces;
use tracing::error;

use super::Client;
use super::access::{Access, guarded, with_configured_headers};
use super::body::{Body, Reading};
use super::negotiate::Accepted;
use super::pace::Pace;
use super::peer_limit::PeerLimit;

pub(super) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
pub(super) const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// How replies are made.
#[derive(Clone, Debug)]
pub(super) struct Replies {
    pub(super) pace: Pace,
    pub(super) limit: PeerLimit,
    pub(super) counters: Arc<HttpCounters>,
}

/// The routes, with what all their replies have in common.
pub(super) fn in_common(routes: Router, replies: Replies, access: Access) -> Router {
    let Replies { pace, counters, .. } = replies;
    routes
        .layer(from_fn_with_state((access.clone(), counters), guarded))
        .layer(map_response(with_security_headers))
        .layer(map_response_with_state(access, with_configured_headers))
        .layer(from_fn_with_state(pace, in_turn))
}

impl Replies {
    /// Waits until a reply that may be long can begin.
    pub(super) async fn admit(&self, client: Client) -> Result<Reading, Failure> {
        let Some(permit) = self.limit.admit(client.ip).await else {
            RequestRefused.emit(&self.counters);
            return Err(Failure::Busy(self.limit.wait()));
        };
        Ok(Reading {
            permit,
            end: client.end,
            patience: client.patience,
            counters: Arc::clone(&self.counters),
        })
    }

    /// A reply that may be long, compressed if the client accepts that.
    pub(super) async fn long(
        &self,
        reading: Reading,
        accepted: Accepted,
        kind: HeaderValue,
        text: impl Pieces + Send + 'static,
    ) -> Result<Response, Failure> {
        const GZIP: HeaderValue = HeaderValue::from_static("gzip");
        let body = Body::begin(text, self.pace.clone()).await?;
        let (body, compressed) = if body.is_short() {
            let (chunk, compressed) = body.into_chunk(accepted.gzip)?;
            (chunk.into(), compressed)
        } else {
            let chunks = body.into_chunks(accepted.gzip, reading);
            (axum::body::Body::from_stream(chunks), accepted.gzip)
        };
        let mut response = ([(CONTENT_TYPE, kind)], body).into_response();
        let headers = response.headers_mut();
        headers.insert(VARY, ACCEPT_ENCODING.into());
        if compressed {
            headers.insert(CONTENT_ENCODING, GZIP);
        }
        Ok(response)
    }
}

/// Why a request has no reply of its own.
pub(super) enum Failure {
    /// Too many replies are under way, and were for so long.
    Busy(Duration),
    /// The reply could not be written.
    Unwritten(Box<dyn Error + Send + Sync>),
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Unwritten(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Busy(waited) => {
                let text = "too many replies are under way; ask again later\n";
                let mut response = reply(StatusCode::SERVICE_UNAVAILABLE, TEXT, text);
                let wait = waited.as_secs().max(1).into();
                response.headers_mut().insert(RETRY_AFTER, wait);
                response
            }
            Self::Unwritten(error) => {
                error!(%error, "a reply could not be written");
                let text = format!("{error}\n");
                reply(StatusCode::INTERNAL_SERVER_ERROR, TEXT, text)
            }
        }
    }
}

/// A short reply.
pub(super) fn reply(status: StatusCode, kind: HeaderValue, body: impl Into<String>) -> Response {
    (status, [(CONTENT_TYPE, kind)], body.into()).into_response()
}

/// Every reply says that it may run no script and have no style but those of the pages, load nothing from
/// another site, stand in no frame, and be kept in no cache.
async fn with_security_headers(mut response: Response) -> Response {
    static POLICY: LazyLock<HeaderValue> = LazyLock::new(policy);
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let no_store = HeaderValue::from_static("no-store");
    headers.entry(CACHE_CONTROL).or_insert(no_store);
    response
}

/// Script and style are named by their hashes: behind the proxy of the Kubernetes API server many sites have
/// the same origin, so `'self'` would allow theirs. The script asks for the page again, hence `connect-src`.
fn policy() -> HeaderValue {
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; \
         connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        sha256(SCRIPT),
        sha256(STYLE),
    );
    // It has no character that a header cannot have.
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// The SHA-256 of a text, in base64.
fn sha256(text: &str) -> String {
    BASE64_STANDARD.encode(digest(&SHA256, text.as_bytes()))
}

/// Every request waits for its turn.
async fn in_turn(State(pace): State<Pace>, request: Request, next: Next) -> Response {
    pace.turn().await;
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_written_in_base64() {
        assert_eq!(
            sha256("abc"),
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
        );
    }

    #[test]
    fn the_policy_allows_the_script_and_the_style_of_the_pages_alone() {
        let policy = policy();
        let policy = policy.to_str().expect("text");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'sha256-"),
            "{policy}"
        );
        assert!(
            !policy.contains("unsafe") && !policy.contains("http"),
            "{policy}"
        );
        assert_eq!(policy.matches("'sha256-").count(), 2);
    }
}
