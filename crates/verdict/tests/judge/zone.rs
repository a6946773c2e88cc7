//! Who answers for the private DNS zone, by the SOA.

use privatelink_verdict::alias::has_alias;
use privatelink_verdict::alias::{alias, zone_of};
use privatelink_verdict::observation::Soa;
use privatelink_verdict::zone::ZoneAuthority::{self, NotAsked, Private, Public, Unknown};

use crate::observed::{QueryExt, nodata, nxdomain, own_soa, private_soa, public_soa, soa};
use crate::probe::{Probe, VAULT, VAULT_ALIAS, VAULT_PUBLIC, VAULT_ZONE};

/// The authority by the SOA that came with the alias's negative answer, and by the same SOA asked for.
fn by(probe: &Probe, soa: &Soa) -> ZoneAuthority {
    let told = probe.clone().both(nxdomain().with_soa(soa.clone()));
    let asked = probe.clone().asked_for_soa(Some(soa.clone()));
    assert_eq!(told.authority(), asked.authority(), "{soa:?}");
    told.authority()
}

fn vault() -> Probe {
    Probe::of(VAULT).via([VAULT_ALIAS])
}

#[test]
fn nobody_is_asked_about_a_name_in_no_private_zone() {
    assert_eq!(Probe::of(VAULT).authority(), NotAsked);
    assert_eq!(by(&Probe::of(VAULT), &private_soa(VAULT_ZONE)), NotAsked);
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
    let probe = Probe::healthy_vault().aaaa(nodata().with_soa(private_soa(VAULT_ZONE)));
    assert_eq!(probe.authority(), Private);
}

#[test]
fn the_soa_at_the_end_of_a_public_chain_says_nothing_of_the_privatelink_zone() {
    let probe = Probe::public_vault().aaaa(nodata().with_soa(public_soa("vaultcore.azure.net")));
    assert_eq!(probe.authority(), NotAsked);
    let asked = probe.asked_for_soa(Some(private_soa(VAULT_ZONE)));
    assert_eq!(asked.authority(), Private);
    // Nor does one that came along with addresses.
    let mut answered = crate::observed::answer().with_soa(public_soa(VAULT_ZONE));
    answered.chain = [VAULT, VAULT_ALIAS].iter().collect();
    let probe = Probe::healthy_vault().a(answered);
    assert_eq!(probe.authority(), NotAsked);
}

#[test]
fn the_private_soa_of_the_answer_comes_before_the_one_asked_for() {
    let probe = vault()
        .both(nxdomain().with_soa(private_soa(VAULT_ZONE)))
        .asked_for_soa(Some(public_soa(VAULT_ZONE)));
    assert_eq!(probe.authority(), Private);
}

#[test]
fn the_public_soa_of_the_answer_comes_after_the_one_asked_for() {
    // Fallback to the internet: AAAA has nothing, and says so in the public side's name.
    let mut aaaa = nodata().with_soa(public_soa("vaultcore.azure.net"));
    aaaa.chain = [VAULT, VAULT_ALIAS].iter().collect();
    let probe = Probe::public_vault().aaaa(aaaa);
    assert_eq!(probe.authority(), Public);
    let asked = probe.asked_for_soa(Some(private_soa(VAULT_ZONE)));
    assert_eq!(asked.authority(), Private);
}

#[test]
fn zones_below_the_privatelink_label_are_private_too() {
    let api = Probe::of("aks-1.sub.privatelink.westeurope.azmk8s.io");
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
    let probe = Probe::of(host).via(["orders.private.postgres.database.azure.com"]);
    assert_eq!(by(&probe, &private_soa(zone)), Private);
    assert_eq!(by(&probe, &own_soa(zone)), Private);
    let subzone = "orders.private.postgres.database.azure.com";
    assert_eq!(by(&probe, &private_soa(subzone)), Private);
    assert_eq!(
        by(&probe, &public_soa("postgres.database.azure.com")),
        Public
    );
    assert!(!has_alias(&probe.target, &probe.resolution()));
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
        let probe = Probe::of(host).via([name]);
        assert_eq!(by(&probe, &private_soa(zone)), Private, "{host}");
        assert_eq!(by(&probe, &own_soa(zone)), Private, "{host}");
        assert_eq!(by(&probe, &public_soa(zone)), Public, "{host}");
    }
}

#[test]
fn records_with_labels_before_privatelink_lie_in_the_zone_of_the_label() {
    let probe = Probe::of("reg.westeurope.data.azurecr.io")
        .via(["reg.westeurope.data.privatelink.azurecr.io"]);
    assert_eq!(by(&probe, &private_soa("privatelink.azurecr.io")), Private);
    let probe = Probe::of("x.wvd.microsoft.com").via(["x.privatelink-global.wvd.microsoft.com"]);
    let zone = private_soa("privatelink-global.wvd.microsoft.com");
    assert_eq!(by(&probe, &zone), Private);
}

#[test]
fn a_zone_outside_the_catalogue_is_private_only_by_azure_private_dns() {
    let custom = Probe::of("orders.example.com")
        .with_private_zone("internal.example.com")
        .via(["orders.internal.example.com"]);
    let label = Probe::of("orders.example.com")
        .with_private_zone("privatelink.example.com")
        .via(["orders.privatelink.example.com"]);
    for (probe, zone) in [
        (custom, "internal.example.com"),
        (label, "privatelink.example.com"),
    ] {
        assert_eq!(by(&probe, &private_soa(zone)), Private);
        assert_eq!(by(&probe, &private_soa("example.com")), Unknown);
        assert_eq!(by(&probe, &public_soa(zone)), Unknown);
        assert_eq!(by(&probe, &own_soa(zone)), Unknown);
    }
}

#[test]
fn the_alias_is_the_first_privatelink_name_of_the_catalogue_from_the_host_on() {
    let found = |probe: &Probe| {
        let resolution = probe.resolution();
        let found = alias(&probe.target, &resolution).map(str::to_owned);
        assert_eq!(
            has_alias(&probe.target, &probe.resolution()),
            found.is_some()
        );
        found
    };
    assert_eq!(found(&Probe::of(VAULT).via([VAULT_PUBLIC])), None);
    assert_eq!(found(&Probe::public_vault()).as_deref(), Some(VAULT_ALIAS));
    let host = Probe::of(VAULT_ALIAS).via(["b.privatelink.example.com"]);
    assert_eq!(found(&host).as_deref(), Some(VAULT_ALIAS));
    // The zone itself holds names, and is none of them.
    assert_eq!(found(&Probe::of("privatelink.example.com")), None);
    assert_eq!(
        found(&Probe::of("x.example.com").via(["myprivatelink.example.com"])),
        None
    );
    let configured = Probe::of("a.example.com")
        .with_private_zone("example.com")
        .via(["b.privatelink.example.net"]);
    assert_eq!(found(&configured).as_deref(), Some("a.example.com"));
    let apex = Probe::of("example.com").with_private_zone("example.com");
    assert_eq!(found(&apex), None);
}

#[test]
fn the_configured_zone_comes_before_the_one_the_name_tells() {
    let target = Probe::of("orders.example.com")
        .with_private_zone("sub.privatelink.example.com")
        .target;
    let zone = |name| zone_of(&target, name);
    assert_eq!(
        zone("orders.sub.privatelink.example.com"),
        Some("sub.privatelink.example.com")
    );
    assert_eq!(
        zone("kv.privatelink.vaultcore.azure.net"),
        Some("privatelink.vaultcore.azure.net")
    );
    assert_eq!(
        zone("orders.privatelink.example.com"),
        None,
        "the label means nothing outside the catalogue"
    );
    assert_eq!(
        zone("db.private.mysql.database.azure.com"),
        Some("private.mysql.database.azure.com")
    );
    assert_eq!(zone("orders.example.com"), None);
    assert_eq!(zone("privatelink.example.com"), None, "a zone is no record");
}
