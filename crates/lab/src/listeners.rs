//! Listeners: where each endpoint of a world really listens, and the routes that lead there.
//!
//! An endpoint at a loopback address has that address. One that cannot, since its address is none of
//! loopback's or its port is below 1024, gets a stand-in on 127.0.0.1, and a way for the machine
//! that the world plays.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

use super::dns::Server;
use super::endpoint::{Endpoint, Place, Share, bind, one_port};
use super::error::{LabError, open_error};
use super::world::World;
use privatelink_machine::{Route, Simulation};

/// Everything that is dialled in a world.
pub(super) struct Listeners {
    /// The service port of every endpoint whose place names none.
    pub(super) port: u16,
    pub(super) taken: Vec<Listener>,
    /// What of it only the simulated machine sees.
    pub(super) simulation: Simulation,
}

/// An endpoint and the port it has got.
pub(super) struct Listener {
    pub(super) socket: TcpSocket,
    /// Where the data file has it.
    pub(super) at: SocketAddr,
    pub(super) endpoint: Endpoint,
}

impl Listeners {
    /// Takes a port for every endpoint of the data file, and a closed one for every loopback address
    /// that a record leads to and nobody serves.
    pub(super) fn take(world: &World) -> Result<Self, LabError> {
        let mut at_service_port: BTreeMap<IpAddr, Endpoint> = world
            .servers
            .iter()
            .flat_map(Server::addresses)
            .filter(IpAddr::is_loopback)
            .map(|ip| (ip, Endpoint::Closed))
            .collect();
        let (own_address, elsewhere): (Vec<_>, Vec<_>) = world
            .endpoints
            .iter()
            .partition(|(place, _)| place.ip.is_loopback() && place.port.is_none());
        for (place, endpoint) in own_address {
            at_service_port.insert(place.ip, endpoint.clone());
        }
        let ips: Vec<IpAddr> = at_service_port.keys().copied().collect();
        let (port, sockets) = one_port(&ips).map_err(open_error(&format!(
            "one port at each of {} addresses",
            ips.len()
        )))?;
        let mut places = Self {
            port,
            taken: Vec::new(),
            simulation: Simulation::default(),
        };
        for ((ip, endpoint), socket) in at_service_port.into_iter().zip(sockets) {
            places.add(socket, SocketAddr::new(ip, port), endpoint);
        }
        for (place, endpoint) in elsewhere {
            let at = SocketAddr::new(place.ip, place.port.unwrap_or(port));
            let socket = places
                .socket(at, place)
                .map_err(open_error(&format!("the endpoint {at}")))?;
            places.add(socket, at, endpoint.clone());
        }
        Ok(places)
    }

    /// A socket at `at`, or its stand-in.
    fn socket(&mut self, at: SocketAddr, place: &Place) -> io::Result<TcpSocket> {
        if place.is_real() {
            return bind(at, Share::WithThePast);
        }
        let socket = bind((Ipv4Addr::LOCALHOST, 0).into(), Share::Never)?;
        let stand_in = socket.local_addr()?;
        self.simulation.routes.insert(at, Route::To(stand_in));
        Ok(socket)
    }

    fn add(&mut self, socket: TcpSocket, at: SocketAddr, endpoint: Endpoint) {
        match &endpoint {
            Endpoint::Errno(errno) => {
                self.simulation
                    .routes
                    .insert(at, Route::Fails(errno.number()));
            }
            Endpoint::NoRoute => {
                self.simulation.unroutable.insert(at.ip());
            }
            _ => {}
        }
        self.taken.push(Listener {
            socket,
            at,
            endpoint,
        });
    }
}
