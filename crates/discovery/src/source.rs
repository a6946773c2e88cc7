//! Source: where in the cluster's objects a service is named. Each can be switched on and off.

use privatelink_verdict::words;

words! {
    /// Where in the cluster's objects a service is named.
    Source {
        /// Images of pods and of the templates of workloads.
        Images = "images",
        /// `SecretProviderClass` objects of the Azure provider that something mounts.
        SecretProviderClasses = "secretProviderClasses",
        /// Volumes of Azure Files and Azure Blob: persistent, inline, and storage classes.
        Volumes = "volumes",
        /// The API server's name in the environment of the pods of kube-system.
        ApiServer = "apiServer",
        /// Repositories of Flux.
        Flux = "flux",
        /// Stores of External Secrets.
        ExternalSecrets = "externalSecrets",
        /// Secrets of akv2k8s.
        Akv2k8s = "akv2k8s",
        /// Triggers of KEDA.
        Keda = "keda",
        /// Backup locations of Velero.
        Velero = "velero",
        /// Services of the type `ExternalName`.
        ExternalNames = "externalNames",
        /// The annotation `privatelink-prober.dev/hosts` of namespaces and workloads.
        Annotations = "annotations",
        /// Environment, command and arguments of pods, which may hold secrets.
        Environment = "environment",
        /// Components of Dapr, which may hold secrets.
        Dapr = "dapr",
    }
}

/// When a source is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// Unless it is switched off.
    On,
    /// Where its kinds exist, unless it is switched off.
    WhereInstalled,
    /// Unless it is switched off; it says something only where a person wrote the annotation.
    ByAnnotation,
    /// Only when it is switched on: its values may be secret.
    Off,
}

impl Source {
    /// When it is read.
    pub const fn switch(self) -> Switch {
        match self {
            Self::Images | Self::SecretProviderClasses | Self::Volumes | Self::ApiServer => {
                Switch::On
            }
            Self::Flux
            | Self::ExternalSecrets
            | Self::Akv2k8s
            | Self::Keda
            | Self::Velero
            | Self::ExternalNames => Switch::WhereInstalled,
            Self::Annotations => Switch::ByAnnotation,
            Self::Environment | Self::Dapr => Switch::Off,
        }
    }

    /// The sources that are on unless something else is configured.
    pub fn on_by_default() -> Vec<Self> {
        let mut sources = Self::ALL.to_vec();
        sources.retain(|source| source.switch() != Switch::Off);
        sources
    }
}
