//! OpenSSL: a real TLS server with settings that no other peer has.

use std::path::Path;
use std::process::Command;

use super::agent::{Checked, check};
use super::child::{Child, Folder, free_port};
use super::database::IP;
use super::dns::Bind;
use super::service::Authority as Ca;
use super::zones::{Authority, Zone};

const HOST: &str = "orders.internal.example.com";

#[test]
fn a_server_with_cbc_suites_alone_is_refused_with_the_word_that_others_may_succeed() {
    let checked = checked(&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"]);
    assert_eq!(checked.reason(), "tls_handshake_failed", "{checked}");
    let finding = &checked.target["findings"][0];
    assert_eq!(finding["confidence"], "medium", "{checked}");
    assert!(
        checked.detail().contains("other clients may succeed"),
        "{checked}"
    );
}

#[test]
fn a_server_with_one_gcm_suite_is_well() {
    let checked = checked(&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"]);
    assert_eq!(checked.reason(), "ok", "{checked}");
}

#[test]
fn a_client_certificate_that_is_demanded_is_no_failure_in_either_version() {
    for version in ["-tls1_2", "-tls1_3"] {
        let checked = checked(&[version, "-Verify", "1", "-verify_return_error"]);
        assert_eq!(checked.reason(), "ok", "{version}: {checked}");
        let reason = "tls_client_certificate_required";
        assert!(checked.has_finding(reason), "{version}: {checked}");
    }
}

#[test]
fn a_client_certificate_that_is_only_asked_for_is_nothing_to_tell() {
    let checked = checked(&["-tls1_3", "-verify", "1"]);
    assert_eq!(checked.reason(), "ok", "{checked}");
    let reason = "tls_client_certificate_required";
    assert!(!checked.has_finding(reason), "{checked}");
}

/// The verdict on a server with these options of `openssl s_server`.
fn checked(options: &[&str]) -> Checked {
    let folder = Folder::new(&format!("openssl-{:08x}", fastrand::u32(..)));
    let zone = Zone::new("internal.example.com", Authority::Private).address(HOST, IP);
    let bind = Bind::start(&folder, &[zone]);
    let ca = Ca::new();
    let ca_file = ca.file(&folder);
    let (port, _server) = serve(&folder, &ca, options);
    check(&[
        HOST,
        "--port",
        &port.to_string(),
        "--resolver",
        &bind.address().to_string(),
        "--classify-private",
        "127.0.1.0/24",
        "--ca-file",
        plain(&ca_file),
        "--timeout",
        "6s",
    ])
}

fn serve(folder: &Folder, ca: &Ca, options: &[&str]) -> (u16, Child) {
    let port = free_port();
    let (certificate, key) = ca.pem(HOST);
    let (certificate, key) = (
        folder.write("server.pem", &certificate),
        folder.write("server.key", &key),
    );
    let mut command = Command::new("openssl");
    command
        .args(["s_server", "-www", "-accept", &format!("{IP}:{port}")])
        .args(["-cert", plain(&certificate), "-key", plain(&key)])
        .args(options);
    let mut server = Child::start(command, folder.path());
    server.wait_until(|| std::net::TcpStream::connect((IP, port)).is_ok());
    (port, server)
}

fn plain(path: &Path) -> &str {
    path.to_str().expect("a path of plain text")
}
