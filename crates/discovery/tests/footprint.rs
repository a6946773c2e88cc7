//! Footprint: what a large cluster takes: 22,000 pods of 2,000 workloads and 20,000 volumes of 400
//! accounts, listed twice. To read the figures: `cargo test --release -p privatelink-discovery --test
//! footprint -- --nocapture`.
#![expect(
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "it measures time, and prints what it measured"
)]

use std::time::{Duration, Instant, SystemTime};

use privatelink_discovery::{
    DiscoveryRules, Event, Index, Key, Kind, Metadata, Room, Source, Visitor, each_kind, find,
};
use serde_json::Value;

/// Without optimisation a part has to do.
const SCALE: usize = if cfg!(debug_assertions) { 20 } else { 1 };

const PODS: usize = 22_000 / SCALE;
const WORKLOADS: usize = 2_000 / SCALE;
const VOLUMES: usize = 20_000 / SCALE;
const ACCOUNTS: usize = 400 / SCALE;

/// A pod as AKS has them: about 4 KiB, most of which nothing reads.
fn pod(n: usize) -> String {
    let workload = n % WORKLOADS;
    let filler = "x".repeat(2500);
    format!(
        r#"{{"metadata":{{"namespace":"ns-{ns}","name":"web-{workload}-7d4b9c6f5-{n}",
        "labels":{{"app":"web","pod-template-hash":"7d4b9c6f5"}},"annotations":{{"filler":"{filler}"}},
        "ownerReferences":[{{"kind":"ReplicaSet","name":"web-{workload}-7d4b9c6f5","controller":true}}]}},
        "spec":{{"containers":[
          {{"name":"web","image":"registry{registry}.azurecr.io/team/web:v{workload}","env":[{{"name":"A","value":"b"}}]}},
          {{"name":"proxy","image":"mcr.microsoft.com/oss/istio/proxyv2:1.24"}}],
        "volumes":[{{"name":"data","persistentVolumeClaim":{{"claimName":"data-{claim}"}}}},
          {{"name":"secrets","csi":{{"driver":"secrets-store.csi.k8s.io","volumeAttributes":{{"secretProviderClass":"kv"}}}}}}]}},
        "status":{{"phase":"Running","conditions":[{{"type":"Ready","status":"True"}}]}}}}"#,
        ns = workload % 100,
        registry = workload % 5,
        claim = n % VOLUMES,
    )
}

fn volume(n: usize) -> String {
    let account = n % ACCOUNTS;
    let filler = "x".repeat(1000);
    format!(
        r#"{{"metadata":{{"name":"pvc-{n:032}","annotations":{{"filler":"{filler}"}}}},
        "spec":{{"capacity":{{"storage":"100Gi"}},"claimRef":{{"namespace":"ns-{ns}","name":"data-{n}"}},
        "csi":{{"driver":"file.csi.azure.com","volumeHandle":"mc_group#acct{account}#pvc-{n:032}###ns-{ns}",
        "volumeAttributes":{{"storageaccount":"acct{account}","sharename":"pvc-{n:032}"}}}}}},
        "status":{{"phase":"Bound"}}}}"#,
        ns = n % WORKLOADS % 100,
    )
}

/// Lists all objects, if `kind` is visited.
struct List<'a> {
    kind: &'static str,
    objects: &'a dyn Fn(usize) -> String,
    count: usize,
    index: &'a mut Index,
    rules: &'a DiscoveryRules,
    /// The time that reading and finding took.
    took: Duration,
}

impl Visitor for List<'_> {
    fn visit<K: Kind>(&mut self, _: &'static [Source]) {
        if K::RESOURCE.kind != self.kind {
            return;
        }
        self.index.take(self.kind, "", Event::Init);
        for n in 0..self.count {
            let text = (self.objects)(n);
            let started = Instant::now();
            let object: K = serde_json::from_str(&text).expect("it can be read");
            let metadata = metadata(&text);
            let found = find(&metadata, &object, self.rules);
            let key = Key {
                namespace: metadata.namespace,
                name: metadata.name,
            };
            self.index.take(self.kind, "", Event::InitApply(key, found));
            self.took += started.elapsed();
        }
        self.index.take(self.kind, "", Event::InitDone);
    }
}

fn metadata(text: &str) -> Metadata {
    let value: Value = serde_json::from_str(text).expect("JSON");
    serde_json::from_value(value["metadata"].clone()).expect("it can be read")
}

fn list(
    kind: &'static str,
    count: usize,
    objects: &dyn Fn(usize) -> String,
    index: &mut Index,
) -> Duration {
    let mut list = List {
        kind,
        objects,
        count,
        index,
        rules: &DiscoveryRules::default(),
        took: Duration::ZERO,
    };
    each_kind(&mut list);
    list.took
}

/// A field of /proc/self/status, in KiB.
fn status(field: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with(field));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    number.expect("a number")
}

#[test]
fn a_large_cluster_takes_a_few_mebibytes() {
    let mut index = Index::default();
    // The catalogue is in memory before the first object is.
    list("Pod", 1, &pod, &mut index);
    index.discovered(SystemTime::UNIX_EPOCH, &Room::of(500));

    let before = status("VmRSS:");
    let mut took = list("Pod", PODS, &pod, &mut index);
    took += list("PersistentVolume", VOLUMES, &volume, &mut index);
    let after = status("VmRSS:");
    let started = Instant::now();
    let discovered = index.discovered(SystemTime::UNIX_EPOCH, &Room::of(500));
    let folded = started.elapsed();
    assert_eq!(discovered.targets.len(), 5 + ACCOUNTS);
    // Both lists again, beside the ones before.
    list("Pod", PODS, &pod, &mut index);
    list("PersistentVolume", VOLUMES, &volume, &mut index);
    let peak = status("VmHWM:");

    let objects = PODS + VOLUMES;
    let kept = after.saturating_sub(before);
    println!(
        "{objects} objects: kept {kept} KiB, peak {} KiB over the start",
        peak - before
    );
    println!("read and found in {took:?}, folded into targets in {folded:?}");
    // Whole objects would take at least 4 KiB each.
    assert!(kept < (24 << 10) / SCALE + 4096, "{kept} KiB");
}
