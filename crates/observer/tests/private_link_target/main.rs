//! `PrivateLinkTarget`: what tenants write, what becomes of it, and what they read about it.

mod admission;
mod agents;
mod crd;
mod objects;
mod status;

use kube::runtime::watcher::Event;
use privatelink_observer::private_link_target::admission::{Admission, AdmissionRules};
use privatelink_observer::private_link_target::checked::WatchedTarget;
use privatelink_observer::private_link_target::objects::TargetObjects;
use serde_json::{Value, json};

/// Rules with room, which allow no host beside the catalogue's.
fn rules() -> AdmissionRules {
    AdmissionRules {
        most_per_namespace: 50,
        most: 500,
        ..AdmissionRules::default()
    }
}

/// An object as the API server sends it. `minute` says when it was made.
fn object(name: &str, minute: u8, spec: &Value) -> Value {
    let (namespace, name) = name.split_once('/').expect("a namespace");
    json!({
        "apiVersion": "privatelink-prober.dev/v1alpha1",
        "kind": "PrivateLinkTarget",
        "metadata": {
            "namespace": namespace,
            "name": name,
            "generation": 3,
            "creationTimestamp": format!("2026-01-01T00:{minute:02}:00Z"),
        },
        "spec": spec,
    })
}

/// The object as the watch reads it.
fn watched(object: &Value) -> WatchedTarget {
    serde_json::from_value(object.clone()).expect("reading never fails")
}

/// The objects after they were listed.
fn listed(objects: &[Value]) -> TargetObjects {
    let mut kept = TargetObjects::default();
    kept.take("", Event::Init);
    for object in objects {
        kept.take("", Event::InitApply(watched(object)));
    }
    kept.take("", Event::InitDone);
    kept
}

/// What is decided over these objects, which are made one after the other.
fn decided(specs: &[(&str, Value)], rules: &AdmissionRules) -> Admission {
    let objects: Vec<_> = (0..)
        .zip(specs)
        .map(|(minute, (name, spec))| object(name, minute, spec))
        .collect();
    privatelink_observer::private_link_target::admission::admission(listed(&objects).iter(), rules)
}

/// The reason and the message for the object of this name.
fn said<'a>(admission: &'a Admission, name: &str) -> (&'static str, &'a str) {
    let decision = admission
        .decisions
        .iter()
        .find(|decision| format!("{}/{}", decision.key.namespace, decision.key.name) == name);
    let decision = decision.unwrap_or_else(|| panic!("nothing is said of {name}"));
    (decision.reason.as_str(), &decision.message)
}

/// The reason and the message for an object with this spec alone.
fn verdict(spec: &Value) -> (&'static str, String) {
    let admission = decided(&[("a/a", spec.clone())], &rules());
    let (reason, message) = said(&admission, "a/a");
    (reason, message.to_owned())
}
