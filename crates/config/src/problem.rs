//! Problem: what is wrong with a configuration, where it is written, and what to write instead.

use std::fmt;

use crate::written::{Origin, Place};
use privatelink_verdict::sanitize::acts;

/// How many problems are printed; the rest is only counted.
const PRINTED: usize = 30;
/// How much of a line a snippet shows, in characters.
const SNIPPET_WIDTH: usize = 100;

/// A configuration that cannot be used: every problem found, in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// At least one.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, without its place.
    pub message: String,
    /// Where it is written; `None` where no text is to blame.
    pub snippet: Option<Snippet>,
    /// What to write instead.
    pub help: Option<String>,
}

/// The offending text and the line around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// The file's name as it was given, `-` for standard input.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// The line, cropped around the column, without control characters.
    text: String,
    /// Where the offending text starts in `text`, in characters.
    start: usize,
    /// How many characters of `text` offend, at least 1.
    width: usize,
}

impl ConfigError {
    /// An error that no text is to blame for.
    pub fn plain(message: impl Into<String>, help: Option<String>) -> Self {
        Self {
            problems: vec![Problem {
                message: message.into(),
                snippet: None,
                help,
            }],
        }
    }
}

impl std::error::Error for ConfigError {}

/// Reads on from `error: `, which is the caller's to write.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().take(PRINTED).enumerate() {
            if index > 0 {
                f.write_str("\n\nerror: ")?;
            }
            write!(f, "{problem}")?;
        }
        match self.problems.len().saturating_sub(PRINTED) {
            0 => Ok(()),
            more => write!(f, "\n\nerror: {more} more problems are not shown"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let gutter = match &self.snippet {
            Some(snippet) => {
                let gutter = snippet.line.to_string().len();
                write!(f, "\n{snippet}")?;
                gutter
            }
            None => 0,
        };
        match &self.help {
            Some(help) => write!(f, "\n{:gutter$} = help: {help}", ""),
            None => Ok(()),
        }
    }
}

impl Problem {
    /// The problem on one line, for logs: `file:line:column: message (help)`.
    pub fn one_line(&self) -> String {
        let mut line = match &self.snippet {
            Some(Snippet {
                file, line, column, ..
            }) => format!("{file}:{line}:{column}: "),
            None => String::new(),
        };
        line.push_str(&self.message);
        if let Some(help) = &self.help {
            line.push_str(" (");
            line.push_str(help);
            line.push(')');
        }
        line
    }
}

impl fmt::Display for Snippet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gutter = self.line.to_string().len();
        writeln!(
            f,
            "{:gutter$}--> {}:{}:{}",
            "", self.file, self.line, self.column
        )?;
        writeln!(f, "{:gutter$} |", "")?;
        writeln!(f, "{} | {}", self.line, self.text.trim_end())?;
        write!(
            f,
            "{:gutter$} | {:start$}{}",
            "",
            "",
            "^".repeat(self.width),
            start = self.start
        )
    }
}

/// A text that a configuration is read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// How it is called in messages: a path, `-`, `command line`.
    pub name: String,
    /// What it says.
    pub text: String,
}

impl Source {
    /// The text at `place`, ready to be shown; `None` where the place is unknown.
    fn snippet(&self, place: Place) -> Option<Snippet> {
        let line = self.text.lines().nth(place.line.checked_sub(1)?)?;
        let line: Vec<char> = line.chars().map(printable).collect();
        let column = place.column.max(1);
        let at = (column - 1).min(line.len());
        let from = at.saturating_sub(SNIPPET_WIDTH / 2);
        let from = if line.len() <= SNIPPET_WIDTH { 0 } else { from };
        let to = (from + SNIPPET_WIDTH).min(line.len());
        let written = match place.width {
            0 => line[at..].iter().take_while(|c| is_word(**c)).count(),
            width => width,
        };
        // A node that spans lines is underlined to the end of its first one.
        let end = line[at..to].iter().rposition(|c| *c != ' ');
        Some(Snippet {
            file: self.name.clone(),
            line: place.line,
            column,
            text: line[from..to].iter().collect(),
            start: at - from,
            width: written.min(end.map_or(0, |end| end + 1)).max(1),
        })
    }
}

fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        c if acts(c) => '\u{fffd}',
        c => c,
    }
}

fn is_word(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, ':' | ',' | '[' | ']' | '{' | '}')
}

/// What a value is refused for, before its place is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Complaint {}

impl Complaint {
    /// Something is wrong.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
        }
    }

    /// The same, with what to write instead.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }
}

/// Collects what is wrong and what is doubtful while a configuration is read.
#[derive(Debug)]
pub(crate) struct Problems<'a> {
    file: &'a Source,
    command_line: &'a Source,
    /// The place of what has none of its own.
    fallback: Place,
    /// Which of the written targets is being read.
    group: Option<usize>,
    pub(crate) errors: Vec<Problem>,
    pub(crate) warnings: Vec<Warning>,
}

/// Something doubtful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Warning {
    pub(crate) text: String,
    /// Which of the written targets it is about; `None`: more than one, or none.
    pub(crate) group: Option<usize>,
}

impl<'a> Problems<'a> {
    pub(crate) fn new(file: &'a Source, command_line: &'a Source) -> Self {
        Self {
            file,
            command_line,
            fallback: Place::default(),
            group: None,
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// From here on, what has no place of its own is said to be at `place`.
    pub(crate) fn around(&mut self, place: Place) {
        self.fallback = place;
    }

    /// From here on, what is doubtful is about this one of the written targets, or about all.
    pub(crate) fn about(&mut self, group: Option<usize>) {
        self.group = group;
    }

    /// Notes that what is written at `place` cannot be used: once, however many targets it is
    /// written for.
    pub(crate) fn error(&mut self, place: Place, complaint: Complaint) {
        let problem = self.problem(place, complaint);
        if !self.errors.contains(&problem) {
            self.errors.push(problem);
        }
    }

    /// Notes that what is written at `place` is doubtful.
    pub(crate) fn warning(&mut self, place: Place, complaint: Complaint) {
        let text = self.problem(place, complaint).one_line();
        match self.warnings.iter_mut().find(|known| known.text == text) {
            Some(known) if known.group != self.group => known.group = None,
            Some(_) => {}
            None => self.warnings.push(Warning {
                text,
                group: self.group,
            }),
        }
    }

    /// The value, or a note of what is wrong with it.
    pub(crate) fn check<T>(&mut self, place: Place, result: Result<T, Complaint>) -> Option<T> {
        result
            .map_err(|complaint| self.error(place, complaint))
            .ok()
    }

    fn problem(&self, place: Place, Complaint { message, help }: Complaint) -> Problem {
        let place = match (place.line, place.origin) {
            (0, Origin::File) => self.fallback,
            _ => place,
        };
        let source = match place.origin {
            Origin::File => self.file,
            Origin::CommandLine => self.command_line,
        };
        let snippet = source.snippet(place);
        let message = match &snippet {
            None if !source.name.is_empty() => format!("{}: {message}", source.name),
            _ => message,
        };
        Problem {
            message,
            snippet,
            help,
        }
    }
}

/// `text` between quotes, bounded and without control characters: fit for a message.
pub fn quoted(text: &str) -> String {
    let mut quoted: String = text.chars().take(80).map(printable).collect();
    if text.chars().nth(80).is_some() {
        quoted.push('…');
    }
    format!("`{quoted}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: usize, column: usize, width: usize) -> Place {
        Place {
            origin: Origin::File,
            line,
            column,
            width,
        }
    }

    #[test]
    fn a_long_line_is_cropped_around_the_offending_text() {
        let source = Source {
            name: "c.yaml".to_owned(),
            text: format!("a\n{}BAD{}\n", "x".repeat(500), "y".repeat(500)),
        };
        let snippet = source.snippet(place(2, 501, 3)).expect("a snippet");
        assert_eq!(snippet.text.chars().count(), SNIPPET_WIDTH);
        let shown: String = snippet
            .text
            .chars()
            .skip(snippet.start)
            .take(snippet.width)
            .collect();
        assert_eq!(shown, "BAD");
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        let source = Source {
            name: "c.yaml".to_owned(),
            text: "a: \u{1b}[31mred\n".to_owned(),
        };
        let snippet = source.snippet(place(1, 4, 8)).expect("a snippet");
        assert!(!snippet.to_string().contains('\u{1b}'));
        assert!(!quoted("\u{1b}[2J").contains('\u{1b}'));
    }

    #[test]
    fn a_place_beyond_the_text_has_no_snippet() {
        let source = Source::default();
        assert_eq!(source.snippet(place(7, 1, 1)), None);
        assert_eq!(source.snippet(Place::default()), None);
    }
}
