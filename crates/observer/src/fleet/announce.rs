//! Announce: tells of failures by Kubernetes events, on change only: on the node, so that `kubectl describe
//! node` shows them, when a second probe confirmed one and when it is over; and on a `PrivateLinkTarget`, when
//! its target begins to fail on some node, and when it fails on none any more.
//!
//! A replica that begins to lead learns what was said before: of nodes from the events that are there, of
//! objects from their status. The name of an event is computed from what happened, so that one that was said
//! all the same is there already.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, ObjectMeta, PostParams};
use kube::{Api, Client, Resource as _};
use privatelink_fleet::{Moment, Standing};
use privatelink_verdict::reason::Reason;
use privatelink_verdict::sanitize::sentence;
use privatelink_verdict::verdict::Outcome;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::client::CALL;
use crate::election::Leadership;
use crate::events::NotAnnounced;
use crate::private_link_target::PrivateLinkTarget;
use crate::private_link_target::admission::Decision;
use crate::private_link_target::health::{State, message};
use crate::{Shared, camel_case};

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(5);

/// Events of a round: 60 a minute.
const A_ROUND: usize = 5;

/// Events that wait. When thousands of nodes fail at once, most of their events would say the same.
const MOST_WAITING: usize = 1_000;

/// Events of earlier leaders that are read: of a page; pages. The API server forgets them after an hour.
const PAGE: u32 = 500;
const MOST_PAGES: usize = 20;

/// Targets that an event names.
const NAMED: usize = 3;

/// The characters of the name of the node or object that the name of an event begins with.
const LONGEST_START: usize = 200;

/// Events about nodes are in this namespace, as those of the kubelet are.
const NAMESPACE: &str = "default";

/// Who says it.
const CONTROLLER: &str = "privatelink-prober.dev/observer";

/// Tells of failures, while this replica leads.
pub(crate) struct Announcer {
    client: Client,
    replica: String,
    shared: Shared,
    leadership: Leadership,
    /// Whether it is known what earlier leaders said of nodes.
    has_recalled: bool,
    /// What was said to fail on nodes.
    failing: Failures,
    /// Whether each object was said to fail, by its UID.
    objects: HashMap<String, bool>,
    waiting: VecDeque<Event>,
    /// Whether the last attempt failed, so that a failure that lasts is logged once.
    is_refused: bool,
}

/// By the UID of the node and the reason.
type Failures = BTreeMap<(String, Reason), Failure>;

/// Targets of one node that fail for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure {
    node: Arc<str>,
    /// Since when the first of them fails.
    since: Moment,
    /// The name of the event that says so.
    said: String,
    targets: usize,
    /// Some of them.
    named: Vec<String>,
}

/// What an event is about.
struct About<'a> {
    kind: &'a str,
    api_version: String,
    /// The object's; `None` for a node.
    namespace: Option<&'a str>,
    name: &'a str,
    uid: &'a str,
}

/// What an event says.
struct Said {
    name: String,
    reason: String,
    is_over: bool,
    note: String,
}

impl Announcer {
    pub(crate) fn new(
        client: Client,
        replica: &str,
        shared: Shared,
        leadership: Leadership,
    ) -> Self {
        Self {
            client,
            replica: replica.to_owned(),
            shared,
            leadership,
            has_recalled: false,
            failing: Failures::new(),
            objects: HashMap::new(),
            waiting: VecDeque::new(),
            is_refused: false,
        }
    }

    /// Runs until it is dropped.
    pub(crate) async fn run(mut self) {
        let mut rounds = interval(ROUND);
        // Those that were missed while another replica led are not made up for.
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            if !self.leadership.is_leading() {
                self.failing.clear();
                self.objects.clear();
                self.waiting.clear();
                self.has_recalled = false;
                self.leadership.gained().await;
                continue;
            }
            // Before every agent was asked, what is missing need not be over.
            if self.shared.is_fleet_read() {
                if !self.has_recalled {
                    self.has_recalled = self.recall().await;
                }
                if self.has_recalled {
                    self.look_at_nodes();
                }
                self.look_at_objects();
            }
            self.tell().await;
        }
    }

    /// Learns what earlier leaders said of nodes; whether that is known now.
    async fn recall(&mut self) -> bool {
        // Where nodes are not known, nothing is said of them.
        if !self.shared.members().has_nodes() {
            return true;
        }
        let events: Api<Event> = Api::namespaced(self.client.clone(), NAMESPACE);
        let mut latest: HashMap<(String, Reason), Event> = HashMap::new();
        let mut parameters = ListParams::default()
            .fields(&format!("reportingController={CONTROLLER}"))
            .limit(PAGE);
        for _ in 0..MOST_PAGES {
            let page = match timeout(CALL, events.list(&parameters)).await {
                Ok(Ok(page)) => page,
                Ok(Err(error)) => return self.failed(&error.to_string()),
                Err(_) => return self.failed(SILENT),
            };
            for event in page.items {
                let uid = event.regarding.as_ref().and_then(|about| about.uid.clone());
                let word = event.reason.as_deref().unwrap_or_default();
                let mut reasons = Reason::ALL.iter().copied();
                let reason = reasons.find(|reason| camel_case(reason.as_str()) == word);
                if let Some(key) = uid.zip(reason) {
                    let time = |event: &Event| event.event_time.as_ref().map(|time| time.0);
                    let known = latest.get(&key);
                    if known.is_none_or(|known| time(known) < time(&event)) {
                        latest.insert(key, event);
                    }
                }
            }
            match page.metadata.continue_ {
                Some(next) if !next.is_empty() => parameters = parameters.continue_token(&next),
                _ => break,
            }
        }
        let failing = latest
            .into_iter()
            .filter(|(_, event)| event.type_.as_deref() == Some(WARNING));
        let failing = failing.filter_map(|(key, event)| {
            let failure = Failure {
                node: event.regarding?.name?.into(),
                since: Moment::default(),
                said: event.metadata.name?,
                targets: 0,
                named: Vec::new(),
            };
            Some((key, failure))
        });
        self.failing.extend(failing);
        true
    }

    /// Finds out what is new of nodes.
    fn look_at_nodes(&mut self) {
        let (mut now, covered) = self.failures();
        let mut news = Vec::new();
        for (key, failure) in &mut now {
            if let Some(before) = self.failing.get(key) {
                failure.said.clone_from(&before.said);
                continue;
            }
            let (uid, reason) = key;
            let since = failure.since.to_string();
            failure.said = name(&failure.node, &[uid, reason.as_str(), &since]);
            news.push(self.node_event(key, failure, false));
        }
        for (key, failure) in std::mem::take(&mut self.failing) {
            if now.contains_key(&key) {
                continue;
            }
            match covered.get(&key.0) {
                Some(true) => news.push(self.node_event(&key, &failure, true)),
                // The agent is silent: it is not known whether the failure is over.
                Some(false) => {
                    now.insert(key, failure);
                }
                // A node that is gone has no failures.
                None => {}
            }
        }
        self.failing = now;
        self.push(news);
    }

    /// What fails on nodes now and was confirmed, and of each node whether its agent says so now, by its UID.
    fn failures(&self) -> (Failures, HashMap<String, bool>) {
        let mut failures = Failures::new();
        let mut covered = HashMap::new();
        let members = self.shared.members();
        let fleet = self.shared.fleet();
        for seen in fleet.seen(SystemTime::now().into()) {
            let node = &seen.node.name;
            let view = seen.view.filter(|_| seen.is_covered());
            let Some(uid) = members.uid(node) else {
                continue;
            };
            covered.insert(uid.to_owned(), view.is_some());
            let Some(view) = view else {
                continue;
            };
            for cell in &view.cells {
                let Some((Outcome::Fail, reason)) = cell.judged else {
                    continue;
                };
                let key = (uid.to_owned(), reason);
                if !cell.is_confirmed && !self.failing.contains_key(&key) {
                    continue;
                }
                let failure = failures.entry(key).or_insert_with(|| Failure {
                    node: Arc::clone(node),
                    since: cell.since,
                    said: String::new(),
                    targets: 0,
                    named: Vec::new(),
                });
                failure.since = failure.since.min(cell.since);
                failure.targets += 1;
                if failure.named.len() < NAMED {
                    failure.named.push(cell.target.name.clone());
                }
            }
        }
        (failures, covered)
    }

    fn node_event(&self, key: &(String, Reason), failure: &Failure, is_over: bool) -> Event {
        let (uid, reason) = key;
        let named = failure.named.join(", ");
        let targets = match failure.targets - failure.named.len() {
            0 => named,
            others => format!("{named} and {others} more"),
        };
        let note = match (is_over, targets.is_empty()) {
            (true, true) => format!("No longer {reason}"),
            (true, false) => format!("No longer {reason}: {targets}"),
            (false, _) => format!("{reason}: {} Targets: {targets}", reason.meaning()),
        };
        let about = About {
            kind: "Node",
            api_version: "v1".to_owned(),
            namespace: None,
            name: &failure.node,
            uid,
        };
        let name = if is_over {
            name(&failure.node, &[&failure.said, "over"])
        } else {
            failure.said.clone()
        };
        let reason = camel_case(reason.as_str());
        self.event(
            &about,
            Said {
                name,
                reason,
                is_over,
                note,
            },
        )
    }

    /// Finds out what is new of the declared targets.
    fn look_at_objects(&mut self) {
        let admission = self.shared.admission().clone();
        if admission.decisions.is_empty() {
            return;
        }
        let now = SystemTime::now().into();
        let standings = self.shared.standings(&admission, now);
        let mut objects = HashMap::with_capacity(admission.decisions.len());
        let mut news = Vec::new();
        for decision in &admission.decisions {
            let standing = decision
                .target
                .as_ref()
                .and_then(|name| standings.get(name));
            let Some(standing) = standing else { continue };
            let before = self.objects.get(&decision.uid).copied();
            let was_failing = before.unwrap_or_else(|| decision.shown.is_failing());
            let is_failing = State::of(standing, was_failing) == State::Failing;
            if is_failing != was_failing {
                news.push(self.object_event(decision, standing, !is_failing));
            }
            objects.insert(decision.uid.clone(), is_failing);
        }
        self.objects = objects;
        self.push_first(news);
    }

    fn object_event(&self, decision: &Decision, standing: &Standing, is_over: bool) -> Event {
        let shown = decision.shown.healthy.as_ref().filter(|_| is_over);
        // What is over is told from another time by when it began, which the status holds.
        let began = match (shown, standing.since) {
            (Some(shown), _) => shown.last_transition_time.0.to_string(),
            (None, since) => since.unwrap_or_default().to_string(),
        };
        let what = if is_over { "over" } else { "failing" };
        let reason = standing.worst().filter(|_| !is_over);
        let reason = reason.map_or_else(
            || "Ok".to_owned(),
            |(_, reason)| camel_case(reason.as_str()),
        );
        let about = About {
            kind: &PrivateLinkTarget::kind(&()),
            api_version: PrivateLinkTarget::api_version(&()).into_owned(),
            namespace: Some(&decision.key.namespace),
            name: &decision.key.name,
            uid: &decision.uid,
        };
        let said = Said {
            name: name(&decision.key.name, &[&decision.uid, what, &began]),
            reason,
            is_over,
            note: message(standing, None),
        };
        self.event(&about, said)
    }

    fn event(&self, about: &About<'_>, said: Said) -> Event {
        let (kind, action) = if said.is_over {
            ("Normal", "Recovered")
        } else {
            (WARNING, "Failed")
        };
        Event {
            metadata: ObjectMeta {
                name: Some(said.name),
                namespace: Some(about.namespace.unwrap_or(NAMESPACE).to_owned()),
                ..ObjectMeta::default()
            },
            type_: Some(kind.to_owned()),
            reason: Some(said.reason),
            action: Some(action.to_owned()),
            note: Some(sentence(&said.note).into_owned()),
            regarding: Some(ObjectReference {
                kind: Some(about.kind.to_owned()),
                api_version: Some(about.api_version.clone()),
                namespace: about.namespace.map(str::to_owned),
                name: Some(about.name.to_owned()),
                uid: Some(about.uid.to_owned()),
                ..ObjectReference::default()
            }),
            event_time: Some(MicroTime(Timestamp::now())),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.replica.clone()),
            ..Event::default()
        }
    }

    fn push(&mut self, news: Vec<Event>) {
        for event in news {
            if self.waiting.len() == MOST_WAITING {
                self.shared.drop_event();
            } else {
                self.waiting.push_back(event);
            }
        }
    }

    /// Those of declared targets go before those of nodes: when thousands of nodes fail at once, teams would
    /// hear of it an hour later.
    fn push_first(&mut self, news: Vec<Event>) {
        let is_of_object = |event: &&Event| {
            let about = event.regarding.as_ref();
            about.is_some_and(|about| about.namespace.is_some())
        };
        let mut at = self.waiting.iter().take_while(is_of_object).count();
        for event in news {
            if self.waiting.len() == MOST_WAITING {
                self.waiting.pop_back();
                self.shared.drop_event();
            }
            at = at.min(self.waiting.len());
            self.waiting.insert(at, event);
            at += 1;
        }
    }

    /// Writes those that wait longest. What the API server has already was said before.
    async fn tell(&mut self) {
        for _ in 0..A_ROUND {
            let Some(event) = self.waiting.front() else {
                return;
            };
            if !self.leadership.is_leading() {
                return;
            }
            let namespace = event.metadata.namespace.as_deref().unwrap_or(NAMESPACE);
            let events: Api<Event> = Api::namespaced(self.client.clone(), namespace);
            let parameters = PostParams::default();
            let error = match timeout(CALL, events.create(&parameters, event)).await {
                Ok(Ok(_)) => None,
                Ok(Err(kube::Error::Api(status))) if status.code == 409 => None,
                // Refused for what it says, or its namespace is gone: it would be again.
                Ok(Err(kube::Error::Api(status)))
                    if matches!(status.code, 400 | 404 | 413 | 422) =>
                {
                    self.shared.drop_event();
                    None
                }
                Ok(Err(error)) => {
                    // Where it is forbidden, which it is in a namespace that is being deleted, it need not be for
                    // the others.
                    self.waiting.rotate_left(1);
                    Some(error.to_string())
                }
                Err(_) => Some(SILENT.to_owned()),
            };
            if let Some(error) = error {
                self.failed(&error);
                return;
            }
            self.waiting.pop_front();
            self.is_refused = false;
        }
    }

    /// Says so, once; `false`.
    fn failed(&mut self, error: &str) -> bool {
        if !std::mem::replace(&mut self.is_refused, true) {
            NotAnnounced { error }.emit();
        }
        false
    }
}

const SILENT: &str = "the API server did not answer";

const WARNING: &str = "Warning";

/// The name of an event on what is called `about`, computed from what happened: the same in every replica and
/// version.
fn name(about: &str, what: &[&str]) -> String {
    let hash = digest(&SHA256, what.join("\n").as_bytes());
    let first = hash.as_ref().iter().take(8);
    let number = first.fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    // A name has at most 253 characters, and the names of nodes and objects have no others than these.
    let start: String = about.chars().take(LONGEST_START).collect();
    format!("{start}.{number:016x}")
}

#[cfg(test)]
mod tests;
