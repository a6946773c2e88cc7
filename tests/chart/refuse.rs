//! Refuse: values that cannot work, with the whole of what a user sees, before anything is created.

use super::helm::{LEAST, ROOT, refused, run, yaml};

#[test]
fn no_targets() {
    insta::assert_snapshot!(refused(""), @r#"
    Error: execution error at (privatelink-prober/templates/configmap.yaml:1:4): these values cannot work:

      - config.targets is empty: there is nothing to probe; write at least one `- host: …` there, or name a ConfigMap in existingConfigMap
    "#);
    assert_eq!(refused(""), refused("config: {targets: []}"));
    assert_eq!(refused(""), refused("config:\n#  targets:\n"));
}

/// What the schema refuses. Helm lists several complaints in no order, so each is made alone.
#[test]
fn unknown_values_and_values_of_the_wrong_type() {
    let said = |values: &str| {
        let text = refused(&format!("{values}\n"));
        let complaints = text.strip_prefix(
            "Error: values don't meet the specifications of the schema(s) in the following \
             chart(s):\nprivatelink-prober:\n",
        );
        complaints
            .unwrap_or_else(|| panic!("{text}"))
            .trim()
            .to_owned()
    };
    for (values, expected) in [
        (
            "clusterDNS: 10.0.0.10",
            "- at '': additional properties 'clusterDNS' not allowed",
        ),
        (
            "resources: small",
            "- at '/resources': got string, want object",
        ),
        (
            "serviceCidrs: 10.0.0.0/16",
            "- at '/serviceCidrs': got string, want array",
        ),
        (
            "image: {tag: 1.5}",
            "- at '/image/tag': got number, want string",
        ),
        ("podMonitor:", "- at '': missing property 'podMonitor'"),
        (
            "prometheusRule: {rules: {timeouts: {window: null}}}",
            "- at '/prometheusRule/rules/timeouts': missing property 'window'",
        ),
        (
            "image: {pullPolicy: Sometimes}",
            "- at '/image/pullPolicy': value must be one of 'Always', 'IfNotPresent', 'Never'",
        ),
        (
            "podMonitor: {enabled: 'yes'}",
            "- at '/podMonitor/enabled': got string, want boolean",
        ),
        (
            "podMonitor: {apiVersion: v1}",
            "- at '/podMonitor/apiVersion': value must be one of 'monitoring.coreos.com/v1', \
             'azmonitoring.coreos.com/v1'",
        ),
        (
            "prometheusRule: {rules: {timeouts: {ratio: 20}}}",
            "- at '/prometheusRule/rules/timeouts/ratio': maximum: got 20, want 1",
        ),
        (
            "prometheusRule: {rules: {fallback: {enabled: true}}}",
            "- at '/prometheusRule/rules': additional properties 'fallback' not allowed",
        ),
        (
            "config: {targts: []}",
            "- at '/config': additional properties 'targts' not allowed",
        ),
        (
            "config: {expect: private}",
            "- at '/config/expect': value must be one of 'privateEndpoint', 'serviceEndpoint', \
             'public', 'auto'",
        ),
        (
            "config: {targets: [kv-prod.vault.azure.net]}",
            "- at '/config/targets/0': got string, want object",
        ),
        (
            "config: {targets: [{name: kv}]}",
            "- at '/config/targets/0': missing property 'host'",
        ),
        (
            "config: {targets: [{host: a.example.com, port: '443'}]}",
            "- at '/config/targets/0/port': got string, want integer",
        ),
        (
            "config: {targets: [{host: a.example.com, protocol: https}]}",
            "- at '/config/targets/0/protocol': value must be one of 'tls', 'tcp', 'tds', \
             'postgres', 'mysql'",
        ),
    ] {
        assert_eq!(said(values), expected, "{values}");
    }
}

#[test]
fn a_cluster_dns_that_is_a_name() {
    let values = "
clusterDns: kube-dns.kube-system.svc.cluster.local
config: {targets: [{host: kv-prod.vault.azure.net}]}
";
    insta::assert_snapshot!(refused(values), @r#"
    Error: execution error at (privatelink-prober/templates/configmap.yaml:1:4): these values cannot work:

      - clusterDns: "kube-dns.kube-system.svc.cluster.local" is a name, which would need a DNS server to resolve; write the address that `kubectl -n kube-system get service kube-dns -o jsonpath='{.spec.clusterIP}'` prints, or 169.254.10.11 with LocalDNS
    "#);
}

#[test]
fn every_mistake_at_once() {
    let values = include_str!("values/mistakes.yaml");
    insta::assert_snapshot!(refused(values), @r#"
    Error: execution error at (privatelink-prober/templates/configmap.yaml:1:4): these values cannot work:

      - clusterDns: "10.0.0" is not the address of a DNS server; write the address that `kubectl -n kube-system get service kube-dns -o jsonpath='{.spec.clusterIP}'` prints, or 169.254.10.11 with LocalDNS
      - serviceCidrs[0]: "10.0.0.1/16" has bits set beyond its prefix; write 10.0.0.0/16 for the network, or 10.0.0.1/32 for the one address
      - serviceCidrs[1]: "10.0.0.0" is an address; a network needs its prefix length, a single address is written 10.0.0.0/32
      - serviceCidrs[2]: "tomorrow" is not a network; write an address and a prefix length: 10.1.2.0/24
      - serviceCidrs[3]: "10.0.0.0/33" has too long a prefix; the longest is /32
      - caBundle and existingCaSecret are given together; keep one of them
      - caBundle holds no certificate; write the PEM itself, which starts with -----BEGIN CERTIFICATE-----: --set-file caBundle=ca.pem
      - image.registry: "https://registry.example.com/v2" is a URL; write the host alone: registry.example.com
      - image.repository: "prober:v1" holds a port, tag or digest; write those to image.registry, image.tag and image.digest
      - image.digest: "sha256:12" is no digest; write sha256: and 64 hexadecimal digits
      - dnsPolicy: with "ClusterFirst" the path `node` would ask the cluster's DNS; write Default (the node's resolv.conf), or None with dnsConfig
      - serviceMonitor.enabled and podMonitor.enabled would scrape every agent twice; keep one of them
      - serviceMonitor.enabled needs the service; set service.enabled, or use podMonitor
      - config.presets[0]: there is no preset "aks"; write aks-egress, or aks-egress:REGION such as aks-egress:westeurope
      - config.limits.maxDnsQps: 0 is not between 1 and 10000
      - config.httpInterval: "2 days" is not a duration; write whole numbers with units, longest first: 30s, 10m, 1h30m
      - config.tls.expiryWarning: "100000h" is too long; write 87600h or less
      - config.interval: "30" is not a duration; add a unit: 30s or 30m
      - config.timeout: "1s" is too short; write 2s or more
      - config.expectedCidrs[0]: "10.1.2.3/24" has bits set beyond its prefix; write 10.1.2.0/24 for the network, or 10.1.2.3/32 for the one address
      - config.classify.private[0]: "203.0.113.7" is an address; a network needs its prefix length, a single address is written 203.0.113.7/32
      - config.addressFamilies is empty; write ipv4, ipv6 or both, or remove it
      - config.targets[6].interval: "10s" is too short; write 1m (config.limits.minInterval) or more
      - config.targets has 12 targets, config.limits.maxTargets is 3; raise it, or probe less
      - config.targets[0].host: "https://kv-prod.vault.azure.net/secrets" is a URL; write the host alone: kv-prod.vault.azure.net
      - config.targets[1].host: "kv-prod.vault.azure.net:443" holds a port; write the host alone, kv-prod.vault.azure.net, and port: 443
      - config.targets[1].port: 70000 is no port; write one between 1 and 65535
      - config.targets[2].host: "10.1.2.3" is an IP address; write the name that applications use: the probe is about how it resolves and which certificate answers to it
      - config.targets[3].host: "*.vault.azure.net" is a wildcard, which cannot be resolved; write a name that exists below it
      - config.targets[4].host: "kv-prod..vault.azure.net" is not a host name; write labels of up to 63 letters, digits and hyphens with single dots between them
      - config.targets[5].host: "schlüssel.vault.azure.net" is not ASCII; write the form that starts with xn--, as applications send it
      - config.targets[6].name: "key vault" cannot be a name; start with a letter or digit and go on with letters, digits, and . _ : -
      - config.targets[7].serverName: "" is empty; write the name that applications use
      - config.targets[8].name: config.targets[7] is called "two" too; give one of them another name
      - config.targets[10]: config.targets[9] probes Four.vault.azure.net. at the same port; remove one of them, or give it another port or name
      - config.targets[11].dataRegions[0]: "West Europe" is not the name of a region; write it as Azure's tools do: westeurope, not West Europe
    "#);
}

#[test]
fn durations_that_prometheus_would_refuse() {
    let values = "
config: {targets: [{host: kv-prod.vault.azure.net}]}
podMonitor: {enabled: true, interval: 10s, scrapeTimeout: 30s}
serviceMonitor: {interval: 30}
prometheusRule: {rules: {timeouts: {for: soon, window: 0s}, proberGone: {lookback: 30m1h}}}
";
    insta::assert_snapshot!(refused(values), @r#"
    Error: execution error at (privatelink-prober/templates/configmap.yaml:1:4): these values cannot work:

      - serviceMonitor.interval: "30" is not a duration; add a unit: 30s or 30m
      - podMonitor.scrapeTimeout: 30s is longer than podMonitor.interval, which is 10s, and Prometheus would refuse that; shorten it
      - prometheusRule.rules.proberGone.lookback: "30m1h" is not a duration; write whole numbers with units, longest first: 30s, 5m, 1h30m
      - prometheusRule.rules.timeouts.for: "soon" is not a duration; write whole numbers with units, longest first: 30s, 5m, 1h30m
      - prometheusRule.rules.timeouts.window: "0s" is no time at all; write 1s or more
    "#);
}

/// `null` removes a value, and with it what a template may look into.
#[test]
fn no_value_that_is_removed_makes_a_template_stumble() {
    let chart = format!("{ROOT}/charts/privatelink-prober/values.yaml");
    let values = yaml(&std::fs::read_to_string(chart).expect("values.yaml"));
    let on = "serviceMonitor: {enabled: true}\nprometheusRule: {enabled: true}\n\
              grafana: {createDashboard: true}\n";
    for (name, value) in values.as_object().expect("values") {
        let below = value.as_object().into_iter().flatten();
        let below = below.map(|(below, _)| format!("{name}={{{below}: null}}"));
        for removed in below.chain([format!("{name}=null")]) {
            let arguments = ["template", "t", "charts/privatelink-prober", "-f", "-"];
            let set = [
                "--set-json",
                &removed.replace("={", "={\"").replace(": null", "\": null"),
            ];
            let output = run(
                "helm",
                &[arguments.as_slice(), &set].concat(),
                &format!("{LEAST}{on}"),
            );
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success()
                    || said.contains("these values cannot work")
                    || said.contains("missing property"),
                "{removed}: {said}"
            );
        }
    }
}

#[test]
fn a_resolver_that_only_a_cluster_dns_would_bring() {
    let values = "config: {targets: [{host: kv-prod.vault.azure.net, resolver: pod}]}";
    insta::assert_snapshot!(refused(values), @r#"
    Error: execution error at (privatelink-prober/templates/configmap.yaml:1:4): these values cannot work:

      - config.targets[0].resolver: there is no resolver "pod"; set clusterDns, without which there is no such path
    "#);
}

#[test]
fn resolvers_that_cannot_work() {
    let values = "
config:
  resolvers:
    - {name: pod, servers: [kube-dns], pathFor: [registries]}
    - {name: pod, servers: [10.0.0.10], resolvConf: /etc/resolv.conf, pathFor: [registries]}
    - {name: none}
    - {name: empty, servers: []}
  targets: [{host: kv-prod.vault.azure.net, resolver: pods}]
";
    insta::assert_snapshot!(refused(values), @r#"
    Error: execution error at (privatelink-prober/templates/configmap.yaml:1:4): these values cannot work:

      - config.resolvers[0].servers[0]: "kube-dns" is a name, which would need a DNS server to resolve; write 10.0.0.10, 10.0.0.10:5353 or [fd00::10]:53
      - config.resolvers[1].name: config.resolvers[0] is called "pod" too; give one of them another name
      - config.resolvers[1]: "pod" needs either servers or resolvConf; write one of them
      - config.resolvers[1].pathFor: config.resolvers[0] is already the path for registries; remove it from one of them
      - config.resolvers[2]: "none" needs either servers or resolvConf; write one of them
      - config.resolvers[3].servers is empty; write the address of a DNS server
      - config.targets[0].resolver: there is no resolver "pods"; there are pod, pod, none, empty
    "#);
}

#[test]
fn what_has_no_effect_beside_a_config_map_of_the_users_own() {
    let values = "
existingConfigMap: mine
clusterDns: 10.0.0.10
config: {targets: [{host: kv-prod.vault.azure.net}]}
";
    insta::assert_snapshot!(refused(values), @r#"
    Error: execution error at (privatelink-prober/templates/configmap.yaml:1:4): these values cannot work:

      - config has no effect beside existingConfigMap, whose content is used as it is; remove one of them
      - clusterDns has no effect beside existingConfigMap, whose content is used as it is; remove one of them
    "#);
}

#[test]
fn a_private_key_among_the_roots() {
    let values = "
caBundle: |
  -----BEGIN PRIVATE KEY-----
config: {targets: [{host: kv-prod.vault.azure.net}]}
";
    insta::assert_snapshot!(refused(values), @r#"
    Error: execution error at (privatelink-prober/templates/configmap.yaml:1:4): these values cannot work:

      - caBundle holds a private key; write the certificates alone (and consider the key disclosed)
    "#);
}
