//! HTTP: the server of metrics, health, the API and the page.
//!
//! Three things are bounded: the number of connections, the time until a request's head is complete,
//! and the life of a connection. A new connection is always accepted; where there are too many, an
//! older one is ended. So a client that opens connections and keeps them cannot delay the kubelet's
//! probes.

mod body;
mod connection_limit;
mod negotiate;
mod routes;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use privatelink_board::SharedBoard;
use privatelink_report::metrics::Metrics;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use self::connection_limit::ConnectionLimit;

/// The port the agent listens on unless told otherwise.
pub const PORT: u16 = 9797;

/// What bounds one connection.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// From the end of a reply, or the connection's beginning, to the end of the next request head.
    head: Duration,
    /// From a connection's beginning until no further request is taken.
    age: Duration,
    /// From then on until the connection is dropped, even in the middle of a reply.
    grace: Duration,
}

const BOUNDS: Bounds = Bounds {
    head: Duration::from_secs(10),
    age: Duration::from_mins(1),
    grace: Duration::from_secs(5),
};

/// The largest request head, in bytes.
const HEAD: usize = 16 * 1024;

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
pub async fn bind(listen: Option<SocketAddr>) -> Result<TcpListener, BindError> {
    let everywhere = IpAddr::from(Ipv6Addr::UNSPECIFIED);
    let address = listen.unwrap_or(SocketAddr::new(everywhere, PORT));
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        // Another program may have the port on IPv6 only. To listen on IPv4 alone would leave the
        // agent unreachable over IPv6 without an error.
        Err(source) if address.ip() == everywhere && source.kind() != io::ErrorKind::AddrInUse => {
            let address = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
            let bound = TcpListener::bind(address).await;
            bound.map_err(|source| BindError { address, source })
        }
        Err(source) => Err(BindError { address, source }),
    }
}

/// Serves `board` and `metrics` until `shutdown`; then requests under way are answered, and every
/// connection ends.
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
    let mut limit = ConnectionLimit::default();
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
        Err(_) => Ok(()), // The peer is too slow: its connection is dropped.
    }
}

#[cfg(test)]
mod tests;
