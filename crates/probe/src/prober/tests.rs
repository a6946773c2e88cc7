//! What a prober keeps when its settings change.

use privatelink_config::load_text;
use privatelink_config::plan::Plan;
use privatelink_verdict::resolver::Servers;
use tokio::net::UdpSocket;

use super::*;

/// The settings of a plan.
pub(crate) fn settings(plan: &Plan) -> Settings {
    Settings {
        resolvers: plan.resolvers.clone(),
        ca_certificates: Arc::clone(&plan.ca_certificates),
        max_dns_qps: plan.limits.max_dns_qps,
        http_interval: plan.http_interval,
    }
}

fn plan() -> Plan {
    load_text("config.yaml", "targets: [{host: kv.vault.azure.net}]").expect("a plan")
}

#[tokio::test(start_paused = true)]
async fn a_new_plan_refills_no_bucket() {
    let mut plan = plan();
    let old = Prober::new(Machine::real(), settings(&plan));
    for _ in 0..plan.limits.max_dns_qps {
        old.rate_limit.count(false);
    }
    plan.limits.max_dns_qps *= 2;
    let new = old.renewed(settings(&plan));
    assert!(Arc::ptr_eq(&old.rate_limit, &new.rate_limit));
    let asked = Instant::now();
    new.ready(false).await;
    assert!(asked.elapsed() > Duration::ZERO);
}

#[tokio::test]
async fn zones_are_kept_until_the_resolvers_change() {
    let mut plan = plan();
    let old = Prober::new(Machine::real(), settings(&plan));
    assert!(Arc::ptr_eq(&old.zones, &old.renewed(settings(&plan)).zones));
    plan.resolvers[0].servers = Servers::Listed(vec!["10.0.0.10:53".parse().expect("one")]);
    assert!(!Arc::ptr_eq(
        &old.zones,
        &old.renewed(settings(&plan)).zones
    ));
}

#[tokio::test]
async fn a_probe_that_cannot_ask_asks_for_no_evidence() {
    let other = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let address = other.local_addr().expect("an address");
    let resolvers = format!(
        "[{{name: pod, servers: ['127.0.0.1:53']}}, {{name: node, servers: ['{address}']}}]"
    );
    let text =
        format!("{{resolvers: {resolvers}, targets: [{{host: kv.vault.azure.net, timeout: 2s}}]}}");
    let mut plan = load_text("config.yaml", &text).expect("a plan");
    let prober = Prober::new(Machine::real(), settings(&plan));
    let probe = |prober: Prober, plan: Plan| async move {
        let mut cache = EvidenceCache::default();
        prober.probe(&plan.targets[0], &mut cache, false).await
    };
    let observation = probe(prober, plan.clone()).await;
    assert_eq!(observation.fault, None);
    let mut question = [0; 512];
    let asked = other.try_recv(&mut question);
    asked.expect("the other resolver is asked, too");
    while other.try_recv(&mut question).is_ok() {}

    // Without a zone the system cannot tell on which link it is.
    let nowhere = "[fe80::1]:53".parse().expect("an address");
    plan.resolvers[0].servers = Servers::Listed(vec![nowhere]);
    let prober = Prober::new(Machine::real(), settings(&plan));
    let observation = probe(prober, plan).await;
    assert!(observation.fault.is_some());
    assert!(other.try_recv(&mut question).is_err(), "it was asked");
}
