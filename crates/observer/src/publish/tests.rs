use http::StatusCode;
use privatelink_discovery::{DiscoveryRules, Event, Found, Key, LINGER, Source, Use, User};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::ObserverRules;
use crate::election::Election;
use crate::fake_api::FakeApi;
use crate::private_link_target::admission::AdmissionRules;
use crate::source_state::{SourceState, WatchName};

/// A replica that publishes while it leads.
struct Replica {
    shared: Shared,
    /// Ends its leading when it is dropped.
    election: JoinHandle<()>,
    _rules: watch::Sender<ObserverRules>,
}

impl Replica {
    fn start(config_map: &FakeApi, lease: &FakeApi, identity: &str) -> Self {
        let (rules, known) = watch::channel(ObserverRules {
            discovery: DiscoveryRules::default(),
            admission: AdmissionRules {
                most: 500,
                most_per_namespace: 20,
                ..AdmissionRules::default()
            },
            most_per_namespace: 200,
            ..ObserverRules::default()
        });
        let shared = Shared::new(&options(), known);
        let leases = Api::namespaced(lease.client(), "default");
        let (election, leadership) = Election::new(leases, "observer", identity);
        let election = tokio::spawn(election.run(CancellationToken::new()));
        let config_maps = Api::namespaced(config_map.client(), "default");
        let publisher = Publisher::new(config_maps, "targets", shared.clone(), leadership);
        tokio::spawn(publisher.run());
        Self {
            shared,
            election,
            _rules: rules,
        }
    }

    /// From now on this is the state of the watch of pods.
    fn is(&self, state: SourceState) {
        let now = SystemTime::now();
        self.shared.states().set(&PODS, state, "", now);
        self.shared.changed.notify_one();
    }

    /// A workload that uses `host` is seen.
    fn see(&self, host: &str) {
        let found = Found {
            user: Some(User {
                namespace: "shop".to_owned(),
                kind: "Deployment".to_owned(),
                name: "web".to_owned(),
            }),
            uses: vec![Use {
                host: host.to_owned(),
                port: 443,
                connect_only: false,
                usage: None,
                source: Source::Images,
            }],
            ..Found::default()
        };
        let key = Key {
            namespace: "shop".to_owned(),
            name: host.to_owned(),
        };
        self.shared
            .index()
            .take("Deployment", "", Event::Apply(key, found));
        self.shared.changed.notify_one();
    }
}

const PODS: WatchName = ("Pod", String::new());

fn lease() -> FakeApi {
    FakeApi::with(json!({"metadata": {"name": "observer"}}))
}

/// As the chart makes it: without data.
fn config_map() -> FakeApi {
    FakeApi::with(json!({"metadata": {"name": "targets"}}))
}

fn published(config_map: &FakeApi) -> String {
    config_map.object()["data"][FILE]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

async fn pass(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_new_target_is_published_within_seconds_and_the_next_one_half_a_minute_later() {
    let (config_map, lease) = (config_map(), lease());
    let replica = Replica::start(&config_map, &lease, "a");
    replica.see("a.vault.azure.net");
    pass(10).await;
    assert!(
        published(&config_map).contains("a.vault.azure.net"),
        "{}",
        published(&config_map)
    );
    let writes = config_map.writes().len();
    for n in 0..100 {
        replica.see(&format!("b{n}.vault.azure.net"));
        pass(1).await;
    }
    pass(31).await;
    let more = config_map.writes().len() - writes;
    assert!((3..=5).contains(&more), "{more} writes in 130 s");
    assert!(published(&config_map).contains("b99.vault.azure.net"));
}

#[tokio::test(start_paused = true)]
async fn the_address_of_the_clusters_dns_is_published_when_it_is_known_and_stays() {
    let (config_map, lease) = (config_map(), lease());
    let address = || config_map.object()["data"][CLUSTER_DNS].clone();
    let first = Replica::start(&config_map, &lease, "a");
    first.see("a.vault.azure.net");
    pass(40).await;
    assert_eq!(address(), json!(null));
    *first.shared.cluster_dns() = Some("10.0.0.10".parse().expect("an address"));
    first.shared.changed.notify_one();
    pass(40).await;
    assert_eq!(address(), json!("10.0.0.10\n"));
    first.election.abort();
    let second = Replica::start(&config_map, &lease, "b");
    second.see("b.vault.azure.net");
    pass(90).await;
    assert!(published(&config_map).contains("b.vault.azure.net"));
    assert_eq!(
        address(),
        json!("10.0.0.10\n"),
        "this one does not know it yet"
    );
}

#[tokio::test(start_paused = true)]
async fn what_has_not_changed_is_not_written() {
    let (config_map, lease) = (config_map(), lease());
    let replica = Replica::start(&config_map, &lease, "a");
    replica.see("a.vault.azure.net");
    pass(10).await;
    let writes = config_map.writes().len();
    for _ in 0..100 {
        replica.see("a.vault.azure.net");
        pass(5).await;
    }
    assert_eq!(config_map.writes().len(), writes);
}

#[tokio::test(start_paused = true)]
async fn the_leader_alone_writes_and_the_other_one_goes_on_when_it_is_killed() {
    let (config_map, lease) = (config_map(), lease());
    let first = Replica::start(&config_map, &lease, "a");
    pass(3).await;
    let second = Replica::start(&config_map, &lease, "b");
    second.see("only-b-sees-it.vault.azure.net");
    first.see("a.vault.azure.net");
    pass(40).await;
    assert!(!published(&config_map).contains("only-b-sees-it"));
    first.election.abort();
    second.see("a.vault.azure.net");
    pass(20).await;
    assert!(
        published(&config_map).contains("only-b-sees-it"),
        "{}",
        published(&config_map)
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_of_all_replicas_no_target_vanishes_before_its_time() {
    let (config_map, lease) = (config_map(), lease());
    config_map.edit(|object| {
        object["data"] = json!({FILE: "# old\ntargets:\n- {\"source\":\"discovered\",\"host\":\"old.vault.azure.net\",\"port\":443}\n"});
    });
    let replica = Replica::start(&config_map, &lease, "a");
    replica.see("new.vault.azure.net");
    pass(100).await;
    assert!(
        published(&config_map).contains("old.vault.azure.net"),
        "{}",
        published(&config_map)
    );
    assert!(published(&config_map).contains("new.vault.azure.net"));
}

#[tokio::test(start_paused = true)]
async fn a_config_map_that_is_missing_is_said_to_be_and_written_when_it_is_there() {
    let (config_map, lease) = (config_map(), lease());
    config_map.delete();
    let replica = Replica::start(&config_map, &lease, "a");
    replica.see("a.vault.azure.net");
    pass(10).await;
    let error = replica.shared.publishing().clone();
    assert!(error.contains("the chart makes it"), "{error}");
    let listed = replica.shared.discovered().targets.len();
    assert_eq!(listed, 1, "the page shows it all the same");
    config_map.edit(|object| *object = json!({"metadata": {"name": "targets"}}));
    pass(15).await;
    assert_eq!(*replica.shared.publishing(), "");
    assert!(published(&config_map).contains("a.vault.azure.net"));
}

#[tokio::test(start_paused = true)]
async fn a_replica_is_ready_once_every_kind_was_listed_and_stays_so() {
    let (config_map, lease) = (config_map(), lease());
    let replica = Replica::start(&config_map, &lease, "a");
    replica.shared.states().add(PODS);
    pass(30).await;
    assert!(!replica.shared.is_ready());
    replica.is(SourceState::Ok);
    pass(2).await;
    assert!(replica.shared.is_ready());
    replica.is(SourceState::Stale);
    pass(300).await;
    assert!(replica.shared.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_can_never_be_listed_keeps_a_replica_from_being_ready_for_two_minutes_at_most()
{
    let (config_map, lease) = (config_map(), lease());
    let replica = Replica::start(&config_map, &lease, "a");
    replica.shared.states().add(PODS);
    replica.see("a.vault.azure.net");
    pass(55).await;
    assert!(!replica.shared.is_ready());
    assert_eq!(published(&config_map), "");
    pass(66).await;
    assert!(replica.shared.is_ready());
    assert!(published(&config_map).contains("a.vault.azure.net"));
}

#[tokio::test(start_paused = true)]
async fn what_a_person_wrote_is_replaced_and_a_refusal_is_not_the_end() {
    let (config_map, lease) = (config_map(), lease());
    let replica = Replica::start(&config_map, &lease, "a");
    replica.see("a.vault.azure.net");
    pass(10).await;
    config_map.edit(|object| object["data"] = json!({FILE: "mine"}));
    config_map.refuse(Some(StatusCode::FORBIDDEN));
    replica.see("b.vault.azure.net");
    pass(120).await;
    assert_eq!(published(&config_map), "mine");
    assert_eq!(*replica.shared.publishing(), "Forbidden");
    config_map.refuse(None);
    pass(90).await;
    assert!(published(&config_map).contains("b.vault.azure.net"));
}

fn options() -> crate::Options {
    crate::Options {
        linger: LINGER,
        ..crate::Options::default()
    }
}
