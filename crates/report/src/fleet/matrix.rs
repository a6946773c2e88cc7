//! Matrix: targets down, groups of nodes that agree across, so that 5,000 nodes are a few columns. A
//! target that passes on every node needs no row.

use std::collections::BTreeMap;

use privatelink_fleet::FleetReport;
use privatelink_fleet::report::NodeGroup;
use privatelink_verdict::verdict::Outcome;

use super::counted;

/// Columns of a matrix. Where nodes agree in more ways than this, the rest is counted.
const COLUMNS: usize = 12;

/// Rows of a matrix.
const ROWS: usize = 60;

/// Targets down, groups of nodes across.
pub(super) struct Matrix<'a> {
    /// The groups, the worst first.
    pub(super) columns: Vec<Column<'a>>,
    /// The targets that do not pass on every node.
    pub(super) rows: Vec<Row<'a>>,
    /// How many targets pass on every node that judged them.
    passing: usize,
    /// Groups that there was no column for, and their nodes.
    pub(super) groups_left_off: (usize, u64),
    /// Targets that there was no row for.
    pub(super) rows_left_off: usize,
}

/// A group of nodes that agree.
pub(super) struct Column<'a> {
    /// `A`, `B` and so on.
    pub(super) letter: char,
    pub(super) group: &'a NodeGroup,
}

/// A target, and what it is on the nodes of each column.
pub(super) struct Row<'a> {
    pub(super) target: &'a str,
    pub(super) cells: Vec<Cell<'a>>,
}

/// What a target is on the nodes of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell<'a> {
    /// `None` where it was not judged lately.
    pub(super) outcome: Option<Outcome>,
    /// The primary reason; empty where it passes.
    pub(super) reason: &'a str,
}

impl<'a> Matrix<'a> {
    pub(super) fn of(report: &'a FleetReport) -> Self {
        let shown = report.groups.iter().take(COLUMNS);
        let columns: Vec<_> = ('A'..)
            .zip(shown)
            .map(|(letter, group)| Column { letter, group })
            .collect();
        let beyond = report.groups.iter().skip(COLUMNS);
        let nodes_beyond: u64 = beyond.clone().map(|group| u64::from(group.count)).sum();
        let mut cells: BTreeMap<&str, Vec<Cell<'a>>> = BTreeMap::new();
        let passes = Cell {
            outcome: Some(Outcome::Pass),
            reason: "",
        };
        for (place, column) in columns.iter().enumerate() {
            for trouble in &column.group.troubles {
                for target in &trouble.targets {
                    let row = cells.entry(target);
                    let row = row.or_insert_with(|| vec![passes; columns.len()]);
                    row[place] = Cell {
                        outcome: trouble.outcome,
                        reason: &trouble.reason,
                    };
                }
            }
        }
        let in_trouble = cells.len();
        let rows = cells.into_iter().take(ROWS);
        Self {
            rows: rows.map(|(target, cells)| Row { target, cells }).collect(),
            passing: report.targets.len().saturating_sub(in_trouble),
            groups_left_off: (
                beyond.count() + report.left_off.groups as usize,
                nodes_beyond + u64::from(report.left_off.nodes_in_groups),
            ),
            rows_left_off: in_trouble.saturating_sub(ROWS),
            columns,
        }
    }

    /// `12 targets`, or `12 other targets` where some have a row.
    pub(super) fn passing(&self) -> String {
        let noun = if self.has_trouble() {
            "other target"
        } else {
            "target"
        };
        counted(self.passing as u64, noun)
    }

    pub(super) fn has_trouble(&self) -> bool {
        !self.rows.is_empty()
    }
}
