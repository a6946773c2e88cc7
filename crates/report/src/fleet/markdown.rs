//! Markdown: the fleet for a change ticket or a chat.

use std::fmt::Write as _;

use privatelink_fleet::FleetReport;
use privatelink_fleet::gate::GateReport;
use privatelink_verdict::sanitize::sentence;

use super::matrix::Matrix;
use super::{counted, mark, some_of};

/// Nodes and targets that are named in a list.
const NAMED: usize = 10;

/// The picture of the fleet as Markdown.
pub fn markdown(report: &FleetReport) -> String {
    let mut out = String::new();
    let by = &report.answered_by;
    let nodes = &report.nodes;
    let _ = writeln!(
        out,
        "## Private endpoints as {} see them\n\n{}: {} covered, {} stale, {} without an agent's answer; {}. \
         By {} {}, version {}.\n",
        counted(nodes.selected, "node"),
        report.at.to_the_minute(),
        nodes.covered,
        nodes.stale,
        nodes.uncovered,
        counted(report.targets.len() as u64, "target"),
        text(&by.source),
        text(&by.name),
        text(&by.version),
    );
    if let Some(gate) = &report.gate {
        gate_section(&mut out, gate);
    }
    for pattern in &report.patterns {
        let _ = writeln!(
            out,
            "- {} **{}**",
            mark(Some(pattern.outcome)),
            text(&pattern.headline)
        );
        let samples = some_of(&pattern.samples, NAMED, pattern.nodes as usize);
        let targets = some_of(&pattern.targets, NAMED, pattern.targets.len());
        let _ = writeln!(out, "  - Nodes: {}", text(&samples));
        let _ = writeln!(out, "  - Targets: {}", text(&targets));
        let _ = writeln!(out, "  - Since: {}", pattern.since.to_the_minute());
        for users in &pattern.hurts {
            let _ = writeln!(out, "  - Hurts: {}", text(&users.text));
        }
        let _ = writeln!(
            out,
            "  - Likely cause ({} confidence): {}",
            text(&pattern.confidence),
            text(&pattern.meaning)
        );
        let _ = writeln!(out, "  - Do: {}", text(&pattern.remedy));
    }
    table(&mut out, &Matrix::of(report));
    out
}

fn gate_section(out: &mut String, gate: &GateReport) {
    let _ = writeln!(out, "**{}**\n", text(&gate.headline));
    for one in &gate.breaks {
        let _ = writeln!(out, "- {}", text(&one.sentence));
    }
    for unknown in &gate.unknown {
        let _ = writeln!(
            out,
            "- {} {}",
            text(&unknown.sentence),
            text(&unknown.remedy)
        );
    }
    for excused in &gate.excused {
        let _ = writeln!(out, "- Excused: {}", text(&excused.sentence));
    }
    for one in &gate.not_judged {
        let names = some_of(&one.targets, NAMED, one.count as usize);
        let _ = writeln!(out, "- Not judged: {} {}", text(&one.meaning), text(&names));
    }
    out.push('\n');
}

fn table(out: &mut String, matrix: &Matrix<'_>) {
    out.push('\n');
    if matrix.has_trouble() {
        let letters = matrix
            .columns
            .iter()
            .map(|column| format!(" {} |", column.letter));
        let _ = writeln!(out, "| target |{}", letters.collect::<String>());
        let _ = writeln!(out, "|---|{}", "---|".repeat(matrix.columns.len()));
        for row in &matrix.rows {
            let cells = row.cells.iter().map(|cell| {
                let reason = text(cell.reason);
                format!(" {} {reason} |", mark(cell.outcome))
            });
            let _ = writeln!(out, "| {} |{}", text(row.target), cells.collect::<String>());
        }
        out.push('\n');
    }
    let _ = writeln!(out, "{} without trouble on any node.\n", matrix.passing());
    for column in &matrix.columns {
        let group = column.group;
        let names = some_of(&group.nodes, NAMED, group.count as usize);
        let shared = group.shared.join(", ");
        let count = counted(group.count, "node");
        let _ = writeln!(
            out,
            "- **{}**: {count}: {} {}",
            column.letter,
            text(&names),
            text(&shared)
        );
    }
    if matrix.groups_left_off.0 > 0 {
        let (groups, nodes) = matrix.groups_left_off;
        let (groups, nodes) = (counted(groups as u64, "more group"), counted(nodes, "node"));
        let _ = writeln!(out, "- {groups} of {nodes}");
    }
}

/// Text from elsewhere, of which nothing acts as Markdown or HTML.
fn text(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in sentence(text).chars() {
        if matches!(
            c,
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '#' | '_' | '~'
        ) {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}
