//! Problems: collects what is wrong and what is doubtful while a configuration is read.

use crate::diagnostic::Diagnostic;
use crate::problem::Problem;
use crate::spanned::{Location, Origin, SourceText};

/// What was found so far, and where the reader is.
#[derive(Debug)]
pub(crate) struct Problems<'a> {
    files: &'a [SourceText],
    command_line: &'a SourceText,
    /// The location of what has none of its own.
    default_location: Location,
    /// Which target of the configuration is being read.
    current_target: Option<usize>,
    pub(crate) errors: Vec<Problem>,
    pub(crate) warnings: Vec<Warning>,
}

/// Something doubtful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Warning {
    pub(crate) text: String,
    /// Which target of the configuration it is about; `None`: several of them, or none.
    pub(crate) target: Option<usize>,
}

impl<'a> Problems<'a> {
    pub(crate) fn new(files: &'a [SourceText], command_line: &'a SourceText) -> Self {
        Self {
            files,
            command_line,
            default_location: Location::default(),
            current_target: None,
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Sets the location of the problems to come that have none of their own.
    pub(crate) fn set_default_location(&mut self, location: Location) {
        self.default_location = location;
    }

    /// Sets which target of the configuration the warnings to come are about, by its index.
    pub(crate) fn set_current_target(&mut self, target: Option<usize>) {
        self.current_target = target;
    }

    /// Adds an error: what is written at `location` cannot be used. An error that several targets
    /// share, such as a bad global value, is kept once.
    pub(crate) fn error(&mut self, location: Location, diagnostic: Diagnostic) {
        let problem = self.problem(location, diagnostic);
        if !self.errors.contains(&problem) {
            self.errors.push(problem);
        }
    }

    /// Adds a warning: what is written at `location` is doubtful. A warning that several targets
    /// share is kept once.
    pub(crate) fn warning(&mut self, location: Location, diagnostic: Diagnostic) {
        let text = self.problem(location, diagnostic).one_line();
        match self.warnings.iter_mut().find(|known| known.text == text) {
            Some(known) if known.target != self.current_target => known.target = None,
            Some(_) => {}
            None => self.warnings.push(Warning {
                text,
                target: self.current_target,
            }),
        }
    }

    /// The value, or `None` and an error at `location`.
    pub(crate) fn check<T>(
        &mut self,
        location: Location,
        result: Result<T, Diagnostic>,
    ) -> Option<T> {
        result
            .map_err(|diagnostic| self.error(location, diagnostic))
            .ok()
    }

    fn problem(&self, location: Location, diagnostic: Diagnostic) -> Problem {
        let location = match (location.line, location.origin) {
            (0, Origin::File(_)) => self.default_location,
            _ => location,
        };
        Problem::new(self.source(location.origin), location, diagnostic)
    }

    /// `line 3`, or `other.yaml:3` where that is not the file that a message is about.
    pub(crate) fn line(&self, location: Location, about: Location) -> String {
        let Location { origin, line, .. } = location;
        if origin == about.origin {
            return format!("on line {line}");
        }
        format!("at {}:{line}", self.source(origin).name)
    }

    fn source(&self, origin: Origin) -> &'a SourceText {
        let file = match origin {
            Origin::File(index) => self.files.get(usize::from(index)),
            Origin::CommandLine => None,
        };
        file.unwrap_or(self.command_line)
    }
}
