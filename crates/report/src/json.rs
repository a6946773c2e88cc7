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
pub mod summary;
mod target;

use std::sync::Arc;
use std::time::SystemTime;

use privatelink_board::{Board, Entry, Probed};
use privatelink_verdict::target::Target;
use schemars::JsonSchema;
use serde::ser::{Serialize, SerializeSeq as _, Serializer};

pub use self::connection::{CertificateReport, ConnectionReport, HttpReport};
pub use self::dns::{AddressReport, DnsReport, QueryReport, ResolverReport, ServerReport};
pub use self::finding::FindingReport;
pub use self::history::{HistoryReport, TransitionReport};
pub use self::target::TargetReport;
use crate::time::millis_utc;
use crate::version::{SCHEMA_VERSION, VERSION};

/// What `check -o json` prints, and `/api/v1/targets` answers.
#[derive(Clone, Debug, serde::Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Report")]
pub struct Report<T = Vec<TargetReport>> {
    /// The version of this object; fields are only added to a version.
    pub schema_version: u32,
    /// The version of the program that wrote it.
    pub version: &'static str,
    /// The node it was seen from.
    pub node: String,
    /// When the agent started, RFC 3339 in UTC; when the check began, for `check`.
    pub agent_started_at: Option<String>,
    /// Every target, in the configuration's order.
    pub targets: T,
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
}

impl Report<Snapshot> {
    /// Every target of `board`. Cheap: the targets are shared, not copied.
    pub fn of_board(board: &Board) -> Self {
        let targets = board.entries.iter();
        let targets = targets.map(|entry| (Arc::clone(&entry.target), entry.latest.clone()));
        Self::new(&board.node, board.started_at, Snapshot(targets.collect()))
    }
}

impl<T> Report<T> {
    fn new(node: &str, started_at: SystemTime, targets: T) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            version: VERSION,
            node: node.to_owned(),
            agent_started_at: millis_utc(started_at),
            targets,
        }
    }
}

/// The targets of a board at one moment. Each becomes a [`TargetReport`] only while it is written,
/// so that there is never more than one of them in memory.
#[derive(Clone, Debug)]
pub struct Snapshot(Vec<(Arc<Target>, Option<Arc<Probed>>)>);

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for (target, probed) in &self.0 {
            list.serialize_element(&TargetReport::new(target, probed.as_deref()))?;
        }
        list.end()
    }
}

#[cfg(test)]
mod tests;
