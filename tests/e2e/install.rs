//! Install: what lands in the cluster, and what is left of it in the end.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::cluster::{Agent, NODES, agent, agents};
use super::command::{eventually, kubectl, kubectl_json, same};
use super::harness::Test;
use super::release::{self, CENTRAL_DNS, NAME, NAMESPACE, helm};
use super::world::World;
use super::zones::VAULT;

pub(crate) const TESTS: &[Test] = &[
    (
        "a namespace that enforces the restricted level admits an agent on every node",
        admitted,
    ),
    (
        "agents of all nodes share one ConfigMap and one pod template",
        identical,
    ),
    ("a pod has no service account token", no_token),
    (
        "check runs inside the image that holds nothing else",
        check_in_the_pod,
    ),
    (
        "helm test finds that the image can read what is mounted",
        helm_test,
    ),
    (
        "without values Helm looks up the cluster's DNS, its service ranges and the objects named",
        looked_up,
    ),
];

pub(crate) const LAST: &[Test] = &[(
    "uninstall leaves nothing but the kind of the teams' objects",
    uninstall,
)];

/// To remove it would remove every team's objects.
const KEPT: &str = "\"CustomResourceDefinition\" \"privatelinktargets.privatelink-prober.dev\"";

/// Kinds whose objects are of the cluster and not of a namespace, which a chart might leave behind.
const CLUSTER_KINDS: &str = "clusterroles,clusterrolebindings,priorityclasses,\
    validatingwebhookconfigurations,mutatingwebhookconfigurations,customresourcedefinitions";

fn admitted(world: &mut World) {
    world.as_installed();
    let agents = agents();
    let nodes: Vec<&str> = agents.iter().map(|agent| agent.node.as_str()).collect();
    assert_eq!(nodes, NODES);
    for agent in &agents {
        assert!(agent.ready, "{agent:?}");
        assert_eq!(agent.restarts, 0, "{agent:?}");
    }
    let events = kubectl(&[
        "-n",
        NAMESPACE,
        "get",
        "events",
        "--field-selector=type=Warning",
    ]);
    assert!(!events.contains("forbidden"), "{events}");
}

fn identical(world: &mut World) {
    world.as_installed();
    // What differs from pod to pod is the scheduler's and the kubelet's, not the chart's.
    let template = |object: &Value| {
        let mut spec = object["spec"].clone();
        spec["nodeName"] = json!(null);
        spec["affinity"] = json!(null);
        let volumes: Vec<String> = object["spec"]["volumes"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|volume| volume["configMap"]["name"].to_string())
            .collect();
        (spec, object["metadata"]["labels"].clone(), volumes)
    };
    let (a, b) = (agent("node-a"), agent("node-b"));
    assert_eq!(template(&a.object), template(&b.object));
    // The kubelets bring what the observer has found at different moments.
    eventually(Duration::from_secs(90), || {
        let hash = |agent: &Agent| agent.metric("privatelink_config_hash", &[]);
        let hashes = [hash(&a)?, hash(&b)?];
        same("configurations", &hashes[0].to_bits(), &hashes[1].to_bits())
    });
}

fn no_token(world: &mut World) {
    world.as_installed();
    for agent in agents() {
        assert_eq!(
            agent.object["spec"]["automountServiceAccountToken"], false,
            "{}",
            agent.pod
        );
        let volumes = agent.object["spec"]["volumes"].to_string();
        assert!(!volumes.contains("serviceAccountToken"), "{volumes}");
        // The scratch image has no shell to look with; the kernel shows the process's root.
        let root = process_root(&agent.uid);
        assert!(
            root.join("privatelink-prober").exists(),
            "{} is not its root",
            root.display()
        );
        for folder in ["var/run/secrets", "run/secrets"] {
            assert!(!root.join(folder).exists(), "{} has {folder}", agent.pod);
        }
    }
}

/// The root folder of the agent in the pod `uid`, seen from outside.
fn process_root(uid: &str) -> PathBuf {
    let processes = std::fs::read_dir("/proc").expect("processes");
    processes
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|process| {
            let read = |name: &str| std::fs::read_to_string(process.join(name)).unwrap_or_default();
            read("cgroup").contains(uid) && read("cmdline").contains("privatelink-prober")
        })
        .unwrap_or_else(|| panic!("no process of the pod {uid}"))
        .join("root")
}

fn check_in_the_pod(world: &mut World) {
    world.as_installed();
    let container = &agent("node-a").object["spec"]["containers"][0];
    let config = container["args"][2]
        .as_str()
        .expect("run --config FILE")
        .to_owned();
    let config = config.as_str();
    let healthy = agent("node-a").exec(&[
        "check", "--config", config, "--target", "vault", "-o", "json",
    ]);
    let report: Value = serde_json::from_str(&healthy.expect("node-a is healthy")).expect("JSON");
    assert_eq!(report["targets"][0]["reason"], "ok", "{report}");
    let broken = agent("node-b").exec(&[
        "check", "--config", config, "--target", "vault", "-o", "short",
    ]);
    let told = broken.expect_err("node-b falls back, so check exits with 1");
    assert!(told.contains("public_fallback"), "{told}");
    // Without a configuration too, by the node's own DNS.
    let told = agent("node-b")
        .exec(&["check", VAULT.host])
        .expect_err("the node's DNS is the public one");
    assert!(told.contains("public_fallback"), "{told}");
}

fn helm_test(world: &mut World) {
    world.as_installed();
    let said = helm(&["test", NAME, "--timeout", "30s"]).expect("the test pod succeeds");
    assert!(said.contains("Phase:          Succeeded"), "{said}");
}

/// The server answers look-ups and creates nothing.
fn looked_up(world: &mut World) {
    world.as_installed();
    let file = world.folder("looked-up").join("values.json");
    let file = file.to_str().expect("a path of plain text");
    let install = |change: &dyn Fn(&mut Value)| {
        let mut values = release::values("");
        // One release of a cluster has the definition.
        values["observer"] = json!({"crd": {"install": false}});
        change(&mut values);
        std::fs::write(file, values.to_string()).expect("a file of the run's own");
        let dry = ["--dry-run=server", "--values", file];
        helm(&[&["install", "another", release::CHART], dry.as_slice()].concat())
    };
    let manifests = install(&|_| ()).expect("an install that could be");
    for line in [
        &format!("- {CENTRAL_DNS}\n"),
        "deniedCidrs:\n    - 10.96.0.0/16\n",
    ] {
        assert!(manifests.contains(line), "no {line} in {manifests}");
    }
    assert!(!manifests.contains("WARNING"), "{manifests}");
    let own = |values: &mut Value| values["config"]["deniedCidrs"] = json!(["192.0.2.0/24"]);
    let manifests = install(&own).expect("an install that could be");
    let denied = "deniedCidrs:\n    - 192.0.2.0/24\n    - 10.96.0.0/16\n";
    assert!(manifests.contains(denied), "no {denied} in {manifests}");

    let refused = install(&|values| values["existingCaConfigMap"] = json!("nowhere"));
    let said = refused.expect_err("there is no such object");
    let complaint = format!(
        "existingCaConfigMap: there is no ConfigMap \"nowhere\" in the namespace {NAMESPACE}; \
         create it first, or correct the name"
    );
    assert!(said.contains(&complaint), "{said}");
    let refused = install(&|values| values["existingCaKey"] = json!("root.pem"));
    let said = refused.expect_err("there is no such key");
    let complaint = "the ConfigMap \"small-azure-root\" has no key \"root.pem\"; it has ca.pem";
    assert!(said.contains(complaint), "{said}");
}

fn uninstall(world: &mut World) {
    if !world.release.is_installed() {
        world.as_installed();
    }
    world.release.uninstall();
    let label = format!("app.kubernetes.io/instance={NAME}");
    eventually(Duration::from_secs(30), || {
        let left = left(&label);
        same("what is left", &left, &vec![KEPT.to_owned()])
    });
    kubectl(&[
        "delete",
        "customresourcedefinition",
        "privatelinktargets.privatelink-prober.dev",
    ]);
}

/// Every object of any kind that carries the release's label, but for what the control plane derives
/// and collects by itself.
fn left(label: &str) -> Vec<String> {
    let kinds = kubectl(&[
        "api-resources",
        "--namespaced",
        "--verbs=list",
        "-o",
        "name",
    ]);
    let kinds: Vec<&str> = kinds
        .lines()
        .filter(|kind| !kind.starts_with("events"))
        .collect();
    let mut left = Vec::new();
    for arguments in [
        vec!["-n", NAMESPACE, "get", &kinds.join(","), "-l", label],
        vec!["get", CLUSTER_KINDS, "-l", label],
    ] {
        let list = kubectl_json(&arguments);
        for object in list["items"].as_array().into_iter().flatten() {
            left.push(format!("{} {}", object["kind"], object["metadata"]["name"]));
        }
    }
    left
}
