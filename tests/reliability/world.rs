//! World: the targets, in groups that faults are done to, and the servers of the lab behind them.

use std::time::Duration;

use privatelink_lab::{RunningWorld, World};
use serde_json::{Value, json};

/// How often each target is probed, and how long a probe may take: short, so that a campaign is.
pub(crate) const INTERVAL: Duration = Duration::from_secs(3);
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

/// The name of the node, which the beats depend on.
pub(crate) const NODE: &str = "chaos";

/// The names that a good certificate is for.
pub(crate) const GOOD: &str = r#"{"tls": {"names": ["*.internal.example.com"]}}"#;

/// Targets that faults are done to together.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) targets: usize,
    pub(crate) resolver: &'static str,
    /// Where its services listen.
    pub(crate) address: &'static str,
}

/// Nothing is ever done to the healthy ones; with the others, faults are done to 100 targets.
pub(crate) const GROUPS: [Group; 10] = [
    group("healthy", 20, "steady", "127.0.1.1"),
    group("dns", 20, "faulty", "127.0.1.2"),
    group("pair", 10, "pair", "127.0.1.3"),
    group("churn", 10, "steady", "127.0.1.4"),
    group("peer-a", 10, "steady", "127.0.1.11"),
    group("peer-b", 10, "steady", "127.0.1.12"),
    group("peer-c", 10, "steady", "127.0.1.13"),
    group("peer-d", 10, "steady", "127.0.1.14"),
    group("peer-e", 10, "steady", "127.0.1.15"),
    group("peer-f", 10, "steady", "127.0.1.16"),
];

/// The resolver of each DNS server, in the order of [`RunningWorld::dns`]. The fault of a group is done to the
/// first server of its resolver.
const SERVERS: [&str; 4] = ["steady", "faulty", "pair", "pair"];

const fn group(
    name: &'static str,
    targets: usize,
    resolver: &'static str,
    address: &'static str,
) -> Group {
    Group {
        name,
        targets,
        resolver,
        address,
    }
}

impl Group {
    pub(crate) fn named(name: &str) -> &'static Self {
        let found = GROUPS.iter().find(|group| group.name == name);
        found.unwrap_or_else(|| panic!("there is no group {name}"))
    }

    /// The names of its targets.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        (0..self.targets).map(|number| format!("{}-{number:02}", self.name))
    }

    /// The place of its DNS server in [`RunningWorld::dns`].
    pub(crate) fn server(&self) -> usize {
        let server = SERVERS.iter().position(|it| *it == self.resolver);
        server.expect("a server of each resolver")
    }
}

/// Starts the servers.
pub(crate) async fn start() -> RunningWorld {
    let mut records = Vec::new();
    let mut scenarios = Vec::new();
    let mut endpoints = serde_json::Map::new();
    let good: Value = serde_json::from_str(GOOD).expect("an endpoint");
    for group in &GROUPS {
        for name in group.names() {
            let host = format!("{name}.internal.example.com");
            records.push(format!("{host} A {}", group.address));
            let target =
                json!({"name": name, "host": host, "resolver": group.resolver, "protocol": "tls"});
            scenarios.push(json!({"target": target, "verdict": {"outcome": "pass"}}));
        }
        endpoints.insert(group.address.to_owned(), good.clone());
    }
    let servers = SERVERS.map(|resolver| json!({"resolver": resolver, "records": records}));
    let world = json!({
        "story": "Everything passes until a fault is done.",
        "config": {
            "interval": format!("{}s", INTERVAL.as_secs()),
            "timeout": format!("{}s", TIMEOUT.as_secs()),
            "limits": {"minInterval": "1s", "maxDnsQps": 2000},
        },
        "servers": servers,
        "endpoints": endpoints,
        "scenarios": scenarios,
    });
    let world = World::parse(&world.to_string()).expect("a world");
    RunningWorld::start(&world).await.expect("a running world")
}
