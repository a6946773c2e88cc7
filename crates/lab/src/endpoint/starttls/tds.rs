//! SQL Server in the lab (MS-TDS 2.2.3.1 packet header, 2.2.6.5 PRELOGIN, 3.3.5 the server's
//! states).

use std::io;

use rustls::ServerConnection;
use rustls::server::Acceptor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use super::{TlsBehaviour, listen, protocol_error, trickle};
use crate::endpoint::AcceptedConnection;

const PRELOGIN: u8 = 0x12;
const REPLY: u8 = 0x04;
const END_OF_MESSAGE: u8 = 1;
const ENCRYPT_ON: u8 = 1;
const ENCRYPT_NOT_SUP: u8 = 2;

/// Bytes of a packet before login, at most, and of its header.
const MAX_PACKET: usize = 4096;
const HEADER: usize = 8;

pub(crate) async fn serve(
    behaviour: &TlsBehaviour,
    tls: Option<&TlsAcceptor>,
    mut stream: AcceptedConnection,
) -> io::Result<()> {
    let request = read_message(&mut stream).await?;
    // A PRELOGIN begins with the client's version (3.3.5.1).
    if request.first() != Some(&0) {
        return Err(protocol_error("not PRELOGIN"));
    }
    match behaviour {
        TlsBehaviour::Tls(_) => {
            write_message(&mut stream, REPLY, &prelogin(ENCRYPT_ON)).await?;
            serve_tls_in_packets(tls, stream).await
        }
        TlsBehaviour::NoTls => {
            write_message(&mut stream, REPLY, &prelogin(ENCRYPT_NOT_SUP)).await?;
            listen(stream).await
        }
        TlsBehaviour::Error { code, text } => {
            write_message(&mut stream, REPLY, &error(*code, text)).await
        }
        TlsBehaviour::WrongLength => {
            stream
                .write_all(&[REPLY, END_OF_MESSAGE, 0x0f, 0xa0, 0, 0, 1, 0, 0])
                .await?;
            listen(stream).await
        }
        TlsBehaviour::Trickle => trickle(stream, &packets(REPLY, &prelogin(ENCRYPT_ON))).await,
    }
}

/// TLS first. A client that does not ask for TDS 8 by its ALPN name is refused, so that a test sees it.
pub(crate) async fn serve_strict(
    tls: Option<&TlsAcceptor>,
    stream: AcceptedConnection,
) -> io::Result<()> {
    let tls = tls.ok_or(io::ErrorKind::Unsupported)?;
    let mut first = [0];
    stream.get_ref().peek(&mut first).await?;
    if first == [PRELOGIN] {
        // SQL Server 2022 resets, too: it closes with the packet unread.
        return Err(protocol_error("not TLS"));
    }
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let named = start.client_hello().alpn();
    if !named.is_some_and(|mut names| names.any(|name| name == b"tds/8.0")) {
        return Err(protocol_error("not TDS 8"));
    }
    listen(start.into_stream(tls.config().clone()).await?).await
}

/// The handshake goes in TDS packets, each flight a message; then TLS goes without packets.
async fn serve_tls_in_packets(
    tls: Option<&TlsAcceptor>,
    mut stream: AcceptedConnection,
) -> io::Result<()> {
    let config = tls.ok_or(io::ErrorKind::Unsupported)?.config().clone();
    let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
    while tls.is_handshaking() {
        let flight = read_message(&mut stream).await?;
        let result = feed(&mut tls, &flight);
        let mut answer = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut answer)?;
        }
        if !answer.is_empty() {
            write_message(&mut stream, PRELOGIN, &answer).await?;
        }
        result?;
    }
    let mut buffer = [0; 512];
    loop {
        // A TDS packet would be an error here, since it is no TLS record.
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            length => feed(&mut tls, &buffer[..length])?,
        }
    }
}

fn feed(tls: &mut ServerConnection, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        tls.read_tls(&mut bytes)?;
        tls.process_new_packets().map_err(io::Error::other)?;
    }
    Ok(())
}

/// The client's next message, of packets that are PRELOGIN and no longer than they may be.
async fn read_message(stream: &mut AcceptedConnection) -> io::Result<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        let mut header = [0; HEADER];
        stream.read_exact(&mut header).await?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if header[0] != PRELOGIN || !(HEADER..=MAX_PACKET).contains(&length) {
            return Err(protocol_error("not a packet"));
        }
        let start = message.len();
        message.resize(start + length - HEADER, 0);
        stream.read_exact(&mut message[start..]).await?;
        if header[1] & END_OF_MESSAGE != 0 {
            return Ok(message);
        }
        if message.len() > 16 * MAX_PACKET {
            return Err(protocol_error("too long a message"));
        }
    }
}

async fn write_message(
    stream: &mut AcceptedConnection,
    kind: u8,
    message: &[u8],
) -> io::Result<()> {
    stream.write_all(&packets(kind, message)).await
}

fn packets(kind: u8, message: &[u8]) -> Vec<u8> {
    let parts: Vec<&[u8]> = message.chunks(MAX_PACKET - HEADER).collect();
    let mut packets = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let status = u8::from(index + 1 == parts.len());
        let length = u16::try_from(part.len() + HEADER).unwrap_or(u16::MAX);
        let [high, low] = length.to_be_bytes();
        let number = u8::try_from(index + 1).unwrap_or_default();
        packets.extend([kind, status, high, low, 0, 0, number, 0]);
        packets.extend_from_slice(part);
    }
    packets
}

/// VERSION 16.0.4105, ENCRYPTION, INSTOPT, THREADID without a value, MARS.
fn prelogin(encryption: u8) -> Vec<u8> {
    let options: [[u8; 5]; 5] = [
        [0, 0, 26, 0, 6],
        [1, 0, 32, 0, 1],
        [2, 0, 33, 0, 1],
        [3, 0, 34, 0, 0],
        [4, 0, 34, 0, 1],
    ];
    let values = [16, 0, 0x10, 0x09, 0, 0, encryption, 0, 0];
    [&options.concat()[..], &[0xff], &values].concat()
}

/// An ERROR token (2.2.7.10) with an empty server and procedure name, and DONE (2.2.7.6) behind it.
fn error(code: u16, text: &str) -> Vec<u8> {
    let text: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let units = u16::try_from(text.len() / 2).unwrap_or(u16::MAX);
    let body = [
        &u32::from(code).to_le_bytes()[..],
        &[1, 20], // state, class
        &units.to_le_bytes(),
        &text,
        &[0, 0, 1, 0, 0, 0],
    ]
    .concat();
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX).to_le_bytes();
    let done = [0xfd, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    [&[0xaa], &length[..], &body, &done].concat()
}
