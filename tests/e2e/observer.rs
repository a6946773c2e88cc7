//! Observer: finds what the cluster uses, lets teams declare more, and disturbs nothing when it or the API
//! server is away.

mod cluster_dns;
pub(crate) mod leader;
mod rights;
mod secrets;
mod targets;

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::cluster::Agent;
use super::command::{eventually, kubectl, kubectl_json};
use super::harness::Test;
use super::http::get;
use super::release::{self, INTERVAL, LOCAL_DNS, NAMESPACE};
use super::world::World;

pub(crate) const TESTS: &[Test] = &[
    (
        "each feature and source of the observer gives its account exactly the rights that it needs",
        rights::rights,
    ),
    (
        "without a list of targets every agent probes what the cluster uses within two minutes",
        targets::found,
    ),
    (
        "what nothing uses any more stays for a while, and then goes",
        targets::gone,
    ),
    (
        "a team declares a target, and an object that is refused says why",
        targets::declared,
    ),
    (
        "two candidates race for an expired lease 200 times, and never do both write",
        leader::races,
    ),
    (
        "a right that is withdrawn leaves the other sources alone, and is noticed when it is given back",
        rights::right_withdrawn,
    ),
    (
        "while the API server is away agents probe as before and no second replica leads",
        leader::api_server_away,
    ),
    (
        "when the leader is killed the other replica writes within 20 s",
        leader::leader_killed,
    ),
    (
        "without a look-up by Helm the observer hands the address of the cluster's DNS to the agents",
        cluster_dns::learned,
    ),
    (
        "nothing secret in the cluster's objects reaches a log, a page, a metric, an event or the ConfigMap",
        secrets::no_secret,
    ),
];

/// How long a target stays here after its last user: not an hour.
const LINGER: Duration = Duration::from_secs(40);

/// From a write of the observer until agents have it: the kubelet's period, and a reload.
const DELIVERY: Duration = Duration::from_secs(90);

/// What the chart calls the observer's objects.
const OBSERVER: &str = "privatelink-prober-observer";
const TARGETS: &str = "privatelink-prober-targets";

const SHOP: &str = "shop";

/// The hosts that the objects of [`workloads`] use.
const USED: [&str; 5] = [
    "running.azurecr.io",
    "nightly.azurecr.io",
    "kv-shop.vault.azure.net",
    "stshop.file.core.windows.net",
    "aks-shop-1a2b3c.privatelink.westeurope.azmk8s.io",
];

/// A release without a list of targets.
fn install(world: &mut World, observer: &Value) {
    world.azure.link_all();
    let mut values = release::values(LOCAL_DNS);
    values["config"] = json!({"interval": format!("{INTERVAL}s"), "timeout": "4s"});
    let linger = format!("--linger={}s", LINGER.as_secs());
    values["observer"] = observer.clone();
    values["observer"]["extraArgs"] = json!([linger, "--log-level=debug"]);
    world.release.ensure(values);
}

/// One replica's pod.
#[derive(Clone, Debug)]
pub(crate) struct Replica {
    pub(crate) pod: String,
    pub(crate) address: SocketAddr,
}

impl Replica {
    fn metrics(&self) -> Result<String, String> {
        match get(self.address, "/metrics")? {
            (200, text) => Ok(text),
            (status, text) => Err(format!("{}: {status} {text}", self.pod)),
        }
    }

    pub(crate) fn leads(&self) -> Result<bool, String> {
        Ok(self
            .metrics()?
            .lines()
            .any(|line| line.starts_with("privatelink_observer_leading{") && line.ends_with(" 1")))
    }

    /// The state of a source.
    fn state(&self, source: &str) -> Result<String, String> {
        let metrics = self.metrics()?;
        let start = format!("privatelink_observer_source_state{{source=\"{source}\",state=\"");
        let states = metrics.lines().filter(|line| line.ends_with(" 1"));
        let mut states = states.filter_map(|line| line.strip_prefix(&start)?.split('"').next());
        let state = states
            .next()
            .ok_or_else(|| format!("no state of {source}"))?;
        Ok(state.to_owned())
    }
}

/// The replicas that run.
pub(crate) fn replicas() -> Vec<Replica> {
    let component = "app.kubernetes.io/component=observer";
    let pods = kubectl_json(&["-n", NAMESPACE, "get", "pods", "-l", component]);
    let pods = pods["items"].as_array().expect("a list").iter();
    let alive = pods.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    alive
        .filter_map(|pod| {
            let ip: IpAddr = pod["status"]["podIP"].as_str()?.parse().ok()?;
            Some(Replica {
                pod: pod["metadata"]["name"].as_str()?.to_owned(),
                address: SocketAddr::new(ip, 9797),
            })
        })
        .collect()
}

/// The replica that leads, and the other one.
pub(crate) fn leader_and_other() -> (Replica, Replica) {
    let find = || {
        let replicas = replicas();
        let [one, other] = &replicas[..] else {
            return Err(format!("{replicas:?}"));
        };
        match (one.leads()?, other.leads()?) {
            (true, false) => Ok((one.clone(), other.clone())),
            (false, true) => Ok((other.clone(), one.clone())),
            leads => Err(format!("{leads:?} lead")),
        }
    };
    eventually(Duration::from_secs(40), find).0
}

/// The file that agents read, as it is published.
pub(crate) fn published() -> String {
    let map = ["-n", NAMESPACE, "get", "configmap", TARGETS];
    let map = kubectl_json(&map);
    map["data"]["targets.yaml"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// Applies objects; `folder` is the test's own.
pub(crate) fn apply(folder: &Path, objects: &[Value]) {
    let file = folder.join("objects.json");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    fs::write(&file, list.to_string()).expect("a file of the run's own");
    kubectl(&["apply", "-f", file.to_str().expect("a path of plain text")]);
}

pub(crate) fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

pub(crate) fn pod_spec(image: &str) -> Value {
    json!({"containers": [{"name": "main", "image": image, "imagePullPolicy": "Never"}],
           "terminationGracePeriodSeconds": 1})
}

fn deployment(name: &str, replicas: u32, spec: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"namespace": SHOP, "name": name},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": spec},
        },
    })
}

/// Objects that use each host of [`USED`] in a way of its own.
fn workloads() -> Vec<Value> {
    let mut running = pod_spec("running.azurecr.io/web:1");
    running["nodeName"] = json!("node-a");
    let mut mounts = pod_spec("localhost/pause:1");
    mounts["volumes"] = json!([{"name": "secrets", "csi": {
        "driver": "secrets-store.csi.k8s.io", "readOnly": true,
        "volumeAttributes": {"secretProviderClass": "vault"},
    }}]);
    let mut system = pod_spec("localhost/pause:1");
    system["containers"][0]["env"] = json!([{"name": "KUBERNETES_SERVICE_HOST", "value": USED[4]}]);
    let mut system = deployment("konnectivity", 0, &system);
    system["metadata"]["namespace"] = json!("kube-system");
    vec![
        namespace(SHOP),
        deployment("web", 1, &running),
        json!({
            "apiVersion": "batch/v1", "kind": "CronJob",
            "metadata": {"namespace": SHOP, "name": "nightly"},
            "spec": {"schedule": "0 3 1 1 *", "jobTemplate": {"spec": {"template": {"spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "main", "image": "nightly.azurecr.io/report@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}],
            }}}}},
        }),
        json!({
            "apiVersion": "secrets-store.csi.x-k8s.io/v1", "kind": "SecretProviderClass",
            "metadata": {"namespace": SHOP, "name": "vault"},
            "spec": {"provider": "azure", "parameters": {"keyvaultName": "kv-shop"}},
        }),
        deployment("mounts", 0, &mounts),
        json!({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "share"},
            "spec": {
                "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"],
                "csi": {"driver": "file.csi.azure.com", "volumeHandle": "mc_shop#stshop#share###"},
            },
        }),
        system,
    ]
}

/// Whether `agent` has probed the target called `host`; its users.
fn probed(agent: &Agent, host: &str) -> Result<Value, String> {
    let target = agent.target(host)?;
    if target["checkedAt"].is_null() {
        return Err(format!("{} has not probed {host}", agent.pod));
    }
    Ok(target["users"].clone())
}
