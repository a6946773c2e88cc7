//! Report: what is told of verdicts, and to whom: JSON, metrics, logs, the status page, the tree.
//!
//! Nothing here decides anything: a report shows what the judge said and what the board knows.

pub mod events;
pub mod json;
pub mod log;
pub mod metrics;
pub mod page;
pub mod runbook;
pub mod schema;
pub mod time;
pub mod tree;
pub mod version;
