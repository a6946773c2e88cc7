//! Upstreams: two DNS servers that answer unlike each other, asked directly and behind `CoreDNS`.

use std::net::Ipv4Addr;
use std::sync::Arc;

use privatelink_board::Probed;
use privatelink_machine::Machine;
use privatelink_prober::agent::Agent;
use privatelink_report::metrics::Histograms;
use privatelink_verdict::reason::Reason;

use super::agent::check;
use super::child::{Folder, free_port};
use super::dns::{Bind, Forwarder};
use super::failover::pair;
use super::service::{Authority as Ca, Service};
use super::zones::{ALIAS, Authority, HOST, PUBLIC_NAME, privatelink, vault_zones};

const PRIVATE: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 60);
const PUBLIC: Ipv4Addr = Ipv4Addr::new(127, 0, 2, 60);

/// Probes within which answers at random have flapped: a dozen usually do.
const ROUNDS: usize = 80;

/// A server that sees the private zone.
fn linked(folder: &Folder) -> Bind {
    let zone = privatelink(Authority::Private).address(ALIAS, PRIVATE);
    Bind::start(folder, &vault_zones(&["kv-prod"], zone, PUBLIC))
}

/// A server that sees the public side of it.
fn unlinked(folder: &Folder) -> Bind {
    let zone = privatelink(Authority::Public).alias(ALIAS, PUBLIC_NAME);
    Bind::start(folder, &vault_zones(&["kv-prod"], zone, PUBLIC))
}

#[test]
fn a_second_server_without_the_zone_is_named_before_anything_breaks() {
    let (folder, other) = (Folder::new("linked-pair"), Folder::new("unlinked-pair"));
    let (first, second) = (linked(&folder), unlinked(&other));
    let ca = Ca::new();
    let service = Service::tls(&ca, PRIVATE, free_port(), HOST);
    let config = pair(
        &folder,
        first.address(),
        second.address(),
        &ca.file(&folder),
        service.port(),
    );

    let checked = check(&["--config", config.to_str().expect("a path of plain text")]);

    assert_eq!(checked.reason(), "ok", "{checked}");
    let summary = checked.target["summary"].as_str().unwrap_or_default();
    let told = format!("{} gives {PUBLIC} (public).", second.address());
    assert!(summary.ends_with(&told), "{checked}");
    let servers = &checked.target["dns"]["servers"];
    assert_eq!(servers[0]["addresses"][0]["class"], "private", "{checked}");
    assert_eq!(servers[1]["addresses"][0]["class"], "public", "{checked}");
}

#[test]
fn coredns_over_two_unlike_upstreams_flaps_and_the_difference_lies_behind_it() {
    let (folder, other) = (Folder::new("linked-behind"), Folder::new("unlinked-behind"));
    let (first, second) = (linked(&folder), unlinked(&other));
    let coredns = Forwarder::coredns_at_random(&folder, [first.address(), second.address()]);
    let probed = probe_until_servers_were_asked(&format!(
        r#"
classify: {{private: [127.0.1.0/24], public: [127.0.2.0/24]}}
limits: {{maxDnsQps: 1000}}
resolvers:
  - {{name: pod, servers: ["{}"]}}
targets:
  - {{host: {HOST}, port: {}}}
"#,
        coredns.address(),
        free_port(),
    ));

    assert_eq!(probed.verdict.reason, Reason::AddressFlapping);
    let detail = probed.prose().detail(&probed.verdict.findings[0]);
    let servers = &probed.observation.resolution.evidence.servers;
    assert!(servers.iter().all(|s| s.server == coredns.address()));
    assert_eq!(servers.iter().map(|s| s.times).sum::<u32>(), 4, "{detail}");
    // By chance it may pick the same upstream four times.
    let told = match servers.len() {
        1 => "it is the only server asked, so its upstreams differ",
        _ => "by turns, and is the only server asked: its upstreams differ",
    };
    assert!(detail.contains(told), "{detail}");
}

/// Probes the only target of `configuration` one time after the other, until each server was asked
/// alone.
fn probe_until_servers_were_asked(configuration: &str) -> Arc<Probed> {
    let plan =
        privatelink_config::load_text("config.yaml", configuration).expect("a configuration");
    let node = "aks-a-0".to_owned();
    let mut agent = Agent::new(Machine::real(), node, &plan, Histograms::Off);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        for _ in 0..ROUNDS {
            agent.round(|_| {}).await;
            let probed = agent.latest().remove(0);
            if !probed.observation.resolution.evidence.servers.is_empty() {
                return probed;
            }
        }
        panic!("the answers of two upstreams at random did not flap in {ROUNDS} probes");
    })
}
