//! Cluster: its nodes, and the agents on them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde_json::Value;

use super::command::{SHORT, attempt, kubectl_json, run};
use super::http::{get, get_json};
use super::release::NAMESPACE;

/// The nodes that the cluster starts with.
pub(crate) const NODES: [&str; 2] = ["node-a", "node-b"];
/// The hub of the wire, which knows the way to every pod.
pub(crate) const HUB: Ipv4Addr = Ipv4Addr::new(172, 29, 0, 1);

/// A node that joins later.
pub(crate) const LATE_NODE: &str = "node-c";

const PORT: u16 = 9797;

/// The address of a node on the wire: node-a is the first.
pub(crate) fn node_address(node: &str) -> Ipv4Addr {
    Ipv4Addr::new(172, 29, 0, 10 + number(node))
}

/// The addresses of the node's pods.
pub(crate) fn pod_subnet(node: &str) -> String {
    format!("10.244.{}.0/24", number(node))
}

fn number(node: &str) -> u8 {
    node.bytes().last().expect("a node has a name") - b'a' + 1
}

/// Marks the firewall rules that tests add.
const DROPPED: &str = "dropped-by-test";

/// Drops what pods of `node` send to `address`.
pub(crate) fn drop_packets(node: &str, address: Ipv4Addr) {
    let address = address.to_string();
    let rule = [
        "-d",
        &address,
        "-m",
        "comment",
        "--comment",
        DROPPED,
        "-j",
        "DROP",
    ];
    firewall(node, &[&["-I", "FORWARD"], rule.as_slice()].concat());
}

/// Drops nothing any more.
pub(crate) fn open_network() {
    for node in NODES {
        let rules = firewall(node, &["-S", "FORWARD"]);
        for rule in rules.lines().filter(|rule| rule.contains(DROPPED)) {
            let rule = rule.replacen("-A", "-D", 1);
            firewall(node, &rule.split_whitespace().collect::<Vec<_>>());
        }
    }
}

/// Runs iptables in a network namespace: a node, or the small Azure.
pub(crate) fn firewall(namespace: &str, arguments: &[&str]) -> String {
    let network = format!("--net=/run/netns/{namespace}");
    run(
        SHORT,
        "nsenter",
        &[&[network.as_str(), "iptables"], arguments].concat(),
    )
}

/// One agent's pod.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    pub(crate) node: String,
    pub(crate) pod: String,
    pub(crate) uid: String,
    pub(crate) ready: bool,
    pub(crate) terminating: bool,
    pub(crate) restarts: u64,
    /// Before it has an address there is nothing to ask.
    pub(crate) address: Option<SocketAddr>,
    /// The whole pod, as the API server has it.
    pub(crate) object: Value,
}

/// Every agent's pod, in the order of their nodes.
pub(crate) fn agents() -> Vec<Agent> {
    agents_of(NAMESPACE)
}

/// The same of the release in another namespace.
pub(crate) fn agents_of(namespace: &str) -> Vec<Agent> {
    let pods = kubectl_json(&[
        "-n",
        namespace,
        "get",
        "pods",
        "-l",
        "app.kubernetes.io/component=agent",
    ]);
    let mut agents: Vec<Agent> = pods["items"]
        .as_array()
        .expect("a list of pods")
        .iter()
        .map(Agent::new)
        .collect();
    agents.sort_by(|one, other| one.node.cmp(&other.node));
    agents
}

/// The one agent of `node` that is to stay.
pub(crate) fn agent(node: &str) -> Agent {
    find_agent(node).unwrap_or_else(|complaint| panic!("{complaint}"))
}

/// The same, where there may be none yet.
pub(crate) fn find_agent(node: &str) -> Result<Agent, String> {
    let mut agents: Vec<Agent> = agents()
        .into_iter()
        .filter(|agent| agent.node == node && !agent.terminating)
        .collect();
    match (agents.pop(), agents.is_empty()) {
        (Some(agent), true) => Ok(agent),
        (None, _) => Err(format!("no agent on {node}")),
        (Some(_), false) => Err(format!("several agents on {node}")),
    }
}

impl Agent {
    fn new(pod: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let container = &pod["status"]["containerStatuses"][0];
        Self {
            node: text(&pod["spec"]["nodeName"]),
            pod: text(&pod["metadata"]["name"]),
            uid: text(&pod["metadata"]["uid"]),
            ready: container["ready"] == true,
            terminating: !pod["metadata"]["deletionTimestamp"].is_null(),
            restarts: container["restartCount"].as_u64().unwrap_or_default(),
            address: pod["status"]["podIP"]
                .as_str()
                .and_then(|ip| ip.parse::<IpAddr>().ok())
                .map(|ip| SocketAddr::new(ip, PORT)),
            object: pod.clone(),
        }
    }

    /// What the agent reports of a target: an entry of `/api/v1/targets`.
    pub(crate) fn target(&self, name: &str) -> Result<Value, String> {
        let report = get_json(self.address()?, "/api/v1/targets")?;
        report["targets"]
            .as_array()
            .and_then(|targets| targets.iter().find(|target| target["target"] == name))
            .cloned()
            .ok_or_else(|| format!("{} knows no target {name}", self.pod))
    }

    /// The reason it reports for a target.
    pub(crate) fn reason(&self, target: &str) -> Result<String, String> {
        let target = self.target(target)?;
        Ok(target["reason"].as_str().unwrap_or_default().to_owned())
    }

    /// Its metrics, as text.
    pub(crate) fn metrics(&self) -> Result<String, String> {
        match get(self.address()?, "/metrics")? {
            (200, text) => Ok(text),
            (status, text) => Err(format!("{}: {status} {text}", self.pod)),
        }
    }

    /// The value of the series of the metric `name` that has these labels among its own.
    pub(crate) fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Result<f64, String> {
        let metrics = self.metrics()?;
        metrics
            .lines()
            .filter(|line| {
                line.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with('{'))
            })
            .find(|line| {
                let has =
                    |(label, value): &(&str, &str)| line.contains(&format!("{label}=\"{value}\""));
                labels.iter().all(has)
            })
            .and_then(|line| line.rsplit(' ').next()?.parse().ok())
            .ok_or_else(|| format!("{} has no series {name}{labels:?}", self.pod))
    }

    /// Runs the agent's program once more inside its container.
    pub(crate) fn exec(&self, arguments: &[&str]) -> Result<String, String> {
        let inside = [
            "-n",
            NAMESPACE,
            "exec",
            &self.pod,
            "--",
            "/privatelink-prober",
        ];
        attempt(SHORT, "kubectl", &[&inside, arguments].concat())
    }

    fn address(&self) -> Result<SocketAddr, String> {
        self.address
            .ok_or_else(|| format!("{} has no address yet", self.pod))
    }
}
