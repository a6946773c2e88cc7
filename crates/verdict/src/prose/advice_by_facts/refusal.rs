//! Advice about a server that refuses this host by its own protocol.

use std::net::IpAddr;

use crate::address::Class;
use crate::case::Case;
use crate::observation::{Refusal, Refused};
use crate::target::Expectation;

pub(super) const fn meaning(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::HostBlocked => {
            "The server blocks this address, because too many connections from it ended before a login."
        }
        Refusal::HostNotAllowed => "No account of the server may log in from this address.",
        Refusal::NoFirewallRule => {
            "No firewall rule of the server admits the address that it was asked from."
        }
        Refusal::NoSubnetRule => "No virtual network rule of the server admits this subnet.",
        Refusal::PublicAccessOff => {
            "Public access to the server is off, and this path came to its public side."
        }
    }
}

pub(super) fn remedy(case: &Case<'_>, ip: IpAddr, refused: Refused) -> String {
    match refused.by {
        Refusal::HostBlocked => {
            "Unblock the node on the server (TRUNCATE TABLE performance_schema.host_cache, or mysqladmin \
             flush-hosts), and find what connects from it without a login: a health check, a monitor, or \
             this agent with a short interval."
                .to_owned()
        }
        Refusal::HostNotAllowed => {
            "Let an account of the server log in from this address: its host part has to match the \
             addresses of the cluster, as in user@'10.1.%'."
                .to_owned()
        }
        Refusal::NoFirewallRule | Refusal::NoSubnetRule | Refusal::PublicAccessOff => {
            by_network_rule(case, ip, refused)
        }
    }
}

/// Network rules decide only over paths that are public to the server.
fn by_network_rule(case: &Case<'_>, ip: IpAddr, refused: Refused) -> String {
    let (host, rules) = (case.host(), &case.target.rules);
    let from = refused.seen_from;
    if rules.classify(ip).is_private() {
        let endpoint = "the private endpoint behind this address: it belongs to another server, or its \
                        connection is not approved";
        return match from.filter(|from| rules.classify(*from) == Class::Public) {
            Some(from) => format!(
                "Look first for a firewall or proxy that resolves the name again on the way, since the \
                 server saw {from}; then check {endpoint}."
            ),
            None => format!("Check {endpoint}."),
        };
    }
    match (refused.by, case.expect) {
        (Refusal::PublicAccessOff, _) => format!(
            "Make {host} resolve to its private endpoint here: public access is off, so no rule lets \
             this path in."
        ),
        (_, Expectation::PrivateEndpoint | Expectation::Auto) => format!(
            "Make {host} resolve to its private endpoint here, which needs no rule of the server."
        ),
        (Refusal::NoSubnetRule, _) | (_, Expectation::ServiceEndpoint) => {
            "Enable the service endpoint on the nodes' subnet, and add a virtual network rule for that \
             subnet to the server."
                .to_owned()
        }
        (_, Expectation::Public) => {
            let outbound = from.map_or_else(
                || "the cluster's outbound address".to_owned(),
                |from| format!("the outbound address {from}"),
            );
            format!("Add a firewall rule for {outbound} to the server.")
        }
    }
}
