//! Connect facts in words.

use super::joined;
use crate::fact::ConnectFact;

pub(super) fn clause(fact: &ConnectFact) -> String {
    match fact {
        ConnectFact::SomeConnect { connected, dialled } => {
            format!("{connected} of {dialled} addresses connect")
        }
        ConnectFact::ConnectFailed(attempts) => {
            let attempts = attempts
                .iter()
                .map(|(at, outcome)| format!("{at} {outcome}"));
            joined(attempts, ", ")
        }
        ConnectFact::NoRouteAtAll => "the pod has no route to any address".to_owned(),
        ConnectFact::OtherPortOpens { port } => format!("port {port} of the same service opens"),
        ConnectFact::Neighbours {
            net,
            answering,
            known,
        } => match answering {
            0 => format!(
                "none of the {known} other endpoints in {net} answers either: the subnet is \
                 blocked or unrouted"
            ),
            _ => format!("{answering} of {known} other endpoints in {net} answer"),
        },
    }
}
