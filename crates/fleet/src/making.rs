//! Making a report of the fleet.

use std::collections::BTreeMap;

use crate::fleet::Seen;
use crate::gate;
use crate::group::{Groups, Tally, Worst};
use crate::pattern::{self, Pattern, SAMPLES};
use crate::report::{
    AnsweredBy, FleetReport, LeftOff, NodeCounts, PatternReport, StaleNode, TargetOnNodes,
    UncoveredNodes, UsersOfTargets,
};
use crate::table::{JUST_JOINED, Table};
use crate::{Coverage, Fleet, FleetQuery, Moment, Node, WhyUncovered};

/// How many patterns a report holds.
const MOST_PATTERNS: usize = 50;

/// How many groups of nodes a report holds.
const MOST_GROUPS: usize = 100;

/// How many silent pools are named.
const MOST_SILENT_POOLS: usize = 5;

/// How many targets a report holds.
const MOST_TARGETS: usize = 1_000;

impl Fleet {
    /// The fleet at a moment, as far as `query` asks for it.
    pub fn report(&self, query: &FleetQuery, now: Moment) -> FleetReport {
        let seen: Vec<Seen<'_>> = self.seen(now).collect();
        let all: Vec<&Node> = seen.iter().map(|seen| seen.node).collect();
        let mut groups = Groups::default();
        let mut counting = Counting::default();
        for seen in seen.iter().filter(|seen| query.selector.takes(seen.node)) {
            let worst = groups.add(*seen, query);
            counting.count(seen, worst, now);
        }
        let mut left_off = LeftOff {
            nodes: count(self.nodes_left_off()),
            views: count(self.views_left_off()),
            ..LeftOff::default()
        };
        let (node_groups, others, nodes_of_others) = groups.finish(&all, MOST_GROUPS);
        left_off.groups = others;
        left_off.nodes_in_groups = nodes_of_others;
        let mut targets = summaries(&groups.columns, query);
        left_off.targets = count(targets.len().saturating_sub(MOST_TARGETS));
        targets.truncate(MOST_TARGETS);
        let table = Table::new(seen.iter().copied(), now);
        let mut patterns = pattern::of_table(&table);
        patterns.retain(|pattern| self.is_asked_for(pattern, query, now));
        left_off.patterns = count(patterns.len().saturating_sub(MOST_PATTERNS));
        let mut notes = counting.notes();
        notes.extend(late(&groups.columns));
        let mut nodes = counting.finish();
        nodes.all = count(all.len());
        FleetReport {
            schema_version: FleetReport::SCHEMA_VERSION,
            at: now,
            answered_by: AnsweredBy::default(),
            asked: query.clone(),
            nodes,
            notes,
            targets,
            patterns: patterns
                .iter()
                .take(MOST_PATTERNS)
                .map(PatternReport::from)
                .collect(),
            groups: node_groups,
            left_off,
            gate: query.gate.as_ref().map(|asked| {
                let left_off = count(self.nodes_left_off());
                gate::judge(&seen, self.history(), query, asked, left_off, now)
            }),
        }
    }

    fn is_asked_for(&self, pattern: &Pattern, query: &FleetQuery, now: Moment) -> bool {
        let mut targets = pattern.targets.iter();
        let takes_node = |name: &str| {
            let node = self.seen_node(name, now);
            node.is_some_and(|seen| query.selector.takes(seen.node))
        };
        targets.any(|target| query.takes_target(&target.name, &target.host))
            && query.since.is_none_or(|since| pattern.until_all >= since)
            && (query.selector.is_empty() || pattern.nodes.iter().any(|node| takes_node(node)))
    }
}

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Every target that is asked for, in the order of their names.
fn summaries(columns: &[Tally<'_>], query: &FleetQuery) -> Vec<TargetOnNodes> {
    let asked = columns
        .iter()
        .filter(|tally| query.takes_target(&tally.target.name, &tally.target.host));
    let mut summaries: Vec<TargetOnNodes> = asked.map(summary).collect();
    summaries.sort_by(|a, b| a.target.cmp(&b.target));
    summaries
}

fn summary(tally: &Tally<'_>) -> TargetOnNodes {
    let target = tally.target;
    TargetOnNodes {
        target: target.name.clone(),
        host: target.host.clone(),
        service: target.service.clone(),
        nodes: tally.nodes,
        failing: tally.failing,
        warning: tally.warning,
        not_judged: tally.not_judged,
        recovered: tally.recovered,
        reason: tally.reason().map(|reason| reason.to_string()),
        users: target.users.as_ref().map(UsersOfTargets::from),
    }
}

/// That targets were not judged in time.
fn late(columns: &[Tally<'_>]) -> Option<String> {
    let late = columns.iter().filter(|tally| tally.late > 0);
    let nodes = late.clone().map(|tally| tally.late).max()?;
    let mut names: Vec<&str> = late.map(|tally| &*tally.target.name).collect();
    names.sort_unstable();
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let were = if names.len() == 1 { "was" } else { "were" };
    Some(format!(
        "{} target{} {were} not judged in time, on up to {nodes} node{}: {}; the agents' logs and CPU limits may say why.",
        names.len(),
        plural(names.len()),
        plural(nodes as usize),
        named(&names)
    ))
}

/// Whether an agent should answer and does not.
fn is_silent(coverage: Coverage) -> bool {
    use WhyUncovered as Why;
    matches!(
        coverage,
        Coverage::Stale(_)
            | Coverage::Uncovered(
                Why::AgentSilent | Why::AgentUnreadable | Why::AgentNotReady | Why::NodeNotReady
            )
    )
}

/// At most five of the names, and how many more there are.
fn named(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] if names.len() <= SAMPLES => format!("{} and {last}", first.join(", ")),
        _ => format!(
            "{} and {} more",
            names[..SAMPLES].join(", "),
            names.len() - SAMPLES
        ),
    }
}

/// The nodes while they are counted.
#[derive(Default)]
struct Counting<'a> {
    counts: NodeCounts,
    stale: Vec<(Moment, &'a Node)>,
    /// For each pool its nodes, and those whose agents should answer and do not.
    pools: BTreeMap<Option<&'a str>, (usize, Vec<&'a str>)>,
    /// Those in trouble that have just joined.
    new: Vec<&'a str>,
    uncovered: BTreeMap<WhyUncovered, Vec<&'a Node>>,
}

impl<'a> Counting<'a> {
    fn count(&mut self, seen: &Seen<'a>, worst: Option<Worst>, now: Moment) {
        self.counts.selected += 1;
        let pool = self
            .pools
            .entry(seen.node.traits.pool.as_deref())
            .or_default();
        pool.0 += 1;
        if is_silent(seen.coverage) {
            pool.1.push(&seen.node.name);
        }
        match seen.coverage {
            Coverage::Covered => {
                self.counts.covered += 1;
                let is_well = matches!(worst, None | Some(Worst::Well));
                let joined = seen.node.joined.filter(|_| !is_well);
                if joined.is_some_and(|joined| now.since(joined) < JUST_JOINED) {
                    self.new.push(&seen.node.name);
                }
                match worst {
                    Some(Worst::Failing) => self.counts.failing += 1,
                    Some(Worst::Warning) => self.counts.warning += 1,
                    Some(Worst::Well) | None => {}
                }
            }
            Coverage::Stale(answered_last) => {
                self.counts.stale += 1;
                self.stale.push((answered_last, seen.node));
            }
            Coverage::Uncovered(why) => {
                self.counts.uncovered += 1;
                self.uncovered.entry(why).or_default().push(seen.node);
            }
        }
    }

    /// Pools of which at least half is silent, and nodes that patterns do not count yet.
    fn notes(&self) -> Vec<String> {
        let pools = self
            .pools
            .iter()
            .filter(|(_, (all, silent))| silent.len() > 1 && silent.len() * 2 >= *all);
        let mut pools: Vec<_> = pools.collect();
        pools.sort_by_key(|(_, (_, silent))| std::cmp::Reverse(silent.len()));
        let pools = pools.into_iter().take(MOST_SILENT_POOLS);
        let mut notes: Vec<String> = pools
            .map(|(pool, (all, silent))| {
                let pool = pool.map_or(String::new(), |pool| format!(" of pool {pool}"));
                let which = match silent.len() {
                    count if count == *all => format!("All {all} nodes"),
                    count => format!("{count} of the {all} nodes"),
                };
                format!("{which}{pool} are silent: {}.", named(silent))
            })
            .collect();
        if !self.new.is_empty() {
            let (nodes, verb) = match self.new.len() {
                1 => ("1 node".to_owned(), "it"),
                count => (format!("{count} nodes"), "them"),
            };
            notes.push(format!(
                "{nodes} joined less than 5 minutes ago, and patterns do not count {verb} yet: {}.",
                named(&self.new)
            ));
        }
        notes
    }

    fn finish(mut self) -> NodeCounts {
        self.stale.sort_by_key(|(answered_last, _)| *answered_last);
        let stale = self.stale.iter().take(SAMPLES);
        self.counts.stale_samples = stale
            .map(|(answered_last, node)| StaleNode {
                node: node.name.to_string(),
                answered_last: *answered_last,
            })
            .collect();
        let uncovered = self.uncovered.iter().map(|(why, nodes)| UncoveredNodes {
            why: why.to_string(),
            meaning: why.description().to_owned(),
            count: count(nodes.len()),
            samples: nodes
                .iter()
                .take(SAMPLES)
                .map(|node| node.name.to_string())
                .collect(),
        });
        self.counts.why_uncovered = uncovered.collect();
        self.counts
    }
}
