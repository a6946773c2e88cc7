//! Body: a reply's body while it is written. It is compressed as it is written, so that there is never
//! both the text and its compressed form, and so that a client that reads slowly holds the small form.

use std::io::{self, BufWriter, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Bodies up to this size are sent as they are: they fit into one packet.
const SMALL: usize = 1024;

/// Pieces in which a body is compressed, in bytes.
const PIECE: usize = 8 * 1024;

/// The body of one reply.
pub(super) struct Body {
    out: BufWriter<Sink>,
}

impl Body {
    /// An empty body; `gzip`: whether it may be compressed.
    pub(super) fn new(gzip: bool) -> Self {
        let sink = Sink {
            may_compress: gzip,
            plain: Vec::new(),
            compressed: None,
        };
        Self {
            out: BufWriter::with_capacity(PIECE, sink),
        }
    }

    /// What was written, and whether it is compressed.
    pub(super) fn finish(self) -> io::Result<(Vec<u8>, bool)> {
        let sink = self
            .out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        match sink.compressed {
            Some(encoder) => Ok((encoder.finish()?, true)),
            None => Ok((sink.plain, false)),
        }
    }
}

impl Write for Body {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

struct Sink {
    may_compress: bool,
    plain: Vec<u8>,
    compressed: Option<GzEncoder<Vec<u8>>>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(encoder) = &mut self.compressed {
            return encoder.write(bytes);
        }
        self.plain.extend_from_slice(bytes);
        if self.may_compress && self.plain.len() > SMALL {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&self.plain)?;
            self.plain = Vec::new();
            self.compressed = Some(encoder);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    fn written(gzip: bool, text: &[u8], piece: usize) -> (Vec<u8>, bool) {
        let mut body = Body::new(gzip);
        for piece in text.chunks(piece) {
            body.write_all(piece).expect("memory takes all");
        }
        body.finish().expect("memory takes all")
    }

    #[test]
    fn a_large_body_is_compressed_whatever_the_pieces_it_is_written_in() {
        let line = |n: u32| format!("privatelink_probe_success{{target=\"kv-{n}\"}} 1\n");
        let text = (0..10_000).map(line).collect::<String>().into_bytes();
        for piece in [7, SMALL, PIECE, text.len()] {
            let (body, compressed) = written(true, &text, piece);
            assert!(compressed && body.len() < text.len() / 4, "{}", body.len());
            let mut unpacked = Vec::new();
            GzDecoder::new(&body[..])
                .read_to_end(&mut unpacked)
                .expect("gzip");
            assert_eq!(unpacked, text, "{piece}");
            assert_eq!(written(false, &text, piece), (text.clone(), false));
        }
    }

    #[test]
    fn a_small_body_is_not_compressed() {
        for length in [0, 1, SMALL] {
            let text = vec![b'x'; length];
            assert_eq!(written(true, &text, 100), (text, false));
        }
        assert!(written(true, &[b'x'; SMALL + 1], 100).1);
    }
}
