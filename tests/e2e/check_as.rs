//! Check as: a check in an ephemeral container of a pod, which sees what the agent cannot.
//!
//! No plug-in of the test's cluster enforces network policies. What one would do is done by hand: rules in the
//! pod's own network namespace drop what it sends.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::cluster::NODES;
use super::command::{SHORT, eventually, kubectl, kubectl_json, run, same};
use super::harness::Test;
use super::paths::reasons;
use super::release::{INTERVAL, NAMESPACE, SLACK};
use super::world::World;
use super::zones::{TTL, VAULT};

pub(crate) const TESTS: &[Test] = &[
    (
        "a check as a pod whose egress is dropped times out, where the agent on its node does not",
        dropped_egress,
    ),
    (
        "a check as a pod that is not there, or without the right, changes nothing and says why",
        refused,
    ),
];

/// While node-b's network lacks its links, so that DNS servers differ.
pub(crate) const AS_INSTALLED: &[Test] = &[(
    "a check as a pod with a nameserver of its own is judged by that one",
    own_nameserver,
)];

/// A namespace that admits only what needs no privilege.
const SHOP: &str = "as-a-pod";

const HEALED: Duration = Duration::from_secs(INTERVAL + TTL + SLACK);

/// Starting the container, the check, and the comparison.
const CHECK: Duration = Duration::from_mins(1);

fn dropped_egress(world: &mut World) {
    world.healthy();
    eventually(HEALED, || reasons("vault", ["ok", "ok"]));
    prepare(world);
    let before = check(&["--as", "as-a-pod/web", VAULT.host, "--protocol=tcp"]);
    assert_eq!(before.code, 0, "{before:?}");
    assert!(
        before
            .out
            .contains("the pod and the agent on node-b both reach it"),
        "{before:?}"
    );

    drop_egress("node-b", pod_address("web"), VAULT.private);
    let dropped = check(&["--as", "as-a-pod/web", VAULT.host, "--timeout=4s"]);
    assert_eq!(dropped.code, 1, "{dropped:?}");
    assert!(dropped.out.contains("connect_timeout"), "{dropped:?}");
    let sentence = "kv-e2e.vault.azure.net: the agent on node-b reaches it, the pod does not (connect_timeout): \
                    an egress policy of the pod's namespace drops or refuses it";
    assert!(dropped.out.contains(sentence), "{dropped:?}");
    assert!(
        dropped
            .err
            .contains("stays in pod as-a-pod/web until the pod is deleted"),
        "{dropped:?}"
    );

    let json = check(&[
        "--as",
        "as-a-pod/web",
        VAULT.host,
        "--timeout=4s",
        "-o",
        "json",
    ]);
    let report: Value = serde_json::from_str(&json.out).expect("JSON alone");
    assert_eq!(report["node"], "node-b");
    assert_eq!(report["targets"][0]["reason"], "connect_timeout");
    assert_eq!(report["comparisons"][0]["comparison"], "podDropped");
    assert_eq!(reasons("vault", ["ok", "ok"]), Ok(()), "no agent suffers");

    let pod = kubectl_json(&["-n", SHOP, "get", "pod", "web"]);
    let added = pod["spec"]["ephemeralContainers"]
        .as_array()
        .expect("containers");
    assert_eq!(added.len(), 3);
    let states = pod["status"]["ephemeralContainerStatuses"]
        .as_array()
        .expect("states");
    assert!(
        states
            .iter()
            .all(|one| !one["state"]["terminated"].is_null()),
        "{states:?}"
    );
    world
        .notes
        .push(format!("{}\n{}", dropped.out, dropped.err));
}

fn own_nameserver(world: &mut World) {
    world.as_installed();
    eventually(HEALED, || reasons("vault", ["ok", "public_fallback"]));
    prepare(world);
    let folder = world.folder("check-as");
    apply(&folder, &nameserver());
    await_pod("nameserver");
    let own = json!({
        "nodeName": "node-a", "dnsPolicy": "None",
        "dnsConfig": {"nameservers": [pod_address("nameserver")]},
    });
    apply(&folder, &[pod("own-dns", &own)]);
    await_pod("own-dns");
    let checked = check(&["--as", "as-a-pod/own-dns", VAULT.host]);
    assert_eq!(checked.code, 1, "{checked:?}");
    let sentence = format!(
        "the pod gets {} (public), the agent on node-a gets {} (private): the pod's own nameservers \
         (dnsPolicy, dnsConfig) differ from the cluster's",
        VAULT.public, VAULT.private
    );
    assert!(checked.out.contains(&sentence), "{checked:?}");
    world.notes.push(checked.out);
}

fn refused(world: &mut World) {
    world.healthy();
    prepare(world);
    let missing = check(&["--as", "as-a-pod/wep", VAULT.host]);
    assert_eq!(missing.code, 2, "{missing:?}");
    assert!(
        missing
            .err
            .contains("there is no pod wep in namespace as-a-pod"),
        "{missing:?}"
    );

    let before = kubectl_json(&["-n", SHOP, "get", "pod", "web"])["spec"].clone();
    let folder = world.folder("check-as");
    let reader = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": "reader-of-as-a-pod"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "namespace": SHOP, "name": "default"}],
    });
    apply(&folder, &[reader]);
    let token = kubectl(&["-n", SHOP, "create", "token", "default"]);
    let kubeconfig = as_account(&folder, token.trim());
    let denied = check_by(Some(&kubeconfig), &["--as", "as-a-pod/web", VAULT.host]);
    assert_eq!(denied.code, 2, "{denied:?}");
    let words = "you may not patch pods/ephemeralcontainers in namespace as-a-pod";
    assert!(denied.err.contains(words), "{denied:?}");
    let after = kubectl_json(&["-n", SHOP, "get", "pod", "web"])["spec"].clone();
    assert_eq!(before, after);
    remove();
}

/// Removes what [`prepare`] made, and with it the containers of the checks.
pub(crate) fn remove() {
    let delete = ["delete", "namespace", SHOP, "--ignore-not-found"];
    kubectl(&[&delete[..], &["--wait=false"]].concat());
}

/// The caller's kubeconfig with the token of an account in place of its own credentials.
fn as_account(folder: &Path, token: &str) -> String {
    let printed = kubectl(&["config", "view", "--raw", "-o", "json"]);
    let mut config: Value = serde_json::from_str(&printed).expect("JSON");
    for user in config["users"].as_array_mut().expect("users") {
        user["user"] = json!({"token": token});
    }
    let file = folder.join("account.json");
    fs::write(&file, config.to_string()).expect("a file of the run's own");
    file.to_str().expect("a path of plain text").to_owned()
}

#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs `check` as it runs on an engineer's machine.
pub(crate) fn check(arguments: &[&str]) -> Checked {
    check_by(None, arguments)
}

fn check_by(kubeconfig: Option<&str>, arguments: &[&str]) -> Checked {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=5", &CHECK.as_secs().to_string()])
        .arg(env!("CARGO_BIN_EXE_privatelink-prober"))
        .args(["check", "--namespace", NAMESPACE])
        .args(arguments);
    if let Some(kubeconfig) = kubeconfig {
        command.env("KUBECONFIG", kubeconfig);
    }
    let output = command.output().expect("timeout runs");
    Checked {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The namespace, with a fresh pod to check as.
pub(crate) fn prepare(world: &World) {
    let delete = ["delete", "namespace", SHOP, "--ignore-not-found"];
    kubectl(&delete);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SHOP,
        "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    let folder = world.folder("check-as");
    apply(&folder, &[namespace, pod("web", &json!({}))]);
    await_pod("web");
}

/// A DNS server on node-b, which asks the nodes' own for all names, as a pod of node-b.
fn nameserver() -> [Value; 2] {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"namespace": SHOP, "name": "nameserver"},
        "data": {"Corefile": ".:53 {\n  errors\n  forward . 172.29.0.53\n}\n"}});
    let mut nameserver = pod("nameserver", &json!({}));
    let container = &mut nameserver["spec"]["containers"][0];
    container["image"] = json!("localhost/coredns:1");
    container["args"] = json!(["-conf", "/etc/coredns/Corefile"]);
    container["volumeMounts"] = json!([{"name": "map", "mountPath": "/etc/coredns"}]);
    nameserver["spec"]["volumes"] = json!([{"name": "map", "configMap": {"name": "nameserver"}}]);
    // So that it may listen on port 53 without a privilege.
    nameserver["spec"]["securityContext"]["sysctls"] =
        json!([{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]);
    [map, nameserver]
}

/// A pod on node-b that waits, as the restricted level wants it.
fn pod(name: &str, more: &Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": SHOP, "name": name},
        "spec": {
            "nodeName": NODES[1], "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 1000,
                "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "main", "image": "localhost/pause:1", "imagePullPolicy": "Never",
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    });
    for (key, value) in more.as_object().expect("an object") {
        pod["spec"][key] = value.clone();
    }
    pod
}

fn apply(folder: &Path, objects: &[Value]) {
    let file = folder.join("objects.json");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    fs::write(&file, list.to_string()).expect("a file of the run's own");
    let file = file.to_str().expect("a path of plain text");
    // The account of a new namespace comes a moment later.
    eventually(Duration::from_secs(20), || {
        super::command::attempt(SHORT, "kubectl", &["apply", "-f", file])
    });
}

fn await_pod(name: &str) {
    eventually(Duration::from_secs(40), || {
        let pod = kubectl_json(&["-n", SHOP, "get", "pod", name]);
        let ready = pod["status"]["containerStatuses"][0]["ready"].as_bool();
        same(name, &ready, &Some(true))
    });
}

fn pod_address(name: &str) -> Ipv4Addr {
    let pod = kubectl_json(&["-n", SHOP, "get", "pod", name]);
    let address = pod["status"]["podIP"].as_str().unwrap_or_default();
    address.parse().expect("the pod has an address")
}

/// Drops what the pod with the address `from` sends to `to`, in the pod's own network namespace, as a plug-in
/// that enforces an egress policy does.
fn drop_egress(node: &str, from: Ipv4Addr, to: Ipv4Addr) {
    let cluster = std::env::var("CLUSTER_DIR").expect("tests/e2e/run starts this program");
    let script = format!(
        "for ns in $(find {cluster}/nodes/{node}/containerd-state -path '*/netns/*'); do \
           if nsenter --net=$ns ip -4 addr show | grep -q ' {from}/'; then \
             exec nsenter --net=$ns iptables -I OUTPUT -d {to} -j DROP; \
           fi; \
         done; echo no network namespace has {from} >&2; exit 1"
    );
    run(SHORT, "sh", &["-c", &script]);
}
