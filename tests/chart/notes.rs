//! Notes: what Helm prints after an install: the next command, and what is doubtful.

use std::fs;

use super::helm::{Copy, LEAST, documents, template};

/// The notes; Helm prints them only against a cluster, so a copy of the chart has them as a manifest.
fn notes(name: &str, values: &str) -> String {
    let chart = Copy::new(name);
    let templates = chart.0.join("templates");
    fs::rename(templates.join("NOTES.txt"), chart.0.join("notes")).expect("the notes");
    let wrapped = "kind: Notes\ntext: {{ tpl (.Files.Get \"notes\") . | toJson }}\n";
    fs::write(templates.join("notes.yaml"), wrapped).expect("a template");
    let output = template(&chart.0, values);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let objects = documents(&String::from_utf8_lossy(&output.stdout));
    let notes = objects.iter().find(|object| object["kind"] == "Notes");
    let text = notes.expect("notes")["text"].as_str();
    text.expect("a text").to_owned()
}

#[test]
fn they_say_the_next_commands_and_warn_of_nothing_where_nothing_is_doubtful() {
    let values = "clusterDns: 10.0.0.10\nserviceCidrs: [10.0.0.0/16]\npodMonitor: {enabled: true}\n\
         image: {registry: registry.example.com}\n";
    insta::assert_snapshot!(notes("all", &format!("{LEAST}{values}")), @r#"
    privatelink-prober 0.1.0 probes 1 target from every Linux node.

    See that it runs, and what it sees from one of the nodes:

        kubectl --namespace watch rollout status daemonset/t-privatelink-prober
        kubectl --namespace watch exec daemonset/t-privatelink-prober -- /privatelink-prober check --config /etc/privatelink-prober/config/config.yaml

    Its status page, at http://127.0.0.1:9797/ while this runs:

        kubectl --namespace watch port-forward daemonset/t-privatelink-prober 9797:9797
    "#);
}

#[test]
fn without_the_clusters_dns_they_warn_that_pods_are_not_looked_at() {
    let notes = notes("dns", LEAST);
    assert!(notes.contains("WARNING: the address of the cluster's DNS is not known"));
    assert!(notes.contains("kubectl --namespace kube-system get service kube-dns"));
    assert!(notes.contains("WARNING: the cluster's service range is not known"));
    assert!(notes.contains("Nothing is scraped yet: set podMonitor.enabled"));
}

#[test]
fn they_name_the_presets_beside_the_targets() {
    let notes = notes("presets", "config: {presets: [aks-egress]}");
    assert!(notes.contains("probes 0 targets, and those of aks-egress, from every Linux node."));
}

#[test]
fn they_leave_a_configuration_of_the_users_own_uncommented() {
    let notes = notes(
        "own",
        "existingConfigMap: mine\nglobal: {imageRegistry: registry.example.com}",
    );
    assert!(notes.contains("probes what the ConfigMap mine names"));
    assert!(!notes.contains("WARNING"));
}

#[test]
fn they_warn_of_an_image_without_a_registry() {
    assert!(notes("registry", LEAST).contains("WARNING: image.registry is empty"));
}

#[test]
fn they_warn_where_own_resolvers_leave_cluster_dns_unused() {
    let values = "clusterDns: 10.0.0.10\nconfig: {resolvers: [{name: vnet, servers: [10.2.0.4]}], \
                  targets: [{host: kv.vault.azure.net}]}";
    assert!(notes("resolvers", values).contains("WARNING: clusterDns has no effect beside"));
}

#[test]
fn they_warn_of_an_egress_policy() {
    let notes = notes(
        "egress",
        &format!("{LEAST}networkPolicy: {{egress: [{{}}]}}"),
    );
    assert!(notes.contains("WARNING: networkPolicy.egress restricts the agent."));
}
