//! Advice: what a finding means and what to do about it. In general its reason says both; where the
//! facts or the expectation make that wrong, they decide.

use crate::case::Case;
use crate::verdict::Finding;

pub(super) fn meaning(_case: &Case<'_>, finding: &Finding) -> &'static str {
    finding.reason.meaning()
}

pub(super) fn remedy(_case: &Case<'_>, finding: &Finding) -> &'static str {
    finding.reason.remedy()
}
