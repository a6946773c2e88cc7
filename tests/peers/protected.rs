//! Protected: a real Prometheus that scrapes an agent over TLS with a password, as the chart's monitors tell it to.

use std::process::Command;
use std::time::Duration;

use super::agent::{Agent, get};
use super::child::{Folder, eventually};
use super::prometheus::Prometheus;
use super::service::Authority as Ca;

const NAME: &str = "prober.watch.svc";

/// Within which a changed file is noticed and tried.
const RELOAD: Duration = Duration::from_secs(30);

const LOADED: &str = "privatelink_web_config_last_reload_successful";

#[test]
fn a_prometheus_scrapes_over_tls_with_a_password_while_the_certificate_changes() {
    let folder = Folder::new("protected");
    let ca = Ca::new();
    let ca_file = ca.file(&folder);
    let renew = || {
        let (certificate, key) = ca.pem(NAME);
        folder.write("tls.crt", &certificate);
        folder.write("tls.key", &key);
    };
    renew();
    let hash = bcrypt::hash("a password", 10).expect("a hash");
    let web = folder.write(
        "web.yaml",
        &format!(
            "tls_server_config: {{cert_file: tls.crt, key_file: tls.key}}\n\
             basic_auth_users: {{prometheus: {hash}}}\n"
        ),
    );
    let config = "targets: [{name: kv, host: kv.vault.azure.net}]\n\
                  resolvers: [{name: nobody, servers: ['127.0.0.1:9']}]\n";
    let config = folder.write("config.yaml", config);
    let web = web.display().to_string();
    let agent = Agent::start_with(&folder, "node-a", &config, &["--web-config-file", &web]);
    let job = |password: &str, name: &str| {
        format!(
            "  scheme: https\n  tls_config: {{ca_file: \"{}\", server_name: {name}}}\n  \
             basic_auth: {{username: prometheus, password: {password}}}\n",
            ca_file.display()
        )
    };
    let jobs = [
        ("right", job("a password", NAME)),
        ("wrong-password", job("another", NAME)),
        ("wrong-name", job("a password", "other.watch.svc")),
        ("plain", String::new()),
    ];
    let jobs = jobs
        .each_ref()
        .map(|(name, settings)| (*name, settings.as_str()));
    let prometheus = Prometheus::start_with(&folder, agent.address(), &jobs);
    let up = |job: &str| format!("up{{job=\"{job}\"}}");
    prometheus.expect(RELOAD, &up("right"), Some(1.0));
    for job in ["wrong-password", "wrong-name", "plain"] {
        prometheus.expect(RELOAD, &up(job), Some(0.0));
    }
    prometheus.expect(RELOAD, &format!("{LOADED} == 1"), Some(1.0));

    let before = presented(&agent);
    renew();
    let renewed = eventually(RELOAD, || (presented(&agent) != before).then_some(()));
    assert!(renewed.is_some(), "{}", agent.log());

    folder.write("tls.key", "no key");
    prometheus.expect(RELOAD, LOADED, Some(0.0));
    prometheus.expect(RELOAD, &up("right"), Some(1.0));
    assert!(
        agent.log().contains("web configuration refused"),
        "{}",
        agent.log()
    );
    let health = get(agent.address(), "/healthz").expect("an answer in plain HTTP");
    assert_eq!((health.status, &*health.body), (200, "ok\n"));
}

#[test]
fn a_web_configuration_that_cannot_be_used_ends_the_start_with_its_place() {
    let folder = Folder::new("protected-wrong");
    let config = folder.write("config.yaml", "targets: [{host: kv.vault.azure.net}]\n");
    let web = folder.write(
        "web.yaml",
        "basic_auth_users:\n  alice: hunter2\ntls_server_confg: {}\n",
    );
    let output = Command::new(env!("CARGO_BIN_EXE_privatelink-prober"))
        .args(["run", "--listen", "127.0.0.1:0", "--config"])
        .arg(&config)
        .arg("--web-config-file")
        .arg(&web)
        .output()
        .expect("the agent's program runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("web.yaml:3:1: unknown field `tls_server_confg`"),
        "{said}"
    );
    assert!(said.contains("did you mean `tls_server_config`?"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

/// The certificate that the agent presents, as `openssl` sees it.
fn presented(agent: &Agent) -> String {
    let output = Command::new("openssl")
        .args([
            "s_client",
            "-connect",
            &agent.address().to_string(),
            "-servername",
            NAME,
        ])
        .stdin(std::process::Stdio::null())
        .output()
        .expect("openssl runs; tests/tools/install installs it");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let certificate = text.split("-----BEGIN CERTIFICATE-----").nth(1);
    let certificate = certificate.and_then(|text| text.split("-----END").next());
    certificate.unwrap_or_else(|| panic!("{text}")).to_owned()
}
