//! Read recorder: keeps what a peer sends during a handshake, so that what cannot be read can still be
//! described.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::starttls::Channel;

/// Bytes kept at most; an ordinary peer's side of a handshake is a tenth of it.
const MAX_KEPT: usize = 128 * 1024;

/// A channel that remembers the first bytes read from it, until the handshake is complete.
#[derive(Debug)]
pub(super) struct ReadRecorder {
    channel: Box<dyn Channel>,
    bytes: Vec<u8>,
    is_complete: bool,
}

impl ReadRecorder {
    pub(super) fn new(channel: Box<dyn Channel>) -> Self {
        Self {
            channel,
            bytes: Vec::new(),
            is_complete: false,
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
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.channel).poll_read(cx, buffer))?;
        if !this.is_complete {
            let read = &buffer.filled()[before..];
            let room = MAX_KEPT - this.bytes.len();
            this.bytes.extend_from_slice(&read[..read.len().min(room)]);
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
