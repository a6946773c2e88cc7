//! Progress: one line on a terminal that shows how far a long command is, until it ends.

use std::io::{IsTerminal, Write, stderr};

/// A line on standard error, rewritten at each step and erased at the end. Where standard error is no
/// terminal, nothing is written.
#[derive(Debug)]
pub(super) struct Progress {
    shown: bool,
    /// Stands before the count: `round 2 of 3: probed`.
    prefix: String,
    total: usize,
    done: usize,
}

impl Progress {
    /// A line for `total` probes.
    pub(super) fn new(total: usize) -> Self {
        Self::with_prefix("probed".to_owned(), total)
    }

    /// A line for `total` agents that are asked.
    #[cfg(feature = "observer")]
    pub(super) fn asking(total: usize) -> Self {
        Self::with_prefix("asked".to_owned(), total)
    }

    /// A line for `total` steps of one round among `rounds`; `None` where their number is not known.
    pub(super) fn of_round(round: u64, rounds: Option<u64>, total: usize) -> Self {
        let prefix = match rounds {
            Some(1) => "probed".to_owned(),
            Some(rounds) => format!("round {round} of {rounds}: probed"),
            None => format!("round {round}: probed"),
        };
        Self::with_prefix(prefix, total)
    }

    fn with_prefix(prefix: String, total: usize) -> Self {
        let progress = Self {
            shown: stderr().is_terminal() && total > 0,
            prefix,
            total,
            done: 0,
        };
        progress.draw("");
        progress
    }

    /// One more step is done: `what`.
    pub(super) fn step(&mut self, what: &str) {
        self.done += 1;
        self.draw(what);
    }

    fn draw(&self, what: &str) {
        if self.shown {
            let size = terminal_size::terminal_size_of(stderr());
            let columns = size.map_or(80, |(columns, _)| columns.0.into());
            // A terminal that cannot be written to is no reason to stop probing.
            let _ = write!(stderr(), "\r\x1b[K{}", self.line(what, columns));
            let _ = stderr().flush();
        }
    }

    /// The line, shorter than `columns` characters, because one that wraps cannot be rewritten.
    fn line(&self, what: &str, columns: usize) -> String {
        let Self {
            prefix,
            total,
            done,
            ..
        } = self;
        let line = match total {
            0 => format!("{prefix}: {what}"),
            total => format!("{prefix} {done}/{total} {what}"),
        };
        line.chars().take(columns.saturating_sub(1)).collect()
    }
}

/// A line on standard error that says what is waited for, rewritten at each step and erased at the end. Where
/// standard error is no terminal, each step is a line of its own, for a log.
#[cfg(feature = "observer")]
#[derive(Debug)]
pub(super) struct Waiting {
    /// Without a number.
    line: Progress,
}

#[cfg(feature = "observer")]
impl Waiting {
    /// For what `what` does.
    pub(super) fn on(what: &str) -> Self {
        Self {
            line: Progress {
                shown: stderr().is_terminal(),
                prefix: what.to_owned(),
                total: 0,
                done: 0,
            },
        }
    }

    /// `step` is waited for now.
    pub(super) fn step(&self, step: &str) {
        if self.line.shown {
            self.line.draw(step);
        } else {
            anstream::eprintln!("{}: {step}", self.line.prefix);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(stderr(), "\r\x1b[K");
            let _ = stderr().flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(mut progress: Progress, columns: usize) -> String {
        progress.done += 1;
        progress.line("kv-prod.vault.azure.net", columns)
    }

    #[test]
    fn one_of_several_rounds_has_a_number() {
        let of = |round, rounds| line(Progress::of_round(round, rounds, 32), 80);
        assert_eq!(
            of(2, Some(3)),
            "round 2 of 3: probed 1/32 kv-prod.vault.azure.net"
        );
        assert_eq!(of(7, None), "round 7: probed 1/32 kv-prod.vault.azure.net");
        assert_eq!(of(1, Some(1)), "probed 1/32 kv-prod.vault.azure.net");
    }

    #[test]
    fn a_long_name_does_not_wrap_the_line() {
        assert_eq!(line(Progress::new(32), 20), "probed 1/32 kv-prod");
    }
}
