//! Fleet: reads what the agents of all nodes say, while this replica leads (docs/adr/0018).

pub(crate) mod announce;
pub mod answer;
pub(crate) mod ask;
pub(crate) mod history_store;
pub(crate) mod members;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use privatelink_fleet::history::FleetHistory;
use privatelink_fleet::{Fleet, Interned, Moment, View, WhyUncovered};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use self::ask::{ASK, NoReply, OF_AN_AGENT, Replied, Reply, ask};
use self::history_store::{HistoryStore, Shares};
use self::members::{AgentPod, Nodes};
use crate::Shared;
use crate::election::Leadership;
use crate::events::{AgentClockWrong, AgentNotRead};
use crate::source_state::SourceState;
use crate::watch::Watched as _;

/// Between two questions to an agent that says the same as before.
const STEADY: Duration = Duration::from_mins(1);

/// Between two questions to an agent whose summary has just changed.
const CHANGING: Duration = Duration::from_secs(15);

/// Questions under way.
const AT_ONCE: usize = 32;

/// Between two looks at which agents are due.
const LOOK: Duration = Duration::from_secs(1);

/// Looks between two looks at the nodes, which change seldom.
const NODES: u32 = 5;

/// Between two attempts to read the history.
const RETRY: Duration = Duration::from_secs(5);

/// Where an agent says what it knows.
const SUMMARY: &str = "/api/v1/summary";

/// Reads the agents.
pub(crate) struct FleetReader {
    store: HistoryStore,
    shared: Shared,
    leadership: Leadership,
    interned: Interned,
    agents: HashMap<Arc<str>, Agent>,
    questions: JoinSet<(Question, Result<Replied, NoReply>)>,
}

/// An agent that is read.
struct Agent {
    pod: AgentPod,
    /// Of its last summary.
    tag: Option<HeaderValue>,
    /// When it is asked next, unless a reply comes before and says when.
    due: Instant,
    /// Whether a question to it has ended, well or not.
    was_asked: bool,
}

/// Who was asked.
struct Question {
    node: Arc<str>,
    uid: String,
}

impl FleetReader {
    pub(crate) fn new(store: HistoryStore, shared: Shared, leadership: Leadership) -> Self {
        Self {
            store,
            shared,
            leadership,
            interned: Interned::default(),
            agents: HashMap::new(),
            questions: JoinSet::new(),
        }
    }

    /// Runs until it is dropped.
    pub(crate) async fn run(mut self) {
        let mut looks = interval(LOOK);
        // Those that were missed while another replica led are not made up for.
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look = 0u32;
        loop {
            if !self.leadership.is_leading() {
                self.rest().await;
                look = 0;
            }
            tokio::select! {
                _ = looks.tick() => {
                    if look.is_multiple_of(NODES) {
                        self.look_at_nodes();
                        self.save().await;
                    }
                    look = look.wrapping_add(1);
                }
                Some(done) = self.questions.join_next() => self.take(done),
            }
            self.ask_those_that_are_due();
        }
    }

    /// Another replica leads: what was read here is old when this one leads again.
    async fn rest(&mut self) {
        self.questions.shutdown().await;
        self.agents.clear();
        self.shared.note_fleet_read(false);
        *self.shared.fleet() = Fleet::default();
        self.interned = Interned::default();
        loop {
            self.leadership.gained().await;
            // Before anything is read: what an agent says is joined to what was known before.
            match self.store.load().await {
                Ok(history) if self.leadership.is_leading() => {
                    *self.shared.fleet() = Fleet::remembering(history);
                    return;
                }
                Ok(_) => {}
                Err(error) => {
                    self.store.not_read(&error);
                    sleep(RETRY).await;
                }
            }
        }
    }

    async fn save(&mut self) {
        let leadership = &self.leadership;
        if leadership.is_leading() {
            let history = self.shared.clone();
            self.store.save(history, || leadership.is_leading()).await;
        }
    }

    /// Takes over which nodes and agents there are.
    fn look_at_nodes(&mut self) {
        // Where nodes may be listed, they are waited for: those that are missing have left.
        let may_list = self.shared.states().of_kind(Nodes::NAME);
        // Nodes that come and go meanwhile are not seen, whatever is listed later.
        let nodes_unseen_since = may_list
            .as_ref()
            .filter(|nodes| nodes.was_known && nodes.state != SourceState::Ok)
            .map(|nodes| nodes.since);
        let may_list = may_list.is_some_and(|nodes| nodes.state != SourceState::Forbidden);
        let members = self.shared.members();
        if !members.is_known(may_list) {
            return;
        }
        let mut pods = members.agents();
        let nodes = members.nodes(&pods);
        drop(members);
        let mut fleet = self.shared.fleet();
        if let Some(since) = nodes_unseen_since {
            fleet.note_absence(since.into(), now());
        }
        fleet.set_nodes(nodes, now());
        drop(fleet);
        let is_same = |agent: &Agent, pod: &AgentPod| agent.pod.uid == pod.uid;
        self.agents.retain(|node, agent| match pods.remove(node) {
            Some(pod) if is_same(agent, &pod) => {
                agent.pod = pod;
                true
            }
            Some(pod) => {
                *agent = Agent::new(pod);
                true
            }
            None => false,
        });
        let new = pods.into_iter().map(|(node, pod)| (node, Agent::new(pod)));
        self.agents.extend(new);
        self.interned.forget_unused();
        // Where no node has an agent, there is none to wait for.
        self.note_whether_read();
    }

    fn ask_those_that_are_due(&mut self) {
        let now = Instant::now();
        let free = AT_ONCE.saturating_sub(self.questions.len());
        let agents = self.agents.iter().map(|(node, agent)| (agent.due, node));
        let access = self.shared.rules.borrow().agents.clone();
        for node in longest_due(agents, now, free) {
            let Some(agent) = self.agents.get_mut(&node) else {
                continue;
            };
            agent.due = now + 2 * ASK;
            let (at, tag) = (agent.pod.at, agent.tag.clone());
            let uid = agent.pod.uid.clone();
            let question = Question { node, uid };
            let access = access.clone();
            self.questions.spawn(async move {
                let asked = ask(&access, at, SUMMARY, tag.as_ref(), OF_AN_AGENT);
                (question, asked.await)
            });
        }
    }

    fn note_whether_read(&self) {
        if self.agents.values().all(|agent| agent.was_asked) {
            self.shared.note_fleet_read(true);
        }
    }

    fn take(&mut self, done: Result<(Question, Result<Replied, NoReply>), JoinError>) {
        // A question that panicked does not say whom it asked: that agent is due again.
        let Ok((Question { node, uid }, reply)) = done else {
            return;
        };
        let Some(agent) = self.agents.get_mut(&node) else {
            return;
        };
        if agent.pod.uid != uid {
            return;
        }
        let mut fleet = self.shared.fleet();
        let date = reply.as_ref().ok().and_then(|replied| replied.date);
        if date.is_some_and(|date| fleet.note_clock(&node, date, now())) {
            AgentClockWrong { node: &node }.emit();
        }
        let (pause, why) = match reply.map(|replied| replied.reply) {
            Ok(Reply::Unchanged) => {
                if !fleet.confirm_view(&node, now()) {
                    agent.tag = None;
                }
                (STEADY, None)
            }
            Ok(Reply::Whole { tag, body }) => match View::read(&body, &node, &mut self.interned) {
                Ok(view) => {
                    let was_read = agent.tag.is_some();
                    agent.tag = if fleet.set_view(&node, view, now()) {
                        tag
                    } else {
                        None
                    };
                    (if was_read { CHANGING } else { STEADY }, None)
                }
                Err(error) => {
                    let why = WhyUncovered::AgentUnreadable;
                    (STEADY, Some((why, error.to_string())))
                }
            },
            Err(error) => {
                let why = if error.is_unreadable() {
                    WhyUncovered::AgentUnreadable
                } else {
                    WhyUncovered::AgentSilent
                };
                (STEADY, Some((why, error.to_string())))
            }
        };
        if let Some((why, error)) = why {
            AgentNotRead {
                node: &node,
                error: &error,
            }
            .emit();
            fleet.note_silent(&node, why);
        }
        agent.due = next(&node, pause);
        agent.was_asked = true;
        drop(fleet);
        self.note_whether_read();
    }
}

impl Shares for Shared {
    fn with<T>(&self, look: impl FnOnce(&mut FleetHistory) -> T) -> T {
        look(self.fleet().history_mut())
    }
}

/// At most `free` agents that are due, those first that have waited longest: hundreds that are silent must not
/// keep the others from their turn.
fn longest_due<'a>(
    agents: impl Iterator<Item = (Instant, &'a Arc<str>)>,
    now: Instant,
    free: usize,
) -> Vec<Arc<str>> {
    let mut due: Vec<_> = agents.filter(|(due, _)| *due <= now).collect();
    if due.len() > free {
        due.select_nth_unstable(free);
        due.truncate(free);
    }
    due.into_iter().map(|(_, node)| Arc::clone(node)).collect()
}

impl Agent {
    /// One that was not read yet, and is at once.
    fn new(pod: AgentPod) -> Self {
        Self {
            pod,
            tag: None,
            due: Instant::now(),
            was_asked: false,
        }
    }
}

/// When the agent of `node` is asked again, after about `pause`: each at its own moment, so that questions do
/// not come all at once again and again.
fn next(node: &str, pause: Duration) -> Instant {
    let mut hasher = DefaultHasher::new();
    node.hash(&mut hasher);
    let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
    let phase = hasher.finish() % millis;
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let within = u64::try_from(since.as_millis()).unwrap_or_default() % millis;
    // From half a pause on, so that the first of these moments is not just now.
    let wait = (phase + millis - within) % millis;
    let wait = if wait < millis / 2 {
        wait + millis
    } else {
        wait
    };
    Instant::now() + Duration::from_millis(wait)
}

fn now() -> Moment {
    SystemTime::now().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_are_asked_first_that_have_waited_longest() {
        let now = Instant::now() + Duration::from_secs(400);
        let agents: Vec<(Instant, Arc<str>)> = (0..400)
            .map(|number| {
                let due = now + Duration::from_secs(200) - Duration::from_secs(number);
                (due, Arc::from(format!("node-{number:03}")))
            })
            .collect();
        let due = |free| {
            let agents = agents.iter().map(|(due, node)| (*due, node));
            let mut due = longest_due(agents, now, free);
            due.sort();
            due
        };
        assert_eq!(due(3), ["node-397", "node-398", "node-399"].map(Arc::from));
        assert_eq!(due(500).len(), 200);
        assert!(due(0).is_empty());
    }
}
