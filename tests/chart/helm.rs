//! Helm: runs `helm template` and reads its output.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The repository.
pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The smallest values that the chart accepts.
pub(crate) const MINIMAL: &str = "config: {targets: [{host: kv-prod.vault.azure.net}]}\n";

/// The chart in the repository.
pub(crate) fn chart() -> PathBuf {
    Path::new(ROOT).join("charts/privatelink-prober")
}

/// The manifests for `values`, as text.
pub(crate) fn rendered(values: &str) -> String {
    let output = template(&chart(), values);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{values}\n{message}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The manifests for `values`.
pub(crate) fn render(values: &str) -> Vec<Value> {
    documents(&rendered(values))
}

/// The message with which Helm refuses `values`.
pub(crate) fn refused(values: &str) -> String {
    let output = template(&chart(), values);
    assert!(!output.status.success(), "{values} is accepted");
    let message = String::from_utf8(output.stderr).expect("UTF-8");
    message.replace("\n\nUse --debug flag to render out invalid YAML\n", "")
}

/// `helm template` as release `t` in the namespace `watch`.
pub(crate) fn template(chart: &Path, values: &str) -> Output {
    let chart = chart.to_str().expect("UTF-8");
    let arguments = ["template", "t", chart, "--namespace", "watch", "-f", "-"];
    run("helm", &arguments, values)
}

/// Runs `program` with `input`. Fails if it does not exist; the caller checks how it ended.
pub(crate) fn run(program: &str, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(ROOT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; tests/tools/install installs it"));
    let mut stdin = child.stdin.take().expect("a pipe");
    // An error means that the program ended before it read everything; its output tells why.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

/// The documents of a YAML stream, empty ones left out.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    text.split("\n---")
        .filter(|text| {
            let mut lines = text.lines();
            lines.any(|line| !line.is_empty() && !line.starts_with('#') && line != "---")
        })
        .map(|text| yaml(text.trim_start_matches("---")))
        .collect()
}

/// One YAML document.
pub(crate) fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The only object of this kind, beside the observer's.
pub(crate) fn single<'a>(kind: &str, objects: &'a [Value]) -> &'a Value {
    only(
        kind,
        objects
            .iter()
            .filter(|object| !is_observers(object))
            .collect(),
    )
}

/// The only object of this kind of the observer.
pub(crate) fn observers<'a>(kind: &str, objects: &'a [Value]) -> &'a Value {
    only(
        kind,
        objects
            .iter()
            .filter(|object| is_observers(object))
            .collect(),
    )
}

fn only<'a>(kind: &str, objects: Vec<&'a Value>) -> &'a Value {
    let mut found = objects.into_iter().filter(|object| object["kind"] == kind);
    let object = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "more than one {kind}");
    object
}

/// Whether the object is the observer's.
pub(crate) fn is_observers(object: &Value) -> bool {
    object["metadata"]["labels"]["app.kubernetes.io/component"] == "observer"
}

/// The pods for `values`: the agent's and that of `helm test`.
pub(crate) fn pods(values: &str) -> [Value; 2] {
    let objects = render(values);
    let agent = &single("DaemonSet", &objects)["spec"]["template"];
    [agent.clone(), single("Pod", &objects).clone()]
}

/// The agent's configuration for `values`.
pub(crate) fn config(values: &str) -> String {
    let objects = render(values);
    let map = objects
        .iter()
        .find(|object| object["kind"] == "ConfigMap" && object["data"]["config.yaml"].is_string());
    let text = map.expect("a ConfigMap")["data"]["config.yaml"].as_str();
    text.expect("a text").to_owned()
}

/// A copy of the chart that a test may change. Dropping it removes the files.
pub(crate) struct Copy(pub(crate) PathBuf);

impl Copy {
    pub(crate) fn new(name: &str) -> Self {
        let folder = format!("privatelink-chart-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        copy(&chart(), &folder);
        Self(folder)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a copy");
        }
    }
}
