//! Rules: how values change the alerts. Whether the alerts fire is tested in tests/rules, with recorded
//! series and deploy/prometheus-rules.yaml, which the chart renders.

use std::collections::BTreeSet;

use serde_json::Value;

use super::helm::{MINIMAL, ROOT, render, run, single, yaml};

const ENABLED: &str = "prometheusRule: {enabled: true";

fn alerts(values: &str) -> Vec<Value> {
    let objects = render(&format!("{MINIMAL}{ENABLED}{values}}}\n"));
    let groups = &single("PrometheusRule", &objects)["spec"]["groups"];
    let groups = groups.as_array().expect("groups").iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().into_iter().flatten());
    rules.cloned().collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{ROOT}/{path}"))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names of the values below prometheusRule.rules.
fn keys() -> Vec<String> {
    let values = yaml(&read("charts/privatelink-prober/values.yaml"));
    let rules = values["prometheusRule"]["rules"]
        .as_object()
        .expect("rules");
    rules.keys().cloned().collect()
}

#[test]
fn every_alert_can_be_disabled_alone() {
    let all: BTreeSet<_> = alerts("")
        .iter()
        .map(|rule| rule["alert"].to_string())
        .collect();
    assert_eq!(all.len(), keys().len());
    let mut gone = BTreeSet::new();
    for key in keys() {
        let rest = alerts(&format!(", rules: {{{key}: {{enabled: false}}}}"));
        let rest: BTreeSet<_> = rest.iter().map(|rule| rule["alert"].to_string()).collect();
        let missing: Vec<_> = all.difference(&rest).cloned().collect();
        assert_eq!(missing.len(), 1, "{key} disables {missing:?}");
        gone.extend(missing);
    }
    assert_eq!(gone, all);
}

#[test]
fn every_alert_has_its_severity_and_duration_and_the_common_labels() {
    for key in keys() {
        let own =
            format!(", alertLabels: {{team: net}}, rules: {{{key}: {{severity: page, for: 7m}}}}");
        let alerts = alerts(&own);
        let mine: Vec<_> = alerts.iter().filter(|rule| rule["for"] == "7m").collect();
        assert_eq!(mine.len(), 1, "{key}");
        assert_eq!(mine[0]["labels"]["severity"], "page", "{key}");
        assert!(alerts.iter().all(|rule| rule["labels"]["team"] == "net"));
    }
}

#[test]
fn thresholds_reach_the_expressions() {
    for (values, expected) in [
        (
            "timeouts: {ratio: 0.35, atLeast: 4, window: 17m}",
            vec!["[17m]", "> 0.35", "> 3.5"],
        ),
        ("certificateExpiring: {days: 33}", vec!["< 33 * 86400"]),
        (
            "probeStale: {intervals: 7, graceSeconds: 11}",
            vec!["> 7 *", "+ 11"],
        ),
        ("proberGone: {lookback: 3h}", vec!["[3h]"]),
        ("nodeWithoutProber: {lookback: 4h}", vec!["[4h]"]),
        ("proberAbsent: {lookback: 5h}", vec!["[5h]"]),
        ("failing: {for: 13m}", vec!["[13m]"]),
        ("failing: {for: 0s}", vec!["[1m]"]),
    ] {
        let alerts = alerts(&format!(", rules: {{{values}}}"));
        for text in expected {
            let found = |rule: &Value| {
                rule["expr"]
                    .as_str()
                    .is_some_and(|expr| expr.contains(text))
            };
            assert!(alerts.iter().any(found), "{text}");
        }
    }
}

#[test]
fn max_nodes_reaches_every_alert_about_a_target_and_a_node() {
    for rule in alerts(", maxNodes: 77") {
        let name = rule["alert"].as_str().expect("a name");
        let names_nodes = [
            "PrivateServiceResolvesPubliclyOnNode",
            "PrivateServiceTimesOut",
        ];
        let limited = rule["expr"]
            .as_str()
            .is_some_and(|expr| expr.contains("> 77"));
        assert_eq!(limited, names_nodes.contains(&name), "{name}");
    }
}

#[test]
fn every_alert_has_a_summary_a_description_and_a_link_to_the_runbook() {
    let runbook = read("docs/runbook.md");
    for rule in alerts(", runbookUrl: 'https://wiki.example.com/runbook'") {
        let annotations = &rule["annotations"];
        for text in ["summary", "description"] {
            assert!(
                annotations[text]
                    .as_str()
                    .is_some_and(|text| text.len() > 20),
                "{rule}"
            );
        }
        let link = annotations["runbook_url"].as_str().expect("a link");
        let anchor = link
            .strip_prefix("https://wiki.example.com/runbook#")
            .expect("the runbook");
        let sections: Vec<String> = match anchor {
            // Another test checks that the runbook has a section for every reason.
            "{{ $labels.reason }}" => continue,
            "{{ $labels.stage }}_timeout" => {
                let stages = ["dns", "connect", "tls", "http"].iter();
                stages.map(|stage| format!("{stage}_timeout")).collect()
            }
            plain => vec![plain.to_owned()],
        };
        for section in sections {
            assert!(runbook.contains(&format!("\n## {section}\n")), "{section}");
        }
    }
}

#[test]
fn promtool_accepts_the_rules_without_any_one_alert() {
    let folder = std::env::temp_dir().join(format!("privatelink-rules-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    for key in keys() {
        let rules = alerts(&format!(", rules: {{{key}: {{enabled: false}}}}"));
        // JSON is YAML.
        let file = folder.join("rules.yaml");
        let groups = serde_json::json!({"groups": [{"name": "all", "rules": rules}]});
        std::fs::write(&file, groups.to_string()).expect("a file");
        let output = run(
            "promtool",
            &["check", "rules", file.to_str().expect("UTF-8")],
            "",
        );
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "without {key}: {message}");
    }
    std::fs::remove_dir_all(&folder).expect("it was made above");
}

#[test]
fn every_alert_has_a_test_that_fires() {
    let tests = yaml(&read("tests/rules/alerts.test.yaml"));
    let tests = tests["tests"].as_array().expect("tests");
    let (mut fires, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for case in tests
        .iter()
        .flat_map(|test| test["alert_rule_test"].as_array().into_iter().flatten())
    {
        let expected = case["exp_alerts"].as_array().expect("alerts");
        let seen = if expected.is_empty() {
            &mut silent
        } else {
            &mut fires
        };
        seen.insert(case["alertname"].as_str().expect("a name").to_owned());
    }
    // This test covers every alert: nothing fires while all services are well.
    assert!(
        tests
            .iter()
            .any(|test| test["promql_expr_test"][0]["exp_samples"][0]["value"] == 0)
    );
    for rule in alerts("") {
        let name = rule["alert"].as_str().expect("a name");
        assert!(fires.contains(name), "no test makes {name} fire");
    }
    assert!(silent.len() > 5, "{silent:?}");
}
