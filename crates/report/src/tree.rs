//! Tree: what `check` prints for people: a tree per target, or a line.
//!
//! Everything is written with its colours; whoever writes to a pipe strips them at the edge
//! (`anstream` does).

mod address;
mod finding;
mod node;

use std::fmt::Write as _;
use std::io::{self, Write};

use anstyle::{AnsiColor, Effects, Style};
use privatelink_verdict::address::Class;
use privatelink_verdict::alias::alias;
use privatelink_verdict::judge::{ZoneAuthority, zone_authority};
use privatelink_verdict::observation::{
    Address, Comparison, Query, QueryOutcome, Resolution, ServerAnswer,
};
use privatelink_verdict::reason::Reason;
use privatelink_verdict::verdict::Outcome;

use self::node::Node;
use crate::text::{from_wire, sentence, short_duration};
use privatelink_board::Probed;

/// The most addresses of one answer that are drawn.
const ADDRESSES: usize = 16;
/// The most names of a certificate that are drawn, and addresses on one line.
const INLINE: usize = 3;

const DIM: Style = Style::new().effects(Effects::DIMMED);
const BOLD: Style = Style::new().bold();

/// Writes a tree for each of `probes`, and a closing line with counts; wrapped to `width` columns
/// where there is a terminal with a width.
pub fn tree<'a>(
    out: &mut impl Write,
    probes: impl IntoIterator<Item = &'a Probed>,
    width: Option<usize>,
) -> io::Result<()> {
    let mut counts = Counts::default();
    for probed in probes {
        counts.add(probed);
        root(probed).write(out, width)?;
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
    let fault = observation.fault.as_ref().map(|fault| {
        let (operation, cause) = (from_wire(&fault.operation), from_wire(&fault.cause));
        Node::new(format!("{operation}: {cause}"))
    });
    let comparisons = observation.comparisons.iter();
    Node::new(head.join("  "))
        .line(sentence(&probed.prose().summary()).into_owned())
        .with(fault)
        .with(path(probed))
        .with(address::addresses(&probed.target, observation))
        .with(comparisons.map(|comparison| self::comparison(comparison, &observation.resolution)))
        .with(finding::findings(probed))
}

/// The resolver that the verdict is about, its server, and what it answered.
fn path(probed: &Probed) -> Option<Node> {
    let resolution = &probed.observation.resolution;
    if resolution.queries.is_empty() {
        return None;
    }
    let queries: Vec<_> = resolution.queries.iter().map(query).collect();
    let server = resolution.server().map(|server| format!(" {server}"));
    let mut line = format!(
        "path {}{}  {}",
        resolution.resolver,
        server.unwrap_or_default(),
        queries.join(", ")
    );
    let mut comparisons = probed.observation.comparisons.iter();
    if comparisons.any(|one| one.agrees_with(resolution) == Some(false)) {
        line.push_str(&paint(DIM, "  ← the path of this verdict"));
    }
    let alias = alias(&probed.target, resolution);
    let chain = resolution.chain();
    let shown = if chain.len() > 1 || alias.is_some() {
        chain
    } else {
        &[]
    };
    let names = shown.iter().take(ADDRESSES).map(|name| {
        if alias == Some(name) {
            Node::new(format!("{}  {}", from_wire(name), alias_note(probed)))
        } else {
            Node::new(from_wire(name).into_owned())
        }
    });
    let servers = resolution.servers.iter().map(alone);
    Some(Node::new(line).with(names).with(servers))
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
