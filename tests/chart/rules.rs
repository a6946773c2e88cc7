//! Rules: how values change the alerts. Whether the alerts fire is tested in tests/rules, with recorded
//! series and deploy/prometheus-rules.yaml, which the chart renders.

use std::collections::BTreeSet;

use serde_json::Value;

use super::helm::{MINIMAL, ROOT, render, run, single, yaml};

const ENABLED: &str = "prometheusRule: {enabled: true";

/// The rules for `values`, with those that record.
fn rules(values: &str) -> Vec<Value> {
    let objects = render(&format!("{MINIMAL}{ENABLED}{values}}}\n"));
    let groups = &single("PrometheusRule", &objects)["spec"]["groups"];
    let groups = groups.as_array().expect("groups").iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().into_iter().flatten());
    rules.cloned().collect()
}

fn alerts(values: &str) -> Vec<Value> {
    let rules = rules(values).into_iter();
    rules.filter(|rule| rule["alert"].is_string()).collect()
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
            "timeouts: {ratio: 0.35, atLeast: 4, window: 17m30s}",
            vec!["[17m30s]", "[525s]", "> 0.35", "> 3.5", "/ 1050\n"],
        ),
        ("certificateExpiring: {days: 33}", vec!["< 33 * 86400"]),
        (
            "probeStale: {intervals: 7, graceSeconds: 11}",
            vec!["(7 *", "+ 11)"],
        ),
        ("proberGone: {lookback: 3h}", vec!["[3h]"]),
        ("nodeWithoutProber: {lookback: 4h}", vec!["[4h]"]),
        ("proberAbsent: {lookback: 5h}", vec!["[5h]"]),
        ("failing: {for: 13m}", vec!["[13m]"]),
        ("failing: {for: 0s}", vec!["[1m]"]),
    ] {
        let rules = rules(&format!(", rules: {{{values}}}"));
        for text in expected {
            let found = |rule: &Value| {
                rule["expr"]
                    .as_str()
                    .is_some_and(|expr| expr.contains(text))
            };
            assert!(rules.iter().any(found), "{text}");
        }
    }
}

#[test]
fn the_limits_of_nodes_and_targets_reach_the_rules() {
    let rules = rules(", maxNodes: 77, minTargets: 88");
    let with = |text: &str| {
        let has = |rule: &&Value| {
            let expr = rule["expr"].as_str();
            expr.is_some_and(|expr| expr.contains(text))
        };
        rules.iter().filter(has).count()
    };
    // Pools, and the three alerts about the agents of nodes.
    assert_eq!(with("> 77"), 4);
    assert_eq!(with(">= 88"), 1);
}

#[test]
fn every_alert_takes_labels_annotations_and_an_expression_of_its_own() {
    for key in keys() {
        let own = format!(
            ", alertLabels: {{team: net, tier: x}}, rules: {{{key}: {{expr: 'vector(42)', keepFiringFor: 9m, \
             labels: {{team: mine}}, annotations: {{summary: Mine, page: 'https://example.com'}}}}}}"
        );
        let alerts = alerts(&own);
        let is_mine = |rule: &&Value| rule["expr"].as_str().map(str::trim) == Some("vector(42)");
        let mine: Vec<_> = alerts.iter().filter(is_mine).collect();
        assert_eq!(mine.len(), 1, "{key}");
        assert_eq!(mine[0]["keep_firing_for"], "9m");
        assert_eq!(mine[0]["labels"]["team"], "mine", "{key}");
        assert_eq!(mine[0]["labels"]["tier"], "x", "{key}");
        let annotations = &mine[0]["annotations"];
        assert_eq!(annotations["summary"], "Mine");
        assert_eq!(annotations["page"], "https://example.com");
        assert!(annotations["runbook_url"].is_string() && annotations["description"].is_string());
        let others = alerts.iter().filter(|rule| !is_mine(rule));
        assert!(
            others
                .into_iter()
                .all(|rule| rule["labels"]["team"] == "net")
        );
    }
}

#[test]
fn additional_groups_come_last() {
    let groups = ", extraGroups: [{name: mine, rules: [{record: 'mine:up', expr: up}]}]";
    let objects = render(&format!("{MINIMAL}{ENABLED}{groups}}}\n"));
    let groups = &single("PrometheusRule", &objects)["spec"]["groups"];
    let last = groups.as_array().and_then(|groups| groups.last());
    assert_eq!(last.expect("a group")["rules"][0]["record"], "mine:up");
}

#[test]
fn without_queries_no_annotation_asks_prometheus() {
    let asks = |values: &str| {
        let asks = |rule: &Value| rule["annotations"].to_string().contains("| query");
        alerts(values).iter().filter(|rule| asks(rule)).count()
    };
    assert!(asks("") > 8, "{}", asks(""));
    assert_eq!(asks(", queries: false"), 0);
}

#[test]
fn every_reason_with_a_disabled_alert_is_told_as_a_failure() {
    let told = |values: &str| {
        let failing = alerts(values)
            .into_iter()
            .find(|rule| rule["alert"] == "PrivateServiceFailing");
        failing.expect("it is there")["expr"].to_string()
    };
    for (key, reason) in [
        ("privateRecordMissing", "dns_private_record_missing"),
        ("dnsFails", "|dns|"),
        ("timeouts", "connect_timeout"),
        ("nameMismatch", "tls_name_mismatch"),
    ] {
        assert!(told("").contains(reason), "{}", told(""));
        let without = told(&format!(", rules: {{{key}: {{enabled: false}}}}"));
        assert!(!without.contains(reason), "{without}");
    }
}

/// Azure allows 20 rules in a group, and these periods until an alert is resolved.
#[test]
fn azures_rule_groups_keep_its_limits() {
    let groups: Value =
        serde_json::from_str(&read("deploy/azure/rules.json")).expect("tests/generate writes JSON");
    let groups = groups.as_array().expect("groups");
    assert_eq!(groups.len(), 5);
    for group in groups {
        let rules = group["rules"].as_array().expect("rules");
        assert!((1..=20).contains(&rules.len()), "{}", group["name"]);
        for rule in rules.iter().filter(|rule| rule["alert"].is_string()) {
            let minutes = rule["timeToResolve"].as_str().expect("a duration");
            let minutes = minutes
                .strip_prefix("PT")
                .and_then(|text| text.strip_suffix('M'));
            let minutes: u32 = minutes.and_then(|text| text.parse().ok()).expect("minutes");
            assert!((1..=15).contains(&minutes), "{rule}");
            assert!(!rule.to_string().contains("| query"), "{rule}");
            assert!(
                rule["severity"]
                    .as_u64()
                    .is_some_and(|severity| severity <= 4)
            );
        }
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
        // Another test checks that the runbook has a section for every reason.
        if anchor != "{{ $labels.reason }}" {
            assert!(runbook.contains(&format!("\n## {anchor}\n")), "{anchor}");
        }
    }
}

#[test]
fn the_link_to_the_runbook_is_an_address_without_any_value() {
    for rule in alerts("") {
        let link = rule["annotations"]["runbook_url"].as_str().expect("a link");
        assert!(
            link.starts_with("https://example.com/privatelink-prober/docs/runbook.md#"),
            "{link}"
        );
    }
}

#[test]
fn promtool_accepts_the_rules_without_any_one_alert() {
    let folder = std::env::temp_dir().join(format!("privatelink-rules-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    for key in keys() {
        let rules = rules(&format!(", rules: {{{key}: {{enabled: false}}}}"));
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
fn every_alert_has_a_story_in_which_it_fires() {
    let stories = read("tests/rules/alerts.yaml");
    for rule in alerts("") {
        let name = rule["alert"].as_str().expect("a name");
        let fires = format!("{name}{{");
        let counted = format!("alertname=\"{name}\",alertstate=\"firing\"");
        assert!(
            stories.contains(&fires) || stories.contains(&counted),
            "no story makes {name} fire"
        );
    }
}
