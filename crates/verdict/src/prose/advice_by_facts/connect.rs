//! Advice about connections that do not open. What helps depends on whose address it is.

mod rejection;

pub(in crate::prose) use self::rejection::is_rejected;
use crate::case::Case;
use crate::fact::{ConnectFact, Fact};
use crate::observation::TcpOutcome;
use crate::reason::Reason;
use crate::target::Expectation;
use crate::verdict::Finding;

pub(super) fn meaning(finding: &Finding) -> Option<&'static str> {
    let mut facts = finding.facts.iter();
    let is_mixed = facts.any(|fact| match fact {
        Fact::Connect(ConnectFact::ConnectFailed { first, .. }) => first
            .iter()
            .any(|(_, outcome)| *outcome != TcpOutcome::Timeout),
        _ => false,
    });
    if finding.reason == Reason::ConnectTimeout && is_mixed {
        return Some("No connection attempt succeeded, and some got no answer at all.");
    }
    rejection::meaning(finding)
}

pub(super) fn remedy(case: &Case<'_>, finding: &Finding) -> Option<String> {
    let is_private = case.target.rules.classify(finding.address?).is_private();
    if let Some(advice) = rejection::remedy(case, finding) {
        return Some(advice);
    }
    match finding.reason {
        Reason::ConnectTimeout if !is_private => Some(
            "Find what drops packets to this address and port on the way out: a firewall, an NSG, a route \
             or a network policy."
                .to_owned(),
        ),
        Reason::ConnectTimeout if neighbour_answers(finding) => Some(
            "Check that the private endpoint with this address still exists, and look for an NSG, firewall \
             or network policy that drops packets to it alone: its subnet is reached."
                .to_owned(),
        ),
        Reason::PartiallyReachable if case.expect == Expectation::Public && !is_private => Some(
            "Allow the addresses that fail in the egress firewall or network policy: the service has \
             several, and clients use any of them."
                .to_owned(),
        ),
        Reason::PartiallyReachable if !case.may_be_endpoint() => Some(
            "Repair the backends behind the addresses that fail, or the path to them, or take their \
             records out: clients use any address of the answer."
                .to_owned(),
        ),
        _ => None,
    }
}

/// Whether another endpoint of the same subnet answers.
pub(in crate::prose) fn neighbour_answers(finding: &Finding) -> bool {
    finding.facts.iter().any(|fact| {
        matches!(fact, Fact::Connect(ConnectFact::Neighbours { answering, .. }) if *answering > 0)
    })
}
