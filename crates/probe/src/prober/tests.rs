//! What a prober keeps when its settings change.

use privatelink_config::load_text;
use privatelink_config::plan::Plan;
use privatelink_verdict::resolver::Servers;

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
