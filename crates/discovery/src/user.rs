//! User: who uses a service. For pods it is the controller that makes them, so that a Deployment of 30
//! replicas counts once, and a workload that has no pod at the moment still counts.

use std::fmt;

use privatelink_verdict::sanitize::from_wire;

use crate::metadata::{HASH_LABELS, Metadata};

/// The kind of a Job, whose own controller the index looks up.
pub(crate) const JOB: &str = "Job";

/// Who uses a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct User {
    /// Its namespace; empty for objects of the whole cluster.
    pub namespace: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl User {
    /// An object of this kind.
    pub(crate) fn itself(kind: &str, metadata: &Metadata) -> Self {
        Self::new(&metadata.namespace, kind, &metadata.name)
    }

    /// The controller of an object of this kind, or else the object itself. A `ReplicaSet` whose name ends
    /// in the hash of its template is its Deployment's.
    pub(crate) fn maker(kind: &str, metadata: &Metadata) -> Self {
        let Some(owner) = metadata.owners.iter().find(|owner| owner.is_controller) else {
            return Self::itself(kind, metadata);
        };
        if owner.kind == "ReplicaSet" {
            for ((_, maker), hash) in HASH_LABELS.iter().zip(&metadata.hashes.0) {
                let name = owner.name.strip_suffix(hash.as_str());
                let name = name.and_then(|name| name.strip_suffix('-'));
                if let Some(name) = name.filter(|name| !hash.is_empty() && !name.is_empty()) {
                    return Self::new(&metadata.namespace, maker, name);
                }
            }
        }
        Self::new(&metadata.namespace, &owner.kind, &owner.name)
    }

    fn new(namespace: &str, kind: &str, name: &str) -> Self {
        let bounded = |text: &str| from_wire(text).into_owned();
        Self {
            namespace: bounded(namespace),
            kind: bounded(kind),
            name: bounded(name),
        }
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, &self.namespace, &self.kind, &self.name)
    }
}

/// `Deployment payments/api`.
pub(crate) fn write(
    f: &mut fmt::Formatter<'_>,
    namespace: &str,
    kind: &str,
    name: &str,
) -> fmt::Result {
    let (namespace, name) = (from_wire(namespace), from_wire(name));
    if namespace.is_empty() {
        write!(f, "{kind} {name}")
    } else {
        write!(f, "{kind} {namespace}/{name}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn user(metadata: Value) -> String {
        let metadata = serde_json::from_value(metadata).expect("metadata");
        User::maker("Pod", &metadata).to_string()
    }

    #[test]
    fn a_pod_counts_for_the_controller_that_makes_it() {
        let pod = |labels: Value, kind: &str, name: &str| {
            user(json!({
                "namespace": "payments", "name": "api-1", "labels": labels,
                "ownerReferences": [
                    {"kind": "ConfigMap", "name": "other"},
                    {"kind": kind, "name": name, "controller": true},
                ],
            }))
        };
        let hash = json!({"pod-template-hash": "7d4b9c"});
        assert_eq!(
            pod(hash.clone(), "ReplicaSet", "api-7d4b9c"),
            "Deployment payments/api"
        );
        let rollout = json!({"rollouts-pod-template-hash": "7d4b9c"});
        assert_eq!(
            pod(rollout, "ReplicaSet", "api-7d4b9c"),
            "Rollout payments/api"
        );
        assert_eq!(
            pod(hash.clone(), "ReplicaSet", "api-other"),
            "ReplicaSet payments/api-other"
        );
        assert_eq!(
            pod(hash.clone(), "ReplicaSet", "-7d4b9c"),
            "ReplicaSet payments/-7d4b9c"
        );
        assert_eq!(
            pod(json!({}), "ReplicaSet", "api-7d4b9c"),
            "ReplicaSet payments/api-7d4b9c"
        );
        assert_eq!(pod(hash, "StatefulSet", "db"), "StatefulSet payments/db");
        assert_eq!(
            user(json!({"namespace": "payments", "name": "alone"})),
            "Pod payments/alone"
        );
    }

    #[test]
    fn a_name_from_the_cluster_is_safe_to_show() {
        let shown =
            user(json!({"namespace": "a", "name": format!("x\u{1b}[31m{}", "y".repeat(9999))}));
        assert!(shown.len() < 300 && !shown.contains('\u{1b}'), "{shown}");
    }
}
