//! Address: where an endpoint listens.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;

/// An address with the port that the data file gives it; `None`: the world's service port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct EndpointAddress {
    pub(crate) ip: IpAddr,
    pub(crate) port: Option<u16>,
}

/// The first port that a process without privileges may listen at.
const UNPRIVILEGED: u16 = 1024;

impl EndpointAddress {
    /// Whether the lab can listen there: a loopback address, and no port that takes a privilege.
    pub(crate) fn is_real(&self) -> bool {
        self.ip.is_loopback() && self.port.is_none_or(|port| port >= UNPRIVILEGED)
    }
}

impl fmt::Display for EndpointAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.ip, port).fmt(f),
            None => self.ip.fmt(f),
        }
    }
}

impl TryFrom<String> for EndpointAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (ip, port) = match (text.parse::<IpAddr>(), text.parse::<SocketAddr>()) {
            (Ok(ip), _) => (ip, None),
            (_, Ok(address)) if address.port() != 0 => (address.ip(), Some(address.port())),
            _ => {
                return Err(format!(
                    "`{text}` is no address of an endpoint: write an IP address, or one with a port as \
                     `127.0.1.10:5671`"
                ));
            }
        };
        let ip = ip.to_canonical();
        Ok(Self { ip, port })
    }
}
