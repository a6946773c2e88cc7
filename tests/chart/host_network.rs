//! Host network: the second agent of a node, in the node's own network, and how its series are told from
//! those of the first.

use serde_json::{Value, json};

use super::helm::{MINIMAL, render};

const EVERYTHING: &str = include_str!("values/everything.yaml");
const ON: &str = "hostNetwork: {enabled: true}\n";

/// The object of this kind with this name.
fn named<'a>(kind: &str, name: &str, objects: &'a [Value]) -> &'a Value {
    let mut found = objects
        .iter()
        .filter(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    let object = found.next().unwrap_or_else(|| panic!("no {kind} {name}"));
    assert!(found.next().is_none(), "more than one {kind} {name}");
    object
}

#[test]
fn it_is_off_by_default_and_adds_objects_without_changing_any() {
    for values in [
        MINIMAL.to_owned(),
        EVERYTHING.to_owned(),
        format!("{MINIMAL}serviceMonitor: {{enabled: true}}\n"),
    ] {
        let without = render(&values);
        let all = render(&format!("{values}{ON}"));
        let (host, ordinary): (Vec<_>, Vec<_>) = all.into_iter().partition(|object| {
            let name = object["metadata"]["name"].as_str();
            name.is_some_and(|name| name.ends_with("-host"))
        });
        assert_eq!(ordinary, without);
        assert!(host.len() >= 2, "{host:#?}");
        assert!(
            without
                .iter()
                .all(|object| { object["spec"]["template"]["spec"]["hostNetwork"].is_null() })
        );
    }
}

#[test]
fn its_pods_have_the_nodes_network_and_resolv_conf_and_a_port_of_their_own() {
    let values = format!("{EVERYTHING}{ON}dnsPolicy: None\n");
    let values = values.replace("dnsConfig: {", "dnsConfig: {nameservers: [10.0.0.10], ");
    let objects = render(&values);
    let ordinary = named("DaemonSet", "t-privatelink-prober", &objects);
    let host = named("DaemonSet", "t-privatelink-prober-host", &objects);
    let pod = &host["spec"]["template"];
    let spec = &pod["spec"];
    assert_eq!(spec["hostNetwork"], true);
    assert_eq!(spec["dnsPolicy"], "Default");
    assert!(spec["dnsConfig"].is_null());
    let container = &spec["containers"][0];
    assert_eq!(container["args"][5], "--listen");
    assert_eq!(container["args"][6], "[::]:9798");
    assert_eq!(
        container["ports"],
        json!([{"name": "metrics", "containerPort": 9798, "hostPort": 9798, "protocol": "TCP"}])
    );
    assert_eq!(container["livenessProbe"]["httpGet"]["port"], "metrics");
    assert_eq!(pod["metadata"]["labels"]["network"], "host");
    assert_eq!(pod["metadata"]["annotations"]["prometheus.io/port"], "9798");
    // All else is as it is in the ordinary pods, except additional containers.
    let of_ordinary = &ordinary["spec"]["template"]["spec"];
    for field in [
        "image",
        "env",
        "envFrom",
        "resources",
        "securityContext",
        "volumeMounts",
    ] {
        assert_eq!(
            container[field], of_ordinary["containers"][0][field],
            "{field}"
        );
    }
    for field in [
        "volumes",
        "initContainers",
        "tolerations",
        "affinity",
        "securityContext",
    ] {
        assert_eq!(spec[field], of_ordinary[field], "{field}");
    }
    assert_eq!(spec["automountServiceAccountToken"], false);
    assert_eq!(spec["containers"].as_array().map(Vec::len), Some(1));
    assert_eq!(of_ordinary["containers"].as_array().map(Vec::len), Some(2));
}

#[test]
fn its_port_can_be_chosen() {
    let values = format!(
        "{MINIMAL}hostNetwork: {{enabled: true, port: 19797}}\nscrapeAnnotations: {{enabled: true}}\n"
    );
    let objects = render(&values);
    let host = named("DaemonSet", "t-privatelink-prober-host", &objects);
    let pod = &host["spec"]["template"];
    assert_eq!(pod["spec"]["containers"][0]["args"][6], "[::]:19797");
    assert_eq!(
        pod["metadata"]["annotations"]["prometheus.io/port"],
        "19797"
    );
    let service = named("Service", "t-privatelink-prober-host", &objects);
    assert_eq!(service["spec"]["ports"][0]["port"], 19797);
}

/// The old pod keeps the port of the node until it ends.
#[test]
fn a_surge_of_the_ordinary_pods_is_no_surge_in_the_nodes_network() {
    let strategy = |rolling: &str| {
        let values = format!("{MINIMAL}{ON}updateStrategy: {{rollingUpdate: {rolling}}}\n");
        let objects = render(&values);
        let host = named("DaemonSet", "t-privatelink-prober-host", &objects);
        host["spec"]["updateStrategy"]["rollingUpdate"].clone()
    };
    assert_eq!(
        strategy("{maxSurge: 20%, maxUnavailable: 0}"),
        json!({"maxUnavailable": "20%"})
    );
    assert_eq!(strategy("{}"), json!({"maxUnavailable": "10%"}));
}

#[test]
fn no_object_selects_the_pods_of_two() {
    let values = format!("{EVERYTHING}{ON}serviceMonitor: {{enabled: false}}\n");
    let objects = render(&values);
    let labels = |kind: &str, name: &str| {
        named(kind, name, &objects)["spec"]["template"]["metadata"]["labels"].clone()
    };
    let pods = [
        labels("DaemonSet", "t-privatelink-prober"),
        labels("DaemonSet", "t-privatelink-prober-host"),
        labels("Deployment", "t-privatelink-prober-observer"),
    ];
    let mut selecting = 0;
    for object in &objects {
        let spec = &object["spec"];
        let selectors = [
            &spec["selector"]["matchLabels"],
            &spec["podSelector"]["matchLabels"],
            &spec["selector"],
        ];
        let selector = selectors.into_iter().find_map(|selector| {
            selector
                .as_object()
                .filter(|labels| labels.values().all(Value::is_string))
        });
        let Some(selector) = selector else { continue };
        let selected = pods
            .iter()
            .map(|labels| selector.iter().all(|(name, value)| &labels[name] == value));
        let selected: Vec<_> = selected.collect();
        let name = object["metadata"]["name"].as_str().expect("a name");
        let (host, observer) = (name.ends_with("-host"), name.ends_with("-observer"));
        assert_eq!(selected, [!host && !observer, host, observer], "{object}");
        selecting += 1;
    }
    // A DaemonSet, a Service and a PodMonitor for each of the agents; no network policy applies to the
    // host's. For the observer a Deployment, and a PodDisruptionBudget beside these.
    assert_eq!(selecting, 12);
}

#[test]
fn only_its_monitors_set_the_label_network() {
    for (value, kind, endpoints) in [
        ("serviceMonitor", "ServiceMonitor", "endpoints"),
        ("podMonitor", "PodMonitor", "podMetricsEndpoints"),
    ] {
        let values = format!("{MINIMAL}{ON}{value}: {{enabled: true}}\n");
        let objects = render(&values);
        let relabelings =
            |name: &str| named(kind, name, &objects)["spec"][endpoints][0]["relabelings"].clone();
        let node =
            json!({"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"});
        let network = json!({"targetLabel": "network", "replacement": "host"});
        assert_eq!(relabelings("t-privatelink-prober"), json!([node]));
        assert_eq!(
            relabelings("t-privatelink-prober-host"),
            json!([node, network])
        );
    }
}
