//! HTML: the fleet as a part of the observer's page, or as a file of its own for a change ticket.

mod grid;
mod notices;
mod open_target;

use std::collections::BTreeMap;

use maud::{Markup, html};
use privatelink_fleet::{FleetReport, NodesByTrait};
use privatelink_verdict::sanitize::sentence;
use privatelink_verdict::suggest::nearest;

use self::grid::Grid;
use self::notices::{gate_notice, patterns, uncovered};
use super::matrix::Matrix;
use super::{counted, some_of};
use crate::page::components::Breakable;
use crate::page::file;
use crate::page::view::{Choices, View, counts, filter, none_shown, not_there};

/// Nodes and targets that are named in a list.
const NAMED: usize = 10;

/// Names that are suggested for a target that is not there.
const SUGGESTIONS: usize = 3;

/// What the agents of a fleet say, and how somebody wants to see it.
#[derive(Debug)]
pub struct FleetPage<'a> {
    /// The report, with the gate.
    pub report: &'a FleetReport,
    /// The nodes as the view groups them; `None` for groups of nodes that agree.
    pub by_trait: Option<&'a NodesByTrait>,
    /// The owners of targets, by their names.
    pub owners: &'a BTreeMap<String, String>,
    /// What is shown.
    pub view: &'a View,
}

/// The picture of the fleet as one file, which loads nothing.
pub fn document(report: &FleetReport) -> String {
    let title = format!("{}, {}", headline(report), report.at.to_the_minute());
    let view = View::default();
    let page = FleetPage {
        report,
        by_trait: None,
        owners: &BTreeMap::new(),
        view: &view,
    };
    let grid = Grid::of(&page);
    let body = html! {
        header {
            div {
                p.quiet { "Private endpoints, as the nodes see them" }
                h1 { (headline(report)) }
                p { (report.at.to_the_minute()) }
            }
        }
        main {
            (page.notices(true))
            (grid.table(&page))
            (groups(&Matrix::of(report)))
        }
        footer {
            p {
                "By the " (safe(&report.answered_by.source)) " " (safe(&report.answered_by.name))
                ", version " (safe(&report.answered_by.version))
            }
        }
    };
    file(&title, &body).into_string()
}

impl FleetPage<'_> {
    /// The state of the page, and its title.
    pub fn title(&self) -> (&'static str, String) {
        let nodes = &self.report.nodes;
        let state = if nodes.failing > 0 {
            "fail"
        } else if nodes.warning > 0 {
            "warn"
        } else {
            "pass"
        };
        (state, headline(self.report))
    }

    /// How long nodes fail, whom that hurts, and on how many targets.
    pub fn summary(&self) -> String {
        let failing = self
            .report
            .targets
            .iter()
            .filter(|target| target.failing > 0);
        let count = failing.clone().count() as u64;
        if count == 0 {
            return format!(
                "{} on {}.",
                counted(self.report.targets.len() as u64, "target"),
                counted(self.report.nodes.covered, "node")
            );
        }
        let first = self
            .report
            .patterns
            .iter()
            .map(|pattern| pattern.since)
            .min();
        let since = first.map_or_else(String::new, |first| {
            format!(", the first since {}", first.to_the_minute())
        });
        let workloads: u64 = failing
            .filter_map(|target| Some(target.users.as_ref()?.workloads))
            .sum();
        let verb = if count == 1 { "fails" } else { "fail" };
        let hurt = if workloads > 0 {
            format!("; used by {}", counted(workloads, "workload"))
        } else {
            String::new()
        };
        format!("{} {verb}{since}{hurt}.", counted(count, "target"))
    }

    /// How many targets fail, warn and pass.
    pub fn counts(&self) -> Markup {
        counts(self.view, &self.choices())
    }

    /// The fleet as a part of a page.
    pub fn section(&self) -> Markup {
        let grid = Grid::of(self);
        let targets = &self.report.targets;
        let open = &self.view.open;
        html! {
            @if !open.is_empty() && !targets.iter().any(|target| target.target == *open) {
                @let names = targets.iter().map(|target| target.target.as_str());
                (not_there(open, nearest(open, names).take(SUGGESTIONS)))
            }
            (self.notices(false))
            h2 { "Targets on nodes" }
            (filter(self.view, &self.choices()))
            (self.grouping())
            (grid.table(self))
            (none_shown(grid.shown()))
            (groups(&Matrix::of(self.report)))
        }
    }

    /// What stands above the table: patterns first, then the gate, then the nodes that are silent. `unfolded`: with
    /// everything that can be unfolded.
    fn notices(&self, unfolded: bool) -> Markup {
        html! {
            (patterns(self.report, self.view, unfolded))
            @if let Some(gate) = &self.report.gate { (gate_notice(gate, unfolded)) }
            @for note in &self.report.notes { p.notice.warn { (safe(note)) } }
            (uncovered(&self.report.nodes))
        }
    }

    /// Links that group the nodes in another way.
    fn grouping(&self) -> Markup {
        let current = if self.by_trait.is_some() {
            self.view.by()
        } else {
            View::AGREEMENT
        };
        html! {
            nav.grouping aria-label="How nodes are grouped" {
                "Nodes by "
                @for word in NodesByTrait::words().chain([View::AGREEMENT]) {
                    a data-soft href=(self.view.link("by", word)) aria-current=[(word == current).then_some("true")] {
                        (word)
                    } " "
                }
            }
        }
    }

    fn choices(&self) -> Choices<'_> {
        let mut choices = Choices::default();
        for row in Grid::rows(self) {
            choices.count(row.state);
            for reason in row.reasons {
                *choices.reasons.entry(reason).or_default() += 1;
            }
            choices.owners.extend(row.owner);
        }
        choices
    }
}

/// `2 of 5 nodes fail`.
fn headline(report: &FleetReport) -> String {
    let nodes = &report.nodes;
    if nodes.failing == 0 {
        return format!("{}, none fails", counted(nodes.selected, "node"));
    }
    let verb = if nodes.failing == 1 { "fails" } else { "fail" };
    format!(
        "{} of {} {verb}",
        nodes.failing,
        counted(nodes.selected, "node")
    )
}

fn groups(matrix: &Matrix<'_>) -> Markup {
    html! {
        h2 { "Nodes that agree" }
        dl.facts {
            @for column in &matrix.columns {
                @let group = column.group;
                dt { (column.letter) ": " (counted(group.count, "node")) }
                dd {
                    (safe(&some_of(&group.nodes, NAMED, group.count as usize)))
                    @if !group.shared.is_empty() { " " small { (safe(&group.shared.join(", "))) } }
                    @if group.stale { " " small { "silent" } }
                }
            }
        }
        @if matrix.groups_left_off.0 > 0 {
            @let (groups, nodes) = matrix.groups_left_off;
            p.quiet { (counted(groups as u64, "more group")) " of " (counted(nodes, "node")) " not shown" }
        }
    }
}

/// Text from elsewhere, without control characters, that breaks between lines where it may.
fn safe(text: &str) -> Markup {
    html! { (Breakable(&sentence(text))) }
}
