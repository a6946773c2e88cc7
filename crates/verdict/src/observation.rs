//! Observation: the facts of one probe: DNS messages, connections, handshakes, service replies.
//! No judgement.

mod certificate;
mod connection;
mod rare;
mod resolution;
mod server;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use self::certificate::{Certificate, Leaf, Trust};
pub use self::connection::{
    Connection, ConnectionTrouble, Handshake, IcmpError, NoHandshake, NoReply, Obstacle, Refusal,
    Refused, ServiceReply, Skip, TcpOutcome, TlsOutcome,
};
pub use self::rare::{Rare, RareFacts};
pub use self::resolution::{
    Address, Comparison, Evidence, Flags, LeftOut, NameEvidence, Query, QueryOutcome, QueryTrouble,
    Rcode, Resolution, Soa, SrvEvidence, Transport, ZoneEvidence,
};
pub use self::server::ServerAnswer;
use crate::address::{ClassSet, Family};

/// The facts of one probe of one target.
#[derive(Clone, Debug)]
pub struct Observation {
    /// When the probe was completed.
    pub checked_at: SystemTime,
    /// How long each stage took.
    pub timing: Timing,
    /// Why we could not probe, where the fault is ours.
    pub fault: Option<Box<AgentFault>>,
    /// What the target's path answered.
    pub resolution: Resolution,
    /// What the other resolvers answered, as last asked.
    pub comparisons: Arc<[Comparison]>,
    /// One entry for every address of the answer, in its order.
    pub connections: Vec<Connection>,
    /// The variable (`HTTPS_PROXY`) that sends applications elsewhere, and does not spare the host.
    pub proxy: Option<&'static str>,
}

/// How long each stage took; `None` where it did not run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timing {
    /// Resolving.
    pub dns: Option<Duration>,
    /// Connecting, until the last address was decided.
    pub connect: Option<Duration>,
    /// Handshaking, until the last address was decided.
    pub tls: Option<Duration>,
    /// Asking the service.
    pub http: Option<Duration>,
    /// The whole probe.
    pub total: Duration,
}

/// We could not probe: the fault is on our side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentFault {
    /// What we tried, with its context: `read /etc/resolv.conf`.
    pub operation: String,
    /// What the system said.
    pub cause: String,
}

impl Observation {
    /// The classes of the path's addresses.
    pub fn classes(&self) -> ClassSet {
        self.resolution.classes()
    }

    /// When the path's answers had come: what followed took the rest of the probe's time.
    pub(crate) fn resolved_at(&self) -> SystemTime {
        let dns = self.timing.dns.unwrap_or_default();
        let since = self.timing.total.saturating_sub(dns);
        self.checked_at
            .checked_sub(since)
            .unwrap_or(self.checked_at)
    }

    /// Whether the pod has a route for `family`, as far as this probe could tell.
    pub fn has_route(&self, family: Family) -> bool {
        !self.connections.iter().any(|connection| {
            connection.skip == Some(Skip::NoRoute) && Family::of(connection.ip) == family
        })
    }

    /// The smallest TTL of the path's answers, in seconds.
    pub fn ttl(&self) -> Option<u32> {
        let answered = self
            .resolution
            .queries
            .iter()
            .filter(|query| !query.addresses.is_empty());
        answered.filter_map(|query| query.ttl).min()
    }

    /// The leaf certificates received.
    pub fn certificates(&self) -> impl Iterator<Item = (&Connection, &Certificate)> {
        self.connections
            .iter()
            .filter_map(|connection| Some((connection, connection.certificate.as_ref()?)))
    }

    /// Whether something timed out while resolving: no server answered for some family.
    pub fn dns_timed_out(&self) -> bool {
        self.resolution
            .queries
            .iter()
            .any(|query| query.outcome == QueryOutcome::Timeout)
    }

    /// Whether connecting to some address timed out.
    pub fn connect_timed_out(&self) -> bool {
        self.connections
            .iter()
            .any(|connection| connection.tcp == TcpOutcome::Timeout)
    }

    /// Whether a service gave no reply in time, when it was asked in this probe.
    pub fn http_timed_out(&self) -> bool {
        let asked_now = self
            .connections
            .iter()
            .filter(|c| c.service_elapsed.is_some());
        asked_now
            .filter_map(|connection| connection.service.as_ref())
            .any(|service| matches!(service.reply, Err(NoReply::Timeout)))
    }

    /// Whether a handshake timed out.
    pub fn tls_timed_out(&self) -> bool {
        self.connections
            .iter()
            .any(|connection| connection.handshake == Handshake::Timeout)
    }
}
