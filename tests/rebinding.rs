//! What a team declares is dialled only where the operator's rules allow the address that the name has at
//! the moment of the probe: a name that was pointed elsewhere after it was accepted (DNS rebinding) leads
//! nowhere.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;

use privatelink_lab::{RunningWorld, World};
use privatelink_prober::agent::Agent;
use privatelink_report::metrics::Histograms;
use privatelink_verdict::reason::Reason;
use serde_json::{Value, json};

const WORLD: &str = "
story: A name that was pointed at loopback.
target: {host: rebound.example.com}
verdict: {outcome: fail, reason: reserved_address}
dns: {records: [rebound.example.com 60 A 127.0.0.1]}
";

/// Probes a declared target whose name leads to a server on loopback, with `settings` in the operator's
/// configuration. Whether the server was connected to, and the reason of the verdict.
async fn probe(name: &str, settings: &Value) -> (bool, Reason) {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    server.set_nonblocking(true).expect("a listener");
    let port = server.local_addr().expect("an address").port();
    let world = RunningWorld::start(&World::parse(WORLD).expect("a world")).await;
    let world = world.expect("a running world");
    let labs: Value = serde_saphyr::from_str(&world.configuration).expect("YAML");

    let mut operators = settings.clone();
    operators["resolvers"] = labs["resolvers"].clone();
    operators["allowedHosts"] = json!(["*.example.com"]);
    let declared = json!({"targets": [{
        "source": "crd", "name": "team:scan", "host": "rebound.example.com", "port": port,
        "protocol": "tcp", "expect": "privateEndpoint", "expectedCidrs": ["0.0.0.0/0", "::/0"],
    }]});
    let folder = world.directory().join(name);
    fs::create_dir_all(folder.join("targets")).expect("a folder");
    let files = [
        folder.join("config.yaml"),
        folder.join("targets/targets.yaml"),
    ];
    fs::write(&files[0], operators.to_string()).expect("a file");
    fs::write(&files[1], declared.to_string()).expect("a file");
    let plan = privatelink_config::load(&files).expect("a plan");
    assert_eq!(plan.targets.len(), 1, "{:?}", plan.warnings);

    let mut agent = Agent::new(
        world.machine.clone(),
        "test".to_owned(),
        &plan,
        Histograms::Off,
    );
    agent.round(|_| {}).await;
    let probed = agent.latest();
    let reason = probed[0].verdict.reason;
    world.stop().await;
    match server.accept() {
        Ok(_) => (true, reason),
        Err(error) if error.kind() == ErrorKind::WouldBlock => (false, reason),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_declared_name_that_leads_to_a_reserved_address_is_not_dialled() {
    let verdict = probe("reserved", &json!({})).await;
    assert_eq!(verdict, (false, Reason::ReservedAddress));
}

#[tokio::test]
async fn a_declared_name_that_leads_to_a_denied_address_is_not_dialled() {
    let settings = json!({
        "classify": {"private": ["127.0.0.0/8"]},
        "deniedCidrs": ["127.0.0.1/32"],
    });
    let verdict = probe("denied", &settings).await;
    assert_eq!(verdict, (false, Reason::ReservedAddress));
}

/// The same without a rule against it, so that the tests above can fail.
#[tokio::test]
async fn a_declared_name_that_leads_to_an_allowed_address_is_dialled() {
    let settings = json!({"classify": {"private": ["127.0.0.0/8"]}});
    let (is_dialled, reason) = probe("allowed", &settings).await;
    assert!(is_dialled, "{reason:?}");
}
