//! Advice about a service that denies this path.

use std::net::IpAddr;

use crate::case::Case;
use crate::fact::{Fact, ServiceFact};
use crate::reason::Reason;
use crate::target::Expectation;
use crate::verdict::Finding;

pub(super) fn remedy(case: &Case<'_>, finding: &Finding) -> Option<String> {
    let host = case.host();
    let is_by_perimeter = finding.facts.contains(&ServiceFact::ByPerimeter.into());
    match finding.reason {
        Reason::AccessDenied if is_by_perimeter => Some(match case.expect {
            Expectation::ServiceEndpoint | Expectation::Public => format!(
                "Add an inbound access rule that admits the cluster (its subscription, or its outbound \
                 address) to the network security perimeter of {host}: while the perimeter enforces, the \
                 network rules of the resource itself do not count."
            ),
            Expectation::PrivateEndpoint | Expectation::Auto => format!(
                "Make {host} resolve to its private endpoint here: the rules of the network security \
                 perimeter, which deny this path, do not apply to private endpoints."
            ),
        }),
        Reason::WrongPrivateEndpoint if is_by_perimeter => Some(
            "Look first for a firewall or proxy that resolves the name again on the way, since a network \
             security perimeter judges public paths alone; then check the private endpoint behind this \
             address: it belongs to another resource, or its connection is not approved."
                .to_owned(),
        ),
        Reason::WrongPrivateEndpoint => seen_from(finding).map(|from| {
            format!(
                "Look first for a firewall or proxy that resolves the name again on the way, since the \
                 service saw {from}; then check the private endpoint behind this address: it belongs to \
                 another resource, or its connection is not approved."
            )
        }),
        Reason::AccessDenied => match case.expect {
            Expectation::ServiceEndpoint => Some(format!(
                "Enable the service endpoint on the nodes' subnet, and allow that subnet in the network \
                 rules of {}: it takes both, and public access that is not off.",
                case.host()
            )),
            Expectation::Public => Some(format!(
                "Allow the cluster's outbound address in the network rules of {}.",
                case.host()
            )),
            Expectation::PrivateEndpoint | Expectation::Auto => None,
        },
        _ => None,
    }
}

/// The public address that the denial names.
fn seen_from(finding: &Finding) -> Option<IpAddr> {
    finding.facts.iter().find_map(|fact| match fact {
        Fact::Service(ServiceFact::DenialNamesPublic { from }) => Some(*from),
        _ => None,
    })
}
