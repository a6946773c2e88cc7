//! DNS: a server of the lab as the data file describes it, and the questions that it hears.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;

use super::answer::Authority;
use super::fault::Rule;
use super::records::Line;

/// What one server is and knows, in the data file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Server {
    /// The resolver it belongs to; `system` by default.
    pub(super) resolver: Option<String>,
    pub(super) udp: Port,
    pub(super) tcp: Port,
    pub(super) soa: Authority,
    /// Master-file lines, see [`super::records`].
    pub(super) records: Vec<Line>,
    /// More records of a name, by phase: every A question for the name begins the next phase.
    pub(super) sequences: BTreeMap<String, Vec<Vec<Line>>>,
    pub(super) faults: Vec<Rule>,
}

impl Server {
    /// The resolver it belongs to, by name.
    pub(super) fn resolver(&self) -> &str {
        self.resolver.as_deref().unwrap_or("system")
    }

    /// Every address that a record of the server carries.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let phases = self.sequences.values().flatten().flatten();
        self.records.iter().chain(phases).filter_map(Line::address)
    }
}

/// How a port of a server behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Port {
    #[default]
    Open,
    /// Refuses.
    Closed,
    /// Takes what comes and says nothing.
    Silent,
}

/// UDP or TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Transport {
    /// One datagram each way.
    Udp,
    /// Length-prefixed messages (RFC 1035 section 4.2.2).
    Tcp,
}

/// A question that a server was asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question {
    /// Lower case, without the trailing dot.
    pub name: String,
    /// `A`, `AAAA`, `SOA`, …
    pub kind: String,
    /// How it was asked.
    pub transport: Transport,
    /// Whether it carried EDNS.
    pub edns: bool,
}
