//! Agree: what the chart lets through the agent accepts, and what the agent accepts the chart lets
//! through. The chart may know less (it has no catalogue), never more.

use privatelink_config::load_text;

use super::helm::{chart, config, template};

const EVERYTHING: &str = include_str!("values/everything.yaml");

/// Configurations of one target, as YAML maps below `config`, that work.
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

/// The same, that do not, each for one mistake.
const BAD: [&str; 28] = [
    "{}",
    "{targets: []}",
    "{presets: ['aks-egress:West Europe'], targets: [{host: a.example.com}]}",
    "{targets: [{host: a.example.com, sameService: [b.example.com]}]}",
    "{interval: 4s, targets: [{host: a.example.com}]}",
    "{interval: 25h, targets: [{host: a.example.com}]}",
    "{interval: 30, targets: [{host: a.example.com}]}",
    "{interval: 1m1h, targets: [{host: a.example.com}]}",
    "{timeout: 11m, targets: [{host: a.example.com}]}",
    "{httpInterval: 30s, targets: [{host: a.example.com}]}",
    "{limits: {minInterval: 1m}, targets: [{host: a.example.com}]}",
    "{limits: {maxConcurrent: 1001}, targets: [{host: a.example.com}]}",
    "{addressFamilies: [], targets: [{host: a.example.com}]}",
    "{deniedCidrs: [10.0.0.0/8/8], targets: [{host: a.example.com}]}",
    "{deniedCidrs: [256.0.0.0/8], targets: [{host: a.example.com}]}",
    "{deniedCidrs: ['fd00::/129'], targets: [{host: a.example.com}]}",
    "{allowedHosts: ['*.*.example.com'], targets: [{host: a.example.com}]}",
    "{resolvers: [{name: a, servers: ['10.0.0.10:']}], targets: [{host: a.example.com}]}",
    "{resolvers: [{name: '', servers: [10.0.0.10]}], targets: [{host: a.example.com}]}",
    "{targets: [{host: ''}]}",
    "{targets: [{host: '.'}]}",
    "{targets: [{host: '[fd00::1]'}]}",
    "{targets: [{host: -a.example.com}]}",
    "{targets: [{host: a b.example.com}]}",
    "{targets: [{host: a.example.com, port: 0}]}",
    "{targets: [{host: a.example.com, resolver: nobody}]}",
    "{targets: [{host: a.example.com, name: one}, {host: b.example.com, name: one}]}",
    "{targets: [{host: a.example.com, name: 'a b'}]}",
];

#[test]
fn what_the_chart_makes_of_a_good_configuration_the_agent_accepts() {
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
fn what_the_agent_refuses_the_chart_refuses() {
    for bad in BAD {
        assert!(load_text("bad", bad).is_err(), "the agent accepts {bad}");
        let output = template(&chart(), &format!("config: {bad}\n"));
        assert!(!output.status.success(), "the chart accepts {bad}");
    }
}

#[test]
fn with_everything_set_registries_are_judged_on_the_node_and_the_rest_on_the_pods_path() {
    let roots = "  - /etc/privatelink-prober/ca/ca.pem\n";
    let made = config(EVERYTHING);
    assert!(made.contains(roots));
    // Which only the pod has.
    let made = made.replace(&format!("tls:\n  caFiles:\n{roots}"), "");
    let plan = load_text("config.yaml", &made);
    let plan = plan.unwrap_or_else(|error| panic!("{error}\n{made}"));
    let paths: Vec<_> = plan
        .targets
        .iter()
        .map(|target| (target.name.as_str(), target.resolver.as_str()))
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
