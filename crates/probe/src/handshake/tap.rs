//! Tap: keeps what a peer says during a handshake, so that what cannot be read can still be described.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Channel;

/// Bytes kept at most; an ordinary peer's side of a handshake is a tenth of it.
const MAX_KEPT: usize = 128 * 1024;

/// A channel that remembers the first bytes read from it, until the handshake is complete.
#[derive(Debug)]
pub(super) struct Tap {
    channel: Box<dyn Channel>,
    heard: Vec<u8>,
    complete: bool,
}

impl Tap {
    pub(super) fn new(channel: Box<dyn Channel>) -> Self {
        Self {
            channel,
            heard: Vec::new(),
            complete: false,
        }
    }
}

impl Channel for Tap {
    fn secured(&mut self) {
        self.complete = true;
        self.heard = Vec::new();
        self.channel.secured();
    }

    fn heard(&self) -> &[u8] {
        &self.heard
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.channel).poll_read(cx, buffer))?;
        if !this.complete {
            let read = &buffer.filled()[before..];
            let room = MAX_KEPT - this.heard.len();
            this.heard.extend_from_slice(&read[..read.len().min(room)]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().channel).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().channel).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().channel).poll_shutdown(cx)
    }
}
