//! Metrics: what Prometheus reads.
//!
//! All series but the histograms are read from the board at each scrape, so a gauge about a fact
//! exists only if the latest completed probe obtained that fact.

pub mod definition;
mod durations;
mod exposition;
pub mod observer;
mod process;
mod row;
mod scrape;
mod series;

use std::sync::Arc;

use privatelink_board::{Probed, SharedBoard};

use self::durations::Durations;
use self::exposition::end_of_labels;

pub use self::exposition::Exposition;
pub use self::scrape::Scrape;

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
    board: SharedBoard,
    /// With the node, which is a label of every series.
    end_of_labels: Arc<str>,
    durations: Option<Durations>,
}

impl Metrics {
    /// The metrics of `board`, every series labelled with its node, `process_*` included.
    pub fn new(board: SharedBoard, histograms: Histograms) -> Self {
        let end_of_labels = end_of_labels(&board.lock().node).into();
        Self {
            board,
            end_of_labels,
            durations: Durations::new(histograms),
        }
    }

    /// Counts the durations of a completed probe; everything else is read from the board.
    pub fn observe(&self, probed: &Probed) {
        if let Some(durations) = &self.durations {
            durations.observe(probed);
        }
    }

    /// Every series, from when the first piece is made.
    pub fn scrape(&self, format: Exposition) -> Scrape {
        Scrape::new(self.clone(), format)
    }
}

#[cfg(test)]
mod tests;
