//! Metrics: what Prometheus reads. No other module knows the metrics crate.
//!
//! All series but the histograms are built from the board at each scrape, so a gauge about a fact
//! exists only if the latest completed probe obtained that fact.

mod collect;
pub mod definition;
mod durations;

use std::collections::HashMap;

use privatelink_board::{Probed, SharedBoard};
use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;
use prometheus::{Registry, TextEncoder};

use self::collect::Families;
use self::definition::DEFINITIONS;
use self::durations::Durations;

/// The content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// How many histograms of the stages' durations there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} the metrics")]
pub struct MetricsError {
    operation: &'static str,
    source: prometheus::Error,
}

impl Metrics {
    /// The metrics of `board`, every series labelled with its node, `process_*` included.
    pub fn new(board: SharedBoard, histograms: Histograms) -> Result<Self, MetricsError> {
        Self::registered(board, histograms).map_err(MetricsError::when("set up"))
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
            .map_err(MetricsError::when("write"))?;
        Ok(text)
    }

    fn registered(board: SharedBoard, histograms: Histograms) -> prometheus::Result<Self> {
        let node = board.lock().node.clone();
        let labels = HashMap::from([("node".to_owned(), node)]);
        let registry = Registry::new_custom(None, Some(labels))?;
        let durations = match histograms {
            Histograms::Target => Some(Durations::per_target()?),
            Histograms::On => Some(Durations::per_stage()?),
            Histograms::Off => None,
        };
        let collector = BoardCollector::new(board, durations.clone())?;
        registry.register(Box::new(collector))?;
        registry.register(Box::new(ProcessCollector::for_self()))?;
        Ok(Self {
            registry,
            durations,
        })
    }
}

impl MetricsError {
    fn when(operation: &'static str) -> impl Fn(prometheus::Error) -> Self {
        move |source| Self { operation, source }
    }
}

/// Reads the board at each scrape.
struct BoardCollector {
    board: SharedBoard,
    durations: Option<Durations>,
    descriptions: Vec<Desc>,
}

impl BoardCollector {
    fn new(board: SharedBoard, durations: Option<Durations>) -> prometheus::Result<Self> {
        let descriptions = DEFINITIONS.iter().map(|definition| {
            let labels = definition.labels.iter().map(|&label| label.to_owned());
            Desc::new(
                definition.name.to_owned(),
                definition.help.to_owned(),
                labels.collect(),
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

impl Collector for BoardCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let board = self.board.lock();
        let mut families = Families::of(&board);
        if let Some(durations) = &self.durations {
            let entries = board.entries.iter();
            durations.retain(&entries.map(|entry| entry.target.name.as_str()).collect());
            families.extend(durations.collect());
        }
        families
    }
}

#[cfg(test)]
mod tests;
