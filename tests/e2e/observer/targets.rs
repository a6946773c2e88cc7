//! Targets: what the cluster uses becomes targets of all agents, and what a team declares.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::leader::begin_races;
use super::rights::withdraw;
use super::{
    DELIVERY, LINGER, SHOP, USED, apply, install, namespace, probed, published, replicas, workloads,
};
use crate::cluster::{NODES, agents};
use crate::command::{SHORT, eventually, kubectl, kubectl_json, run, same, throughout};
use crate::http::get;
use crate::world::World;
use crate::zones::VAULT;

pub(super) fn found(world: &mut World) {
    install(world, &json!({}));
    let folder = world.folder("observer");
    load_image(&folder, "running.azurecr.io/web:1");
    apply(&folder, &workloads());
    let ((), time) = eventually(Duration::from_mins(2), || {
        let agents = agents();
        // Another node may have joined.
        same(
            "every node has an agent",
            &(agents.len() >= NODES.len()),
            &true,
        )?;
        for agent in &agents {
            for host in USED {
                probed(agent, host)?;
            }
        }
        Ok(())
    });
    world.notes.push(format!(
        "from the objects to the verdicts of all agents: {:.0} s",
        time.as_secs_f64()
    ));
    let agent = &agents()[0];
    let users = |host: &str| probed(agent, host).expect("it was probed")["examples"].clone();
    assert_eq!(users(USED[0]), json!(["Deployment shop/web"]));
    assert_eq!(users(USED[1]), json!(["CronJob shop/nightly"]));
    assert_eq!(users(USED[2]), json!(["Deployment shop/mounts"]));
    assert_eq!(users(USED[3]), json!(["PersistentVolume share"]));
    assert_eq!(
        users(USED[4]),
        json!(["Deployment kube-system/konnectivity"])
    );
    for source in ["images", "secretProviderClasses", "volumes", "apiServer"] {
        for replica in replicas() {
            assert_eq!(replica.state(source), Ok("ok".to_owned()), "{source}");
        }
    }
    let (_, page) = get(replicas()[0].address, "/").expect("a page");
    assert!(page.contains("kv-shop.vault.azure.net"), "{page}");
}

/// Makes an image of this name from a program that waits.
fn load_image(folder: &Path, name: &str) {
    let archive = folder.join("image.tar");
    let archive = archive.to_str().expect("a path of plain text");
    let pause = run(SHORT, "sh", &["-c", "command -v pause"]);
    let script = |name: &str| format!("{}/tests/cluster/{name}", env!("CARGO_MANIFEST_DIR"));
    run(SHORT, &script("pack"), &[name, archive, pause.trim()]);
    run(SHORT, &script("cluster"), &["load", archive]);
}

pub(super) fn gone(world: &mut World) {
    install(world, &json!({}));
    let folder = world.folder("observer");
    apply(&folder, &workloads());
    let has = |host: &str| published().contains(host);
    eventually(DELIVERY, || same("published", &has(USED[1]), &true));
    begin_races(world);
    kubectl(&["-n", SHOP, "delete", "cronjob", "nightly"]);
    let deleted = Instant::now();
    throughout(LINGER / 2, || same("published", &has(USED[1]), &true));
    eventually(LINGER + Duration::from_secs(40), || {
        same("published", &has(USED[1]), &false)
    });
    assert!(deleted.elapsed() >= LINGER, "{:?}", deleted.elapsed());
    eventually(DELIVERY, || {
        let mut agents = agents().into_iter();
        let left = agents.find(|agent| agent.target(USED[1]).is_ok());
        left.map_or(Ok(()), |agent| Err(format!("{} has it", agent.pod)))
    });
    assert!(has(USED[0]), "what is used stays");
}

pub(super) fn declared(world: &mut World) {
    install(world, &json!({}));
    withdraw(world);
    let folder = world.folder("observer");
    let object = |name: &str, spec: Value| {
        json!({"apiVersion": "privatelink-prober.dev/v1alpha1", "kind": "PrivateLinkTarget",
               "metadata": {"namespace": SHOP, "name": name}, "spec": spec})
    };
    apply(
        &folder,
        &[
            namespace(SHOP),
            object("vault", json!({"host": VAULT.host, "owner": "shop"})),
            object(
                "port",
                json!({"host": "kv2-e2e.vault.azure.net", "port": 22}),
            ),
            object("inside", json!({"host": "web.shop.svc.cluster.local"})),
        ],
    );
    let ((), time) = eventually(DELIVERY + Duration::from_secs(30), || {
        for agent in agents() {
            let target = agent.target("shop:vault")?;
            same("source", &target["source"], &json!("crd"))?;
            same("reason", &target["reason"], &json!("ok"))?;
        }
        Ok(())
    });
    world.notes.push(format!(
        "from the object to the verdicts of all agents: {:.0} s",
        time.as_secs_f64()
    ));
    let accepted = |name: &str| {
        let object = kubectl_json(&["-n", SHOP, "get", "privatelinktarget", name]);
        let condition = &object["status"]["conditions"][0];
        (condition["status"].clone(), condition["reason"].clone())
    };
    for (name, status, reason) in [
        ("vault", "True", "Accepted"),
        ("port", "False", "PortNotAllowed"),
        ("inside", "False", "ClusterInternalHost"),
    ] {
        eventually(Duration::from_secs(70), || {
            same(name, &accepted(name), &(json!(status), json!(reason)))
        });
    }
    assert!(!published().contains("svc.cluster.local"));
    kubectl(&["-n", SHOP, "delete", "privatelinktargets", "--all"]);
    eventually(Duration::from_mins(1), || {
        same("published", &published().contains("shop:vault"), &false)
    });
}
