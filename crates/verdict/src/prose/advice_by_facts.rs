//! Advice: what a finding means, and what to do about it. Both are the general sentences of its
//! reason; a sentence that has to depend on the facts or the expectation is chosen here.

use crate::case::Case;
use crate::verdict::Finding;

pub(super) fn meaning(_case: &Case<'_>, finding: &Finding) -> &'static str {
    finding.reason.meaning()
}

pub(super) fn remedy(_case: &Case<'_>, finding: &Finding) -> &'static str {
    finding.reason.remedy()
}
