//! Races: two candidates for an expired lease, at a real API server that KUBECONFIG names, again and again.
//!
//! In each race both have read the lease of a dead holder, and their first writes are held back until both
//! are there, so that every race is one. While a candidate leads it writes into a `ConfigMap` without naming
//! a version, so that nothing but the election keeps the two apart. Who held the lease and who wrote is taken
//! from the history that the API server tells.

// Without this feature there is no API server to race at.
#![cfg(feature = "cluster")]
#![expect(
    clippy::print_stdout,
    reason = "how the races went is for whoever reads the run"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, future, pin_mut};
use http::{Method, Request};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::client::Body;
use kube::{Api, Client, Resource};
use privatelink_observer::{Election, Leadership};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::service_fn;

/// Races in all, and in a row; the rows run side by side.
const RACES: usize = 200;
const IN_A_ROW: usize = 10;

/// How long a race lasts: the lease expires after a second, candidates that have just started wait three more, and
/// the winner renews it every two.
const RACE: Duration = Duration::from_millis(7_500);

/// Between two writes of a leader.
const BETWEEN_WRITES: Duration = Duration::from_millis(50);

const NAMESPACE: &str = "privatelink-races";

/// The holder who is dead when a race begins.
const GONE: &str = "gone";

#[tokio::test]
async fn of_two_candidates_for_an_expired_lease_one_alone_writes_two_hundred_times() {
    let client = Client::try_default()
        .await
        .expect("KUBECONFIG names a cluster");
    let namespaces = Api::<Namespace>::all(client.clone());
    create(&namespaces, json!({"metadata": {"name": NAMESPACE}})).await;
    let started = Instant::now();
    let conflicts = Arc::new(AtomicUsize::new(0));
    let rows = (0..RACES / IN_A_ROW).map(|row| {
        let row = Row {
            name: format!("race-{row}"),
            client: client.clone(),
            conflicts: Arc::clone(&conflicts),
        };
        tokio::spawn(async move { row.run().await })
    });
    let mut writes = 0;
    for row in future::join_all(rows).await {
        writes += row.expect("the races of a row hold");
    }
    let conflicts = conflicts.load(Ordering::Relaxed);
    assert!(
        conflicts >= RACES,
        "only {conflicts} of {RACES} races were close"
    );
    let seconds = started.elapsed().as_secs();
    println!("{RACES} races, {conflicts} conflicts, {writes} writes, in {seconds} s");
}

/// Races that follow each other, with a lease and a `ConfigMap` of this name.
struct Row {
    name: String,
    client: Client,
    /// Writes of leases that were refused.
    conflicts: Arc<AtomicUsize>,
}

impl Row {
    /// How often the `ConfigMap` was written.
    async fn run(&self) -> usize {
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), NAMESPACE);
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), NAMESPACE);
        create(&leases, json!({"metadata": {"name": self.name}})).await;
        create(&maps, json!({"metadata": {"name": self.name}})).await;
        // Another run at the same API server has left objects of these names.
        let ends_at = format!("{GONE}-{:08x}", fastrand::u32(..));
        let held = tokio::spawn(history(leases.clone(), self.name.clone(), ends_at.clone()));
        let written = tokio::spawn(history(maps.clone(), self.name.clone(), ends_at.clone()));
        for race in 0..IN_A_ROW {
            self.reset(&leases, &maps, &format!("{GONE}-{race}")).await;
            self.race(&maps, race).await;
        }
        self.reset(&leases, &maps, &ends_at).await;
        let held = held.await.expect("the history of the lease");
        assert_one_holder_each(&self.name, &held);
        let written = written.await.expect("the history of the ConfigMap");
        assert_one_writer_each(&self.name, &written);
        written.len()
    }

    /// A dead holder has the lease, for a second after a candidate sees it first.
    async fn reset(&self, leases: &Api<Lease>, maps: &Api<ConfigMap>, gone: &str) {
        merge(maps, &self.name, json!({"data": {"writer": gone}})).await;
        let spec = json!({"holderIdentity": gone, "leaseDurationSeconds": 1});
        merge(leases, &self.name, json!({"spec": spec})).await;
    }

    async fn race(&self, maps: &Api<ConfigMap>, race: usize) {
        let gate = Arc::new(Barrier::new(2));
        let mut tasks = Vec::new();
        for candidate in ["a", "b"] {
            let identity = format!("{candidate}-{race}");
            let leases = Api::namespaced(self.gated(&gate), NAMESPACE);
            let (election, leadership) = Election::new(leases, &self.name, &identity);
            tasks.push(tokio::spawn(election.run(CancellationToken::new())));
            let written = write(maps.clone(), self.name.clone(), identity, leadership);
            tasks.push(tokio::spawn(written));
        }
        sleep(RACE).await;
        // They are killed: neither gives the lease back.
        for task in &tasks {
            task.abort();
        }
        // What was sent before that arrives before the next race begins.
        for task in tasks {
            let _ = task.await;
        }
        sleep(Duration::from_millis(200)).await;
    }

    /// A client whose first write waits at `gate` for that of the other candidate.
    fn gated(&self, gate: &Arc<Barrier>) -> Client {
        let (client, conflicts) = (self.client.clone(), Arc::clone(&self.conflicts));
        let (gate, writes) = (Arc::clone(gate), Arc::new(AtomicUsize::new(0)));
        let service = service_fn(move |request: Request<Body>| {
            let (client, conflicts) = (client.clone(), Arc::clone(&conflicts));
            let (gate, writes) = (Arc::clone(&gate), Arc::clone(&writes));
            async move {
                if request.method() != Method::GET && writes.fetch_add(1, Ordering::Relaxed) == 0 {
                    // Alone there is no race; the count of conflicts will tell.
                    let _ = timeout(Duration::from_secs(2), gate.wait()).await;
                }
                let answer = client.send(request).await?;
                let is_conflict = answer.status() == http::StatusCode::CONFLICT;
                conflicts.fetch_add(usize::from(is_conflict), Ordering::Relaxed);
                Ok::<_, kube::Error>(answer)
            }
        });
        Client::new(service, NAMESPACE)
    }
}

/// Writes for as long as the candidate leads, whatever is there.
async fn write(maps: Api<ConfigMap>, name: String, writer: String, leadership: Leadership) {
    for number in 0.. {
        if leadership.is_leading() {
            let data = json!({"writer": writer, "number": number.to_string()});
            merge(&maps, &name, json!({"data": data})).await;
        }
        sleep(BETWEEN_WRITES).await;
    }
}

/// The versions of an object, until who holds or writes it is `ends_at`.
async fn history<K>(api: Api<K>, name: String, ends_at: String) -> Vec<Value>
where
    K: Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let parameters = WatchParams::default().fields(&format!("metadata.name={name}"));
    let events = api.watch(&parameters, "0").await.expect("a watch");
    pin_mut!(events);
    let mut versions = Vec::new();
    while let Some(event) = events.next().await {
        if let WatchEvent::Added(object) | WatchEvent::Modified(object) = event.expect("an event") {
            let version = serde_json::to_value(object).expect("an object");
            let is_end = who(&version) == ends_at;
            versions.push(version);
            if is_end {
                return versions;
            }
        }
    }
    panic!("the watch of {name} ended early");
}

/// Who holds the lease or wrote the `ConfigMap`; empty at first.
fn who(version: &Value) -> &str {
    let holder = version["spec"]["holderIdentity"].as_str();
    let writer = version["data"]["writer"].as_str();
    holder.or(writer).unwrap_or_default()
}

/// In each race the lease goes from the dead holder to one candidate, and stays there.
fn assert_one_holder_each(name: &str, versions: &[Value]) {
    let transitions = |version: &Value| version["spec"]["leaseTransitions"].as_i64();
    for pair in versions.windows(2) {
        let [before, after] = pair else { continue };
        let (holder, next) = (who(before), who(after));
        if holder == next || next.starts_with(GONE) {
            continue;
        }
        assert!(
            holder.starts_with(GONE),
            "{name}: {holder} held the lease when {next} took it"
        );
        let counted = transitions(before).unwrap_or(0) + 1;
        assert_eq!(transitions(after), Some(counted), "{name}: {after}");
    }
    let holders: BTreeSet<_> = versions.iter().map(who).collect();
    let candidates = holders.iter().filter(|who| who.starts_with(['a', 'b']));
    assert_eq!(candidates.count(), IN_A_ROW, "{name}: {holders:?}");
}

/// In each race one candidate writes, several times, and the other one never.
fn assert_one_writer_each(name: &str, versions: &[Value]) {
    let mut writers: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for (candidate, race) in versions
        .iter()
        .filter_map(|version| who(version).split_once('-'))
    {
        if candidate != GONE {
            *writers
                .entry(race)
                .or_default()
                .entry(candidate)
                .or_default() += 1;
        }
    }
    assert_eq!(writers.len(), IN_A_ROW, "{name}: {writers:?}");
    for (race, writers) in writers {
        assert_eq!(
            writers.len(),
            1,
            "{name}: both wrote in race {race}: {writers:?}"
        );
        assert!(
            writers.values().all(|writes| *writes > 10),
            "{name}: {writers:?}"
        );
    }
}

async fn create<K>(api: &Api<K>, object: Value)
where
    K: Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let object = serde_json::from_value(object).expect("an object");
    match api.create(&PostParams::default(), &object).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        Err(error) => panic!("{error}"),
    }
}

async fn merge<K>(api: &Api<K>, name: &str, patch: Value)
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let (parameters, patch) = (PatchParams::default(), Patch::Merge(patch));
    let written = api.patch(name, &parameters, &patch).await;
    written.expect("it is written");
}
