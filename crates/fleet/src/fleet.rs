//! Fleet: the nodes of a cluster with the latest view of each agent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::{Coverage, FleetHistory, Moment, Node, View, WhyUncovered};

/// The nodes of a cluster with the latest view of each agent.
#[derive(Debug, Default)]
pub struct Fleet {
    members: BTreeMap<Arc<str>, Member>,
    /// Cells of all views.
    cells: usize,
    /// Nodes that were not taken.
    nodes_left_off: usize,
    /// What is remembered.
    history: FleetHistory,
}

/// A node, and what was read of its agent.
#[derive(Debug)]
struct Member {
    node: Node,
    /// The latest view, and when it was read or confirmed.
    read: Option<(View, Moment)>,
    /// Why the latest attempt to read it failed.
    silent: Option<WhyUncovered>,
    /// Whether its view did not fit.
    is_left_off: bool,
    /// Whether the clock of its agent was wrong when it answered last.
    is_clock_wrong: bool,
    /// When the agent started that ran by a wrong clock: what it says of times is not trusted until it starts
    /// again.
    distrusted: Option<Moment>,
}

/// A node as the fleet knows it at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The node.
    pub node: &'a Node,
    /// Whether an agent covers it now.
    pub coverage: Coverage,
    /// What its agent said last.
    pub view: Option<&'a View>,
    /// Whether the agent ran by a wrong clock, so that what it says of times is not trusted.
    pub is_clock_wrong: bool,
}

impl Seen<'_> {
    /// Whether what its agent says can be relied on now.
    pub fn is_covered(&self) -> bool {
        self.coverage == Coverage::Covered
    }
}

impl Fleet {
    /// How many nodes are kept: as many as a cluster of AKS can have.
    pub const MOST_NODES: usize = 5_000;

    /// How many targets are kept of all nodes together.
    pub const MOST_CELLS: usize = 1_000_000;

    /// How long after its latest answer an agent counts as silent.
    pub const STALE_AFTER: Duration = Duration::from_mins(3);

    /// How far the clock of an agent may be from ours. An answer is under way for some seconds.
    pub const CLOCK: Duration = Duration::from_mins(1);

    /// How long a silent agent's view is kept.
    pub const STALE_KEPT: Duration = Duration::from_hours(1);

    /// Takes the nodes that there are now, in place of those before. A node that was made anew under the
    /// same name is another node.
    pub fn set_nodes(&mut self, mut nodes: Vec<Node>, now: Moment) {
        if nodes.len() > Self::MOST_NODES {
            // The same ones are kept, in whatever order they are listed.
            nodes.sort_by(|a, b| a.name.cmp(&b.name));
        }
        let mut before = std::mem::take(&mut self.members);
        self.nodes_left_off = nodes.len().saturating_sub(Self::MOST_NODES);
        for node in nodes.into_iter().take(Self::MOST_NODES) {
            let known = before.remove(&node.name);
            let known = known.filter(|member| member.node.joined == node.joined);
            let member = match known {
                Some(member) => Member { node, ..member },
                None => Member {
                    node,
                    read: None,
                    silent: None,
                    is_left_off: false,
                    is_clock_wrong: false,
                    distrusted: None,
                },
            };
            self.members.insert(member.node.name.clone(), member);
        }
        self.forget_old_views(now);
        self.count_cells();
        let nodes = self.members.values().map(|member| &member.node);
        self.history.set_nodes(nodes, now);
    }

    /// A fleet without nodes that remembers what was restored.
    pub fn remembering(history: FleetHistory) -> Self {
        Self {
            history,
            ..Self::default()
        }
    }

    /// Notes that the nodes could not be watched between two moments.
    pub fn note_absence(&mut self, from: Moment, until: Moment) {
        self.history.note_absence(from, until);
    }

    /// What is remembered.
    pub const fn history(&self) -> &FleetHistory {
        &self.history
    }

    /// What is remembered, to be saved.
    pub const fn history_mut(&mut self) -> &mut FleetHistory {
        &mut self.history
    }

    /// Notes what the clock of the agent of `node` said when it answered just now; whether it is news that it is
    /// wrong. To be told before what the agent says.
    pub fn note_clock(&mut self, node: &str, agents: Moment, now: Moment) -> bool {
        let Some(member) = self.members.get_mut(node) else {
            return false;
        };
        let is_wrong = agents.since(now).max(now.since(agents)) > Self::CLOCK;
        let was_wrong = std::mem::replace(&mut member.is_clock_wrong, is_wrong);
        is_wrong && !was_wrong
    }

    /// Takes what the agent of `node` says; `false` where there is no such node, or no room.
    pub fn set_view(&mut self, node: &str, mut view: View, now: Moment) -> bool {
        let Some(member) = self.members.get_mut(node) else {
            return false;
        };
        let before = member.read.take().map_or(0, |(view, _)| view.cells.len());
        self.cells -= before;
        member.is_left_off = self.cells + view.cells.len() > Self::MOST_CELLS;
        if member.is_left_off {
            member.silent = Some(WhyUncovered::AgentUnreadable);
            return false;
        }
        view.cells.shrink_to_fit();
        self.cells += view.cells.len();
        if member.is_clock_wrong {
            member.distrusted = Some(view.agent_started);
        }
        member.distrusted = member.distrusted.filter(|at| *at == view.agent_started);
        if member.distrusted.is_some() {
            self.history.take_view(node, &without_times(&view), now);
        } else {
            self.history.take_view(node, &view, now);
        }
        member.read = Some((view, now));
        member.silent = None;
        true
    }

    /// Notes that the agent of `node` still says the same; `false` where nothing of it is known, so that
    /// it has to be read whole.
    pub fn confirm_view(&mut self, node: &str, now: Moment) -> bool {
        let Some(member) = self.members.get_mut(node) else {
            return false;
        };
        // What it said by a wrong clock has to be looked at again.
        if member.is_clock_wrong && member.distrusted.is_none() {
            return false;
        }
        let Some((_, read)) = &mut member.read else {
            return false;
        };
        *read = now;
        member.silent = None;
        self.history.confirm(node, now);
        true
    }

    /// Notes that the agent of `node` could not be read, and why.
    pub fn note_silent(&mut self, node: &str, why: WhyUncovered) {
        if let Some(member) = self.members.get_mut(node) {
            member.silent = Some(why);
        }
    }

    /// Every node with its latest view, in the order of their names.
    pub fn seen(&self, now: Moment) -> impl Iterator<Item = Seen<'_>> {
        self.members.values().map(move |member| member.seen(now))
    }

    /// A node with its latest view.
    pub fn seen_node(&self, node: &str, now: Moment) -> Option<Seen<'_>> {
        self.members.get(node).map(|member| member.seen(now))
    }

    /// Nodes that are beyond what is kept.
    pub const fn nodes_left_off(&self) -> usize {
        self.nodes_left_off
    }

    /// Nodes whose views did not fit.
    pub fn views_left_off(&self) -> usize {
        let mut members = self.members.values();
        members.by_ref().filter(|member| member.is_left_off).count()
    }

    fn forget_old_views(&mut self, now: Moment) {
        for member in self.members.values_mut() {
            let is_old = |read: &Moment| now.since(*read) > Self::STALE_KEPT;
            member.read.take_if(|(_, read)| is_old(read));
        }
    }

    fn count_cells(&mut self) {
        let views = self
            .members
            .values()
            .filter_map(|member| member.read.as_ref());
        self.cells = views.map(|(view, _)| view.cells.len()).sum();
    }
}

impl Member {
    fn seen(&self, now: Moment) -> Seen<'_> {
        Seen {
            node: &self.node,
            coverage: self.coverage(now),
            view: self.read.as_ref().map(|(view, _)| view),
            is_clock_wrong: self.distrusted.is_some(),
        }
    }

    fn coverage(&self, now: Moment) -> Coverage {
        match (&self.read, self.node.coverage, self.silent) {
            (Some((_, read)), _, _) if now.since(*read) <= Fleet::STALE_AFTER => Coverage::Covered,
            (Some((_, read)), _, _) => Coverage::Stale(*read),
            (None, Coverage::Uncovered(why), _) | (None, _, Some(why)) => Coverage::Uncovered(why),
            (None, _, None) => Coverage::Uncovered(WhyUncovered::NotRead),
        }
    }
}

/// The same without what an agent says of times.
fn without_times(view: &View) -> View {
    let mut view = view.clone();
    for cell in &mut view.cells {
        cell.paths = cell.paths.without_times();
    }
    view
}
