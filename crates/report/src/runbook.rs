//! Runbook: what docs/runbook.md says of a reason. It is compiled in, so that it can be read on a
//! machine without network.

const RUNBOOK: &str = include_str!("../../../docs/runbook.md");

/// The section about the reason called `reason`, heading included.
pub fn section(reason: &str) -> Option<&'static str> {
    let heading = format!("\n## {reason}\n");
    let from = RUNBOOK.find(&heading)? + 1;
    let rest = &RUNBOOK[from..];
    // The next reason, or the next stage.
    let next = ["\n## ", "\n# "]
        .iter()
        .filter_map(|mark| rest.find(mark))
        .min();
    Some(rest[..next.unwrap_or(rest.len())].trim_end())
}

#[cfg(test)]
mod tests {
    use privatelink_verdict::reason::Reason;

    use super::*;

    #[test]
    fn every_reason_has_a_section_of_its_own() {
        for reason in Reason::ALL.iter().filter(|reason| **reason != Reason::Ok) {
            let section = section(reason.as_str()).unwrap_or_else(|| panic!("{reason}"));
            assert!(section.starts_with(&format!("## {reason}\n")), "{section}");
            assert_eq!(
                section.matches("\n# ").count() + section.matches("\n## ").count(),
                0
            );
            assert!(section.len() > 200, "{section}");
        }
    }
}
