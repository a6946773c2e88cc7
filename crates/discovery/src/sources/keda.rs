//! KEDA: the services that its triggers ask. The metadata of each is from the scalers' sources
//! (kedacore/keda, `pkg/scalers/azure_*_scaler.go`).

use privatelink_verdict::catalogue::Cloud;

use crate::finder::{self, Finder, How, Wanted};
use crate::kind::{Kind, Resource};
use crate::lenient::{Texts, record};
use crate::metadata::Metadata;
use crate::omission::Omission;
use crate::source::Source;
use crate::sources::environment;

/// The settings in which scalers name their servers.
const SERVERS: &[&str] = &[
    "serverAddress",
    "endpoint",
    "bootstrapServers",
    "address",
    "addresses",
    "host",
    "hosts",
];

record! {
    /// What scales a workload.
    pub(crate) ScaledSpec {
        /// What it asks.
        triggers: Vec<Trigger> = "triggers",
    }
}

record! {
    /// What is asked how much work there is.
    pub(crate) Trigger {
        /// The scaler.
        scaler: String = "type",
        /// Its settings.
        metadata: Texts = "metadata",
    }
}

record! {
    /// A workload that is scaled.
    pub(crate) ScaledObject {
        /// By what.
        spec: ScaledSpec = "spec",
    }
}

impl Kind for ScaledObject {
    const RESOURCE: Resource =
        Resource::custom("keda.sh", &["v1alpha1"], "ScaledObject", "scaledobjects");

    fn find(&self, _: &Metadata, finder: &mut Finder<'_>) {
        self.spec.find(finder);
    }
}

record! {
    /// Jobs that are made as there is work.
    pub(crate) ScaledJob {
        /// By what.
        spec: ScaledSpec = "spec",
    }
}

impl Kind for ScaledJob {
    const RESOURCE: Resource =
        Resource::custom("keda.sh", &["v1alpha1"], "ScaledJob", "scaledjobs");

    fn find(&self, _: &Metadata, finder: &mut Finder<'_>) {
        self.spec.find(finder);
    }
}

impl ScaledSpec {
    fn find(&self, finder: &mut Finder<'_>) {
        finder.from(Source::Keda, |finder| {
            for trigger in &self.triggers {
                trigger.find(finder);
            }
        });
    }
}

impl Trigger {
    fn find(&self, finder: &mut Finder<'_>) {
        let metadata = &self.metadata;
        match self.scaler.as_str() {
            "azure-blob" => self.named("accountName", "storage-blob", finder),
            "azure-queue" => self.named("accountName", "storage-queue", finder),
            "azure-servicebus" => self.named("namespace", "service-bus", finder),
            "azure-eventhub" => {
                self.named("eventHubNamespace", "event-hubs", finder);
                // Its checkpoints are blobs, of another account and maybe another suffix.
                if metadata.get("storageAccountName").is_some() {
                    self.named("storageAccountName", "storage-blob", finder);
                }
            }
            // A server of any kind: a Prometheus of Azure Monitor, a database, Redis, Event Hubs as Kafka.
            _ => {
                for key in SERVERS {
                    let Some(value) = metadata.get(key) else {
                        continue;
                    };
                    match metadata.get("port").filter(|_| *key == "host") {
                        Some(port) => environment::hosts(&format!("{value}:{port}"), finder),
                        None => environment::hosts(value, finder),
                    }
                }
            }
        }
    }

    /// The resource of this service that the metadata names. Without a name it is in a connection
    /// string: in a secret, or in a variable of the workload's environment.
    fn named(&self, key: &str, slug: &str, finder: &mut Finder<'_>) {
        let metadata = &self.metadata;
        let Some(name) = metadata.get(key) else {
            let mut keys = metadata.keys();
            let from_environment = |key: &str| {
                let end = key.len().saturating_sub("FromEnv".len());
                key.get(end..)
                    .is_some_and(|end| end.eq_ignore_ascii_case("FromEnv"))
            };
            return finder.omit(if keys.any(from_environment) {
                Omission::InEnvironment
            } else {
                Omission::InSecret
            });
        };
        let Some(suffix) = self.suffix(key, slug) else {
            return finder.omit(Omission::UnknownCloud);
        };
        finder.resource(name, &suffix, Wanted::Any, How::default());
    }

    /// The suffix of a service: that of the cloud in the metadata, which is the public one unless it is
    /// written, or the one that is written with a private cloud.
    fn suffix(&self, key: &str, slug: &str) -> Option<String> {
        let name = self.metadata.get("cloud");
        if name.is_some_and(|name| name.eq_ignore_ascii_case("Private")) {
            let written = |key: &str| Some(self.metadata.get(key)?.trim_matches('.'));
            return match key {
                "storageAccountName" => Some(format!("blob.{}", written("storageEndpointSuffix")?)),
                _ => written("endpointSuffix").map(str::to_owned),
            };
        }
        let cloud = name.map_or(Some(Cloud::Commercial), finder::cloud)?;
        finder::suffix(slug, cloud).map(str::to_owned)
    }
}
