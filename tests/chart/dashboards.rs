//! Dashboards: the files that Grafana loads, made by the program in dashboards/. Here their queries must parse and
//! use metrics that exist, and whoever looks at them or clicks must find what is promised; tests/peers asks a
//! Prometheus the queries. The program itself refuses what Grafana's schema does not know.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::dashboard::{Dashboard, Query, Values, filled, text};
use super::helm::{MINIMAL, ROOT, render, run};

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{ROOT}/{path}"))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands for each variable.
fn values(dashboard: &Dashboard) -> Values {
    let variables = dashboard.variables().iter();
    variables
        .map(|variable| {
            let name = text(&variable["name"]);
            let value = match variable["type"].as_str() {
                Some("constant") => text(&variable["query"]),
                _ => ".*".to_owned(),
            };
            (name, value)
        })
        .collect()
}

/// Every query, and who asks it.
fn queries() -> Vec<(String, Query)> {
    let mut all = Vec::new();
    for dashboard in Dashboard::all() {
        for query in dashboard.queries() {
            all.push((format!("{}: {}", dashboard.uid, query.asked_by), query));
        }
    }
    assert!(all.len() > 70, "{}", all.len());
    all
}

/// The lists of labels behind `by`, and the word before it.
fn grouped(query: &str) -> Vec<(&str, Vec<&str>)> {
    let mut parts = query.split(" by (");
    let mut before = parts.next().unwrap_or_default();
    let mut lists = Vec::new();
    for part in parts {
        let (labels, _) = part.split_once(')').expect("an end");
        let word = before.rsplit([' ', '(']).next().unwrap_or_default();
        lists.push((word, labels.split(", ").collect()));
        before = part;
    }
    lists
}

#[test]
fn every_query_parses() {
    let mut rules = Vec::new();
    for dashboard in Dashboard::all() {
        let values = values(&dashboard);
        let queries = dashboard.queries().into_iter();
        rules.extend(queries.map(|query| filled(&query.expr, &values)));
    }
    // As rules, since promtool checks all of them at once.
    let rules = rules.iter().enumerate().map(|(number, expr)| {
        let record = format!("query{number}");
        json!({"record": record, "expr": expr})
    });
    let rules: Vec<Value> = rules.collect();
    let file = json!({"groups": [{"name": "queries", "rules": rules}]});
    let output = run("promtool", &["check", "rules"], &file.to_string());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains(&format!("{} rules found", rules.len())),
        "{said}"
    );
}

#[test]
fn queries_and_rules_use_metrics_that_exist() {
    // Some reasons start with `privatelink_` too.
    let known = read("docs/metrics.md") + &read("docs/reasons.md");
    let rules = read("deploy/prometheus-rules.yaml");
    let mut texts = vec![rules.clone()];
    for dashboard in Dashboard::all() {
        let values = values(&dashboard);
        let queries = dashboard.queries();
        texts.extend(queries.iter().map(|query| filled(&query.expr, &values)));
        let variables = dashboard.variables().iter();
        texts.extend(variables.map(|variable| text(&variable["query"]["query"])));
    }
    let mut seen = BTreeSet::new();
    for text in &texts {
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "_:".contains(c)));
        for word in words
            .filter(|word| word.starts_with("privatelink_") || word.starts_with("privatelink:"))
        {
            let of_histogram = word.trim_end_matches("_bucket").trim_end_matches("_count");
            let is_known = known.contains(&format!("`{word}`"))
                || known.contains(&format!("`{of_histogram}` | histogram"))
                || rules.contains(&format!("record: {word}\n"));
            assert!(is_known, "{word} in {text}");
            seen.insert(word.to_owned());
        }
    }
    assert!(seen.len() > 40, "{seen:?}");
}

#[test]
fn every_query_uses_the_selected_data_source() {
    for dashboard in Dashboard::all() {
        let panels = dashboard.panels().flat_map(|panel| {
            let targets = panel["targets"].as_array().expect("queries").iter();
            targets.chain([panel])
        });
        let annotations = dashboard.json["annotations"]["list"].as_array();
        let variables = dashboard.variables().iter();
        let variables = variables.filter(|variable| variable["type"] == "query");
        for asking in panels
            .chain(annotations.into_iter().flatten())
            .chain(variables)
        {
            assert_eq!(asking["datasource"]["uid"], "${datasource}", "{asking}");
            assert_eq!(asking["datasource"]["type"], "prometheus", "{asking}");
        }
    }
}

/// So a file can be imported as it is: Grafana asks nothing, and takes its default Prometheus.
#[test]
fn a_dashboard_names_no_data_source_and_needs_no_input() {
    for dashboard in Dashboard::all() {
        assert!(dashboard.json["__inputs"].is_null());
        assert!(dashboard.json["id"].is_null());
        let first = &dashboard.variables()[0];
        assert_eq!(first["name"], "datasource");
        assert_eq!(first["type"], "datasource");
        assert_eq!(first["query"], "prometheus");
        assert!(first["current"]["value"].is_null(), "{first}");
    }
}

#[test]
fn what_can_be_selected_is_what_is_promised() {
    let shown: BTreeMap<String, Vec<String>> = Dashboard::all()
        .iter()
        .map(|dashboard| {
            let variables = dashboard.variables().iter();
            let shown = variables.filter(|variable| variable["type"] != "constant");
            let names = shown.map(|variable| text(&variable["label"])).collect();
            (dashboard.uid.clone(), names)
        })
        .collect();
    let expected = [
        (
            "privatelink-agents",
            "Data source, Cluster, Node pool, Node",
        ),
        (
            "privatelink-fleet",
            "Data source, Cluster, Node pool, Node, Owner, Service, Target, Show",
        ),
        (
            "privatelink-target",
            "Data source, Cluster, Node pool, Node, Owner, Service, Target, Stage",
        ),
    ];
    let expected = expected.map(|(uid, names)| {
        let names = names.split(", ").map(str::to_owned).collect();
        (uid.to_owned(), names)
    });
    assert_eq!(shown, BTreeMap::from(expected));
}

/// Nodes and targets of several clusters may have the same names. A Prometheus of one cluster may lack the
/// label `cluster`, which counts as empty then.
#[test]
fn queries_by_node_or_target_are_by_cluster_too() {
    for (asked_by, query) in queries() {
        for (_, labels) in grouped(&query.expr) {
            let is_by_one = labels.contains(&"node") || labels.contains(&"target");
            assert!(
                !is_by_one || labels.contains(&"cluster"),
                "{asked_by}: {}",
                query.expr
            );
        }
    }
}

/// A node may have two agents, of which one is in the node's network: their series must not be mixed where
/// a panel names the node. `group` counts nodes, and the observer is not an agent.
#[test]
fn queries_by_node_are_by_network_too_unless_they_count_nodes() {
    for (asked_by, query) in queries() {
        if query.expr.contains("privatelink_observer_") {
            continue;
        }
        let expr = query
            .expr
            .replace("topk by (cluster, node) (1, privatelink_node_info", "");
        for (word, labels) in grouped(&expr) {
            let mixes = labels.contains(&"node") && !labels.contains(&"network");
            assert!(!mixes || word == "group", "{asked_by}: {expr}");
        }
    }
}

#[test]
fn a_graph_of_a_counter_follows_the_step_and_the_scrapes() {
    for (asked_by, query) in queries() {
        let functions = ["rate(", "increase("];
        for rest in functions
            .iter()
            .flat_map(|name| query.expr.split(name).skip(1))
        {
            let (_, window) = rest.split_once('[').expect("a window");
            let (window, _) = window.split_once(']').expect("its end");
            let is_right = window == "$__rate_interval" || query.is_instant && window == "1h";
            assert!(is_right, "{asked_by}: {window}");
        }
    }
}

/// What Grafana's own linter asks for, and that numbers and places are unique.
#[test]
fn every_panel_has_a_title_a_description_a_unit_and_a_place() {
    for dashboard in Dashboard::all() {
        let mut taken = BTreeSet::new();
        let mut titles = BTreeSet::new();
        let all = dashboard.json["panels"].as_array().expect("panels");
        let ids: BTreeSet<u64> = all
            .iter()
            .filter_map(|panel| panel["id"].as_u64())
            .collect();
        assert_eq!(ids.len(), all.len(), "{}", dashboard.uid);
        for panel in all {
            let title = text(&panel["title"]);
            assert!(!title.is_empty(), "{panel}");
            let side = |name: &str| panel["gridPos"][name].as_u64().unwrap_or(0);
            assert!(side("x") + side("w") <= 24, "{title}");
            for x in side("x")..side("x") + side("w") {
                for y in side("y")..side("y") + side("h") {
                    assert!(taken.insert((x, y)), "{title} is on another panel");
                }
            }
            if panel["type"] != "row" {
                assert!(
                    titles.insert(title.clone()) || title.starts_with("May"),
                    "{title}"
                );
                let description = text(&panel["description"]);
                assert!(description.ends_with('.'), "{title}: {description}");
                let unit = &panel["fieldConfig"]["defaults"]["unit"];
                assert!(unit.is_string(), "{title} has no unit");
            }
        }
    }
}

/// A cell of a table or a timeline leads on: to a dashboard, the runbook or the page.
#[test]
fn every_cell_leads_on_and_every_link_leads_somewhere() {
    let dashboards = Dashboard::all();
    let uids: BTreeSet<&str> = dashboards.iter().map(|one| &*one.uid).collect();
    let runbook = read("docs/runbook.md");
    let mut kinds = BTreeSet::new();
    for dashboard in &dashboards {
        for panel in dashboard.panels() {
            let links = &panel["fieldConfig"]["defaults"]["links"];
            let links: Vec<String> = links
                .as_array()
                .into_iter()
                .flatten()
                .map(|link| text(&link["url"]))
                .collect();
            let has_cells = ["table", "state-timeline"]
                .iter()
                .any(|kind| panel["type"] == *kind);
            assert_eq!(has_cells, !links.is_empty(), "{}", panel["title"]);
            for link in links {
                let kind = link.split(['?', '#']).next().unwrap_or_default().to_owned();
                if let Some(uid) = kind.strip_prefix("/d/") {
                    assert!(uids.contains(uid), "{link}");
                    let target = dashboards
                        .iter()
                        .find(|one| one.uid == uid)
                        .expect("it is there");
                    for variable in link.split("var-").skip(1) {
                        let (name, _) = variable.split_once('=').expect("a value");
                        let mut names = target.variables().iter();
                        assert!(names.any(|variable| variable["name"] == name), "{link}");
                    }
                } else if let Some((_, section)) = link.split_once('#') {
                    let is_there = section.is_empty()
                        || section.starts_with("${__")
                        || runbook.contains(&format!("\n## {section}\n"));
                    assert!(is_there, "{link}");
                }
                kinds.insert(kind);
            }
        }
    }
    let expected = [
        "${page:raw}/",
        "${runbook:raw}",
        "/d/privatelink-agents",
        "/d/privatelink-target",
    ];
    assert_eq!(kinds, expected.map(str::to_owned).into());
}

#[test]
fn every_reason_has_a_word_and_a_colour() {
    let reasons = read("docs/reasons.md");
    let reasons: Vec<(String, String)> = reasons
        .lines()
        .filter(|line| line.contains("| `"))
        .map(|line| {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            (cells[2].trim_matches('`').to_owned(), cells[3].to_owned())
        })
        .collect();
    assert!(reasons.len() > 40);
    for (uid, title) in [
        ("privatelink-fleet", "Targets"),
        ("privatelink-target", "Reason"),
    ] {
        let dashboard = Dashboard::all().into_iter().find(|one| one.uid == uid);
        let dashboard = dashboard.expect("a dashboard");
        let panel = dashboard.panels().find(|panel| panel["title"] == title);
        let mapping = &panel.expect("a panel")["fieldConfig"]["defaults"]["mappings"][0]["options"];
        let variable = dashboard
            .variables()
            .iter()
            .find(|one| one["name"] == "reasons");
        let numbers = text(&variable.expect("the numbers of the reasons")["query"]);
        for (number, (word, severity)) in reasons.iter().enumerate() {
            let shown = &mapping[number.to_string()];
            assert_eq!(shown["text"], **word);
            let colour = text(&shown["color"]);
            let is_red = colour.contains("red") || colour == "purple";
            assert_eq!(is_red, severity == "fail", "{word} is {colour}");
            assert!(numbers.contains(&format!("vector({number}), \"reason\", \"{word}\",")));
        }
    }
}

#[test]
fn the_sidecar_and_the_operator_get_every_dashboard_with_the_addresses_of_the_values() {
    let addresses = "prometheusRule: {runbookUrl: 'https://wiki.example.org/\"r\".md'}\n\
                     grafana: {createDashboard: true, pageUrl: https://fleet.example.org, operator: {enabled: true}}\n";
    let objects = render(&format!("{MINIMAL}{addresses}"));
    let maps: Vec<&Value> = objects
        .iter()
        .filter(|object| object["metadata"]["labels"]["grafana_dashboard"] == "1")
        .collect();
    let of_operator: Vec<&Value> = objects
        .iter()
        .filter(|object| object["kind"] == "GrafanaDashboard")
        .collect();
    let dashboards = Dashboard::all();
    assert_eq!((maps.len(), of_operator.len()), (3, 3));
    for dashboard in &dashboards {
        let file = format!("{}.json", dashboard.uid);
        let of_map = maps.iter().find_map(|map| map["data"][&file].as_str());
        let of_operator = of_operator
            .iter()
            .filter_map(|one| one["spec"]["json"].as_str());
        let mut of_operator =
            of_operator.filter(|text| Dashboard::parse(text).uid == dashboard.uid);
        for text in [of_map.expect("a file"), of_operator.next().expect("a text")] {
            // An annotation in which kubectl keeps what was applied has 256 KiB.
            assert!(text.len() < 200 << 10, "{file} has {} bytes", text.len());
            let delivered = Dashboard::parse(text);
            assert_eq!(delivered.queries().len(), dashboard.queries().len());
            let of = |name: &str| {
                let mut variables = delivered.variables().iter();
                let variable = variables.find(|variable| variable["name"] == name);
                super::dashboard::text(&variable.expect(name)["query"])
            };
            assert_eq!(of("runbook"), "https://wiki.example.org/\"r\".md");
            assert_eq!(of("page"), "https://fleet.example.org");
            assert!(!text.contains("example.com"), "{file}");
        }
    }
    let names = |values: &str| -> Vec<Value> {
        let objects = render(&format!("{MINIMAL}{values}"));
        let named = objects
            .iter()
            .map(|object| object["metadata"]["name"].clone());
        named
            .filter(|name| name.to_string().contains("dashboard"))
            .collect()
    };
    assert_eq!(names(""), Vec::<Value>::new());
    assert_eq!(names("grafana: {operator: {enabled: true}}").len(), 3);
}

/// By hand, a file has addresses that work: the chart's runbook, and the observer's page as the notes show it.
#[test]
fn a_file_as_it_is_has_the_addresses_of_the_chart() {
    let notes = read("charts/privatelink-prober/templates/NOTES.txt");
    assert!(notes.contains(" 9796:9797"), "{notes}");
    let chart = read("charts/privatelink-prober/Chart.yaml");
    let home = chart.lines().find_map(|line| line.strip_prefix("home: "));
    let home = home.expect("the chart has a home");
    for dashboard in Dashboard::all() {
        let values = values(&dashboard);
        assert_eq!(values["runbook"], format!("{home}/docs/runbook.md"));
        assert_eq!(values["page"], "http://127.0.0.1:9796");
    }
}
