use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use kube::client::{Body, ClientBuilder};
use privatelink_discovery::{
    DiscoveryRules, KINDS, Kind, LINGER, Room, Source, Visitor, each_kind,
};
use serde_json::{Value, json};
use tokio::sync::watch as channel;
use tower::service_fn;

use super::*;
use crate::ObserverRules;
use crate::discovered_objects::Objects;
use crate::private_link_target::admission::AdmissionRules;

type Answer = UnsyncBoxBody<Bytes, Infallible>;

/// An API server that serves one kind.
#[derive(Clone)]
struct Server(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    objects: Vec<Value>,
    /// Whether it can send a list as a stream.
    is_streaming: bool,
    /// What it answers instead.
    refusal: Option<StatusCode>,
    /// Whether it ends each watch at once, instead of keeping it open.
    ends_watches: bool,
    /// Whether it sends an error after each list.
    fails_watches: bool,
    /// The groups that it has.
    groups: Vec<&'static str>,
    requests: usize,
    /// How many of them wanted the list.
    lists: usize,
}

impl Server {
    fn new(objects: Vec<Value>) -> Self {
        Self(Arc::new(Mutex::new(Script {
            objects,
            is_streaming: true,
            ..Script::default()
        })))
    }

    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn client(&self) -> Client {
        let server = self.clone();
        let service = service_fn(move |request: Request<Body>| {
            let answer = server.answer(request.uri().path(), request.uri().query());
            async move { Ok::<_, Infallible>(answer) }
        });
        let builder = ClientBuilder::new(service, "default");
        builder.with_layer(&crate::client::pace()).build()
    }

    fn answer(&self, path: &str, query: Option<&str>) -> Response<Answer> {
        let mut script = self.script();
        if path == "/apis" {
            let groups = script.groups.iter().map(|group| {
                let versions = [json!({"groupVersion": format!("{group}/v1"), "version": "v1"})];
                json!({"name": group, "versions": versions})
            });
            let groups: Vec<_> = groups.collect();
            return whole(
                StatusCode::OK,
                &json!({"kind": "APIGroupList", "groups": groups}),
            );
        }
        script.requests += 1;
        let query = query.unwrap_or_default();
        let failure = |code: StatusCode| {
            let status = json!({"kind": "Status", "status": "Failure", "code": code.as_u16(),
                                "reason": "Expired", "message": code.as_str()});
            whole(code, &status)
        };
        if let Some(code) = script.refusal {
            return failure(code);
        }
        let is_watch = query.contains("watch=true");
        if !is_watch {
            let list = json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "9"},
                              "items": script.objects});
            return whole(StatusCode::OK, &list);
        }
        let wants_list = query.contains("sendInitialEvents=true");
        if wants_list && !script.is_streaming {
            return failure(StatusCode::UNPROCESSABLE_ENTITY);
        }
        let mut lines = String::new();
        if wants_list {
            script.lists += 1;
            for object in &script.objects {
                lines += &format!("{}\n", json!({"type": "ADDED", "object": object}));
            }
            let end = json!({"type": "BOOKMARK", "object": {"kind": "X", "apiVersion": "v1", "metadata": {
                "resourceVersion": "9", "annotations": {"k8s.io/initial-events-end": "true"}}}});
            lines += &format!("{end}\n");
        }
        if script.fails_watches {
            let error = json!({"kind": "Status", "status": "Failure", "code": 500, "reason": "InternalError",
                               "message": "no"});
            lines += &format!("{}\n", json!({"type": "ERROR", "object": error}));
        }
        let lines =
            (!lines.is_empty()).then(|| Ok::<_, Infallible>(Frame::data(Bytes::from(lines))));
        let lines = stream::iter(lines);
        if script.ends_watches {
            return Response::new(StreamBody::new(lines).boxed_unsync());
        }
        let body = lines.chain(stream::pending());
        Response::new(StreamBody::new(body).boxed_unsync())
    }
}

fn whole(code: StatusCode, body: &Value) -> Response<Answer> {
    let body = Full::new(Bytes::from(body.to_string()));
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = code;
    response
}

/// Starts the watch of one kind.
struct Start<'a> {
    kind: &'static str,
    server: &'a Server,
    shared: &'a Shared,
}

impl Visitor for Start<'_> {
    fn visit<K: Kind>(&mut self, _: &'static [Source]) {
        if K::RESOURCE.kind == self.kind {
            let (sender, served) = channel::channel(Served::default());
            tokio::spawn(crate::served::follow(self.server.client(), sender));
            let watch = Watch {
                client: self.server.client(),
                shared: self.shared.clone(),
                served,
                namespace: String::new(),
            };
            tokio::spawn(watch.run::<Objects<K>>());
        }
    }
}

struct Watching {
    kind: &'static str,
    shared: Shared,
    rules: channel::Sender<ObserverRules>,
}

impl Watching {
    fn start(kind: &'static str, server: &Server) -> Self {
        let (rules, known) = channel::channel(ObserverRules {
            discovery: DiscoveryRules::default(),
            admission: AdmissionRules::default(),
            most_per_namespace: 100,
            ..ObserverRules::default()
        });
        let shared = Shared::new(&options(), known);
        each_kind(&mut Start {
            kind,
            server,
            shared: &shared,
        });
        Self {
            kind,
            shared,
            rules,
        }
    }

    fn state(&self) -> SourceState {
        self.shared
            .states()
            .of_kind(self.kind)
            .map_or(SourceState::Stale, |known| known.state)
    }

    /// The hosts that are in use.
    fn hosts(&self) -> Vec<String> {
        let discovered = self
            .shared
            .index()
            .discovered(SystemTime::now(), &Room::of(100));
        let used = discovered
            .targets
            .into_iter()
            .filter(|target| target.users.is_some());
        used.map(|target| target.host).collect()
    }
}

async fn pass(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

fn deployment(name: &str, image: &str) -> Value {
    json!({"metadata": {"namespace": "shop", "name": name, "resourceVersion": "7"},
           "spec": {"template": {"spec": {"containers": [{"name": "a", "image": image}]}}}})
}

fn one() -> Server {
    Server::new(vec![deployment("web", "one.azurecr.io/web:1")])
}

const HOST: &str = "one.azurecr.io";

#[tokio::test(start_paused = true)]
async fn what_the_objects_of_a_kind_say_is_known_once_they_are_listed() {
    let watching = Watching::start("Deployment", &one());
    pass(1).await;
    assert_eq!(watching.state(), SourceState::Ok);
    assert_eq!(watching.hosts(), [HOST]);
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_cannot_stream_a_list_is_asked_for_pages() {
    let server = one();
    server.script().is_streaming = false;
    let watching = Watching::start("Deployment", &server);
    pass(1).await;
    assert_eq!(watching.state(), SourceState::Ok);
    assert_eq!(watching.hosts(), [HOST]);
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_given_back_is_noticed_within_a_minute() {
    let server = one();
    server.script().refusal = Some(StatusCode::FORBIDDEN);
    let watching = Watching::start("Deployment", &server);
    pass(3600).await;
    assert_eq!(watching.state(), SourceState::Forbidden);
    server.script().refusal = None;
    pass(60).await;
    assert_eq!(watching.state(), SourceState::Ok);
    assert_eq!(watching.hosts(), [HOST]);
}

#[tokio::test(start_paused = true)]
async fn what_was_known_stays_while_the_api_server_refuses_and_it_is_not_asked_too_often() {
    for code in [
        StatusCode::GONE,
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::TOO_MANY_REQUESTS,
    ] {
        let server = one();
        let watching = Watching::start("Deployment", &server);
        pass(1).await;
        server.script().refusal = Some(code);
        // The open watch is renewed first.
        pass(300).await;
        assert_eq!(watching.state(), SourceState::Stale, "{code}");
        assert_eq!(watching.hosts(), [HOST], "{code}");
        let before = server.script().requests;
        pass(600).await;
        let more = server.script().requests - before;
        assert!(
            (15..=45).contains(&more),
            "{code}: {more} requests in 10 minutes"
        );
        server.script().refusal = None;
        pass(60).await;
        assert_eq!(watching.state(), SourceState::Ok, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_kind_whose_group_is_installed_later_is_watched_from_then_on_and_absent_without_it() {
    let repository = json!({"metadata": {"namespace": "flux", "name": "charts", "resourceVersion": "7"},
                            "spec": {"type": "oci", "url": "oci://one.azurecr.io/charts"}});
    let server = Server::new(vec![repository]);
    let watching = Watching::start("HelmRepository", &server);
    pass(600).await;
    assert_eq!(watching.state(), SourceState::Absent);
    assert_eq!(
        server.script().requests,
        0,
        "a kind that is not there is not asked for"
    );
    server.script().groups = vec!["source.toolkit.fluxcd.io"];
    pass(70).await;
    assert_eq!(watching.state(), SourceState::Ok);
    assert_eq!(watching.hosts(), [HOST]);
    server.script().refusal = Some(StatusCode::NOT_FOUND);
    pass(300).await;
    assert_eq!(watching.state(), SourceState::Absent);
    assert_eq!(watching.hosts(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn new_rules_are_applied_to_every_object() {
    let server = Server::new(vec![deployment("web", "registry.example.com/web:1")]);
    let watching = Watching::start("Deployment", &server);
    pass(1).await;
    assert_eq!(watching.hosts(), [""; 0]);
    let sources = vec![Source::Images];
    watching
        .rules
        .send_modify(|rules| rules.discovery.sources = vec![]);
    *server.script() = Script {
        objects: vec![deployment("web", "two.azurecr.io/web:1")],
        is_streaming: true,
        ..Script::default()
    };
    pass(1).await;
    assert_eq!(watching.hosts(), [""; 0], "the source is off");
    watching
        .rules
        .send_modify(|rules| rules.discovery.sources = sources);
    pass(1).await;
    assert_eq!(watching.hosts(), ["two.azurecr.io"]);
    assert!(KINDS.len() > 1);
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_ends_every_watch_at_once_is_asked_at_a_bounded_pace() {
    let server = one();
    server.script().ends_watches = true;
    let watching = Watching::start("Deployment", &server);
    pass(60).await;
    assert_eq!(watching.hosts(), [HOST]);
    let requests = server.script().requests;
    assert!(requests <= 60 * 20 + 20, "{requests} requests in a minute");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_fails_soon_after_each_list_does_not_list_all_the_time() {
    let server = one();
    server.script().fails_watches = true;
    let watching = Watching::start("Deployment", &server);
    pass(60).await;
    assert_eq!(watching.hosts(), [HOST]);
    let before = server.script().lists;
    pass(600).await;
    let lists = server.script().lists - before;
    assert!((15..=45).contains(&lists), "{lists} lists in 10 minutes");
}

fn options() -> crate::Options {
    crate::Options {
        linger: LINGER,
        ..crate::Options::default()
    }
}
