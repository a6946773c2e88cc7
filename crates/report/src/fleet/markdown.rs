//! Markdown: the fleet for a change ticket or a chat.

use std::fmt::Write as _;

use privatelink_fleet::FleetReport;
use privatelink_fleet::gate::GateReport;
use privatelink_fleet::report::NodeCounts;
use privatelink_verdict::sanitize::sentence;

use super::matrix::Matrix;
use super::{counted, mark, some_of, sure};

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
    for note in &report.notes {
        let _ = writeln!(out, "- **{}**", text(note));
    }
    uncovered(&mut out, nodes);
    if !report.notes.is_empty() || nodes.stale + nodes.uncovered > 0 {
        out.push('\n');
    }
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
        if !pattern.except.is_empty() {
            let well = pattern.of_nodes.saturating_sub(pattern.nodes) as usize;
            let except = some_of(&pattern.except, NAMED, well);
            let _ = writeln!(out, "  - But not: {}", text(&except));
        }
        let _ = writeln!(out, "  - Targets: {}", text(&targets));
        if !pattern.zones.is_empty() {
            let zones = some_of(&pattern.zones, NAMED, pattern.zones.len());
            let _ = writeln!(out, "  - Private zones: {}", text(&zones));
        }
        if !pattern.same_zone.is_empty() {
            let well = pattern.same_zone.join(", ");
            let _ = writeln!(out, "  - Well in the same zone: {}", text(&well));
        }
        let _ = writeln!(out, "  - Since: {}", pattern.since.to_the_minute());
        for users in &pattern.hurts {
            let _ = writeln!(out, "  - Hurts: {}", text(&users.text));
        }
        let _ = writeln!(
            out,
            "  - Likely cause ({}): {}",
            text(&sure(pattern)),
            text(&pattern.meaning)
        );
        let _ = writeln!(out, "  - Do: {}", text(&pattern.remedy));
    }
    if report.left_off.patterns > 0 {
        let more = counted(report.left_off.patterns, "more pattern");
        let _ = writeln!(out, "- {more} not shown");
    }
    table(&mut out, &Matrix::of(report));
    out
}

fn uncovered(out: &mut String, nodes: &NodeCounts) {
    for stale in &nodes.stale_samples {
        let last = stale.answered_last.to_the_minute();
        let _ = writeln!(out, "- {} has not answered since {last}", text(&stale.node));
    }
    let more = u64::from(nodes.stale).saturating_sub(nodes.stale_samples.len() as u64);
    if more > 0 {
        let _ = writeln!(out, "- {} silent too", counted(more, "more node"));
    }
    for uncovered in &nodes.why_uncovered {
        let count = counted(uncovered.count, "node");
        let names = some_of(&uncovered.samples, NAMED, uncovered.count as usize);
        let _ = writeln!(
            out,
            "- {count}: {} {}",
            text(&uncovered.meaning),
            text(&names)
        );
    }
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
            let cells = row
                .cells
                .iter()
                .map(|cell| format!(" {} {} |", cell.state.mark(), text(&cell.why())));
            let _ = writeln!(out, "| {} |{}", text(row.target), cells.collect::<String>());
        }
        out.push('\n');
    }
    if matrix.rows_left_off > 0 {
        let more = counted(matrix.rows_left_off as u64, "more target");
        let _ = writeln!(out, "{more} in trouble not shown.\n");
    }
    if let Some(passing) = matrix.passing() {
        let _ = writeln!(out, "{passing} without trouble on any node.\n");
    }
    let legend = matrix.legend();
    if !legend.is_empty() {
        let _ = writeln!(out, "{legend}\n");
    }
    for column in &matrix.columns {
        let group = column.group;
        let names = some_of(&group.nodes, NAMED, group.count as usize);
        let shared = group.shared.join(", ");
        let count = counted(group.count, "node");
        let stale = if group.stale { " (silent)" } else { "" };
        let _ = writeln!(
            out,
            "- **{}**: {count}: {} {}{stale}",
            column.letter,
            text(&names),
            text(&shared)
        );
    }
    if matrix.groups_left_off.0 > 0 {
        let (groups, nodes) = matrix.groups_left_off;
        let (groups, nodes) = (counted(groups as u64, "more group"), counted(nodes, "node"));
        let _ = writeln!(out, "- {groups} of {nodes} not shown");
    }
}

/// Text from elsewhere, of which nothing acts as Markdown or HTML, calls anybody, or becomes a link.
fn text(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in sentence(text).chars() {
        if matches!(
            c,
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '#' | '_' | '~' | '&' | '$'
        ) {
            safe.push('\\');
        }
        // Where the text is shown, names after an @, numbers after a # and addresses of the web are looked for
        // in what Markdown has become, so a backslash does not stop them.
        let is_address = c == '/' && safe.ends_with(':');
        let is_www = c == '.' && safe.to_ascii_lowercase().ends_with("www");
        if is_address || is_www {
            safe.push(NOTHING);
        }
        safe.push(c);
        if matches!(c, '@' | '#') {
            safe.push(NOTHING);
        }
    }
    safe
}

/// A character without width, which parts what must not be read as one.
const NOTHING: char = '\u{200b}';
