//! Agree: the agent and the chart judge a configuration alike. The chart checks less, so it lets some
//! mistakes through, which the agent then refuses. It refuses nothing that the agent accepts, except a
//! text where a number belongs: the agent reads `'443'` as 443.

use privatelink_config::load_text;
use serde_json::json;

use super::helm::{chart, config, template, yaml};

const EVERYTHING: &str = include_str!("values/everything.yaml");

/// The value `config`, good.
const GOOD: [&str; 15] = [
    "{presets: ['aks-egress:westeurope']}",
    "{targets: [{host: a.example.com, name: a, sameService: [b.example.com]}, {host: b.example.com}]}",
    "{targets: [{host: a.example.com, sameService: ['b.example.com:443']}, {host: b.example.com}, \
     {host: b.example.com, port: 8443}]}",
    "{targets: [{host: kv-prod.vault.azure.net}]}",
    "{targets: [{host: KV-Prod.Vault.Azure.NET.}]}",
    "{targets: [{host: my_db.example.com, port: 65535, protocol: tcp}]}",
    "{targets: [{host: localhost, port: 1, privateZone: privatelink.example.com}]}",
    "{interval: 1h30m, timeout: 2s500ms, httpInterval: 1m, targets: [{host: a.example.com}]}",
    "{limits: {minInterval: 1s}, targets: [{host: a.example.com, interval: 1s}]}",
    "{expectedCidrs: ['fd00::/8', 10.0.0.0/8, 10.1.2.3/32], targets: [{host: a.example.com}]}",
    "{classify: {private: [0.0.0.0/0], public: ['2001:db8::/32']}, targets: [{host: a.example.com}]}",
    "{resolvers: [{name: a, servers: ['10.0.0.10:5353', 'fd00::10', '[fd00::10]:53']}], \
     targets: [{host: a.example.com, resolver: a}]}",
    "{allowedHosts: ['*.example.com', b.example.org], targets: [{host: a.example.com}]}",
    "{targets: [{host: a.example.com}, {host: a.example.com, port: 8443}]}",
    "{targets: [{host: a.example.com, name: one}, {host: a.example.com, name: two}]}",
];

/// The value `config` with one mistake that a template refuses. values/refused.yaml has those that the
/// schema refuses.
const REFUSED_BY_A_TEMPLATE: [&str; 6] = [
    "{}",
    "{targets: []}",
    "{limits: {maxTargets: 1}, targets: [{host: a.example.com}, {host: b.example.com}]}",
    "{targets: [{host: a.example.com, resolver: other}]}",
    "{targets: [{host: a.example.com, name: one}, {host: b.example.com, name: one}]}",
    "{targets: [{host: a.example.com}, {host: A.example.com.}]}",
];

/// The value `config` with one mistake that only the agent refuses.
const REFUSED_BY_THE_AGENT_ALONE: [&str; 9] = [
    "{interval: 4s, targets: [{host: a.example.com}]}",
    "{timeout: 11m, targets: [{host: a.example.com}]}",
    "{httpInterval: 30s, targets: [{host: a.example.com}]}",
    "{limits: {minInterval: 1m}, targets: [{host: a.example.com}]}",
    "{tls: {expiryWarning: 100000h}, targets: [{host: a.example.com}]}",
    "{deniedCidrs: [256.0.0.0/8], targets: [{host: a.example.com}]}",
    "{deniedCidrs: [10.1.2.3/24], targets: [{host: a.example.com}]}",
    "{targets: [{host: a.example.com, sameService: [b.example.com]}]}",
    "{resolvers: [{name: a, servers: [10.0.0.10], pathFor: [volumes]}, \
     {name: b, servers: [10.0.0.11], pathFor: [volumes]}], targets: [{host: a.example.com}]}",
];

#[test]
fn the_agent_accepts_what_the_chart_makes_of_a_good_configuration() {
    for good in GOOD {
        assert!(load_text("good", good).is_ok(), "{good}");
        let made = config(&format!("clusterDns: 10.0.0.10\nconfig: {good}\n"));
        let plan =
            load_text("config.yaml", &made).unwrap_or_else(|error| panic!("{error}\n{made}"));
        assert!(
            plan.warnings.is_empty() || good.contains("2s500ms") || good.contains("1s"),
            "{good}: {:?}",
            plan.warnings
        );
    }
}

#[test]
fn the_agent_refuses_what_the_schema_refuses() {
    let cases = yaml(include_str!("values/refused.yaml"));
    for case in cases.as_array().expect("a list") {
        let message = case[1].as_str().expect("a message");
        if let Some(config) = case[0]["config"].as_object()
            && !message.ends_with("got string, want integer")
        {
            // Without targets any configuration would be refused.
            let mut config = config.clone();
            let targets = json!([{"host": "a.example.com"}]);
            config.entry("targets").or_insert(targets);
            let text = json!(config).to_string();
            assert!(load_text("bad", &text).is_err(), "the agent accepts {text}");
        }
    }
}

#[test]
fn the_agent_refuses_what_the_templates_refuse_and_more() {
    let of_chart = REFUSED_BY_A_TEMPLATE.map(|bad| (bad, true));
    let of_agent = REFUSED_BY_THE_AGENT_ALONE.map(|bad| (bad, false));
    for (bad, refused) in of_chart.into_iter().chain(of_agent) {
        assert!(load_text("bad", bad).is_err(), "the agent accepts {bad}");
        let values = format!("observer: {{enabled: false}}\nconfig: {bad}\n");
        let output = template(&chart(), &values);
        assert_eq!(!output.status.success(), refused, "the chart: {bad}");
    }
}

#[test]
fn registries_use_the_path_node_and_other_targets_the_path_pod() {
    let roots = "  - /etc/privatelink-prober/ca/ca.pem\n";
    let made = config(EVERYTHING);
    assert!(made.contains(roots));
    // The file exists only in the pod.
    let made = made.replace(&format!("tls:\n  caFiles:\n{roots}"), "");
    let plan = load_text("config.yaml", &made);
    let plan = plan.unwrap_or_else(|error| panic!("{error}\n{made}"));
    let paths: Vec<_> = plan
        .targets
        .iter()
        .map(|target| (target.name.as_str(), &*target.resolver))
        .collect();
    assert_eq!(
        paths,
        [
            ("contoso.azurecr.io", "node"),
            ("contoso.azurecr.io:data:westeurope", "node"),
            ("kv-prod.vault.azure.net", "pod"),
            ("orders", "pod"),
        ]
    );
}
