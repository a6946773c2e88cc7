//! Packets: a TLS handshake inside TDS packets, and TLS as it is once the handshake is complete.
//!
//! Each flight is one message, as the servers' own clients send it: what is written is held back until
//! it is flushed. Of what comes in nothing is held, so a packet's length, true or not, costs no memory.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::starttls::channel::{Channel, MAX_MESSAGE};

/// Packet types (MS-TDS 2.2.3.1.1): a client's PRELOGIN and TLS of both sides; a server's reply.
pub(super) const PRELOGIN: u8 = 0x12;
pub(super) const REPLY: u8 = 0x04;

/// Bytes of a packet's header: type, status, length (2, big-endian, of the whole packet), process id
/// (2), number, window.
pub(super) const HEADER: usize = 8;

/// The last packet of a message (MS-TDS 2.2.3.1.2).
pub(super) const END_OF_MESSAGE: u8 = 0x01;

/// Bytes held back until a flush; a client's flight is a tenth of it.
const MAX_UNSENT: usize = 16 * 1024;

/// A channel that wraps what it carries into packets of type 0x12.
#[derive(Debug)]
pub(in crate::starttls) struct Packets<C> {
    channel: C,
    /// The handshake is complete: TLS travels without packets (MS-TDS 2.2.6.5).
    is_complete: bool,
    /// The header being read, and how much of it has come.
    header: ([u8; HEADER], usize),
    /// Bytes left of the packet being read.
    left: usize,
    /// Written since the last flush, in no packet yet.
    unsent: Vec<u8>,
    /// In packets, being sent, and how much has gone.
    outgoing: (Vec<u8>, usize),
}

impl<C: Channel> Packets<C> {
    /// Wraps from now on.
    pub(in crate::starttls) fn new(channel: C) -> Self {
        Self {
            channel,
            is_complete: false,
            header: ([0; HEADER], 0),
            left: 0,
            unsent: Vec::new(),
            outgoing: (Vec::new(), 0),
        }
    }

    /// Reads headers until one announces some content; `false`: the peer has closed in between.
    fn poll_packet(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.left == 0 {
            let (header, got) = &mut self.header;
            let mut room = ReadBuf::new(&mut header[*got..]);
            ready!(Pin::new(&mut self.channel).poll_read(cx, &mut room))?;
            let read = room.filled().len();
            if read == 0 {
                return Poll::Ready(if *got == 0 {
                    Ok(false)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                });
            }
            *got += read;
            if *got == HEADER {
                self.left = content(*header)?;
                *got = 0;
            }
        }
        Poll::Ready(Ok(true))
    }

    /// Sends everything held back, as one message.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (packets, sent) = &mut self.outgoing;
        loop {
            while *sent < packets.len() {
                let written = Pin::new(&mut self.channel).poll_write(cx, &packets[*sent..]);
                match ready!(written)? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    written => *sent += written,
                }
            }
            packets.clear();
            *sent = 0;
            if self.unsent.is_empty() {
                return Poll::Ready(Ok(()));
            }
            wrap(&std::mem::take(&mut self.unsent), packets);
        }
    }
}

/// How much content follows `header`.
fn content(header: [u8; HEADER]) -> io::Result<usize> {
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let wrong = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    // Some servers use the type of all their other replies here too.
    if !matches!(header[0], PRELOGIN | REPLY) {
        return Err(wrong(format!(
            "the server leaves the handshake with a TDS packet of type {:#04x}",
            header[0]
        )));
    }
    // At most 32767 bytes at any time (MS-TDS 2.2.3.1.3).
    if !(HEADER..=0x7fff).contains(&length) {
        return Err(wrong(format!(
            "a TDS packet claims an impossible length, {length} bytes"
        )));
    }
    Ok(length - HEADER)
}

/// Appends `message` to `packets` in packets of 4096 bytes at most, the length before login.
fn wrap(message: &[u8], packets: &mut Vec<u8>) {
    let mut parts = message.chunks(MAX_MESSAGE - HEADER).peekable();
    let mut number = 1u8;
    while let Some(part) = parts.next() {
        let status = if parts.peek().is_none() {
            END_OF_MESSAGE
        } else {
            0
        };
        let length = u16::try_from(HEADER + part.len()).unwrap_or(u16::MAX);
        let [high, low] = length.to_be_bytes();
        packets.extend([PRELOGIN, status, high, low, 0, 0, number, 0]);
        packets.extend(part);
        number = number.wrapping_add(1);
    }
}

impl<C: Channel> Channel for Packets<C> {
    fn handshake_completed(&mut self) {
        self.is_complete = true;
    }
}

impl<C: Channel> AsyncRead for Packets<C> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_complete {
            return Pin::new(&mut this.channel).poll_read(cx, buffer);
        }
        if !ready!(this.poll_packet(cx))? {
            return Poll::Ready(Ok(()));
        }
        let most = this.left.min(buffer.remaining());
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
        ready!(Pin::new(&mut this.channel).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        buffer.advance(read);
        this.left -= read;
        Poll::Ready(Ok(()))
    }
}

impl<C: Channel> AsyncWrite for Packets<C> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_complete || this.unsent.len() >= MAX_UNSENT {
            ready!(this.poll_send(cx))?;
        }
        if this.is_complete {
            return Pin::new(&mut this.channel).poll_write(cx, bytes);
        }
        let taken = bytes.len().min(MAX_UNSENT - this.unsent.len());
        this.unsent.extend(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.channel).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.channel).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    fn packet(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len() + HEADER).expect("short");
        [
            &[kind, 1][..],
            &length.to_be_bytes(),
            &[0, 0, 1, 0],
            content,
        ]
        .concat()
    }

    /// What is read where the peer sends `sent` and closes.
    async fn read(sent: &[u8]) -> io::Result<Vec<u8>> {
        let (near, mut far) = duplex(64 * 1024);
        far.write_all(sent).await?;
        drop(far);
        let mut received = Vec::new();
        Packets::new(near).read_to_end(&mut received).await?;
        Ok(received)
    }

    #[tokio::test]
    async fn a_flight_is_one_message_in_packets_of_4096_bytes() {
        let (near, mut far) = duplex(64 * 1024);
        let mut packets = Packets::new(near);
        for part in [vec![1; 5000], vec![2; 100]] {
            packets.write_all(&part).await.expect("held");
        }
        packets.flush().await.expect("sent");
        let mut sent = vec![0; 5100 + 2 * HEADER];
        far.read_exact(&mut sent).await.expect("two packets");
        assert_eq!(sent[..HEADER], [0x12, 0, 0x10, 0, 0, 0, 1, 0]);
        assert_eq!(sent[4096..4096 + HEADER], [0x12, 1, 3, 252, 0, 0, 2, 0]);
        let content = [&sent[HEADER..4096], &sent[4096 + HEADER..]].concat();
        assert_eq!(content, [vec![1; 5000], vec![2; 100]].concat());
    }

    #[tokio::test]
    async fn after_the_handshake_tls_travels_as_it_is() {
        let (near, mut far) = duplex(64);
        let mut packets = Packets::new(near);
        packets.handshake_completed();
        packets.write_all(b"bye").await.expect("sent");
        far.write_all(b"bye").await.expect("sent");
        let (mut there, mut here) = ([0; 3], [0; 3]);
        far.read_exact(&mut there).await.expect("bare");
        packets.read_exact(&mut here).await.expect("bare");
        assert_eq!((&there, &here), (b"bye", b"bye"));
    }

    #[tokio::test]
    async fn what_packets_carry_is_read_without_them() {
        let sent = [packet(0x12, b"hel"), packet(0x12, b""), packet(0x12, b"lo")].concat();
        assert_eq!(read(&sent).await.expect("content"), b"hello");
        let error = read(&sent[..sent.len() - 12])
            .await
            .expect_err("half a header");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn a_handshake_in_packets_of_the_replys_type_is_read_too() {
        let sent = [packet(4, b"hel"), packet(0x12, b"lo")].concat();
        assert_eq!(read(&sent).await.expect("content"), b"hello");
    }

    #[tokio::test]
    async fn a_packet_that_cannot_be_is_an_error() {
        for (sent, text) in [
            (packet(3, b"x"), "a TDS packet of type 0x03"),
            (b"HTTP/1.1 400".to_vec(), "a TDS packet of type 0x48"),
            (
                vec![0x12, 1, 0, 7, 0, 0, 1, 0, 0],
                "an impossible length, 7 bytes",
            ),
            (
                vec![0x12, 1, 0x80, 0, 0, 0, 1, 0, 0],
                "an impossible length, 32768 bytes",
            ),
        ] {
            let error = read(&sent).await.expect_err("no packet").to_string();
            assert!(error.ends_with(text), "{error}");
        }
    }

    proptest! {
        #[test]
        fn every_flight_arrives_whole(
            flights in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..9000), 1..4),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            runtime.expect("a runtime").block_on(async {
                // A narrow pipe: packets are sent and received in pieces.
                let (near, far) = duplex(700);
                let (mut near, mut far) = (Packets::new(near), Packets::new(far));
                let send = async {
                    for flight in &flights {
                        near.write_all(flight).await.expect("taken");
                        near.flush().await.expect("sent");
                    }
                    near.shutdown().await.expect("closed");
                };
                let mut received = Vec::new();
                let ((), read) = tokio::join!(send, far.read_to_end(&mut received));
                read.expect("received");
                assert_eq!(received, flights.concat());
            });
        }

        #[test]
        fn no_bytes_make_reading_panic_or_hang(sent in proptest::collection::vec(any::<u8>(), 0..400)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            // Whether it is content or an error, it ends.
            let _ = runtime.expect("a runtime").block_on(read(&[&[0x12, 1, 0], &sent[..]].concat()));
        }
    }
}
