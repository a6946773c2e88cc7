//! Status: writes the condition `Accepted` of each `PrivateLinkTarget`, seldom and on change only.

use std::collections::{HashMap, HashSet};
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
use super::{PrivateLinkTarget, PrivateLinkTargetStatus};

/// The type of the condition.
pub const ACCEPTED: &str = "Accepted";

/// The name under which the observer owns the fields that it writes.
const MANAGER: &str = "privatelink-prober-observer";

/// The shortest time between two writes of one object.
const PAUSE: Duration = Duration::from_mins(1);

/// How many objects are written in a round.
const MOST_WRITES: usize = 50;

/// How long the API server may take for a write.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// Writes conditions. Only the leader may use it.
pub struct StatusWriter {
    client: Client,
    /// When each object was tried last, and what was written; `None` where it was refused.
    written: HashMap<Key, (Instant, Option<Condition>)>,
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
                (last.map(|(at, _)| *at), decision)
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
                let written = written.and_then(|(_, before)| before.as_ref());
                let is_written = written.is_some_and(|before| is_same(before, &condition));
                round.waiting += usize::from(!is_written);
                continue;
            }
            if has_ended || round.written + round.failed == MOST_WRITES || !may_write() {
                round.waiting += 1;
                continue;
            }
            let written = match self.patch(&decision.key, &condition).await {
                Ok(()) => {
                    round.written += 1;
                    Some(condition)
                }
                Err(error) => {
                    round.failed += 1;
                    has_ended = !error.is_about_the_object();
                    // The API server's own words may quote what a person wrote.
                    let error = error.to_string();
                    round.error = Some(sentence(&error).into_owned());
                    if has_ended {
                        continue;
                    }
                    None
                }
            };
            let entry = (Instant::now(), written);
            self.written.insert(decision.key.clone(), entry);
        }
        round
    }

    async fn patch(&self, key: &Key, condition: &Condition) -> Result<(), StatusError> {
        let api: Api<PrivateLinkTarget> = Api::namespaced(self.client.clone(), &key.namespace);
        let status = PrivateLinkTargetStatus {
            observed_generation: condition.observed_generation,
            conditions: Some(vec![condition.clone()]),
        };
        let body = json!({
            "apiVersion": PrivateLinkTarget::api_version(&()),
            "kind": PrivateLinkTarget::kind(&()),
            "metadata": {"name": key.name},
            "status": status,
        });
        let parameters = PatchParams::apply(MANAGER).force();
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
