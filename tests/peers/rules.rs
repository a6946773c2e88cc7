//! Rules: the chart's alerts, evaluated by promtool over recorded series.

use std::process::Command;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rules");

#[test]
fn the_rules_are_well_formed() {
    promtool(&["check", "rules", "../../deploy/prometheus-rules.yaml"]);
}

#[test]
fn the_rules_fire_when_they_should_and_only_then() {
    promtool(&["test", "rules", "alerts.test.yaml"]);
}

fn promtool(arguments: &[&str]) {
    let output = Command::new("promtool")
        .args(arguments)
        .current_dir(FOLDER)
        .output()
        .expect("promtool runs; tests/tools/install installs it");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success() && said.contains("SUCCESS"),
        "{said}"
    );
}
