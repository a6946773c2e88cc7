//! Advice: it follows from the reason, what was seen, whose service it is, and the expectation.

use std::sync::Arc;
use std::time::SystemTime;

use privatelink_verdict::observation::{
    Connection, Handshake, NoHandshake, ServiceReply, TcpOutcome, Trust,
};
use privatelink_verdict::reason::Reason;
use privatelink_verdict::service_evidence::Reply;
use privatelink_verdict::target::{Expectation, Protocol};

use crate::observed::{Change, certificate_of, refuses, times_out};
use crate::probe::{Probe, VAULT, VAULT_ALIAS, VAULT_PUBLIC};

const OWN: &str = "orders.example.com";

fn advises(probe: &Probe, reason: Reason, advice: &str) {
    let remedy = probe.finding(reason).remedy;
    assert!(remedy.contains(advice), "{reason}: {remedy}");
}

fn own() -> Probe {
    Probe::of(OWN).resolves_to(["10.1.2.3"])
}

fn stopped(connection: &mut Connection, handshake: Handshake, no_handshake: Option<NoHandshake>) {
    connection.handshake = handshake;
    connection.trouble.no_handshake = no_handshake;
    connection.certificate = None;
}

#[test]
fn an_address_that_does_not_connect_is_advised_for_by_whose_it_is() {
    let of_two = |probe: Probe| probe.resolves_to(["10.1.2.3", "10.1.2.4"]);
    advises(
        &of_two(Probe::healthy_vault()).at("10.1.2.4", times_out),
        Reason::PartiallyReachable,
        "which network interface has the address",
    );
    advises(
        &of_two(own()).at("10.1.2.4", times_out),
        Reason::PartiallyReachable,
        "Repair the backends",
    );
    let public = own()
        .expecting(Expectation::Public)
        .resolves_to(["52.1.2.3", "52.1.2.4"]);
    advises(
        &public.clone().at("52.1.2.4", times_out),
        Reason::PartiallyReachable,
        "in the egress firewall",
    );
    advises(
        &public.everywhere(times_out),
        Reason::ConnectTimeout,
        "on the way out",
    );
    let silent = Probe::healthy_vault().everywhere(times_out);
    advises(&silent, Reason::ConnectTimeout, "a missing peering");
    advises(
        &silent.beside_endpoint("10.1.2.9", true),
        Reason::ConnectTimeout,
        "its subnet is reached",
    );
}

#[test]
fn that_nothing_answered_is_not_said_where_something_refused() {
    let both = Probe::healthy_vault().resolves_to(["10.1.2.3", "10.1.2.4"]);
    let meaning = |probe: &Probe| probe.finding(Reason::ConnectTimeout).meaning;
    let silent = both.clone().everywhere(times_out);
    assert_eq!(
        meaning(&silent),
        "Nothing answered the connection attempts."
    );
    let mixed = both.at("10.1.2.3", refuses).at("10.1.2.4", times_out);
    assert!(meaning(&mixed).starts_with("No connection attempt succeeded"));
}

#[test]
fn a_handshake_that_fails_is_advised_for_by_what_kept_it() {
    let table: [(Change, &str, &str); 7] = [
        (
            |c| stopped(c, Handshake::Failed, Some(NoHandshake::NoTls)),
            "another server",
            "Turn TLS on",
        ),
        (
            |c| stopped(c, Handshake::Failed, Some(NoHandshake::ServerFull)),
            "limit of connections",
            "limit of connections",
        ),
        (
            |c| stopped(c, Handshake::Failed, Some(NoHandshake::OtherProtocol)),
            "Correct the record",
            "belong together",
        ),
        (
            |c| stopped(c, Handshake::Failed, Some(NoHandshake::UnknownName)),
            "Correct the record",
            "set serverName",
        ),
        (
            |c| stopped(c, Handshake::Failed, Some(NoHandshake::PeerTrouble)),
            "internal_error",
            "internal_error",
        ),
        (
            |c| stopped(c, Handshake::Interrupted, Some(NoHandshake::EndedBeforeTls)),
            "no name was sent yet",
            "belong together",
        ),
        (
            |c| stopped(c, Handshake::Interrupted, None),
            "by the name in the handshake",
            "expects TLS on this port",
        ),
    ];
    for (change, of_azure, of_ones_own) in table {
        for (probe, advice) in [(Probe::healthy_vault(), of_azure), (own(), of_ones_own)] {
            let probe = probe.everywhere(change);
            let rendered = probe.rendered();
            advises(&probe, rendered.reason, advice);
        }
    }
}

#[test]
fn strict_encryption_is_thought_of_where_the_server_may_demand_it() {
    let ended: Change = |c| stopped(c, Handshake::Interrupted, Some(NoHandshake::EndedBeforeTls));
    let tds = |probe: Probe| {
        probe
            .with(|target| target.protocol = Protocol::Tds)
            .everywhere(ended)
    };
    let of_ones_own = tds(own());
    let detail = of_ones_own.finding(Reason::TlsInterrupted).detail;
    assert!(detail.contains("(TDS 8)"), "{detail}");
    advises(&of_ones_own, Reason::TlsInterrupted, "`protocol: tls`");
    // Azure SQL accepts both ways.
    let azure = tds(Probe::of("sql-prod.database.windows.net").resolves_to(["10.1.2.3"]));
    let detail = azure.finding(Reason::TlsInterrupted).detail;
    assert!(!detail.contains("TDS 8"), "{detail}");
}

#[test]
fn a_certificate_that_azure_did_not_make_is_not_the_customers_to_renew() {
    let ends: Change = |c| {
        let certificate = certificate_of(c);
        certificate.leaf_mut().not_after = certificate.verified_at + 3600;
    };
    advises(
        &Probe::healthy_vault().everywhere(ends),
        Reason::TlsCertificateExpiring,
        "Azure renews",
    );
    advises(
        &own().everywhere(ends),
        Reason::TlsCertificateExpiring,
        "Renew the certificate",
    );
    let unknown: Change = |c| certificate_of(c).trust = Trust::UnknownIssuer;
    advises(
        &Probe::healthy_vault().everywhere(unknown),
        Reason::TlsUntrustedIssuer,
        "Exempt kv-prod.vault.azure.net from TLS inspection",
    );
    advises(
        &own().everywhere(unknown),
        Reason::TlsUntrustedIssuer,
        "Add the issuer's root",
    );
    let api_server = Probe::of("aks-prod.0f1e.privatelink.westeurope.azmk8s.io");
    advises(
        &api_server.resolves_to(["10.1.2.3"]).everywhere(unknown),
        Reason::TlsUntrustedIssuer,
        "kube-root-ca.crt",
    );
}

#[test]
fn names_that_do_not_fit_are_advised_for_by_how_they_miss() {
    fn names(connection: &mut Connection, names: &[&str]) {
        let certificate = certificate_of(connection);
        certificate.leaf_mut().names = names.iter().collect();
        certificate.covers_name = false;
    }
    let short: Change = |c| names(c, &["*.azurecr.io"]);
    let data = Probe::of("contoso.westeurope.data.azurecr.io").resolves_to(["10.1.2.3"]);
    advises(
        &data.everywhere(short),
        Reason::TlsNameMismatch,
        "one label only",
    );
    let by_common_name: Change = |c| {
        names(c, &[]);
        certificate_of(c).leaf_mut().subject = "CN=orders.example.com".into();
    };
    advises(
        &own().everywhere(by_common_name),
        Reason::TlsNameMismatch,
        "as a subject alternative name",
    );
    let other: Change = |c| names(c, &["other.example.com"]);
    advises(
        &own()
            .with(|target| target.server_name = Some("shop.example.com".into()))
            .everywhere(other),
        Reason::TlsNameMismatch,
        "Set serverName",
    );
    let public = own()
        .expecting(Expectation::Public)
        .resolves_to(["52.1.2.3"]);
    advises(
        &public.everywhere(other),
        Reason::TlsNameMismatch,
        "the proxy or firewall",
    );
    advises(
        &own().everywhere(other),
        Reason::TlsNameMismatch,
        "Find out what answers",
    );
}

#[test]
fn an_alias_used_as_host_is_answered_with_the_public_name() {
    let alias = Probe::of(VAULT_ALIAS).resolves_to(["10.1.2.3"]);
    let of_a_vault: Change = |c| {
        certificate_of(c).leaf_mut().names = ["*.vault.azure.net"].iter().collect();
        certificate_of(c).covers_name = false;
    };
    let remedy = |change| {
        let probe = alias.clone().everywhere(change);
        probe.finding(Reason::PrivatelinkHostUsed).remedy
    };
    let right = remedy(of_a_vault);
    assert!(right.starts_with(&format!("Connect to {VAULT}")), "{right}");
    assert!(!right.contains("correct the record"), "{right}");
    let of_storage = remedy(|c| {
        certificate_of(c).leaf_mut().names = ["*.blob.core.windows.net"].iter().collect();
        certificate_of(c).covers_name = false;
    });
    assert!(of_storage.contains("correct the record"), "{of_storage}");
}

#[test]
fn a_public_address_that_may_be_meant_is_not_called_broken() {
    let auto = Probe::of(VAULT)
        .expecting(Expectation::Auto)
        .via([VAULT_ALIAS, VAULT_PUBLIC])
        .resolves_to(["52.168.109.101"]);
    advises(
        &auto,
        Reason::PublicFallback,
        "let the target expect public",
    );
    let latched = auto.after([&["10.1.2.3"]]);
    advises(
        &latched,
        Reason::PublicFallback,
        "Link the private DNS zone",
    );
    let detail = latched.finding(Reason::PublicFallback).detail;
    assert!(detail.contains("it was private before"), "{detail}");
    let proxy = own()
        .expecting(Expectation::Public)
        .behind_proxy("HTTPS_PROXY");
    advises(&proxy, Reason::ProxyWouldBeUsed, "Change nothing");
    advises(
        &own().behind_proxy("HTTPS_PROXY"),
        Reason::ProxyWouldBeUsed,
        "Add the host",
    );
}

#[test]
fn what_fails_in_the_handshake_is_told_beside_a_failure_before_it() {
    let probe = Probe::healthy_vault()
        .resolves_to(["10.1.2.3", "10.1.2.4"])
        .at("10.1.2.3", |c| {
            c.tcp = TcpOutcome::Timeout;
            stopped(c, Handshake::Skipped, None);
        })
        .at("10.1.2.4", |c| certificate_of(c).covers_name = false);
    let summary = probe.rendered().summary;
    assert!(
        summary.contains("; besides, 10.1.2.4 presents"),
        "{summary}"
    );
}

#[test]
fn a_denial_is_advised_for_as_the_expectation_is() {
    let denies: Change = |c| {
        c.service = Some(Arc::new(ServiceReply {
            reply: Ok(Reply {
                status: 403,
                body: "ForbiddenByFirewall".to_owned(),
                ..Reply::default()
            }),
            checked_at: SystemTime::UNIX_EPOCH,
        }));
    };
    for (expect, advice) in [
        (Expectation::ServiceEndpoint, "Enable the service endpoint"),
        (Expectation::Public, "the cluster's outbound address"),
        (
            Expectation::PrivateEndpoint,
            "resolve to a private endpoint",
        ),
    ] {
        let probe = Probe::of(VAULT)
            .expecting(expect)
            .resolves_to(["52.1.2.3"])
            .everywhere(denies);
        advises(&probe, Reason::AccessDenied, advice);
    }
}
