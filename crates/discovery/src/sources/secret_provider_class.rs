//! `SecretProviderClass`: the key vaults of the Secrets Store CSI driver's Azure provider.
//!
//! The parameters are those of secrets-store-csi-driver-provider-azure, `pkg/provider/types`; keys are
//! taken in any case. A class that nothing mounts is not used.

use crate::finder::{self, Finder, How, Link, Wanted};
use crate::kind::{Kind, Resource};
use crate::lenient::{Texts, record};
use crate::metadata::Metadata;
use crate::omission::Omission;
use crate::source::Source;
use crate::workload::Workload;

const DRIVER: &str = "secrets-store.csi.k8s.io";

record! {
    /// Secrets that a CSI driver mounts into pods.
    pub(crate) SecretProviderClass {
        /// Which.
        spec: Spec = "spec",
    }
}

record! {
    /// Which secrets, and where they are.
    pub(crate) Spec {
        /// Whose they are.
        provider: String = "provider",
        /// Where they are.
        parameters: Texts = "parameters",
    }
}

impl Kind for SecretProviderClass {
    const RESOURCE: Resource = Resource::custom(
        "secrets-store.csi.x-k8s.io",
        &["v1", "v1alpha1"],
        "SecretProviderClass",
        "secretproviderclasses",
    );

    fn find(&self, _: &Metadata, finder: &mut Finder<'_>) {
        if self.spec.provider != "azure" {
            return;
        }
        finder.from(Source::SecretProviderClasses, |finder| {
            let parameters = &self.spec.parameters;
            let Some(vault) = parameters.get("keyvaultName") else {
                return finder.omit(Omission::NoName);
            };
            let cloud = match parameters.get("cloudName") {
                None => Some(finder.rules.cloud),
                Some(name) => finder::cloud(name),
            };
            match cloud.and_then(|cloud| finder::suffix("key-vault", cloud)) {
                Some(suffix) => finder.resource(vault, suffix, Wanted::KeyVault, How::default()),
                None => finder.omit(Omission::UnknownCloud),
            }
        });
    }
}

/// The classes that a workload mounts.
pub(crate) fn mounts(workload: &Workload<'_>, finder: &mut Finder<'_>) {
    for volume in &workload.spec.volumes {
        if volume.csi.driver != DRIVER {
            continue;
        }
        if let Some(name) = volume.csi.attributes.get("secretProviderClass") {
            finder.link(Link::SecretProviderClass(name.to_owned()));
        }
    }
}
