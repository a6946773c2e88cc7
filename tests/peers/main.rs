//! Peers: the real programs the agent meets in the field, BIND, unbound, CoreDNS, `PostgreSQL`,
//! `MariaDB` and Prometheus, each started as a process of its own on loopback, with the real agent
//! against them.
//!
//! The feature `peers` gates them, because they need those programs on PATH:
//! `tests/tools/install` brings them, `tests/run all` does both.

mod agent;
mod child;
mod dashboards;
mod database;
mod delivery;
mod dns;
mod failover;
mod monitoring;
mod openssl;
mod oracle;
mod prometheus;
mod protected;
mod rejections;
mod rules;
mod service;
mod starttls;
mod truncation;
mod upstreams;
mod worlds;
mod zones;

#[path = "../grafana/dashboard.rs"]
#[allow(
    dead_code,
    reason = "the tests of the chart and in a cluster use the rest"
)]
mod dashboard;
