//! Bounded: the stream that a request is sent on. The bytes that are read from it are limited, and none is
//! read before the request is written: a peer that speaks first is read like one that waits to be asked.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream with a limit on what is read.
#[derive(Debug)]
pub(super) struct Bounded<'a, S> {
    stream: &'a mut S,
    remaining: usize,
    was_written: bool,
    /// The task that waits to read until something was written.
    reader: Option<Waker>,
}

/// The peer sends more than is read.
#[derive(Debug, thiserror::Error)]
#[error("the peer sends more than is read")]
struct LimitExceeded;

impl<'a, S> Bounded<'a, S> {
    /// Reads at most `limit` bytes of `stream`; to read more is an error.
    pub(super) fn new(stream: &'a mut S, limit: usize) -> Self {
        Self {
            stream,
            remaining: limit,
            was_written: false,
            reader: None,
        }
    }
}

/// Whether `error` comes from the limit.
pub(super) fn is_limit_exceeded(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source())
        .filter_map(|error| error.downcast_ref::<io::Error>()?.get_ref())
        .any(<dyn Error + Send + Sync>::is::<LimitExceeded>)
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.was_written {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if self.remaining == 0 {
            return Poll::Ready(Err(io::Error::other(LimitExceeded)));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut *self.stream).poll_read(cx, buffer))?;
        let read = buffer.filled().len() - before;
        self.remaining = self.remaining.saturating_sub(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.was_written = true;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Pin::new(&mut *self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream).poll_shutdown(cx)
    }
}
