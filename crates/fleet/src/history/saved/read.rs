//! Reading: a saved history, which may be anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{AWAITED, NON_PRIVATE, NONE, NotRestored, Saved, SavedNode, SavedTrack, moment};
use crate::history::{
    Departed, FleetHistory, MOST_ABSENCES, MOST_DEPARTED, NodeHistory, PathNumber, Paths, SILENT,
    Track,
};
use crate::{Fleet, Moment, WhyUncovered};

/// How many paths of nodes are read that are not as usual.
const MOST_TRACKS: usize = 4_000_000;

/// The longest name that is read, in bytes.
const LONGEST_NAME: usize = 253;

pub(super) struct Reader<'a> {
    saved: &'a Saved,
    held_until: Moment,
    paths: Paths,
    /// The number that each saved set has now.
    sets: Vec<usize>,
    tracks: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn of(saved: &'a Saved, held_until: Moment) -> Result<Self, NotRestored> {
        let names = saved.targets.iter().chain(&saved.resolvers);
        let nodes = saved
            .nodes
            .iter()
            .chain(saved.departed.iter().map(|(_, node)| node));
        let mut names = names.chain(nodes.map(|SavedNode(name, ..)| name));
        if names.any(|name| name.len() > LONGEST_NAME)
            || saved.nodes.len() > Fleet::MOST_NODES
            || saved.departed.len() > MOST_DEPARTED
            || saved.departed_well.len() > 1_000
            || saved.absences.len() > MOST_ABSENCES
        {
            return Err(NotRestored::TooLarge);
        }
        let mut reader = Self {
            saved,
            held_until,
            paths: Paths::default(),
            sets: Vec::new(),
            tracks: 0,
        };
        reader.read_paths()?;
        Ok(reader)
    }

    fn read_paths(&mut self) -> Result<(), NotRestored> {
        use NotRestored::{Inconsistent, TooLarge};
        for (target, resolver) in &self.saved.pairs {
            let name = self
                .saved
                .targets
                .get(usize::from(*target))
                .ok_or(Inconsistent)?;
            let resolver = self
                .saved
                .resolvers
                .get(usize::from(*resolver))
                .ok_or(Inconsistent)?;
            let before = self.paths.pairs.len();
            let target = self.paths.target(name).ok_or(TooLarge)?;
            let number = self.paths.number(target, resolver).ok_or(TooLarge)?;
            if usize::from(number) != before {
                return Err(Inconsistent);
            }
        }
        for set in &self.saved.sets {
            let numbers = self.numbers(set)?;
            let number = self.paths.set(numbers);
            self.sets.push(number);
        }
        Ok(())
    }

    /// Reads `0-13,17`, in order and without repetition.
    fn numbers(&mut self, text: &str) -> Result<Vec<PathNumber>, NotRestored> {
        let mut numbers: Vec<PathNumber> = Vec::new();
        for run in text.split(',').filter(|run| !run.is_empty()) {
            let (first, last) = run.split_once('-').unwrap_or((run, run));
            let read = |text: &str| {
                text.parse::<PathNumber>()
                    .map_err(|_| NotRestored::Inconsistent)
            };
            let (first, last) = (read(first)?, read(last)?);
            let is_next = numbers.last().is_none_or(|before| *before < first);
            if !is_next || first > last || usize::from(last) >= self.paths.pairs.len() {
                return Err(NotRestored::Inconsistent);
            }
            numbers.extend(first..=last);
            self.tracks += usize::from(last - first) + 1;
            if self.tracks > MOST_TRACKS {
                return Err(NotRestored::TooLarge);
            }
        }
        Ok(numbers)
    }

    pub(super) fn history(mut self) -> Result<FleetHistory, NotRestored> {
        let saved = self.saved;
        let some = |seconds: u32| (seconds > 0).then_some(Moment(seconds));
        let mut nodes = BTreeMap::new();
        for node in &saved.nodes {
            nodes.insert(Arc::from(&*node.0), self.node(node)?);
        }
        let mut departed = Vec::new();
        for (left, node) in &saved.departed {
            departed.push(Departed {
                name: Arc::from(&*node.0),
                left: Moment(*left),
                history: self.node(node)?,
            });
        }
        let mut private = BTreeMap::new();
        for (target, ago) in &saved.private {
            let name = saved.targets.get(usize::from(*target));
            let number = name.and_then(|name| self.paths.known_target(name));
            if let Some(number) = number {
                // What was expected when the text was written still was at its mark.
                let last = moment(Moment(saved.as_of), *ago, 60);
                let is_current = last.after(SILENT) >= Moment(saved.as_of);
                private.insert(number, if is_current { self.held_until } else { last });
            }
        }
        let mut forgotten_non_private = BTreeMap::new();
        for (number, last) in &saved.forgotten_non_private {
            if usize::from(*number) >= self.paths.pairs.len() {
                return Err(NotRestored::Inconsistent);
            }
            forgotten_non_private.insert(*number, Moment(*last));
        }
        let absences = saved
            .absences
            .iter()
            .map(|(from, until)| (Moment(*from), Moment(*until)));
        Ok(FleetHistory {
            paths: self.paths,
            nodes,
            departed,
            departed_well: saved.departed_well.iter().copied().collect(),
            forgotten_until: some(saved.forgotten_until),
            forgotten_non_private,
            began: some(saved.began),
            is_lost: saved.lost,
            absences: absences.collect(),
            private,
            expected: Arc::default(),
            is_changed: true,
        })
    }

    fn node(&mut self, node: &SavedNode) -> Result<NodeHistory, NotRestored> {
        let SavedNode(_, joined, set, silent, usual, not_ready, uncovered, tracks) = node;
        let as_of = Moment(self.saved.as_of);
        let step = self.saved.step.clamp(1, 7 * 86_400);
        let at = |ago: i64| (ago != NONE).then(|| moment(as_of, ago, step));
        let mut read = Vec::new();
        for SavedTrack(since, until, non_private, flags, numbers) in tracks {
            let has = |bit: u8| flags & bit != 0;
            let track = Track::new(at(*since), at(*until), at(*non_private), has(NON_PRIVATE));
            let track = track.awaiting(has(AWAITED));
            read.extend(
                self.numbers(numbers)?
                    .into_iter()
                    .map(|number| (number, track)),
            );
        }
        read.sort_unstable_by_key(|(number, _)| *number);
        if read.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(NotRestored::Inconsistent);
        }
        let some = |seconds: u32| (seconds > 0).then_some(Moment(seconds));
        let mut all = WhyUncovered::ALL.iter().copied();
        Ok(NodeHistory {
            joined: some(*joined),
            last: match *silent {
                0 => Some(self.held_until),
                1.. => Some(moment(as_of, *silent, 1)),
                _ => None,
            },
            agent_started: None,
            expects: Arc::default(),
            set: *self.sets.get(*set).ok_or(NotRestored::Inconsistent)?,
            usual: (*usual != NONE).then(|| moment(as_of, *usual, 60)),
            tracks: read,
            not_ready: some(*not_ready),
            uncovered: all.find(|why| why.as_str() == uncovered),
            is_saved_silent: false,
        })
    }
}
