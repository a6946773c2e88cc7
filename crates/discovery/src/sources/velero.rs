//! Velero: backup locations in Azure Blob (velero-plugin-for-microsoft-azure,
//! `backupstoragelocation.md`).

use crate::finder::{self, Finder, How, Wanted};
use crate::kind::{Kind, Resource};
use crate::lenient::{Texts, record};
use crate::metadata::Metadata;
use crate::omission::Omission;
use crate::source::Source;

record! {
    /// Where backups go.
    pub(crate) BackupStorageLocation {
        /// Which store.
        spec: Spec = "spec",
    }
}

record! {
    /// A store of objects.
    pub(crate) Spec {
        /// Whose it is.
        provider: String = "provider",
        /// Where it is.
        config: Texts = "config",
    }
}

impl Kind for BackupStorageLocation {
    const RESOURCE: Resource = Resource::custom(
        "velero.io",
        &["v1"],
        "BackupStorageLocation",
        "backupstoragelocations",
    );

    fn find(&self, _: &Metadata, finder: &mut Finder<'_>) {
        if !matches!(self.spec.provider.as_str(), "azure" | "velero.io/azure") {
            return;
        }
        finder.from(Source::Velero, |finder| {
            let config = &self.spec.config;
            if let Some(uri) = config.get("storageAccountURI") {
                return finder.url(uri, Wanted::Storage, How::default());
            }
            match (
                config.get("storageAccount"),
                finder::suffix("storage-blob", finder.rules.cloud),
            ) {
                (None, _) => finder.omit(Omission::NoName),
                (_, None) => finder.omit(Omission::UnknownCloud),
                (Some(account), Some(suffix)) => {
                    finder.resource(account, suffix, Wanted::Storage, How::default());
                }
            }
        });
    }
}
