//! Dashboard: what Grafana's sidecar loads. Its queries are executed end to end; here they must parse
//! and speak of metrics that exist.

use std::collections::BTreeSet;

use serde_json::Value;

use super::helm::{LEAST, ROOT, render, run};

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{ROOT}/{path}"))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn dashboard() -> Value {
    let text = read("charts/privatelink-prober/dashboards/privatelink-prober.json");
    serde_json::from_str(&text).expect("JSON")
}

fn panels(dashboard: &Value) -> &Vec<Value> {
    dashboard["panels"].as_array().expect("panels")
}

/// Every query, with Grafana's variables as Grafana would fill them in.
fn queries() -> Vec<String> {
    let dashboard = dashboard();
    let targets = panels(&dashboard)
        .iter()
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let queries = targets.map(|target| target["expr"].as_str().expect("a query"));
    queries
        .map(|query| {
            let query = query.replace("$__rate_interval", "2m");
            ["cluster", "node", "target"]
                .iter()
                .fold(query, |query, variable| {
                    query.replace(&format!("${variable}"), ".*")
                })
        })
        .collect()
}

#[test]
fn every_query_parses() {
    let queries = queries();
    assert!(queries.len() > 20);
    for query in queries {
        assert!(!query.contains('$'), "an unknown variable in {query}");
        let output = run(
            "promtool",
            &["promql", "--experimental", "format", &query],
            "",
        );
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{query}: {said}");
    }
}

#[test]
fn queries_and_rules_speak_of_metrics_that_exist() {
    // Some reasons are called so too.
    let known = read("docs/metrics.md") + &read("docs/reasons.md");
    let rules = read("deploy/prometheus-rules.yaml");
    let mut seen = BTreeSet::new();
    for text in queries().iter().chain([&rules]) {
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        for word in words.filter(|word| word.starts_with("privatelink_")) {
            assert!(known.contains(&format!("`{word}`")), "{word} in {text}");
            seen.insert(word.to_owned());
        }
    }
    assert!(seen.len() > 15, "{seen:?}");
}

#[test]
fn every_panel_with_queries_uses_the_data_source_chosen() {
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"]
        .as_array()
        .expect("variables");
    let names: Vec<_> = variables.iter().map(|variable| &variable["name"]).collect();
    assert_eq!(names, ["datasource", "cluster", "node", "target"]);
    for panel in panels(&dashboard) {
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(
                target["datasource"]["uid"], "${datasource}",
                "{}",
                panel["title"]
            );
        }
    }
}

/// Node pools and targets are called the same in many clusters. A Prometheus of one cluster has no such
/// label, which is a label like any other.
#[test]
fn what_is_told_by_node_or_target_is_told_by_cluster_too() {
    let by_one = |query: &str| {
        let lists = query.split("by (").skip(1);
        let lists = lists.filter_map(|rest| rest.split_once(')'));
        let mut lists = lists.map(|(labels, _)| labels.split(", ").collect::<Vec<_>>());
        lists.any(|labels| {
            (labels.contains(&"node") || labels.contains(&"target")) && !labels.contains(&"cluster")
        })
    };
    let mixed: Vec<_> = queries()
        .into_iter()
        .filter(|query| by_one(query))
        .collect();
    // What is probed is the same wherever it is probed from.
    assert_eq!(mixed.len(), 1, "{mixed:#?}");
    assert!(mixed[0].contains("privatelink_target_info"), "{mixed:#?}");
}

#[test]
fn no_two_panels_cover_each_other() {
    let dashboard = dashboard();
    let mut taken = BTreeSet::new();
    for panel in panels(&dashboard) {
        let side = |name: &str| panel["gridPos"][name].as_u64().expect("a number");
        assert!(side("x") + side("w") <= 24, "{}", panel["title"]);
        for x in side("x")..side("x") + side("w") {
            for y in side("y")..side("y") + side("h") {
                assert!(taken.insert((x, y)), "{}", panel["title"]);
            }
        }
    }
}

#[test]
fn the_sidecar_finds_it_by_its_label_and_gets_it_as_it_is() {
    let objects = render(&format!("{LEAST}grafana: {{createDashboard: true}}"));
    let map = objects
        .iter()
        .find(|object| object["metadata"]["labels"]["grafana_dashboard"] == "1")
        .expect("a ConfigMap");
    let text = map["data"]["privatelink-prober.json"]
        .as_str()
        .expect("JSON");
    assert_eq!(
        serde_json::from_str::<Value>(text).expect("JSON"),
        dashboard()
    );
    let objects = render(LEAST);
    assert!(
        objects
            .iter()
            .all(|object| object["metadata"]["labels"]["grafana_dashboard"].is_null())
    );
}
