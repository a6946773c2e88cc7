use std::fmt::Write as _;

use privatelink_verdict::catalogue::Usage;
use serde_json::{Value, json};

use super::*;
use crate::{DiscoveryRules, Kind, Metadata, Visitor, each_kind, find, target_file};

const START: SystemTime = SystemTime::UNIX_EPOCH;
const MINUTE: Duration = Duration::from_mins(1);

fn key(name: &str) -> Key {
    let (namespace, name) = name.split_once('/').unwrap_or(("", name));
    Key {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

fn of_host(host: &str) -> Use {
    Use {
        host: host.to_owned(),
        port: 443,
        connect_only: false,
        usage: Some(Usage::Registries),
        source: Source::Images,
    }
}

/// What a workload says that uses these hosts.
fn workload(name: &str, hosts: &[&str]) -> Found {
    let Key { namespace, name } = key(name);
    Found {
        user: Some(User {
            namespace,
            kind: "Deployment".to_owned(),
            name,
        }),
        uses: hosts.iter().map(|host| of_host(host)).collect(),
        ..Found::default()
    }
}

fn apply(index: &mut Index, name: &str, hosts: &[&str]) {
    index.take(
        "Deployment",
        "",
        Event::Apply(key(name), workload(name, hosts)),
    );
}

fn list(index: &mut Index, objects: &[(&str, &[&str])]) {
    index.take("Deployment", "", Event::Init);
    for (name, hosts) in objects {
        let event = Event::InitApply(key(name), workload(name, hosts));
        index.take("Deployment", "", event);
    }
    index.take("Deployment", "", Event::InitDone);
}

/// The file with these targets, and how many had no room in it.
fn render(targets: &[DiscoveredTarget], room: usize) -> (String, usize) {
    let lines: Vec<_> = targets.iter().map(target_file::line).collect();
    target_file::render(&lines, room)
}

/// The hosts at `now`; one that is only kept for a while in brackets.
fn hosts(index: &mut Index, now: SystemTime) -> String {
    let targets = index.discovered(now, &Room::of(500)).targets.into_iter();
    let hosts = targets.map(|target| match target.users {
        Some(_) => target.host,
        None => format!("({})", target.host),
    });
    hosts.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_list_that_is_read_again_takes_the_place_of_the_one_before_when_it_is_complete() {
    let mut index = Index::default();
    list(&mut index, &[("a/x", &["one"]), ("a/y", &["two"])]);
    assert_eq!(hosts(&mut index, START), "one two");
    index.take("Deployment", "", Event::Init);
    index.take(
        "Deployment",
        "",
        Event::InitApply(key("a/x"), workload("a/x", &["one"])),
    );
    assert_eq!(
        hosts(&mut index, START),
        "one two",
        "nothing goes before its time"
    );
    index.take("Deployment", "", Event::InitDone);
    assert_eq!(hosts(&mut index, START), "one (two)");
}

#[test]
fn a_list_that_breaks_off_changes_nothing() {
    let mut index = Index::default();
    list(&mut index, &[("a/x", &["one"])]);
    index.take("Deployment", "", Event::Init);
    index.take("Deployment", "", Event::Init);
    assert_eq!(hosts(&mut index, START), "one");
    index.take("Deployment", "", Event::InitDone);
    assert_eq!(hosts(&mut index, START), "(one)");
}

#[test]
fn a_kind_is_complete_once_it_was_listed() {
    let mut index = Index::default();
    assert!(!index.is_complete("Deployment", ""));
    index.take("Deployment", "", Event::Init);
    assert!(!index.is_complete("Deployment", ""));
    index.take("Deployment", "", Event::InitDone);
    assert!(index.is_complete("Deployment", ""));
    index.take("Deployment", "", Event::Init);
    assert!(index.is_complete("Deployment", ""), "what was read stays");
    assert!(!index.is_complete("Pod", ""));
}

#[test]
fn the_list_of_a_namespace_replaces_what_is_known_of_that_namespace_alone() {
    let mut index = Index::default();
    for (scope, name, host) in [
        ("a", "a/x", "a.vault.azure.net"),
        ("b", "b/x", "b.vault.azure.net"),
    ] {
        index.take("Deployment", scope, Event::Init);
        let found = workload(name, &[host]);
        index.take("Deployment", scope, Event::InitApply(key(name), found));
        assert!(!index.is_complete("Deployment", scope));
        index.take("Deployment", scope, Event::InitDone);
        assert!(index.is_complete("Deployment", scope));
    }
    assert_eq!(
        hosts(&mut index, START),
        "a.vault.azure.net b.vault.azure.net"
    );
    index.take("Deployment", "a", Event::Init);
    index.take("Deployment", "a", Event::InitDone);
    assert_eq!(
        hosts(&mut index, START),
        "(a.vault.azure.net) b.vault.azure.net"
    );
}

#[test]
fn what_a_file_lists_stays_for_an_hour_after_a_restart() {
    let mut before = Index::default();
    apply(&mut before, "a/x", &["a.vault.azure.net"]);
    let (file, _) = render(&before.discovered(START, &Room::of(10)).targets, 10_000);

    let mut after = Index::default();
    after.remember(target_file::read(&file, START), START);
    assert_eq!(hosts(&mut after, START + LINGER / 2), "(a.vault.azure.net)");
    assert_eq!(hosts(&mut after, START + LINGER), "");
}

#[test]
fn a_file_that_is_not_ours_lists_nothing() {
    for text in [
        "",
        "targets: []\n",
        "- {}",
        "- {\"host\": 7, \"port\": \"x\"}",
        "- {",
        "\u{0}",
    ] {
        assert!(target_file::read(text, START).is_empty(), "{text:?}");
    }
}

#[test]
fn an_object_that_changes_or_goes_changes_its_targets() {
    let mut index = Index::default();
    apply(&mut index, "a/x", &["one", "two"]);
    apply(&mut index, "a/y", &["two"]);
    apply(&mut index, "a/x", &["three"]);
    assert_eq!(hosts(&mut index, START), "three two");
    index.take("Deployment", "", Event::Delete(key("a/x")));
    index.take("Deployment", "", Event::Delete(key("a/unknown")));
    apply(&mut index, "a/y", &[]);
    assert_eq!(hosts(&mut index, START), "(three) (two)");
}

#[test]
fn a_target_stays_for_an_hour_after_its_last_user() {
    let mut index = Index::default();
    apply(&mut index, "a/x", &["one"]);
    assert_eq!(hosts(&mut index, START), "one");
    assert_eq!(hosts(&mut index, START + 50 * MINUTE), "one");
    index.take("Deployment", "", Event::Delete(key("a/x")));
    assert_eq!(hosts(&mut index, START + 51 * MINUTE), "(one)");
    assert_eq!(hosts(&mut index, START + 109 * MINUTE), "(one)");
    assert_eq!(hosts(&mut index, START + 110 * MINUTE), "");
}

#[test]
fn a_clock_that_is_set_back_removes_nothing() {
    let mut index = Index::default();
    apply(&mut index, "a/x", &["one"]);
    hosts(&mut index, START + 600 * MINUTE);
    index.take("Deployment", "", Event::Delete(key("a/x")));
    assert_eq!(hosts(&mut index, START), "(one)");
}

#[test]
fn when_a_target_was_seen_first_is_kept_through_its_absence() {
    let mut index = Index::default();
    apply(&mut index, "a/x", &["one"]);
    index.discovered(START, &Room::of(500));
    index.take("Deployment", "", Event::Delete(key("a/x")));
    index.discovered(START + MINUTE, &Room::of(500));
    apply(&mut index, "a/x", &["one"]);
    let again = index.discovered(START + 2 * MINUTE, &Room::of(500));
    assert_eq!(again.targets[0].first_seen, START);
}

#[test]
fn new_targets_never_drive_out_others_and_what_has_no_room_is_counted() {
    let mut index = Index::default();
    apply(&mut index, "a/x", &["m", "n"]);
    let names = |discovered: Discovered| {
        let hosts = discovered.targets.into_iter().map(|target| target.host);
        (hosts.collect::<Vec<_>>().join(" "), discovered.left_out)
    };
    assert_eq!(
        names(index.discovered(START, &Room::of(3))),
        ("m n".to_owned(), 0)
    );
    apply(&mut index, "b/flood", &["a", "b", "c", "z"]);
    let later = START + MINUTE;
    assert_eq!(
        names(index.discovered(later, &Room::of(3))),
        ("a m n".to_owned(), 3)
    );
    // One that no object uses any more makes room for one that is in use.
    apply(&mut index, "a/x", &["m"]);
    let later = later + MINUTE;
    assert_eq!(
        names(index.discovered(later, &Room::of(3))),
        ("a b m".to_owned(), 3)
    );
}

/// The hosts, how many had no room, and what is said of their users.
fn with_room(index: &mut Index, now: SystemTime, room: &Room) -> (String, usize, String) {
    let discovered = index.discovered(now, room);
    let hosts = discovered.targets.iter().map(|target| target.host.as_str());
    let hosts = hosts.collect::<Vec<_>>().join(" ");
    let full = discovered.omitted.iter();
    let full = full.filter(|omitted| omitted.omission == Omission::NamespaceFull);
    let full = full.map(|omitted| format!("{} {}", omitted.objects, omitted.examples.join(", ")));
    (hosts, discovered.left_out, full.collect())
}

#[test]
fn a_namespace_that_names_many_hosts_takes_no_room_from_the_others() {
    let mut index = Index::default();
    let room = Room {
        most_per_namespace: 2,
        ..Room::of(4)
    };
    // They are there first, and more than there is room for in all.
    apply(&mut index, "flood/x", &["f1", "f2", "f3", "f4"]);
    apply(&mut index, "flood/y", &["f4", "f5"]);
    with_room(&mut index, START, &room);
    apply(&mut index, "shop/web", &["s1", "s2"]);
    let later = START + MINUTE;
    let (hosts, left_out, full) = with_room(&mut index, later, &room);
    assert_eq!((hosts.as_str(), left_out), ("f1 f2 s1 s2", 3));
    assert_eq!(full, "2 Deployment flood/x, Deployment flood/y");
}

#[test]
fn what_another_namespace_or_the_whole_cluster_uses_too_has_room_there() {
    let mut index = Index::default();
    let room = Room {
        most_per_namespace: 1,
        ..Room::of(9)
    };
    apply(&mut index, "flood/x", &["f1", "shared", "volume", "own"]);
    apply(&mut index, "shop/web", &["shared"]);
    let volume = Found {
        uses: vec![of_host("volume")],
        ..Found::default()
    };
    index.take("PersistentVolume", "", Event::Apply(key("share"), volume));
    let taken = Room {
        others: [("own".to_owned(), 443)].into(),
        ..room
    };
    let (hosts, left_out, _) = with_room(&mut index, START, &taken);
    assert_eq!((hosts.as_str(), left_out), ("f1 own shared volume", 0));
}

#[test]
fn the_annotation_of_a_namespace_takes_its_room() {
    let mut index = Index::default();
    let room = Room {
        most_per_namespace: 1,
        ..Room::of(9)
    };
    let annotated = Found {
        uses: vec![of_host("a"), of_host("b")],
        ..Found::default()
    };
    index.take("Namespace", "", Event::Apply(key("shop"), annotated));
    let (hosts, left_out, full) = with_room(&mut index, START, &room);
    assert_eq!((hosts.as_str(), left_out), ("a", 1));
    assert_eq!(full, "1 Namespace shop");
}

#[test]
fn what_a_namespace_used_until_now_takes_its_room_while_it_stays() {
    let mut index = Index::default();
    let room = Room {
        most_per_namespace: 2,
        ..Room::of(9)
    };
    for n in 0..9 {
        let (one, other) = (format!("h{n}a"), format!("h{n}b"));
        apply(&mut index, "flood/x", &[&one, &other]);
        let (_, left_out, _) = with_room(&mut index, START + n * MINUTE, &room);
        assert_eq!(left_out, 2 * n as usize, "those before it");
    }
    let (hosts, ..) = with_room(&mut index, START + 9 * MINUTE, &room);
    assert_eq!(hosts, "h8a h8b");
}

#[test]
fn the_users_of_a_target_are_counted_once_with_the_first_three_as_examples() {
    let mut index = Index::default();
    for namespace in ["c", "a", "b"] {
        for name in ["y", "x"] {
            apply(&mut index, &format!("{namespace}/{name}"), &["one"]);
        }
    }
    let pod = Found {
        user: workload("a/x", &[]).user,
        ..workload("a/x", &["one"])
    };
    index.take("Pod", "", Event::Apply(key("a/x-1"), pod));
    let discovered = index.discovered(START, &Room::of(500));
    let users = discovered.targets[0].users.clone().expect("it is in use");
    assert_eq!(
        users.to_string(),
        "image pulls of 6 workloads in 3 namespaces"
    );
    assert_eq!(
        users.examples,
        ["Deployment a/x", "Deployment a/y", "Deployment b/x"]
    );
}

#[test]
fn nothing_depends_on_the_order_of_events() {
    let names: Vec<String> = (0..40).map(|n| format!("ns{}/w{n}", n % 7)).collect();
    let hosts: Vec<String> = (0..40).map(|n| format!("h{}", n % 11)).collect();
    let mut pairs: Vec<_> = names.iter().zip(&hosts).collect();
    let mut listed = |reversed: bool| {
        if reversed {
            pairs.reverse();
        }
        let mut index = Index::default();
        for (name, host) in &pairs {
            apply(&mut index, name, &[host]);
        }
        index.discovered(START, &Room::of(5))
    };
    assert_eq!(listed(false), listed(true));
}

/// An allocator would have to be counted for the exact sum; this counts what the index itself holds.
fn kept(index: &Index) -> usize {
    let entries = index.tables.values().map(|table| table.present.len());
    entries.sum()
}

#[test]
fn what_says_nothing_takes_no_room() {
    let mut index = Index::default();
    for n in 0..1000 {
        apply(&mut index, &format!("a/{n}"), &[]);
    }
    assert_eq!(kept(&index), 0);
}

#[test]
fn what_is_not_used_any_more_is_forgotten() {
    let mut index = Index::default();
    for n in 0..5000 {
        let (name, host) = (format!("a/{n}"), format!("h{n}"));
        apply(&mut index, &name, &[&host]);
        index.take("Deployment", "", Event::Delete(key(&name)));
    }
    assert!(index.users.len() < 2000, "{}", index.users.len());
    assert!(index.uses.len() < 2000, "{}", index.uses.len());
    index.take("Deployment", "", Event::Init);
    index.take("Deployment", "", Event::InitDone);
    assert_eq!((index.users.len(), index.uses.len()), (0, 0));
}

/// Reads `object` as every kind there is.
struct AsEveryKind<'a> {
    object: &'a str,
    index: &'a mut Index,
    rules: DiscoveryRules,
}

impl Visitor for AsEveryKind<'_> {
    fn visit<K: Kind>(&mut self, _: &'static [Source]) {
        let object: K = serde_json::from_str(self.object).expect("anything can be read");
        let found = find(&metadata(self.object), &object, &self.rules);
        let shown = format!("{object:?}");
        assert!(!shown.contains("marked-secret"), "{shown}");
        self.index
            .take(K::RESOURCE.kind, "", Event::Apply(key("a/b"), found));
    }
}

fn metadata(object: &str) -> Metadata {
    let value: Value = serde_json::from_str(object).expect("JSON");
    serde_json::from_value(value["metadata"].clone()).expect("anything can be read")
}

fn as_every_kind(object: &Value) -> Discovered {
    let mut index = Index::default();
    let text = object.to_string();
    each_kind(&mut AsEveryKind {
        object: &text,
        index: &mut index,
        rules: DiscoveryRules {
            sources: Source::ALL.to_vec(),
            ..DiscoveryRules::default()
        },
    });
    index.discovered(START, &Room::of(500))
}

/// An object with every field that any kind reads, each of them `leaf`.
fn everything(leaf: &Value) -> Value {
    let texts = json!({
        "storageAccount": leaf, "storageAccountName": leaf, "server": leaf, "keyVaultURL": leaf,
        "keyvaultName": leaf, "cloudName": leaf, "vaultUrl": leaf, "name": leaf, "url": leaf,
        "accountName": leaf, "namespace": leaf, "endpoint": leaf, "cloud": leaf,
        "storageAccountURI": leaf, "secretProviderClass": leaf, "protocol": leaf,
    });
    let container = json!({
        "image": leaf, "env": [{"name": "KUBERNETES_SERVICE_HOST", "value": leaf}],
        "args": [leaf], "command": [leaf],
    });
    let csi =
        |driver: &str| json!({"driver": driver, "volumeHandle": leaf, "volumeAttributes": texts});
    let pod = json!({
        "containers": [container], "initContainers": [container],
        "volumes": [
            {"name": leaf, "csi": csi("file.csi.azure.com"), "azureFile": {"secretName": leaf}},
            {"name": leaf, "csi": csi("blob.csi.azure.com"), "image": {"reference": leaf}},
            {"name": leaf, "csi": csi("secrets-store.csi.k8s.io"), "ephemeral": {}},
            {"name": leaf, "persistentVolumeClaim": {"claimName": leaf}},
        ],
    });
    let mut spec = pod.clone();
    for (key, value) in [
        (
            "template",
            json!({"spec": pod, "metadata": {"annotations": leaf}}),
        ),
        ("jobTemplate", json!({"spec": {"template": {"spec": pod}}})),
        ("csi", csi("file.csi.azure.com")),
        ("azureFile", json!({"secretName": leaf})),
        ("claimRef", json!({"namespace": leaf, "name": leaf})),
        ("provider", json!({"azurekv": texts})),
        ("parameters", texts.clone()),
        ("config", texts.clone()),
        ("vault", texts.clone()),
        ("url", leaf.clone()),
        ("image", leaf.clone()),
        ("externalName", leaf.clone()),
        ("type", json!("ExternalName")),
        ("ports", json!([{"port": leaf}])),
        (
            "triggers",
            json!([{"type": "azure-blob", "metadata": texts}, {"type": "prometheus", "metadata": {"serverAddress": leaf}}]),
        ),
        ("metadata", json!([{"name": "vaultName", "value": leaf}])),
    ] {
        spec[key] = value;
    }
    json!({
        "metadata": {
            "namespace": "kube-system", "name": leaf, "labels": {"pod-template-hash": leaf},
            "annotations": {"privatelink-prober.dev/hosts": leaf},
            "ownerReferences": [{"kind": leaf, "name": leaf, "controller": true}],
        },
        "spec": spec, "provisioner": "file.csi.azure.com", "parameters": texts, "status": {"phase": leaf},
    })
}

#[test]
fn nothing_hostile_reaches_the_file_or_makes_it_long() {
    for leaf in [
        json!("x".repeat(16 << 10)),
        json!("\u{1b}[31m\u{0}\r\n\u{202e}"),
        json!("<img src=x onerror=alert(1)>"),
        json!("a.b.".repeat(1 << 12)),
        json!("ü.vault.azure.net"),
        json!("marked-secret"),
        json!("#".repeat(1 << 14)),
        json!(null),
        json!(1e300),
        json!([[[]]]),
        json!({"a": {"b": []}}),
    ] {
        let discovered = as_every_kind(&everything(&leaf));
        let (file, _) = render(&discovered.targets, usize::MAX);
        assert!(file.len() < 2000, "{file}");
        assert!(
            file.chars().all(|c| c == '\n' || !c.is_control()),
            "{file:?}"
        );
        for omitted in &discovered.omitted {
            let examples = omitted.examples.concat();
            assert!(examples.len() < 3000 && !examples.contains('\u{1b}'));
        }
    }
    let found = as_every_kind(&everything(&json!("kv.vault.azure.net")));
    assert!(
        !found.targets.is_empty(),
        "the fields are those that are read"
    );
}

#[test]
fn one_object_names_a_bounded_number_of_services_and_the_others_are_counted() {
    let containers: Vec<_> = (0..10_000)
        .map(|n| json!({"image": format!("r{n}.azurecr.io/web:v1")}))
        .collect();
    let pod = json!({"metadata": {}, "spec": {"containers": containers}});
    let discovered = as_every_kind(&pod);
    assert_eq!(discovered.targets.len(), crate::finder::MOST_USES);
    let too_many = |omitted: &Omitted| omitted.omission == Omission::TooMany;
    assert!(discovered.omitted.iter().any(too_many));
}

#[test]
fn a_file_is_cut_at_its_room_and_what_is_cut_is_counted() {
    let mut index = Index::default();
    for n in 0..100 {
        let mut host = String::new();
        let _ = write!(host, "h{n:03}.example");
        apply(&mut index, &format!("a/{n}"), &[&host]);
    }
    let targets = index.discovered(START, &Room::of(500)).targets;
    let (whole, left_out) = render(&targets, usize::MAX);
    assert_eq!((left_out, whole.lines().count()), (0, 102));
    let (cut, left_out) = render(&targets, whole.len() / 2);
    assert!(cut.len() <= whole.len() / 2 && whole.starts_with(&cut));
    assert_eq!(cut.lines().count() + left_out, 102);
}

mod properties {
    use proptest::prelude::*;

    use super::*;
    use crate::lenient::tests::any_json;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn no_object_panics(leaf in any_json(), whole in any_json()) {
            as_every_kind(&everything(&leaf));
            as_every_kind(&whole);
        }

        #[test]
        fn no_text_panics(text in ".{0,80}") {
            as_every_kind(&everything(&json!(text)));
        }
    }
}
