//! Read recorder: keeps the first and the last bytes that a peer sends during a handshake, so that what
//! cannot be read can still be described, and bounds how much it may send.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::failure::{ALERT_BYTES, MAX_SHOWN};
use crate::connection_budget::{ConnectionBudget, LargeRead, ORDINARY_BYTES};
use crate::starttls::Channel;

/// A channel that remembers how what is read from it begins and ends, until the handshake is complete.
#[derive(Debug)]
pub(super) struct ReadRecorder {
    channel: Box<dyn Channel>,
    budget: ConnectionBudget,
    /// The first [`MAX_SHOWN`] bytes, and after them the last [`ALERT_BYTES`].
    bytes: Vec<u8>,
    /// Bytes read in all.
    read: usize,
    /// Held from [`ORDINARY_BYTES`] on. The library keeps what it has read, so it is held until the end.
    large_read: Option<LargeRead>,
    is_complete: bool,
}

impl ReadRecorder {
    pub(super) fn new(channel: Box<dyn Channel>, budget: ConnectionBudget) -> Self {
        Self {
            channel,
            budget,
            bytes: Vec::new(),
            read: 0,
            large_read: None,
            is_complete: false,
        }
    }

    fn record(&mut self, read: &[u8]) {
        self.read += read.len();
        let room = MAX_SHOWN.saturating_sub(self.bytes.len()).min(read.len());
        self.bytes.extend_from_slice(&read[..room]);
        let rest = &read[room..];
        self.bytes
            .extend_from_slice(&rest[rest.len().saturating_sub(ALERT_BYTES)..]);
        let surplus = self.bytes.len().saturating_sub(MAX_SHOWN + ALERT_BYTES);
        if surplus > 0 {
            self.bytes.drain(MAX_SHOWN..MAX_SHOWN + surplus);
        }
    }
}

impl Channel for ReadRecorder {
    fn handshake_completed(&mut self) {
        self.is_complete = true;
        self.bytes = Vec::new();
        self.channel.handshake_completed();
    }

    fn recorded(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsyncRead for ReadRecorder {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.read >= ORDINARY_BYTES && !this.is_complete && this.large_read.is_none() {
            this.large_read = this.budget.try_large_read();
            if this.large_read.is_none() {
                let why = "the peer sends much, and too many others do so at this moment";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::OutOfMemory, why)));
            }
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.channel).poll_read(cx, buffer))?;
        if !this.is_complete {
            this.record(&buffer.filled()[before..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ReadRecorder {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().channel).poll_write(cx, bytes)
    }

    /// The parts of a client's flight leave together: the peer can answer only the last one, and its kernel
    /// lets the acknowledgement of the others wait.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().channel).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.channel.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().channel).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().channel).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    async fn recorder_of(sent: &[u8], budget: &ConnectionBudget) -> ReadRecorder {
        let (mut peer, ours) = duplex(sent.len().max(1));
        peer.write_all(sent).await.expect("room");
        ReadRecorder::new(Box::new(ours), budget.clone())
    }

    #[tokio::test]
    async fn it_keeps_how_it_begins_and_how_it_ends_and_no_more() {
        let sent: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        for piece in [1, 5, 7, 47, 48, 49, 1000, 10_000] {
            let mut recorder = recorder_of(&sent, &ConnectionBudget::new()).await;
            for (number, piece) in sent.chunks(piece).enumerate() {
                let mut buffer = vec![0; piece.len()];
                recorder.read_exact(&mut buffer).await.expect("bytes");
                assert_eq!(buffer, piece, "piece {number}");
            }
            let expected = [&sent[..MAX_SHOWN], &sent[sent.len() - ALERT_BYTES..]].concat();
            assert_eq!(recorder.recorded(), expected, "in pieces of {piece}");
        }
    }

    #[tokio::test]
    async fn a_peer_that_sends_much_is_given_up_while_too_many_others_do() {
        let budget = ConnectionBudget::new();
        let sent = vec![0; 3 * ORDINARY_BYTES];
        let others: Vec<LargeRead> = std::iter::from_fn(|| budget.try_large_read()).collect();
        let error = read(&sent, &budget).await.expect_err("too much");
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
        let ordinary = read(&sent[..ORDINARY_BYTES], &budget).await;
        ordinary.expect("an ordinary handshake");
        drop(others);
        read(&sent, &budget).await.expect("room again");
    }

    /// Reads what is sent in the pieces in which the TLS library does.
    async fn read(sent: &[u8], budget: &ConnectionBudget) -> io::Result<()> {
        let mut recorder = recorder_of(sent, budget).await;
        for piece in sent.chunks(4096) {
            recorder.read_exact(&mut vec![0; piece.len()]).await?;
        }
        Ok(())
    }
}
