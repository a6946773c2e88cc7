//! Diagnostic: what is wrong with one value and what to write instead, before its location is known.

pub(crate) use privatelink_verdict::sanitize::printable;
pub use privatelink_verdict::sanitize::quoted;

/// Why a value cannot be used, or why it is doubtful.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", in_parentheses(help.as_deref()))]
pub struct Diagnostic {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Something is wrong, and there is nothing to advise yet.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
        }
    }

    /// The same diagnostic, with what to write instead.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }
}

/// ` (help)`, or nothing.
pub(crate) fn in_parentheses(help: Option<&str>) -> String {
    help.map(|help| format!(" ({help})")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_not_quoted() {
        assert_eq!(quoted("\u{1b}[2J"), "`\u{fffd}[2J`");
    }

    #[test]
    fn a_long_text_is_cut() {
        let text = "x".repeat(81);
        assert_eq!(quoted(&text), format!("`{}…`", "x".repeat(80)));
    }
}
