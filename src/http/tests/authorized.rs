//! Authorized: who is answered where the API server says who may read.

use std::convert::Infallible;
use std::future::pending;

use http::Response;
use privatelink_observer::kube::Client;
use privatelink_observer::kube::client::Body;
use privatelink_observer::review::Reviewer;
use serde_json::json;
use tower::service_fn;

use super::*;

/// A server for whom the API server answers: each path of a review with one status.
async fn server(answer: fn(&str) -> Option<Value>) -> Server {
    let service = service_fn(move |request: Request<Body>| {
        let answer = answer(request.uri().path());
        async move {
            let Some(status) = answer else {
                return pending().await;
            };
            let body = json!({ "status": status }).to_string().into_bytes();
            Ok::<_, Infallible>(Response::new(Body::from(body)))
        }
    });
    let access = Access::default();
    access.set_reviewer(Reviewer::new(Client::new(service, "default")));
    Server::start_for(access, fixtures::shared(), BOUNDS).await
}

/// What it says of a token that it knows.
fn known(path: &str, may_read: bool) -> Value {
    if path.ends_with("tokenreviews") {
        json!({"authenticated": true, "user": {"username": "ann"}})
    } else {
        json!({ "allowed": may_read })
    }
}

const TOKEN: &str = "Authorization: Bearer a-token\r\n";

fn status(reply: &str) -> &str {
    reply.split(' ').nth(1).unwrap_or_default()
}

#[tokio::test]
async fn a_token_with_the_right_reads_and_health_needs_none() {
    let server = server(|path| Some(known(path, true))).await;
    let reply = server.get_with("/metrics", TOKEN).await;
    assert_eq!(status(&reply), "200", "{reply}");
    for without in [
        "",
        "Authorization: Basic YTpi\r\n",
        "Authorization: Bearer\r\n",
    ] {
        let reply = server.get_with("/metrics", without).await;
        assert_eq!(status(&reply), "401", "{reply}");
        assert!(reply.contains("www-authenticate: Bearer\r\n"), "{reply}");
    }
    assert_eq!(server.get("/healthz").await.0, 200);
}

#[tokio::test]
async fn a_token_without_the_right_is_told_which_right_it_lacks() {
    let server = server(|path| Some(known(path, false))).await;
    let reply = server.get_with("/metrics", TOKEN).await;
    assert_eq!(status(&reply), "403", "{reply}");
    assert!(
        reply.contains("ann may not get the non-resource URL /metrics"),
        "{reply}"
    );
}

#[tokio::test]
async fn without_a_word_of_the_api_server_nobody_reads_the_observer() {
    let server = server(|_| None).await;
    let reply = server.get_with("/metrics", TOKEN).await;
    assert_eq!(status(&reply), "503", "{reply}");
    assert!(
        reply.contains("the API server did not answer within 5 s"),
        "{reply}"
    );
    assert_eq!(server.get("/healthz").await.0, 200);
}
