//! The command that would settle a finding: complete, and safe to paste.

use std::time::SystemTime;

use privatelink_verdict::observation::{
    Connection, Handshake, NoReply, Query, QueryOutcome, ServiceReply,
};
use privatelink_verdict::reason::Reason;
use privatelink_verdict::service_evidence::Reply;
use privatelink_verdict::target::Expectation;

use crate::case::{Case, VAULT, VAULT_ALIAS, VAULT_ZONE};
use crate::words::{
    Change, Told, certificate_of, failed, has_no_route, name, nodata, nxdomain, own_soa,
    private_soa, public_soa, refuses, servfail, times_out,
};

pub(crate) fn command(case: &Case, reason: Reason) -> Option<String> {
    case.finding(reason).command
}

pub(crate) fn settles(case: &Case, reason: Reason, expected: &str) {
    assert_eq!(command(case, reason).as_deref(), Some(expected), "{reason}");
}

/// The resource group of a zone, as a shell finds it out.
macro_rules! group_of {
    ($zone:literal) => {
        concat!(
            "--resource-group \"$(az network private-dns zone list --query \"[?name=='",
            $zone,
            "'].resourceGroup | [0]\" --output tsv)\""
        )
    };
}

/// What links a zone.
macro_rules! links_of {
    ($zone:literal) => {
        concat!(
            "az network private-dns link vnet list --zone-name ",
            $zone,
            " ",
            group_of!($zone),
            " --output table"
        )
    };
}

/// A record of a zone.
macro_rules! record_of {
    ($name:literal in $zone:literal) => {
        concat!(
            "az network private-dns record-set a show --zone-name ",
            $zone,
            " --name ",
            $name,
            " ",
            group_of!($zone)
        )
    };
}

pub(crate) const LINKS: &str = links_of!("privatelink.vaultcore.azure.net");
const ENDPOINTS: &str = "az network private-endpoint list --query \
                         \"[?contains(to_string(privateLinkServiceConnections), 'kv-prod')]\" \
                         --output table";

#[test]
fn a_fallback_is_settled_by_the_zones_links_or_its_alias() {
    settles(&Case::public_vault(), Reason::PublicFallback, LINKS);
    settles(
        &Case::public_vault().asked_for_soa(Some(private_soa(VAULT_ZONE))),
        Reason::PublicFallbackZoneLinked,
        "dig kv-prod.privatelink.vaultcore.azure.net A @10.0.0.10",
    );
}

#[test]
fn an_unlinked_zone_is_settled_by_its_links() {
    settles(
        &Case::of("orders.postgres.database.azure.com")
            .via(["orders.private.postgres.database.azure.com"])
            .both(nxdomain()),
        Reason::DnsPrivateZoneNotLinked,
        links_of!("private.postgres.database.azure.com"),
    );
    settles(
        &Case::of("orders.private.postgres.database.azure.com")
            .via(["elsewhere.example.com"])
            .both(nxdomain()),
        Reason::DnsPrivateZoneNotLinked,
        links_of!("private.postgres.database.azure.com"),
    );
}

#[test]
fn what_a_service_says_is_settled_by_the_same_request() {
    let denies: Change = |c| says(c, reply(403, "ForbiddenByConnection"));
    let is_a_page: Change = |c| says(c, reply(200, "<html>"));
    let ask = "curl -sSi --max-time 10 --resolve kv-prod.vault.azure.net:443:";
    let path = " 'https://kv-prod.vault.azure.net/healthstatus'";
    settles(
        &Case::healthy_vault().everywhere(denies),
        Reason::WrongPrivateEndpoint,
        "az network nic list --query \"[?ipConfigurations[?privateIPAddress=='10.1.2.3']].\
         {nic:name, endpoint:privateEndpoint.id}\" --output table",
    );
    settles(
        &Case::public_vault().everywhere(denies),
        Reason::AccessDenied,
        &format!("{ask}52.168.109.101{path}"),
    );
    settles(
        &Case::of(VAULT)
            .resolves_to(["fd00::5"])
            .everywhere(is_a_page),
        Reason::UnexpectedResponder,
        "curl -sSi --max-time 10 --resolve 'kv-prod.vault.azure.net:443:[fd00::5]' \
         'https://kv-prod.vault.azure.net/healthstatus'",
    );
    let storage = Case::of("orders.dfs.core.windows.net").resolves_to(["10.1.2.3"]);
    settles(
        &storage.everywhere(is_a_page),
        Reason::UnexpectedResponder,
        "curl -sSI --max-time 10 --resolve orders.dfs.core.windows.net:443:10.1.2.3 -H \
         'x-ms-version: 2021-12-02' \
         'https://orders.dfs.core.windows.net/privatelink-prober?resource=filesystem'",
    );
}

fn says(connection: &mut Connection, reply: Reply) {
    connection.service = Some(ServiceReply {
        reply: Ok(reply),
        checked_at: SystemTime::UNIX_EPOCH,
    });
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
    let group = |zone: &str| {
        format!(
            "--resource-group \"$(az network private-dns zone list --query \
             \"[?name=='{zone}'].resourceGroup | [0]\" --output tsv)\""
        )
    };
    let links = format!(
        "az network private-dns link vnet list --zone-name {own} {} --output table",
        group(own)
    );
    let unlinked = Case::of(host).both(nxdomain().told_by(public_soa("azmk8s.io")));
    settles(&unlinked, Reason::DnsPrivateZoneNotLinked, &links);
    for (zone, record) in [
        (own, "aks-prod"),
        ("privatelink.westeurope.azmk8s.io", "aks-prod.0f1e"),
        (host, "@"),
    ] {
        let lacking = Case::of(host).both(nxdomain().told_by(private_soa(zone)));
        let show = format!(
            "az network private-dns record-set a show --zone-name {zone} --name {record} {}",
            group(zone)
        );
        settles(&lacking, Reason::DnsPrivateRecordMissing, &show);
    }
    let of_ones_own = Case::of(VAULT)
        .via([VAULT_ALIAS])
        .both(nxdomain().told_by(own_soa(VAULT_ZONE)));
    settles(
        &of_ones_own,
        Reason::DnsPrivateRecordMissing,
        "dig kv-prod.privatelink.vaultcore.azure.net A @10.0.0.10",
    );
}

#[test]
fn a_missing_record_is_settled_by_looking_at_it() {
    settles(
        &Case::of(VAULT)
            .via([VAULT_ALIAS])
            .both(nxdomain().told_by(private_soa(VAULT_ZONE))),
        Reason::DnsPrivateRecordMissing,
        record_of!("kv-prod" in "privatelink.vaultcore.azure.net"),
    );
    settles(
        &Case::of("reg.weu.data.azurecr.io")
            .via(["reg.weu.data.privatelink.azurecr.io"])
            .both(nxdomain()),
        Reason::DnsPrivateRecordMissing,
        record_of!("reg.weu.data" in "privatelink.azurecr.io"),
    );
    settles(
        &Case::of("orders.postgres.database.azure.com")
            .via(["orders.private.postgres.database.azure.com"])
            .both(nodata().told_by(private_soa("private.postgres.database.azure.com"))),
        Reason::DnsPrivateRecordMissing,
        record_of!("orders" in "private.postgres.database.azure.com"),
    );
}

#[test]
fn a_missing_endpoint_is_settled_by_the_resources_endpoints() {
    settles(
        &Case::of(VAULT).resolves_to(["52.168.109.101"]),
        Reason::NoPrivateEndpoint,
        ENDPOINTS,
    );
    settles(
        &Case::of(VAULT)
            .via([VAULT_ALIAS])
            .both(nxdomain().told_by(public_soa(VAULT_ZONE))),
        Reason::DnsAliasDangling,
        ENDPOINTS,
    );
}

#[test]
fn a_strange_private_address_is_settled_by_who_owns_it() {
    settles(
        &Case::healthy_vault().expected_in(["10.9.0.0/16"]),
        Reason::UnexpectedPrivateAddress,
        "az network nic list --query \"[?ipConfigurations[?privateIPAddress=='10.1.2.3']].{nic:name, \
         endpoint:privateEndpoint.id}\" --output table",
    );
}

#[test]
fn what_dns_says_is_settled_by_asking_the_same_server() {
    let dig = "dig kv-prod.vault.azure.net A @10.0.0.10";
    let failing = |outcome| Case::of(VAULT).both(failed(outcome));
    settles(&failing(QueryOutcome::Timeout), Reason::DnsTimeout, dig);
    settles(
        &failing(QueryOutcome::Unreachable),
        Reason::DnsServerUnreachable,
        dig,
    );
    settles(
        &failing(QueryOutcome::ServerFailure),
        Reason::DnsServerFailure,
        dig,
    );
    settles(
        &failing(QueryOutcome::Invalid),
        Reason::DnsInvalidAnswer,
        dig,
    );
    settles(
        &failing(QueryOutcome::Truncated),
        Reason::DnsTcpFailed,
        "dig +tcp kv-prod.vault.azure.net A @10.0.0.10",
    );
    let incomplete = Case::of(VAULT).via([VAULT_ALIAS]).both(nodata());
    settles(&incomplete, Reason::DnsIncompleteAnswer, dig);
    settles(
        &Case::of(VAULT).both(nxdomain()),
        Reason::DnsNameNotFound,
        dig,
    );
    settles(
        &Case::healthy_vault().aaaa(servfail()),
        Reason::DnsDegraded,
        "dig kv-prod.vault.azure.net AAAA @10.0.0.10",
    );
    settles(
        &Case::healthy_vault().resolves_to(["10.1.2.3", "2603:1030::5"]),
        Reason::MixedAddresses,
        "dig kv-prod.vault.azure.net AAAA @10.0.0.10",
    );
    settles(
        &Case::of(VAULT).resolves_to(["0.0.0.0"]),
        Reason::ReservedAddress,
        dig,
    );
    settles(
        &Case::healthy_vault().resolves_to(["10.1.2.3", "52.0.0.1"]),
        Reason::MixedAddresses,
        dig,
    );
    settles(
        &Case::healthy_vault().after([&["10.1.2.3"], &["52.0.0.1"]]),
        Reason::AddressFlapping,
        dig,
    );
    settles(
        &Case::of(VAULT).both(nxdomain().told_by(private_soa("azure.net"))),
        Reason::DnsZoneShadows,
        "dig kv-prod.vault.azure.net SOA @10.0.0.10",
    );
}

#[test]
fn the_server_is_named_with_its_port_where_that_is_not_53() {
    let by = |server: Option<&str>| {
        let query = Query {
            server: server.map(|text| text.parse().expect("a server")),
            ..nxdomain()
        };
        command(&Case::of(VAULT).both(query), Reason::DnsNameNotFound).expect("a command")
    };
    assert_eq!(
        by(Some("127.0.0.1:5353")),
        "dig kv-prod.vault.azure.net A @127.0.0.1 -p 5353"
    );
    assert_eq!(
        by(Some("[fd00::a]:53")),
        "dig kv-prod.vault.azure.net A @fd00::a"
    );
    assert_eq!(by(None), "dig kv-prod.vault.azure.net A");
}

#[test]
fn the_server_asked_is_the_one_whose_outcome_decided() {
    let elsewhere = Query {
        server: Some("10.0.0.11:53".parse().expect("a server")),
        ..servfail()
    };
    settles(
        &Case::of(VAULT).a(nodata()).aaaa(elsewhere),
        Reason::DnsServerFailure,
        "dig kv-prod.vault.azure.net AAAA @10.0.0.11",
    );
}

#[test]
fn a_connection_is_settled_by_opening_one() {
    for (change, reason) in [
        (times_out as Change, Reason::ConnectTimeout),
        (refuses, Reason::ConnectRefused),
    ] {
        settles(
            &Case::healthy_vault().everywhere(change),
            reason,
            "nc -vz -w 5 10.1.2.3 443",
        );
    }
    settles(
        &Case::healthy_vault()
            .resolves_to(["10.1.2.3", "10.1.2.4"])
            .at("10.1.2.4", times_out),
        Reason::PartiallyReachable,
        "nc -vz -w 5 10.1.2.4 443",
    );
}

#[test]
fn a_handshake_is_settled_by_making_one_with_the_servers_name() {
    settles(
        &Case::healthy_vault().everywhere(|c| certificate_of(c).covers_name = false),
        Reason::TlsNameMismatch,
        "openssl s_client -connect 10.1.2.3:443 -servername kv-prod.vault.azure.net </dev/null",
    );
    settles(
        &Case::of("orders.example.com")
            .with(|target| {
                "shop.example.com".clone_into(&mut target.server_name);
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
    let proxy = Case::healthy_vault().behind_proxy("HTTPS_PROXY");
    assert_eq!(command(&proxy, Reason::ProxyWouldBeUsed), None);
    let fault = Case::of(VAULT).at_fault("read", "nothing");
    assert_eq!(command(&fault, Reason::AgentError), None);
}

#[test]
fn a_captured_name_is_settled_by_searching_as_clients_do() {
    let captured = name("kv.corp.example.com", ["192.0.2.1"]);
    settles(
        &Case::healthy_vault().evidence(|r| r.search = Some(captured)),
        Reason::DnsSearchCapture,
        "dig +search +showsearch kv-prod.vault.azure.net A",
    );
}

#[test]
fn another_resolver_is_settled_by_asking_its_server() {
    let server = |text: &str| Some(text.parse().expect("a server"));
    let node = |query: Query| {
        let server = server("168.63.129.16:53");
        Case::of(VAULT).by("node").both(Query { server, ..query })
    };
    settles(
        &Case::healthy_vault().must_agree_with(node(nxdomain())),
        Reason::ResolverDisagreement,
        "dig kv-prod.vault.azure.net A @168.63.129.16",
    );
    settles(
        &Case::healthy_vault()
            .must_agree_with(Case::healthy_vault().by("other"))
            .must_agree_with(node(failed(QueryOutcome::Timeout))),
        Reason::ResolverUnavailable,
        "dig kv-prod.vault.azure.net A @168.63.129.16",
    );
}

#[test]
fn a_service_on_a_port_of_its_own_is_asked_there() {
    let silent = |c: &mut Connection| {
        c.service = Some(ServiceReply {
            reply: Err(NoReply::Timeout),
            checked_at: SystemTime::UNIX_EPOCH,
        });
    };
    settles(
        &Case::healthy_vault()
            .with(|target| target.port = 8443)
            .everywhere(silent),
        Reason::HttpTimeout,
        "curl -sSi --max-time 10 --resolve kv-prod.vault.azure.net:8443:10.1.2.3 \
         'https://kv-prod.vault.azure.net:8443/healthstatus'",
    );
}

#[test]
fn a_command_asks_of_the_address_its_finding_concerns() {
    let case = Case::healthy_vault()
        .expecting(Expectation::Public)
        .resolves_to(["10.1.2.3", "fd00::7"])
        .at("10.1.2.3", has_no_route)
        .at("fd00::7", refuses);
    settles(&case, Reason::ConnectRefused, "nc -vz -w 5 fd00::7 443");
}
