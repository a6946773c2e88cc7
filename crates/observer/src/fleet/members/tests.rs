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
    members.take_node(Event::Init);
    for node in nodes {
        members.take_node(Event::InitApply(node));
    }
    members.take_node(Event::InitDone);
    members.take_pod(Event::Init);
    for agent in agents {
        members.take_pod(Event::InitApply(agent));
    }
    members.take_pod(Event::InitDone);
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
    members.take_pod(Event::Init);
    members.take_pod(Event::InitApply(agent("agent-a", "a", 1, "True")));
    members.take_pod(Event::InitDone);
    assert!(members.is_known(false) && !members.is_known(true));
    assert_eq!(coverage(&members), [("a".to_owned(), Coverage::Covered)]);
    let gone = Event::Delete(agent("agent-a", "a", 1, "True"));
    members.take_pod(gone);
    assert!(coverage(&members).is_empty());
}
