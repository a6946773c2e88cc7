//! Monitoring: what the chart brings for people who watch: monitors, alerts, the dashboard.

use std::time::Duration;

use serde_json::{Value, json};

use super::command::{eventually, kubectl_json, same, throughout};
use super::harness::Test;
use super::monitor::Prometheus;
use super::release::{self, INTERVAL, LOCAL_DNS, NAMESPACE, SLACK};
use super::world::World;

pub(crate) const TESTS: &[Test] = &[
    (
        "alerts fire for what is broken and not for what is healthy",
        alerts,
    ),
    (
        "a PodMonitor gives the same labels as a ServiceMonitor",
        pod_monitor,
    ),
    ("every query of the dashboard has data", dashboard),
];

const SETTLED: Duration = Duration::from_secs(INTERVAL * 3 + SLACK);

fn alerts(world: &mut World) {
    world.as_installed();
    let prometheus = world.prometheus();
    eventually(SETTLED, || {
        same("broken rules", &prometheus.broken_rules()?, &Vec::new())
    });
    // Three services, and one cause.
    let expected = vec!["PrivateServiceResolvesPubliclyOnNode node-b".to_owned()];
    eventually(SETTLED, || {
        same("the alerts", &prometheus.alerts()?, &expected)
    });
    throughout(Duration::from_secs(3), || {
        same("the alerts", &prometheus.alerts()?, &expected)
    });
}

fn pod_monitor(world: &mut World) {
    world.as_installed();
    let folder = world.folder("pod-monitor");
    world.prometheus();
    let mut values = release::values(LOCAL_DNS);
    values["podMonitor"] = values["serviceMonitor"].clone();
    values["serviceMonitor"] = json!({"enabled": false});
    world.release.ensure(values);
    let by_service = world.prometheus();
    let by_pod = Prometheus::start(&folder, "podmonitor", 9091);
    for expression in [
        "up",
        "privatelink_probe_success",
        "process_resident_memory_bytes",
    ] {
        eventually(SETTLED, || {
            let labels = |prometheus: &Prometheus| -> Result<Vec<String>, String> {
                let series = prometheus.query(expression)?;
                let mut labels: Vec<String> = series
                    .into_iter()
                    .map(|mut series| {
                        // How it came there, which is all that may differ.
                        for label in ["instance", "service"] {
                            series.labels.remove(label);
                        }
                        let mut labels: Vec<String> = series
                            .labels
                            .iter()
                            .map(|(label, value)| format!("{label}={value}"))
                            .collect();
                        labels.sort();
                        labels.join(" ")
                    })
                    .collect();
                labels.sort();
                Ok(labels)
            };
            let (by_pod, by_service) = (labels(&by_pod)?, labels(by_service)?);
            same("whether there are series", &by_pod.is_empty(), &false)?;
            same("the labels by pod", &by_pod, &by_service)
        });
    }
}

fn dashboard(world: &mut World) {
    world.as_installed();
    let dashboards = kubectl_json(&[
        "-n",
        NAMESPACE,
        "get",
        "configmaps",
        "-l",
        "grafana_dashboard=1",
    ]);
    let data = dashboards["items"][0]["data"]
        .as_object()
        .expect("the sidecar finds a dashboard");
    let text = data
        .values()
        .next()
        .and_then(Value::as_str)
        .expect("a file");
    let dashboard: Value = serde_json::from_str(text).expect("a dashboard is JSON");
    let mut queries = Vec::new();
    collect(&dashboard["panels"], &mut queries);
    assert!(!queries.is_empty(), "a dashboard asks");

    let prometheus = world.prometheus();
    for variable in dashboard["templating"]["list"]
        .as_array()
        .into_iter()
        .flatten()
    {
        if variable["type"] == "query" {
            let values = variable_values(prometheus, variable);
            // A cluster's name is the scraping Prometheus' to add, and here it adds none.
            let name = variable["name"].as_str().unwrap_or_default();
            assert!(
                name == "cluster" || values.is_ok_and(|values| !values.is_empty()),
                "{variable}"
            );
        }
    }
    for query in &queries {
        let concrete = substitute(query, &dashboard["templating"]["list"]);
        eventually(SETTLED, || match prometheus.query(&concrete)?.as_slice() {
            [] => Err(format!("no data for {query}, asked as {concrete}")),
            _ => Ok(()),
        });
    }
    let asked = queries.len();
    world.notes.push(format!("{asked} queries"));
}

/// Every expression of the panels, those inside rows too.
fn collect(panels: &Value, queries: &mut Vec<String>) {
    for panel in panels.as_array().into_iter().flatten() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            queries.extend(target["expr"].as_str().map(str::to_owned));
        }
        collect(&panel["panels"], queries);
    }
}

/// The values of a variable `label_values(selector, label)`.
fn variable_values(prometheus: &Prometheus, variable: &Value) -> Result<Vec<String>, String> {
    let query = variable["query"]["query"]
        .as_str()
        .or(variable["query"].as_str())
        .or(variable["definition"].as_str())
        .unwrap_or_default();
    let inner = query
        .strip_prefix("label_values(")
        .and_then(|rest| rest.strip_suffix(')'))
        .ok_or_else(|| format!("not a label_values query: {query}"))?;
    let (selector, label) = inner
        .rsplit_once(',')
        .ok_or_else(|| format!("no selector: {query}"))?;
    prometheus.label_values(label.trim(), &substitute(selector, &Value::Null))
}

/// A dashboard's expression as Grafana would ask it with every variable at `All`.
fn substitute(expression: &str, variables: &Value) -> String {
    let mut expression = expression.to_owned();
    for (name, value) in [
        ("__rate_interval", "1m"),
        ("__interval", "30s"),
        ("__range", "5m"),
    ] {
        expression = replace(&expression, name, value);
    }
    for variable in variables.as_array().into_iter().flatten() {
        let name = variable["name"].as_str().unwrap_or_default();
        expression = replace(
            &expression,
            name,
            if name == "target" { "vault" } else { ".*" },
        );
    }
    // What a variable's own query refers to.
    for name in ["cluster", "node", "target"] {
        expression = replace(&expression, name, ".*");
    }
    expression
}

fn replace(expression: &str, name: &str, value: &str) -> String {
    let mut replaced = expression.to_owned();
    for spelling in [
        format!("${{{name}:regex}}"),
        format!("${{{name}}}"),
        format!("${name}"),
    ] {
        replaced = replaced.replace(&spelling, value);
    }
    replaced
}
