//! Deploy: the plain manifests in deploy/, for installations without Helm and as a base for kustomize.

use std::fs;

use serde_json::Value;

use super::helm::{ROOT, documents, run, single, yaml};

fn read(path: &str) -> String {
    fs::read_to_string(format!("{ROOT}/deploy/{path}"))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_namespace_enforces_the_restricted_level() {
    let objects = documents(&read("privatelink-prober.yaml"));
    let labels = &single("Namespace", &objects)["metadata"]["labels"];
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted");
}

#[test]
fn the_plain_manifests_do_not_mention_helm() {
    let text = read("privatelink-prober.yaml");
    for word in ["helm.sh", "Helm", "RELEASE", "release-name"] {
        assert!(!text.contains(word), "{word}");
    }
}

#[test]
fn an_overlay_sets_the_image_the_targets_and_the_addresses() {
    let folder = format!("{ROOT}/target/chart-overlay-{}", std::process::id());
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(
        format!("{folder}/kustomization.yaml"),
        "resources: [../../deploy]\n\
         images: [{name: privatelink-prober, newName: registry.example.com/privatelink-prober, newTag: v9}]\n\
         configMapGenerator:\n\
         - {name: privatelink-prober, namespace: privatelink-prober, behavior: replace, files: [config.yaml]}\n\
         generatorOptions: {disableNameSuffixHash: true}\n",
    )
    .expect("a file");
    fs::write(
        format!("{folder}/config.yaml"),
        "targets: [{host: mine.vault.azure.net}]\n",
    )
    .expect("a file");
    let output = run("kustomize", &["build", &folder], "");
    fs::remove_dir_all(&folder).expect("it was made above");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
    let objects = documents(&String::from_utf8_lossy(&output.stdout));
    let pod = &single("DaemonSet", &objects)["spec"]["template"]["spec"];
    assert_eq!(
        pod["containers"][0]["image"],
        "registry.example.com/privatelink-prober:v9"
    );
    let map = single("ConfigMap", &objects);
    assert_eq!(
        pod["volumes"][0]["configMap"]["name"],
        map["metadata"]["name"]
    );
    let config = yaml(map["data"]["config.yaml"].as_str().expect("a text"));
    assert_eq!(config["targets"][0]["host"], "mine.vault.azure.net");
}

#[test]
fn the_agent_accepts_the_example_configuration() {
    let objects = documents(&read("privatelink-prober.yaml"));
    let text: &Value = &single("ConfigMap", &objects)["data"]["config.yaml"];
    let text = text.as_str().expect("a text");
    let plan = privatelink_config::load_text("config.yaml", text);
    let plan = plan.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(plan.resolvers.len(), 2);
}

#[test]
fn the_mixin_has_every_rule_of_the_rule_file() {
    let mixin = format!(
        "local mixin = import '{ROOT}/deploy/mixin.libsonnet'; \
         {{ alerts: mixin.prometheusAlerts.groups, records: mixin.prometheusRules.groups }}"
    );
    let output = run("jsonnet", &["--exec", &mixin], "");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
    let mixin: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let rules = |groups: &Value| -> Vec<Value> {
        let groups = groups.as_array().expect("groups").iter();
        let rules = groups.flat_map(|group| group["rules"].as_array().into_iter().flatten());
        rules.cloned().collect()
    };
    let all = rules(&yaml(&read("prometheus-rules.yaml"))["groups"]);
    let (alerts, records) = all
        .into_iter()
        .partition::<Vec<_>, _>(|rule| rule["alert"].is_string());
    assert_eq!(rules(&mixin["alerts"]), alerts);
    assert_eq!(rules(&mixin["records"]), records);
}

#[test]
fn the_terraform_modules_are_well_formed() {
    for module in ["deploy/azure/alerts.tf", "examples/azure/private-dns.tf"] {
        let module = format!("{ROOT}/{module}");
        let output = run("hclfmt", &["-check", &module], "");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{module}: {message}");
    }
    // It also refuses what is not.
    let broken = read("azure/alerts.tf").replacen("{\n", "\n", 1);
    let output = run("hclfmt", &["-check"], &broken);
    assert!(!output.status.success());
}

#[test]
fn the_example_for_alertmanager_sends_each_alert_to_its_team() {
    let example = format!("{ROOT}/deploy/alertmanager.yaml");
    let output = run("amtool", &["check-config", &example], "");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
    for (labels, receiver) in [
        (
            &["alertname=PrivateServiceResolvesPublicly", "owner=payments"][..],
            "payments",
        ),
        (&["alertname=PrivateServiceTimesOut", "owner=shop"], "shop"),
        (
            &["alertname=PrivateServiceTimesOut", "owner=nobody"],
            "platform",
        ),
        (&["alertname=PrivateServiceTimesOut"], "platform"),
        (&["alertname=PrivateLinkNodeDnsDown"], "platform"),
    ] {
        let routes = ["config", "routes", "test", "--config.file", &example];
        let output = run("amtool", &[&routes[..], labels].concat(), "");
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.trim(), receiver, "{labels:?}");
    }
}

#[test]
fn the_example_for_alertmanager_names_alerts_that_exist() {
    let rules = read("prometheus-rules.yaml");
    let example = read("alertmanager.yaml");
    let words = example.split(|c: char| !c.is_ascii_alphanumeric());
    let names: Vec<_> = words
        .filter(|word| {
            word.starts_with("Private")
                && !["PrivateService", "PrivateLink", "PrivateLinkNode"].contains(word)
        })
        .collect();
    assert!(names.len() > 3, "{names:?}");
    for name in names {
        assert!(rules.contains(&format!("- alert: {name}\n")), "{name}");
    }
}
