//! Terminal: the fleet for people at a terminal: what failing nodes have in common first, then the matrix,
//! then the gate.

use std::io::{self, Write};

use privatelink_fleet::FleetReport;
use privatelink_fleet::gate::{Answer, GateReport};
use privatelink_fleet::report::{NodeGroup, PatternReport};
use privatelink_verdict::sanitize::{from_wire, sentence};
use privatelink_verdict::verdict::Outcome;

use super::matrix::{Cell, Matrix};
use super::{counted, mark, some_of};
use crate::tree::branch::Branch;
use crate::tree::style::{BOLD, DIM, paint, style_of};

/// Nodes of a group that are named.
const NAMED: usize = 5;

/// Writes the picture of the fleet, wrapped to `width` columns where there is a terminal with a width.
pub fn terminal(
    out: &mut impl Write,
    report: &FleetReport,
    width: Option<usize>,
) -> io::Result<()> {
    head(report).write(out, width)?;
    for pattern in &report.patterns {
        writeln!(out)?;
        pattern_branch(pattern).write(out, width)?;
    }
    if report.left_off.patterns > 0 {
        let more = counted(report.left_off.patterns, "more pattern");
        writeln!(
            out,
            "\n{DIM}{more} not shown; narrow it with --target or --selector{DIM:#}"
        )?;
    }
    writeln!(out)?;
    matrix(out, &Matrix::of(report))?;
    if let Some(gate) = &report.gate {
        writeln!(out)?;
        gate_branch(gate).write(out, width)?;
    }
    Ok(())
}

fn head(report: &FleetReport) -> Branch {
    let nodes = &report.nodes;
    let mut counts = vec![format!("{} covered", nodes.covered)];
    if nodes.stale > 0 {
        counts.push(format!("{} stale", nodes.stale));
    }
    if nodes.uncovered > 0 {
        counts.push(format!("{} without an agent's answer", nodes.uncovered));
    }
    let selected = if nodes.selected < nodes.all {
        format!("{} of {}", nodes.selected, counted(nodes.all, "node"))
    } else {
        counted(nodes.all, "node")
    };
    let by = &report.answered_by;
    let head = format!(
        "{}: {}; {}; {} {}",
        paint(BOLD, &selected),
        counts.join(", "),
        counted(report.targets.len() as u64, "target"),
        report.at.to_the_minute(),
        paint(
            DIM,
            &format!("by {} {}", from_wire(&by.source), from_wire(&by.name))
        ),
    );
    let uncovered = nodes.why_uncovered.iter().map(|uncovered| {
        let names = some_of(&uncovered.samples, NAMED, uncovered.count as usize);
        let (count, meaning) = (
            counted(uncovered.count, "node"),
            sentence(&uncovered.meaning),
        );
        Branch::new(format!(
            "{count}: {meaning} {}",
            paint(DIM, &from_names(&names))
        ))
    });
    let stale = nodes.stale_samples.iter().map(|stale| {
        let (node, last) = (from_wire(&stale.node), stale.answered_last.to_the_minute());
        Branch::new(format!("{node} has not answered since {last}"))
    });
    Branch::new(head).with(uncovered).with(stale)
}

fn pattern_branch(pattern: &PatternReport) -> Branch {
    let style = style_of(pattern.outcome);
    let headline = format!(
        "{} {}",
        paint(style, mark(Some(pattern.outcome))),
        paint(BOLD, &sentence(&pattern.headline)),
    );
    let label = |label: &str, text: &str| Branch::new(format!("{}  {text}", paint(DIM, label)));
    let names = |names: &[String], count: usize| from_names(&some_of(names, NAMED, count));
    let mut parts = vec![
        label("nodes  ", &names(&pattern.samples, pattern.nodes as usize)),
        label("targets", &names(&pattern.targets, pattern.targets.len())),
        label("since  ", &pattern.since.to_the_minute()),
    ];
    if !pattern.also.is_empty() {
        parts.push(label("also   ", &from_names(&pattern.also.join(", "))));
    }
    for users in &pattern.hurts {
        parts.push(label("hurts  ", &sentence(&users.text)));
    }
    let cause = format!(
        "{} ({} confidence)",
        sentence(&pattern.meaning),
        from_wire(&pattern.confidence)
    );
    parts.push(label("cause  ", &cause));
    parts.push(label("do     ", &sentence(&pattern.remedy)));
    Branch::new(headline).with(parts)
}

fn matrix(out: &mut impl Write, matrix: &Matrix<'_>) -> io::Result<()> {
    for column in &matrix.columns {
        let group = column.group;
        let text = format!(
            "{}  {}",
            paint(BOLD, &column.letter.to_string()),
            describe(group)
        );
        writeln!(out, "{text}")?;
    }
    if matrix.groups_left_off.0 > 0 {
        let (groups, nodes) = matrix.groups_left_off;
        let (groups, nodes) = (counted(groups as u64, "more group"), counted(nodes, "node"));
        writeln!(out, "{DIM}{groups} of {nodes} not shown{DIM:#}")?;
    }
    if matrix.has_trouble() {
        writeln!(out)?;
        let widest = matrix
            .rows
            .iter()
            .map(|row| row.target.chars().count())
            .max();
        let width = widest.unwrap_or_default();
        let letters = matrix
            .columns
            .iter()
            .map(|column| format!("  {}", column.letter));
        writeln!(out, "{:width$}{}", "", letters.collect::<String>())?;
        for row in &matrix.rows {
            let cells = row.cells.iter().map(|cell| format!("  {}", painted(*cell)));
            let cells: String = cells.collect();
            let reasons = reasons(&row.cells);
            let target = from_wire(row.target);
            writeln!(out, "{target:width$}{cells}  {DIM}{reasons}{DIM:#}")?;
        }
        if matrix.rows_left_off > 0 {
            let more = counted(matrix.rows_left_off as u64, "more target");
            writeln!(out, "{DIM}{more} in trouble not shown{DIM:#}")?;
        }
    }
    let green = style_of(Outcome::Pass);
    let passing = matrix.passing();
    writeln!(
        out,
        "{green}✓{green:#} {passing} without trouble on any node"
    )
}

/// `3 nodes  a-0, a-1, a-2  pool a, zone 1`.
fn describe(group: &NodeGroup) -> String {
    let names = from_names(&some_of(&group.nodes, NAMED, group.count as usize));
    let shared = from_names(&group.shared.join(", "));
    let stale = if group.stale {
        "; silent, as they were"
    } else {
        ""
    };
    let shared = if shared.is_empty() {
        shared
    } else {
        format!("  {shared}")
    };
    format!(
        "{}  {names}{}",
        counted(group.count, "node"),
        paint(DIM, &format!("{shared}{stale}"))
    )
}

fn painted(cell: Cell<'_>) -> String {
    match cell.outcome {
        Some(outcome) => paint(style_of(outcome), mark(Some(outcome))),
        None => paint(DIM, mark(None)),
    }
}

/// The reasons of a row, each once.
fn reasons(cells: &[Cell<'_>]) -> String {
    let mut reasons: Vec<&str> = Vec::new();
    for cell in cells {
        if !cell.reason.is_empty() && !reasons.contains(&cell.reason) {
            reasons.push(cell.reason);
        }
    }
    from_names(&reasons.join(", "))
}

fn gate_branch(gate: &GateReport) -> Branch {
    let outcome = match gate.answer {
        Answer::Yes => Outcome::Pass,
        Answer::No => Outcome::Fail,
        Answer::CannotTell => Outcome::Warn,
    };
    let style = style_of(outcome);
    let headline = sentence(&gate.headline);
    let head = format!(
        "{} {}",
        paint(style, mark(Some(outcome))),
        paint(BOLD, &headline)
    );
    let breaks = gate
        .breaks
        .iter()
        .map(|one| Branch::new(sentence(&one.sentence).into_owned()));
    let unknown = gate.unknown.iter().map(|unknown| {
        let text = sentence(&unknown.sentence).into_owned();
        Branch::new(text).line(format!("→ {}", sentence(&unknown.remedy)))
    });
    let excused = gate.excused.iter().map(|excused| {
        let text = format!("excused: {}", sentence(&excused.sentence));
        Branch::new(paint(DIM, &text))
    });
    let not_judged = gate.not_judged.iter().map(|one| {
        let names = from_names(&some_of(&one.targets, NAMED, one.count as usize));
        let text = format!("not judged: {} {names}", sentence(&one.meaning));
        Branch::new(paint(DIM, &text))
    });
    Branch::new(head)
        .with(breaks)
        .with(unknown)
        .with(excused)
        .with(not_judged)
}

/// Names from elsewhere, safe for a terminal.
fn from_names(names: &str) -> String {
    sentence(names).into_owned()
}
