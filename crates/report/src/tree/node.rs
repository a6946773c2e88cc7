//! Node: a line of the tree with lines and branches below it, and how they are drawn.

use std::io::{self, Write};

use super::DIM;

/// Text is not wrapped into less room than this, in characters.
const NARROWEST: usize = 24;

/// A line, lines below it that are indented with it, and branches.
pub(super) struct Node {
    lines: Vec<Line>,
    branches: Vec<Node>,
}

struct Line {
    text: String,
    /// How far its continuation is indented; `None` where it is not to be wrapped.
    hang: Option<usize>,
}

impl Node {
    pub(super) fn new(text: String) -> Self {
        Self {
            lines: Vec::new(),
            branches: Vec::new(),
        }
        .line(text)
    }

    /// With one more line.
    pub(super) fn line(self, text: String) -> Self {
        self.hanging(text, 0)
    }

    /// With one more line, whose continuation is indented.
    pub(super) fn hanging(mut self, text: String, hang: usize) -> Self {
        let hang = Some(hang);
        self.lines.push(Line { text, hang });
        self
    }

    /// With one more line that is never wrapped, so that it can be copied.
    pub(super) fn whole(mut self, text: String) -> Self {
        self.lines.push(Line { text, hang: None });
        self
    }

    /// With more branches.
    pub(super) fn with(mut self, branches: impl IntoIterator<Item = Node>) -> Self {
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

/// `text` in lines of at most `room` visible characters, broken at spaces; all but the first are
/// indented by `hang`. Styles go on after a break, and end before it, since the stem has its own.
fn wrap(text: &str, room: usize, hang: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut column = 0;
    let mut style = String::new();
    for word in text.split_inclusive(' ') {
        if column > hang && column + visible(word.trim_end()) > room {
            let mut full = std::mem::take(&mut line).trim_end().to_owned();
            if !style.is_empty() {
                full.push_str(RESET);
            }
            lines.push(full);
            line = format!("{:hang$}{style}", "");
            column = hang;
        }
        line.push_str(word);
        column += visible(word);
        for escape in escapes(word) {
            if escape == RESET {
                style.clear();
            } else {
                style.push_str(escape);
            }
        }
    }
    lines.push(line);
    lines
}

const RESET: &str = "\x1b[0m";

/// The style sequences of a text: all that is written here ends in `m`, and what comes from the
/// wire has none.
fn escapes(text: &str) -> impl Iterator<Item = &str> {
    let starts = text.match_indices('\x1b').map(|(at, _)| at);
    starts.filter_map(|at| {
        let end = text[at..].find('m')?;
        Some(&text[at..=at + end])
    })
}

/// How many columns a text takes, styles not counted.
fn visible(text: &str) -> usize {
    let hidden: usize = escapes(text).map(str::len).sum();
    text.chars().count() - hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_at_spaces_and_hangs() {
        let lines = wrap("means  one two three four", 16, 7);
        assert_eq!(lines, ["means  one two", "       three", "       four"]);
        let long = "means  a-name-longer-than-the-line.example.com";
        assert_eq!(
            wrap(long, 16, 7),
            [long],
            "what cannot be broken sticks out, and nothing is left empty"
        );
    }

    #[test]
    fn a_style_ends_before_a_break_and_goes_on_after_it() {
        let lines = wrap("\x1b[2mone two\x1b[0m three", 4, 0);
        assert_eq!(lines, ["\x1b[2mone\x1b[0m", "\x1b[2mtwo\x1b[0m", "three"]);
    }

    #[test]
    fn what_is_to_be_copied_is_never_broken_nor_is_anything_where_there_is_no_room() {
        let text = "$ a command of several words that is longer than any line";
        let whole = Node::new("head".to_owned()).whole(text.to_owned());
        assert_eq!(whole.lines[1].wrapped(Some(30)), [text]);
        let line = Node::new(text.to_owned());
        assert_eq!(line.lines[0].wrapped(Some(10)), [text]);
        assert_eq!(line.lines[0].wrapped(None), [text]);
        assert!(line.lines[0].wrapped(Some(30)).len() > 1);
    }
}
