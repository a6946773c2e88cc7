//! Terminal: the fleet for people at a terminal: what failing nodes have in common first, then the matrix,
//! then the gate.

use std::io::{self, Write};

use privatelink_fleet::FleetReport;
use privatelink_fleet::gate::{Answer, GateReport};
use privatelink_fleet::report::{NodeGroup, PatternReport};
use privatelink_verdict::sanitize::{from_wire, sentence};
use privatelink_verdict::verdict::Outcome;

use super::matrix::{Matrix, Row, State};
use super::{counted, mark, some_of, sure};
use crate::tree::branch::Branch;
use crate::tree::style::{BOLD, DIM, paint, style_of};

/// Nodes of a group that are named.
const NAMED: usize = 5;

/// What a row of the matrix leaves to its reason, in characters: the longest has no more.
const REASON_WIDTH: usize = 31;

/// A name is not shortened to fewer characters than this.
const NARROWEST_NAME: usize = 20;

/// Writes the picture of the fleet, wrapped to `width` columns where there is a terminal with a width.
pub fn terminal(
    out: &mut impl Write,
    report: &FleetReport,
    width: Option<usize>,
) -> io::Result<()> {
    head(report).write(out, width)?;
    for note in &report.notes {
        let mark = paint(style_of(Outcome::Warn), mark(Some(Outcome::Warn)));
        hanging(out, format!("{mark} {}", sentence(note)), 2, width)?;
    }
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
    matrix(out, &Matrix::of(report), width)?;
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
    let mut head = format!(
        "{}: {}; {}; {}",
        paint(BOLD, &selected),
        counts.join(", "),
        counted(report.targets.len() as u64, "target"),
        report.at.to_the_minute(),
    );
    if !by.source.is_empty() {
        let by = format!(" by {} {}", from_wire(&by.source), from_wire(&by.name));
        head.push_str(&paint(DIM, &by));
    }
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
    let more = u64::from(nodes.stale).saturating_sub(nodes.stale_samples.len() as u64);
    let more =
        (more > 0).then(|| Branch::new(format!("{} silent too", counted(more, "more node"))));
    Branch::new(head).with(uncovered).with(stale).with(more)
}

fn pattern_branch(pattern: &PatternReport) -> Branch {
    let style = style_of(pattern.outcome);
    let headline = format!(
        "{} {}",
        paint(style, mark(Some(pattern.outcome))),
        paint(BOLD, &sentence(&pattern.headline)),
    );
    // The rest of a long text begins where it does, and not below its label.
    let label = |label: &str, text: &str| {
        let hang = label.len() + 2;
        Branch::hanging_line(format!("{}  {text}", paint(DIM, label)), hang)
    };
    let names = |names: &[String], count: usize| from_names(&some_of(names, NAMED, count));
    let mut parts = vec![label(
        "nodes  ",
        &names(&pattern.samples, pattern.nodes as usize),
    )];
    if !pattern.except.is_empty() {
        let well = pattern.of_nodes.saturating_sub(pattern.nodes) as usize;
        parts.push(label("but not", &names(&pattern.except, well)));
    }
    parts.push(label(
        "targets",
        &names(&pattern.targets, pattern.targets.len()),
    ));
    if !pattern.zones.is_empty() {
        let well = if pattern.same_zone.is_empty() {
            String::new()
        } else {
            let well = from_names(&some_of(&pattern.same_zone, NAMED, pattern.same_zone.len()));
            format!("; well in it: {well}")
        };
        let zones = names(&pattern.zones, pattern.zones.len());
        let noun = if pattern.zones.len() == 1 {
            "zone   "
        } else {
            "zones  "
        };
        parts.push(label(noun, &format!("{zones}{well}")));
    }
    parts.push(label("since  ", &pattern.since.to_the_minute()));
    if !pattern.also.is_empty() {
        parts.push(label("also   ", &from_names(&pattern.also.join(", "))));
    }
    for users in &pattern.hurts {
        parts.push(label("hurts  ", &sentence(&users.text)));
    }
    let cause = format!("{} ({})", sentence(&pattern.meaning), sure(pattern));
    parts.push(label("cause  ", &cause));
    parts.push(label("do     ", &sentence(&pattern.remedy)));
    Branch::new(headline).with(parts)
}

fn matrix(out: &mut impl Write, matrix: &Matrix<'_>, width: Option<usize>) -> io::Result<()> {
    for column in &matrix.columns {
        let letter = paint(BOLD, &column.letter.to_string());
        let text = format!("{letter}  {}", describe(column.group));
        hanging(out, text, 3, width)?;
    }
    if matrix.groups_left_off.0 > 0 {
        let (groups, nodes) = matrix.groups_left_off;
        let (groups, nodes) = (counted(groups as u64, "more group"), counted(nodes, "node"));
        writeln!(out, "{DIM}{groups} of {nodes} not shown{DIM:#}")?;
    }
    if matrix.has_trouble() {
        writeln!(out)?;
        let cells_width = 3 * matrix.columns.len() + 2;
        let names = matrix.rows.iter().map(|row| row.target.chars().count());
        let widest = names.max().unwrap_or_default();
        let name_width = width.map_or(widest, |width| {
            let room = width.saturating_sub(cells_width + REASON_WIDTH);
            widest.min(room.max(NARROWEST_NAME))
        });
        let letters = matrix
            .columns
            .iter()
            .map(|column| format!("  {}", column.letter));
        writeln!(out, "{:name_width$}{}", "", letters.collect::<String>())?;
        for row in &matrix.rows {
            let cells = row.cells.iter();
            let cells = cells.map(|cell| format!("  {}", painted(cell.state)));
            let cells: String = cells.collect();
            let reasons = reasons(row);
            let target = shortened(&from_wire(row.target), name_width);
            let text = format!("{target:name_width$}{cells}  {DIM}{reasons}{DIM:#}");
            hanging(out, text, name_width + cells_width, width)?;
        }
        if matrix.rows_left_off > 0 {
            let more = counted(matrix.rows_left_off as u64, "more target");
            writeln!(out, "{DIM}{more} in trouble not shown{DIM:#}")?;
        }
    }
    let green = style_of(Outcome::Pass);
    if let Some(passing) = matrix.passing() {
        writeln!(
            out,
            "{green}✓{green:#} {passing} without trouble on any node"
        )?;
    }
    let legend = matrix.legend();
    if !legend.is_empty() {
        writeln!(out, "{DIM}{legend}{DIM:#}")?;
    }
    let mut groups = matrix.columns.iter().map(|column| column.group);
    if groups.any(|group| !group.troubles.is_empty() && group.count as usize > NAMED) {
        writeln!(out, "{DIM}-o json names every node{DIM:#}")?;
    }
    Ok(())
}

/// A line that is continued below its last column where it is longer than `width`.
fn hanging(
    out: &mut impl Write,
    text: String,
    hang: usize,
    width: Option<usize>,
) -> io::Result<()> {
    // On a terminal too narrow for that, the rest begins further to the left.
    let hang = width.map_or(hang, |width| hang.min(width / 2));
    Branch::hanging_line(text, hang).write(out, width)
}

/// A name in at most `room` characters. Its start tells it from others, and its end what it is.
fn shortened(name: &str, room: usize) -> String {
    let count = name.chars().count();
    if count <= room {
        return name.to_owned();
    }
    let end = room / 3;
    let start: String = name.chars().take(room - end - 1).collect();
    let end: String = name.chars().skip(count - end).collect();
    format!("{start}…{end}")
}

/// `3 nodes  a-0, a-1, a-2  pool a, zone 1`.
fn describe(group: &NodeGroup) -> String {
    let names = from_names(&some_of(&group.nodes, NAMED, group.count as usize));
    let shared = from_names(&group.shared.join(", "));
    let stale = if group.stale { "  silent" } else { "" };
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

fn painted(state: State) -> String {
    match state {
        State::Judged(outcome) => paint(style_of(outcome), state.mark()),
        State::Unknown | State::Absent => paint(DIM, state.mark()),
    }
}

/// The reasons of a row, each once.
fn reasons(row: &Row<'_>) -> String {
    let mut reasons: Vec<String> = Vec::new();
    for cell in &row.cells {
        let why = cell.why();
        if !why.is_empty() && !reasons.contains(&why) {
            reasons.push(why);
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
