//! Scrape: the text of all metrics at one reading, in pieces.
//!
//! The text goes metric by metric, and every metric goes through all targets, while the board goes
//! target by target. So a scrape has two parts. First it reads a [`Row`] of each target, some targets
//! at a time, and holds the board's lock only for those. Then it writes from the rows alone. The series
//! of a target are therefore of one moment, those of two targets may be of two, and no counter goes
//! back from one scrape to the next.

use std::io;
use std::sync::Arc;

use privatelink_board::Entry;
use privatelink_config::plan::Detail;

use super::Metrics;
use super::definition::{BY_NAME, Id, Scope};
use super::durations::{Durations, STAGES, STAGES_SORTED, StageHistograms};
use super::exposition::{Exposition, FamilyWriter};
use super::process::write_process;
use super::row::Row;
use super::series::{AgentSample, flag, write_target};
use crate::pieces::Pieces;
use crate::walk::Walk;

/// Targets whose rows are read, or whose samples of one metric are written, in one piece.
const TARGETS: usize = 8;

/// The text of all metrics.
#[derive(Debug)]
pub struct Scrape {
    metrics: Metrics,
    format: Exposition,
    detail: Detail,
    agent: Vec<AgentSample>,
    /// The histograms of all targets together.
    histograms: Option<Arc<StageHistograms>>,
    next: Next,
    /// Sorted by the targets' names.
    rows: Vec<Row>,
    /// Sorted by row and resolver.
    agreements: Vec<Agreement>,
    /// The names of resolvers, as agreements number them.
    resolvers: Vec<Arc<str>>,
}

/// What the next piece is.
#[derive(Debug)]
enum Next {
    /// To settle which targets there are.
    Settle,
    /// To read rows of targets.
    Read(Walk),
    /// To write samples of a metric.
    Write(Cursor),
    /// To write the metrics of the process.
    Process,
    Nothing,
}

/// Where a scrape is in what it writes.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    /// The metric, by its place in [`BY_NAME`].
    metric: usize,
    /// The row, or the histogram of a row.
    step: usize,
    /// Whether the metric has samples already.
    has_head: bool,
}

/// Whether another resolver agrees with a target's own.
#[derive(Debug)]
struct Agreement {
    row: usize,
    resolver: usize,
    agrees: bool,
}

impl Pieces for Scrape {
    fn next_piece(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        self.next = match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::Settle => self.settle(),
            Next::Read(walk) => self.read(walk),
            Next::Write(at) => self.write(at, out)?,
            Next::Process => {
                write_process(out, self.format, &self.metrics.end_of_labels)?;
                self.format.end(out);
                Next::Nothing
            }
            Next::Nothing => return Ok(false),
        };
        Ok(true)
    }
}

impl Scrape {
    /// A scrape that has not read anything yet.
    pub(super) fn new(metrics: Metrics, format: Exposition) -> Self {
        Self {
            metrics,
            format,
            detail: Detail::default(),
            agent: Vec::new(),
            histograms: None,
            next: Next::Settle,
            rows: Vec::new(),
            agreements: Vec::new(),
            resolvers: Vec::new(),
        }
    }

    fn settle(&mut self) -> Next {
        let walk = Walk::by_name(self.metrics.board.clone());
        if let Some(durations) = &self.metrics.durations {
            durations.retain(walk.names());
            self.histograms = durations.of_all();
        }
        self.rows.reserve_exact(walk.names().count());
        let board = self.metrics.board.lock();
        self.detail = board.detail;
        self.agent = AgentSample::all(&board);
        Next::Read(walk)
    }

    fn read(&mut self, mut walk: Walk) -> Next {
        for _ in 0..TARGETS {
            if walk.next(|entry| self.read_entry(entry)).is_none() {
                return Next::Write(Cursor::default());
            }
        }
        Next::Read(walk)
    }

    fn read_entry(&mut self, entry: &Entry) {
        let durations = self.metrics.durations.as_ref();
        let histograms = durations.and_then(|all| all.of_target(&entry.target.name));
        let row = self.rows.len();
        self.rows.push(Row::of(entry, histograms));
        let Some(probed) = &entry.latest else { return };
        let first = self.agreements.len();
        for comparison in probed.observation.comparisons.iter() {
            if let Some(agrees) = comparison.agrees_with(&probed.observation.resolution) {
                let name = &comparison.resolution.resolver;
                let known = self.resolvers.iter().position(|known| known == name);
                let resolver = known.unwrap_or_else(|| {
                    self.resolvers.push(Arc::clone(name));
                    self.resolvers.len() - 1
                });
                self.agreements.push(Agreement {
                    row,
                    resolver,
                    agrees,
                });
            }
        }
        let resolvers = &self.resolvers;
        self.agreements[first..].sort_by_key(|one| &resolvers[one.resolver]);
    }

    /// Writes samples of a metric, from some rows.
    fn write(&self, at: Cursor, out: &mut Vec<u8>) -> io::Result<Next> {
        let Some(&id) = BY_NAME.get(at.metric) else {
            return Ok(Next::Process);
        };
        let definition = id.definition();
        let per_target = matches!(self.metrics.durations, Some(Durations::PerTarget(_)));
        let (labels, steps) = match (id, definition.scope) {
            (Id::StageDuration, _) if per_target => {
                (&["stage", "target"][..], STAGES.len() * self.rows.len())
            }
            (_, Scope::Agent | Scope::Observer) => (definition.labels, 0),
            (_, Scope::Full) if self.detail == Detail::Essential => (definition.labels, 0),
            (_, Scope::Full | Scope::Essential) => (definition.labels, self.rows.len()),
        };
        let of = (definition.name, definition.kind, definition.help);
        let end = &self.metrics.end_of_labels;
        let mut family = FamilyWriter::new(out, self.format, of, labels, end, at.has_head);
        if at.step == 0 {
            self.write_agent(id, &mut family)?;
        }
        let end = steps.min(at.step + TARGETS);
        for step in at.step..end {
            self.write_step(id, step, &mut family)?;
        }
        Ok(Next::Write(if end < steps {
            Cursor {
                step: end,
                has_head: family.has_head(),
                ..at
            }
        } else {
            Cursor {
                metric: at.metric + 1,
                ..Cursor::default()
            }
        }))
    }

    fn write_agent(&self, id: Id, family: &mut FamilyWriter<'_>) -> io::Result<()> {
        for sample in self.agent.iter().filter(|sample| sample.id == id) {
            family.sample(&sample.labels, sample.value)?;
        }
        if let (Id::StageDuration, Some(histograms)) = (id, &self.histograms) {
            for stage in STAGES_SORTED {
                family.histogram(&[STAGES[stage]], &histograms[stage])?;
            }
        }
        Ok(())
    }

    fn write_step(&self, id: Id, step: usize, family: &mut FamilyWriter<'_>) -> io::Result<()> {
        let (stage, row) = (step / self.rows.len(), step % self.rows.len());
        let row = &self.rows[row];
        let name = row.target.name.as_str();
        match id {
            Id::StageDuration => {
                let stage = STAGES_SORTED[stage];
                let histogram = row.histograms.as_ref().map(|all| &all[stage]);
                match histogram.filter(|histogram| histogram.count() > 0) {
                    Some(histogram) => family.histogram(&[STAGES[stage], name], histogram),
                    None => Ok(()),
                }
            }
            Id::ResolverAgrees => {
                let first = self.agreements.partition_point(|one| one.row < step);
                let of_row = self.agreements[first..].iter();
                of_row
                    .take_while(|one| one.row == step)
                    .try_for_each(|one| {
                        let labels = [name, &*self.resolvers[one.resolver]];
                        family.sample(&labels, flag(one.agrees))
                    })
            }
            _ => write_target(id, row, family),
        }
    }
}
