//! Many objects: 22,000 pods of 2,000 workloads on 200 nodes, and 20,000 volumes.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Node, PersistentVolume, Pod};
use kube::api::DeleteParams;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::figures::Figures;
use crate::objects::{create, create_own, until};
use crate::program::Observer;

const NODES: usize = 200;
const PODS: usize = NODES * 110;
const WORKLOADS: usize = 2_000;
const NAMESPACES: usize = 100;
const VOLUMES: usize = 20_000;

/// Registries and storage accounts that they use.
const REGISTRIES: usize = 20;
const ACCOUNTS: usize = 80;

/// Pods that change in a minute: each node restarts one in ten minutes.
const CHANGES_A_MINUTE: usize = NODES / 10;

/// How long the observer is looked at, at rest and while pods change.
const REST: Duration = Duration::from_mins(1);

/// What the chart lets the observer take, in KiB: observer.resources.limits.memory.
const MOST_MEMORY: u64 = 256 << 10;

#[tokio::test]
async fn a_large_cluster_is_read() {
    let client = Client::try_default().await;
    let client = client.expect("KUBECONFIG names a cluster");
    create_own(&client).await;
    let mut observer = Observer::start(&[]);
    until("it serves", Duration::from_secs(20), async || {
        observer.get("/metrics").await
    })
    .await;
    sleep(REST).await;
    let empty = Figures::of(&client, &observer).await;
    sleep(REST).await;
    println!(
        "without objects, at rest: {}",
        Figures::of(&client, &observer).await.since(&empty)
    );
    observer.stop().await;

    let started = Instant::now();
    populate(&client).await;
    println!(
        "{PODS} pods, {WORKLOADS} workloads and {VOLUMES} volumes in {} s",
        started.elapsed().as_secs()
    );
    let mut observer = Observer::start(&[]);
    let started = Instant::now();
    let wanted = REGISTRIES + ACCOUNTS;
    until("all is found", Duration::from_mins(2), async || {
        let metrics = observer.get("/metrics").await?;
        let lines = metrics.lines();
        let lines = lines.filter(|line| line.starts_with("privatelink_observer_targets{"));
        let found = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok());
        (found.sum::<usize>() >= wanted).then_some(())
    })
    .await;
    println!(
        "found {wanted} targets in {:.1} s",
        started.elapsed().as_secs_f64()
    );
    let before = Figures::of(&client, &observer).await;
    sleep(REST).await;
    let rest = Figures::of(&client, &observer).await.since(&before);
    println!("with all of them, at rest: {rest}");
    let before = Figures::of(&client, &observer).await;
    change(&client).await;
    let changing = Figures::of(&client, &observer).await.since(&before);
    println!("while {CHANGES_A_MINUTE} pods a minute change: {changing}");
    assert!(changing.rss < MOST_MEMORY, "{changing}");
    observer.stop().await;
}

/// Replaces pods one by one, as fast as a large cluster does.
async fn change(client: &Client) {
    let started = Instant::now();
    let pause = REST / u32::try_from(CHANGES_A_MINUTE).expect("few");
    for number in 0..CHANGES_A_MINUTE {
        let (namespace, name) = pod_name(number);
        let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
        pods.delete(&name, &DeleteParams::default().grace_period(0))
            .await
            .expect("a pod is deleted");
        create(&pods, pod(number)).await;
        sleep(
            (pause * (u32::try_from(number).expect("few") + 1)).saturating_sub(started.elapsed()),
        )
        .await;
    }
}

async fn populate(client: &Client) {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    for number in 0..NAMESPACES {
        create(
            &namespaces,
            json!({"metadata": {"name": namespace(number)}}),
        )
        .await;
    }
    let nodes: Api<Node> = Api::all(client.clone());
    let volumes: Api<PersistentVolume> = Api::all(client.clone());
    each(NODES, async |number| {
        create(&nodes, json!({"metadata": {"name": node(number)}})).await;
    })
    .await;
    each(WORKLOADS, async |number| {
        let api: Api<Deployment> = Api::namespaced(client.clone(), &namespace(number));
        create(&api, deployment(number)).await;
    })
    .await;
    each(PODS, async |number| {
        let api: Api<Pod> = Api::namespaced(client.clone(), &namespace(number % WORKLOADS));
        create(&api, pod(number)).await;
    })
    .await;
    each(VOLUMES, async |number| {
        create(&volumes, volume(number)).await;
    })
    .await;
}

/// Makes so many objects, 64 at a time.
async fn each(count: usize, make: impl AsyncFn(usize)) {
    stream::iter(0..count)
        .for_each_concurrent(64, |number| make(number))
        .await;
}

fn node(number: usize) -> String {
    format!("aks-pool{}-38472910-vmss{number:06}", number % 5)
}

/// The namespace of a workload.
fn namespace(workload: usize) -> String {
    format!("team-{:02}", workload % NAMESPACES)
}

fn pod_name(number: usize) -> (String, String) {
    let workload = number % WORKLOADS;
    (
        namespace(workload),
        format!("web-{workload}-7d4b9c6f5-{number}"),
    )
}

/// What the pods of a workload run. The filler stands for what nothing reads: probes, environments, tolerations.
fn pod_spec(workload: usize, node: Option<&str>) -> Value {
    json!({
        "nodeName": node,
        "automountServiceAccountToken": false,
        "containers": [
            {"name": "web", "image": format!("registry{}.azurecr.io/team/web:v{workload}", workload % REGISTRIES),
             "env": [{"name": "SETTINGS", "value": "x".repeat(1_500)}]},
            {"name": "proxy", "image": "mcr.microsoft.com/oss/istio/proxyv2:1.24"},
        ],
    })
}

fn pod(number: usize) -> Value {
    let (namespace, name) = pod_name(number);
    let workload = number % WORKLOADS;
    json!({
        "metadata": {
            "namespace": namespace, "name": name,
            "labels": {"app": "web", "pod-template-hash": "7d4b9c6f5"},
            "annotations": {"filler": "x".repeat(1_000)},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("web-{workload}-7d4b9c6f5"),
                "uid": "4f6bb3a6-5a7b-4f53-9d0c-3f0b3d7d5c11", "controller": true,
            }],
        },
        "spec": pod_spec(workload, Some(&node(number % NODES))),
    })
}

fn deployment(workload: usize) -> Value {
    let labels = json!({"app": "web"});
    json!({
        "metadata": {"namespace": namespace(workload), "name": format!("web-{workload}")},
        "spec": {
            "replicas": PODS / WORKLOADS, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod_spec(workload, None)},
        },
    })
}

fn volume(number: usize) -> Value {
    let account = format!("stteam{}", number % ACCOUNTS);
    json!({
        "metadata": {"name": format!("pvc-{number:032}"), "annotations": {"filler": "x".repeat(500)}},
        "spec": {
            "capacity": {"storage": "100Gi"}, "accessModes": ["ReadWriteMany"],
            "claimRef": {"kind": "PersistentVolumeClaim", "namespace": namespace(number), "name": format!("data-{number}")},
            "csi": {
                "driver": "file.csi.azure.com",
                "volumeHandle": format!("mc_group#{account}#pvc-{number:032}###{}", namespace(number)),
                "volumeAttributes": {"storageaccount": account, "sharename": format!("pvc-{number:032}")},
            },
        },
    })
}
