//! Cluster DNS: where Helm cannot look up the address of the cluster's DNS, the observer hands it to the agents.

use std::fs;

use serde_json::json;

use super::DELIVERY;
use crate::cluster::{Agent, NODES, agents_of};
use crate::command::{SHORT, eventually, kubectl, run, same};
use crate::release::{self, CENTRAL_DNS, CHART, NAME};
use crate::world::World;

/// The namespace of a release of its own: it is applied as a template, and Helm has no cluster to ask then.
const NAMESPACE: &str = "learned";

pub(super) fn learned(world: &mut World) {
    world.azure.link_all();
    let folder = world.folder("learned");
    release::namespace(NAMESPACE, &world.azure.root_pem());
    let mut values = release::values("");
    values["observer"] = json!({
        "replicas": 1, "crd": {"enabled": false}, "discovery": {"enabled": false}, "fleet": {"enabled": false},
    });
    for section in ["serviceMonitor", "prometheusRule"] {
        values[section] = json!({"enabled": false});
    }
    let (file, objects) = (folder.join("values.json"), folder.join("objects.yaml"));
    fs::write(&file, values.to_string()).expect("a file of the run's own");
    let file = file.to_str().expect("a path of plain text");
    let template = [
        "template",
        NAME,
        CHART,
        "--namespace",
        NAMESPACE,
        "--values",
        file,
    ];
    let made = run(SHORT, "helm", &[&template[..], &["--no-hooks"]].concat());
    assert!(
        !made.contains(CENTRAL_DNS),
        "nobody told Helm the address: {made}"
    );
    fs::write(&objects, made).expect("a file of the run's own");
    let objects = objects.to_str().expect("a path of plain text");
    kubectl(&["apply", "-f", objects]);

    let ((), time) = eventually(DELIVERY, || {
        let agents = agents_of(NAMESPACE);
        same(
            "every node has an agent",
            &(agents.len() >= NODES.len()),
            &true,
        )?;
        agents.iter().try_for_each(asks_the_learned_address)
    });
    world.notes.push(format!(
        "agents ask the address {:.0} s after they and the observer were made",
        time.as_secs_f64()
    ));
    kubectl(&["delete", "--wait=false", "-f", objects]);
    kubectl(&["delete", "namespace", NAMESPACE, "--wait=false"]);
}

/// Whether its targets are judged on the path of pods, by what the address answers.
fn asks_the_learned_address(agent: &Agent) -> Result<(), String> {
    let vault = agent.target("vault")?;
    same("reason", &vault["reason"], &json!("ok"))?;
    let path = &vault["dns"];
    same("the path", &path["resolver"], &json!("pod"))?;
    let server = path["queries"][0]["server"].as_str().unwrap_or_default();
    let address = format!("{CENTRAL_DNS}:53");
    same("the server", &server, &&*address).map_err(|complaint| format!("{complaint}: {path}"))
}
