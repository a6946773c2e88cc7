//! What evidence costs in messages, and when it is asked anew.

use std::sync::Arc;

use privatelink_config::load_text;
use privatelink_lab::{RunningWorld, World};
use privatelink_verdict::observation::Observation;

use super::*;
use crate::Prober;
use crate::evidence_cache::NAME_PAUSE;
use crate::prober::tests::settings;

/// One target of a running world, probed over and over.
struct Probes {
    world: RunningWorld,
    prober: Prober,
    target: Arc<Target>,
    cache: EvidenceCache,
}

impl Probes {
    async fn of(world: &str) -> Self {
        let world = format!("{{story: x, verdict: {{outcome: pass}}, {world}}}");
        let world = World::parse(&world).expect("a world");
        let running = RunningWorld::start(&world).await.expect("a running world");
        let plan = load_text("config.yaml", &running.configuration).expect("a plan");
        Self {
            prober: Prober::new(running.machine.clone(), settings(&plan)),
            target: Arc::clone(&plan.targets[0]),
            cache: EvidenceCache::default(),
            world: running,
        }
    }

    async fn next(&mut self) -> Observation {
        self.prober
            .probe(&self.target, &mut self.cache, false)
            .await
    }

    /// How many messages the servers have heard so far.
    fn messages(&self) -> u64 {
        self.world.questions()
    }

    /// How many messages each of the next `count` probes costs.
    async fn costs(&mut self, count: usize) -> Vec<u64> {
        let mut costs = Vec::new();
        for _ in 0..count {
            let before = self.messages();
            self.next().await;
            costs.push(self.messages() - before);
        }
        costs
    }
}

/// Two servers for pods, one for the node; the search list has one domain.
const HEALTHY: &str = "target: {host: kv.vault.azure.net, resolver: pod}, servers: [\
    {resolver: pod, records: [kv.vault.azure.net A 127.0.1.1]}, \
    {resolver: pod, records: [kv.vault.azure.net A 127.0.1.1]}, \
    {resolver: node, records: [kv.vault.azure.net A 127.0.1.1]}], \
    resolvConf: {pod: \"search corp.test\\noptions ndots:5\"}, \
    endpoints: {127.0.1.1: {tls: {names: [kv.vault.azure.net]}}}";

#[tokio::test]
async fn a_healthy_target_costs_two_messages_but_for_every_fifth_and_twentieth_probe() {
    let mut probes = Probes::of(HEALTHY).await;
    let costs = probes.costs(41).await;
    // A and AAAA; of the other resolver too, and once with EDNS.
    let (plain, compared) = (2, 2 + 2 + 1);
    // The relative name; in the first probe each of the two servers alone.
    let (searched, first) = (compared + 1, compared + 1 + 2 * 2);
    for (number, cost) in costs.into_iter().enumerate() {
        let expected = match number {
            0 => first,
            n if n.is_multiple_of(20) => searched,
            n if n.is_multiple_of(5) => compared,
            _ => plain,
        };
        assert_eq!(cost, expected, "probe {number}");
    }
}

#[tokio::test]
async fn a_target_whose_evidence_is_spread_asks_nothing_more_in_its_first_probe() {
    let mut probes = Probes::of(HEALTHY).await;
    probes.cache.spread(43);
    // The turns 3, 4 and 5; in the first that compares, each of the two servers is asked alone.
    assert_eq!(probes.costs(5).await, [2, 2, 2, 5 + 2 * 2, 2]);
    let turns_of_the_search = probes.costs(20).await;
    assert_eq!(turns_of_the_search[13], 6, "{turns_of_the_search:?}");
    probes.cache.spread(0);
    assert_eq!(probes.costs(1).await, [2], "it was probed already");
}

#[tokio::test]
async fn trouble_in_the_first_answer_is_compared_at_once() {
    let mut probes = Probes::of(UNLINKED).await;
    probes.cache.spread(3);
    // A and AAAA; with EDNS; the alias and the zone that people mistake; and the zone's SOA.
    assert_eq!(probes.costs(1).await, [2 + 1 + 2 + 1]);
}

/// A zone that is not linked: the alias leads on to public DNS.
const UNLINKED: &str = "target: {host: kv.vault.azure.net}, dns: {records: [\
    kv.vault.azure.net CNAME kv.privatelink.vaultcore.azure.net, \
    kv.privatelink.vaultcore.azure.net CNAME kv.vaultcore.azure.net, \
    kv.vaultcore.azure.net A 52.168.109.101]}";

#[tokio::test]
async fn what_trouble_leads_to_is_asked_once_a_minute_and_told_in_every_probe() {
    let mut probes = Probes::of(UNLINKED).await;
    let names = [
        "kv.privatelink.vaultcore.azure.net",
        "kv.privatelink.vault.azure.net",
    ];
    let asked = |probes: &Probes| names.map(|name| probes.world.questions_for(name));
    for _ in 0..3 {
        let resolution = probes.next().await.resolution;
        let told = [&resolution.evidence.alias, &resolution.evidence.mistaken];
        let told = told.map(|evidence| evidence.as_ref().expect("evidence").name.clone());
        assert_eq!(told, names);
    }
    assert_eq!(asked(&probes), [1, 1]);
    assert_eq!(probes.costs(1).await, [2], "A and AAAA alone");

    for evidence in &mut probes.cache.trouble.as_mut().expect("names").names {
        Arc::make_mut(evidence).checked_at -= NAME_PAUSE;
    }
    probes.next().await;
    assert_eq!(asked(&probes), [2, 2]);
}

#[tokio::test]
async fn srv_records_are_asked_for_once_a_minute_where_a_name_has_no_address() {
    let records = "_mongodb._tcp.db.example.com SRV 27017 a.example.com, db.example.com TXT x";
    let world = format!(
        "target: {{host: db.example.com, protocol: tls, port: 27017}}, dns: {{records: [{records}]}}"
    );
    let mut probes = Probes::of(&world).await;
    for _ in 0..3 {
        let srv = probes
            .next()
            .await
            .resolution
            .evidence
            .srv
            .clone()
            .expect("evidence");
        assert_eq!(srv.hosts, [("a.example.com".to_owned(), 27017)]);
    }
    let asked = probes.world.questions_for("_mongodb._tcp.db.example.com");
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn what_trouble_leads_to_is_asked_anew_where_the_addresses_are_others() {
    let mut probes = Probes::of(UNLINKED).await;
    let alias = "kv.privatelink.vaultcore.azure.net";
    probes.next().await;
    let other = [
        "kv.vault.azure.net CNAME kv.privatelink.vaultcore.azure.net",
        "kv.privatelink.vaultcore.azure.net A 52.1.2.3",
    ];
    probes.world.set_records(0, &other).expect("records");
    let evidence = probes
        .next()
        .await
        .resolution
        .evidence
        .alias
        .clone()
        .expect("evidence");
    assert_eq!(evidence.addresses, [IpAddr::from([52, 1, 2, 3])]);
    assert_eq!(probes.world.questions_for(alias), 2);
}

#[tokio::test]
async fn a_name_that_failed_is_asked_again_by_the_next_probe() {
    let failing = UNLINKED.replace(
        "dns: {",
        "dns: {faults: [{name: kv.privatelink.vaultcore.azure.net, then: servfail}], ",
    );
    let mut probes = Probes::of(&failing).await;
    let alias = "kv.privatelink.vaultcore.azure.net";
    probes.next().await;
    let tries = probes.world.questions_for(alias);
    probes.next().await;
    assert_eq!(probes.world.questions_for(alias), 2 * tries);
}

#[tokio::test]
async fn an_answer_for_a_name_counts_where_the_next_question_fails() {
    let mut probes = Probes::of(UNLINKED).await;
    probes.next().await;
    for evidence in &mut probes.cache.trouble.as_mut().expect("names").names {
        Arc::make_mut(evidence).checked_at -= NAME_PAUSE;
    }
    let failing = "[{name: kv.privatelink.vaultcore.azure.net, then: servfail}]";
    probes.world.set_faults(0, failing).expect("faults");
    let evidence = probes.next().await.resolution.evidence.alias.clone();
    let outcome = evidence.map(|evidence| evidence.outcome);
    assert_eq!(outcome, Some(QueryOutcome::Answer));
}

/// [`HEALTHY`], where the search list leads elsewhere and the service replies.
fn captured() -> String {
    let server = "{resolver: pod, records: [kv.vault.azure.net A 127.0.1.1";
    let with_capture = format!("{server}, kv.vault.azure.net.corp.test A 127.0.9.9");
    let names = "{names: [kv.vault.azure.net]";
    let with_reply = format!(r#"{names}, reply: "HTTP/1.1 401 Unauthorized\n\n""#);
    HEALTHY
        .replacen(server, &with_capture, 1)
        .replace(names, &with_reply)
        .replace(
            "resolver: pod}, servers",
            "resolver: pod, http: true}, servers",
        )
}

#[tokio::test]
async fn a_lost_answer_is_compared_once_and_drops_nothing_that_is_known() {
    let mut probes = Probes::of(&captured()).await;
    let first = probes.next().await;
    let (search, service) = (&first.resolution.search, &first.connections[0].service);
    assert!(search.is_some() && service.is_some(), "{first:?}");

    for server in 0..2 {
        let lost = "[{name: kv.vault.azure.net, then: servfail}]";
        probes.world.set_faults(server, lost).expect("faults");
    }
    let others = |probe: &Observation| probe.comparisons[0].checked_at;
    let lost = probes.next().await;
    assert!(lost.resolution.addresses.is_empty());
    assert_eq!(lost.resolution.search, *search);
    assert!(others(&lost) > others(&first));
    let again = probes.next().await;
    assert_eq!(others(&again), others(&lost), "not asked again at once");

    for server in 0..2 {
        probes.world.set_faults(server, "[]").expect("no faults");
    }
    let healed = probes.next().await;
    assert_eq!(healed.resolution.search, *search);
    assert_eq!(healed.connections[0].service, *service);
    assert_eq!(others(&healed), others(&lost));
}

#[tokio::test]
async fn a_host_without_a_dot_is_completed_on_every_path() {
    let mut probes = Probes::of(
        "target: {host: orders, port: 80, protocol: tcp, resolver: pod}, servers: [\
        {resolver: pod, records: [orders.corp.test A 127.0.1.1]}, \
        {resolver: node, records: [orders.corp.test A 127.0.1.1]}], \
        resolvConf: {pod: search corp.test, node: search corp.test}, \
        endpoints: {127.0.1.1: silent}",
    )
    .await;
    let probe = probes.next().await;
    let agrees = probe.comparisons[0].agrees_with(&probe.resolution);
    assert_eq!(agrees, Some(true), "{probe:?}");
}
