//! Container: the ephemeral container that checks, and how far it is.

use std::fmt;

use privatelink_verdict::sanitize::sentence;
use serde_json::{Value, json};

use crate::pod::{Container, PodObject, State, Variable};

/// The user of the image, where the agents name none.
const USER: i64 = 65_532;

/// How far the container is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The kubelet has not seen it yet.
    Added,
    /// The image is pulled, or the container made.
    Starting,
    /// The kubelet tries again: what it says.
    Stuck(String),
    /// It runs.
    Running,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added => f.write_str("waiting for the kubelet"),
            Self::Starting => f.write_str("pulling the image, starting"),
            Self::Stuck(said) => f.write_str(said),
            Self::Running => f.write_str("running"),
        }
    }
}

/// The container without its name and its arguments. The restricted level admits it, whatever the pod says.
pub(super) fn ephemeral(
    agent: &PodObject,
    container: &Container,
    environment: &[Variable],
) -> Value {
    let user = container.security_context.run_as_user;
    let user = user
        .or(agent.spec.security_context.run_as_user)
        .unwrap_or(USER);
    json!({
        "image": container.image,
        "imagePullPolicy": container.image_pull_policy.as_deref().unwrap_or("IfNotPresent"),
        "env": environment,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": user,
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    })
}

/// How far the container is, or the code with which it ended.
pub(super) fn phase_of(pod: &PodObject, container: &str) -> Result<Phase, i32> {
    let mut statuses = pod.status.ephemeral_container_statuses.iter();
    let Some(status) = statuses.find(|status| status.name == container) else {
        return Ok(Phase::Added);
    };
    match &status.state {
        State {
            terminated: Some(ended),
            ..
        } => Err(ended.exit_code),
        State {
            running: Some(_), ..
        } => Ok(Phase::Running),
        State {
            waiting: Some(why), ..
        } if !matches!(&*why.reason, "" | "ContainerCreating" | "PodInitializing") => Ok(
            Phase::Stuck(sentence(&format!("{}: {}", why.reason, why.message)).into_owned()),
        ),
        State { .. } => Ok(Phase::Starting),
    }
}
