//! Open target: one target on all nodes: why it does not pass, where, since when, and what to do.

use maud::{Markup, html};
use privatelink_fleet::report::{TargetOnNodes, Trouble};
use privatelink_fleet::{FleetReport, Moment};
use privatelink_verdict::verdict::Outcome;

use super::super::{counted, some_of};
use super::safe;
use crate::page::components::{command, label, table};
use crate::page::runbook_section::runbook_section;

/// Nodes of one kind of trouble that are named.
const NAMED: usize = 20;

pub(super) fn open_target(target: &TargetOnNodes, report: &FleetReport) -> Markup {
    let troubles = troubles(&target.target, report);
    html! {
        p.facts {
            (safe(&target.host)) " · " (safe(&target.service)) " · judged on " (counted(target.nodes, "node"))
        }
        @if let Some(users) = &target.users {
            p { "Hurts " (safe(&users.text)) @if users.workloads > 0 { " (" (safe(&users.examples.join(", "))) ")" } }
        }
        @if troubles.is_empty() {
            p { "It passes on every node that judged it lately." }
        } @else {
            (table("Why it does not pass", ["Outcome", "Reason", "Path", "Since", "Nodes"], &troubles, trouble_row))
        }
        h3 { "Commands that tell more" }
        @if is_word(&target.target) {
            (command(&format!("kubectl privatelink report --target {}", target.target)))
        }
        @if let Some(node) = troubles.first().and_then(|it| it.nodes.first()).filter(|node| is_word(node)) {
            (command(&format!("kubectl describe node {node}")))
        }
        @if let Some(reason) = &target.reason { (runbook_section(reason)) }
    }
}

/// The same trouble on the nodes of several groups.
struct Everywhere<'a> {
    trouble: &'a Trouble,
    since: Moment,
    nodes: Vec<&'a String>,
}

/// What is wrong with a target, the worst first, and each once.
fn troubles<'a>(target: &str, report: &'a FleetReport) -> Vec<Everywhere<'a>> {
    let mut found: Vec<Everywhere<'a>> = Vec::new();
    for group in &report.groups {
        let of_target = |trouble: &&Trouble| trouble.targets.iter().any(|name| name == target);
        for trouble in group.troubles.iter().filter(of_target) {
            let is_same = |it: &&mut Everywhere<'_>| {
                let before = it.trouble;
                (before.outcome, &before.reason, &before.path)
                    == (trouble.outcome, &trouble.reason, &trouble.path)
            };
            match found.iter_mut().find(is_same) {
                Some(it) => {
                    it.since = it.since.min(trouble.since);
                    it.nodes.extend(&group.nodes);
                }
                None => found.push(Everywhere {
                    trouble,
                    since: trouble.since,
                    nodes: group.nodes.iter().collect(),
                }),
            }
        }
    }
    found.sort_by_key(|it| std::cmp::Reverse((it.trouble.outcome, it.nodes.len())));
    found
}

fn trouble_row(it: &Everywhere<'_>) -> [Markup; 5] {
    let state = it.trouble.outcome.map_or("unknown", Outcome::as_str);
    let names: Vec<String> = it
        .nodes
        .iter()
        .take(NAMED)
        .map(|name| (*name).clone())
        .collect();
    [
        label(
            state,
            if state == "unknown" {
                "not judged"
            } else {
                state
            },
        ),
        html! { code { (safe(&it.trouble.reason)) } },
        html! { (safe(&it.trouble.path.replace('_', " "))) },
        html! { span.time { (it.since.to_the_minute()) } },
        html! { (counted(it.nodes.len() as u64, "node")) ": " (safe(&some_of(&names, NAMED, it.nodes.len()))) },
    ]
}

/// Whether a shell takes a name from elsewhere as one word as it is.
fn is_word(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_a_shell_would_act_on_is_in_no_command() {
        assert!(is_word("contoso-acr:data:westeurope") && is_word("kv-1.vault.azure.net"));
        for evil in ["", "-rf", "a b", "a;b", "$(a)", "a`b`", "a|b", "ä"] {
            assert!(!is_word(evil), "{evil}");
        }
    }
}
