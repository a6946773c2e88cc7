//! Objects: the `PrivateLinkTarget`s of the cluster, as the watch says.

use std::collections::{BTreeMap, HashMap};

use kube::runtime::watcher::Event;
use kube::{Api, Client};
use privatelink_discovery::{Key, Resource};

use super::checked::{Declared, WatchedTarget};
use crate::Shared;
use crate::listed::Listed;
use crate::watch::Watched;

/// How many objects are kept. Of each only bounded values are.
const MOST_OBJECTS: usize = 20_000;

/// How many of them one namespace may have, so that no team takes the room of the others.
const MOST_OF_A_NAMESPACE: usize = 1_000;

/// By namespace and name.
type Objects = BTreeMap<String, HashMap<String, Declared>>;

/// The objects, by the scope of their watch: a namespace, or empty for the whole cluster.
#[derive(Debug, Default)]
pub struct TargetObjects {
    scopes: BTreeMap<String, Listed<Objects>>,
    /// Objects that there was no room for since the last list, as often as they were told.
    left_out: usize,
}

impl TargetObjects {
    /// Takes what the API server says about `scope`.
    pub fn take(&mut self, scope: &str, event: Event<WatchedTarget>) {
        if matches!(event, Event::Init) {
            self.left_out = 0;
        }
        let others = self.scopes.iter().filter(|(other, _)| *other != scope);
        let in_others: usize = others.map(|(_, listed)| count(listed.present())).sum();
        let left_out = &mut self.left_out;
        let set = |objects: &mut Objects, object| {
            *left_out += usize::from(!set(objects, object, in_others));
        };
        let remove = |objects: &mut Objects, object| {
            let Key { namespace, name } = Declared::new(object).key;
            if let Some(objects) = objects.get_mut(&namespace) {
                objects.remove(&name);
            }
        };
        let listed = self.scopes.entry(scope.to_owned()).or_default();
        listed.take(event, set, remove);
    }

    /// The objects, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Declared> {
        let namespaces = self
            .scopes
            .values()
            .flat_map(|listed| listed.present().values());
        namespaces.flat_map(HashMap::values)
    }

    /// Whether `scope` was listed completely at least once. Before that it is not known which are missing.
    pub fn is_complete(&self, scope: &str) -> bool {
        self.scopes.get(scope).is_some_and(Listed::is_complete)
    }

    /// How many objects there was no room for; one that changes counts again until the next list.
    pub fn left_out(&self) -> usize {
        self.left_out
    }
}

fn count(objects: &Objects) -> usize {
    objects.values().map(HashMap::len).sum()
}

/// Whether there was room, beside the objects of other scopes.
fn set(objects: &mut Objects, object: WatchedTarget, in_others: usize) -> bool {
    let declared = Declared::new(object);
    let Key { namespace, name } = declared.key.clone();
    let all = in_others + count(objects);
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

    fn has_room(shared: &Shared) -> bool {
        shared.declared().left_out() == 0
    }

    fn take(shared: &Shared, scope: &str, event: Event<WatchedTarget>) {
        shared.declared().take(scope, event);
    }
}
