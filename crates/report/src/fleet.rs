//! Fleet: one picture of all nodes: what `report` prints, and the section of the observer's page.

mod html;
mod markdown;
mod matrix;
mod terminal;

use privatelink_fleet::report::PatternReport;
use privatelink_verdict::sanitize::sentence;
use privatelink_verdict::verdict::Outcome;

pub use self::html::{FleetPage, document};
pub use self::markdown::markdown;
pub use self::terminal::terminal;

/// What stands for an outcome where there is room for one character; `None` where it is not known.
const fn mark(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Pass) => "✓",
        Some(Outcome::Warn) => "!",
        Some(Outcome::Fail) => "✗",
        None => "?",
    }
}

/// `low confidence: one target on one node`.
fn sure(pattern: &PatternReport) -> String {
    let (confidence, doubt) = (sentence(&pattern.confidence), sentence(&pattern.doubt));
    if doubt.is_empty() {
        format!("{confidence} confidence")
    } else {
        format!("{confidence} confidence: {doubt}")
    }
}

/// `1 node`, `12 nodes`.
fn counted(count: impl Into<u64>, noun: &str) -> String {
    match count.into() {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

/// A few of the names: `a, b, c and 12 more`, where there are `count` in all.
fn some_of(names: &[String], shown: usize, count: usize) -> String {
    let named = names.iter().take(shown).map(String::as_str);
    let named = named.collect::<Vec<_>>().join(", ");
    match count.saturating_sub(names.len().min(shown)) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests;
