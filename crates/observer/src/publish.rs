//! Publish: writes the targets to the ConfigMap that the agents mount.

use std::time::{Duration, SystemTime};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams};
use privatelink_discovery::{Room, target_file};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::Shared;
use crate::client::CALL;
use crate::election::Leadership;
use crate::events::{NotPublished, Published};
use crate::private_link_target::admission::{AcceptedTarget, admission};
use crate::private_link_target::objects::Declarations;
use crate::watch::Watched as _;

/// The file of the ConfigMap.
pub const FILE: &str = "targets.yaml";

/// The file of the ConfigMap with the address of the cluster's DNS server.
pub const CLUSTER_DNS: &str = "cluster-dns";

/// Between two looks, so that many changes at once are one.
const MOMENT: Duration = Duration::from_secs(1);

/// Between two writes.
const BETWEEN_WRITES: Duration = Duration::from_secs(30);

/// Between two looks at the list without news: targets go when their time is over.
const LOOK: Duration = Duration::from_mins(1);

/// Until the next attempt after one that failed.
const RETRY: Duration = Duration::from_secs(5);

/// The present content is read again after this, in case that a person has changed it.
const READ_AGAIN: Duration = Duration::from_mins(10);

/// How the line of a declared target begins, and no other line.
const DECLARED: &str = "{\"source\":\"crd\",";

/// How long is waited for lists before a list is published that may lack something, and the replica is ready:
/// objects of a kind whose conversion fails, for example, are never listed.
const SETTLE: Duration = Duration::from_mins(1);

/// The largest file, in bytes. A ConfigMap holds 1 MiB, keys and metadata included.
const ROOM: usize = 900 * 1024;

/// Writes what the index says, while this replica leads.
pub(crate) struct Publisher {
    config_maps: Api<ConfigMap>,
    name: String,
    shared: Shared,
    leadership: Leadership,
    /// What the ConfigMap holds, as far as this replica knows.
    present: Option<Present>,
    /// The lines of declared targets that were published when this replica started; `None` until they were read.
    remembered: Option<Vec<String>>,
    /// Whether the last attempt failed, so that a failure that lasts is logged once.
    is_failing: bool,
}

/// What the ConfigMap held when it was read or written.
struct Present {
    text: Option<String>,
    cluster_dns: Option<String>,
    version: Option<String>,
    at: Instant,
}

impl Publisher {
    pub(crate) fn new(
        config_maps: Api<ConfigMap>,
        name: &str,
        shared: Shared,
        leadership: Leadership,
    ) -> Self {
        Self {
            config_maps,
            name: name.to_owned(),
            shared,
            leadership,
            present: None,
            remembered: None,
            is_failing: false,
        }
    }

    /// Runs until it is dropped.
    pub(crate) async fn run(mut self) {
        let started = Instant::now();
        loop {
            self.remember().await;
            let is_complete = self.shared.states().is_settled() || started.elapsed() > SETTLE;
            let (text, published) = self.look();
            if is_complete {
                self.shared.note_ready();
            }
            let is_leading = self.leadership.is_leading();
            let mut pause = MOMENT;
            // Nothing that is published goes before it is known whether it is used.
            if is_leading && is_complete && self.remembered.is_some() {
                match self.write(&text).await {
                    Ok(false) => self.succeeded(),
                    Ok(true) => {
                        self.succeeded();
                        published.emit();
                        pause = BETWEEN_WRITES;
                    }
                    Err(error) => self.failed(&error),
                }
            } else if !is_leading {
                // Another replica writes meanwhile.
                self.present = None;
            }
            sleep(pause).await;
            tokio::select! {
                () = self.shared.changed.notified() => {}
                () = self.leadership.gained(), if !is_leading => {}
                () = sleep(if self.is_failing { RETRY } else { LOOK }) => {}
            }
        }
    }

    /// After a restart of all replicas what is published goes on until it is known whether it is used.
    async fn remember(&mut self) {
        if self.remembered.is_some() {
            return;
        }
        if let Err(error) = self.read().await {
            self.failed(&error);
            return;
        }
        self.succeeded();
        let present = self
            .present
            .as_ref()
            .and_then(|present| present.text.as_deref());
        let now = SystemTime::now();
        let text = present.unwrap_or_default();
        let targets = target_file::read(text, now);
        let lines = text.lines().filter(|line| line.contains(DECLARED));
        self.remembered = Some(lines.map(|line| format!("{line}\n")).collect());
        self.shared.index().remember(targets, now);
    }

    /// The list as it is now. Every replica makes it, so that each knows when a target was used last.
    fn look(&self) -> (String, Published) {
        let rules = self.shared.rules.borrow().clone();
        let admission = admission(self.shared.declared().iter(), &rules.admission);
        let mut lines: Vec<_> = admission.targets.iter().map(AcceptedTarget::line).collect();
        let endpoints = admission
            .targets
            .iter()
            .flat_map(|target| &target.endpoints);
        let mut others = rules.admission.configured;
        others.extend(endpoints.clone().cloned());
        let mut declared = endpoints.count();
        if !self.is_declared_known() {
            lines = self.remembered.clone().unwrap_or_default();
            declared = lines.len();
        }
        let room = Room {
            most: rules.admission.most.saturating_sub(declared),
            most_per_namespace: rules.most_per_namespace,
            others,
        };
        let mut discovered = self.shared.index().discovered(SystemTime::now(), &room);
        lines.extend(discovered.targets.iter().map(target_file::line));
        let (text, no_room) = target_file::render(&lines, ROOM);
        discovered.left_out += no_room;
        let published = Published {
            targets: lines.len() - no_room,
            left_out: discovered.left_out,
        };
        *self.shared.admission() = admission;
        *self.shared.discovered() = discovered;
        (text, published)
    }

    /// Whether the declared targets were listed. Until then those of the present file count.
    fn is_declared_known(&self) -> bool {
        let scopes = self.shared.states().scopes(Declarations::RESOURCE.kind);
        let declared = self.shared.declared();
        scopes.iter().all(|scope| declared.is_complete(scope))
    }

    /// Writes `text` unless it is there; whether it was written.
    async fn write(&mut self, text: &str) -> Result<bool, String> {
        if self
            .present
            .as_ref()
            .is_none_or(|present| present.at.elapsed() > READ_AGAIN)
        {
            self.read().await?;
        }
        let Some(present) = self.present.take() else {
            return Ok(false);
        };
        // An address that was learned by another replica, or earlier, stays.
        let cluster_dns = self
            .shared
            .cluster_dns()
            .map(|address| format!("{address}\n"));
        let cluster_dns = cluster_dns.or_else(|| present.cluster_dns.clone());
        if present.text.as_deref() == Some(text) && present.cluster_dns == cluster_dns {
            self.present = Some(present);
            return Ok(false);
        }
        let mut data = json!({FILE: text});
        if let Some(address) = cluster_dns {
            data[CLUSTER_DNS] = json!(address);
        }
        // The version: a write of another replica in between makes this one a conflict.
        let patch = Patch::Merge(json!({
            "metadata": {"resourceVersion": present.version},
            "data": data,
        }));
        if !self.leadership.is_leading() {
            return Ok(false);
        }
        let parameters = PatchParams::default();
        let written = self.config_maps.patch(&self.name, &parameters, &patch);
        self.present = Some(Present::new(answered(written).await?));
        Ok(true)
    }

    async fn read(&mut self) -> Result<(), String> {
        let read = answered(self.config_maps.get(&self.name)).await?;
        self.present = Some(Present::new(read));
        Ok(())
    }

    fn succeeded(&mut self) {
        self.is_failing = false;
        self.shared.publishing().clear();
    }

    fn failed(&mut self, error: &str) {
        self.present = None;
        error.clone_into(&mut self.shared.publishing());
        if !std::mem::replace(&mut self.is_failing, true) {
            NotPublished {
                config_map: &self.name,
                error,
            }
            .emit();
        }
    }
}

impl Present {
    fn new(config_map: ConfigMap) -> Self {
        let mut data = config_map.data.unwrap_or_default();
        Self {
            text: data.remove(FILE),
            cluster_dns: data.remove(CLUSTER_DNS),
            version: config_map.metadata.resource_version,
            at: Instant::now(),
        }
    }
}

/// The answer to a call, or what to do about it.
async fn answered<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, String> {
    match timeout(CALL, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Err(
            "it does not exist; the chart makes it, so install or upgrade the release again"
                .to_owned(),
        ),
        Ok(Err(kube::Error::Api(status))) => Err(status.message),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the API server did not answer in time".to_owned()),
    }
}

#[cfg(test)]
mod tests;
