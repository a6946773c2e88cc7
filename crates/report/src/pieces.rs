//! Pieces: a long text that is made a piece at a time, while it is read. Its sender never holds
//! the whole, and can let others work between two pieces.

use std::io::{self, BufRead as _, Cursor};

/// A text that is made a piece at a time.
pub trait Pieces {
    /// Appends the next piece, a few kilobytes or nothing, to `out`; `false` when the text has ended.
    fn next_piece(&mut self, out: &mut Vec<u8>) -> io::Result<bool>;

    /// The whole text at once.
    fn whole(mut self) -> io::Result<Vec<u8>>
    where
        Self: Sized,
    {
        let mut text = Vec::new();
        while self.next_piece(&mut text)? {}
        Ok(text)
    }
}

/// How much of a text that is made already is a piece, in bytes.
const PIECE: usize = 8 * 1024;

/// A text that is made already.
impl Pieces for Cursor<Vec<u8>> {
    fn next_piece(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let left = self.fill_buf()?;
        let piece = &left[..left.len().min(PIECE)];
        out.extend_from_slice(piece);
        let length = piece.len();
        self.consume(length);
        Ok(length > 0)
    }
}
