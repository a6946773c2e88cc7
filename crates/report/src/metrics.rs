//! Metrics: what Prometheus reads, and nothing of the metrics crate beyond this module.
//!
//! The families are built from the board when they are asked for. A gauge about a fact exists only
//! if the latest completed probe obtained that fact, because there is nowhere else it could come
//! from.

mod collect;
pub mod spec;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use clap::ValueEnum;
use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;
use prometheus::{HistogramOpts, HistogramVec, Registry, TextEncoder};

use self::collect::{DURATION_STAGES, Families, stage_seconds};
use self::spec::{Id, SPECS};
use privatelink_board::{Probed, SharedBoard};

/// The content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// Bounds of the buckets, in seconds: a DNS answer from the cache to a probe's whole budget.
const BUCKETS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// How many histograms of the stages' durations there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Histograms {
    /// One per stage and target: about 80 series more for every target.
    Target,
    /// One per stage.
    #[default]
    On,
    /// None.
    Off,
}

/// The agent's metrics. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    durations: Option<Durations>,
}

/// The metrics could not be set up or written.
#[derive(Debug)]
pub struct MetricsError {
    operation: &'static str,
    source: prometheus::Error,
}

impl fmt::Display for MetricsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} the metrics", self.operation)
    }
}

impl std::error::Error for MetricsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl MetricsError {
    fn new(operation: &'static str) -> impl Fn(prometheus::Error) -> Self {
        move |source| Self { operation, source }
    }
}

impl Metrics {
    /// The metrics of `board`, every series labelled with its node, `process_*` included.
    pub fn new(board: SharedBoard, histograms: Histograms) -> Result<Self, MetricsError> {
        let set_up = MetricsError::new("set up");
        let node = board.lock().node.clone();
        let labels = HashMap::from([("node".to_owned(), node)]);
        let registry = Registry::new_custom(None, Some(labels)).map_err(&set_up)?;
        let durations = match histograms {
            Histograms::Target => Some(Durations::new(&["target", "stage"]).map_err(&set_up)?),
            Histograms::On => Some(Durations::new(&["stage"]).map_err(&set_up)?),
            Histograms::Off => None,
        };
        let facts = Facts::new(board, durations.clone()).map_err(&set_up)?;
        registry.register(Box::new(facts)).map_err(&set_up)?;
        let process = ProcessCollector::for_self();
        registry.register(Box::new(process)).map_err(&set_up)?;
        Ok(Self {
            registry,
            durations,
        })
    }

    /// Counts the durations of a completed probe; everything else is read from the board.
    pub fn observe(&self, probed: &Probed) {
        if let Some(durations) = &self.durations {
            durations.observe(probed);
        }
    }

    /// Every series as it is now, in the text format, in a stable order.
    pub fn encode(&self) -> Result<String, MetricsError> {
        let mut text = String::new();
        TextEncoder::new()
            .encode_utf8(&self.registry.gather(), &mut text)
            .map_err(MetricsError::new("write"))?;
        Ok(text)
    }
}

/// The histograms of the stages' durations.
#[derive(Clone, Debug)]
struct Durations {
    histograms: HistogramVec,
    /// The targets that have histograms, where each has its own.
    targets: Option<Arc<Mutex<HashSet<String>>>>,
}

impl Durations {
    fn new(labels: &[&str]) -> prometheus::Result<Self> {
        let spec = Id::StageDuration.spec();
        let options = HistogramOpts::new(spec.name, spec.help).buckets(BUCKETS.to_vec());
        let histograms = HistogramVec::new(options, labels)?;
        let per_target = labels.contains(&"target");
        if !per_target {
            for stage in DURATION_STAGES {
                let _ = histograms.with_label_values(&[stage]);
            }
        }
        Ok(Self {
            histograms,
            targets: per_target.then(Arc::default),
        })
    }

    fn observe(&self, probed: &Probed) {
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

    /// Drops the histograms of targets that are not among `present` any more.
    fn retain(&self, present: &HashSet<&str>) {
        let Some(targets) = &self.targets else { return };
        let mut targets = targets.lock().unwrap_or_else(PoisonError::into_inner);
        targets.retain(|name| {
            let kept = present.contains(name.as_str());
            if !kept {
                for stage in DURATION_STAGES {
                    // A stage that never ran has none to drop.
                    let _ = self.histograms.remove_label_values(&[name.as_str(), stage]);
                }
            }
            kept
        });
    }
}

/// Reads the board when a scrape comes.
struct Facts {
    board: SharedBoard,
    durations: Option<Durations>,
    descriptions: Vec<Desc>,
}

impl Facts {
    fn new(board: SharedBoard, durations: Option<Durations>) -> prometheus::Result<Self> {
        let descriptions = SPECS.iter().map(|spec| {
            let labels = spec.labels.iter().map(|&label| label.to_owned()).collect();
            Desc::new(
                spec.name.to_owned(),
                spec.help.to_owned(),
                labels,
                HashMap::new(),
            )
        });
        Ok(Self {
            board,
            durations,
            descriptions: descriptions.collect::<Result<_, _>>()?,
        })
    }
}

impl Collector for Facts {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let board = self.board.lock();
        let mut families = Families::of(&board);
        if let Some(durations) = &self.durations {
            let entries = board.entries.iter();
            durations.retain(&entries.map(|entry| entry.target.name.as_str()).collect());
            families.extend(durations.histograms.collect());
        }
        families
    }
}

#[cfg(test)]
mod tests;
