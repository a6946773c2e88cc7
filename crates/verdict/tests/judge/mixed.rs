//! Private and public addresses in one answer: which is the odd one, and when it breaks nothing.

use privatelink_verdict::address::Class;
use privatelink_verdict::fact::{AddressFact, AddressList};
use privatelink_verdict::observation::Skip;
use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::target::Expectation;

use crate::observed::{has_no_route, not_dialled};
use crate::probe::{Probe, VAULT, ip};
use Severity::{Fail, Warn};

const MIXED: [&str; 2] = ["10.1.2.3", "2603:1030::7"];

#[test]
fn private_and_public_in_one_answer_is_mixed() {
    for expect in [Expectation::PrivateEndpoint, Expectation::Auto] {
        let probe = Probe::healthy_vault().expecting(expect).resolves_to(MIXED);
        assert_eq!(
            probe.findings(),
            [(Reason::MixedAddresses, Fail)],
            "{expect}"
        );
        let finding = probe.finding(Reason::MixedAddresses);
        assert_eq!(finding.address, Some(ip("2603:1030::7")), "the odd one");
        assert_eq!(
            finding.detail,
            "one answer holds both: 10.1.2.3 (private), 2603:1030::7 (public)"
        );
    }
}

#[test]
fn mixed_is_a_warning_where_the_odd_family_has_no_route() {
    let probe = Probe::healthy_vault().resolves_to(MIXED);
    let odd = probe.clone().at("2603:1030::7", has_no_route);
    assert_eq!(odd.findings(), [(Reason::MixedAddresses, Warn)]);
    // Not dialled for another reason is no lack of a route; nor is the other family's.
    let skipped = probe
        .clone()
        .at("2603:1030::7", |c| not_dialled(c, Skip::TooMany));
    assert_eq!(skipped.findings(), [(Reason::MixedAddresses, Fail)]);
    let private = probe.at("10.1.2.3", has_no_route);
    assert_eq!(private.findings(), [(Reason::MixedAddresses, Fail)]);
}

#[test]
fn mixed_stays_broken_while_one_odd_address_has_a_route() {
    let probe = Probe::healthy_vault()
        .resolves_to(["10.1.2.3", "52.168.109.101", "2603:1030::7"])
        .at("2603:1030::7", has_no_route);
    assert_eq!(probe.findings(), [(Reason::MixedAddresses, Fail)]);
    assert_eq!(
        probe.finding(Reason::MixedAddresses).address,
        Some(ip("52.168.109.101"))
    );
}

#[test]
fn under_a_service_endpoint_the_private_address_is_the_odd_one() {
    let probe = Probe::of(VAULT)
        .expecting(Expectation::ServiceEndpoint)
        .resolves_to(["52.168.109.101", "fd00::7"]);
    assert_eq!(
        probe.findings(),
        [
            (Reason::MixedAddresses, Fail),
            (Reason::UnexpectedPrivateAddress, Fail)
        ]
    );
    assert_eq!(
        probe.finding(Reason::MixedAddresses).address,
        Some(ip("fd00::7"))
    );
    let unrouted = probe.at("fd00::7", has_no_route);
    assert_eq!(
        unrouted.findings(),
        [
            (Reason::UnexpectedPrivateAddress, Fail),
            (Reason::MixedAddresses, Warn)
        ]
    );
}

#[test]
fn an_odd_address_without_a_route_is_told_as_such() {
    let probe = Probe::healthy_vault()
        .resolves_to(["10.1.2.3", "2603:1030::5"])
        .at("2603:1030::5", has_no_route);
    assert_eq!(probe.findings(), [(Reason::MixedAddresses, Warn)]);
    let odd = AddressList {
        first: vec![(ip("2603:1030::5"), Class::Public)],
        more: 0,
    };
    let facts = probe.facts(Reason::MixedAddresses);
    assert_eq!(facts[1..], [AddressFact::NoRouteTo(odd).into()]);
}

#[test]
fn addresses_mixed_in_one_family_fail_even_where_nothing_has_a_route() {
    let probe = Probe::healthy_vault()
        .resolves_to(["10.1.2.3", "52.0.0.1"])
        .everywhere(has_no_route);
    assert_eq!(probe.findings(), [(Reason::MixedAddresses, Fail)]);
}

#[test]
fn mixed_and_unexpected_are_told_both() {
    let probe = Probe::healthy_vault()
        .expected_in(["10.9.0.0/16"])
        .resolves_to(MIXED);
    assert_eq!(
        probe.findings(),
        [
            (Reason::MixedAddresses, Fail),
            (Reason::UnexpectedPrivateAddress, Fail)
        ]
    );
}
