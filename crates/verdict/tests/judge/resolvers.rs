//! What other resolvers say of the same name.

use privatelink_verdict::observation::{Query, QueryOutcome};
use privatelink_verdict::reason::{Reason, Severity};

use crate::observed::{failed, nxdomain, servfail};
use crate::probe::{Probe, VAULT, VAULT_ALIAS, ip};
use Severity::{Fail, Info, Warn};

fn node() -> Probe {
    Probe::of(VAULT).via([VAULT_ALIAS]).by("node")
}

fn disagreement(probe: &Probe) -> String {
    probe.finding(Reason::ResolverDisagreement).detail
}

#[test]
fn other_addresses_of_the_same_class_agree() {
    let probe =
        Probe::healthy_vault().must_agree_with(node().resolves_to(["10.9.9.9", "10.9.9.8"]));
    assert_eq!(probe.findings(), []);
}

#[test]
fn another_class_is_a_disagreement() {
    let probe = Probe::healthy_vault().must_agree_with(node().resolves_to(["52.168.109.101"]));
    assert_eq!(probe.findings(), [(Reason::ResolverDisagreement, Warn)]);
    assert_eq!(
        probe.finding(Reason::ResolverDisagreement).address,
        Some(ip("52.168.109.101"))
    );
    assert_eq!(
        disagreement(&probe),
        "the path pod gives 10.1.2.3 (private), node gives 52.168.109.101 (public); pods resolve \
         it privately, the node does not: image pulls and CSI mounts will go public"
    );
}

#[test]
fn the_consequence_follows_from_who_resolves_publicly() {
    let path = node().resolves_to(["10.1.2.3"]);
    let probe = path.must_agree_with(Probe::public_vault());
    assert!(
        disagreement(&probe).ends_with(
            "; the node resolves it privately, pods do not: applications will go public"
        ),
        "{}",
        disagreement(&probe)
    );
    let probe = node()
        .resolves_to(["52.168.109.101"])
        .must_agree_with(Probe::healthy_vault());
    assert!(
        disagreement(&probe).ends_with("image pulls and CSI mounts will go public"),
        "{}",
        disagreement(&probe)
    );
    let probe = Probe::public_vault().must_agree_with(node().resolves_to(["10.1.2.3"]));
    assert!(
        disagreement(&probe).ends_with("applications will go public"),
        "{}",
        disagreement(&probe)
    );
    let half = Probe::healthy_vault()
        .resolves_to(["10.1.2.3", "2603:1030::7"])
        .must_agree_with(node().resolves_to(["52.168.109.101"]));
    assert!(
        disagreement(&half).ends_with("52.168.109.101 (public)"),
        "neither is private: {}",
        disagreement(&half)
    );
    let others =
        Probe::healthy_vault().must_agree_with(node().by("vnet").resolves_to(["52.168.109.101"]));
    assert!(
        disagreement(&others).ends_with("vnet gives 52.168.109.101 (public)"),
        "only pod and node have users that are known: {}",
        disagreement(&others)
    );
}

#[test]
fn a_negative_answer_of_one_side_is_a_disagreement() {
    let probe = Probe::healthy_vault().must_agree_with(node().both(nxdomain()));
    assert_eq!(probe.findings(), [(Reason::ResolverDisagreement, Warn)]);
    assert_eq!(
        disagreement(&probe),
        "the path pod gives 10.1.2.3 (private), node gives no address; pods resolve it privately, \
         the node not at all: image pulls and CSI mounts will fail"
    );
    let probe = Probe::of(VAULT)
        .both(nxdomain())
        .must_agree_with(node().resolves_to(["10.1.2.3"]));
    assert_eq!(
        probe.findings(),
        [
            (Reason::DnsNameNotFound, Fail),
            (Reason::ResolverDisagreement, Warn)
        ]
    );
    assert!(
        disagreement(&probe)
            .ends_with("; the node resolves it privately, pods not at all: applications will fail"),
        "{}",
        disagreement(&probe)
    );
}

#[test]
fn no_consequence_is_told_where_neither_side_is_private_altogether() {
    let mixed = ["10.1.2.3", "2603:1030::7"];
    for probe in [
        Probe::healthy_vault()
            .resolves_to(mixed)
            .must_agree_with(node().both(nxdomain())),
        Probe::of(VAULT)
            .both(nxdomain())
            .must_agree_with(node().resolves_to(mixed)),
        Probe::healthy_vault().must_agree_with(node().resolves_to(["0.0.0.0"])),
        Probe::of(VAULT)
            .resolves_to(["0.0.0.0"])
            .must_agree_with(node().resolves_to(["10.1.2.3"])),
    ] {
        assert_eq!(probe.facts(Reason::ResolverDisagreement).len(), 1);
    }
}

#[test]
fn two_negative_answers_agree() {
    let probe = Probe::of(VAULT)
        .both(nxdomain())
        .must_agree_with(node().both(nxdomain()));
    assert_eq!(probe.findings(), [(Reason::DnsNameNotFound, Fail)]);
}

#[test]
fn a_resolver_that_does_not_answer_is_unavailable() {
    for outcome in [
        QueryOutcome::Timeout,
        QueryOutcome::Unreachable,
        QueryOutcome::ServerFailure,
        QueryOutcome::Truncated,
        QueryOutcome::Invalid,
    ] {
        let probe = Probe::healthy_vault().must_agree_with(node().both(failed(outcome)));
        assert_eq!(probe.findings(), [(Reason::ResolverUnavailable, Info)]);
        assert_eq!(
            probe.finding(Reason::ResolverUnavailable).detail,
            format!("the resolver node did not answer: {outcome}")
        );
    }
}

#[test]
fn a_resolver_that_could_not_be_asked_is_unavailable_too() {
    let unreadable = node().at_fault("read /etc/resolv.conf", "Permission denied");
    let probe = Probe::healthy_vault().must_agree_with(unreadable);
    assert_eq!(probe.findings(), [(Reason::ResolverUnavailable, Info)]);
    assert_eq!(
        probe.finding(Reason::ResolverUnavailable).detail,
        "the resolver node could not be asked"
    );
}

#[test]
fn nothing_is_compared_with_a_path_that_did_not_answer() {
    let probe = Probe::of(VAULT)
        .both(servfail())
        .must_agree_with(node().resolves_to(["10.1.2.3"]));
    assert_eq!(probe.findings(), [(Reason::DnsServerFailure, Fail)]);
}

#[test]
fn a_family_that_failed_on_one_side_is_not_compared() {
    let timeout: fn() -> Query = || failed(QueryOutcome::Timeout);
    let both = ["10.1.2.3", "2603:1030::7"];
    let lost = Probe::healthy_vault()
        .resolves_to(both)
        .must_agree_with(node().resolves_to(["10.1.2.3"]).aaaa(timeout()));
    assert_eq!(lost.findings(), [(Reason::MixedAddresses, Fail)]);
    let apart = Probe::healthy_vault()
        .aaaa(timeout())
        .must_agree_with(node().a(timeout()).resolves_to(["fd00::7"]));
    assert_eq!(
        apart.findings(),
        [(Reason::DnsDegraded, Warn)],
        "nothing in common"
    );
}

#[test]
fn what_need_not_agree_may_differ_and_be_silent() {
    let probe = Probe::healthy_vault()
        .may_differ_from(node().resolves_to(["52.168.109.101"]))
        .may_differ_from(node().by("vnet").both(servfail()));
    assert_eq!(probe.findings(), []);
}

#[test]
fn every_resolver_that_disagrees_is_told_in_one_finding() {
    let probe = Probe::healthy_vault()
        .must_agree_with(node().by("a").resolves_to(["52.168.109.101"]))
        .must_agree_with(node().by("b").both(nxdomain()));
    assert_eq!(
        disagreement(&probe),
        "the path pod gives 10.1.2.3 (private), a gives 52.168.109.101 (public); \
         the path pod gives 10.1.2.3 (private), b gives no address"
    );
}
