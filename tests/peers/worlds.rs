//! Worlds: one Key Vault in six states, each seen through BIND, unbound and CoreDNS alike.

use std::net::{IpAddr, Ipv4Addr};

use super::agent::{Checked, check};
use super::child::{Folder, free_port};
use super::dns::{Bind, Forwarder};
use super::oracle;
use super::service::{Authority as Ca, Service};
use super::zones::{ALIAS, Authority, HOST, PUBLIC_NAME, Zone, privatelink, vault_zones};

/// 127.0.1.0/24 plays the private addresses, 127.0.2.0/24 the public ones.
const PRIVATE: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 10);
const PUBLIC: Ipv4Addr = Ipv4Addr::new(127, 0, 2, 10);

/// What a world must be told as.
struct Expected {
    reason: &'static str,
    /// Whose SOA the privatelink zone carries.
    authority: &'static str,
    chain: &'static [&'static str],
    rcode: &'static str,
    /// The address and how TCP and TLS to it went.
    connection: Option<(Ipv4Addr, &'static str, &'static str)>,
}

const PRIVATE_CHAIN: &[&str] = &[HOST, ALIAS];
const PUBLIC_CHAIN: &[&str] = &[HOST, ALIAS, PUBLIC_NAME];

#[test]
fn a_private_endpoint_that_works_is_ok() {
    through_every_server(
        "ok",
        privatelink(Authority::Private).address(ALIAS, PRIVATE),
        healthy_services,
        &Expected {
            reason: "ok",
            authority: "private",
            chain: PRIVATE_CHAIN,
            rcode: "NOERROR",
            connection: Some((PRIVATE, "ok", "ok")),
        },
    );
}

#[test]
fn a_zone_that_is_not_linked_is_a_public_fallback_although_the_service_answers() {
    through_every_server(
        "public-fallback",
        privatelink(Authority::Public).alias(ALIAS, PUBLIC_NAME),
        healthy_services,
        &Expected {
            reason: "public_fallback",
            authority: "public",
            chain: PUBLIC_CHAIN,
            rcode: "NOERROR",
            connection: Some((PUBLIC, "ok", "ok")),
        },
    );
}

#[test]
fn a_linked_zone_without_the_record_is_a_missing_record() {
    through_every_server(
        "record-missing",
        privatelink(Authority::Private),
        healthy_services,
        &Expected {
            reason: "dns_private_record_missing",
            authority: "private",
            chain: PRIVATE_CHAIN,
            rcode: "NXDOMAIN",
            connection: None,
        },
    );
}

#[test]
fn a_linked_zone_that_falls_back_to_the_internet_is_told_from_one_that_is_not_linked() {
    through_every_server(
        "zone-linked",
        privatelink(Authority::Private).alias(ALIAS, PUBLIC_NAME),
        healthy_services,
        &Expected {
            reason: "public_fallback_zone_linked",
            authority: "private",
            chain: PUBLIC_CHAIN,
            rcode: "NOERROR",
            connection: Some((PUBLIC, "ok", "ok")),
        },
    );
}

#[test]
fn an_endpoint_that_drops_packets_is_a_connect_timeout() {
    through_every_server(
        "connect-timeout",
        privatelink(Authority::Private).address(ALIAS, PRIVATE),
        |_, port| vec![Service::black_hole(PRIVATE, port)],
        &Expected {
            reason: "connect_timeout",
            authority: "private",
            chain: PRIVATE_CHAIN,
            rcode: "NOERROR",
            connection: Some((PRIVATE, "timeout", "skipped")),
        },
    );
}

#[test]
fn an_endpoint_with_another_vaults_certificate_is_a_name_mismatch() {
    through_every_server(
        "name-mismatch",
        privatelink(Authority::Private).address(ALIAS, PRIVATE),
        |ca, port| vec![Service::tls(ca, PRIVATE, port, "kv-other.vault.azure.net")],
        &Expected {
            reason: "tls_name_mismatch",
            authority: "private",
            chain: PRIVATE_CHAIN,
            rcode: "NOERROR",
            connection: Some((PRIVATE, "ok", "name_mismatch")),
        },
    );
}

/// Both the private endpoint and the public address answer with the vault's own certificate.
fn healthy_services(ca: &Ca, port: u16) -> Vec<Service> {
    [PRIVATE, PUBLIC]
        .map(|ip| Service::tls(ca, ip, port, HOST))
        .into()
}

/// Builds the world on BIND and checks it there and through both forwarders, twice each, so that
/// the second answer comes from their cache.
fn through_every_server(
    world: &str,
    privatelink: Zone,
    services: impl Fn(&Ca, u16) -> Vec<Service>,
    expected: &Expected,
) {
    let folder = Folder::new(world);
    let ca = Ca::new();
    let ca_file = ca.file(&folder);
    let port = free_port();
    let _services = services(&ca, port);
    let bind = Bind::start(&folder, &vault_zones(&["kv-prod"], privatelink, PUBLIC));
    let unbound = Forwarder::unbound(&folder, bind.address());
    let coredns = Forwarder::coredns(&folder, bind.address());

    let servers = [
        ("BIND", bind.address()),
        ("unbound", unbound.address()),
        ("CoreDNS", coredns.address()),
    ];
    for (server, address) in servers {
        for round in ["first", "second"] {
            let checked = check(&[
                HOST,
                "--expect",
                "privateEndpoint",
                "--resolver",
                &address.to_string(),
                "--classify-private",
                "127.0.1.0/24",
                "--classify-public",
                "127.0.2.0/24",
                "--port",
                &port.to_string(),
                "--ca-file",
                ca_file.to_str().expect("a path of plain text"),
                "--timeout",
                "4s",
            ]);
            let what = format!("{world} through {server}, {round} time");
            expected.assert(&checked, &what);
            oracle::assert_agrees(&checked, address, &what);
        }
    }
}

impl Expected {
    fn assert(&self, checked: &Checked, what: &str) {
        let target = &checked.target;
        let healthy = self.reason == "ok";
        assert_eq!(checked.reason(), self.reason, "{what}: {checked}");
        assert_eq!(checked.exit, Some(i32::from(!healthy)), "{what}: {checked}");
        assert_eq!(
            target["outcome"],
            if healthy { "pass" } else { "fail" },
            "{what}: {checked}"
        );

        let dns = &target["dns"];
        assert_eq!(dns["zoneAuthority"], self.authority, "{what}: {checked}");
        assert_eq!(
            dns["chain"],
            serde_json::json!(self.chain),
            "{what}: {checked}"
        );
        assert_eq!(dns["privatelink"], true, "{what}: {checked}");
        assert_eq!(checked.question()["rcode"], self.rcode, "{what}: {checked}");

        let connections = target["connections"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        match (self.connection, connections) {
            (None, []) => assert_eq!(dns["addresses"], serde_json::json!([]), "{what}: {checked}"),
            (Some((ip, tcp, tls)), [connection]) => {
                assert_eq!(
                    connection["ip"],
                    IpAddr::V4(ip).to_string(),
                    "{what}: {checked}"
                );
                assert_eq!(connection["tcp"], tcp, "{what}: {checked}");
                assert_eq!(connection["tls"], tls, "{what}: {checked}");
                let class = if ip == PRIVATE { "private" } else { "public" };
                assert_eq!(dns["addresses"][0]["class"], class, "{what}: {checked}");
            }
            (wanted, _) => panic!("{what}: wanted {wanted:?} and nothing else: {checked}"),
        }
    }
}
