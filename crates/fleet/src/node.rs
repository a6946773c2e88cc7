//! Node: a machine of the cluster, what it shares with others, and whether an agent covers it.

use std::sync::Arc;

use privatelink_verdict::words;

use crate::Moment;

/// A machine of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: Arc<str>,
    /// What it shares with others.
    pub traits: Traits,
    /// When it joined the cluster, where that is known.
    pub joined: Option<Moment>,
    /// Whether an agent covers it. From who lists the nodes: whether an agent's pod is ready there;
    /// the fleet adds what it has read of it, and when.
    pub coverage: Coverage,
}

/// What a node shares with others, from its labels; `None` where a label is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// The node pool.
    pub pool: Option<Arc<str>>,
    /// The availability zone.
    pub zone: Option<Arc<str>>,
    /// The region.
    pub region: Option<Arc<str>>,
    /// The size of the machine, such as `Standard_D4s_v5`.
    pub instance_type: Option<Arc<str>>,
    /// The subnet of the nodes.
    pub subnet: Option<Arc<str>>,
    /// The version of the node image.
    pub image: Option<Arc<str>>,
}

/// Whether an agent covers a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Its agent answered lately.
    Covered,
    /// Its agent answered before, and has not since this moment.
    Stale(Moment),
    /// No agent's view is known.
    Uncovered(WhyUncovered),
}

words! {
    /// Why no agent covers a node.
    WhyUncovered {
        /// The node runs no agent: a node selector, a taint, or no room for it.
        NoAgent = "no_agent",
        /// The agent's pod is there and not ready.
        AgentNotReady = "agent_not_ready",
        /// The agent's pod is ready, and the observer has not read it yet.
        NotRead = "not_read",
        /// The agent's pod is ready and does not answer the observer.
        AgentSilent = "agent_silent",
        /// The agent answered something that the observer cannot read.
        AgentUnreadable = "agent_unreadable",
        /// The node itself is not ready.
        NodeNotReady = "node_not_ready",
        /// A Windows node, for which there is no agent.
        Windows = "windows",
        /// A virtual node, which runs no DaemonSets.
        Virtual = "virtual",
    }
}

impl Coverage {
    /// Every word of the metric's label `state`.
    pub const STATES: [&'static str; 3] = ["covered", "stale", "uncovered"];

    /// The word of the metric's label `state`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Covered => "covered",
            Self::Stale(_) => "stale",
            Self::Uncovered(_) => "uncovered",
        }
    }
}
