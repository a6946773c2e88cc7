//! Secrets: what the cluster's objects hold beside the names of services is shown nowhere.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    DELIVERY, SHOP, apply, deployment, install, namespace, pod_spec, probed, published, replicas,
};
use crate::cluster::agents;
use crate::command::{eventually, kubectl};
use crate::http::get;
use crate::release::NAMESPACE;
use crate::world::World;

/// What no object of the cluster may be quoted with.
const MARK: &str = "s3cr3t-of-the-test";

pub(super) fn no_secret(world: &mut World) {
    let sources = json!({"environment": true, "dapr": true});
    install(world, &json!({"discovery": {"sources": sources}}));
    let folder = world.folder("observer");
    apply(&folder, &secretive());
    // Each of these is read from an object that holds the mark.
    let hosts = [
        "kv-env.vault.azure.net",
        "kv-note.vault.azure.net",
        "stvolume.blob.core.windows.net",
    ];
    eventually(DELIVERY, || {
        let text = published();
        let missing = hosts.iter().find(|host| !text.contains(*host));
        missing.map_or(Ok(()), |host| Err(format!("no {host} in {text}")))
    });
    eventually(DELIVERY, || {
        for agent in agents() {
            probed(&agent, hosts[0])?;
        }
        Ok(())
    });
    for (place, text) in shown() {
        assert!(!text.trim().is_empty(), "nothing at {place}");
        assert!(!text.contains(MARK), "{place}: {text}");
    }
    kubectl(&["delete", "namespace", SHOP, "--wait=false"]);
    let volumes = ["delete", "persistentvolume", "share", "secretive"];
    kubectl(&[&volumes[..], &["--ignore-not-found"]].concat());
    let system = ["-n", "kube-system", "delete", "deployment", "konnectivity"];
    kubectl(&[&system[..], &["--ignore-not-found"]].concat());
}

/// Objects with the mark in every field that may hold a secret.
fn secretive() -> Vec<Value> {
    let mut spec = pod_spec("localhost/pause:1");
    spec["containers"][0]["env"] = json!([
        {"name": "STORAGE", "value": format!("AccountName=stsecret;AccountKey={MARK}==")},
        {"name": "VAULT", "value": format!("https://user:{MARK}@kv-env.vault.azure.net/?code={MARK}")},
        {"name": "PASSWORD", "value": MARK},
    ]);
    spec["containers"][0]["args"] = json!([format!("--key={MARK}"), MARK]);
    let mut annotated = deployment("secretive", 1, &spec);
    annotated["metadata"]["annotations"] = json!({"note": MARK});
    let hosts = format!("kv-note.vault.azure.net, {MARK}");
    annotated["spec"]["template"]["metadata"]["annotations"] =
        json!({"privatelink-prober.dev/hosts": hosts});
    vec![
        namespace(SHOP),
        json!({"apiVersion": "v1", "kind": "Secret",
               "metadata": {"namespace": SHOP, "name": "secret"}, "stringData": {"a": MARK}}),
        annotated,
        json!({"apiVersion": "secrets-store.csi.x-k8s.io/v1", "kind": "SecretProviderClass",
               "metadata": {"namespace": SHOP, "name": "secretive"},
               "spec": {"provider": "azure", "parameters": {
                   "keyvaultName": MARK, "objects": MARK, "cloudName": MARK}}}),
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "secretive"},
               "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"],
                        "csi": {"driver": "blob.csi.azure.com", "volumeHandle": format!("a#{MARK}"),
                                "volumeAttributes": {"key": MARK, "storageAccount": "stvolume"}}}}),
        json!({"apiVersion": "dapr.io/v1alpha1", "kind": "Component",
               "metadata": {"namespace": SHOP, "name": "secretive"},
               "spec": {"type": "bindings.azure.storagequeues", "version": "v1", "metadata": [
                   {"name": "storageAccount", "value": "stdapr"},
                   {"name": "storageAccessKey", "value": MARK}]}}),
    ]
}

/// All that observer and agents show, by place.
fn shown() -> BTreeMap<String, String> {
    let mut shown = BTreeMap::new();
    for replica in replicas() {
        for path in ["/", "/metrics"] {
            let (_, text) = get(replica.address, path).expect("an answer");
            shown.insert(format!("{}{path}", replica.pod), text);
        }
    }
    for agent in agents() {
        for path in ["/", "/metrics", "/api/v1/targets", "/api/v1/summary"] {
            let address = agent.address.expect("an address");
            let (_, text) = get(address, path).expect("an answer");
            shown.insert(format!("{}{path}", agent.pod), text);
        }
    }
    for component in ["agent", "observer"] {
        let label = format!("app.kubernetes.io/component={component}");
        let logs = ["-n", NAMESPACE, "logs", "--tail=-1", "-l", &label];
        shown.insert(format!("logs of {component}"), kubectl(&logs));
    }
    shown.insert("the ConfigMap".to_owned(), published());
    for namespace in [NAMESPACE, "default"] {
        let events = ["-n", namespace, "get", "events", "-o", "json"];
        shown.insert(format!("events of {namespace}"), kubectl(&events));
    }
    shown
}
