//! What a fallback to a public address tells beside its reason.

use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::verdict::Confidence;

use crate::case::{Case, VAULT, VAULT_ALIAS, VAULT_ZONE};
use crate::words::{name, own_soa, private_soa, public_soa};
use Severity::Fail;

#[test]
fn a_fallback_tells_where_the_private_address_is_after_all() {
    let detail = |case: &Case| {
        let finding = case.told().findings.swap_remove(0);
        finding.detail
    };
    let wrong = "kv-prod.privatelink.vault.azure.net";
    let case = Case::public_vault().evidence(|r| r.mistaken = Some(name(wrong, ["10.1.2.3"])));
    assert_eq!(case.findings(), [(Reason::PublicFallback, Fail)]);
    let told = format!("; {wrong} has 10.1.2.3: the record was made in the wrong zone");
    assert!(detail(&case).ends_with(&told), "{}", detail(&case));

    let by_itself = Case::public_vault()
        .asked_for_soa(Some(private_soa(VAULT_ZONE)))
        .evidence(|r| r.alias = Some(name(VAULT_ALIAS, ["10.1.2.3"])));
    assert_eq!(
        by_itself.findings(),
        [(Reason::PublicFallbackZoneLinked, Fail)]
    );
    let told = "; the alias asked by itself has 10.1.2.3: the DNS server sends the two names \
                different ways";
    assert!(detail(&by_itself).ends_with(told), "{}", detail(&by_itself));
}

#[test]
fn public_evidence_adds_nothing_to_a_fallback() {
    let plain = Case::public_vault().finding(Reason::PublicFallback);
    let same = Case::public_vault().evidence(|r| {
        r.alias = Some(name(VAULT_ALIAS, ["52.168.109.101"]));
        r.mistaken = Some(name("kv-prod.privatelink.vault.azure.net", ["52.1.2.3"]));
    });
    assert_eq!(same.finding(Reason::PublicFallback).detail, plain.detail);
}

#[test]
fn an_alias_that_nothing_follows_may_be_a_public_record_of_the_zone() {
    let case = Case::of(VAULT)
        .via([VAULT_ALIAS])
        .resolves_to(["52.168.109.101"])
        .asked_for_soa(Some(private_soa(VAULT_ZONE)));
    let finding = case.finding(Reason::PublicFallbackZoneLinked);
    assert!(
        finding.detail.contains("nothing follows the alias"),
        "{}",
        finding.detail
    );
    let unlinked = case.asked_for_soa(Some(public_soa(VAULT_ZONE)));
    let finding = unlinked.finding(Reason::PublicFallback);
    assert!(
        !finding.detail.contains("nothing follows"),
        "{}",
        finding.detail
    );
}

#[test]
fn a_zone_of_ones_own_servers_is_told_by_their_name() {
    let case = Case::public_vault().asked_for_soa(Some(own_soa(VAULT_ZONE)));
    let finding = case.finding(Reason::PublicFallbackZoneLinked);
    assert!(
        finding
            .detail
            .ends_with("although its zone is served by dc1.corp.example.com here"),
        "{}",
        finding.detail
    );
    let zone = "pl.example.com";
    let unsure = Case::of("orders.example.com")
        .with_private_zone(zone)
        .via(["orders.pl.example.com"])
        .resolves_to(["52.1.2.3"])
        .asked_for_soa(Some(own_soa(zone)));
    let finding = unsure.finding(Reason::PublicFallback);
    assert_eq!(finding.confidence, Confidence::Medium);
    assert!(
        finding.detail.ends_with(
            "its zone pl.example.com is answered by dc1.corp.example.com, be it privately or not"
        ),
        "{}",
        finding.detail
    );
}
