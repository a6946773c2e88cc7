//! The runbook holds what the agent promises: a section per reason that begins with its remedy, has
//! every part, and agrees with the chart's alerts.

use std::collections::BTreeSet;

use privatelink_verdict::reason::{Reason, Severity};

const RUNBOOK: &str = include_str!("../../../docs/runbook.md");

/// The chart's alerts with its defaults, as tests/generate writes them.
const RULES: &str = include_str!("../../../deploy/prometheus-rules.yaml");

/// What they are made from, with those that are switched off by default.
const TEMPLATE: &str = include_str!("../../../charts/privatelink-prober/templates/_rules.tpl");

const AGENTS: &str = "alerts about nodes and agents";

const PARTS: [&str; 6] = [
    "**Means.**",
    "**Users see.**",
    "**Confirm.**",
    "**Fix.**",
    "**Alert.**",
    "**Not to be confused with.**",
];

/// The ways to repair an Azure resource, each the beginning of a line in a fix.
const WAYS: [&str; 4] = ["- Portal:", "- CLI:", "- Bicep:", "- Terraform:"];

/// Reasons whose cause is an Azure resource: a zone, a link, a record, an endpoint, a rule, a route.
const AZURE: [Reason; 21] = [
    Reason::DnsTimeout,
    Reason::DnsServerUnreachable,
    Reason::DnsPrivateRecordMissing,
    Reason::DnsAliasDangling,
    Reason::DnsPrivateZoneNotLinked,
    Reason::DnsZoneShadows,
    Reason::AddressFlapping,
    Reason::MixedAddresses,
    Reason::PublicFallback,
    Reason::PublicFallbackZoneLinked,
    Reason::NoPrivateEndpoint,
    Reason::UnexpectedPrivateAddress,
    Reason::ResolverDisagreement,
    Reason::ProxyWouldBeUsed,
    Reason::ConnectTimeout,
    Reason::ConnectUnreachable,
    Reason::PortBlocked,
    Reason::PartiallyReachable,
    Reason::WrongPrivateEndpoint,
    Reason::AccessDenied,
    Reason::PublicPathSeen,
];

/// A section: the `#` heading it stands under, its own `##` heading, and its blocks as written.
struct Section {
    stage: &'static str,
    name: &'static str,
    blocks: Vec<&'static str>,
}

/// An alert of the chart: its name, the fragment of its runbook link, its query.
struct Alert {
    name: &'static str,
    anchor: &'static str,
    query: &'static str,
}

fn sections() -> Vec<Section> {
    let mut stage = "";
    let mut sections: Vec<Section> = Vec::new();
    for block in RUNBOOK.split("\n\n").map(str::trim_end) {
        if let Some(name) = block.strip_prefix("## ") {
            let blocks = Vec::new();
            sections.push(Section {
                stage,
                name,
                blocks,
            });
        } else if let Some(heading) = block.strip_prefix("# ") {
            stage = heading;
        } else if stage == "sources" {
            break;
        } else if let Some(section) = sections.last_mut().filter(|one| one.stage == stage) {
            section.blocks.push(block);
        }
    }
    sections
}

fn of_reasons() -> impl Iterator<Item = (Reason, Section)> {
    let sections = sections().into_iter();
    sections
        .filter(|section| section.stage != AGENTS)
        .map(|section| {
            let mut reasons = Reason::ALL.iter();
            let reason = reasons.find(|reason| reason.as_str() == section.name);
            (*reason.expect("a reason"), section)
        })
}

impl Section {
    /// The blocks of a part, from its bold word to the next one.
    fn part(&self, part: &str) -> String {
        let blocks = self.blocks.iter();
        let from = blocks.skip_while(|block| !block.starts_with(part));
        let rest = from.clone().skip(1);
        let rest = rest.take_while(|block| !block.starts_with("**"));
        let blocks: Vec<_> = from.take(1).chain(rest).copied().collect();
        blocks.join("\n\n")
    }
}

fn alerts() -> Vec<Alert> {
    let rules = RULES.split("- alert: ").skip(1).map(|rule| {
        let (name, rest) = rule.split_once('\n').expect("more than a name");
        let (query, rest) = rest.split_once("for: ").expect("a query before `for`");
        let (_, link) = rest.split_once("docs/runbook.md#").expect("a link");
        let (anchor, _) = link.split_once('"').expect("the end of the link");
        Alert {
            name,
            anchor,
            query,
        }
    });
    rules.collect()
}

/// The alerts that `text` names.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split('`').skip(1).step_by(2);
    words
        .filter(|word| word.starts_with("PrivateService") || word.starts_with("PrivateLink"))
        .collect()
}

/// The commands of `text`, which are indented; those of a list a little further.
fn commands(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| line.starts_with("    "));
    lines.map(str::trim).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_reason_but_ok_has_its_section_in_order_under_its_stage() {
    let expected = Reason::ALL.iter().filter(|reason| **reason != Reason::Ok);
    let expected: Vec<_> = expected
        .map(|reason| (reason.stage().as_str(), reason.as_str()))
        .collect();
    let found: Vec<_> = of_reasons()
        .map(|(_, section)| (section.stage, section.name))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn every_section_begins_with_the_remedy() {
    for (reason, section) in of_reasons() {
        assert_eq!(one_line(section.blocks[0]), reason.remedy(), "{reason}");
    }
}

#[test]
fn every_section_has_every_part_and_says_something_in_it() {
    for (reason, section) in of_reasons() {
        let bold = section
            .blocks
            .iter()
            .filter(|block| block.starts_with("**"));
        let parts: Vec<_> = bold
            .map(|text| PARTS.iter().find(|part| text.starts_with(**part)).copied())
            .collect();
        assert_eq!(parts, PARTS.map(Some), "{reason}");
        for part in PARTS {
            let said = section.part(part).len() - part.len();
            assert!(said > 10, "{reason}: {part}");
        }
    }
}

#[test]
fn every_section_confirms_by_commands_that_can_be_pasted() {
    let (introduction, _) = RUNBOOK.split_once("\n# agent\n").expect("an introduction");
    for (reason, section) in of_reasons() {
        let confirm = section.part("**Confirm.**");
        assert!(!commands(&confirm).is_empty(), "{reason}");
        for command in section.blocks.iter().flat_map(|block| commands(block)) {
            let without_input = command.replace("</dev/null", "");
            assert!(
                !without_input.contains(['<', '…']),
                "{reason}: no placeholder but a variable: {command}"
            );
            for word in command.split('$').skip(1) {
                let end = word.find(|c: char| !c.is_ascii_uppercase() && c != '_');
                let name = &word[..end.unwrap_or(word.len())];
                assert!(
                    name.is_empty() || introduction.contains(&format!("`{name}`")),
                    "{reason}: the introduction does not say what ${name} is"
                );
            }
        }
    }
}

#[test]
fn a_reason_that_an_azure_resource_causes_is_repaired_in_portal_cli_bicep_and_terraform() {
    for (reason, section) in of_reasons().filter(|(reason, _)| AZURE.contains(reason)) {
        let fix = section.part("**Fix.**");
        for way in WAYS {
            let is_there = fix.lines().any(|line| line.starts_with(way));
            assert!(is_there, "{reason}: {way}");
        }
    }
}

#[test]
fn the_rules_are_read_to_the_last_alert() {
    let names = TEMPLATE.split("\"name\" \"Private").skip(1);
    let names = names.filter_map(|rule| rule.split('"').next());
    let names: Vec<_> = names.map(|name| format!("Private{name}")).collect();
    let read: Vec<_> = alerts().iter().map(|alert| alert.name).collect();
    assert_eq!(read, names, "every alert is on by default, and generated");
}

#[test]
fn every_alert_that_a_section_names_is_one_of_the_charts() {
    let alerts: BTreeSet<_> = alerts().iter().map(|alert| alert.name).collect();
    for section in sections() {
        for block in &section.blocks {
            let unknown: Vec<_> = named(block).difference(&alerts).copied().collect();
            assert!(unknown.is_empty(), "{}: {unknown:?}", section.name);
        }
    }
}

#[test]
fn every_alert_of_the_chart_links_to_a_section_that_names_it() {
    let sections = sections();
    let find = |anchor: &str| sections.iter().find(|section| section.name == anchor);
    for alert in alerts() {
        let anchors: Vec<String> = match alert.anchor {
            // Those that the query selects; without a selection, those that fail and that it leaves.
            "{{ $labels.reason }}" => of_reasons()
                .map(|(reason, _)| reason)
                .filter(|reason| selects(&alert, *reason))
                .map(|reason| reason.as_str().to_owned())
                .collect(),
            plain => vec![plain.to_owned()],
        };
        assert!(!anchors.is_empty(), "{}", alert.name);
        for anchor in anchors {
            let section = find(&anchor).unwrap_or_else(|| panic!("{}: {anchor}", alert.name));
            let said = section.part("**Alert.**");
            assert!(
                named(&said).contains(alert.name),
                "{}: {anchor}",
                alert.name
            );
        }
    }
}

/// Whether the alert's query is about `reason`: listed after `reason=~`, or failing and not listed
/// after `reason!~`. `dns` and `public` there stand for several reasons.
fn selects(alert: &Alert, reason: Reason) -> bool {
    let list = |mark: &str| {
        let (_, list) = alert.query.split_once(mark)?;
        let (list, _) = list.split_once('"')?;
        Some(list.split('|').any(|word| word == reason.as_str()))
    };
    let merged = [
        Reason::DnsTimeout,
        Reason::DnsServerUnreachable,
        Reason::DnsServerFailure,
        Reason::DnsTcpFailed,
        Reason::MixedAddresses,
        Reason::PublicFallback,
        Reason::PublicFallbackZoneLinked,
        Reason::NoPrivateEndpoint,
    ];
    match list("reason!~\"") {
        Some(left_out) => {
            reason.severity() == Severity::Fail && !left_out && !merged.contains(&reason)
        }
        None => list("reason=~\"") == Some(true),
    }
}

#[test]
fn every_reason_that_fails_names_an_alert() {
    for (reason, section) in of_reasons() {
        let said = section.part("**Alert.**");
        if reason.severity() == Severity::Fail {
            assert!(!named(&said).is_empty(), "{reason}");
        } else if named(&said).is_empty() {
            assert!(said.starts_with("**Alert.** None"), "{reason}: {said}");
        }
    }
}

#[test]
fn what_a_reason_is_confused_with_is_another_reason() {
    for (reason, section) in of_reasons() {
        let text = section.part("**Not to be confused with.**");
        // Every second piece stands between backticks.
        let words: Vec<_> = text
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| word.contains('_'))
            .collect();
        assert!(!words.is_empty(), "{reason} is like nothing else?");
        for word in words {
            assert!(Reason::ALL.iter().any(|one| one.as_str() == word), "{word}");
            assert_ne!(word, section.name, "confused with itself");
        }
    }
}

#[test]
fn every_section_fits_a_terminal_of_eighty_columns() {
    for section in sections() {
        for line in section.blocks.iter().flat_map(|block| block.lines()) {
            let columns = line.chars().count();
            assert!(columns <= 80, "{}: {columns} columns: {line}", section.name);
        }
    }
}
