//! Compose: the agent's configuration, which the chart makes from the values and from what it adds.

use serde_json::json;

use super::helm::{MINIMAL, config, is_observers, pods, render, yaml};

#[test]
fn with_cluster_dns_there_are_the_paths_pod_and_node_and_registries_use_node() {
    let config = yaml(&config(&format!("{MINIMAL}clusterDns: 10.0.0.10\n")));
    assert_eq!(
        config["resolvers"],
        json!([
            {"name": "pod", "servers": ["10.0.0.10"], "localDns": true, "mustAgree": true},
            {"name": "node", "resolvConf": "/etc/resolv.conf", "mustAgree": true,
             "pathFor": ["registries", "volumes"]},
        ])
    );
}

#[test]
fn without_cluster_dns_the_observer_learns_it_and_else_there_is_only_the_path_node() {
    let learned = yaml(&config(MINIMAL));
    assert_eq!(
        learned["resolvers"][0],
        json!({"name": "pod", "serversFile": "/etc/privatelink-prober/targets/cluster-dns",
               "localDns": true, "mustAgree": true})
    );
    for observer in [
        "{enabled: false}",
        "{learnClusterDns: false}",
        "{namespaces: [shop]}",
    ] {
        let config = yaml(&config(&format!("{MINIMAL}observer: {observer}\n")));
        let resolvers = config["resolvers"].as_array().expect("a list");
        assert_eq!(resolvers.len(), 1, "{observer}");
        assert_eq!(resolvers[0]["name"], "node");
    }
}

#[test]
fn the_address_of_local_dns_is_not_changed() {
    let config = yaml(&config(&format!("{MINIMAL}clusterDns: 169.254.10.11\n")));
    assert_eq!(config["resolvers"][0]["servers"], json!(["169.254.10.11"]));
}

#[test]
fn resolvers_of_the_user_are_not_changed() {
    let own = "{name: vnet, servers: [168.63.129.16]}";
    let values = format!(
        "clusterDns: 10.0.0.10\nconfig: {{resolvers: [{own}], targets: [{{host: a.example.com}}]}}"
    );
    let config = yaml(&config(&values));
    assert_eq!(config["resolvers"], json!([yaml(own)]));
}

#[test]
fn service_ranges_are_added_to_the_denied_networks() {
    let values = "
serviceCidrs: [10.0.0.0/16, 'fd00:1::/108']
config: {deniedCidrs: [192.0.2.0/24, 10.0.0.0/16], targets: [{host: a.example.com}]}
";
    let config = yaml(&config(values));
    assert_eq!(
        config["deniedCidrs"],
        json!(["192.0.2.0/24", "10.0.0.0/16", "fd00:1::/108"])
    );
    assert!(yaml(&self::config(MINIMAL))["deniedCidrs"].is_null());
}

#[test]
fn root_certificates_are_mounted_as_a_directory_and_added_to_ca_files() {
    let pem = "-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n";
    let targets = "targets: [{host: a.example.com}]";
    for (source, volume) in [
        (
            format!("caBundle: \"{pem}\""),
            json!({"configMap": {"name": "t-privatelink-prober-ca",
                                 "items": [{"key": "ca.pem", "path": "ca.pem"}]}}),
        ),
        (
            "existingCaSecret: corp".to_owned(),
            json!({"secret": {"secretName": "corp",
                              "items": [{"key": "ca.pem", "path": "ca.pem"}]}}),
        ),
        (
            "existingCaConfigMap: trust\nexistingCaKey: root.crt".to_owned(),
            json!({"configMap": {"name": "trust",
                                 "items": [{"key": "root.crt", "path": "ca.pem"}]}}),
        ),
    ] {
        let values = format!(
            "{source}\nconfig: {{tls: {{caFiles: [/own.pem], expiryWarning: 48h}}, {targets}}}"
        );
        let config = yaml(&config(&values));
        assert_eq!(
            config["tls"],
            json!({"caFiles": ["/own.pem", "/etc/privatelink-prober/ca/ca.pem"],
                   "expiryWarning": "48h"})
        );
        for pod in pods(&values) {
            let mut expected = volume.clone();
            expected["name"] = json!("ca");
            assert!(
                pod["spec"]["volumes"]
                    .as_array()
                    .expect("volumes")
                    .contains(&expected),
                "{source}"
            );
            assert!(
                pod["spec"]["containers"][0]["volumeMounts"]
                    .as_array()
                    .expect("mounts")
                    .contains(&json!({"name": "ca", "readOnly": true,
                                      "mountPath": "/etc/privatelink-prober/ca"})),
                "{source}"
            );
        }
    }
}

#[test]
fn an_existing_config_map_is_mounted_and_none_is_created() {
    let values = "existingConfigMap: mine";
    let objects = render(values);
    let made = objects
        .iter()
        .any(|object| object["kind"] == "ConfigMap" && !is_observers(object));
    assert!(!made);
    for pod in pods(values) {
        assert_eq!(
            pod["spec"]["volumes"][0],
            json!({"name": "config", "configMap": {"name": "mine"}})
        );
    }
}

#[test]
fn a_change_of_the_configuration_does_not_change_the_pod_template() {
    let other = "config: {interval: 10s, targets: [{host: a.example.com}]}";
    assert_eq!(pods(MINIMAL), pods(other));
}
