//! Metrics: what Prometheus reads. No other module knows the metrics crate.
//!
//! All series but the histograms are built from the board at each scrape, so a gauge about a fact
//! exists only if the latest completed probe obtained that fact.

mod collect;
pub mod definition;
mod durations;
mod openmetrics;

use std::collections::HashMap;
use std::io;

use privatelink_board::{Probed, SharedBoard};
use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;
use prometheus::{Encoder as _, Registry, TextEncoder};

use self::collect::Families;
use self::definition::DEFINITIONS;
use self::durations::Durations;

/// How the metrics are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exposition {
    /// Prometheus' text format, version 0.0.4.
    #[default]
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Exposition {
    /// The content type of the text.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => prometheus::TEXT_FORMAT,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

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

    /// Writes every series as it is now, in a stable order. It writes in small pieces, so `out` should
    /// have a buffer.
    pub fn write(&self, format: Exposition, out: &mut impl io::Write) -> Result<(), MetricsError> {
        let families = self.registry.gather();
        match format {
            Exposition::Text => TextEncoder::new().encode(&families, out),
            Exposition::OpenMetrics => openmetrics::write(&families, out).map_err(Into::into),
        }
        .map_err(MetricsError::when("write"))
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
