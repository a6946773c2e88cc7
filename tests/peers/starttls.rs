//! Starttls: databases that speak before TLS, real ones, with TLS on and off.

use std::net::TcpStream;
use std::path::PathBuf;

use serde_json::json;

use super::agent::{Checked, check};
use super::child::Folder;
use super::database::{Data, IP, Server};
use super::dns::Bind;
use super::service::Authority as Ca;
use super::zones::{Authority, Zone};

#[test]
fn a_postgresql_server_with_tls_is_well_and_has_nothing_to_complain_of() {
    let world = World::new("postgres");
    let data = Data::postgres("postgres");
    data.certify(&world.ca, &world.host);
    let server = data.start_postgres(&["ssl=on"]);
    let before = server.log();
    let checked = world.check(&server);
    assert_eq!(checked.reason(), "ok", "{checked}");
    assert_eq!(checked.target["connections"][0]["tls"], "ok", "{checked}");
    assert_eq!(server.log(), before, "the probe's end leaves no trace");
}

#[test]
fn a_postgresql_server_with_another_servers_certificate_is_a_name_mismatch() {
    let world = World::new("postgres");
    let data = Data::postgres("postgres-mismatch");
    data.certify(&world.ca, "db-other.postgres.database.azure.com");
    let server = data.start_postgres(&["ssl=on"]);
    let checked = world.check(&server);
    assert_eq!(checked.reason(), "tls_name_mismatch", "{checked}");
    assert_eq!(checked.exit, Some(1), "{checked}");
    let certificate = &checked.target["connections"][0]["certificate"];
    let names = json!(["db-other.postgres.database.azure.com"]);
    assert_eq!(certificate["names"], names, "{checked}");
    let detail = checked.detail();
    assert!(
        detail.contains("db-other.postgres.database.azure.com"),
        "{checked}"
    );
}

#[test]
fn a_postgresql_server_without_tls_is_said_to_offer_none() {
    let world = World::new("postgres");
    let data = Data::postgres("postgres-off");
    let server = data.start_postgres(&["ssl=off"]);
    let before = server.log();
    let checked = world.check(&server);
    assert_eq!(checked.reason(), "tls_handshake_failed", "{checked}");
    assert_eq!(checked.exit, Some(1), "{checked}");
    assert!(
        checked.detail().contains("the server offers no TLS"),
        "{checked}"
    );
    assert_eq!(server.log(), before, "the probe's end leaves no trace");
}

#[test]
fn a_mariadb_server_with_tls_is_judged_by_its_certificate() {
    let world = World::new("mysql");
    let data = Data::mariadb("mariadb");
    for (name, reason) in [
        (world.host.as_str(), "ok"),
        ("db-other.mysql.database.azure.com", "tls_name_mismatch"),
    ] {
        data.certify(&world.ca, name);
        let tls = data.mariadb_tls();
        let server = data.start_mariadb(&[&tls[0], &tls[1]]);
        let checked = world.check(&server);
        assert_eq!(checked.reason(), reason, "{checked}");
        let names = &checked.target["connections"][0]["certificate"]["names"];
        assert_eq!(names, &json!([name]), "{checked}");
    }
}

#[test]
fn a_mariadb_server_that_turns_us_away_is_quoted() {
    let world = World::new("mysql");
    let data = Data::mariadb("mariadb-refusing");

    let server = data.start_mariadb(&["--skip-ssl"]);
    let checked = world.check(&server);
    assert_eq!(checked.reason(), "tls_handshake_failed", "{checked}");
    assert!(
        checked.detail().contains("the server offers no TLS"),
        "{checked}"
    );
    drop(server);

    // Its accounts are those of `localhost`, which without names nobody is who comes over TCP.
    let server = data.start_mariadb(&["--skip-name-resolve"]);
    let checked = world.check(&server);
    assert_eq!(checked.reason(), "access_denied", "{checked}");
    assert_eq!(checked.target["stage"], "http", "{checked}");
    let words = "MySQL error 1130: Host '127.0.0.1' is not allowed to connect";
    assert!(checked.detail().contains(words), "{checked}");
    drop(server);

    let server = data.start_mariadb(&["--max-connections=10"]);
    let taken: Vec<_> = (0..11)
        .map(|_| TcpStream::connect(server.address()).expect("a connection"))
        .collect();
    let checked = world.check(&server);
    drop(taken);
    assert_eq!(checked.reason(), "tls_handshake_failed", "{checked}");
    let words = "MySQL error 1040: Too many connections";
    assert!(checked.detail().contains(words), "{checked}");
}

/// A database's host with a linked zone in BIND, and the authority that it is trusted by.
struct World {
    protocol: &'static str,
    host: String,
    ca: Ca,
    ca_file: PathBuf,
    bind: Bind,
    _folder: Folder,
}

impl World {
    fn new(protocol: &'static str) -> Self {
        // Several tests share a process and a protocol.
        let folder = Folder::new(&format!("{protocol}-{:08x}", fastrand::u32(..)));
        let (zone, host) = (
            format!("{protocol}.database.azure.com"),
            format!("db-prod.{protocol}.database.azure.com"),
        );
        let private = format!("privatelink.{zone}");
        let alias = format!("db-prod.{private}");
        let zones = [
            Zone::new(&zone, Authority::Public).alias(&host, &alias),
            Zone::new(&private, Authority::Private).address(&alias, IP),
        ];
        let ca = Ca::new();
        Self {
            protocol,
            host,
            ca_file: ca.file(&folder),
            ca,
            bind: Bind::start(&folder, &zones),
            _folder: folder,
        }
    }

    fn check(&self, server: &Server) -> Checked {
        check(&[
            &self.host,
            "--protocol",
            self.protocol,
            "--port",
            &server.port().to_string(),
            "--resolver",
            &self.bind.address().to_string(),
            "--classify-private",
            "127.0.1.0/24",
            "--ca-file",
            self.ca_file.to_str().expect("a path of plain text"),
            "--timeout",
            "6s",
        ])
    }
}
