//! Fleet: one picture of both nodes, the gate, and events, as people get them.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::command::{SHORT, eventually, kubectl, kubectl_json, run, same};
use super::harness::Test;
use super::observer::leader::pid_of;
use super::observer::leader_and_other;
use super::release::NAMESPACE;
use super::world::World;

/// While one network is not linked.
pub(crate) const TESTS: &[Test] = &[
    (
        "the report names the node without its zones and the likely cause, from the observer and from the agents",
        report,
    ),
    (
        "a failure is told once by an event on its node, also after the leader was killed",
        events,
    ),
    (
        "the gate says that public access must stay on, and what would break",
        gate_says_no,
    ),
];

/// From a change until the observer has read it from the agents.
const READ: Duration = Duration::from_secs(100);

/// From the start of the cluster until its nodes are judged together: one that has just joined says little.
const GROWN: Duration = Duration::from_mins(7);

/// What the agents' node without its links is.
const BROKEN: &str = "node-b";

/// Runs `report` as the administrator of the cluster; its exit code and what it printed.
fn reported(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_privatelink-prober"))
        .args(["report", "--namespace", NAMESPACE])
        .args(arguments)
        .output()
        .expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap_or(-1), text + &told)
}

fn as_json(arguments: &[&str]) -> Result<(i32, Value), String> {
    let (code, text) = reported(&[&["--output", "json"], arguments].concat());
    let json = serde_json::from_str(&text).map_err(|_| format!("{code}: {text}"))?;
    Ok((code, json))
}

/// The pattern about the vault.
fn pattern(report: &Value) -> Result<Value, String> {
    let patterns = report["patterns"].as_array().into_iter().flatten();
    let mut patterns = patterns.filter(|pattern| pattern.to_string().contains("\"vault\""));
    let found = patterns.next().cloned();
    found.ok_or_else(|| format!("no pattern of the vault: {report}"))
}

fn report(world: &mut World) {
    world.as_installed();
    let (found, time) = eventually(GROWN, || {
        let (code, report) = as_json(&[])?;
        same("exit code", &code, &0)?;
        same(
            "who answers",
            &report["answeredBy"]["source"],
            &"observer".into(),
        )?;
        same("covered", &report["nodes"]["covered"], &2.into())?;
        pattern(&report)
    });
    world
        .notes
        .push(format!("in the report after {:.0} s", time.as_secs_f64()));
    assert_eq!(found["samples"], serde_json::json!([BROKEN]), "{found}");
    assert_eq!(found["symptom"], "public_fallback", "{found}");
    assert!(!found["meaning"].as_str().unwrap_or_default().is_empty());

    let (_, text) = reported(&[]);
    assert!(text.contains(BROKEN) && text.contains("vault"), "{text}");
    let (_, text) = reported(&["--selector", "node=node-a"]);
    assert!(!text.contains("✗"), "{text}");
    let (code, text) = reported(&["--selector", "nod=node-a"]);
    assert_eq!(code, 2, "{text}");

    let (code, from_agents) = as_json(&["--from-agents"]).unwrap_or_else(|told| panic!("{told}"));
    assert_eq!(
        (code, &from_agents["answeredBy"]["source"]),
        (0, &"agents".into())
    );
    let same_pattern = pattern(&from_agents).unwrap_or_else(|told| panic!("{told}"));
    assert_eq!(same_pattern["samples"], found["samples"]);

    let (_, html) = reported(&["--output", "html"]);
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains(BROKEN));
    for replica in super::observer::replicas() {
        let (status, page) = super::http::get(replica.address, "/").expect("a page");
        assert_eq!(status, 200);
        // Whichever replica is asked, the leader answers.
        let (status, fleet) =
            super::http::get(replica.address, "/api/v1/fleet").expect("an answer");
        assert_eq!(status, 200, "{}: {fleet}", replica.pod);
        assert!(page.contains("<h2>Nodes</h2>"), "{page}");
    }
}

/// The events about a node for this reason.
fn events_of(node: &str, reason: &str) -> Vec<Value> {
    let fields = format!("involvedObject.name={node},reason={reason}");
    let events = kubectl_json(&[
        "-n",
        "default",
        "get",
        "events",
        "--field-selector",
        &fields,
    ]);
    events["items"].as_array().cloned().unwrap_or_default()
}

fn events(world: &mut World) {
    world.as_installed();
    let count = || events_of(BROKEN, "PublicFallback").len();
    eventually(READ, || same("events", &(count() > 0), &true));
    let described = kubectl(&["describe", "node", BROKEN]);
    assert!(described.contains("PublicFallback"), "{described}");
    let before = count();
    assert!(events_of("node-a", "PublicFallback").is_empty());

    let (leader, other) = leader_and_other();
    run(SHORT, "kill", &["-KILL", &pid_of(&leader.pod)]);
    eventually(Duration::from_secs(30), || {
        same("leads", &other.leads()?, &true)
    });
    // The new leader has read every agent, and would have told by now.
    eventually(READ, || {
        let (_, report) = as_json(&[])?;
        same("failing", &report["nodes"]["failing"], &1.into())
    });
    super::command::sleep(Duration::from_secs(12));
    assert_eq!(count(), before, "{:?}", events_of(BROKEN, "PublicFallback"));
}

fn gate_says_no(world: &mut World) {
    world.as_installed();
    let (answer, _) = eventually(READ, || {
        let (code, report) = as_json(&["--gate", "--window", "1m"])?;
        same("exit code", &code, &1)?;
        Ok(report["gate"].clone())
    });
    let breaks = answer["breaks"].to_string();
    assert!(
        breaks.contains("\"vault\"") && breaks.contains(BROKEN),
        "{answer}"
    );
    let (code, text) = reported(&["--gate", "--window", "1m"]);
    assert_eq!(code, 1);
    assert!(text.contains("Public access must stay on"), "{text}");
}
