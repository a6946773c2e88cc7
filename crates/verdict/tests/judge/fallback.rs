//! What a fallback to a public address tells beside its reason.

use privatelink_verdict::fact::{AddressFact, AddressList, AliasZone, DnsFact, Fact};
use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::verdict::Confidence;

use crate::observed::{name, own_soa, private_soa, public_soa};
use crate::probe::{Probe, VAULT, VAULT_ALIAS, VAULT_ZONE, ip};
use Severity::Fail;

#[test]
fn a_fallback_tells_where_the_private_address_is() {
    let wrong = "kv-prod.privatelink.vault.azure.net";
    let probe =
        Probe::public_vault().evidence(|r| r.evidence.mistaken = Some(name(wrong, ["10.1.2.3"])));
    assert_eq!(probe.findings(), [(Reason::PublicFallback, Fail)]);
    let record = DnsFact::RecordInOtherZone {
        name: wrong.to_owned(),
        ip: Some(ip("10.1.2.3")),
    };
    let facts = probe.facts(Reason::PublicFallback);
    assert_eq!(facts[1..], [record.into()]);

    let by_itself = Probe::public_vault()
        .asked_for_soa(Some(private_soa(VAULT_ZONE)))
        .evidence(|r| r.evidence.alias = Some(name(VAULT_ALIAS, ["10.1.2.3"])));
    assert_eq!(
        by_itself.findings(),
        [(Reason::PublicFallbackZoneLinked, Fail)]
    );
    let has_it = AddressFact::AliasByItself { ip: ip("10.1.2.3") };
    let facts = by_itself.facts(Reason::PublicFallbackZoneLinked);
    assert_eq!(facts[1..], [has_it.into()]);
}

#[test]
fn public_evidence_adds_nothing_to_a_fallback() {
    let plain = Probe::public_vault().facts(Reason::PublicFallback);
    let same = Probe::public_vault().evidence(|r| {
        r.evidence.alias = Some(name(VAULT_ALIAS, ["52.168.109.101"]));
        r.evidence.mistaken = Some(name("kv-prod.privatelink.vault.azure.net", ["52.1.2.3"]));
    });
    assert_eq!(same.facts(Reason::PublicFallback), plain);
}

#[test]
fn an_alias_that_nothing_follows_may_be_a_public_record_of_the_zone() {
    let nothing_follows = Fact::from(AddressFact::NothingFollowsAlias {
        by_configuration: false,
    });
    let probe = Probe::of(VAULT)
        .via([VAULT_ALIAS])
        .resolves_to(["52.168.109.101"])
        .asked_for_soa(Some(private_soa(VAULT_ZONE)));
    let facts = probe.facts(Reason::PublicFallbackZoneLinked);
    assert_eq!(facts[1..], [nothing_follows]);
    let unlinked = probe.asked_for_soa(Some(public_soa(VAULT_ZONE)));
    assert_eq!(unlinked.facts(Reason::PublicFallback).len(), 1);
}

#[test]
fn a_zone_of_the_users_own_servers_is_told_by_their_name() {
    let server = || "dc1.corp.example.com".to_owned();
    let ends_at = |probe: &Probe, alias: &str, zone| {
        Fact::from(AddressFact::AliasEndsAt {
            alias: alias.to_owned(),
            addresses: AddressList::of(&probe.resolution().addresses),
            zone: Some(zone),
        })
    };
    let probe = Probe::public_vault().asked_for_soa(Some(own_soa(VAULT_ZONE)));
    assert_eq!(
        probe.facts(Reason::PublicFallbackZoneLinked),
        [ends_at(
            &probe,
            VAULT_ALIAS,
            AliasZone::Private(Some(server()))
        )]
    );
    let zone = "pl.example.com";
    let unsure = Probe::of("orders.example.com")
        .with_private_zone(zone)
        .via(["orders.pl.example.com"])
        .resolves_to(["52.1.2.3"])
        .asked_for_soa(Some(own_soa(zone)));
    let finding = unsure.finding(Reason::PublicFallback);
    assert_eq!(finding.confidence, Confidence::Medium);
    let unknown = AliasZone::Unknown {
        zone: zone.to_owned(),
        mname: server(),
    };
    assert_eq!(
        unsure.facts(Reason::PublicFallback),
        [ends_at(&unsure, "orders.pl.example.com", unknown)]
    );
}
