//! Matrix: targets down, groups of nodes that agree across, so that 5,000 nodes are a few columns. A
//! target that passes on every node needs no row.

use std::collections::BTreeMap;

use privatelink_fleet::FleetReport;
use privatelink_fleet::report::{NodeGroup, Trouble};
use privatelink_verdict::reason::Reason;
use privatelink_verdict::verdict::Outcome;

use super::{counted, mark};

/// Columns of a matrix. Where nodes agree in more ways than this, the rest is counted.
pub(super) const COLUMNS: usize = 12;

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
    pub(super) state: State,
    /// The primary reason; empty where it passes.
    pub(super) reason: &'a str,
    /// The word of the path that it is about.
    path: &'a str,
}

/// What is known of a target on nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Judged(Outcome),
    /// It was not judged lately, or could not be.
    Unknown,
    /// The nodes do not have the target.
    Absent,
}

impl State {
    /// What a trouble says of a target. An agent that could not probe says nothing of it.
    pub(super) fn of(trouble: &Trouble) -> Self {
        match trouble.outcome {
            Some(outcome) if trouble.reason != Reason::AgentError.as_str() => Self::Judged(outcome),
            _ => Self::Unknown,
        }
    }

    /// What stands for it where there is room for one character.
    pub(super) const fn mark(self) -> &'static str {
        match self {
            Self::Judged(outcome) => mark(Some(outcome)),
            Self::Unknown => mark(None),
            Self::Absent => "–",
        }
    }

    /// What a mark means that does not explain itself.
    const fn legend(self) -> Option<&'static str> {
        match self {
            Self::Judged(Outcome::Pass | Outcome::Fail) => None,
            Self::Judged(Outcome::Warn) => Some("! warns"),
            Self::Unknown => Some("? not known"),
            Self::Absent => Some("– not a target there"),
        }
    }
}

impl Cell<'_> {
    /// The reason, and the path where it is about one.
    pub(super) fn why(&self) -> String {
        match self.path {
            "pod_path_only" => format!("{} (pod path)", self.reason),
            "node_path_only" => format!("{} (node path)", self.reason),
            _ => self.reason.to_owned(),
        }
    }
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
        let without_reason = |state: State| Cell {
            state,
            reason: "",
            path: "",
        };
        let usual: Vec<Cell<'a>> = columns
            .iter()
            .map(|column| {
                without_reason(if column.group.stale {
                    State::Unknown
                } else {
                    State::Judged(Outcome::Pass)
                })
            })
            .collect();
        for (place, column) in columns.iter().enumerate() {
            for trouble in &column.group.troubles {
                for target in &trouble.targets {
                    let row = cells.entry(target).or_insert_with(|| usual.clone());
                    row[place] = Cell {
                        state: State::of(trouble),
                        reason: &trouble.reason,
                        path: &trouble.path,
                    };
                }
            }
        }
        for (place, column) in columns.iter().enumerate() {
            for target in &column.group.lacking {
                if let Some(row) = cells.get_mut(&**target) {
                    row[place] = without_reason(State::Absent);
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

    /// `12 targets`, or `12 other targets` where some have a row; `None` where every target has one.
    pub(super) fn passing(&self) -> Option<String> {
        let noun = match self.has_trouble() {
            true if self.passing == 0 => return None,
            true => "other target",
            false => "target",
        };
        Some(counted(self.passing as u64, noun))
    }

    /// What the marks in its cells mean, as far as they do not explain themselves.
    pub(super) fn legend(&self) -> String {
        let mut legends: Vec<&str> = Vec::new();
        for cell in self.rows.iter().flat_map(|row| &row.cells) {
            legends.extend(
                cell.state
                    .legend()
                    .filter(|legend| !legends.contains(legend)),
            );
        }
        legends.sort_unstable();
        legends.join(", ")
    }

    pub(super) fn has_trouble(&self) -> bool {
        !self.rows.is_empty()
    }
}
