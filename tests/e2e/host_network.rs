//! Host network: the second agent of a node, in the node's own network.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::json;

use super::cluster::{NODES, agents, drop_packets, node_address, open_network};
use super::command::{eventually, kubectl, same};
use super::harness::Test;
use super::http::{get, get_json};
use super::paths::reasons;
use super::release::{self, INTERVAL, LOCAL_DNS, NAME, NAMESPACE, SLACK};
use super::world::World;
use super::zones::{TTL, VAULT};

pub(crate) const TESTS: &[Test] = &[(
    "an agent in the node's own network passes where packets of pods are dropped",
    beside_the_pods,
)];

const PORT: u16 = 9798;

/// Until a probe saw a change: an interval, the probe's timeout, and what DNS servers keep.
const PROBE: Duration = Duration::from_secs(INTERVAL + 4 + TTL + SLACK);

fn beside_the_pods(world: &mut World) {
    world.healthy();
    let before: Vec<String> = agents().into_iter().map(|agent| agent.uid).collect();
    // The restricted level refuses the node's network.
    pod_security("privileged");
    let mut values = release::values(LOCAL_DNS);
    values["hostNetwork"] = json!({"enabled": true, "port": PORT});
    world.release.upgrade(values);
    let after: Vec<String> = agents().into_iter().map(|agent| agent.uid).collect();
    assert_eq!(before, after, "the ordinary agents were not touched");
    eventually(PROBE, || in_nodes_network(["ok", "ok"]));
    for node in NODES {
        let (status, metrics) = get(address(node), "/metrics").expect("the agent answers");
        assert_eq!(status, 200);
        assert!(metrics.contains(&format!("node=\"{node}\"")), "{metrics}");
        // The monitors set this label, and not the agent.
        assert!(!metrics.contains("network="), "{metrics}");
    }

    drop_packets("node-b", VAULT.private);
    eventually(PROBE, || reasons("vault", ["ok", "connect_timeout"]));
    assert_eq!(in_nodes_network(["ok", "ok"]), Ok(()));
    open_network();

    world.release.upgrade(release::values(LOCAL_DNS));
    eventually(Duration::from_secs(30), || {
        let left = kubectl(&[
            "-n",
            NAMESPACE,
            "get",
            "pods",
            "-l",
            "network=host",
            "-o",
            "name",
        ]);
        same("agents in the network of nodes", &left.trim(), &"")
    });
    pod_security("restricted");
    let left = kubectl(&["-n", NAMESPACE, "get", "daemonsets,services", "-o", "name"]);
    assert!(!left.contains(&format!("{NAME}-host")), "{left}");
}

fn pod_security(level: &str) {
    let label = format!("pod-security.kubernetes.io/enforce={level}");
    kubectl(&["label", "namespace", NAMESPACE, "--overwrite", &label]);
}

fn address(node: &str) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(node_address(node)), PORT)
}

/// The reasons that the agents in the network of the nodes report for the vault.
fn in_nodes_network(wanted: [&str; 2]) -> Result<(), String> {
    for (node, wanted) in NODES.iter().zip(wanted) {
        let vault = get_json(address(node), "/api/v1/targets/vault")?;
        same(node, &vault["targets"][0]["reason"].as_str(), &Some(wanted))?;
    }
    Ok(())
}
