//! Rejection: advice where it is known who or what on the way does not let a connection through.

use std::net::{IpAddr, SocketAddr};

use crate::case::Case;
use crate::fact::{ConnectFact, Fact, IcmpSays};
use crate::reason::Reason;
use crate::verdict::Finding;

pub(super) fn meaning(finding: &Finding) -> Option<&'static str> {
    if finding.reason == Reason::PartiallyReachable {
        return None;
    }
    Some(match obstacle(finding)? {
        Obstacle::RouteProhibits => "A route on the node itself forbids the address.",
        Obstacle::Icmp(IcmpSays::Prohibited, _) => {
            "A firewall or router on the way rejects the connection: a route exists, and a rule forbids it."
        }
        Obstacle::Icmp(IcmpSays::PortRejected, _) => {
            "A firewall rejects the connection, or the address is that of a Kubernetes Service without \
             endpoints: the host itself would have answered otherwise."
        }
        Obstacle::Icmp(IcmpSays::TooManyHops, _) => {
            "The packets run in a circle of routers and never reach the address."
        }
        Obstacle::Icmp(IcmpSays::NoWay, _) => return None,
    })
}

pub(super) fn remedy(case: &Case<'_>, finding: &Finding) -> Option<String> {
    let ip = finding.address?;
    let at = SocketAddr::new(ip, case.target.port);
    let is_endpoint = case.may_be_endpoint() && case.target.rules.classify(ip).is_private();
    let approved = if is_endpoint {
        "; if nothing on the way is wrong, check that the connection of the private endpoint is approved"
    } else {
        ""
    };
    let advice = match obstacle(finding) {
        Some(Obstacle::RouteProhibits) => format!(
            "Find out who gave the node a route of type prohibit for {ip} (ip route get {ip}), and remove \
             that route."
        ),
        Some(Obstacle::Icmp(IcmpSays::Prohibited | IcmpSays::PortRejected, from)) => format!(
            "Allow {at} in the firewall or network policy that rejects it{}{approved}.",
            sender(from)
        ),
        Some(Obstacle::Icmp(IcmpSays::TooManyHops, from)) => format!(
            "Correct the routes to {ip}, which lead in a circle{}.",
            sender(from)
        ),
        _ if finding.reason == Reason::ConnectUnreachable && is_endpoint && !is_local(finding) => {
            format!(
                "Add the route or peering that leads to {ip}, because the node or a router on the way \
                 knows none{approved}."
            )
        }
        _ => return None,
    };
    Some(advice)
}

/// Whether something on the way rejects, and not the address itself.
pub(in crate::prose) fn is_rejected(finding: &Finding) -> bool {
    matches!(
        obstacle(finding),
        Some(Obstacle::Icmp(
            IcmpSays::Prohibited | IcmpSays::PortRejected,
            _
        ))
    )
}

enum Obstacle {
    RouteProhibits,
    Icmp(IcmpSays, Option<IpAddr>),
}

fn obstacle(finding: &Finding) -> Option<Obstacle> {
    finding.facts.iter().find_map(|fact| match fact {
        Fact::Connect(ConnectFact::RouteProhibits) => Some(Obstacle::RouteProhibits),
        Fact::Connect(ConnectFact::IcmpCame { icmp, says }) => {
            Some(Obstacle::Icmp(*says, icmp.from))
        }
        _ => None,
    })
}

/// Whether the pod itself has no route, whatever becomes of the endpoint.
fn is_local(finding: &Finding) -> bool {
    let mut facts = finding.facts.iter();
    facts.any(|fact| matches!(fact, Fact::Connect(ConnectFact::NoRouteAtAll)))
}

fn sender(from: Option<IpAddr>) -> String {
    from.map_or_else(String::new, |from| format!(" ({from} answered)"))
}
