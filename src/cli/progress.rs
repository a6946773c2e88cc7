//! Progress: one line on a terminal that says how far a long command is, and goes away.

use std::io::{IsTerminal, Write, stderr};

/// A line on standard error, rewritten in place; nothing at all where nobody watches.
#[derive(Debug)]
pub(super) struct Progress {
    shown: bool,
    total: usize,
    done: usize,
}

impl Progress {
    /// A line for `total` steps.
    pub(super) fn new(total: usize) -> Self {
        let progress = Self {
            shown: stderr().is_terminal() && total > 0,
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
            // A terminal that cannot be written to is no reason to stop probing.
            let _ = write!(
                stderr(),
                "\r\x1b[Kprobed {}/{} {what}",
                self.done,
                self.total
            );
            let _ = stderr().flush();
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
