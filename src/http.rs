//! HTTP: the board as others read it: metrics, health, the API and the page.
//!
//! Everything is bounded: connections, the time a request head may take, and the life of a
//! connection. A new connection is always taken, at the cost of another where there are too many,
//! so that nobody who only reads can starve the kubelet's probes.

mod routes;
mod seats;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use self::seats::Seats;
use privatelink_board::SharedBoard;
use privatelink_report::metrics::Metrics;

/// The port the agent listens on unless told otherwise.
pub const PORT: u16 = 9797;

/// What bounds one connection.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// From the end of a reply, or the connection's beginning, to the end of the next request head.
    head: Duration,
    /// From a connection's beginning until no further request is taken.
    age: Duration,
    /// From then on, until it is dropped with whatever it was at.
    grace: Duration,
}

const BOUNDS: Bounds = Bounds {
    head: Duration::from_secs(10),
    age: Duration::from_mins(1),
    grace: Duration::from_secs(5),
};

/// The largest request head, in bytes.
const HEAD: usize = 16 * 1024;

/// Nothing can listen there.
#[derive(Debug)]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, source } = self;
        write!(f, "cannot listen on {address}")?;
        match source.kind() {
            io::ErrorKind::AddrInUse => {
                f.write_str("; something else does, choose another port with --listen")
            }
            io::ErrorKind::AddrNotAvailable => {
                f.write_str("; this machine does not have that address, choose one with --listen")
            }
            io::ErrorKind::PermissionDenied => {
                f.write_str("; ports below 1024 need a privilege, choose another with --listen")
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Listens on `listen`, by default on [`PORT`] of every address, IPv6 and IPv4; of IPv4 alone
/// where the machine has no IPv6.
pub async fn bind(listen: Option<SocketAddr>) -> Result<TcpListener, BindError> {
    let everywhere = |ip: IpAddr| SocketAddr::new(ip, PORT);
    let address = listen.unwrap_or(everywhere(Ipv6Addr::UNSPECIFIED.into()));
    match (TcpListener::bind(address).await, listen) {
        (Ok(listener), _) => Ok(listener),
        // Somebody else's port would be found free on IPv4 alone, and the agent half deaf.
        (Err(source), None) if source.kind() != io::ErrorKind::AddrInUse => {
            let address = everywhere(Ipv4Addr::UNSPECIFIED.into());
            let bound = TcpListener::bind(address).await;
            bound.map_err(|source| BindError { address, source })
        }
        (Err(source), _) => Err(BindError { address, source }),
    }
}

/// Serves `board` and `metrics` until `shutdown`, then ends what is under way.
pub async fn serve(
    listener: TcpListener,
    board: SharedBoard,
    metrics: Metrics,
    shutdown: CancellationToken,
) {
    serve_within(BOUNDS, listener, routes::router(board, metrics), shutdown).await;
}

async fn serve_within(
    bounds: Bounds,
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
) {
    let connections = TaskTracker::new();
    let mut seats = Seats::default();
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let connection = connection(bounds, stream, router.clone(), shutdown.clone());
                    let task = connections.spawn(async move {
                        if let Err(error) = connection.await {
                            debug!(%peer, %error, "a connection ended in an error");
                        }
                    });
                    if let Some(left) = seats.take(peer.ip(), task.abort_handle()) {
                        debug!(peer = %left, "a connection was ended to make room for another");
                    }
                }
                Err(error) => {
                    // Out of descriptors, most likely: give them time to come back.
                    warn!(%error, "cannot accept a connection");
                    sleep(Duration::from_millis(200)).await;
                }
            }
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = accepting => {}
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn connection(
    bounds: Bounds,
    stream: TcpStream,
    router: Router,
    shutdown: CancellationToken,
) -> Result<(), hyper::Error> {
    // Replies are written at once; without this, a second segment waits for the peer's ACK.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = sleep(bounds.age) => {}
        () = shutdown.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    match timeout(bounds.grace, connection).await {
        Ok(ended) => ended,
        Err(_) => Ok(()), // Too slow: dropped.
    }
}

#[cfg(test)]
mod tests;
