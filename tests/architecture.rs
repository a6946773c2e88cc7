//! Architecture: what docs/architecture.md says of layers, bounds and decisions is true, and every file
//! names the same version of Rust and of the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const ARCHITECTURE: &str = "docs/architecture.md";

#[test]
fn the_picture_of_the_layers_shows_what_cargo_holds() {
    let text = fs::read_to_string(ARCHITECTURE).expect("the architecture's document");
    let (_, picture) = text
        .split_once("```mermaid\n")
        .expect("a picture of the layers");
    let (picture, _) = picture.split_once("```").expect("its end");
    let drawn: BTreeSet<(String, String)> = picture
        .lines()
        .filter_map(|line| line.trim().split_once(" --> "))
        .map(|(from, to)| (from.to_owned(), to.to_owned()))
        .collect();
    assert_eq!(drawn, edges());
}

#[test]
fn the_table_of_bounds_shows_the_constants_of_the_code() {
    let text = fs::read_to_string(ARCHITECTURE).expect("the architecture's document");
    let (_, table) = text
        .split_once("| what | limit | constant |")
        .expect("a table of bounds");
    let mut compared = 0;
    for row in table.lines().skip(2).take_while(|row| row.starts_with('|')) {
        let mut source = String::new();
        for (index, code) in row.split('`').skip(1).step_by(2).enumerate() {
            if Path::new(code)
                .extension()
                .is_some_and(|extension| extension == "rs")
            {
                source = fs::read_to_string(code).unwrap_or_else(|error| panic!("{code}: {error}"));
            } else if let Some((name, value)) = code.split_once(" = ") {
                let declared = source.lines().find(|line| {
                    line.contains(&format!("const {name}: "))
                        && line.ends_with(&format!(" = {value};"))
                });
                assert!(declared.is_some(), "{code} is not in the file of: {row}");
                compared += 1;
            } else {
                assert_eq!(index, 0, "{code} is neither a file nor a constant: {row}");
            }
        }
    }
    assert!(compared > 20, "only {compared} constants were compared");
}

#[test]
fn every_decision_is_in_the_list_of_decisions() {
    let text = fs::read_to_string(ARCHITECTURE).expect("the architecture's document");
    for entry in fs::read_dir("docs/adr").expect("the decisions") {
        let name = entry.expect("an entry").file_name();
        let link = format!("(adr/{})", name.to_string_lossy());
        assert!(text.contains(&link), "{ARCHITECTURE} has no link {link}");
    }
}

/// Every crate of ours with each crate of ours that it is built on, by their folders' names; the root
/// package is `agent`.
fn edges() -> BTreeSet<(String, String)> {
    let mut edges = BTreeSet::new();
    let metadata = cargo(&["metadata", "--format-version", "1", "--no-deps"]);
    let metadata: Value = serde_json::from_str(&metadata).expect("JSON");
    let ours = |name: &Value| {
        let name = name.as_str()?.strip_prefix("privatelink-")?.to_owned();
        Some(if name == "prober" {
            "agent".to_owned()
        } else {
            name
        })
    };
    for package in metadata["packages"].as_array().expect("packages") {
        let from = ours(&package["name"]).expect("a crate of ours");
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            // `kind` is null for what the crate itself is built on, `dev` for its tests.
            if let (Value::Null, Some(to)) = (&dependency["kind"], ours(&dependency["name"])) {
                edges.insert((from.clone(), to));
            }
        }
    }
    edges
}

#[test]
fn the_judging_crate_knows_no_runtime_no_dns_no_tls_and_no_cluster() {
    let arguments = ["--package", "privatelink-verdict", "--edges", "normal"];
    let tree = cargo(&[&["tree", "--offline", "--prefix", "none"][..], &arguments].concat());
    let crates: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(crates, ["privatelink-verdict", "ipnet", "strsim"]);
}

#[test]
fn the_discovering_crate_knows_no_runtime_and_no_cluster() {
    let arguments = ["--package", "privatelink-discovery", "--edges", "normal"];
    let tree = cargo(&[&["tree", "--offline", "--prefix", "none"][..], &arguments].concat());
    for unwanted in ["kube", "k8s-openapi", "tokio", "hyper", "rustls"] {
        let is_it = |line: &str| line.split(' ').next() == Some(unwanted);
        assert!(!tree.lines().any(is_it), "{tree}");
    }
}

/// The observer alone knows Kubernetes, and a binary without it is the agent.
#[test]
fn without_the_feature_observer_the_binary_knows_no_kubernetes() {
    let tree = |features: &str| {
        let features = ["--no-default-features", "--features", features];
        let arguments = ["tree", "--offline", "--prefix", "none", "--edges", "normal"];
        cargo(&[&arguments[..], &features].concat())
    };
    let knows = |tree: &str| {
        tree.lines()
            .any(|line| line.starts_with("kube ") || line.starts_with("k8s-openapi "))
    };
    assert!(knows(&tree("observer")));
    assert!(!knows(&tree("lab")));
}

/// Another resolver is there for the tests to compare with (docs/adr/0001), and for nothing else.
#[test]
fn the_binary_is_built_without_hickory_resolver() {
    let arguments = ["--all-features", "--edges", "normal,build"];
    let tree = cargo(&[&["tree", "--offline", "--prefix", "none"][..], &arguments].concat());
    assert!(tree.contains("hickory-proto"), "{tree}");
    assert!(!tree.contains("hickory-resolver"), "{tree}");
}

/// rustup installs what rust-toolchain.toml names, and the image is built with what the Dockerfile
/// names. Where these differ, the tests run with another compiler than the one that ships.
#[test]
fn every_file_names_the_same_version_of_rust() {
    let pinned = after("rust-toolchain.toml", "channel = \"", '"');
    assert_eq!(after("Dockerfile", "ARG RUST_IMAGE=rust:", '-'), pinned);
    assert_eq!(after("docs/release.md", "`rust:", '-'), pinned);
    for workflow in [".github/workflows/ci.yml", ".github/workflows/release.yml"] {
        assert_eq!(after(workflow, "image: rust:", '-'), pinned, "{workflow}");
    }
    let least = after("Cargo.toml", "rust-version = \"", '"');
    assert_eq!(after("fuzz/Cargo.toml", "rust-version = \"", '"'), least);
    assert_eq!(pinned.rsplit_once('.').expect("three numbers").0, least);
    assert_eq!(after("README.md", "Rust toolchain (", ' '), least);
}

/// What the tests install and what the image and the release are made with.
#[test]
fn every_file_names_the_same_versions_of_cargos_tools() {
    let (tools, release) = ("tests/tools/install", ".github/workflows/release.yml");
    let auditable = after(tools, "=cargo-auditable@", '\n');
    assert_eq!(after("Dockerfile", "cargo-auditable@", '\n'), auditable);
    assert_eq!(after(release, "cargo-auditable@", ' '), auditable);
    let cyclonedx = after(tools, "=cargo-cyclonedx@", '\n');
    assert_eq!(after(release, "cargo-cyclonedx@", '\n'), cyclonedx);
}

/// A release sets its version in three files (docs/release.md).
#[test]
fn the_image_and_the_chart_have_the_version_of_the_program() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(after("Dockerfile", "ARG VERSION=", '\n'), version);
    let chart = "charts/privatelink-prober/Chart.yaml";
    assert_eq!(after(chart, "\nappVersion: ", '\n'), version);
}

/// What stands in the file between the first `start` and the next `end`.
fn after(file: &str, start: &str, end: char) -> String {
    let text = fs::read_to_string(file).expect(file);
    let found = text
        .split_once(start)
        .and_then(|(_, rest)| rest.split_once(end));
    found
        .unwrap_or_else(|| panic!("no {start:?} in {file}"))
        .0
        .to_owned()
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}
