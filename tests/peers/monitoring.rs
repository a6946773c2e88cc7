//! Monitoring: a minute in the life of an agent that a real Prometheus scrapes.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use super::agent::{Agent, get};
use super::child::{Folder, eventually, free_port};
use super::dns::{Bind, silent_server};
use super::prometheus::{Prometheus, lint};
use super::service::{Authority as Ca, Service};
use super::zones::{Authority, PUBLIC_NAME, Zone, alias_of, privatelink, vault_zones};

/// The shortest interval that limits allow by default.
const INTERVAL: Duration = Duration::from_secs(5);
/// What a scrape, a reload of BIND and a busy machine add to an interval; less than another one.
const SLACK: Duration = Duration::from_secs(4);
/// Within which an edited file is noticed and tried.
const RELOAD: Duration = Duration::from_secs(30);

/// The targets' labels: what is wrong with each. `silent` is asked of a server that never answers.
const LABELS: [&str; 5] = ["healthy", "fallback", "blackhole", "mismatch", "silent"];

const HEALTHY: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 30);
const BLACK_HOLE: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 31);
const MISMATCH: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 32);
const REPAIRED: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 33);
const PUBLIC: Ipv4Addr = Ipv4Addr::new(127, 0, 2, 30);

/// Most series a target may have.
const SERIES: f64 = 36.0;

#[test]
fn metrics_tell_the_broken_from_the_healthy_follow_a_repair_and_outlive_a_bad_edit() {
    let folder = Folder::new("monitoring");
    let ca = Ca::new();
    let ca_file = ca.file(&folder);
    let port = free_port();
    let _services = services(&ca, port);
    let bind = Bind::start(&folder, &vault_zones(&LABELS, broken_zone(), PUBLIC));
    let (_socket, silent) = silent_server();
    let config = format!(
        r#"
interval: {interval}s
timeout: 3s
classify: {{private: [127.0.1.0/24], public: [127.0.2.0/24]}}
resolvers:
  - {{name: lab, servers: ["{bind}"]}}
  - {{name: silent, servers: ["{silent}"]}}
tls: {{caFiles: ["{ca_file}"]}}
targets:
  - {{name: healthy, host: healthy.vault.azure.net, port: {port}}}
  - {{name: fallback, host: fallback.vault.azure.net, port: {port}}}
  - {{name: blackhole, host: blackhole.vault.azure.net, port: {port}}}
  - {{name: mismatch, host: mismatch.vault.azure.net, port: {port}}}
  - {{name: silent, host: silent.vault.azure.net, port: {port}, resolver: silent}}
"#,
        interval = INTERVAL.as_secs(),
        bind = bind.address(),
        ca_file = ca_file.display(),
    );
    let file = folder.write("config.yaml", &config);
    let agent = Agent::start(&folder, "node-a", &file);
    let prometheus = Prometheus::start(&folder, agent.address());

    broken_differ_from_healthy(&prometheus);
    metrics_keep_their_manners(&agent, &prometheus);

    bind.replace(&folder, &repaired_zone());
    prometheus.expect(INTERVAL + SLACK, &fallback_of("fallback"), Some(0.0));
    prometheus.expect(INTERVAL, &success_of("fallback"), Some(1.0));

    bad_edit_stops_nothing(&folder, &file, &config, &agent, &prometheus);

    steady_for_a_minute(&prometheus);
}

fn broken_differ_from_healthy(prometheus: &Prometheus) {
    // The first round takes an interval at most, and its slowest probe the timeout.
    let first_round = INTERVAL * 2 + SLACK;
    prometheus.expect(first_round, "count(privatelink_probe_reason)", Some(5.0));
    prometheus.expect(SLACK, "sum(privatelink_probe_success)", Some(1.0));
    prometheus.expect(SLACK, &success_of("healthy"), Some(1.0));

    // One metric for each way of being broken, and no other target has it.
    prometheus.expect(SLACK, &fallback_of("fallback"), Some(1.0));
    prometheus.expect(
        SLACK,
        "count(privatelink_dns_public_fallback == 1)",
        Some(1.0),
    );
    prometheus.expect(
        SLACK,
        "count(privatelink_dns_public_fallback == 0)",
        Some(3.0),
    );

    prometheus.expect(
        SLACK,
        "privatelink_tls_name_mismatch{target=\"mismatch\"}",
        Some(1.0),
    );
    prometheus.expect(
        SLACK,
        "count(privatelink_tls_name_mismatch == 1)",
        Some(1.0),
    );

    let timeouts = |target: &str, stage: &str| {
        format!(
            "privatelink_probe_timeouts_total{{target=\"{target}\",stage=\"{stage}\"}} > bool 0"
        )
    };
    prometheus.expect(SLACK, &timeouts("blackhole", "connect"), Some(1.0));
    prometheus.expect(SLACK, &timeouts("silent", "dns"), Some(1.0));
    for label in ["healthy", "fallback", "mismatch"] {
        for stage in ["dns", "connect", "tls", "http"] {
            prometheus.expect(SLACK, &timeouts(label, stage), Some(0.0));
        }
    }

    // What is not known is absent: no address, no class; no connection, no certificate.
    prometheus.expect(SLACK, &success_of("silent"), Some(0.0));
    prometheus.expect(SLACK, &fallback_of("silent"), None);
    prometheus.expect(
        SLACK,
        "privatelink_tls_name_mismatch{target=\"blackhole\"}",
        None,
    );

    let reasons = [
        ("healthy", "ok", "none"),
        ("fallback", "public_fallback_zone_linked", "address"),
        ("blackhole", "connect_timeout", "connect"),
        ("mismatch", "tls_name_mismatch", "tls"),
        ("silent", "dns_timeout", "dns"),
    ];
    for (target, reason, stage) in reasons {
        let series = format!(
            "privatelink_probe_reason{{target=\"{target}\",reason=\"{reason}\",stage=\"{stage}\"}}"
        );
        prometheus.expect(SLACK, &series, Some(1.0));
    }
    let pending = "ALERTS{alertname=\"PrivateServiceResolvesPublicly\",alertstate=\"pending\",target=\"fallback\"}";
    prometheus.expect(SLACK, pending, Some(1.0));
    assert_eq!(prometheus.broken_rules(), Vec::<String>::new());
}

fn metrics_keep_their_manners(agent: &Agent, prometheus: &Prometheus) {
    let metrics = agent.metrics();
    assert_eq!(lint(&metrics), "", "promtool check metrics");
    let nodeless: Vec<_> = metrics
        .lines()
        .filter(|line| !line.starts_with('#') && !line.contains("node=\"node-a\""))
        .collect();
    assert!(
        nodeless.is_empty(),
        "samples without their node: {nodeless:#?}"
    );
    let most = "max(count by (target) ({__name__=~\"privatelink_.+\", target!=\"\"}))";
    let series = prometheus.value(most).expect("targets have series");
    assert!(series <= SERIES, "a target has {series} series");
}

fn bad_edit_stops_nothing(
    folder: &Folder,
    file: &Path,
    config: &str,
    agent: &Agent,
    prometheus: &Prometheus,
) {
    let reloaded = "privatelink_config_last_reload_successful";
    let probes = "sum(privatelink_probes_total{target=\"healthy\"})";
    prometheus.expect(SLACK, reloaded, Some(1.0));

    let name = file
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a file with a plain name");
    folder.write(name, &format!("{config}intervall: 5s\n"));
    prometheus.expect(RELOAD, reloaded, Some(0.0));

    let before = prometheus
        .value(probes)
        .expect("the healthy target has probes");
    let goes_on = eventually(INTERVAL * 3, || {
        (prometheus.value(probes)? >= before + 2.0).then_some(())
    });
    assert!(
        goes_on.is_some(),
        "probing stopped with a bad configuration:\n{}",
        agent.log()
    );
    prometheus.expect(SLACK, reloaded, Some(0.0));
    prometheus.expect(SLACK, &success_of("healthy"), Some(1.0));
    let ready = get(agent.address(), "/readyz").expect("the agent answers");
    assert_eq!(ready.status, 200, "{}", ready.body);

    folder.write(name, config);
    prometheus.expect(RELOAD, reloaded, Some(1.0));
    // Targets that stay keep their counters.
    let after = prometheus
        .value(probes)
        .expect("the healthy target has probes");
    assert!(
        after >= before + 2.0,
        "the counter fell from {before} to {after}"
    );
}

fn steady_for_a_minute(prometheus: &Prometheus) {
    let minute = Duration::from_mins(1);
    let age = "time() - process_start_time_seconds{job=\"privatelink-prober\"} > bool 60";
    prometheus.expect(minute, age, Some(1.0));
    // A minute holds twelve intervals; the first round and the slowest probe take their part.
    let fewest = "min(sum by (target) (privatelink_probes_total)) >= bool 10";
    prometheus.expect(SLACK, fewest, Some(1.0));
    for never in [
        "sum(privatelink_probes_skipped_total)",
        "sum(privatelink_probe_panics_total)",
    ] {
        prometheus.expect(SLACK, never, Some(0.0));
    }
    prometheus.expect(SLACK, "min_over_time(up[1m])", Some(1.0));
    prometheus.expect(SLACK, &fallback_of("silent"), None);
    assert_eq!(prometheus.broken_rules(), Vec::<String>::new());
}

fn services(ca: &Ca, port: u16) -> Vec<Service> {
    vec![
        Service::tls(ca, HEALTHY, port, "healthy.vault.azure.net"),
        Service::tls(ca, PUBLIC, port, "fallback.vault.azure.net"),
        Service::tls(ca, REPAIRED, port, "fallback.vault.azure.net"),
        Service::tls(ca, MISMATCH, port, "somebody-else.vault.azure.net"),
        Service::black_hole(BLACK_HOLE, port),
    ]
}

fn broken_zone() -> Zone {
    always_there().alias(&alias_of("fallback"), PUBLIC_NAME)
}

fn repaired_zone() -> Zone {
    always_there().address(&alias_of("fallback"), REPAIRED)
}

fn always_there() -> Zone {
    privatelink(Authority::Private)
        .address(&alias_of("healthy"), HEALTHY)
        .address(&alias_of("blackhole"), BLACK_HOLE)
        .address(&alias_of("mismatch"), MISMATCH)
}

fn fallback_of(target: &str) -> String {
    format!("privatelink_dns_public_fallback{{target=\"{target}\"}}")
}

fn success_of(target: &str) -> String {
    format!("privatelink_probe_success{{target=\"{target}\"}}")
}
