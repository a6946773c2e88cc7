//! JSON: what `check -o json` and the API say: versioned types of their own, so that the verdict's
//! types may change while scripts go on working. Fields are only added.
//!
//! Each file holds some of the types, and how they are made from what was observed and judged. Of a
//! stage that did not run, objects and numbers are `null`, outcomes `skipped`, lists empty.

mod bounds;
mod connection;
mod dns;
pub mod enums;
mod finding;
mod history;
mod list;
pub mod summary;
mod target;

use std::iter::from_fn;
use std::sync::Arc;
use std::time::SystemTime;

use privatelink_board::{Board, Entry, Probed, SharedBoard};
use schemars::JsonSchema;
use serde::Serialize;

pub use self::connection::{CertificateReport, ConnectionReport, HttpReport};
pub use self::dns::{AddressReport, DnsReport, QueryReport, ResolverReport, ServerReport};
pub use self::finding::FindingReport;
pub use self::history::{HistoryReport, TransitionReport};
use self::list::ListInPieces;
pub use self::target::TargetReport;
use crate::pieces::Pieces;
use crate::time::millis_utc;
use crate::version::{SCHEMA_VERSION, VERSION};
use crate::walk::Walk;

/// What `check -o json` prints, and `/api/v1/targets` answers.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The version of this object; fields are only added to a version.
    pub schema_version: u32,
    /// The version of the program that wrote it.
    pub version: &'static str,
    /// The node it was seen from.
    pub node: String,
    /// When the agent started, RFC 3339 in UTC; when the check began, for `check`.
    pub agent_started_at: Option<String>,
    /// Every target, in the configuration's order.
    pub targets: Vec<TargetReport>,
}

impl Report {
    /// What `check` found, from `node`, since `started_at`.
    pub fn of_check<'a>(
        node: &str,
        started_at: SystemTime,
        probed: impl IntoIterator<Item = &'a Probed>,
    ) -> Self {
        let targets = probed.into_iter().map(TargetReport::from).collect();
        Self::new(node, started_at, targets)
    }

    /// The one target of `entry`, with its history.
    pub fn of_entry(board: &Board, entry: &Entry) -> Self {
        let mut target = TargetReport::new(&entry.target, entry.latest.as_deref());
        target.history = Some(HistoryReport::from(entry));
        Self::new(&board.node, board.started_at, vec![target])
    }

    fn new(node: &str, started_at: SystemTime, targets: Vec<TargetReport>) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            version: VERSION,
            node: node.to_owned(),
            agent_started_at: millis_utc(started_at),
            targets,
        }
    }
}

/// Every target of `board`, as [`Report`] has them. Each is read and written only when it is the next.
pub fn report_in_pieces(board: SharedBoard) -> serde_json::Result<impl Pieces> {
    let (node, started_at) = {
        let board = board.lock();
        (board.node.clone(), board.started_at)
    };
    let head = Report::new(&node, started_at, Vec::new());
    let mut walk = Walk::new(board);
    let targets = from_fn(move || {
        let shared = |entry: &Entry| (Arc::clone(&entry.target), entry.latest.clone());
        let (target, latest) = walk.next(shared)?;
        Some(TargetReport::new(&target, latest.as_deref()))
    });
    ListInPieces::new(&head, targets)
}

#[cfg(test)]
mod tests;
