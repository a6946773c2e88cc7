//! Style: the colours of the tree. A caller that writes to a pipe strips them (`anstream`).

use anstyle::{AnsiColor, Effects, Style};
use privatelink_verdict::verdict::Outcome;

pub(crate) const DIM: Style = Style::new().effects(Effects::DIMMED);
pub(crate) const BOLD: Style = Style::new().bold();

pub(crate) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

pub(crate) fn style_of(outcome: Outcome) -> Style {
    let colour = match outcome {
        Outcome::Pass => AnsiColor::Green,
        Outcome::Warn => AnsiColor::Yellow,
        Outcome::Fail => AnsiColor::Red,
    };
    colour.on_default().bold()
}

/// `FAIL`, in its colour.
pub(crate) fn capitals(outcome: Outcome) -> String {
    paint(style_of(outcome), &outcome.as_str().to_uppercase())
}
