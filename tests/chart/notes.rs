//! Notes: what Helm prints after an installation: the next commands, and warnings.

use std::fs;

use super::helm::{Copy, MINIMAL, documents, template};

/// The notes. Helm prints them only with a cluster, so a copy of the chart renders them as a manifest.
fn notes(name: &str, values: &str) -> String {
    let chart = Copy::new(name);
    let templates = chart.0.join("templates");
    fs::rename(templates.join("NOTES.txt"), chart.0.join("notes")).expect("the notes");
    let wrapped = "kind: Notes\ntext: {{ tpl (.Files.Get \"notes\") . | toJson }}\n";
    fs::write(templates.join("notes.yaml"), wrapped).expect("a template");
    let output = template(&chart.0, values);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
    let objects = documents(&String::from_utf8_lossy(&output.stdout));
    let notes = objects.iter().find(|object| object["kind"] == "Notes");
    let text = notes.expect("notes")["text"].as_str();
    let text = text.expect("a text");
    text.replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

#[test]
fn complete_values_give_the_next_commands_and_no_warning() {
    let values = "clusterDns: 10.0.0.10\nserviceCidrs: [10.0.0.0/16]\npodMonitor: {enabled: true}\n\
         image: {registry: registry.example.com}\n";
    insta::assert_snapshot!(notes("all", &format!("{MINIMAL}{values}")), @r#"
    privatelink-prober VERSION probes 1 target, and those that the observer finds, from every Linux node.

    Wait until it runs, then probe all targets once from one of the nodes:

        kubectl --namespace watch rollout status daemonset/t-privatelink-prober
        kubectl --namespace watch exec daemonset/t-privatelink-prober -- /privatelink-prober check --config /etc/privatelink-prober/config/config.yaml --config /etc/privatelink-prober/targets/targets.yaml

    How many DNS queries and connections that is for all nodes together, and whether it may be too many:

        kubectl --namespace watch exec daemonset/t-privatelink-prober -- /privatelink-prober validate /etc/privatelink-prober/config/config.yaml --nodes "$(kubectl get nodes --no-headers | wc -l)"

    The status page is at http://127.0.0.1:9797/ while this command runs:

        kubectl --namespace watch port-forward daemonset/t-privatelink-prober 9797:9797

    The observer, deployment/t-privatelink-prober-observer, lists and watches objects of the whole cluster.
    It looks for private services in: akv2k8s, annotations, apiServer, externalNames, externalSecrets, flux, images, keda, secretProviderClasses, velero, volumes.
    Switch one off with observer.discovery.sources.<name>=false, or all with observer.discovery.enabled=false.
    Teams can declare targets by PrivateLinkTarget objects; switch that off with observer.crd.enabled=false.
    observer.enabled=false removes it with all its roles. What it found is in a ConfigMap, and on its page:

        kubectl --namespace watch get configmap t-privatelink-prober-targets --output jsonpath='{.data.targets\.yaml}'
        kubectl --namespace watch port-forward service/t-privatelink-prober-observer 9796:9797
    "#);
}

#[test]
fn unknown_addresses_and_missing_monitors_are_reported() {
    let learning = notes("learned", MINIMAL);
    assert!(learning.contains("The observer finds the address of the cluster's DNS"));
    assert!(!learning.contains("WARNING: the address of the cluster's DNS"));
    let notes = notes(
        "dns",
        &format!("{MINIMAL}observer: {{learnClusterDns: false}}\n"),
    );
    assert!(notes.contains("WARNING: the address of the cluster's DNS is not known"));
    assert!(notes.contains("kubectl --namespace kube-system get service kube-dns"));
    assert!(notes.contains("WARNING: the cluster's service range is not known"));
    assert!(notes.contains("Prometheus does not scrape the agents yet. Set podMonitor.enabled"));
}

#[test]
fn presets_are_named() {
    let values = "observer: {enabled: false}\nconfig: {presets: [aks-egress]}";
    let notes = notes("presets", values);
    assert!(notes.contains("probes 0 targets and those of aks-egress from every Linux node."));
}

#[test]
fn an_existing_config_map_gives_no_warning() {
    let notes = notes(
        "own",
        "existingConfigMap: mine\nglobal: {imageRegistry: registry.example.com}",
    );
    assert!(notes.contains("probes the targets in the ConfigMap mine"));
    assert!(!notes.contains("WARNING"));
}

#[test]
fn an_image_without_a_registry_gives_a_warning() {
    assert!(notes("registry", MINIMAL).contains("WARNING: image.registry is empty"));
}

#[test]
fn a_repository_that_names_another_registry_gives_a_warning() {
    let image = |image: &str| notes("mirror", &format!("{MINIMAL}image: {image}"));
    let notes = image("{registry: one.example.com, repository: two.example.com/prober}");
    assert!(notes.contains("WARNING: image.repository starts with the registry two.example.com,"));
    assert!(
        notes.contains("\none.example.com/two.example.com/prober:"),
        "{notes}"
    );
    let notes = image("{repository: two.example.com/prober}");
    assert!(!notes.contains("image.re"), "{notes}");
}

#[test]
fn a_runbook_at_an_example_address_gives_a_warning() {
    let rule = |more: &str| format!("{MINIMAL}prometheusRule: {{enabled: true, {more}}}");
    let warning =
        "WARNING: the alerts link to https://example.com/privatelink-prober/docs/runbook.md";
    assert!(notes("runbook", &rule("")).contains(warning));
    let address = "runbookUrl: 'https://wiki.contoso.com/runbook'";
    assert!(!notes("wiki", &rule(address)).contains("the alerts link to"));
    assert!(!notes("norules", MINIMAL).contains("the alerts link to"));
}

#[test]
fn agents_in_the_nodes_network_need_another_pod_security_level() {
    let notes = notes("host", &format!("{MINIMAL}hostNetwork: {{enabled: true}}"));
    assert!(
        notes.contains("daemonset/t-privatelink-prober-host, probes from the node's own network")
    );
    assert!(notes.contains(
        "kubectl label namespace watch --overwrite pod-security.kubernetes.io/enforce=privileged"
    ));
    assert!(notes.contains("everyone who can reach port 9798 of a node"));
}

#[test]
fn cluster_dns_without_effect_gives_a_warning() {
    let values = "clusterDns: 10.0.0.10\nconfig: {resolvers: [{name: vnet, servers: [10.2.0.4]}], \
                  targets: [{host: kv.vault.azure.net}]}";
    assert!(notes("resolvers", values).contains("WARNING: clusterDns has no effect"));
}

#[test]
fn an_egress_policy_gives_a_warning() {
    let notes = notes(
        "egress",
        &format!("{MINIMAL}networkPolicy: {{egress: [{{}}]}}"),
    );
    assert!(notes.contains("WARNING: networkPolicy.egress restricts the agent,"));
}

#[test]
fn what_the_observer_reads_is_said_with_what_it_does_not_read() {
    let notes = |values: &str| notes("observer", &format!("{MINIMAL}observer: {values}"));
    let some = notes("{namespaces: [a, b], crd: {enabled: false}}");
    assert!(some.contains("lists and watches objects of the namespaces a, b."));
    assert!(some.contains(
        "PersistentVolumes, StorageClasses, Namespaces and ClusterSecretStores are not read"
    ));
    assert!(!some.contains("PrivateLinkTarget"));
    let none = notes("{discovery: {enabled: false}}");
    assert!(none.contains("It looks for no private services"));
    assert!(!notes("{enabled: false}").contains("observer"));
}
