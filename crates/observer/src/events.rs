//! Events: what the observer logs, one struct for each thing that happens.

use privatelink_verdict::sanitize::sentence;
use tracing::{debug, info, warn};

use crate::private_link_target::status::StatusRound;
use crate::source_state::SourceState;

/// This replica leads now, or does not any more.
#[derive(Debug)]
pub(crate) struct LeadershipChanged<'a> {
    pub(crate) is_leading: bool,
    /// Who holds the lease; empty where no replica does.
    pub(crate) holder: &'a str,
}

impl LeadershipChanged<'_> {
    pub(crate) fn emit(&self) {
        let holder = &*sentence(self.holder);
        if self.is_leading {
            info!(holder, "this replica leads: it writes what the agents read");
        } else {
            info!(
                holder,
                "this replica does not lead any more: another one writes"
            );
        }
    }
}

/// The lease could neither be read nor renewed. Logged once, until an attempt succeeds.
#[derive(Debug)]
pub(crate) struct LeaseNotRenewed<'a> {
    pub(crate) lease: &'a str,
    pub(crate) error: &'a str,
}

impl LeaseNotRenewed<'_> {
    pub(crate) fn emit(&self) {
        warn!(
            lease = self.lease,
            error = &*sentence(self.error),
            "cannot hold the lease: without it this replica writes nothing, and agents go on with what \
             they have"
        );
    }
}

/// The state of a watch changed.
#[derive(Debug)]
pub(crate) struct WatchChanged<'a> {
    /// The kind that is watched.
    pub(crate) kind: &'static str,
    /// The namespace; empty for the whole cluster.
    pub(crate) namespace: &'a str,
    pub(crate) state: SourceState,
    /// Why.
    pub(crate) error: &'a str,
}

impl WatchChanged<'_> {
    pub(crate) fn emit(&self) {
        let Self {
            kind,
            namespace,
            state,
            error,
        } = self;
        let (state, error) = (state.as_str(), &*sentence(error));
        match self.state {
            SourceState::Ok => info!(kind, namespace, state, "watching"),
            SourceState::Absent => debug!(
                kind,
                namespace, state, "the cluster does not have this kind"
            ),
            SourceState::Forbidden => warn!(
                kind,
                namespace,
                state,
                error,
                "the service account may not list and watch this kind: what it says is not known"
            ),
            SourceState::Stale => warn!(
                kind,
                namespace,
                state,
                error,
                "cannot watch this kind: what was known of it stays in use"
            ),
        }
    }
}

/// A round of writing statuses ended.
#[derive(Debug)]
pub(crate) struct StatusesWritten(pub(crate) StatusRound);

impl StatusesWritten {
    pub(crate) fn emit(&self) {
        let StatusRound {
            written,
            waiting,
            failed,
            error,
        } = &self.0;
        if let Some(error) = error {
            let error = &*sentence(error);
            warn!(written, waiting, failed, error, "cannot write statuses");
        } else if *written > 0 {
            debug!(written, waiting, "wrote statuses");
        }
    }
}

/// The targets were published.
#[derive(Debug)]
pub(crate) struct Published {
    /// How many targets agents read now.
    pub(crate) targets: usize,
    /// How many there was no room for.
    pub(crate) left_out: usize,
}

impl Published {
    pub(crate) fn emit(&self) {
        let Self { targets, left_out } = self;
        if *left_out == 0 {
            info!(targets, "published the targets");
        } else {
            warn!(
                targets,
                left_out,
                "published the targets, but some had no room; raise limits.maxTargets, or \
                 observer.discovery.maxPerNamespace for a namespace that is full"
            );
        }
    }
}

/// The targets could not be published. Logged once, until it succeeds.
#[derive(Debug)]
pub(crate) struct NotPublished<'a> {
    pub(crate) config_map: &'a str,
    pub(crate) error: &'a str,
}

impl NotPublished<'_> {
    pub(crate) fn emit(&self) {
        warn!(
            config_map = self.config_map,
            error = &*sentence(self.error),
            "cannot publish the targets: agents go on with what they have"
        );
    }
}

/// What an agent says could not be read.
#[derive(Debug)]
pub(crate) struct AgentNotRead<'a> {
    pub(crate) node: &'a str,
    pub(crate) error: &'a str,
}

impl AgentNotRead<'_> {
    pub(crate) fn emit(&self) {
        // A node that goes away is no news, and thousands may at once: how many nodes are covered is a metric.
        debug!(
            node = self.node,
            error = &*sentence(self.error),
            "cannot read the agent of this node"
        );
    }
}

/// The clock of an agent, or that of this replica, is wrong. Logged once, until it is right.
#[derive(Debug)]
pub(crate) struct AgentClockWrong<'a> {
    pub(crate) node: &'a str,
}

impl AgentClockWrong<'_> {
    pub(crate) fn emit(&self) {
        warn!(
            node = self.node,
            "the clock of this node differs from the observer's by over a minute: the gate cannot tell of the \
             node until its time is corrected and its agent has started again"
        );
    }
}

/// An event could not be written, or those that are there not be read. Logged once, until one is.
#[derive(Debug)]
pub(crate) struct NotAnnounced<'a> {
    pub(crate) error: &'a str,
}

impl NotAnnounced<'_> {
    pub(crate) fn emit(&self) {
        warn!(
            error = &*sentence(self.error),
            "cannot read or write events on nodes and declared targets: they wait"
        );
    }
}

/// The history of the fleet could not be read. Logged once, until it can.
#[derive(Debug)]
pub(crate) struct HistoryNotRead<'a> {
    pub(crate) config_map: &'a str,
    pub(crate) error: &'a str,
}

impl HistoryNotRead<'_> {
    pub(crate) fn emit(&self) {
        warn!(
            config_map = self.config_map,
            error = &*sentence(self.error),
            "cannot read the history of the fleet: no agent is read until it can"
        );
    }
}

/// The history of the fleet could not be written. Logged once, until it can.
#[derive(Debug)]
pub(crate) struct HistoryNotSaved<'a> {
    pub(crate) config_map: &'a str,
    pub(crate) error: &'a str,
}

impl HistoryNotSaved<'_> {
    pub(crate) fn emit(&self) {
        warn!(
            config_map = self.config_map,
            error = &*sentence(self.error),
            "cannot keep the history of the fleet: the gate cannot tell after a restart"
        );
    }
}

/// What was kept of the history of the fleet is none.
#[derive(Debug)]
pub(crate) struct HistoryNotRestored<'a> {
    pub(crate) config_map: &'a str,
    pub(crate) error: &'a str,
}

impl HistoryNotRestored<'_> {
    pub(crate) fn emit(&self) {
        warn!(
            config_map = self.config_map,
            error = &*sentence(self.error),
            "the history of the fleet cannot be used, and begins anew: the gate cannot tell until the window \
             is over"
        );
    }
}
