//! Install: where the agent runs, its names, and its image.

use serde_json::{Value, json};

use super::helm::{MINIMAL, pods, render, single};

const EVERYTHING: &str = include_str!("values/everything.yaml");

fn image(values: &str) -> String {
    let [agent, test] = pods(&format!("{MINIMAL}{values}"));
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
fn the_chart_and_the_program_have_the_same_version() {
    let objects = render(MINIMAL);
    let labels = &single("DaemonSet", &objects)["metadata"]["labels"];
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(labels["app.kubernetes.io/version"], version);
    assert_eq!(
        labels["helm.sh/chart"],
        format!("privatelink-prober-{version}")
    );
}

#[test]
fn every_linux_node_gets_an_agent_except_virtual_nodes() {
    let [agent, _] = pods(MINIMAL);
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
    let objects = render(MINIMAL);
    assert_eq!(
        single("DaemonSet", &objects)["spec"]["updateStrategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}})
    );
}

#[test]
fn the_agent_has_the_name_and_resolv_conf_of_its_node_and_a_configuration_directory() {
    let [agent, _] = pods(MINIMAL);
    let spec = &agent["spec"];
    assert_eq!(spec["dnsPolicy"], "Default");
    let container = &spec["containers"][0];
    assert_eq!(
        container["args"],
        json!([
            "run",
            "--config",
            "/etc/privatelink-prober/config/config.yaml",
            "--config",
            "/etc/privatelink-prober/targets/targets.yaml"
        ])
    );
    assert_eq!(
        container["env"],
        json!([{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}])
    );
    assert_eq!(
        container["volumeMounts"],
        json!([
            {"name": "config", "mountPath": "/etc/privatelink-prober/config", "readOnly": true},
            {"name": "targets", "mountPath": "/etc/privatelink-prober/targets", "readOnly": true},
        ])
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
fn selectors_match_the_pods_whatever_labels_the_user_adds() {
    for values in [MINIMAL, EVERYTHING] {
        let objects = render(values);
        let daemon_set = single("DaemonSet", &objects);
        let selector = &daemon_set["spec"]["selector"]["matchLabels"];
        let labels = &daemon_set["spec"]["template"]["metadata"]["labels"];
        for (name, value) in selector.as_object().expect("labels") {
            assert_eq!(&labels[name], value, "{name}");
        }
        assert_eq!(selector, &single("Service", &objects)["spec"]["selector"]);
        assert_eq!(
            selector,
            &single("NetworkPolicy", &objects)["spec"]["podSelector"]["matchLabels"]
        );
        // They do not match the pod of `helm test`.
        let test = &single("Pod", &objects)["metadata"]["labels"];
        assert_ne!(test["app.kubernetes.io/component"], "agent");
    }
}

#[test]
fn every_object_has_the_common_labels_and_the_namespace() {
    for object in render(EVERYTHING) {
        let metadata = &object["metadata"];
        let name = metadata["name"].as_str().expect("a name");
        if ["t-more", "t-text"].contains(&name) {
            continue; // extraManifests are not changed.
        }
        let kind = object["kind"].as_str().expect("a kind");
        if !kind.starts_with("Cluster") && kind != "CustomResourceDefinition" {
            // Events about nodes are in the namespace `default`.
            let is_events = kind.starts_with("Role") && name.ends_with("-events");
            let namespace = if is_events { "default" } else { "elsewhere" };
            assert_eq!(metadata["namespace"], namespace, "{name}");
        }
        assert_eq!(metadata["labels"]["team"], "network", "{name}");
        let part = &metadata["labels"]["app.kubernetes.io/name"];
        assert_eq!(part, "privatelink-prober", "{name}");
    }
}

#[test]
fn names_can_be_overridden_and_leave_room_for_suffixes() {
    let name = |values: &str| {
        let objects = render(&format!("{MINIMAL}{values}"));
        let metadata = &single("DaemonSet", &objects)["metadata"];
        metadata["name"].as_str().expect("a name").to_owned()
    };
    assert_eq!(name(""), "t-privatelink-prober");
    assert_eq!(name("nameOverride: eyes"), "t-eyes");
    assert_eq!(name("fullnameOverride: eyes"), "eyes");
    let long = name(&format!("fullnameOverride: {}", "x".repeat(80)));
    assert_eq!(long.len() + "-observer".len(), 61);
}

#[test]
fn additional_values_reach_the_objects() {
    let objects = render(EVERYTHING);
    let template = &single("DaemonSet", &objects)["spec"]["template"];
    let container = &template["spec"]["containers"][0];
    assert_eq!(container["args"][5], "--log-level");
    assert_eq!(container["env"][1]["name"], "NO_COLOR");
    assert_eq!(template["metadata"]["annotations"]["note"], "pod");
    assert_eq!(
        template["metadata"]["annotations"]["prometheus.io/port"],
        "9797"
    );
    assert_eq!(template["metadata"]["labels"]["tier"], "infra");
    assert_eq!(
        template["spec"]["imagePullSecrets"],
        json!([{"name": "pull"}, {"name": "shared"}])
    );
    assert_eq!(container["envFrom"][0]["configMapRef"]["name"], "proxy");
    assert_eq!(template["spec"]["containers"][1]["name"], "beside");
    assert_eq!(template["spec"]["hostAliases"][0]["ip"], "10.9.9.9");
    let daemon_set = single("DaemonSet", &objects);
    assert_eq!(daemon_set["metadata"]["labels"]["d"], "1");
    assert_eq!(daemon_set["metadata"]["annotations"]["d"], "2");
    assert_eq!(daemon_set["spec"]["revisionHistoryLimit"], 3);
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
fn helm_test_validates_the_configuration_that_the_agent_reads() {
    let [agent, test] = pods(EVERYTHING);
    assert_eq!(test["metadata"]["annotations"]["helm.sh/hook"], "test");
    assert_eq!(test["spec"]["restartPolicy"], "Never");
    assert_eq!(
        test["spec"]["containers"][0]["args"],
        json!([
            "validate",
            "/etc/privatelink-prober/config/config.yaml",
            "/etc/privatelink-prober/targets/targets.yaml"
        ])
    );
    assert_eq!(test["spec"]["volumes"], agent["spec"]["volumes"]);
    // Init containers may write files that the configuration names.
    assert_eq!(test["spec"]["initContainers"][0]["name"], "roots");
    assert_eq!(
        test["spec"]["initContainers"],
        agent["spec"]["initContainers"]
    );
    assert_eq!(
        test["spec"]["imagePullSecrets"],
        agent["spec"]["imagePullSecrets"]
    );
}

/// chart-testing installs the chart with each `ci/*-values.yaml`.
#[test]
fn chart_testing_finds_values_that_render() {
    let folder = super::helm::chart().join("ci");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("ci/") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str());
        assert!(
            name.is_some_and(|name| name.ends_with("-values.yaml")),
            "{}",
            path.display()
        );
        render(&std::fs::read_to_string(path).expect("values"));
        seen += 1;
    }
    assert!(seen >= 2);
}

/// The address of the sources is not known here, so one placeholder stands for it.
#[test]
fn the_chart_says_who_makes_it_and_invents_no_address() {
    let path = super::helm::chart().join("Chart.yaml");
    let chart = super::helm::yaml(&std::fs::read_to_string(path).expect("Chart.yaml"));
    let home = chart["home"].as_str().expect("a home");
    assert_eq!(chart["sources"], json!([home]));
    assert!(chart["maintainers"][0]["name"].is_string());
    assert_eq!(chart["annotations"]["artifacthub.io/license"], "Apache-2.0");
    let icon = chart["icon"].as_str().expect("an icon");
    assert!(icon.starts_with("data:image/svg+xml;base64,"));
    let release = std::fs::read_to_string(format!("{}/docs/release.md", super::helm::ROOT));
    let told = release.expect("docs/release.md").contains(home);
    assert_eq!(
        told,
        home.starts_with("https://example.com/"),
        "docs/release.md names the placeholder"
    );
}
