//! Connection: one that an endpoint has accepted. It records the server's turns, and holds back the first
//! answer of a stage where the data file says so.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use privatelink_verdict::reason::Stage;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use crate::turn::Turns;

/// An accepted connection in one stage of a probe.
#[derive(Debug)]
pub(crate) struct AcceptedConnection {
    stream: TcpStream,
    turns: Turns,
    stage: Stage,
    /// When the client was last read, or accepted.
    heard: Instant,
    /// How long the first answer of the stage is held back; zero once it has gone.
    delay: Duration,
    held_back: Option<Pin<Box<Sleep>>>,
}

impl AcceptedConnection {
    /// A connection that was just accepted. The answer to what the client says first waits for `delay`.
    pub(crate) fn new(stream: TcpStream, turns: Turns, delay: Duration) -> io::Result<Self> {
        // As servers do: an answer in two writes does not wait for the client's kernel.
        stream.set_nodelay(true)?;
        let heard = Instant::now();
        turns.ended(Stage::Connect, heard);
        Ok(Self {
            stream,
            turns,
            stage: Stage::Tls,
            heard,
            delay,
            held_back: None,
        })
    }

    /// The handshake is complete, and the answer to a request waits for `delay`.
    pub(crate) fn expect_request(&mut self, delay: Duration) {
        self.stage = Stage::Http;
        self.delay = delay;
    }

    pub(crate) fn get_ref(&self) -> &TcpStream {
        &self.stream
    }

    fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if !self.delay.is_zero() {
            let held_back = self
                .held_back
                .get_or_insert_with(|| Box::pin(sleep(self.delay)));
            ready!(held_back.as_mut().poll(cx));
            self.delay = Duration::ZERO;
            self.held_back = None;
        }
        let written = ready!(write(Pin::new(&mut self.stream), cx))?;
        self.turns.ended(self.stage, self.heard);
        Poll::Ready(Ok(written))
    }
}

impl AsyncRead for AcceptedConnection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        this.heard = Instant::now();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for AcceptedConnection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut()
            .poll_answer(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut()
            .poll_answer(cx, |stream, cx| stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
