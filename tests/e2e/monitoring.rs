//! Monitoring: what the chart brings for people who watch: monitors, alerts, the dashboards.

use std::time::Duration;

use serde_json::json;

use super::command::{eventually, kubectl_json, same, throughout};
use super::dashboard::{Dashboard, filled};
use super::harness::Test;
use super::monitor::Prometheus;
use super::release::{self, INTERVAL, LOCAL_DNS, NAME, NAMESPACE, SLACK};
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
    ("every query of the dashboards is answered", dashboards),
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
    let by_pod = Prometheus::start(&folder, &[("podmonitor", NAME)], 9091);
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

/// Of the broken node all panels show something. Those of the observer and the rules are tested with a Prometheus
/// that has both (tests/peers); here they must only be answered.
fn dashboards(world: &mut World) {
    world.as_installed();
    let maps = kubectl_json(&[
        "-n",
        NAMESPACE,
        "get",
        "configmaps",
        "-l",
        "grafana_dashboard=1",
    ]);
    let maps = maps["items"].as_array().expect("ConfigMaps").iter();
    let texts = maps.flat_map(|map| map["data"].as_object().expect("files").values());
    let dashboards: Vec<_> = texts
        .map(|text| Dashboard::parse(text.as_str().expect("a text")))
        .collect();
    assert_eq!(dashboards.len(), 3, "the sidecar finds all dashboards");

    let prometheus = world.prometheus();
    let mut asked = 0;
    for dashboard in &dashboards {
        let values = dashboard.everything_selected(prometheus, "vault");
        for query in dashboard.queries() {
            let concrete = filled(&query.expr, &values);
            let may_be_empty = [
                "privatelink_observer_",
                "privatelink_fleet_",
                "privatelink:",
                "privatelink_events_",
                "offset",
            ]
            .iter()
            .any(|words| query.expr.contains(words));
            eventually(SETTLED, || match prometheus.query(&concrete)?.as_slice() {
                [] if !may_be_empty => Err(format!("no data for {}: {concrete}", query.asked_by)),
                _ => Ok(()),
            });
            asked += 1;
        }
    }
    world.notes.push(format!("{asked} queries"));
}
