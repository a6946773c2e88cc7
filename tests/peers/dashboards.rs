//! Dashboards: every query of every panel, variable and annotation, asked of a real Prometheus that scrapes two
//! agents while all is well, while the DNS of one node is wrong, and after its repair. What the observer would say is
//! played, in the text that it writes.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use privatelink_report::metrics::Exposition;
use privatelink_report::metrics::observer::{ObserverMetric, ObserverSample, observer_metrics};
use serde_json::{Value, json};

use super::agent::Agent;
use super::child::{Folder, eventually, free_port};
use super::dashboard::{Answers, Dashboard, Query, Values, filled, options, text};
use super::delivery::hurried_rules;
use super::dns::{Bind, loopback};
use super::prometheus::{Prometheus, encoded};
use super::service::{Authority as Ca, Service};
use super::zones::{Authority, PUBLIC_NAME, Zone, alias_of, privatelink, vault_zones};

const LABELS: [&str; 4] = ["healthy", "fallback", "blackhole", "mismatch"];
/// The target that the dashboard of one target shows.
const TARGET: &str = "fallback";

const PRIVATE: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 60);
const BLACK_HOLE: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 61);
const MISMATCH: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 62);
const PUBLIC: Ipv4Addr = Ipv4Addr::new(127, 0, 2, 60);

/// Within which a phase is seen by the agents, scraped and in the rules. After a repair the answers count as flapping
/// until ten of them in a row are alike.
const SEEN: Duration = Duration::from_mins(1);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(15);

/// What a query must yield.
#[derive(Clone, Copy, Debug)]
enum Shows {
    Something,
    Nothing,
    /// This, as the largest value.
    Value(f64),
}
use Shows::{Nothing, Something, Value as Is};

/// What queries yield while all is well, while something is broken, and after its repair. All others always yield
/// something.
const SHOWN: &[(&str, [Shows; 3])] = &[
    ("fleet: Targets that fail A", [Is(0.0), Is(3.0), Is(0.0)]),
    ("fleet: Public, not private A", [Is(0.0), Is(1.0), Is(0.0)]),
    (
        "fleet: Nodes that see a failure A",
        [Is(0.0), Is(1.0), Is(0.0)],
    ),
    (
        "fleet: Nodes without an agent A",
        [Is(1.0), Is(1.0), Is(1.0)],
    ),
    (
        "fleet: May public access be turned off? A",
        [Is(0.0), Is(2.0), Is(1.0)],
    ),
    ("fleet: Nodes by target A", [Nothing, Something, Nothing]),
    (
        "fleet: Causes, by the rules A",
        [Nothing, Something, Nothing],
    ),
    (
        "fleet: Patterns, by the observer A",
        [Nothing, Is(1.0), Nothing],
    ),
    (
        "fleet: Nodes that disagree with most A",
        [Nothing, Something, Nothing],
    ),
    ("fleet: Who is hurt A", [Nothing, Is(1.0), Nothing]),
    ("fleet: Who is hurt B", [Nothing, Is(14.0), Nothing]),
    ("fleet: Targets A", [Nothing, Something, Nothing]),
    ("fleet: Nodes A", [Nothing, Something, Nothing]),
    ("fleet: Reasons A", [Is(0.0), Is(1.0), Is(0.0)]),
    ("target: Nodes that probe it A", [Is(2.0), Is(2.0), Is(2.0)]),
    (
        "target: Nodes on which it fails A",
        [Is(0.0), Is(1.0), Is(0.0)],
    ),
    ("target: Public on A", [Is(0.0), Is(1.0), Is(0.0)]),
    (
        "target: Workloads that use it A",
        [Is(14.0), Is(14.0), Is(14.0)],
    ),
    ("target: Outcome A", [Is(0.0), Is(2.0), Is(0.0)]),
    (
        "target: Classes of the answer A",
        [Is(1.0), Is(2.0), Is(1.0)],
    ),
    ("target: Transitions", [Nothing, Something, Something]),
    ("agents: Nodes with an agent A", [Is(2.0), Is(2.0), Is(2.0)]),
    ("agents: Versions A", [Is(1.0), Is(1.0), Is(1.0)]),
];

/// The metrics that only the observer has, and what the recording rules begin with.
const OF_OBSERVER: [&str; 3] = [
    "privatelink_fleet_",
    "privatelink_observer_",
    "privatelink_events_dropped_",
];
const OF_RULES: &str = "privatelink:";

#[test]
fn dashboards_show_what_is_broken_while_it_is() {
    let world = World::start();
    let folders = ["dashboards", "dashboards-bare"].map(Folder::new);
    let prometheus = world.prometheus(&folders[0], true);
    let bare = world.prometheus(&folders[1], false);

    settle(&prometheus, None);
    selections_narrow_each_other(&prometheus);
    assert_shown(&prometheus, 0);

    world.break_it();
    settle(&prometheus, Some(3.0));
    assert_shown(&prometheus, 1);
    assert_needs_are_told(&bare);

    world.heal_it();
    settle(&prometheus, None);
    assert_shown(&prometheus, 2);
}

/// Waits until so many pairs of node and target fail, and the rules know it too.
fn settle(prometheus: &Prometheus, failing: Option<f64>) {
    prometheus.expect(SEEN, "count(privatelink_node_info)", Some(2.0));
    prometheus.expect(SEEN, "count(privatelink_probe_success)", Some(8.0));
    // Each agent has compared its answers with those of the other resolver, which it does seldom.
    prometheus.expect(SEEN, "count(privatelink_resolver_agrees)", Some(8.0));
    prometheus.expect(SEEN, "count(privatelink_probe_success == 0)", failing);
    // What the longest window of a query still holds.
    let reasons = "count(last_over_time(privatelink_probe_reason{reason!=\"ok\"}[5s]))";
    prometheus.expect(SEEN, reasons, failing);
    prometheus.expect(SEEN, "count(privatelink:symptom)", failing);
}

fn assert_shown(prometheus: &Prometheus, phase: usize) {
    let mut expected: BTreeMap<&str, Shows> = SHOWN
        .iter()
        .map(|(query, phases)| (*query, phases[phase]))
        .collect();
    let mut wrong = Vec::new();
    for dashboard in Dashboard::all() {
        let values = dashboard.everything_selected(prometheus, TARGET);
        for query in dashboard.queries() {
            let name = named(&dashboard, &query);
            let shows = expected.remove(&*name).unwrap_or(Something);
            // The latest scrapes may be a moment old.
            let is_shown = || shows.is(&prometheus.asked(&query, &values)).then_some(());
            if eventually(SLACK, is_shown).is_none() {
                let is = prometheus.asked(&query, &values);
                let asked = filled(&query.expr, &values);
                wrong.push(format!("{name}: {is:?} and not {shows:?}: {asked}"));
            }
        }
    }
    let unknown: Vec<_> = expected.keys().collect();
    assert!(unknown.is_empty(), "no queries: {unknown:?}");
    assert!(wrong.is_empty(), "phase {phase}:\n{}", wrong.join("\n"));
}

/// Without the observer and the rules only what needs them is empty, and its panel says so.
fn assert_needs_are_told(bare: &Prometheus) {
    let mut wrong = Vec::new();
    for dashboard in Dashboard::all() {
        let values = dashboard.everything_selected(bare, TARGET);
        for query in dashboard.queries() {
            let name = named(&dashboard, &query);
            let needs_observer = OF_OBSERVER.iter().any(|start| query.expr.contains(start));
            let needs_rules = query.expr.contains(OF_RULES);
            let said = &query.described;
            let is_told = (!needs_observer || said.contains("the observer."))
                && (!needs_rules || said.contains("rules"));
            // Where there is nothing, it may show a zero.
            let must_be_empty = needs_observer || needs_rules && !query.expr.contains("vector(0)");
            let is_right = || {
                let is_empty = bare.asked(&query, &values).is_empty();
                (is_empty == must_be_empty).then_some(())
            };
            if !is_told || eventually(SLACK, is_right).is_none() {
                wrong.push(format!(
                    "{name}: must be empty: {must_be_empty}, says {said:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn selections_narrow_each_other(prometheus: &Prometheus) {
    for dashboard in Dashboard::all() {
        let values = dashboard.everything_selected(prometheus, TARGET);
        let of = |name: &str, values: &Values| {
            let mut variables = dashboard.variables().iter();
            let variable = variables.find(|variable| variable["name"] == name);
            variable.map(|variable| {
                let mut found = options(variable, values, prometheus);
                found.sort();
                found
            })
        };
        assert_eq!(of("cluster", &values), Some(vec!["lab".to_owned()]));
        let pools = ["blue", "green"].map(str::to_owned).to_vec();
        assert_eq!(of("pool", &values), Some(pools));
        let selected = |name: &str, value: &str| {
            let mut values = values.clone();
            values.insert(name.to_owned(), value.to_owned());
            values
        };
        if let Some(nodes) = of("node", &values) {
            assert_eq!(nodes, ["node-a", "node-b"]);
            let blue = of("node", &selected("pool", "blue"));
            assert_eq!(blue, Some(vec!["node-a".to_owned()]));
        }
        if let Some(targets) = of("target", &values) {
            let mut all = LABELS.map(str::to_owned).to_vec();
            all.sort();
            assert_eq!(targets, all);
            let shops = of("target", &selected("owner", "shop"));
            assert_eq!(shops, Some(vec!["fallback".to_owned()]));
        }
    }
}

fn named(dashboard: &Dashboard, query: &Query) -> String {
    let short = dashboard.uid.trim_start_matches("privatelink-");
    format!("{short}: {}", query.asked_by)
}

impl Shows {
    fn is(self, values: &[f64]) -> bool {
        let largest = values.iter().copied().reduce(f64::max);
        match self {
            Something => largest.is_some_and(|largest| !largest.is_nan()),
            Nothing => largest.is_none(),
            Is(wanted) => largest.is_some_and(|largest| (largest - wanted).abs() < 0.001),
        }
    }
}

impl Prometheus {
    /// The latest value of each series that a dashboard would show; of an annotation, that of its latest minute.
    fn asked(&self, query: &Query, values: &Values) -> Vec<f64> {
        // An annotation's step, and how far it looks back, are a minute; here all goes faster.
        let is_annotation = query.expr.contains("offset 1m");
        let expr = filled(&query.expr.replace("offset 1m", "offset 10s"), values);
        let path = if query.is_instant {
            format!("/api/v1/query?query={}", encoded(&expr))
        } else {
            let now = self.value("vector(time())").expect("a time");
            let start = now - if is_annotation { 60.0 } else { 0.0 };
            let query = encoded(&expr);
            format!("/api/v1/query_range?query={query}&start={start}&end={now}&step=1")
        };
        let reply = self.ask(&path);
        let series = reply["data"]["result"].as_array().expect("series").iter();
        series
            .map(|series| {
                let values = series["values"].as_array();
                let latest = values.map_or(&series["value"], |values| {
                    values.last().expect("a series has values")
                });
                let value = latest[1].as_str().expect("a number");
                value.parse().expect("a number")
            })
            .collect()
    }
}

impl Answers for Prometheus {
    fn label_values(&self, label: &str, selector: &str) -> Vec<String> {
        let selector = encoded(selector);
        let reply = self.ask(&format!("/api/v1/label/{label}/values?match[]={selector}"));
        let values = reply["data"].as_array().expect("values").iter();
        values.map(text).collect()
    }

    fn labels(&self, expression: &str) -> Vec<Value> {
        let reply = self.ask(&format!("/api/v1/query?query={}", encoded(expression)));
        let series = reply["data"]["result"].as_array().expect("series").iter();
        series.map(|series| series["metric"].clone()).collect()
    }
}

/// Two nodes, whose DNS servers differ, and what the observer says of them.
struct World {
    folders: [Folder; 2],
    binds: [Bind; 2],
    agents: [Agent; 2],
    observer: Observer,
    _services: Vec<Service>,
}

impl World {
    fn start() -> Self {
        let ca = Ca::new();
        let port = free_port();
        let services = LABELS
            .iter()
            .map(|label| (label, host_of(label)))
            .map(|(label, host)| Service::tls(&ca, private(label), port, &host))
            .chain([
                Service::tls(&ca, PUBLIC, port, &host_of(TARGET)),
                Service::tls(&ca, MISMATCH, port, "somebody-else.vault.azure.net"),
                Service::black_hole(BLACK_HOLE, port),
            ])
            .collect();
        let folders = ["dashboards-a", "dashboards-b"].map(Folder::new);
        let binds = [0, 1].map(|node| {
            let zones = vault_zones(&LABELS, healthy_zone(), PUBLIC);
            Bind::start(&folders[node], &zones)
        });
        let agents = [("node-a", 0, 1), ("node-b", 1, 0)].map(|(name, own, other)| {
            let ca_file = ca.file(&folders[own]);
            let servers = [binds[own].address(), binds[other].address()];
            let config = config(servers, &ca_file, port);
            let file = folders[own].write("config.yaml", &config);
            Agent::start(&folders[own], name, &file)
        });
        let observer = Observer::start();
        observer.says("yes", false);
        Self {
            folders,
            binds,
            agents,
            observer,
            _services: services,
        }
    }

    /// One that scrapes the agents; with everything, the observer too, and it evaluates the rules.
    fn prometheus(&self, folder: &Folder, with_all: bool) -> Prometheus {
        let labels = json!({"cluster": "lab"});
        let agents = self
            .agents
            .each_ref()
            .map(|agent| agent.address().to_string());
        let mut jobs = vec![json!({
            "job_name": "agents", "honor_labels": true,
            "static_configs": [{"targets": agents, "labels": labels}],
        })];
        let mut rules = Vec::new();
        if with_all {
            let observer = self.observer.address.to_string();
            jobs.push(json!({
                "job_name": "observer", "honor_labels": true,
                "static_configs": [{"targets": [observer], "labels": labels}],
            }));
            rules.push(folder.write("rules.json", &hurried_rules().to_string()));
        }
        let config = json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": rules,
            "scrape_configs": jobs,
        });
        Prometheus::start_by(folder, &config.to_string())
    }

    /// From now on the first node gets a public address for one target, that of a black hole for another, and that of
    /// another service for a third.
    fn break_it(&self) {
        let zone = privatelink(Authority::Private)
            .address(&alias_of("healthy"), private("healthy"))
            .alias(&alias_of(TARGET), PUBLIC_NAME)
            .address(&alias_of("blackhole"), BLACK_HOLE)
            .address(&alias_of("mismatch"), MISMATCH);
        self.binds[0].replace(&self.folders[0], &zone);
        self.observer.says("no", true);
    }

    fn heal_it(&self) {
        self.binds[0].replace(&self.folders[0], &healthy_zone());
        self.observer.says("cannot_tell", false);
    }
}

fn host_of(label: &str) -> String {
    format!("{label}.vault.azure.net")
}

/// The private endpoint of a target.
fn private(label: &str) -> Ipv4Addr {
    let number = LABELS
        .iter()
        .position(|one| *one == label)
        .expect("a label");
    let [a, b, c, d] = PRIVATE.octets();
    Ipv4Addr::new(a, b, c, d + 10 + u8::try_from(number).expect("few"))
}

fn healthy_zone() -> Zone {
    let zone = privatelink(Authority::Private);
    LABELS.iter().fold(zone, |zone, label| {
        zone.address(&alias_of(label), private(label))
    })
}

fn config([own, other]: [SocketAddr; 2], ca_file: &Path, port: u16) -> String {
    let targets = LABELS.map(|label| {
        let owner = if label == TARGET { "shop" } else { "network" };
        let host = host_of(label);
        format!("  - {{name: {label}, host: {host}, port: {port}, owner: {owner}}}\n")
    });
    let targets = targets.concat();
    format!(
        r#"
interval: 2s
timeout: 2s
limits: {{minInterval: 1s}}
classify: {{private: [127.0.1.0/24], public: [127.0.2.0/24]}}
resolvers:
  - {{name: own, servers: ["{own}"]}}
  - {{name: other, servers: ["{other}"]}}
tls: {{caFiles: ["{ca_file}"]}}
targets:
{targets}"#,
        ca_file = ca_file.display(),
    )
}

/// What the observer's `/metrics` would be.
struct Observer {
    address: SocketAddr,
    text: Arc<Mutex<Vec<u8>>>,
}

impl Observer {
    fn start() -> Self {
        let listener = TcpListener::bind(loopback(0)).expect("a port is free");
        let observer = Self {
            address: listener.local_addr().expect("it is bound"),
            text: Arc::default(),
        };
        let text = Arc::clone(&observer.text);
        // Ends with the process, as nothing waits for it.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let body = text.lock().expect("no thread panics").clone();
                // A client that goes away is not the test's concern.
                let _ = serve(&stream, &body);
            }
        });
        observer
    }

    fn says(&self, gate: &str, is_pattern: bool) {
        let mut samples = Vec::new();
        let mut add = |metric, labels: &[&str], node: Option<&str>, value: f64| {
            samples.push(ObserverSample {
                metric,
                labels: labels.iter().map(|label| (*label).to_owned()).collect(),
                node: node.map(Arc::from),
                value,
            });
        };
        add(ObserverMetric::BuildInfo, &["0.1.0", "abc"], None, 1.0);
        add(ObserverMetric::ApiRequests, &[], None, 42.0);
        add(ObserverMetric::EventsDropped, &[], None, 0.0);
        add(ObserverMetric::Leading, &[], None, 1.0);
        add(ObserverMetric::Publishing, &[], None, 1.0);
        add(ObserverMetric::TargetsLeftOut, &[], None, 0.0);
        add(ObserverMetric::ObserverTargets, &["crd"], None, 1.0);
        add(
            ObserverMetric::ObjectsOmitted,
            &["volumes", "no_name"],
            None,
            2.0,
        );
        for state in ["ok", "forbidden", "absent", "stale"] {
            let is = f64::from(u8::from(state == "ok"));
            add(ObserverMetric::SourceState, &["images", state], None, is);
        }
        for (node, pool) in [("node-a", "blue"), ("node-b", "green")] {
            let traits = [pool, "1", "westeurope", "Standard_D4s_v5"];
            add(ObserverMetric::NodeInfo, &traits, Some(node), 1.0);
        }
        for (state, nodes) in [("covered", 2.0), ("stale", 0.0), ("uncovered", 1.0)] {
            add(ObserverMetric::FleetNodes, &[state], None, nodes);
        }
        for label in LABELS {
            add(ObserverMetric::FleetTargetWorkloads, &[label], None, 14.0);
            add(ObserverMetric::FleetTargetsFailing, &[label], None, 0.0);
        }
        for answer in ["yes", "no", "cannot_tell"] {
            let is = f64::from(u8::from(answer == gate));
            add(ObserverMetric::FleetGate, &[answer], None, is);
        }
        if is_pattern {
            let labels = ["zone_not_seen", "one_node", "node_dns"];
            add(ObserverMetric::FleetPatternNodes, &labels, None, 1.0);
        }
        let text = observer_metrics(&samples, "node-b", Exposition::Text).expect("memory");
        *self.text.lock().expect("no thread panics") = text;
    }
}

fn serve(mut stream: &std::net::TcpStream, body: &[u8]) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let request = BufReader::new(stream).lines();
    for line in request {
        if line?.is_empty() {
            break;
        }
    }
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)
}
