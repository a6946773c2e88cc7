//! Metadata: what of an object's metadata discovery reads.

use serde::de::{IgnoredAny, MapAccess};

use crate::lenient::{KeyOf, Lenient, Read, record};

/// The annotation with which people name hosts: `a.vault.azure.net, b.database.windows.net:1433`.
pub const HOSTS_ANNOTATION: &str = "privatelink-prober.dev/hosts";

/// The labels with the hash that ends the name of a `ReplicaSet`, and the kind that made it: the
/// Deployment controller's, and that of Argo Rollouts.
pub const HASH_LABELS: [(&str, &str); 2] = [
    ("pod-template-hash", "Deployment"),
    ("rollouts-pod-template-hash", "Rollout"),
];

record! {
    /// What of an object's metadata discovery reads.
    pub Metadata {
        /// Empty for objects of the whole cluster.
        namespace: String = "namespace",
        /// The name.
        name: String = "name",
        /// The state of the API server that this is the object of; a watch goes on from it.
        resource_version: String = "resourceVersion",
        /// Its labels.
        hashes: Hashes = "labels",
        /// Its annotations.
        hosts: HostsAnnotation = "annotations",
        /// Its owners.
        owners: Vec<Owner> = "ownerReferences",
    }
}

record! {
    /// An owner of an object.
    pub Owner {
        /// The kind.
        kind: String = "kind",
        /// The name, in the namespace of the object.
        name: String = "name",
        /// Whether it manages the object; at most one owner does.
        is_controller: bool = "controller",
    }
}

/// The values of [`HASH_LABELS`]; empty where the object has no such label.
#[derive(Clone, Debug, Default)]
pub struct Hashes(pub [String; HASH_LABELS.len()]);

impl Lenient for Hashes {
    fn from_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        const KEYS: &[&str] = &[HASH_LABELS[0].0, HASH_LABELS[1].0];
        let mut hashes = Self::default();
        while let Some(key) = map.next_key_seed(KeyOf(KEYS))? {
            match KEYS.iter().position(|known| Some(*known) == key) {
                Some(index) => hashes.0[index] = map.next_value::<Read<String>>()?.0,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(hashes)
    }
}

/// The value of [`HOSTS_ANNOTATION`]; empty without it.
#[derive(Clone, Debug, Default)]
pub struct HostsAnnotation(pub String);

impl Lenient for HostsAnnotation {
    fn from_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut hosts = Self::default();
        while let Some(key) = map.next_key_seed(KeyOf(&[HOSTS_ANNOTATION]))? {
            if key.is_some() {
                hosts.0 = map.next_value::<Read<String>>()?.0;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(hosts)
    }
}
