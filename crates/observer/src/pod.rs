//! Pod: a pod, and a node, as the API server sends them, as far as anything here reads them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Resource;
use kube::api::{Log, ObjectMeta};
use serde::{Deserialize, Serialize};

/// The label that tells agents and observers apart.
pub(crate) const COMPONENT: &str = "app.kubernetes.io/component";

/// The port of an agent whose pod does not name one.
const PORT: u16 = 9797;

/// The names of that port, in an agent's pod and in the observer's.
const PORT_NAMES: [&str; 2] = ["metrics", "http"];

/// A pod as the API server sends it.
#[derive(Resource, Clone, Debug, Default, Deserialize)]
#[resource(inherit = "Pod")]
pub(crate) struct PodObject {
    pub(crate) metadata: ObjectMeta,
    #[serde(default)]
    pub(crate) spec: Spec,
    #[serde(default)]
    pub(crate) status: Status,
}

/// A node as the API server sends it.
#[derive(Resource, Clone, Debug, Default, Deserialize)]
#[resource(inherit = "Node")]
pub(crate) struct NodeObject {
    pub(crate) metadata: ObjectMeta,
    #[serde(default)]
    pub(crate) status: NodeStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NodeStatus {
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Spec {
    pub(crate) node_name: Option<String>,
    pub(crate) host_network: bool,
    pub(crate) dns_policy: Option<String>,
    pub(crate) dns_config: Option<DnsConfig>,
    pub(crate) os: Option<Os>,
    pub(crate) node_selector: BTreeMap<String, String>,
    pub(crate) containers: Vec<Container>,
    pub(crate) security_context: SecurityContext,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DnsConfig {
    pub(crate) nameservers: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Os {
    pub(crate) name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) image_pull_policy: Option<String>,
    pub(crate) ports: Vec<Port>,
    pub(crate) env: Vec<Variable>,
    pub(crate) security_context: SecurityContext,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Port {
    pub(crate) name: Option<String>,
    pub(crate) container_port: u16,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SecurityContext {
    pub(crate) run_as_user: Option<i64>,
}

/// A variable that is written in the pod; what comes from elsewhere has no value here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Variable {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Status {
    #[serde(rename = "podIP")]
    pub(crate) pod_ip: Option<String>,
    pub(crate) phase: Option<String>,
    conditions: Vec<Condition>,
    pub(crate) ephemeral_container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Condition {
    r#type: String,
    status: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ContainerStatus {
    pub(crate) name: String,
    pub(crate) state: State,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    pub(crate) waiting: Option<Why>,
    pub(crate) running: Option<serde_json::Value>,
    pub(crate) terminated: Option<Why>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Why {
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) exit_code: i32,
}

impl Log for PodObject {}

impl PodObject {
    pub(crate) fn is_ready(&self) -> bool {
        are_ready(&self.status.conditions)
    }

    pub(crate) fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }
}

impl NodeObject {
    pub(crate) fn is_ready(&self) -> bool {
        are_ready(&self.status.conditions)
    }
}

impl Container {
    /// The port at which an agent or an observer serves; `None` where the container names none.
    pub(crate) fn named_port(&self) -> Option<u16> {
        let is_ours = |port: &&Port| {
            let name = port.name.as_deref();
            name.is_some_and(|name| PORT_NAMES.contains(&name))
        };
        let port = self.ports.iter().find(is_ours)?;
        Some(port.container_port)
    }

    /// The same, or the usual one.
    pub(crate) fn port(&self) -> u16 {
        self.named_port().unwrap_or(PORT)
    }
}

fn are_ready(conditions: &[Condition]) -> bool {
    let mut conditions = conditions.iter();
    conditions.any(|condition| condition.r#type == "Ready" && condition.status == "True")
}
