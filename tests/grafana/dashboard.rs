//! Dashboard: a file of the chart, read as Grafana reads it: its panels, and what it asks Prometheus, with a value
//! in place of each variable.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// A dashboard of the chart.
pub(crate) struct Dashboard {
    pub(crate) uid: String,
    pub(crate) json: Value,
}

/// Something that a dashboard asks Prometheus.
pub(crate) struct Query {
    /// The panel's title and the query's letter, or the annotation's name: `Memory A`.
    pub(crate) asked_by: String,
    pub(crate) expr: String,
    /// What the panel says of itself.
    pub(crate) described: String,
    /// Whether it asks for the latest values, and not for those of a time.
    pub(crate) is_instant: bool,
}

/// The value of each variable, as Grafana writes it into a query.
pub(crate) type Values = BTreeMap<String, String>;

/// What answers the variables.
pub(crate) trait Answers {
    /// The values that a label has in the series of `selector`.
    fn label_values(&self, label: &str, selector: &str) -> Vec<String>;
    /// The labels of each series that an expression yields.
    fn labels(&self, expression: &str) -> Vec<Value>;
}

impl Dashboard {
    /// Every dashboard of the chart.
    pub(crate) fn all() -> Vec<Self> {
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/charts/privatelink-prober/dashboards"
        );
        let files = fs::read_dir(folder).expect("the chart has dashboards");
        let mut dashboards: Vec<Self> = files
            .map(|file| Self::read(&file.expect("a file").path()))
            .collect();
        dashboards.sort_by(|a, b| a.uid.cmp(&b.uid));
        assert!(!dashboards.is_empty());
        dashboards
    }

    fn read(path: &Path) -> Self {
        Self::parse(&fs::read_to_string(path).expect("a text"))
    }

    pub(crate) fn parse(text: &str) -> Self {
        let json: Value = serde_json::from_str(text).expect("JSON");
        let uid = json["uid"].as_str().expect("a uid").to_owned();
        Self { uid, json }
    }

    pub(crate) fn panels(&self) -> impl Iterator<Item = &Value> {
        let all = self.json["panels"].as_array().expect("panels").iter();
        all.filter(|panel| panel["type"] != "row")
    }

    pub(crate) fn variables(&self) -> &[Value] {
        let list = &self.json["templating"]["list"];
        list.as_array().expect("variables")
    }

    pub(crate) fn queries(&self) -> Vec<Query> {
        let of_panels = self.panels().flat_map(|panel| {
            let targets = panel["targets"].as_array().expect("a panel asks something");
            targets.iter().map(|target| Query {
                asked_by: format!("{} {}", text(&panel["title"]), text(&target["refId"])),
                expr: text(&target["expr"]),
                described: text(&panel["description"]),
                is_instant: target["instant"] == true,
            })
        });
        let annotations = self.json["annotations"]["list"].as_array();
        let of_annotations = annotations.into_iter().flatten().map(|annotation| Query {
            asked_by: text(&annotation["name"]),
            expr: text(&annotation["expr"]),
            described: String::new(),
            is_instant: false,
        });
        of_panels.chain(of_annotations).collect()
    }

    /// What the variables are with everything selected, and `target` where only one can be.
    pub(crate) fn everything_selected(&self, prometheus: &impl Answers, target: &str) -> Values {
        let mut values = Values::new();
        for variable in self.variables() {
            let name = text(&variable["name"]);
            let value = match variable["type"].as_str() {
                Some("constant") => text(&variable["query"]),
                Some("custom") => text(&variable["current"]["value"]),
                Some("query") => {
                    let options = options(variable, &values, prometheus);
                    if variable["includeAll"] != true {
                        assert!(options.iter().any(|option| option == target), "{options:?}");
                        target.to_owned()
                    } else if let Some(all) = variable["allValue"].as_str() {
                        all.to_owned()
                    } else {
                        let escaped: Vec<_> = options.iter().map(|one| escaped(one)).collect();
                        format!("({})", escaped.join("|"))
                    }
                }
                _ => continue,
            };
            values.insert(name, value);
        }
        values
    }
}

/// What can be selected for a variable.
pub(crate) fn options(variable: &Value, values: &Values, prometheus: &impl Answers) -> Vec<String> {
    let query = text(&variable["query"]["query"]);
    let argument = |function: &str| {
        let rest = query.strip_prefix(function)?.strip_prefix('(')?;
        rest.strip_suffix(')')
    };
    if let Some(arguments) = argument("label_values") {
        let (selector, label) = arguments.rsplit_once(", ").expect("a selector and a label");
        return prometheus.label_values(label, &filled(selector, values));
    }
    let expression = argument("query_result").unwrap_or_else(|| panic!("{query}"));
    let label = text(&variable["name"]);
    assert_eq!(text(&variable["regex"]), format!("/{label}=\"([^\"]+)\"/"));
    let series = prometheus.labels(&filled(expression, values));
    series.iter().map(|labels| text(&labels[&label])).collect()
}

/// A query with a value in place of each variable; durations are those of a Prometheus that scrapes every second.
pub(crate) fn filled(query: &str, values: &Values) -> String {
    let mut query = query
        .replace("$__rate_interval", "10s")
        .replace("$__interval", "5s")
        .replace("$__range", "1m");
    for (name, value) in values {
        query = query
            .replace(&format!("${{{name}:raw}}"), value)
            .replace(&format!("${name}"), &quoted(value));
    }
    let unknown = query.split('$').skip(1).any(|rest| {
        let first = rest.chars().next();
        first.is_some_and(|first| first.is_ascii_alphabetic() || "_{".contains(first))
    });
    assert!(!unknown, "an unknown variable in {query}");
    query
}

/// A value inside the quotes of a matcher.
fn quoted(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

/// A value that a regular expression takes as it is.
fn escaped(value: &str) -> String {
    let special = |c: char| "\\^$*+?.()|{}[]".contains(c);
    value.chars().fold(String::new(), |mut text, c| {
        if special(c) {
            text.push('\\');
        }
        text.push(c);
        text
    })
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
