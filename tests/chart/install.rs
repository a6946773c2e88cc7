//! Install: where the agent runs, under which name, and with which image.

use serde_json::{Value, json};

use super::helm::{LEAST, pods, render, the};

const EVERYTHING: &str = include_str!("values/everything.yaml");

fn image(values: &str) -> String {
    let [agent, test] = pods(&format!("{LEAST}{values}"));
    let of = |pod: &Value| pod["spec"]["containers"][0]["image"].clone();
    assert_eq!(of(&agent), of(&test));
    of(&agent).as_str().expect("an image").to_owned()
}

#[test]
fn the_image_is_named_by_registry_repository_and_tag_or_digest() {
    let version = env!("CARGO_PKG_VERSION");
    let digest = format!("sha256:{}", "0".repeat(64));
    for (values, expected) in [
        (String::new(), format!("privatelink-prober:{version}")),
        (
            "image: {registry: one.example.com, tag: v2}".to_owned(),
            "one.example.com/privatelink-prober:v2".to_owned(),
        ),
        (
            "image: {registry: one.example.com, repository: a/b}\n\
             global: {imageRegistry: two.example.com/}"
                .to_owned(),
            format!("two.example.com/a/b:{version}"),
        ),
        (
            format!("image: {{registry: one.example.com, tag: v2, digest: '{digest}'}}"),
            format!("one.example.com/privatelink-prober@{digest}"),
        ),
    ] {
        assert_eq!(image(&values), expected);
    }
}

#[test]
fn the_chart_and_the_program_have_one_version() {
    let objects = render(LEAST);
    let labels = &the("DaemonSet", &objects)["metadata"]["labels"];
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(labels["app.kubernetes.io/version"], version);
    assert_eq!(
        labels["helm.sh/chart"],
        format!("privatelink-prober-{version}")
    );
}

#[test]
fn every_linux_node_gets_an_agent_and_no_virtual_one() {
    let [agent, _] = pods(LEAST);
    let spec = &agent["spec"];
    assert_eq!(
        spec["tolerations"],
        json!([{"operator": "Exists", "effect": "NoSchedule"}])
    );
    let terms = &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    assert_eq!(
        terms["nodeSelectorTerms"][0]["matchExpressions"],
        json!([
            {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]},
            {"key": "type", "operator": "NotIn", "values": ["virtual-kubelet"]},
        ])
    );
    assert!(spec["priorityClassName"].is_null());
    let objects = render(LEAST);
    assert_eq!(
        the("DaemonSet", &objects)["spec"]["updateStrategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}})
    );
}

#[test]
fn the_agent_has_its_nodes_name_and_resolv_conf_and_its_configuration_as_a_folder() {
    let [agent, _] = pods(LEAST);
    let spec = &agent["spec"];
    assert_eq!(spec["dnsPolicy"], "Default");
    let container = &spec["containers"][0];
    assert_eq!(
        container["args"],
        json!([
            "run",
            "--config",
            "/etc/privatelink-prober/config/config.yaml"
        ])
    );
    assert_eq!(
        container["env"],
        json!([{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}])
    );
    assert_eq!(
        container["volumeMounts"],
        json!([{"name": "config", "mountPath": "/etc/privatelink-prober/config", "readOnly": true}])
    );
    assert_eq!(spec["terminationGracePeriodSeconds"], 10);
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/healthz");
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz");
    assert_eq!(
        container["resources"],
        json!({"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"memory": "48Mi"}})
    );
}

#[test]
fn a_selector_finds_the_pods_whatever_labels_a_user_adds() {
    for values in [LEAST, EVERYTHING] {
        let objects = render(values);
        let daemon_set = the("DaemonSet", &objects);
        let selector = &daemon_set["spec"]["selector"]["matchLabels"];
        let labels = &daemon_set["spec"]["template"]["metadata"]["labels"];
        for (name, value) in selector.as_object().expect("labels") {
            assert_eq!(&labels[name], value, "{name}");
        }
        assert_eq!(selector, &the("Service", &objects)["spec"]["selector"]);
        assert_eq!(
            selector,
            &the("NetworkPolicy", &objects)["spec"]["podSelector"]["matchLabels"]
        );
        // Nor does it find the test pod.
        let test = &the("Pod", &objects)["metadata"]["labels"];
        assert_ne!(test["app.kubernetes.io/component"], "agent");
    }
}

#[test]
fn every_object_has_the_labels_and_the_namespace_asked_for() {
    for object in render(EVERYTHING) {
        let metadata = &object["metadata"];
        let name = metadata["name"].as_str().expect("a name");
        if ["t-more", "t-text"].contains(&name) {
            continue; // extraManifests are taken as they are.
        }
        assert_eq!(metadata["namespace"], "elsewhere", "{name}");
        assert_eq!(metadata["labels"]["team"], "network", "{name}");
        let part = &metadata["labels"]["app.kubernetes.io/name"];
        assert_eq!(part, "privatelink-prober", "{name}");
    }
}

#[test]
fn names_can_be_overridden_and_never_grow_too_long_for_their_suffixes() {
    let name = |values: &str| {
        let objects = render(&format!("{LEAST}{values}"));
        let metadata = &the("DaemonSet", &objects)["metadata"];
        metadata["name"].as_str().expect("a name").to_owned()
    };
    assert_eq!(name(""), "t-privatelink-prober");
    assert_eq!(name("nameOverride: eyes"), "t-eyes");
    assert_eq!(name("fullnameOverride: eyes"), "eyes");
    let long = name(&format!("fullnameOverride: {}", "x".repeat(80)));
    assert_eq!(long.len() + "-dashboard".len(), 62);
}

#[test]
fn what_a_user_adds_arrives() {
    let objects = render(EVERYTHING);
    let template = &the("DaemonSet", &objects)["spec"]["template"];
    let container = &template["spec"]["containers"][0];
    assert_eq!(container["args"][3], "--log-level");
    assert_eq!(container["env"][1]["name"], "NO_COLOR");
    assert_eq!(template["metadata"]["annotations"]["note"], "pod");
    assert_eq!(
        template["metadata"]["annotations"]["prometheus.io/port"],
        "9797"
    );
    assert_eq!(template["metadata"]["labels"]["tier"], "infra");
    assert_eq!(template["spec"]["imagePullSecrets"][0]["name"], "pull");
    assert_eq!(template["spec"]["dnsConfig"]["options"][0]["name"], "edns0");
    assert_eq!(
        template["spec"]["priorityClassName"],
        "system-node-critical"
    );
    let names: Vec<_> = objects
        .iter()
        .map(|object| &object["metadata"]["name"])
        .collect();
    assert!(names.contains(&&json!("t-more")) && names.contains(&&json!("t-text")));
}

#[test]
fn helm_test_asks_the_image_to_validate_what_the_agent_reads() {
    let [agent, test] = pods(EVERYTHING);
    assert_eq!(test["metadata"]["annotations"]["helm.sh/hook"], "test");
    assert_eq!(test["spec"]["restartPolicy"], "Never");
    assert_eq!(
        test["spec"]["containers"][0]["args"],
        json!(["validate", "/etc/privatelink-prober/config/config.yaml"])
    );
    assert_eq!(test["spec"]["volumes"], agent["spec"]["volumes"]);
}
