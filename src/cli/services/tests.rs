//! What the catalogue is said to know of a host, as text and as JSON.

use super::*;

fn shown(host: Option<&str>, output: Format) -> Result<String, Failure> {
    let args = ServicesArgs {
        of: host.map(str::to_owned),
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
        "the catalogue has no service called `keyvalt`; did you mean key-vault?"
    );
    for (said, meant) in [
        ("acr", "did you mean container-registry?"),
        ("aks", "did you mean kubernetes-api?"),
        (
            "sql-mi",
            "did you mean sql, sql-managed-instance, synapse-sql?",
        ),
        ("blob", "did you mean storage-blob?"),
        ("mysql-flexible", "did you mean mysql?"),
    ] {
        let error = shown(Some(said), Format::Table).expect_err("no service");
        assert!(error.to_string().ends_with(meant), "{said}: {error}");
    }
    let error = shown(Some("xyzzy"), Format::Table).expect_err("no service");
    assert!(
        error.to_string().contains("`services` lists them"),
        "{error}"
    );
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
