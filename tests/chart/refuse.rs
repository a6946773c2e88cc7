//! Refuse: values that Helm refuses before it creates anything, and the message that the user sees.

use super::helm::{MINIMAL, ROOT, refused, render, run, yaml};

#[test]
fn the_schema_refuses_a_value_with_its_path_and_the_reason() {
    let cases = yaml(include_str!("values/refused.yaml"));
    for case in cases.as_array().expect("a list") {
        let (values, expected) = (&case[0], case[1].as_str().expect("a message"));
        let text = refused(&values.to_string());
        assert!(text.contains("the specifications of the schema"), "{text}");
        let mut messages = text.lines().map(|line| line.trim_start_matches([' ', '-']));
        assert!(
            messages.any(|message| message.starts_with(expected)),
            "{expected}\n{text}"
        );
    }
}

#[test]
fn a_configuration_without_targets() {
    let refused = |values: &str| refused(&format!("observer: {{enabled: false}}\n{values}"));
    insta::assert_snapshot!(refused(""), @r#"
    Error: execution error at (privatelink-prober/templates/configmap.yaml:1:4): these values cannot work:

      - config.targets is empty and nothing finds targets, so there is nothing to probe; write at least one `- host: …` there, or switch on the observer (observer.enabled) with a source (observer.discovery.sources) or the objects of teams (observer.crd.enabled)
    "#);
    assert_eq!(refused(""), refused("config: {targets: []}"));
    assert_eq!(refused(""), refused("config:\n#  targets:\n"));
}

#[test]
fn the_templates_report_all_their_mistakes_at_once() {
    let values = "
caBundle: ca.pem
existingCaSecret: corp-roots
podMonitor: {enabled: true, interval: 10s, scrapeTimeout: 30s}
service: {enabled: false}
serviceMonitor: {enabled: true}
config:
  limits: {maxTargets: 3}
  resolvers:
    - {name: vnet, servers: [10.0.0.10]}
    - {name: vnet, servers: [10.0.0.11]}
  targets:
    - {host: two.vault.azure.net, name: two, resolver: pod}
    - {host: three.vault.azure.net, name: two}
    - {host: four.vault.azure.net}
    - {host: Four.vault.azure.net.}
";
    insta::assert_snapshot!(refused(values), @r#"
    Error: execution error at (privatelink-prober/templates/configmap.yaml:1:4): these values cannot work:

      - caBundle and existingCaSecret are given together; keep one of them
      - caBundle contains no certificate; write the PEM itself, which starts with -----BEGIN CERTIFICATE-----: --set-file caBundle=ca.pem
      - serviceMonitor.enabled: a ServiceMonitor selects the Service, which is off; set service.enabled too, or enable podMonitor instead
      - serviceMonitor.enabled, podMonitor.enabled: with both, Prometheus would scrape every agent twice; enable one of them
      - podMonitor.scrapeTimeout: 30s is longer than podMonitor.interval (10s), which Prometheus refuses; shorten it
      - config.targets has 4 targets, but config.limits.maxTargets is 3; raise the limit, or remove targets
      - config.resolvers[1] repeats config.resolvers[0] (vnet); remove it, or give it another name
      - config.targets[1] repeats config.targets[0] (two); remove it, or give it another name
      - config.targets[3] repeats config.targets[2] (four.vault.azure.net, port not set); remove it, or give it another name
      - config.targets[0].resolver: there is no resolver "pod"; there are vnet
    "#);
}

#[test]
fn a_resolver_that_needs_cluster_dns() {
    let values = "observer: {learnClusterDns: false}\n\
                  config: {targets: [{host: kv-prod.vault.azure.net, resolver: pod}]}";
    insta::assert_snapshot!(refused(values), @r#"
    Error: execution error at (privatelink-prober/templates/configmap.yaml:1:4): these values cannot work:

      - config.targets[0].resolver: there is no resolver "pod"; it needs clusterDns, which is not set, or observer.learnClusterDns
    "#);
}

#[test]
fn values_without_effect_beside_an_existing_config_map() {
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
    let values = format!("{MINIMAL}caBundle: |\n  -----BEGIN PRIVATE KEY-----\n");
    insta::assert_snapshot!(refused(&values), @r#"
    Error: execution error at (privatelink-prober/templates/configmap.yaml:1:4): these values cannot work:

      - caBundle contains a private key; write only certificates (and treat the key as disclosed)
    "#);
}

#[test]
fn a_registry_that_is_written_twice() {
    let values = |image: &str| format!("{MINIMAL}image: {image}\n");
    insta::assert_snapshot!(refused(&values("{registry: contoso.azurecr.io, repository: contoso.azurecr.io/tools/prober}")), @r#"
    Error: execution error at (privatelink-prober/templates/configmap.yaml:1:4): these values cannot work:

      - image.repository: contoso.azurecr.io/tools/prober repeats the registry, so the image would be contoso.azurecr.io/contoso.azurecr.io/tools/prober:0.1.0; write only the part after the registry: tools/prober
    "#);
    for image in [
        "{registry: 'contoso.azurecr.io:443/', repository: contoso.azurecr.io/prober}",
        "{registry: contoso.azurecr.io/tools, repository: contoso.azurecr.io/tools/prober}",
    ] {
        let text = refused(&values(image));
        assert!(text.ends_with("part after the registry: prober"), "{text}");
    }
    let global = "global: {imageRegistry: contoso.azurecr.io}\nimage: {repository: contoso.azurecr.io/prober}\n";
    assert!(refused(&format!("{MINIMAL}{global}")).contains("repeats the registry"));
    // A repository that holds a copy of another registry's, and one whose name has a dot.
    for image in [
        "{registry: contoso.azurecr.io, repository: ghcr.io/tools/prober}",
        "{registry: contoso.azurecr.io, repository: contoso.azurecr.io.tools}",
        "{repository: contoso.azurecr.io/prober}",
    ] {
        render(&values(image));
    }
}

#[test]
fn arguments_that_the_chart_itself_sets() {
    let values = format!("{MINIMAL}extraArgs: ['--listen=[::]:80', --config, /more.yaml]\n");
    insta::assert_snapshot!(refused(&values), @r#"
    Error: execution error at (privatelink-prober/templates/configmap.yaml:1:4): these values cannot work:

      - extraArgs: --listen=[::]:80 would move the port away from 9797, which the probes, the Service and the monitors use; remove it (service.port changes the port of the Service)
      - extraArgs: --config would add a second configuration, and the chart passes its own; write the configuration under config, or name a ConfigMap in existingConfigMap
    "#);
    for other in [
        "[--log-level, debug]",
        "[/targets/mine.yaml]",
        "[--histograms=off]",
    ] {
        render(&format!("{MINIMAL}extraArgs: {other}\n"));
    }
}

#[test]
fn a_surge_beside_the_default_of_max_unavailable() {
    let values = |rolling: &str| format!("{MINIMAL}updateStrategy: {{rollingUpdate: {rolling}}}\n");
    insta::assert_snapshot!(refused(&values("{maxSurge: 1}")), @r#"
    Error: execution error at (privatelink-prober/templates/configmap.yaml:1:4): these values cannot work:

      - updateStrategy.rollingUpdate: maxSurge is 1 and maxUnavailable is 10%, but a DaemonSet may have only one of them; write maxUnavailable: 0 beside maxSurge, or remove maxSurge
    "#);
    // The API server takes 1 where there is none.
    let text = refused(&values("{maxSurge: 10%, maxUnavailable: null}"));
    assert!(
        text.contains("maxSurge is 10% and maxUnavailable is 1,"),
        "{text}"
    );
    let text = refused(&values("{maxUnavailable: 0%}"));
    assert!(text.contains("both 0"), "{text}");
    for good in [
        "{maxSurge: 1, maxUnavailable: 0}",
        "{maxSurge: 10%, maxUnavailable: 0%}",
        "{maxSurge: 0}",
    ] {
        render(&values(good));
    }
    render(&format!(
        "{MINIMAL}updateStrategy: {{type: OnDelete, rollingUpdate: {{maxSurge: 1}}}}\n"
    ));
}

/// Helm removes a value that the user sets to null, so templates may not rely on any value.
#[test]
fn a_removed_value_is_refused_in_words_or_not_needed() {
    let chart = format!("{ROOT}/charts/privatelink-prober/values.yaml");
    let values = yaml(&std::fs::read_to_string(chart).expect("values.yaml"));
    let on = "serviceMonitor: {enabled: true}\nprometheusRule: {enabled: true}\n\
              grafana: {createDashboard: true, operator: {enabled: true}}\n";
    for (name, value) in values.as_object().expect("values") {
        let below = value.as_object().into_iter().flatten();
        let below = below.map(|(below, _)| format!("{name}={{\"{below}\": null}}"));
        for removed in below.chain([format!("{name}=null")]) {
            let arguments = [
                "template",
                "t",
                "charts/privatelink-prober",
                "-f",
                "-",
                "--set-json",
                &removed,
            ];
            let output = run("helm", &arguments, &format!("{MINIMAL}{on}"));
            let message = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success()
                    || message.contains("these values cannot work")
                    || message.contains("missing property"),
                "{removed}: {message}"
            );
        }
    }
}
