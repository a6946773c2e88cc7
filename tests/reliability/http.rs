//! HTTP: one GET to the agent, with a deadline.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// What the agent replied.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Asks the agent at `address` for `path`; an error says why there is no whole reply after `limit`.
pub(crate) async fn get(address: SocketAddr, path: &str, limit: Duration) -> Result<Reply, String> {
    let reply = timeout(limit, ask(address, path)).await;
    let reply = reply.map_err(|_| format!("no reply in {limit:?}"))?;
    let text = reply.map_err(|error| error.to_string())?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("half a reply")?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Reply {
        status: status.ok_or("no status line")?,
        body: body.to_owned(),
    })
}

async fn ask(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = connect(address).await?;
    // HTTP/1.0: the body ends with the connection and is never chunked.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await?;
    Ok(reply)
}

/// Connects from a port of our own choice, below those that the kernel gives: a fault takes all of these.
async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let port = 15_000 + NEXT.fetch_add(1, Ordering::Relaxed) % 15_000;
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    socket.connect(address).await
}
