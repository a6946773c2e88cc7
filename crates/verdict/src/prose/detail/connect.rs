//! Connect facts in words.

use super::joined;
use crate::fact::ConnectFact;

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
