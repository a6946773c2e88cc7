//! What it means that a name has no address: records, links, shadows and typing errors.

use privatelink_verdict::address::Family;
use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::target::Expectation;
use privatelink_verdict::verdict::Confidence;

use crate::case::{Case, VAULT, VAULT_ALIAS, VAULT_PUBLIC, VAULT_ZONE};
use crate::words::{Told, name, nodata, nxdomain, own_soa, private_soa, public_soa};
use Severity::Fail;

const API_SERVER: &str = "aks-prod-1a2b.privatelink.westeurope.azmk8s.io";
const API_SERVER_ZONE: &str = "privatelink.westeurope.azmk8s.io";
const DATABASE: &str = "orders.postgres.database.azure.com";
const DATABASE_PRIVATE: &str = "orders.private.postgres.database.azure.com";

#[test]
fn an_alias_without_address_or_soa_comes_from_a_server_that_does_not_chase() {
    let case = Case::of(VAULT).via([VAULT_ALIAS]).both(nodata());
    assert_eq!(case.findings(), [(Reason::DnsIncompleteAnswer, Fail)]);
    // The zone's authority does not matter: the answer itself is not one.
    let told = case.asked_for_soa(Some(private_soa(VAULT_ZONE)));
    assert_eq!(told.findings(), [(Reason::DnsIncompleteAnswer, Fail)]);
}

#[test]
fn the_last_name_asked_by_itself_makes_an_incomplete_answer_sure() {
    let case = Case::of(VAULT).via([VAULT_ALIAS]).both(nodata());
    let finding = case.finding(Reason::DnsIncompleteAnswer);
    assert_eq!(finding.confidence, Confidence::Medium);
    assert_eq!(
        finding.detail,
        format!(
            "the server answers with the alias {VAULT_ALIAS} alone, without its address: it does \
             not chase aliases, and neither do applications"
        )
    );
    let chased = case
        .clone()
        .evidence(|r| r.unchased = Some(name(VAULT_ALIAS, ["10.1.2.3"])));
    let finding = chased.finding(Reason::DnsIncompleteAnswer);
    assert_eq!(finding.confidence, Confidence::High);
    assert!(
        finding
            .detail
            .ends_with("; asked for the alias itself: 10.1.2.3"),
        "{}",
        finding.detail
    );
    let missing = case.evidence(|r| r.unchased = Some(name(VAULT_ALIAS, [])));
    let finding = missing.finding(Reason::DnsIncompleteAnswer);
    assert_eq!(
        finding.confidence,
        Confidence::Medium,
        "there may be nothing to chase"
    );
}

#[test]
fn a_server_that_gives_one_family_an_soa_does_chase() {
    let private = nodata().told_by(private_soa(VAULT_ZONE));
    let case = Case::of(VAULT)
        .via([VAULT_ALIAS])
        .a(nodata())
        .aaaa(private.clone());
    assert_eq!(case.findings(), [(Reason::DnsPrivateRecordMissing, Fail)]);
    let case = Case::of(VAULT).via([VAULT_ALIAS]).a(private).aaaa(nodata());
    assert_eq!(case.findings(), [(Reason::DnsPrivateRecordMissing, Fail)]);
    let case = Case::of(VAULT)
        .via([VAULT_ALIAS])
        .a(nodata())
        .aaaa(nxdomain());
    assert_eq!(case.findings(), [(Reason::DnsPrivateRecordMissing, Fail)]);
}

#[test]
fn a_server_that_refers_to_others_does_not_recurse() {
    let mut referral = nodata();
    referral.flags.referral = true;
    let case = Case::of(VAULT).both(referral.clone());
    assert_eq!(case.findings(), [(Reason::DnsIncompleteAnswer, Fail)]);
    let finding = case.finding(Reason::DnsIncompleteAnswer);
    assert_eq!(finding.confidence, Confidence::High);
    assert!(
        finding.detail.contains("it does not recurse"),
        "{}",
        finding.detail
    );
    let half = Case::of(VAULT).a(referral).aaaa(nxdomain());
    assert_eq!(half.findings(), [(Reason::DnsNameNotFound, Fail)]);
}

#[test]
fn a_name_of_a_suffix_that_does_not_exist_is_told_with_the_likely_one() {
    let mistaken = Case::of("kv-prod.vault.azure.com").both(nxdomain());
    assert_eq!(
        mistaken.finding(Reason::DnsNameNotFound).detail,
        "NXDOMAIN for kv-prod.vault.azure.com (10.0.0.10:53); perhaps kv-prod.vault.azure.net was meant"
    );
    let right = Case::of(VAULT).both(nxdomain());
    assert_eq!(
        right.finding(Reason::DnsNameNotFound).detail,
        format!("NXDOMAIN for {VAULT} (10.0.0.10:53)")
    );
}

#[test]
fn a_bare_host_without_soa_is_not_incomplete() {
    let case = Case::of(VAULT).both(nodata());
    assert_eq!(case.findings(), [(Reason::DnsNameNotFound, Fail)]);
}

#[test]
fn an_alias_that_a_linked_zone_does_not_know_lacks_its_record() {
    for negative in [nxdomain(), nodata()] {
        let case = Case::of(VAULT)
            .via([VAULT_ALIAS])
            .both(negative.told_by(private_soa(VAULT_ZONE)));
        assert_eq!(case.findings(), [(Reason::DnsPrivateRecordMissing, Fail)]);
        assert_eq!(
            case.finding(Reason::DnsPrivateRecordMissing).confidence,
            Confidence::High
        );
    }
    let case = Case::of(VAULT)
        .via([VAULT_ALIAS])
        .both(nxdomain())
        .asked_for_soa(Some(private_soa(VAULT_ZONE)));
    assert_eq!(
        case.finding(Reason::DnsPrivateRecordMissing).detail,
        format!(
            "the zone {VAULT_ZONE} is linked here, but has no record for {VAULT_ALIAS} (NXDOMAIN)"
        )
    );
}

#[test]
fn an_alias_of_an_unknown_zone_lacks_its_record_less_surely() {
    let case = Case::of(VAULT).via([VAULT_ALIAS]).both(nxdomain());
    for case in [case.clone(), case.asked_for_soa(None)] {
        assert_eq!(case.findings(), [(Reason::DnsPrivateRecordMissing, Fail)]);
        let finding = case.finding(Reason::DnsPrivateRecordMissing);
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
    let case = Case::of(VAULT)
        .via([VAULT_ALIAS])
        .both(nxdomain().told_by(private_soa(VAULT_ZONE)));
    let found = case
        .clone()
        .evidence(|r| r.mistaken = Some(name(wrong, ["10.1.2.3"])));
    let detail = found.finding(Reason::DnsPrivateRecordMissing).detail;
    assert!(
        detail.ends_with(&format!(
            "(NXDOMAIN); {wrong} has one: the record was made in the wrong zone"
        )),
        "{detail}"
    );
    let absent = case.evidence(|r| r.mistaken = Some(name(wrong, [])));
    let detail = absent.finding(Reason::DnsPrivateRecordMissing).detail;
    assert!(!detail.contains(wrong), "{detail}");
}

#[test]
fn an_alias_that_leads_nowhere_in_public_dangles() {
    let case = Case::of(VAULT)
        .via([VAULT_ALIAS])
        .both(nxdomain().told_by(public_soa(VAULT_ZONE)));
    assert_eq!(case.findings(), [(Reason::DnsAliasDangling, Fail)]);
    assert_eq!(
        case.finding(Reason::DnsAliasDangling).detail,
        format!(
            "the alias {VAULT_ALIAS} leads nowhere (NXDOMAIN), and the public \
             side answers for {VAULT_ZONE}"
        )
    );
    // The chain goes on behind the alias; its end says nothing of the privatelink zone.
    let case = Case::of(VAULT)
        .via([VAULT_ALIAS, VAULT_PUBLIC])
        .both(nodata().told_by(public_soa("vaultcore.azure.net")))
        .asked_for_soa(Some(public_soa(VAULT_ZONE)));
    assert_eq!(case.findings(), [(Reason::DnsAliasDangling, Fail)]);
    let detail = case.finding(Reason::DnsAliasDangling).detail;
    assert!(
        detail.contains(&format!("(no address for {VAULT_PUBLIC})")),
        "{detail}"
    );
}

#[test]
fn a_host_that_is_an_alias_itself_is_judged_as_one() {
    let linked = Case::of(VAULT_ALIAS).both(nxdomain().told_by(private_soa(VAULT_ZONE)));
    assert_eq!(linked.findings(), [(Reason::DnsPrivateRecordMissing, Fail)]);
    let public = Case::of(VAULT_ALIAS).both(nxdomain().told_by(public_soa(VAULT_ZONE)));
    assert_eq!(public.findings(), [(Reason::DnsAliasDangling, Fail)]);
}

#[test]
fn a_private_only_host_that_does_not_exist_has_no_linked_zone() {
    for (told, confidence) in [
        (Some(public_soa("azmk8s.io")), Confidence::High),
        (None, Confidence::Medium),
    ] {
        let mut query = nxdomain();
        query.soa = told;
        let case = Case::of(API_SERVER).both(query);
        assert_eq!(case.findings(), [(Reason::DnsPrivateZoneNotLinked, Fail)]);
        assert_eq!(
            case.finding(Reason::DnsPrivateZoneNotLinked).confidence,
            confidence
        );
    }
    assert_eq!(
        Case::of(API_SERVER)
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
    let case = Case::of(DATABASE)
        .via([DATABASE_PRIVATE])
        .both(nxdomain().told_by(public_soa("postgres.database.azure.com")));
    assert_eq!(case.findings(), [(Reason::DnsPrivateZoneNotLinked, Fail)]);
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
        let case = Case::of(host).both(nxdomain());
        assert_eq!(
            case.findings(),
            [(Reason::DnsPrivateZoneNotLinked, Fail)],
            "{host}"
        );
        let detail = case.finding(Reason::DnsPrivateZoneNotLinked).detail;
        assert!(detail.contains(zone), "{detail}");
    }
}

#[test]
fn one_family_that_does_not_exist_makes_the_name_not_exist() {
    let case = Case::of(DATABASE)
        .via([DATABASE_PRIVATE])
        .a(nodata().told_by(public_soa("postgres.database.azure.com")))
        .aaaa(nxdomain());
    assert_eq!(case.findings(), [(Reason::DnsPrivateZoneNotLinked, Fail)]);
}

#[test]
fn a_private_only_name_in_a_linked_zone_lacks_its_record() {
    for (host, zone) in [
        (API_SERVER, API_SERVER_ZONE),
        (DATABASE_PRIVATE, "private.postgres.database.azure.com"),
    ] {
        for negative in [nxdomain(), nodata()] {
            let case = Case::of(host).both(negative.told_by(private_soa(zone)));
            assert_eq!(
                case.findings(),
                [(Reason::DnsPrivateRecordMissing, Fail)],
                "{host}"
            );
        }
    }
}

#[test]
fn a_private_only_name_that_exists_without_address_is_not_an_unlinked_zone() {
    let unknown = Case::of(DATABASE_PRIVATE).both(nodata());
    assert_eq!(
        unknown.findings(),
        [(Reason::DnsPrivateRecordMissing, Fail)]
    );
    let alias = Case::of(API_SERVER).both(nodata().told_by(public_soa("azmk8s.io")));
    assert_eq!(alias.findings(), [(Reason::DnsAliasDangling, Fail)]);
    // No alias: there is nothing that could dangle.
    let public = Case::of(DATABASE_PRIVATE)
        .both(nodata().told_by(public_soa("postgres.database.azure.com")));
    assert_eq!(public.findings(), [(Reason::DnsNameNotFound, Fail)]);
}

#[test]
fn a_private_zone_for_the_services_suffix_hides_it() {
    for owner in ["vault.azure.net", "azure.net", VAULT] {
        for soa in [private_soa(owner), own_soa(owner)] {
            let case = Case::of(VAULT).both(nxdomain().told_by(soa));
            assert_eq!(case.findings(), [(Reason::DnsZoneShadows, Fail)], "{owner}");
        }
    }
    assert_eq!(
        Case::of(VAULT)
            .both(nxdomain().told_by(private_soa("azure.net")))
            .finding(Reason::DnsZoneShadows)
            .detail,
        format!(
            "the private zone azure.net answers for it here (NXDOMAIN) and hides the public name"
        )
    );
    let one_family = Case::of(VAULT)
        .a(nodata())
        .aaaa(nodata().told_by(private_soa("vault.azure.net")));
    assert_eq!(one_family.findings(), [(Reason::DnsZoneShadows, Fail)]);
}

#[test]
fn no_zone_hides_a_service_that_has_an_alias() {
    let case = Case::of(VAULT)
        .via([VAULT_ALIAS])
        .both(nxdomain().told_by(private_soa("azure.net")));
    assert_eq!(case.findings(), [(Reason::DnsPrivateRecordMissing, Fail)]);
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
        let case = Case::of(VAULT).both(nxdomain().told_by(soa));
        assert_eq!(case.findings(), [(Reason::DnsNameNotFound, Fail)]);
    }
}

#[test]
fn a_host_outside_the_catalogue_is_hidden_only_by_a_private_zone_of_its_own_name() {
    let host = "orders.example.com";
    let own = Case::of(host).both(nodata().told_by(private_soa(host)));
    assert_eq!(own.findings(), [(Reason::DnsZoneShadows, Fail)]);
    for soa in [private_soa("example.com"), own_soa(host)] {
        let case = Case::of(host).both(nodata().told_by(soa));
        assert_eq!(case.findings(), [(Reason::DnsNameNotFound, Fail)]);
    }
}

#[test]
fn a_name_without_anything_private_is_not_found() {
    let case = Case::of(VAULT).both(nxdomain().told_by(public_soa("vault.azure.net")));
    assert_eq!(
        case.finding(Reason::DnsNameNotFound).detail,
        format!("NXDOMAIN for {VAULT} (10.0.0.10:53)")
    );
    let case = Case::of(VAULT).via([VAULT_PUBLIC]).a(nodata()).aaaa(
        nodata()
            .alone(&[VAULT])
            .told_by(public_soa("vault.azure.net")),
    );
    assert_eq!(
        case.finding(Reason::DnsNameNotFound).detail,
        format!("no address for {VAULT_PUBLIC} (10.0.0.10:53)"),
        "the longest chain says where it ends"
    );
}

#[test]
fn names_are_judged_alike_whatever_is_expected() {
    for expect in Expectation::ALL {
        let case = Case::of(VAULT)
            .via([VAULT_ALIAS])
            .both(nxdomain().told_by(private_soa(VAULT_ZONE)))
            .expecting(*expect);
        assert_eq!(case.findings(), [(Reason::DnsPrivateRecordMissing, Fail)]);
    }
}

#[test]
fn one_family_is_judged_like_two() {
    let case = Case::of(VAULT).via([VAULT_ALIAS]).a(nodata());
    let one = case.asking_only(Family::Ipv4);
    assert_eq!(one.findings(), [(Reason::DnsIncompleteAnswer, Fail)]);
    let one = Case::of(VAULT).asking_only(Family::Ipv6).aaaa(nxdomain());
    assert_eq!(one.findings(), [(Reason::DnsNameNotFound, Fail)]);
}

#[test]
fn a_configured_private_zone_makes_its_names_aliases() {
    let host = "orders.example.com";
    let case = Case::of(host)
        .with_private_zone("internal.example.com")
        .via(["orders.internal.example.com"])
        .both(nxdomain().told_by(private_soa("internal.example.com")));
    assert_eq!(case.findings(), [(Reason::DnsPrivateRecordMissing, Fail)]);
    // Nobody but Azure Private DNS can be told apart there.
    let case = case.both(nxdomain().told_by(own_soa("internal.example.com")));
    assert_eq!(
        case.finding(Reason::DnsPrivateRecordMissing).confidence,
        Confidence::Medium
    );
    let apex = Case::of("internal.example.com")
        .with_private_zone("internal.example.com")
        .both(nxdomain());
    assert_eq!(apex.findings(), [(Reason::DnsNameNotFound, Fail)]);
}
