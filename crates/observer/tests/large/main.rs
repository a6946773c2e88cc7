//! Large: the observer's own program, which OBSERVER names, in clusters as large as they come, as a process whose
//! memory and time can be measured. Each test needs an API server of its own, which KUBECONFIG names:
//! tests/e2e/large.

// Without this feature there is no API server to ask.
#![cfg(feature = "cluster")]
#![expect(
    clippy::print_stdout,
    reason = "the figures are for whoever reads the run"
)]

mod figures;
mod many_agents;
mod many_objects;
mod objects;
mod program;
