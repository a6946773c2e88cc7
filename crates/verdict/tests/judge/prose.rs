//! The words for every fact that a finding can rest on.

mod address;
mod connect;
mod dns;
mod resolver;
mod service;
mod tls;

use std::net::SocketAddr;

use privatelink_verdict::address::Class;
use privatelink_verdict::fact::{AddressList, Fact};
use privatelink_verdict::prose::Prose;
use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::verdict::{Confidence, Finding};

use crate::probe::{Probe, ip};

/// Holds each fact to its words.
fn reads<const N: usize>(table: [(impl Into<Fact>, &str); N]) {
    let probe = Probe::healthy_vault();
    let (observation, verdict) = (probe.observation(), probe.verdict());
    let prose = Prose::of(&probe.target, &observation, &verdict);
    for (fact, words) in table {
        let finding = Finding {
            reason: Reason::AgentError,
            severity: Severity::Fail,
            address: None,
            confidence: Confidence::High,
            facts: vec![fact.into()],
        };
        assert_eq!(prose.detail(&finding), words);
    }
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address and a port")
}

fn private() -> AddressList {
    AddressList {
        first: vec![(ip("10.1.2.3"), Class::Private)],
        more: 0,
    }
}

fn public() -> AddressList {
    AddressList {
        first: vec![(ip("52.1.2.3"), Class::Public)],
        more: 2,
    }
}

#[test]
fn the_agents_trouble_and_other_targets() {
    reads([
        (
            Fact::AgentFault {
                operation: text("read /etc/resolv.conf"),
                cause: text("No such file"),
            },
            "read /etc/resolv.conf: No such file",
        ),
        (
            Fact::SocketError {
                at: at("10.1.2.3:443"),
                cause: Some(text("Too many open files")),
            },
            "connect to 10.1.2.3:443: Too many open files",
        ),
        (
            Fact::SocketError {
                at: at("[fd00::1]:443"),
                cause: None,
            },
            "connect to [fd00::1]:443 error",
        ),
        (
            Fact::TooMuchInFlight {
                addresses: 31,
                of: 32,
            },
            "31 of 32 addresses were not tested, because the agent had too many connections open, or \
             too much to read, at that moment",
        ),
        (
            Fact::CompanionFails {
                target: text("blob"),
                reason: Reason::DnsTimeout,
            },
            "blob, which belongs to the same service, fails with dns_timeout",
        ),
    ]);
}
