//! Surroundings: what the latest probes of other targets say that bears on this one: the companions
//! it needs to be of use, and its neighbours in the same subnet.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::observation::{Connection, Observation, TcpOutcome};
use crate::reason::Reason;
use crate::target::Target;
use crate::verdict::{Outcome, Verdict};

/// The prefix that counts as one subnet: private endpoints of one rarely spread over more.
const SUBNET: (u8, u8) = (24, 64);

/// What the latest probes of other targets say that bears on one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Surroundings {
    /// The targets of the same service, as last judged.
    pub companions: Vec<Companion>,
    /// Other endpoints in the subnets of this target's addresses.
    pub neighbours: Vec<Neighbour>,
}

/// A target of the same service: a registry's data endpoint, blob beside dfs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Companion {
    /// Its name.
    pub target: String,
    /// Its latest outcome.
    pub outcome: Outcome,
    /// Its latest primary reason.
    pub reason: Reason,
}

/// Another endpoint of a subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Its address.
    pub ip: IpAddr,
    /// Whether a packet came back from it when it was last dialled, were it a refusal.
    pub answers: bool,
}

impl Surroundings {
    /// What `others`, every target's latest probe, say that bears on `target` as just observed.
    pub fn of<'a>(
        target: &Target,
        observation: &Observation,
        others: impl Iterator<Item = (&'a Target, &'a Observation, &'a Verdict)>,
    ) -> Self {
        let dialled = observation.connections.iter().map(|c| c.ip);
        // A subnet of ours is private: public addresses near each other are nobody's subnet here.
        let own: Vec<IpAddr> = dialled
            .filter(|ip| target.rules.classify(*ip).is_private())
            .collect();
        let takes_neighbours = Self::takes_neighbours(observation);
        let mut surroundings = Self::default();
        for (other, seen, verdict) in others {
            if other.name == target.name {
                continue;
            }
            if target.companions.contains(&other.name) || other.companions.contains(&target.name) {
                surroundings.companions.push(Companion {
                    target: other.name.clone(),
                    outcome: verdict.outcome,
                    reason: verdict.reason,
                });
            }
            if takes_neighbours {
                surroundings.add_neighbours(&own, other, seen);
            }
        }
        surroundings
    }

    /// Whether `observation` leaves a question that other endpoints of the subnet answer: they tell a dead
    /// endpoint from a blocked subnet, and nothing else. Without it, companions are all that counts.
    pub fn takes_neighbours(observation: &Observation) -> bool {
        let mut connections = observation.connections.iter();
        connections.any(|connection| connection.tcp == TcpOutcome::Timeout)
    }

    fn add_neighbours(&mut self, own: &[IpAddr], other: &Target, seen: &Observation) {
        for connection in seen.connections.iter().filter(|c| c.was_dialled()) {
            let ip = connection.ip;
            if !other.rules.classify(ip).is_private() {
                continue;
            }
            let near = own
                .iter()
                .any(|mine| subnet(*mine).is_some_and(|net| net.contains(&ip)));
            if !near || own.contains(&ip) {
                continue;
            }
            let answers = came_back(connection);
            match self.neighbours.iter_mut().find(|known| known.ip == ip) {
                Some(known) => known.answers |= answers,
                None => self.neighbours.push(Neighbour { ip, answers }),
            }
        }
    }

    /// Those of the neighbours that lie in the subnet of `ip`.
    pub(crate) fn beside(&self, ip: IpAddr) -> Option<(IpNet, Vec<&Neighbour>)> {
        let net = subnet(ip)?;
        let beside: Vec<_> = self
            .neighbours
            .iter()
            .filter(|n| net.contains(&n.ip))
            .collect();
        (!beside.is_empty()).then_some((net, beside))
    }
}

/// Whether a packet came back, from any port.
fn came_back(connection: &Connection) -> bool {
    let other_port = connection.other_port.is_some_and(|(_, opened)| opened);
    let outcome = connection.tcp;
    other_port
        || matches!(
            outcome,
            TcpOutcome::Ok | TcpOutcome::Refused | TcpOutcome::Reset
        )
}

fn subnet(ip: IpAddr) -> Option<IpNet> {
    let prefix = if ip.is_ipv4() { SUBNET.0 } else { SUBNET.1 };
    IpNet::new(ip, prefix).ok().map(|net| net.trunc())
}
