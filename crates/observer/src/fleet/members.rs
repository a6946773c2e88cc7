//! Members: the nodes of the cluster, and the pods of this release on them, as the API server says: the
//! agents, and the replicas of the observer.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::ObjectMeta;
use kube::runtime::watcher::{Config, Event};
use kube::{Api, Client, Resource};
use privatelink_discovery::Resource as ServedAs;
use privatelink_fleet::{Coverage, Moment, Node as Member, Traits, WhyUncovered};
use serde::Deserialize;

use crate::Shared;
use crate::watch::Watched;

/// Labels of a node that say to which pool it belongs: of AKS, of older AKS, of node auto-provisioning.
const POOL: [&str; 3] = [
    "kubernetes.azure.com/agentpool",
    "agentpool",
    "karpenter.sh/nodepool",
];

/// The port of an agent whose pod does not name one.
const PORT: u16 = 9797;

/// The names of that port, in an agent's pod and in the observer's.
const PORT_NAMES: [&str; 2] = ["metrics", "http"];

/// The label that tells agents and observers apart.
const COMPONENT: &str = "app.kubernetes.io/component";

/// A node as the API server sends it.
#[derive(Resource, Clone, Debug, Default, Deserialize)]
#[resource(inherit = "Node")]
pub(crate) struct NodeObject {
    metadata: ObjectMeta,
    #[serde(default)]
    status: Status,
}

/// A pod of this release as the API server sends it.
#[derive(Resource, Clone, Debug, Default, Deserialize)]
#[resource(inherit = "Pod")]
pub(crate) struct PodObject {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    conditions: Option<Vec<Condition>>,
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Condition {
    r#type: String,
    status: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodSpec {
    node_name: Option<String>,
    containers: Vec<Container>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    ports: Option<Vec<Port>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Port {
    name: Option<String>,
    container_port: u16,
}

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

/// The nodes and the agents. A list that is read again takes the place of what is known when it is complete.
#[derive(Debug, Default)]
pub(crate) struct Members {
    nodes: List<NodeFacts>,
    pods: List<Option<ReleasePod>>,
}

#[derive(Debug)]
struct List<T> {
    present: BTreeMap<String, T>,
    next: Option<BTreeMap<String, T>>,
    is_complete: bool,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self {
            present: BTreeMap::new(),
            next: None,
            is_complete: false,
        }
    }
}

impl<T> List<T> {
    fn take<O>(&mut self, event: Event<O>, read: impl Fn(O) -> (String, T)) {
        match event {
            Event::Init => self.next = Some(BTreeMap::new()),
            Event::InitApply(object) => {
                let (name, facts) = read(object);
                self.next.get_or_insert_default().insert(name, facts);
            }
            Event::InitDone => {
                self.present = self.next.take().unwrap_or_default();
                self.is_complete = true;
            }
            Event::Apply(object) => {
                let (name, facts) = read(object);
                self.present.insert(name, facts);
            }
            Event::Delete(object) => {
                self.present.remove(&read(object).0);
            }
        }
    }
}

impl Members {
    /// Those of two lists; the nodes are `None` where they may not be listed.
    pub(crate) fn listed(nodes: Option<Vec<NodeObject>>, pods: Vec<PodObject>) -> Self {
        let mut members = Self::default();
        if let Some(nodes) = nodes {
            members.nodes.present = nodes.into_iter().map(node_facts).collect();
            members.nodes.is_complete = true;
        }
        members.pods.present = pods.into_iter().map(release_pod).collect();
        members.pods.is_complete = true;
        members
    }

    /// Whether the agents are known, and the nodes if they are listed. Without the right to list nodes there
    /// are those that run an agent.
    pub(crate) fn is_known(&self, with_nodes: bool) -> bool {
        self.pods.is_complete && (self.nodes.is_complete || !with_nodes)
    }

    /// The UID of the node called `name`, where nodes are known.
    pub(crate) fn uid(&self, name: &str) -> Option<&str> {
        Some(&self.nodes.present.get(name)?.uid)
    }

    /// Where the replica of the observer whose pod is called `name` serves.
    pub(crate) fn observer(&self, name: &str) -> Option<SocketAddr> {
        match self.pods.present.get(name)? {
            Some(ReleasePod::Observer(at)) => Some(*at),
            _ => None,
        }
    }

    /// The pod that covers each node: of several the ready one, and of those the youngest, since it takes
    /// the place of the other.
    pub(crate) fn agents(&self) -> HashMap<Arc<str>, AgentPod> {
        let mut agents: HashMap<Arc<str>, AgentPod> = HashMap::new();
        for pod in self.pods.present.values() {
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
        if !self.nodes.is_complete {
            let nodes = agents.keys().map(|name| Member {
                name: Arc::clone(name),
                traits: Traits::default(),
                joined: None,
                coverage: coverage(name, None),
            });
            return nodes.collect();
        }
        let nodes = self.nodes.present.iter();
        let nodes = nodes.map(|(name, facts)| Member {
            name: name.as_str().into(),
            traits: facts.traits.clone(),
            joined: facts.joined,
            coverage: coverage(name, facts.without_agent),
        });
        nodes.collect()
    }
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

impl Status {
    fn is_ready(&self) -> bool {
        let mut conditions = self.conditions.iter().flatten();
        conditions.any(|condition| condition.r#type == "Ready" && condition.status == "True")
    }
}

fn node_facts(node: NodeObject) -> (String, NodeFacts) {
    let metadata = &node.metadata;
    let is = |key, value: &str| label(metadata, &[key]).is_some_and(|label| &*label == value);
    let without_agent = if is("kubernetes.io/os", "windows") {
        Some(WhyUncovered::Windows)
    } else if is("type", "virtual-kubelet") {
        Some(WhyUncovered::Virtual)
    } else {
        (!node.status.is_ready()).then_some(WhyUncovered::NodeNotReady)
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
    let ports = spec
        .containers
        .iter()
        .flat_map(|one| one.ports.iter().flatten());
    let is_ours = |port: &&Port| {
        port.name
            .as_deref()
            .is_some_and(|name| PORT_NAMES.contains(&name))
    };
    let port = ports.filter(is_ours).map(|port| port.container_port).next();
    let ip: IpAddr = status.pod_ip.as_deref()?.parse().ok()?;
    let at = SocketAddr::new(ip, port.unwrap_or(PORT));
    match label(metadata, &[COMPONENT])?.as_ref() {
        "agent" => Some(ReleasePod::Agent(AgentPod {
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
            at,
            node: spec.node_name.as_deref()?.into(),
            is_ready: status.is_ready(),
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
        shared.members().nodes.take(event, node_facts);
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
        shared.members().pods.take(event, release_pod);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    fn node(name: &str, labels: &Value, ready: &str) -> NodeObject {
        from_value(json!({
            "metadata": {"name": name, "uid": format!("uid-{name}"), "labels": labels,
                "creationTimestamp": "2026-11-03T08:00:00Z"},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        }))
        .expect("a node")
    }

    fn agent(name: &str, node: &str, minute: u8, ready: &str) -> PodObject {
        from_value(json!({
            "metadata": {"name": name, "uid": format!("uid-{name}"), "labels": {COMPONENT: "agent"},
                "creationTimestamp": format!("2026-11-03T08:{minute:02}:00Z")},
            "spec": {"nodeName": node, "containers": [
                {"ports": [{"name": "metrics", "containerPort": 9797}]}]},
            "status": {"podIP": "10.244.1.7", "conditions": [{"type": "Ready", "status": ready}]},
        }))
        .expect("a pod")
    }

    fn members(nodes: Vec<NodeObject>, agents: Vec<PodObject>) -> Members {
        let mut members = Members::default();
        members.nodes.take(Event::Init, node_facts);
        for node in nodes {
            members.nodes.take(Event::InitApply(node), node_facts);
        }
        members.nodes.take(Event::InitDone, node_facts);
        members.pods.take(Event::Init, release_pod);
        for agent in agents {
            members.pods.take(Event::InitApply(agent), release_pod);
        }
        members.pods.take(Event::InitDone, release_pod);
        members
    }

    fn coverage(members: &Members) -> Vec<(String, Coverage)> {
        let nodes = members.nodes(&members.agents());
        nodes
            .into_iter()
            .map(|node| (node.name.to_string(), node.coverage))
            .collect()
    }

    #[test]
    fn a_node_without_an_agent_says_why() {
        let linux = json!({"kubernetes.io/os": "linux"});
        let members = members(
            vec![
                node("a", &linux, "True"),
                node("b", &linux, "True"),
                node("c", &linux, "Unknown"),
                node("d", &json!({"kubernetes.io/os": "windows"}), "True"),
                node("e", &json!({"type": "virtual-kubelet"}), "True"),
                node("f", &linux, "True"),
            ],
            vec![
                agent("agent-a", "a", 1, "True"),
                agent("agent-f", "f", 1, "False"),
            ],
        );
        let why = |why| Coverage::Uncovered(why);
        let expected = [
            ("a", Coverage::Covered),
            ("b", why(WhyUncovered::NoAgent)),
            ("c", why(WhyUncovered::NodeNotReady)),
            ("d", why(WhyUncovered::Windows)),
            ("e", why(WhyUncovered::Virtual)),
            ("f", why(WhyUncovered::AgentNotReady)),
        ];
        let expected = expected.map(|(name, coverage)| (name.to_owned(), coverage));
        assert_eq!(coverage(&members), expected);
        assert_eq!(members.uid("a"), Some("uid-a"));
    }

    #[test]
    fn of_two_agents_on_a_node_the_ready_one_counts_and_then_the_younger() {
        let both = |old, new| {
            let agents = vec![agent("old", "a", 1, old), agent("new", "a", 2, new)];
            let members = members(vec![node("a", &json!({}), "True")], agents);
            members.agents()["a"].uid.clone()
        };
        assert_eq!(both("True", "False"), "uid-old");
        assert_eq!(both("True", "True"), "uid-new");
    }

    #[test]
    fn the_replicas_of_the_observer_are_known_by_the_names_of_their_pods() {
        let mut replica = agent("observer-1", "a", 1, "True");
        let labels = replica.metadata.labels.as_mut().expect("labels");
        labels.insert(COMPONENT.to_owned(), "observer".to_owned());
        let members = members(vec![], vec![replica, agent("agent-a", "a", 1, "True")]);
        let at = "10.244.1.7:9797".parse().ok();
        assert_eq!(members.observer("observer-1"), at);
        assert_eq!(members.observer("agent-a"), None);
        assert_eq!(members.agents().len(), 1);
    }

    #[test]
    fn what_nodes_share_comes_from_the_labels_of_aks() {
        let labels = json!({
            "kubernetes.azure.com/agentpool": "apps", "agentpool": "old",
            "topology.kubernetes.io/zone": "westeurope-1",
            "topology.kubernetes.io/region": "westeurope",
            "node.kubernetes.io/instance-type": "Standard_D4s_v5",
            "kubernetes.azure.com/network-subnet": "snet-apps",
            "kubernetes.azure.com/node-image-version": "AKSUbuntu-2204gen2containerd-202610.19.1",
        });
        let (_, facts) = node_facts(node("a", &labels, "True"));
        let text = |text: &str| Some(Arc::from(text));
        let expected = Traits {
            pool: text("apps"),
            zone: text("westeurope-1"),
            region: text("westeurope"),
            instance_type: text("Standard_D4s_v5"),
            subnet: text("snet-apps"),
            image: text("AKSUbuntu-2204gen2containerd-202610.19.1"),
        };
        assert_eq!(facts.traits, expected);
        let outside = json!({"topology.kubernetes.io/zone": "0"});
        assert_eq!(node_facts(node("b", &outside, "True")).1.traits.zone, None);
    }

    #[test]
    fn without_the_right_to_list_nodes_there_are_those_that_run_an_agent() {
        let mut members = Members::default();
        assert!(!members.is_known(false));
        members.pods.take(Event::Init, release_pod);
        members.pods.take(
            Event::InitApply(agent("agent-a", "a", 1, "True")),
            release_pod,
        );
        members.pods.take(Event::InitDone, release_pod);
        assert!(members.is_known(false) && !members.is_known(true));
        assert_eq!(coverage(&members), [("a".to_owned(), Coverage::Covered)]);
        let gone = Event::Delete(agent("agent-a", "a", 1, "True"));
        members.pods.take(gone, release_pod);
        assert!(coverage(&members).is_empty());
    }
}
