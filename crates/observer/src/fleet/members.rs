//! Members: the nodes of the cluster, and the pods of this release on them, as the API server says: the
//! agents, and the replicas of the observer.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::ObjectMeta;
use kube::runtime::watcher::{Config, Event};
use kube::{Api, Client};
use privatelink_discovery::Resource as ServedAs;
use privatelink_fleet::{Coverage, Moment, Node as Member, Traits, WhyUncovered};

use crate::Shared;
use crate::listed::Listed;
use crate::pod::{COMPONENT, NodeObject, PodObject};
use crate::watch::Watched;

/// Labels of a node that say to which pool it belongs: of AKS, of older AKS, of node auto-provisioning.
const POOL: [&str; 3] = [
    "kubernetes.azure.com/agentpool",
    "agentpool",
    "karpenter.sh/nodepool",
];

/// What is kept of a node.
#[derive(Clone, Debug, PartialEq)]
struct NodeFacts {
    uid: String,
    traits: Traits,
    joined: Option<Moment>,
    /// Why it can have no agent now.
    without_agent: Option<WhyUncovered>,
}

/// What is kept of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ReleasePod {
    Agent(AgentPod),
    /// A replica of the observer, and where it serves.
    Observer(SocketAddr),
}

/// What is kept of an agent's pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AgentPod {
    pub(crate) name: String,
    /// Distinguishes it from one that takes its place.
    pub(crate) uid: String,
    /// Where it serves its summary.
    pub(crate) at: SocketAddr,
    node: Arc<str>,
    is_ready: bool,
    started: Option<Moment>,
}

/// What is kept of each object of one kind, by its name.
type ByName<T> = BTreeMap<String, T>;

/// The nodes and the agents.
#[derive(Debug, Default)]
pub(crate) struct Members {
    nodes: Listed<ByName<NodeFacts>>,
    pods: Listed<ByName<Option<ReleasePod>>>,
}

impl Members {
    /// Those of two lists; the nodes are `None` where they may not be listed.
    pub(crate) fn listed(nodes: Option<Vec<NodeObject>>, pods: Vec<PodObject>) -> Self {
        let mut members = Self::default();
        if let Some(nodes) = nodes {
            members.nodes = Listed::of(nodes.into_iter().map(node_facts).collect());
        }
        members.pods = Listed::of(pods.into_iter().map(release_pod).collect());
        members
    }

    /// Takes what the API server says of a node.
    fn take_node(&mut self, event: Event<NodeObject>) {
        take(&mut self.nodes, event, node_facts);
    }

    /// Takes what it says of a pod of the release.
    fn take_pod(&mut self, event: Event<PodObject>) {
        take(&mut self.pods, event, release_pod);
    }

    /// Whether the agents are known, and the nodes if they are listed. Without the right to list nodes there
    /// are those that run an agent.
    pub(crate) fn is_known(&self, with_nodes: bool) -> bool {
        self.pods.is_complete() && (self.nodes.is_complete() || !with_nodes)
    }

    /// Whether the nodes are known.
    pub(crate) fn has_nodes(&self) -> bool {
        self.nodes.is_complete()
    }

    /// The UID of the node called `name`, where nodes are known.
    pub(crate) fn uid(&self, name: &str) -> Option<&str> {
        Some(&self.nodes.present().get(name)?.uid)
    }

    /// Whether a replica of the observer runs.
    pub(crate) fn has_observer(&self) -> bool {
        let mut pods = self.pods.present().values().flatten();
        pods.any(|pod| matches!(pod, ReleasePod::Observer(_)))
    }

    /// Where the replica of the observer whose pod is called `name` serves.
    pub(crate) fn observer(&self, name: &str) -> Option<SocketAddr> {
        match self.pods.present().get(name)? {
            Some(ReleasePod::Observer(at)) => Some(*at),
            _ => None,
        }
    }

    /// The pod that covers each node: of several the ready one, and of those the youngest, since it takes
    /// the place of the other.
    pub(crate) fn agents(&self) -> HashMap<Arc<str>, AgentPod> {
        let mut agents: HashMap<Arc<str>, AgentPod> = HashMap::new();
        for pod in self.pods.present().values() {
            let Some(ReleasePod::Agent(pod)) = pod else {
                continue;
            };
            let rank = |pod: &AgentPod| (pod.is_ready, pod.started);
            let known = agents.get(&pod.node);
            if known.is_none_or(|known| rank(known) < rank(pod)) {
                agents.insert(Arc::clone(&pod.node), pod.clone());
            }
        }
        agents
    }

    /// Every node, as far as it can be known without asking its agent.
    pub(crate) fn nodes(&self, agents: &HashMap<Arc<str>, AgentPod>) -> Vec<Member> {
        let coverage = |name: &str, without_agent: Option<WhyUncovered>| match agents.get(name) {
            Some(agent) if agent.is_ready => Coverage::Covered,
            Some(_) => Coverage::Uncovered(without_agent.unwrap_or(WhyUncovered::AgentNotReady)),
            None => Coverage::Uncovered(without_agent.unwrap_or(WhyUncovered::NoAgent)),
        };
        if !self.nodes.is_complete() {
            let nodes = agents.keys().map(|name| Member {
                name: Arc::clone(name),
                traits: Traits::default(),
                joined: None,
                coverage: coverage(name, None),
            });
            return nodes.collect();
        }
        let nodes = self.nodes.present().iter();
        let nodes = nodes.map(|(name, facts)| Member {
            name: name.as_str().into(),
            traits: facts.traits.clone(),
            joined: facts.joined,
            coverage: coverage(name, facts.without_agent),
        });
        nodes.collect()
    }
}

fn take<O, T>(listed: &mut Listed<ByName<T>>, event: Event<O>, read: impl Fn(O) -> (String, T)) {
    let set = |known: &mut ByName<T>, object| {
        let (name, kept) = read(object);
        known.insert(name, kept);
    };
    let remove = |known: &mut ByName<T>, object| {
        known.remove(&read(object).0);
    };
    listed.take(event, set, remove);
}

/// A value of bounded length from a label; labels have no other characters than names.
fn label(metadata: &ObjectMeta, keys: &[&str]) -> Option<Arc<str>> {
    let labels = metadata.labels.as_ref()?;
    let value = keys.iter().find_map(|key| labels.get(*key))?;
    (!value.is_empty() && value.len() <= 63).then(|| value.as_str().into())
}

fn moment(time: Option<&Time>) -> Option<Moment> {
    u32::try_from(time?.0.as_second()).ok().map(Moment)
}

fn node_facts(node: NodeObject) -> (String, NodeFacts) {
    let metadata = &node.metadata;
    let is = |key, value: &str| label(metadata, &[key]).is_some_and(|label| &*label == value);
    let without_agent = if is("kubernetes.io/os", "windows") {
        Some(WhyUncovered::Windows)
    } else if is("type", "virtual-kubelet") {
        Some(WhyUncovered::Virtual)
    } else {
        (!node.is_ready()).then_some(WhyUncovered::NodeNotReady)
    };
    // Outside of zones Azure says zone 0.
    let zone = label(metadata, &["topology.kubernetes.io/zone"]);
    let facts = NodeFacts {
        uid: metadata.uid.clone().unwrap_or_default(),
        traits: Traits {
            pool: label(metadata, &POOL),
            zone: zone.filter(|zone| &**zone != "0"),
            region: label(metadata, &["topology.kubernetes.io/region"]),
            instance_type: label(metadata, &["node.kubernetes.io/instance-type"]),
            subnet: label(metadata, &["kubernetes.azure.com/network-subnet"]),
            image: label(metadata, &["kubernetes.azure.com/node-image-version"]),
        },
        joined: moment(metadata.creation_timestamp.as_ref()),
        without_agent,
    };
    (node.metadata.name.unwrap_or_default(), facts)
}

/// `None` for a pod that is neither an agent nor an observer, has no node or no address yet, or is being
/// deleted.
fn release_pod(pod: PodObject) -> (String, Option<ReleasePod>) {
    let kept = kept(&pod).filter(|_| pod.metadata.deletion_timestamp.is_none());
    (pod.metadata.name.unwrap_or_default(), kept)
}

fn kept(pod: &PodObject) -> Option<ReleasePod> {
    let PodObject {
        metadata,
        spec,
        status,
    } = pod;
    let containers = &spec.containers;
    let named = containers.iter().find(|one| one.named_port().is_some());
    let port = named.or(containers.first())?.port();
    let ip: IpAddr = status.pod_ip.as_deref()?.parse().ok()?;
    let at = SocketAddr::new(ip, port);
    match label(metadata, &[COMPONENT])?.as_ref() {
        "agent" => Some(ReleasePod::Agent(AgentPod {
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
            at,
            node: spec.node_name.as_deref()?.into(),
            is_ready: pod.is_ready(),
            started: moment(metadata.creation_timestamp.as_ref()),
        })),
        "observer" => Some(ReleasePod::Observer(at)),
        _ => None,
    }
}

/// The watch of the nodes.
pub(crate) struct Nodes;

impl Watched for Nodes {
    type Object = NodeObject;

    const RESOURCE: ServedAs = ServedAs {
        group: "",
        versions: &["v1"],
        kind: "Node",
        plural: "nodes",
        is_namespaced: false,
        is_custom: false,
    };

    fn api(client: Client, _: &str, _: &str) -> Api<NodeObject> {
        Api::all(client)
    }

    fn take(shared: &Shared, _: &str, event: Event<NodeObject>) {
        shared.members().take_node(event);
    }
}

/// The watch of this release's pods, in the namespace of the observer.
pub(crate) struct ReleasePods;

impl Watched for ReleasePods {
    type Object = PodObject;

    const NAME: &'static str = "Pod of the release";

    const RESOURCE: ServedAs = ServedAs {
        group: "",
        versions: &["v1"],
        kind: "Pod",
        plural: "pods",
        is_namespaced: true,
        is_custom: false,
    };

    fn api(client: Client, namespace: &str, _: &str) -> Api<PodObject> {
        Api::namespaced(client, namespace)
    }

    fn config(shared: &Shared, config: Config) -> Config {
        config.labels(&shared.inner.release)
    }

    fn take(shared: &Shared, _: &str, event: Event<PodObject>) {
        shared.members().take_pod(event);
    }
}

#[cfg(test)]
mod tests;
