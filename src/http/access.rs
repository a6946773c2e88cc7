//! Access: who may read. The web configuration says who, by certificates of clients and by passwords.
//!
//! Health is exempt: `/healthz` and `/readyz` are answered to everyone, also in plain HTTP where the port
//! speaks TLS. The kubelet has neither a password nor a certificate, and its probes must not wait for
//! handshakes (docs/adr/0021).

use std::borrow::Cow;
#[cfg(feature = "observer")]
use std::net::IpAddr;
#[cfg(feature = "observer")]
use std::sync::OnceLock;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use privatelink_board::HttpCounters;
use privatelink_config::web::WebConfig;
#[cfg(feature = "observer")]
use privatelink_observer::review::{NotReviewed, Reviewed, Reviewer, asked_for};
#[cfg(feature = "observer")]
use privatelink_report::NEEDS_TOKEN;
use privatelink_report::events::AccessDenied;
use privatelink_report::{NEEDS_PASSWORD, SPEAKS_HTTPS};
#[cfg(feature = "observer")]
use privatelink_verdict::sanitize::from_wire;
#[cfg(feature = "observer")]
use tokio::time::sleep;

use super::Client;
#[cfg(feature = "observer")]
use super::passwords::WAIT;
use super::passwords::{Checked, Passwords};
#[cfg(feature = "observer")]
use super::peer_limit::PeerLimit;
use super::replies::{TEXT, reply};

/// Questions to the API server at a time, and how long each of them counts at least: 20 tokens a second.
#[cfg(feature = "observer")]
const REVIEWS: usize = 2;
#[cfg(feature = "observer")]
const PAUSE: Duration = Duration::from_millis(100);

/// Who may read. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Access(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    config: Mutex<Arc<WebConfig>>,
    passwords: Passwords,
    #[cfg(feature = "observer")]
    reviews: OnceLock<Reviews>,
}

/// Questions to the API server about who may read.
#[cfg(feature = "observer")]
#[derive(Debug)]
struct Reviews {
    reviewer: Reviewer,
    limit: PeerLimit,
}

/// A request that is answered although nobody knows who sent it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anonymous;

/// Why a request is not answered.
#[derive(Debug)]
enum Denial {
    /// It came in plain HTTP, and the port speaks TLS.
    Plain,
    /// The certificate has no name that is allowed.
    Name,
    /// No password, or a wrong one.
    Password,
    /// Too many passwords or tokens are being checked, and were for so long.
    Busy(Duration),
    /// No token, or one that the API server does not know.
    #[cfg(feature = "observer")]
    Token,
    /// The API server knows this user, and he may not get this path.
    #[cfg(feature = "observer")]
    Forbidden(String, String),
    /// The API server does not say.
    #[cfg(feature = "observer")]
    NotReviewed(NotReviewed),
}

impl Access {
    /// As a web configuration says.
    pub fn new(config: WebConfig) -> Self {
        let access = Self::default();
        access.set_config(config);
        access
    }

    /// Takes over another web configuration. Connections that are open stay.
    pub fn set_config(&self, config: WebConfig) {
        self.0.passwords.forget();
        *self.lock() = Arc::new(config);
    }

    /// From now on the API server says who may read, and no password is asked for.
    #[cfg(feature = "observer")]
    pub(super) fn set_reviewer(&self, reviewer: Reviewer) {
        let limit = PeerLimit::new(REVIEWS, 1, WAIT);
        let _ = self.0.reviews.set(Reviews { reviewer, limit });
    }

    /// Whether the API server says who may read.
    #[cfg(feature = "observer")]
    fn is_reviewed(&self) -> bool {
        self.0.reviews.get().is_some()
    }

    pub(super) fn config(&self) -> Arc<WebConfig> {
        Arc::clone(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Arc<WebConfig>> {
        self.0.config.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn check(
        &self,
        config: &WebConfig,
        client: &Client,
        headers: &HeaderMap,
        path: &str,
    ) -> Result<(), Denial> {
        if config.tls.is_some() {
            if !client.security.is_tls {
                return Err(Denial::Plain);
            }
            if !client.security.has_allowed_name {
                return Err(Denial::Name);
            }
        }
        #[cfg(feature = "observer")]
        if let Some(reviews) = self.0.reviews.get() {
            return reviews.check(headers, path, client.ip).await;
        }
        // Only the API server judges by the path.
        let _ = path;
        if config.users.is_empty() {
            return Ok(());
        }
        let Some((user, password)) = basic(headers) else {
            return Err(Denial::Password);
        };
        let passwords = &self.0.passwords;
        let checked = passwords.check(&config.users, &user, password, client.ip);
        match checked.await {
            Checked::Right => Ok(()),
            Checked::Wrong => Err(Denial::Password),
            Checked::Busy(waited) => Err(Denial::Busy(waited)),
        }
    }
}

#[cfg(feature = "observer")]
impl Reviews {
    async fn check(&self, headers: &HeaderMap, path: &str, peer: IpAddr) -> Result<(), Denial> {
        let token = bearer(headers).ok_or(Denial::Token)?;
        let reviewed = match self.reviewer.known(token, path) {
            Some(reviewed) => reviewed,
            None => self.asked(token, path, peer).await?,
        };
        match reviewed {
            Reviewed::Allowed => Ok(()),
            Reviewed::Unknown => Err(Denial::Token),
            Reviewed::Forbidden(user) => Err(Denial::Forbidden(user, asked_for(path).to_owned())),
        }
    }

    async fn asked(&self, token: &str, path: &str, peer: IpAddr) -> Result<Reviewed, Denial> {
        let Some(permit) = self.limit.admit(peer).await else {
            return Err(Denial::Busy(WAIT));
        };
        let reviewed = self.reviewer.review(token, path).await;
        tokio::spawn(async move {
            sleep(PAUSE).await;
            drop(permit);
        });
        reviewed.map_err(Denial::NotReviewed)
    }
}

/// Answers a request of someone who may read, and refuses the others.
pub(super) async fn guarded(
    State((access, counters)): State<(Access, Arc<HttpCounters>)>,
    Extension(client): Extension<Client>,
    mut request: Request,
    next: Next,
) -> Response {
    let config = access.config();
    #[cfg(feature = "observer")]
    let is_reviewed = access.is_reviewed();
    #[cfg(not(feature = "observer"))]
    let is_reviewed = false;
    if !is_reviewed && !config.is_restricted() {
        return next.run(request).await;
    }
    if matches!(request.uri().path(), "/healthz" | "/readyz") {
        request.extensions_mut().insert(Anonymous);
        return next.run(request).await;
    }
    match access
        .check(&config, &client, request.headers(), request.uri().path())
        .await
    {
        Ok(()) => next.run(request).await,
        Err(denial) => {
            AccessDenied.emit(&counters);
            denial.into_response()
        }
    }
}

/// Sets the headers of the web configuration, also in place of the server's own.
pub(super) async fn with_configured_headers(
    State(access): State<Access>,
    mut response: Response,
) -> Response {
    for (name, value) in &access.config().headers {
        // They were checked when they were read; an empty one is none.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
            && !value.is_empty()
        {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The user and the password of a request (RFC 7617).
fn basic(headers: &HeaderMap) -> Option<(String, Vec<u8>)> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = BASE64_STANDARD.decode(encoded.trim()).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    let user = String::from_utf8(pair[..colon].to_vec()).ok()?;
    Some((user, pair[colon + 1..].to_vec()))
}

/// The token of a request (RFC 6750).
#[cfg(feature = "observer")]
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl Denial {
    fn into_response(self) -> Response {
        const BASIC: HeaderValue =
            HeaderValue::from_static("Basic realm=\"privatelink-prober\", charset=\"UTF-8\"");
        let (status, text): (_, Cow<'_, str>) = match &self {
            Self::Plain => (StatusCode::BAD_REQUEST, SPEAKS_HTTPS.into()),
            Self::Name => (
                StatusCode::FORBIDDEN,
                "the client's certificate has none of the names in client_allowed_sans".into(),
            ),
            Self::Password => (StatusCode::UNAUTHORIZED, NEEDS_PASSWORD.into()),
            Self::Busy(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "too many passwords or tokens are being checked; ask again later".into(),
            ),
            #[cfg(feature = "observer")]
            Self::Token => (StatusCode::UNAUTHORIZED, NEEDS_TOKEN.into()),
            #[cfg(feature = "observer")]
            Self::Forbidden(user, path) => (
                StatusCode::FORBIDDEN,
                Cow::from(format!(
                    "{} may not get the non-resource URL {}; a ClusterRole with nonResourceURLs gives that right",
                    from_wire(user),
                    from_wire(path)
                )),
            ),
            #[cfg(feature = "observer")]
            Self::NotReviewed(error) => (
                StatusCode::SERVICE_UNAVAILABLE,
                Cow::from(format!("who may read is not known: {error}")),
            ),
        };
        let mut response = reply(status, TEXT, format!("{text}\n"));
        let headers = response.headers_mut();
        match self {
            Self::Password => {
                headers.insert(WWW_AUTHENTICATE, BASIC);
            }
            #[cfg(feature = "observer")]
            Self::Token => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Busy(waited) => {
                headers.insert(RETRY_AFTER, waited.as_secs().max(1).into());
            }
            _ => {}
        }
        response
    }
}
