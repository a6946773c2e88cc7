//! Delivery: a real Prometheus with the chart's rules and a real Alertmanager with the example of deploy/, and
//! what they send. The agents are played by this test, so that there can be ten nodes with 200 targets.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::agent::get;
use super::child::{Child, Folder, eventually, free_port, sleep};
use super::dns::loopback;

/// How long a cause may take until it is told: two scrapes, two evaluations, `for`, and the wait of the group.
const TOLD: Duration = Duration::from_secs(45);
/// So long nothing more may be told.
const QUIET: Duration = Duration::from_secs(5);

#[test]
fn one_cause_is_told_once_to_the_right_team_and_its_end_too() {
    let folder = Folder::new("delivery");
    let fleet = Fleet::start(&[("small", 3, 50), ("large", 10, 200)]);
    let alertmanager = start_alertmanager(&folder, fleet.address);
    let _prometheus = start_prometheus(&folder, &fleet, alertmanager.1);
    // The first evaluations see no agents, or some of them.
    sleep(Duration::from_secs(6));
    assert_eq!(fleet.take_told(), Vec::<Told>::new());

    // DNS of one node is dead, for all 50 targets.
    fleet.set("small", |node, _| (node == 1).then_some("dns_timeout"));
    // DNS of most nodes is dead, for all 200 targets.
    fleet.set("large", |node, _| {
        (node != 0).then_some("dns_server_failure")
    });
    let down = ["PrivateLinkDnsDown", "PrivateLinkNodeDnsDown"];
    let clusters = ["large", "small"];
    let once = |status: &str| -> Vec<Told> {
        let told = clusters.iter().zip(down);
        told.map(|(cluster, alert)| Told::new("platform", status, alert, cluster, ""))
            .collect()
    };
    assert_eq!(fleet.told(2), once("firing"));
    fleet.set("small", |_, _| None);
    fleet.set("large", |_, _| None);
    assert_eq!(fleet.told(2), once("resolved"));

    // One service of the team `payments` and two of `shop` are public everywhere, and a fourth, which has no owner,
    // times out everywhere.
    fleet.set("large", |_, target| match target {
        0 | 1 | 3 => Some("public_fallback"),
        2 => Some("connect_timeout"),
        _ => None,
    });
    let public = |receiver, owner| {
        let alert = "PrivateServiceResolvesPublicly";
        Told::new(receiver, "firing", alert, "large", owner)
    };
    let timeouts = Told::new("platform", "firing", "PrivateServiceTimesOut", "large", "");
    let expected = vec![
        public("payments", "payments"),
        timeouts,
        public("shop", "shop"),
    ];
    assert_eq!(fleet.told(3), expected);
}

/// One notification: who got it, and what for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    receiver: String,
    status: String,
    alert: String,
    cluster: String,
    owner: String,
}

impl Told {
    fn new(receiver: &str, status: &str, alert: &str, cluster: &str, owner: &str) -> Self {
        Self {
            receiver: receiver.to_owned(),
            status: status.to_owned(),
            alert: alert.to_owned(),
            cluster: cluster.to_owned(),
            owner: owner.to_owned(),
        }
    }

    fn read(body: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let group = &body["groupLabels"];
        Self {
            receiver: text(&body["receiver"]),
            status: text(&body["status"]),
            alert: text(&group["alertname"]),
            cluster: text(&group["cluster"]),
            owner: text(&group["owner"]),
        }
    }
}

/// The agents of some clusters, and whoever is told.
struct Fleet {
    address: SocketAddr,
    clusters: Arc<Mutex<BTreeMap<String, Cluster>>>,
    told: Arc<Mutex<Vec<Told>>>,
}

struct Cluster {
    nodes: usize,
    /// Of each node and target: the reason, and how many probes met a timeout.
    cells: Vec<Vec<(Option<&'static str>, u64)>>,
}

impl Fleet {
    fn start(clusters: &[(&str, usize, usize)]) -> Self {
        let clusters = clusters.iter().map(|(name, nodes, targets)| {
            let cells = vec![vec![(None, 0); *targets]; *nodes];
            let nodes = *nodes;
            ((*name).to_owned(), Cluster { nodes, cells })
        });
        let listener = TcpListener::bind(loopback(0)).expect("a port is free");
        let fleet = Self {
            address: listener.local_addr().expect("it is bound"),
            clusters: Arc::new(Mutex::new(clusters.collect())),
            told: Arc::default(),
        };
        let (clusters, told) = (Arc::clone(&fleet.clusters), Arc::clone(&fleet.told));
        // Ends with the process, as nothing waits for it.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (clusters, told) = (Arc::clone(&clusters), Arc::clone(&told));
                // A client that goes away is not the test's concern.
                std::thread::spawn(move || answer(stream, &clusters, &told).ok());
            }
        });
        fleet
    }

    fn set(&self, cluster: &str, reason: impl Fn(usize, usize) -> Option<&'static str>) {
        let mut clusters = self.clusters.lock().expect("no thread panics");
        let cluster = clusters.get_mut(cluster).expect("a known cluster");
        for (node, cells) in cluster.cells.iter_mut().enumerate() {
            for (target, cell) in cells.iter_mut().enumerate() {
                cell.0 = reason(node, target);
            }
        }
    }

    fn take_told(&self) -> Vec<Told> {
        let mut told = std::mem::take(&mut *self.told.lock().expect("no thread panics"));
        told.sort();
        told
    }

    /// All that is told until `count` notifications came and it was quiet for a while.
    fn told(&self, count: usize) -> Vec<Told> {
        eventually(TOLD, || {
            (self.told.lock().expect("no thread panics").len() >= count).then_some(())
        });
        sleep(QUIET);
        self.take_told()
    }
}

/// Answers a scrape of `/CLUSTER/NODE`, or takes a notification.
fn answer(
    mut stream: TcpStream,
    clusters: &Mutex<BTreeMap<String, Cluster>>,
    told: &Mutex<Vec<Told>>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let path = request
        .strip_prefix("GET /")
        .and_then(|rest| rest.split(' ').next());
    let reply = if let Some(path) = path {
        let (cluster, node) = path.split_once('/').expect("/CLUSTER/NODE");
        let mut clusters = clusters.lock().expect("no thread panics");
        let cluster = clusters.get_mut(cluster).expect("a known cluster");
        metrics(cluster, node.parse().expect("a number"))
    } else {
        let body = serde_json::from_slice(&body).expect("Alertmanager writes JSON");
        let mut told = told.lock().expect("no thread panics");
        told.push(Told::read(&body));
        String::new()
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{reply}",
        reply.len()
    )
}

/// What the agent of a node says. Every scrape sees another probe of each target.
fn metrics(cluster: &mut Cluster, node: usize) -> String {
    let mut text = String::new();
    let mut line = |metric: &str, labels: &str, value: f64| {
        let comma = if labels.is_empty() { "" } else { "," };
        writeln!(
            text,
            "privatelink_{metric}{{node=\"n{node}\"{comma}{labels}}} {value}"
        )
        .expect("a string takes all");
    };
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs_f64();
    let cells = &mut cluster.cells[node];
    line("build_info", "version=\"1\",revision=\"r\"", 1.0);
    line("config_last_reload_successful", "", 1.0);
    line("targets_rejected", "source=\"config\"", 0.0);
    #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
    line("targets", "source=\"config\"", cells.len() as f64);
    for (number, (reason, timeouts)) in cells.iter_mut().enumerate() {
        let target = format!("target=\"t{number}\"");
        let reason = reason.unwrap_or("ok");
        let stage = match reason {
            "ok" => "none",
            "public_fallback" => "address",
            "connect_timeout" => "connect",
            _ => "dns",
        };
        let fails = f64::from(u8::from(reason != "ok"));
        line("probe_success", &target, 1.0 - fails);
        line(
            "probe_reason",
            &format!("{target},reason=\"{reason}\",stage=\"{stage}\""),
            1.0,
        );
        line("probe_interval_seconds", &target, 1.0);
        line("probe_last_run_timestamp_seconds", &target, now);
        let owner = match number {
            0 => "payments",
            1 | 3 => "shop",
            _ => "",
        };
        let info = format!(
            "{target},host=\"t{number}.example.com\",service=\"key-vault\",owner=\"{owner}\""
        );
        line("target_info", &info, 1.0);
        *timeouts += u64::from(reason.ends_with("_timeout"));
        #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
        let timeouts = *timeouts as f64;
        for counted in ["dns", "connect", "tls", "http"] {
            let value = if counted == stage { timeouts } else { 0.0 };
            line(
                "probe_timeouts_total",
                &format!("{target},stage=\"{counted}\""),
                value,
            );
        }
        if stage != "dns" {
            let public = f64::from(u8::from(reason == "public_fallback"));
            line("dns_public_fallback", &target, public);
        }
    }
    text
}

fn start_alertmanager(folder: &Folder, receiver: SocketAddr) -> (Child, SocketAddr) {
    let example = include_str!("../../deploy/alertmanager.yaml");
    let config = example
        .replace("http://127.0.0.1:9095", &format!("http://{receiver}"))
        .replace("group_wait: 30s", "group_wait: 2s")
        .replace("group_interval: 5m", "group_interval: 2s");
    let config = folder.write("alertmanager.yaml", &config);
    let address = loopback(free_port());
    let mut command = Command::new("alertmanager");
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.path={}",
            folder.path().join("alertmanager").display()
        ))
        .arg(format!("--web.listen-address={address}"))
        .arg("--cluster.listen-address=");
    let mut child = Child::start(command, folder.path());
    child.wait_until(|| get(address, "/-/ready").is_some_and(|reply| reply.status == 200));
    (child, address)
}

fn start_prometheus(folder: &Folder, fleet: &Fleet, alertmanager: SocketAddr) -> Child {
    let mut jobs = Vec::new();
    for (name, cluster) in fleet.clusters.lock().expect("no thread panics").iter() {
        for node in 0..cluster.nodes {
            jobs.push(json!({
                "job_name": format!("{name}-{node}"), "metrics_path": format!("/{name}/{node}"),
                "static_configs": [{"targets": [fleet.address.to_string()], "labels": {"cluster": name}}],
            }));
        }
    }
    let rules = folder.write("rules.json", &hurried_rules().to_string());
    let config = json!({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [rules],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager.to_string()]}]}]},
        "scrape_configs": jobs,
    });
    let config = folder.write("prometheus.json", &config.to_string());
    let address = loopback(free_port());
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            folder.path().join("tsdb").display()
        ))
        .arg(format!("--web.listen-address={address}"));
    let mut child = Child::start(command, folder.path());
    child.wait_until(|| get(address, "/-/ready").is_some_and(|reply| reply.status == 200));
    child
}

/// The chart's rules in a hurry: windows and waits of minutes would make the test wait. Those about the agents wait as
/// ever, because at the start none was scraped.
pub(crate) fn hurried_rules() -> Value {
    let rules = include_str!("../../deploy/prometheus-rules.yaml");
    let mut rules: Value = serde_saphyr::from_str(rules).expect("YAML");
    let groups = rules["groups"].as_array_mut().expect("groups");
    for rule in groups
        .iter_mut()
        .filter(|group| group["name"] != "privatelink-agents")
        .flat_map(|group| group["rules"].as_array_mut().expect("rules"))
    {
        let expr = rule["expr"].as_str().expect("an expression");
        let expr = expr
            .replace("[10m]", "[10s]")
            .replace("[5m]", "[5s]")
            .replace("[300s]", "[5s]")
            .replace("/ 600", "/ 10");
        rule["expr"] = expr.into();
        for wait in ["for", "keep_firing_for"] {
            if rule[wait].is_string() {
                rule[wait] = "4s".into();
            }
        }
    }
    rules
}
