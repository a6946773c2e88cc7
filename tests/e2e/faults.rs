//! Faults: what breaks in the network, in the services and in the configuration while agents run.

use std::time::Duration;

use serde_json::{Value, json};

use super::cluster::{Agent, NODES, agent, agents, drop_packets, open_network};
use super::command::{SHORT, eventually, kubectl, run, same, throughout};
use super::harness::Test;
use super::http::get;
use super::paths::reasons;
use super::release::{self, INTERVAL, LOCAL_DNS, NAME, NAMESPACE, RELOAD, SLACK};
use super::world::World;
use super::zones::{TTL, VAULT};

pub(crate) const TESTS: &[Test] = &[
    (
        "a swapped certificate is a name mismatch everywhere",
        swapped_certificate,
    ),
    (
        "packets dropped on node-b are a connect timeout there alone",
        dropped_packets,
    ),
    (
        "a bad edit stops nothing, is told, and its repair as well",
        bad_edit,
    ),
];

/// Once nobody needs the targets that it takes away.
pub(crate) const LATER: &[Test] = &[(
    "a good edit of the ConfigMap is taken up without a restart",
    good_edit,
)];

/// A probe that begins after the change, and ends.
const PROBE: Duration = Duration::from_secs(INTERVAL + 4 + SLACK);
const HEALED: Duration = Duration::from_secs(INTERVAL + TTL + SLACK);

fn dropped_packets(world: &mut World) {
    world.healthy();
    eventually(HEALED, || reasons("vault", ["ok", "ok"]));
    drop_packets("node-b", VAULT.private);
    eventually(PROBE, || reasons("vault", ["ok", "connect_timeout"]));
    assert_eq!(
        reasons("registry", ["ok", "ok"]),
        Ok(()),
        "no other target suffers"
    );
    let alert = "PrivateServiceTimesOut vault".to_owned();
    let prometheus = world.prometheus();
    eventually(Duration::from_secs(40), || {
        let alerts = prometheus.alerts()?;
        let timeouts: Vec<&String> = alerts
            .iter()
            .filter(|alert| alert.contains("TimesOut"))
            .collect();
        same("the alerts for timeouts", &timeouts, &vec![&alert])
    });
    open_network();
    eventually(PROBE, || reasons("vault", ["ok", "ok"]));
}

fn swapped_certificate(world: &mut World) {
    world.healthy();
    eventually(HEALED, || reasons("vault", ["ok", "ok"]));
    world.azure.swap_certificate(&["another.vault.azure.net"]);
    eventually(PROBE, || {
        reasons("vault", ["tls_name_mismatch", "tls_name_mismatch"])
    });
    let report = agent("node-a").target("vault").expect("a report");
    assert_eq!(
        report["connections"][0]["certificate"]["names"],
        json!(["another.vault.azure.net"])
    );
    let prometheus = world.prometheus();
    prometheus.expect(
        PROBE,
        "privatelink_tls_name_mismatch == 1",
        &["node", "target"],
        &["node-a vault 1", "node-b vault 1"],
    );
    eventually(PROBE, || {
        let mut alerts = prometheus.alerts()?;
        alerts.retain(|alert| alert.ends_with(" vault"));
        same(
            "the alerts for it",
            &alerts,
            &vec!["PrivateServiceNameMismatch vault".to_owned()],
        )
    });
    world.azure.right_certificate();
    eventually(PROBE, || reasons("vault", ["ok", "ok"]));
}

fn good_edit(world: &mut World) {
    world.healthy();
    let before = uids();
    let passed = || {
        let labels = [("target", "storage"), ("outcome", "pass")];
        agent("node-a").metric("privatelink_probes_total", &labels)
    };
    let (counted, _) = eventually(PROBE, passed);
    let mut values = release::values(LOCAL_DNS);
    let targets = values["config"]["targets"].as_array_mut().expect("targets");
    targets.remove(0);
    targets.push(json!({"name": "another", "host": "kv-01.vault.azure.net"}));
    world.release.upgrade(values);
    eventually(PROBE, || reasons("another", ["ok", "ok"]));
    assert_eq!(uids(), before, "no pod was replaced");
    assert!(passed().expect("a counter") >= counted, "counters go on");
    let metrics = agent("node-a").metrics().expect("metrics");
    assert!(
        !metrics.contains("target=\"vault\""),
        "series of a removed target disappear"
    );
}

fn bad_edit(world: &mut World) {
    world.healthy();
    let good = release::configuration().expect("a ConfigMap");
    world.release.forget();
    edit(&good.replace("interval:", "intervall:"));
    eventually(Duration::from_secs(RELOAD), || reloaded(0.0));
    for agent in agents() {
        let address = agent.address.expect("an address");
        let (status, detail) = get(address, "/readyz").expect("an answer");
        assert_eq!(status, 200, "{detail}");
        assert!(
            detail.contains("intervall"),
            "readyz says what was refused: {detail}"
        );
    }
    let logs = kubectl(&[
        "-n",
        NAMESPACE,
        "logs",
        "--tail=-1",
        "-l",
        "app.kubernetes.io/component=agent",
    ]);
    assert!(
        logs.contains("intervall"),
        "the log says what was refused: {logs}"
    );
    let prometheus = world.prometheus();
    eventually(PROBE, || {
        let alerts = prometheus.alerts()?;
        same(
            "the alert",
            &alerts.contains(&"PrivateLinkConfigReloadFailed".to_owned()),
            &true,
        )
    });
    // Probing goes on by the configuration before.
    let runs = || -> Vec<f64> {
        let name = "privatelink_probe_last_run_timestamp_seconds";
        let series = |agent: &Agent| agent.metric(name, &[("target", "vault")]);
        agents()
            .iter()
            .map(|agent| series(agent).expect("a series"))
            .collect()
    };
    let before = runs();
    eventually(PROBE, || {
        let went_on = runs().iter().zip(&before).all(|(now, before)| now > before);
        same("that all went on", &went_on, &true)
    });
    edit(&good);
    eventually(Duration::from_secs(RELOAD), || reloaded(1.0));
    throughout(Duration::from_secs(3), || reloaded(1.0));
}

/// Replaces the configuration in the ConfigMap, as `kubectl edit` does.
fn edit(configuration: &str) {
    let patch = json!({"data": {"config.yaml": configuration}}).to_string();
    run(
        SHORT,
        "kubectl",
        &[
            "-n",
            NAMESPACE,
            "patch",
            "configmap",
            NAME,
            "--type=merge",
            "--patch",
            &patch,
        ],
    );
}

/// Whether every agent says so of its last reload.
fn reloaded(wanted: f64) -> Result<(), String> {
    for node in NODES {
        let successful = agent(node).metric("privatelink_config_last_reload_successful", &[])?;
        same(&format!("the last reload on {node}"), &successful, &wanted)?;
    }
    Ok(())
}

fn uids() -> Vec<Value> {
    agents()
        .iter()
        .map(|agent| agent.object["metadata"]["uid"].clone())
        .collect()
}
