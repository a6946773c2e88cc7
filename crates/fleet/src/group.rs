//! Group: nodes that agree on every target.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use privatelink_verdict::reason::Reason;
use privatelink_verdict::verdict::Outcome;

use crate::fleet::Seen;
use crate::report::{NodeGroup, Trouble};
use crate::symptom::{self, PathScope};
use crate::table::TargetNumbers;
use crate::{Cell, Coverage, FleetQuery, FleetTarget, Moment, Node};

/// A target that does not pass: its number, and how it is judged; `None` where it was not lately.
type Ill = (usize, Option<(Outcome, Reason)>, PathScope);

/// What nodes of a group have in common: whether they are stale, their row, and which targets they have, a bit for
/// each.
type Key = (bool, Vec<u64>, Vec<u64>);

/// The groups of the nodes that are added, and what each target is on them.
#[derive(Default)]
pub(crate) struct Groups<'a> {
    numbers: TargetNumbers<'a>,
    pub(crate) columns: Vec<Tally<'a>>,
    by_row: HashMap<Key, usize>,
    drafts: Vec<Draft<'a>>,
}

/// A target on all nodes, counted.
pub(crate) struct Tally<'a> {
    pub(crate) target: &'a Arc<FleetTarget>,
    pub(crate) nodes: u32,
    pub(crate) failing: u32,
    pub(crate) warning: u32,
    pub(crate) not_judged: u32,
    /// Those of them whose latest probe is too old.
    pub(crate) late: u32,
    pub(crate) recovered: u32,
    pub(crate) reasons: BTreeMap<(Outcome, Reason), u32>,
}

struct Draft<'a> {
    nodes: Vec<&'a Node>,
    passing: (u32, u32),
    is_stale: bool,
    row: Vec<Ill>,
    since: Vec<Moment>,
    /// Which targets the nodes have.
    has: Vec<u64>,
}

/// What a row of the matrix is at worst.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worst {
    Failing,
    Warning,
    Well,
}

impl<'a> Groups<'a> {
    /// Adds a node; what it is at worst. `None` where nothing of it is known.
    pub(crate) fn add(&mut self, seen: Seen<'a>, query: &FleetQuery) -> Option<Worst> {
        let view = seen.view?;
        let is_stale = matches!(seen.coverage, Coverage::Stale(_));
        let (mut row, mut since, mut passing) = (Vec::new(), Vec::new(), 0);
        let mut has = vec![0; self.columns.len().div_ceil(64)];
        let mut worst = Worst::Well;
        for (position, cell) in view.cells.iter().enumerate() {
            let number = self.numbers.of(&cell.target, position);
            if number == self.columns.len() {
                self.columns.push(Tally::new(&cell.target));
            }
            if !query.takes_target(&cell.target.name, &cell.target.host) {
                continue;
            }
            if is_stale {
                continue;
            }
            self.columns[number].count(cell, view.agent_started, query.since);
            if has.len() <= number / 64 {
                has.resize(number / 64 + 1, 0);
            }
            has[number / 64] |= 1 << (number % 64);
            let judged = cell.judged.filter(|_| !cell.is_stale);
            if let Some((Outcome::Pass, _)) = judged {
                passing += 1;
                continue;
            }
            if query.since.is_some_and(|asked| cell.since < asked) {
                continue;
            }
            worst = match (worst, judged) {
                (_, Some((Outcome::Fail, _))) => Worst::Failing,
                (Worst::Well, Some((Outcome::Warn, _))) => Worst::Warning,
                (worst, _) => worst,
            };
            let path = symptom::of_cell(cell).map_or(PathScope::AnyPath, |(_, path)| path);
            row.push((number, judged, path));
            since.push(cell.since);
        }
        put(
            &mut self.by_row,
            &mut self.drafts,
            Draft {
                nodes: vec![seen.node],
                passing: (passing, passing),
                is_stale,
                row,
                since,
                has,
            },
        );
        Some(worst)
    }

    /// Nodes that differ only in whether they have a target that passes wherever it is agree.
    fn join(&mut self) {
        let mut ill = vec![0; self.columns.len().div_ceil(64)];
        for (number, _, _) in self.drafts.iter().flat_map(|draft| &draft.row) {
            ill[number / 64] |= 1 << (number % 64);
        }
        self.by_row.clear();
        let mut joined = Vec::new();
        for mut draft in std::mem::take(&mut self.drafts) {
            draft.has.resize(ill.len(), 0);
            for (has, ill) in draft.has.iter_mut().zip(&ill) {
                *has &= ill;
            }
            put(&mut self.by_row, &mut joined, draft);
        }
        for draft in &mut joined {
            draft.nodes.sort_by(|a, b| a.name.cmp(&b.name));
        }
        self.drafts = joined;
    }

    /// The groups, the worst first, and then those with the most nodes; silent nodes come last.
    /// `most` of them, and of the others how many they are, and how many nodes.
    pub(crate) fn finish(&mut self, all: &[&Node], most: usize) -> (Vec<NodeGroup>, u32, u32) {
        self.join();
        let mut groups = std::mem::take(&mut self.drafts);
        let mut ill: Vec<usize> = groups
            .iter()
            .flat_map(|group| &group.row)
            .map(|ill| ill.0)
            .collect();
        ill.sort_unstable();
        ill.dedup();
        groups.sort_by_cached_key(|group| {
            let outcomes = group
                .row
                .iter()
                .map(|(_, judged, _)| judged.map(|(outcome, _)| outcome));
            // `None`, which is not judged lately, is more than nothing at all.
            let worst = outcomes
                .max()
                .map(|worst| worst.map_or(0, |worst| worst as u8));
            let size = group.nodes.len();
            (group.is_stale, std::cmp::Reverse((worst, size)))
        });
        let others = groups.split_off(most.min(groups.len()));
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let nodes_of_others: usize = others.iter().map(|group| group.nodes.len()).sum();
        let shown = groups.iter().map(|group| self.finished(group, &ill, all));
        (shown.collect(), count(others.len()), count(nodes_of_others))
    }

    /// `ill`: the targets that do not pass on some node.
    fn finished(&self, group: &Draft<'a>, ill: &[usize], all: &[&Node]) -> NodeGroup {
        let mut troubles: Vec<Trouble> = Vec::new();
        let mut same: HashMap<(Option<(Outcome, Reason)>, PathScope), usize> = HashMap::new();
        for ((number, judged, path), since) in group.row.iter().zip(&group.since) {
            let index = *same.entry((*judged, *path)).or_insert_with(|| {
                troubles.push(Trouble {
                    outcome: judged.map(|(outcome, _)| outcome),
                    reason: judged
                        .map_or("not_judged", |(_, reason)| reason.as_str())
                        .to_owned(),
                    path: path.to_string(),
                    targets: Vec::new(),
                    since: *since,
                });
                troubles.len() - 1
            });
            let trouble = &mut troubles[index];
            trouble
                .targets
                .push(self.columns[*number].target.name.clone());
            trouble.since = trouble.since.min(*since);
        }
        troubles.sort_by_key(|trouble| {
            std::cmp::Reverse((
                trouble.outcome.map(|outcome| outcome as u8),
                trouble.targets.len(),
            ))
        });
        NodeGroup {
            count: u32::try_from(group.nodes.len()).unwrap_or(u32::MAX),
            nodes: group
                .nodes
                .iter()
                .map(|node| node.name.to_string())
                .collect(),
            stale: group.is_stale,
            shared: shared(&group.nodes, all),
            passing: group.passing,
            troubles,
            lacking: ill
                .iter()
                .filter(|number| {
                    !group.is_stale && group.has[*number / 64] & (1 << (*number % 64)) == 0
                })
                .map(|number| self.columns[*number].target.name.clone())
                .collect(),
        }
    }
}

/// Puts nodes to those with which they agree.
fn put<'a>(by_row: &mut HashMap<Key, usize>, drafts: &mut Vec<Draft<'a>>, new: Draft<'a>) {
    let row = new.row.iter().map(|ill| in_one_number(*ill)).collect();
    let key = (new.is_stale, row, new.has.clone());
    let index = *by_row.entry(key).or_insert(drafts.len());
    let Some(group) = drafts.get_mut(index) else {
        drafts.push(new);
        return;
    };
    group.nodes.extend(new.nodes);
    group.passing.0 = group.passing.0.min(new.passing.0);
    group.passing.1 = group.passing.1.max(new.passing.1);
    for (first, since) in group.since.iter_mut().zip(new.since) {
        *first = (*first).min(since);
    }
}

/// All of it in one number, which is quick to hash and to compare.
fn in_one_number((target, judged, path): Ill) -> u64 {
    let judged = judged.map_or(0, |(outcome, reason)| {
        (outcome as u64 + 1) << 8 | reason as u64
    });
    (target as u64) << 32 | judged << 8 | path as u64
}

/// What all of `nodes` share and not all nodes of the cluster do.
fn shared(nodes: &[&Node], all: &[&Node]) -> Vec<String> {
    type Of = fn(&Node) -> Option<&Arc<str>>;
    let traits: [(&str, Of); 6] = [
        ("pool", |node| node.traits.pool.as_ref()),
        ("zone", |node| node.traits.zone.as_ref()),
        ("region", |node| node.traits.region.as_ref()),
        ("size", |node| node.traits.instance_type.as_ref()),
        ("subnet", |node| node.traits.subnet.as_ref()),
        ("image", |node| node.traits.image.as_ref()),
    ];
    let mut shared = Vec::new();
    for (noun, of) in traits {
        let Some(value) = nodes.first().and_then(|node| of(node)) else {
            continue;
        };
        let has_it = |node: &&Node| of(node) == Some(value);
        if nodes.iter().all(has_it) && !all.iter().all(has_it) {
            shared.push(format!("{noun} {value}"));
        }
    }
    shared
}

impl<'a> Tally<'a> {
    fn new(target: &'a Arc<FleetTarget>) -> Self {
        Self {
            target,
            nodes: 0,
            failing: 0,
            warning: 0,
            not_judged: 0,
            late: 0,
            recovered: 0,
            reasons: BTreeMap::new(),
        }
    }

    fn count(&mut self, cell: &Cell, agent_started: Moment, asked: Option<Moment>) {
        let Some((outcome, reason)) = cell.judged.filter(|_| !cell.is_stale) else {
            self.not_judged += 1;
            self.late += u32::from(cell.is_stale);
            return;
        };
        self.nodes += 1;
        match outcome {
            Outcome::Pass => {
                // An agent's first verdict is no recovery.
                let is_later = cell.since.since(agent_started) > FIRST_ROUND;
                let is_recent = asked.is_some_and(|asked| cell.since >= asked);
                self.recovered += u32::from(is_later && is_recent);
            }
            Outcome::Warn => self.warning += 1,
            Outcome::Fail => self.failing += 1,
        }
        if outcome != Outcome::Pass {
            *self.reasons.entry((outcome, reason)).or_default() += 1;
        }
    }

    /// The reason on most nodes that fail or, where none fails, that warn.
    pub(crate) fn reason(&self) -> Option<Reason> {
        commonest_of_worst(&self.reasons)
    }
}

/// Of reasons and how often each was seen with which outcome, the commonest with the worst outcome.
pub(crate) fn commonest_of_worst(reasons: &BTreeMap<(Outcome, Reason), u32>) -> Option<Reason> {
    let worst = reasons.keys().map(|(outcome, _)| *outcome).max()?;
    let of_worst = reasons.iter().filter(|((outcome, _), _)| *outcome == worst);
    let ((_, reason), _) = of_worst.max_by_key(|(_, count)| **count)?;
    Some(*reason)
}

/// Within this time of its start an agent has judged every target once.
const FIRST_ROUND: std::time::Duration = std::time::Duration::from_mins(1);
