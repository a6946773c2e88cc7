//! Failover: the first name server is dead, the second one answers.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::agent::check;
use super::child::{Folder, free_port};
use super::dns::{Bind, loopback, silent_server};
use super::service::{Authority as Ca, Service};
use super::zones::{ALIAS, Authority, HOST, privatelink, vault_zones};

const PRIVATE: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 20);

#[test]
fn a_first_server_with_a_closed_port_degrades_dns_and_breaks_nothing() {
    // Nobody listens on the port that was free a moment ago.
    degraded("closed-first", loopback(free_port()));
}

#[test]
fn a_first_server_that_is_silent_degrades_dns_and_breaks_nothing() {
    let (_socket, silent) = silent_server();
    degraded("silent-first", silent);
}

fn degraded(name: &str, first: SocketAddr) {
    let folder = Folder::new(name);
    let ca = Ca::new();
    let ca_file = ca.file(&folder);
    let service = Service::tls(&ca, PRIVATE, free_port(), HOST);
    let zone = privatelink(Authority::Private).address(ALIAS, PRIVATE);
    let bind = Bind::start(
        &folder,
        &vault_zones(&["kv-prod"], zone, Ipv4Addr::new(127, 0, 2, 20)),
    );
    let config = pair(&folder, first, bind.address(), &ca_file, service.port());

    let checked = check(&["--config", config.to_str().expect("a path of plain text")]);

    assert_eq!(checked.reason(), "dns_degraded", "{checked}");
    assert_eq!(checked.target["outcome"], "warn", "{checked}");
    assert_eq!(checked.exit, Some(0), "{checked}");
    assert!(checked.has_finding("dns_degraded"), "{checked}");
    let question = checked.question();
    assert_eq!(question["server"], bind.address().to_string(), "{checked}");
    assert!(question["tries"].as_u64() >= Some(2), "{checked}");
    assert_eq!(checked.target["connections"][0]["tls"], "ok", "{checked}");
}

/// The configuration of the vault at `port`, judged by a resolver of two servers.
pub(super) fn pair(
    folder: &Folder,
    first: SocketAddr,
    second: SocketAddr,
    ca_file: &Path,
    port: u16,
) -> PathBuf {
    let config = format!(
        r#"
classify: {{private: [127.0.1.0/24], public: [127.0.2.0/24]}}
resolvers:
  - {{name: pair, servers: ["{first}", "{second}"]}}
tls: {{caFiles: ["{ca_file}"]}}
targets:
  - {{host: {HOST}, port: {port}}}
"#,
        ca_file = ca_file.display(),
    );
    folder.write("config.yaml", &config)
}
