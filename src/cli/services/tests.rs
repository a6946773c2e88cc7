//! What the catalogue is said to know of a host, as text and as JSON.

use super::*;

fn shown(host: Option<&str>, output: Format) -> Result<String, Failure> {
    let args = ServicesArgs {
        of: host.into_iter().map(str::to_owned).collect(),
        output,
    };
    let mut out = Vec::new();
    run(&args, &mut out)?;
    Ok(String::from_utf8(out)?)
}

#[test]
fn a_vault_is_known_with_its_zone_and_record() {
    let out = shown(Some("KV-prod.vault.azure.net."), Format::Table).expect("a host");
    for part in [
        "key-vault: Azure Key Vault",
        "privatelink.vaultcore.azure.net",
        "kv-prod.privatelink.vaultcore.azure.net",
        "443/tls",
    ] {
        assert!(out.contains(part), "{part} is missing:\n{out}");
    }
}

#[test]
fn labels_between_the_suffix_and_its_zone_belong_to_the_record() {
    for (host, record) in [
        ("reg.westeurope.data.azurecr.io", "reg.westeurope.data"),
        ("reg.azurecr.io", "reg"),
        ("kv.vault.azure.net", "kv"),
        ("kv.privatelink.vaultcore.azure.net", "kv"),
        ("app.scm.azurewebsites.net", "app.scm"),
    ] {
        let known = Known::of(host.to_owned());
        assert_eq!(known.record.as_deref(), Some(record), "{host}: {known:?}");
    }
}

#[test]
fn a_host_that_resources_share_is_said_to_have_no_endpoint() {
    let host = "westeurope.api.cognitive.microsoft.com";
    let out = shown(Some(host), Format::Table).expect("a host");
    assert!(
        out.contains("ai-services") && out.contains("no private endpoint serves it"),
        "{out}"
    );
}

#[test]
fn an_unknown_host_is_custom_and_an_address_is_refused() {
    let out = shown(Some("db.example.com"), Format::Table).expect("a host");
    assert!(out.contains("not in the catalogue"), "{out}");
    let error = shown(Some("10.1.2.3"), Format::Json).expect_err("no host");
    assert!(error.to_string().contains("is an IP address"), "{error}");
}

#[test]
fn a_doubtful_host_is_answered_with_the_right_spelling() {
    let out = shown(Some("kv.vault.azure.net.vault.azure.net"), Format::Json).expect("a host");
    let json: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(json["doubt"]["instead"], "kv.vault.azure.net");
}

#[test]
fn a_service_is_shown_in_full_in_every_cloud() {
    let out = shown(Some("Key-Vault"), Format::Table).expect("a service");
    for part in [
        "key-vault: Azure Key Vault (commercial)",
        "(usgov)",
        "privatelink.vaultcore.azure.net",
        "Microsoft.KeyVault/vaults",
    ] {
        assert!(out.contains(part), "{part} is missing:\n{out}");
    }
    let json = shown(Some("key-vault"), Format::Json).expect("an object");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let services = json["services"].as_array().expect("services");
    assert!(
        services
            .iter()
            .all(|service| service["slug"] == "key-vault")
    );
    assert!(services.len() > 1, "{json}");
}

#[test]
fn a_misspelt_service_is_answered_with_the_nearest() {
    let error = shown(Some("keyvalt"), Format::Table).expect_err("no service");
    assert_eq!(
        error.to_string(),
        "the catalogue has no service called `keyvalt`; did you mean `key-vault`?"
    );
    let error = shown(Some("xyzzy"), Format::Table).expect_err("no service");
    assert!(
        error.to_string().contains("`services` lists them"),
        "{error}"
    );
}

#[test]
fn a_service_is_found_by_what_people_call_it_the_likeliest_first() {
    for (said, meant) in [
        ("acr", "container-registry"),
        ("AKS", "kubernetes-api"),
        ("openai", "ai-services"),
        ("Azure OpenAI", "ai-services"),
        ("functions", "app-service"),
        ("Azure Functions", "app-service"),
        ("adls", "storage-dfs"),
        ("log analytics", "monitor"),
        ("log-analytics", "monitor"),
        ("Azure SQL", "sql"),
        ("Azure SQL Database", "sql"),
        ("acs", "ai-search"),
        ("managed HSM", "key-vault-hsm"),
        ("sql-mi", "sql-managed-instance"),
        ("managed instance", "sql-managed-instance"),
        ("blob", "storage-blob"),
        ("mysql-flexible", "mysql"),
        ("postgres", "postgresql"),
        ("postgres flexible server", "postgresql"),
        ("cosmos", "cosmos-db"),
        ("event hub", "event-hubs"),
        ("redis", "redis"),
        ("key vault", "key-vault"),
        ("keyvault", "key-vault"),
        ("kusto", "data-explorer"),
        ("signalr", "signalr"),
        ("grafana", "managed-grafana"),
        ("vault.azure.net", "key-vault"),
        ("*.vault.azure.net", "key-vault"),
        ("privatelink.vaultcore.azure.net", "key-vault"),
        ("servicebus.windows.net", "service-bus"),
        ("westeurope.kusto.windows.net", "data-explorer"),
        ("privatelink.blob.core.windows.net", "storage-blob"),
        ("database.chinacloudapi.cn", "sql"),
    ] {
        assert_eq!(
            search::slugs(said).first(),
            Some(&meant),
            "{said}: {:?}",
            search::slugs(said)
        );
    }
    let out = shown(Some("synapse"), Format::Table).expect("a service");
    assert!(out.contains("\nIt may also be synapse-"), "{out}");
}

#[test]
fn a_host_below_a_suffix_is_a_host_and_no_suffix() {
    for host in [
        "sql-prod.database.windows.net",
        "contoso.azurecr.us",
        "kv.vault.azure.net",
        "kv.privatelink.vaultcore.azure.net",
        "db.example.com",
        "westeurope.example.com",
    ] {
        assert!(!search::is_suffix(host), "{host}");
    }
    for suffix in [
        "scm.azurewebsites.net",
        "privatelink.westeurope.azmk8s.io",
        ".azurecr.io",
    ] {
        assert!(search::is_suffix(suffix), "{suffix}");
    }
}

#[test]
fn every_popular_name_leads_to_services_of_the_catalogue() {
    for (name, slugs) in search::POPULAR {
        for slug in slugs {
            assert!(
                catalogue::services()
                    .iter()
                    .any(|service| service.slug == *slug),
                "{name}"
            );
        }
    }
}

#[test]
fn a_record_is_told_where_the_zone_tells_it_and_nowhere_else() {
    for (host, record) in [
        ("acct.westeurope.batch.azure.com", Some("acct.westeurope")),
        ("c.westeurope.kusto.windows.net", Some("c")),
        ("site.3.azurestaticapps.net", Some("site")),
        ("st.z6.web.core.windows.net", Some("st.z6")),
        ("t.westeurope-1.eventgrid.azure.net", Some("t.westeurope-1")),
        ("r.westeurope.redis.azure.net", Some("r.westeurope")),
        ("mi.abc123.database.windows.net", Some("mi")),
        ("k.privatelink.westeurope.azmk8s.io", Some("k")),
        ("k.hcp.westeurope.azmk8s.io", None),
        ("dc.services.visualstudio.com", None),
        ("ci.westeurope.instances.azureml.ms", None),
    ] {
        let known = Known::of(host.to_owned());
        assert_eq!(known.record.as_deref(), record, "{host}: {known:?}");
    }
}

#[test]
fn the_public_endpoint_of_a_managed_instance_has_a_port_of_its_own_and_no_record() {
    let out = shown(Some("mi.public.abc123.database.windows.net"), Format::Table).expect("a host");
    insta::assert_snapshot!(out, @"
    mi.public.abc123.database.windows.net
      service         sql-managed-instance: Azure SQL Managed Instance
      cloud           commercial
      public suffix   abc123.database.windows.net
      ports           3342/tds
      exists          as the public endpoint of the instance: no private zone has a record of it
      check           privatelink-prober check mi.public.abc123.database.windows.net --port 3342 --expect public
      note            also reachable without PE on its VNet-local IP; public endpoint uses 3342
    ");
    let out = shown(Some("sql-managed-instance"), Format::Table).expect("a service");
    let line = "NAME.public.{dnsPrefix}.database.windows.net, port 3342; it has no private record";
    assert!(out.contains(line), "{out}");
}

#[test]
fn a_misspelt_suffix_is_doubted() {
    let out = shown(Some("kv.vault.azur.net"), Format::Table).expect("a host");
    assert!(out.contains("did you mean kv.vault.azure.net?"), "{out}");
}

#[test]
fn a_suffix_is_listed_once_a_cloud_with_all_who_share_it() {
    let out = shown(None, Format::Table).expect("a table");
    let shared: Vec<&str> = out
        .lines()
        .filter(|line| line.contains(" servicebus.windows.net "))
        .collect();
    assert_eq!(shared.len(), 1, "{shared:?}");
    assert!(shared[0].starts_with("service-bus "), "{shared:?}");
    assert!(shared[0].contains("event-hubs"), "{shared:?}");
    let head = out.lines().find(|line| line.starts_with("SERVICE"));
    let also = head.and_then(|head| head.find("ALSO"));
    assert!(also < Some(140), "{also:?}");
}

#[test]
fn the_whole_catalogue_is_listed_in_both_forms() {
    let table = shown(None, Format::Table).expect("a table");
    let json = shown(None, Format::Json).expect("an object");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let services = json["services"].as_array().expect("services");
    assert_eq!(services.len(), catalogue::services().len());
    for service in services {
        for suffix in service["suffixes"].as_array().expect("suffixes") {
            assert!(table.contains(suffix.as_str().expect("text")), "{suffix}");
        }
    }
}
