//! Endpoint: what listens at an address of the lab, well-behaved or not.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, sink};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::starttls::{TlsBehaviour, mysql, postgres, serve_tls, tds};
use super::tasks::Tasks;
use super::tls::{Delivery, Tls, Version};

/// Where something listens: an address, at the world's service port unless it names its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Place {
    pub(super) ip: IpAddr,
    pub(super) port: Option<u16>,
}

/// How the place behaves.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Endpoint {
    /// Speaks TLS, and after the handshake listens in silence.
    Tls(Tls),
    /// The system fails the dialling, as no loopback address makes it fail. Simulated.
    Errno(Errno),
    /// No route leads to the address. Simulated.
    NoRoute,
    /// Refuses. So does every loopback address of the records that has no endpoint.
    Closed,
    /// Answers no SYN, as behind a firewall that drops.
    Blackhole,
    /// Accepts and says nothing: a plain TCP service, or one that hangs.
    Silent,
    /// Speaks HTTP in the clear.
    Plain,
    /// Says this line in the clear and closes, such as `SSH-2.0-OpenSSH_9.6`.
    Says(String),
    /// Reads the `ClientHello` and closes.
    Interrupt,
    /// Reads the `ClientHello` and resets, as some firewalls do.
    Reset,
    /// Answers the `ClientHello` with this fatal alert (RFC 8446 section 6), such as 40.
    Alert(u8),
    /// Says one byte a second of a reply that never ends.
    Trickle,
    /// `PostgreSQL`: answers `SSLRequest` with one byte, then speaks TLS.
    Postgres(TlsBehaviour),
    /// `MySQL` or `MariaDB`: greets first.
    Mysql(TlsBehaviour),
    /// SQL Server up to TDS 7: TLS inside packets.
    Tds(TlsBehaviour),
    /// SQL Server that demands strict encryption (TDS 8): TLS first, and by name.
    TdsStrict(Tls),
}

/// A way in which the system fails a connection attempt, as errno(3) calls it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Errno {
    /// A route of type `prohibit` (ip-route(8)).
    Eacces,
    /// No local port is left.
    Eaddrnotavail,
    /// Reset while it was being opened.
    Econnreset,
    /// A router or firewall answered that the host cannot be reached (ICMP).
    Ehostunreach,
    /// The process has no descriptor left.
    Emfile,
    /// No route, or a router that has none.
    Enetunreach,
}

impl Errno {
    /// Its number on Linux.
    pub(super) const fn number(self) -> i32 {
        match self {
            Self::Eacces => 13,
            Self::Emfile => 24,
            Self::Eaddrnotavail => 99,
            Self::Enetunreach => 101,
            Self::Econnreset => 104,
            Self::Ehostunreach => 113,
        }
    }
}

impl Endpoint {
    /// The TLS it speaks, if it does.
    pub(super) fn tls(&self) -> Option<Tls> {
        match self {
            Self::Tls(tls)
            | Self::TdsStrict(tls)
            | Self::Postgres(TlsBehaviour::Tls(tls))
            | Self::Mysql(TlsBehaviour::Tls(tls)) => Some(tls.clone()),
            // No TLS 1.3 inside packets.
            Self::Tds(TlsBehaviour::Tls(tls)) => Some(Tls {
                versions: vec![Version::Tls12],
                ..tls.clone()
            }),
            _ => None,
        }
    }
}

/// How an endpoint behaves once its certificate is made.
#[derive(Clone)]
pub(super) struct Behaviour {
    pub(super) endpoint: Endpoint,
    pub(super) tls: Option<TlsAcceptor>,
}

/// Connections accepted, by address and port.
pub(super) type Connections = Arc<BTreeMap<SocketAddr, AtomicU64>>;

/// How long a connection is held for a client that does nothing.
const HOLD: Duration = Duration::from_mins(1);

/// How long a connection attempt may take on loopback before it counts as lost. The kernel repeats
/// a SYN after a second; on loopback an answered one takes well under a millisecond.
const LOST: Duration = Duration::from_millis(250);

/// Connections made at most to fill a backlog.
const FILLERS: usize = 16;

/// Ports from here on may be opened by everybody.
const UNPRIVILEGED: u16 = 1024;

/// Sets of ports tried until one is free at every address.
const TRIES: usize = 64;

/// One port that is free at every one of `ips`, and a bound socket for each.
pub(super) fn one_port(ips: &[IpAddr]) -> io::Result<(u16, Vec<TcpSocket>)> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let mut port = 0;
        let mut sockets = Vec::new();
        let localhost = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
        let ips = if ips.is_empty() { &localhost } else { ips };
        let bound: io::Result<()> = ips.iter().try_for_each(|ip| {
            let socket = bind(SocketAddr::new(*ip, port), Share::Never)?;
            port = socket.local_addr()?.port();
            sockets.push(socket);
            Ok(())
        });
        match bound {
            Ok(()) => return Ok((port, sockets)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// Whether a port may be taken while connections of an earlier world still linger there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    Never,
    WithThePast,
}

/// A socket bound at `address`, not listening yet: until it does, connections are refused.
pub(super) fn bind(address: SocketAddr, share: Share) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(share == Share::WithThePast)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Makes `socket`, which stands for `at`, behave, until `tasks` stop.
pub(super) async fn open(
    socket: TcpSocket,
    at: SocketAddr,
    behaviour: Behaviour,
    connections: Connections,
    tasks: &Tasks,
) -> io::Result<()> {
    match behaviour.endpoint {
        // Nobody gets through to the last two.
        Endpoint::Closed | Endpoint::Errno(_) | Endpoint::NoRoute => tasks.hold(socket),
        Endpoint::Blackhole => tasks.hold(black_hole(socket).await?),
        _ => {
            let listener = socket.listen(128)?;
            tasks.spawn(serve(listener, at, behaviour, connections, tasks.clone()));
        }
    }
    Ok(())
}

/// A listener whose backlog is full, and the connections that fill it: the kernel drops every
/// further SYN.
async fn black_hole(socket: TcpSocket) -> io::Result<(TcpListener, Vec<TcpStream>)> {
    let listener = socket.listen(1)?;
    let address = listener.local_addr()?;
    let mut fillers = Vec::new();
    while fillers.len() < FILLERS {
        match timeout(LOST, TcpStream::connect(address)).await {
            Ok(filler) => fillers.push(filler?),
            Err(_) => return Ok((listener, fillers)),
        }
    }
    Err(io::Error::other(
        "the kernel accepts connections beyond the backlog: no black hole can be made here",
    ))
}

async fn serve(
    listener: TcpListener,
    at: SocketAddr,
    behaviour: Behaviour,
    connections: Connections,
    tasks: Tasks,
) {
    let count = connections.get(&at);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: give the others time to close theirs.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        if let Some(count) = count {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let behaviour = behaviour.clone();
        tasks.spawn(async move {
            // However the connection ends, the client's verdict is what counts.
            _ = timeout(HOLD, behaviour.meet(stream)).await;
        });
    }
}

impl Behaviour {
    async fn meet(self, mut stream: TcpStream) -> io::Result<()> {
        let tls = self.tls.as_ref();
        match self.endpoint {
            Endpoint::Tls(described) => match described.reply_on_the_wire() {
                None => serve_tls(tls, stream).await,
                Some(reply) => reply_over_tls(tls, stream, &reply, described.delivery).await,
            },
            Endpoint::Postgres(behaviour) => postgres::meet(&behaviour, tls, stream).await,
            Endpoint::Mysql(behaviour) => mysql::meet(&behaviour, tls, stream).await,
            Endpoint::Tds(behaviour) => tds::meet(&behaviour, tls, stream).await,
            Endpoint::TdsStrict(_) => tds::meet_strictly(tls, stream).await,
            Endpoint::Plain => {
                hello(&mut stream).await?;
                let reply =
                    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                stream.write_all(reply).await
            }
            Endpoint::Says(line) => {
                stream.write_all(format!("{line}\r\n").as_bytes()).await?;
                hello(&mut stream).await
            }
            Endpoint::Interrupt => {
                hello(&mut stream).await?;
                Ok(())
            }
            Endpoint::Reset => {
                hello(&mut stream).await?;
                stream.set_zero_linger()
            }
            Endpoint::Alert(description) => {
                hello(&mut stream).await?;
                // Record type alert, version 1.2, two bytes: fatal, description.
                stream.write_all(&[21, 3, 3, 0, 2, 2, description]).await
            }
            Endpoint::Trickle => {
                // The header of a handshake record that would hold 16 KiB of ServerHello.
                let header = [22, 3, 3, 0x40, 0, 2, 0, 0x3f, 0xfc];
                for byte in header.into_iter().chain(std::iter::repeat(0)) {
                    stream.write_all(&[byte]).await?;
                    sleep(Duration::from_secs(1)).await;
                }
                Ok(())
            }
            // All but the first never accept.
            Endpoint::Silent
            | Endpoint::Closed
            | Endpoint::Blackhole
            | Endpoint::Errno(_)
            | Endpoint::NoRoute => copy(&mut stream, &mut sink()).await.map(drop),
        }
    }
}

/// Speaks TLS and replies to whatever is asked.
async fn reply_over_tls(
    tls: Option<&TlsAcceptor>,
    stream: TcpStream,
    reply: &[u8],
    delivery: Delivery,
) -> io::Result<()> {
    let tls = tls.ok_or(io::ErrorKind::Unsupported)?;
    let mut stream = tls.accept(stream).await?;
    if stream.read(&mut [0; 4096]).await? == 0 {
        return stream.shutdown().await;
    }
    let pieces = match delivery {
        Delivery::Trickles => reply.chunks(1),
        _ => reply.chunks(reply.len().max(1)),
    };
    for piece in pieces {
        stream.write_all(piece).await?;
        stream.flush().await?;
        if delivery == Delivery::Trickles {
            sleep(Duration::from_secs(1)).await;
        }
    }
    match delivery {
        Delivery::Whole | Delivery::Trickles => {}
        Delivery::Stalls => drop(copy(&mut stream, &mut sink()).await?),
        Delivery::Floods => {
            for _ in 0..10 * 1024 {
                stream.write_all(&[b'a'; 1024]).await?;
            }
        }
    }
    stream.shutdown().await
}

/// Waits for the client's first flight; what it says makes no difference.
async fn hello(stream: &mut TcpStream) -> io::Result<()> {
    let length = stream.read(&mut [0; 4096]).await?;
    if length == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

impl Place {
    /// Whether it can be listened at: loopback, and no port that takes a privilege.
    pub(super) fn is_real(&self) -> bool {
        self.ip.is_loopback() && self.port.is_none_or(|port| port >= UNPRIVILEGED)
    }
}

impl TryFrom<String> for Place {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (ip, port) = match (text.parse::<IpAddr>(), text.parse::<SocketAddr>()) {
            (Ok(ip), _) => (ip, None),
            (_, Ok(address)) if address.port() != 0 => (address.ip(), Some(address.port())),
            _ => {
                return Err(format!(
                    "`{text}` is no place: write an address, or an address and a port as \
                     `127.0.1.10:5671`"
                ));
            }
        };
        let ip = ip.to_canonical();
        Ok(Self { ip, port })
    }
}
