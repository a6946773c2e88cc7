//! Routes: which path answers what. Everything is at hand; a request waits for its turn, and a reply
//! that may be long for room.

use std::fmt::Write as _;
use std::io::Cursor;
use std::time::{Duration, SystemTime};

use axum::extract::{Path, State};
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use privatelink_board::{Board, SharedBoard};
use privatelink_report::json::summary::{Counts, SummaryAt};
use privatelink_report::json::{Report, report_in_pieces};
use privatelink_report::metrics::Metrics;
use privatelink_report::page::{self, View};
use privatelink_report::time::millis_utc;
use privatelink_verdict::sanitize::from_wire;
use privatelink_verdict::suggest::nearest;
use serde::Serialize;

use super::Client;
use super::access::Anonymous;
use super::negotiate::Accepted;
use super::replies::{Failure, HTML, JSON, Replies, TEXT, reply};

/// A heartbeat older than this means that the scheduler is stuck (section 6).
const HEARTBEAT: Duration = Duration::from_secs(30);

/// The most names that are suggested for one that does not exist.
const SUGGESTIONS: usize = 5;

/// What the routes read.
#[derive(Clone)]
struct AppState {
    board: SharedBoard,
    metrics: Metrics,
    replies: Replies,
}

/// Every route of the agent, reading `board` and `metrics`.
pub(super) fn router(board: SharedBoard, metrics: Metrics, replies: Replies) -> Router {
    let state = AppState {
        board,
        metrics,
        replies,
    };
    Router::new()
        .route("/", get(status_page))
        .route("/metrics", get(exposition))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/api/v1/targets", get(targets))
        .route("/api/v1/targets/{name}", get(target))
        .route("/api/v1/summary", get(summary))
        .fallback(not_found)
        .with_state(state)
}

async fn status_page(
    State(state): State<AppState>,
    Extension(client): Extension<Client>,
    accepted: Accepted,
    uri: Uri,
) -> Result<Response, Failure> {
    let view = View::of_url(uri.query().unwrap_or_default());
    let reading = state.replies.admit(client).await?;
    let page = page::in_pieces(state.board.clone(), view, SystemTime::now());
    state.replies.long(reading, accepted, HTML, page).await
}

async fn exposition(
    State(state): State<AppState>,
    Extension(client): Extension<Client>,
    accepted: Accepted,
) -> Result<Response, Failure> {
    let reading = state.replies.admit(client).await?;
    let format = accepted.metrics;
    let kind = HeaderValue::from_static(format.content_type());
    let scrape = state.metrics.scrape(format);
    let mut response = state.replies.long(reading, accepted, kind, scrape).await?;
    response.headers_mut().append(VARY, ACCEPT.into());
    Ok(response)
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

async fn readyz(
    State(state): State<AppState>,
    anonymous: Option<Extension<Anonymous>>,
) -> Response {
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
        // What is wrong shows what is written in it.
        if anonymous.is_some() {
            let _ = writeln!(text, "  the log and the page say why");
        } else {
            for line in board.config.error_lines() {
                let _ = writeln!(text, "  {line}");
            }
        }
    }
    reply(status, TEXT, text)
}

async fn targets(
    State(state): State<AppState>,
    Extension(client): Extension<Client>,
    accepted: Accepted,
) -> Result<Response, Failure> {
    let reading = state.replies.admit(client).await?;
    let report = report_in_pieces(state.board.clone())?;
    state.replies.long(reading, accepted, JSON, report).await
}

async fn target(
    State(state): State<AppState>,
    Extension(client): Extension<Client>,
    accepted: Accepted,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let reading = state.replies.admit(client).await?;
    let report = {
        let board = state.board.lock();
        let entry = board.entry(&name);
        entry.map(|entry| Report::of_entry(&board, entry))
    };
    let Some(report) = report else {
        return Ok(unknown_target(&state.board.lock(), &name));
    };
    let mut text = serde_json::to_vec(&report)?;
    text.push(b'\n');
    state
        .replies
        .long(reading, accepted, JSON, Cursor::new(text))
        .await
}

fn unknown_target(board: &Board, name: &str) -> Response {
    let names = board.entries.iter().map(|entry| entry.target.name.as_str());
    let unknown = UnknownTarget {
        error: format!("no target is called {}", from_wire(name)),
        nearest: nearest(name, names).take(SUGGESTIONS).collect(),
    };
    match serde_json::to_string(&unknown) {
        Ok(text) => reply(StatusCode::NOT_FOUND, JSON, text + "\n"),
        Err(error) => Failure::from(error).into_response(),
    }
}

/// The reply where no target has the name.
#[derive(Serialize)]
struct UnknownTarget<'a> {
    error: String,
    nearest: Vec<&'a str>,
}

async fn summary(
    State(state): State<AppState>,
    Extension(client): Extension<Client>,
    accepted: Accepted,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let reading = state.replies.admit(client).await?;
    let summary = SummaryAt::new(&state.board.lock(), SystemTime::now());
    let tag = summary.tag();
    let known = headers.get_all(IF_NONE_MATCH).iter().any(|header| {
        let tags = header.to_str().unwrap_or_default();
        tags.split(',')
            .any(|other| matches!(other.trim(), "*") || other.trim() == tag)
    });
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let summary = summary.in_pieces()?;
        state.replies.long(reading, accepted, JSON, summary).await?
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    // Unlike the rest, a summary may be cached, but each use must ask whether it is still current.
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(VARY, ACCEPT_ENCODING.into());
    Ok(response)
}

async fn not_found(uri: Uri) -> Response {
    let path = from_wire(uri.path());
    let text = format!(
        "There is nothing at {path}. There is: / /metrics /healthz /readyz /api/v1/targets \
         /api/v1/targets/NAME /api/v1/summary\n"
    );
    reply(StatusCode::NOT_FOUND, TEXT, text)
}
