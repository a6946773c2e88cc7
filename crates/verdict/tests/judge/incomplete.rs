//! Answers that leave it to the client to follow a name.

use privatelink_verdict::fact::DnsFact;
use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::verdict::Confidence;

use crate::observed::{QueryExt, name, nodata, nxdomain, private_soa};
use crate::probe::{Probe, VAULT, VAULT_ALIAS, VAULT_ZONE, ip};
use Severity::Fail;

#[test]
fn an_alias_without_address_or_soa_comes_from_a_server_that_does_not_chase() {
    let probe = Probe::of(VAULT).via([VAULT_ALIAS]).both(nodata());
    assert_eq!(probe.findings(), [(Reason::DnsIncompleteAnswer, Fail)]);
    // The zone's authority does not matter: the answer itself is not one.
    let told = probe.asked_for_soa(Some(private_soa(VAULT_ZONE)));
    assert_eq!(told.findings(), [(Reason::DnsIncompleteAnswer, Fail)]);
}

#[test]
fn the_last_name_asked_by_itself_makes_an_incomplete_answer_sure() {
    let probe = Probe::of(VAULT).via([VAULT_ALIAS]).both(nodata());
    let finding = probe.finding(Reason::DnsIncompleteAnswer);
    assert_eq!(finding.confidence, Confidence::Medium);
    assert_eq!(
        finding.detail,
        format!(
            "the server answers with the alias {VAULT_ALIAS} alone, without its address: it does \
             not chase aliases, and neither do applications"
        )
    );
    let chased = probe
        .clone()
        .evidence(|r| r.evidence.unchased = Some(name(VAULT_ALIAS, ["10.1.2.3"])));
    let finding = chased.finding(Reason::DnsIncompleteAnswer);
    assert_eq!(finding.confidence, Confidence::High);
    let facts = chased.facts(Reason::DnsIncompleteAnswer);
    let by_itself = DnsFact::AskedForItself(Ok(ip("10.1.2.3")));
    assert_eq!(facts[1..], [by_itself.into()]);
    let missing = probe.evidence(|r| r.evidence.unchased = Some(name(VAULT_ALIAS, [])));
    let finding = missing.finding(Reason::DnsIncompleteAnswer);
    assert_eq!(
        finding.confidence,
        Confidence::Medium,
        "there may be nothing to chase"
    );
}

#[test]
fn a_server_that_gives_one_family_an_soa_does_chase() {
    let private = nodata().with_soa(private_soa(VAULT_ZONE));
    let probe = Probe::of(VAULT)
        .via([VAULT_ALIAS])
        .a(nodata())
        .aaaa(private.clone());
    assert_eq!(probe.findings(), [(Reason::DnsPrivateRecordMissing, Fail)]);
    let probe = Probe::of(VAULT)
        .via([VAULT_ALIAS])
        .a(private)
        .aaaa(nodata());
    assert_eq!(probe.findings(), [(Reason::DnsPrivateRecordMissing, Fail)]);
    let probe = Probe::of(VAULT)
        .via([VAULT_ALIAS])
        .a(nodata())
        .aaaa(nxdomain());
    assert_eq!(probe.findings(), [(Reason::DnsPrivateRecordMissing, Fail)]);
}

#[test]
fn a_server_that_refers_to_others_does_not_recurse() {
    let mut referral = nodata();
    referral.flags.referral = true;
    let probe = Probe::of(VAULT).both(referral.clone());
    assert_eq!(probe.findings(), [(Reason::DnsIncompleteAnswer, Fail)]);
    let finding = probe.finding(Reason::DnsIncompleteAnswer);
    assert_eq!(finding.confidence, Confidence::High);
    let facts = probe.facts(Reason::DnsIncompleteAnswer);
    assert_eq!(facts, [DnsFact::Referral.into()]);
    let half = Probe::of(VAULT).a(referral).aaaa(nxdomain());
    assert_eq!(half.findings(), [(Reason::DnsNameNotFound, Fail)]);
}

#[test]
fn a_bare_host_without_soa_is_not_incomplete() {
    let probe = Probe::of(VAULT).both(nodata());
    assert_eq!(probe.findings(), [(Reason::DnsNameNotFound, Fail)]);
}
