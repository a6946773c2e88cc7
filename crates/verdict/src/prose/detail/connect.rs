//! Connect facts in words.

use super::joined;
use crate::address::Family;
use crate::fact::{ConnectFact, IcmpSays};
use crate::observation::IcmpError;

pub(super) fn clause(fact: &ConnectFact) -> String {
    match fact {
        ConnectFact::SomeConnect { connected, dialled } => {
            format!("{connected} of {dialled} addresses connect")
        }
        ConnectFact::ConnectFailed { first, more } => {
            let attempts = first.iter().map(|(at, outcome)| format!("{at} {outcome}"));
            let mut text = joined(attempts, ", ");
            if *more > 0 {
                text.push_str(&format!(" and {more} more"));
            }
            text
        }
        ConnectFact::NoRouteAtAll => "the pod has no route to any address".to_owned(),
        ConnectFact::IcmpCame { icmp, says } => icmp_came(icmp, *says),
        ConnectFact::RouteProhibits => {
            "a route on the node itself, of type prohibit, forbids it".to_owned()
        }
        ConnectFact::OtherPortOpens { port } => format!("port {port} of the same service opens"),
        ConnectFact::Neighbours {
            net,
            answering,
            known,
        } => match (answering, known) {
            (0, 1) => format!(
                "the other endpoint in {net} does not answer either: the subnet may be \
                 blocked or unrouted"
            ),
            (0, _) => format!(
                "none of the {known} other endpoints in {net} answers either: the subnet \
                 may be blocked or unrouted"
            ),
            (_, 1) => format!("another endpoint in {net} answers"),
            _ => format!("{answering} of {known} other endpoints in {net} answer"),
        },
    }
}

fn icmp_came(icmp: &IcmpError, says: IcmpSays) -> String {
    let from = match icmp.from {
        Some(from) => from.to_string(),
        None => "a device on the way".to_owned(),
    };
    let name = match icmp.family {
        Family::Ipv4 => "ICMP",
        Family::Ipv6 => "ICMPv6",
    };
    let message = format!("{name} type {} code {}", icmp.kind, icmp.code);
    match says {
        IcmpSays::Prohibited => {
            format!("{from} rejects it as administratively prohibited ({message})")
        }
        IcmpSays::PortRejected => format!(
            "{from} rejects it with {message}, as firewalls do, where a closed port would reset it"
        ),
        IcmpSays::TooManyHops => {
            format!("{from} says that the packet was forwarded too often ({message})")
        }
        IcmpSays::NoWay => format!("{from} says that it cannot be reached ({message})"),
    }
}
