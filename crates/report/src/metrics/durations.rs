//! Durations: how long the stages of a probe took, and the histograms of it.

use std::array::from_fn;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use privatelink_board::Probed;
use privatelink_verdict::observation::Observation;
use privatelink_verdict::reason::Stage;

use super::Histograms;

/// Every value of the label `stage` of a duration.
pub(super) const STAGES: [&str; 5] = [
    Stage::Dns.as_str(),
    Stage::Connect.as_str(),
    Stage::Tls.as_str(),
    Stage::Http.as_str(),
    "total",
];

/// The indices of [`STAGES`], sorted by the words.
pub(super) const STAGES_SORTED: [usize; STAGES.len()] = [1, 0, 3, 2, 4];

/// Bounds of the buckets, in seconds: from a DNS answer out of a cache to a probe's whole budget.
pub(super) const BUCKETS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// How many seconds each of [`STAGES`] took; `None` for one that did not run.
pub(super) fn stage_seconds(observation: &Observation) -> [Option<f64>; STAGES.len()] {
    let timing = &observation.timing;
    [
        timing.dns,
        timing.connect,
        timing.tls,
        timing.http,
        Some(timing.total),
    ]
    .map(|elapsed| elapsed.map(|elapsed| elapsed.as_secs_f64()))
}

/// The histograms of [`STAGES`].
pub(super) type StageHistograms = [Histogram; STAGES.len()];

/// How a duration is distributed.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    /// By the lowest of [`BUCKETS`] that holds them; in the last one, those above every bound.
    counts: [u64; BUCKETS.len() + 1],
    /// In seconds.
    pub(super) sum: f64,
}

impl Histogram {
    fn observe(&mut self, seconds: f64) {
        let bucket = BUCKETS.iter().position(|bound| seconds <= *bound);
        self.counts[bucket.unwrap_or(BUCKETS.len())] += 1;
        self.sum += seconds;
    }

    /// How many durations were observed.
    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// For each of [`BUCKETS`], how many durations are not above it.
    pub(super) fn cumulative(&self) -> [u64; BUCKETS.len()] {
        let mut total = 0;
        from_fn(|bucket| {
            total += self.counts[bucket];
            total
        })
    }
}

/// The histograms of the stages' durations. Clones share them. A scrape takes the histograms as they
/// are; those that it still has are copied by the next probe that adds to them.
#[derive(Clone, Debug)]
pub(super) enum Durations {
    PerStage(Arc<Mutex<Arc<StageHistograms>>>),
    PerTarget(Arc<Mutex<HashMap<String, Arc<StageHistograms>>>>),
}

impl Durations {
    /// No durations yet; `None` where no histograms are wanted.
    pub(super) fn new(histograms: Histograms) -> Option<Self> {
        match histograms {
            Histograms::Target => Some(Self::PerTarget(Arc::default())),
            Histograms::On => Some(Self::PerStage(Arc::default())),
            Histograms::Off => None,
        }
    }

    /// Adds the durations of a completed probe.
    pub(super) fn observe(&self, probed: &Probed) {
        match self {
            Self::PerStage(all) => observe(&mut locked(all), &probed.observation),
            Self::PerTarget(all) => {
                let mut all = locked(all);
                let name = probed.target.name.as_str();
                if !all.contains_key(name) {
                    all.insert(name.to_owned(), Arc::default());
                }
                if let Some(histograms) = all.get_mut(name) {
                    observe(histograms, &probed.observation);
                }
            }
        }
    }

    /// The histograms of all targets together, where they are not kept per target.
    pub(super) fn of_all(&self) -> Option<Arc<StageHistograms>> {
        match self {
            Self::PerStage(all) => Some(Arc::clone(&locked(all))),
            Self::PerTarget(_) => None,
        }
    }

    /// The histograms of the target called `name`, where each has its own and it was probed.
    pub(super) fn of_target(&self, name: &str) -> Option<Arc<StageHistograms>> {
        match self {
            Self::PerStage(_) => None,
            Self::PerTarget(all) => locked(all).get(name).cloned(),
        }
    }

    /// Drops the histograms of targets that are not among `present`.
    pub(super) fn retain<'a>(&self, present: impl Iterator<Item = &'a str>) {
        if let Self::PerTarget(all) = self {
            let present: HashSet<&str> = present.collect();
            locked(all).retain(|name, _| present.contains(name.as_str()));
        }
    }
}

fn observe(histograms: &mut Arc<StageHistograms>, observation: &Observation) {
    let seconds = stage_seconds(observation);
    for (histogram, seconds) in Arc::make_mut(histograms).iter_mut().zip(seconds) {
        if let Some(seconds) = seconds {
            histogram.observe(seconds);
        }
    }
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sorted_stages_are_sorted() {
        assert!(STAGES_SORTED.map(|index| STAGES[index]).is_sorted());
    }

    #[test]
    fn a_duration_is_in_every_bucket_that_it_is_not_above() {
        let mut histogram = Histogram::default();
        for seconds in [0.0, 0.001, 0.0011, 10.0, 10.1] {
            histogram.observe(seconds);
        }
        let cumulative = histogram.cumulative();
        assert_eq!(cumulative[..3], [2, 3, 3]);
        assert_eq!(cumulative[BUCKETS.len() - 1], 4);
        assert_eq!(histogram.count(), 5);
        assert!((histogram.sum - 20.1021).abs() < 1e-9);
    }
}
