use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use http::{Method, Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use tower::service_fn;

use super::*;

/// An API server with a pod and the agents of a release, which answers as its fields say.
#[derive(Clone, Default)]
struct Cluster(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    pod: Value,
    node_labels: Value,
    agents: Vec<Value>,
    /// The subresource that the caller has no right to.
    withheld: &'static str,
    /// What admission says.
    refusal: Option<&'static str>,
    /// What the kubelet makes of the container, look by look; the last one stays.
    states: Vec<Value>,
    log: &'static str,
    /// What the agent answers, by the end of the path.
    agent: Vec<(&'static str, Value)>,
    patches: Vec<Value>,
}

impl Cluster {
    fn new(change: impl FnOnce(&mut Inner)) -> Self {
        let cluster = Self::default();
        {
            let mut inner = cluster.lock();
            inner.pod = pod("web-1", &json!({}));
            inner.node_labels = json!({"kubernetes.io/os": "linux"});
            inner.agents = vec![agent("agent-a", "node-a"), agent("agent-b", "node-b")];
            inner.states = vec![json!({"terminated": {"reason": "Completed", "exitCode": 1}})];
            change(&mut inner);
        }
        cluster
    }

    fn caller(&self) -> Caller {
        let cluster = self.clone();
        let service = service_fn(move |request: Request<Body>| {
            let cluster = cluster.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.expect("a body in memory");
                let body = serde_json::from_slice(&body).unwrap_or_default();
                Ok::<_, Infallible>(cluster.answer(&parts.method, parts.uri.path(), body))
            }
        });
        Caller {
            client: Client::new(service, "default"),
            context: "test".to_owned(),
            namespace: "release".to_owned(),
            speaks_https: Arc::default(),
        }
    }

    fn answer(&self, method: &Method, path: &str, body: Value) -> Response<Body> {
        let mut inner = self.lock();
        if path.ends_with("selfsubjectaccessreviews") {
            let subresource = &body["spec"]["resourceAttributes"]["subresource"];
            let allowed = subresource != inner.withheld;
            return reply(&json!({"status": {"allowed": allowed}}));
        }
        if let Some((_, path)) = path.split_once("agent-b:9797/proxy/api/v1/") {
            let known = inner.agent.iter().find(|(end, _)| *end == path);
            return known.map_or_else(|| failure(404, "not found"), |(_, value)| reply(value));
        }
        match path {
            "/api/v1/nodes/node-b" => reply(&json!({"metadata": {"labels": inner.node_labels}})),
            "/api/v1/namespaces/release/pods" => reply(&list(&inner.agents)),
            "/api/v1/namespaces/shop/pods" => reply(&list(&[inner.pod.clone()])),
            "/api/v1/namespaces/shop/pods/web-1" => {
                let mut pod = inner.pod.clone();
                if let Some(patch) = inner.patches.last() {
                    let name = patch["spec"]["ephemeralContainers"][0]["name"].clone();
                    let state = inner.states[0].clone();
                    if inner.states.len() > 1 {
                        inner.states.remove(0);
                    }
                    pod["status"]["ephemeralContainerStatuses"] =
                        json!([{"name": name, "state": state}]);
                }
                reply(&pod)
            }
            "/api/v1/namespaces/shop/pods/web-1/log" => {
                Response::new(Body::from(inner.log.as_bytes().to_vec()))
            }
            "/api/v1/namespaces/shop/pods/web-1/ephemeralcontainers"
                if *method == Method::PATCH =>
            {
                if let Some(said) = inner.refusal {
                    return failure(403, said);
                }
                inner.patches.push(body);
                reply(&inner.pod)
            }
            _ => failure(404, "not found"),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reply(value: &Value) -> Response<Body> {
    Response::new(Body::from(value.to_string().into_bytes()))
}

fn failure(code: u16, message: &str) -> Response<Body> {
    let mut response = reply(&json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
        "reason": "", "code": code,
    }));
    *response.status_mut() = StatusCode::from_u16(code).expect("a code");
    response
}

fn list(items: &[Value]) -> Value {
    json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})
}

fn pod(name: &str, spec: &Value) -> Value {
    let mut pod = json!({
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"nodeName": "node-b", "containers": [
            {"name": "web", "env": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}]}]},
        "status": {"phase": "Running"},
    });
    for (key, value) in spec.as_object().expect("an object") {
        pod["spec"][key] = value.clone();
    }
    pod
}

fn agent(name: &str, node: &str) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"app.kubernetes.io/component": "agent"}},
        "spec": {"nodeName": node, "securityContext": {"runAsUser": 65_532}, "containers": [{
            "name": "agent", "image": "registry/privatelink-prober:1", "imagePullPolicy": "Never",
            "ports": [{"name": "metrics", "containerPort": 9797}]}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

fn web() -> PodName {
    "shop/web-1".parse().expect("a name")
}

async fn refused(cluster: &Cluster, pod: PodName) -> String {
    let prepared = cluster.caller().prepare_check(&pod, "release=x").await;
    let error = prepared.err().expect("a refusal").to_string();
    assert!(cluster.lock().patches.is_empty(), "nothing was changed");
    error
}

#[tokio::test]
async fn the_container_is_one_that_the_restricted_level_admits() {
    let cluster = Cluster::new(|_| {});
    let prepared = cluster
        .caller()
        .prepare_check(&web(), "release=x")
        .await
        .expect("prepared");
    let arguments = ["check".to_owned(), "kv.vault.azure.net".to_owned()];
    let name = prepared
        .start(&arguments, &[("COLUMNS", "100".to_owned())])
        .await
        .expect("added");
    assert!(name.starts_with("privatelink-check-"), "{name}");
    let patches = cluster.lock().patches.clone();
    let expected = json!({"spec": {"ephemeralContainers": [{
        "image": "registry/privatelink-prober:1",
        "imagePullPolicy": "Never",
        "env": [
            {"name": "HTTPS_PROXY", "value": "http://proxy:3128"},
            {"name": "NODE_NAME", "value": "node-b"},
            {"name": "COLUMNS", "value": "100"},
        ],
        "securityContext": {
            "runAsNonRoot": true, "runAsUser": 65_532, "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "name": name,
        "args": ["check", "kv.vault.azure.net"],
    }]}});
    assert_eq!(patches, [expected]);
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_before_anything_is_changed() {
    let on = |labels: Value| Cluster::new(|inner| inner.node_labels = labels);
    let said = refused(&on(json!({"kubernetes.io/os": "windows"})), web()).await;
    assert!(said.contains("Windows pod"), "{said}");
    let said = refused(&on(json!({"type": "virtual-kubelet"})), web()).await;
    assert!(said.contains("virtual node"), "{said}");
    for (withheld, right) in [
        ("ephemeralcontainers", "patch pods/ephemeralcontainers"),
        ("log", "get pods/log"),
    ] {
        let cluster = Cluster::new(|inner| inner.withheld = withheld);
        let said = refused(&cluster, web()).await;
        assert!(
            said.starts_with(&format!("you may not {right} in namespace shop")),
            "{said}"
        );
    }
    let said = refused(&Cluster::new(|inner| inner.agents.clear()), web()).await;
    assert!(
        said.starts_with("no agent of privatelink-prober runs in namespace release"),
        "{said}"
    );
}

#[tokio::test]
async fn a_pod_that_is_not_there_is_answered_with_those_near_it() {
    let cluster = Cluster::new(|_| {});
    let said = refused(&cluster, "shop/web-2".parse().expect("a name")).await;
    assert_eq!(said, "there is no pod web-2 in namespace shop; near: web-1");
    for wrong in [
        "web-1",
        "shop/",
        "/web-1",
        "shop/web/1",
        "shop/..",
        "Shop/web",
    ] {
        assert!(PodName::from_str(wrong).is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn a_refusal_of_admission_is_told_in_its_own_words() {
    let words = "pods \"web-1\" is forbidden: admission webhook says: no debugging here";
    let cluster = Cluster::new(|inner| inner.refusal = Some(words));
    let prepared = cluster
        .caller()
        .prepare_check(&web(), "release=x")
        .await
        .expect("prepared");
    let error = prepared
        .start(&[], &[])
        .await
        .expect_err("not admitted")
        .to_string();
    assert_eq!(
        error,
        format!("the API server admits no container in shop/web-1: {words}")
    );
}

#[tokio::test(start_paused = true)]
async fn each_phase_is_told_once_and_the_log_is_read_at_the_end() {
    let cluster = Cluster::new(|inner| {
        let creating = json!({"waiting": {"reason": "ContainerCreating"}});
        let running = json!({"running": {"startedAt": "2026-11-03T08:00:00Z"}});
        let ended = inner.states.remove(0);
        inner.states = vec![creating.clone(), creating, running.clone(), running, ended];
        inner.log = "{}\n";
    });
    let prepared = cluster
        .caller()
        .prepare_check(&web(), "release=x")
        .await
        .expect("prepared");
    let container = prepared.start(&[], &[]).await.expect("added");
    let mut phases = Vec::new();
    let ended = prepared
        .ended(&container, START, |phase| phases.push(phase.clone()))
        .await;
    let ended = ended.expect("it ended");
    assert_eq!((ended.exit_code, &*ended.log), (1, "{}\n"));
    assert_eq!(phases, [Phase::Starting, Phase::Running]);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_pulled_is_waited_for_and_then_told() {
    let cluster = Cluster::new(|inner| {
        inner.states =
            vec![json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}})];
    });
    let prepared = cluster
        .caller()
        .prepare_check(&web(), "release=x")
        .await
        .expect("prepared");
    let container = prepared.start(&[], &[]).await.expect("added");
    let began = Instant::now();
    let error = prepared
        .ended(&container, START, |_| {})
        .await
        .err()
        .expect("late");
    assert_eq!(
        error.to_string(),
        "the container does not start: ImagePullBackOff: no such image"
    );
    assert!(began.elapsed() < START + 2 * LOOK, "{:?}", began.elapsed());
}

#[tokio::test]
async fn the_agent_of_the_pods_node_is_asked_by_the_host() {
    let target = |name: &str, reason: &str, outcome: &str, stage: &str| {
        json!({"targets": [{"target": name, "host": "kv.vault.azure.net", "port": 443, "outcome": outcome,
            "reason": reason, "stage": stage,
            "dns": {"addresses": [{"ip": "10.1.2.4", "class": "private", "ttlSeconds": 9}]}}]})
    };
    let cluster = Cluster::new(|inner| {
        let names = json!({"targets": [{"target": "vault", "host": "kv.vault.azure.net"}]});
        inner.agent = vec![
            ("summary", names),
            ("targets/vault", target("vault", "ok", "pass", "none")),
        ];
    });
    let prepared = cluster
        .caller()
        .prepare_check(&web(), "release=x")
        .await
        .expect("prepared");
    let timeout = target("kv.vault.azure.net", "connect_timeout", "fail", "connect");
    let mut report: SeenReport = serde_json::from_value(timeout).expect("a report");
    let compared = prepared.compare(&report).await;
    assert_eq!(
        compared[0].0,
        PodComparison::PodDropped,
        "{}",
        compared[0].1
    );
    report.targets[0].host = "another.vault.azure.net".to_owned();
    assert_eq!(
        prepared.compare(&report).await[0].0,
        PodComparison::NoTarget
    );
    cluster.lock().agent.clear();
    assert_eq!(
        prepared.compare(&report).await[0].0,
        PodComparison::NotAsked
    );
}

#[tokio::test]
async fn an_agent_of_another_node_gives_its_image_and_is_not_compared_with() {
    let cluster = Cluster::new(|inner| {
        inner.agents.remove(1);
    });
    let prepared = cluster
        .caller()
        .prepare_check(&web(), "release=x")
        .await
        .expect("prepared");
    assert!(prepared.agent.is_none());
    assert_eq!(prepared.container["image"], "registry/privatelink-prober:1");
}
