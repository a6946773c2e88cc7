use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};

use http::{Method, Request, Response};
use kube::client::Body;
use kube::runtime::watcher;
use privatelink_fleet::{Cell, FleetTarget, View};
use privatelink_verdict::target::Expectation;
use serde_json::{Value, from_value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tower::service_fn;

use super::*;
use crate::fake_api::FakeApi;
use crate::fleet::members::Members;
use crate::private_link_target::admission::{AdmissionRules, admission};
use crate::private_link_target::objects::TargetObjects;
use crate::{ObserverRules, Options};

/// The events of an API server, in the order in which they were written. Clones are the same.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<Value>>>);

impl Events {
    fn client(&self) -> Client {
        let events = self.clone();
        let service = service_fn(move |request: Request<Body>| {
            let events = events.clone();
            async move { Ok::<_, Infallible>(events.answer(request).await) }
        });
        Client::new(service, "default")
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        if request.method() == Method::GET {
            let asked = request.uri().to_string();
            let selected = "fieldSelector=reportingController%3Dprivatelink-prober.dev%2Fobserver";
            assert!(asked.contains("/namespaces/default/events?"), "{asked}");
            assert!(asked.contains(selected), "{asked}");
            let items = self.all();
            let items = items
                .iter()
                .filter(|event| event["metadata"]["namespace"] == "default");
            let items: Vec<_> = items.collect();
            return reply(200, &json!({"metadata": {}, "items": items}));
        }
        let body = request.into_body().collect_bytes().await.expect("a body");
        let event: Value = serde_json::from_slice(&body).expect("JSON");
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all
            .iter()
            .any(|known| known["metadata"] == event["metadata"])
        {
            return reply(
                409,
                &json!({"kind": "Status", "code": 409, "message": "", "reason": ""}),
            );
        }
        all.push(event.clone());
        reply(201, &event)
    }

    fn all(&self) -> Vec<Value> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Of each event on what it is, its reason and its type.
    fn said(&self) -> Vec<String> {
        let all = self.all();
        let said = all.iter().map(|event| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (about, reason) = (text(&event["regarding"]["name"]), text(&event["reason"]));
            format!("{about} {reason} {}", text(&event["type"]))
        });
        said.collect()
    }
}

fn reply(status: u16, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string().into_bytes()));
    *response.status_mut() = http::StatusCode::from_u16(status).expect("a status");
    response
}

/// A replica that leads.
struct Replica {
    announcer: Announcer,
    _rules: watch::Sender<ObserverRules>,
    election: JoinHandle<()>,
}

impl Replica {
    async fn leading(events: &Events) -> Self {
        let (rules, known) = watch::channel(ObserverRules {
            discovery: privatelink_discovery::DiscoveryRules::default(),
            admission: AdmissionRules::default(),
            most_per_namespace: 20,
            ..ObserverRules::default()
        });
        let shared = Shared::new(&Options::default(), known);
        let lease = FakeApi::with(json!({"metadata": {"name": "observer"}}));
        let leases = Api::namespaced(lease.client(), "default");
        let (election, mut leadership) = crate::Election::new(leases, "observer", "a");
        let election = tokio::spawn(election.run(CancellationToken::new()));
        leadership.gained().await;
        *shared.members() = Members::listed(Some(vec![node("a", "uid-a")]), Vec::new());
        shared.note_fleet_read(true);
        let announcer = Announcer::new(events.client(), "observer-a", shared, leadership);
        Self {
            announcer,
            _rules: rules,
            election,
        }
    }

    /// What the agent of the node `a` says, and how many seconds ago it became so.
    fn sees(&self, cells: &[(&str, Option<Reason>, u32)]) {
        let shared = &self.announcer.shared;
        let now = SystemTime::now().into();
        let members = shared.members();
        let mut fleet = shared.fleet();
        fleet.set_nodes(members.nodes(&members.agents()), now);
        let cells = cells
            .iter()
            .map(|(name, fails, at)| cell(name, *fails, *at));
        let view = View {
            version: "1".into(),
            agent_started: now,
            config_hash: "1".into(),
            config_loaded: true,
            cells: cells.collect(),
        };
        assert!(fleet.set_view("a", view, now));
    }

    /// The objects, as the watch says.
    fn declared(&self, objects: &[Value]) {
        let mut kept = TargetObjects::default();
        kept.take("", watcher::Event::Init);
        for object in objects {
            let object = from_value(object.clone()).expect("an object");
            kept.take("", watcher::Event::InitApply(object));
        }
        kept.take("", watcher::Event::InitDone);
        let rules = AdmissionRules {
            most: 500,
            most_per_namespace: 50,
            ..AdmissionRules::default()
        };
        *self.announcer.shared.admission() = admission(kept.iter(), &rules);
    }

    async fn round(&mut self) {
        if !self.announcer.has_recalled {
            self.announcer.has_recalled = self.announcer.recall().await;
            assert!(self.announcer.has_recalled);
        }
        self.announcer.look_at_nodes();
        self.announcer.look_at_objects();
        self.announcer.tell().await;
        // Events are told apart by the time at which they were written.
        sleep(ROUND).await;
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.election.abort();
    }
}

fn node(name: &str, uid: &str) -> crate::pod::NodeObject {
    from_value(json!({
        "metadata": {"name": name, "uid": uid},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }))
    .expect("a node")
}

fn cell(name: &str, fails: Option<Reason>, at: u32) -> Cell {
    Cell {
        target: Arc::new(FleetTarget {
            name: name.to_owned(),
            host: "kv.vault.azure.net".to_owned(),
            service: "key-vault".to_owned(),
            users: None,
        }),
        judged: Some(fails.map_or((Outcome::Pass, Reason::Ok), |reason| {
            (Outcome::Fail, reason)
        })),
        since: Moment(at),
        is_confirmed: true,
        is_stale: false,
        expect: Expectation::PrivateEndpoint,
        paths: privatelink_fleet::CellPaths::default(),
    }
}

const PUBLIC: Option<Reason> = Some(Reason::PublicFallback);

/// The replica that leads next sees the target that failed first well again, and the other one still failing.
#[tokio::test(start_paused = true)]
async fn a_failure_of_a_node_is_told_once_whoever_leads_and_whatever_target_failed_first() {
    let events = Events::default();
    let mut first = Replica::leading(&events).await;
    first.sees(&[("kv", PUBLIC, 1_000), ("sql", PUBLIC, 2_000)]);
    first.round().await;
    first.round().await;
    assert_eq!(events.said(), ["a PublicFallback Warning"]);
    let mut second = Replica::leading(&events).await;
    second.sees(&[("kv", None, 3_000), ("sql", PUBLIC, 2_000)]);
    second.round().await;
    first.sees(&[("kv", None, 3_000), ("sql", PUBLIC, 2_000)]);
    first.round().await;
    assert_eq!(events.said().len(), 1, "{:?}", events.said());
    // Both say the same when it is over, under the same name.
    for replica in [&mut first, &mut second] {
        replica.sees(&[("kv", None, 3_000), ("sql", None, 4_000)]);
        replica.round().await;
    }
    assert_eq!(events.said()[1..], ["a PublicFallback Normal"]);
    // Again is news.
    second.sees(&[("sql", PUBLIC, 5_000)]);
    second.round().await;
    assert_eq!(events.said()[2..], ["a PublicFallback Warning"]);
}

#[tokio::test(start_paused = true)]
async fn what_ended_while_no_replica_led_is_told_by_the_next_leader() {
    let events = Events::default();
    let mut first = Replica::leading(&events).await;
    first.sees(&[("kv", PUBLIC, 1_000)]);
    first.round().await;
    drop(first);
    let mut second = Replica::leading(&events).await;
    second.sees(&[("kv", None, 2_000)]);
    second.round().await;
    let expected = ["a PublicFallback Warning", "a PublicFallback Normal"];
    assert_eq!(events.said(), expected);
    assert_eq!(events.all()[1]["note"], "No longer public_fallback");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_made_anew_under_the_same_name_is_another() {
    let events = Events::default();
    let mut replica = Replica::leading(&events).await;
    replica.sees(&[("kv", PUBLIC, 1_000)]);
    replica.round().await;
    let members = Members::listed(Some(vec![node("a", "uid-of-another")]), Vec::new());
    *replica.announcer.shared.members() = members;
    replica.sees(&[("kv", PUBLIC, 1_000)]);
    replica.round().await;
    let all = events.all();
    let uids: Vec<_> = all.iter().map(|event| &event["regarding"]["uid"]).collect();
    assert_eq!(uids, ["uid-a", "uid-of-another"]);
}

/// Another version of the program, or of its compiler, must give the same names.
#[test]
fn the_name_of_an_event_is_the_same_for_ever() {
    let long = "n".repeat(253);
    let expected = "aks-0.c9439f4eba00b8c7";
    assert_eq!(name("aks-0", &["uid", "public_fallback"]), expected);
    assert_eq!(name(&long, &[]).len(), 217);
}

fn object(status: &Value) -> Value {
    json!({
        "metadata": {"namespace": "shop", "name": "kv", "uid": "uid-kv", "generation": 1},
        "spec": {"host": "kv.vault.azure.net"},
        "status": status,
    })
}

fn shown(status: &str) -> Value {
    json!({"conditions": [{
        "type": "Healthy", "status": status, "reason": "PublicFallback", "message": "It fails.",
        "lastTransitionTime": "2026-11-03T08:00:00Z",
    }]})
}

#[tokio::test(start_paused = true)]
async fn a_declared_target_has_an_event_when_it_begins_to_fail_and_when_that_is_over() {
    let events = Events::default();
    let mut replica = Replica::leading(&events).await;
    replica.declared(&[object(&Value::Null)]);
    replica.sees(&[("shop:kv", None, 1_000)]);
    replica.round().await;
    assert!(events.said().is_empty());
    replica.sees(&[("shop:kv", PUBLIC, 2_000)]);
    replica.round().await;
    replica.round().await;
    let of_object = |said: Vec<String>| -> Vec<String> {
        said.into_iter()
            .filter(|said| said.starts_with("kv "))
            .collect()
    };
    assert_eq!(of_object(events.said()), ["kv PublicFallback Warning"]);
    let all = events.all();
    let event = all
        .iter()
        .find(|event| event["regarding"]["name"] == "kv")
        .expect("it");
    assert_eq!(event["metadata"]["namespace"], "shop");
    assert_eq!(event["regarding"]["kind"], "PrivateLinkTarget");
    assert_eq!(
        event["regarding"]["apiVersion"],
        "privatelink-prober.dev/v1alpha1"
    );
    assert_eq!(event["regarding"]["uid"], "uid-kv");
    assert_eq!(
        event["note"],
        "Of 1 node, it fails on 1 (public_fallback on 1)."
    );
    replica.sees(&[("shop:kv", None, 3_000)]);
    replica.round().await;
    let expected = ["kv PublicFallback Warning", "kv Ok Normal"];
    assert_eq!(of_object(events.said()), expected);
}

#[tokio::test(start_paused = true)]
async fn the_next_leader_knows_from_the_status_what_was_told_of_a_declared_target() {
    let events = Events::default();
    let mut replica = Replica::leading(&events).await;
    replica.declared(&[object(&shown("False"))]);
    replica.sees(&[("shop:kv", PUBLIC, 2_000)]);
    replica.round().await;
    assert!(!events.said().iter().any(|said| said.starts_with("kv ")));
    replica.sees(&[("shop:kv", None, 3_000)]);
    replica.round().await;
    assert!(events.said().contains(&"kv Ok Normal".to_owned()));
    // Whoever led before said so already, and did not write the status any more.
    let told = events.said().len();
    let mut next = Replica::leading(&events).await;
    next.declared(&[object(&shown("False"))]);
    next.sees(&[("shop:kv", None, 3_000)]);
    next.round().await;
    assert_eq!(events.said().len(), told);
}

#[tokio::test(start_paused = true)]
async fn what_a_team_declared_is_told_before_what_a_thousand_nodes_have() {
    let events = Events::default();
    let mut replica = Replica::leading(&events).await;
    replica.declared(&[object(&Value::Null)]);
    replica.sees(&[("shop:kv", None, 1_000)]);
    replica.round().await;
    let of_node = |number: usize| Event {
        metadata: ObjectMeta {
            name: Some(format!("node.{number}")),
            ..ObjectMeta::default()
        },
        regarding: Some(ObjectReference {
            name: Some("node".to_owned()),
            ..ObjectReference::default()
        }),
        ..Event::default()
    };
    replica
        .announcer
        .push((0..MOST_WAITING).map(of_node).collect());
    replica.sees(&[("shop:kv", PUBLIC, 2_000)]);
    replica.round().await;
    assert_eq!(events.said()[0], "kv PublicFallback Warning");
    assert_eq!(replica.announcer.waiting.len(), MOST_WAITING - A_ROUND);
}
