//! Chart: from values Helm renders manifests that a cluster accepts and a configuration that the agent
//! accepts, or it refuses the values with a message.
//!
//! These tests need helm, kubeconform, kustomize and promtool on PATH, so the feature `chart` enables
//! them. `tests/tools/install` installs the programs; `tests/run all` installs them and runs the tests.
//! The end-to-end tests cover what needs a cluster: Helm's look-ups, admission, the kubelet.

mod agree;
mod compose;
mod dashboards;
mod deploy;
mod examples;
mod helm;
mod host_network;
mod install;
mod manifests;
mod monitors;
mod notes;
mod observer;
mod refuse;
mod rules;
mod secure;
mod values;
mod web;

#[path = "../grafana/dashboard.rs"]
#[allow(dead_code, reason = "the tests with a Prometheus use the rest")]
mod dashboard;
