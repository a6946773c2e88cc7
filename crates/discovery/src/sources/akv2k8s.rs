//! akv2k8s: secrets in Azure Key Vault. Which cloud it is in is the controller's configuration.

use crate::finder::{self, Finder, How, Wanted};
use crate::kind::{Kind, Resource};
use crate::lenient::{Texts, record};
use crate::metadata::Metadata;
use crate::omission::Omission;
use crate::source::Source;

record! {
    /// A secret of a vault.
    pub(crate) AzureKeyVaultSecret {
        /// Where it is.
        spec: Spec = "spec",
    }
}

record! {
    /// Where a secret is.
    pub(crate) Spec {
        /// The vault.
        vault: Texts = "vault",
    }
}

impl Kind for AzureKeyVaultSecret {
    const RESOURCE: Resource = Resource::custom(
        "spv.no",
        &["v2beta1", "v2alpha1", "v1"],
        "AzureKeyVaultSecret",
        "azurekeyvaultsecrets",
    );

    fn find(&self, _: &Metadata, finder: &mut Finder<'_>) {
        finder.from(Source::Akv2k8s, |finder| {
            match (
                self.spec.vault.get("name"),
                finder::suffix("key-vault", finder.rules.cloud),
            ) {
                (None, _) => finder.omit(Omission::NoName),
                (_, None) => finder.omit(Omission::UnknownCloud),
                (Some(name), Some(suffix)) => {
                    finder.resource(name, suffix, Wanted::KeyVault, How::default());
                }
            }
        });
    }
}
