//! Tree: what `check` prints for people: a tree per target, or a line.
//!
//! Everything is written with its colours; whoever writes to a pipe strips them at the edge
//! (`anstream` does).

use std::io::{self, Write};

use anstyle::{AnsiColor, Effects, Style};
use privatelink_verdict::address::Class;
use privatelink_verdict::name::privatelink_zone;
use privatelink_verdict::observation::{
    Address, Certificate, Comparison, Connection, Observation, Query, Resolution, Skip, TcpOutcome,
    TlsOutcome,
};
use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::verdict::{Finding, Outcome};

use crate::board::Probed;
use crate::report::authority::{ZoneAuthority, zone_authority};
use crate::report::json::convert::remedy_of;
use crate::report::text::{expiry, from_wire, sentence, short_duration};

/// The most addresses of one answer that are drawn.
const ADDRESSES: usize = 16;
/// The most names of a certificate that are drawn, and addresses on one line.
const INLINE: usize = 3;

const DIM: Style = Style::new().effects(Effects::DIMMED);
const BOLD: Style = Style::new().bold();

/// Writes a tree for each of `probes`, and a closing line with counts.
pub fn write_trees<'a>(
    out: &mut impl Write,
    probes: impl IntoIterator<Item = &'a Probed>,
) -> io::Result<()> {
    let mut counts = Counts::default();
    for probed in probes {
        counts.add(probed);
        tree(probed).write(out)?;
        writeln!(out)?;
    }
    counts.write(out)
}

/// Writes a line for each of `probes`, and a closing line with counts.
pub fn write_short<'a>(
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

fn tree(probed: &Probed) -> Node {
    let (observation, verdict) = (&probed.observation, &probed.verdict);
    let mark = match verdict.outcome {
        Outcome::Pass => "✓",
        Outcome::Warn => "!",
        Outcome::Fail => "✗",
    };
    let mark = paint(style_of(verdict.outcome), mark);
    let name = paint(BOLD, &probed.target.name);
    let mut head = format!("{mark} {}  {name}", word(verdict.outcome));
    if probed.target.name != probed.target.host {
        head += &format!("  {}:{}", probed.target.host, probed.target.port);
    }
    if verdict.reason != Reason::Ok {
        head += &format!(
            "  {}",
            paint(style_of(verdict.outcome), verdict.reason.as_str())
        );
    }
    let mut root = Node::new(head);
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
    root.branches.extend(addresses(observation));
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
    let mut node = Node::new(format!(
        "dns {}{}  {}",
        resolution.resolver,
        server.unwrap_or_default(),
        queries.join(", ")
    ));
    let chain = resolution.chain();
    if chain.len() > 1 || privatelink_zone(&probed.target.host).is_some() {
        let mut alias_seen = false;
        node.branches
            .extend(chain.iter().take(ADDRESSES).map(|name| {
                let first_alias = !alias_seen && privatelink_zone(name).is_some();
                alias_seen |= first_alias;
                let note = if first_alias {
                    alias_note(probed)
                } else {
                    String::new()
                };
                Node::new(format!("{}{note}", from_wire(name)))
            }));
    }
    Some(node)
}

fn alias_note(probed: &Probed) -> String {
    let zone = match zone_authority(&probed.target, &probed.observation) {
        ZoneAuthority::Private => ", its zone is private here",
        ZoneAuthority::Public => ", its zone is the public one here",
        ZoneAuthority::Unknown => ", who answers for its zone is unknown",
        ZoneAuthority::NotAsked => "",
    };
    format!("  {}", paint(DIM, &format!("← privatelink alias{zone}")))
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

fn addresses(observation: &Observation) -> Vec<Node> {
    let all = &observation.resolution.addresses;
    let mut nodes: Vec<_> = all
        .iter()
        .take(ADDRESSES)
        .map(|address| {
            let ttl = paint(DIM, &format!("ttl {} s", address.ttl));
            let mut node = Node::new(format!("{}  {ttl}", classified(address)));
            let mut connections = observation.connections.iter();
            if let Some(connection) = connections.find(|one| one.ip == address.ip) {
                node.branches = self::connection(connection);
            }
            node
        })
        .collect();
    if let Some(more) = all.len().checked_sub(ADDRESSES).filter(|more| *more > 0) {
        nodes.push(Node::new(format!("… {more} more addresses")));
    }
    nodes
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
    if let Some(outcome) = resolution.outcome()
        && resolution.addresses.is_empty()
    {
        return paint(DIM, &format!("no address: {outcome}"));
    }
    let shown = resolution.addresses.iter().take(INLINE);
    let mut text = shown.map(classified).collect::<Vec<_>>().join(", ");
    if resolution.addresses.len() > INLINE {
        text += &format!(" +{}", resolution.addresses.len() - INLINE);
    }
    text
}

fn connection(connection: &Connection) -> Vec<Node> {
    let dialled = format!("tcp {}", connection.port);
    let width = dialled.len();
    let mut tcp = format!("{dialled}  ");
    tcp += &ended(connection.tcp.as_str(), connection.tcp == TcpOutcome::Ok);
    match connection.skip {
        Some(Skip::Reserved) => tcp += ": a reserved or denied address is not dialled",
        Some(Skip::NoRoute) => tcp += ": no route for this family, so it is not counted",
        Some(Skip::TooMany) => tcp += ": more addresses than are dialled at once",
        None => {}
    }
    if let Some(elapsed) = connection.tcp_elapsed {
        tcp += &format!("  {}", paint(DIM, &short_duration(elapsed)));
    }
    if let Some((port, open)) = connection.other_port {
        let state = if open {
            "opens"
        } else {
            "does not open either"
        };
        tcp += &format!("  port {port} {state}");
    }
    tcp += &detail(connection.tcp_detail.as_deref());
    let mut nodes = vec![Node::new(tcp)];
    let tls = connection.tls();
    if !matches!(tls, TlsOutcome::Skipped | TlsOutcome::NotApplicable) {
        let mut line = format!("{:width$}  ", "tls");
        line += &ended(tls.as_str(), tls == TlsOutcome::Ok);
        if let Some(elapsed) = connection.handshake_elapsed {
            line += &format!("  {}", paint(DIM, &short_duration(elapsed)));
        }
        line += &detail(connection.handshake_detail.as_deref());
        nodes.push(Node::new(line));
    }
    nodes.extend(connection.certificate.as_ref().map(certificate));
    nodes
}

fn ended(word: &str, well: bool) -> String {
    let quiet = well || word == TcpOutcome::Skipped.as_str();
    if quiet {
        word.to_owned()
    } else {
        paint(style_of(Outcome::Fail), word)
    }
}

fn detail(detail: Option<&str>) -> String {
    detail.map_or_else(String::new, |text| {
        format!("  {}", paint(DIM, &from_wire(text)))
    })
}

fn certificate(certificate: &Certificate) -> Node {
    let shown = certificate.names.iter().take(INLINE);
    let mut names = shown
        .map(|name| from_wire(name))
        .collect::<Vec<_>>()
        .join(", ");
    if certificate.names.len() > INLINE {
        names += &format!(" +{}", certificate.names.len() - INLINE);
    }
    if names.is_empty() {
        names = format!("no names, subject {}", from_wire(&certificate.subject));
    }
    let expires = expiry(certificate.not_after, certificate.verified_at);
    let issuer = from_wire(&certificate.issuer);
    let facts = format!("by {}, {expires}", common_name(&issuer));
    Node::new(format!("certificate for {names}  {}", paint(DIM, &facts)))
}

/// The common name of an RFC 4514 name, or all of it.
fn common_name(name: &str) -> &str {
    let mut parts = name.split(',').map(str::trim);
    parts
        .find_map(|part| part.strip_prefix("CN="))
        .unwrap_or(name)
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
