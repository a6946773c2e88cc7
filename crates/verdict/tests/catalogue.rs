//! The catalogue as its users see it: real names of all clouds, and names that only look like one.

use std::collections::{BTreeMap, BTreeSet};

use privatelink_verdict::catalogue::{
    Cloud, ServicePort, data_endpoint, doubt, holds_suffix, is_private_zone, lookup,
    mistaken_zones, private_only_zone, services,
};
use privatelink_verdict::name::{fits, is_within, normalised};
use privatelink_verdict::target::Protocol;
use proptest::prelude::*;

/// Host, slug, default port, private zone (empty: not to be told from the host).
#[rustfmt::skip]
const HOSTS: [(&str, &str, u16, &str); 50] = [
    ("contoso.azurecr.io", "container-registry", 443, "privatelink.azurecr.io"),
    ("contoso-g7c3a9e2bxfkd4hz.azurecr.io", "container-registry", 443, "privatelink.azurecr.io"),
    ("contoso.westeurope.data.azurecr.io", "container-registry-data", 443, "privatelink.azurecr.io"),
    ("contoso.westeurope.geo.azurecr.io", "container-registry-geo", 443, "privatelink.azurecr.io"),
    ("contoso.azurecr.us", "container-registry", 443, "privatelink.azurecr.us"),
    ("contoso.usgovvirginia.data.azurecr.us", "container-registry-data", 443, "privatelink.azurecr.us"),
    ("contoso.azurecr.cn", "container-registry", 443, "privatelink.azurecr.cn"),
    ("kv-prod.vault.azure.net", "key-vault", 443, "privatelink.vaultcore.azure.net"),
    ("kv-prod.vault.usgovcloudapi.net", "key-vault", 443, "privatelink.vaultcore.usgovcloudapi.net"),
    ("kv-prod.vault.azure.cn", "key-vault", 443, "privatelink.vaultcore.azure.cn"),
    ("kv-prod.privatelink.vaultcore.azure.net", "key-vault", 443, "privatelink.vaultcore.azure.net"),
    ("hsm.managedhsm.azure.net", "key-vault-hsm", 443, "privatelink.managedhsm.azure.net"),
    ("acct.blob.core.windows.net", "storage-blob", 443, "privatelink.blob.core.windows.net"),
    ("acct-secondary.blob.core.windows.net", "storage-blob", 443, "privatelink.blob.core.windows.net"),
    ("acct.privatelink.blob.core.windows.net", "storage-blob", 443, "privatelink.blob.core.windows.net"),
    ("acct.z12.blob.storage.azure.net", "storage-blob", 443, "privatelink.blob.core.windows.net"),
    ("acct.file.core.windows.net", "storage-file", 445, "privatelink.file.core.windows.net"),
    ("acct.queue.core.chinacloudapi.cn", "storage-queue", 443, "privatelink.queue.core.chinacloudapi.cn"),
    ("acct.table.core.usgovcloudapi.net", "storage-table", 443, "privatelink.table.core.usgovcloudapi.net"),
    ("acct.dfs.core.windows.net", "storage-dfs", 443, "privatelink.dfs.core.windows.net"),
    ("acct.z6.web.core.windows.net", "storage-web", 443, "privatelink.web.core.windows.net"),
    ("sql-prod.database.windows.net", "sql", 1433, "privatelink.database.windows.net"),
    ("sql-prod.privatelink.database.windows.net", "sql", 1433, "privatelink.database.windows.net"),
    ("sql-prod.database.usgovcloudapi.net", "sql", 1433, "privatelink.database.usgovcloudapi.net"),
    ("mi.a1b2c3.database.windows.net", "sql-managed-instance", 1433, "privatelink.a1b2c3.database.windows.net"),
    ("ws-ondemand.sql.azuresynapse.net", "synapse-sql", 1433, "privatelink.sql.azuresynapse.net"),
    ("ws-ondemand.sql.azuresynapse.usgovcloudapi.net", "synapse-sql", 1433, "privatelink.sql.azuresynapse.usgovcloudapi.net"),
    ("acct.documents.azure.com", "cosmos-db", 443, "privatelink.documents.azure.com"),
    ("acct-westeurope.documents.azure.cn", "cosmos-db", 443, "privatelink.documents.azure.cn"),
    ("acct.mongo.cosmos.azure.com", "cosmos-db-mongo", 10255, "privatelink.mongo.cosmos.azure.com"),
    ("bus.servicebus.windows.net", "service-bus", 443, "privatelink.servicebus.windows.net"),
    ("bus.privatelink.servicebus.windows.net", "service-bus", 443, "privatelink.servicebus.windows.net"),
    ("bus.servicebus.chinacloudapi.cn", "service-bus", 443, "privatelink.servicebus.chinacloudapi.cn"),
    ("db.postgres.database.azure.com", "postgresql", 5432, "privatelink.postgres.database.azure.com"),
    ("db.private.postgres.database.azure.com", "postgresql", 5432, "privatelink.postgres.database.azure.com"),
    ("db.mysql.database.usgovcloudapi.net", "mysql", 3306, "privatelink.mysql.database.usgovcloudapi.net"),
    ("db.mariadb.database.azure.com", "mariadb", 3306, "privatelink.mariadb.database.azure.com"),
    ("cache.redis.cache.windows.net", "redis", 6380, "privatelink.redis.cache.windows.net"),
    ("cache.westeurope.redisenterprise.cache.azure.net", "redis-enterprise", 10000, "privatelink.redisenterprise.cache.azure.net"),
    ("cache.westeurope.redis.azure.net", "managed-redis", 10000, "privatelink.redis.azure.net"),
    ("conf.azconfig.io", "app-configuration", 443, "privatelink.azconfig.io"),
    ("aks-1a2b.privatelink.westeurope.azmk8s.io", "kubernetes-api", 443, "privatelink.westeurope.azmk8s.io"),
    ("aks-1a2b.private.westeurope.azmk8s.io", "kubernetes-api", 443, "private.westeurope.azmk8s.io"),
    ("aks-1a2b.hcp.westeurope.azmk8s.io", "kubernetes-api", 443, "privatelink.westeurope.azmk8s.io"),
    ("app.azurewebsites.net", "app-service", 443, "privatelink.azurewebsites.net"),
    ("app.scm.azurewebsites.net", "app-service", 443, "privatelink.azurewebsites.net"),
    ("management.azure.com", "resource-manager", 443, "privatelink.azure.com"),
    ("ws.agentsvc.azure-automation.net", "monitor", 443, "privatelink.agentsvc.azure-automation.net"),
    ("adx.westeurope.kusto.windows.net", "data-explorer", 443, "privatelink.westeurope.kusto.windows.net"),
    ("app.env-1a2b.westeurope.azurecontainerapps.io", "container-apps", 443, ""),
];

#[test]
fn real_names_of_all_clouds_are_recognised() {
    for (host, slug, port, zone) in HOSTS {
        let Some(found) = lookup(host) else {
            panic!("{host} is not recognised")
        };
        assert_eq!(found.service.slug, slug, "{host}");
        assert_eq!(found.service.ports[0].number, port, "{host}");
        assert_eq!(found.private_zone().unwrap_or_default(), zone, "{host}");
        assert!(is_within(host, &found.suffix), "{host}: {}", found.suffix);
    }
}

#[test]
fn names_that_only_look_like_a_service_are_not_recognised() {
    for host in [
        "vault.azure.net",
        "azurecr.io",
        "westeurope.azmk8s.io",
        "kv.notvault.azure.net",
        "kv.vault.azure.net.example.com",
        "kv.vault.azure.com",
        "portal.azure.com",
        "dev.azure.com",
        "azure.com",
        "login.microsoftonline.com",
        "orders.internal.example.com",
        ".vault.azure.net",
        "kv..vault.azure.net",
        "kv.vault.azure.net.",
        "localhost",
        "10.1.2.3",
        "",
    ] {
        assert_eq!(lookup(host), None, "{host}");
    }
}

#[test]
fn the_suffix_of_a_match_is_filled_in() {
    let suffix = |host| lookup(host).expect("a service").suffix;
    let data_endpoint = suffix("contoso.westeurope.data.azurecr.io");
    assert_eq!(data_endpoint, "westeurope.data.azurecr.io");
    assert_eq!(suffix("kv.vault.azure.net"), "vault.azure.net");
    let alias = suffix("kv.privatelink.vaultcore.azure.net");
    assert_eq!(alias, "privatelink.vaultcore.azure.net");
}

#[test]
fn every_suffix_has_exactly_one_primary_row_and_the_row_has_the_suffix() {
    let mut primaries: BTreeMap<&str, usize> = BTreeMap::new();
    let mut suffixes: BTreeSet<&str> = BTreeSet::new();
    for service in services() {
        for primary in &service.primary {
            assert!(service.suffixes.contains(primary), "{service:?}");
            *primaries.entry(primary).or_default() += 1;
        }
        suffixes.extend(&service.suffixes);
    }
    for suffix in suffixes {
        assert_eq!(primaries.get(suffix), Some(&1), "{suffix}");
    }
}

#[test]
fn every_row_is_complete_and_normalised() {
    for service in services() {
        let title = service.title;
        let mut words = service.slug.split('-');
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
        assert!(words.all(is_word), "{title}: {}", service.slug);
        assert!(!title.is_empty(), "{service:?}");
        assert!(service.resource_type.starts_with("Microsoft."), "{title}");
        // Without private endpoints there is only the zone of internal resources.
        let has_endpoint = !service.subresources.is_empty();
        let is_internal = !service.internal.is_empty() || !service.private_only.is_empty();
        assert!(has_endpoint || is_internal, "{title}");
        assert!(!service.suffixes.is_empty(), "{title}");
        assert!(!service.private_zones.is_empty(), "{title}");
        let patterns = service.private_zones.iter().chain(&service.suffixes);
        for pattern in patterns
            .chain(&service.private_only)
            .chain(&service.internal)
        {
            let literals = pattern.split('.').filter(|label| !label.starts_with('{'));
            for label in literals {
                assert!(!label.is_empty(), "{title}: {pattern}");
                assert_eq!(label, normalised(label), "{title}: {pattern}");
                assert!(!label.contains(['{', '}', ' ']), "{title}: {pattern}");
            }
        }
        let ports: BTreeSet<_> = service.ports.iter().map(|port| port.number).collect();
        assert_eq!(ports.len(), service.ports.len(), "{title}: a port twice");
        assert!(!ports.contains(&0), "{title}");
    }
}

#[test]
fn the_catalogue_covers_three_clouds() {
    for (cloud, rows) in [
        (Cloud::Commercial, 104),
        (Cloud::UsGov, 59),
        (Cloud::China, 45),
    ] {
        let found = services().iter().filter(|service| service.cloud == cloud);
        assert_eq!(found.count(), rows, "{cloud}");
    }
}

#[test]
fn every_alias_in_a_private_zone_is_recognised() {
    for zone in services().iter().flat_map(|service| &service.private_zones) {
        let host = format!("name.{}", fill(zone));
        let found = lookup(&host).expect("an alias is a host of the catalogue");
        let mut own = found.service.private_zones.iter();
        assert!(own.any(|own| fits(&found.suffix, own)), "{host}: {found:?}");
        assert!(is_private_zone(&fill(zone)), "{zone}");
    }
}

#[test]
fn what_has_no_tls_is_only_connected_to() {
    for (host, port, protocol) in [
        ("a.file.core.windows.net", 445, Protocol::Tcp),
        ("a.file.core.windows.net", 2049, Protocol::Tcp),
        ("a.file.core.windows.net", 443, Protocol::Tls),
        ("s.database.windows.net", 1433, Protocol::Tds),
        ("d.postgres.database.azure.com", 6432, Protocol::Postgres),
        ("d.mysql.database.azure.com", 3306, Protocol::Mysql),
        ("b.servicebus.windows.net", 5672, Protocol::Tcp),
        ("c.redis.cache.windows.net", 6379, Protocol::Tcp),
    ] {
        let service = lookup(host).expect("a service").service;
        let listed = ServicePort {
            number: port,
            protocol,
        };
        assert!(
            service.ports.contains(&listed),
            "{host}: {:?}",
            service.ports
        );
    }
}

#[rustfmt::skip]
const DATA_ENDPOINTS: [(&str, &str, &str); 4] = [
    ("contoso.azurecr.io", "westeurope", "contoso.westeurope.data.azurecr.io"),
    ("contoso.azurecr.io", "WestEurope", "contoso.westeurope.data.azurecr.io"),
    ("contoso.azurecr.us", "usgovvirginia", "contoso.usgovvirginia.data.azurecr.us"),
    ("contoso.azurecr.cn", "chinaeast2", "contoso.chinaeast2.data.azurecr.cn"),
];

#[test]
fn a_registry_has_a_data_endpoint_in_every_cloud() {
    for (login_host, region, endpoint) in DATA_ENDPOINTS {
        assert_eq!(data_endpoint(login_host, region).as_deref(), Some(endpoint));
        let found = lookup(endpoint).expect("a data endpoint");
        assert_eq!(found.service.slug, "container-registry-data");
    }
}

#[test]
fn only_a_login_server_and_a_region_make_a_data_endpoint() {
    for (login_host, region) in [
        ("contoso.westeurope.data.azurecr.io", "westeurope"),
        ("contoso.usgovvirginia.azurecr.us", "usgovvirginia"),
        ("kv.vault.azure.net", "westeurope"),
        ("azurecr.io", "westeurope"),
        (".azurecr.io", "westeurope"),
        ("contoso.azurecr.io", ""),
        ("contoso.azurecr.io", "west.europe"),
        ("contoso.azurecr.io", "west europe"),
    ] {
        let made = data_endpoint(login_host, region);
        assert_eq!(made, None, "{login_host} {region}");
    }
}

/// `pattern` with something in place of every placeholder.
fn fill(pattern: &str) -> String {
    let labels = pattern.split('.');
    let labels = labels.map(|label| if label.starts_with('{') { "weu" } else { label });
    labels.collect::<Vec<_>>().join(".")
}

fn label() -> impl Strategy<Value = String> {
    "[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?"
}

/// Labels that the catalogue's names are made of, so that random names come close to real ones.
fn vocabulary() -> impl Strategy<Value = &'static str> {
    let patterns = services().iter().flat_map(|service| {
        service
            .suffixes
            .iter()
            .chain(&service.private_zones)
            .chain(&service.private_only)
    });
    let labels: BTreeSet<_> = patterns.flat_map(|pattern| pattern.split('.')).collect();
    let common = [
        "net",
        "com",
        "us",
        "cn",
        "azure",
        "windows",
        "core",
        "vault",
        "privatelink",
    ];
    let common = prop::sample::select(common.to_vec());
    prop_oneof![
        common,
        prop::sample::select(labels.into_iter().collect::<Vec<_>>())
    ]
}

proptest! {
    #[test]
    fn a_host_below_a_suffix_is_recognised_and_its_suffix_fits_the_row(
        row in 0..services().len(),
        suffix: prop::sample::Index,
        before in prop::collection::vec(label(), 1..3),
        region in label(),
    ) {
        let service = &services()[row];
        prop_assume!(service.only_hosts.is_empty());
        let pattern = service.suffixes[suffix.index(service.suffixes.len())];
        let ending: Vec<_> = pattern
            .split('.')
            .map(|label| if label.starts_with('{') { region.as_str() } else { label })
            .collect();
        let ending = ending.join(".");
        let host = format!("{}.{ending}", before.join("."));
        let found = lookup(&host).expect("a service");
        prop_assert!(is_within(&host, &found.suffix));
        prop_assert!(host.len() > found.suffix.len());
        prop_assert!(found.suffix.len() >= ending.len(), "the longest suffix wins: {found:?}");
        let mut patterns = found.service.suffixes.iter().chain(&found.service.private_zones);
        prop_assert!(patterns.any(|own| fits(&found.suffix, own)));
        prop_assert!(holds_suffix(&ending) || is_private_zone(&ending));
    }

    #[test]
    fn whatever_the_labels_the_answers_agree_with_each_other(
        labels in prop::collection::vec(vocabulary(), 1..8),
    ) {
        let host = labels.join(".");
        if let Some(found) = lookup(&host) {
            prop_assert!(is_within(&host, &found.suffix) && host != found.suffix);
            let zone = found.private_zone();
            prop_assert!(zone.is_none_or(|zone| is_private_zone(&zone)), "{found:?}");
        }
        if let Some(zone) = private_only_zone(&host) {
            prop_assert!(is_within(&host, zone) && host != zone && is_private_zone(zone));
        }
        if let Some(doubt) = doubt(&host) {
            prop_assert_ne!(doubt.instead(), &host);
        }
        for mistaken in mistaken_zones(&host) {
            prop_assert!(is_private_zone(&host) && !is_private_zone(&mistaken));
        }
        prop_assert!(!(holds_suffix(&host) && is_private_zone(&host)));
    }

    #[test]
    fn a_pattern_fits_exactly_the_names_that_differ_in_its_placeholders(
        labels in prop::collection::vec(label(), 1..6),
        holes in prop::collection::vec(any::<bool>(), 6),
        other in label(),
        at: prop::sample::Index,
    ) {
        let pattern: Vec<_> = labels
            .iter()
            .zip(&holes)
            .map(|(label, hole)| if *hole { "{x}" } else { label.as_str() })
            .collect();
        let pattern = pattern.join(".");
        prop_assert!(fits(&labels.join("."), &pattern));
        let at = at.index(labels.len());
        let mut changed = labels.clone();
        changed[at].clone_from(&other);
        let still_fits = holes[at] || labels[at] == other;
        prop_assert_eq!(fits(&changed.join("."), &pattern), still_fits);
        changed.push(other);
        prop_assert!(!fits(&changed.join("."), &pattern), "one label too many");
        prop_assert!(!fits(&labels[1..].join("."), &pattern), "one label too few");
    }
}
