//! Dashboard: the JSON that Grafana's sidecar loads. Here its queries must parse and use metrics that
//! exist; the end-to-end tests execute them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::helm::{MINIMAL, ROOT, render, run};

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

/// Every query, with a value in place of each of Grafana's variables.
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
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{query}: {message}");
    }
}

#[test]
fn queries_and_rules_use_metrics_that_exist() {
    // Some reasons start with `privatelink_` too.
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
fn every_query_uses_the_selected_data_source() {
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

/// Nodes and targets of several clusters may have the same names. A Prometheus of one cluster may lack the
/// label `cluster`, which counts as empty then.
#[test]
fn queries_by_node_or_target_are_by_cluster_too() {
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
    // The table of configured targets, which are the same in every cluster.
    assert_eq!(mixed.len(), 1, "{mixed:#?}");
    assert!(mixed[0].contains("privatelink_target_info"), "{mixed:#?}");
}

/// A node may have two agents, of which one is in the node's network: their series must not be mixed where
/// a panel names the node.
#[test]
fn queries_by_node_are_by_network_too_unless_they_count_nodes() {
    let mixed = queries().into_iter().filter(|query| {
        let lists = query.split("by (").skip(1);
        let mut lists = lists.filter_map(|rest| rest.split_once(')'));
        let mixes = lists.any(|(labels, _)| {
            let labels: Vec<_> = labels.split(", ").collect();
            labels.contains(&"node") && !labels.contains(&"network")
        });
        mixes && !query.starts_with("count(")
    });
    assert_eq!(mixed.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn panels_do_not_overlap() {
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
fn the_config_map_has_the_label_of_the_sidecar_and_the_whole_dashboard() {
    let objects = render(&format!("{MINIMAL}grafana: {{createDashboard: true}}"));
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
    let objects = render(MINIMAL);
    assert!(
        objects
            .iter()
            .all(|object| object["metadata"]["labels"]["grafana_dashboard"].is_null())
    );
}
