//! Paths: two nodes, one configuration, and only the networks differ.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::cluster::{Agent, NODES, agent};
use super::command::{eventually, same};
use super::harness::Test;
use super::release::{self, CENTRAL_DNS, INTERVAL, SLACK};
use super::world::World;
use super::zones::{REGISTRY, STORAGE, TTL, VAULT};

pub(crate) const TESTS: &[Test] = &[
    (
        "with LocalDNS node-a is healthy and node-b falls back on both paths",
        local_dns,
    ),
    (
        "the metrics say so in Prometheus, by the chart's relabelling",
        metrics,
    ),
];

/// Once the signals of the fallback were looked at.
pub(crate) const LATER: &[Test] = &[(
    "a zone linked for node-b heals it within one interval plus TTL",
    heal,
)];

/// Once all was healthy, so that the pods' answers stay what they are.
pub(crate) const LAST: &[Test] = &[(
    "with one CoreDNS for all pods agree, and node-b's own path differs",
    central_dns,
)];

/// What the values of most tests make the agents probe.
const TARGETS: [&str; 4] = ["vault", "registry", "registry:data:westeurope", "storage"];

/// Other resolvers are asked at every fifth probe.
const COMPARED: Duration = Duration::from_secs(INTERVAL * 5 + SLACK);

fn local_dns(world: &mut World) {
    world.as_installed();
    for target in TARGETS {
        eventually(COMPARED, || reasons(target, ["ok", fallback_or_ok(target)]));
    }
    // Each judged on the path that its users take, and the other path compared.
    for (target, judged, compared) in [("vault", "pod", "node"), ("registry", "node", "pod")] {
        eventually(COMPARED, || {
            for (node, class) in [("node-a", "private"), ("node-b", "public")] {
                let report = agent(node).target(target)?;
                same(
                    "the judged path",
                    &report["dns"]["resolver"],
                    &Value::from(judged),
                )?;
                same(
                    "its class",
                    &report["dns"]["addresses"][0]["class"],
                    &Value::from(class),
                )?;
                let other = &report["resolvers"][0];
                same(
                    "the compared path",
                    &other["resolver"],
                    &Value::from(compared),
                )?;
                same(
                    "its class",
                    &other["addresses"][0]["class"],
                    &Value::from(class),
                )?;
                same("whether they agree", &other["agrees"], &Value::from(true))?;
            }
            Ok(())
        });
    }
    let vault = agent("node-b").target("vault").expect("a report");
    assert_eq!(vault["dns"]["addresses"][0]["ip"], VAULT.public.to_string());
    assert_eq!(vault["dns"]["zoneAuthority"], "public");
    assert_eq!(
        vault["connections"][0]["tls"], "ok",
        "the front end answers, and yet it fails: {vault:#}"
    );
    let storage = agent("node-b").target("storage").expect("a report");
    assert_eq!(
        storage["dns"]["addresses"][0]["ip"],
        STORAGE.private.to_string()
    );
}

fn fallback_or_ok(target: &str) -> &'static str {
    if target == "storage" {
        "ok"
    } else {
        "public_fallback"
    }
}

fn metrics(world: &mut World) {
    world.as_installed();
    let prometheus = world.prometheus();
    let limit = Duration::from_secs(INTERVAL + SLACK);
    prometheus.expect(
        limit * 2,
        "privatelink_dns_public_fallback{target=~\"vault|registry|storage\"}",
        &["node", "target"],
        &[
            "node-a registry 0",
            "node-a storage 0",
            "node-a vault 0",
            "node-b registry 1",
            "node-b storage 0",
            "node-b vault 1",
        ],
    );
    prometheus.expect(
        limit,
        "privatelink_probe_reason{target=\"vault\"}",
        &["node", "reason", "stage"],
        &["node-a ok none 1", "node-b public_fallback address 1"],
    );
    // `up` is Prometheus' own: only the relabelling gives it the node.
    prometheus.expect(
        limit,
        "up",
        &["node", "job"],
        &["node-a privatelink-prober 1", "node-b privatelink-prober 1"],
    );
    prometheus.expect(
        limit,
        "count by (node) (process_resident_memory_bytes)",
        &["node"],
        &["node-a 1", "node-b 1"],
    );
}

fn heal(world: &mut World) {
    world.as_installed();
    eventually(COMPARED, || reasons("vault", ["ok", "public_fallback"]));
    world.azure.link_all();
    let limit = Duration::from_secs(INTERVAL + TTL + SLACK);
    let started = Instant::now();
    let mut healed = Vec::new();
    for target in ["vault", "registry"] {
        let left = limit.saturating_sub(started.elapsed());
        eventually(left, || {
            let report = agent("node-b").target(target)?;
            same(
                "its address",
                &report["dns"]["addresses"][0]["class"],
                &Value::from("private"),
            )?;
            same("whether it fails", &(report["outcome"] == "fail"), &false)
        });
        healed.push(started.elapsed().as_secs_f64());
    }
    // The path that is only compared may have been asked while its cache still held the public address.
    eventually(COMPARED, || {
        TARGETS
            .iter()
            .try_for_each(|target| reasons(target, ["ok", "ok"]))
    });
    let all = started.elapsed().as_secs_f64();
    let prometheus = world.prometheus();
    prometheus.expect(
        limit,
        "max by (node) (privatelink_dns_public_fallback)",
        &["node"],
        &["node-a 0", "node-b 0"],
    );
    world.notes.push(format!(
        "healed after {:.1} s on the pod path and {:.1} s on the node path, the last doubt gone after {all:.1} s",
        healed[0], healed[1]
    ));
}

fn central_dns(world: &mut World) {
    world.healthy();
    world.release.ensure(release::values(CENTRAL_DNS));
    world.azure.restore();
    eventually(COMPARED, || {
        let (a, b) = (
            agent("node-a").target("vault")?,
            agent("node-b").target("vault")?,
        );
        for report in [&a, &b] {
            same("pods resolve", &ip(report), &VAULT.private.to_string())?;
            same("by", &report["dns"]["resolver"], &Value::from("pod"))?;
        }
        same("node-a is", &a["reason"], &Value::from("ok"))?;
        same(
            "node-b is",
            &b["reason"],
            &Value::from("resolver_disagreement"),
        )?;
        same("which is a", &b["outcome"], &Value::from("warn"))
    });
    // The registry is judged on the node path, and fails on node-b alone.
    eventually(COMPARED, || {
        reasons("registry", ["ok", "public_fallback"])?;
        let report = agent("node-b").target("registry")?;
        same(
            "the registry's path",
            &report["dns"]["resolver"],
            &Value::from("node"),
        )?;
        same("its address", &ip(&report), &REGISTRY.public.to_string())?;
        same("its outcome", &report["outcome"], &Value::from("fail"))
    });
    let prometheus = world.prometheus();
    let limit = Duration::from_secs(INTERVAL + SLACK);
    // node-a is ok before it has compared.
    prometheus.expect(
        COMPARED,
        "privatelink_resolver_agrees{target=\"vault\",node=~\"node-[ab]\"}",
        &["node", "resolver"],
        &["node-a node 1", "node-b node 0"],
    );
    prometheus.expect(
        limit,
        "privatelink_probe_success{target=~\"vault|registry\",node=~\"node-[ab]\"}",
        &["node", "target"],
        &[
            "node-a registry 1",
            "node-a vault 1",
            "node-b registry 0",
            "node-b vault 1",
        ],
    );
}

/// Whether the agents of node-a and node-b give these reasons for a target.
pub(crate) fn reasons(target: &str, wanted: [&str; 2]) -> Result<(), String> {
    for (node, wanted) in NODES.iter().zip(wanted) {
        let agent: Agent = agent(node);
        same(
            &format!("{target} on {node}"),
            &agent.reason(target)?,
            &wanted.to_owned(),
        )?;
    }
    Ok(())
}

fn ip(report: &Value) -> String {
    report["dns"]["addresses"][0]["ip"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}
