//! Kind: a kind of Kubernetes object that discovery reads. One row to add one.

use std::fmt::Debug;

use serde::de::DeserializeOwned;

use crate::finder::Finder;
use crate::metadata::Metadata;
use crate::source::Source;
use crate::sources::{
    akv2k8s, annotations, dapr, external_name, external_secrets, flux, keda, secret_provider_class,
    velero, volumes,
};
use crate::workload;

/// A kind of Kubernetes object: what of it is read beside its metadata, and what it says.
pub trait Kind: DeserializeOwned + Default + Clone + Debug + Send + Sync + 'static {
    /// Where the API server serves it.
    const RESOURCE: Resource;

    /// Hands what the object says to `finder`.
    fn find(&self, metadata: &Metadata, finder: &mut Finder<'_>);
}

/// Where the API server serves a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// Its versions that are read, the one to prefer first.
    pub versions: &'static [&'static str],
    /// The kind.
    pub kind: &'static str,
    /// The name in paths and in RBAC.
    pub plural: &'static str,
    /// Whether its objects are in namespaces.
    pub is_namespaced: bool,
    /// Whether it exists only where a CRD was installed.
    pub is_custom: bool,
}

impl Resource {
    pub(crate) const fn built_in(
        group: &'static str,
        kind: &'static str,
        plural: &'static str,
    ) -> Self {
        Self {
            group,
            versions: &["v1"],
            kind,
            plural,
            is_namespaced: true,
            is_custom: false,
        }
    }

    pub(crate) const fn custom(
        group: &'static str,
        versions: &'static [&'static str],
        kind: &'static str,
        plural: &'static str,
    ) -> Self {
        Self {
            group,
            versions,
            kind,
            plural,
            is_namespaced: true,
            is_custom: true,
        }
    }

    pub(crate) const fn of_the_cluster(self) -> Self {
        Self {
            is_namespaced: false,
            ..self
        }
    }
}

/// What is done with every kind.
pub trait Visitor {
    /// Does it with `K`, which these sources read.
    fn visit<K: Kind>(&mut self, sources: &'static [Source]);
}

/// The table: a row for each kind, with the sources that read it.
macro_rules! kinds {
    ($($kind:ty: [$($source:ident),+];)+) => {
        /// Every kind with the sources that read it.
        pub const KINDS: &[(Resource, &[Source])] =
            &[$((<$kind as Kind>::RESOURCE, &[$(Source::$source),+])),+];

        /// Calls `visitor` with every kind.
        pub fn each_kind(visitor: &mut impl Visitor) {
            $(visitor.visit::<$kind>(&[$(Source::$source),+]);)+
        }
    };
}

kinds! {
    workload::Pod: [Images, SecretProviderClasses, Volumes, ApiServer, Annotations, Environment];
    workload::Deployment: [Images, SecretProviderClasses, Volumes, ApiServer, Annotations, Environment];
    workload::StatefulSet: [Images, SecretProviderClasses, Volumes, ApiServer, Annotations, Environment];
    workload::DaemonSet: [Images, SecretProviderClasses, Volumes, ApiServer, Annotations, Environment];
    workload::Job: [Images, SecretProviderClasses, Volumes, ApiServer, Annotations, Environment];
    workload::CronJob: [Images, SecretProviderClasses, Volumes, ApiServer, Annotations, Environment];
    secret_provider_class::SecretProviderClass: [SecretProviderClasses];
    volumes::PersistentVolume: [Volumes];
    volumes::StorageClass: [Volumes];
    annotations::Namespace: [Annotations];
    external_name::Service: [ExternalNames];
    flux::OciRepository: [Flux];
    flux::HelmRepository: [Flux];
    flux::ImageRepository: [Flux];
    external_secrets::SecretStore: [ExternalSecrets];
    external_secrets::ClusterSecretStore: [ExternalSecrets];
    akv2k8s::AzureKeyVaultSecret: [Akv2k8s];
    keda::ScaledObject: [Keda];
    keda::ScaledJob: [Keda];
    velero::BackupStorageLocation: [Velero];
    dapr::Component: [Dapr];
}
