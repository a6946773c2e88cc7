//! Saved: the history as a text, small enough for a ConfigMap once it is compressed, and read back.
//!
//! Moments are steps before the moment of the text, rounded so that less is known than before: a stretch
//! begins later and ends earlier, what was public was so later. The text comes from outside when it is
//! read: what is not as it should be makes the history begin anew, and never says more than it says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use privatelink_verdict::words;
use serde::{Deserialize, Serialize};

use super::{
    Departed, GAP, History, KEPT, MOST_ABSENCES, MOST_DEPARTED, NodeHistory, PathNumber, Paths,
    Track, is_silent,
};
use crate::{Fleet, Moment, WhyUncovered};

/// The form that is written.
const VERSION: u32 = 1;

/// The longest text that is read.
const LONGEST: usize = 64 << 20;

/// How many paths of nodes are read that are not as usual.
const MOST_TRACKS: usize = 4_000_000;

/// The longest name that is read, in bytes.
const LONGEST_NAME: usize = 253;

words! {
    /// How exactly moments are saved. Who saves takes the first that fits.
    Detail {
        /// To the minute.
        Minutes = "minutes",
        /// To a quarter of an hour.
        Quarters = "quarters",
        /// To the hour.
        Hours = "hours",
        /// To the day.
        Days = "days",
    }
}

impl Detail {
    const fn seconds(self) -> i64 {
        match self {
            Self::Minutes => 60,
            Self::Quarters => 900,
            Self::Hours => 3_600,
            Self::Days => 86_400,
        }
    }
}

words! {
    /// Why a text is no history.
    NotRestored {
        /// The text is no JSON of this form.
        Unreadable = "unreadable",
        /// The text is of a version that is not known.
        OtherVersion = "other_version",
        /// The text holds more than is ever written.
        TooLarge = "too_large",
        /// The text refers to something that it does not hold.
        Inconsistent = "inconsistent",
        /// The text says that it is from later than now.
        FromTheFuture = "from_the_future",
        /// The text is older than what is kept.
        TooOld = "too_old",
    }
}

impl std::error::Error for NotRestored {}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Saved {
    version: u32,
    as_of: u32,
    /// Seconds of a step.
    step: i64,
    targets: Vec<String>,
    resolvers: Vec<String>,
    pairs: Vec<(u16, u16)>,
    sets: Vec<String>,
    /// Numbers of targets, with how many minutes ago a private endpoint was last expected.
    private: Vec<(u16, i64)>,
    nodes: Vec<SavedNode>,
    departed: Vec<(u32, SavedNode)>,
    departed_well: Vec<(u32, u32)>,
    forgotten_until: u32,
    forgotten_non_private: Vec<(u16, u32)>,
    began: u32,
    lost: bool,
    absences: Vec<(u32, u32)>,
}

/// Name, joined, number of the set, seconds between the agent's last answer and the moment of the text (0
/// for all that are not silent, -1 for none), minutes since the usual beginning, not ready
/// since, why uncovered, paths.
#[derive(Serialize, Deserialize)]
struct SavedNode(String, u32, usize, i64, i64, u32, String, Vec<SavedTrack>);

/// Steps since it began, steps since it was answered last, steps since it was public, whether
/// it still is, and the numbers of the paths.
#[derive(Serialize, Deserialize)]
struct SavedTrack(i64, i64, i64, u8, String);

/// What stands for no moment: more steps after the text's own than any can be.
const NONE: i64 = -9_999_999;

impl History {
    /// The history as a text. It counts as saved from now on.
    pub fn save(&mut self, detail: Detail, now: Moment) -> String {
        let as_of = self.answered_by_all(now).unwrap_or(now);
        let writer = Writer::new(self, as_of, detail.seconds());
        let saved = writer.saved();
        for node in self.nodes.values_mut() {
            node.is_saved_silent = node.last.is_some_and(|last| is_silent(last, now));
        }
        self.is_changed = false;
        serde_json::to_string(&saved).unwrap_or_default()
    }

    /// The history that was saved as `text`. What it says held until `mark`, where that is given.
    pub fn restore(text: &str, mark: Option<Moment>, now: Moment) -> Result<Self, NotRestored> {
        if text.len() > LONGEST {
            return Err(NotRestored::TooLarge);
        }
        let version: Version = serde_json::from_str(text).map_err(|_| NotRestored::Unreadable)?;
        if version.version != VERSION {
            return Err(NotRestored::OtherVersion);
        }
        let saved: Saved = serde_json::from_str(text).map_err(|_| NotRestored::Unreadable)?;
        let held_until = mark
            .filter(|mark| *mark <= now)
            .max(Some(Moment(saved.as_of)));
        let held_until = held_until.unwrap_or_default();
        if held_until > now.after(GAP) {
            return Err(NotRestored::FromTheFuture);
        }
        if now.since(held_until) > KEPT {
            return Err(NotRestored::TooOld);
        }
        let mut history = Reader::of(&saved, held_until)?.history()?;
        if now.since(held_until) > GAP {
            history.absences.push((held_until, now));
            let excess = history.absences.len().saturating_sub(MOST_ABSENCES);
            if excess > 0 {
                // What lies between two is taken as one absence.
                let (from, _) = history.absences[0];
                history.absences.drain(..excess);
                history.absences[0].0 = from;
            }
        }
        Ok(history)
    }
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

struct Writer<'a> {
    history: &'a History,
    as_of: Moment,
    step: i64,
    /// The saved number of each path of a target that is or was private.
    numbers: BTreeMap<PathNumber, PathNumber>,
    /// The saved number of each set that is in use.
    sets: BTreeMap<usize, usize>,
}

impl<'a> Writer<'a> {
    fn new(history: &'a History, as_of: Moment, step: i64) -> Self {
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

    fn saved(&self) -> Saved {
        let History { paths, private, .. } = self.history;
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
        Track::new(
            track.since().map(|since| at(self.ago(since, self.step))),
            track.until().map(|until| at(self.ago_up(until, self.step))),
            track
                .non_private(None)
                .filter(|_| !track.is_non_private)
                .map(|last| at(self.ago(last, self.step))),
            track.is_non_private,
        )
    }

    fn track(&self, track: Track, numbers: Vec<PathNumber>) -> SavedTrack {
        let ago = |moment: Option<Moment>| moment.map_or(NONE, |m| self.ago(m, self.step));
        SavedTrack(
            ago(track.since()),
            ago(track.until()),
            ago(track.non_private(None)),
            u8::from(track.is_non_private),
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

/// The moment so many steps before another.
fn moment(as_of: Moment, ago: i64, step: i64) -> Moment {
    let seconds = i64::from(as_of.0).saturating_sub(ago.saturating_mul(step));
    Moment(u32::try_from(seconds.clamp(1, u32::MAX.into())).unwrap_or(1))
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

struct Reader<'a> {
    saved: &'a Saved,
    held_until: Moment,
    paths: Paths,
    /// The number that each saved set has now.
    sets: Vec<usize>,
    tracks: usize,
}

impl<'a> Reader<'a> {
    fn of(saved: &'a Saved, held_until: Moment) -> Result<Self, NotRestored> {
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

    fn history(mut self) -> Result<History, NotRestored> {
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
                private.insert(number, moment(Moment(saved.as_of), *ago, 60));
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
        Ok(History {
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
            is_changed: true,
        })
    }

    fn node(&mut self, node: &SavedNode) -> Result<NodeHistory, NotRestored> {
        let SavedNode(_, joined, set, silent, usual, not_ready, uncovered, tracks) = node;
        let as_of = Moment(self.saved.as_of);
        let step = self.saved.step.clamp(1, 7 * 86_400);
        let at = |ago: i64| (ago != NONE).then(|| moment(as_of, ago, step));
        let mut read = Vec::new();
        for SavedTrack(since, until, non_private, is_non_private, numbers) in tracks {
            let track = Track::new(
                at(*since),
                at(*until),
                at(*non_private),
                *is_non_private == 1,
            );
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
            set: *self.sets.get(*set).ok_or(NotRestored::Inconsistent)?,
            usual: (*usual != NONE).then(|| moment(as_of, *usual, 60)),
            tracks: read,
            not_ready: some(*not_ready),
            uncovered: all.find(|why| why.as_str() == uncovered),
            is_saved_silent: false,
        })
    }
}
