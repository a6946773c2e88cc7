//! Body: the body of a reply that may be long. It is made while it is read, a chunk at a time, and each
//! chunk waits for its turn: however many clients read, and however slowly, a reply holds a chunk or two.
//!
//! A reader that is too slow is ended, since it keeps others waiting.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream::{Stream, try_unfold};
use privatelink_board::HttpCounters;
use privatelink_report::events::SlowReaderEnded;
use privatelink_report::pieces::Pieces;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::pace::Pace;
use super::peer_limit::PeerPermit;

/// Bodies up to this size are sent as they are: they fit into one packet.
const SMALL: usize = 1024;

/// How much text is made at once, in bytes, and by how much a piece may exceed that as a rule.
const CHUNK: usize = 16 * 1024;
const EXCESS: usize = 8 * 1024;

/// How much is sent at once of a compressed text, in bytes.
const PACKED: usize = 4 * 1024;

/// How long text is made in one turn.
const TURN: Duration = Duration::from_micros(250);

/// Bytes a second that a reader must take in the long run.
const SLOWEST: u64 = 64 * 1024;

/// A text whose first chunk is made.
pub(super) struct Body<P> {
    pieces: P,
    pace: Pace,
    /// What is made and not sent.
    made: Vec<u8>,
    /// Whether there is no text beyond it.
    is_made: bool,
    /// Whether everything is sent.
    is_sent: bool,
    encoder: Option<GzEncoder<Vec<u8>>>,
}

/// What a long reply holds, and what happens where it is read too slowly.
#[derive(Debug)]
pub(super) struct Reading {
    /// The right to it.
    pub(super) permit: PeerPermit,
    /// Ends the connection.
    pub(super) end: CancellationToken,
    /// How long a reader may take nothing at first.
    pub(super) patience: Duration,
    /// Where a reader that was ended is counted.
    pub(super) counters: Arc<HttpCounters>,
}

impl<P: Pieces> Body<P> {
    /// Makes the first chunk.
    pub(super) async fn begin(pieces: P, pace: Pace) -> io::Result<Self> {
        let mut body = Self {
            pieces,
            pace,
            made: Vec::new(),
            is_made: false,
            is_sent: false,
            encoder: None,
        };
        body.make().await?;
        Ok(body)
    }

    /// Whether the first chunk is all.
    pub(super) const fn is_short(&self) -> bool {
        self.is_made
    }

    /// The only chunk of a short text, and whether it is compressed; `gzip`: whether it may be.
    pub(super) fn into_chunk(self, gzip: bool) -> io::Result<(Vec<u8>, bool)> {
        if !gzip || self.made.len() <= SMALL {
            return Ok((self.made, false));
        }
        let mut encoder = encoder();
        encoder.write_all(&self.made)?;
        Ok((encoder.finish()?, true))
    }

    /// The chunks of a long text, compressed if `gzip`.
    pub(super) fn into_chunks(
        mut self,
        gzip: bool,
        reading: Reading,
    ) -> impl Stream<Item = io::Result<Vec<u8>>> {
        self.encoder = gzip.then(encoder);
        let taken = Arc::new(AtomicU64::new(0));
        let (permit, watch) = reading.watch(Arc::clone(&taken));
        try_unfold((self, taken, permit, watch), |mut state| async move {
            let (body, taken, ..) = &mut state;
            let Some(chunk) = body.chunk().await? else {
                return Ok(None);
            };
            taken.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            Ok(Some((chunk, state)))
        })
    }

    async fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        while !self.is_sent {
            if self.made.is_empty() && !self.is_made {
                self.make().await?;
            }
            self.is_sent = self.is_made;
            let Some(encoder) = &mut self.encoder else {
                let chunk = std::mem::take(&mut self.made);
                return Ok((!chunk.is_empty()).then_some(chunk));
            };
            encoder.write_all(&self.made)?;
            self.made.clear();
            if self.is_sent {
                encoder.try_finish()?;
            }
            if self.is_sent || encoder.get_ref().len() >= PACKED {
                return Ok(Some(std::mem::take(encoder.get_mut())));
            }
        }
        Ok(None)
    }

    /// Makes text until it is a chunk, in as many turns as that takes.
    async fn make(&mut self) -> io::Result<()> {
        self.made.reserve_exact(CHUNK + EXCESS);
        while !self.is_made && self.made.len() < CHUNK {
            self.pace.turn().await;
            let started = Instant::now();
            while !self.is_made && self.made.len() < CHUNK && started.elapsed() < TURN {
                self.is_made = !self.pieces.next_piece(&mut self.made)?;
            }
        }
        Ok(())
    }
}

fn encoder() -> GzEncoder<Vec<u8>> {
    GzEncoder::new(Vec::new(), Compression::fast())
}

impl Reading {
    /// Ends the connection when less is `taken` than a reader must take. Returns what must be kept until
    /// the reply ends.
    fn watch(self, taken: Arc<AtomicU64>) -> (PeerPermit, AbortOnDropHandle<()>) {
        let Self {
            permit,
            end,
            patience,
            counters,
        } = self;
        let started = Instant::now();
        let watch = tokio::spawn(async move {
            loop {
                let taken = taken.load(Ordering::Relaxed);
                let deadline = started + patience + Duration::from_secs(taken / SLOWEST);
                if deadline <= Instant::now() {
                    break;
                }
                sleep_until(deadline).await;
            }
            SlowReaderEnded.emit(&counters);
            end.cancel();
        });
        (permit, AbortOnDropHandle::new(watch))
    }
}
