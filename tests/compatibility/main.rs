//! Compatibility: nothing that users hold on to is taken away without a note (docs/compatibility.md).
//!
//! `surface.txt` lists what the latest release gave: metrics with their labels, reasons, fields and words of the JSON
//! and of the configuration, flags, values of the chart, fields of the CRD, alerts. Whatever of it is not there any
//! more must be named, in backticks, under `Removed` in the part of CHANGELOG.md that is not released yet.
//! Until the first release the list is what that will give.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const SURFACE: &str = "tests/compatibility/surface.txt";

/// With this variable the list is written anew: for a release.
const UPDATE: &str = "UPDATE_SURFACE";

#[test]
fn what_the_latest_release_gave_is_still_there_or_its_removal_is_told() {
    let now = surface();
    if std::env::var_os(UPDATE).is_some() {
        let mut text = String::new();
        for line in &now {
            writeln!(text, "{line}").expect("a string takes all");
        }
        fs::write(Path::new(ROOT).join(SURFACE), text).expect("the list is written");
        return;
    }
    let released = read(SURFACE);
    let missing = missing(&released, &now, &read("CHANGELOG.md"));
    assert!(
        missing.is_empty(),
        "gone without a word: name each, in backticks, under `### Removed` of `## [Unreleased]` in CHANGELOG.md, with \
         what users do instead:\n{}",
        missing.join("\n")
    );
}

#[test]
fn what_is_removed_is_noticed_unless_the_changelog_names_it() {
    let released = "metric privatelink_a {target}\nflag run --listen\nalert Absent\n";
    let now = BTreeSet::from(["flag run --listen".to_owned()]);
    let changelog = |removed: &str| {
        format!(
            "## [Unreleased]\n\n### Removed\n\n{removed}\n\n## [0.1.0]\n\n### Removed\n\n- `alert Absent`\n"
        )
    };
    let gone = |removed: &str| missing(released, &now, &changelog(removed));
    assert_eq!(gone(""), ["metric privatelink_a {target}", "alert Absent"]);
    assert_eq!(
        gone("- The metric `metric privatelink_a {target}`: use another."),
        ["alert Absent"]
    );
}

#[test]
fn the_list_holds_something_of_each_kind() {
    let now = surface();
    for line in [
        "metric privatelink_probe_reason {reason,stage,target}",
        "reason public_fallback fail",
        "report targets[].reason = public_fallback",
        "summary targets[].target",
        "config targets[].host",
        "flag check --explain",
        "value observer.crd.enabled",
        "crd spec.host",
        "crd status.conditions[].reason",
        "alert PrivateServiceResolvesPublicly",
    ] {
        assert!(now.contains(line), "no {line}");
    }
}

#[test]
fn documents_and_examples_name_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    for (file, text) in [
        (
            "docs/install.md",
            format!("/privatelink-prober:{version} --push"),
        ),
        ("docs/install.md", format!("newTag: {version}}}")),
        (
            "examples/argo-cd.yaml",
            format!("targetRevision: {version}\n"),
        ),
        ("examples/flux.yaml", format!("semver: \">={version} <")),
        (
            "charts/privatelink-prober/Chart.yaml",
            format!("\nversion: {version}\n"),
        ),
        (
            "charts/privatelink-prober/Chart.yaml",
            format!("\nappVersion: {version}\n"),
        ),
        ("Dockerfile", format!("ARG VERSION={version}\n")),
    ] {
        assert!(read(file).contains(&text), "{file}: no {text}");
    }
}

/// The lines of `released` that are not there now, and that the changelog does not name as removed since.
fn missing(released: &str, now: &BTreeSet<String>, changelog: &str) -> Vec<String> {
    let (_, unreleased) = changelog
        .split_once("## [Unreleased]")
        .expect("a part that is not released");
    let unreleased = unreleased.split("\n## ").next().unwrap_or_default();
    let mut parts = unreleased.split("\n### ");
    let removed = parts.find(|part| part.starts_with("Removed"));
    let removed = removed.unwrap_or_default();
    let lines = released.lines().filter(|line| !now.contains(*line));
    lines
        .filter(|line| !removed.contains(&format!("`{line}`")))
        .map(str::to_owned)
        .collect()
}

/// Everything that users hold on to.
fn surface() -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for metric in json(&["schema", "metrics", "-o", "json"])
        .as_array()
        .expect("metrics")
    {
        let labels = metric["labels"].as_array().into_iter().flatten();
        let mut labels: Vec<&str> = labels.filter_map(Value::as_str).collect();
        labels.sort_unstable();
        let name = metric["name"].as_str().expect("a name");
        lines.insert(format!("metric {name} {{{}}}", labels.join(",")));
    }
    for reason in json(&["schema", "reasons", "-o", "json"])
        .as_array()
        .expect("reasons")
    {
        let word = |key: &str| reason[key].as_str().expect("a word").to_owned();
        lines.insert(format!("reason {} {}", word("reason"), word("severity")));
    }
    for what in ["config", "report", "summary"] {
        let schema = json(&["schema", what]);
        Fields {
            what,
            schema: &schema,
            lines: &mut lines,
        }
        .of(&schema, "", 0);
    }
    let crd = yaml(&printed(&["schema", "crd"]));
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    Fields {
        what: "crd",
        schema,
        lines: &mut lines,
    }
    .of(schema, "", 0);
    flags(&mut lines);
    let values = yaml(&read("charts/privatelink-prober/values.yaml"));
    keys(&values, "value ", &mut lines);
    let rules = yaml(&read("deploy/prometheus-rules.yaml"));
    let groups = rules["groups"].as_array().expect("groups");
    let rules = groups.iter().filter_map(|group| group["rules"].as_array());
    for alert in rules.flatten().filter_map(|rule| rule["alert"].as_str()) {
        lines.insert(format!("alert {alert}"));
    }
    lines
}

/// The fields of a JSON schema, and the words that they may have.
struct Fields<'a> {
    what: &'a str,
    /// The whole, in which references are looked up.
    schema: &'a Value,
    lines: &'a mut BTreeSet<String>,
}

impl Fields<'_> {
    fn of(&mut self, part: &Value, path: &str, depth: usize) {
        assert!(depth < 40, "{path}: a schema that contains itself");
        if let Some(reference) = part["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').expect("a reference to here");
            let referred = self.schema.pointer(pointer).expect("it is there");
            return self.of(&referred.clone(), path, depth + 1);
        }
        for (name, field) in part["properties"].as_object().into_iter().flatten() {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            self.lines.insert(format!("{} {path}", self.what));
            self.of(field, &path, depth + 1);
        }
        if part["items"].is_object() {
            self.of(&part["items"], &format!("{path}[]"), depth + 1);
        }
        if part["additionalProperties"].is_object() {
            self.of(
                &part["additionalProperties"],
                &format!("{path}.*"),
                depth + 1,
            );
        }
        for alternatives in ["oneOf", "anyOf", "allOf"] {
            for alternative in part[alternatives].as_array().into_iter().flatten() {
                self.of(alternative, path, depth + 1);
            }
        }
        let words = part["enum"].as_array().into_iter().flatten();
        for word in words.chain(part.get("const")).filter_map(Value::as_str) {
            self.lines.insert(format!("{} {path} = {word}", self.what));
        }
    }
}

/// The flags of every command, as the completion of a shell has them.
fn flags(lines: &mut BTreeSet<String>) {
    for line in printed(&["completion", "fish"]).lines() {
        let command = line.split_once("using_subcommand ").map(|(_, rest)| rest);
        let command = command.and_then(|rest| rest.split(['"', ';']).next());
        let flag = line.split_once(" -l ").map(|(_, rest)| rest);
        let flag = flag.and_then(|rest| rest.split(' ').next());
        if let (Some(command), Some(flag)) = (command, flag) {
            lines.insert(format!("flag {} --{flag}", command.trim()));
        }
    }
}

/// The keys of maps in maps. One that is empty by default holds what users choose.
fn keys(value: &Value, path: &str, lines: &mut BTreeSet<String>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        let path = format!("{path}{key}");
        lines.insert(path.clone());
        keys(value, &format!("{path}."), lines);
    }
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(arguments)).expect("JSON")
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).expect("YAML")
}

fn printed(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_privatelink-prober"))
        .args(arguments)
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
