//! Listeners: where each endpoint of a world really listens, and the routes that lead there.
//!
//! An endpoint at a loopback address listens there. One that cannot, since its address is none of
//! loopback's or its port is below 1024, gets a stand-in on 127.0.0.1, and the simulated machine routes
//! its address to the stand-in.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use privatelink_machine::{Route, Simulation};
use tokio::net::TcpSocket;

use super::{Endpoint, EndpointAddress};
use crate::error::{Error, open_error};

/// The sockets of all endpoints.
pub(crate) struct Listeners {
    /// The service port: that of every endpoint whose address names none.
    pub(crate) port: u16,
    pub(crate) all: Vec<Listener>,
    /// What only the simulated machine sees of them.
    pub(crate) simulation: Simulation,
}

/// An endpoint and its socket, which is bound and does not listen yet.
pub(crate) struct Listener {
    pub(crate) socket: TcpSocket,
    /// Where the data file has the endpoint.
    pub(crate) address: SocketAddr,
    pub(crate) endpoint: Endpoint,
}

/// Ports tried until one is free at every address.
const TRIES: usize = 64;

impl Listeners {
    /// Binds a socket for every endpoint, and a closed one at every loopback address `in_records` that
    /// has no endpoint.
    pub(crate) fn bind(
        endpoints: &BTreeMap<EndpointAddress, Endpoint>,
        in_records: impl Iterator<Item = IpAddr>,
    ) -> Result<Self, Error> {
        let mut at_service_port: BTreeMap<IpAddr, Endpoint> = in_records
            .filter(IpAddr::is_loopback)
            .map(|ip| (ip, Endpoint::Closed))
            .collect();
        let (own_address, elsewhere): (Vec<_>, Vec<_>) = endpoints
            .iter()
            .partition(|(address, _)| address.ip.is_loopback() && address.port.is_none());
        for (address, endpoint) in own_address {
            at_service_port.insert(address.ip, endpoint.clone());
        }
        let ips: Vec<IpAddr> = at_service_port.keys().copied().collect();
        let (port, sockets) = bind_one_port(&ips).map_err(open_error(format!(
            "one port at each of {} addresses",
            ips.len()
        )))?;
        let mut listeners = Self {
            port,
            all: Vec::new(),
            simulation: Simulation::default(),
        };
        for ((ip, endpoint), socket) in at_service_port.into_iter().zip(sockets) {
            listeners.add(socket, SocketAddr::new(ip, port), endpoint);
        }
        for (written, endpoint) in elsewhere {
            let address = SocketAddr::new(written.ip, written.port.unwrap_or(port));
            let socket = if written.is_real() {
                bind(address, AddressReuse::Allowed)
            } else {
                listeners.bind_stand_in(address)
            };
            let socket = socket.map_err(open_error(format!("the endpoint {address}")))?;
            listeners.add(socket, address, endpoint.clone());
        }
        Ok(listeners)
    }

    fn bind_stand_in(&mut self, address: SocketAddr) -> io::Result<TcpSocket> {
        let socket = bind((Ipv4Addr::LOCALHOST, 0).into(), AddressReuse::Forbidden)?;
        let route = Route::To(socket.local_addr()?);
        self.simulation.routes.insert(address, route);
        Ok(socket)
    }

    fn add(&mut self, socket: TcpSocket, address: SocketAddr, endpoint: Endpoint) {
        match &endpoint {
            Endpoint::Errno(errno) => {
                let route = Route::Fails(errno.number(), None);
                self.simulation.routes.insert(address, route);
            }
            Endpoint::Icmp(message) => {
                let (errno, icmp) = message.as_dialled(address.ip());
                let route = Route::Fails(errno, Some(icmp));
                self.simulation.routes.insert(address, route);
            }
            Endpoint::NoRoute => {
                self.simulation.unroutable.insert(address.ip());
            }
            _ => {}
        }
        self.all.push(Listener {
            socket,
            address,
            endpoint,
        });
    }
}

/// One port that is free at every one of `ips`, and a bound socket for each.
fn bind_one_port(ips: &[IpAddr]) -> io::Result<(u16, Vec<TcpSocket>)> {
    let localhost = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
    let ips = if ips.is_empty() { &localhost } else { ips };
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let mut port = 0;
        let mut sockets = Vec::new();
        let bound: io::Result<()> = ips.iter().try_for_each(|ip| {
            let socket = bind(SocketAddr::new(*ip, port), AddressReuse::Forbidden)?;
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

/// Whether a port may be bound while the kernel still waits for connections of an earlier world
/// (`SO_REUSEADDR`).
#[derive(Clone, Copy, PartialEq, Eq)]
enum AddressReuse {
    Forbidden,
    Allowed,
}

/// A socket bound at `address`, not listening yet: until it does, connections are refused.
fn bind(address: SocketAddr, reuse: AddressReuse) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(reuse == AddressReuse::Allowed)?;
    socket.bind(address)?;
    Ok(socket)
}
