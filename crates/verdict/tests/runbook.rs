//! The runbook holds what the agent promises: a section per reason that begins with its remedy.

use privatelink_verdict::reason::Reason;
use privatelink_verdict::remedy::remedy;

const RUNBOOK: &str = include_str!("../../../docs/runbook.md");

const PARTS: [&str; 5] = [
    "**Means.**",
    "**Users see.**",
    "**Confirm.**",
    "**Fix.**",
    "**Not to be confused with.**",
];

/// A reason's section: the `#` heading it stands under, its own `##` heading, its paragraphs.
struct Section {
    stage: &'static str,
    reason: &'static str,
    paragraphs: Vec<String>,
}

fn sections() -> Vec<Section> {
    let mut stage = "";
    let mut sections: Vec<Section> = Vec::new();
    // What follows is about the agents, which have no reasons.
    let reasons = RUNBOOK.split("\n# alerts about the agents\n").next();
    let reasons = reasons.unwrap_or_default();
    for block in reasons.split("\n\n").map(str::trim_end) {
        if let Some(reason) = block.strip_prefix("## ") {
            let paragraphs = Vec::new();
            sections.push(Section {
                stage,
                reason,
                paragraphs,
            });
        } else if let Some(heading) = block.strip_prefix("# ") {
            stage = heading;
        } else if let Some(section) = sections.last_mut() {
            section
                .paragraphs
                .push(block.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
    sections
}

#[test]
fn every_reason_but_ok_has_its_section_in_order_under_its_stage() {
    let expected = Reason::ALL.iter().filter(|reason| **reason != Reason::Ok);
    let expected: Vec<_> = expected
        .map(|reason| (reason.stage().as_str(), reason.as_str()))
        .collect();
    let found: Vec<_> = sections()
        .iter()
        .map(|section| (section.stage, section.reason))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn every_section_begins_with_the_remedy() {
    for section in sections() {
        let mut reasons = Reason::ALL.iter();
        let reason = reasons
            .find(|reason| reason.as_str() == section.reason)
            .expect("a reason");
        assert_eq!(section.paragraphs[0], remedy(*reason), "{reason}");
    }
}

#[test]
fn every_section_says_what_it_means_how_to_confirm_and_how_to_fix() {
    for section in sections() {
        let bold = section
            .paragraphs
            .iter()
            .filter(|text| text.starts_with("**"));
        let parts: Vec<_> = bold
            .map(|text| PARTS.iter().find(|part| text.starts_with(**part)).copied())
            .collect();
        assert_eq!(parts, PARTS.map(Some), "{}", section.reason);
    }
}

#[test]
fn what_a_reason_is_confused_with_is_another_reason() {
    for section in sections() {
        let text = section.paragraphs.last().expect("the last part");
        // Every second piece stands between backticks.
        let words = text
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| word.contains('_'));
        for word in words {
            assert!(
                Reason::ALL.iter().any(|reason| reason.as_str() == word),
                "{word}"
            );
            assert_ne!(word, section.reason, "confused with itself");
        }
    }
}
