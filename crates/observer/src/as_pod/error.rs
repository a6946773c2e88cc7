//! Error: why there is no check as a pod.

use std::time::Duration;

use super::PodName;
use super::container::Phase;
use super::pod::PodRefusal;
use crate::caller::NotAnswered;

/// Why there is no check as a pod.
#[derive(Debug, thiserror::Error)]
pub enum AsPodError {
    /// There is no such pod.
    #[error("there is no pod {name} in namespace {namespace}{near}")]
    NoPod {
        /// Where it was looked for.
        namespace: String,
        /// Its name.
        name: String,
        /// What there is instead, as the end of the sentence.
        near: String,
    },
    /// No container can be added.
    #[error("cannot check as {pod}: {refusal}")]
    Refused {
        /// The pod.
        pod: PodName,
        /// Why.
        refusal: PodRefusal,
    },
    /// The caller has not the right.
    #[error(
        "you may not {verb} {resource} in namespace {namespace}; docs/report.md has the Role that `check --as` takes"
    )]
    NoRight {
        /// What is not allowed.
        verb: &'static str,
        /// On what.
        resource: &'static str,
        /// Where.
        namespace: String,
    },
    /// No agent runs whose image could be taken.
    #[error(
        "no agent of privatelink-prober runs in namespace {0}, so it is not known which image to run"
    )]
    NoAgent(String),
    /// The API server refuses the container.
    #[error("the API server admits no container in {pod}: {said}")]
    NotAdmitted {
        /// The pod.
        pod: PodName,
        /// What it said.
        said: String,
    },
    /// The container does not start.
    #[error("the container does not start: {said}")]
    NotStarted {
        /// What the kubelet says.
        said: String,
    },
    /// It takes too long.
    #[error("the container has not {what} within {seconds} s{said}")]
    Late {
        /// What was waited for.
        what: &'static str,
        /// For how long.
        seconds: u64,
        /// What the kubelet says, as the end of the sentence.
        said: String,
    },
    /// The API server did not answer.
    #[error(transparent)]
    NotAnswered(#[from] NotAnswered),
}

impl AsPodError {
    /// The container is still in `phase` after `limit`.
    pub(super) fn late(phase: Option<Phase>, limit: Duration) -> Self {
        let seconds = limit.as_secs();
        match phase {
            Some(Phase::Stuck(said)) => Self::NotStarted { said },
            Some(Phase::Running) => Self::Late {
                what: "ended",
                seconds,
                said: String::new(),
            },
            phase => Self::Late {
                what: "started",
                seconds,
                said: phase.map_or_else(String::new, |phase| format!(": {phase}")),
            },
        }
    }

    /// The caller may not do this to a pod's subresource.
    pub(super) fn no_right(verb: &'static str, subresource: &'static str, pod: &PodName) -> Self {
        let resource = match subresource {
            "ephemeralcontainers" => "pods/ephemeralcontainers",
            "log" => "pods/log",
            _ => "pods",
        };
        Self::NoRight {
            verb,
            resource,
            namespace: pod.namespace.clone(),
        }
    }
}
