//! Served: which groups and versions the API server has, so that kinds of a CRD that is installed later
//! are read from then on.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::Client;
use privatelink_discovery::Resource;
use tokio::sync::watch::Sender;
use tokio::time::{sleep, timeout};
use tracing::debug;

use crate::client::CALL;

/// Between two looks.
const EVERY: Duration = Duration::from_mins(1);

/// Until the next look after one without an answer.
const RETRY: Duration = Duration::from_secs(5);

/// The groups that the API server has, each with a version; `None` until it has said so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Served(Option<BTreeSet<(String, String)>>);

impl Served {
    /// Whether the API server has said which groups it has.
    pub(crate) fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// The version of `resource` to read; `None` where the API server has none. Kinds that every API
    /// server has are always there.
    pub(crate) fn version(&self, resource: &Resource) -> Option<&'static str> {
        if !resource.is_custom {
            return resource.versions.first().copied();
        }
        let mut versions = resource.versions.iter().copied();
        versions.find(|version| {
            let mut served = self.0.iter().flatten();
            served.any(|(group, known)| group == resource.group && known == version)
        })
    }
}

/// Looks again and again, until it is dropped. Without an answer, what was known stays.
pub(crate) async fn follow(client: Client, served: Sender<Served>) {
    loop {
        let mut pause = RETRY;
        match timeout(CALL, client.list_api_groups()).await {
            Ok(Ok(list)) => {
                pause = EVERY;
                let groups = list.groups.into_iter().flat_map(|group| {
                    let name = group.name;
                    group
                        .versions
                        .into_iter()
                        .map(move |version| (name.clone(), version.version))
                });
                let new = Served(Some(groups.collect()));
                served.send_if_modified(|known| {
                    let is_new = *known != new;
                    *known = new;
                    is_new
                });
            }
            Ok(Err(error)) => debug!(%error, "cannot list the API server's groups"),
            Err(_) => debug!("no answer to the question for the API server's groups"),
        }
        sleep(pause).await;
    }
}
