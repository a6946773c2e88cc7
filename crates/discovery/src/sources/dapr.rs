//! Dapr: the services of its components. Many kinds of component name an Azure resource without its
//! suffix, each under a key of its own (Dapr documentation, "Component specs").

use privatelink_verdict::catalogue::Cloud;

use crate::finder::{self, Finder, How, Wanted};
use crate::kind::{Kind, Resource};
use crate::lenient::{Present, record};
use crate::metadata::Metadata;
use crate::omission::Omission;
use crate::source::Source;
use crate::sources::environment;

/// A part of a component's type, the keys that name the resource, and the catalogue's word for its
/// service.
const COMPONENTS: &[(&str, &[&str], &str)] = &[
    (".azure.keyvault", &["vaultName"], "key-vault"),
    (
        ".azure.blobstorage",
        &["accountName", "storageAccount"],
        "storage-blob",
    ),
    (
        ".azure.storagequeues",
        &["accountName", "storageAccount"],
        "storage-queue",
    ),
    (".azure.tablestorage", &["accountName"], "storage-table"),
    (".azure.servicebus", &["namespaceName"], "service-bus"),
    (".azure.eventhubs", &["eventHubNamespace"], "event-hubs"),
    // Its checkpoints are blobs.
    (".azure.eventhubs", &["storageAccountName"], "storage-blob"),
];

record! {
    /// A building block of an application.
    pub(crate) Component {
        /// What it is.
        spec: Spec = "spec",
    }
}

record! {
    /// What a component is.
    pub(crate) Spec {
        /// `state.azure.blobstorage`.
        kind: String = "type",
        /// Its settings.
        metadata: Vec<Item> = "metadata",
    }
}

record! {
    /// A setting of a component.
    pub(crate) Item {
        /// What.
        name: String = "name",
        /// The value, if it is written here.
        value: String = "value",
        /// A secret that holds the value.
        secret: Present = "secretKeyRef",
    }
}

impl Kind for Component {
    const RESOURCE: Resource =
        Resource::custom("dapr.io", &["v1alpha1"], "Component", "components");

    fn find(&self, _: &Metadata, finder: &mut Finder<'_>) {
        finder.from(Source::Dapr, |finder| self.spec.find(finder));
    }
}

impl Spec {
    fn find(&self, finder: &mut Finder<'_>) {
        for item in &self.metadata {
            environment::hosts(&item.value, finder);
        }
        let mut rows = COMPONENTS
            .iter()
            .filter(|(part, ..)| self.kind.contains(part));
        if let Some((_, keys, slug)) = rows.next() {
            self.resource(keys, slug, finder);
        }
        // Other services than the first are used only where they are named.
        for (_, keys, slug) in rows {
            if keys.iter().any(|key| self.item(key).is_some()) {
                self.resource(keys, slug, finder);
            }
        }
    }

    /// The resource of this service that one of the settings `keys` names.
    fn resource(&self, keys: &[&str], slug: &str, finder: &mut Finder<'_>) {
        let Some(item) = keys.iter().find_map(|key| self.item(key)) else {
            let in_secret = self.metadata.iter().any(|item| item.secret.0);
            if in_secret {
                finder.omit(Omission::InSecret);
            }
            return;
        };
        if item.secret.0 {
            return finder.omit(Omission::InSecret);
        }
        let name = item.value.trim();
        // With its suffix it was found above.
        if name.is_empty() || name.contains('.') {
            return;
        }
        let cloud = self.item("azureEnvironment").map(|item| item.value.trim());
        let cloud = cloud.map_or(Some(Cloud::Commercial), finder::cloud);
        match cloud.and_then(|cloud| finder::suffix(slug, cloud)) {
            Some(suffix) => finder.resource(name, suffix, Wanted::Any, How::default()),
            None => finder.omit(Omission::UnknownCloud),
        }
    }

    fn item(&self, name: &str) -> Option<&Item> {
        let mut items = self.metadata.iter();
        items.find(|item| item.name.eq_ignore_ascii_case(name))
    }
}
