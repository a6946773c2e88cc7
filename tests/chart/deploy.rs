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
