//! Monitors: what tells a Prometheus to scrape every agent, with the node as a label.

use serde_json::{Value, json};

use super::helm::{LEAST, pods, render, the};

const KINDS: [(&str, &str, &str); 2] = [
    ("serviceMonitor", "ServiceMonitor", "endpoints"),
    ("podMonitor", "PodMonitor", "podMetricsEndpoints"),
];

fn monitor(value: &str, kind: &str, more: &str) -> Value {
    let objects = render(&format!("{LEAST}{value}: {{enabled: true, {more}}}"));
    the(kind, &objects).clone()
}

#[test]
fn node_comes_first_from_the_pods_node_and_the_agents_own_labels_are_honoured() {
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
fn azure_managed_prometheus_gets_its_own_group_and_the_limits_it_wants() {
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
fn a_limit_of_nought_is_no_limit() {
    for (value, kind, _) in KINDS {
        let spec = &monitor(value, kind, "labelLimit: 0")["spec"];
        assert!(spec["labelLimit"].is_null());
    }
}

#[test]
fn the_monitors_select_what_they_are_meant_to() {
    for (value, kind, _) in KINDS {
        let values = format!("{LEAST}{value}: {{enabled: true}}");
        let objects = render(&values);
        let selector = &the(kind, &objects)["spec"]["selector"]["matchLabels"];
        let labels = match kind {
            "PodMonitor" => pods(&values)[0]["metadata"]["labels"].clone(),
            _ => the("Service", &objects)["metadata"]["labels"].clone(),
        };
        for (name, value) in selector.as_object().expect("labels") {
            assert_eq!(&labels[name], value);
        }
    }
}

#[test]
fn nothing_is_scraped_by_default() {
    let objects = render(LEAST);
    for (_, kind, _) in KINDS {
        assert!(objects.iter().all(|object| object["kind"] != kind));
    }
    let [agent, _] = pods(LEAST);
    assert!(agent["metadata"]["annotations"]["prometheus.io/scrape"].is_null());
}

#[test]
fn agents_that_are_not_ready_are_scraped_too() {
    let objects = render(LEAST);
    let service = &the("Service", &objects)["spec"];
    assert_eq!(service["clusterIP"], "None");
    assert_eq!(service["publishNotReadyAddresses"], true);
}
