//! Routes: which path answers what. Everything is at hand, so no route waits.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use privatelink_board::SharedBoard;
use privatelink_report::json::Report;
use privatelink_report::json::summary::{Counts, Summary};
use privatelink_report::metrics::Metrics;
use privatelink_report::page;
use privatelink_report::time::millis_utc;
use privatelink_verdict::sanitize::from_wire;
use privatelink_verdict::suggest::nearest;
use serde::Serialize;
use tracing::error;

use super::body::Body;
use super::negotiate::Accepted;

/// A heartbeat older than this means that the scheduler is stuck (section 6).
const HEARTBEAT: Duration = Duration::from_secs(30);

/// The most names that are suggested for one that does not exist.
const SUGGESTIONS: usize = 5;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const CSS: HeaderValue = HeaderValue::from_static("text/css; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What the routes read.
#[derive(Clone)]
struct AppState {
    board: SharedBoard,
    metrics: Metrics,
}

/// Every route, reading `board` and `metrics`.
pub(super) fn router(board: SharedBoard, metrics: Metrics) -> Router {
    Router::new()
        .route("/", get(status_page))
        .route("/style.css", get(style_sheet))
        .route("/metrics", get(exposition))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/api/v1/targets", get(targets))
        .route("/api/v1/targets/{name}", get(target))
        .route("/api/v1/summary", get(summary))
        .fallback(not_found)
        .layer(map_response(with_security_headers))
        .with_state(AppState { board, metrics })
}

async fn status_page(State(state): State<AppState>, accepted: Accepted, uri: Uri) -> Response {
    let mut parameters = uri.query().unwrap_or_default().split('&');
    // A target's name has no character that a URL would escape (section 3).
    let open = parameters.find_map(|parameter| parameter.strip_prefix("open="));
    let html = page::render(&state.board.lock(), open, SystemTime::now());
    written(accepted, StatusCode::OK, HTML, |body| {
        Ok(body.write_all(html.as_bytes())?)
    })
}

async fn style_sheet() -> Response {
    reply(StatusCode::OK, CSS, page::STYLE)
}

async fn exposition(State(state): State<AppState>, accepted: Accepted) -> Response {
    let format = accepted.metrics;
    let kind = HeaderValue::from_static(format.content_type());
    let mut response = written(accepted, StatusCode::OK, kind, |body| {
        Ok(state.metrics.write(format, body)?)
    });
    response.headers_mut().append(VARY, ACCEPT.into());
    response
}

async fn healthz(State(state): State<AppState>) -> Response {
    let age = state.board.lock().scheduler.heartbeat_age();
    match age {
        Some(age) if age > HEARTBEAT => {
            let seconds = age.as_secs();
            let text = format!("the scheduler has shown no sign of life for {seconds} s\n");
            reply(StatusCode::SERVICE_UNAVAILABLE, TEXT, text)
        }
        _ => reply(StatusCode::OK, TEXT, "ok\n"),
    }
}

async fn readyz(State(state): State<AppState>) -> Response {
    let board = state.board.lock();
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
        for line in board.config.error_lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    reply(status, TEXT, text)
}

async fn targets(State(state): State<AppState>, accepted: Accepted) -> Response {
    let report = Report::of_board(&state.board.lock());
    json(accepted, StatusCode::OK, &report)
}

async fn target(
    State(state): State<AppState>,
    accepted: Accepted,
    Path(name): Path<String>,
) -> Response {
    let board = state.board.lock();
    if let Some(entry) = board.entry(&name) {
        return json(accepted, StatusCode::OK, &Report::of_entry(&board, entry));
    }
    let names = board.entries.iter().map(|entry| entry.target.name.as_str());
    let unknown = UnknownTarget {
        error: format!("no target is called {}", from_wire(&name)),
        nearest: nearest(&name, names).take(SUGGESTIONS).collect(),
    };
    json(accepted, StatusCode::NOT_FOUND, &unknown)
}

/// The reply where no target has the name.
#[derive(Serialize)]
struct UnknownTarget<'a> {
    error: String,
    nearest: Vec<&'a str>,
}

async fn summary(
    State(state): State<AppState>,
    accepted: Accepted,
    headers: HeaderMap,
) -> Response {
    let summary = Summary::of(&state.board.lock(), SystemTime::now());
    let tag = summary.tag();
    let known = headers.get_all(IF_NONE_MATCH).iter().any(|header| {
        let tags = header.to_str().unwrap_or_default();
        tags.split(',')
            .any(|other| matches!(other.trim(), "*") || other.trim() == tag)
    });
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        json(accepted, StatusCode::OK, &summary)
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    // Unlike the rest, a summary may be cached, but each use must ask whether it is still current.
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(VARY, ACCEPT_ENCODING.into());
    response
}

async fn not_found(uri: Uri) -> Response {
    let path = from_wire(uri.path());
    let text = format!(
        "There is nothing at {path}. There is: / /metrics /healthz /readyz /api/v1/targets \
         /api/v1/targets/NAME /api/v1/summary\n"
    );
    reply(StatusCode::NOT_FOUND, TEXT, text)
}

/// Every reply says that it may run no script, load nothing from another site, stand in no frame, and
/// be kept in no cache.
async fn with_security_headers(mut response: Response) -> Response {
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

fn json(accepted: Accepted, status: StatusCode, value: &impl Serialize) -> Response {
    written(accepted, status, JSON, |body| {
        serde_json::to_writer(&mut *body, value)?;
        Ok(body.write_all(b"\n")?)
    })
}

/// A reply whose body `write` writes, compressed if it is large and the client accepts that.
fn written(
    accepted: Accepted,
    status: StatusCode,
    kind: HeaderValue,
    write: impl FnOnce(&mut Body) -> Result<(), Box<dyn Error>>,
) -> Response {
    const GZIP: HeaderValue = HeaderValue::from_static("gzip");
    let mut body = Body::new(accepted.gzip);
    let finished = write(&mut body).and_then(|()| Ok(body.finish()?));
    let (bytes, compressed) = match finished {
        Ok(finished) => finished,
        Err(error) => return internal_error(&*error),
    };
    let mut response = (status, [(CONTENT_TYPE, kind)], bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(VARY, ACCEPT_ENCODING.into());
    if compressed {
        headers.insert(CONTENT_ENCODING, GZIP);
    }
    response
}

fn reply(status: StatusCode, kind: HeaderValue, body: impl Into<String>) -> Response {
    (status, [(CONTENT_TYPE, kind)], body.into()).into_response()
}

fn internal_error(error: &dyn Error) -> Response {
    error!(%error, "a reply could not be written");
    reply(
        StatusCode::INTERNAL_SERVER_ERROR,
        TEXT,
        format!("{error}\n"),
    )
}
