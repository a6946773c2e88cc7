//! E2e: the agent, its image and its chart in a real cluster, beside a small Azure.
//!
//! A program and not a list of `#[test]`s: the tests share one cluster and one Azure, so they run one
//! after the other, in the order of a cluster's life. `tests/e2e/run` builds what it needs, starts the
//! cluster, runs this inside it and removes everything.

mod azure;
mod check_as;
mod cluster;
mod command;
mod faults;
mod fleet;
mod footprint;
mod harness;
mod host_network;
mod http;
mod install;
mod life;
mod monitor;
mod monitoring;
mod observer;
mod paths;
mod published;
mod release;
mod services;
mod upgrade;
mod web;
mod world;
mod zones;

#[path = "../grafana/dashboard.rs"]
#[allow(
    dead_code,
    reason = "the tests of the chart and the peers use the rest"
)]
mod dashboard;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        // This program again, in the network namespace that plays Azure.
        [mode, folder] if mode == services::MODE => services::serve(folder.as_ref()),
        filters => harness::run(filters),
    }
}
