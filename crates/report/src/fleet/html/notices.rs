//! Notices: what stands above the table of targets: what failing nodes have in common, the gate, and nodes that
//! nothing is known of.

use maud::{Markup, html};
use privatelink_fleet::FleetReport;
use privatelink_fleet::gate::{Answer, GateReport};
use privatelink_fleet::report::{NodeCounts, PatternReport};
use privatelink_verdict::verdict::Outcome;

use super::super::{counted, some_of, sure};
use super::{NAMED, safe};
use crate::page::components::label;
use crate::page::view::View;

/// Patterns that are shown at once; the others can be unfolded.
const AT_ONCE: usize = 5;

/// What failing nodes have in common, the worst first. `unfolded`: with all names at once.
pub(super) fn patterns(report: &FleetReport, view: &View, unfolded: bool) -> Markup {
    let (first, others) = report.patterns.split_at(report.patterns.len().min(AT_ONCE));
    html! {
        @for pattern in first { (pattern_notice(pattern, view, unfolded)) }
        @if !others.is_empty() {
            details open[unfolded] {
                summary { (counted(others.len() as u64, "more pattern")) }
                @for pattern in others { (pattern_notice(pattern, view, unfolded)) }
            }
        }
        @if report.left_off.patterns > 0 {
            p.quiet { (counted(report.left_off.patterns, "more pattern")) " not shown" }
        }
    }
}

fn pattern_notice(pattern: &PatternReport, view: &View, unfolded: bool) -> Markup {
    let outcome = pattern.outcome.as_str();
    let samples = some_of(&pattern.samples, NAMED, pattern.nodes as usize);
    html! {
        section class={"notice " (outcome)} {
            h2 { (label(outcome, outcome)) " " (safe(&pattern.headline)) }
            p.remedy { (safe(&pattern.remedy)) }
            @for users in &pattern.hurts { p { "Hurts " (safe(&users.text)) "." } }
            p.quiet { "Likely cause: " (safe(&pattern.meaning)) " (" (safe(&sure(pattern))) ")" }
            details.quiet open[unfolded] {
                summary {
                    (counted(pattern.targets.len() as u64, "target")) " on " (counted(pattern.nodes, "node"))
                }
                p {
                    @for (index, target) in pattern.targets.iter().take(NAMED).enumerate() {
                        @if index > 0 { ", " }
                        a data-soft href={ (view.link("open", target)) "#t-" (target) } { (safe(target)) }
                    }
                    @if pattern.targets.len() > NAMED { " and " (pattern.targets.len() - NAMED) " more" }
                }
                p {
                    (safe(&samples))
                    @if !pattern.except.is_empty() {
                        @let well = pattern.of_nodes.saturating_sub(pattern.nodes) as usize;
                        "; but not " (safe(&some_of(&pattern.except, NAMED, well)))
                    }
                    @if !pattern.also.is_empty() { "; also: " (safe(&pattern.also.join(", "))) }
                }
                @if !pattern.zones.is_empty() {
                    p {
                        "Private zones: " (safe(&some_of(&pattern.zones, NAMED, pattern.zones.len())))
                        @if !pattern.same_zone.is_empty() {
                            "; well in the same zone: " (safe(&pattern.same_zone.join(", ")))
                        }
                    }
                }
            }
        }
    }
}

/// May public access be turned off? The answer is a line; what it is made from unfolds.
pub(super) fn gate_notice(gate: &GateReport, unfolded: bool) -> Markup {
    let outcome = match gate.answer {
        Answer::Yes => Outcome::Pass,
        Answer::No => Outcome::Fail,
        Answer::CannotTell => Outcome::Warn,
    };
    let word = match gate.answer {
        Answer::Yes => "yes",
        Answer::No => "no",
        Answer::CannotTell => "cannot tell",
    };
    let headline = html! { (label(outcome.as_str(), word)) " " (safe(&gate.headline)) };
    let is_alone = gate.breaks.is_empty()
        && gate.unknown.is_empty()
        && gate.excused.is_empty()
        && gate.not_judged.is_empty();
    html! {
        section.notice.gate aria-label="May public access be turned off?" {
            @if is_alone {
                p { (headline) }
            } @else {
                details #gate open[unfolded] {
                    summary { (headline) }
                    ul {
                        @for one in &gate.breaks { li { (safe(&one.sentence)) } }
                        @for unknown in &gate.unknown {
                            li { (safe(&unknown.sentence)) " " (safe(&unknown.remedy)) }
                        }
                        @for excused in &gate.excused { li { "Excused: " (safe(&excused.sentence)) } }
                        @for one in &gate.not_judged {
                            li {
                                "Not judged: " (safe(&one.meaning)) " "
                                (safe(&some_of(&one.targets, NAMED, one.count as usize)))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Nodes that nothing is known of now.
pub(super) fn uncovered(nodes: &NodeCounts) -> Markup {
    html! {
        @if nodes.stale + nodes.uncovered > 0 {
            ul.quiet {
                @for stale in &nodes.stale_samples {
                    li { (safe(&stale.node)) " has not answered since " (stale.answered_last.to_the_minute()) }
                }
                @let more = u64::from(nodes.stale).saturating_sub(nodes.stale_samples.len() as u64);
                @if more > 0 { li { (counted(more, "more node")) " silent too" } }
                @for uncovered in &nodes.why_uncovered {
                    li {
                        (counted(uncovered.count, "node")) ": " (safe(&uncovered.meaning)) " "
                        (safe(&some_of(&uncovered.samples, NAMED, uncovered.count as usize)))
                    }
                }
            }
        }
    }
}
