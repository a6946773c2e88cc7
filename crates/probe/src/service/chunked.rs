//! Chunked: the body of a reply without the sizes in between (RFC 9112 section 7.1).

/// Takes the sizes out of a chunked body as it comes in.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    at: At,
}

/// What the next byte belongs to.
#[derive(Debug, Default)]
enum At {
    /// The line of a chunk's size; in its extension, digits are none.
    Size { value: u64, extension: bool },
    /// So many bytes of content.
    Content(u64),
    /// The line end after content.
    #[default]
    LineEnd,
    /// The last chunk was seen: trailers are nobody's evidence.
    Ended,
    /// No size where one should be: the rest is taken as it is.
    Broken,
}

impl Chunked {
    /// Adds the content in `piece` to `body`; whether it was the last.
    pub(super) fn feed(&mut self, piece: &[u8], body: &mut Vec<u8>) -> bool {
        for &byte in piece {
            self.at = match std::mem::take(&mut self.at) {
                At::Ended => At::Ended,
                At::Broken => {
                    body.push(byte);
                    At::Broken
                }
                At::Content(left) => {
                    body.push(byte);
                    match left {
                        0 | 1 => At::LineEnd,
                        _ => At::Content(left - 1),
                    }
                }
                // Also before the first size, and lenient: a bare LF ends a line too.
                At::LineEnd if byte == b'\r' || byte == b'\n' => At::LineEnd,
                At::LineEnd => size(0, byte, body),
                At::Size { value: 0, .. } if byte == b'\n' => At::Ended,
                At::Size { value, .. } if byte == b'\n' => At::Content(value),
                At::Size { value, extension } if extension || byte == b'\r' => {
                    At::Size { value, extension }
                }
                At::Size { value, .. } if matches!(byte, b';' | b' ' | b'\t') => At::Size {
                    value,
                    extension: true,
                },
                At::Size { value, .. } => size(value, byte, body),
            };
        }
        matches!(self.at, At::Ended)
    }
}

/// One more digit of a size.
fn size(value: u64, byte: u8, body: &mut Vec<u8>) -> At {
    let digit = char::from(byte).to_digit(16).map(u64::from);
    let Some(value) = digit.and_then(|digit| value.checked_mul(16)?.checked_add(digit)) else {
        body.push(byte);
        return At::Broken;
    };
    At::Size {
        value,
        extension: false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Chunked;

    fn read(pieces: &[&[u8]]) -> (String, bool) {
        let (mut chunked, mut body, mut ended) = (Chunked::default(), Vec::new(), false);
        for piece in pieces {
            ended = chunked.feed(piece, &mut body);
        }
        (String::from_utf8_lossy(&body).into_owned(), ended)
    }

    #[test]
    fn sizes_extensions_and_trailers_are_no_content() {
        let whole = b"5\r\nhello\r\n6;a=\"f\";b\r\n world\r\n0;last\r\nX: 1\r\n\r\n";
        assert_eq!(read(&[whole]), ("hello world".to_owned(), true));
        let single: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(read(&single), ("hello world".to_owned(), true));
    }

    #[test]
    fn what_is_not_complete_has_not_ended() {
        assert_eq!(read(&[b"5\r\nhel"]), ("hel".to_owned(), false));
        assert_eq!(read(&[b"5\r\nhello\r\n"]), ("hello".to_owned(), false));
        assert_eq!(read(&[b"5\r\n0\r\n\r\n"]).0, "0\r\n\r\n");
    }

    #[test]
    fn a_lying_size_hides_nothing() {
        let huge = b"ffffffffffffffffffff\r\nDENIED";
        assert!(read(&[huge]).0.ends_with("DENIED"));
        assert!(read(&[b"DENIED, and no size"]).0.ends_with("no size"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_more_of_it(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
            let mut body = Vec::new();
            Chunked::default().feed(&bytes, &mut body);
            prop_assert!(body.len() <= bytes.len());
        }
    }
}
