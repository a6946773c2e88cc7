//! Rules: the chart's alerts, evaluated by promtool over what the stories say that agents report.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::child::Folder;

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus-rules.yaml");

#[test]
fn the_rules_are_well_formed() {
    promtool(&["check", "rules", RULES]);
}

#[test]
fn the_alerts_that_a_story_names_fire_and_no_others() {
    let stories = include_str!("../rules/alerts.yaml");
    let stories: Value = serde_saphyr::from_str(stories).expect("tests/rules/alerts.yaml is YAML");
    let count = stories.as_array().map_or(0, Vec::len);
    assert!(count > 50, "{count} stories");
    let folder = Folder::new("stories");
    let expanded = folder.write("stories.json", &expanded(&stories));
    promtool(&["test", "rules", expanded.to_str().expect("UTF-8")]);
}

/// What promtool evaluates, made of the stories.
fn expanded(stories: &Value) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rules/expand");
    let mut child = Command::new("python3")
        .args([script, RULES])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python 3 runs");
    let mut input = child.stdin.take().expect("a pipe was asked for");
    input
        .write_all(stories.to_string().as_bytes())
        .expect("it reads to the end");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{script} failed");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn promtool(arguments: &[&str]) {
    let output = Command::new("promtool")
        .args(arguments)
        .output()
        .expect("promtool runs; tests/tools/install installs it");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success() && said.contains("SUCCESS"),
        "{said}"
    );
}
