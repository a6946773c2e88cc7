//! Life: upgrades, rollbacks, pods that end beside their successors, and a node that is just born.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::cluster::{Agent, LATE_NODE, NODES, agent, agents, find_agent, firewall, node_address};
use super::command::{eventually, kubectl, same, throughout};
use super::footprint::Meter;
use super::harness::Test;
use super::release::{self, INTERVAL, LOCAL_DNS, NAME, NAMESPACE, SLACK, helm};
use super::world::World;

/// While node-b falls back, and Prometheus tells.
pub(crate) const SIDE_BY_SIDE: &[Test] = &[(
    "a terminating pod beside another on its node confuses no rule",
    two_pods_on_a_node,
)];

/// With every network linked.
pub(crate) const ALL_HEALTHY: &[Test] = &[
    (
        "a rolling upgrade replaces one agent at a time, and a rollback brings the old ones back",
        upgrade_and_rollback,
    ),
    (
        "an upgrade that cannot start stops at one node, and a rollback repairs it",
        broken_upgrade,
    ),
];

pub(crate) const TESTS: &[Test] = &[(
    "a node without DNS for its first 20 s has a ready agent within a minute",
    late_dns,
)];

const ROLLOUT: Duration = Duration::from_mins(1);

fn upgrade_and_rollback(world: &mut World) {
    world.healthy();
    let before: Vec<String> = agents().into_iter().map(|agent| agent.uid).collect();
    let mut values = release::values(LOCAL_DNS);
    values["podAnnotations"] = json!({"example.com/edition": "second"});
    let file = world.folder("upgrade").join("values.json");
    std::fs::write(&file, values.to_string()).expect("a file of the run's own");
    let file = file.to_str().expect("a path of plain text");
    world.release.forget();
    helm(&["upgrade", NAME, release::CHART, "--values", file]).expect("an upgrade");
    let ((), time) = eventually(ROLLOUT, || {
        let agents = agents();
        let away = NODES.iter().filter(|node| {
            !agents
                .iter()
                .any(|agent| agent.node == **node && agent.ready)
        });
        assert!(away.count() <= 1, "one at a time: {agents:?}");
        let new = agents.iter().filter(|agent| {
            !before.contains(&agent.uid) && agent.ready && edition(&agent.object) == "second"
        });
        same("agents replaced", &new.count(), &NODES.len())
    });
    world
        .notes
        .push(format!("two nodes upgraded in {:.0} s", time.as_secs_f64()));
    helm(&["rollback", NAME, "--wait", "--timeout", "60s"]).expect("a rollback");
    eventually(ROLLOUT, || {
        let old = agents()
            .iter()
            .filter(|agent| agent.ready && edition(&agent.object).is_empty())
            .count();
        same("agents rolled back", &old, &NODES.len())
    });
    for agent in agents() {
        assert_eq!(agent.restarts, 0, "{agent:?}");
    }
}

fn edition(pod: &Value) -> &str {
    pod["metadata"]["annotations"]["example.com/edition"]
        .as_str()
        .unwrap_or_default()
}

fn broken_upgrade(world: &mut World) {
    world.healthy();
    world.release.forget();
    let arguments = ["upgrade", NAME, release::CHART, "--reuse-values"];
    let tag = ["--set", "image.tag=of-no-release"];
    helm(&[arguments.as_slice(), &tag].concat()).expect("nothing waits for the agents");
    eventually(ROLLOUT, || {
        let waiting = |agent: &Agent| {
            let container = &agent.object["status"]["containerStatuses"][0];
            container["state"]["waiting"]["reason"] == "ErrImageNeverPull"
        };
        let refused = agents().iter().filter(|agent| waiting(agent)).count();
        same("agents whose image no node has", &refused, &1)
    });
    throughout(Duration::from_secs(3), || {
        let working = agents().iter().filter(|agent| agent.ready).count();
        same("agents that work, on the other node", &working, &1)
    });
    helm(&["rollback", NAME, "--wait", "--timeout", "60s"]).expect("a rollback");
    eventually(ROLLOUT, || {
        let ready = agents()
            .iter()
            .filter(|agent| agent.ready && !agent.terminating)
            .count();
        same("agents ready", &ready, &NODES.len())
    });
}

/// The DaemonSet's controller adopts a pod as soon as its selector matches, and ends the younger of
/// two; a hook holds that one in its last seconds, running and scraped.
fn two_pods_on_a_node(world: &mut World) {
    world.as_installed();
    let limit = Duration::from_secs(INTERVAL * 3 + SLACK);
    let prometheus = world.prometheus();
    let expected = vec!["PrivateServiceResolvesPubliclyOnNode node-b".to_owned()];
    eventually(limit, || {
        same("the alerts", &prometheus.alerts()?, &expected)
    });

    let stays = agent("node-b");
    let file = world.folder("second").join("pod.json");
    std::fs::write(&file, second(&stays.object).to_string()).expect("a file of the run's own");
    kubectl(&["create", "-f", file.to_str().expect("a path of plain text")]);
    kubectl(&[
        "-n",
        NAMESPACE,
        "wait",
        "--for=condition=Ready",
        "pod/second",
        "--timeout=25s",
    ]);
    kubectl(&["-n", NAMESPACE, "label", "pod", "second", COMPONENT]);

    let prometheus = world.prometheus();
    prometheus.expect(
        limit,
        "count(privatelink_build_info{node=\"node-b\"})",
        &[],
        &["2"],
    );
    let both = agents().into_iter().filter(|agent| agent.node == "node-b");
    assert!(
        both.into_iter().any(|agent| agent.terminating),
        "one of the two is terminating"
    );
    throughout(Duration::from_secs(5), || {
        same(
            "rules that cannot be evaluated",
            &prometheus.broken_rules()?,
            &Vec::new(),
        )?;
        same("the alerts", &prometheus.alerts()?, &expected)
    });
    // It was there long enough.
    kubectl(&[
        "-n",
        NAMESPACE,
        "delete",
        "pod",
        "second",
        "--grace-period=1",
        "--wait=false",
    ]);
    eventually(Duration::from_secs(40), || {
        let left: Vec<String> = agents()
            .into_iter()
            .filter(|agent| agent.node == "node-b")
            .map(|agent| agent.uid)
            .collect();
        same("the pods of node-b", &left, &vec![stays.uid.clone()])
    });
    prometheus.expect(
        limit,
        "count(privatelink_build_info{node=\"node-b\"})",
        &[],
        &["1"],
    );
    assert_eq!(prometheus.alerts(), Ok(expected));
}

const COMPONENT: &str = "app.kubernetes.io/component=agent";

/// A pod like `first`, on the same node, that nothing selects yet.
fn second(first: &Value) -> Value {
    let mut labels = first["metadata"]["labels"].clone();
    let (component, _) = COMPONENT.split_once('=').expect("a label and its value");
    labels.as_object_mut().expect("labels").remove(component);
    let mut second = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": NAMESPACE, "name": "second", "labels": labels},
        "spec": first["spec"],
    });
    second["spec"]["terminationGracePeriodSeconds"] = json!(30);
    second["spec"]["containers"][0]["lifecycle"] = json!({"preStop": {"sleep": {"seconds": 15}}});
    second
}

fn late_dns(world: &mut World) {
    world.as_installed();
    let address = node_address(LATE_NODE).to_string();
    let silence = |action: &str| {
        for protocol in ["udp", "tcp"] {
            let rule = [
                "-s", &address, "-p", protocol, "--dport", "53", "-j", "DROP",
            ];
            firewall("azure", &[&[action, "INPUT"], rule.as_slice()].concat());
        }
    };
    silence("-A");
    // Its processes belong to the cluster and go on when this command has ended.
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/cluster");
    let joined = Command::new("timeout")
        .args(["60", script, "node", LATE_NODE])
        .stdin(Stdio::null())
        .status();
    assert!(
        joined.is_ok_and(|status| status.success()),
        "{LATE_NODE} joins"
    );
    let ((), born) = eventually(Duration::from_secs(40), || {
        let agent = find_agent(LATE_NODE)?;
        same("the agent's life", &agent.metrics().is_ok(), &true)
    });
    // These seconds are as good as others to see what the agents of the other nodes use.
    world.meter = Some(Meter::start());
    throughout(Duration::from_secs(20), || {
        let agent = find_agent(LATE_NODE)?;
        same("restarts", &agent.restarts, &0)?;
        agent.metrics().map(drop)
    });
    // Of the path that asks the silent server itself; the cache in between sometimes says SERVFAIL.
    let reason = agent(LATE_NODE).reason("registry").expect("a report");
    assert_eq!(reason, "dns_timeout", "it says what is the matter");
    silence("-D");
    let ((), healed) = eventually(Duration::from_secs(40), || {
        let agent = find_agent(LATE_NODE)?;
        same("its vault", &agent.reason("vault")?, &"ok".to_owned())?;
        same("that it is ready", &agent.ready, &true)?;
        same("restarts", &agent.restarts, &0)
    });
    world.notes.push(format!(
        "running {:.0} s after its node joined, healthy {:.1} s after its DNS came",
        born.as_secs_f64(),
        healed.as_secs_f64()
    ));
}
