//! Report: how verdicts reach people and programs: as JSON, metrics, log lines, a status page, and a
//! tree on a terminal; and the picture of all nodes.
//!
//! Nothing here decides anything: a report shows what the verdict says and what the board knows. So
//! two reports of one probe never disagree.

pub mod events;
pub mod fleet;
pub mod json;
pub mod log_setup;
pub mod metrics;
pub mod page;
pub mod pieces;
pub mod runbook;
pub mod schema;
pub mod time;
pub mod tree;
pub mod version;
mod walk;
