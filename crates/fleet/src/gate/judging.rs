//! Judging: what the history says of each node within the window.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::evidence::Evidence;
use super::targets::Targets;
use super::{GateReport, WhyNotJudged, WhyUnknown, statement};
use crate::fleet::Seen;
use crate::history::{
    COMPARED, FleetHistory, GAP, GRACE, KEPT, NodeHistory, PathNumber, TargetNumber, Track,
};
use crate::query::GateQuery;
use crate::{Coverage, FleetQuery, FleetTarget, Moment};

/// An agent has asked every path within this time of its start.
const FIRST_ROUND: Duration = Duration::from_mins(5);

/// What is judged, and when.
pub(super) struct Case<'a> {
    pub(super) history: &'a FleetHistory,
    pub(super) asked: &'a GateQuery,
    pub(super) from: Moment,
    pub(super) now: Moment,
    /// The targets that are judged, by their names.
    pub(super) targets: BTreeMap<&'a str, &'a FleetTarget>,
    pub(super) not_judged: BTreeMap<WhyNotJudged, Vec<&'a str>>,
    /// How many targets were published that no agent has.
    unwatched: u32,
    /// For each path its target's number if that is judged.
    of_path: Vec<Option<TargetNumber>>,
    /// For each path since when it is known on some node.
    first: Vec<Option<Moment>>,
    /// The earliest of these moments, of paths that are judged.
    earliest: Option<Moment>,
    /// For each set of paths what it lacks.
    lacks: Vec<Lacking>,
    pub(super) nodes: u32,
    pub(super) departed: u32,
}

/// What a set of paths lacks.
#[derive(Default)]
struct Lacking {
    absent: Vec<TargetNumber>,
    one_path: Vec<TargetNumber>,
}

/// The nodes that have one set of paths.
#[derive(Default)]
struct OfSet {
    nodes: u32,
    /// The earliest of their usual moments.
    usual: Option<Moment>,
    /// For each path, on how many of them it is not as usual.
    unusual: Vec<u32>,
}

/// A node that is judged, from when to when.
struct Life<'a> {
    name: &'a str,
    history: &'a NodeHistory,
    /// From when its paths must be answered.
    start: Moment,
    /// From when they must be private.
    private_from: Moment,
    end: Moment,
    /// How long before the end it may have been heard last.
    slack: Duration,
    has_left: bool,
    /// Whether since when its paths are answered is not known for that reason.
    is_clock_wrong: bool,
}

/// May public access be turned off?
pub(crate) fn judge<'a>(
    seen: &[Seen<'a>],
    history: &'a FleetHistory,
    query: &'a FleetQuery,
    asked: &'a GateQuery,
    nodes_left_off: u32,
    now: Moment,
) -> GateReport {
    let mut case = Case::new(seen, history, query, asked, now);
    let mut evidence = Evidence::of_paths(history.paths.len());
    case.note_limits(&mut evidence, nodes_left_off);
    if !case.targets.is_empty() {
        for seen in seen.iter().filter(|seen| query.selector.takes(seen.node)) {
            case.judge_node(seen, &mut evidence);
        }
        case.judge_departed(&mut evidence);
        if case.nodes == 0 {
            evidence.unclear_in_all(WhyUnknown::NoNodes, 0);
        }
    }
    statement::report(&case, &evidence)
}

impl<'a> Case<'a> {
    fn new(
        seen: &[Seen<'a>],
        history: &'a FleetHistory,
        query: &FleetQuery,
        asked: &'a GateQuery,
        now: Moment,
    ) -> Self {
        let from = now.before(asked.window());
        let Targets {
            judged: targets,
            not_judged,
            unwatched,
        } = Targets::of(seen, history, (query, asked), from);
        let paths = &history.paths;
        let count = u16::try_from(paths.len()).unwrap_or(u16::MAX);
        let name = |number: PathNumber| {
            let (target, _) = paths.names(number);
            let is_judged = targets.contains_key(&**target);
            is_judged.then(|| paths.target_of(number))
        };
        let mut case = Self {
            of_path: (0..count).map(name).collect(),
            first: Vec::new(),
            earliest: None,
            lacks: Vec::new(),
            history,
            asked,
            from,
            now,
            targets,
            not_judged,
            unwatched,
            nodes: 0,
            departed: 0,
        };
        case.first = case.known_since();
        let judged = case.of_path.iter().zip(&case.first);
        case.earliest = judged
            .filter_map(|(target, first)| target.and(*first))
            .min();
        case.lacks = (0..paths.sets()).map(|set| case.lacking(set)).collect();
        case
    }

    /// For each path since when it is known on some node, the longest.
    fn known_since(&self) -> Vec<Option<Moment>> {
        let count = self.of_path.len();
        let mut first: Vec<Option<Moment>> = vec![None; count];
        let mut earlier = |path: PathNumber, since: Option<Moment>| {
            let known = &mut first[usize::from(path)];
            *known = match (*known, since) {
                (Some(known), Some(since)) => Some(known.min(since)),
                (known, since) => known.or(since),
            };
        };
        let mut of_sets: BTreeMap<usize, OfSet> = BTreeMap::new();
        for node in self
            .history
            .nodes
            .values()
            .filter(|node| node.last.is_some())
        {
            let of_set = of_sets.entry(node.set).or_insert_with(|| OfSet {
                unusual: vec![0; count],
                ..OfSet::default()
            });
            of_set.nodes += 1;
            of_set.usual = match (of_set.usual, node.usual) {
                (Some(known), Some(usual)) => Some(known.min(usual)),
                (known, usual) => known.or(usual),
            };
            for (path, track) in &node.tracks {
                of_set.unusual[usize::from(*path)] += 1;
                earlier(*path, track.since());
            }
        }
        for (set, of_set) in of_sets {
            for path in self.history.paths.of_set(set) {
                if of_set.unusual[usize::from(*path)] < of_set.nodes {
                    earlier(*path, of_set.usual);
                }
            }
        }
        first
    }

    /// Notes what is not known of the window as a whole.
    fn note_limits(&self, evidence: &mut Evidence<'a>, nodes_left_off: u32) {
        if self.targets.is_empty() {
            evidence.unclear_in_all(WhyUnknown::NoPrivateTargets, 0);
        }
        let known: BTreeSet<TargetNumber> = self.of_path.iter().flatten().copied().collect();
        if known.len() < self.targets.len() {
            // There were too many to be remembered.
            evidence.unclear_in_all(WhyUnknown::TargetAbsent, 0);
        }
        if self.asked.window() > KEPT {
            evidence.unclear_in_all(WhyUnknown::WindowTooLong, 0);
        }
        let unwatched = self.asked.unnamed_services.saturating_add(self.unwatched);
        if unwatched > 0 {
            evidence.unclear_in_all(WhyUnknown::UnnamedServices, unwatched);
        }
        if !self.asked.sources_unknown.is_empty() {
            evidence.unclear_in_all(WhyUnknown::SourcesUnknown, 0);
        }
        if self.asked.nodes_not_listed {
            evidence.unclear_in_all(WhyUnknown::NodesNotListed, 0);
        }
        if self.history.paths.is_full() {
            evidence.unclear_in_all(WhyUnknown::PathsLeftOff, 0);
        }
        if nodes_left_off > 0 {
            evidence.unclear_in_all(WhyUnknown::NodesLeftOff, nodes_left_off);
        }
        let history = self.history;
        if history.began.is_none_or(|began| began > self.from) {
            let why = if history.is_lost {
                WhyUnknown::HistoryLost
            } else {
                WhyUnknown::HistoryYoung
            };
            evidence.unclear_in_all(why, 0).known_since(history.began);
        }
        let absences = history.absences.iter();
        let mut within =
            absences.filter(|(from, until)| *until > self.from && until.since(*from) > GRACE);
        if let Some((_, until)) = within.next_back() {
            evidence
                .unclear_in_all(WhyUnknown::ObserverAway, 0)
                .known_since(Some(*until));
        }
        if history
            .forgotten_until
            .is_some_and(|until| until > self.from)
        {
            evidence
                .unclear_in_all(WhyUnknown::DepartedForgotten, 0)
                .known_since(history.forgotten_until);
            for (path, last) in &history.forgotten_non_private {
                if self.target_of(*path).is_some() && *last >= self.from {
                    evidence.broken(*path, "a node that left", *last).departed += 1;
                }
            }
        }
    }

    fn judge_node(&mut self, seen: &Seen<'a>, evidence: &mut Evidence<'a>) {
        let node = seen.node;
        let (name, joined) = (&*node.name, node.joined);
        let history = self.history.nodes.get(&node.name);
        let known = history.filter(|history| history.last.is_some());
        let is_starting = joined.is_some_and(|joined| self.now.since(joined) < GRACE);
        let Some(history) = known else {
            if !is_starting {
                let why = match seen.coverage {
                    Coverage::Uncovered(why) => why.into(),
                    Coverage::Covered | Coverage::Stale(_) => WhyUnknown::NotRead,
                };
                evidence.unclear(why, name);
            }
            return;
        };
        self.nodes += 1;
        if seen.is_clock_wrong {
            evidence.unclear(WhyUnknown::ClockWrong, name);
        }
        let life = Life {
            name,
            history,
            start: joined.map_or(self.from, |joined| self.from.max(joined.after(GRACE))),
            private_from: self.from.max(joined.unwrap_or_default()),
            end: self.now,
            slack: GAP,
            has_left: false,
            is_clock_wrong: seen.is_clock_wrong,
        };
        self.judge_life(&life, evidence);
    }

    fn judge_departed(&mut self, evidence: &mut Evidence<'a>) {
        let well = self.history.departed_well.range(self.from.0 / 3600..);
        self.departed += well.map(|(_, count)| count).sum::<u32>();
        let departed = self.history.departed.iter();
        for departed in departed.filter(|departed| departed.left >= self.from) {
            self.departed += 1;
            let (name, history) = (&*departed.name, &departed.history);
            let joined = history.joined.unwrap_or_default();
            if history.last.is_none() {
                let why = history.uncovered.map_or(WhyUnknown::NotRead, Into::into);
                evidence.unclear(why, name);
                continue;
            }
            let life = Life {
                name,
                history,
                start: self.from.max(joined.after(GRACE)),
                private_from: self.from.max(joined),
                end: departed.left,
                slack: GRACE,
                has_left: true,
                is_clock_wrong: false,
            };
            self.judge_life(&life, evidence);
        }
    }

    fn judge_life(&self, life: &Life<'a>, evidence: &mut Evidence<'a>) {
        let history = life.history;
        // A node that is still starting, or left while it was, owes no answer yet.
        let is_settled = life.start < life.end;
        let is_heard = |last: Moment| last.after(life.slack) >= life.end;
        let is_silent = is_settled && history.last.is_some_and(|last| !is_heard(last));
        if let Some(lacking) = self.lacks.get(history.set).filter(|_| is_settled) {
            // What is a target now need not have been one when a node left, or its agent was heard last.
            let is_there = !life.has_left && !is_silent;
            for target in lacking.absent.iter().filter(|_| is_there) {
                evidence
                    .unclear(WhyUnknown::TargetAbsent, life.name)
                    .about(*target);
            }
            for target in &lacking.one_path {
                evidence
                    .unclear(WhyUnknown::OnePath, life.name)
                    .about(*target);
            }
        }
        if is_silent {
            // Nothing after the last answer is known, whatever was before.
            let why = history
                .uncovered
                .map_or(WhyUnknown::AgentSilent, Into::into);
            evidence.unclear(why, life.name);
        }
        if history.usual.is_some_and(|usual| usual <= life.start) {
            for (path, track) in &history.tracks {
                self.judge_track(life, *path, *track, evidence);
            }
            return;
        }
        for path in self.history.paths.of_set(history.set) {
            if let Some(track) = history.track(&self.history.paths, *path) {
                self.judge_track(life, *path, track, evidence);
            }
        }
    }

    fn judge_track(
        &self,
        life: &Life<'a>,
        path: PathNumber,
        track: Track,
        evidence: &mut Evidence<'a>,
    ) {
        let Some(target) = self.target_of(path) else {
            return;
        };
        let last = track.non_private(life.history.last);
        let is_so_now = track.is_non_private && !life.has_left;
        // What was said last is said now, also where the window is shorter than the time since then.
        let from = if is_so_now {
            life.private_from.min(life.end.before(life.slack))
        } else {
            life.private_from
        };
        if let Some(last) = last.filter(|last| *last >= from) {
            let broken = evidence.broken(path, life.name, last);
            broken.departed += u32::from(life.has_left);
            broken.now += u32::from(is_so_now);
        }
        let slack = if track.is_awaited {
            life.slack + COMPARED
        } else {
            life.slack
        };
        let is_open = track
            .until()
            .is_none_or(|until| until.after(slack) >= life.end);
        let since = track.since();
        let is_answered = since.is_some_and(|since| since <= life.start) && is_open;
        if is_answered || life.is_clock_wrong || life.start >= life.end {
            return;
        }
        let why = self.why_unanswered(life, path, since.filter(|_| is_open));
        let unclear = evidence.unclear(why, life.name);
        unclear.about(target);
        let known = since.filter(|_| is_open && !life.has_left);
        unclear.known_since(known.or(Some(life.end)));
    }

    /// Why a path is not known to be answered since the beginning of the window.
    fn why_unanswered(
        &self,
        life: &Life<'a>,
        path: PathNumber,
        since: Option<Moment>,
    ) -> WhyUnknown {
        let Some(since) = since else {
            return WhyUnknown::Gap;
        };
        if self.first[usize::from(path)].is_some_and(|first| first > life.start) {
            if self.history.is_lost && self.history.began.is_some_and(|began| began > self.from) {
                return WhyUnknown::HistoryLost;
            }
            // Nothing at all is known since then.
            if self.earliest.is_none_or(|earliest| earliest > life.start) {
                return WhyUnknown::HistoryYoung;
            }
            return WhyUnknown::TargetYoung;
        }
        let started = life.history.agent_started;
        if started.is_some_and(|started| since.since(started) <= FIRST_ROUND) {
            return WhyUnknown::AgentYoung;
        }
        WhyUnknown::Gap
    }

    fn target_of(&self, path: PathNumber) -> Option<TargetNumber> {
        self.of_path.get(usize::from(path)).copied().flatten()
    }

    /// What a set of paths lacks.
    fn lacking(&self, set: usize) -> Lacking {
        let mut counts: BTreeMap<TargetNumber, usize> = BTreeMap::new();
        for target in self.of_path.iter().flatten() {
            counts.insert(*target, 0);
        }
        for path in self.history.paths.of_set(set) {
            if let Some(target) = self.target_of(*path) {
                *counts.entry(target).or_default() += 1;
            }
        }
        let with = |wanted: usize| {
            let counts = counts.iter().filter(move |(_, count)| **count == wanted);
            counts.map(|(target, _)| *target).collect()
        };
        Lacking {
            absent: with(0),
            one_path: with(1),
        }
    }
}
