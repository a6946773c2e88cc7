//! `PrivateLinkTarget`: the object with which a team declares a target in its own namespace.
//!
//! The doc comments of the fields become the descriptions of the CRD: `kubectl explain` shows them. A key
//! means what the same key of a configured target means (`crates/config/src/raw.rs`).
//!
//! A person who may create these objects may not administer the cluster. So the keys with which one could
//! make every node dial other addresses (`classify`), take another path (`resolver`) or change the verdict
//! of another target (`sameService`) are missing, and [`admission`] decides over the rest.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies its structs into a function"
)]

pub mod admission;
pub mod checked;
mod crd;
pub mod health;
pub mod objects;
pub mod reason;
pub mod status;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

pub use crd::crd_yaml;

/// What a team declares: one host and port to probe from every node, with an expectation.
#[derive(
    CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq,
)]
#[kube(
    group = "privatelink-prober.dev",
    version = "v1alpha1",
    kind = "PrivateLinkTarget",
    plural = "privatelinktargets",
    shortname = "plt",
    category = "privatelink",
    namespaced,
    status = "PrivateLinkTargetStatus",
    doc = "A private service that every node probes: does its name still resolve to the private endpoint, \
           does it answer, and does it present the right certificate? The target is called NAMESPACE:NAME \
           in metrics, alerts and reports. The condition Accepted says whether it is probed, and if not, \
           what to change; the condition Healthy says whether it is well on every node.",
    printcolumn(name = "Host", type_ = "string", json_path = ".spec.host"),
    printcolumn(
        name = "Expect",
        type_ = "string",
        json_path = ".spec.expect",
        priority = 1
    ),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Accepted\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Accepted\")].reason"
    ),
    printcolumn(
        name = "Healthy",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Healthy\")].status"
    ),
    printcolumn(
        name = "Failing",
        type_ = "integer",
        json_path = ".status.nodes.failing"
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Accepted\")].message",
        priority = 1
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    selectable = ".spec.host",
    validation = Rule::new("size(self.metadata.name) <= 63")
        .message("the name has more than 63 characters; with the namespace it becomes a metric label")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrivateLinkTargetSpec {
    /// The DNS name that applications use: the public name of the service (kv-prod.vault.azure.net), not
    /// the name of its privatelink zone. Azure's services are allowed; the operator may allow other hosts
    /// (allowedHosts). An address, a wildcard or a name of the cluster itself is never probed.
    #[schemars(schema_with = "crd::host")]
    pub host: String,
    /// The TCP port. Default: the usual one of the service, else 443. Of an Azure service, only the ports
    /// that it has are allowed.
    #[schemars(range(min = 1, max = 65535))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
    /// The protocol that starts the connection. Default: that of the service, else tls. tcp connects only,
    /// and checks no certificate. MySQL is judged on DNS alone, so nothing can be written here for it: the
    /// server counts each probe as a failed connection, and in the end blocks the node.
    #[schemars(schema_with = "crd::protocol")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// What the address should be. privateEndpoint: every address is private. serviceEndpoint: the address
    /// stays public, and the service must let us in. public: any address. auto: privateEndpoint as soon as
    /// an address is or was private, else public. Default: what the operator set, usually privateEndpoint.
    #[schemars(schema_with = "crd::expect")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
    /// The networks that hold the private endpoint, such as 10.1.2.0/24. They replace those of the
    /// operator. Addresses in a reserved or denied network are not dialled all the same.
    #[schemars(length(max = 16), inner(length(max = 49), regex(pattern = crd::CIDR)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_cidrs: Option<Vec<String>>,
    /// The address families that are asked for. Default: what the operator set, usually both.
    #[schemars(schema_with = "crd::families")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_families: Option<Vec<String>>,
    /// Time between the starts of two probes, from 1s to 24h, such as 5m. One that is shorter than the
    /// operator's is lengthened to it. Default: the operator's.
    #[schemars(length(min = 2, max = 16), regex(pattern = crd::DURATION))]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1s') && duration(self) <= duration('24h')")
        .message("the interval is not between 1s and 24h"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// Budget of one probe, from 2s to 10m. One that is longer than the operator's is shortened to it.
    /// Default: the operator's.
    #[schemars(length(min = 2, max = 16), regex(pattern = crd::DURATION))]
    #[x_kube(validation = Rule::new("duration(self) >= duration('2s') && duration(self) <= duration('10m')")
        .message("the timeout is not between 2s and 10m"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// The name that the certificate must cover. Default: the host.
    #[schemars(schema_with = "crd::name")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Whether the service itself is asked for evidence: one request every 10 minutes, without credentials.
    /// Default: true for container registries, Key Vault and Storage at port 443.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<bool>,
    /// Regions of a container registry, such as westeurope: the data endpoint of each is a target too,
    /// called NAMESPACE:NAME:data:REGION.
    #[schemars(
        length(max = 16),
        inner(length(max = 40), regex(pattern = "^[A-Za-z0-9]+$"))
    )]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_regions: Option<Vec<String>>,
    /// The private DNS zone of a service that is not Azure's.
    #[schemars(schema_with = "crd::name")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_zone: Option<String>,
    /// Who owns the target: a label of `privatelink_target_info`, for routing alerts. Anybody who
    /// may create this object can write any team here; the target's name begins with the namespace.
    #[schemars(length(min = 1, max = 128), regex(pattern = "[^ ]"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// What the observer says of the object.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PrivateLinkTargetStatus {
    /// The generation of the spec that the conditions are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Accepted: whether the target is probed. If it is False, the reason is one of a closed set, and the
    /// message says what to change. Healthy: whether it fails on no node. If it is False, the reason is that
    /// of most nodes; Unknown says that no node has judged it.
    #[schemars(schema_with = "crd::conditions")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<Condition>>,
    /// How the target stands on the nodes, counted. A node counts once, also for a registry with data
    /// endpoints: as the worst of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<NodesStatus>,
    /// Why it does not pass, and on how many nodes: failures first, then the commonest.
    #[schemars(schema_with = "crd::reasons")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasons: Option<Vec<ReasonStatus>>,
    /// Some of the nodes with the first of these reasons.
    #[schemars(schema_with = "crd::sample_nodes")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_nodes: Option<Vec<String>>,
    /// What failing nodes have in common, and the likely cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<PatternStatus>,
}

/// The nodes of the cluster, by how a target stands on them.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NodesStatus {
    /// Nodes on which it passes.
    #[schemars(range(min = 0))]
    pub passing: i64,
    /// Nodes on which it warns.
    #[schemars(range(min = 0))]
    pub warning: i64,
    /// Nodes on which it fails, as two probes in a row said.
    #[schemars(range(min = 0))]
    pub failing: i64,
    /// Nodes of which it is not known: no agent answers there, it was not probed lately, or one probe alone
    /// has failed.
    #[schemars(range(min = 0))]
    pub unknown: i64,
}

/// Why a target does not pass on some nodes.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReasonStatus {
    /// The reason, which the runbook explains.
    pub reason: String,
    /// What it makes of the target: fail or warn.
    pub outcome: String,
    /// On how many nodes.
    pub nodes: i64,
}

/// What failing nodes have in common.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PatternStatus {
    /// Which nodes it is.
    #[schemars(length(max = 1024))]
    pub place: String,
    /// The likely cause, in one word of a closed set.
    #[schemars(length(max = 64))]
    pub cause: String,
    /// The same in a sentence.
    #[schemars(length(max = 1024))]
    pub meaning: String,
    /// What to do about it.
    #[schemars(length(max = 1024))]
    pub remedy: String,
    /// How sure the cause is: high, medium or low.
    #[schemars(length(max = 16))]
    pub confidence: String,
}
