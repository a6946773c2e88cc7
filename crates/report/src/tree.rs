//! Tree: what `check` prints for people: a tree per target, or a line.

mod address;
pub(crate) mod branch;
mod dns;
mod finding;
pub(crate) mod style;
mod wrap;

use std::io::{self, Write};

use privatelink_board::Probed;
use privatelink_verdict::reason::Reason;
use privatelink_verdict::sanitize::{from_wire, sentence};
use privatelink_verdict::verdict::Outcome;

use self::branch::Branch;
use self::style::{BOLD, capitals, paint, style_of};

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
        target(probed).write(out, width)?;
        writeln!(out)?;
    }
    counts.write(out)
}

/// Writes a line for each of `probes`, and a closing line with counts.
pub fn short<'a>(
    out: &mut impl Write,
    probes: impl IntoIterator<Item = &'a Probed> + Clone,
) -> io::Result<()> {
    let widest = |of: fn(&Probed) -> usize| probes.clone().into_iter().map(of).max();
    let name_width = widest(|probed| probed.target.name.len()).unwrap_or_default();
    let reason_width = widest(|probed| probed.verdict.reason.as_str().len()).unwrap_or_default();
    let mut counts = Counts::default();
    for probed in probes {
        counts.add(probed);
        let outcome = capitals(probed.verdict.outcome);
        let (name, reason) = (&probed.target.name, probed.verdict.reason);
        let answer = dns::answer(&probed.observation.resolution);
        writeln!(
            out,
            "{outcome}  {name:name_width$}  {reason:reason_width$}  {answer}"
        )?;
    }
    counts.write(out)
}

fn target(probed: &Probed) -> Branch {
    let observation = &probed.observation;
    let fault = observation.fault.as_ref().map(|fault| {
        let (operation, cause) = (from_wire(&fault.operation), from_wire(&fault.cause));
        Branch::new(format!("{operation}: {cause}"))
    });
    let mut head =
        Branch::new(headline(probed)).line(sentence(&probed.prose().summary()).into_owned());
    if let Some(users) = &probed.target.users {
        head = head.line(format!("used: {}", sentence(&users.to_string())));
    }
    head.with(fault)
        .with(dns::path(probed))
        .with(address::addresses(&probed.target, observation))
        .with(dns::comparisons(observation))
        .with(finding::findings(probed))
}

/// `✗ FAIL  name  host:port  reason`.
fn headline(probed: &Probed) -> String {
    let (target, verdict) = (&probed.target, &probed.verdict);
    let style = style_of(verdict.outcome);
    let mark = match verdict.outcome {
        Outcome::Pass => "✓",
        Outcome::Warn => "!",
        Outcome::Fail => "✗",
    };
    let mut parts = vec![
        format!("{} {}", paint(style, mark), capitals(verdict.outcome)),
        paint(BOLD, &target.name),
    ];
    if target.name != target.host {
        parts.push(format!("{}:{}", target.host, target.port));
    }
    if verdict.reason != Reason::Ok {
        parts.push(paint(style, verdict.reason.as_str()));
    }
    parts.join("  ")
}

/// How many targets had which outcome.
#[derive(Default)]
struct Counts([usize; Outcome::ALL.len()]);

impl Counts {
    fn add(&mut self, probed: &Probed) {
        self.0[probed.verdict.outcome as usize] += 1;
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let total: usize = self.0.iter().sum();
        let noun = if total == 1 { "target" } else { "targets" };
        let worst_first = Outcome::ALL.iter().rev();
        let parts: Vec<_> = worst_first
            .map(|&outcome| (outcome, self.0[outcome as usize]))
            .filter(|(_, count)| *count > 0)
            .map(|(outcome, count)| paint(style_of(outcome), &format!("{count} {outcome}")))
            .collect();
        writeln!(out, "{total} {noun}: {}", parts.join(", "))
    }
}

#[cfg(test)]
mod tests;
