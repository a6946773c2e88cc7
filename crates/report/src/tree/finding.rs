//! Finding: a judged fact in the tree: the primary one in full, the others in brief.
//!
//! What was seen of the primary one is the summary's to tell.

use privatelink_verdict::prose::Prose;
use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::verdict::{Confidence, Finding, Outcome};

use super::node::Node;
use super::{BOLD, DIM, paint, style_of};
use crate::text::sentence;
use privatelink_board::Probed;

/// The columns of a label and the gap after it.
const LABEL: usize = 8;

pub(super) fn findings(probed: &Probed) -> Vec<Node> {
    let findings = &probed.verdict.findings;
    let told = usize::from(probed.verdict.reason != Reason::Ok);
    let prose = probed.prose();
    let primary = findings.iter().take(told).map(|f| primary(f, &prose));
    primary
        .chain(findings.iter().skip(told).map(|f| brief(f, &prose)))
        .collect()
}

fn primary(finding: &Finding, prose: &Prose<'_>) -> Node {
    let confidence = format!("{} confidence", finding.confidence);
    let head = format!("{}  {}", headed(finding), paint(DIM, &confidence));
    let node = Node::new(head)
        .hanging(labelled("means", prose.meaning(finding)), LABEL)
        .hanging(labelled("do", &paint(BOLD, prose.remedy(finding))), LABEL);
    match prose.command(finding) {
        Some(command) => node.whole(labelled("settle", &format!("$ {}", sentence(&command)))),
        None => node,
    }
}

fn brief(finding: &Finding, prose: &Prose<'_>) -> Node {
    let node = Node::new(format!(
        "{}: {}",
        headed(finding),
        sentence(&prose.detail(finding))
    ));
    // What is only worth knowing needs no settling.
    if finding.severity == Severity::Info {
        return node;
    }
    let mut meaning = prose.meaning(finding).to_owned();
    if finding.confidence != Confidence::High {
        meaning.push_str(&format!(" ({} confidence)", finding.confidence));
    }
    let node = node.line(paint(DIM, &meaning));
    match prose.command(finding) {
        Some(command) => node.whole(paint(DIM, &format!("$ {}", sentence(&command)))),
        None => node,
    }
}

/// `fail public_fallback`.
fn headed(finding: &Finding) -> String {
    let style = match finding.severity {
        Severity::Fail => style_of(Outcome::Fail),
        Severity::Warn => style_of(Outcome::Warn),
        Severity::Info => DIM,
    };
    format!(
        "{} {}",
        paint(style, finding.severity.as_str()),
        finding.reason
    )
}

fn labelled(label: &str, text: &str) -> String {
    let width = LABEL - 1;
    format!("{DIM}{label:width$}{DIM:#} {text}")
}
