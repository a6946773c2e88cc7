//! Meaning: what is decided where nothing is written, and what is doubtful.

use std::time::Duration;

use privatelink_verdict::address::{Class, Family};
use privatelink_verdict::target::{Expectation, Protocol};

use super::*;
use crate::plan::Detail;
use privatelink_verdict::resolver::Servers;

#[test]
fn the_example_of_the_documentation_is_valid() {
    let plan = plan(
        r#"
interval: 30s
timeout: 10s
expect: privateEndpoint
metrics: essential
deniedCidrs: [10.0.0.0/16]
expectedCidrs: []
classify: {private: [], public: []}
addressFamilies: [ipv6, ipv4]
httpInterval: 10m
resolvers:
  - {name: pod, servers: ["10.0.0.10"], mustAgree: true}
  - {name: node, resolvConf: /etc/resolv.conf, mustAgree: true, pathFor: [registries, volumes]}
  - {name: vnet, servers: ["168.63.129.16"]}
tls: {caFiles: [], expiryWarning: 336h}
limits: {maxTargets: 500, maxConcurrent: 32, minInterval: 5s, maxDnsQps: 50}
allowedHosts: []
presets: []
targets:
  - host: contoso.azurecr.io
    name: contoso-acr
    dataRegions: [westeurope, northeurope]
  - host: kv-prod.vault.azure.net
    expectedCidrs: [10.1.2.0/24]
    interval: 10s
    owner: payments
  - host: sql-prod.database.windows.net
  - host: orders.internal.example.com
    port: 8443
    protocol: tls
    privateZone: privatelink.example.com
    serverName: orders.example.com
"#,
    );
    assert_eq!(
        names(&plan),
        [
            "contoso-acr",
            "contoso-acr:data:westeurope",
            "contoso-acr:data:northeurope",
            "kv-prod.vault.azure.net",
            "sql-prod.database.windows.net",
            "orders.internal.example.com",
        ]
    );
    assert_eq!(plan.warnings, [""; 0]);
    assert_eq!(plan.metrics, Detail::Essential);

    let data = target(&plan, "contoso-acr:data:northeurope");
    assert_eq!(data.host, "contoso.northeurope.data.azurecr.io");
    assert_eq!(data.server_name(), data.host);
    assert_eq!((data.http, &*data.resolver), (false, "node"));

    let vault = target(&plan, "kv-prod.vault.azure.net");
    assert_eq!(
        (vault.port, vault.protocol, vault.http),
        (443, Protocol::Tls, true)
    );
    assert_eq!(
        (&*vault.resolver, vault.owner.as_deref()),
        ("pod", Some("payments"))
    );
    assert_eq!(vault.interval, Duration::from_secs(10));
    assert_eq!(vault.families, [Family::Ipv4, Family::Ipv6]);
    assert!(
        vault
            .rules
            .is_unexpected("10.9.9.9".parse().expect("an address"))
    );

    let sql = target(&plan, "sql-prod.database.windows.net");
    assert_eq!(
        (sql.port, sql.protocol, sql.http),
        (1433, Protocol::Tds, false)
    );

    let orders = target(&plan, "orders.internal.example.com");
    assert_eq!((orders.port, orders.service_slug()), (8443, "custom"));
    assert_eq!(orders.server_name(), "orders.example.com");
    assert_eq!(
        orders.private_zone.as_deref(),
        Some("privatelink.example.com")
    );
    let denied = orders
        .rules
        .classify("10.0.1.1".parse().expect("an address"));
    assert_eq!(denied, Class::Reserved);
}

#[test]
fn an_unset_field_has_its_documented_default() {
    let plan = plan("targets: [{host: KV.Vault.Azure.NET.}]");
    let vault = target(&plan, "kv.vault.azure.net");
    assert_eq!(vault.expect, Expectation::PrivateEndpoint);
    assert_eq!(vault.interval, Duration::from_secs(30));
    assert_eq!(vault.timeout, Duration::from_secs(10));
    assert_eq!(vault.expiry_warning, Duration::from_hours(336));
    assert_eq!(&*vault.resolver, "system");
    assert_eq!(plan.http_interval, Duration::from_mins(10));
    assert_eq!(plan.resolvers.len(), 1);
    assert_eq!(
        plan.resolvers[0].servers,
        Servers::ResolvConf(PathBuf::from("/etc/resolv.conf"))
    );
}

#[test]
fn a_host_that_repeats_is_named_with_its_port() {
    let plan = plan(
        "targets: [{host: a.example.com}, {host: a.example.com, port: 8443}, {host: b.example.com}]",
    );
    assert_eq!(
        names(&plan),
        ["a.example.com:443", "a.example.com:8443", "b.example.com"]
    );
}

#[test]
fn a_service_is_asked_for_evidence_by_default_only_where_the_catalogue_says_so() {
    let plan = plan(
        "targets:
  - {host: contoso.azurecr.io}
  - {host: kv.vault.azure.net, port: 8443}
  - {host: off.vault.azure.net, http: false}
  - {host: stor.blob.core.windows.net}
  - {host: stor.file.core.windows.net}
  - {host: bus.servicebus.windows.net, port: 443}
  - {host: a.example.com}
  - {host: b.example.com, http: true}
",
    );
    let asked = plan.targets.iter().filter(|target| target.http);
    let asked: Vec<&str> = asked.map(|target| target.host.as_str()).collect();
    assert_eq!(
        asked,
        [
            "contoso.azurecr.io",
            "stor.blob.core.windows.net",
            "b.example.com"
        ]
    );
}

#[test]
fn a_mysql_host_without_a_protocol_is_judged_on_dns_alone() {
    let plan = plan(
        "targets:
  - {host: a.mysql.database.azure.com}
  - {host: b.mysql.database.azure.com, protocol: mysql, interval: 5m}
  - {host: c.mysql.database.azure.com, protocol: tcp, interval: 5m}
",
    );
    let alone = plan
        .targets
        .iter()
        .map(|target| (target.protocol, target.dns_only));
    assert_eq!(
        alone.collect::<Vec<_>>(),
        [
            (Protocol::Mysql, true),
            (Protocol::Mysql, false),
            (Protocol::Tcp, false)
        ]
    );
}

#[test]
fn a_postgresql_server_is_probed_every_minute_at_most_unless_it_has_an_interval_of_its_own() {
    let unlike = plan(
        "targets:
  - {host: a.postgres.database.azure.com}
  - {host: b.postgres.database.azure.com, interval: 10s}
  - {host: c.example.com, port: 5432, protocol: postgres}
  - {host: d.example.com}
",
    );
    let intervals = unlike
        .targets
        .iter()
        .map(|target| target.interval.as_secs());
    assert_eq!(intervals.collect::<Vec<_>>(), [60, 10, 60, 30]);
    let slower = plan("interval: 2m\ntargets: [{host: a.postgres.database.azure.com}]");
    assert_eq!(slower.targets[0].interval, Duration::from_mins(2));
}

#[test]
fn check_may_probe_a_mysql_server_once() {
    for (protocol, port) in [("mysql", None), ("tcp", Some("3306"))] {
        let flags = HostOptions {
            protocol: Some(protocol.to_owned()),
            port: port.map(str::to_owned),
            ..HostOptions::default()
        };
        let plan = for_check(&[], &["a.mysql.database.azure.com".to_owned()], &[], &flags)
            .expect("a plan");
        let target = &plan.targets[0];
        assert!(!target.dns_only);
        assert_eq!(target.interval, Duration::from_mins(5));
    }
}

#[test]
fn a_targets_own_resolver_comes_before_that_of_its_usage() {
    let plan = plan(
        "resolvers:
  - {name: pod, servers: [10.0.0.10]}
  - {name: node, resolvConf: /etc/resolv.conf, pathFor: [registries, volumes]}
targets:
  - {host: a.azurecr.io}
  - {host: b.azurecr.io, resolver: pod}
  - {host: stor.file.core.windows.net}
  - {host: stor.blob.core.windows.net}
",
    );
    let paths = plan.targets.iter().map(|target| &*target.resolver);
    assert_eq!(paths.collect::<Vec<_>>(), ["node", "pod", "node", "pod"]);
}

#[test]
fn a_warning_has_its_location() {
    let plan = plan(
        "timeout: 20s
targets:
  - host: kv.privatelink.vaultcore.azure.net
  - host: kv.vault.azure.net.vault.azure.net
  - host: kv.vault.azure.com
  - host: a.example.com
    interval: 15s
  - host: b.example.com
    expectedCidrs: [169.254.0.0/16]
  - host: aks-1.privatelink.westeurope.azmk8s.io
",
    );
    insta::assert_snapshot!(plan.warnings.join("\n"), @r#"
    config.yaml:3:11: the host `kv.privatelink.vaultcore.azure.net` is a private endpoint's alias, which certificates do not cover: use kv.vault.azure.net
    config.yaml:4:11: the host `kv.vault.azure.net.vault.azure.net` repeats its suffix: did you mean kv.vault.azure.net?
    config.yaml:5:11: the host `kv.vault.azure.com` has a suffix of no Azure cloud: did you mean kv.vault.azure.net?
    config.yaml:7:15: the interval `15s` is shorter than the timeout `20s`: a slow probe makes the next one skip
    config.yaml:9:21: the expected network `169.254.0.0/16` starts in a reserved range: reserved addresses are never dialled (if it is meant, name it under `classify.private` too)
    "#);
}

#[test]
fn where_nothing_is_to_be_asked_a_wish_to_ask_is_a_warning_and_no_load() {
    let plan = plan(concat!(
        "targets:\n",
        "  - {host: app.azurewebsites.net, http: true}\n",
        "  - {host: b.example.com, http: true}\n",
        "  - {host: kv.vault.azure.net, protocol: tcp, http: true}\n",
        "  - {host: contoso.azurecr.io, http: true}\n",
    ));
    assert_eq!(plan.warnings.len(), 3, "{:?}", plan.warnings);
    let is_of = |index: usize, text: &str| plan.warnings[index].contains(text);
    assert!(is_of(
        0,
        "`http: true` does nothing for app.azurewebsites.net"
    ));
    assert!(is_of(2, "`protocol: tcp` has no TLS"));
    let once = 1.0 / plan.http_interval.as_secs_f64();
    assert!((plan.demand().service_requests - once).abs() < 1e-9);
}

#[test]
fn a_reserved_network_that_is_also_classified_is_no_warning() {
    let plan = plan(
        "classify: {private: [127.0.1.0/24]}
targets: [{host: a.example.com, expectedCidrs: [127.0.1.0/24]}]",
    );
    assert_eq!(plan.warnings, [""; 0]);
}

#[test]
fn more_dns_queries_than_allowed_are_a_warning() {
    let plan = plan(
        "limits: {maxDnsQps: 1}\ntargets: [{host: a.example.com, interval: 10s}, {host: b.example.com, interval: 10s}, {host: c.example.com, interval: 10s}, {host: d.example.com, interval: 10s}, {host: e.example.com, interval: 10s}]\ntimeout: 9s",
    );
    assert_eq!(plan.warnings.len(), 1, "{:?}", plan.warnings);
    assert!(
        plan.warnings[0].contains("limits.maxDnsQps allows 1"),
        "{:?}",
        plan.warnings
    );
}

#[test]
fn a_value_can_be_shared_by_a_yaml_anchor() {
    let plan = plan(
        "targets:
  - &base {host: a.example.com, expectedCidrs: [10.1.0.0/16], interval: 1m}
  - {<<: *base, host: b.example.com}
",
    );
    assert_eq!(
        target(&plan, "b.example.com").interval,
        Duration::from_mins(1)
    );
}

#[test]
fn a_flag_means_the_same_as_the_field_of_its_name() {
    let flags = HostOptions {
        resolvers: ["127.0.0.1:5300", "[::1]:5301"].map(str::to_owned).to_vec(),
        classify_private: vec!["127.0.1.0/24".to_owned()],
        classify_public: vec!["127.0.2.0/24".to_owned()],
        port: Some("8443".to_owned()),
        http: true,
        ipv4_only: true,
        ..HostOptions::default()
    };
    let plan =
        for_check(&[], &["kv-prod.vault.azure.net".to_owned()], &[], &flags).expect("a plan");
    let vault = target(&plan, "kv-prod.vault.azure.net");
    assert_eq!((vault.port, vault.http), (8443, true));
    assert_eq!(vault.families, [Family::Ipv4]);
    assert_eq!(
        vault
            .rules
            .classify("127.0.1.9".parse().expect("an address")),
        Class::Private
    );
    assert_eq!(
        vault
            .rules
            .classify("127.0.2.9".parse().expect("an address")),
        Class::Public
    );
    let resolvers = plan.resolvers.iter();
    let resolvers: Vec<_> = resolvers
        .map(|resolver| (&*resolver.name, resolver.must_agree))
        .collect();
    assert_eq!(resolvers, [("system", false), ("[::1]:5301", true)]);
}

#[test]
fn resolvers_of_the_command_line_replace_the_configured_ones() {
    let scratch = Scratch::new("meaning-override");
    let config = scratch.write(
        "config.yaml",
        "expect: public
resolvers: [{name: pod, servers: [10.0.0.10]}, {name: node, servers: [10.0.0.11], pathFor: [registries]}]
targets: [{host: a.azurecr.io}, {host: b.example.com, resolver: node}]\n",
    );
    let flags = HostOptions {
        resolvers: vec!["127.0.0.1:5300".to_owned()],
        ..HostOptions::default()
    };
    let plan = for_check(std::slice::from_ref(&config), &[], &[], &flags).expect("a plan");
    let mut targets = plan.targets.iter();
    assert!(
        targets.all(|target| &*target.resolver == "system"),
        "{plan:?}"
    );
    assert_eq!(plan.resolvers.len(), 1);
    assert_eq!(target(&plan, "b.example.com").expect, Expectation::Public);

    let hosts = ["c.example.com".to_owned()];
    let plan = for_check(&[config], &hosts, &[], &HostOptions::default()).expect("a plan");
    assert_eq!(names(&plan), ["c.example.com"]);
    assert_eq!(plan.targets[0].expect, Expectation::PrivateEndpoint);
    assert_eq!(&*plan.targets[0].resolver, "pod");
}

#[test]
fn only_the_chosen_targets_are_kept_with_their_warnings() {
    let scratch = Scratch::new("meaning-chosen");
    let config = scratch.write(
        "config.yaml",
        "expectedCidrs: [169.254.0.0/16]
targets:
  - {host: kv.vault.azur.net, name: kv}
  - {host: contoso.azurcr.io, name: contoso}
  - {host: contoso.azurecr.io.azurecr.io, name: contoso-acr}
  - {host: fabrikam.azurecr.io, name: fabrikam, dataRegions: [westeurope], interval: 5s}
",
    );
    let chosen = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        for_check(
            std::slice::from_ref(&config),
            &[],
            &names,
            &HostOptions::default(),
        )
    };
    let said = |plan: &Plan| plan.warnings.join("\n");

    let all = chosen(&[]).expect("a plan");
    assert_eq!(all.targets.len(), 5);
    assert_eq!(all.warnings.len(), 5, "{}", said(&all));

    let one = chosen(&["contoso-acr"]).expect("a plan");
    assert_eq!(names(&one), ["contoso-acr"]);
    assert_eq!(one.warnings.len(), 2, "{}", said(&one));
    assert!(said(&one).contains("169.254.0.0/16"), "it is about all");
    assert!(said(&one).contains("contoso.azurecr.io.azurecr.io"));

    let data = chosen(&["fabrikam:data:westeurope"]).expect("a plan");
    assert!(said(&data).contains("the interval `5s`"), "{}", said(&data));

    let error = chosen(&["contoso-arc"]).expect_err("no such target");
    assert_eq!(
        error.to_string(),
        "the configuration has no target called `contoso-arc` (did you mean `contoso-acr`?)"
    );
    let error = chosen(&["xyzzy"]).expect_err("no such target").to_string();
    assert!(error.contains("it has `kv`, `contoso`, "), "{error}");
}

#[test]
fn check_may_have_a_timeout_longer_than_the_interval() {
    let flags = HostOptions {
        timeout: Some("40s".to_owned()),
        ..HostOptions::default()
    };
    let plan = for_check(&[], &["a.example.com".to_owned()], &[], &flags).expect("a plan");
    assert_eq!(plan.warnings, [""; 0]);
}

#[test]
fn flags_about_hosts_need_hosts() {
    let scratch = Scratch::new("meaning-flags");
    let config = scratch.write("config.yaml", "targets: [{host: a.example.com}]\n");
    let flags = HostOptions {
        expect: Some("public".to_owned()),
        ..HostOptions::default()
    };
    let error = for_check(&[config], &[], &[], &flags).expect_err("no host");
    assert!(error.to_string().contains("there is none"), "{error}");
    let error = for_check(&[], &[], &[], &HostOptions::default()).expect_err("nothing");
    assert!(error.to_string().contains("nothing to check"), "{error}");
}

#[test]
fn a_preset_adds_public_targets_beside_those_the_operator_wrote() {
    let text = concat!(
        "presets: [\"aks-egress:westeurope\"]\n",
        "targets: [{host: mcr.microsoft.com, name: images, expect: auto}]\n",
    );
    let plan = load_text("config.yaml", text).expect("a plan");
    assert_eq!(target(&plan, "images").expect, Expectation::Auto);
    assert!(
        plan.targets
            .iter()
            .filter(|target| target.host == "mcr.microsoft.com")
            .count()
            == 1
    );
    let login = target(&plan, "login.microsoftonline.com");
    assert_eq!((login.expect, login.port), (Expectation::Public, 443));
    assert_eq!(
        target(&plan, "westeurope.data.mcr.microsoft.com").expect,
        Expectation::Public
    );
}
