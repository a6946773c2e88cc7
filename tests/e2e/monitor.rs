//! Monitor: a real Prometheus that scrapes what a ServiceMonitor or a PodMonitor of the chart selects,
//! as the Prometheus operator would have it scrape, and evaluates the chart's rules.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use super::command::{eventually, kubectl_json};
use super::dashboard::Answers;
use super::http::{get, get_json};
use super::release::{NAME, NAMESPACE};

pub(crate) struct Prometheus {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
}

impl Prometheus {
    /// Starts one at `port` that scrapes by `monitors`, which are installed: each a kind and a name.
    pub(crate) fn start(folder: &Path, monitors: &[(&str, &str)], port: u16) -> Self {
        fs::create_dir_all(folder).expect("a folder of the run's own");
        let rules = folder.join("rules.json");
        let jobs = monitors.iter().map(|(kind, name)| scrape_job(kind, name));
        let configuration = json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [rules],
            "scrape_configs": jobs.collect::<Vec<_>>(),
        });
        let file = folder.join("prometheus.json");
        fs::write(&file, configuration.to_string()).expect("a file of the run's own");
        fs::write(&rules, chart_rules().to_string()).expect("a file of the run's own");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let log = File::create(folder.join("prometheus.log")).expect("the log of a child");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("prometheus runs; tests/tools/install brings it");
        let prometheus = Self {
            child,
            address,
            folder: folder.to_owned(),
        };
        eventually(Duration::from_secs(30), || match get(address, "/-/ready") {
            Ok((200, _)) => Ok(()),
            _ => {
                Err(fs::read_to_string(prometheus.folder.join("prometheus.log"))
                    .unwrap_or_default())
            }
        });
        prometheus
    }

    /// The series that an expression yields now: labels and value.
    pub(crate) fn query(&self, expression: &str) -> Result<Vec<Series>, String> {
        let reply = get_json(
            self.address,
            &format!("/api/v1/query?query={}", encoded(expression)),
        )
        .map_err(|told| format!("{expression}: {told}"))?;
        let series = match (&reply["data"]["resultType"], &reply["data"]["result"]) {
            (kind, Value::Array(series)) if kind == "vector" => series,
            (_, other) => return Err(format!("{expression} yields no vector: {other}")),
        };
        Ok(series.iter().map(Series::new).collect())
    }

    /// Waits until an expression yields exactly these series, each written as its value and the values
    /// of its labels `by`, such as `node-b vault 1`.
    pub(crate) fn expect(&self, limit: Duration, expression: &str, by: &[&str], wanted: &[&str]) {
        eventually(limit, || {
            let mut is: Vec<String> = self
                .query(expression)?
                .iter()
                .map(|series| series.told(by))
                .collect();
            is.sort();
            if is == wanted {
                Ok(())
            } else {
                Err(format!("{expression} is {is:#?} and not {wanted:#?}"))
            }
        });
    }

    /// The alerts that fire, as their name, node and target.
    pub(crate) fn alerts(&self) -> Result<Vec<String>, String> {
        let firing = self.query("ALERTS{alertstate=\"firing\"}")?;
        let mut alerts: Vec<String> = firing
            .iter()
            .map(|series| series.names(&["alertname", "node", "target"]))
            .collect();
        alerts.sort();
        Ok(alerts)
    }

    /// The rules that this Prometheus could not evaluate, with its complaint.
    pub(crate) fn broken_rules(&self) -> Result<Vec<String>, String> {
        let reply = get_json(self.address, "/api/v1/rules")?;
        let rules: Vec<&Value> = reply["data"]["groups"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|group| group["rules"].as_array().into_iter().flatten())
            .collect();
        if rules.is_empty() || rules.iter().any(|rule| rule["health"] == "unknown") {
            return Err("the rules were not evaluated yet".to_owned());
        }
        Ok(rules
            .iter()
            .filter(|rule| rule["health"] != "ok")
            .map(|rule| format!("{}: {}", rule["name"], rule["lastError"]))
            .collect())
    }

    /// The values that a label has, as a dashboard's variable asks for them.
    pub(crate) fn label_values(&self, label: &str, selector: &str) -> Result<Vec<String>, String> {
        let path = format!(
            "/api/v1/label/{label}/values?match%5B%5D={}",
            encoded(selector)
        );
        let reply = get_json(self.address, &path)?;
        let values = reply["data"].as_array().into_iter().flatten();
        Ok(values
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect())
    }
}

impl Answers for Prometheus {
    fn label_values(&self, label: &str, selector: &str) -> Vec<String> {
        let values = self.label_values(label, selector);
        values.unwrap_or_else(|told| panic!("{told}"))
    }

    fn labels(&self, expression: &str) -> Vec<Value> {
        let series = self
            .query(expression)
            .unwrap_or_else(|told| panic!("{told}"));
        let labels = series.into_iter().map(|series| series.labels);
        labels.map(Value::Object).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One series of an answer.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) labels: Map<String, Value>,
    pub(crate) value: f64,
}

impl Series {
    fn new(series: &Value) -> Self {
        Self {
            labels: series["metric"].as_object().cloned().unwrap_or_default(),
            value: series["value"][1]
                .as_str()
                .and_then(|text| text.parse().ok())
                .unwrap_or(f64::NAN),
        }
    }

    fn told(&self, by: &[&str]) -> String {
        format!("{} {}", self.names(by), self.value)
            .trim()
            .to_owned()
    }

    fn names(&self, by: &[&str]) -> String {
        let names: Vec<&str> = by
            .iter()
            .filter_map(|label| self.labels.get(*label)?.as_str())
            .collect();
        names.join(" ")
    }
}

/// What the operator makes of a monitor of the chart: which pods to scrape, how, and how to label them.
///
/// After the operator's documented behaviour: keep by the selector and the port's name, attach
/// namespace, pod, container, endpoint and job, and only then the monitor's own relabelling.
fn scrape_job(kind: &str, name: &str) -> Value {
    let monitor = kubectl_json(&["-n", NAMESPACE, "get", kind, name]);
    let spec = &monitor["spec"];
    let (role, owner, endpoints, port) = match kind {
        "servicemonitor" => (
            "endpointslice",
            "service",
            &spec["endpoints"],
            "__meta_kubernetes_endpointslice_port_name",
        ),
        _ => (
            "pod",
            "pod",
            &spec["podMetricsEndpoints"],
            "__meta_kubernetes_pod_container_port_name",
        ),
    };
    let endpoint = &endpoints[0];
    let mut rules = Vec::new();
    let selector = spec["selector"]["matchLabels"]
        .as_object()
        .expect("a selector by labels");
    for (label, value) in selector {
        let source = format!("__meta_kubernetes_{owner}_label_{}", sanitised(label));
        rules.push(json!({"action": "keep", "source_labels": [source], "regex": value}));
    }
    rules.push(json!({"action": "keep", "source_labels": [port], "regex": endpoint["port"]}));
    rules.push(json!({
        "action": "drop", "source_labels": ["__meta_kubernetes_pod_phase"], "regex": "(Failed|Succeeded)",
    }));
    for (source, label) in [
        ("__meta_kubernetes_namespace", "namespace"),
        ("__meta_kubernetes_pod_name", "pod"),
        ("__meta_kubernetes_pod_container_name", "container"),
        (port, "endpoint"),
    ] {
        rules.push(json!({"source_labels": [source], "target_label": label}));
    }
    if let Some(label) = spec["jobLabel"].as_str() {
        let source = format!("__meta_kubernetes_{owner}_label_{}", sanitised(label));
        rules.push(json!({"source_labels": [source], "target_label": "job", "regex": "(.+)"}));
    }
    rules.extend(relabelling(&endpoint["relabelings"]));
    let namespaces = &spec["namespaceSelector"]["matchNames"];
    let mut job = json!({
        "job_name": format!("{kind}/{NAMESPACE}/{name}/0"),
        "honor_labels": endpoint["honorLabels"].as_bool().unwrap_or_default(),
        "metrics_path": endpoint["path"].as_str().unwrap_or("/metrics"),
        "scrape_interval": endpoint["interval"],
        "scrape_timeout": endpoint["scrapeTimeout"],
        "label_limit": spec["labelLimit"].as_u64().unwrap_or_default(),
        "label_name_length_limit": spec["labelNameLengthLimit"].as_u64().unwrap_or_default(),
        "label_value_length_limit": spec["labelValueLengthLimit"].as_u64().unwrap_or_default(),
        "kubernetes_sd_configs": [{
            "role": role,
            "kubeconfig_file": std::env::var("KUBECONFIG").expect("the run names the cluster"),
            "namespaces": {"names": namespaces},
        }],
        "relabel_configs": rules,
        "metric_relabel_configs": relabelling(&endpoint["metricRelabelings"]),
    });
    for (key, setting) in security(endpoint) {
        job[key] = setting;
    }
    job
}

/// How an endpoint is read that not everybody may read. The operator reads the Secrets that are named.
fn security(endpoint: &Value) -> Vec<(&'static str, Value)> {
    let mut settings = Vec::new();
    if let Some(scheme) = endpoint["scheme"].as_str() {
        settings.push(("scheme", json!(scheme)));
    }
    if let Some(tls) = endpoint["tlsConfig"].as_object() {
        let ca = secret(&tls["ca"]["secret"]);
        let tls = json!({"server_name": tls["serverName"], "ca": ca});
        settings.push(("tls_config", tls));
    }
    if let Some(basic) = endpoint["basicAuth"].as_object() {
        let pair =
            json!({"username": secret(&basic["username"]), "password": secret(&basic["password"])});
        settings.push(("basic_auth", pair));
    }
    if let Some(token) = endpoint["authorization"].as_object() {
        let token = secret(&token["credentials"]);
        settings.push(("authorization", json!({"credentials": token})));
    }
    settings
}

/// The text under a key of a Secret.
fn secret(key: &Value) -> String {
    let name = key["name"].as_str().expect("the name of a Secret");
    let data = &kubectl_json(&["-n", NAMESPACE, "get", "secret", name])["data"];
    let key = key["key"].as_str().expect("a key");
    let text = BASE64_STANDARD.decode(data[key].as_str().unwrap_or_default());
    String::from_utf8(text.expect("base64")).expect("a text")
}

/// The chart's rules, as Prometheus reads them from a file.
fn chart_rules() -> Value {
    let rule = kubectl_json(&["-n", NAMESPACE, "get", "prometheusrule", NAME]);
    json!({"groups": rule["spec"]["groups"]})
}

/// The operator's spelling of relabelling in Prometheus' own.
fn relabelling(rules: &Value) -> Vec<Value> {
    let rules = rules.as_array().cloned().unwrap_or_default();
    rules
        .iter()
        .map(|rule| {
            let fields = rule.as_object().expect("a rule has fields").iter();
            fields
                .map(|(field, value)| (snake(field), value.clone()))
                .collect::<Map<_, _>>()
                .into()
        })
        .collect()
}

fn snake(camel: &str) -> String {
    camel.chars().fold(String::new(), |mut snake, letter| {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
        snake
    })
}

/// A label of Kubernetes as Prometheus writes it.
fn sanitised(label: &str) -> String {
    label.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_")
}

/// Percent-encoding of all but letters and digits (RFC 3986 section 2.1).
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a string takes all");
        }
        encoded
    })
}
