//! As a pod: a check in an ephemeral container of a pod, with its network, its resolv.conf and its proxy, and
//! what the agent on its node says of the same targets.

mod agent;
mod comparison;
mod container;
mod error;
mod pod;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::Request;
use kube::Api;
use kube::api::{ListParams, LogParams, Patch, PatchParams};
use privatelink_verdict::sanitize::sentence;
use privatelink_verdict::suggest::nearest;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use self::agent::Agent;
pub use self::comparison::{PodComparison, PodNetwork, SeenFrom, SeenReport};
pub use self::container::Phase;
use self::container::{ephemeral, phase_of};
pub use self::error::AsPodError;
pub use self::pod::PodRefusal;
use crate::caller::{ASK, Caller, NotAnswered, all, not_answered};
use crate::pod::{NodeObject, PodObject, Variable};

/// The pause between two looks at the pod.
const LOOK: Duration = Duration::from_millis(500);

/// How long a container may take until it runs: its image may have to be pulled.
const START: Duration = Duration::from_mins(2);

/// The most of a log that is read, in bytes.
const LOG: i64 = 8 << 20;

/// Pods that are looked through for one with a name like the one given.
const LOOKED_THROUGH: u32 = 500;

/// As many of them as are named.
const NAMED: usize = 3;

/// Which pod: `NAMESPACE/POD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodName {
    namespace: String,
    name: String,
}

impl FromStr for PodName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_name = |text: &str| {
            let is_letter =
                |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-.".contains(&c);
            (1..=253).contains(&text.len()) && text.bytes().all(is_letter) && !text.starts_with('.')
        };
        match text.split_once('/') {
            Some((namespace, name)) if is_name(namespace) && is_name(name) => Ok(Self {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            }),
            _ => Err("write NAMESPACE/POD, as in shop/web-7c9f8d6b5-x2x4k".to_owned()),
        }
    }
}

impl fmt::Display for PodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A check as a pod that can be started: nothing is changed yet.
pub struct Prepared {
    caller: Caller,
    pods: Api<PodObject>,
    /// The pod.
    pub pod: PodName,
    /// The pod's node.
    pub node: String,
    /// The pod's network.
    pub network: PodNetwork,
    /// Variables of the pod's proxy whose values are not written in the pod, so that the check lacks them.
    pub unread: Vec<String>,
    container: Value,
    /// The agent on the node, where one runs.
    agent: Option<Agent>,
}

/// What the container did.
pub struct Ended {
    /// Its exit code.
    pub exit_code: i32,
    /// Its log.
    pub log: String,
}

impl Caller {
    /// Reads everything that a check as `pod` takes, and changes nothing. `release` selects the pods of the
    /// release, in the caller's namespace.
    pub async fn prepare_check(
        &self,
        pod: &PodName,
        release: &str,
    ) -> Result<Prepared, AsPodError> {
        let pods: Api<PodObject> = Api::namespaced(self.client.clone(), &pod.namespace);
        let object = self.examined(&pods, pod).await?;
        for (verb, resource) in [("patch", "ephemeralcontainers"), ("get", "log")] {
            if self.may(pod, verb, resource).await == Some(false) {
                return Err(AsPodError::no_right(verb, resource, pod));
            }
        }
        let node = object.spec.node_name.clone().unwrap_or_default();
        let agents: Api<PodObject> = Api::namespaced(self.client.clone(), &self.namespace);
        let agents = all(&agents, "the pods of the release", Some(release)).await?;
        let rank = |agent: &&PodObject| {
            let spec = &agent.spec;
            let is_here = spec.node_name.as_deref() == Some(&*node);
            (
                is_here,
                spec.host_network == object.spec.host_network,
                agent.is_ready(),
            )
        };
        let chosen = agents
            .iter()
            .filter(|agent| agent.is_agent())
            .max_by_key(rank);
        let chosen = chosen.ok_or_else(|| AsPodError::NoAgent(self.namespace.clone()))?;
        let container = chosen.agent_container();
        let container = container.ok_or_else(|| AsPodError::NoAgent(self.namespace.clone()))?;
        let is_here = chosen.spec.node_name.as_deref() == Some(&*node);
        let (mut environment, unread) = object.proxy();
        environment.push(Variable {
            name: "NODE_NAME".to_owned(),
            value: Some(node.clone()),
        });
        Ok(Prepared {
            caller: self.clone(),
            pods,
            pod: pod.clone(),
            network: object.network(),
            unread,
            container: ephemeral(chosen, container, &environment),
            agent: is_here.then(|| Agent {
                pod: chosen.name().to_owned(),
                port: container.port(),
            }),
            node,
        })
    }

    /// The pod, unless no container can be added to it.
    async fn examined(
        &self,
        pods: &Api<PodObject>,
        pod: &PodName,
    ) -> Result<PodObject, AsPodError> {
        let what = format!("pod {pod}");
        let object = match asked(&what, pods.get(&pod.name)).await {
            Err(NotAnswered::Absent { .. }) => return Err(no_pod(pods, pod).await),
            Err(NotAnswered::Forbidden { .. }) => return Err(AsPodError::no_right("get", "", pod)),
            object => object?,
        };
        let mut refusal = object.refusal();
        if let (None, Some(node)) = (&refusal, &object.spec.node_name) {
            // The pod itself seldom says what its node is. Who may not read nodes learns it from the kubelet.
            let nodes: Api<NodeObject> = Api::all(self.client.clone());
            let node = asked("the pod's node", nodes.get(node)).await;
            refusal = node.ok().and_then(|node| node.refusal());
        }
        match refusal {
            Some(refusal) => Err(AsPodError::Refused {
                pod: pod.clone(),
                refusal,
            }),
            None => Ok(object),
        }
    }

    /// Whether the caller may do this to the pod; `None` where that cannot be known.
    async fn may(&self, pod: &PodName, verb: &str, subresource: &str) -> Option<bool> {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "namespace": pod.namespace, "name": pod.name, "verb": verb, "resource": "pods",
                "subresource": subresource,
            }},
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let request = Request::post(path)
            .header("content-type", "application/json")
            .body(review.to_string().into_bytes())
            .ok()?;
        let review = timeout(ASK, self.client.request::<Value>(request))
            .await
            .ok()?
            .ok()?;
        review["status"]["allowed"].as_bool()
    }
}

impl Prepared {
    /// Adds the container that runs our program with these arguments and variables; its name. From now on it is
    /// in the pod.
    pub async fn start(
        &self,
        arguments: &[String],
        variables: &[(&str, String)],
    ) -> Result<String, AsPodError> {
        let letters = b"bcdfghjklmnpqrstvwxz2456789";
        let letter = |_| char::from(letters[fastrand::usize(..letters.len())]);
        let name = format!(
            "privatelink-check-{}",
            (0..5).map(letter).collect::<String>()
        );
        let mut container = self.container.clone();
        container["name"] = json!(name);
        container["args"] = json!(arguments);
        if let Some(environment) = container["env"].as_array_mut() {
            let variables = variables.iter();
            environment
                .extend(variables.map(|(name, value)| json!({"name": name, "value": value})));
        }
        let patch = json!({"spec": {"ephemeralContainers": [container]}});
        let parameters = PatchParams::default();
        let patch = Patch::Strategic(patch);
        let subresource = "ephemeralcontainers";
        let pod = &self.pod.name;
        let added = self
            .pods
            .patch_subresource(subresource, pod, &parameters, &patch);
        match timeout(ASK, added).await {
            Ok(Ok(_)) => Ok(name),
            Ok(Err(kube::Error::Api(status))) => {
                // What is denied by rights and what is denied by admission have the same code.
                if status.code == 403 && status.message.contains("cannot patch resource") {
                    return Err(AsPodError::no_right(
                        "patch",
                        "ephemeralcontainers",
                        &self.pod,
                    ));
                }
                Err(AsPodError::NotAdmitted {
                    pod: self.pod.clone(),
                    said: sentence(&status.message).into_owned(),
                })
            }
            Ok(Err(error)) => Err(not_answered("the API server", error).into()),
            Err(_) => Err(NotAnswered::Silent {
                what: "the API server".to_owned(),
            }
            .into()),
        }
    }

    /// Waits until the container has ended, at most `limit` from when it runs, and reads its log. `progress` is
    /// told each new phase.
    pub async fn ended(
        &self,
        container: &str,
        limit: Duration,
        mut progress: impl FnMut(&Phase),
    ) -> Result<Ended, AsPodError> {
        let mut since = Instant::now();
        let mut phase = None;
        let exit_code = loop {
            let object = asked(&format!("pod {}", self.pod), self.pods.get(&self.pod.name)).await;
            let now = match object {
                Ok(pod) => match phase_of(&pod, container) {
                    Err(exit_code) => break exit_code,
                    Ok(phase) => Some(phase),
                },
                Err(error @ (NotAnswered::Absent { .. } | NotAnswered::Forbidden { .. })) => {
                    return Err(error.into());
                }
                // An API server that is away for a moment.
                Err(_) => None,
            };
            if now.is_some() && now != phase {
                if now == Some(Phase::Running) {
                    since = Instant::now();
                }
                phase = now;
                phase.iter().for_each(&mut progress);
            }
            let running = phase == Some(Phase::Running);
            let limit = if running { limit } else { START };
            if since.elapsed() >= limit {
                return Err(AsPodError::late(phase, limit));
            }
            sleep(LOOK).await;
        };
        let parameters = LogParams {
            container: Some(container.to_owned()),
            limit_bytes: Some(LOG),
            ..LogParams::default()
        };
        let what = format!("the log of container {container}");
        let log = asked(&what, self.pods.logs(&self.pod.name, &parameters)).await?;
        Ok(Ended { exit_code, log })
    }
}

/// Says which pods there are instead, where the caller may list them.
async fn no_pod(pods: &Api<PodObject>, pod: &PodName) -> AsPodError {
    let parameters = ListParams::default().limit(LOOKED_THROUGH);
    let list = asked("the pods", pods.list(&parameters)).await;
    let near = list.map_or_else(
        |_| String::new(),
        |list| {
            let names = list.items.iter().map(PodObject::name);
            let near: Vec<_> = nearest(&pod.name, names).take(NAMED).collect();
            match (list.items.is_empty(), near.is_empty()) {
                (true, _) => ", nor any other; is the namespace right?".to_owned(),
                (false, true) => String::new(),
                (false, false) => format!("; near: {}", near.join(", ")),
            }
        },
    );
    AsPodError::NoPod {
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        near,
    }
}

/// The answer to one question, in time.
async fn asked<T>(
    what: &str,
    question: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, NotAnswered> {
    let answered = timeout(ASK, question).await;
    let answered = answered.map_err(|_| NotAnswered::Silent {
        what: what.to_owned(),
    })?;
    answered.map_err(|error| not_answered(what, error))
}
