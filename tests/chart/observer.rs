//! Observer: what it may read and write, and that each switch takes exactly its rights away.

use std::collections::{BTreeMap, BTreeSet};

use privatelink_discovery::{KINDS, Source};
use serde_json::{Value, json};

use super::helm::{
    MINIMAL, ROOT, chart, config, documents, is_observers, observers, pods, refused, render,
    rendered, run, single, yaml,
};

const EVERYTHING: &str = include_str!("values/everything.yaml");

/// The rights of a role: verbs by group and resource; the names where it has some.
type Rights = BTreeMap<(String, String), (BTreeSet<String>, Value)>;

fn rights(role: &Value) -> Rights {
    let words = |value: &Value| -> Vec<String> {
        let words = value.as_array().expect("a list").iter();
        words
            .map(|word| word.as_str().expect("a word").to_owned())
            .collect()
    };
    let mut rights = Rights::new();
    for rule in role["rules"].as_array().expect("rules") {
        for group in words(&rule["apiGroups"]) {
            for resource in words(&rule["resources"]) {
                let verbs = words(&rule["verbs"]).into_iter().collect();
                let names = rule["resourceNames"].clone();
                let before = rights.insert((group.clone(), resource), (verbs, names));
                assert!(before.is_none(), "a resource is in two rules: {role}");
            }
        }
    }
    rights
}

/// What reading by these sources takes, by the table of the discovering crate.
fn reading(on: &[Source], is_whole_cluster: bool) -> Rights {
    let read = KINDS.iter().filter(|(resource, sources)| {
        let is_on = sources.iter().any(|source| on.contains(source));
        is_on && (is_whole_cluster || resource.is_namespaced)
    });
    read.map(|(resource, _)| {
        let verbs = ["list", "watch"].map(str::to_owned).into();
        let place = (resource.group.to_owned(), resource.plural.to_owned());
        (place, (verbs, Value::Null))
    })
    .collect()
}

/// What teams' targets take.
fn with_crd(mut rights: Rights) -> Rights {
    for (resource, verbs) in [
        ("privatelinktargets", &["list", "watch"][..]),
        ("privatelinktargets/status", &["patch"]),
    ] {
        let verbs = verbs.iter().map(|verb| (*verb).to_owned()).collect();
        let place = ("privatelink-prober.dev".to_owned(), resource.to_owned());
        rights.insert(place, (verbs, Value::Null));
    }
    rights
}

/// What the fleet takes of the whole cluster.
fn with_nodes(mut rights: Rights) -> Rights {
    let place = (String::new(), "nodes".to_owned());
    let verbs = ["list", "watch"].map(str::to_owned).into();
    rights.insert(place, (verbs, Value::Null));
    rights
}

/// What events on teams' targets take.
fn with_target_events(mut rights: Rights) -> Rights {
    let place = ("events.k8s.io".to_owned(), "events".to_owned());
    rights.insert(place, (["create".to_owned()].into(), Value::Null));
    rights
}

/// The observer's objects of this kind in this namespace.
fn in_namespace<'a>(kind: &str, namespace: &str, objects: &'a [Value]) -> Vec<&'a Value> {
    let observers = objects.iter().filter(|object| is_observers(object));
    observers
        .filter(|object| object["kind"] == kind && object["metadata"]["namespace"] == namespace)
        .collect()
}

/// Values in which these sources are on, and no other.
fn sources(on: &[Source]) -> String {
    let all = Source::ALL.iter();
    let switches = all.map(|source| format!("{source}: {}", on.contains(source)));
    let switches: Vec<_> = switches.collect();
    format!("{{sources: {{{}}}}}", switches.join(", "))
}

#[test]
fn each_source_has_exactly_the_right_to_list_and_watch_its_kinds() {
    let mut cases: Vec<Vec<Source>> = Source::ALL.iter().map(|source| vec![*source]).collect();
    cases.push(Source::ALL.to_vec());
    for on in cases {
        let values = format!(
            "observer: {{crd: {{enabled: false}}, fleet: {{enabled: false}}, discovery: {}}}\n",
            sources(&on)
        );
        let objects = render(&format!("{MINIMAL}{values}"));
        let role = observers("ClusterRole", &objects);
        assert_eq!(rights(role), reading(&on, true), "{on:?}");
        let mut words: Vec<_> = on.iter().map(|source| source.as_str()).collect();
        words.sort_unstable();
        assert!(arguments(&objects).contains(&format!("--sources={}", words.join(","))));
    }
}

#[test]
fn by_default_the_sources_are_on_that_hold_no_secrets() {
    let objects = render("");
    let role = observers("ClusterRole", &objects);
    let on = Source::on_by_default();
    let expected = with_target_events(with_nodes(with_crd(reading(&on, true))));
    assert_eq!(rights(role), expected);
    let values = yaml(&std::fs::read_to_string(chart().join("values.yaml")).expect("values"));
    let written = values["observer"]["discovery"]["sources"]
        .as_object()
        .expect("sources");
    for source in Source::ALL {
        assert_eq!(written[source.as_str()], on.contains(source), "{source}");
    }
    assert_eq!(written.len(), Source::ALL.len());
}

#[test]
fn a_feature_that_is_off_takes_its_rights_and_arguments_with_it() {
    let off = "discovery: {enabled: false}, crd: {enabled: false}, fleet: {enabled: false}";
    let objects = render(&format!("{MINIMAL}observer: {{{off}}}\n"));
    assert!(objects.iter().all(|object| {
        let kind = object["kind"].as_str().expect("a kind");
        !kind.starts_with("Cluster") && kind != "CustomResourceDefinition"
    }));
    let arguments = arguments(&objects);
    assert!(arguments.contains(&"--sources=".to_owned()));
    assert!(
        !arguments
            .iter()
            .any(|argument| argument.starts_with("--crd") || argument == "--events")
    );
    assert!(in_namespace("Role", "default", &objects).is_empty());
    assert_eq!(in_namespace("ConfigMap", "watch", &objects).len(), 1);

    let objects = render("observer: {discovery: {enabled: false}}\n");
    assert_eq!(
        rights(observers("ClusterRole", &objects)),
        with_nodes(with_target_events(with_crd(Rights::new())))
    );
    let with = self::arguments(&objects);
    assert!(
        with.contains(&"--crd".to_owned()) && with.contains(&"--crd-per-namespace=50".to_owned())
    );
}

/// The account may read what the sources name, and write three objects that the chart makes.
#[test]
fn whatever_is_switched_on_no_secret_can_be_read_and_only_the_charts_objects_be_written() {
    let values = format!(
        "clusterDns: 10.0.0.10\nobserver: {{discovery: {}}}\n",
        sources(Source::ALL)
    );
    let objects = render(&values);
    let roles = in_namespace("Role", "watch", &objects);
    assert_eq!(roles.len(), 1);
    let role = rights(roles[0]);
    let one = |group: &str, resource: &str, verbs: [&str; 2], names: Value| {
        let place = (group.to_owned(), resource.to_owned());
        (place, (verbs.map(str::to_owned).into(), names))
    };
    let expected = Rights::from([
        one(
            "",
            "configmaps",
            ["get", "patch"],
            json!([
                "t-privatelink-prober-targets",
                "t-privatelink-prober-history"
            ]),
        ),
        one("", "pods", ["list", "watch"], Value::Null),
        one(
            "coordination.k8s.io",
            "leases",
            ["get", "update"],
            json!(["t-privatelink-prober-observer"]),
        ),
    ]);
    assert_eq!(role, expected);
    let events = in_namespace("Role", "default", &objects);
    let place = ("events.k8s.io".to_owned(), "events".to_owned());
    let verbs = ["create", "list"].map(str::to_owned).into();
    assert_eq!(
        rights(events[0]),
        Rights::from([(place, (verbs, Value::Null))])
    );
    for (group, resource) in rights(observers("ClusterRole", &objects)).keys() {
        assert!(!group.contains('*') && !resource.contains('*'));
        for never in [
            "secrets",
            "configmaps",
            "pods/exec",
            "pods/proxy",
            "pods/log",
        ] {
            assert_ne!(resource, never, "{group}");
        }
    }
    let bindings = objects.iter().filter(|object| {
        let kind = object["kind"].as_str().expect("a kind");
        is_observers(object) && kind.ends_with("Binding")
    });
    let bindings: Vec<_> = bindings.collect();
    assert_eq!(bindings.len(), 3);
    for binding in bindings {
        let account = json!([{"kind": "ServiceAccount", "name": "t-privatelink-prober-observer",
                              "namespace": "watch"}]);
        assert_eq!(binding["subjects"], account);
    }
}

#[test]
fn in_chosen_namespaces_the_fleet_is_the_nodes_that_have_an_agent() {
    let objects = render("observer: {namespaces: [shop]}\n");
    assert!(in_namespace("Role", "default", &objects).is_empty());
    let arguments = arguments(&objects);
    let of_release =
        "--release-pods=app.kubernetes.io/name=privatelink-prober,app.kubernetes.io/instance=t";
    assert!(arguments.contains(&of_release.to_owned()), "{arguments:?}");
    // On the objects of the namespace, not on nodes.
    assert!(arguments.contains(&"--events".to_owned()));
    for role in in_namespace("Role", "shop", &objects) {
        let rights = rights(role);
        assert!(!rights.contains_key(&(String::new(), "nodes".to_owned())));
        let events = rights.get(&("events.k8s.io".to_owned(), "events".to_owned()));
        assert_eq!(events, Some(&(["create".to_owned()].into(), Value::Null)));
    }
    let without = render("observer: {namespaces: [shop], crd: {enabled: false}}\n");
    assert!(!self::arguments(&without).contains(&"--events".to_owned()));
    let without = render("observer: {fleet: {events: false}}\n");
    assert!(!self::arguments(&without).contains(&"--events".to_owned()));
    let events = ("events.k8s.io".to_owned(), "events".to_owned());
    let cluster = rights(observers("ClusterRole", &without));
    assert!(!cluster.contains_key(&events) && in_namespace("Role", "default", &without).is_empty());
}

#[test]
fn where_clients_are_chosen_the_observer_may_read_agents_and_the_other_replica() {
    let from = "from: [{namespaceSelector: {matchLabels: {name: monitoring}}}]";
    let values = format!("networkPolicy: {{enabled: true, {from}}}\n");
    let objects = render(&values);
    let policies = objects
        .iter()
        .filter(|object| object["kind"] == "NetworkPolicy");
    let policies: Vec<_> = policies.collect();
    assert_eq!(policies.len(), 2);
    for policy in policies {
        let from = policy["spec"]["ingress"][0]["from"]
            .as_array()
            .expect("clients");
        let observers = from.iter().filter(|one| {
            let labels = &one["podSelector"]["matchLabels"];
            labels["app.kubernetes.io/component"] == "observer"
        });
        assert_eq!(observers.count(), 1, "{policy}");
    }
}

#[test]
fn the_address_of_the_clusters_dns_takes_one_right_where_nobody_wrote_it() {
    let of_system = |values: &str, kind: &str| {
        let objects = render(values);
        let mut found = objects.into_iter().filter(|object| {
            object["kind"] == kind && object["metadata"]["namespace"] == "kube-system"
        });
        let first = found.next();
        assert!(found.next().is_none(), "one {kind}");
        first
    };
    let role = of_system("", "Role").expect("a Role in kube-system");
    let place = (String::new(), "services".to_owned());
    let right = (["get".to_owned()].into(), json!(["kube-dns"]));
    assert_eq!(rights(&role), Rights::from([(place, right)]));
    let binding = of_system("", "RoleBinding").expect("a binding");
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    assert_eq!(binding["subjects"][0]["namespace"], "watch");
    let flag = "--learn-cluster-dns".to_owned();
    assert!(arguments(&render("")).contains(&flag));
    for values in [
        "clusterDns: 10.0.0.10\n",
        "observer: {learnClusterDns: false}\n",
        "observer: {namespaces: [shop]}\n",
        "existingConfigMap: mine\n",
        "config: {resolvers: [{name: a, servers: [10.0.0.10]}]}\n",
    ] {
        assert_eq!(of_system(values, "Role"), None, "{values}");
        assert!(!arguments(&render(values)).contains(&flag), "{values}");
    }
}

#[test]
fn with_namespaces_everything_is_a_role_in_them_and_kinds_without_a_namespace_are_off() {
    let objects = render("observer: {namespaces: [payments, shop]}\n");
    assert!(objects.iter().all(|object| {
        !object["kind"]
            .as_str()
            .is_some_and(|kind| kind.starts_with("Cluster"))
    }));
    let expected = with_target_events(with_crd(reading(&Source::on_by_default(), false)));
    for namespace in ["payments", "shop"] {
        let of = |kind: &str| {
            objects
                .iter()
                .find(|object| {
                    object["kind"] == kind && object["metadata"]["namespace"] == namespace
                })
                .unwrap_or_else(|| panic!("no {kind} in {namespace}"))
        };
        assert_eq!(rights(of("Role")), expected);
        assert_eq!(of("RoleBinding")["subjects"][0]["namespace"], "watch");
        assert_eq!(
            of("RoleBinding")["roleRef"]["name"],
            of("Role")["metadata"]["name"]
        );
    }
    let roles = objects.iter().filter(|object| object["kind"] == "Role");
    assert_eq!(roles.count(), 3);
    assert!(arguments(&objects).contains(&"--watch-namespaces=payments,shop".to_owned()));
}

#[test]
fn without_the_observer_nothing_of_it_is_left_and_the_agents_read_one_file() {
    let off = "observer: {enabled: false}\n";
    let objects = render(&format!("{MINIMAL}{off}podMonitor: {{enabled: true}}\n"));
    assert!(!objects.iter().any(is_observers));
    assert!(
        objects
            .iter()
            .all(|object| object["kind"] != "CustomResourceDefinition")
    );
    for pod in pods(&format!("{MINIMAL}{off}")) {
        let volumes = pod["spec"]["volumes"].as_array().expect("volumes");
        assert_eq!(volumes.len(), 1);
        let arguments = pod["spec"]["containers"][0]["args"].to_string();
        assert!(!arguments.contains("targets"), "{arguments}");
    }
}

/// The pod of the observer, for `values`.
fn pod(values: &str) -> Value {
    observers("Deployment", &render(values))["spec"]["template"].clone()
}

fn arguments(objects: &[Value]) -> Vec<String> {
    let pod = &observers("Deployment", objects)["spec"]["template"]["spec"];
    let arguments = pod["containers"][0]["args"]
        .as_array()
        .expect("arguments")
        .iter();
    arguments
        .map(|argument| argument.as_str().expect("a text").to_owned())
        .collect()
}

#[test]
fn the_pod_satisfies_the_restricted_level_and_has_a_short_lived_token_of_its_own() {
    for values in ["", EVERYTHING] {
        let pod = pod(values);
        let spec = &pod["spec"];
        assert_eq!(spec["automountServiceAccountToken"], false);
        assert_eq!(spec["securityContext"]["runAsNonRoot"], true);
        assert_eq!(
            spec["securityContext"]["seccompProfile"]["type"],
            "RuntimeDefault"
        );
        let container = &spec["containers"][0];
        assert_eq!(
            container["securityContext"],
            json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                   "capabilities": {"drop": ["ALL"]}})
        );
        let volume = &spec["volumes"][0];
        assert_eq!(
            volume["projected"]["sources"][0],
            json!({"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}})
        );
        assert_eq!(
            container["volumeMounts"][0],
            json!({"name": volume["name"], "readOnly": true,
                   "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"})
        );
        let account = observers("ServiceAccount", &render(values)).clone();
        assert_eq!(account["automountServiceAccountToken"], false);
        // No other pod has a token.
        for pod in pods(values) {
            assert!(!pod.to_string().contains("serviceAccountToken"));
        }
    }
}

/// A name under test that does not resolve must not keep the observer from the API server.
#[test]
fn the_pod_asks_no_cluster_dns_and_is_told_no_name_of_the_api_server() {
    let spec = &pod("")["spec"];
    assert_eq!(spec["dnsPolicy"], "Default");
    let text = pod(EVERYTHING).to_string();
    assert!(!text.contains("KUBERNETES_SERVICE_HOST") && !text.contains("kubernetes.default"));
}

#[test]
fn the_configmap_has_no_data_and_is_what_the_observer_writes_and_the_agents_mount() {
    let objects = render("");
    let maps = in_namespace("ConfigMap", "watch", &objects);
    let names = maps.iter().map(|map| {
        for key in ["data", "binaryData"] {
            let has = map.get(key).is_some();
            assert!(!has, "an upgrade would take what is written there");
        }
        map["metadata"]["name"].as_str().expect("a name")
    });
    let names: Vec<_> = names.collect();
    let [map, history] = names[..] else {
        panic!("two ConfigMaps: {names:?}");
    };
    assert!(arguments(&objects).contains(&format!("--config-map={map}")));
    assert!(arguments(&objects).contains(&format!("--history={history}")));
    let lease = observers("Lease", &objects)["metadata"]["name"]
        .as_str()
        .expect("a name");
    assert!(arguments(&objects).contains(&format!("--lease={lease}")));
    for pod in pods("") {
        let volumes = pod["spec"]["volumes"].as_array().expect("volumes");
        assert!(volumes.contains(&json!({
            "name": "targets", "configMap": {"name": map, "optional": true},
        })));
    }
}

#[test]
fn replicas_spread_are_evicted_one_by_one_and_are_probed() {
    let objects = render("");
    let deployment = observers("Deployment", &objects);
    assert_eq!(deployment["spec"]["replicas"], 2);
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    let selectors = [
        &deployment["spec"]["selector"]["matchLabels"],
        &observers("PodDisruptionBudget", &objects)["spec"]["selector"]["matchLabels"],
        &observers("NetworkPolicy", &objects)["spec"]["podSelector"]["matchLabels"],
        &observers("Service", &objects)["spec"]["selector"],
    ];
    for selector in selectors {
        for (name, value) in selector.as_object().expect("labels") {
            assert_eq!(&labels[name], value, "{name}");
        }
    }
    let spec = &deployment["spec"]["template"]["spec"];
    let spread = spec["topologySpreadConstraints"]
        .as_array()
        .expect("constraints");
    let keys: Vec<_> = spread
        .iter()
        .map(|one| one["topologyKey"].as_str())
        .collect();
    assert_eq!(
        keys,
        [
            Some("kubernetes.io/hostname"),
            Some("topology.kubernetes.io/zone")
        ]
    );
    let container = &spec["containers"][0];
    for (probe, path) in [("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")] {
        assert_eq!(
            container[probe]["httpGet"],
            json!({"path": path, "port": "http"})
        );
    }
    let policy = &observers("NetworkPolicy", &objects)["spec"];
    assert_eq!(
        policy["ingress"],
        json!([{"ports": [{"port": "http", "protocol": "TCP"}]}])
    );
    let budget = "observer: {podDisruptionBudget: {enabled: false}}\n";
    let without = render(budget);
    assert!(
        without
            .iter()
            .all(|object| object["kind"] != "PodDisruptionBudget")
    );
}

/// Alerts count nodes by the series of agents, so the observer's are told apart.
#[test]
fn its_monitor_gives_its_series_a_job_of_their_own_and_no_node() {
    for (value, kind, endpoints) in [
        ("serviceMonitor", "ServiceMonitor", "endpoints"),
        ("podMonitor", "PodMonitor", "podMetricsEndpoints"),
    ] {
        let objects = render(&format!("{value}: {{enabled: true}}\n"));
        let spec = &observers(kind, &objects)["spec"];
        assert_eq!(spec[endpoints][0]["port"], "http");
        assert_eq!(
            spec[endpoints][0]["relabelings"],
            json!([{"targetLabel": "job", "replacement": "privatelink-prober-observer"}])
        );
        let agents = &single(kind, &objects)["spec"]["selector"];
        assert_ne!(agents, &spec["selector"]);
    }
}

#[test]
fn without_any_values_there_is_an_installation_that_finds_its_targets() {
    let text = config("");
    let folder = format!("{ROOT}/target/chart-observer-{}", std::process::id());
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = format!("{folder}/config.yaml");
    std::fs::write(&file, &text).expect("a file");
    // The agents start before the observer has written its file.
    let plan = privatelink_config::load(&[file.into(), format!("{folder}/targets.yaml").into()]);
    std::fs::remove_dir_all(&folder).expect("it was made above");
    let plan = plan.unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(plan.targets.len(), 0);
}

#[test]
fn the_definition_outlives_the_release_and_can_be_left_to_somebody_else() {
    let definition = observers("CustomResourceDefinition", &render("")).clone();
    assert_eq!(
        definition["metadata"]["annotations"]["helm.sh/resource-policy"],
        "keep"
    );
    let file = std::fs::read_to_string(chart().join("files/privatelinktargets.yaml"));
    assert_eq!(
        definition["spec"],
        yaml(&file.expect("the definition"))["spec"]
    );
    let without = render("observer: {crd: {install: false}}\n");
    assert!(
        without
            .iter()
            .all(|object| object["kind"] != "CustomResourceDefinition")
    );
    assert!(arguments(&without).contains(&"--crd".to_owned()));
}

/// API servers before 1.30 do not know the field, and Helm refuses what they do not know.
#[test]
fn an_older_api_server_gets_no_selectable_fields() {
    let fields = |version: &str| {
        let chart = chart();
        let chart = chart.to_str().expect("UTF-8");
        let output = run(
            "helm",
            &["template", "t", chart, "--kube-version", version],
            "",
        );
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let objects = documents(&String::from_utf8_lossy(&output.stdout));
        observers("CustomResourceDefinition", &objects)["spec"]["versions"][0]["selectableFields"]
            .clone()
    };
    assert!(fields("1.29.7").is_null());
    assert!(fields("1.30.0").is_array());
}

#[test]
fn the_program_knows_every_argument() {
    let all = format!(
        "observer: {{namespaces: [a, b], cloud: usgov, discovery: {}, extraArgs: [--log-level=debug]}}\n",
        sources(Source::ALL)
    );
    for values in ["", &all] {
        let mut arguments = arguments(&render(values));
        arguments.push("--help".to_owned());
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let output = run(env!("CARGO_BIN_EXE_privatelink-prober"), &arguments, "");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {message}");
    }
}

#[test]
fn rights_for_accounts_that_others_use_are_refused() {
    let values = "observer: {serviceAccount: {create: false}, extraArgs: [--lease=other]}\n";
    insta::assert_snapshot!(refused(&format!("{MINIMAL}{values}")), @r"
    Error: execution error at (privatelink-prober/templates/configmap.yaml:1:4): these values cannot work:

      - observer.serviceAccount.create is false, so its roles would go to the service account `default`, and with it to other pods; write the name of yours in observer.serviceAccount.name
      - observer.extraArgs: --lease=other is what the chart sets by itself, from the other values of observer; remove it
    ");
    let same = "observer: {serviceAccount: {name: t-privatelink-prober}}\n";
    assert!(refused(same).contains("is the agents' service account, which must have no rights"));
    let own = "clusterDns: 10.0.0.10\nobserver: {serviceAccount: {create: false, name: mine}}\n";
    let objects = render(own);
    for binding in in_namespace("RoleBinding", "watch", &objects) {
        assert_eq!(binding["subjects"][0]["name"], "mine");
    }
    assert!(
        !rendered(own)
            .contains("name: t-privatelink-prober-observer\n  namespace: watch\nautomount")
    );
}
