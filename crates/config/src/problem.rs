//! Problem: what is wrong with a configuration, where it is written, and what to write instead.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::renderer::Renderer;
use annotate_snippets::{AnnotationKind, Group, Level};

use crate::diagnostic::{Diagnostic, in_parentheses, printable};
use crate::spanned::{Location, SourceText};

/// How many problems are printed; the others are only counted.
const PRINTED: usize = 30;

/// A configuration that cannot be used: every problem found, in the order of the text.
///
/// Its `Display` has a line for each, for logs and pages; [`ConfigError::rendered`] is for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// At least one.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, without its location.
    pub message: String,
    /// Where it is written; `None` where it is not about a text.
    pub snippet: Option<Snippet>,
    /// What to write instead.
    pub help: Option<String>,
    /// The whole text as it should be, or its beginning; for a terminal alone.
    pub corrected: Option<String>,
}

/// The line that a problem is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// The file's name as it was given, `-` for standard input.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// Width of what is wrong, in characters; 0: the word that starts there.
    width: usize,
    /// The whole text of the file.
    text: Arc<str>,
}

impl ConfigError {
    /// An error that is about no text.
    pub fn plain(message: impl Into<String>, help: Option<String>) -> Self {
        Self {
            problems: vec![Problem {
                message: shown(&message.into()),
                snippet: None,
                help: help.map(|help| shown(&help)),
                corrected: None,
            }],
        }
    }

    /// The problems as a compiler shows them: message, location, line and help, with colours as
    /// escape sequences. Ends without a newline.
    pub fn rendered(&self) -> String {
        self.render(&Renderer::styled())
    }

    pub(crate) fn render(&self, renderer: &Renderer) -> String {
        let problems = self.problems.iter().take(PRINTED);
        let mut rendered: Vec<_> = problems
            .map(|problem| {
                let rendered = renderer.render(&[problem.group()]);
                match &problem.corrected {
                    Some(text) => format!("{rendered}\n\n{}", indented(text)),
                    None => rendered,
                }
            })
            .collect();
        if let Some(more) = self.not_printed() {
            rendered.push(renderer.render(&[Group::with_title(Level::ERROR.primary_title(more))]));
        }
        rendered.join("\n\n")
    }

    fn not_printed(&self) -> Option<String> {
        let more = self.problems.len().checked_sub(PRINTED)?;
        (more > 0).then(|| format!("{more} more problems are not shown"))
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problems = self.problems.iter().take(PRINTED).map(Problem::one_line);
        let lines: Vec<_> = problems.chain(self.not_printed()).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl Problem {
    /// The diagnostic at its location in `source`.
    pub(crate) fn new(source: &SourceText, location: Location, diagnostic: Diagnostic) -> Self {
        let Diagnostic { message, help } = diagnostic;
        let snippet = Snippet::new(source, location);
        let message = match &snippet {
            None if !source.name.is_empty() => format!("{}: {message}", source.name),
            _ => message,
        };
        Self {
            message: shown(&message),
            snippet,
            help: help.as_deref().map(shown),
            corrected: None,
        }
    }

    /// The same problem, with the text as it should be.
    pub(crate) fn corrected(self, corrected: Option<String>) -> Self {
        Self { corrected, ..self }
    }

    /// The problem on one line, for logs: `file:line:column: message (help)`.
    pub fn one_line(&self) -> String {
        let location = match &self.snippet {
            Some(snippet) => format!("{}:{}:{}: ", snippet.file, snippet.line, snippet.column),
            None => String::new(),
        };
        let help = in_parentheses(self.help.as_deref());
        format!("{location}{}{help}", self.message)
    }

    fn group(&self) -> Group<'_> {
        let mut group = Group::with_title(Level::ERROR.primary_title(&self.message));
        if let Some(snippet) = &self.snippet {
            let (line, wrong) = snippet.line();
            group = group.element(
                annotate_snippets::Snippet::source(line)
                    .path(&snippet.file)
                    .line_start(snippet.line)
                    .annotation(AnnotationKind::Primary.span(wrong)),
            );
        }
        group.elements(self.help.as_ref().map(|help| Level::HELP.message(help)))
    }
}

impl Snippet {
    /// The line at `location`; `None` where that is unknown or beyond the text.
    fn new(source: &SourceText, location: Location) -> Option<Self> {
        source.text.lines().nth(location.line.checked_sub(1)?)?;
        Some(Self {
            file: source.name.clone(),
            line: location.line,
            column: location.column.max(1),
            width: location.width,
            text: Arc::clone(&source.text),
        })
    }

    /// The line without control characters, and the part of it that is wrong, in bytes. A value of
    /// several lines is marked to the end of its first line.
    fn line(&self) -> (String, Range<usize>) {
        let line = self.text.lines().nth(self.line - 1).unwrap_or_default();
        let line: Vec<char> = line.trim_end().chars().map(printable).collect();
        let start = (self.column - 1).min(line.len());
        let width = match self.width {
            0 => line[start..].iter().take_while(|c| is_word(**c)).count(),
            width => width,
        };
        let end = start.saturating_add(width.max(1)).min(line.len());
        let bytes = |chars: &[char]| chars.iter().copied().map(char::len_utf8).sum::<usize>();
        let span = bytes(&line[..start])..bytes(&line[..end]);
        (line.into_iter().collect(), span)
    }
}

/// A corrected text below its problem. It is the user's own, so nothing in it may act on the terminal.
fn indented(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| format!("    {}", shown(line)).trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// A text without characters that would act on a terminal. The libraries that read a file quote it as it is.
fn shown(text: &str) -> String {
    text.chars().map(printable).collect()
}

fn is_word(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, ':' | ',' | '[' | ']' | '{' | '}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> SourceText {
        SourceText {
            name: "c.yaml".to_owned(),
            text: text.into(),
        }
    }

    fn location(line: usize, column: usize, width: usize) -> Location {
        Location {
            line,
            column,
            width,
            ..Location::default()
        }
    }

    fn rendered(source: &SourceText, location: Location) -> String {
        let error = ConfigError {
            problems: vec![Problem::new(source, location, Diagnostic::new("bad"))],
        };
        error.render(&Renderer::plain())
    }

    #[test]
    fn a_long_line_is_cropped_around_what_is_wrong() {
        let source = source(&format!(
            "a\n{}BÄD {}\n",
            "x ".repeat(250),
            "y ".repeat(250)
        ));
        let rendered = rendered(&source, location(2, 501, 3));
        assert!(rendered.contains("c.yaml:2:501"), "{rendered}");
        assert!(rendered.contains("BÄD"), "{rendered}");
        assert!(
            rendered.lines().all(|line| line.chars().count() <= 150),
            "{rendered}"
        );
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        let source = source("a: \u{1b}[31mred\u{9b}\u{202e}\n");
        let rendered = rendered(&source, location(1, 4, 8));
        assert!(rendered.contains("[31mred"), "{rendered}");
        assert!(
            !rendered.contains(['\u{1b}', '\u{9b}', '\u{202e}']),
            "{rendered:?}"
        );
    }

    #[test]
    fn a_location_beyond_the_text_has_no_snippet() {
        assert_eq!(Snippet::new(&source("a"), location(7, 1, 1)), None);
        assert_eq!(Snippet::new(&source("a"), Location::default()), None);
    }

    #[test]
    fn a_location_at_the_end_of_a_line_is_marked_behind_it() {
        insta::assert_snapshot!(rendered(&source("a:\n"), location(1, 3, 0)), @"
        error: bad
         --> c.yaml:1:3
          |
        1 | a:
          |   ^
        ");
    }

    #[test]
    fn each_problem_is_one_line_and_those_beyond_thirty_are_counted() {
        let mut problems = vec![Problem::new(
            &source("port: x"),
            location(1, 7, 1),
            Diagnostic::new("bad port").help("write 443"),
        )];
        let plain = ConfigError::plain("too many", None);
        problems.extend(std::iter::repeat_n(plain.problems[0].clone(), 31));
        let line = ConfigError { problems }.to_string();
        assert!(
            line.starts_with("c.yaml:1:7: bad port (write 443)\ntoo many\n"),
            "{line}"
        );
        assert!(line.ends_with("\n2 more problems are not shown"), "{line}");
    }
}
