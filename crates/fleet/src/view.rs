//! View: what the agent of one node says of each target, read from its summary.

mod cell_paths;
mod interned;
mod read;

use std::sync::Arc;

use privatelink_verdict::address::ClassSet;
use privatelink_verdict::reason::Reason;
use privatelink_verdict::target::{Expectation, Users};
use privatelink_verdict::verdict::Outcome;

pub use self::cell_paths::{CellPaths, PathView};
pub use self::interned::Interned;
pub use self::read::ViewError;
use crate::Moment;

/// What the agent of one node says.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The version of the agent.
    pub version: Arc<str>,
    /// When the agent started.
    pub agent_started: Moment,
    /// Of its configuration: equal on two nodes that run the same.
    pub config_hash: Arc<str>,
    /// Whether its latest attempt to load the configuration succeeded.
    pub config_loaded: bool,
    /// Each target, in the order of their names.
    pub cells: Vec<Cell>,
}

/// A target as all nodes know it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FleetTarget {
    /// Its name.
    pub name: String,
    /// Its host.
    pub host: String,
    /// The catalogue's word for its service, `custom` outside the catalogue.
    pub service: String,
    /// Who in the cluster uses it, where that is known.
    pub users: Option<Users>,
}

/// One target on one node.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The target, shared by all nodes that know the same of it.
    pub target: Arc<FleetTarget>,
    /// Outcome and primary reason; `None` before the first probe.
    pub judged: Option<(Outcome, Reason)>,
    /// Since when outcome and reason are these.
    pub since: Moment,
    /// Whether a second probe in a row said so.
    pub is_confirmed: bool,
    /// Whether the latest probe is too old to be trusted.
    pub is_stale: bool,
    /// What the address should be, as it is judged.
    pub expect: Expectation,
    /// The path that it is judged by first, then the others.
    pub paths: CellPaths,
}

/// What one path to a target answers on one node, to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct PathState {
    /// The resolver's name, shared by all nodes.
    pub resolver: Arc<str>,
    /// The classes of the latest answer; empty where the latest question got no address.
    pub classes: ClassSet,
    /// Since when it was answered without a gap; `None` while there is a gap.
    pub answered_since: Option<Moment>,
    /// When an answer last had an address that is not private.
    pub last_non_private: Option<Moment>,
}
