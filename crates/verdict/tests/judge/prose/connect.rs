//! Connect facts in words.

use privatelink_verdict::fact::ConnectFact;
use privatelink_verdict::observation::TcpOutcome;

use super::{at, reads};

#[test]
fn connections() {
    let neighbours = |answering, known| ConnectFact::Neighbours {
        net: "10.1.2.0/24".parse().expect("a network"),
        answering,
        known,
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
            ConnectFact::ConnectFailed {
                first: vec![
                    (at("10.1.2.3:443"), TcpOutcome::Timeout),
                    (at("[fd00::1]:443"), TcpOutcome::Refused),
                ],
                more: 3,
            },
            "10.1.2.3:443 timeout, [fd00::1]:443 refused and 3 more",
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
            neighbours(0, 3),
            "none of the 3 other endpoints in 10.1.2.0/24 answers either: the subnet may \
             be blocked or unrouted",
        ),
        (
            neighbours(0, 1),
            "the other endpoint in 10.1.2.0/24 does not answer either: the subnet may \
             be blocked or unrouted",
        ),
        (neighbours(1, 1), "another endpoint in 10.1.2.0/24 answers"),
        (
            neighbours(2, 3),
            "2 of 3 other endpoints in 10.1.2.0/24 answer",
        ),
    ]);
}
