//! Machine: what a probe takes from the machine it runs on and not from the network: variables of the
//! environment, routes, and how dialling goes.
//!
//! The lab plays machines of its own for what loopback cannot do: an address that is none of
//! loopback's, a port below 1024, a missing route, a socket that fails. A played machine dials
//! loopback alone. Without the feature `lab` there is none.

pub mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use tokio::net::TcpStream;

/// The machine that probes run on. Clones are the same machine.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// None: this one.
    played: Option<Arc<Played>>,
}

/// What a played machine is like.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// Its environment.
    pub variables: BTreeMap<String, String>,
    /// What becomes of dialling an address. One that is not here is dialled as it is if it is
    /// loopback's, else refused.
    pub ways: BTreeMap<SocketAddr, Way>,
    /// Addresses to which no route leads.
    pub routeless: BTreeSet<IpAddr>,
}

/// What becomes of dialling an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The connection goes there.
    To(SocketAddr),
    /// The system answers with this error number.
    Fails(i32),
}

impl Machine {
    /// This one.
    pub fn own() -> Self {
        Self::default()
    }

    /// One that is played.
    #[cfg(feature = "simulated")]
    pub fn played(played: Played) -> Self {
        Self {
            played: Some(Arc::new(played)),
        }
    }

    /// A variable of the environment, where it is set and says something.
    pub fn variable(&self, name: &str) -> Option<String> {
        let value = match &self.played {
            None => env::var(name).ok(),
            Some(played) => played.variables.get(name).cloned(),
        };
        value.filter(|value| !value.trim().is_empty())
    }

    /// Where what is sent to `address` goes: there, except on a played machine.
    pub fn leads(&self, address: SocketAddr) -> SocketAddr {
        match self.way(address) {
            Way::To(there) => there,
            Way::Fails(_) => address,
        }
    }

    /// Opens a connection to `address`. It sets no deadline.
    pub async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        match self.way(address) {
            Way::To(there) => TcpStream::connect(there).await,
            Way::Fails(errno) => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// Whether the system has a route to `ip`: connecting a UDP socket asks it, and sends nothing.
    pub fn has_route(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        match &self.played {
            Some(played) if played.routeless.contains(&ip) => false,
            Some(_) if !ip.is_loopback() => true,
            _ => kernel_has_route(ip),
        }
    }

    fn way(&self, address: SocketAddr) -> Way {
        let Some(played) = &self.played else {
            return Way::To(address);
        };
        let elsewhere = if address.ip().is_loopback() {
            Way::To(address)
        } else {
            Way::Fails(ECONNREFUSED)
        };
        played.ways.get(&address).copied().unwrap_or(elsewhere)
    }
}

const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const ECONNREFUSED: i32 = 111;

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
        Err(error) => ip.is_ipv4() || matches!(error.raw_os_error(), Some(EMFILE | ENFILE)),
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
        assert_eq!(Machine::own().leads(server), server);
        assert!(Machine::own().has_route(IpAddr::from([127, 0, 0, 1])));
    }

    #[tokio::test]
    async fn a_played_machine_dials_loopback_alone() {
        let ways = [
            (at("10.1.2.3:443"), Way::To(at("127.0.0.1:1"))),
            (at("10.1.2.4:443"), Way::Fails(EMFILE)),
        ];
        let routeless = IpAddr::from([10, 9, 9, 9]);
        let machine = Machine::played(Played {
            ways: ways.into(),
            routeless: [routeless].into(),
            ..Played::default()
        });
        assert_eq!(machine.leads(at("10.1.2.3:443")), at("127.0.0.1:1"));
        assert_eq!(machine.leads(at("127.0.1.1:80")), at("127.0.1.1:80"));
        let error = machine.connect(at("10.1.2.4:443")).await;
        assert_eq!(error.expect_err("fails").raw_os_error(), Some(EMFILE));
        let error = machine.connect(at("10.1.2.3:80")).await;
        let kind = error.expect_err("goes nowhere").kind();
        assert_eq!(kind, io::ErrorKind::ConnectionRefused);
        assert!(machine.has_route(IpAddr::from([10, 1, 2, 3])));
        assert!(!machine.has_route(routeless));
    }

    #[test]
    fn a_played_machine_has_no_variables_but_its_own() {
        let variables = [("HTTPS_PROXY", "http://proxy:3128"), ("NO_PROXY", " ")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let machine = Machine::played(Played {
            variables: variables.into(),
            ..Played::default()
        });
        let proxy = machine.variable("HTTPS_PROXY");
        assert_eq!(proxy.as_deref(), Some("http://proxy:3128"));
        assert_eq!(machine.variable("NO_PROXY"), None, "it says nothing");
        assert_eq!(machine.variable("PATH"), None);
    }
}
