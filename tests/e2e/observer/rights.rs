//! Rights: what the observer's account may do, and what happens when it may not.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    OBSERVER, SHOP, apply, deployment, install, leader_and_other, namespace, pod_spec, published,
};
use crate::command::{SHORT, eventually, kubectl, kubectl_json, run, same};
use crate::fleet::as_json;
use crate::release::{CHART, NAMESPACE};
use crate::world::World;

/// The installations whose rights the golden file lists: a name, and what is set.
const INSTALLATIONS: &[(&str, &[&str])] = &[
    ("as it comes", &[]),
    ("without discovery", &[NO_DISCOVERY, NO_FLEET]),
    ("without declared targets", &[NO_CRD, NO_FLEET]),
    ("in one namespace", &["observer.namespaces={shop}"]),
    ("the fleet alone", &[NO_DISCOVERY, NO_CRD]),
    (
        "the fleet alone, without events",
        &[NO_DISCOVERY, NO_CRD, "observer.fleet.events=false"],
    ),
    (
        "to find out the address of the cluster's DNS",
        &["clusterDns=", NO_DISCOVERY, NO_CRD, NO_FLEET],
    ),
    (
        "to ask who may read",
        &[
            "observer.authorization.enabled=true",
            NO_DISCOVERY,
            NO_CRD,
            NO_FLEET,
        ],
    ),
];

const NO_DISCOVERY: &str = "observer.discovery.enabled=false";
const NO_CRD: &str = "observer.crd.enabled=false";
const NO_FLEET: &str = "observer.fleet.enabled=false";

/// Where rights are listed: the release's own namespace, that of a team, that of the service of the cluster's DNS,
/// and that of events about nodes.
const LISTED: [&str; 4] = [NAMESPACE, SHOP, "kube-system", "default"];

/// How long a new rule may take until the API server goes by it.
const IN_FORCE: Duration = Duration::from_secs(5);

pub(super) fn rights(world: &mut World) {
    let folder = world.folder("rights");
    apply(&folder, &[namespace(SHOP)]);
    kubectl(&["-n", NAMESPACE, "create", "serviceaccount", "bare"]);
    let bare = LISTED.map(|namespace| listed("bare", namespace));
    let golden = include_str!("rights.txt");
    let mut text = String::new();
    let mut add = |name: &str, set: &[&str]| {
        let heading = format!("# {name}\n");
        let expected = golden.split_once(&heading).map_or("", |(_, rest)| rest);
        let expected = expected
            .split_once("# ")
            .map_or(expected, |(section, _)| section);
        text.push_str(&heading);
        text.push_str(&rights_of(&folder, &bare, set, expected));
    };
    for (name, set) in INSTALLATIONS {
        add(name, set);
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
        let others = sources.iter().filter(|other| **other != source);
        let mut set: Vec<String> = others
            .map(|other| format!("observer.discovery.sources.{other}=false"))
            .collect();
        set.push(format!("observer.discovery.sources.{source}=true"));
        set.extend([NO_CRD, NO_FLEET].map(str::to_owned));
        let set: Vec<&str> = set.iter().map(String::as_str).collect();
        add(&format!("{source} alone"), &set);
    }
    kubectl(&["-n", NAMESPACE, "delete", "serviceaccount", "bare"]);
    assert_eq!(
        text, golden,
        "the rights are not those of tests/e2e/observer/rights.txt, but:\n{text}"
    );
}

/// What the observer's account may do beside what `bare` may: in every namespace, and in some.
fn rights_of(folder: &Path, bare: &[Vec<String>; 4], set: &[&str], expected: &str) -> String {
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
        // Without discovery and declared targets there must be one.
        "--set",
        "config.targets[0].host=kv-e2e.vault.azure.net",
    ];
    for value in set {
        arguments.extend(["--set", value]);
    }
    let file = folder.join("rbac.yaml");
    fs::write(&file, run(SHORT, "helm", &arguments)).expect("a file of the run's own");
    let file = file.to_str().expect("a path of plain text");
    kubectl(&["apply", "-f", file]);
    let account = format!("rights-{OBSERVER}");
    let started = Instant::now();
    let text = loop {
        let its: Vec<Vec<String>> = LISTED
            .iter()
            .zip(bare)
            .map(|(namespace, bare)| {
                let mut its = listed(&account, namespace);
                its.retain(|line| !bare.contains(line));
                its
            })
            .collect();
        let is_everywhere = |line: &&String| its.iter().all(|lines| lines.contains(line));
        let mut text = String::new();
        for line in its[0].iter().filter(is_everywhere) {
            writeln!(text, "everywhere: {line}").expect("a string takes all");
        }
        for (namespace, lines) in LISTED.iter().zip(&its) {
            for line in lines.iter().filter(|line| !is_everywhere(line)) {
                writeln!(text, "{namespace}: {line}").expect("a string takes all");
            }
        }
        if text == expected || started.elapsed() > IN_FORCE {
            break text;
        }
    };
    kubectl(&["delete", "-f", file]);
    text
}

/// What an account may do in a namespace, a line for each kind.
fn listed(account: &str, namespace: &str) -> Vec<String> {
    let account = format!("--as=system:serviceaccount:{NAMESPACE}:{account}");
    let list = ["auth", "can-i", "--list", "--no-headers", &account, "-n"];
    let listed = kubectl(&[&list[..], &[namespace]].concat());
    let mut lines: Vec<String> = listed
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    lines.sort();
    lines
}

/// Withdraws a right, which takes up to two minutes to be noticed: until the watch ends.
pub(super) fn withdraw(world: &mut World) {
    let whole = kubectl_json(&["get", "clusterrole", &role()]);
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
    replace(&world.folder("rights"), &less);
    world.withdrawn = Some((whole, Instant::now()));
}

pub(super) fn right_withdrawn(world: &mut World) {
    install(world, &json!({}));
    if world.withdrawn.is_none() {
        withdraw(world);
    }
    let (whole, withdrawn) = world.withdrawn.take().expect("it was withdrawn");
    let (leader, _) = leader_and_other();
    eventually(Duration::from_secs(150), || {
        let state = leader.state("volumes")?;
        same("volumes", &state, &"forbidden".to_owned())
    });
    let noticed = withdrawn.elapsed();
    assert_eq!(leader.state("images"), Ok("ok".to_owned()));
    apply(
        &world.folder("observer"),
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
    let (_, report) =
        as_json(&["--gate", "--window", "1m"]).unwrap_or_else(|told| panic!("{told}"));
    let unknown = report["gate"]["unknown"].as_array().into_iter().flatten();
    let sentences: Vec<&str> = unknown
        .filter(|unknown| unknown["why"] == "sources_unknown")
        .filter_map(|unknown| unknown["sentence"].as_str())
        .collect();
    assert!(
        sentences.concat().contains("(volumes)"),
        "the gate does not know what volumes say: {}",
        report["gate"]
    );
    replace(&world.folder("rights"), &whole);
    let ((), recovered) = eventually(Duration::from_mins(3), || {
        same("volumes", &leader.state("volumes")?, &"ok".to_owned())
    });
    world.notes.push(format!(
        "a withdrawn right was noticed within {:.0} s, and its return after {:.0} s",
        noticed.as_secs_f64(),
        recovered.as_secs_f64()
    ));
}

/// The name of the role that the observer has in the whole cluster.
fn role() -> String {
    format!("{NAMESPACE}-{OBSERVER}")
}

/// Puts a role in the place of the one that has its name.
fn replace(folder: &Path, role: &Value) {
    let mut role = role.clone();
    let metadata = role["metadata"].as_object_mut().expect("metadata");
    for key in [
        "resourceVersion",
        "uid",
        "creationTimestamp",
        "managedFields",
    ] {
        metadata.remove(key);
    }
    let file = folder.join("role.json");
    fs::write(&file, role.to_string()).expect("a file of the run's own");
    let file = file.to_str().expect("a path of plain text");
    kubectl(&["replace", "-f", file]);
}
