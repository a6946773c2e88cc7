//! Report: the figures of a campaign as a table.

use std::fmt;
use std::time::Duration;

use crate::invariants::Figures;

/// What came of a phase.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) phase: String,
    /// From the faults until every verdict was right.
    pub(crate) right_after: Option<Duration>,
    /// From their end until every target passed.
    pub(crate) repaired_after: Option<Duration>,
    pub(crate) figures: Figures,
    pub(crate) violations: usize,
}

pub(crate) const HEAD: &str = "| phase | verdicts right after, s | all pass again after, s | a healthy probe starts late by at most, ms | resident, MiB | descriptors | questions in a second | `/healthz` takes at most, ms | invariants broken |
|---|---|---|---|---|---|---|---|---|";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            phase,
            right_after,
            repaired_after,
            figures,
            violations,
        } = self;
        let seconds = |time: &Option<Duration>| {
            time.map_or("–".to_owned(), |time| {
                format!("{:.1}", time.as_secs_f64())
            })
        };
        #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
        let resident = figures.usage.resident as f64 / 1024.0;
        write!(
            f,
            "| {phase} | {} | {} | {:.0} | {resident:.1} | {} | {:.0} | {:.0} | {violations} |",
            seconds(right_after),
            seconds(repaired_after),
            figures.lateness * 1000.0,
            figures.usage.descriptors,
            figures.questions,
            figures.health * 1000.0,
        )
    }
}
