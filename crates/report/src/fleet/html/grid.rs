//! Grid: the matrix as HTML: targets down, the worst first, and nodes that share something across. A target that
//! passes on every node is a line without columns.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use privatelink_fleet::Counted;
use privatelink_fleet::report::TargetOnNodes;
use privatelink_verdict::reason::Reason;
use privatelink_verdict::sanitize::sentence;

use super::super::matrix::{COLUMNS, State};
use super::super::{counted, some_of};
use super::open_target::open_target;
use super::{FleetPage, NAMED, safe};
use crate::page::components::{label, sign};
use crate::page::view::Shown;

/// The table before it is written.
pub(super) struct Grid<'a> {
    columns: Vec<Column>,
    rows: Vec<Row<'a>>,
}

/// Nodes that share something.
struct Column {
    name: String,
    nodes: u32,
    note: String,
}

/// A target.
pub(super) struct Row<'a> {
    pub(super) target: &'a TargetOnNodes,
    /// The worst that it is on any node: `fail`, `warn`, `pass`, `unknown`.
    pub(super) state: &'static str,
    pub(super) reasons: Vec<&'a str>,
    pub(super) owner: Option<&'a str>,
    is_shown: bool,
    cells: Vec<Cell>,
}

/// A target on the nodes of a column.
#[derive(Clone, Debug, Default)]
struct Cell {
    /// Empty where no node of them has the target.
    state: &'static str,
    /// On how many nodes it is so, of how many that have it.
    count: u32,
    of: u32,
    reason: String,
}

impl<'a> Grid<'a> {
    pub(super) fn of(page: &'a FleetPage<'a>) -> Self {
        let mut rows = Self::rows(page);
        let columns = match page.by_trait {
            Some(by_trait) => {
                for row in &mut rows {
                    let counted = by_trait.targets.get(&row.target.target);
                    row.cells = counted
                        .into_iter()
                        .flatten()
                        .map(Cell::of_counted)
                        .collect();
                }
                by_trait.values.iter().map(Column::of_value).collect()
            }
            None => agreeing(page, &mut rows),
        };
        Self { columns, rows }
    }

    /// The rows without their cells, the worst first.
    pub(super) fn rows(page: &'a FleetPage<'a>) -> Vec<Row<'a>> {
        let mut reasons: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for trouble in page.report.groups.iter().flat_map(|group| &group.troubles) {
            for target in trouble.targets.iter().filter(|_| trouble.outcome.is_some()) {
                reasons.entry(target).or_default().insert(&trouble.reason);
            }
        }
        let targets = page.report.targets.iter();
        let mut rows: Vec<Row<'a>> = targets
            .map(|target| {
                let reasons = reasons.remove(target.target.as_str()).unwrap_or_default();
                Row::new(target, reasons.into_iter().collect(), page)
            })
            .collect();
        rows.sort_by_key(|row| {
            let rank = ["fail", "warn", "unknown"]
                .iter()
                .position(|state| *state == row.state);
            (
                rank.unwrap_or(3),
                std::cmp::Reverse((row.target.failing, row.target.warning)),
            )
        });
        rows
    }

    /// How many rows the view shows.
    pub(super) fn shown(&self) -> usize {
        self.rows.iter().filter(|row| row.is_shown).count()
    }

    pub(super) fn table(&self, page: &FleetPage<'_>) -> Markup {
        html! {
            div.scroll tabindex="0" role="region" aria-label="Targets on nodes" {
                table #targets .matrix role="table" aria-label="Targets on nodes, the worst first" {
                    thead role="rowgroup" {
                        tr role="row" {
                            th role="columnheader" scope="col" { "Target" }
                            @for column in &self.columns {
                                th role="columnheader" scope="col" title=(sentence(&column.note)) {
                                    (safe(&column.name)) small { (counted(column.nodes, "node")) }
                                }
                            }
                        }
                    }
                    @for row in &self.rows { (self.row(row, page)) }
                }
            }
        }
    }

    fn row(&self, row: &Row<'_>, page: &FleetPage<'_>) -> Markup {
        let name = row.target.target.as_str();
        let open = page.view.open == name;
        let link = page.view.link("open", if open { "" } else { name });
        let all_alike = row.state == "pass" || row.cells.is_empty();
        html! {
            tbody #{ "t-" (sentence(name)) } .row.open[open] role="rowgroup" hidden[!row.is_shown]
                data-name=(sentence(name)) data-outcome=(row.state) data-reasons=(row.reasons.join(" "))
                data-owner=(row.owner.unwrap_or_default())
            {
                tr.(row.state) role="row" {
                    th role="rowheader" scope="row" {
                        a data-soft href={ (link) "#t-" (name) } aria-expanded=(if open { "true" } else { "false" }) {
                            (safe(name))
                        }
                        small {
                            @if let Some(users) = &row.target.users { (safe(&users.text)) }
                            @if row.target.users.is_some() && row.owner.is_some() { " · " }
                            @if let Some(owner) = row.owner { "owner " (safe(owner)) }
                        }
                    }
                    @if all_alike {
                        td role="cell" colspan=(self.columns.len().max(1)) {
                            @match row.state {
                                "pass" => { (label("pass", "pass")) " on " (counted(row.target.nodes, "node")) }
                                state => { (label(state, "not judged")) }
                            }
                        }
                    } @else {
                        @for (column, cell) in self.columns.iter().zip(&row.cells) { (cell.render(column)) }
                    }
                }
                @if open {
                    tr.more role="row" {
                        td role="cell" colspan=(self.columns.len() + 1) { div { (open_target(row.target, page.report)) } }
                    }
                }
            }
        }
    }
}

/// Fills in what each target is on nodes that agree, and gives the columns.
fn agreeing(page: &FleetPage<'_>, rows: &mut [Row<'_>]) -> Vec<Column> {
    let mut at: BTreeMap<&str, usize> = BTreeMap::new();
    let groups = page.report.groups.iter().take(COLUMNS);
    let count = groups.clone().count();
    for (number, row) in rows.iter_mut().enumerate() {
        at.insert(&row.target.target, number);
        let usual = |group: &privatelink_fleet::report::NodeGroup| Cell {
            state: match group.stale {
                true => "unknown",
                false if group.lacking.contains(&row.target.target) => "",
                false => "pass",
            },
            count: group.count,
            of: group.count,
            reason: String::new(),
        };
        row.cells = groups.clone().map(usual).collect();
    }
    for (number, group) in groups.clone().enumerate() {
        for trouble in &group.troubles {
            for row in trouble
                .targets
                .iter()
                .filter_map(|target| at.get(target.as_str()))
            {
                let cell = &mut rows[*row].cells[number];
                cell.state = match State::of(trouble) {
                    State::Judged(outcome) => outcome.as_str(),
                    State::Unknown | State::Absent => "unknown",
                };
                cell.reason.clone_from(&trouble.reason);
            }
        }
    }
    debug_assert!(rows.iter().all(|row| row.cells.len() == count));
    ('A'..)
        .zip(groups)
        .map(|(letter, group)| Column {
            name: letter.to_string(),
            nodes: group.count,
            note: some_of(&group.nodes, NAMED, group.count as usize),
        })
        .collect()
}

impl<'a> Row<'a> {
    fn new(target: &'a TargetOnNodes, reasons: Vec<&'a str>, page: &'a FleetPage<'a>) -> Self {
        let state = match target {
            TargetOnNodes { failing: 1.., .. } => "fail",
            TargetOnNodes { warning: 1.., .. } => "warn",
            TargetOnNodes { nodes: 1.., .. } => "pass",
            _ => "unknown",
        };
        let owner = page.owners.get(&target.target).map(String::as_str);
        let users = target
            .users
            .as_ref()
            .map_or("", |users| users.text.as_str());
        let is_shown = page.view.shows(&Shown {
            outcome: state,
            reasons: &reasons,
            owner: owner.unwrap_or_default(),
            texts: &[
                &target.target,
                users,
                owner.unwrap_or_default(),
                state,
                &reasons.join(" "),
            ],
        });
        Self {
            target,
            state,
            reasons,
            owner,
            is_shown,
            cells: Vec::new(),
        }
    }
}

impl Column {
    fn of_value(value: &privatelink_fleet::NodesWith) -> Self {
        Self {
            name: value.value.as_deref().unwrap_or("others").to_owned(),
            nodes: value.nodes,
            note: if value.silent > 0 {
                format!("{} silent", counted(value.silent, "node"))
            } else {
                String::new()
            },
        }
    }
}

impl Cell {
    fn of_counted(counted: &Counted) -> Self {
        let of = counted.passing + counted.warning + counted.failing + counted.unknown;
        let (state, count) = match counted {
            Counted { failing: 1.., .. } => ("fail", counted.failing),
            Counted { warning: 1.., .. } => ("warn", counted.warning),
            Counted { unknown: 1.., .. } => ("unknown", counted.unknown),
            Counted { passing: 1.., .. } => ("pass", counted.passing),
            _ => ("", 0),
        };
        let reason = counted.reason();
        // An agent that could not probe says nothing of the target.
        let state = match reason {
            Some(Reason::AgentError) => "unknown",
            _ => state,
        };
        let reason = reason.map_or("", Reason::as_str);
        Self {
            state,
            count,
            of,
            reason: reason.to_owned(),
        }
    }

    fn render(&self, column: &Column) -> Markup {
        html! {
            td role="cell" data-label=(sentence(&column.name)) {
                @match self.state {
                    "" => { span.quiet { "–" } }
                    "pass" => {
                        span.passing { span aria-hidden="true" { "✓ " } span.vh { "pass on " } (self.of) }
                    }
                    state => {
                        span .state.(state) .all[self.count == self.of] {
                            span aria-hidden="true" { (sign(state)) } " " (self.count) " of " (self.of)
                        } " "
                        small { (safe(if self.reason.is_empty() { "not judged" } else { &self.reason })) }
                    }
                }
            }
        }
    }
}
