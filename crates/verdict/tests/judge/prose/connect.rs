//! Connect facts in words.

use privatelink_verdict::fact::ConnectFact;
use privatelink_verdict::observation::TcpOutcome;

use super::{at, reads};

#[test]
fn connections() {
    let neighbours = |answering| ConnectFact::Neighbours {
        net: "10.1.2.0/24".parse().expect("a network"),
        answering,
        known: 3,
    };
    reads([
        (
            ConnectFact::SomeConnect {
                connected: 1,
                dialled: 3,
            },
            "1 of 3 addresses connect",
        ),
        (
            ConnectFact::ConnectFailed(vec![
                (at("10.1.2.3:443"), TcpOutcome::Timeout),
                (at("[fd00::1]:443"), TcpOutcome::Refused),
            ]),
            "10.1.2.3:443 timeout, [fd00::1]:443 refused",
        ),
        (
            ConnectFact::NoRouteAtAll,
            "the pod has no route to any address",
        ),
        (
            ConnectFact::OtherPortOpens { port: 8443 },
            "port 8443 of the same service opens",
        ),
        (
            neighbours(0),
            "none of the 3 other endpoints in 10.1.2.0/24 answers either: the subnet is blocked or \
             unrouted",
        ),
        (
            neighbours(2),
            "2 of 3 other endpoints in 10.1.2.0/24 answer",
        ),
    ]);
}
