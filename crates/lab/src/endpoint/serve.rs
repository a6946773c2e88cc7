//! Serve: the accept loop of an endpoint, and the endpoints that accept nothing.

use std::io;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::{AcceptedConnection, Endpoint, PreparedEndpoint};
use crate::tasks::Tasks;

/// How long a connection is held for a client that does nothing.
const HOLD: Duration = Duration::from_mins(1);

/// How long a connection attempt may take on loopback before it counts as lost. The kernel repeats
/// a SYN after a second; on loopback an answered one takes well under a millisecond.
const LOST: Duration = Duration::from_millis(250);

/// Connections made at most to fill a backlog.
const FILLERS: usize = 16;

/// Serves at `socket` what `service` is when a connection comes, until `tasks` stop.
pub(crate) async fn serve(
    socket: TcpSocket,
    service: watch::Receiver<PreparedEndpoint>,
    tasks: &Tasks,
) -> io::Result<()> {
    let PreparedEndpoint { endpoint, .. } = service.borrow().clone();
    let opens_after = endpoint.delay().connect;
    match endpoint {
        // The simulated machine fails to dial the last two: no connection gets here.
        Endpoint::Closed | Endpoint::Errno(_) | Endpoint::NoRoute => tasks.hold(socket),
        Endpoint::Blackhole => tasks.hold(black_hole(socket).await?),
        _ if !opens_after.is_zero() => {
            let (listener, fillers) = black_hole(socket).await?;
            let opening = sleep(opens_after);
            let accepting = accept(listener, service, tasks.clone());
            tasks.spawn(async move {
                opening.await;
                drop(fillers);
                accepting.await;
            });
        }
        _ => tasks.spawn(accept(socket.listen(128)?, service, tasks.clone())),
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

async fn accept(listener: TcpListener, service: watch::Receiver<PreparedEndpoint>, tasks: Tasks) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Most likely there are no descriptors left: give other tasks time to close theirs.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let service = service.borrow().clone();
        tasks.spawn(async move {
            // How the connection ends is for the client to judge.
            let delay = service.endpoint.delay().handshake;
            if let Ok(connection) = AcceptedConnection::new(stream, service.turns.clone(), delay) {
                _ = timeout(HOLD, service.handle(connection)).await;
            }
        });
    }
}
