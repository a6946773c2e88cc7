//! Rights: what the observer's account may do, and what happens when it may not.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::{
    OBSERVER, SHOP, apply, deployment, install, leader_and_other, namespace, pod_spec, published,
};
use crate::command::{SHORT, eventually, kubectl, kubectl_json, run, same};
use crate::release::{CHART, NAMESPACE};
use crate::world::World;

/// The installations whose rights the golden file lists: a name, and what is set.
const INSTALLATIONS: &[(&str, &[&str])] = &[
    ("all but the fleet", &[]),
    ("without discovery", &["observer.discovery.enabled=false"]),
    ("without declared targets", &["observer.crd.enabled=false"]),
    ("in one namespace", &["observer.namespaces={shop}"]),
];

pub(super) fn rights(world: &mut World) {
    let folder = world.folder("rights");
    apply(&folder, &[namespace(SHOP)]);
    kubectl(&["-n", NAMESPACE, "create", "serviceaccount", "bare"]);
    let mut text = String::new();
    for (name, set) in INSTALLATIONS {
        writeln!(text, "# {name}").expect("a string takes all");
        text.push_str(&rights_of(&folder, set));
    }
    let sources = [
        "images",
        "secretProviderClasses",
        "volumes",
        "apiServer",
        "flux",
        "externalSecrets",
        "akv2k8s",
        "keda",
        "velero",
        "externalNames",
        "annotations",
        "environment",
        "dapr",
    ];
    for source in sources {
        writeln!(text, "# {source} alone").expect("a string takes all");
        let others = sources.iter().filter(|other| **other != source);
        let mut set: Vec<String> = others
            .map(|other| format!("observer.discovery.sources.{other}=false"))
            .collect();
        set.push(format!("observer.discovery.sources.{source}=true"));
        set.push("observer.crd.enabled=false".to_owned());
        let set: Vec<&str> = set.iter().map(String::as_str).collect();
        text.push_str(&rights_of(&folder, &set));
    }
    kubectl(&["-n", NAMESPACE, "delete", "serviceaccount", "bare"]);
    let golden = include_str!("rights.txt");
    let file = folder.join("observer-rights.txt");
    fs::write(&file, &text).expect("a file of the run's own");
    assert_eq!(
        text, golden,
        "the rights are not those of tests/e2e/observer/rights.txt"
    );
}

/// What the observer's account may do beside what any account may.
fn rights_of(folder: &Path, set: &[&str]) -> String {
    let mut arguments = vec![
        "template",
        "rights",
        CHART,
        "--namespace",
        NAMESPACE,
        "--show-only",
        "templates/observer-rbac.yaml",
        "--set",
        "clusterDns=10.96.0.10",
        // The rights of the fleet are in the tests of the chart.
        "--set",
        "observer.fleet.enabled=false",
    ];
    for value in set {
        arguments.extend(["--set", value]);
    }
    let file = folder.join("rbac.yaml");
    fs::write(&file, run(SHORT, "helm", &arguments)).expect("a file of the run's own");
    let file = file.to_str().expect("a path of plain text");
    kubectl(&["apply", "-f", file]);
    let list = |account: &str, namespace: &str| {
        let account = format!("--as=system:serviceaccount:{NAMESPACE}:{account}");
        let listed = kubectl(&[
            "auth",
            "can-i",
            "--list",
            "--no-headers",
            &account,
            "-n",
            namespace,
        ]);
        let mut lines: Vec<String> = listed
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        lines.sort();
        lines
    };
    let mut text = String::new();
    for namespace in [NAMESPACE, SHOP] {
        let bare = list("bare", namespace);
        let its = list(&format!("rights-{OBSERVER}"), namespace);
        for line in its.iter().filter(|line| !bare.contains(line)) {
            writeln!(text, "{namespace}: {line}").expect("a string takes all");
        }
    }
    kubectl(&["delete", "-f", file]);
    text
}

pub(super) fn right_withdrawn(world: &mut World) {
    install(world, &json!({}));
    let folder = world.folder("observer");
    let role = format!("{NAMESPACE}-{OBSERVER}");
    let whole = kubectl_json(&["get", "clusterrole", &role]);
    let mut less = whole.clone();
    let rules = less["rules"].as_array_mut().expect("rules");
    for rule in &mut *rules {
        let resources = rule["resources"].as_array_mut().expect("resources");
        resources.retain(|resource| resource != "persistentvolumes");
    }
    rules.retain(|rule| {
        rule["resources"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    });
    let replace = |role: &Value| {
        let mut role = role.clone();
        for key in [
            "resourceVersion",
            "uid",
            "creationTimestamp",
            "managedFields",
        ] {
            role["metadata"]
                .as_object_mut()
                .expect("metadata")
                .remove(key);
        }
        let file = folder.join("role.json");
        fs::write(&file, role.to_string()).expect("a file of the run's own");
        kubectl(&[
            "replace",
            "-f",
            file.to_str().expect("a path of plain text"),
        ]);
    };
    replace(&less);
    let (leader, _) = leader_and_other();
    let ((), noticed) = eventually(Duration::from_secs(150), || {
        same(
            "volumes",
            &leader.state("volumes")?,
            &"forbidden".to_owned(),
        )
    });
    assert_eq!(leader.state("images"), Ok("ok".to_owned()));
    apply(
        &folder,
        &[
            namespace(SHOP),
            deployment("meanwhile", 0, &pod_spec("meanwhile.azurecr.io/a:1")),
        ],
    );
    eventually(Duration::from_mins(1), || {
        same(
            "published",
            &published().contains("meanwhile.azurecr.io"),
            &true,
        )
    });
    replace(&whole);
    let ((), recovered) = eventually(Duration::from_mins(3), || {
        same("volumes", &leader.state("volumes")?, &"ok".to_owned())
    });
    world.notes.push(format!(
        "a withdrawn right was noticed after {:.0} s, and its return after {:.0} s",
        noticed.as_secs_f64(),
        recovered.as_secs_f64()
    ));
}
