//! Fleet: one picture of all nodes, the gate, and events, as people get them.

use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::cluster::{Agent, LATE_NODE, NODES, agents, find_agent};
use super::command::{SHORT, eventually, kubectl, kubectl_json, run, same, sleep};
use super::harness::Test;
use super::http::{get, get_json};
use super::observer::leader::pid_of;
use super::observer::{apply, leader_and_other, namespace, pod_spec, replicas};
use super::release::NAMESPACE;
use super::world::World;
use super::zones::{REGISTRY, VAULT};

/// While one network is not linked, of nodes that have not just joined.
pub(crate) const TESTS: &[Test] = &[
    (
        "the report names the node without its zones and the likely cause, from the observer and from the agents",
        report,
    ),
    (
        "a failure is told by one event on its node, also after the leader was killed",
        events,
    ),
    (
        "the gate says that public access must stay on, what would break, and for whom",
        gate_says_no,
    ),
];

/// Long before [`KEPT_AWAY`].
pub(crate) const SENT_AWAY: &[Test] = &[(
    "an agent that is killed and kept away leaves its node without one",
    sent_away,
)];

/// While every network is linked.
pub(crate) const KEPT_AWAY: &[Test] = &[(
    "the gate cannot tell while an agent is kept away, and names its node",
    kept_away,
)];

/// The same, once every agent is there.
pub(crate) const ALL_HEALTHY: &[Test] = &[
    (
        "the gate says yes when every path was private for the window",
        gate_says_yes,
    ),
    (
        "the gate still says yes when all agents and observers are killed at once",
        bridged,
    ),
];

/// From a change until the observer has read it from the agents.
const READ: Duration = Duration::from_secs(100);

/// A node that joined within this time is in no pattern; and a round in which its agent is read.
const GROWN: Duration = Duration::from_secs(5 * 60 + 100);

/// The gate asks nothing of a node for the first ten minutes, and bears a silence of five.
const SETTLED: Duration = Duration::from_mins(10);
const SILENCE: Duration = Duration::from_mins(5);

/// The window that the tests ask for.
const WINDOW: Duration = Duration::from_mins(1);

/// A window in which there is time to start everything again.
const LONG: Duration = Duration::from_mins(2);

/// The history bridges five minutes; it says once a minute until when it holds, and that is a minute ago.
const SAVED: Duration = Duration::from_secs(150);

/// The node without its links.
const BROKEN: &str = "node-b";

/// Whose workloads use the services.
const BILLING: &str = "billing";

/// Runs `report` as the administrator of the cluster; its exit code and what it printed.
pub(crate) fn reported(arguments: &[&str]) -> (i32, String) {
    let output = Command::new("timeout")
        .args(["--kill-after=5", &SHORT.as_secs().to_string()])
        .arg(env!("CARGO_BIN_EXE_privatelink-prober"))
        .args(["report", "--namespace", NAMESPACE])
        .args(arguments)
        .output()
        .expect("timeout runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap_or(-1), text + &told)
}

pub(crate) fn as_json(arguments: &[&str]) -> Result<(i32, Value), String> {
    let (code, text) = reported(&[&["--output", "json"], arguments].concat());
    // The progress is before it where agents are asked.
    let json = text.find('{').map(|start| &text[start..]);
    let mut values = serde_json::Deserializer::from_str(json.unwrap_or_default()).into_iter();
    match values.next() {
        Some(Ok(json)) => Ok((code, json)),
        _ => Err(format!("{code}: {text}")),
    }
}

/// What the gate says of the last minute, if that has this exit code.
fn gate(code: i32, more: &[&str]) -> Result<Value, String> {
    gate_of(WINDOW, code, more)
}

fn gate_of(window: Duration, code: i32, more: &[&str]) -> Result<Value, String> {
    let window = format!("{}s", window.as_secs());
    let gate = ["--gate", "--window", &window];
    let (is, report) = as_json(&[&gate, more].concat())?;
    let gate = &report["gate"];
    same("exit code", &is, &code).map_err(|told| format!("{told}: {gate}"))?;
    same("the same in JSON", &gate["exitCode"], &code.into())?;
    Ok(gate.clone())
}

/// The pattern about the vault.
fn pattern(report: &Value) -> Result<Value, String> {
    let patterns = report["patterns"].as_array().into_iter().flatten();
    let mut patterns = patterns.filter(|pattern| {
        let targets = pattern["targets"].as_array().into_iter().flatten();
        targets.into_iter().any(|target| target == "vault")
    });
    let found = patterns.next().cloned();
    found.ok_or_else(|| format!("no pattern of the vault: {report}"))
}

fn report(world: &mut World) {
    prepare(world);
    let covered = agents().len();
    let (found, time) = eventually(GROWN, || {
        let (code, report) = as_json(&[])?;
        same("exit code", &code, &0)?;
        same(
            "who answers",
            &report["answeredBy"]["source"],
            &"observer".into(),
        )?;
        same("covered", &report["nodes"]["covered"], &covered.into())?;
        same("failing", &report["nodes"]["failing"], &1.into())?;
        let found = pattern(&report)?;
        // DNS may have been slow to answer many targets just before.
        same("symptom", &found["symptom"], &"zone_not_seen".into())?;
        same("nodes", &found["samples"], &json!([BROKEN]))?;
        let whom = found["hurts"].to_string();
        if whom.contains("Deployment billing/invoices") {
            Ok(found)
        } else {
            Err(format!("it does not say whom it hurts: {found}"))
        }
    });
    world
        .notes
        .push(format!("in the report after {:.0} s", time.as_secs_f64()));
    assert_eq!(found["scope"], "one_node", "{found}");
    assert_eq!(found["cause"], "node_dns", "{found}");
    let meaning = found["meaning"].as_str().expect("a sentence");

    let (code, text) = reported(&[]);
    assert_eq!(code, 0, "{text}");
    let hurts = "image pulls of 1 workload in 1 namespace";
    for words in [&*format!("on node {BROKEN} alone"), meaning, hurts] {
        assert!(text.contains(words), "no {words} in {text}");
    }
    world.notes.push(text);

    let (_, text) = reported(&["--selector", "node=node-a"]);
    assert!(!text.contains('✗') && !text.contains(BROKEN), "{text}");
    let (code, text) = reported(&["--selector", "nod=node-a"]);
    assert_eq!(code, 2, "{text}");

    let (code, from_agents) = as_json(&["--from-agents"]).unwrap_or_else(|told| panic!("{told}"));
    assert_eq!(
        (code, &from_agents["answeredBy"]["source"]),
        (0, &"agents".into())
    );
    let alike = pattern(&from_agents).unwrap_or_else(|told| panic!("{told}"));
    for key in ["samples", "targets", "cause"] {
        assert_eq!(alike[key], found[key], "{key}");
    }

    let (_, html) = reported(&["--output", "html"]);
    assert!(html.starts_with("<!DOCTYPE html>"), "{html}");
    assert!(html.contains(BROKEN) && !html.contains("<script"), "{html}");
    for replica in replicas() {
        let (status, page) = get(replica.address, "/").expect("a page");
        assert_eq!(status, 200);
        assert!(page.contains("<h2>Targets on nodes</h2>"), "{page}");
        // Whichever replica is asked, the one that leads answers.
        let fleet = get_json(replica.address, "/api/v1/fleet").expect("an answer");
        let alike = pattern(&fleet).unwrap_or_else(|told| panic!("{}: {told}", replica.pod));
        assert_eq!(alike["samples"], json!([BROKEN]), "{}", replica.pod);
    }
}

/// The types of the events about a node for a reason, in the order in which they were written.
fn told_of(node: &str, reason: &str) -> Vec<String> {
    let fields = format!("involvedObject.name={node},reason={reason}");
    let list = [
        "-n",
        "default",
        "get",
        "events",
        "--field-selector",
        &fields,
    ];
    let events = kubectl_json(&list);
    let events = events["items"].as_array().into_iter().flatten();
    let mut events: Vec<(String, String)> = events
        .map(|event| (event["eventTime"].to_string(), event["type"].to_string()))
        .collect();
    events.sort();
    events.into_iter().map(|(_, kind)| kind).collect()
}

/// The reason of the events about a node that falls back.
const REASON: &str = "PublicFallback";

fn events(world: &mut World) {
    world.as_installed();
    // Each failure before was told to be over, so this one is the only one at the end.
    let once = || {
        let told = told_of(BROKEN, REASON);
        let since = told.iter().rev();
        let open = since.take_while(|kind| kind.contains("Warning")).count();
        same("events of this failure", &open, &1)
            .map_err(|complaint| format!("{complaint}: {told:?}"))
    };
    eventually(READ, once);
    let described = kubectl(&["describe", "node", BROKEN]);
    assert!(described.contains(REASON), "{described}");
    assert!(described.contains("vault"), "it names targets: {described}");
    assert_eq!(told_of("node-a", REASON), Vec::<String>::new());

    let (leader, other) = leader_and_other();
    run(SHORT, "kill", &["-KILL", &pid_of(&leader.pod)]);
    let ((), time) = eventually(Duration::from_secs(30), || {
        same("leads", &other.leads()?, &true)
    });
    // It has read every agent, and it tells every five seconds what it has found.
    eventually(READ, || {
        let (_, report) = as_json(&[])?;
        same("who", &report["answeredBy"]["name"], &json!(other.pod))?;
        same("failing", &report["nodes"]["failing"], &1.into())
    });
    sleep(Duration::from_secs(11));
    once().unwrap_or_else(|complaint| panic!("{complaint}"));
    world.notes.push(format!(
        "the other replica leads {:.0} s after the kill",
        time.as_secs_f64()
    ));
}

fn gate_says_no(world: &mut World) {
    prepare(world);
    let (answer, time) = eventually(READ + Duration::from_mins(1), || {
        let answer = gate(1, &[])?;
        for (target, path) in [("vault", "pod"), ("vault", "node"), ("registry", "node")] {
            let mut breaks = answer["breaks"].as_array().into_iter().flatten();
            let of_target = breaks.find(|one| one["target"] == target && one["path"] == path);
            let one = of_target.ok_or_else(|| format!("nothing of {target}: {answer}"))?;
            same("nodes", &one["samples"], &json!([BROKEN]))?;
            same(
                "whom",
                &one["users"]["examples"],
                &json!(["Deployment billing/invoices"]),
            )?;
            let sentence = one["sentence"].as_str().unwrap_or_default();
            same(
                "the sentence",
                &sentence.contains("Deployment billing/invoices"),
                &true,
            )?;
        }
        Ok(answer)
    });
    let well = answer["breaks"].to_string();
    assert!(!well.contains("\"storage\""), "{answer}");
    let (code, text) = reported(&["--gate", "--window", "1m"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("Public access must stay on"), "{text}");
    world.notes.push(format!(
        "after {:.0} s: {}",
        time.as_secs_f64(),
        answer["statement"].as_str().unwrap_or_default()
    ));
    kubectl(&["delete", "namespace", BILLING, "--wait=false"]);
}

/// One network is not linked, and a workload uses the services.
fn prepare(world: &mut World) {
    world.as_installed();
    apply(&world.folder("fleet"), &invoices());
}

/// A workload that uses the vault and the registry.
fn invoices() -> Vec<Value> {
    let mut spec = pod_spec(&format!("{}/invoices:1", REGISTRY.host));
    spec["volumes"] = json!([{"name": "secrets", "csi": {
        "driver": "secrets-store.csi.k8s.io", "readOnly": true,
        "volumeAttributes": {"secretProviderClass": "invoices"},
    }}]);
    let (vault, _) = VAULT
        .host
        .split_once('.')
        .expect("the vault's name, and the zone");
    vec![
        namespace(BILLING),
        json!({
            "apiVersion": "secrets-store.csi.x-k8s.io/v1", "kind": "SecretProviderClass",
            "metadata": {"namespace": BILLING, "name": "invoices"},
            "spec": {"provider": "azure", "parameters": {"keyvaultName": vault}},
        }),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"namespace": BILLING, "name": "invoices"},
            "spec": {
                "replicas": 0, "selector": {"matchLabels": {"app": "invoices"}},
                "template": {"metadata": {"labels": {"app": "invoices"}}, "spec": spec},
            },
        }),
    ]
}

fn gate_says_yes(world: &mut World) {
    world.healthy();
    let (answer, time) = eventually(SETTLED + READ, || gate(0, &[]));
    assert_eq!(answer["answer"], "yes", "{answer}");
    assert_eq!(answer["nodes"], json!(agents().len()), "{answer}");
    world
        .notes
        .push(format!("after {:.0} s", time.as_secs_f64()));
    let (code, text) = reported(&["--gate", "--window", "1m"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("Public access may be turned off"), "{text}");
}

fn bridged(world: &mut World) {
    world.healthy();
    // Of nodes that are older than this the gate wants an answer for all of the window.
    let old = SETTLED + LONG;
    let grown = || {
        let nodes = kubectl_json(&["get", "nodes"]);
        let items = nodes["items"].as_array().into_iter().flatten();
        let ages = items.map(|node| age(&node["metadata"]["creationTimestamp"]));
        let judged = ages.filter(|age| *age > old).count();
        same("that nodes are judged", &(judged >= NODES.len()), &true)
    };
    eventually(old, grown);
    eventually(LONG + READ, || gate_of(LONG, 0, &[]));
    eventually(SAVED, || {
        let history = ["-n", NAMESPACE, "get", "configmap", HISTORY];
        let known = age(&kubectl_json(&history)["data"]["mark"]);
        same("that the history is saved", &(known < SAVED), &true)
    });

    let before: Vec<String> = agents().into_iter().map(|agent| agent.uid).collect();
    let killed = Instant::now();
    let all = ["-n", NAMESPACE, "delete", "pods", "--all", "--wait=false"];
    kubectl(&[&all[..], &["--grace-period=1"]].concat());
    let (answer, time) = eventually(LONG, || {
        let agents = agents();
        let is_new = |agent: &&Agent| agent.ready && !before.contains(&agent.uid);
        same(
            "agents",
            &agents.iter().filter(is_new).count(),
            &before.len(),
        )?;
        let (_, report) = as_json(&[])?;
        same("covered", &report["nodes"]["covered"], &before.len().into())?;
        gate_of(LONG, 0, &[])
    });
    assert!(
        killed.elapsed() < LONG,
        "the window holds the kill: {answer}"
    );
    world.notes.push(format!(
        "yes again {:.0} s after the kill",
        time.as_secs_f64()
    ));
}

/// What the chart calls the history.
const HISTORY: &str = "privatelink-prober-history";

/// How long ago a time in RFC 3339 was; very long, where there is none.
fn age(time: &Value) -> Duration {
    let time = time.as_str().unwrap_or("1970-01-01T00:00:00Z");
    let seconds = run(SHORT, "date", &["--date", time, "+%s"]);
    let seconds = seconds.trim().parse().expect("seconds");
    let then = UNIX_EPOCH + Duration::from_secs(seconds);
    then.elapsed().unwrap_or_default()
}

/// The taint that the agents do not tolerate.
const AWAY: &str = "away=yes:NoExecute";

fn sent_away(world: &mut World) {
    world.as_installed();
    send_away(world);
}

/// Keeps the agent of a node away, of the late one where there is one.
fn send_away(world: &mut World) {
    let node = match find_agent(LATE_NODE) {
        Ok(_) => LATE_NODE,
        Err(_) => BROKEN,
    };
    kubectl(&["taint", "node", node, AWAY, "--overwrite"]);
    eventually(Duration::from_mins(1), || {
        same("the agent is there", &find_agent(node).is_ok(), &false)
    });
    world.away = Some((node, Instant::now()));
}

fn kept_away(world: &mut World) {
    if world.away.is_none() {
        world.healthy();
        send_away(world);
    }
    world.healthy();
    let (node, since) = world.away.take().expect("one was sent away");
    sleep((SILENCE + Duration::from_secs(5)).saturating_sub(since.elapsed()));
    let outcome = eventually(SETTLED + READ, || {
        let answer = gate(3, &[])?;
        let mut unknown = answer["unknown"].as_array().into_iter().flatten();
        let absent = unknown.find(|one| one["why"] == "no_agent");
        let absent = absent.ok_or_else(|| format!("no node without an agent: {answer}"))?;
        same("the nodes", &absent["samples"], &json!([node]))?;
        // Nothing else is unknown, once the targets of the others are watched for the window.
        gate(0, &["--allow-uncovered"])?;
        Ok(answer)
    });
    let (_, text) = reported(&["--gate", "--window", "1m"]);
    kubectl(&["taint", "node", node, &format!("{AWAY}-")]);
    eventually(Duration::from_mins(1), || find_agent(node).map(drop));
    assert!(text.contains(node), "{text}");
    let (answer, time) = outcome;
    world.notes.push(format!(
        "away for {:.0} s, known after {:.0} s: {}",
        since.elapsed().as_secs_f64(),
        time.as_secs_f64(),
        answer["statement"].as_str().unwrap_or_default()
    ));
}
