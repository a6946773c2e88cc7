//! Surroundings: what the latest probes of other targets say that bears on this one: the companions
//! it needs to be of use, its neighbours in the same subnet, and the names that the same resolver was asked for.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::observation::{Connection, Observation, QueryOutcome, TcpOutcome};
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
    /// What became of other names, where the resolver gave no message for this one.
    pub other_names: OtherNames,
}

/// Other targets whose names the same resolver was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OtherNames {
    /// How many.
    pub asked: usize,
    /// How many of them got an answer, were it an error.
    pub answered: usize,
}

impl OtherNames {
    fn add(&mut self, target: &Target, other: &Target, seen: &Observation) {
        // An agent that could not probe asked for nothing.
        if other.host != target.host && !seen.resolution.queries.is_empty() {
            self.asked += 1;
            self.answered += usize::from(!is_unanswered(seen));
        }
    }
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
        let takes_neighbours = has_silent_address(observation);
        let takes_names = is_unanswered(observation);
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
            if takes_names && seen.resolution.resolver == observation.resolution.resolver {
                surroundings.other_names.add(target, other, seen);
            }
        }
        surroundings
    }

    /// Whether `observation` leaves a question that targets other than its companions answer: a dead endpoint or a
    /// blocked subnet, a dead DNS server or one name that it has trouble with. Without it, companions are all that
    /// counts.
    pub fn takes_all(observation: &Observation) -> bool {
        has_silent_address(observation) || is_unanswered(observation)
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

fn has_silent_address(observation: &Observation) -> bool {
    let mut connections = observation.connections.iter();
    connections.any(|connection| connection.tcp == TcpOutcome::Timeout)
}

/// Whether there is no address, for want of a message.
fn is_unanswered(observation: &Observation) -> bool {
    let resolution = &observation.resolution;
    !resolution.answered() && resolution.outcome().is_some_and(is_silence)
}

/// Whether no message came.
pub(crate) const fn is_silence(outcome: QueryOutcome) -> bool {
    matches!(outcome, QueryOutcome::Timeout | QueryOutcome::Unreachable)
}

/// Whether a packet came back, from any port.
fn came_back(connection: &Connection) -> bool {
    let other_port = connection
        .trouble
        .other_port
        .is_some_and(|(_, opened)| opened);
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
