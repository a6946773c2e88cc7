//! Agent: that of the release whose image is run, and what the one on the pod's node says of the same targets.

use serde::Deserialize;

use super::Prepared;
use super::comparison::{PodComparison, SeenFrom, SeenReport};
use crate::pod::{COMPONENT, Container, PodObject};

/// Targets of an agent with the same host that are asked for.
const SAME_HOST: usize = 4;

/// Where the agent on the pod's node answers.
pub(super) struct Agent {
    pub(super) pod: String,
    pub(super) port: u16,
}

/// The targets of an agent's summary.
#[derive(Deserialize)]
struct Summary {
    targets: Vec<TargetName>,
}

#[derive(Deserialize)]
struct TargetName {
    target: String,
    #[serde(default)]
    host: Option<String>,
}

impl TargetName {
    fn host(&self) -> &str {
        self.host.as_ref().unwrap_or(&self.target)
    }
}

impl Prepared {
    /// What the agent on the pod's node says of each target of `report`, beside it.
    pub async fn compare(&self, report: &SeenReport) -> Vec<(PodComparison, String)> {
        let names = self.agents_targets().await;
        let mut compared = Vec::new();
        for pod in &report.targets {
            let (comparison, agent) = match &names {
                Some(names) => self.agents_view(names, pod).await,
                None => (PodComparison::NotAsked, None),
            };
            let agent = agent.unwrap_or_default();
            let sentence = comparison.sentence(&self.node, pod, &agent, self.network);
            compared.push((comparison, sentence));
        }
        compared
    }

    /// The names and hosts of the agent's targets.
    async fn agents_targets(&self) -> Option<Vec<TargetName>> {
        let text = self.ask_agent("summary").await?;
        let summary: Summary = serde_json::from_str(&text).ok()?;
        Some(summary.targets)
    }

    async fn agents_view(
        &self,
        names: &[TargetName],
        pod: &SeenFrom,
    ) -> (PodComparison, Option<SeenFrom>) {
        let same_host = names.iter().filter(|name| name.host() == pod.host);
        for name in same_host.take(SAME_HOST) {
            // The name is part of a path.
            let is_plain = |c: u8| c.is_ascii_alphanumeric() || b"-._".contains(&c);
            if !name.target.bytes().all(is_plain) {
                continue;
            }
            let text = self.ask_agent(&format!("targets/{}", name.target)).await;
            let report = text.and_then(|text| serde_json::from_str::<SeenReport>(&text).ok());
            let Some(report) = report else {
                return (PodComparison::NotAsked, None);
            };
            let seen = report
                .targets
                .into_iter()
                .find(|seen| seen.port == pod.port);
            if let Some(agent) = seen {
                return (PodComparison::of(pod, &agent), Some(agent));
            }
        }
        (PodComparison::NoTarget, None)
    }

    /// What the agent on the pod's node answers, through the API server.
    async fn ask_agent(&self, path: &str) -> Option<String> {
        let Agent { pod, port } = self.agent.as_ref()?;
        let namespace = &self.caller.namespace;
        let path =
            format!("/api/v1/namespaces/{namespace}/pods/http:{pod}:{port}/proxy/api/v1/{path}");
        self.caller
            .get(&format!("the agent {pod}"), &path)
            .await
            .ok()
    }
}

impl PodObject {
    pub(super) fn is_agent(&self) -> bool {
        let labels = self.metadata.labels.as_ref();
        let component = labels.and_then(|labels| labels.get(COMPONENT));
        component.is_some_and(|component| component == "agent") && self.refusal().is_none()
    }

    pub(super) fn agent_container(&self) -> Option<&Container> {
        let containers = &self.spec.containers;
        let named = containers
            .iter()
            .find(|container| container.name == "agent");
        named.or(containers.first())
    }
}
