//! Branch: lines of text with branches below them, and how the whole is drawn.
//!
//! On a terminal every line keeps to its width, so that no bar is broken. A command that is longer is
//! drawn below the whole, at the left margin and by itself: there the terminal may wrap it, and what is
//! copied is the command and no bars.

use std::io::{self, Write};

use super::style::DIM;
use super::wrap::{visible, wrap};

/// A terminal with fewer columns left than this gets whole lines, in characters.
const NARROWEST: usize = 24;

/// Lines of text, and branches below them.
pub(crate) struct Branch {
    lines: Vec<Line>,
    branches: Vec<Branch>,
}

enum Line {
    Text {
        text: String,
        /// How far the rest of a wrapped line is indented, in characters.
        hang: usize,
    },
    /// A command for a shell, behind a label.
    Command { label: String, command: String },
}

impl Branch {
    /// One line, nothing below it.
    pub(crate) fn new(text: String) -> Self {
        Self::hanging_line(text, 0)
    }

    /// One line, whose rest is indented by `hang` where it is wrapped; nothing below it.
    pub(crate) fn hanging_line(text: String, hang: usize) -> Self {
        let branch = Self {
            lines: Vec::new(),
            branches: Vec::new(),
        };
        branch.hanging(text, hang)
    }

    /// With one more line.
    pub(crate) fn line(self, text: String) -> Self {
        self.hanging(text, 0)
    }

    /// With one more line, whose rest is indented by `hang` where it is wrapped.
    pub(crate) fn hanging(mut self, text: String, hang: usize) -> Self {
        self.lines.push(Line::Text { text, hang });
        self
    }

    /// With a command on a line of its own, behind a label.
    pub(crate) fn command(mut self, label: String, command: String) -> Self {
        self.lines.push(Line::Command { label, command });
        self
    }

    /// With more branches.
    pub(crate) fn with(mut self, branches: impl IntoIterator<Item = Self>) -> Self {
        self.branches.extend(branches);
        self
    }

    /// Draws it, wrapped to `width` characters where there is a width.
    pub(crate) fn write(&self, out: &mut impl Write, width: Option<usize>) -> io::Result<()> {
        let mut below = Below::default();
        for line in &self.lines {
            for line in line.drawn(width, &mut below) {
                writeln!(out, "{line}")?;
            }
        }
        self.write_branches(out, width, "", &mut below)?;
        for (index, command) in below.0.iter().enumerate() {
            writeln!(out, "{DIM}[{}]{DIM:#}\n{command}", index + 1)?;
        }
        Ok(())
    }

    fn write_branches(
        &self,
        out: &mut impl Write,
        width: Option<usize>,
        indent: &str,
        below: &mut Below,
    ) -> io::Result<()> {
        let room = width.map(|width| width.saturating_sub(visible(indent) + 3));
        for (index, branch) in self.branches.iter().enumerate() {
            let last = index + 1 == self.branches.len();
            let (fork, stem) = if last {
                ("└─", "   ")
            } else {
                ("├─", "│  ")
            };
            let mut before = fork;
            for line in &branch.lines {
                for line in line.drawn(room, below) {
                    writeln!(out, "{indent}{DIM}{before:2}{DIM:#} {line}")?;
                    before = stem.trim_end();
                }
            }
            let deeper = format!("{indent}{DIM}{stem}{DIM:#}");
            branch.write_branches(out, width, &deeper, below)?;
        }
        Ok(())
    }
}

impl Line {
    /// Its lines within `room` characters, where there is a bound. A command that is longer goes `below`.
    fn drawn(&self, room: Option<usize>, below: &mut Below) -> Vec<String> {
        let room = room.filter(|room| *room >= NARROWEST);
        match (self, room) {
            (Self::Text { text, hang }, Some(room)) => wrap(text, room, *hang),
            (Self::Text { text, .. }, None) => vec![text.clone()],
            (Self::Command { label, command }, room) => {
                let line = format!("{label}$ {command}");
                if room.is_none_or(|room| visible(&line) <= room) {
                    return vec![line];
                }
                vec![format!("{label}command [{}] below", below.number(command))]
            }
        }
    }
}

/// The commands that are drawn below the whole, each once.
#[derive(Default)]
struct Below(Vec<String>);

impl Below {
    /// The number of a command, from 1.
    fn number(&mut self, command: &str) -> usize {
        let known = self.0.iter().position(|known| known == command);
        let index = known.unwrap_or_else(|| {
            self.0.push(command.to_owned());
            self.0.len() - 1
        });
        index + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(branch: Branch, width: Option<usize>) -> String {
        let mut out = anstream::StripStream::new(Vec::new());
        let whole = Branch::new("head".to_owned()).with([branch]);
        whole.write(&mut out, width).expect("memory to write to");
        String::from_utf8(out.into_inner()).expect("text")
    }

    #[test]
    fn a_command_too_long_for_its_line_is_drawn_below_once_and_by_itself() {
        let command = "a command of several words that is longer than a line".to_owned();
        let branch = || {
            Branch::new("first".to_owned())
                .command("settle  ".to_owned(), command.clone())
                .command(String::new(), command.clone())
        };
        assert_eq!(
            drawn(branch(), Some(40)),
            format!(
                "head\n└─ first\n   settle  command [1] below\n   command [1] below\n[1]\n{command}\n"
            )
        );
        for width in [None, Some(80), Some(10)] {
            let text = drawn(branch(), width);
            assert!(
                text.contains(&format!("   settle  $ {command}\n")),
                "{text}"
            );
        }
    }

    #[test]
    fn nothing_is_wrapped_on_a_very_narrow_terminal() {
        let text = "a line of several words that is longer than that";
        let branch = || Branch::new(text.to_owned());
        assert!(drawn(branch(), Some(10)).contains(text));
        assert!(drawn(branch(), None).contains(text));
        assert!(!drawn(branch(), Some(30)).contains(text));
    }
}
