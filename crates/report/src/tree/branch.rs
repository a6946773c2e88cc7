//! Branch: lines of text with branches below them, and how the whole is drawn.

use std::io::{self, Write};

use super::style::DIM;
use super::wrap::{visible, wrap};

/// A terminal with fewer columns left than this gets whole lines, in characters.
const NARROWEST: usize = 24;

/// Lines of text, and branches below them.
pub(super) struct Branch {
    lines: Vec<Line>,
    branches: Vec<Branch>,
}

struct Line {
    text: String,
    /// How far the rest of a wrapped line is indented, in characters; `None`: never wrapped.
    hang: Option<usize>,
}

impl Branch {
    /// One line, nothing below it.
    pub(super) fn new(text: String) -> Self {
        let branch = Self {
            lines: Vec::new(),
            branches: Vec::new(),
        };
        branch.line(text)
    }

    /// With one more line.
    pub(super) fn line(self, text: String) -> Self {
        self.hanging(text, 0)
    }

    /// With one more line, whose rest is indented by `hang` where it is wrapped.
    pub(super) fn hanging(mut self, text: String, hang: usize) -> Self {
        let hang = Some(hang);
        self.lines.push(Line { text, hang });
        self
    }

    /// With one more line that is never wrapped, so that it can be copied.
    pub(super) fn unwrapped(mut self, text: String) -> Self {
        self.lines.push(Line { text, hang: None });
        self
    }

    /// With more branches.
    pub(super) fn with(mut self, branches: impl IntoIterator<Item = Self>) -> Self {
        self.branches.extend(branches);
        self
    }

    /// Draws it, wrapped to `width` characters where there is a width.
    pub(super) fn write(&self, out: &mut impl Write, width: Option<usize>) -> io::Result<()> {
        for line in self.lines.iter().flat_map(|line| line.wrapped(width)) {
            writeln!(out, "{line}")?;
        }
        self.write_branches(out, width, "")
    }

    fn write_branches(
        &self,
        out: &mut impl Write,
        width: Option<usize>,
        indent: &str,
    ) -> io::Result<()> {
        let room = width.map(|width| width.saturating_sub(visible(indent) + 3));
        for (index, branch) in self.branches.iter().enumerate() {
            let last = index + 1 == self.branches.len();
            let (fork, below) = if last {
                ("└─", "   ")
            } else {
                ("├─", "│  ")
            };
            let lines = branch.lines.iter().flat_map(|line| line.wrapped(room));
            for (index, line) in lines.enumerate() {
                let stem = if index == 0 { fork } else { below.trim_end() };
                writeln!(out, "{indent}{DIM}{stem:2}{DIM:#} {line}")?;
            }
            let deeper = format!("{indent}{DIM}{below}{DIM:#}");
            branch.write_branches(out, width, &deeper)?;
        }
        Ok(())
    }
}

impl Line {
    fn wrapped(&self, room: Option<usize>) -> Vec<String> {
        match (self.hang, room) {
            (Some(hang), Some(room)) if room >= NARROWEST => wrap(&self.text, room, hang),
            _ => vec![self.text.clone()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_never_wrapped_and_nothing_is_on_a_very_narrow_terminal() {
        let text = "$ a command of several words that is longer than any line";
        let branch = Branch::new("head".to_owned()).unwrapped(text.to_owned());
        assert_eq!(branch.lines[1].wrapped(Some(30)), [text]);
        let branch = Branch::new(text.to_owned());
        assert_eq!(branch.lines[0].wrapped(Some(10)), [text]);
        assert_eq!(branch.lines[0].wrapped(None), [text]);
        assert!(branch.lines[0].wrapped(Some(30)).len() > 1);
    }
}
