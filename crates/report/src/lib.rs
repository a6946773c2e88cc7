//! Report: how verdicts reach people and programs: as JSON, metrics, log lines, a status page, and a
//! tree on a terminal; and the picture of all nodes.
//!
//! Nothing here decides anything: a report shows what the verdict says and what the board knows. So
//! two reports of one probe never disagree.

pub mod events;
pub mod fleet;
pub mod json;
pub mod log_setup;
mod log_writer;
pub mod metrics;
pub mod page;
pub mod pieces;
pub mod runbook;
pub mod schema;
pub mod time;
pub mod tree;
pub mod version;
mod walk;

/// What the HTTP server says to a request in plain HTTP where it speaks TLS; `report` then asks again.
pub const SPEAKS_HTTPS: &str = "this port speaks HTTPS";

/// What it says to a request without a user and his password.
pub const NEEDS_PASSWORD: &str = "a user and a password are needed";

/// What the observer says to a request without a token that the API server knows.
pub const NEEDS_TOKEN: &str = "a bearer token that the API server knows is needed";
