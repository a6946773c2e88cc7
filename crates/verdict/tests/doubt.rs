//! What the catalogue warns about: hosts that are probably not what was meant.

use privatelink_verdict::catalogue::{Doubt, doubt};

#[rustfmt::skip]
const ALIASES: [(&str, &str); 9] = [
    ("kv.privatelink.vaultcore.azure.net", "kv.vault.azure.net"),
    ("a.privatelink.blob.core.windows.net", "a.blob.core.windows.net"),
    ("r.weu.data.privatelink.azurecr.io", "r.weu.data.azurecr.io"),
    ("app.scm.privatelink.azurewebsites.net", "app.scm.azurewebsites.net"),
    ("x.privatelink-global.wvd.microsoft.com", "x.wvd.microsoft.com"),
    ("c.privatelink.westeurope.kusto.windows.net", "c.westeurope.kusto.windows.net"),
    ("a.e.privatelink.westeurope.azurecontainerapps.io", "a.e.westeurope.azurecontainerapps.io"),
    ("s.privatelink.signalr.azure.cn", "s.service.signalr.azure.cn"),
    ("b.westeurope.privatelink.batch.azure.com", "b.westeurope.batch.azure.com"),
];

#[test]
fn an_alias_as_host_is_doubted_and_its_public_name_given() {
    for (host, instead) in ALIASES {
        let instead = instead.to_owned();
        assert_eq!(doubt(host), Some(Doubt::Alias { instead }), "{host}");
    }
}

#[test]
fn the_label_privatelink_in_somebody_elses_name_is_not_doubted() {
    for host in [
        "xy1.west-europe.privatelink.snowflakecomputing.com",
        "deployment.privatelink.westeurope.azure.elastic-cloud.com",
        "orders.privatelink.example.com",
    ] {
        assert_eq!(doubt(host), None, "{host}");
    }
}

#[rustfmt::skip]
const DOUBLED: [(&str, &str); 5] = [
    ("kv.vault.azure.net.vault.azure.net", "kv.vault.azure.net"),
    ("kv.vault.azure.net.privatelink.vaultcore.azure.net", "kv.vault.azure.net"),
    ("sql.database.windows.net.database.windows.net", "sql.database.windows.net"),
    ("contoso.azurecr.io.azurecr.cn", "contoso.azurecr.io"),
    ("kv.vault.azure.net.azure.com", "kv.vault.azure.net"),
];

#[test]
fn a_doubled_suffix_is_doubted() {
    for (host, instead) in DOUBLED {
        let instead = instead.to_owned();
        assert_eq!(
            doubt(host),
            Some(Doubt::DoubledSuffix { instead }),
            "{host}"
        );
    }
}

#[rustfmt::skip]
const UNKNOWN: [(&str, &str); 12] = [
    ("kv.vault.azure.com", "kv.vault.azure.net"),
    ("kv.vault.azure.us", "kv.vault.usgovcloudapi.net"),
    ("x.blob.core.windows.us", "x.blob.core.usgovcloudapi.net"),
    ("x.blob.core.windows.cn", "x.blob.core.chinacloudapi.cn"),
    ("x.blob.core.windows.com", "x.blob.core.windows.net"),
    ("x.blob.core.usgovcloudapi.us", "x.blob.core.usgovcloudapi.net"),
    ("x.blob.core.chinacloudapi.com", "x.blob.core.chinacloudapi.cn"),
    ("contoso.azurecr.com", "contoso.azurecr.io"),
    ("contoso.westeurope.data.azurecr.net", "contoso.westeurope.data.azurecr.io"),
    ("adx.chinaeast2.kusto.windows.com", "adx.chinaeast2.kusto.windows.net"),
    ("bus.servicebus.windows.us", "bus.servicebus.usgovcloudapi.net"),
    ("db.mysql.database.azure.cn", "db.mysql.database.chinacloudapi.cn"),
];

#[test]
fn a_suffix_of_no_cloud_is_doubted_and_the_hinted_clouds_given() {
    for (host, instead) in UNKNOWN {
        let instead = instead.to_owned();
        assert_eq!(
            doubt(host),
            Some(Doubt::UnknownSuffix { instead }),
            "{host}"
        );
    }
}

#[rustfmt::skip]
const MISSPELT: [(&str, &str); 10] = [
    ("kv.vault.azur.net", "kv.vault.azure.net"),
    ("kv.valut.azure.net", "kv.vault.azure.net"),
    ("kv.vualt.azure.net", "kv.vault.azure.net"),
    ("st.blob.core.window.net", "st.blob.core.windows.net"),
    ("st.blobs.core.windows.net", "st.blob.core.windows.net"),
    ("st.dsf.core.windows.net", "st.dfs.core.windows.net"),
    ("contoso.azurcr.io", "contoso.azurecr.io"),
    ("sql.databse.windows.net", "sql.database.windows.net"),
    ("app.azurwebsite.net", "app.azurewebsites.net"),
    ("kv.vault.usgovclouapi.net", "kv.vault.usgovcloudapi.net"),
];

#[test]
fn a_suffix_one_slip_away_from_a_known_one_is_doubted() {
    for (host, instead) in MISSPELT {
        let instead = instead.to_owned();
        assert_eq!(doubt(host), Some(Doubt::Misspelt { instead }), "{host}");
    }
}

#[test]
fn a_name_that_only_resembles_a_suffix_is_not_doubted() {
    for host in [
        // Two labels are wrong, or more letters than a slip changes.
        "kv.valut.azur.net",
        "db.datenbank.windows.net",
        "app.my-websites.net",
        // Other people's domains.
        "shop.myconfig.io",
        "www.azure.io",
        "x.core.example.net",
        // The suffix alone is nobody's host.
        "azurcr.io",
        "vault.azur.net",
    ] {
        assert_eq!(doubt(host), None, "{host}");
    }
}

#[test]
fn the_host_of_a_service_is_not_doubted() {
    for host in [
        "kv-prod.vault.azure.net",
        "contoso.westeurope.data.azurecr.io",
        "sql-prod.database.windows.net",
        "acct.z6.web.core.windows.net",
        "app.env-1a2b.westeurope.azurecontainerapps.io",
        "management.azure.com",
        "aks-1a2b.hcp.westeurope.azmk8s.io",
    ] {
        assert_eq!(doubt(host), None, "{host}");
    }
}

#[test]
fn a_private_only_name_is_used_as_it_is() {
    for host in [
        "aks-1a2b.privatelink.westeurope.azmk8s.io",
        "aks.sub.privatelink.westeurope.azmk8s.io",
        "db.private.postgres.database.azure.com",
    ] {
        assert_eq!(doubt(host), None, "{host}");
    }
}

#[test]
fn what_the_catalogue_cannot_know_is_not_doubted() {
    for host in [
        // Exist in a sovereign cloud, without a private endpoint in the table.
        "adb-1.2.databricks.azure.cn",
        "search.search.azure.cn",
        "gpt.openai.azure.us",
        "apim.azure-api.us",
        "management.usgovcloudapi.net",
        "portal.azure.com",
        "management.azure.net",
        "login.microsoftonline.com",
        "orders.internal.example.com",
        "sql.database.azure.net",
        "vault.azure.com",
        "localhost",
        "",
    ] {
        assert_eq!(doubt(host), None, "{host}");
    }
}

#[test]
fn a_doubt_says_what_to_write_instead() {
    let doubt = doubt("kv.vault.azure.com").expect("no such suffix");
    assert_eq!(
        format!("kv.vault.azure.com {doubt}"),
        "kv.vault.azure.com has a suffix of no Azure cloud: did you mean kv.vault.azure.net?"
    );
    assert_eq!(doubt.instead(), "kv.vault.azure.net");
}
