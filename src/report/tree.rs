//! Tree: what `check` prints for people: a tree per target, or a line.
//!
//! Everything is written with its colours; whoever writes to a pipe strips them at the edge
//! (`anstream` does).

mod address;

use std::fmt::Write as _;
use std::io::{self, Write};

use anstyle::{AnsiColor, Effects, Style};
use privatelink_verdict::address::Class;
use privatelink_verdict::alias::alias;
use privatelink_verdict::judge::{ZoneAuthority, zone_authority};
use privatelink_verdict::observation::{
    Address, Comparison, Query, QueryOutcome, Resolution, ServerAnswer,
};
use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::verdict::{Finding, Outcome};

use crate::board::Probed;
use crate::report::json::convert::remedy_of;
use crate::report::text::{from_wire, sentence, short_duration};

/// The most addresses of one answer that are drawn.
const ADDRESSES: usize = 16;
/// The most names of a certificate that are drawn, and addresses on one line.
const INLINE: usize = 3;

const DIM: Style = Style::new().effects(Effects::DIMMED);
const BOLD: Style = Style::new().bold();

/// Writes a tree for each of `probes`, and a closing line with counts.
pub fn tree<'a>(
    out: &mut impl Write,
    probes: impl IntoIterator<Item = &'a Probed>,
) -> io::Result<()> {
    let mut counts = Counts::default();
    for probed in probes {
        counts.add(probed);
        root(probed).write(out)?;
        writeln!(out)?;
    }
    counts.write(out)
}

/// Writes a line for each of `probes`, and a closing line with counts.
pub fn short<'a>(
    out: &mut impl Write,
    probes: impl IntoIterator<Item = &'a Probed> + Clone,
) -> io::Result<()> {
    let widths = |of: fn(&Probed) -> usize| probes.clone().into_iter().map(of).max();
    let name_width = widths(|probed| probed.target.name.len()).unwrap_or_default();
    let reason_width = widths(|probed| probed.verdict.reason.as_str().len()).unwrap_or_default();
    let mut counts = Counts::default();
    for probed in probes {
        counts.add(probed);
        let outcome = word(probed.verdict.outcome);
        let (name, reason) = (&probed.target.name, probed.verdict.reason);
        let addresses = inline_addresses(&probed.observation.resolution);
        writeln!(
            out,
            "{outcome}  {name:name_width$}  {reason:reason_width$}  {addresses}"
        )?;
    }
    counts.write(out)
}

/// How many targets ended how.
#[derive(Default)]
struct Counts([usize; Outcome::ALL.len()]);

impl Counts {
    fn add(&mut self, probed: &Probed) {
        self.0[probed.verdict.outcome as usize] += 1;
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let total: usize = self.0.iter().sum();
        let outcomes = Outcome::ALL.iter().rev();
        let parts: Vec<_> = outcomes
            .filter(|outcome| self.0[**outcome as usize] > 0)
            .map(|&outcome| {
                let text = format!("{} {outcome}", self.0[outcome as usize]);
                paint(style_of(outcome), &text)
            })
            .collect();
        let noun = if total == 1 { "target" } else { "targets" };
        writeln!(out, "{total} {noun}: {}", parts.join(", "))
    }
}

/// A line, lines below it that are indented with it, and branches.
struct Node {
    lines: Vec<String>,
    branches: Vec<Node>,
}

impl Node {
    fn new(line: String) -> Self {
        Self {
            lines: vec![line],
            branches: Vec::new(),
        }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for line in &self.lines {
            writeln!(out, "{line}")?;
        }
        self.write_branches(out, "")
    }

    fn write_branches(&self, out: &mut impl Write, indent: &str) -> io::Result<()> {
        for (index, branch) in self.branches.iter().enumerate() {
            let last = index + 1 == self.branches.len();
            let (fork, below) = if last {
                ("└─", "   ")
            } else {
                ("├─", "│  ")
            };
            for (index, line) in branch.lines.iter().enumerate() {
                let stem = if index == 0 { fork } else { below.trim_end() };
                writeln!(out, "{indent}{DIM}{stem:2}{DIM:#} {line}")?;
            }
            let deeper = format!("{indent}{DIM}{below}{DIM:#}");
            branch.write_branches(out, &deeper)?;
        }
        Ok(())
    }
}

fn root(probed: &Probed) -> Node {
    let (observation, verdict) = (&probed.observation, &probed.verdict);
    let mark = match verdict.outcome {
        Outcome::Pass => "✓",
        Outcome::Warn => "!",
        Outcome::Fail => "✗",
    };
    let mark = paint(style_of(verdict.outcome), mark);
    let name = paint(BOLD, &probed.target.name);
    let mut head = vec![format!("{mark} {}", word(verdict.outcome)), name];
    if probed.target.name != probed.target.host {
        head.push(format!("{}:{}", probed.target.host, probed.target.port));
    }
    if verdict.reason != Reason::Ok {
        let reason = verdict.reason.as_str();
        head.push(paint(style_of(verdict.outcome), reason));
    }
    let mut root = Node::new(head.join("  "));
    root.lines.push(sentence(&verdict.summary).into_owned());
    if let Some(fault) = &observation.fault {
        let text = format!(
            "{}: {}",
            from_wire(&fault.operation),
            from_wire(&fault.cause)
        );
        root.branches.push(Node::new(text));
    }
    root.branches.extend(resolution(probed));
    root.branches
        .extend(address::addresses(&probed.target, observation));
    root.branches.extend(
        observation
            .comparisons
            .iter()
            .map(|comparison| self::comparison(comparison, &observation.resolution)),
    );
    // The primary finding is the summary's.
    let told = usize::from(verdict.reason != Reason::Ok);
    let others = verdict.findings.iter().skip(told);
    root.branches.extend(others.map(finding));
    root.branches.extend(remedy(probed));
    root
}

fn remedy(probed: &Probed) -> Option<Node> {
    let verdict = &probed.verdict;
    if verdict.reason == Reason::Ok {
        return None;
    }
    let remedy = remedy_of(verdict.reason).unwrap_or("see the runbook");
    let mut advice = Node::new(format!("→ {remedy}"));
    let mut commands = verdict
        .findings
        .iter()
        .filter_map(|one| one.command.as_ref());
    if let Some(command) = commands.next() {
        let command = format!("$ {}", sentence(command));
        advice.lines.push(format!("  {}", paint(DIM, &command)));
    }
    Some(advice)
}

fn resolution(probed: &Probed) -> Option<Node> {
    let resolution = &probed.observation.resolution;
    if resolution.queries.is_empty() {
        return None;
    }
    let queries: Vec<_> = resolution.queries.iter().map(query).collect();
    let server = resolution.server().map(|server| format!(" {server}"));
    let mut comparisons = probed.observation.comparisons.iter();
    let note = if comparisons.any(|one| one.agrees_with(resolution) == Some(false)) {
        paint(DIM, "  ← the path of this verdict")
    } else {
        String::new()
    };
    let mut node = Node::new(format!(
        "dns {}{}  {}{note}",
        resolution.resolver,
        server.unwrap_or_default(),
        queries.join(", ")
    ));
    let alias = alias(&probed.target, resolution);
    let chain = resolution.chain();
    if chain.len() > 1 || alias.is_some() {
        let names = chain.iter().take(ADDRESSES);
        node.branches.extend(names.map(|name| {
            if alias == Some(name) {
                Node::new(format!("{}  {}", from_wire(name), alias_note(probed)))
            } else {
                Node::new(from_wire(name).into_owned())
            }
        }));
    }
    node.branches.extend(resolution.servers.iter().map(alone));
    Some(node)
}

/// What one server of the path said when it was asked alone.
fn alone(answer: &ServerAnswer) -> Node {
    let said = inline(answer.outcome(), &answer.addresses);
    let times = match answer.times {
        ..=1 => String::new(),
        times => paint(DIM, &format!("  {times} times")),
    };
    Node::new(format!("server {} alone  {said}{times}", answer.server))
}

fn alias_note(probed: &Probed) -> String {
    let zone = match zone_authority(&probed.target, &probed.observation) {
        ZoneAuthority::Private => ", its zone is private here",
        ZoneAuthority::Public => ", its zone is the public one here",
        ZoneAuthority::Unknown => ", who answers for its zone is unknown",
        ZoneAuthority::NotAsked => "",
    };
    paint(DIM, &format!("← privatelink alias{zone}"))
}

fn query(query: &Query) -> String {
    let family = query.family.record_type();
    let outcome = query.outcome.as_str();
    let elapsed = short_duration(query.elapsed);
    let text = if query.tries > 1 {
        format!("{family} {outcome} ({elapsed}, {} tries)", query.tries)
    } else {
        format!("{family} {outcome} ({elapsed})")
    };
    if query.outcome.is_failure() {
        paint(style_of(Outcome::Fail), &text)
    } else {
        text
    }
}

fn classified(address: &Address) -> String {
    let style = match address.class {
        Class::Expected | Class::Private => style_of(Outcome::Pass),
        Class::Public => style_of(Outcome::Warn),
        Class::Reserved => style_of(Outcome::Fail),
    };
    format!(
        "{} {}",
        address.ip,
        paint(style, &format!("({})", address.class))
    )
}

fn inline_addresses(resolution: &Resolution) -> String {
    inline(resolution.outcome(), &resolution.addresses)
}

fn inline(outcome: Option<QueryOutcome>, addresses: &[Address]) -> String {
    if let Some(outcome) = outcome
        && addresses.is_empty()
    {
        return paint(DIM, &format!("no address: {outcome}"));
    }
    let shown = addresses.iter().take(INLINE);
    let mut text = shown.map(classified).collect::<Vec<_>>().join(", ");
    if addresses.len() > INLINE {
        let _ = write!(text, " +{}", addresses.len() - INLINE);
    }
    text
}

fn comparison(comparison: &Comparison, path: &Resolution) -> Node {
    let resolution = &comparison.resolution;
    let server = resolution.server().map(|server| format!(" {server}"));
    let agrees = match comparison.agrees_with(path) {
        Some(true) => paint(DIM, "agrees"),
        Some(false) if comparison.must_agree => paint(style_of(Outcome::Warn), "disagrees"),
        Some(false) => "differs, as it may".to_owned(),
        None => paint(DIM, "cannot be compared"),
    };
    Node::new(format!(
        "resolver {}{}  {}  {agrees}",
        resolution.resolver,
        server.unwrap_or_default(),
        inline_addresses(resolution),
    ))
}

fn finding(finding: &Finding) -> Node {
    let style = match finding.severity {
        Severity::Fail => style_of(Outcome::Fail),
        Severity::Warn => style_of(Outcome::Warn),
        Severity::Info => DIM,
    };
    let severity = paint(style, finding.severity.as_str());
    Node::new(format!(
        "{severity} {}: {}",
        finding.reason,
        sentence(&finding.detail)
    ))
}

fn word(outcome: Outcome) -> String {
    paint(style_of(outcome), &outcome.as_str().to_uppercase())
}

fn style_of(outcome: Outcome) -> Style {
    let colour = match outcome {
        Outcome::Pass => AnsiColor::Green,
        Outcome::Warn => AnsiColor::Yellow,
        Outcome::Fail => AnsiColor::Red,
    };
    colour.on_default().bold()
}

fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
mod tests;
