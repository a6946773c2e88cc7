//! External Secrets: stores in Azure Key Vault (`secretstore_azurekv_types.go` of the project).

use crate::finder::{Finder, How, Wanted};
use crate::kind::{Kind, Resource};
use crate::lenient::{Texts, record};
use crate::metadata::Metadata;
use crate::omission::Omission;
use crate::source::Source;

record! {
    /// Where secrets come from.
    pub(crate) StoreSpec {
        /// The kind of store.
        provider: Provider = "provider",
    }
}

record! {
    /// The kind of store.
    pub(crate) Provider {
        /// Azure Key Vault; empty for the others.
        azure: Texts = "azurekv",
    }
}

impl StoreSpec {
    fn find(&self, finder: &mut Finder<'_>) {
        let azure = &self.provider.azure;
        finder.from(Source::ExternalSecrets, |finder| {
            match azure.get("vaultUrl") {
                Some(url) => finder.url(url, Wanted::KeyVault, How::default()),
                None if azure.keys().next().is_some() => finder.omit(Omission::NoName),
                None => {}
            }
        });
    }
}

record! {
    /// A store of one namespace.
    pub(crate) SecretStore {
        /// Where its secrets come from.
        spec: StoreSpec = "spec",
    }
}

impl Kind for SecretStore {
    const RESOURCE: Resource = Resource::custom(
        "external-secrets.io",
        &["v1", "v1beta1"],
        "SecretStore",
        "secretstores",
    );

    fn find(&self, _: &Metadata, finder: &mut Finder<'_>) {
        self.spec.find(finder);
    }
}

record! {
    /// A store for every namespace.
    pub(crate) ClusterSecretStore {
        /// Where its secrets come from.
        spec: StoreSpec = "spec",
    }
}

impl Kind for ClusterSecretStore {
    const RESOURCE: Resource = Resource::custom(
        "external-secrets.io",
        &["v1", "v1beta1"],
        "ClusterSecretStore",
        "clustersecretstores",
    )
    .of_the_cluster();

    fn find(&self, _: &Metadata, finder: &mut Finder<'_>) {
        self.spec.find(finder);
    }
}
