//! Remedy: what to do about a reason, and what the reason means, each in a sentence.

use crate::reason::Reason;

/// What to do, in one or two sentences: the first sentence of the reason's section in the runbook.
pub const fn remedy(reason: Reason) -> &'static str {
    let _ = reason;
    ""
}

/// What the reason means, in one sentence.
pub const fn meaning(reason: Reason) -> &'static str {
    let _ = reason;
    ""
}
