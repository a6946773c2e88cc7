//! Path history: what one path to a target answered over time: since when without a gap, and when last
//! with an address that is not private.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use privatelink_verdict::address::{Class, ClassSet};
use privatelink_verdict::observation::{Observation, Resolution};

/// Two answers that lie further apart leave a gap: what applications got in it is not known (section 7 of the
/// contract).
const GAP: Duration = Duration::from_mins(5);

/// Where probes are so seldom that a single one which comes late would leave a gap, this many times the pause
/// between two questions is none.
const PAUSES: u32 = 2;

/// The other paths are asked at every fifth probe.
const PROBES_OF_OTHERS: u32 = 5;

/// What one path to a target answered over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathHistory {
    /// The resolver's name.
    pub resolver: Arc<str>,
    /// The classes of the latest answer; empty where the latest question got no address.
    pub classes: ClassSet,
    /// When the first and the latest answer came of those that have no gap between them, in seconds since
    /// 1970: there is one of these for every path of every target.
    answered: Option<(NonZeroU32, NonZeroU32)>,
    /// When an answer last had an address that is not private, in the same.
    last_non_private: Option<NonZeroU32>,
}

/// The paths to a target: the one that it is judged by, then the others as they were first asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths(Box<[PathHistory]>);

impl PathHistory {
    /// Since when every question was answered, without a gap until `now`.
    fn answered_since(&self, now: SystemTime, pause: Duration) -> Option<SystemTime> {
        let (first, latest) = self.answered?;
        is_near(latest, now, pause).then(|| time(first))
    }

    /// When an answer last had an address that is not private.
    pub fn last_non_private_at(&self) -> Option<SystemTime> {
        self.last_non_private.map(time)
    }

    /// Between two questions lies `pause`.
    fn record(&mut self, resolution: &Resolution, at: SystemTime, pause: Duration) {
        self.classes = resolution.classes();
        if self.classes.is_empty() {
            return;
        }
        let second = second(at);
        let first = match self.answered {
            Some((first, latest)) if is_near(latest, at, pause) => first,
            _ => second,
        };
        self.answered = Some((first, second));
        if !self.classes.iter().all(Class::is_private) {
            self.last_non_private = Some(second);
        }
    }
}

impl Paths {
    /// Every path, the one that the target is judged by first, and since when it was answered without a gap
    /// until `now`; `interval` lies between two probes.
    pub fn iter(
        &self,
        now: SystemTime,
        interval: Duration,
    ) -> impl Iterator<Item = (&PathHistory, Option<SystemTime>)> {
        self.0
            .iter()
            .enumerate()
            .map(move |(place, path)| (path, path.answered_since(now, pause(place, interval))))
    }

    /// When the path that the target is judged by last had an address that is not private.
    pub fn last_non_private_at(&self) -> Option<SystemTime> {
        self.0.first()?.last_non_private_at()
    }

    /// Remembers what the paths answered in one probe.
    pub(crate) fn record(&mut self, observation: &Observation, interval: Duration) {
        let judged = (&observation.resolution, observation.checked_at);
        // No application is known to take a path that need not agree.
        let others = observation.comparisons.iter();
        let others = others.filter(|other| other.must_agree);
        let others = others.map(|other| (&other.resolution, other.checked_at));
        for (place, (resolution, at)) in std::iter::once(judged).chain(others).enumerate() {
            // An agent that could not probe asked no resolver.
            if resolution.queries.is_empty() {
                continue;
            }
            let name = &resolution.resolver;
            let known = self.0.iter().position(|path| path.resolver == *name);
            let known = known.unwrap_or_else(|| {
                let known = std::mem::take(&mut self.0).into_iter();
                self.0 = known.chain([PathHistory::new(Arc::clone(name))]).collect();
                self.0.len() - 1
            });
            self.0[known].record(resolution, at, pause(place, interval));
            if place == 0 && known != 0 {
                self.0.swap(0, known);
            }
        }
    }

    /// Forgets the answers, which came by other rules or from other servers; not when a path was last not
    /// private.
    pub(crate) fn forget_answers(&mut self) {
        for path in &mut self.0 {
            path.classes = ClassSet::default();
            path.answered = None;
        }
    }

    /// Drops the paths that are not recorded any more.
    pub(crate) fn keep(&mut self, is_recorded: impl Fn(&str) -> bool) {
        let known = std::mem::take(&mut self.0).into_iter();
        self.0 = known.filter(|path| is_recorded(&path.resolver)).collect();
    }
}

impl PathHistory {
    fn new(resolver: Arc<str>) -> Self {
        Self {
            resolver,
            classes: ClassSet::default(),
            answered: None,
            last_non_private: None,
        }
    }
}

/// Between two questions on the path in this place, where `interval` lies between two probes.
fn pause(place: usize, interval: Duration) -> Duration {
    match place {
        0 => interval,
        _ => PROBES_OF_OTHERS * interval,
    }
}

/// Whether there is no gap between an answer and a later moment. A clock that was set back makes none.
fn is_near(answer: NonZeroU32, later: SystemTime, pause: Duration) -> bool {
    let gap = second(later).get().saturating_sub(answer.get());
    Duration::from_secs(gap.into()) <= GAP.max(PAUSES * pause)
}

fn second(time: SystemTime) -> NonZeroU32 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let second = u32::try_from(since.as_secs()).unwrap_or(u32::MAX);
    NonZeroU32::new(second).unwrap_or(NonZeroU32::MIN)
}

fn time(second: NonZeroU32) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(second.get().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    const INTERVAL: Duration = Duration::from_secs(30);

    /// `probed`, as long after the fixtures' moment as `seconds`.
    fn at(probed: crate::Probed, seconds: u64) -> Observation {
        let mut observation = probed.observation;
        observation.checked_at += Duration::from_secs(seconds);
        let mut comparisons = observation.comparisons.to_vec();
        for other in &mut comparisons {
            other.checked_at += Duration::from_secs(seconds);
        }
        observation.comparisons = comparisons.into();
        observation
    }

    /// The path of `resolver`, and since when it was answered without a gap until `seconds`.
    fn path<'a>(
        paths: &'a Paths,
        resolver: &str,
        seconds: u64,
    ) -> (&'a PathHistory, Option<SystemTime>) {
        let mut paths = paths.iter(moment(seconds), INTERVAL);
        paths
            .find(|(path, _)| &*path.resolver == resolver)
            .expect("the path")
    }

    /// Whole seconds are kept.
    fn moment(seconds: u64) -> SystemTime {
        time(second(fixtures::now() + Duration::from_secs(seconds)))
    }

    #[test]
    fn answers_that_are_near_each_other_leave_no_gap() {
        let mut paths = Paths::default();
        for seconds in [0, 30, 330, 630] {
            paths.record(&at(fixtures::healthy(), seconds), INTERVAL);
        }
        for resolver in ["pod", "node"] {
            assert_eq!(path(&paths, resolver, 930).1, Some(moment(0)));
            assert_eq!(path(&paths, resolver, 931).1, None);
        }
        paths.record(&at(fixtures::healthy(), 931), INTERVAL);
        assert_eq!(path(&paths, "pod", 931).1, Some(moment(931)));
    }

    #[test]
    fn where_probes_are_seldom_one_that_comes_late_leaves_no_gap() {
        let interval = Duration::from_mins(4);
        let mut paths = Paths::default();
        for seconds in [0, 480, 960] {
            paths.record(&at(fixtures::healthy(), seconds), interval);
        }
        let since = |seconds| {
            let paths = paths.iter(moment(seconds), interval);
            paths.map(|(_, since)| since).collect::<Vec<_>>()
        };
        assert_eq!(since(960 + 480), [Some(moment(0)); 2]);
        // The other path is asked at every fifth probe.
        assert_eq!(since(960 + 481), [None, Some(moment(0))]);
    }

    #[test]
    fn each_path_has_its_own_past() {
        let mut paths = Paths::default();
        paths.record(&at(fixtures::public_fallback(), 0), INTERVAL);
        paths.record(&at(fixtures::healthy(), 30), INTERVAL);
        let last = |paths: &Paths, resolver| path(paths, resolver, 30).0.last_non_private_at();
        assert_eq!(last(&paths, "pod"), Some(moment(0)));
        assert_eq!(last(&paths, "node"), None);
        assert_eq!(paths.last_non_private_at(), Some(moment(0)));
        paths.forget_answers();
        assert_eq!(last(&paths, "pod"), Some(moment(0)));
        assert_eq!(path(&paths, "pod", 30).1, None);
        paths.keep(|name| name == "node");
        assert_eq!(paths.iter(moment(30), INTERVAL).count(), 1);
    }

    #[test]
    fn a_path_that_need_not_agree_is_none_that_applications_take() {
        let mut observation = at(fixtures::healthy(), 0);
        let mut comparisons = observation.comparisons.to_vec();
        comparisons[0].must_agree = false;
        observation.comparisons = comparisons.into();
        let mut paths = Paths::default();
        paths.record(&observation, INTERVAL);
        assert_eq!(paths.iter(moment(0), INTERVAL).count(), 1);
    }

    #[test]
    fn a_question_without_an_address_is_no_answer() {
        let mut paths = Paths::default();
        paths.record(&at(fixtures::healthy(), 0), INTERVAL);
        let mut lost = at(fixtures::healthy(), 30);
        lost.resolution.addresses = Vec::default();
        lost.comparisons = Arc::default();
        paths.record(&lost, INTERVAL);
        let (pod, since) = path(&paths, "pod", 300);
        assert!(pod.classes.is_empty());
        assert_eq!(since, Some(moment(0)));
        assert_eq!(path(&paths, "pod", 301).1, None);
    }
}
