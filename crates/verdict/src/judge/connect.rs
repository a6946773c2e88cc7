//! Connect findings: whether every address answers on the target's port.

use super::{Case, Findings};
use crate::observation::{Connection, Skip, TcpOutcome};
use crate::reason::{Reason, Severity};
use crate::target::Expectation;
use crate::verdict::Confidence;

/// Failures in the order that decides between equally common ones (section 5).
const RANKED: [(TcpOutcome, Reason); 4] = [
    (TcpOutcome::Timeout, Reason::ConnectTimeout),
    (TcpOutcome::Refused, Reason::ConnectRefused),
    (TcpOutcome::Unreachable, Reason::ConnectUnreachable),
    (TcpOutcome::Reset, Reason::ConnectReset),
];

pub(super) fn find(case: &Case<'_>, findings: &mut Findings) {
    let connections = &case.observation.connections;
    for connection in connections.iter().filter(|c| c.tcp == TcpOutcome::Error) {
        let detail = format!("connect to {}", described(connection));
        findings.add(Reason::AgentError, Some(connection.ip), detail);
    }
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
        all_failed(case, &failed, findings);
    } else {
        let severity = match case.expect {
            Expectation::Public => Severity::Warn,
            _ => Severity::Fail,
        };
        let told = failed
            .iter()
            .take(4)
            .map(|c| described(c))
            .collect::<Vec<_>>()
            .join(", ");
        let detail = format!(
            "{connected} of {} addresses connect; {told}",
            connected + failed.len()
        );
        let address = Some(failed[0].ip);
        findings.add_as(
            Reason::PartiallyReachable,
            severity,
            Confidence::High,
            address,
            detail,
        );
    }
}

fn all_failed(case: &Case<'_>, failed: &[&Connection], findings: &mut Findings) {
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
        .find_map(|c| c.other_port.filter(|(_, opened)| *opened));
    let mut detail = failed
        .iter()
        .take(4)
        .map(|c| described(c))
        .collect::<Vec<_>>()
        .join(", ");
    if failed.iter().all(|c| c.skip == Some(Skip::NoRoute)) {
        detail.push_str("; the pod has no route to any address");
    }
    if let (TcpOutcome::Timeout, Some((port, _))) = (outcome, open) {
        reason = Reason::PortBlocked;
        detail.push_str(&format!("; port {port} of the same service opens"));
    } else if let Some(neighbourhood) = neighbourhood(case, &concerned) {
        detail.push_str(&neighbourhood);
    }
    findings.add(reason, concerned.first().map(|c| c.ip), detail);
}

/// What the other endpoints of the subnet do: it tells a dead endpoint from a blocked subnet.
fn neighbourhood(case: &Case<'_>, concerned: &[&Connection]) -> Option<String> {
    let timed_out = concerned.iter().find(|c| c.tcp == TcpOutcome::Timeout)?;
    let (net, beside) = case.surroundings.beside(timed_out.ip)?;
    let answering = beside.iter().filter(|neighbour| neighbour.answers).count();
    Some(match answering {
        0 => format!(
            "; none of the {} other endpoints in {net} answers either: the subnet is blocked or unrouted",
            beside.len()
        ),
        _ => format!(
            "; {answering} of {} other endpoints in {net} answer",
            beside.len()
        ),
    })
}

/// `10.1.2.3:443 timeout`.
fn described(connection: &Connection) -> String {
    let at = std::net::SocketAddr::new(connection.ip, connection.port);
    match &connection.tcp_detail {
        Some(detail) if connection.tcp == TcpOutcome::Error => format!("{at}: {detail}"),
        _ => format!("{at} {}", connection.tcp),
    }
}
