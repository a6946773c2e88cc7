//! Chart: what Helm makes of values: manifests that a cluster takes, a configuration that the agent
//! takes, or a refusal that says what to write instead.
//!
//! The feature `chart` gates these tests, because they need helm, kubeconform, kustomize and promtool on
//! PATH: `tests/tools/install` brings them, `tests/run all` does both. What only a cluster can tell
//! (Helm's look-ups, admission, the kubelet) is tested end to end.

mod agree;
mod compose;
mod dashboard;
mod deploy;
mod helm;
mod install;
mod manifests;
mod monitors;
mod notes;
mod refuse;
mod rules;
mod secure;
mod values;
