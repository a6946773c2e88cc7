//! Status: writes what the status of each `PrivateLinkTarget` says, seldom and on change only: whether it is
//! accepted, and its health.
//!
//! The two are written apart, each under a name of its own, so that neither needs to know what the other said.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use privatelink_discovery::Key;
use privatelink_verdict::sanitize::sentence;
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::admission::Decision;
use super::health::{HEALTHY, Shown, digest};
use super::{PrivateLinkTarget, PrivateLinkTargetStatus};

/// The type of the condition.
pub const ACCEPTED: &str = "Accepted";

/// The names under which the observer owns the fields that it writes: whether an object is accepted; its health.
const MANAGER: &str = "privatelink-prober-observer";
const MANAGER_OF_HEALTH: &str = "privatelink-prober-observer-fleet";

/// The shortest time between two writes of one object.
const PAUSE: Duration = Duration::from_mins(1);

/// How many objects are written in a round.
const MOST_WRITES: usize = 50;

/// How many objects' health is written in a minute. It changes on thousands of nodes at once, and what is due is
/// newer when its turn comes.
const HEALTH_WRITES: usize = 2;

/// How long the API server may take for a write.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// Writes statuses. Only the leader may use it.
pub struct StatusWriter {
    client: Client,
    written: HashMap<Key, Written>,
    /// When health was written last.
    health: VecDeque<Instant>,
    /// Whether the next write is for an object whose condition changes.
    is_news_turn: bool,
}

/// What was written of an object.
struct Written {
    /// When it was tried last.
    at: Instant,
    /// The condition `Accepted`; `None` where it was refused, or was not written.
    accepted: Option<Condition>,
    /// The digest of the health; likewise.
    health: Option<u64>,
}

/// The health of an object, as it should be shown.
#[derive(Clone, Debug)]
pub struct Health {
    /// The object.
    pub key: Key,
    /// What is shown now.
    pub shown: Shown,
    /// What should be; nothing for an object that is not probed.
    pub wanted: PrivateLinkTargetStatus,
}

impl Health {
    /// Whether the condition itself changes, and not only how many nodes there are.
    fn is_news(&self) -> bool {
        let status = |condition: Option<&Condition>| condition.map(|one| one.status.clone());
        let mut wanted = self.wanted.conditions.iter().flatten();
        let wanted = wanted.find(|condition| condition.type_ == HEALTHY);
        status(wanted) != status(self.shown.healthy.as_ref())
    }
}

/// What a round did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusRound {
    /// Objects that were written.
    pub written: usize,
    /// Objects that wait for a later round.
    pub waiting: usize,
    /// Objects that could not be written; they wait too.
    pub failed: usize,
    /// Why the last one could not be written.
    pub error: Option<String>,
}

impl StatusWriter {
    /// A writer that has not written yet.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            written: HashMap::new(),
            health: VecDeque::new(),
            is_news_turn: true,
        }
    }

    /// Writes the conditions that differ from those that the objects have: each object at most once a
    /// minute, and at most 50 objects a call, those that wait longest first. The call ends when the API
    /// server does not answer, or refuses for a reason that is not the object's; the next one goes on.
    ///
    /// `may_write` is asked before each write: whether this replica still leads.
    pub async fn write(
        &mut self,
        decisions: &[Decision],
        now: Timestamp,
        may_write: impl Fn() -> bool,
    ) -> StatusRound {
        let keys: HashSet<&Key> = decisions.iter().map(|decision| &decision.key).collect();
        self.written.retain(|key, _| keys.contains(key));
        let mut due: Vec<_> = decisions
            .iter()
            .filter(|decision| !decision.is_present())
            .map(|decision| {
                let last = self.written.get(&decision.key);
                (last.map(|last| last.at), decision)
            })
            .collect();
        due.sort_by_key(|(last, _)| *last);
        let mut round = StatusRound::default();
        let mut has_ended = false;
        for (last, decision) in due {
            let condition = decision.condition(now);
            if last.is_some_and(|last| last.elapsed() < PAUSE) {
                // The watch may not have shown the last write yet.
                let written = self.written.get(&decision.key);
                let written = written.and_then(|written| written.accepted.as_ref());
                let is_written = written.is_some_and(|before| is_same(before, &condition));
                round.waiting += usize::from(!is_written);
                continue;
            }
            if has_ended || round.written + round.failed == MOST_WRITES || !may_write() {
                round.waiting += 1;
                continue;
            }
            let status = PrivateLinkTargetStatus {
                observed_generation: condition.observed_generation,
                conditions: Some(vec![condition.clone()]),
                ..PrivateLinkTargetStatus::default()
            };
            let written = match self.patch(&decision.key, MANAGER, &status).await {
                Ok(()) => {
                    round.written += 1;
                    Some(condition)
                }
                Err(error) => {
                    round.failed += 1;
                    has_ended = !error.is_about_the_object();
                    round.error = Some(error.said());
                    if has_ended {
                        // The next round begins with another object: what refuses this one, such as an
                        // admission webhook, need not refuse all.
                        self.entry(&decision.key);
                        continue;
                    }
                    None
                }
            };
            self.entry(&decision.key).accepted = written;
        }
        round
    }

    /// What was written of an object, which is tried now.
    fn entry(&mut self, key: &Key) -> &mut Written {
        let at = Instant::now();
        let entry = self.written.entry(key.clone()).or_insert(Written {
            at,
            accepted: None,
            health: None,
        });
        entry.at = at;
        entry
    }

    /// Writes the health of objects that do not show it: two objects in a minute, and each at most once in
    /// one. In turn one whose condition changes and the one that waits longest, so that some objects that change
    /// all the time, or that are refused, do not keep the others waiting.
    pub async fn write_health(
        &mut self,
        healths: &[Health],
        may_write: impl Fn() -> bool,
    ) -> StatusRound {
        while self.health.front().is_some_and(|at| at.elapsed() >= PAUSE) {
            self.health.pop_front();
        }
        let mut due: Vec<_> = healths
            .iter()
            .filter(|health| !health.shown.is(&health.wanted))
            .map(|health| {
                let last = self.written.get(&health.key);
                (!health.is_news(), last.map(|last| last.at), health)
            })
            .collect();
        let mut round = StatusRound::default();
        loop {
            let is_news_turn = self.is_news_turn;
            let next = due
                .iter()
                .enumerate()
                .min_by_key(|(_, (is_no_news, last, _))| (is_news_turn && *is_no_news, *last));
            let Some((next, _)) = next else { break };
            let (_, last, health) = due.remove(next);
            if last.is_some_and(|last| last.elapsed() < PAUSE) {
                // The watch may not have shown the last write yet.
                let written = self.written.get(&health.key);
                let written = written.and_then(|written| written.health);
                round.waiting += usize::from(written != Some(digest(&health.wanted)));
                continue;
            }
            if self.health.len() == HEALTH_WRITES || !may_write() {
                round.waiting += 1;
                continue;
            }
            self.health.push_back(Instant::now());
            self.is_news_turn = !is_news_turn;
            let patched = self.patch(&health.key, MANAGER_OF_HEALTH, &health.wanted);
            let patched = patched.await;
            let written = patched.is_ok().then(|| digest(&health.wanted));
            match patched {
                Ok(()) => round.written += 1,
                Err(error) => {
                    round.failed += 1;
                    round.error = Some(error.said());
                }
            }
            self.entry(&health.key).health = written;
        }
        round
    }

    async fn patch(
        &self,
        key: &Key,
        manager: &str,
        status: &PrivateLinkTargetStatus,
    ) -> Result<(), StatusError> {
        let api: Api<PrivateLinkTarget> = Api::namespaced(self.client.clone(), &key.namespace);
        let body = json!({
            "apiVersion": PrivateLinkTarget::api_version(&()),
            "kind": PrivateLinkTarget::kind(&()),
            "metadata": {"name": key.name},
            "status": status,
        });
        let parameters = PatchParams::apply(manager).force();
        let patch = Patch::Apply(&body);
        let write = api.patch_status(&key.name, &parameters, &patch);
        let failed = |why| StatusError {
            key: key.clone(),
            why,
        };
        match timeout(WRITE_TIMEOUT, write).await {
            Ok(Ok(_)) => Ok(()),
            // The object was deleted meanwhile. (`is_not_found` looks at the reason alone.)
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => Ok(()),
            Ok(Err(kube::Error::Api(status))) => Err(failed(WhyNot::Refused {
                code: status.code,
                message: status.message.clone(),
            })),
            Ok(Err(error)) => Err(failed(WhyNot::NoAnswer(error.into()))),
            Err(_) => Err(failed(WhyNot::Silent)),
        }
    }
}

/// Why a status could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the status of the PrivateLinkTarget {}/{}: {why}", key.namespace, key.name)]
struct StatusError {
    key: Key,
    #[source]
    why: WhyNot,
}

#[derive(Debug, thiserror::Error)]
enum WhyNot {
    #[error("the API server answered {code}: {message}")]
    Refused { code: u16, message: String },
    #[error("there was no answer from the API server")]
    NoAnswer(#[source] Box<kube::Error>),
    #[error("the API server did not answer within {} s", WRITE_TIMEOUT.as_secs())]
    Silent,
}

impl StatusError {
    /// What it says; the API server's own words may quote what a person wrote.
    fn said(&self) -> String {
        sentence(&self.to_string()).into_owned()
    }

    /// Whether the API server would write other objects: this one breaks a schema that is younger than it
    /// (422), or somebody owns what is written (409).
    fn is_about_the_object(&self) -> bool {
        matches!(
            self.why,
            WhyNot::Refused {
                code: 400 | 409 | 413 | 422,
                ..
            }
        )
    }
}

impl Decision {
    /// Whether the object shows it.
    fn is_present(&self) -> bool {
        let present = self.present.as_ref();
        present.is_some_and(|present| is_same(present, &self.condition(Timestamp::UNIX_EPOCH)))
    }

    /// The condition. The time is that of the present one, as long as the status does not change.
    fn condition(&self, now: Timestamp) -> Condition {
        let status = if self.reason.is_accepted() {
            "True"
        } else {
            "False"
        };
        let unchanged = self
            .present
            .as_ref()
            .filter(|present| present.status == status);
        Condition {
            type_: ACCEPTED.to_owned(),
            status: status.to_owned(),
            reason: self.reason.as_str().to_owned(),
            message: self.message.clone(),
            observed_generation: Some(self.generation),
            last_transition_time: unchanged
                .map_or(Time(now), |present| present.last_transition_time.clone()),
        }
    }
}

/// Whether two conditions say the same, whenever that began.
fn is_same(a: &Condition, b: &Condition) -> bool {
    let said = |condition: &Condition| Condition {
        last_transition_time: Time(Timestamp::UNIX_EPOCH),
        ..condition.clone()
    };
    said(a) == said(b)
}
