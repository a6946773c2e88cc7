//! Connect findings: whether every address answers on the target's port.

use std::net::SocketAddr;

use super::{Case, Findings};
use crate::address::Family;
use crate::fact::{ConnectFact, Fact, IcmpSays, LISTED};
use crate::observation::{Connection, IcmpError, Obstacle, Skip, TcpOutcome};
use crate::reason::{Reason, Severity};
use crate::surroundings::Surroundings;
use crate::target::Expectation;
use crate::verdict::Confidence;

/// Failures in the order that decides between equally common ones (section 5).
const RANKED: [(TcpOutcome, Reason); 4] = [
    (TcpOutcome::Timeout, Reason::ConnectTimeout),
    (TcpOutcome::Refused, Reason::ConnectRefused),
    (TcpOutcome::Unreachable, Reason::ConnectUnreachable),
    (TcpOutcome::Reset, Reason::ConnectReset),
];

pub(super) fn find(case: &Case<'_>, surroundings: &Surroundings, findings: &mut Findings) {
    let connections = &case.observation.connections;
    for connection in connections.iter().filter(|c| c.tcp == TcpOutcome::Error) {
        let fact = Fact::SocketError {
            at: SocketAddr::new(connection.ip, connection.port),
            cause: connection.trouble.tcp_detail.as_deref().map(str::to_owned),
        };
        findings.add(Reason::AgentError, Some(connection.ip), [fact]);
    }
    too_much_in_flight(connections, findings);
    let failed: Vec<&Connection> = connections
        .iter()
        .filter(|c| RANKED.iter().any(|(outcome, _)| *outcome == c.tcp))
        .collect();
    if failed.is_empty() {
        return;
    }
    let connected = connections
        .iter()
        .filter(|c| c.tcp == TcpOutcome::Ok)
        .count();
    if connected == 0 {
        return all_failed(&failed, surroundings, findings);
    }
    let severity = match case.expect {
        Expectation::Public => Severity::Warn,
        _ => Severity::Fail,
    };
    let some_connect = ConnectFact::SomeConnect {
        connected,
        dialled: connected + failed.len(),
    };
    findings.add_as(
        Reason::PartiallyReachable,
        severity,
        Confidence::High,
        Some(failed[0].ip),
        [some_connect, attempts(&failed)]
            .into_iter()
            .chain(obstacle(failed[0])),
    );
}

/// Addresses that the agent had no room to test. It is a failure where nothing was tested at all.
fn too_much_in_flight(connections: &[Connection], findings: &mut Findings) {
    let is_busy = |c: &&Connection| c.skip == Some(Skip::Busy);
    let Some(first) = connections.iter().find(is_busy) else {
        return;
    };
    let busy = connections.iter().filter(is_busy).count();
    let tested = connections.iter().filter(|c| c.skip.is_none()).count();
    let severity = if tested == 0 {
        Severity::Fail
    } else {
        Severity::Warn
    };
    let fact = Fact::TooMuchInFlight {
        addresses: busy,
        of: busy + tested,
    };
    let reason = Reason::AgentError;
    findings.add_as(reason, severity, Confidence::High, Some(first.ip), [fact]);
}

fn all_failed(failed: &[&Connection], surroundings: &Surroundings, findings: &mut Findings) {
    let count = |outcome| failed.iter().filter(|c| c.tcp == outcome).count();
    // `max_by_key` takes the last of equals, so the first in rank has to come last.
    let commonest = RANKED
        .iter()
        .rev()
        .max_by_key(|(outcome, _)| count(*outcome));
    let Some((outcome, mut reason)) = commonest.copied() else {
        return;
    };
    let concerned: Vec<_> = failed
        .iter()
        .copied()
        .filter(|c| c.tcp == outcome)
        .collect();
    let open = concerned
        .iter()
        .find_map(|c| c.trouble.other_port.filter(|(_, opened)| *opened));
    let mut facts = vec![attempts(failed)];
    if failed.iter().all(|c| c.skip == Some(Skip::NoRoute)) {
        facts.push(ConnectFact::NoRouteAtAll);
    }
    facts.extend(concerned.first().and_then(|first| obstacle(first)));
    if let (TcpOutcome::Timeout, Some((port, _))) = (outcome, open) {
        reason = Reason::PortBlocked;
        facts.push(ConnectFact::OtherPortOpens { port });
    } else {
        facts.extend(neighbours(surroundings, &concerned));
    }
    findings.add(reason, concerned.first().map(|c| c.ip), facts);
}

fn attempts(failed: &[&Connection]) -> ConnectFact {
    let attempt = |c: &&Connection| (SocketAddr::new(c.ip, c.port), c.tcp);
    ConnectFact::ConnectFailed {
        first: failed.iter().take(LISTED).map(attempt).collect(),
        more: failed.len().saturating_sub(LISTED),
    }
}

/// What more is known of why it failed.
fn obstacle(failed: &Connection) -> Option<ConnectFact> {
    Some(match failed.trouble.obstacle? {
        Obstacle::Icmp(icmp) => ConnectFact::IcmpCame {
            icmp,
            says: said_by(icmp),
        },
        Obstacle::ProhibitRoute => ConnectFact::RouteProhibits,
    })
}

/// By type and code: RFC 792, RFC 1812 section 5.2.7.1, and RFC 4443 section 3 for `ICMPv6`.
const fn said_by(icmp: IcmpError) -> IcmpSays {
    match (icmp.family, icmp.kind, icmp.code) {
        (Family::Ipv4, 3, 9 | 10 | 13) | (Family::Ipv6, 1, 1 | 5 | 6) => IcmpSays::Prohibited,
        (Family::Ipv4, 3, 2 | 3) | (Family::Ipv6, 1, 4) => IcmpSays::PortRejected,
        (Family::Ipv4, 11, _) | (Family::Ipv6, 3, _) => IcmpSays::TooManyHops,
        _ => IcmpSays::NoWay,
    }
}

/// What the other endpoints of the subnet do: it tells a dead endpoint from a blocked subnet.
fn neighbours(surroundings: &Surroundings, concerned: &[&Connection]) -> Option<ConnectFact> {
    let timed_out = concerned.iter().find(|c| c.tcp == TcpOutcome::Timeout)?;
    let (net, beside) = surroundings.beside(timed_out.ip)?;
    Some(ConnectFact::Neighbours {
        net,
        answering: beside.iter().filter(|neighbour| neighbour.answers).count(),
        known: beside.len(),
    })
}
