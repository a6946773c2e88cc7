//! Fleet: one picture of both nodes, the gate, and events, as people get them.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::command::{eventually, kubectl, kubectl_json, same};
use super::harness::Test;
use super::release::NAMESPACE;
use super::world::World;

/// While one network is not linked.
pub(crate) const TESTS: &[Test] = &[
    (
        "the report of the observer shows the node without its zones apart from the other one",
        report,
    ),
    ("a failure is an event on its node", events),
    (
        "the gate says that public access must stay on, and what would break",
        gate_says_no,
    ),
];

/// From a change until the observer has read it from the agents.
const READ: Duration = Duration::from_secs(100);

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

fn report(world: &mut World) {
    world.as_installed();
    let (groups, _) = eventually(READ, || {
        let (code, report) = as_json(&[])?;
        same("exit code", &code, &0)?;
        same(
            "who answers",
            &report["answeredBy"]["source"],
            &"observer".into(),
        )?;
        same("covered", &report["nodes"]["covered"], &2.into())?;
        same("failing", &report["nodes"]["failing"], &1.into())?;
        Ok(report["groups"].clone())
    });
    let worst = &groups[0];
    assert_eq!(worst["nodes"], serde_json::json!([BROKEN]), "{groups}");
    let trouble = &worst["troubles"][0];
    assert_eq!(trouble["reason"], "public_fallback", "{groups}");
    assert!(
        trouble["targets"].to_string().contains("\"vault\""),
        "{groups}"
    );
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
    assert!(events_of("node-a", "PublicFallback").is_empty());
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
