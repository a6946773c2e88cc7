//! Monitors: the objects that make Prometheus scrape every agent, with the node as a label.

use serde_json::{Value, json};

use super::helm::{MINIMAL, pods, render, single};

const KINDS: [(&str, &str, &str); 2] = [
    ("serviceMonitor", "ServiceMonitor", "endpoints"),
    ("podMonitor", "PodMonitor", "podMetricsEndpoints"),
];

fn monitor(value: &str, kind: &str, more: &str) -> Value {
    let objects = render(&format!("{MINIMAL}{value}: {{enabled: true, {more}}}"));
    single(kind, &objects).clone()
}

#[test]
fn the_first_relabeling_sets_node_and_labels_of_the_agent_are_kept() {
    for (value, kind, endpoints) in KINDS {
        let more = "relabelings: [{targetLabel: more, replacement: x}]";
        let spec = &monitor(value, kind, more)["spec"];
        let endpoint = &spec[endpoints][0];
        assert_eq!(
            endpoint["relabelings"],
            json!([
                {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"},
                {"targetLabel": "more", "replacement": "x"},
            ])
        );
        assert_eq!(endpoint["honorLabels"], true);
        assert_eq!(endpoint["port"], "metrics");
        assert_eq!(spec["jobLabel"], "app.kubernetes.io/name");
        assert_eq!(spec["namespaceSelector"]["matchNames"], json!(["watch"]));
    }
}

#[test]
fn azure_managed_prometheus_gets_its_api_group_and_the_limits_it_needs() {
    for (value, kind, _) in KINDS {
        let azure = "apiVersion: azmonitoring.coreos.com/v1";
        let monitor = monitor(value, kind, azure);
        assert_eq!(monitor["apiVersion"], "azmonitoring.coreos.com/v1");
        let spec = &monitor["spec"];
        assert_eq!(spec["labelLimit"], 63);
        assert_eq!(spec["labelNameLengthLimit"], 511);
        assert_eq!(spec["labelValueLengthLimit"], 1023);
    }
}

#[test]
fn a_limit_of_0_is_no_limit() {
    for (value, kind, _) in KINDS {
        let spec = &monitor(value, kind, "labelLimit: 0")["spec"];
        assert!(spec["labelLimit"].is_null());
    }
}

#[test]
fn further_settings_reach_the_monitors_and_are_absent_by_default() {
    let more = "scheme: https, tlsConfig: {serverName: x}, sampleLimit: 9, podTargetLabels: [tier], \
                attachMetadata: {node: true}, apiVersion: azmonitoring.coreos.com/v1";
    for (value, kind, endpoints) in KINDS {
        let spec = &monitor(value, kind, more)["spec"];
        assert_eq!(spec[endpoints][0]["scheme"], "https");
        assert_eq!(spec[endpoints][0]["tlsConfig"], json!({"serverName": "x"}));
        assert_eq!(spec["sampleLimit"], 9);
        assert_eq!(spec["podTargetLabels"], json!(["tier"]));
        assert_eq!(spec["attachMetadata"], json!({"node": true}));
        let spec = &monitor(value, kind, "")["spec"];
        for field in ["sampleLimit", "podTargetLabels", "attachMetadata"] {
            assert!(spec[field].is_null(), "{field}");
        }
        for field in ["scheme", "tlsConfig"] {
            assert!(spec[endpoints][0][field].is_null(), "{field}");
        }
    }
}

#[test]
fn the_monitors_select_the_service_and_the_pods() {
    for (value, kind, _) in KINDS {
        let values = format!("{MINIMAL}{value}: {{enabled: true}}");
        let objects = render(&values);
        let selector = &single(kind, &objects)["spec"]["selector"]["matchLabels"];
        let labels = match kind {
            "PodMonitor" => pods(&values)[0]["metadata"]["labels"].clone(),
            _ => single("Service", &objects)["metadata"]["labels"].clone(),
        };
        for (name, value) in selector.as_object().expect("labels") {
            assert_eq!(&labels[name], value);
        }
    }
}

#[test]
fn nothing_is_scraped_by_default() {
    let objects = render(MINIMAL);
    for (_, kind, _) in KINDS {
        assert!(objects.iter().all(|object| object["kind"] != kind));
    }
    let [agent, _] = pods(MINIMAL);
    assert!(agent["metadata"]["annotations"]["prometheus.io/scrape"].is_null());
}

#[test]
fn agents_that_are_not_ready_are_scraped_too() {
    let objects = render(MINIMAL);
    let service = &single("Service", &objects)["spec"];
    assert_eq!(service["clusterIP"], "None");
    assert_eq!(service["publishNotReadyAddresses"], true);
}
