//! Observer: finds what the cluster uses, lets teams declare more, and disturbs nothing when it or the API
//! server is away.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::cluster::{Agent, NODES, agents};
use super::command::{SHORT, eventually, kubectl, kubectl_json, run, same, sleep, throughout};
use super::harness::Test;
use super::http::get;
use super::release::{self, CHART, INTERVAL, LOCAL_DNS, NAMESPACE};
use super::world::World;
use super::zones::VAULT;

pub(crate) const TESTS: &[Test] = &[
    (
        "each feature and source of the observer gives its account exactly the rights that it needs",
        rights,
    ),
    (
        "without a list of targets every agent probes what the cluster uses within two minutes",
        found,
    ),
    (
        "what nothing uses any more stays for a while, and then goes",
        gone,
    ),
    (
        "a team declares a target, and an object that is refused says why",
        declared,
    ),
    (
        "while the API server is away agents probe as before and no second replica leads",
        api_server_away,
    ),
    (
        "when the leader is killed the other replica writes within 20 s",
        leader_killed,
    ),
    (
        "a right that is withdrawn leaves the other sources alone, and is noticed when it is given back",
        right_withdrawn,
    ),
    (
        "nothing secret in the cluster's objects reaches a log, a page, a metric, an event or the ConfigMap",
        no_secret,
    ),
];

/// How long a target stays here after its last user: not an hour.
const LINGER: Duration = Duration::from_secs(40);

/// From a write of the observer until agents have it: the kubelet's period, and a reload.
const DELIVERY: Duration = Duration::from_secs(90);

/// What the chart calls the observer's objects.
const OBSERVER: &str = "privatelink-prober-observer";
const TARGETS: &str = "privatelink-prober-targets";

const SHOP: &str = "shop";

/// The hosts that the objects of [`workloads`] use.
const USED: [&str; 5] = [
    "running.azurecr.io",
    "nightly.azurecr.io",
    "kv-shop.vault.azure.net",
    "stshop.file.core.windows.net",
    "aks-shop-1a2b3c.privatelink.westeurope.azmk8s.io",
];

/// A release without a list of targets.
fn install(world: &mut World, observer: &Value) {
    world.azure.link_all();
    let mut values = release::values(LOCAL_DNS);
    values["config"] = json!({"interval": format!("{INTERVAL}s"), "timeout": "4s"});
    let linger = format!("--linger={}s", LINGER.as_secs());
    values["observer"] = observer.clone();
    values["observer"]["extraArgs"] = json!([linger, "--log-level=debug"]);
    world.release.ensure(values);
}

/// One replica's pod.
#[derive(Clone, Debug)]
struct Replica {
    pod: String,
    address: SocketAddr,
}

impl Replica {
    fn metrics(&self) -> Result<String, String> {
        match get(self.address, "/metrics")? {
            (200, text) => Ok(text),
            (status, text) => Err(format!("{}: {status} {text}", self.pod)),
        }
    }

    fn leads(&self) -> Result<bool, String> {
        Ok(self
            .metrics()?
            .lines()
            .any(|line| line.starts_with("privatelink_observer_leading{") && line.ends_with(" 1")))
    }

    /// The state of a source.
    fn state(&self, source: &str) -> Result<String, String> {
        let metrics = self.metrics()?;
        let start = format!("privatelink_observer_source_state{{source=\"{source}\",state=\"");
        let states = metrics.lines().filter(|line| line.ends_with(" 1"));
        let mut states = states.filter_map(|line| line.strip_prefix(&start)?.split('"').next());
        let state = states
            .next()
            .ok_or_else(|| format!("no state of {source}"))?;
        Ok(state.to_owned())
    }
}

/// The replicas that run.
fn replicas() -> Vec<Replica> {
    let component = "app.kubernetes.io/component=observer";
    let pods = kubectl_json(&["-n", NAMESPACE, "get", "pods", "-l", component]);
    let pods = pods["items"].as_array().expect("a list").iter();
    let alive = pods.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    alive
        .filter_map(|pod| {
            let ip: IpAddr = pod["status"]["podIP"].as_str()?.parse().ok()?;
            Some(Replica {
                pod: pod["metadata"]["name"].as_str()?.to_owned(),
                address: SocketAddr::new(ip, 9797),
            })
        })
        .collect()
}

/// The replica that leads, and the other one.
fn leader_and_other() -> (Replica, Replica) {
    let find = || {
        let replicas = replicas();
        let [one, other] = &replicas[..] else {
            return Err(format!("{replicas:?}"));
        };
        match (one.leads()?, other.leads()?) {
            (true, false) => Ok((one.clone(), other.clone())),
            (false, true) => Ok((other.clone(), one.clone())),
            leads => Err(format!("{leads:?} lead")),
        }
    };
    eventually(Duration::from_secs(40), find).0
}

/// The file that agents read, as it is published.
fn published() -> String {
    let map = ["-n", NAMESPACE, "get", "configmap", TARGETS];
    let map = kubectl_json(&map);
    map["data"]["targets.yaml"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// Applies objects; `folder` is the test's own.
fn apply(folder: &Path, objects: &[Value]) {
    let file = folder.join("objects.json");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    fs::write(&file, list.to_string()).expect("a file of the run's own");
    kubectl(&["apply", "-f", file.to_str().expect("a path of plain text")]);
}

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

fn pod_spec(image: &str) -> Value {
    json!({"containers": [{"name": "main", "image": image, "imagePullPolicy": "Never"}],
           "terminationGracePeriodSeconds": 1})
}

fn deployment(name: &str, replicas: u32, spec: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"namespace": SHOP, "name": name},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": spec},
        },
    })
}

/// Objects that use each host of [`USED`] in a way of its own.
fn workloads() -> Vec<Value> {
    let mut running = pod_spec("running.azurecr.io/web:1");
    running["nodeName"] = json!("node-a");
    let mut mounts = pod_spec("localhost/pause:1");
    mounts["volumes"] = json!([{"name": "secrets", "csi": {
        "driver": "secrets-store.csi.k8s.io", "readOnly": true,
        "volumeAttributes": {"secretProviderClass": "vault"},
    }}]);
    let mut system = pod_spec("localhost/pause:1");
    system["containers"][0]["env"] = json!([{"name": "KUBERNETES_SERVICE_HOST", "value": USED[4]}]);
    let mut system = deployment("konnectivity", 0, &system);
    system["metadata"]["namespace"] = json!("kube-system");
    vec![
        namespace(SHOP),
        deployment("web", 1, &running),
        json!({
            "apiVersion": "batch/v1", "kind": "CronJob",
            "metadata": {"namespace": SHOP, "name": "nightly"},
            "spec": {"schedule": "0 3 1 1 *", "jobTemplate": {"spec": {"template": {"spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "main", "image": "nightly.azurecr.io/report@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}],
            }}}}},
        }),
        json!({
            "apiVersion": "secrets-store.csi.x-k8s.io/v1", "kind": "SecretProviderClass",
            "metadata": {"namespace": SHOP, "name": "vault"},
            "spec": {"provider": "azure", "parameters": {"keyvaultName": "kv-shop"}},
        }),
        deployment("mounts", 0, &mounts),
        json!({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "share"},
            "spec": {
                "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"],
                "csi": {"driver": "file.csi.azure.com", "volumeHandle": "mc_shop#stshop#share###"},
            },
        }),
        system,
    ]
}

/// Whether `agent` has probed the target called `host`; its users.
fn probed(agent: &Agent, host: &str) -> Result<Value, String> {
    let target = agent.target(host)?;
    if target["checkedAt"].is_null() {
        return Err(format!("{} has not probed {host}", agent.pod));
    }
    Ok(target["users"].clone())
}

fn found(world: &mut World) {
    install(world, &json!({}));
    let folder = world.folder("observer");
    load_image(&folder, "running.azurecr.io/web:1");
    apply(&folder, &workloads());
    let ((), time) = eventually(Duration::from_mins(2), || {
        let agents = agents();
        // Another node may have joined.
        same(
            "every node has an agent",
            &(agents.len() >= NODES.len()),
            &true,
        )?;
        for agent in &agents {
            for host in USED {
                probed(agent, host)?;
            }
        }
        Ok(())
    });
    world.notes.push(format!(
        "from the objects to the verdicts of all agents: {:.0} s",
        time.as_secs_f64()
    ));
    let agent = &agents()[0];
    let users = |host: &str| probed(agent, host).expect("it was probed")["examples"].clone();
    assert_eq!(users(USED[0]), json!(["Deployment shop/web"]));
    assert_eq!(users(USED[1]), json!(["CronJob shop/nightly"]));
    assert_eq!(users(USED[2]), json!(["Deployment shop/mounts"]));
    assert_eq!(users(USED[3]), json!(["PersistentVolume share"]));
    assert_eq!(
        users(USED[4]),
        json!(["Deployment kube-system/konnectivity"])
    );
    for source in ["images", "secretProviderClasses", "volumes", "apiServer"] {
        for replica in replicas() {
            assert_eq!(replica.state(source), Ok("ok".to_owned()), "{source}");
        }
    }
    let (_, page) = get(replicas()[0].address, "/").expect("a page");
    assert!(page.contains("kv-shop.vault.azure.net"), "{page}");
}

/// Makes an image of this name from a program that waits.
fn load_image(folder: &Path, name: &str) {
    let archive = folder.join("image.tar");
    let archive = archive.to_str().expect("a path of plain text");
    let pause = run(SHORT, "sh", &["-c", "command -v pause"]);
    let script = |name: &str| format!("{}/tests/cluster/{name}", env!("CARGO_MANIFEST_DIR"));
    run(SHORT, &script("pack"), &[name, archive, pause.trim()]);
    run(SHORT, &script("cluster"), &["load", archive]);
}

fn gone(world: &mut World) {
    install(world, &json!({}));
    let folder = world.folder("observer");
    apply(&folder, &workloads());
    let has = |host: &str| published().contains(host);
    eventually(DELIVERY, || same("published", &has(USED[1]), &true));
    kubectl(&["-n", SHOP, "delete", "cronjob", "nightly"]);
    let deleted = Instant::now();
    throughout(LINGER / 2, || same("published", &has(USED[1]), &true));
    eventually(LINGER + Duration::from_secs(40), || {
        same("published", &has(USED[1]), &false)
    });
    assert!(deleted.elapsed() >= LINGER, "{:?}", deleted.elapsed());
    eventually(DELIVERY, || {
        let mut agents = agents().into_iter();
        let left = agents.find(|agent| agent.target(USED[1]).is_ok());
        left.map_or(Ok(()), |agent| Err(format!("{} has it", agent.pod)))
    });
    assert!(has(USED[0]), "what is used stays");
}

fn declared(world: &mut World) {
    install(world, &json!({}));
    let folder = world.folder("observer");
    let object = |name: &str, spec: Value| {
        json!({"apiVersion": "privatelink-prober.dev/v1alpha1", "kind": "PrivateLinkTarget",
               "metadata": {"namespace": SHOP, "name": name}, "spec": spec})
    };
    apply(
        &folder,
        &[
            namespace(SHOP),
            object("vault", json!({"host": VAULT.host, "owner": "shop"})),
            object(
                "port",
                json!({"host": "kv2-e2e.vault.azure.net", "port": 22}),
            ),
            object("inside", json!({"host": "web.shop.svc.cluster.local"})),
        ],
    );
    let ((), time) = eventually(DELIVERY + Duration::from_secs(30), || {
        for agent in agents() {
            let target = agent.target("shop:vault")?;
            same("source", &target["source"], &json!("crd"))?;
            same("reason", &target["reason"], &json!("ok"))?;
        }
        Ok(())
    });
    world.notes.push(format!(
        "from the object to the verdicts of all agents: {:.0} s",
        time.as_secs_f64()
    ));
    let accepted = |name: &str| {
        let object = kubectl_json(&["-n", SHOP, "get", "privatelinktarget", name]);
        let condition = &object["status"]["conditions"][0];
        (condition["status"].clone(), condition["reason"].clone())
    };
    for (name, status, reason) in [
        ("vault", "True", "Accepted"),
        ("port", "False", "PortNotAllowed"),
        ("inside", "False", "ClusterInternalHost"),
    ] {
        eventually(Duration::from_secs(70), || {
            same(name, &accepted(name), &(json!(status), json!(reason)))
        });
    }
    assert!(!published().contains("svc.cluster.local"));
    kubectl(&["-n", SHOP, "delete", "privatelinktargets", "--all"]);
    eventually(Duration::from_mins(1), || {
        same("published", &published().contains("shop:vault"), &false)
    });
}

/// The probes of all agents.
fn probes(agents: &[Agent]) -> f64 {
    let mut sum = 0.0;
    for agent in agents {
        let metrics = agent.metrics().expect("an agent answers");
        let lines = metrics.lines();
        let lines = lines.filter(|line| line.starts_with("privatelink_probes_total{"));
        let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        sum += values.sum::<f64>();
    }
    sum
}

/// How many probes a minute takes.
fn probes_in_a_minute(agents: &[Agent], mut meanwhile: impl FnMut(Duration)) -> f64 {
    let (started, before) = (Instant::now(), probes(agents));
    while started.elapsed() < Duration::from_mins(1) {
        meanwhile(started.elapsed());
        sleep(Duration::from_millis(200));
    }
    let (seconds, after) = (started.elapsed().as_secs_f64(), probes(agents));
    (after - before) * 60.0 / seconds
}

fn api_server_away(world: &mut World) {
    install(world, &json!({}));
    let folder = world.folder("observer");
    let mut objects = workloads();
    for n in 0..20 {
        objects.push(deployment(
            &format!("many-{n}"),
            0,
            &pod_spec(&format!("many{n}.azurecr.io/a:1")),
        ));
    }
    apply(&folder, &objects);
    let agents = agents();
    eventually(DELIVERY + Duration::from_secs(30), || {
        for agent in &agents {
            probed(agent, "many19.azurecr.io")?;
        }
        Ok(())
    });
    let (leader, other) = leader_and_other();
    let lease = || kubectl_json(&["-n", NAMESPACE, "get", "lease", OBSERVER])["spec"].clone();
    let before = lease();
    let usual = probes_in_a_minute(&agents, |_| ());

    let pid = run(SHORT, "pgrep", &["-x", "kube-apiserver"]);
    let signal = |name: &str| run(SHORT, "kill", &[name, pid.trim()]);
    let (mut is_stopped, mut was_seen_apart) = (false, false);
    let meanwhile = |time: Duration| {
        let should = (Duration::from_secs(5)..Duration::from_secs(35)).contains(&time);
        if should != is_stopped {
            signal(if should { "-STOP" } else { "-CONT" });
            is_stopped = should;
        }
        let leads = [leader.leads(), other.leads()].map(|leads| leads.unwrap_or(false));
        assert_ne!(leads, [true, true], "after {time:?}");
        was_seen_apart |= leads == [false, false];
    };
    let without = probes_in_a_minute(&agents, meanwhile);
    if is_stopped {
        signal("-CONT");
    }
    assert!(was_seen_apart, "without its lease the leader stops writing");
    assert!(
        (without / usual - 1.0).abs() < 0.02,
        "{usual} probes a minute with the API server, {without} without it"
    );
    world.notes.push(format!(
        "{usual:.0} probes a minute, {without:.0} while it was away"
    ));
    let (_, _) = leader_and_other();
    let terms = |spec: &Value| spec["leaseTransitions"].as_i64().unwrap_or_default();
    let changes = terms(&lease()) - terms(&before);
    assert!((0..=1).contains(&changes), "{before} became {}", lease());
    apply(
        &folder,
        &[deployment("after", 0, &pod_spec("after.azurecr.io/a:1"))],
    );
    eventually(Duration::from_secs(90), || {
        same(
            "published",
            &published().contains("after.azurecr.io"),
            &true,
        )
    });
}

fn leader_killed(world: &mut World) {
    install(world, &json!({}));
    let folder = world.folder("observer");
    let (leader, other) = leader_and_other();
    let pid = pid_of(&leader.pod);
    run(SHORT, "kill", &["-KILL", &pid]);
    let killed = Instant::now();
    apply(
        &folder,
        &[
            namespace(SHOP),
            deployment("heir", 0, &pod_spec("heir.azurecr.io/a:1")),
        ],
    );
    eventually(Duration::from_secs(20), || {
        // The killed one starts again, and stands for election like any other.
        let leads = [leader.leads().unwrap_or(false), other.leads()?];
        assert_ne!(leads, [true, true]);
        same("published", &published().contains("heir.azurecr.io"), &true)
    });
    world.notes.push(format!(
        "the other replica wrote {:.1} s after the kill",
        killed.elapsed().as_secs_f64()
    ));
}

/// The process of the program in a pod.
fn pid_of(pod: &str) -> String {
    let pids = run(SHORT, "pgrep", &["-f", "privatelink-prober observe"]);
    let name = format!("POD_NAME={pod}");
    let is_its = |pid: &&str| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == name.as_bytes())
    };
    let pid = pids.lines().find(is_its);
    pid.unwrap_or_else(|| panic!("no process of {pod} among {pids}"))
        .to_owned()
}

fn right_withdrawn(world: &mut World) {
    install(world, &json!({}));
    let folder = world.folder("observer");
    let role = format!("{NAMESPACE}-{OBSERVER}");
    let whole = kubectl_json(&["get", "clusterrole", &role]);
    let mut less = whole.clone();
    let rules = less["rules"].as_array_mut().expect("rules");
    for rule in &mut *rules {
        let resources = rule["resources"].as_array_mut().expect("resources");
        resources.retain(|resource| resource != "persistentvolumes");
    }
    rules.retain(|rule| {
        rule["resources"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    });
    let replace = |role: &Value| {
        let mut role = role.clone();
        for key in [
            "resourceVersion",
            "uid",
            "creationTimestamp",
            "managedFields",
        ] {
            role["metadata"]
                .as_object_mut()
                .expect("metadata")
                .remove(key);
        }
        let file = folder.join("role.json");
        fs::write(&file, role.to_string()).expect("a file of the run's own");
        kubectl(&[
            "replace",
            "-f",
            file.to_str().expect("a path of plain text"),
        ]);
    };
    replace(&less);
    let (leader, _) = leader_and_other();
    let ((), noticed) = eventually(Duration::from_secs(150), || {
        same(
            "volumes",
            &leader.state("volumes")?,
            &"forbidden".to_owned(),
        )
    });
    assert_eq!(leader.state("images"), Ok("ok".to_owned()));
    apply(
        &folder,
        &[
            namespace(SHOP),
            deployment("meanwhile", 0, &pod_spec("meanwhile.azurecr.io/a:1")),
        ],
    );
    eventually(Duration::from_mins(1), || {
        same(
            "published",
            &published().contains("meanwhile.azurecr.io"),
            &true,
        )
    });
    replace(&whole);
    let ((), recovered) = eventually(Duration::from_mins(3), || {
        same("volumes", &leader.state("volumes")?, &"ok".to_owned())
    });
    world.notes.push(format!(
        "a withdrawn right was noticed after {:.0} s, and its return after {:.0} s",
        noticed.as_secs_f64(),
        recovered.as_secs_f64()
    ));
}

/// What no object of the cluster may be quoted with.
const MARK: &str = "s3cr3t-of-the-test";

fn no_secret(world: &mut World) {
    let sources = json!({"environment": true, "dapr": true});
    install(world, &json!({"discovery": {"sources": sources}}));
    let folder = world.folder("observer");
    apply(&folder, &secretive());
    // Each of these is read from an object that holds the mark.
    let hosts = [
        "kv-env.vault.azure.net",
        "kv-note.vault.azure.net",
        "stvolume.blob.core.windows.net",
    ];
    eventually(DELIVERY, || {
        let text = published();
        let missing = hosts.iter().find(|host| !text.contains(*host));
        missing.map_or(Ok(()), |host| Err(format!("no {host} in {text}")))
    });
    eventually(DELIVERY, || {
        for agent in agents() {
            probed(&agent, hosts[0])?;
        }
        Ok(())
    });
    for (place, text) in shown() {
        assert!(!text.trim().is_empty(), "nothing at {place}");
        assert!(!text.contains(MARK), "{place}: {text}");
    }
    kubectl(&["delete", "namespace", SHOP, "--wait=false"]);
    let volumes = ["delete", "persistentvolume", "share", "secretive"];
    kubectl(&[&volumes[..], &["--ignore-not-found"]].concat());
    let system = ["-n", "kube-system", "delete", "deployment", "konnectivity"];
    kubectl(&[&system[..], &["--ignore-not-found"]].concat());
}

/// Objects with the mark in every field that may hold a secret.
fn secretive() -> Vec<Value> {
    let mut spec = pod_spec("localhost/pause:1");
    spec["containers"][0]["env"] = json!([
        {"name": "STORAGE", "value": format!("AccountName=stsecret;AccountKey={MARK}==")},
        {"name": "VAULT", "value": format!("https://user:{MARK}@kv-env.vault.azure.net/?code={MARK}")},
        {"name": "PASSWORD", "value": MARK},
    ]);
    spec["containers"][0]["args"] = json!([format!("--key={MARK}"), MARK]);
    let mut annotated = deployment("secretive", 1, &spec);
    annotated["metadata"]["annotations"] = json!({"note": MARK});
    let hosts = format!("kv-note.vault.azure.net, {MARK}");
    annotated["spec"]["template"]["metadata"]["annotations"] =
        json!({"privatelink-prober.dev/hosts": hosts});
    vec![
        namespace(SHOP),
        json!({"apiVersion": "v1", "kind": "Secret",
               "metadata": {"namespace": SHOP, "name": "secret"}, "stringData": {"a": MARK}}),
        annotated,
        json!({"apiVersion": "secrets-store.csi.x-k8s.io/v1", "kind": "SecretProviderClass",
               "metadata": {"namespace": SHOP, "name": "secretive"},
               "spec": {"provider": "azure", "parameters": {
                   "keyvaultName": MARK, "objects": MARK, "cloudName": MARK}}}),
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "secretive"},
               "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"],
                        "csi": {"driver": "blob.csi.azure.com", "volumeHandle": format!("a#{MARK}"),
                                "volumeAttributes": {"key": MARK, "storageAccount": "stvolume"}}}}),
        json!({"apiVersion": "dapr.io/v1alpha1", "kind": "Component",
               "metadata": {"namespace": SHOP, "name": "secretive"},
               "spec": {"type": "bindings.azure.storagequeues", "version": "v1", "metadata": [
                   {"name": "storageAccount", "value": "stdapr"},
                   {"name": "storageAccessKey", "value": MARK}]}}),
    ]
}

/// All that observer and agents show, by place.
fn shown() -> BTreeMap<String, String> {
    let mut shown = BTreeMap::new();
    for replica in replicas() {
        for path in ["/", "/metrics"] {
            let (_, text) = get(replica.address, path).expect("an answer");
            shown.insert(format!("{}{path}", replica.pod), text);
        }
    }
    for agent in agents() {
        for path in ["/", "/metrics", "/api/v1/targets", "/api/v1/summary"] {
            let address = agent.address.expect("an address");
            let (_, text) = get(address, path).expect("an answer");
            shown.insert(format!("{}{path}", agent.pod), text);
        }
    }
    for component in ["agent", "observer"] {
        let label = format!("app.kubernetes.io/component={component}");
        let logs = ["-n", NAMESPACE, "logs", "--tail=-1", "-l", &label];
        shown.insert(format!("logs of {component}"), kubectl(&logs));
    }
    shown.insert("the ConfigMap".to_owned(), published());
    for namespace in [NAMESPACE, "default"] {
        let events = ["-n", namespace, "get", "events", "-o", "json"];
        shown.insert(format!("events of {namespace}"), kubectl(&events));
    }
    shown
}

/// The installations whose rights the golden file lists: a name, and what is set.
const INSTALLATIONS: &[(&str, &[&str])] = &[
    ("as it comes", &[]),
    ("without discovery", &["observer.discovery.enabled=false"]),
    ("without declared targets", &["observer.crd.enabled=false"]),
    ("in one namespace", &["observer.namespaces={shop}"]),
];

fn rights(world: &mut World) {
    let folder = world.folder("rights");
    apply(&folder, &[namespace(SHOP)]);
    kubectl(&["-n", NAMESPACE, "create", "serviceaccount", "bare"]);
    let mut text = String::new();
    for (name, set) in INSTALLATIONS {
        writeln!(text, "# {name}").expect("a string takes all");
        text.push_str(&rights_of(&folder, set));
    }
    let sources = [
        "images",
        "secretProviderClasses",
        "volumes",
        "apiServer",
        "flux",
        "externalSecrets",
        "akv2k8s",
        "keda",
        "velero",
        "externalNames",
        "annotations",
        "environment",
        "dapr",
    ];
    for source in sources {
        writeln!(text, "# {source} alone").expect("a string takes all");
        let others = sources.iter().filter(|other| **other != source);
        let mut set: Vec<String> = others
            .map(|other| format!("observer.discovery.sources.{other}=false"))
            .collect();
        set.push(format!("observer.discovery.sources.{source}=true"));
        set.push("observer.crd.enabled=false".to_owned());
        let set: Vec<&str> = set.iter().map(String::as_str).collect();
        text.push_str(&rights_of(&folder, &set));
    }
    kubectl(&["-n", NAMESPACE, "delete", "serviceaccount", "bare"]);
    let golden = include_str!("observer-rights.txt");
    let file = folder.join("observer-rights.txt");
    fs::write(&file, &text).expect("a file of the run's own");
    assert_eq!(
        text, golden,
        "the rights are not those of tests/e2e/observer-rights.txt"
    );
}

/// What the observer's account may do beside what any account may.
fn rights_of(folder: &Path, set: &[&str]) -> String {
    let mut arguments = vec![
        "template",
        "rights",
        CHART,
        "--namespace",
        NAMESPACE,
        "--show-only",
        "templates/observer-rbac.yaml",
        "--set",
        "clusterDns=10.96.0.10",
    ];
    for value in set {
        arguments.extend(["--set", value]);
    }
    let file = folder.join("rbac.yaml");
    fs::write(&file, run(SHORT, "helm", &arguments)).expect("a file of the run's own");
    let file = file.to_str().expect("a path of plain text");
    kubectl(&["apply", "-f", file]);
    let list = |account: &str, namespace: &str| {
        let account = format!("--as=system:serviceaccount:{NAMESPACE}:{account}");
        let listed = kubectl(&[
            "auth",
            "can-i",
            "--list",
            "--no-headers",
            &account,
            "-n",
            namespace,
        ]);
        let mut lines: Vec<String> = listed
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        lines.sort();
        lines
    };
    let mut text = String::new();
    for namespace in [NAMESPACE, SHOP] {
        let bare = list("bare", namespace);
        let its = list(&format!("rights-{OBSERVER}"), namespace);
        for line in its.iter().filter(|line| !bare.contains(line)) {
            writeln!(text, "{namespace}: {line}").expect("a string takes all");
        }
    }
    kubectl(&["delete", "-f", file]);
    text
}
