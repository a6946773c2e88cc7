//! Announce: tells of failures by Kubernetes events on the nodes, so that `kubectl describe node` shows them:
//! when a second probe confirmed one, and when it is over.
//!
//! The name of an event is computed from what happened. A replica that begins to lead, and does not know
//! what the one before said, says it under the same name, which the API server then has already.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use privatelink_fleet::Moment;
use privatelink_verdict::reason::Reason;
use privatelink_verdict::sanitize::sentence;
use privatelink_verdict::verdict::Outcome;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::Shared;
use crate::client::CALL;
use crate::election::Leadership;
use crate::events::NotAnnounced;

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(5);

/// Events of a round: 60 a minute.
const A_ROUND: usize = 5;

/// Events that wait. When thousands of nodes fail at once, most of their events would say the same.
const MOST_WAITING: usize = 1_000;

/// Targets that an event names.
const NAMED: usize = 3;

/// The characters of the node's name that the name of an event begins with.
const LONGEST_START: usize = 200;

/// Events about nodes are in this namespace, as those of the kubelet are.
const NAMESPACE: &str = "default";

/// Who says it.
const CONTROLLER: &str = "privatelink-prober.dev/observer";

/// Tells of failures, while this replica leads.
pub(crate) struct Announcer {
    events: Api<Event>,
    replica: String,
    shared: Shared,
    leadership: Leadership,
    /// What fails, as far as this replica has seen.
    failing: Failures,
    waiting: VecDeque<Event>,
    is_failing: bool,
}

/// By node and reason.
type Failures = BTreeMap<(Arc<str>, Reason), Failure>;

/// Targets of one node that fail for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure {
    /// Of the node.
    uid: String,
    /// Since when the first of them fails.
    since: Moment,
    targets: usize,
    /// Some of them.
    named: Vec<String>,
}

impl Announcer {
    pub(crate) fn new(
        client: Client,
        replica: &str,
        shared: Shared,
        leadership: Leadership,
    ) -> Self {
        Self {
            events: Api::namespaced(client, NAMESPACE),
            replica: replica.to_owned(),
            shared,
            leadership,
            failing: Failures::new(),
            waiting: VecDeque::new(),
            is_failing: false,
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
                self.waiting.clear();
                self.leadership.gained().await;
                continue;
            }
            // Before every agent was asked, what is missing need not be over.
            if self.shared.is_fleet_read() {
                self.look();
            }
            self.tell().await;
        }
    }

    /// Finds out what is new.
    fn look(&mut self) {
        let (now, covered) = self.failures();
        let began = now
            .iter()
            .filter(|(key, _)| !self.failing.contains_key(*key));
        let began =
            began.map(|((node, reason), failure)| self.event(node, *reason, failure, false));
        // Of a node whose agent is silent it is not known whether the failure is over; a node that is gone has
        // no failures.
        let ended = self
            .failing
            .iter()
            .filter(|(key, _)| !now.contains_key(*key));
        let (kept, ended): (Vec<_>, Vec<_>) =
            ended.partition(|((node, _), _)| covered.get(node) == Some(&false));
        let ended = ended
            .into_iter()
            .filter(|((node, _), _)| covered.contains_key(node));
        let ended = ended.map(|((node, reason), failure)| self.event(node, *reason, failure, true));
        let news: Vec<Event> = began.chain(ended).collect();
        let kept: Vec<_> = kept
            .into_iter()
            .map(|(key, one)| (key.clone(), one.clone()))
            .collect();
        self.failing = now;
        self.failing.extend(kept);
        for event in news {
            if self.waiting.len() == MOST_WAITING {
                self.shared.drop_event();
            } else {
                self.waiting.push_back(event);
            }
        }
    }

    /// What fails now and was confirmed, and of each node whether its agent says so now.
    fn failures(&self) -> (Failures, HashMap<Arc<str>, bool>) {
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
            covered.insert(Arc::clone(node), view.is_some());
            let Some(view) = view else {
                continue;
            };
            for cell in &view.cells {
                let Some((Outcome::Fail, reason)) = cell.judged else {
                    continue;
                };
                let key = (Arc::clone(node), reason);
                if !cell.is_confirmed && !self.failing.contains_key(&key) {
                    continue;
                }
                let failure = failures.entry(key).or_insert_with(|| Failure {
                    uid: uid.to_owned(),
                    since: cell.since,
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

    fn event(&self, node: &str, reason: Reason, failure: &Failure, is_over: bool) -> Event {
        let mut hasher = DefaultHasher::new();
        (&failure.uid, reason.as_str(), failure.since, is_over).hash(&mut hasher);
        // A name has at most 253 characters, and node names have no others than these.
        let start: String = node.chars().take(LONGEST_START).collect();
        let name = format!("{start}.{:016x}", hasher.finish());
        let named = failure.named.join(", ");
        let others = failure.targets - failure.named.len();
        let targets = match others {
            0 => named,
            others => format!("{named} and {others} more"),
        };
        let (kind, action, note) = if is_over {
            let note = format!("No longer {reason}: {targets}");
            ("Normal", "Recovered", note)
        } else {
            let meaning = reason.meaning();
            let note = format!("{reason}: {meaning} Targets: {targets}");
            ("Warning", "Failed", note)
        };
        Event {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: Some(NAMESPACE.to_owned()),
                ..ObjectMeta::default()
            },
            type_: Some(kind.to_owned()),
            reason: Some(camel_case(reason.as_str())),
            action: Some(action.to_owned()),
            note: Some(sentence(&note).into_owned()),
            regarding: Some(ObjectReference {
                kind: Some("Node".to_owned()),
                api_version: Some("v1".to_owned()),
                name: Some(node.to_owned()),
                uid: Some(failure.uid.clone()),
                ..ObjectReference::default()
            }),
            event_time: Some(MicroTime(Timestamp::now())),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.replica.clone()),
            ..Event::default()
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
            let parameters = PostParams::default();
            let written = timeout(CALL, self.events.create(&parameters, event)).await;
            let error = match written {
                Ok(Ok(_)) => None,
                Ok(Err(kube::Error::Api(status))) if status.code == 409 => None,
                // Refused for what it says: it would be again.
                Ok(Err(kube::Error::Api(status))) if matches!(status.code, 400 | 413 | 422) => {
                    self.shared.drop_event();
                    None
                }
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("the API server did not answer".to_owned()),
            };
            let Some(error) = error else {
                self.waiting.pop_front();
                self.is_failing = false;
                continue;
            };
            if !std::mem::replace(&mut self.is_failing, true) {
                NotAnnounced { error: &error }.emit();
            }
            return;
        }
    }
}

/// A reason of events is one word, such as `PublicFallback`.
fn camel_case(word: &str) -> String {
    let parts = word.split('_');
    let capitalized = parts.map(|part| {
        let (first, rest) = part.split_at(part.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    capitalized.collect()
}
