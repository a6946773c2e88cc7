//! HTTP: the server of metrics, health, the API and the page.
//!
//! Who may read says `access`. Clients can harm neither the probes nor each other. Bounded are the number of connections, the time
//! until a request's head is complete, the life of a connection, what the kernel keeps for it, the long
//! replies under way (`peer_limit`), what each of them holds and how slowly it may be read (`body`),
//! and the share of the thread's time that all of it takes (`pace`).
//!
//! A new connection is always accepted; where there are too many, an older one is ended. So a client
//! that opens connections and keeps them cannot delay the kubelet's probes.

mod access;
mod body;
mod connection_limit;
mod negotiate;
#[cfg(feature = "observer")]
mod observer_routes;
mod pace;
mod passwords;
mod peer_limit;
mod replies;
mod routes;
mod tls;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use privatelink_board::SharedBoard;
#[cfg(feature = "observer")]
use privatelink_observer::Observer;
use privatelink_report::metrics::Metrics;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

pub use self::access::Access;
use self::connection_limit::ConnectionLimit;
use self::pace::Pace;
use self::peer_limit::PeerLimit;
use self::replies::{Replies, in_common};
use self::tls::{Security, secured};

/// The port the agent listens on unless told otherwise.
pub const PORT: u16 = 9797;

/// What bounds one connection.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// From the end of a reply, or the connection's beginning, to the end of the next request head; and
    /// for a TLS handshake before it.
    head: Duration,
    /// From a connection's beginning until no further request is taken.
    age: Duration,
    /// From then on until the connection is dropped, even in the middle of a reply.
    grace: Duration,
    /// From a request until a long reply begins, or is refused.
    wait: Duration,
    /// From a long reply's beginning until its reader must have taken something.
    patience: Duration,
}

const BOUNDS: Bounds = Bounds {
    head: Duration::from_secs(10),
    age: Duration::from_mins(1),
    grace: Duration::from_secs(5),
    // Half of the time that Prometheus gives a scrape.
    wait: Duration::from_secs(5),
    patience: Duration::from_secs(5),
};

/// The largest request head, in bytes.
const HEAD: usize = 16 * 1024;

/// What the kernel keeps for a connection, in bytes: of what the client has not read, and of what it
/// has sent. Linux doubles both, for its own structures (socket(7)).
const SEND_BUFFER: u32 = 32 * 1024;
const RECEIVE_BUFFER: u32 = 16 * 1024;

/// Long replies at a time, each of which holds memory; and of them those to one peer.
const LONG_REPLIES: usize = 4;
const LONG_REPLIES_PER_PEER: usize = 2;

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: u32 = 1024;

/// Listening failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}{}", advice(.source))]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; another program does, choose another port with --listen",
        io::ErrorKind::AddrNotAvailable => {
            "; this machine does not have that address, choose one with --listen"
        }
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need a privilege, choose another with --listen"
        }
        _ => "",
    }
}

/// Listens on `listen`, by default on [`PORT`] of `[::]`, which is every address, IPv6 and IPv4; of
/// IPv4 alone where the machine has no IPv6.
pub fn bind(listen: Option<SocketAddr>) -> Result<TcpListener, BindError> {
    let everywhere = IpAddr::from(Ipv6Addr::UNSPECIFIED);
    let address = listen.unwrap_or(SocketAddr::new(everywhere, PORT));
    match listen_on(address) {
        Ok(listener) => Ok(listener),
        // Another program may have the port on IPv6 only. To listen on IPv4 alone would leave the
        // agent unreachable over IPv6 without an error.
        Err(source) if address.ip() == everywhere && source.kind() != io::ErrorKind::AddrInUse => {
            let address = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
            listen_on(address).map_err(|source| BindError { address, source })
        }
        Err(source) => Err(BindError { address, source }),
    }
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    // Every connection that is accepted has the same.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What is served.
#[derive(Debug)]
pub enum Site {
    /// The agent's.
    Agent(SharedBoard, Metrics),
    /// The observer's; of its node.
    #[cfg(feature = "observer")]
    Observer(Observer, String),
}

impl Site {
    fn rest(&self) -> u32 {
        match self {
            Self::Agent(..) => pace::AGENT_REST,
            #[cfg(feature = "observer")]
            Self::Observer(..) => pace::OBSERVER_REST,
        }
    }

    fn router(self, pace: Pace, limit: PeerLimit, access: Access) -> Router {
        let counters = match &self {
            Self::Agent(board, _) => Arc::clone(&board.lock().http),
            #[cfg(feature = "observer")]
            Self::Observer(..) => Arc::default(),
        };
        let replies = Replies {
            pace,
            limit,
            counters,
        };
        let own = replies.clone();
        let routes = match self {
            Self::Agent(board, metrics) => routes::router(board, metrics, own),
            #[cfg(feature = "observer")]
            Self::Observer(observer, node) => {
                if let Some(reviewer) = observer.reviewer() {
                    access.set_reviewer(reviewer);
                }
                observer_routes::router(observer, node, own)
            }
        };
        in_common(routes, replies, access)
    }
}

/// Serves `site` to those who have `access` until `shutdown`; then requests under way are answered, and
/// every connection ends.
pub async fn serve(listener: TcpListener, site: Site, access: Access, shutdown: CancellationToken) {
    serve_within(BOUNDS, listener, site, access, shutdown).await;
}

async fn serve_within(
    bounds: Bounds,
    listener: TcpListener,
    site: Site,
    access: Access,
    shutdown: CancellationToken,
) {
    let pace = Pace::new(site.rest());
    let limit = PeerLimit::new(LONG_REPLIES, LONG_REPLIES_PER_PEER, bounds.wait);
    let serving = Serving {
        bounds,
        router: site.router(pace.clone(), limit, access.clone()),
        access,
        pace: pace.clone(),
        shutdown: shutdown.clone(),
    };
    let connections = TaskTracker::new();
    let mut limit = ConnectionLimit::default();
    let accepting = pace.metered(async {
        loop {
            pace.turn().await;
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let (pace, serving) = (pace.clone(), serving.clone());
                    let task = connections.spawn(async move {
                        let connection = serving.connection(stream, peer.ip());
                        if let Err(error) = pace.metered(connection).await {
                            debug!(%peer, %error, "a connection ended in an error");
                        }
                    });
                    if let Some(peer) = limit.add(peer.ip(), task.abort_handle()) {
                        debug!(%peer, "a connection was ended to make room for another");
                    }
                }
                Err(error) => {
                    // Most likely the process is out of descriptors: wait until some are closed.
                    warn!(%error, "cannot accept a connection");
                    sleep(Duration::from_millis(200)).await;
                }
            }
        }
    });
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = accepting => {}
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// The client of a connection, as the routes see it.
#[derive(Clone, Debug)]
struct Client {
    ip: IpAddr,
    security: Security,
    /// [`Bounds::patience`].
    patience: Duration,
    /// Ends the connection at once.
    end: CancellationToken,
}

/// What each connection is served with.
#[derive(Clone)]
struct Serving {
    bounds: Bounds,
    router: Router,
    access: Access,
    pace: Pace,
    shutdown: CancellationToken,
}

impl Serving {
    async fn connection(self, stream: TcpStream, ip: IpAddr) -> io::Result<()> {
        let Self {
            bounds, shutdown, ..
        } = self;
        // Replies are written at once; without this, a second segment waits for the peer's ACK.
        let _ = stream.set_nodelay(true);
        let secured = timeout(bounds.head, secured(stream, &self.access, &self.pace));
        let (stream, security) = tokio::select! {
            secured = secured => secured??,
            () = shutdown.cancelled() => return Ok(()),
        };
        let client = Client {
            ip,
            security,
            patience: bounds.patience,
            end: CancellationToken::new(),
        };
        let end = client.end.clone();
        let router = TowerToHyperService::new(self.router);
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(client.clone());
            router.call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.head)
            .max_buf_size(HEAD)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return ended.map_err(io::Error::other),
            () = end.cancelled() => return Ok(()),
            () = sleep(bounds.age) => {}
            () = shutdown.cancelled() => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            ended = connection => ended.map_err(io::Error::other),
            // The peer is too slow: its connection is dropped.
            () = end.cancelled() => Ok(()),
            () = sleep(bounds.grace) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
