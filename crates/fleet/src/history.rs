//! History: for each node, target and path, since when it was answered without a gap, and when an address
//! last was not private. It outlives agents and, saved, the observer (docs/adr/0019).
//!
//! Most paths of a node are alike: answered since its agent first ran, never public. They share one moment,
//! and only the others are kept one by one.

mod departed;
mod paths;
mod renumber;
mod saved;
#[cfg(test)]
mod tests;
mod track;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub use self::departed::Departed;
pub(crate) use self::paths::{PathNumber, Paths, TargetNumber};
pub use self::saved::{Detail, NotRestored};
pub(crate) use self::track::Track;
use crate::{Coverage, Moment, Node, View, WhyUncovered};
use privatelink_verdict::target::Expectation;

/// A path that is not answered for longer than this has a gap.
pub const GAP: Duration = Duration::from_mins(5);

/// How much longer the path may be unanswered that a target is not judged by, but compared with: it is asked
/// with every fifth probe, and after the start of an agent within six.
pub(crate) const COMPARED: Duration = Duration::from_mins(3);

/// Paths that are answered since moments that lie no further apart share the latest of these. After the start
/// of an agent all of its paths are first asked within this time.
const ALIKE: Duration = Duration::from_mins(4);

/// How long after a node joined its agent may take to answer, and how long before a node leaves it may
/// fall silent.
pub const GRACE: Duration = Duration::from_mins(10);

/// How far back the history goes.
pub const KEPT: Duration = Duration::from_hours(7 * 24);

/// How many nodes that left are kept, beside those whose whole life was well.
pub const MOST_DEPARTED: usize = 5_000;

/// How many times the observer was away are kept.
const MOST_ABSENCES: usize = 20;

/// An agent that is silent for longer than this is saved as silent, with its own moment.
const SILENT: Duration = Duration::from_mins(2);

/// What is remembered of all nodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FleetHistory {
    pub(crate) paths: Paths,
    pub(crate) nodes: BTreeMap<Arc<str>, NodeHistory>,
    pub(crate) departed: Vec<Departed>,
    /// How many nodes left whose whole life was well, by the hour.
    pub(crate) departed_well: BTreeMap<u32, u32>,
    /// Until when nodes left that had to be forgotten.
    pub(crate) forgotten_until: Option<Moment>,
    /// What of the forgotten ones was not private, and when last.
    pub(crate) forgotten_non_private: BTreeMap<PathNumber, Moment>,
    /// Since when nodes are watched.
    pub(crate) began: Option<Moment>,
    /// Whether an earlier history could not be read.
    pub(crate) is_lost: bool,
    /// When nobody watched the nodes: from when, until when.
    pub(crate) absences: Vec<(Moment, Moment)>,
    /// When some node last expected a private endpoint, for each target's number.
    pub(crate) private: BTreeMap<TargetNumber, Moment>,
    /// What the latest agent expected, which the next one most likely does too.
    expected: Arc<[TargetNumber]>,
    /// Whether something besides the clock is not saved yet.
    is_changed: bool,
}

/// What is remembered of a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct NodeHistory {
    pub(crate) joined: Option<Moment>,
    /// When its agent answered last.
    pub(crate) last: Option<Moment>,
    /// When that agent started.
    pub(crate) agent_started: Option<Moment>,
    /// Which paths it has: the number of a set of them.
    pub(crate) set: usize,
    /// The targets of which it expects a private endpoint, in order; shared by nodes that expect the same.
    expects: Arc<[TargetNumber]>,
    /// Since when all paths are answered, but for those in `tracks`; these never were public.
    pub(crate) usual: Option<Moment>,
    /// The other paths, in order.
    pub(crate) tracks: Vec<(PathNumber, Track)>,
    /// Since when the node is not ready.
    pub(crate) not_ready: Option<Moment>,
    /// Why it has no agent, where it has none.
    pub(crate) uncovered: Option<WhyUncovered>,
    /// Whether it is saved with a moment of its own.
    is_saved_silent: bool,
}

impl FleetHistory {
    /// A history in which nothing is known, after one that could not be read.
    pub fn lost() -> Self {
        Self {
            is_lost: true,
            is_changed: true,
            ..Self::default()
        }
    }

    /// Notes that nobody saw nodes come and go between two moments. One that begins before the latest ended goes on
    /// with it; what lasts less than the gap that is borne is none.
    pub fn note_absence(&mut self, from: Moment, until: Moment) {
        if until.since(from) <= GAP {
            return;
        }
        self.is_changed = true;
        match self.absences.last_mut().filter(|(_, end)| *end >= from) {
            Some((_, end)) => *end = until.max(*end),
            None => self.absences.push((from, until)),
        }
        let excess = self.absences.len().saturating_sub(MOST_ABSENCES);
        if excess > 0 {
            // What lies between two is taken as one absence.
            let (from, _) = self.absences[0];
            self.absences.drain(..excess);
            self.absences[0].0 = from;
        }
    }

    /// Notes which nodes there are now. Those that are missing have left.
    pub fn set_nodes<'a>(&mut self, nodes: impl Iterator<Item = &'a Node>, now: Moment) {
        if self.began.is_none() {
            self.began = Some(now);
            self.is_changed = true;
        }
        let mut before = std::mem::take(&mut self.nodes);
        for node in nodes {
            let known = before.remove(&node.name);
            let is_same = |known: &NodeHistory| known.joined == node.joined;
            let mut history = match known {
                Some(known) if is_same(&known) => known,
                other => {
                    self.is_changed = true;
                    self.depart(node.name.clone(), other, now);
                    self.come_back(node)
                }
            };
            history.note_coverage(node.coverage, now);
            self.is_changed |= history.forget_awaited(&mut self.paths, now);
            self.nodes.insert(node.name.clone(), history);
        }
        self.is_changed |= !before.is_empty();
        for (name, history) in before {
            self.depart(name, Some(history), now);
        }
        self.forget_old(now);
        self.renumber();
    }

    /// Takes what an agent says.
    pub fn take_view(&mut self, node: &str, view: &View, now: Moment) {
        let Some(history) = self.nodes.get_mut(node) else {
            return;
        };
        let mut targets = BTreeSet::new();
        let mut expects = BTreeSet::new();
        let mut tracks: BTreeMap<PathNumber, Track> = BTreeMap::new();
        for cell in &view.cells {
            let Some(target) = self.paths.target(&cell.target.name) else {
                continue;
            };
            targets.insert(target);
            if cell.expect == Expectation::PrivateEndpoint {
                expects.insert(target);
                self.is_changed |= self.private.insert(target, now).is_none();
            }
            for (place, state) in cell.paths.iter().enumerate() {
                let Some(number) = self.paths.number(target, state.resolver) else {
                    continue;
                };
                let before = history.track(&self.paths, number);
                let slack = if place == 0 { Duration::ZERO } else { COMPARED };
                let track = Track::after(before, history.last, state, slack, now);
                tracks.insert(number, track);
            }
        }
        for number in self.paths.of_set(history.set) {
            if tracks.contains_key(number) || !targets.contains(&self.paths.target_of(*number)) {
                continue;
            }
            let before = history.track(&self.paths, *number);
            if let Some(track) = before.and_then(|track| track.awaited(history.last, now)) {
                tracks.insert(*number, track);
            }
        }
        if !self.expected.iter().eq(&expects) {
            self.expected = expects.into_iter().collect();
        }
        history.expects = self.expected.clone();
        let is_first = history.last.is_none();
        let is_kept = |moment: &Moment| now.since(*moment) < KEPT;
        let tracks = tracks
            .into_iter()
            .map(|(number, track)| (number, track.within(is_kept)));
        self.is_changed |= history.keep(&mut self.paths, tracks.collect()) || is_first;
        history.last = Some(now);
        history.agent_started = Some(view.agent_started);
    }

    /// Notes that an agent still says the same.
    pub fn confirm(&mut self, node: &str, now: Moment) {
        if let Some(history) = self.nodes.get_mut(node) {
            history.last = Some(now);
        }
    }

    /// Whether something besides the clock is not saved yet.
    pub fn is_changed(&self, now: Moment) -> bool {
        let nodes = self.nodes.values();
        let mut known = nodes.filter_map(|node| node.last.map(|last| (node, last)));
        self.is_changed || known.any(|(node, last)| node.is_saved_silent != is_silent(last, now))
    }

    /// The moment until which all that was saved still held; `None` where something has changed since,
    /// or nothing was saved. It is enough to save this moment beside what was saved.
    pub fn mark(&self, now: Moment) -> Option<Moment> {
        if self.is_changed(now) {
            return None;
        }
        self.answered_by_all(now)
    }

    /// Since when no agent answered later that is not silent: until then everything is known.
    fn answered_by_all(&self, now: Moment) -> Option<Moment> {
        let last = self.nodes.values().filter_map(|node| node.last);
        last.filter(|last| !is_silent(*last, now)).min()
    }

    /// Notes what nodes still expect, although they have not said it again.
    fn refresh_private(&mut self) {
        let mut seen: Vec<(&Arc<[TargetNumber]>, Moment)> = Vec::new();
        for node in self.nodes.values() {
            let Some(last) = node.last else { continue };
            let is_same = |(expects, _): &(&Arc<_>, _)| Arc::ptr_eq(expects, &node.expects);
            match seen.iter().position(is_same) {
                Some(at) => seen[at].1 = last.max(seen[at].1),
                // Nodes hardly ever expect different things; what is beyond these is noted with its views.
                None if seen.len() < 100 => seen.push((&node.expects, last)),
                None => {}
            }
        }
        for (expects, last) in seen {
            for target in expects.iter() {
                let noted = self.private.entry(*target).or_insert(last);
                *noted = last.max(*noted);
            }
        }
    }

    fn forget_old(&mut self, now: Moment) {
        self.refresh_private();
        let oldest = now.before(KEPT);
        self.departed.retain(|departed| departed.left >= oldest);
        self.departed_well = self.departed_well.split_off(&(oldest.0 / 3600));
        self.absences.retain(|(_, until)| *until >= oldest);
        self.forgotten_until = self.forgotten_until.filter(|until| *until >= oldest);
        self.forgotten_non_private.retain(|_, last| *last >= oldest);
        self.private.retain(|_, last| *last >= oldest);
    }

    /// Whether a node expected a private endpoint of the target at or after `since`.
    pub(crate) fn was_private(&self, target: &str, since: Moment) -> bool {
        let number = self.paths.known_target(target);
        let last = number.and_then(|number| self.private.get(&number));
        last.is_some_and(|last| *last >= since)
    }
}

fn is_silent(last: Moment, now: Moment) -> bool {
    now.since(last) > SILENT
}

impl NodeHistory {
    fn note_coverage(&mut self, coverage: Coverage, now: Moment) {
        self.uncovered = match coverage {
            Coverage::Uncovered(why) => Some(why),
            Coverage::Covered | Coverage::Stale(_) => None,
        };
        let is_not_ready = self.uncovered == Some(WhyUncovered::NodeNotReady);
        self.not_ready = self.not_ready.or(Some(now)).filter(|_| is_not_ready);
    }

    /// Keeps the paths, which are in order; whether they say something else than before.
    fn keep(&mut self, paths: &mut Paths, mut tracks: Vec<(PathNumber, Track)>) -> bool {
        let set = paths.set(tracks.iter().map(|(number, _)| *number).collect());
        let usual = usual(tracks.iter().map(|(_, track)| *track));
        tracks.retain(|(_, track)| !track.is_usual(usual));
        let mut both = self.tracks.iter().zip(&tracks);
        let is_same = (self.set, self.usual, self.tracks.len()) == (set, usual, tracks.len())
            && both.all(|((a, before), (b, after))| a == b && before.says_the_same(*after));
        tracks.shrink_to_fit();
        (self.set, self.usual, self.tracks) = (set, usual, tracks);
        !is_same
    }

    /// Forgets paths that the agent has not asked again although it had the time to: it does not have them
    /// any more. Whether there were any.
    fn forget_awaited(&mut self, paths: &mut Paths, now: Moment) -> bool {
        let is_over = |track: &Track| track.is_awaited && !track.is_still_awaited(now);
        if !self.tracks.iter().any(|(_, track)| is_over(track)) {
            return false;
        }
        let numbers = paths.of_set(self.set).to_vec();
        let tracks = numbers.into_iter().filter_map(|number| {
            let track = self.track(paths, number)?;
            (!is_over(&track)).then_some((number, track))
        });
        let tracks = tracks.collect();
        self.keep(paths, tracks)
    }

    /// What is remembered of one path; `None` where the node does not have it.
    pub(crate) fn track(&self, paths: &Paths, number: PathNumber) -> Option<Track> {
        self.last?;
        match self
            .tracks
            .binary_search_by_key(&number, |(number, _)| *number)
        {
            Ok(at) => Some(self.tracks[at].1),
            Err(_) if paths.has(self.set, number) => Some(Track::clean(self.usual)),
            Err(_) => None,
        }
    }
}

/// The moment that most clean paths share, nearly, as the latest of theirs.
fn usual(tracks: impl Iterator<Item = Track>) -> Option<Moment> {
    let clean = tracks.filter(|track| track.is_clean());
    let mut since: Vec<Moment> = clean.filter_map(Track::since).collect();
    since.sort_unstable();
    let mut best: Option<(usize, Moment)> = None;
    let mut first = 0;
    for (index, moment) in since.iter().enumerate() {
        while moment.since(since[first]) > ALIKE {
            first += 1;
        }
        let count = index - first + 1;
        if best.is_none_or(|(most, _)| count > most) {
            best = Some((count, *moment));
        }
    }
    best.map(|(_, moment)| moment)
}
