//! Observer routes: which path of the observer answers what.

use std::io::Cursor;
use std::time::SystemTime;

use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use privatelink_observer::Observer;
use privatelink_observer::fleet::answer::{NoFleet, OWN};
use privatelink_report::metrics::observer::observer_metrics;
use privatelink_report::page::View;
use privatelink_report::version::REVISION;
use privatelink_verdict::sanitize::from_wire;

use super::Client;
use super::negotiate::Accepted;
use super::replies::{Failure, HTML, JSON, Replies, TEXT, reply};

/// What the routes read.
#[derive(Clone)]
struct ObserverSite {
    observer: Observer,
    node: String,
    replies: Replies,
}

/// Every route of `observer`, which runs on `node`.
pub(super) fn router(observer: Observer, node: String, replies: Replies) -> Router {
    let site = ObserverSite {
        observer,
        node,
        replies,
    };
    Router::new()
        .route("/", get(page))
        .route("/api/v1/fleet", get(fleet))
        .route(OWN, get(own_fleet))
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .fallback(not_found)
        .with_state(site)
}

async fn page(
    State(site): State<ObserverSite>,
    Extension(client): Extension<Client>,
    accepted: Accepted,
    uri: Uri,
) -> Result<Response, Failure> {
    let view = View::of_url(uri.query().unwrap_or_default());
    let reading = site.replies.admit(client).await?;
    let page = site.observer.page(&view, SystemTime::now());
    let page = Cursor::new(page.into_bytes());
    site.replies.long(reading, accepted, HTML, page).await
}

async fn fleet(
    State(site): State<ObserverSite>,
    Extension(client): Extension<Client>,
    accepted: Accepted,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Failure> {
    let reading = site.replies.admit(client).await?;
    let query = uri.query().unwrap_or_default();
    let authorization = headers.get(AUTHORIZATION);
    match site.observer.fleet_json(query, authorization).await {
        Ok(json) => {
            site.replies
                .long(reading, accepted, JSON, Cursor::new(json))
                .await
        }
        Err(error) => Ok(no_fleet(&error)),
    }
}

async fn own_fleet(
    State(site): State<ObserverSite>,
    Extension(client): Extension<Client>,
    accepted: Accepted,
    uri: Uri,
) -> Result<Response, Failure> {
    let reading = site.replies.admit(client).await?;
    match site
        .observer
        .own_fleet_json(uri.query().unwrap_or_default())
    {
        Ok(json) => {
            site.replies
                .long(reading, accepted, JSON, Cursor::new(json))
                .await
        }
        Err(error) => Ok(no_fleet(&error)),
    }
}

fn no_fleet(error: &NoFleet) -> Response {
    let status = match error {
        NoFleet::Off => StatusCode::NOT_FOUND,
        NoFleet::Query(_) => StatusCode::BAD_REQUEST,
        NoFleet::NoLeader | NoFleet::NotReadYet => StatusCode::SERVICE_UNAVAILABLE,
        NoFleet::Leader(..) => StatusCode::BAD_GATEWAY,
        NoFleet::Unwritten(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    reply(status, TEXT, format!("{error}\n"))
}

async fn metrics(
    State(site): State<ObserverSite>,
    Extension(client): Extension<Client>,
    accepted: Accepted,
) -> Result<Response, Failure> {
    let reading = site.replies.admit(client).await?;
    let format = accepted.metrics;
    let kind = HeaderValue::from_static(format.content_type());
    let samples = site.observer.samples(REVISION);
    let text = Cursor::new(observer_metrics(&samples, &site.node, format)?);
    site.replies.long(reading, accepted, kind, text).await
}

/// An answer is the sign of life: all that the observer does shares one thread.
async fn healthz() -> Response {
    reply(StatusCode::OK, TEXT, "ok\n")
}

async fn readyz(State(site): State<ObserverSite>) -> Response {
    if site.observer.is_ready() {
        reply(StatusCode::OK, TEXT, "ready\n")
    } else {
        let text = "not ready yet: the API server has not answered for every source\n";
        reply(StatusCode::SERVICE_UNAVAILABLE, TEXT, text)
    }
}

async fn not_found(uri: Uri) -> Response {
    let path = from_wire(uri.path());
    let text = format!(
        "There is nothing at {path}. There is: / /api/v1/fleet /metrics /healthz /readyz\n"
    );
    reply(StatusCode::NOT_FOUND, TEXT, text)
}
