//! Release: the chart as installed, and its values.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::cluster::{Agent, NODES, agents};
use super::command::{SHORT, attempt, eventually, kubectl, kubectl_json, run};
use super::zones::{REGISTRY, STORAGE, VAULT};

/// The release and its namespace.
pub(crate) const NAME: &str = "privatelink-prober";
pub(crate) const NAMESPACE: &str = "privatelink";

/// Seconds. The shortest interval that an agent allows itself.
pub(crate) const INTERVAL: u64 = 5;
/// Seconds that a probe, a reload of the DNS and a busy machine add to an interval; less than another.
pub(crate) const SLACK: u64 = 4;
/// Seconds within which the kubelet brings an edited ConfigMap into the pod and the agent reads it.
pub(crate) const RELOAD: u64 = 30;

/// The cache on every node, and the one server for all.
pub(crate) const LOCAL_DNS: &str = "169.254.10.11";
pub(crate) const CENTRAL_DNS: &str = "10.96.0.10";

/// How long pods may take to be replaced, one after the other.
const ROLLOUT: Duration = Duration::from_secs(90);

pub(crate) const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/privatelink-prober");

pub(crate) struct Release {
    folder: PathBuf,
    /// As last installed; nothing before the first time.
    values: Option<Value>,
}

impl Release {
    pub(crate) fn new(folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).expect("a folder of the run's own");
        Self {
            folder,
            values: None,
        }
    }

    /// Installs or upgrades, unless these are the values already, and waits until agents run by them.
    pub(crate) fn ensure(&mut self, values: Value) {
        if self.values.as_ref() != Some(&values) {
            self.upgrade(values);
        }
    }

    /// Installs or upgrades, and waits until the kubelet finds every pod ready.
    pub(crate) fn roll_out(&mut self, values: &Value) {
        let file = self.folder.join("values.json");
        fs::write(&file, values.to_string()).expect("a file of the run's own");
        self.values = None;
        let file = file.to_str().expect("a path of plain text");
        run(
            ROLLOUT,
            "helm",
            &[
                "upgrade",
                "--install",
                NAME,
                CHART,
                "--namespace",
                NAMESPACE,
                "--values",
                file,
                "--wait",
                "--timeout",
                "80s",
            ],
        );
        kubectl(&[
            "-n",
            NAMESPACE,
            "rollout",
            "status",
            "daemonset",
            "--timeout=60s",
        ]);
    }

    /// Installs or upgrades, and waits until the agents run by these values.
    pub(crate) fn upgrade(&mut self, values: Value) {
        let wanted = targets(&values);
        let loaded = Loaded::now();
        self.roll_out(&values);
        // Without a rollout the agents read a changed ConfigMap, as soon as the kubelet brings it.
        let edited = configuration() != loaded.configuration;
        eventually(Duration::from_secs(RELOAD), || {
            let agents = agents();
            if agents.len() < NODES.len() {
                return Err(format!("{} agents", agents.len()));
            }
            for agent in agents {
                let hash = agent.metric("privatelink_config_hash", &[])?;
                if edited && loaded.hashes.get(&agent.uid) == Some(&hash) {
                    return Err(format!("{} has the old configuration", agent.pod));
                }
                let metrics = agent.metrics()?;
                if let Some(line) = wanted.iter().find(|line| !metrics.contains(*line)) {
                    return Err(format!("{} has no {line}", agent.pod));
                }
            }
            Ok(())
        });
        self.values = Some(values);
    }

    /// Forgets what is installed: somebody else has changed it.
    pub(crate) fn forget(&mut self) {
        self.values = None;
    }

    pub(crate) fn is_installed(&self) -> bool {
        self.values.is_some()
    }

    /// Removes everything that the chart made, if it is installed.
    pub(crate) fn uninstall(&mut self) {
        self.values = None;
        run(
            ROLLOUT,
            "helm",
            &[
                "uninstall",
                NAME,
                "--ignore-not-found",
                "--namespace",
                NAMESPACE,
                "--wait",
                "--timeout",
                "60s",
            ],
        );
    }
}

/// What the agents run by.
struct Loaded {
    configuration: Option<String>,
    /// What each agent tells of it, by the pod's UID.
    hashes: BTreeMap<String, f64>,
}

impl Loaded {
    fn now() -> Self {
        let hash = |agent: Agent| {
            Some((
                agent.uid.clone(),
                agent.metric("privatelink_config_hash", &[]).ok()?,
            ))
        };
        Self {
            configuration: configuration(),
            hashes: agents().into_iter().filter_map(hash).collect(),
        }
    }
}

/// Runs helm on the namespace of the release.
pub(crate) fn helm(arguments: &[&str]) -> Result<String, String> {
    let namespace = ["--namespace", NAMESPACE];
    attempt(ROLLOUT, "helm", &[arguments, &namespace].concat())
}

/// Every pod of the release: agents and observers.
pub(crate) fn pods() -> Vec<Value> {
    let label = format!("app.kubernetes.io/instance={NAME}");
    let pods = kubectl_json(&["-n", NAMESPACE, "get", "pods", "-l", &label]);
    pods["items"].as_array().expect("a list").clone()
}

/// The configuration in the chart's ConfigMap, if there is one.
pub(crate) fn configuration() -> Option<String> {
    let map = [
        "-n",
        NAMESPACE,
        "get",
        "configmap",
        NAME,
        "-o",
        "jsonpath={.data.config\\.yaml}",
    ];
    attempt(SHORT, "kubectl", &map).ok()
}

/// A namespace that admits only what needs no privilege, and the root certificates in it.
pub(crate) fn namespace(name: &str, root_pem: &str) {
    kubectl(&["create", "namespace", name]);
    let labels: Vec<String> = ["enforce", "warn", "audit"]
        .map(|mode| format!("pod-security.kubernetes.io/{mode}=restricted"))
        .into();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    kubectl(&[&["label", "namespace", name], labels.as_slice()].concat());
    let literal = format!("--from-literal=ca.pem={root_pem}");
    kubectl(&[
        "-n",
        name,
        "create",
        "configmap",
        "small-azure-root",
        &literal,
    ]);
}

/// The values of most tests: pods ask `cluster_dns`.
pub(crate) fn values(cluster_dns: &str) -> Value {
    // An alert that waits, or goes on, would make a test wait; the rest of the rule is what is tested.
    let mut rules: serde_json::Map<String, Value> = [
        "publicFallback",
        "publicFallbackOnPool",
        "publicFallbackOnNode",
        "privateRecordMissing",
        "dnsFails",
        "timeouts",
        "nameMismatch",
        "certificateExpiring",
        "resolversDisagree",
        "flapping",
        "failing",
        "dnsDown",
        "nodeDnsDown",
        "nodeTimesOut",
        "nodeFails",
        "failingEverywhere",
        "probeStale",
        "proberGone",
        "nodeWithoutProber",
        "proberAbsent",
        "reloadFailed",
        "webReloadFailed",
        "targetsRejected",
    ]
    .map(|rule| (rule.to_owned(), json!({"for": "1s", "keepFiringFor": "0s"})))
    .into_iter()
    .collect();
    rules["timeouts"]["window"] = json!("30s");
    // Reasons count for so long, which must be longer than a scrape.
    rules["failing"]["for"] = json!("3s");
    json!({
        "image": {
            "registry": "localhost",
            "tag": env!("CARGO_PKG_VERSION"),
            "pullPolicy": "Never",
        },
        "clusterDns": cluster_dns,
        "readinessProbe": {"periodSeconds": 1},
        "existingCaConfigMap": "small-azure-root",
        "serviceMonitor": {"enabled": true, "interval": "1s", "scrapeTimeout": "1s"},
        "prometheusRule": {"enabled": true, "runbookUrl": "https://runbooks.example.org/privatelink.md", "rules": rules},
        "grafana": {"createDashboard": true},
        "config": {
            "interval": format!("{INTERVAL}s"),
            "timeout": "4s",
            "targets": [
                {"name": "vault", "host": VAULT.host},
                {"name": "registry", "host": REGISTRY.host, "dataRegions": ["westeurope"]},
                {"name": "storage", "host": STORAGE.host},
            ],
        },
    })
}

/// What the metrics of an agent that runs by `values` hold: its targets.
fn targets(values: &Value) -> Vec<String> {
    values["config"]["targets"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|target| {
            let name = target["name"]
                .as_str()
                .or(target["host"].as_str())
                .unwrap_or_default();
            format!("target=\"{name}\"")
        })
        .collect()
}
