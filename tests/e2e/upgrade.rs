//! Upgrade: from the version before to this one and back, while agents probe and the observer publishes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::cluster::{Agent, agents};
use super::command::{eventually, kubectl, kubectl_json, run, same, sleep};
use super::harness::Test;
use super::observer::{apply, namespace, pod_spec, published};
use super::release::{self, LOCAL_DNS, NAME, SLACK, helm};
use super::world::World;

pub(crate) const TESTS: &[Test] = &[(
    "an upgrade from the version before and the way back never keep a node from probing for longer than an interval",
    upgrade_and_back,
)];

/// The tag of the version before.
const PREVIOUS: &str = "previous";

/// Seconds. Half of what is usual.
const INTERVAL: u64 = 15;

/// How long all agents may take to be replaced, one after the other.
const ROLLOUT: Duration = Duration::from_mins(3);

/// What a workload uses, and what a team declares.
const FOUND: &str = "upgraded.azurecr.io";
const DECLARED: &str = "kv-upgraded.vault.azure.net";

fn upgrade_and_back(world: &mut World) {
    world.uninstalled();
    let folder = world.folder("upgrade-and-back");
    let before = PathBuf::from(std::env::var_os("E2E_PREVIOUS").expect("tests/e2e/run makes it"));
    let (image, before) = (before.join("previous.tar"), before.join("chart"));
    let [image, before] = [image, before].map(|path| path.display().to_string());
    let cluster = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/cluster");
    run(Duration::from_mins(1), cluster, &["load", &image]);
    let values = |tag: &str| {
        let mut values = release::values(LOCAL_DNS);
        values["image"]["tag"] = json!(tag);
        values["config"]["interval"] = json!(format!("{INTERVAL}s"));
        // The version before does not know every alert of this one.
        values["prometheusRule"]["rules"] = json!({});
        let file = folder.join(format!("{tag}.json"));
        std::fs::write(&file, values.to_string()).expect("a file of the run's own");
        file.display().to_string()
    };
    let (old, new) = (values(PREVIOUS), values(env!("CARGO_PKG_VERSION")));
    helm(&["install", NAME, &before, "--values", &old]).expect("the version before");
    apply(&folder, &objects());
    eventually(ROLLOUT, || {
        are_all(PREVIOUS)?;
        for host in [FOUND, DECLARED] {
            same(host, &published().contains(host), &true)?;
        }
        for agent in agents() {
            same("vault", &agent.reason("vault")?, &"ok".to_owned())?;
            agent.target("upgraded:vault")?;
        }
        Ok(())
    });

    helm(&["upgrade", NAME, release::CHART, "--values", &new]).expect("an upgrade");
    let pause = longest_pause(env!("CARGO_PKG_VERSION"));
    world.notes.push(format!("upgrade: {pause}"));
    helm(&["rollback", NAME, "1"]).expect("a rollback");
    let pause = longest_pause(PREVIOUS);
    world.notes.push(format!("and back: {pause}"));

    kubectl(&["delete", "namespace", "upgraded", "--wait=false"]);
    world.release.forget();
}

/// Watches until every agent runs this version and has judged every target; how long a target was not probed on a
/// node meanwhile.
fn longest_pause(tag: &str) -> String {
    let mut probes: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    let started = Instant::now();
    let mut done = None;
    while done.is_none_or(|at: Instant| at.elapsed() < Duration::from_secs(2 * INTERVAL)) {
        assert!(
            started.elapsed() < ROLLOUT,
            "not all agents are {tag}: {:?}",
            is_complete(tag)
        );
        for host in [FOUND, DECLARED] {
            assert!(published().contains(host), "{host} is forgotten");
        }
        for agent in agents() {
            if let Ok(at) = latest_probe(&agent) {
                probes.entry(agent.node).or_default().insert(at);
            }
        }
        if done.is_none() && is_complete(tag).is_ok() {
            done = Some(Instant::now());
        }
        sleep(Duration::from_millis(500));
    }
    let pauses = probes.iter().map(|(node, times)| {
        let longest = times.iter().zip(times.iter().skip(1)).map(|(a, b)| b - a);
        (longest.max().unwrap_or_default(), node)
    });
    let (longest, node) = pauses.max().expect("nodes");
    let seconds = Duration::from_millis(longest).as_secs_f64();
    // One interval is between two probes anyway.
    assert!(
        longest <= (2 * INTERVAL + SLACK) * 1000,
        "{seconds} s without a probe on {node}: {probes:?}"
    );
    format!(
        "at most {seconds:.1} s between two probes of a target, with an interval of {INTERVAL} s"
    )
}

/// When the vault was probed last, in milliseconds.
fn latest_probe(agent: &Agent) -> Result<u64, String> {
    let name = "privatelink_probe_last_run_timestamp_seconds";
    let at = agent.metric(name, &[("target", "vault")])?;
    u64::try_from(Duration::from_secs_f64(at).as_millis()).map_err(|error| error.to_string())
}

/// Whether every agent runs this version, has every target, and is read by the observer.
fn is_complete(tag: &str) -> Result<(), String> {
    are_all(tag)?;
    for agent in agents() {
        same("vault", &agent.reason("vault")?, &"ok".to_owned())?;
        for target in [FOUND, "upgraded:vault"] {
            let target = agent.target(target)?;
            same("probed", &target["checkedAt"].is_null(), &false)?;
        }
    }
    let object = ["-n", "upgraded", "get", "privatelinktarget", "vault"];
    let accepted = &kubectl_json(&object)["status"]["conditions"][0]["status"];
    same("accepted", accepted, &json!("True"))
}

/// Whether every pod of the release runs this version, and is ready.
fn are_all(tag: &str) -> Result<(), String> {
    let pods = release::pods();
    for pod in &pods {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        let status = &pod["status"]["containerStatuses"][0];
        let image = pod["spec"]["containers"][0]["image"]
            .as_str()
            .unwrap_or_default();
        same(name, &image.ends_with(&format!(":{tag}")), &true)?;
        same(name, &status["ready"], &json!(true))?;
    }
    same("there are pods", &(pods.len() > 2), &true)
}

/// A workload whose image is in a private registry, and what a team declares.
fn objects() -> Vec<Value> {
    vec![
        namespace("upgraded"),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"namespace": "upgraded", "name": "web"},
            "spec": {
                "replicas": 0, "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": pod_spec(&format!("{FOUND}/web:1")),
                },
            },
        }),
        json!({
            "apiVersion": "privatelink-prober.dev/v1alpha1", "kind": "PrivateLinkTarget",
            "metadata": {"namespace": "upgraded", "name": "vault"}, "spec": {"host": DECLARED},
        }),
    ]
}
