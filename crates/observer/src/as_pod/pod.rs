//! Pod: what is read of a pod before a container is added to it, and why none can be.

use std::collections::BTreeMap;

use privatelink_verdict::sanitize::sentence;

use super::comparison::PodNetwork;
use crate::pod::{DnsConfig, NodeObject, PodObject, Variable};

/// The variables by which the check knows the applications' proxy.
pub(super) const PROXY: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"];

/// The annotation of a pod that a kubelet made from a file.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Why no container can be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PodRefusal {
    /// The image has no program for it.
    #[error("it is a Windows pod, and the check runs on Linux alone")]
    Windows,
    /// Its kubelet is none.
    #[error("it runs on a virtual node, which knows no ephemeral containers")]
    VirtualNode,
    /// Nothing can join it.
    #[error("it is {0}, and only a pod that is running can be checked from")]
    NotRunning(String),
    /// It ends.
    #[error("it is being deleted")]
    BeingDeleted,
    /// A file of the node is its source.
    #[error(
        "it is a static pod, which the kubelet makes from a file of its node, and which knows no ephemeral containers"
    )]
    Static,
}

impl PodObject {
    /// Why no container can be added to it, as far as it says so itself.
    pub(super) fn refusal(&self) -> Option<PodRefusal> {
        let selects = |value: &str| {
            let os = self.spec.node_selector.get("kubernetes.io/os");
            os.is_some_and(|os| os == value)
        };
        let is_mirror = |annotations: &BTreeMap<_, _>| annotations.contains_key(MIRROR);
        let phase = self.status.phase.as_deref().unwrap_or("Unknown");
        if self.spec.os.as_ref().is_some_and(|os| os.name == "windows") || selects("windows") {
            Some(PodRefusal::Windows)
        } else if self.metadata.annotations.as_ref().is_some_and(is_mirror) {
            Some(PodRefusal::Static)
        } else if self.metadata.deletion_timestamp.is_some() {
            Some(PodRefusal::BeingDeleted)
        } else if phase != "Running" || self.spec.node_name.is_none() {
            Some(PodRefusal::NotRunning(sentence(phase).to_lowercase()))
        } else {
            None
        }
    }

    /// Its network, as far as the comparison needs it.
    pub(super) fn network(&self) -> PodNetwork {
        let names_servers = |dns: &DnsConfig| !dns.nameservers.is_empty();
        let policy = self.spec.dns_policy.as_deref();
        PodNetwork {
            is_hosts: self.spec.host_network,
            has_own_dns: matches!(policy, Some("None" | "Default"))
                || self.spec.dns_config.as_ref().is_some_and(names_servers)
                || self.spec.host_network && policy != Some("ClusterFirstWithHostNet"),
        }
    }

    /// The proxy of its first container, where it is written in the pod; and the names of variables that come
    /// from elsewhere, a Secret for example, which is not read.
    pub(super) fn proxy(&self) -> (Vec<Variable>, Vec<String>) {
        let variables = self.spec.containers.first().map(|one| one.env.clone());
        let variables = variables.unwrap_or_default().into_iter();
        let (literal, other): (Vec<_>, Vec<_>) = variables
            .filter(|variable| PROXY.contains(&&*variable.name))
            .partition(|variable| variable.value.is_some());
        (literal, other.into_iter().map(|one| one.name).collect())
    }
}

impl NodeObject {
    /// Why no container can be added to a pod of it.
    pub(super) fn refusal(&self) -> Option<PodRefusal> {
        let labels = self.metadata.labels.as_ref()?;
        let is = |key: &str, value: &str| labels.get(key).is_some_and(|label| label == value);
        if is("kubernetes.io/os", "windows") {
            Some(PodRefusal::Windows)
        } else {
            is("type", "virtual-kubelet").then_some(PodRefusal::VirtualNode)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    fn pod(spec: &Value, status: &Value, metadata: &Value) -> PodObject {
        let object = json!({"metadata": metadata, "spec": spec, "status": status});
        from_value(object).expect("a pod")
    }

    fn running(spec: &Value) -> PodObject {
        pod(spec, &json!({"phase": "Running"}), &json!({}))
    }

    #[test]
    fn pods_that_nothing_can_join_are_refused() {
        let on = json!({"nodeName": "a"});
        assert_eq!(running(&on).refusal(), None);
        for windows in [
            json!({"nodeName": "a", "os": {"name": "windows"}}),
            json!({"nodeName": "a", "nodeSelector": {"kubernetes.io/os": "windows"}}),
        ] {
            assert_eq!(running(&windows).refusal(), Some(PodRefusal::Windows));
        }
        let mirror = json!({"annotations": {MIRROR: "hash"}});
        let run = json!({"phase": "Running"});
        assert_eq!(pod(&on, &run, &mirror).refusal(), Some(PodRefusal::Static));
        let deleted = json!({"deletionTimestamp": "2026-11-03T08:00:00Z"});
        assert_eq!(
            pod(&on, &run, &deleted).refusal(),
            Some(PodRefusal::BeingDeleted)
        );
        for phase in ["Pending", "Succeeded", "Failed"] {
            let refusal = pod(&on, &json!({"phase": phase}), &json!({})).refusal();
            assert_eq!(refusal, Some(PodRefusal::NotRunning(phase.to_lowercase())));
        }
    }

    #[test]
    fn a_node_of_windows_or_a_virtual_one_refuses_for_its_pods() {
        let refusal = |labels: Value| {
            let node: NodeObject =
                from_value(json!({"metadata": {"labels": labels}})).expect("a node");
            node.refusal()
        };
        assert_eq!(refusal(json!({"kubernetes.io/os": "linux"})), None);
        assert_eq!(
            refusal(json!({"kubernetes.io/os": "windows"})),
            Some(PodRefusal::Windows)
        );
        assert_eq!(
            refusal(json!({"type": "virtual-kubelet"})),
            Some(PodRefusal::VirtualNode)
        );
    }

    #[test]
    fn only_what_is_written_in_the_pod_is_taken_for_its_proxy() {
        let pod = running(&json!({"containers": [
            {"env": [
                {"name": "PASSWORD", "value": "hunter2"},
                {"name": "NO_PROXY", "value": "10.0.0.0/8"},
                {"name": "HTTPS_PROXY", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "url"}}},
            ]},
            {"env": [{"name": "https_proxy", "value": "http://sidecar"}]},
        ]}));
        let (literal, other) = pod.proxy();
        assert_eq!(
            json!(literal),
            json!([{"name": "NO_PROXY", "value": "10.0.0.0/8"}])
        );
        assert_eq!(other, ["HTTPS_PROXY"]);
    }

    #[test]
    fn a_pod_with_other_nameservers_has_its_own_dns() {
        let own = |spec| running(&spec).network().has_own_dns;
        assert!(own(
            json!({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.4"]}})
        ));
        assert!(own(json!({"dnsPolicy": "Default"})));
        assert!(own(
            json!({"dnsPolicy": "ClusterFirst", "hostNetwork": true})
        ));
        assert!(!own(
            json!({"dnsPolicy": "ClusterFirst", "dnsConfig": {"options": []}})
        ));
    }
}
