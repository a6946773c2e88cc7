//! Durations: how long the stages of a probe took, and the histograms of it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use privatelink_board::Probed;
use privatelink_verdict::observation::Observation;
use privatelink_verdict::reason::Stage;
use prometheus::core::Collector as _;
use prometheus::proto::MetricFamily;
use prometheus::{HistogramOpts, HistogramVec};

use super::definition::Id;

/// Every value of the label `stage` of a duration.
const STAGES: [&str; 5] = [
    Stage::Dns.as_str(),
    Stage::Connect.as_str(),
    Stage::Tls.as_str(),
    Stage::Http.as_str(),
    "total",
];

/// Bounds of the buckets, in seconds: from a DNS answer out of a cache to a probe's whole budget.
const BUCKETS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// The stages of a probe that ran, with `total`, and how many seconds they took.
pub(super) fn stage_seconds(
    observation: &Observation,
) -> impl Iterator<Item = (&'static str, f64)> {
    let timing = &observation.timing;
    let elapsed = [
        timing.dns,
        timing.connect,
        timing.tls,
        timing.http,
        Some(timing.total),
    ];
    let stages = STAGES.into_iter().zip(elapsed);
    stages.filter_map(|(stage, elapsed)| Some((stage, elapsed?.as_secs_f64())))
}

/// The histograms of the stages' durations. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Durations {
    histograms: HistogramVec,
    /// The targets that have histograms, where each has its own.
    targets: Option<Arc<Mutex<HashSet<String>>>>,
}

impl Durations {
    /// One histogram per stage, from the start.
    pub(super) fn per_stage() -> prometheus::Result<Self> {
        let histograms = histograms(&["stage"])?;
        for stage in STAGES {
            let _ = histograms.with_label_values(&[stage]);
        }
        Ok(Self {
            histograms,
            targets: None,
        })
    }

    /// One histogram per target and stage that ran.
    pub(super) fn per_target() -> prometheus::Result<Self> {
        Ok(Self {
            histograms: histograms(&["target", "stage"])?,
            targets: Some(Arc::default()),
        })
    }

    pub(super) fn observe(&self, probed: &Probed) {
        let name = probed.target.name.as_str();
        if let Some(targets) = &self.targets {
            let mut targets = targets.lock().unwrap_or_else(PoisonError::into_inner);
            if !targets.contains(name) {
                targets.insert(name.to_owned());
            }
        }
        for (stage, seconds) in stage_seconds(&probed.observation) {
            let histogram = if self.targets.is_some() {
                self.histograms.with_label_values(&[name, stage])
            } else {
                self.histograms.with_label_values(&[stage])
            };
            histogram.observe(seconds);
        }
    }

    /// Drops the histograms of targets that are not among `present`.
    pub(super) fn retain(&self, present: &HashSet<&str>) {
        let Some(targets) = &self.targets else { return };
        let mut targets = targets.lock().unwrap_or_else(PoisonError::into_inner);
        targets.retain(|name| {
            let kept = present.contains(name.as_str());
            if !kept {
                for stage in STAGES {
                    // A stage that never ran has none to drop.
                    let _ = self.histograms.remove_label_values(&[name.as_str(), stage]);
                }
            }
            kept
        });
    }

    pub(super) fn collect(&self) -> Vec<MetricFamily> {
        self.histograms.collect()
    }
}

fn histograms(labels: &[&str]) -> prometheus::Result<HistogramVec> {
    let definition = Id::StageDuration.definition();
    let options = HistogramOpts::new(definition.name, definition.help).buckets(BUCKETS.to_vec());
    HistogramVec::new(options, labels)
}
