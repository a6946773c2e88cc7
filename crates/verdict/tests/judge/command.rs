//! The command that would settle a finding: complete, and safe to paste.

use std::sync::Arc;
use std::time::SystemTime;

use privatelink_verdict::observation::{Connection, Handshake, NoReply, ServiceReply};
use privatelink_verdict::reason::Reason;
use privatelink_verdict::service_evidence::Reply;
use privatelink_verdict::target::Expectation;

use crate::observed::{
    Change, QueryExt, certificate_of, has_no_route, nodata, nxdomain, own_soa, private_soa,
    public_soa, refuses, times_out,
};
use crate::probe::{Probe, VAULT, VAULT_ALIAS, VAULT_ZONE};

pub(crate) fn command(probe: &Probe, reason: Reason) -> Option<String> {
    probe.finding(reason).command
}

pub(crate) fn settles(probe: &Probe, reason: Reason, expected: &str) {
    assert_eq!(
        command(probe, reason).as_deref(),
        Some(expected),
        "{reason}"
    );
}

/// The links of a zone, in whatever subscription.
macro_rules! links_of {
    ($zone:literal) => {
        concat!(
            "az graph query --graph-query 'resources | where type =~ \
             \"microsoft.network/privatednszones/virtualnetworklinks\" and id contains \"/",
            $zone,
            "/\" | project name, resourceGroup, subscriptionId, network = \
             properties.virtualNetwork.id, fallback = properties.resolutionPolicy' --query data \
             --output table"
        )
    };
}

pub(crate) const LINKS: &str = links_of!("privatelink.vaultcore.azure.net");
const ENDPOINTS: &str = "az graph query --graph-query 'resources | where type =~ \
                         \"microsoft.network/privateendpoints\" and tostring(properties) contains \
                         \"kv-prod\" | project name, resourceGroup, subscriptionId' --query data \
                         --output table";
const RESOURCE: &str = "az graph query --graph-query 'resources | where name =~ \"kv-prod\" | \
                        project name, type, resourceGroup, subscriptionId' --query data --output \
                        table";
const OWNER: &str = "az graph query --graph-query 'resources | where type =~ \
                     \"microsoft.network/networkinterfaces\" | mv-expand config = \
                     properties.ipConfigurations | where config.properties.privateIPAddress == \
                     \"10.1.2.3\" | project name, endpoint = properties.privateEndpoint.id' --query \
                     data --output table";

/// A record of each linked zone of one name, in whatever subscription.
fn record_of(name: &str, zone: &str) -> String {
    format!(
        "az graph query --graph-query 'resources | where type =~ \
         \"microsoft.network/privatednszones/virtualnetworklinks\" and id contains \"/{zone}/\" | \
         project zone = extract(\"^(.*)/[^/]+/[^/]+$\", 1, id), network = \
         properties.virtualNetwork.id' --query 'data[].[zone, network]' --output tsv | while read -r \
         zone network; do echo \"$network\"; az resource show --ids \"$zone/A/{name}\"; done"
    )
}

#[test]
fn a_fallback_is_settled_by_the_zones_links_or_its_alias() {
    settles(&Probe::public_vault(), Reason::PublicFallback, LINKS);
    settles(
        &Probe::public_vault().asked_for_soa(Some(private_soa(VAULT_ZONE))),
        Reason::PublicFallbackZoneLinked,
        "dig kv-prod.privatelink.vaultcore.azure.net A @10.0.0.10",
    );
}

#[test]
fn an_unlinked_zone_is_settled_by_its_links() {
    settles(
        &Probe::of("orders.postgres.database.azure.com")
            .via(["orders.private.postgres.database.azure.com"])
            .both(nxdomain()),
        Reason::DnsPrivateZoneNotLinked,
        links_of!("private.postgres.database.azure.com"),
    );
    settles(
        &Probe::of("orders.private.postgres.database.azure.com")
            .via(["elsewhere.example.com"])
            .both(nxdomain()),
        Reason::DnsPrivateZoneNotLinked,
        links_of!("private.postgres.database.azure.com"),
    );
}

#[test]
fn what_a_service_says_is_settled_by_its_rules_or_the_same_request() {
    let denies: Change = |c| says(c, reply(403, "ForbiddenByConnection"));
    let is_a_page: Change = |c| says(c, reply(200, "<html>"));
    settles(
        &Probe::healthy_vault().everywhere(denies),
        Reason::WrongPrivateEndpoint,
        OWNER,
    );
    settles(
        &Probe::public_vault().everywhere(denies),
        Reason::AccessDenied,
        "az graph query --graph-query 'resources | where type =~ \"microsoft.keyvault/vaults\" and name \
         =~ \"kv-prod\" | project id, publicNetworkAccess = properties.publicNetworkAccess, networkAcls \
         = properties.networkAcls, networkRuleSet = properties.networkRuleSet, ipRules = \
         properties.ipRules, virtualNetworkRules = properties.virtualNetworkRules' --query data \
         --output jsonc",
    );
    settles(
        &Probe::of(VAULT)
            .resolves_to(["fd00::5"])
            .everywhere(is_a_page),
        Reason::UnexpectedResponder,
        "curl -sSi --max-time 10 --resolve 'kv-prod.vault.azure.net:443:[fd00::5]' \
         'https://kv-prod.vault.azure.net/healthstatus'",
    );
    let storage = Probe::of("orders.dfs.core.windows.net").resolves_to(["10.1.2.3"]);
    settles(
        &storage.everywhere(is_a_page),
        Reason::UnexpectedResponder,
        "curl -sSI --max-time 10 --resolve orders.dfs.core.windows.net:443:10.1.2.3 -H \
         'x-ms-version: 2021-12-02' \
         'https://orders.dfs.core.windows.net/privatelink-prober?resource=filesystem'",
    );
}

fn says(connection: &mut Connection, reply: Reply) {
    connection.service = Some(Arc::new(ServiceReply {
        reply: Ok(reply),
        checked_at: SystemTime::UNIX_EPOCH,
    }));
}

fn reply(status: u16, body: &str) -> Reply {
    Reply {
        status,
        headers: Vec::new(),
        body: body.to_owned(),
    }
}

#[test]
fn the_zone_in_a_command_is_the_one_that_holds_the_record() {
    let host = "aks-prod.0f1e.privatelink.westeurope.azmk8s.io";
    let own = "0f1e.privatelink.westeurope.azmk8s.io";
    let links = links_of!("0f1e.privatelink.westeurope.azmk8s.io");
    let unlinked = Probe::of(host).both(nxdomain().with_soa(public_soa("azmk8s.io")));
    settles(&unlinked, Reason::DnsPrivateZoneNotLinked, links);
    for (zone, record) in [
        (own, "aks-prod"),
        ("privatelink.westeurope.azmk8s.io", "aks-prod.0f1e"),
        (host, "@"),
    ] {
        let lacking = Probe::of(host).both(nxdomain().with_soa(private_soa(zone)));
        settles(
            &lacking,
            Reason::DnsPrivateRecordMissing,
            &record_of(record, zone),
        );
    }
    let of_ones_own = Probe::of(VAULT)
        .via([VAULT_ALIAS])
        .both(nxdomain().with_soa(own_soa(VAULT_ZONE)));
    settles(
        &of_ones_own,
        Reason::DnsPrivateRecordMissing,
        "dig kv-prod.privatelink.vaultcore.azure.net A @10.0.0.10",
    );
}

#[test]
fn a_missing_record_is_settled_by_looking_at_it() {
    settles(
        &Probe::of(VAULT)
            .via([VAULT_ALIAS])
            .both(nxdomain().with_soa(private_soa(VAULT_ZONE))),
        Reason::DnsPrivateRecordMissing,
        &record_of("kv-prod", "privatelink.vaultcore.azure.net"),
    );
    settles(
        &Probe::of("reg.weu.data.azurecr.io")
            .via(["reg.weu.data.privatelink.azurecr.io"])
            .both(nxdomain().with_soa(private_soa("privatelink.azurecr.io"))),
        Reason::DnsPrivateRecordMissing,
        &record_of("reg.weu.data", "privatelink.azurecr.io"),
    );
    settles(
        &Probe::of("orders.postgres.database.azure.com")
            .via(["orders.private.postgres.database.azure.com"])
            .both(nodata().with_soa(private_soa("private.postgres.database.azure.com"))),
        Reason::DnsPrivateRecordMissing,
        &record_of("orders", "private.postgres.database.azure.com"),
    );
}

#[test]
fn a_missing_endpoint_is_settled_by_the_resources_endpoints() {
    settles(
        &Probe::of(VAULT).resolves_to(["52.168.109.101"]),
        Reason::NoPrivateEndpoint,
        ENDPOINTS,
    );
    settles(
        &Probe::of(VAULT)
            .via([VAULT_ALIAS])
            .both(nxdomain().with_soa(public_soa(VAULT_ZONE))),
        Reason::DnsAliasDangling,
        RESOURCE,
    );
}

#[test]
fn a_strange_private_address_is_settled_by_who_owns_it() {
    settles(
        &Probe::healthy_vault().expected_in(["10.9.0.0/16"]),
        Reason::UnexpectedPrivateAddress,
        OWNER,
    );
}

#[test]
fn a_connection_is_settled_by_opening_one() {
    settles(
        &Probe::healthy_vault().everywhere(times_out),
        Reason::ConnectTimeout,
        "nc -vz -w 5 10.1.2.3 443",
    );
    let own = Probe::of("orders.example.com").resolves_to(["10.1.2.3", "10.1.2.4"]);
    settles(
        &own.clone().at("10.1.2.4", times_out),
        Reason::PartiallyReachable,
        "nc -vz -w 5 10.1.2.4 443",
    );
    settles(
        &own.everywhere(refuses),
        Reason::ConnectRefused,
        "nc -vz -w 5 10.1.2.3 443",
    );
}

#[test]
fn an_endpoint_that_may_be_gone_is_settled_by_who_has_its_address() {
    settles(
        &Probe::healthy_vault().everywhere(refuses),
        Reason::ConnectRefused,
        OWNER,
    );
    settles(
        &Probe::healthy_vault()
            .resolves_to(["10.1.2.4", "10.1.2.3"])
            .at("10.1.2.3", times_out),
        Reason::PartiallyReachable,
        OWNER,
    );
    settles(
        &Probe::healthy_vault()
            .everywhere(times_out)
            .beside_endpoint("10.1.2.4", true),
        Reason::ConnectTimeout,
        OWNER,
    );
}

#[test]
fn a_handshake_is_settled_by_making_one_with_the_servers_name() {
    settles(
        &Probe::healthy_vault().everywhere(|c| certificate_of(c).covers_name = false),
        Reason::TlsNameMismatch,
        "openssl s_client -connect 10.1.2.3:443 -servername kv-prod.vault.azure.net </dev/null | openssl \
         x509 -noout -subject -issuer -dates -ext subjectAltName",
    );
    settles(
        &Probe::of("orders.example.com")
            .with(|target| {
                target.server_name = Some("shop.example.com".into());
                target.port = 8443;
            })
            .resolves_to(["fd00::7"])
            .everywhere(|c| c.handshake = Handshake::Timeout),
        Reason::TlsTimeout,
        "openssl s_client -connect '[fd00::7]:8443' -servername shop.example.com </dev/null",
    );
}

#[test]
fn what_no_command_would_settle_has_none() {
    let proxy = Probe::healthy_vault().behind_proxy("HTTPS_PROXY");
    assert_eq!(command(&proxy, Reason::ProxyWouldBeUsed), None);
    let fault = Probe::of(VAULT).at_fault("read", "nothing");
    assert_eq!(command(&fault, Reason::AgentError), None);
}

#[test]
fn a_service_on_a_port_of_its_own_is_asked_there() {
    let silent = |c: &mut Connection| {
        c.service = Some(Arc::new(ServiceReply {
            reply: Err(NoReply::Timeout),
            checked_at: SystemTime::UNIX_EPOCH,
        }));
    };
    settles(
        &Probe::healthy_vault()
            .with(|target| target.port = 8443)
            .everywhere(silent),
        Reason::HttpTimeout,
        "curl -sSi --max-time 10 --resolve kv-prod.vault.azure.net:8443:10.1.2.3 \
         'https://kv-prod.vault.azure.net:8443/healthstatus'",
    );
}

#[test]
fn a_command_asks_of_the_address_its_finding_concerns() {
    let probe = Probe::healthy_vault()
        .expecting(Expectation::Public)
        .resolves_to(["10.1.2.3", "fd00::7"])
        .at("10.1.2.3", has_no_route)
        .at("fd00::7", refuses);
    let asked = command(&probe, Reason::ConnectRefused).expect("a command");
    assert!(asked.contains("\"fd00::7\""), "{asked}");
}
