//! What the catalogue knows of zones: private ones, private-only names, zones that hide a service
//! and zones created by mistake.

use privatelink_verdict::catalogue::{
    holds_suffix, is_private_zone, mistaken_zones, private_only_zone,
};

#[rustfmt::skip]
const PRIVATE_ONLY: [(&str, &str); 9] = [
    ("aks-1a2b.privatelink.westeurope.azmk8s.io", "privatelink.westeurope.azmk8s.io"),
    ("aks.sub.privatelink.westeurope.azmk8s.io", "privatelink.westeurope.azmk8s.io"),
    ("aks-1a2b.private.westeurope.azmk8s.io", "private.westeurope.azmk8s.io"),
    ("aks.privatelink.usgovvirginia.cx.aks.containerservice.azure.us", "privatelink.usgovvirginia.cx.aks.containerservice.azure.us"),
    ("aks.privatelink.chinaeast2.cx.prod.service.azk8s.cn", "privatelink.chinaeast2.cx.prod.service.azk8s.cn"),
    ("a1b2.db.private.postgres.database.azure.com", "private.postgres.database.azure.com"),
    ("db.private.mysql.database.chinacloudapi.cn", "private.mysql.database.chinacloudapi.cn"),
    ("a1b2.orders.postgres.database.azure.com", "orders.postgres.database.azure.com"),
    ("a1b2.orders.mysql.database.usgovcloudapi.net", "orders.mysql.database.usgovcloudapi.net"),
];

#[test]
fn names_below_a_private_only_zone_are_private_only() {
    for (name, zone) in PRIVATE_ONLY {
        assert_eq!(private_only_zone(name), Some(zone), "{name}");
        assert!(is_private_zone(zone), "{zone}");
    }
}

#[test]
fn public_names_and_the_zones_themselves_are_not_private_only() {
    for name in [
        "privatelink.westeurope.azmk8s.io",
        "aks-1a2b.hcp.westeurope.azmk8s.io",
        "db.postgres.database.azure.com",
        "db.privatelink.postgres.database.azure.com",
        "db.writer.postgres.database.azure.com",
        "private.postgres.database.azure.com",
        "kv.privatelink.vaultcore.azure.net",
        "a.private.example.com",
    ] {
        assert_eq!(private_only_zone(name), None, "{name}");
    }
}

#[test]
fn the_private_zones_of_all_clouds_are_private_zones() {
    for zone in [
        "privatelink.vaultcore.azure.net",
        "privatelink.azurecr.us",
        "privatelink.westeurope.kusto.windows.net",
        "privatelink-global.wvd.microsoft.com",
        "sub.privatelink.westeurope.azmk8s.io",
    ] {
        assert!(is_private_zone(zone), "{zone}");
    }
    for zone in [
        "privatelink.vault.azure.net",
        "privatelink.azmk8s.io",
        "vaultcore.azure.net",
        "kv.privatelink.vaultcore.azure.net",
        "privatelink.example.com",
        "privatelink",
        "",
    ] {
        assert!(!is_private_zone(zone), "{zone}");
    }
}

#[test]
fn a_zone_that_hides_a_service_holds_its_suffix() {
    for zone in [
        "vault.azure.net",
        "azure.net",
        "core.windows.net",
        "windows.net",
        "azmk8s.io",
        "westeurope.azmk8s.io",
        "data.azurecr.io",
        "azure.cn",
    ] {
        assert!(holds_suffix(zone), "{zone}");
    }
}

#[test]
fn a_private_zone_a_single_host_and_a_top_level_domain_hide_no_service() {
    for zone in [
        "net",
        "",
        "azure",
        "example.com",
        "privatelink.vaultcore.azure.net",
        "privatelink.database.windows.net",
        "privatelink.azurecr.us",
        "kv.vault.azure.net",
    ] {
        assert!(!holds_suffix(zone), "{zone}");
    }
}

#[rustfmt::skip]
const MISTAKEN: [(&str, &str); 5] = [
    ("privatelink.vaultcore.azure.net", "privatelink.vault.azure.net"),
    ("privatelink.vaultcore.azure.cn", "privatelink.vault.azure.cn"),
    ("privatelink.signalr.azure.cn", "privatelink.service.signalr.azure.cn"),
    ("privatelink.westeurope.azurecontainerapps.io", "privatelink.azurecontainerapps.io"),
    ("privatelink.blob.core.windows.net", "privatelink.blob.storage.azure.net"),
];

#[test]
fn an_irregular_zone_is_mistaken_for_the_regular_one() {
    for (zone, mistaken) in MISTAKEN {
        assert_eq!(mistaken_zones(zone), [mistaken], "{zone}");
    }
}

#[test]
fn the_likeliest_mistake_comes_first() {
    let mistaken = mistaken_zones("privatelink.azurehealthcareapis.com");
    let likeliest =
        ["workspace", "fhir"].map(|name| format!("privatelink.{name}.azurehealthcareapis.com"));
    assert_eq!(
        mistaken, likeliest,
        "in the order of the suffixes, without those that are right"
    );
}

#[test]
fn a_regular_zone_is_not_mistaken() {
    for zone in [
        "privatelink.azurecr.io",
        "privatelink.servicebus.windows.net",
        "privatelink-global.wvd.microsoft.com",
        "privatelink.westeurope.azmk8s.io",
        "privatelink.azurewebsites.net",
        "privatelink.vault.azure.net",
        "example.com",
    ] {
        let mistaken = mistaken_zones(zone);
        assert!(mistaken.is_empty(), "{zone}: {mistaken:?}");
    }
}
