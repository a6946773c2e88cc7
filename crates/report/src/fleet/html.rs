//! HTML: the fleet as a section of the observer's page, or as a file of its own for a change ticket.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use privatelink_fleet::FleetReport;
use privatelink_fleet::gate::{Answer, GateReport};
use privatelink_fleet::report::{NodeCounts, PatternReport};
use privatelink_verdict::sanitize::sentence;
use privatelink_verdict::verdict::Outcome;

use super::matrix::{Cell, Column, Matrix};
use super::{counted, mark, some_of};
use crate::json::enums::Enum;
use crate::page::STYLE;
use crate::page::components::{Breakable, state};

/// Nodes and targets that are named in a list.
const NAMED: usize = 10;

/// The picture of the fleet as one file, which loads nothing.
pub fn document(report: &FleetReport) -> String {
    let title = format!("{}, {}", headline(report), report.at.to_the_minute());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (title) }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    div {
                        h1 { "Private endpoints, as the nodes see them" }
                        p { (headline(report)) ", " (report.at.to_the_minute()) }
                    }
                }
                main { (section(report)) }
                footer {
                    "By the " (safe(&report.answered_by.source)) " " (safe(&report.answered_by.name))
                    ", version " (safe(&report.answered_by.version))
                }
            }
        }
    };
    page.into_string()
}

/// The same as a section of a page.
pub fn section(report: &FleetReport) -> Markup {
    let matrix = Matrix::of(report);
    html! {
        (uncovered(&report.nodes))
        @if let Some(gate) = &report.gate { (gate_notice(gate)) }
        @for pattern in &report.patterns { (pattern_notice(pattern)) }
        @if report.left_off.patterns > 0 {
            p.quiet { (counted(report.left_off.patterns, "more pattern")) " not shown" }
        }
        @if matrix.has_trouble() { (table(&matrix)) }
        p {
            span class="state pass" { (matrix.passing()) } " without trouble on any node"
        }
        (groups(&matrix))
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

fn uncovered(nodes: &NodeCounts) -> Markup {
    html! {
        @if nodes.stale + nodes.uncovered > 0 {
            ul.quiet {
                @for stale in &nodes.stale_samples {
                    li { (safe(&stale.node)) " has not answered since " (stale.answered_last.to_the_minute()) }
                }
                @for uncovered in &nodes.why_uncovered {
                    li {
                        (counted(uncovered.count, "node")) ": " (safe(&uncovered.meaning)) " "
                        (safe(&some_of(&uncovered.samples, NAMED, uncovered.count as usize)))
                    }
                }
            }
        }
    }
}

fn gate_notice(gate: &GateReport) -> Markup {
    let outcome = match gate.answer {
        Answer::Yes => Outcome::Pass,
        Answer::No => Outcome::Fail,
        Answer::CannotTell => Outcome::Warn,
    };
    html! {
        section class={"notice " (outcome)} {
            h2 { (mark(Some(outcome))) " " (safe(&gate.headline)) }
            ul {
                @for one in &gate.breaks { li { (safe(&one.sentence)) } }
                @for unknown in &gate.unknown {
                    li { (safe(&unknown.sentence)) " " (safe(&unknown.remedy)) }
                }
                @for excused in &gate.excused { li { "Excused: " (safe(&excused.sentence)) } }
                @for one in &gate.not_judged {
                    li {
                        "Not judged: " (safe(&one.meaning)) " "
                        (safe(&some_of(&one.targets, NAMED, one.count as usize)))
                    }
                }
            }
        }
    }
}

fn pattern_notice(pattern: &PatternReport) -> Markup {
    let samples = some_of(&pattern.samples, NAMED, pattern.nodes as usize);
    let targets = some_of(&pattern.targets, NAMED, pattern.targets.len());
    html! {
        section class={"notice " (pattern.outcome)} {
            h2 { (mark(Some(pattern.outcome))) " " (safe(&pattern.headline)) }
            p.remedy { (safe(&pattern.remedy)) }
            dl.facts {
                dt { "Likely cause" }
                dd { (safe(&pattern.meaning)) " (" (safe(&pattern.confidence)) " confidence)" }
                dt { "Nodes" } dd { (safe(&samples)) }
                dt { "Targets" } dd { (safe(&targets)) }
                dt { "Since" } dd { (pattern.since.to_the_minute()) }
                @for users in &pattern.hurts { dt { "Hurts" } dd { (safe(&users.text)) } }
            }
        }
    }
}

fn table(matrix: &Matrix<'_>) -> Markup {
    html! {
        div.scroll {
            table.matrix {
                thead {
                    tr {
                        th scope="col" { "Target" }
                        @for column in &matrix.columns { (column_head(column)) }
                    }
                }
                tbody {
                    @for row in &matrix.rows {
                        tr {
                            th scope="row" { (safe(row.target)) }
                            @for cell in &row.cells { (cell_of(*cell)) }
                        }
                    }
                }
            }
        }
        @if matrix.rows_left_off > 0 {
            p.quiet { (counted(matrix.rows_left_off as u64, "more target")) " in trouble not shown" }
        }
    }
}

fn column_head(column: &Column<'_>) -> Markup {
    html! {
        th scope="col" title=(sentence(&some_of(&column.group.nodes, NAMED, column.group.count as usize))) {
            (column.letter) small { (counted(column.group.count, "node")) }
        }
    }
}

fn cell_of(cell: Cell<'_>) -> Markup {
    html! {
        td {
            @match cell.outcome {
                Some(outcome) => (state(Enum(outcome))),
                None => span class="state unknown" { "unknown" },
            }
            @if !cell.reason.is_empty() { small { (safe(cell.reason)) } }
        }
    }
}

fn groups(matrix: &Matrix<'_>) -> Markup {
    html! {
        h3 { "Nodes that agree" }
        dl.facts {
            @for column in &matrix.columns {
                @let group = column.group;
                dt { (column.letter) ": " (counted(group.count, "node")) }
                dd {
                    (safe(&some_of(&group.nodes, NAMED, group.count as usize)))
                    @if !group.shared.is_empty() { small { (safe(&group.shared.join(", "))) } }
                    @if group.stale { small { "silent, shown as they were" } }
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
