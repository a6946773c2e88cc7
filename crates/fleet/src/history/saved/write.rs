//! Writing: a history in its saved form, rounded so that it says less than before.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::{AWAITED, NON_PRIVATE, NONE, Saved, SavedNode, SavedTrack, VERSION, moment};
use crate::history::{FleetHistory, NodeHistory, PathNumber, Track};
use crate::{Moment, WhyUncovered};

pub(super) struct Writer<'a> {
    history: &'a FleetHistory,
    as_of: Moment,
    step: i64,
    /// The saved number of each path of a target that is or was private.
    numbers: BTreeMap<PathNumber, PathNumber>,
    /// The saved number of each set that is in use.
    sets: BTreeMap<usize, usize>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(history: &'a FleetHistory, as_of: Moment, step: i64) -> Self {
        let departed = history.departed.iter().map(|departed| &departed.history);
        let mut used: Vec<usize> = history
            .nodes
            .values()
            .chain(departed)
            .map(|node| node.set)
            .collect();
        used.sort_unstable();
        used.dedup();
        let mut numbers = BTreeMap::new();
        for number in used.iter().flat_map(|set| history.paths.of_set(*set)) {
            let (target, _) = history.paths.pairs[usize::from(*number)];
            if history.private.contains_key(&target) {
                numbers.insert(*number, 0);
            }
        }
        for (saved, number) in (0..).zip(numbers.values_mut()) {
            *number = saved;
        }
        Self {
            history,
            as_of,
            step,
            numbers,
            sets: used.into_iter().zip(0..).collect(),
        }
    }

    pub(super) fn saved(&self) -> Saved {
        let FleetHistory { paths, private, .. } = self.history;
        // Targets keep their numbers, and those that are not needed have no name.
        let target = |(number, name): (usize, &Arc<str>)| {
            let is_private =
                u16::try_from(number).is_ok_and(|number| private.contains_key(&number));
            if is_private {
                name.to_string()
            } else {
                String::new()
            }
        };
        let absences = self.history.absences.iter();
        Saved {
            version: VERSION,
            as_of: self.as_of.0,
            step: self.step,
            targets: paths.targets.iter().enumerate().map(target).collect(),
            resolvers: paths.resolvers.iter().map(ToString::to_string).collect(),
            pairs: self
                .numbers
                .keys()
                .map(|number| paths.pairs[usize::from(*number)])
                .collect(),
            sets: self.sets.keys().map(|set| self.set(*set)).collect(),
            private: private
                .iter()
                .map(|(number, last)| (*number, self.ago(*last, 60)))
                .collect(),
            nodes: self
                .history
                .nodes
                .iter()
                .map(|(name, node)| self.node(name, node))
                .collect(),
            departed: self
                .history
                .departed
                .iter()
                .map(|departed| {
                    (
                        departed.left.0,
                        self.node(&departed.name, &departed.history),
                    )
                })
                .collect(),
            departed_well: self
                .history
                .departed_well
                .iter()
                .map(|(h, c)| (*h, *c))
                .collect(),
            forgotten_until: self.history.forgotten_until.unwrap_or_default().0,
            forgotten_non_private: self.forgotten(),
            began: self.history.began.unwrap_or_default().0,
            lost: self.history.is_lost,
            absences: absences.map(|(from, until)| (from.0, until.0)).collect(),
        }
    }

    fn forgotten(&self) -> Vec<(u16, u32)> {
        let forgotten = self.history.forgotten_non_private.iter();
        forgotten
            .filter_map(|(number, last)| Some((*self.numbers.get(number)?, last.0)))
            .collect()
    }

    fn set(&self, set: usize) -> String {
        let numbers = self.history.paths.of_set(set).iter();
        ranges(numbers.filter_map(|number| self.numbers.get(number).copied()))
    }

    fn node(&self, name: &str, node: &NodeHistory) -> SavedNode {
        let mut same: BTreeMap<Track, Vec<PathNumber>> = BTreeMap::new();
        for (number, track) in &node.tracks {
            if let Some(number) = self.numbers.get(number) {
                same.entry(self.rounded(*track)).or_default().push(*number);
            }
        }
        let tracks = same
            .into_iter()
            .map(|(track, numbers)| self.track(track, numbers));
        let silent = |last: Moment| i64::from(self.as_of.0.saturating_sub(last.0));
        SavedNode(
            name.to_owned(),
            node.joined.unwrap_or_default().0,
            self.sets.get(&node.set).copied().unwrap_or_default(),
            node.last.map_or(-1, silent),
            node.usual.map_or(NONE, |usual| self.ago(usual, 60)),
            node.not_ready.unwrap_or_default().0,
            node.uncovered.map_or("", WhyUncovered::as_str).to_owned(),
            tracks.collect(),
        )
    }

    /// The track with its moments in whole steps, so that those that are saved alike are equal.
    fn rounded(&self, track: Track) -> Track {
        let at = |ago: i64| moment(self.as_of, ago, self.step);
        let non_private = track.non_private(None).filter(|_| !track.is_non_private);
        let rounded = Track::new(
            track.since().map(|since| at(self.ago(since, self.step))),
            track.until().map(|until| at(self.ago_up(until, self.step))),
            non_private.map(|last| at(self.ago(last, self.step))),
            track.is_non_private,
        );
        rounded.awaiting(track.is_awaited)
    }

    fn track(&self, track: Track, numbers: Vec<PathNumber>) -> SavedTrack {
        let ago = |moment: Option<Moment>| moment.map_or(NONE, |m| self.ago(m, self.step));
        SavedTrack(
            ago(track.since()),
            ago(track.until()),
            ago(track.non_private(None)),
            u8::from(track.is_non_private) * NON_PRIVATE + u8::from(track.is_awaited) * AWAITED,
            ranges(numbers.into_iter()),
        )
    }

    /// How many steps ago, rounded to the later moment.
    fn ago(&self, moment: Moment, step: i64) -> i64 {
        (i64::from(self.as_of.0) - i64::from(moment.0)).div_euclid(step)
    }

    /// How many steps ago, rounded to the earlier moment.
    fn ago_up(&self, moment: Moment, step: i64) -> i64 {
        -(i64::from(moment.0) - i64::from(self.as_of.0)).div_euclid(step)
    }
}

/// `0-13,17`.
fn ranges(numbers: impl Iterator<Item = PathNumber>) -> String {
    let mut runs: Vec<(PathNumber, PathNumber)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let mut text = String::new();
    for (index, (first, last)) in runs.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let written = if first == last {
            write!(text, "{comma}{first}")
        } else {
            write!(text, "{comma}{first}-{last}")
        };
        debug_assert!(written.is_ok(), "a String takes all that is written");
    }
    text
}
