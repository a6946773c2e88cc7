//! Examples: what they hold for the chart, the chart takes, rendered as the tools of the examples do it: without a
//! cluster to look things up in.

use std::fs;

use serde_json::{Value, json};

use super::helm::{ROOT, config, documents, pods, render, single, yaml};

fn read(name: &str) -> String {
    let path = format!("{ROOT}/examples/{name}");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The values that an object of the example hands to the chart.
fn values(name: &str, kind: &str, pointer: &str) -> String {
    let objects = documents(&read(name));
    let object = single(kind, &objects);
    let values = object.pointer(pointer).expect("values");
    values.to_string()
}

#[test]
fn argo_cd_installs_the_chart_with_both_paths() {
    let values = values(
        "argo-cd.yaml",
        "Application",
        "/spec/source/helm/valuesObject",
    );
    let resolvers = &yaml(&config(&values))["resolvers"];
    assert_eq!(resolvers[0]["servers"], json!(["10.0.0.10"]));
    assert_eq!(resolvers[1]["name"], "node");
}

/// Argo CD and Flux put back what differs from the chart, so the chart says nothing of what the observer writes.
#[test]
fn the_chart_leaves_out_what_the_observer_writes() {
    let objects = render("{}");
    let written = objects.iter().filter(|object| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        object["kind"] == "Lease"
            || object["kind"] == "ConfigMap"
                && (name.ends_with("-targets") || name.ends_with("-history"))
    });
    let mut count = 0;
    for object in written {
        for field in ["data", "binaryData", "spec"] {
            assert_eq!(object[field], Value::Null, "{object}");
        }
        count += 1;
    }
    assert_eq!(count, 3);
}

#[test]
fn flux_installs_the_chart_and_the_observer_finds_the_path_of_pods() {
    let values = values("flux.yaml", "HelmRelease", "/spec/values");
    let resolvers = &yaml(&config(&values))["resolvers"];
    assert_eq!(
        resolvers[0]["serversFile"],
        "/etc/privatelink-prober/targets/cluster-dns"
    );
}

#[test]
fn on_openshift_the_pods_choose_no_user() {
    for pod in pods(&read("openshift.yaml")) {
        let context = &pod["spec"]["securityContext"];
        assert_eq!(context["runAsNonRoot"], true);
        assert_eq!(context["runAsUser"], Value::Null, "{context}");
        assert_eq!(context["runAsGroup"], Value::Null, "{context}");
    }
}

#[test]
fn the_network_policies_select_the_agents() {
    let objects = render(&read("network-policy.yaml"));
    let policy = single("NetworkPolicy", &objects);
    assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
    let cilium = yaml(&read("network-policy-cilium.yaml"));
    let selected = cilium["spec"]["endpointSelector"]["matchLabels"].as_object();
    let [agent, _] = pods("fullnameOverride: privatelink-prober\n");
    for (label, value) in selected.expect("labels") {
        assert_eq!(&agent["metadata"]["labels"][label], value, "{label}");
    }
}
