//! Storm: the largest fleet at a real API server that KUBECONFIG names: 5,000 nodes whose agents flip at once, and
//! the observer's own program, which OBSERVER names, as a process whose memory and time can be measured.
//!
//! The agents are played: each has an address of loopback, which tells whom the observer asks. Nothing runs on the
//! nodes; the API server must have no controllers that would take them for dead (tests/cluster/apiserver).

// Without this feature there is no API server to ask.
#![cfg(feature = "cluster")]
#![expect(
    clippy::print_stdout,
    reason = "the figures are for whoever reads the run"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use futures_util::{StreamExt as _, stream};
use http::Request;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node, Pod};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use privatelink_observer::private_link_target::{PrivateLinkTarget, crd_yaml};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

/// Nodes of the fleet; and targets of each, each of them declared by an object.
const NODES: usize = 5_000;
const TARGETS: usize = 100;

/// How long the fleet is left at rest, and the storm looked at.
const REST: Duration = Duration::from_secs(40);
const STORM: Duration = Duration::from_secs(70);

/// What page and report may take, of an optimised observer.
const ANSWER: Duration = Duration::from_millis(300);

/// The largest object of a declared target.
const LARGEST: usize = 16 << 10;

/// Where the agents serve, each at an address of its own; and the observer.
const AGENTS: u16 = 19_797;
const PAGE: u16 = 19_798;

const NAMESPACE: &str = "storm";

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
    let mut observer = Observer::start();
    let started = Instant::now();
    // The time of its summaries: agents are asked once before the picture is whole.
    let report = until("the fleet is read", Duration::from_mins(1), async || {
        let report = observer.report("").await?;
        let covered = report["nodes"]["covered"].as_u64()?;
        (covered == NODES as u64).then_some(report)
    });
    let report = report.await;
    assert_eq!(report["nodes"]["failing"], 0, "{}", report["nodes"]);
    println!("read in {} s", started.elapsed().as_secs());
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
    let all = until("every node fails", STORM, async || {
        let report = observer.report("").await?;
        (report["nodes"]["failing"] == NODES as u64).then_some(report)
    });
    let report = all.await;
    println!("from flip to page: {} s", flipped.elapsed().as_secs());
    assert_eq!(report["patterns"][0]["scope"], "all_nodes");
    sleep(STORM.saturating_sub(flipped.elapsed())).await;
    let storm = Figures::of(&client, &observer).await.since(&before);
    println!("in the storm: {storm}");
    assert!(storm.status_writes <= storm.most_writes(), "{storm}");
    assert!(storm.status_writes > 0.0, "{storm}");

    for (what, path) in [
        ("page", "/"),
        ("report", "/api/v1/fleet"),
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

/// What an interval took.
struct Figures {
    at: Instant,
    /// Requests of the observer to the API server.
    requests: f64,
    /// Writes of statuses of declared targets, as the API server counts them.
    status_writes: f64,
    cpu: f64,
    rss: u64,
}

impl Figures {
    async fn of(client: &Client, observer: &Observer) -> Self {
        let request = Request::get("/metrics")
            .body(Vec::new())
            .expect("a request");
        let served = client.request_text(request).await.expect("metrics");
        let own = observer.get("/metrics").await.expect("metrics");
        let of_status = |line: &&str| {
            line.starts_with("apiserver_request_total{")
                && line.contains("resource=\"privatelinktargets\"")
                && line.contains("subresource=\"status\"")
                && !line.contains("verb=\"GET\"")
        };
        let value = |line: &str| line.rsplit(' ').next()?.parse::<f64>().ok();
        let writes = served.lines().filter(of_status).filter_map(value);
        let requests = own.lines();
        let mut requests = requests
            .filter(|line| line.starts_with("privatelink_observer_api_requests_total{"))
            .filter_map(value);
        Self {
            at: Instant::now(),
            requests: requests.next().expect("the metric"),
            status_writes: writes.sum(),
            cpu: observer.cpu(),
            rss: observer.rss(),
        }
    }

    fn since(&self, before: &Self) -> Interval {
        Interval {
            seconds: (self.at - before.at).as_secs_f64(),
            requests: self.requests - before.requests,
            status_writes: self.status_writes - before.status_writes,
            cpu: self.cpu - before.cpu,
            rss: self.rss,
        }
    }
}

struct Interval {
    seconds: f64,
    requests: f64,
    status_writes: f64,
    cpu: f64,
    rss: u64,
}

impl Interval {
    fn requests_a_minute(&self) -> f64 {
        self.requests * 60.0 / self.seconds
    }

    /// Two a minute, of every minute that was begun.
    fn most_writes(&self) -> f64 {
        2.0 * (self.seconds / 60.0).ceil()
    }
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.0} s, {:.0} requests to the API server a minute, {} writes of statuses, {:.1} % of a CPU, {} MiB",
            self.seconds,
            self.requests_a_minute(),
            self.status_writes,
            self.cpu * 100.0 / self.seconds,
            self.rss >> 10,
        )
    }
}

/// The observer's program.
struct Observer {
    child: Child,
    folder: PathBuf,
}

impl Observer {
    fn start() -> Self {
        let program = std::env::var("OBSERVER").expect("OBSERVER names the program");
        let folder = std::env::temp_dir().join(format!("privatelink-storm-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let config = folder.join("config.yaml");
        fs::write(&config, "targets: []\n").expect("a file");
        let child = Command::new(program)
            .arg("observe")
            .arg(format!("--config={}", config.display()))
            .arg(format!("--config={}", folder.join("none.yaml").display()))
            .args([
                format!("--namespace={NAMESPACE}"),
                format!("--listen=127.0.0.1:{PAGE}"),
                format!("--crd-per-namespace={TARGETS}"),
                "--pod-name=observer-0".to_owned(),
                "--node-name=storm".to_owned(),
                "--config-map=targets".to_owned(),
                "--lease=observer".to_owned(),
                "--history=history".to_owned(),
                "--sources=".to_owned(),
                "--release-pods=app=storm".to_owned(),
                "--crd".to_owned(),
                "--events".to_owned(),
            ])
            .stdout(Stdio::null())
            .spawn()
            .expect("the observer starts");
        Self { child, folder }
    }

    /// The body of an answer with the status 200.
    async fn get(&self, path: &str) -> Option<String> {
        let asked = async {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, PAGE)).await.ok()?;
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: observer\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).await.ok()?;
            let mut reply = Vec::new();
            stream.read_to_end(&mut reply).await.ok()?;
            Some(reply)
        };
        let reply = timeout(Duration::from_secs(10), asked).await.ok()??;
        body(&reply)
    }

    async fn report(&self, query: &str) -> Option<Value> {
        let text = self.get(&format!("/api/v1/fleet?{query}")).await?;
        serde_json::from_str(&text).ok()
    }

    /// The shortest of five answers, since other programs run here, and its length.
    async fn quickest(&self, path: &str) -> (Duration, usize) {
        let mut quickest = (Duration::MAX, 0);
        for _ in 0..5 {
            let started = Instant::now();
            let text = self.get(path).await.expect("an answer");
            quickest = quickest.min((started.elapsed(), text.len()));
            sleep(Duration::from_millis(500)).await;
        }
        quickest
    }

    fn proc(&self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.child.id());
        fs::read_to_string(path).expect("the observer runs")
    }

    /// Seconds of CPU that it took.
    fn cpu(&self) -> f64 {
        let stat = self.proc("stat");
        let (_, fields) = stat.rsplit_once(')').expect("a name");
        let fields = fields.split_whitespace().skip(11).take(2);
        // The kernel counts hundredths.
        fields
            .filter_map(|field| field.parse::<f64>().ok())
            .sum::<f64>()
            / 100.0
    }

    /// Its memory in KiB.
    fn rss(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        number.expect("a number")
    }

    async fn stop(&mut self) {
        let _ = self.child.kill();
        // It was killed: it ends at once.
        let _ = self.child.wait();
        sleep(Duration::ZERO).await;
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The text of a reply that ends with its connection, unless its status is another than 200.
fn body(reply: &[u8]) -> Option<String> {
    let end = reply.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = reply.split_at(end + 4);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    if !head.starts_with("http/1.1 200") {
        return None;
    }
    let body = if head.contains("transfer-encoding: chunked") {
        whole(body)?
    } else {
        body.to_vec()
    };
    if !head.contains("content-encoding: gzip") {
        return String::from_utf8(body).ok();
    }
    let mut text = String::new();
    GzDecoder::new(&*body).read_to_string(&mut text).ok()?;
    Some(text)
}

/// A body that was sent in chunks.
fn whole(mut chunks: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&chunks[..end]).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let chunk = chunks.get(end + 2..end + 2 + size)?;
        body.extend_from_slice(chunk);
        chunks = chunks.get(end + 2 + size + 2..)?;
    }
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
    let namespaces: Api<Namespace> = Api::all(client.clone());
    for name in [NAMESPACE, "default"] {
        create(&namespaces, json!({"metadata": {"name": name}})).await;
    }
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    for name in ["targets", "history"] {
        create(&config_maps, json!({"metadata": {"name": name}})).await;
    }
    let leases: Api<Lease> = Api::namespaced(client.clone(), NAMESPACE);
    create(&leases, json!({"metadata": {"name": "observer"}})).await;
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
            "app": "storm", "app.kubernetes.io/component": "agent",
        }},
        "spec": {
            "nodeName": node_name(number),
            "automountServiceAccountToken": false,
            "containers": [{"name": "agent", "image": "none",
                            "ports": [{"name": "metrics", "containerPort": AGENTS}]}],
        },
    })
}

async fn create<K>(api: &Api<K>, object: Value)
where
    K: Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let object: K = serde_json::from_value(object).expect("an object");
    // A definition takes a moment until it is served.
    let made = until(
        "an object is made",
        Duration::from_secs(20),
        async || match api.create(&PostParams::default(), &object).await {
            Ok(_) => Some(Ok(())),
            Err(kube::Error::Api(status)) if status.code == 409 => Some(Ok(())),
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 429) => None,
            Err(error) => Some(Err(error)),
        },
    );
    made.await.expect("it is made");
}

/// What `ask` says, as soon as it says something.
async fn until<T>(what: &str, most: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(said) = ask().await {
            return said;
        }
        assert!(started.elapsed() < most, "not within {most:?}: {what}");
        sleep(Duration::from_millis(250)).await;
    }
}
