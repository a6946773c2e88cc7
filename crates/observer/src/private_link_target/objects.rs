//! Objects: the `PrivateLinkTarget`s of the cluster, as the watch says.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kube::runtime::watcher::Event;
use kube::{Api, Client};
use privatelink_discovery::{Key, Resource};

use super::checked::{Declared, WatchedTarget};
use crate::Shared;
use crate::watch::Watched;

/// How many objects are kept. Of each only bounded values are.
const MOST_OBJECTS: usize = 20_000;

/// How many of them one namespace may have, so that no team takes the room of the others.
const MOST_OF_A_NAMESPACE: usize = 1_000;

/// By namespace and name.
type Objects = BTreeMap<String, HashMap<String, Declared>>;

/// The objects. A list that is read again takes the place of what is known of its scope, a namespace or
/// the whole cluster, when it is complete.
#[derive(Debug, Default)]
pub struct TargetObjects {
    present: Objects,
    /// The lists that are being read, by scope.
    next: BTreeMap<String, Objects>,
    /// The scopes that were listed completely at least once.
    complete: BTreeSet<String>,
    /// Objects that there was no room for, since the last list.
    left_out: usize,
}

impl TargetObjects {
    /// Takes what the API server says about `scope`: a namespace, or empty for the whole cluster.
    pub fn take(&mut self, scope: &str, event: Event<WatchedTarget>) {
        match event {
            Event::Init => {
                self.next.insert(scope.to_owned(), Objects::new());
                self.left_out = 0;
            }
            Event::InitApply(object) => {
                let objects = self.next.entry(scope.to_owned()).or_default();
                self.left_out += usize::from(!set(objects, object));
            }
            Event::InitDone => {
                if let Some(next) = self.next.remove(scope) {
                    self.present
                        .retain(|namespace, _| !scope.is_empty() && namespace != scope);
                    self.present.extend(next);
                    self.complete.insert(scope.to_owned());
                }
            }
            Event::Apply(object) => self.left_out += usize::from(!set(&mut self.present, object)),
            Event::Delete(object) => {
                let Key { namespace, name } = Declared::new(object).key;
                if let Some(objects) = self.present.get_mut(&namespace) {
                    objects.remove(&name);
                }
            }
        }
    }

    /// The objects, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Declared> {
        self.present.values().flat_map(HashMap::values)
    }

    /// Whether `scope` was listed completely at least once. Before that it is not known which are missing.
    pub fn is_complete(&self, scope: &str) -> bool {
        self.complete.contains(scope)
    }

    /// How many objects there was no room for.
    pub fn left_out(&self) -> usize {
        self.left_out
    }
}

/// Whether there was room.
fn set(objects: &mut Objects, object: WatchedTarget) -> bool {
    let declared = Declared::new(object);
    let Key { namespace, name } = declared.key.clone();
    let all: usize = objects.values().map(HashMap::len).sum();
    let of_namespace = objects.entry(namespace).or_default();
    let has_room = all < MOST_OBJECTS && of_namespace.len() < MOST_OF_A_NAMESPACE;
    let is_kept = has_room || of_namespace.contains_key(&name);
    if is_kept {
        of_namespace.insert(name, declared);
    }
    is_kept
}

/// The watch of these objects.
pub(crate) struct Declarations;

impl Watched for Declarations {
    type Object = WatchedTarget;

    const RESOURCE: Resource = Resource {
        group: "privatelink-prober.dev",
        versions: &["v1alpha1"],
        kind: "PrivateLinkTarget",
        plural: "privatelinktargets",
        is_namespaced: true,
        is_custom: true,
    };

    fn api(client: Client, namespace: &str, _: &str) -> Api<WatchedTarget> {
        if namespace.is_empty() {
            Api::all(client)
        } else {
            Api::namespaced(client, namespace)
        }
    }

    fn take(shared: &Shared, scope: &str, event: Event<WatchedTarget>) {
        shared.declared().take(scope, event);
    }
}
