//! What other resolvers say of the same name.

use privatelink_verdict::observation::{Query, QueryOutcome};
use privatelink_verdict::reason::{Reason, Severity};

use crate::case::{Case, VAULT, VAULT_ALIAS, ip};
use crate::words::{failed, nxdomain, servfail};
use Severity::{Fail, Info, Warn};

fn node() -> Case {
    Case::of(VAULT).via([VAULT_ALIAS]).by("node")
}

fn disagreement(case: &Case) -> String {
    case.finding(Reason::ResolverDisagreement).detail
}

#[test]
fn other_addresses_of_the_same_class_agree() {
    let case = Case::healthy_vault().must_agree_with(node().resolves_to(["10.9.9.9", "10.9.9.8"]));
    assert_eq!(case.findings(), []);
}

#[test]
fn another_class_is_a_disagreement() {
    let case = Case::healthy_vault().must_agree_with(node().resolves_to(["52.168.109.101"]));
    assert_eq!(case.findings(), [(Reason::ResolverDisagreement, Warn)]);
    assert_eq!(
        case.finding(Reason::ResolverDisagreement).address,
        Some(ip("52.168.109.101"))
    );
    assert_eq!(
        disagreement(&case),
        "the path pod gives 10.1.2.3 (private), node gives 52.168.109.101 (public); pods resolve \
         it privately, the node does not: image pulls and CSI mounts will go public"
    );
}

#[test]
fn the_consequence_follows_from_who_resolves_publicly() {
    let path = node().resolves_to(["10.1.2.3"]);
    let case = path.must_agree_with(Case::public_vault());
    assert!(
        disagreement(&case).ends_with(
            "; the node resolves it privately, pods do not: applications will go public"
        ),
        "{}",
        disagreement(&case)
    );
    let case = node()
        .resolves_to(["52.168.109.101"])
        .must_agree_with(Case::healthy_vault());
    assert!(
        disagreement(&case).ends_with("image pulls and CSI mounts will go public"),
        "{}",
        disagreement(&case)
    );
    let case = Case::public_vault().must_agree_with(node().resolves_to(["10.1.2.3"]));
    assert!(
        disagreement(&case).ends_with("applications will go public"),
        "{}",
        disagreement(&case)
    );
    let half = Case::healthy_vault()
        .resolves_to(["10.1.2.3", "2603:1030::7"])
        .must_agree_with(node().resolves_to(["52.168.109.101"]));
    assert!(
        disagreement(&half).ends_with("52.168.109.101 (public)"),
        "neither is private: {}",
        disagreement(&half)
    );
    let others =
        Case::healthy_vault().must_agree_with(node().by("vnet").resolves_to(["52.168.109.101"]));
    assert!(
        disagreement(&others).ends_with("vnet gives 52.168.109.101 (public)"),
        "only pod and node have users that are known: {}",
        disagreement(&others)
    );
}

#[test]
fn a_negative_answer_of_one_side_is_a_disagreement() {
    let case = Case::healthy_vault().must_agree_with(node().both(nxdomain()));
    assert_eq!(case.findings(), [(Reason::ResolverDisagreement, Warn)]);
    assert_eq!(
        disagreement(&case),
        "the path pod gives 10.1.2.3 (private), node gives no address; pods resolve it privately, \
         the node not at all: image pulls and CSI mounts will fail"
    );
    let case = Case::of(VAULT)
        .both(nxdomain())
        .must_agree_with(node().resolves_to(["10.1.2.3"]));
    assert_eq!(
        case.findings(),
        [
            (Reason::DnsNameNotFound, Fail),
            (Reason::ResolverDisagreement, Warn)
        ]
    );
    assert!(
        disagreement(&case)
            .ends_with("; the node resolves it privately, pods not at all: applications will fail"),
        "{}",
        disagreement(&case)
    );
}

#[test]
fn no_consequence_is_told_where_neither_side_is_private_altogether() {
    let mixed = ["10.1.2.3", "2603:1030::7"];
    for case in [
        Case::healthy_vault()
            .resolves_to(mixed)
            .must_agree_with(node().both(nxdomain())),
        Case::of(VAULT)
            .both(nxdomain())
            .must_agree_with(node().resolves_to(mixed)),
        Case::healthy_vault().must_agree_with(node().resolves_to(["0.0.0.0"])),
        Case::of(VAULT)
            .resolves_to(["0.0.0.0"])
            .must_agree_with(node().resolves_to(["10.1.2.3"])),
    ] {
        let detail = disagreement(&case);
        assert!(!detail.contains(';'), "{detail}");
    }
}

#[test]
fn two_negative_answers_agree() {
    let case = Case::of(VAULT)
        .both(nxdomain())
        .must_agree_with(node().both(nxdomain()));
    assert_eq!(case.findings(), [(Reason::DnsNameNotFound, Fail)]);
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
        let case = Case::healthy_vault().must_agree_with(node().both(failed(outcome)));
        assert_eq!(case.findings(), [(Reason::ResolverUnavailable, Info)]);
        assert_eq!(
            case.finding(Reason::ResolverUnavailable).detail,
            format!("the resolver node did not answer: {outcome}")
        );
    }
}

#[test]
fn a_resolver_that_could_not_be_asked_is_unavailable_too() {
    let unreadable = node().at_fault("read /etc/resolv.conf", "Permission denied");
    let case = Case::healthy_vault().must_agree_with(unreadable);
    assert_eq!(case.findings(), [(Reason::ResolverUnavailable, Info)]);
    assert_eq!(
        case.finding(Reason::ResolverUnavailable).detail,
        "the resolver node could not be asked"
    );
}

#[test]
fn nothing_is_compared_with_a_path_that_did_not_answer() {
    let case = Case::of(VAULT)
        .both(servfail())
        .must_agree_with(node().resolves_to(["10.1.2.3"]));
    assert_eq!(case.findings(), [(Reason::DnsServerFailure, Fail)]);
}

#[test]
fn a_family_that_failed_on_one_side_is_not_compared() {
    let timeout: fn() -> Query = || failed(QueryOutcome::Timeout);
    let both = ["10.1.2.3", "2603:1030::7"];
    let lost = Case::healthy_vault()
        .resolves_to(both)
        .must_agree_with(node().resolves_to(["10.1.2.3"]).aaaa(timeout()));
    assert_eq!(lost.findings(), [(Reason::MixedAddresses, Fail)]);
    let apart = Case::healthy_vault()
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
    let case = Case::healthy_vault()
        .may_differ_from(node().resolves_to(["52.168.109.101"]))
        .may_differ_from(node().by("vnet").both(servfail()));
    assert_eq!(case.findings(), []);
}

#[test]
fn every_resolver_that_disagrees_is_told_in_one_finding() {
    let case = Case::healthy_vault()
        .must_agree_with(node().by("a").resolves_to(["52.168.109.101"]))
        .must_agree_with(node().by("b").both(nxdomain()));
    assert_eq!(
        disagreement(&case),
        "the path pod gives 10.1.2.3 (private), a gives 52.168.109.101 (public); \
         the path pod gives 10.1.2.3 (private), b gives no address"
    );
}
