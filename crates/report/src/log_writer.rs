//! Log writer: writes log lines so that nobody who should read or keep them can stop the program, or end it.
//!
//! The log of a pod is a pipe, whose reader may hang, or a file, whose disk may be full. Probing, metrics and
//! `/healthz` go on then. Lines that cannot be written are lost and counted, and the next line that can be
//! written tells how many there were.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::{Duration, SystemTime};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::log_setup::LineFormat;
use crate::time::millis_utc;

/// How long a reader that has read everything so far may let the program wait.
const PATIENCE: Duration = Duration::from_millis(100);

/// A pipe that is ready takes so many bytes without waiting: `PIPE_BUF` (pipe(7)).
const PIECE: usize = 4096;

/// Writes lines to `to`. Each call of `write` is a whole line, and never fails.
#[derive(Debug)]
pub(crate) struct LogWriter<W> {
    to: W,
    format: LineFormat,
    /// Lines that were lost since one was written.
    lost: u64,
    /// Whether it was not ready when a line was written last.
    is_stuck: bool,
    /// Whether only a part of a line was written last.
    is_cut: bool,
}

impl<W: Write + AsFd> LogWriter<W> {
    pub(crate) const fn new(to: W, format: LineFormat) -> Self {
        Self {
            to,
            format,
            lost: 0,
            is_stuck: false,
            is_cut: false,
        }
    }

    fn write_line(&mut self, line: &[u8]) {
        if self.lost > 0 {
            let notice = notice(self.format, self.lost);
            if !self.put(notice.as_bytes()) {
                self.lost += 1;
                return;
            }
            self.lost = 0;
        }
        if !self.put(line) {
            self.lost += 1;
        }
    }

    /// Writes the line, and returns whether all of it was written.
    fn put(&mut self, line: &[u8]) -> bool {
        if self.is_cut && self.put_piece(b"\n") {
            self.is_cut = false;
        }
        let mut pieces = line.chunks(PIECE);
        let is_begun = !self.is_cut && pieces.next().is_some_and(|piece| self.put_piece(piece));
        let is_whole = is_begun && pieces.all(|piece| self.put_piece(piece));
        self.is_cut |= is_begun && !is_whole;
        is_whole
    }

    fn put_piece(&mut self, piece: &[u8]) -> bool {
        self.is_ready() && self.to.write_all(piece).is_ok()
    }

    /// Whether a piece can be written without waiting.
    fn is_ready(&mut self) -> bool {
        let patience = if self.is_stuck {
            Duration::ZERO
        } else {
            PATIENCE
        };
        let patience = PollTimeout::try_from(patience).unwrap_or(PollTimeout::ZERO);
        let mut wanted = [PollFd::new(self.to.as_fd(), PollFlags::POLLOUT)];
        self.is_stuck = !poll(&mut wanted, patience).is_ok_and(|ready| ready > 0);
        !self.is_stuck
    }
}

impl<W: Write + AsFd> Write for LogWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.write_line(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // Nothing is kept back.
        Ok(())
    }
}

fn notice(format: LineFormat, lost: u64) -> String {
    const MESSAGE: &str = "log lines were lost, because they could not be written";
    let now = millis_utc(SystemTime::now()).unwrap_or_default();
    match format {
        LineFormat::Json => format!(
            "{{\"timestamp\":\"{now}\",\"level\":\"WARN\",\"message\":\"{MESSAGE}\",\"lines\":{lost}}}\n"
        ),
        LineFormat::Text => format!("{now}  WARN {MESSAGE} lines={lost}\n"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;

    use super::*;

    const LINE: &str = "{\"message\":\"verdict changed\"}\n";

    #[test]
    fn a_reader_that_hangs_stops_nothing_and_is_told_how_many_lines_it_missed() {
        let (mut reader, pipe) = io::pipe().expect("a pipe");
        let mut log = LogWriter::new(pipe, LineFormat::Json);
        let began = SystemTime::now();
        for _ in 0..10_000 {
            log.write_all(LINE.as_bytes()).expect("a line");
        }
        let took = began.elapsed().expect("a clock that goes on");
        assert!(took < Duration::from_secs(5), "{took:?}");

        // More than a pipe holds.
        let mut read = vec![0; 1 << 20];
        let length = reader.read(&mut read).expect("lines");
        let whole = length / LINE.len();
        assert_eq!(read[..length], *LINE.repeat(whole).as_bytes());
        log.write_all(LINE.as_bytes()).expect("a line");
        let length = reader.read(&mut read).expect("lines");
        let text = String::from_utf8_lossy(&read[..length]);
        let (notice, rest) = text.split_once('\n').expect("two lines");
        let lost = format!("\"lines\":{}}}", 10_000 - whole);
        assert!(
            notice.contains("log lines were lost") && notice.ends_with(&lost),
            "{notice}"
        );
        assert_eq!(rest, LINE);
    }

    #[test]
    fn a_line_that_was_cut_is_ended_before_the_next_one() {
        let (mut reader, pipe) = io::pipe().expect("a pipe");
        let mut log = LogWriter::new(pipe, LineFormat::Text);
        let long = format!("{}\n", "a".repeat(1 << 20));
        log.write_all(long.as_bytes()).expect("a line");
        let mut read = vec![0; 1 << 20];
        let length = reader.read(&mut read).expect("a part of a line");
        assert!(read[..length].iter().all(|byte| *byte == b'a'));
        log.write_all(LINE.as_bytes()).expect("a line");
        let length = reader.read(&mut read).expect("lines");
        let text = String::from_utf8_lossy(&read[..length]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "");
        assert!(
            lines[1]
                .ends_with("WARN log lines were lost, because they could not be written lines=1"),
            "{text}"
        );
        assert_eq!(lines[2..], [LINE.trim_end()]);
    }

    #[test]
    fn a_full_disk_and_a_reader_that_is_gone_are_no_errors() {
        let full = File::options()
            .write(true)
            .open("/dev/full")
            .expect("a device");
        LogWriter::new(full, LineFormat::Json)
            .write_all(LINE.as_bytes())
            .expect("no error");
        let (reader, pipe) = io::pipe().expect("a pipe");
        drop(reader);
        let mut log = LogWriter::new(pipe, LineFormat::Json);
        log.write_all(LINE.as_bytes()).expect("no error");
        assert_eq!(log.lost, 1);
    }
}
