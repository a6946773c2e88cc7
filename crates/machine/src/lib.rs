//! Machine: what a probe takes from the machine it runs on and not from the network: variables of the
//! environment, routes, and how dialling goes.
//!
//! The lab simulates machines for what loopback cannot do: an address that is none of
//! loopback's, a port below 1024, a missing route, a socket that fails. A simulated machine dials
//! loopback alone. Without the feature `simulated` there is none.

mod connecting;
pub mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use privatelink_verdict::observation::IcmpError;
use tokio::net::TcpStream;

pub use self::connecting::ConnectError;

/// The machine that probes run on. Clones are the same machine.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// None: this one.
    simulation: Option<Arc<Simulation>>,
}

/// What a simulated machine is like.
#[derive(Clone, Debug, Default)]
pub struct Simulation {
    /// Its environment.
    pub variables: BTreeMap<String, String>,
    /// What becomes of dialling an address. One that is not here is dialled as it is if it is
    /// loopback's, else refused.
    pub routes: BTreeMap<SocketAddr, Route>,
    /// Addresses to which no route leads.
    pub unroutable: BTreeSet<IpAddr>,
}

/// What becomes of dialling an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// The connection goes there.
    To(SocketAddr),
    /// The system answers with this error number, and maybe keeps this ICMP message.
    Fails(i32, Option<IcmpError>),
}

impl Machine {
    /// The machine that this process runs on.
    pub fn real() -> Self {
        Self::default()
    }

    /// A simulated one.
    #[cfg(feature = "simulated")]
    pub fn simulated(simulation: Simulation) -> Self {
        Self {
            simulation: Some(Arc::new(simulation)),
        }
    }

    /// A variable of the environment, where it is set and says something.
    pub fn variable(&self, name: &str) -> Option<String> {
        let value = match &self.simulation {
            None => env::var(name).ok(),
            Some(simulation) => simulation.variables.get(name).cloned(),
        };
        value.filter(|value| !value.trim().is_empty())
    }

    /// Where what is sent to `address` goes: there, except on a simulated machine.
    pub fn destination(&self, address: SocketAddr) -> SocketAddr {
        match self.route(address) {
            Route::To(there) => there,
            Route::Fails(..) => address,
        }
    }

    /// Opens a connection to `address`, on which what is written leaves at once (`TCP_NODELAY`): a
    /// message must not wait for the peer's kernel to acknowledge the one before. It sets no deadline.
    pub async fn connect(&self, address: SocketAddr) -> Result<TcpStream, ConnectError> {
        match self.route(address) {
            Route::To(there) => {
                let stream = connecting::open(there).await?;
                stream.set_nodelay(true)?;
                Ok(stream)
            }
            Route::Fails(errno, icmp) => Err(ConnectError {
                error: io::Error::from_raw_os_error(errno),
                icmp,
            }),
        }
    }

    /// Whether the system has a route to `ip`: connecting a UDP socket asks it, and sends nothing.
    pub fn has_route(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        match &self.simulation {
            Some(simulation) if simulation.unroutable.contains(&ip) => false,
            Some(_) if !ip.is_loopback() => true,
            _ => kernel_has_route(ip),
        }
    }

    fn route(&self, address: SocketAddr) -> Route {
        let Some(simulation) = &self.simulation else {
            return Route::To(address);
        };
        if simulation.unroutable.contains(&address.ip().to_canonical()) {
            return Route::Fails(ENETUNREACH, None);
        }
        let elsewhere = if address.ip().is_loopback() {
            Route::To(address)
        } else {
            Route::Fails(ECONNREFUSED, None)
        };
        simulation
            .routes
            .get(&address)
            .copied()
            .unwrap_or(elsewhere)
    }
}

const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const ENETUNREACH: i32 = 101;
const ECONNREFUSED: i32 = 111;

/// Whether the process, or the machine, can open no more files and sockets.
pub fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE))
}

fn kernel_has_route(ip: IpAddr) -> bool {
    let any: SocketAddr = match ip {
        IpAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        IpAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    match UdpSocket::bind(any) {
        Ok(socket) => match socket.connect((ip, 9)) {
            Ok(()) => true,
            Err(error) => !matches!(
                error.kind(),
                io::ErrorKind::NetworkUnreachable
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::AddrNotAvailable
            ),
        },
        // The family is switched off (EAFNOSUPPORT, EADDRNOTAVAIL); out of descriptors is no answer.
        Err(error) => ip.is_ipv4() || is_out_of_descriptors(&error),
    }
}

#[cfg(all(test, feature = "simulated"))]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_machine_of_its_own_leads_nowhere_else() {
        let server = at("10.0.0.10:53");
        assert_eq!(Machine::real().destination(server), server);
        assert!(Machine::real().has_route(IpAddr::from([127, 0, 0, 1])));
    }

    #[tokio::test]
    async fn a_simulated_machine_dials_loopback_alone() {
        let routes = [
            (at("10.1.2.3:443"), Route::To(at("127.0.0.1:1"))),
            (at("10.1.2.4:443"), Route::Fails(EMFILE, None)),
        ];
        let unroutable = IpAddr::from([10, 9, 9, 9]);
        let machine = Machine::simulated(Simulation {
            routes: routes.into(),
            unroutable: [unroutable].into(),
            ..Simulation::default()
        });
        assert_eq!(machine.destination(at("10.1.2.3:443")), at("127.0.0.1:1"));
        assert_eq!(machine.destination(at("127.0.1.1:80")), at("127.0.1.1:80"));
        let failed = machine.connect(at("10.1.2.4:443")).await;
        let error = failed.expect_err("fails").error;
        assert_eq!(error.raw_os_error(), Some(EMFILE));
        let failed = machine.connect(at("10.1.2.3:80")).await;
        let kind = failed.expect_err("goes nowhere").error.kind();
        assert_eq!(kind, io::ErrorKind::ConnectionRefused);
        assert!(machine.has_route(IpAddr::from([10, 1, 2, 3])));
        assert!(!machine.has_route(unroutable));
    }

    #[test]
    fn a_simulated_machine_has_no_variables_but_its_own() {
        let variables = [("HTTPS_PROXY", "http://proxy:3128"), ("NO_PROXY", " ")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let machine = Machine::simulated(Simulation {
            variables: variables.into(),
            ..Simulation::default()
        });
        let proxy = machine.variable("HTTPS_PROXY");
        assert_eq!(proxy.as_deref(), Some("http://proxy:3128"));
        assert_eq!(machine.variable("NO_PROXY"), None, "it says nothing");
        assert_eq!(machine.variable("PATH"), None);
    }
}
