//! Routes: which path answers what. No route waits for anything.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use tracing::error;

use privatelink_board::SharedBoard;
use privatelink_report::json::Report;
use privatelink_report::json::summary::{Counts, Summary};
use privatelink_report::metrics::{self, Metrics};
use privatelink_report::page;
use privatelink_report::text::{from_wire, millis_utc, sentence};
use privatelink_verdict::suggest::nearest;

/// A heartbeat older than this means that the scheduler is stuck (section 6).
const HEARTBEAT: Duration = Duration::from_secs(30);

/// How many names are offered for one that there is not.
const OFFERED: usize = 5;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const CSS: HeaderValue = HeaderValue::from_static("text/css; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

#[derive(Clone)]
struct Sources {
    board: SharedBoard,
    metrics: Metrics,
}

/// Every route, reading `board` and `metrics`.
pub(super) fn router(board: SharedBoard, metrics: Metrics) -> Router {
    Router::new()
        .route("/", get(status_page))
        .route("/style.css", get(style))
        .route("/metrics", get(exposition))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/api/v1/targets", get(targets))
        .route("/api/v1/targets/{name}", get(target))
        .route("/api/v1/summary", get(summary))
        .fallback(nothing)
        .layer(map_response(guarded))
        .with_state(Sources { board, metrics })
}

/// What every reply carries: it may run no script, load nothing from elsewhere, be framed by
/// nobody, and is not kept.
async fn guarded(mut response: Response) -> Response {
    const POLICY: HeaderValue = HeaderValue::from_static(
        "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
    );
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let no_store = HeaderValue::from_static("no-store");
    headers.entry(CACHE_CONTROL).or_insert(no_store);
    response
}

fn reply(status: StatusCode, kind: HeaderValue, body: impl Into<String>) -> Response {
    (status, [(CONTENT_TYPE, kind)], body.into()).into_response()
}

fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(body) => reply(status, JSON, body + "\n"),
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::error::Error) -> Response {
    error!(%error, "a reply could not be written");
    reply(
        StatusCode::INTERNAL_SERVER_ERROR,
        TEXT,
        format!("{error}\n"),
    )
}

async fn nothing(uri: Uri) -> Response {
    let path = from_wire(uri.path());
    let text = format!(
        "There is nothing at {path}. There is: / /metrics /healthz /readyz /api/v1/targets \
         /api/v1/targets/NAME /api/v1/summary\n"
    );
    reply(StatusCode::NOT_FOUND, TEXT, text)
}

async fn status_page(State(sources): State<Sources>, uri: Uri) -> Response {
    let mut parameters = uri.query().unwrap_or_default().split('&');
    // A target's name has no character that a URL would escape (section 3).
    let open = parameters.find_map(|parameter| parameter.strip_prefix("open="));
    let html = page::render(&sources.board.lock(), open, SystemTime::now());
    reply(StatusCode::OK, HTML, html)
}

async fn style() -> Response {
    reply(StatusCode::OK, CSS, page::STYLE)
}

async fn exposition(State(sources): State<Sources>) -> Response {
    match sources.metrics.encode() {
        Ok(text) => reply(
            StatusCode::OK,
            HeaderValue::from_static(metrics::CONTENT_TYPE),
            text,
        ),
        Err(error) => failed(&error),
    }
}

async fn healthz(State(sources): State<Sources>) -> Response {
    let age = sources.board.lock().scheduler.heartbeat_age();
    match age {
        Some(age) if age > HEARTBEAT => {
            let seconds = age.as_secs();
            let text = format!("the scheduler has shown no sign of life for {seconds} s\n");
            reply(StatusCode::SERVICE_UNAVAILABLE, TEXT, text)
        }
        _ => reply(StatusCode::OK, TEXT, "ok\n"),
    }
}

async fn readyz(State(sources): State<Sources>) -> Response {
    let board = sources.board.lock();
    let counts = Counts::of(&board);
    let total = board.entries.len() as u64;
    let probed = total - counts.unknown;
    let (status, word) = if board.scheduler.ready {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready yet")
    };
    let mut text = format!("{word}: {probed} of {total} targets probed\n");
    let loaded = millis_utc(board.config.last_success_at).unwrap_or_default();
    if board.config.last_reload_ok {
        let _ = writeln!(text, "configuration loaded at {loaded}");
    } else {
        let _ = writeln!(
            text,
            "configuration refused, the one loaded at {loaded} goes on:"
        );
        let error = board.config.error.as_deref().unwrap_or("no detail");
        for line in error.lines().take(40) {
            let _ = writeln!(text, "  {}", sentence(line));
        }
    }
    reply(status, TEXT, text)
}

async fn targets(State(sources): State<Sources>) -> Response {
    let report = Report::of_board(&sources.board.lock());
    json(StatusCode::OK, &report)
}

async fn target(State(sources): State<Sources>, Path(name): Path<String>) -> Response {
    let board = sources.board.lock();
    if let Some(entry) = board.entry(&name) {
        return json(StatusCode::OK, &Report::of_entry(&board, entry));
    }
    let names = board.entries.iter().map(|entry| entry.target.name.as_str());
    let missing = Missing {
        error: format!("no target is called {}", from_wire(&name)),
        nearest: nearest(&name, names).take(OFFERED).collect(),
    };
    json(StatusCode::NOT_FOUND, &missing)
}

/// The reply about a target that there is not.
#[derive(Serialize)]
struct Missing<'a> {
    error: String,
    nearest: Vec<&'a str>,
}

async fn summary(State(sources): State<Sources>, headers: HeaderMap) -> Response {
    let summary = Summary::of(&sources.board.lock(), SystemTime::now());
    let tag = summary.tag();
    let known = headers.get_all(IF_NONE_MATCH).iter().any(|header| {
        let tags = header.to_str().unwrap_or_default();
        tags.split(',')
            .any(|other| matches!(other.trim(), "*") || other.trim() == tag)
    });
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        json(StatusCode::OK, &summary)
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    // Unlike the rest, it may be kept, as long as it is asked about again.
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
