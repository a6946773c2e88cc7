//! What it means that a name has no address: records, links, shadows and typing errors.

use std::sync::Arc;

use privatelink_verdict::address::Family;
use privatelink_verdict::fact::{DanglingAlias, DnsFact, Negative};
use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::target::Expectation;
use privatelink_verdict::verdict::Confidence;

use crate::observed::{QueryExt, name, nodata, nxdomain, own_soa, private_soa, public_soa};
use crate::probe::{Probe, VAULT, VAULT_ALIAS, VAULT_PUBLIC, VAULT_ZONE};
use Severity::Fail;

const API_SERVER: &str = "aks-prod-1a2b.privatelink.westeurope.azmk8s.io";
const API_SERVER_ZONE: &str = "privatelink.westeurope.azmk8s.io";
const DATABASE: &str = "orders.postgres.database.azure.com";
const DATABASE_PRIVATE: &str = "orders.private.postgres.database.azure.com";

#[test]
fn a_name_of_a_suffix_that_does_not_exist_is_told_with_the_likely_one() {
    let mistaken = Probe::of("kv-prod.vault.azure.com").both(nxdomain());
    assert_eq!(
        mistaken.finding(Reason::DnsNameNotFound).detail,
        "NXDOMAIN for kv-prod.vault.azure.com (10.0.0.10:53); perhaps kv-prod.vault.azure.net was meant"
    );
    let right = Probe::of(VAULT).both(nxdomain());
    assert_eq!(
        right.finding(Reason::DnsNameNotFound).detail,
        format!("NXDOMAIN for {VAULT} (10.0.0.10:53)")
    );
}

#[test]
fn an_alias_that_a_linked_zone_does_not_know_lacks_its_record() {
    for negative in [nxdomain(), nodata()] {
        let probe = Probe::of(VAULT)
            .via([VAULT_ALIAS])
            .both(negative.with_soa(private_soa(VAULT_ZONE)));
        assert_eq!(probe.findings(), [(Reason::DnsPrivateRecordMissing, Fail)]);
        assert_eq!(
            probe.finding(Reason::DnsPrivateRecordMissing).confidence,
            Confidence::High
        );
    }
    let probe = Probe::of(VAULT)
        .via([VAULT_ALIAS])
        .both(nxdomain())
        .asked_for_soa(Some(private_soa(VAULT_ZONE)));
    assert_eq!(
        probe.finding(Reason::DnsPrivateRecordMissing).detail,
        format!(
            "the zone {VAULT_ZONE} is linked here, but has no record for {VAULT_ALIAS} (NXDOMAIN)"
        )
    );
}

#[test]
fn an_alias_of_an_unknown_zone_lacks_its_record_less_surely() {
    let probe = Probe::of(VAULT).via([VAULT_ALIAS]).both(nxdomain());
    for probe in [probe.clone(), probe.asked_for_soa(None)] {
        assert_eq!(probe.findings(), [(Reason::DnsPrivateRecordMissing, Fail)]);
        let finding = probe.finding(Reason::DnsPrivateRecordMissing);
        assert_eq!(finding.confidence, Confidence::Medium);
        assert_eq!(
            finding.detail,
            format!(
                "the zone {VAULT_ZONE} does not say who answers for it, and has no record for \
                 {VAULT_ALIAS} (NXDOMAIN)"
            )
        );
    }
}

#[test]
fn a_record_in_the_zone_people_mistake_is_pointed_at() {
    let wrong = "kv-prod.privatelink.vault.azure.net";
    let probe = Probe::of(VAULT)
        .via([VAULT_ALIAS])
        .both(nxdomain().with_soa(private_soa(VAULT_ZONE)));
    let found = probe
        .clone()
        .evidence(|r| r.evidence.mistaken = Some(name(wrong, ["10.1.2.3"])));
    let record = DnsFact::RecordInOtherZone {
        name: wrong.to_owned(),
        ip: None,
    };
    let facts = found.facts(Reason::DnsPrivateRecordMissing);
    assert_eq!(facts[1..], [record.into()]);
    let absent = probe.evidence(|r| r.evidence.mistaken = Some(name(wrong, [])));
    assert_eq!(absent.facts(Reason::DnsPrivateRecordMissing).len(), 1);
}

#[test]
fn an_alias_that_leads_nowhere_in_public_dangles() {
    let probe = Probe::of(VAULT)
        .via([VAULT_ALIAS])
        .both(nxdomain().with_soa(public_soa(VAULT_ZONE)));
    assert_eq!(probe.findings(), [(Reason::DnsAliasDangling, Fail)]);
    assert_eq!(
        probe.finding(Reason::DnsAliasDangling).detail,
        format!(
            "the alias {VAULT_ALIAS} leads nowhere (NXDOMAIN), and the public \
             side answers for {VAULT_ZONE}"
        )
    );
    // The chain goes on behind the alias; its end says nothing of the privatelink zone.
    let probe = Probe::of(VAULT)
        .via([VAULT_ALIAS, VAULT_PUBLIC])
        .both(nodata().with_soa(public_soa("vaultcore.azure.net")))
        .asked_for_soa(Some(public_soa(VAULT_ZONE)));
    assert_eq!(probe.findings(), [(Reason::DnsAliasDangling, Fail)]);
    let dangling = DanglingAlias {
        alias: VAULT_ALIAS.to_owned(),
        negative: Negative::Nodata,
        last: Some(VAULT_PUBLIC.to_owned()),
        other_zone: None,
        zone: VAULT_ZONE.to_owned(),
    };
    let facts = probe.facts(Reason::DnsAliasDangling);
    assert_eq!(facts, [DnsFact::AliasDangles(dangling).into()]);
}

#[test]
fn a_host_that_is_an_alias_itself_is_judged_as_one() {
    let linked = Probe::of(VAULT_ALIAS).both(nxdomain().with_soa(private_soa(VAULT_ZONE)));
    assert_eq!(linked.findings(), [(Reason::DnsPrivateRecordMissing, Fail)]);
    let public = Probe::of(VAULT_ALIAS).both(nxdomain().with_soa(public_soa(VAULT_ZONE)));
    assert_eq!(public.findings(), [(Reason::DnsAliasDangling, Fail)]);
}

#[test]
fn a_private_only_host_that_does_not_exist_has_no_linked_zone() {
    for (told, confidence) in [
        (Some(public_soa("azmk8s.io")), Confidence::High),
        (None, Confidence::Medium),
    ] {
        let mut query = nxdomain();
        query.soa = told.map(Arc::new);
        let probe = Probe::of(API_SERVER).both(query);
        assert_eq!(probe.findings(), [(Reason::DnsPrivateZoneNotLinked, Fail)]);
        assert_eq!(
            probe.finding(Reason::DnsPrivateZoneNotLinked).confidence,
            confidence
        );
    }
    assert_eq!(
        Probe::of(API_SERVER)
            .both(nxdomain())
            .finding(Reason::DnsPrivateZoneNotLinked)
            .detail,
        format!(
            "the name exists only in the private zone {API_SERVER_ZONE}, and here it is NXDOMAIN"
        )
    );
}

#[test]
fn a_chain_that_ends_at_a_private_only_name_has_no_linked_zone() {
    let probe = Probe::of(DATABASE)
        .via([DATABASE_PRIVATE])
        .both(nxdomain().with_soa(public_soa("postgres.database.azure.com")));
    assert_eq!(probe.findings(), [(Reason::DnsPrivateZoneNotLinked, Fail)]);
    for (host, zone) in [
        (
            "a.privatelink.usgovvirginia.cx.aks.containerservice.azure.us",
            "privatelink.usgovvirginia.cx.aks.containerservice.azure.us",
        ),
        (
            "a.privatelink.chinanorth3.cx.prod.service.azk8s.cn",
            "privatelink.chinanorth3.cx.prod.service.azk8s.cn",
        ),
        (
            "db.private.mysql.database.chinacloudapi.cn",
            "private.mysql.database.chinacloudapi.cn",
        ),
    ] {
        let probe = Probe::of(host).both(nxdomain());
        assert_eq!(
            probe.findings(),
            [(Reason::DnsPrivateZoneNotLinked, Fail)],
            "{host}"
        );
        let only = DnsFact::PrivateOnlyName {
            name: None,
            zone: zone.to_owned(),
        };
        assert_eq!(probe.facts(Reason::DnsPrivateZoneNotLinked), [only.into()]);
    }
}

#[test]
fn one_family_that_does_not_exist_makes_the_name_not_exist() {
    let probe = Probe::of(DATABASE)
        .via([DATABASE_PRIVATE])
        .a(nodata().with_soa(public_soa("postgres.database.azure.com")))
        .aaaa(nxdomain());
    assert_eq!(probe.findings(), [(Reason::DnsPrivateZoneNotLinked, Fail)]);
}

#[test]
fn a_private_only_name_in_a_linked_zone_lacks_its_record() {
    for (host, zone) in [
        (API_SERVER, API_SERVER_ZONE),
        (DATABASE_PRIVATE, "private.postgres.database.azure.com"),
    ] {
        for negative in [nxdomain(), nodata()] {
            let probe = Probe::of(host).both(negative.with_soa(private_soa(zone)));
            assert_eq!(
                probe.findings(),
                [(Reason::DnsPrivateRecordMissing, Fail)],
                "{host}"
            );
        }
    }
}

#[test]
fn a_private_only_name_that_exists_without_address_is_not_an_unlinked_zone() {
    let unknown = Probe::of(DATABASE_PRIVATE).both(nodata());
    assert_eq!(
        unknown.findings(),
        [(Reason::DnsPrivateRecordMissing, Fail)]
    );
    let alias = Probe::of(API_SERVER).both(nodata().with_soa(public_soa("azmk8s.io")));
    assert_eq!(alias.findings(), [(Reason::DnsAliasDangling, Fail)]);
    // No alias: there is nothing that could dangle.
    let public = Probe::of(DATABASE_PRIVATE)
        .both(nodata().with_soa(public_soa("postgres.database.azure.com")));
    assert_eq!(public.findings(), [(Reason::DnsNameNotFound, Fail)]);
}

#[test]
fn a_private_zone_for_the_services_suffix_hides_it() {
    for owner in ["vault.azure.net", "azure.net", VAULT] {
        for soa in [private_soa(owner), own_soa(owner)] {
            let probe = Probe::of(VAULT).both(nxdomain().with_soa(soa));
            assert_eq!(
                probe.findings(),
                [(Reason::DnsZoneShadows, Fail)],
                "{owner}"
            );
        }
    }
    assert_eq!(
        Probe::of(VAULT)
            .both(nxdomain().with_soa(private_soa("azure.net")))
            .finding(Reason::DnsZoneShadows)
            .detail,
        format!(
            "the private zone azure.net answers for it here (NXDOMAIN) and hides the public name"
        )
    );
    let one_family = Probe::of(VAULT)
        .a(nodata())
        .aaaa(nodata().with_soa(private_soa("vault.azure.net")));
    assert_eq!(one_family.findings(), [(Reason::DnsZoneShadows, Fail)]);
}

#[test]
fn no_zone_hides_a_service_that_has_an_alias() {
    let probe = Probe::of(VAULT)
        .via([VAULT_ALIAS])
        .both(nxdomain().with_soa(private_soa("azure.net")));
    assert_eq!(probe.findings(), [(Reason::DnsPrivateRecordMissing, Fail)]);
}

#[test]
fn public_zones_and_foreign_ones_hide_nothing() {
    for soa in [
        public_soa("vault.azure.net"),
        public_soa(VAULT),
        private_soa("net"),
        private_soa("corp.example.com"),
        own_soa("corp.example.com"),
    ] {
        let probe = Probe::of(VAULT).both(nxdomain().with_soa(soa));
        assert_eq!(probe.findings(), [(Reason::DnsNameNotFound, Fail)]);
    }
}

#[test]
fn a_host_outside_the_catalogue_is_hidden_only_by_a_private_zone_of_its_own_name() {
    let host = "orders.example.com";
    let own = Probe::of(host).both(nodata().with_soa(private_soa(host)));
    assert_eq!(own.findings(), [(Reason::DnsZoneShadows, Fail)]);
    for soa in [private_soa("example.com"), own_soa(host)] {
        let probe = Probe::of(host).both(nodata().with_soa(soa));
        assert_eq!(probe.findings(), [(Reason::DnsNameNotFound, Fail)]);
    }
}

#[test]
fn a_name_without_anything_private_is_not_found() {
    let probe = Probe::of(VAULT).both(nxdomain().with_soa(public_soa("vault.azure.net")));
    assert_eq!(
        probe.finding(Reason::DnsNameNotFound).detail,
        format!("NXDOMAIN for {VAULT} (10.0.0.10:53)")
    );
    let probe = Probe::of(VAULT).via([VAULT_PUBLIC]).a(nodata()).aaaa(
        nodata()
            .with_chain(&[VAULT])
            .with_soa(public_soa("vault.azure.net")),
    );
    assert_eq!(
        probe.finding(Reason::DnsNameNotFound).detail,
        format!("no address for {VAULT_PUBLIC} (10.0.0.10:53)"),
        "the longest chain says where it ends"
    );
}

#[test]
fn names_are_judged_alike_whatever_is_expected() {
    for expect in Expectation::ALL {
        let probe = Probe::of(VAULT)
            .via([VAULT_ALIAS])
            .both(nxdomain().with_soa(private_soa(VAULT_ZONE)))
            .expecting(*expect);
        assert_eq!(probe.findings(), [(Reason::DnsPrivateRecordMissing, Fail)]);
    }
}

#[test]
fn one_family_is_judged_like_two() {
    let probe = Probe::of(VAULT).via([VAULT_ALIAS]).a(nodata());
    let one = probe.asking_only(Family::Ipv4);
    assert_eq!(one.findings(), [(Reason::DnsIncompleteAnswer, Fail)]);
    let one = Probe::of(VAULT).asking_only(Family::Ipv6).aaaa(nxdomain());
    assert_eq!(one.findings(), [(Reason::DnsNameNotFound, Fail)]);
}

#[test]
fn a_configured_private_zone_makes_its_names_aliases() {
    let host = "orders.example.com";
    let probe = Probe::of(host)
        .with_private_zone("internal.example.com")
        .via(["orders.internal.example.com"])
        .both(nxdomain().with_soa(private_soa("internal.example.com")));
    assert_eq!(probe.findings(), [(Reason::DnsPrivateRecordMissing, Fail)]);
    // Only Azure Private DNS can be recognised there.
    let probe = probe.both(nxdomain().with_soa(own_soa("internal.example.com")));
    assert_eq!(
        probe.finding(Reason::DnsPrivateRecordMissing).confidence,
        Confidence::Medium
    );
    let apex = Probe::of("internal.example.com")
        .with_private_zone("internal.example.com")
        .both(nxdomain());
    assert_eq!(apex.findings(), [(Reason::DnsNameNotFound, Fail)]);
}
