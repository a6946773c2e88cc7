//! Many agents: 5,000 nodes whose agents flip at once.
//!
//! The agents are played: each has an address of loopback, which tells whom the observer asks. Nothing runs on the
//! nodes; the API server must have no controllers that would take them for dead (tests/cluster/apiserver).

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, Resource};
use privatelink_observer::private_link_target::{PrivateLinkTarget, crd_yaml};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

use crate::figures::Figures;
use crate::objects::{NAMESPACE, create, create_own, until};
use crate::program::Observer;

/// Nodes of the fleet; and targets of each, each of them declared by an object.
const NODES: usize = 5_000;
const TARGETS: usize = 100;

/// How long the fleet is left at rest, and the storm looked at.
const REST: Duration = Duration::from_secs(40);
const STORM: Duration = Duration::from_secs(70);

/// Between two questions to an agent that says the same as before.
const ROUND: Duration = Duration::from_mins(1);

/// When nodes count for a pattern, and a round of summaries more.
const NODES_AGE: Duration = Duration::from_mins(6);

/// What page and report may take, of an optimised observer.
const ANSWER: Duration = Duration::from_millis(300);

/// The largest object of a declared target.
const LARGEST: usize = 16 << 10;

/// The port at which each agent serves, at an address of its own.
const AGENTS: u16 = 19_797;

#[tokio::test]
async fn the_largest_fleet_flips_at_once() {
    let client = Client::try_default().await;
    let client = client.expect("KUBECONFIG names a cluster");
    let agents = Agents::start().await;
    let started = Instant::now();
    populate(&client).await;
    println!(
        "{NODES} nodes and pods in {} s",
        started.elapsed().as_secs()
    );
    let mut observer = Observer::start(&[
        "--sources=",
        "--release-pods=app=agents",
        "--crd",
        &format!("--crd-per-namespace={TARGETS}"),
        "--events",
    ]);
    let started = Instant::now();
    // The time of its summaries: agents are asked once before the picture is whole.
    let report = until("the fleet is read", Duration::from_mins(2), async || {
        let report = observer.report().await?;
        let covered = report["nodes"]["covered"].as_u64()?;
        (covered == NODES as u64).then_some(report)
    });
    let report = report.await;
    assert_eq!(report["nodes"]["failing"], 0, "{}", report["nodes"]);
    let to_read = started.elapsed();
    println!("read in {} s", to_read.as_secs());
    // Whether each is probed is said at once, of fifty objects in a round.
    sleep(Duration::from_secs(15)).await;

    let before = Figures::of(&client, &observer).await;
    sleep(REST).await;
    let rest = Figures::of(&client, &observer).await.since(&before);
    println!("at rest: {rest}");
    assert!(rest.requests_a_minute() < 200.0, "{rest}");
    assert!(rest.status_writes <= rest.most_writes(), "{rest}");

    let before = Figures::of(&client, &observer).await;
    let flipped = Instant::now();
    agents.flip();
    // Each is asked once a minute. How fast they answer depends on the machine: they are all played by this program.
    let all = until("every node fails", ROUND + to_read, async || {
        let report = observer.report().await?;
        (report["nodes"]["failing"] == NODES as u64).then_some(report)
    });
    all.await;
    println!("from flip to page: {} s", flipped.elapsed().as_secs());
    sleep(STORM.saturating_sub(flipped.elapsed())).await;
    let storm = Figures::of(&client, &observer).await.since(&before);
    println!("in the storm: {storm}");
    assert!(storm.status_writes <= storm.most_writes(), "{storm}");
    assert!(storm.status_writes > 0.0, "{storm}");

    // Nodes count for a pattern when they are five minutes old, and only then is the page at its slowest.
    until("all nodes have a pattern", NODES_AGE, async || {
        let report = observer.report().await?;
        (report["patterns"][0]["scope"] == "all_nodes").then_some(())
    })
    .await;
    for (what, path) in [
        ("page", "/"),
        ("report", "/api/v1/fleet"),
        ("metrics", "/metrics"),
        ("report with the gate", "/api/v1/fleet?gate=true"),
    ] {
        let (took, bytes) = observer.quickest(path).await;
        println!("{what}: {took:?}, {} KiB", bytes >> 10);
        assert!(took < ANSWER, "{what}: {took:?}");
    }
    let largest = largest_failing(&client).await;
    println!("largest object of a target that fails: {largest} bytes");
    assert!(largest < LARGEST);
    let events: Api<Event> = Api::namespaced(client.clone(), NAMESPACE);
    let events = events.list(&ListParams::default()).await.expect("events");
    println!("events on declared targets: {}", events.items.len());
    assert!(!events.items.is_empty() && events.items.len() <= TARGETS);
    observer.stop().await;
}

/// The bytes of the largest object whose status says that its target fails on every node.
async fn largest_failing(client: &Client) -> usize {
    let objects: Api<PrivateLinkTarget> = Api::namespaced(client.clone(), NAMESPACE);
    let objects = objects.list(&ListParams::default()).await.expect("objects");
    let texts = objects.items.iter().filter_map(|object| {
        let status = object.status.as_ref()?;
        (usize::try_from(status.nodes?.failing) == Ok(NODES)).then_some(())?;
        Some(serde_json::to_string(object).expect("JSON").len())
    });
    texts.max().expect("the status of one was written")
}

/// The agents of all nodes.
struct Agents {
    has_flipped: Arc<AtomicBool>,
}

impl Agents {
    async fn start() -> Self {
        let has_flipped = Arc::new(AtomicBool::default());
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, AGENTS)).await;
        let listener = listener.expect("a free port");
        let flipped = Arc::clone(&has_flipped);
        let since = Timestamp::now();
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    continue;
                };
                let flipped = Arc::clone(&flipped);
                tokio::spawn(async move {
                    answer(stream, &flipped, since).await;
                });
            }
        });
        Self { has_flipped }
    }

    fn flip(&self) {
        self.has_flipped.store(true, Ordering::Relaxed);
    }
}

/// Answers as the agent does at whose address it was asked; `None` where the exchange broke off.
async fn answer(mut stream: TcpStream, flipped: &AtomicBool, since: Timestamp) -> Option<()> {
    let IpAddr::V4(address) = stream.local_addr().ok()?.ip() else {
        return None;
    };
    let [_, _, high, low] = address.octets();
    let node = usize::from(high) * 250 + usize::from(low) - 1;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let flipped = flipped.load(Ordering::Relaxed);
    let tag = format!("W/\"{flipped}\"");
    let date = Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT");
    let common = format!("Date: {date}\r\nETag: {tag}\r\nConnection: close\r\n");
    let reply = if String::from_utf8_lossy(&head).contains(&tag) {
        format!("HTTP/1.1 304 Not Modified\r\n{common}\r\n").into_bytes()
    } else {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer
            .write_all(summary(node, flipped, since).to_string().as_bytes())
            .ok()?;
        let body = packer.finish().ok()?;
        let length = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\n{common}Content-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n"
        );
        [head.into_bytes(), body].concat()
    };
    stream.write_all(&reply).await.ok()?;
    stream.shutdown().await.ok()
}

/// What the agent of a node says.
fn summary(node: usize, flipped: bool, since: Timestamp) -> Value {
    let (outcome, reason, class) = if flipped {
        ("fail", "public_fallback", "public")
    } else {
        ("pass", "ok", "private")
    };
    let now = Timestamp::now().to_string();
    let since = since.to_string();
    let targets = (0..TARGETS).map(|target| {
        let path = |resolver: &str| {
            json!({"resolver": resolver, "classes": [class], "answeredSince": since,
                   "lastNonPrivateAt": flipped.then_some(&now)})
        };
        json!({
            "target": format!("{NAMESPACE}:{}", object_name(target)), "host": host(target),
            "service": "key-vault", "expect": "privateEndpoint", "outcome": outcome, "reason": reason,
            "checkedAt": now, "since": if flipped { &now } else { &since }, "confirmed": true, "stale": false,
            "paths": [path("pod"), path("node")],
        })
    });
    json!({
        "schemaVersion": 1, "version": "0.1.0", "node": node_name(node), "agentStartedAt": since, "ready": true,
        "configHash": "1", "configLoaded": true, "targets": targets.collect::<Vec<_>>(),
    })
}

fn node_name(node: usize) -> String {
    format!("aks-pool{:02}-38472910-vmss{node:06x}", node % 20)
}

fn address(node: usize) -> Ipv4Addr {
    let number = |number: usize| u8::try_from(number).expect("few nodes");
    Ipv4Addr::new(127, 77, number(node / 250), number(node % 250 + 1))
}

fn object_name(target: usize) -> String {
    format!("kv-{target:03}")
}

fn host(target: usize) -> String {
    format!("contoso-prod-{target:03}.vault.azure.net")
}

/// Makes the nodes, their pods, and what is declared.
async fn populate(client: &Client) {
    let definition: CustomResourceDefinition =
        serde_saphyr::from_str(&crd_yaml()).expect("a definition");
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    create(&definitions, json!(definition)).await;
    create_own(client).await;
    let nodes: Api<Node> = Api::all(client.clone());
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let made = stream::iter(0..NODES).map(|number| {
        let (nodes, pods) = (nodes.clone(), pods.clone());
        async move {
            create(&nodes, node(number)).await;
            create(&pods, pod(number)).await;
            let status = json!({"status": {
                "phase": "Running", "podIP": address(number).to_string(),
                "podIPs": [{"ip": address(number).to_string()}],
                "conditions": [{"type": "Ready", "status": "True"}],
            }});
            let (parameters, patch) = (PatchParams::default(), Patch::Merge(status));
            let name = format!("agent-{number}");
            let written = pods.patch_status(&name, &parameters, &patch).await;
            written.expect("the status of a pod");
        }
    });
    made.buffer_unordered(64).collect::<Vec<()>>().await;
    let objects: Api<PrivateLinkTarget> = Api::namespaced(client.clone(), NAMESPACE);
    for target in 0..TARGETS {
        let spec = json!({"host": host(target)});
        let object = json!({
            "apiVersion": PrivateLinkTarget::api_version(&()), "kind": PrivateLinkTarget::kind(&()),
            "metadata": {"name": object_name(target)}, "spec": spec,
        });
        create(&objects, object).await;
    }
}

fn node(number: usize) -> Value {
    json!({
        "metadata": {"name": node_name(number), "labels": {
            "kubernetes.io/os": "linux",
            "kubernetes.azure.com/agentpool": format!("pool{:02}", number % 20),
            "topology.kubernetes.io/zone": format!("westeurope-{}", number % 3 + 1),
            "topology.kubernetes.io/region": "westeurope",
            "node.kubernetes.io/instance-type": "Standard_D4s_v5",
        }},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    })
}

fn pod(number: usize) -> Value {
    json!({
        "metadata": {"name": format!("agent-{number}"), "labels": {
            "app": "agents", "app.kubernetes.io/component": "agent",
        }},
        "spec": {
            "nodeName": node_name(number),
            "automountServiceAccountToken": false,
            "containers": [{"name": "agent", "image": "none",
                            "ports": [{"name": "metrics", "containerPort": AGENTS}]}],
        },
    })
}
