//! Prometheus: a real one that scrapes the agent every second and evaluates the rules. It asks for
//! OpenMetrics and for gzip, as every recent Prometheus does unless told otherwise.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::agent::{Agent, get};
use super::child::{Child, Folder, eventually, free_port};
use super::dns::loopback;

pub(crate) struct Prometheus {
    _child: Child,
    address: SocketAddr,
}

impl Prometheus {
    pub(crate) fn start(folder: &Folder, agent: SocketAddr) -> Self {
        Self::start_with(folder, agent, &[("privatelink-prober", "")])
    }

    /// With several jobs that scrape the same agent: the name of each, and its further settings.
    pub(crate) fn start_with(folder: &Folder, agent: SocketAddr, jobs: &[(&str, &str)]) -> Self {
        let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus-rules.yaml");
        let mut config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: [\"{rules}\"]\n\
             scrape_configs:\n"
        );
        for (name, settings) in jobs {
            write!(
                config,
                "- job_name: {name}\n  \
                   honor_labels: true\n  \
                   static_configs: [{{targets: [\"{agent}\"], labels: {{cluster: lab}}}}]\n{settings}"
            )
            .expect("a string takes all");
        }
        Self::start_by(folder, &config)
    }

    /// With this configuration.
    pub(crate) fn start_by(folder: &Folder, config: &str) -> Self {
        let config = folder.write("prometheus.yml", config);
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
        Self {
            _child: child,
            address,
        }
    }

    /// The value of an expression that yields one series or none.
    pub(crate) fn value(&self, expression: &str) -> Option<f64> {
        let reply = self.ask(&format!("/api/v1/query?query={}", encoded(expression)));
        let series = reply["data"]["result"]
            .as_array()
            .expect("an instant query yields a vector");
        assert!(series.len() <= 1, "{expression} yields {series:?}");
        let value = series.first()?["value"][1].as_str()?;
        Some(value.parse().expect("Prometheus writes numbers"))
    }

    /// Waits until the expression has the value, or no value; panics with the one it had instead.
    pub(crate) fn expect(&self, limit: Duration, expression: &str, wanted: Option<f64>) {
        let reached = eventually(limit, || (self.value(expression) == wanted).then_some(()));
        assert!(
            reached.is_some(),
            "{expression} is {:?} and not {wanted:?} after {limit:?}",
            self.value(expression),
        );
    }

    /// What is wrong with the rules as this Prometheus evaluates them: name and error of each.
    pub(crate) fn broken_rules(&self) -> Vec<String> {
        let reply = self.ask("/api/v1/rules");
        let groups = reply["data"]["groups"].as_array().expect("groups");
        let rules: Vec<_> = groups
            .iter()
            .flat_map(|group| group["rules"].as_array().expect("the group has rules"))
            .collect();
        assert!(!rules.is_empty(), "{reply}");
        rules
            .iter()
            .filter(|rule| rule["health"] != "ok")
            .map(|rule| format!("{}: {}", rule["name"], rule["lastError"]))
            .collect()
    }

    /// The unit of a metric, as the target of the job says it; `None` until it was scraped.
    fn unit(&self, job: &str, metric: &str) -> Option<String> {
        let target = encoded(&format!("{{job=\"{job}\"}}"));
        let path = format!("/api/v1/targets/metadata?match_target={target}&metric={metric}");
        let reply = get(self.address, &path).filter(|reply| reply.status == 200)?;
        let reply: Value = serde_json::from_str(&reply.body).expect("Prometheus answers in JSON");
        reply["data"][0]["unit"].as_str().map(str::to_owned)
    }

    /// What it answers at `path`.
    pub(crate) fn ask(&self, path: &str) -> Value {
        let reply = get(self.address, path).expect("Prometheus answers");
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        serde_json::from_str(&reply.body).expect("Prometheus answers in JSON")
    }
}

#[test]
fn a_prometheus_reads_the_same_series_from_both_formats() {
    let folder = Folder::new("formats");
    let config = "targets: [{name: kv, host: kv.vault.azure.net}]\n\
                  resolvers: [{name: nobody, servers: ['127.0.0.1:9']}]\n";
    let agent = Agent::start(&folder, "node-a", &folder.write("config.yaml", config));
    let plain = "  scrape_protocols: [PrometheusText0.0.4]\n  enable_compression: false\n";
    let jobs = [("usual", ""), ("plain", plain)];
    let prometheus = Prometheus::start_with(&folder, agent.address(), &jobs);
    let limit = Duration::from_secs(30);
    prometheus.expect(limit, "sum(up)", Some(2.0));
    prometheus.expect(limit, "count(privatelink_probe_success == 0)", Some(2.0));

    // Only OpenMetrics has units.
    for (job, unit) in [("usual", "seconds"), ("plain", "")] {
        let read = eventually(limit, || {
            prometheus.unit(job, "privatelink_probe_interval_seconds")
        });
        assert_eq!(read.as_deref(), Some(unit), "{job}");
    }
    // A match ignores the name of a metric, so it becomes a label.
    let series = |job: &str| {
        format!(
            "label_replace({{job=\"{job}\",node=\"node-a\"}},\"name\",\"$1\",\"__name__\",\"(.+)\")"
        )
    };
    let (usual, plain) = (series("usual"), series("plain"));
    let all = prometheus.value(&format!("count({usual})"));
    assert!(all.is_some_and(|all| all > 100.0), "{all:?}");
    for (one, other) in [(&usual, &plain), (&plain, &usual)] {
        let missing = format!("count({one} unless ignoring (job) {other})");
        prometheus.expect(limit, &missing, None);
    }
}

/// What promtool finds wrong with metrics in the text format; empty when nothing is.
pub(crate) fn lint(metrics: &str) -> String {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs; tests/tools/install installs it");
    let mut input = promtool.stdin.take().expect("a pipe was asked for");
    input
        .write_all(metrics.as_bytes())
        .expect("promtool reads to the end");
    drop(input);
    let output = promtool.wait_with_output().expect("promtool ends");
    let mut said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if !output.status.success() {
        writeln!(said, "{}", output.status).expect("a string takes all");
    }
    said
}

/// Percent-encoding of all but letters and digits (RFC 3986 section 2.1).
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a string takes all");
        }
        encoded
    })
}
