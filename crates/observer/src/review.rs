//! Review: who may read the observer, as the API server says: whose a bearer token is (`TokenReview`), and
//! whether he may get a path that is of no resource (`SubjectAccessReview`).
//!
//! What it said is kept for moments, so that a page of many parts is one question, and a right that was taken
//! away is gone soon.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use http::Request;
use kube::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::client::CALL;
use crate::locked;

/// How long a token that may read is not asked about again.
const ALLOWED: Duration = Duration::from_secs(30);

/// The same of one that may not.
const DENIED: Duration = Duration::from_secs(5);

/// Answers that are kept.
const KEPT: usize = 256;

/// The longest path that is asked about; no page has a longer one.
const LONGEST_PATH: usize = 256;

/// Asks the API server who may read. Clones are the same.
#[derive(Clone)]
pub struct Reviewer {
    client: Client,
    known: Arc<Mutex<Known>>,
}

/// What was said of tokens and paths, and until when it is kept.
type Known = HashMap<[u8; 32], (Instant, Reviewed)>;

/// What the API server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reviewed {
    /// He may read.
    Allowed,
    /// It does not know the token.
    Unknown,
    /// This user may not.
    Forbidden(String),
}

/// The API server says nothing.
#[derive(Debug, thiserror::Error)]
pub enum NotReviewed {
    /// In time.
    #[error("the API server did not answer within {} s", CALL.as_secs())]
    Silent,
    /// It failed.
    #[error("the API server could not be asked: {0}")]
    Failed(#[from] kube::Error),
    /// The question cannot be put.
    #[error("the API server could not be asked: {0}")]
    Unwritten(#[from] http::Error),
}

impl std::fmt::Debug for Reviewer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reviewer").finish_non_exhaustive()
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Review<S> {
    status: S,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TokenStatus {
    authenticated: bool,
    user: User,
}

/// As the API server writes it, to be handed back to it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct User {
    username: String,
    uid: Value,
    groups: Value,
    extra: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AccessStatus {
    allowed: bool,
}

/// The path that the API server is asked about. Its role `system:discovery` lets every account get what is below
/// `/api/`, since that is its own there; here it is the data of the page, and takes the right to get that.
pub fn asked_for(path: &str) -> &str {
    if path.starts_with("/api/") { "/" } else { path }
}

impl Reviewer {
    /// One that asks by `client`.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            known: Arc::default(),
        }
    }

    /// What is known of a token and a path without a question.
    pub fn known(&self, token: &str, path: &str) -> Option<Reviewed> {
        let known = locked(&self.known);
        let (until, reviewed) = known.get(&key(token, path))?;
        (*until > Instant::now()).then(|| reviewed.clone())
    }

    /// Whether who has `token` may get `path`.
    pub async fn review(&self, token: &str, path: &str) -> Result<Reviewed, NotReviewed> {
        if let Some(reviewed) = self.known(token, path) {
            return Ok(reviewed);
        }
        let asked = timeout(CALL, self.ask(token, path)).await;
        let reviewed = asked.unwrap_or(Err(NotReviewed::Silent))?;
        let keep = match reviewed {
            Reviewed::Allowed => ALLOWED,
            Reviewed::Unknown | Reviewed::Forbidden(_) => DENIED,
        };
        let now = Instant::now();
        let mut known = locked(&self.known);
        if known.len() >= KEPT {
            known.retain(|_, (until, _)| *until > now);
        }
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(key(token, path), (now + keep, reviewed.clone()));
        Ok(reviewed)
    }

    async fn ask(&self, token: &str, path: &str) -> Result<Reviewed, NotReviewed> {
        let of_token: Review<TokenStatus> = self
            .post(
                "/apis/authentication.k8s.io/v1/tokenreviews",
                &json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
                        "spec": {"token": token}}),
            )
            .await?;
        if !of_token.status.authenticated {
            return Ok(Reviewed::Unknown);
        }
        let User {
            username,
            uid,
            groups,
            extra,
        } = of_token.status.user;
        if path.len() > LONGEST_PATH {
            return Ok(Reviewed::Forbidden(username));
        }
        let path = asked_for(path);
        let of_access: Review<AccessStatus> = self
            .post(
                "/apis/authorization.k8s.io/v1/subjectaccessreviews",
                &json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
                        "spec": {"user": username, "uid": uid, "groups": groups, "extra": extra,
                                 "nonResourceAttributes": {"path": path, "verb": "get"}}}),
            )
            .await?;
        Ok(if of_access.status.allowed {
            Reviewed::Allowed
        } else {
            Reviewed::Forbidden(username)
        })
    }

    async fn post<S: serde::de::DeserializeOwned + Default>(
        &self,
        path: &str,
        review: &Value,
    ) -> Result<Review<S>, NotReviewed> {
        let request = Request::post(path).header("content-type", "application/json");
        let request = request.body(review.to_string().into_bytes())?;
        Ok(self.client.request(request).await?)
    }
}

/// What is remembered in place of a token.
fn key(token: &str, path: &str) -> [u8; 32] {
    let mut key = [0; 32];
    let text = format!("{token}\n{path}");
    key.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    key
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use http::Response;
    use kube::client::Body;
    use tower::service_fn;

    use super::*;
    use crate::fleet::answer::OWN;

    /// An API server that knows two tokens, of which one may read the fleet.
    #[derive(Default)]
    struct ApiServer {
        asked: AtomicUsize,
        is_away: AtomicBool,
    }

    impl ApiServer {
        fn reviewer(self: &Arc<Self>) -> Reviewer {
            let api = Arc::clone(self);
            let service = service_fn(move |request: Request<Body>| {
                let api = Arc::clone(&api);
                async move { Ok::<_, Infallible>(api.answer(request).await) }
            });
            Reviewer::new(Client::new(service, "default"))
        }

        async fn answer(&self, request: Request<Body>) -> Response<Body> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            if self.is_away.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            let body = request.into_body().collect_bytes().await.expect("a body");
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            let spec = &body["spec"];
            let status = match spec["token"].as_str() {
                Some("reader") => json!({"authenticated": true, "user": {
                    "username": "ann", "groups": ["sre"], "extra": {"scopes": ["x"]}}}),
                Some("other") => json!({"authenticated": true, "user": {"username": "bob"}}),
                Some(_) => json!({"error": "invalid bearer token"}),
                None => {
                    let path = spec["nonResourceAttributes"]["path"].as_str();
                    let may = spec["user"] == "ann"
                        && spec["groups"][0] == "sre"
                        && spec["extra"]["scopes"][0] == "x"
                        && path == Some("/");
                    json!({ "allowed": may })
                }
            };
            Response::new(Body::from(
                json!({ "status": status }).to_string().into_bytes(),
            ))
        }
    }

    #[tokio::test]
    async fn who_may_get_the_path_is_allowed_and_nobody_else() {
        let reviewer = Arc::new(ApiServer::default()).reviewer();
        let review = |token, path| {
            let reviewer = reviewer.clone();
            async move { reviewer.review(token, path).await.expect("an answer") }
        };
        assert_eq!(review("reader", "/").await, Reviewed::Allowed);
        assert_eq!(review("reader", "/api/v1/fleet").await, Reviewed::Allowed);
        assert_eq!(review("reader", OWN).await, Reviewed::Allowed);
        let ann = Reviewed::Forbidden("ann".to_owned());
        assert_eq!(review("reader", "/metrics").await, ann);
        let bob = Reviewed::Forbidden("bob".to_owned());
        assert_eq!(review("other", "/api/v1/fleet").await, bob);
        assert_eq!(review("forged", "/api/v1/fleet").await, Reviewed::Unknown);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_kept_for_moments_and_is_for_its_token_and_path_alone() {
        let api = Arc::new(ApiServer::default());
        let reviewer = api.reviewer();
        let asked = || api.asked.load(Ordering::Relaxed);
        for _ in 0..3 {
            let reviewed = reviewer.review("reader", "/api/v1/fleet").await;
            assert_eq!(reviewed.expect("an answer"), Reviewed::Allowed);
        }
        assert_eq!(asked(), 2);
        assert_eq!(reviewer.known("reader", "/metrics"), None);
        assert_eq!(reviewer.known("other", "/api/v1/fleet"), None);
        tokio::time::advance(ALLOWED).await;
        assert_eq!(reviewer.known("reader", "/api/v1/fleet"), None);
        for number in 0..3 * KEPT {
            let token = format!("forged {number}");
            let _ = reviewer.review(&token, "/").await;
        }
        assert!(locked(&reviewer.known).len() <= KEPT);
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_server_that_does_not_answer_admits_nobody() {
        let api = Arc::new(ApiServer::default());
        api.is_away.store(true, Ordering::Relaxed);
        let reviewed = api.reviewer().review("reader", "/api/v1/fleet").await;
        assert!(matches!(reviewed, Err(NotReviewed::Silent)), "{reviewed:?}");
    }
}
