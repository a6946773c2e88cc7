//! Who answers for the private DNS zone, by the SOA.

use privatelink_verdict::alias::has_alias;
use privatelink_verdict::alias::{alias, zone_of};
use privatelink_verdict::observation::Soa;
use privatelink_verdict::zone::ZoneAuthority::{self, NotAsked, Private, Public, Unknown};

use crate::case::{Case, VAULT, VAULT_ALIAS, VAULT_PUBLIC, VAULT_ZONE};
use crate::words::{Told, nodata, nxdomain, own_soa, private_soa, public_soa, soa};

/// The authority by the SOA that came with the alias's negative answer, and by the same SOA asked for.
fn by(case: &Case, soa: &Soa) -> ZoneAuthority {
    let told = case.clone().both(nxdomain().told_by(soa.clone()));
    let asked = case.clone().asked_for_soa(Some(soa.clone()));
    assert_eq!(told.authority(), asked.authority(), "{soa:?}");
    told.authority()
}

fn vault() -> Case {
    Case::of(VAULT).via([VAULT_ALIAS])
}

#[test]
fn nobody_is_asked_about_a_name_in_no_private_zone() {
    assert_eq!(Case::of(VAULT).authority(), NotAsked);
    assert_eq!(by(&Case::of(VAULT), &private_soa(VAULT_ZONE)), NotAsked);
    assert_eq!(vault().authority(), NotAsked, "not yet asked");
}

#[test]
fn a_zone_that_does_not_answer_is_unknown() {
    assert_eq!(vault().asked_for_soa(None).authority(), Unknown);
}

#[test]
fn the_soa_discriminates_a_catalogue_zone() {
    for (told, authority) in [
        (private_soa(VAULT_ZONE), Private),
        (public_soa(VAULT_ZONE), Public),
        (public_soa("vaultcore.azure.net"), Public),
        // A zone of one's own DNS server is private, though Azure does not serve it.
        (own_soa(VAULT_ZONE), Private),
        (own_soa("azure.net"), Public),
        (soa(VAULT_ZONE, "ns1.example.net", "microsoft.com"), Public),
        (
            soa(VAULT_ZONE, "ns1.example.net", "hostmaster.notmicrosoft.com"),
            Private,
        ),
        // One zone per record, as some tools make them.
        (private_soa(VAULT_ALIAS), Private),
        // Private, but not the zone that should hold the record.
        (private_soa("vaultcore.azure.net"), Unknown),
        (
            private_soa("other.privatelink.vaultcore.azure.net"),
            Unknown,
        ),
        (private_soa("corp.example.com"), Unknown),
    ] {
        assert_eq!(by(&vault(), &told), authority, "{told:?}");
    }
}

#[test]
fn a_private_address_does_not_keep_the_soa_of_the_other_family_from_counting() {
    let case = Case::healthy_vault().aaaa(nodata().told_by(private_soa(VAULT_ZONE)));
    assert_eq!(case.authority(), Private);
}

#[test]
fn the_soa_at_the_end_of_a_public_chain_says_nothing_of_the_privatelink_zone() {
    let case = Case::public_vault().aaaa(nodata().told_by(public_soa("vaultcore.azure.net")));
    assert_eq!(case.authority(), NotAsked);
    let asked = case.asked_for_soa(Some(private_soa(VAULT_ZONE)));
    assert_eq!(asked.authority(), Private);
    // Nor does one that came along with addresses.
    let mut answered = crate::words::answer().told_by(public_soa(VAULT_ZONE));
    answered.chain = vec![VAULT.to_owned(), VAULT_ALIAS.to_owned()];
    let case = Case::healthy_vault().a(answered);
    assert_eq!(case.authority(), NotAsked);
}

#[test]
fn the_private_soa_of_the_answer_comes_before_the_one_asked_for() {
    let case = vault()
        .both(nxdomain().told_by(private_soa(VAULT_ZONE)))
        .asked_for_soa(Some(public_soa(VAULT_ZONE)));
    assert_eq!(case.authority(), Private);
}

#[test]
fn the_public_soa_of_the_answer_comes_after_the_one_asked_for() {
    // Fallback to the internet: AAAA has nothing, and says so in the public side's name.
    let mut aaaa = nodata().told_by(public_soa("vaultcore.azure.net"));
    aaaa.chain = vec![VAULT.to_owned(), VAULT_ALIAS.to_owned()];
    let case = Case::public_vault().aaaa(aaaa);
    assert_eq!(case.authority(), Public);
    let asked = case.asked_for_soa(Some(private_soa(VAULT_ZONE)));
    assert_eq!(asked.authority(), Private);
}

#[test]
fn zones_below_the_privatelink_label_are_private_too() {
    let api = Case::of("aks-1.sub.privatelink.westeurope.azmk8s.io");
    for owner in [
        "privatelink.westeurope.azmk8s.io",
        "sub.privatelink.westeurope.azmk8s.io",
    ] {
        assert_eq!(by(&api, &private_soa(owner)), Private, "{owner}");
    }
    assert_eq!(by(&api, &public_soa("azmk8s.io")), Public);
    let other = private_soa("other.privatelink.westeurope.azmk8s.io");
    assert_eq!(by(&api, &other), Unknown);
}

#[test]
fn private_only_zones_without_a_privatelink_label_are_told_apart_too() {
    let host = "orders.postgres.database.azure.com";
    let zone = "private.postgres.database.azure.com";
    let case = Case::of(host).via(["orders.private.postgres.database.azure.com"]);
    assert_eq!(by(&case, &private_soa(zone)), Private);
    assert_eq!(by(&case, &own_soa(zone)), Private);
    let subzone = "orders.private.postgres.database.azure.com";
    assert_eq!(by(&case, &private_soa(subzone)), Private);
    assert_eq!(
        by(&case, &public_soa("postgres.database.azure.com")),
        Public
    );
    assert!(!has_alias(&case.target, &case.resolution()));
}

#[test]
fn the_other_clouds_zones_are_the_catalogues_too() {
    for (host, name, zone) in [
        (
            "kv.vault.usgovcloudapi.net",
            "kv.privatelink.vaultcore.usgovcloudapi.net",
            "privatelink.vaultcore.usgovcloudapi.net",
        ),
        (
            "kv.vault.azure.cn",
            "kv.privatelink.vaultcore.azure.cn",
            "privatelink.vaultcore.azure.cn",
        ),
        (
            "reg.azurecr.cn",
            "reg.privatelink.azurecr.cn",
            "privatelink.azurecr.cn",
        ),
    ] {
        let case = Case::of(host).via([name]);
        assert_eq!(by(&case, &private_soa(zone)), Private, "{host}");
        assert_eq!(by(&case, &own_soa(zone)), Private, "{host}");
        assert_eq!(by(&case, &public_soa(zone)), Public, "{host}");
    }
}

#[test]
fn records_with_labels_before_privatelink_lie_in_the_zone_of_the_label() {
    let case = Case::of("reg.westeurope.data.azurecr.io")
        .via(["reg.westeurope.data.privatelink.azurecr.io"]);
    assert_eq!(by(&case, &private_soa("privatelink.azurecr.io")), Private);
    let case = Case::of("x.wvd.microsoft.com").via(["x.privatelink-global.wvd.microsoft.com"]);
    let zone = private_soa("privatelink-global.wvd.microsoft.com");
    assert_eq!(by(&case, &zone), Private);
}

#[test]
fn a_zone_outside_the_catalogue_is_private_only_by_azure_private_dns() {
    let custom = Case::of("orders.example.com")
        .with_private_zone("internal.example.com")
        .via(["orders.internal.example.com"]);
    let label = Case::of("orders.example.com").via(["orders.privatelink.example.com"]);
    for (case, zone) in [
        (custom, "internal.example.com"),
        (label, "privatelink.example.com"),
    ] {
        assert_eq!(by(&case, &private_soa(zone)), Private);
        assert_eq!(by(&case, &private_soa("example.com")), Unknown);
        assert_eq!(by(&case, &public_soa(zone)), Unknown);
        assert_eq!(by(&case, &own_soa(zone)), Unknown);
    }
}

#[test]
fn the_alias_is_the_first_privatelink_name_from_the_host_on() {
    let found = |case: &Case| {
        let resolution = case.resolution();
        let found = alias(&case.target, &resolution).map(str::to_owned);
        assert_eq!(has_alias(&case.target, &case.resolution()), found.is_some());
        found
    };
    assert_eq!(found(&Case::of(VAULT).via([VAULT_PUBLIC])), None);
    assert_eq!(found(&Case::public_vault()).as_deref(), Some(VAULT_ALIAS));
    let host = Case::of(VAULT_ALIAS).via(["b.privatelink.example.com"]);
    assert_eq!(found(&host).as_deref(), Some(VAULT_ALIAS));
    // The zone itself holds names, and is none of them.
    assert_eq!(found(&Case::of("privatelink.example.com")), None);
    assert_eq!(
        found(&Case::of("x.example.com").via(["myprivatelink.example.com"])),
        None
    );
    let configured = Case::of("a.example.com")
        .with_private_zone("example.com")
        .via(["b.privatelink.example.net"]);
    assert_eq!(found(&configured).as_deref(), Some("a.example.com"));
    let apex = Case::of("example.com").with_private_zone("example.com");
    assert_eq!(found(&apex), None);
}

#[test]
fn the_configured_zone_comes_before_the_one_the_name_tells() {
    let target = Case::of("orders.example.com")
        .with_private_zone("sub.privatelink.example.com")
        .target;
    let zone = |name| zone_of(&target, name);
    assert_eq!(
        zone("orders.sub.privatelink.example.com"),
        Some("sub.privatelink.example.com")
    );
    assert_eq!(
        zone("orders.privatelink.example.com"),
        Some("privatelink.example.com")
    );
    assert_eq!(
        zone("db.private.mysql.database.azure.com"),
        Some("private.mysql.database.azure.com")
    );
    assert_eq!(zone("orders.example.com"), None);
    assert_eq!(zone("privatelink.example.com"), None, "a zone is no record");
}
