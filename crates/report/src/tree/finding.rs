//! Finding: a judged fact in the tree: the primary one in full, the others in brief. The detail of
//! the primary one is left out, because the summary above it says the same.

use privatelink_board::Probed;
use privatelink_verdict::prose::Prose;
use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::sanitize::sentence;
use privatelink_verdict::verdict::{Confidence, Finding, Outcome};

use super::branch::Branch;
use super::style::{BOLD, DIM, paint, style_of};

/// The width of a label and the gap after it, in characters.
const LABEL: usize = 8;

pub(super) fn findings(probed: &Probed) -> Vec<Branch> {
    let findings = &probed.verdict.findings;
    let in_full = usize::from(probed.verdict.reason != Reason::Ok);
    let prose = probed.prose();
    let primary = findings.iter().take(in_full);
    let primary = primary.map(|finding| self::primary(finding, &prose));
    let others = findings.iter().skip(in_full);
    let others = others.map(|finding| brief(finding, &prose));
    primary.chain(others).collect()
}

fn primary(finding: &Finding, prose: &Prose<'_>) -> Branch {
    let confidence = format!("{} confidence", finding.confidence);
    let head = format!("{}  {}", heading(finding), paint(DIM, &confidence));
    let branch = Branch::new(head)
        .hanging(labelled("means", prose.meaning(finding)), LABEL)
        .hanging(labelled("do", &paint(BOLD, &prose.remedy(finding))), LABEL);
    match prose.command(finding) {
        Some(command) => branch.command(labelled("settle", ""), sentence(&command).into_owned()),
        None => branch,
    }
}

fn brief(finding: &Finding, prose: &Prose<'_>) -> Branch {
    let detail = prose.detail(finding);
    let branch = Branch::new(format!("{}: {}", heading(finding), sentence(&detail)));
    // Information asks for no action, so no command needs to settle it.
    if finding.severity == Severity::Info {
        return branch;
    }
    let mut meaning = prose.meaning(finding).to_owned();
    if finding.confidence != Confidence::High {
        meaning.push_str(&format!(" ({} confidence)", finding.confidence));
    }
    let branch = branch.line(paint(DIM, &meaning));
    match prose.command(finding) {
        Some(command) => branch.command(String::new(), sentence(&command).into_owned()),
        None => branch,
    }
}

/// `fail public_fallback`.
fn heading(finding: &Finding) -> String {
    let style = match finding.severity {
        Severity::Fail => style_of(Outcome::Fail),
        Severity::Warn => style_of(Outcome::Warn),
        Severity::Info => DIM,
    };
    let severity = paint(style, finding.severity.as_str());
    format!("{severity} {}", finding.reason)
}

fn labelled(label: &str, text: &str) -> String {
    let width = LABEL - 1;
    format!("{DIM}{label:width$}{DIM:#} {text}")
}
