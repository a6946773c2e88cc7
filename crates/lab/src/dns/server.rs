//! Server: a DNS server as the data file describes it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;

use super::answer::NegativeSoa;
use super::fault::FaultRule;
use super::records::{RecordLine, RecordName};
use super::sequence::Phases;

/// One server: the resolver it belongs to, its ports, and what it knows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Server {
    /// The resolver it belongs to; `system` by default.
    pub(crate) resolver: Option<String>,
    pub(crate) udp: Port,
    pub(crate) tcp: Port,
    pub(crate) soa: NegativeSoa,
    pub(crate) records: Vec<RecordLine>,
    /// More records of a name, which change from question to question.
    pub(crate) sequences: BTreeMap<RecordName, Phases>,
    /// The first that matches a question counts.
    pub(crate) faults: Vec<FaultRule>,
}

impl Server {
    /// The resolver it belongs to, by name.
    pub(crate) fn resolver(&self) -> &str {
        self.resolver.as_deref().unwrap_or("system")
    }

    /// Every address that a record of the server carries.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let in_sequences = self.sequences.values().flatten().flatten();
        self.records
            .iter()
            .chain(in_sequences)
            .filter_map(RecordLine::address)
    }
}

/// How a port of a server behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Port {
    /// Answers.
    #[default]
    Open,
    /// Refuses, as a host does where nothing listens.
    Closed,
    /// Accepts what is sent, and answers nothing.
    Silent,
}
